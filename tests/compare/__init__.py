"""A separate CI job: values and gradients compared with those of PyTorch and of HIPS autograd.

::

    pip install -e ".[compare]"
    OMP_NUM_THREADS=1 python -m pytest tests/compare -m compare
    PROGRAMS=9000 python -m pytest tests/compare/test_programs.py -m compare        other programs each time

Without these libraries its tests are skipped. One table, `compare.table`, says what the functions are called there, a
file a family: each is compared by itself, and in random programs of several. Conventions, optimizers, schedules, and
derivatives of functions have tables of their own.
"""

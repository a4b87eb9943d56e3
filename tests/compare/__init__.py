"""A separate CI job: values and gradients compared with those of PyTorch and of HIPS autograd.

::

    pip install -e ".[compare]"
    OMP_NUM_THREADS=1 python -m pytest tests/compare -m compare
    PROGRAMS=9000 python -m pytest tests/compare/test_programs.py -m compare        different programs each time

Without these libraries its tests are skipped. `compare.table` lists the functions with their counterparts, in a file for
each family: each function is compared by itself, and in random programs. Conventions, optimizers, schedules, and
derivatives of functions have separate tables.
"""

"""A job of its own: values and gradients compared with those of PyTorch and of HIPS autograd.

::

    pip install -e ".[test,compare]"
    OMP_NUM_THREADS=1 python -m pytest tests/compare
    PROGRAMS=5000 python -m pytest tests/compare/test_programs.py      other programs each time, and more of them

Without these libraries its tests are skipped. One table says what the functions are called there: `ops`, a file a
family. Each is compared by itself, and in random programs of several; conventions, optimizers, schedules and derivatives
of functions have tables of their own.
"""

"""What all tests share: how many processes run them, with how many threads, and for how long each may last."""

import gc
import os
import signal

import pytest
from hypothesis import settings
from ids import value_id

# Several processes test at once, and some start programs that train, so one BLAS thread is enough for each. It is set
# here, where nothing has imported NumPy yet, and inherited by the programs: all of them compute the same bits.
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(name, "1")

# Hypothesis prints what reproduces a failure, and has no deadline on a busy machine.
settings.register_profile("tensorgrad", deadline=None, print_blob=True, max_examples=60)
settings.load_profile("tensorgrad")

PROCESSES = 4  # at most: each collects all tests first, which takes seconds
SLOW_SECONDS = 3600


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """One process for each core; this process alone where tests are named, which starts at once."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    if any("::" in argument for argument in config.args):
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, PROCESSES)


def pytest_ignore_collect(collection_path, config):
    """Leave out the comparison with other libraries, whose import takes seconds, unless it is asked for."""
    if collection_path.name == "compare" and "not compare" in config.option.markexpr:
        return True
    return None


def pytest_make_parametrize_id(val, argname):
    """Name values that have no id of their own: ``axis=0``, ``x=float32(2, 3)``, the body of a lambda."""
    return value_id(argname, val)


def pytest_collection_modifyitems(items):
    """Give the slow tests the time they take, and a thread to those that talk to other programs.

    Code that hangs may catch the exception that a signal raises, as Dask's finalizers do; a thread ends the process.
    """
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_SECONDS))
        elif item.path.parent.name in ("sweep", "training", "data"):
            item.add_marker(pytest.mark.timeout(method="thread"))


def pytest_collection_finish():
    """Keep the garbage collector from traversing all collected tests again and again."""
    gc.collect()
    gc.freeze()


def pytest_configure():
    """Restore Ctrl-C, which a shell disables for background jobs and which the programs under test need."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def no_gc():
    """Switch the garbage collector off, and hide existing objects from it and from ``gc.get_objects``."""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()

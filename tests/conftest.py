"""What all tests share: how many processes run them, with how many threads, and for how long each may last."""

import gc
import os
import signal

import pytest
from hypothesis import settings

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
    """As many processes as there are cores; none but this one where tests are named, which begins at once."""
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


def pytest_collection_modifyitems(items):
    """Give the slow tests the time they take, and a thread to those that talk to other programs.

    An exception that a signal raises amid what hangs may be caught there, as in Dask's finalizers; a thread ends the
    process.
    """
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_SECONDS))
        elif item.path.parent.name in ("sweep", "training", "data"):
            item.add_marker(pytest.mark.timeout(method="thread"))


def pytest_collection_finish():
    """Keep the garbage collector from going through twelve thousand tests again and again."""
    gc.collect()
    gc.freeze()


def pytest_configure():
    """A shell starts what it runs in the background deaf to Ctrl-C, which the programs under test have to hear."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def no_gc():
    """Leave the freeing of memory to reference counts; what exists already is not counted by ``gc.get_objects``."""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()

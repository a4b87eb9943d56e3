"""Settings for all tests: the number of processes and threads, time limits, and ids."""

import gc
import itertools
import os
import re
import signal
import sys

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import settings
from ids import value_id

# Several processes run tests in parallel, and some start programs that train, so each uses one BLAS thread. This is set
# before anything imports NumPy, and inherited by the programs, so that all results are bitwise equal.
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(name, "1")

# These parts of the package are imported at their first use, and tests of the gradient table need all of its rows.
from tensorgrad.functional import *  # noqa: E402, F403
from tensorgrad.rules import fft  # noqa: E402, F401
from tensorgrad.transforms import recompute  # noqa: E402, F401

# Programs that tests start, and the next run, find compiled files, even if Python was told not to write them.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Hypothesis prints how to reproduce a failure, and has no deadline, since the machine may be busy.
settings.register_profile("tensorgrad", deadline=None, print_blob=True, max_examples=40)
settings.load_profile("tensorgrad")

PROCESSES = 4  # at most: each collects all tests first, which takes seconds
SLOW_SECONDS = 3600
numbers = itertools.count()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """One process for each core; only this process if single tests are selected, since that starts faster."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    if any("::" in argument for argument in config.args):
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, PROCESSES)


def pytest_ignore_collect(collection_path, config):
    """Do not collect the comparison with other libraries, whose import takes seconds, unless it is selected."""
    if collection_path.name == "compare" and "not compare" in config.option.markexpr:
        return True
    return None


def pytest_make_parametrize_id(val, argname):
    """Name values that have no id of their own: ``axis=0``, ``x=float32(2, 3)``, the body of a lambda."""
    return value_id(argname, val)


def pytest_collection_modifyitems(items):
    """Set a longer time limit for slow tests, and a limit by a thread for tests that communicate with other programs.

    Code that hangs may catch the exception raised by a signal, as Dask's finalizers do; a thread ends the process.
    """
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_SECONDS))
        elif item.path.parent.name in ("sweep", "training", "data"):
            item.add_marker(pytest.mark.timeout(method="thread"))


def pytest_collection():
    """Prevent the garbage collector from repeatedly traversing all collected tests."""
    gc.disable()


def pytest_collection_finish():
    """Collect garbage again, but seldom: most tests make objects without reference cycles."""
    gc.freeze()
    gc.set_threshold(10_000)
    gc.enable()


def pytest_configure():
    """Restore the handling of Ctrl-C, which shells disable for background jobs and which tested programs need."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_protocol(item, nextitem):
    """Send one report of a test that passed to the main process, not three: each takes as long as a short test."""
    if not hasattr(item.config, "workerinput"):
        return None
    for report in runtestprotocol(item, log=False, nextitem=nextitem):
        if report.when == "call" or not report.passed:
            item.ihook.pytest_runtest_logreport(report=report)
    return True


@pytest.fixture
def tmp_path(tmp_path_factory, request):
    """A new folder, like pytest's own fixture, which compares its number with those of all folders before it."""
    name = re.sub(r"\W", "_", request.node.name)[:30]
    path = tmp_path_factory.getbasetemp() / f"{name}-{next(numbers)}"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def no_gc():
    """Switch the garbage collector off, and hide existing objects from it and from ``gc.get_objects``."""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()

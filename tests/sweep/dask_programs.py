"""Dask's programs in processes that are forked from one in which Dask is imported, which takes most of their start."""

import contextlib
import importlib
import multiprocessing
import os

MODULES = ("distributed.cli.dask_scheduler", "distributed.cli.dask_worker")
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__, *MODULES])


def started(module, arguments, path):
    """Start a program in its own process group, without output; ``path`` is the PYTHONPATH of its own processes."""
    process = CONTEXT.Process(target=_run, args=(f"distributed.cli.{module}", [*map(str, arguments)], str(path)))
    with contextlib.chdir("/"):  # also for the first of these processes
        process.start()
    return process


def _run(module, arguments, path):
    os.setsid()
    os.environ["PYTHONPATH"] = path
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    importlib.import_module(module).main(arguments, prog_name=module)

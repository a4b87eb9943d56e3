"""Shared by the benchmarks: interleaved timing, a description of the machine, and Markdown tables.

The speed of a shared machine varies from minute to minute by more than most interesting differences. Therefore all
contenders run in one process, a few milliseconds each, in rounds, and are compared within each round: a ratio is the
median over all rounds of the ratio in a round, and is printed with its quartiles.

Import this before NumPy: it sets the number of threads to one, unless the environment specifies it.
"""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")


clock = time.perf_counter
"""What `interleave` measures; `time.thread_time` leaves out the time during which other processes ran."""


def interleave(contenders: Mapping[str, Callable[[], object]], rounds: int, times: int = 1) -> dict[str, Any]:
    """The time of one call of each contender in seconds, as an array with an entry for each round.

    In each round, each contender is called once for warm-up and then ``times`` times while being timed; the order
    rotates from round to round. The garbage collector is enabled, as in normal use, but ignores objects that existed
    before, so that no contender pays for the modules of another.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders.items())
    gc.collect()
    gc.freeze()
    try:
        for _ in range(rounds):
            for name, call in order:
                call()
                began = clock()
                for _ in range(times):
                    call()
                seconds[name].append((clock() - began) / times)
            order.append(order.pop(0))
    finally:
        gc.unfreeze()
    return {name: np.array(values) for name, values in seconds.items()}


def microseconds(seconds: Any) -> str:
    """The median of times, for a table."""
    median = np.median(seconds) * 1e6
    return f"{median:.0f}" if median >= 100 else f"{median:.2f}"


def ratio(seconds: Any, base: Any) -> float:
    """The ratio to the base: the median over the rounds."""
    return float(np.median(seconds / base))


def spread(seconds: Any, base: Any) -> str:
    """The same for a table, with its quartiles."""
    if seconds is base:
        return "1"
    low, median, high = np.percentile(seconds / base, [25, 50, 75])
    return f"{median:.2f} ({low:.2f} to {high:.2f})"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a Markdown table."""
    print("\n" + "\n".join(table_lines(headings, rows)), flush=True)


def table_lines(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table: the first column to the left, numbers to the right."""
    lines = [headings, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headings))]
    lines.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    cells = [
        [first.ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        for first, *others in lines
    ]
    return [f"| {' | '.join(line)} |" for line in cells]


def keep_memory() -> bool:
    """Make the C library (glibc) keep freed memory. Return whether that was possible.

    By default it may return large arrays to the operating system and request them again, page by page, at each step.
    This depends on what else the process has freed, changes during a run, and can take half of the time of a step.
    """
    trim, mmap = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):
        return False
    return bool(mallopt(mmap, 1 << 25) and mallopt(trim, 1 << 30))


def limits(threads: int) -> dict[str, str]:
    """The environment variables that limit the threads of all libraries measured here, on processors only."""
    count, several = str(threads), str(threads > 1).lower()
    return {
        **dict.fromkeys([*THREADS, "MKL_NUM_THREADS", "NUM_CPU_THREADS"], count),  # the last one is tinygrad's
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_cpu_multi_thread_eigen={several} intra_op_parallelism_threads={count}",
    }


def peak_memory() -> int:
    """The most memory in bytes that this process had in use (resident) so far; 0 where it is not known."""
    status = Path("/proc/self/status")  # on Linux, getrusage may give the peak of the process that started this one
    if status.exists():
        lines = status.read_text(encoding="utf-8").splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def pytorch() -> Any:
    """PyTorch, limited to one thread; None if it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    return torch


def header() -> None:
    """Print versions, processor and threads, and warnings if the environment distorts the measurement."""
    import tensorgrad as tg

    torch = pytorch()
    print(
        f"Python {platform.python_version()}, NumPy {np.__version__}, tensorgrad {tg.__version__}, "
        + (f"PyTorch {torch.__version__} ({torch.get_num_threads()} thread(s))" if torch else "PyTorch not installed")
    )
    print(f"processor: {processor()}")
    threads = ", ".join(f"{name}={os.environ.get(name, 'not set')}" for name in THREADS)
    print(f"threads: {threads}; {blas()}")
    if wrong := [name for name in THREADS if os.environ.get(name) != "1"]:
        print(f"WARNING: {' and '.join(wrong)} should be 1: the times are not those of one thread")
    if kernels := os.environ.get("OPENBLAS_CORETYPE"):
        print(f"WARNING: OPENBLAS_CORETYPE={kernels} makes NumPy use other matrix kernels than by default")


def processor() -> str:
    """The name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0].replace("(R)", "").replace("(TM)", "") if names else platform.processor() or platform.machine()


def blas() -> str:
    """The library that NumPy multiplies matrices with, its version, kernels and threads."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "OpenBLAS unknown (threadpoolctl is not installed)"
    found = [
        f"OpenBLAS {library['version']} ({library.get('architecture')} kernels), {library['num_threads']} thread(s)"
        for library in threadpool_info()
        if library["internal_api"] == "openblas"
    ]
    return ", ".join(found) or "NumPy does not use OpenBLAS"

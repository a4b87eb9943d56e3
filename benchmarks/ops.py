"""What recording and walking back one small operation costs, beside PyTorch where that is installed.

    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/ops.py

A chain of 1,000 operations on three float64 numbers, forward and backward; microseconds per operation, medians over
rounds that take the contenders in turn. The first column is NumPy alone, which neither records nor walks back.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

import tensorgrad as tg

LENGTH, ROUNDS = 1000, 31
ONE = np.array([1.0001, 0.9999, 1.0])

CHAINS: dict[str, Callable[[Any, Any, Any], Any]] = {  # (y, a constant, the library)
    "y * 1.0001": lambda y, c, lib: y * 1.0001,
    "y + c": lambda y, c, lib: y + c,
    "y * c": lambda y, c, lib: y * c,
    "sin(y)": lambda y, c, lib: lib.sin(y),
}


def timed(step: Callable[[Any, Any, Any], Any], start: Any, constant: Any, library: Any, seed: Any) -> float:
    """Seconds per operation."""
    began = time.perf_counter()
    y = start
    for _ in range(LENGTH):
        y = step(y, constant, library)
    if seed is not None:
        y.backward(seed)
    return (time.perf_counter() - began) / LENGTH


def main() -> int:
    """Print the table."""
    contenders: dict[str, tuple[Any, Any, Any, Any]] = {
        "numpy": (ONE, ONE, np, None),
        "tensorgrad": (tg.Tensor(ONE, requires_grad=True), tg.Tensor(ONE, requires_grad=True), np, np.ones(3)),
    }
    try:
        import torch
    except ImportError:
        torch = None
    if torch is not None:
        torch.set_num_threads(1)
        leaf = torch.tensor(ONE, requires_grad=True)
        contenders["pytorch"] = (leaf, torch.tensor(ONE, requires_grad=True), torch, torch.ones(3, dtype=torch.float64))
    versions = f"Python {sys.version.split()[0]}, NumPy {np.__version__}"
    print(versions + (f", PyTorch {torch.__version__}" if torch is not None else ""))
    print(f"{'us per operation':>18}" + "".join(f"{name:>12}" for name in contenders))
    for text, step in CHAINS.items():
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(ROUNDS):
            for name, contender in contenders.items():
                seconds[name].append(timed(step, *contender))
        print(f"{text:>18}" + "".join(f"{np.median(times) * 1e6:12.2f}" for times in seconds.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())

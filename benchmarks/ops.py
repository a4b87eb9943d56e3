"""What recording and walking back one small operation costs, beside PyTorch where that is installed.

    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/ops.py

A chain of 100 operations on three float64 numbers, forward and backward; microseconds per operation, medians over
rounds that take the contenders in turn. ``k`` is a constant; ``w`` is a leaf that gets a gradient too, so that its row
counts two gradients an operation. The first column is NumPy alone, which neither records nor walks back.
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

LENGTH, ROUNDS = 100, 301
ONE = np.array([1.0001, 0.9999, 1.0])

CHAINS: dict[str, Callable[[Any, Any, Any, Any], Any]] = {  # (y, a constant, a leaf, the library)
    "y + k": lambda y, k, w, lib: y + k,
    "y * k": lambda y, k, w, lib: y * k,
    "y * 1.0001": lambda y, k, w, lib: y * 1.0001,
    "-y": lambda y, k, w, lib: -y,
    "sin(y)": lambda y, k, w, lib: lib.sin(y),
    "y * w": lambda y, k, w, lib: y * w,
}


def timed(step: Callable[..., Any], start: Any, constant: Any, leaf: Any, library: Any, seed: Any) -> float:
    """Seconds per operation."""
    began = time.perf_counter()
    y = start
    for _ in range(LENGTH):
        y = step(y, constant, leaf, library)
    if seed is not None:
        y.backward(seed)
    return (time.perf_counter() - began) / LENGTH


def main() -> int:
    """Print the table."""

    def leaf() -> tg.Tensor:
        return tg.Tensor(ONE, requires_grad=True)

    contenders: dict[str, tuple[Any, ...]] = {
        "numpy": (ONE, ONE, ONE, np, None),
        "tensorgrad": (leaf(), ONE, leaf(), np, np.ones(3)),
    }
    try:
        import torch
    except ImportError:
        torch = None
    if torch is not None:
        torch.set_num_threads(1)
        first, second = (torch.tensor(ONE, requires_grad=True) for _ in range(2))
        contenders["pytorch"] = (first, torch.tensor(ONE), second, torch, torch.ones(3, dtype=torch.float64))
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

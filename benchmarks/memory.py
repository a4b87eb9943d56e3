"""The effect of `tg.checkpoint`: peak memory and time of a training step through a deep chain of layers.

    OPENBLAS_NUM_THREADS=1 python benchmarks/memory.py

64 layers ``tanh(x @ w)`` of 64 units, a batch of 8192, float32; without checkpoints, and checkpointed in parts of 4, 8
and 16 layers. Memory is the peak of allocations by Python and NumPy in one forward and backward pass (tracemalloc);
time is the median over interleaved rounds.
"""

from __future__ import annotations

import gc
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

import tensorgrad as tg

LAYERS, UNITS, BATCH, ROUNDS = 64, 64, 8192, 7


def step(weights: list[tg.Tensor], x: Any, length: int | None) -> None:
    """One forward and backward pass, in checkpointed parts of this length; None: without checkpoints."""

    def part(h: Any, start: int) -> Any:
        for w in weights[start : start + (length or LAYERS)]:
            h = np.tanh(h @ w)
        return h

    h = x
    for start in range(0, LAYERS, length or LAYERS):
        h = tg.checkpoint(part)(h, start) if length else part(h, start)
    np.mean(h * h).backward()
    for w in weights:
        w.grad = None


def main() -> int:
    """Print the table."""
    rng = np.random.default_rng(0)
    weights = [
        tg.Tensor(rng.standard_normal((UNITS, UNITS), np.float32) / np.float32(UNITS**0.5), requires_grad=True)
        for _ in range(LAYERS)
    ]
    x = tg.Tensor(rng.standard_normal((BATCH, UNITS), np.float32))
    contenders: list[int | None] = [None, 4, 8, 16]
    memory: dict[int | None, int] = {}
    seconds: dict[int | None, list[float]] = {length: [] for length in contenders}
    for length in contenders:
        gc.collect()
        tracemalloc.start()
        step(weights, x, length)
        memory[length] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    for _ in range(ROUNDS):
        for length in contenders:
            began = time.perf_counter()
            step(weights, x, length)
            seconds[length].append(time.perf_counter() - began)
    whole = float(np.median(seconds[None]))
    for length in contenders:
        name = f"parts of {length}" if length else "stored whole"
        print(f"{name:>14}{memory[length] / 2**20:8.1f} MiB{np.median(seconds[length]) / whole:8.2f} times the time")
    return 0


if __name__ == "__main__":
    sys.exit(main())

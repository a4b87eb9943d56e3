"""The time of recording and differentiating one small operation, compared with PyTorch if it is installed.

    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/ops.py [--gc]

A chain of 100 operations on three float64 numbers, forward and backward; microseconds per operation. ``k`` is a
constant; ``w`` is a leaf that also gets a gradient, so that its rows include two gradients per operation; ``i`` is an
array of indices, ``m`` a constant matrix. "NumPy alone" computes the forward pass only. "one sum(y)" is not a chain but
a single sum, which shows the fixed cost of a backward pass. The last line is the geometric mean of the ratios.

``--gc`` instead counts the objects that the garbage collector tracks for each recorded operation, which determine how
often it runs, and for how long. Only the last result of the chain is kept.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import measuring
import numpy as np

import tensorgrad as tg

LENGTH = 100
NUMBERS = np.array([1.0001, 0.9999, 1.0])
PERMUTED = np.array([2, 0, 1])


@dataclass
class Library:
    """The constants, leaves and functions of a library, for the operations."""

    functions: Any
    array: Callable[[Any], Any]
    leaf: Callable[[Any], Any]
    records: bool = True

    def __post_init__(self) -> None:
        self.y, self.w = self.leaf(NUMBERS), self.leaf(NUMBERS)
        self.row = self.leaf(NUMBERS[np.newaxis])  # of shape (1, 3): a sum over its first axis leaves its shape
        self.k, self.i, self.m = self.array(NUMBERS), self.array(PERMUTED), self.array(np.eye(3))
        self.matrix, self.w_matrix = self.leaf(np.eye(3)), self.leaf(np.eye(3))
        self.seeds = {shape: self.array(np.ones(shape)) for shape in ((3,), (1, 3), (3, 3))}


NUMPY = Library(np, np.array, np.array, records=False)
TENSORGRAD = Library(np, np.array, lambda x: tg.Tensor(x, requires_grad=True))

Step = Callable[[Any, Library], Any]
CHAINS: dict[str, tuple[str, int, Step]] = {  # the start, the number of operations in a step, and the step
    "y + k": ("y", 1, lambda y, c: y + c.k),
    "y * k": ("y", 1, lambda y, c: y * c.k),
    "y * 1.0001": ("y", 1, lambda y, c: y * 1.0001),
    "-y": ("y", 1, lambda y, c: -y),
    "sin(y)": ("y", 1, lambda y, c: c.functions.sin(y)),
    "y * w": ("y", 1, lambda y, c: y * c.w),
    "sum(y, axis=0)": ("row", 1, lambda y, c: c.functions.sum(y, axis=0, keepdims=True)),
    "mean(y, axis=0)": ("row", 1, lambda y, c: c.functions.mean(y, axis=0, keepdims=True)),
    "reshape(y, ...)": ("y", 2, lambda y, c: c.functions.reshape(c.functions.reshape(y, (3, 1)), (3,))),
    "y[0:3]": ("y", 1, lambda y, c: y[0:3]),
    "y[i]": ("y", 1, lambda y, c: y[c.i]),
    "y @ m, a vector": ("y", 1, lambda y, c: y @ c.m),
    "y @ m, 3 x 3": ("matrix", 1, lambda y, c: y @ c.m),
    "y @ w, 3 x 3": ("matrix", 1, lambda y, c: y @ c.w_matrix),
}


def chain(library: Library, start: str, step: Step, steps: int) -> Callable[[], None]:
    """The function to be timed: a number of steps forward, and the backward pass."""
    first = getattr(library, start)
    seed = library.seeds[tuple(first.shape)]

    def run() -> None:
        y = first
        for _ in range(steps):
            y = step(y, library)
        if library.records:
            y.backward(seed)

    return run


def one_sum(library: Library) -> Callable[[], None]:
    """As many sums as a chain has operations, each with a backward pass."""

    def run() -> None:
        for _ in range(LENGTH):
            total = library.functions.sum(library.y)
            if library.records:
                total.backward()

    return run


def libraries() -> dict[str, Library]:
    """All libraries that are installed."""
    found = {"NumPy alone": NUMPY, "tensorgrad": TENSORGRAD}
    if (torch := measuring.pytorch()) is not None:
        found["PyTorch"] = Library(torch, torch.tensor, lambda x: torch.tensor(x, requires_grad=True))
    return found


def times(rounds: int) -> None:
    """Print the table of times."""
    contenders = libraries()
    ratios, rows = [], []
    for name in (*CHAINS, "one sum(y)"):
        if name in CHAINS:
            start, count, step = CHAINS[name]
            calls = {key: chain(library, start, step, LENGTH // count) for key, library in contenders.items()}
        else:
            calls = {key: one_sum(library) for key, library in contenders.items()}
        seconds = measuring.interleave(calls, rounds)
        rows.append([name, *(measuring.microseconds(values / LENGTH) for values in seconds.values())])
        if "PyTorch" in seconds:
            ratios.append(measuring.ratio(seconds["tensorgrad"], seconds["PyTorch"]))
            rows[-1].append(measuring.spread(seconds["tensorgrad"], seconds["PyTorch"]))
    if ratios:
        rows.append(["geometric mean", "", "", "", f"{np.exp(np.mean(np.log(ratios))):.2f}"])
    measuring.table(["µs an operation", *contenders, *(["tensorgrad / PyTorch"] if ratios else [])], rows)


def objects() -> None:
    """Print the table of objects that the garbage collector tracks."""
    rows = []
    for name, (start, count, step) in CHAINS.items():
        chain(TENSORGRAD, start, step, 1)()  # fills caches
        y = getattr(TENSORGRAD, start)
        seed = TENSORGRAD.seeds[y.shape]
        gc.collect()
        gc.freeze()  # existing objects are not counted
        gc.disable()
        try:
            for _ in range(LENGTH):
                y = step(y, TENSORGRAD)
            on_tape = len(gc.get_objects())
            y.backward(seed)
            del y
            left = len(gc.get_objects())
        finally:
            gc.enable()
            gc.unfreeze()
        rows.append([name, f"{on_tape / LENGTH / count:.2f}", f"{left / LENGTH / count:.2f}"])
    measuring.table(["objects an operation", "on the tape", "left after backward"], rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one of the two tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=301)
    parser.add_argument("--gc", action="store_true", help="count the objects that the garbage collector tracks")
    args = parser.parse_args(arguments)
    measuring.header()
    if args.gc:
        objects()
    else:
        print(f"medians of {args.rounds} rounds; ratios with their quartiles")
        times(args.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())

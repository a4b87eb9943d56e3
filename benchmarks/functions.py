"""The time of `tg.grad` and `tg.vjp`, compared with `backward`, for the same gradient.

    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/functions.py

The gradient of ``sum(tanh(A @ x) ** 2)`` for an array ``x`` of ten float64 numbers, so that the overhead is measured
rather than the arithmetic. The gradients are compared first.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

import measuring
import numpy as np

import tensorgrad as tg

rng = np.random.default_rng(0)
A, X = rng.standard_normal((10, 10)), rng.standard_normal(10)


def f(x: Any) -> Any:
    return np.sum(np.tanh(A @ x) ** 2)


def by_backward() -> Any:
    x = tg.Tensor(X, requires_grad=True)
    f(x).backward()
    return x.grad


def by_grad() -> Any:
    x = tg.Tensor(X, requires_grad=True)
    return tg.grad(f(x), x)


def by_vjp() -> Any:
    _, pull = tg.vjp(f, X)
    return pull()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=301)
    parser.add_argument("--calls", type=int, default=30, help="calls of each contender in a round")
    args = parser.parse_args(arguments)
    contenders: dict[str, Callable[[], Any]] = {"backward": by_backward, "tg.grad": by_grad, "tg.vjp": by_vjp}
    for name, gradient in contenders.items():
        np.testing.assert_allclose(np.asarray(gradient()), by_backward(), rtol=1e-12, err_msg=name)

    measuring.header()
    print(f"medians of {args.rounds} rounds; ratios with their quartiles")
    seconds = measuring.interleave(contenders, args.rounds, args.calls)
    rows = [
        [name, measuring.microseconds(values), measuring.spread(values, seconds["backward"])]
        for name, values in seconds.items()
    ]
    measuring.table(["a gradient by", "µs", "of backward"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A step of an optimizer on the parameters of 784-400-10, compared with PyTorch's fused and foreach versions.

    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/optimizers.py

float32, 318,010 numbers in four arrays; the same given gradients at each step. The resulting parameters are compared
first.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

import measuring
import numpy as np

import tensorgrad as tg

SHAPES = [(784, 400), (400,), (400, 10), (10,)]
OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "SGD": ("SGD", {"lr": 0.01, "weight_decay": 1e-4}),
    "SGD, momentum": ("SGD", {"lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4}),
    "Adam": ("Adam", {"lr": 1e-3}),
    "AdamW": ("AdamW", {"lr": 1e-3, "weight_decay": 1e-2}),
}
CHECKED, TOLERANCE = 5, {"rtol": 1e-4, "atol": 1e-6}  # the steps that are compared, and how closely they must agree

Contender = tuple[Callable[[], object], list[Any]]  # a step, and the parameters it changes in place


def arrays(seed: int) -> list[Any]:
    """Random numbers in the shapes of the parameters."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape, np.float32) * np.float32(0.1) for shape in SHAPES]


def by_tensorgrad(name: str, options: dict[str, Any]) -> Contender:
    params = [tg.Tensor(p, requires_grad=True) for p in arrays(0)]
    optimizer = getattr(tg.optim, name)(tg.nn.parameters(params), **options)
    for p, g in zip(params, arrays(1), strict=True):
        p.grad = g
    return optimizer.step, [p.data for p in params]


def by_pytorch(name: str, options: dict[str, Any]) -> Contender:
    torch = measuring.pytorch()
    params = [torch.tensor(p, requires_grad=True) for p in arrays(0)]
    optimizer = getattr(torch.optim, name)(params, **options)
    for p, g in zip(params, arrays(1), strict=True):
        p.grad = torch.from_numpy(g)
    return optimizer.step, [p.detach().numpy() for p in params]


def check(contenders: dict[str, Contender]) -> None:
    """Run a few steps of all contenders, and compare the resulting parameters."""
    for step, _ in contenders.values():
        for _ in range(CHECKED):
            step()
    (_, reference), *_ = contenders.values()
    for name, (_, params) in contenders.items():
        for ours, theirs in zip(params, reference, strict=True):
            np.testing.assert_allclose(ours, theirs, err_msg=name, **TOLERANCE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=101)
    parser.add_argument("--steps", type=int, default=10, help="steps of each contender in a round")
    args = parser.parse_args(arguments)
    measuring.header()
    torch = measuring.pytorch() is not None
    if torch:
        print(f"checked: parameters after {CHECKED} steps agree (rtol {TOLERANCE['rtol']}, atol {TOLERANCE['atol']})")
    print(f"medians of {args.rounds} rounds; ratios with their quartiles")

    rows = []
    for text, (name, options) in OPTIMIZERS.items():
        contenders = {"tensorgrad": by_tensorgrad(name, options)}
        if torch:
            contenders |= {kind: by_pytorch(name, options | {kind: True}) for kind in ("fused", "foreach")}
        check(contenders)
        seconds = measuring.interleave({key: step for key, (step, _) in contenders.items()}, args.rounds, args.steps)
        ours, *others = seconds.values()
        rows.append([text, *map(measuring.microseconds, seconds.values())])
        rows[-1] += [measuring.spread(ours, other) for other in others]
    beside = ["PyTorch fused", "PyTorch foreach", "of fused", "of foreach"] if torch else []
    measuring.table(["µs a step", "tensorgrad", *beside], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A training step of 784-400-10: hand-written in NumPy, with PyTorch, with tensorgrad, and with JAX if installed.

    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/step.py [--batch 128] [--blas on]

A step gathers a batch from 60,000 images (random ones), runs linear, relu, linear and cross-entropy forward and
backward, and updates by SGD with weight decay; float32. "Plain NumPy" is a straightforward hand-written step, "tuned
NumPy" allocates no memory and multiplies the gradient by the learning rate early. tensorgrad's step is measured both as
it is written, and compiled by `tensorgrad.compile`, also with ``exact=False``. The rows "+ sum(w**2)" and "+ vdot" have
an L2 penalty in the loss instead of the decay, written as ``np.sum(w**2)`` or ``np.vdot(w, w)``; its value is computed
as well. Before the measurement, the losses and weights of all contenders are compared.

``--blas on`` makes tensorgrad update weights by BLAS. With ``--allocator default``, the time of contenders that
allocate memory depends on the state of the C library's allocator: see `measuring.keep_memory`.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import os
import sys
from collections.abc import Sequence

import contender
import contenders
import measuring
import numpy as np
import other_libraries

IMAGES, WIDTHS = 60_000, (784, 400, 10)
TOLERANCE = {"rtol": 1e-3, "atol": 1e-5}  # of losses


def check(members: dict[str, contender.Contender]) -> None:
    """Run the same steps with all contenders, and compare losses and weights with those of the first."""
    reference: contender.Contender | None = None
    expected: list[float] = []
    for name, member in members.items():
        losses = [member() for _ in range(contender.CHECKED)]
        reference, expected = reference or member, expected or losses
        np.testing.assert_allclose(losses, expected, err_msg=f"{name}: losses", **TOLERANCE)
        worst = contender.difference(member.weights(), reference.weights(), member.task.start)
        assert worst <= contender.TOLERANCE, f"{name}: weights differ by {worst:.1e} of their change"


def measure(batch: int, rounds: int, name: str, torch: bool, jax: bool) -> None:
    """Check, measure and print the results for one batch size."""
    images = contender.random_images(IMAGES, WIDTHS[0], WIDTHS[-1])
    task = contender.random_task(*images, batch, WIDTHS)
    with_decay: dict[str, contender.Contender] = {
        "plain NumPy": contenders.PlainNumPy(task),
        "tuned NumPy": contenders.TunedNumPy(task),
    }
    with_decay |= {"PyTorch": other_libraries.PyTorch(task)} if torch else {}
    with_decay |= {name: contenders.Tensorgrad(task), f"{name}, compiled": contenders.TensorgradCompiled(task)}
    with_decay |= {f"{name}, compiled, exact=False": contenders.TensorgradNotExact(task)}
    with_decay |= {"jax.jit": other_libraries.Jax(task)} if jax else {}
    by_sum, by_vdot = (dataclasses.replace(task, penalty=penalty) for penalty in contender.PENALTIES)
    penalized: dict[str, contender.Contender] = {
        "plain NumPy + sum(w**2)": contenders.PlainNumPy(by_sum),
        f"{name} + sum(w**2)": contenders.Tensorgrad(by_sum),
        f"{name}, compiled + sum(w**2)": contenders.TensorgradCompiled(by_sum),
        f"{name}, compiled, exact=False + sum(w**2)": contenders.TensorgradNotExact(by_sum),
        "plain NumPy + vdot": contenders.PlainNumPy(by_vdot),
        f"{name} + vdot": contenders.Tensorgrad(by_vdot),
        f"{name}, compiled + vdot": contenders.TensorgradCompiled(by_vdot),
    }
    penalized |= {"jax.jit + sum(w**2)": other_libraries.Jax(by_sum)} if jax else {}
    check(with_decay)
    check(penalized)

    times = min(max(1280 // batch, 2), 40)
    seconds = measuring.interleave({**with_decay, **penalized}, rounds, times)
    rows = []
    for member, values in seconds.items():
        base = seconds["plain NumPy" + (" + sum(w**2)" if member in penalized else "")]
        beside_torch = torch and member in with_decay
        rows.append(
            [
                member,
                measuring.microseconds(values),
                measuring.spread(values, base),
                measuring.spread(values, seconds["PyTorch"]) if beside_torch else "",
            ]
        )
    measuring.table([f"batch {batch}", "µs a step", "of plain NumPy", "of PyTorch"], rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table for each batch size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--batch", type=int, nargs="+", default=[16, 128, 1024])
    parser.add_argument("--rounds", type=int, default=101)
    parser.add_argument("--blas", choices=("on", "off"), default="off", help="update weights by BLAS (default: off)")
    parser.add_argument("--allocator", choices=("keep", "default"), default="keep", help="keep freed memory, or not")
    args = parser.parse_args(arguments)

    os.environ["TENSORGRAD_BLAS"] = "1" if args.blas == "on" else "0"
    can = importlib.util.find_spec("tensorgrad.blas") is not None
    if args.blas == "on" and not can:
        parser.error("this version of tensorgrad has no update by BLAS")
    for variable, value in measuring.limits(1).items():
        os.environ.setdefault(variable, value)
    try:
        import jax
    except ImportError:
        jax = None

    kept = args.allocator == "keep" and measuring.keep_memory()
    measuring.header()
    print(f"freed memory: {'kept by the C library for all contenders' if kept else 'the default of the C library'}")
    print(f"update by BLAS in tensorgrad: {args.blas if can else 'not in this version'}")
    print(
        f"checked: losses of {contender.CHECKED} steps agree (rtol {TOLERANCE['rtol']}, atol {TOLERANCE['atol']}), "
        f"and weights after them to {contender.TOLERANCE} of their change"
    )
    print(f"medians of {args.rounds} rounds; ratios with their quartiles; with a penalty, to plain NumPy + sum(w**2)")
    name = "tensorgrad with BLAS update" if args.blas == "on" else "tensorgrad"
    for batch in args.batch:
        measure(batch, args.rounds, name, measuring.pytorch() is not None, jax is not None)
    return 0


if __name__ == "__main__":
    sys.exit(main())

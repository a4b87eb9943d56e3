"""A training step of 784-400-10: hand-written in NumPy, with PyTorch, with tensorgrad, and with JAX if installed.

    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/step.py [--batch 128] [--blas on]

A step gathers a batch from 60,000 images (random ones), runs linear, relu, linear and cross-entropy forward and
backward, and updates by SGD with weight decay; float32. "Plain NumPy" is a straightforward hand-written step, "tuned
NumPy" allocates no memory and multiplies the gradient by the learning rate early. tensorgrad's step is measured both as
it is written, and compiled by `tensorgrad.compile`. The rows "+ penalty" have an L2 penalty in the loss instead of the
decay; its value is computed as well. Before the measurement, the losses and weights of all contenders are compared.

``--blas on`` makes tensorgrad update weights by BLAS. With ``--allocator default``, the time of contenders that
allocate memory depends on the state of the C library's allocator: see `measuring.keep_memory`.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import measuring
import numpy as np

IMAGES, FEATURES, HIDDEN, CLASSES = 60_000, 784, 400, 10
LR, DECAY = 0.01, 1e-4
CHECKED, TOLERANCE = 20, {"rtol": 1e-3, "atol": 1e-5}  # the steps that are compared, and how closely they must agree


@dataclass
class Task:
    """The data, the batches as indices, and the initial weights."""

    images: Any
    labels: Any
    batches: list[Any]
    start: list[Any]
    penalty: bool = False


def task(batch: int) -> Task:
    """The same random task each time."""
    rng = np.random.default_rng(0)

    def he(rows: int, columns: int) -> Any:
        return rng.standard_normal((rows, columns), np.float32) * np.float32((2 / rows) ** 0.5)

    return Task(
        images=rng.random((IMAGES, FEATURES), np.float32),
        labels=rng.integers(0, CLASSES, IMAGES),
        batches=[rng.integers(0, IMAGES, batch) for _ in range(64)],
        start=[he(FEATURES, HIDDEN), np.zeros(HIDDEN, np.float32), he(HIDDEN, CLASSES), np.zeros(CLASSES, np.float32)],
    )


class Contender:
    """Base class: a call performs the next step, which subclasses implement in `step`, and returns the loss."""

    def __init__(self, task: Task) -> None:
        self.task, self.penalty, self.steps = task, task.penalty, 0
        self.params: list[Any] = [p.copy() for p in task.start]

    def __call__(self) -> float:
        chosen = self.task.batches[self.steps % len(self.task.batches)]
        self.steps += 1
        return self.step(chosen)

    def step(self, chosen: Any) -> float:
        raise NotImplementedError

    def weights(self) -> list[Any]:
        return self.params


class PlainNumPy(Contender):
    """Derivatives computed by hand, without optimization."""

    def step(self, chosen: Any) -> float:
        w1, b1, w2, b2 = self.params
        x, y = self.task.images[chosen], self.task.labels[chosen]
        rows = np.arange(len(y))
        h = np.maximum(x @ w1 + b1, 0)
        logits = h @ w2 + b2
        shifted = logits - logits.max(axis=1, keepdims=True)
        e = np.exp(shifted)
        total = e.sum(axis=1, keepdims=True)
        loss = -(shifted - np.log(total))[rows, y].mean()
        d_logits = e / total
        d_logits[rows, y] -= 1
        d_logits /= len(y)
        d_h = d_logits @ w2.T * (h > 0)
        grads = [x.T @ d_h, d_h.sum(axis=0), h.T @ d_logits, d_logits.sum(axis=0)]
        if self.penalty:
            loss = loss + 0.5 * DECAY * (np.sum(w1**2) + np.sum(w2**2))
            grads[0] = grads[0] + DECAY * w1
            grads[2] = grads[2] + DECAY * w2
        for p, g in zip(self.params, grads, strict=True):
            p -= LR * (g if self.penalty else g + DECAY * p)
        return float(loss)


class TunedNumPy(Contender):
    """The same, with preallocated arrays and as few passes over memory as possible."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        n = len(task.batches[0])
        self.rows = np.arange(n)
        self.x = np.empty((n, FEATURES), np.float32)
        self.y = np.empty(n, task.labels.dtype)
        self.h, self.d_h = np.empty((2, n, HIDDEN), np.float32)
        self.positive = np.empty((n, HIDDEN), bool)
        self.logits, self.e = np.empty((2, n, CLASSES), np.float32)
        self.column = np.empty((n, 1), np.float32)
        self.grads = [np.empty_like(p) for p in self.params]
        self.scratch = [np.empty_like(p) for p in self.params]

    def step(self, chosen: Any) -> float:
        (w1, b1, w2, b2), (g_w1, g_b1, g_w2, g_b2) = self.params, self.grads
        x = np.take(self.task.images, chosen, axis=0, out=self.x, mode="clip")
        y = np.take(self.task.labels, chosen, out=self.y, mode="clip")
        h = np.matmul(x, w1, out=self.h)
        h += b1
        np.maximum(h, 0, out=h)
        logits = np.matmul(h, w2, out=self.logits)
        logits += b2
        logits -= logits.max(axis=1, keepdims=True, out=self.column)
        d_logits = np.exp(logits, out=self.e)
        total = d_logits.sum(axis=1, keepdims=True, out=self.column)
        loss = float((np.log(total[:, 0]) - logits[self.rows, y]).mean())
        d_logits /= total
        d_logits[self.rows, y] -= 1
        d_logits *= LR / len(y)  # multiply by the learning rate here, where it is cheapest
        d_h = np.matmul(d_logits, w2.T, out=self.d_h)
        d_h *= np.greater(h, 0, out=self.positive)
        np.matmul(x.T, d_h, out=g_w1)
        np.sum(d_h, axis=0, out=g_b1)
        np.matmul(h.T, d_logits, out=g_w2)
        np.sum(d_logits, axis=0, out=g_b2)
        for p, g in zip(self.params, self.grads, strict=True):
            p *= 1 - LR * DECAY
            p -= g
        return loss


class PyTorch(Contender):
    """Eager, with its own layers, loss and optimizer."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.torch = torch = measuring.pytorch()
        self.images, self.labels = torch.from_numpy(task.images), torch.from_numpy(task.labels)
        hidden, out = torch.nn.Linear(FEATURES, HIDDEN), torch.nn.Linear(HIDDEN, CLASSES)
        self.model = torch.nn.Sequential(hidden, torch.nn.ReLU(), out)
        with torch.no_grad():
            for p, start in zip(self.model.parameters(), task.start, strict=True):
                p.copy_(torch.from_numpy(start).T if start.ndim == 2 else torch.from_numpy(start))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=LR, weight_decay=DECAY)

    def step(self, chosen: Any) -> float:
        indices = self.torch.from_numpy(chosen)
        loss = self.torch.nn.functional.cross_entropy(self.model(self.images[indices]), self.labels[indices])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def weights(self) -> list[Any]:
        return [p.detach().numpy().T for p in self.model.parameters()]


class Tensorgrad(Contender):
    """The step as in the README."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        import tensorgrad as tg  # here, after --blas has been evaluated

        self.tg = tg
        self.w1, self.b1, self.w2, self.b2 = self.params = [tg.Tensor(p, requires_grad=True) for p in self.params]
        self.optimizer = tg.optim.SGD(tg.nn.parameters(self.params), LR, weight_decay=0 if self.penalty else DECAY)

    def step(self, chosen: Any) -> float:
        return float(self.on_batch(self.task.images[chosen], self.task.labels[chosen]).item())

    def on_batch(self, x: Any, y: Any) -> Any:
        """The step, once the batch is gathered; returns the loss."""
        tg, w1, w2 = self.tg, self.w1, self.w2
        logits = tg.relu(x @ w1 + self.b1) @ w2 + self.b2
        loss = -np.mean(tg.log_softmax(logits)[np.arange(len(y)), y])
        if self.penalty:
            loss = loss + 0.5 * DECAY * (np.sum(w1**2) + np.sum(w2**2))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def weights(self) -> list[Any]:
        return [p.numpy() for p in self.params]


class Compiled(Tensorgrad):
    """The same step, recorded and replayed by `tensorgrad.compile`."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        step = super().on_batch
        self.on_batch = self.tg.compile(lambda x, y: step(x, y))  # type: ignore[method-assign]


class Jax(Contender):
    """One compiled function from weights and batch to weights and loss, on one thread; it may reuse the old weights."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        import jax
        import jax.numpy as jnp

        def loss_of(params: Any, x: Any, y: Any) -> Any:
            w1, b1, w2, b2 = params
            logits = jax.nn.relu(x @ w1 + b1) @ w2 + b2
            loss = -jnp.mean(jax.nn.log_softmax(logits)[jnp.arange(len(y)), y])
            return loss + 0.5 * DECAY * (jnp.sum(w1**2) + jnp.sum(w2**2)) if self.penalty else loss

        def update(params: Any, x: Any, y: Any) -> Any:
            loss, grads = jax.value_and_grad(loss_of)(params, x, y)
            decay = 0 if self.penalty else DECAY
            return [p - LR * (g + decay * p) for p, g in zip(params, grads, strict=True)], loss

        self.update = jax.jit(update, donate_argnums=0)
        self.params = [jax.device_put(p) for p in self.params]

    def step(self, chosen: Any) -> float:
        self.params, loss = self.update(self.params, self.task.images[chosen], self.task.labels[chosen])
        return float(loss)

    def weights(self) -> list[Any]:
        return [np.asarray(p) for p in self.params]


def check(contenders: dict[str, Contender]) -> None:
    """Run the same steps with all contenders, and compare losses and weights with those of the first."""
    reference: tuple[list[float], list[Any]] | None = None
    for name, contender in contenders.items():
        losses = [contender() for _ in range(CHECKED)]
        weights = [np.array(p) for p in contender.weights()]
        reference = reference or (losses, weights)
        np.testing.assert_allclose(losses, reference[0], err_msg=f"{name}: losses", **TOLERANCE)
        for ours, theirs in zip(weights, reference[1], strict=True):
            np.testing.assert_allclose(ours, theirs, err_msg=f"{name}: weights", **TOLERANCE)


def measure(batch: int, rounds: int, name: str, torch: bool, jax: bool) -> None:
    """Check, measure and print the results for one batch size."""
    shared = task(batch)
    contenders: dict[str, Contender] = {"plain NumPy": PlainNumPy(shared), "tuned NumPy": TunedNumPy(shared)}
    contenders |= {"PyTorch": PyTorch(shared)} if torch else {}
    contenders |= {name: Tensorgrad(shared), f"{name}, compiled": Compiled(shared)}
    contenders |= {"jax.jit": Jax(shared)} if jax else {}
    shared = Task(shared.images, shared.labels, shared.batches, shared.start, penalty=True)
    penalized: dict[str, Contender] = {"plain NumPy + penalty": PlainNumPy(shared)}
    penalized |= {f"{name} + penalty": Tensorgrad(shared), f"{name}, compiled + penalty": Compiled(shared)}
    penalized |= {"jax.jit + penalty": Jax(shared)} if jax else {}
    check(contenders)
    check(penalized)

    times = min(max(1280 // batch, 2), 40)
    seconds = measuring.interleave({**contenders, **penalized}, rounds, times)
    rows = []
    for contender, values in seconds.items():
        base = seconds["plain NumPy + penalty" if contender in penalized else "plain NumPy"]
        beside_torch = torch and contender in contenders
        rows.append(
            [
                contender,
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
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    try:
        import jax
    except ImportError:
        jax = None

    kept = args.allocator == "keep" and measuring.keep_memory()
    measuring.header()
    print(f"freed memory: {'kept by the C library for all contenders' if kept else 'the default of the C library'}")
    print(f"update by BLAS in tensorgrad: {args.blas if can else 'not in this version'}")
    print(
        f"checked: losses and weights after {CHECKED} steps agree (rtol {TOLERANCE['rtol']}, atol {TOLERANCE['atol']})"
    )
    print(f"medians of {args.rounds} rounds; ratios with their quartiles; in penalty rows, to plain NumPy + penalty")
    name = "tensorgrad with BLAS update" if args.blas == "on" else "tensorgrad"
    for batch in args.batch:
        measure(batch, args.rounds, name, measuring.pytorch() is not None, jax is not None)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A training step of a network of linear layers and ReLU, written for several libraries.

A step gathers a batch from the images, runs the layers and cross-entropy forward and backward, and updates by SGD with
weight decay; float32. Each class is what a user of its library would write for speed: the library's own layers, loss
and optimizer where it has them, and its compiler where it has one. Libraries are imported where they are needed.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import itertools
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

LR, DECAY = 0.1, 5e-4
CHECKED, TOLERANCE = 20, 0.002  # the steps that are compared, and how closely they must agree


@dataclass
class Task:
    """The images (N, features), their labels, batches as arrays of indices, and initial weights: w, b, w, b, ..."""

    images: Any
    labels: Any
    batches: Sequence[Any]
    start: list[Any]
    lr: float = LR
    decay: float = DECAY
    penalty: bool = False  # an L2 penalty in the loss, whose value is computed, instead of decay of the weights


def difference(weights: Sequence[Any], reference: Sequence[Any], start: Sequence[Any]) -> float:
    """How far weights are from the reference, relative to its change: the Euclidean norm, of the worst array.

    Rounding can switch single units on or off, so that the largest difference of single weights says little.
    """
    norm = np.linalg.norm
    return max(float(norm(a - b) / norm(b - s)) for a, b, s in zip(weights, reference, start, strict=True))


def random_images(count: int, features: int, classes: int) -> tuple[Any, Any]:
    """Random images and labels, the same each time."""
    rng = np.random.default_rng(0)
    images = rng.random((count, features), np.float32)
    images -= 0.5  # with a mean of 0, training is stable
    return images, rng.integers(0, classes, count)


def initial_weights(widths: Sequence[int]) -> list[Any]:
    """Weights and biases of the layers between these widths, the same each time."""
    rng = np.random.default_rng(1)
    start = []
    for rows, columns in itertools.pairwise(widths):
        scale = np.float32((2 / rows) ** 0.5)
        start += [rng.standard_normal((rows, columns), np.float32) * scale, np.zeros(columns, np.float32)]
    return start


def random_task(images: Any, labels: Any, batch: int, widths: Sequence[int]) -> Task:
    """Random batches, the same each time."""
    rng = np.random.default_rng(2)
    return Task(images, labels, [rng.integers(0, len(labels), batch) for _ in range(64)], initial_weights(widths))


class Contender:
    """Base class: a call performs the next step, which subclasses implement in `step`, and returns the loss."""

    needs: str = "numpy"  # the package that it imports, and the name of its distribution
    distribution: str = "numpy"

    @classmethod
    def missing(cls) -> str:
        """What is not installed, if anything; nothing is imported."""
        return "" if importlib.util.find_spec(cls.needs) else f"{cls.distribution} is not installed"

    @classmethod
    def version(cls) -> str:
        """The version of the library."""
        return importlib.metadata.version(cls.distribution)

    def __init__(self, task: Task) -> None:
        self.task, self.steps = task, 0
        self.lr, self.decay, self.penalty = task.lr, task.decay, task.penalty
        self.params: list[Any] = [p.copy() for p in task.start]

    def __call__(self) -> float:
        chosen = self.task.batches[self.steps % len(self.task.batches)]
        self.steps += 1
        return self.step(chosen)

    def step(self, chosen: Any) -> float:
        raise NotImplementedError

    def weights(self) -> list[Any]:
        """Arrays in the shapes of the initial weights."""
        return [np.asarray(p) for p in self.params]

    @property
    def layers(self) -> list[tuple[Any, Any]]:
        """The parameters of each layer: w, b."""
        return pairs(self.params)


def pairs(params: Sequence[Any]) -> list[tuple[Any, Any]]:
    """[(w, b), (w, b), ...] of [w, b, w, b, ...]."""
    return list(zip(params[::2], params[1::2], strict=True))


class PlainNumPy(Contender):
    """Derivatives computed by hand, without optimization."""

    def step(self, chosen: Any) -> float:
        x, y = self.task.images[chosen], self.task.labels[chosen]
        rows = np.arange(len(y))
        inputs = [x]
        for w, b in self.layers[:-1]:
            inputs.append(np.maximum(inputs[-1] @ w + b, 0))
        w, b = self.layers[-1]
        logits = inputs[-1] @ w + b
        shifted = logits - logits.max(axis=1, keepdims=True)
        e = np.exp(shifted)
        total = e.sum(axis=1, keepdims=True)
        loss = -(shifted - np.log(total))[rows, y].mean()
        d = e / total
        d[rows, y] -= 1
        d /= len(y)
        grads = []
        for (w, _), h in zip(self.layers[::-1], inputs[::-1], strict=True):
            grads += [d.sum(axis=0), h.T @ d]
            if h is not x:
                d = d @ w.T * (h > 0)
        grads.reverse()  # w, b, w, b
        if self.penalty:
            for i, (w, _) in enumerate(self.layers):
                loss = loss + 0.5 * self.decay * np.sum(w**2)
                grads[2 * i] = grads[2 * i] + self.decay * w
        for p, g in zip(self.params, grads, strict=True):
            p -= self.lr * (g if self.penalty else g + self.decay * p)
        return float(loss)


class TunedNumPy(Contender):
    """The same, with preallocated arrays and as few passes over memory as possible."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        n = len(task.batches[0])
        self.rows = np.arange(n)
        self.x = np.empty((n, task.images.shape[1]), task.images.dtype)
        self.y = np.empty(n, task.labels.dtype)
        widths = [len(b) for _, b in self.layers]
        self.outputs = [np.empty((n, width), np.float32) for width in widths]
        self.d_outputs = [np.empty((n, width), np.float32) for width in widths]
        self.positive = [np.empty((n, width), bool) for width in widths[:-1]]
        self.column = np.empty((n, 1), np.float32)
        self.grads = [np.empty_like(p) for p in self.params]

    def step(self, chosen: Any) -> float:
        x = np.take(self.task.images, chosen, axis=0, out=self.x, mode="clip")
        y = np.take(self.task.labels, chosen, out=self.y, mode="clip")
        layers, d_layers = self.layers, pairs(self.grads)
        h = x
        for (w, b), out in zip(layers, self.outputs, strict=True):
            if h is not x:
                np.maximum(h, 0, out=h)
            h = np.matmul(h, w, out=out)
            h += b
        logits, d = self.outputs[-1], self.d_outputs[-1]
        logits -= logits.max(axis=1, keepdims=True, out=self.column)
        np.exp(logits, out=d)
        total = d.sum(axis=1, keepdims=True, out=self.column)
        loss = float((np.log(total[:, 0]) - logits[self.rows, y]).mean())
        d /= total
        d[self.rows, y] -= 1
        d *= self.lr / len(y)  # multiply by the learning rate here, where it is cheapest
        for i in reversed(range(len(layers))):
            h = self.outputs[i - 1] if i else x
            np.matmul(h.T, d, out=d_layers[i][0])
            np.sum(d, axis=0, out=d_layers[i][1])
            if i:
                d = np.matmul(d, layers[i][0].T, out=self.d_outputs[i - 1])
                d *= np.greater(h, 0, out=self.positive[i - 1])
        for p, g in zip(self.params, self.grads, strict=True):
            p *= 1 - self.lr * self.decay
            p -= g
        return loss


class PyTorch(Contender):
    """Eager, with its own layers, loss and optimizer."""

    needs, distribution = "torch", "torch"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        import torch

        self.torch = torch
        self.images, self.labels = torch.from_numpy(task.images), torch.from_numpy(task.labels)
        layers: list[Any] = []
        for w, _ in self.layers:
            layers += [torch.nn.Linear(*w.shape), torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*layers[:-1])
        with torch.no_grad():
            for p, start in zip(self.model.parameters(), task.start, strict=True):
                p.copy_(torch.from_numpy(start).T if start.ndim == 2 else torch.from_numpy(start))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=self.lr, weight_decay=self.decay)

    def step(self, chosen: Any) -> float:
        indices = self.torch.from_numpy(chosen)
        loss = self.torch.nn.functional.cross_entropy(self.model(self.images[indices]), self.labels[indices])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def weights(self) -> list[Any]:
        return [p.detach().numpy().T for p in self.model.parameters()]


class PyTorchCompiled(Contender):
    """The whole step as one function for `torch.compile`, which is faster than compiling model, loss or optimizer."""

    needs, distribution = "torch", "torch"

    @classmethod
    def missing(cls) -> str:
        compiler = os.environ.get("CXX", "g++")
        return super().missing() or (
            "" if shutil.which(compiler) else f"no C++ compiler ({compiler}; CXX names another)"
        )

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        import torch

        self.torch = torch
        torch._dynamo.reset()  # forget the programs of earlier tasks, whose number is limited
        self.images, self.labels = torch.from_numpy(task.images), torch.from_numpy(task.labels)
        self.params = [torch.from_numpy(p) for p in self.params]

        def loss_of(params: Any, x: Any, y: Any) -> Any:
            for w, b in pairs(params)[:-1]:
                x = torch.relu(x @ w + b)
            return torch.nn.functional.cross_entropy(x @ params[-2] + params[-1], y)

        def update(params: Any, images: Any, labels: Any, chosen: Any) -> Any:
            grads, loss = torch.func.grad_and_value(loss_of)(params, images[chosen], labels[chosen])
            for p, g in zip(params, grads, strict=True):
                p.sub_(self.lr * (g + self.decay * p))
            return loss

        self.update = torch.compile(update, dynamic=False)

    def step(self, chosen: Any) -> float:
        with self.torch.no_grad():
            return self.update(self.params, self.images, self.labels, self.torch.from_numpy(chosen)).item()

    def weights(self) -> list[Any]:
        return [p.numpy() for p in self.params]


class Tensorgrad(Contender):
    """The step as in the README."""

    needs = "tensorgrad"

    @classmethod
    def version(cls) -> str:
        import tensorgrad

        return tensorgrad.__version__

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        import tensorgrad as tg  # here, after TENSORGRAD_BLAS has been set

        self.tg = tg
        self.params = [tg.Tensor(p, requires_grad=True) for p in self.params]
        decay = 0 if self.penalty else self.decay
        self.optimizer = tg.optim.SGD(tg.nn.parameters(self.params), self.lr, weight_decay=decay)

    def step(self, chosen: Any) -> float:
        return float(self.on_batch(self.task.images[chosen], self.task.labels[chosen]).item())

    def on_batch(self, x: Any, y: Any) -> Any:
        """The step, once the batch is gathered; returns the loss."""
        tg, layers, h = self.tg, self.layers, x
        for w, b in layers[:-1]:
            h = tg.relu(h @ w + b)
        logits = h @ layers[-1][0] + layers[-1][1]
        loss = -np.mean(tg.log_softmax(logits)[np.arange(len(y)), y])
        if self.penalty:
            loss = loss + 0.5 * self.decay * sum(np.sum(w**2) for w, _ in layers)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def weights(self) -> list[Any]:
        return [p.numpy() for p in self.params]


class TensorgradCompiled(Tensorgrad):
    """The same step, recorded and replayed by `tensorgrad.compile`."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        step = super().on_batch
        self.on_batch = self.tg.compile(lambda x, y: step(x, y))  # type: ignore[method-assign]


class Jax(Contender):
    """One compiled function from weights and batch to weights and loss; it may reuse the memory of the old weights."""

    needs, distribution = "jax", "jax"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        import jax
        import jax.numpy as jnp

        def loss_of(params: Any, x: Any, y: Any) -> Any:
            layers, h = pairs(params), x
            for w, b in layers[:-1]:
                h = jax.nn.relu(h @ w + b)
            logits = h @ params[-2] + params[-1]
            loss = -jnp.mean(jax.nn.log_softmax(logits)[jnp.arange(len(y)), y])
            return loss + 0.5 * self.decay * sum(jnp.sum(w**2) for w, _ in layers) if self.penalty else loss

        def update(params: Any, x: Any, y: Any) -> Any:
            loss, grads = jax.value_and_grad(loss_of)(params, x, y)
            decay = 0 if self.penalty else self.decay
            return [p - self.lr * (g + decay * p) for p, g in zip(params, grads, strict=True)], loss

        self.update = jax.jit(update, donate_argnums=0)
        self.params = [jax.device_put(p) for p in self.params]

    def step(self, chosen: Any) -> float:
        self.params, loss = self.update(self.params, self.task.images[chosen], self.task.labels[chosen])
        return float(loss)


class MyGrad(Contender):
    """With its own activations and loss; the update is written by hand, as in its documentation."""

    needs, distribution = "mygrad", "mygrad"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        import mygrad
        from mygrad.nnet.activations import relu
        from mygrad.nnet.losses import softmax_crossentropy

        self.relu, self.cross_entropy = relu, softmax_crossentropy
        self.params = [mygrad.tensor(p) for p in self.params]

    def step(self, chosen: Any) -> float:
        h, layers = self.task.images[chosen], self.layers
        for w, b in layers[:-1]:
            h = self.relu(h @ w + b)
        loss = self.cross_entropy(h @ layers[-1][0] + layers[-1][1], self.task.labels[chosen])
        loss.backward()
        for p in self.params:
            p.data -= self.lr * (p.grad + self.decay * p.data)
        return float(loss)

    def weights(self) -> list[Any]:
        return [p.data for p in self.params]


class Autograd(Contender):
    """HIPS autograd: `value_and_grad` of a function of all weights."""

    needs, distribution = "autograd", "autograd"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        import autograd
        import autograd.numpy as anp
        from autograd.scipy.special import logsumexp

        def loss_of(params: Any, x: Any, y: Any) -> Any:
            h = x
            for w, b in pairs(params)[:-1]:
                h = anp.maximum(h @ w + b, 0)
            logits = h @ params[-2] + params[-1]
            return anp.mean(logsumexp(logits, axis=1) - logits[np.arange(len(y)), y])

        self.value_and_grad = autograd.value_and_grad(loss_of)

    def step(self, chosen: Any) -> float:
        loss, grads = self.value_and_grad(self.params, self.task.images[chosen], self.task.labels[chosen])
        for p, g in zip(self.params, grads, strict=True):
            p -= self.lr * (g + self.decay * p)
        return float(loss)


class ScikitLearn(Contender):
    """`MLPClassifier.partial_fit`, a call for each batch; it decays weights, but not biases."""

    needs, distribution = "sklearn", "scikit-learn"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        from sklearn.neural_network import MLPClassifier

        batch, classes = len(task.batches[0]), len(task.start[-1])
        self.model = MLPClassifier(
            [len(b) for _, b in self.layers[:-1]], solver="sgd", learning_rate_init=self.lr, momentum=0.0,
            nesterovs_momentum=False, batch_size=batch, shuffle=False,
            alpha=self.decay * batch,  # it divides the penalty by the number of images
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            first = task.batches[0]  # it takes classes and shapes from its first call; then all weights are replaced
            self.model.partial_fit(task.images[first], task.labels[first], classes=np.arange(classes))
        self.params = [p for pair in zip(self.model.coefs_, self.model.intercepts_, strict=True) for p in pair]
        for p, start in zip(self.params, task.start, strict=True):
            p[...] = start

    def step(self, chosen: Any) -> float:
        self.model.partial_fit(self.task.images[chosen], self.task.labels[chosen])
        return float(self.model.loss_)


class Tinygrad(Contender):
    """The whole step in `TinyJit`, with its own optimizer."""

    needs, distribution = "tinygrad", "tinygrad"

    @classmethod
    def missing(cls) -> str:
        found = shutil.which(os.environ.get("CC", "clang")) or importlib.util.find_spec("ziglang")
        return super().missing() or ("" if found else "no clang, and no package ziglang, which contains one")

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        provide_clang()
        os.environ |= {"DEV": "CPU", "TRAINING": "1"}  # its optimizers refuse to work otherwise
        import tinygrad
        from tinygrad import Tensor, TinyJit

        self.tensor = Tensor
        self.params = [Tensor(p).realize() for p in self.params]
        optimizer = tinygrad.nn.optim.SGD(self.params, lr=self.lr, weight_decay=self.decay)

        @TinyJit
        def update(x: Any, y: Any) -> Any:
            for w, b in self.layers[:-1]:
                x = (x @ w + b).relu()
            loss = (x @ self.params[-2] + self.params[-1]).sparse_categorical_crossentropy(y)
            optimizer.zero_grad()
            loss.backward()
            return loss.realize(*optimizer.schedule_step())  # together: a loss realized later is that of new weights

        self.update = update

    def step(self, chosen: Any) -> float:
        x, y = self.task.images[chosen], self.task.labels[chosen].astype(np.int32)
        return self.update(self.tensor(x).realize(), self.tensor(y).realize()).item()

    def weights(self) -> list[Any]:
        return [p.numpy() for p in self.params]


def provide_clang() -> None:
    """Make the clang of the package ziglang the compiler that tinygrad calls, unless there is one."""
    if shutil.which(os.environ.get("CC", "clang")):
        return
    script = Path(tempfile.mkdtemp(prefix="clang-")) / "cc"
    script.write_text(ZIG.format(python=sys.executable), encoding="utf-8")
    script.chmod(0o755)
    os.environ["CC"] = str(script)


# Source from standard input, object to standard output, like clang; zig writes files only.
ZIG = """#!{python}
import pathlib, subprocess, sys, tempfile
with tempfile.TemporaryDirectory() as folder:
    source, out = pathlib.Path(folder, "in.c"), pathlib.Path(folder, "out.o")
    source.write_bytes(sys.stdin.buffer.read())
    options = [a for a in sys.argv[1:] if a not in ("-", "-o", "-x", "c") and not a.startswith("--target=")]
    more = ["-fno-sanitize=all", "-g0", "-fno-asynchronous-unwind-tables"]
    subprocess.run([sys.executable, "-m", "ziglang", "cc", *more, *options, source, "-o", out], check=True, stdout=2)
    sys.stdout.buffer.write(out.read_bytes())
"""


# By name; the environment variable is set in the process of the contender, before anything is imported.
CONTENDERS: dict[str, tuple[type[Contender], dict[str, str]]] = {
    "tuned NumPy": (TunedNumPy, {}),
    "plain NumPy": (PlainNumPy, {}),
    "tensorgrad": (Tensorgrad, {"TENSORGRAD_BLAS": "1"}),  # the default
    "tensorgrad, compiled": (TensorgradCompiled, {"TENSORGRAD_BLAS": "1"}),
    "tensorgrad, compiled, NumPy alone": (TensorgradCompiled, {"TENSORGRAD_BLAS": "0"}),
    "PyTorch": (PyTorch, {}),
    "torch.compile": (PyTorchCompiled, {}),
    "jax.jit": (Jax, {}),
    "MyGrad": (MyGrad, {}),
    "HIPS autograd": (Autograd, {}),
    "scikit-learn": (ScikitLearn, {}),
    "tinygrad": (Tinygrad, {}),
}

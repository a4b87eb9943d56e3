"""The training step of `contender.py`, written for other libraries."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from contender import Contender, Task, pairs


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

    def step(self, batch: Any) -> float:
        indices = self.torch.from_numpy(batch)
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

        def update(params: Any, images: Any, labels: Any, batch: Any) -> Any:
            grads, loss = torch.func.grad_and_value(loss_of)(params, images[batch], labels[batch])
            for p, g in zip(params, grads, strict=True):
                p.sub_(self.lr * (g + self.decay * p))
            return loss

        self.update = torch.compile(update, dynamic=False)

    def step(self, batch: Any) -> float:
        with self.torch.no_grad():
            return self.update(self.params, self.images, self.labels, self.torch.from_numpy(batch)).item()

    def weights(self) -> list[Any]:
        return [p.numpy() for p in self.params]


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

    def step(self, batch: Any) -> float:
        self.params, loss = self.update(self.params, self.task.images[batch], self.task.labels[batch])
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

    def step(self, batch: Any) -> float:
        h, layers = self.task.images[batch], self.layers
        for w, b in layers[:-1]:
            h = self.relu(h @ w + b)
        loss = self.cross_entropy(h @ layers[-1][0] + layers[-1][1], self.task.labels[batch])
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

    def step(self, batch: Any) -> float:
        loss, grads = self.value_and_grad(self.params, self.task.images[batch], self.task.labels[batch])
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

    def step(self, batch: Any) -> float:
        self.model.partial_fit(self.task.images[batch], self.task.labels[batch])
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

    def step(self, batch: Any) -> float:
        x, y = self.task.images[batch], self.task.labels[batch].astype(np.int32)
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

"""The training step of `contender.py`, written with NumPy and with tensorgrad, and the table of all contenders."""

from __future__ import annotations

from typing import Any

import numpy as np
import other_libraries
from contender import PENALTIES, Contender, Task, pairs


class PlainNumPy(Contender):
    """Derivatives computed by hand, without optimization."""

    def step(self, batch: Any) -> float:
        x, y = self.task.images[batch], self.task.labels[batch]
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
                loss = loss + 0.5 * self.decay * PENALTIES[self.penalty](w)
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

    def step(self, batch: Any) -> float:
        x = np.take(self.task.images, batch, axis=0, out=self.x, mode="clip")
        y = np.take(self.task.labels, batch, out=self.y, mode="clip")
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


class Tensorgrad(Contender):
    """The step as in the README."""

    needs = "tensorgrad"

    @classmethod
    def version(cls) -> str:
        import tensorgrad

        return tensorgrad.__version__

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        import tensorgrad as tg  # imported here, after TENSORGRAD_BLAS has been set

        self.tg = tg
        self.params = [tg.Tensor(p, requires_grad=True) for p in self.params]
        decay = 0 if self.penalty else self.decay
        self.optimizer = tg.optim.SGD(tg.nn.parameters(self.params), self.lr, weight_decay=decay)

    def step(self, batch: Any) -> float:
        return float(self.on_batch(self.task.images[batch], self.task.labels[batch]).item())

    def on_batch(self, x: Any, y: Any) -> Any:
        """The step on a batch of images and labels; returns the loss."""
        tg, layers, h = self.tg, self.layers, x
        for w, b in layers[:-1]:
            h = tg.relu(h @ w + b)
        logits = h @ layers[-1][0] + layers[-1][1]
        loss = -np.mean(tg.log_softmax(logits)[np.arange(len(y)), y])
        if self.penalty:
            loss = loss + 0.5 * self.decay * sum(PENALTIES[self.penalty](w) for w, _ in layers)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def weights(self) -> list[Any]:
        return [p.numpy() for p in self.params]


class TensorgradCompiled(Tensorgrad):
    """The same step, recorded and replayed by `tensorgrad.compile`."""

    exact = True

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        step = super().on_batch
        self.on_batch = self.tg.compile(lambda x, y: step(x, y), exact=self.exact)  # type: ignore[method-assign]


class TensorgradNotExact(TensorgradCompiled):
    """The same with ``exact=False``."""

    exact = False


# By name; the environment variable is set in the process of the contender, before anything is imported.
CONTENDERS: dict[str, tuple[type[Contender], dict[str, str]]] = {
    "tuned NumPy": (TunedNumPy, {}),
    "plain NumPy": (PlainNumPy, {}),
    "tensorgrad": (Tensorgrad, {"TENSORGRAD_BLAS": "1"}),  # the default
    "tensorgrad, compiled": (TensorgradCompiled, {"TENSORGRAD_BLAS": "1"}),
    "tensorgrad, compiled, exact=False": (TensorgradNotExact, {"TENSORGRAD_BLAS": "1"}),
    "tensorgrad, compiled, NumPy alone": (TensorgradCompiled, {"TENSORGRAD_BLAS": "0"}),
    "PyTorch": (other_libraries.PyTorch, {}),
    "torch.compile": (other_libraries.PyTorchCompiled, {}),
    "jax.jit": (other_libraries.Jax, {}),
    "MyGrad": (other_libraries.MyGrad, {}),
    "HIPS autograd": (other_libraries.Autograd, {}),
    "scikit-learn": (other_libraries.ScikitLearn, {}),
    "tinygrad": (other_libraries.Tinygrad, {}),
}

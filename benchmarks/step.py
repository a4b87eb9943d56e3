"""One training step against the same step written out by hand in NumPy.

    OPENBLAS_NUM_THREADS=1 python benchmarks/step.py

784-400-10, batch 128, float32: forward pass, cross-entropy, L2 penalty in the loss, backward pass, SGD with momentum.
Both do the same work and reach the same weights, which is checked first. Rounds of the two are interleaved, and the
ratio is the median over the rounds.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

import tensorgrad as tg
from models import TwoLayer

BATCH, HIDDEN, CLASSES, FEATURES = 128, 400, 10, 784
LR, MOMENTUM, L2 = 0.1, 0.9, 1e-4
STEPS, ROUNDS = 50, 21


class ByTensorgrad:
    """The step as `train.py` writes it."""

    def __init__(self) -> None:
        self.network = TwoLayer(FEATURES, HIDDEN, CLASSES, np.random.default_rng(0))
        self.weights = [self.network.w1, self.network.w2]
        self.optimizer = tg.optim.SGD(tg.nn.parameters(self.network), LR, MOMENTUM)

    def step(self, x: Any, y: Any) -> float:
        logits = self.network(x)
        loss = -np.mean(tg.log_softmax(logits)[np.arange(len(y)), y])
        loss = loss + L2 / 2 * (np.sum(self.network.w1**2) + np.sum(self.network.w2**2))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def parameters(self) -> list[Any]:
        return [p.data for p in tg.nn.parameters(self.network).values()]


class ByHand:
    """The same step with its derivatives worked out on paper."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.w1 = tg.nn.he(rng, FEATURES, HIDDEN).astype(np.float32)
        self.b1 = np.zeros(HIDDEN, np.float32)
        self.w2 = tg.nn.he(rng, HIDDEN, CLASSES).astype(np.float32)
        self.b2 = np.zeros(CLASSES, np.float32)
        self.velocity = [np.zeros_like(p) for p in self.parameters()]
        self.scratch = [np.empty_like(p) for p in self.parameters()]

    def step(self, x: Any, y: Any) -> float:
        w1, b1, w2, b2 = self.parameters()
        rows = np.arange(len(y))
        h = np.maximum(x @ w1 + b1, 0)
        logits = h @ w2 + b2
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        loss = -log_p[rows, y].mean() + L2 / 2 * (np.sum(w1**2) + np.sum(w2**2))
        d_logits = np.exp(log_p)
        d_logits[rows, y] -= 1
        d_logits /= len(y)
        d_w2 = h.T @ d_logits + L2 * w2
        d_b2 = d_logits.sum(axis=0)
        d_h = (d_logits @ w2.T) * (h > 0)
        d_w1 = x.T @ d_h + L2 * w1
        d_b1 = d_h.sum(axis=0)
        for p, g, v, s in zip((w1, b1, w2, b2), (d_w1, d_b1, d_w2, d_b2), self.velocity, self.scratch, strict=True):
            np.multiply(v, MOMENTUM, out=v)
            np.add(v, g, out=v)
            np.multiply(v, LR, out=s)
            np.subtract(p, s, out=p)
        return loss.item()

    def parameters(self) -> list[Any]:
        return [self.w1, self.b1, self.w2, self.b2]


def main() -> int:
    rng = np.random.default_rng(1)
    x = rng.random((BATCH, FEATURES), np.float32)
    y = rng.integers(0, CLASSES, BATCH)
    ours, by_hand = ByTensorgrad(), ByHand()
    for _ in range(20):
        difference = abs(ours.step(x, y) - by_hand.step(x, y))
        assert difference < 1e-4, difference
    for a, b in zip(ours.parameters(), by_hand.parameters(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)

    seconds: dict[str, list[float]] = {"tensorgrad": [], "by hand": []}
    for _ in range(ROUNDS):
        for name, contender in (("tensorgrad", ours), ("by hand", by_hand)):
            start = time.perf_counter()
            for _ in range(STEPS):
                contender.step(x, y)
            seconds[name].append((time.perf_counter() - start) / STEPS)
    ratios = np.array(seconds["tensorgrad"]) / np.array(seconds["by hand"])
    print(f"NumPy {np.__version__}, OPENBLAS_NUM_THREADS={os.environ.get('OPENBLAS_NUM_THREADS', 'not set')}")
    for name, times in seconds.items():
        print(f"{name:>10}: {np.median(times) * 1e3:.3f} ms per step")
    print(
        f"     ratio: {np.median(ratios):.3f}, median of {ROUNDS} rounds from {ratios.min():.3f} to {ratios.max():.3f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

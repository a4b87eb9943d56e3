"""Gradients that are products of matrices, added to a parameter without an array for the product."""

from __future__ import annotations

import numpy as np

from tensorgrad import blas
from tensorgrad.engine.tape import Array
from tensorgrad.optim.blocks import BYTES

_FEW = 32  # terms of a sum


class Product:
    """The gradient ``a @ b + decay * p`` of a matrix ``p``, as `tensorgrad.compile` passes it to `SGD`."""

    def __init__(self, a: Array, b: Array, decay: float = 0.0) -> None:
        self.a, self.b, self.decay = a, b, decay
        self.shape, self.dtype = (a.shape[0], b.shape[1]), a.dtype

    def of(self, p: Array) -> Array:
        """The gradient as an array."""
        g = np.matmul(self.a, self.b)
        return g + self.decay * p if self.decay else g

    def add_to(self, c: Array, alpha: float, beta: float, *scratch: Array) -> None:
        """``c = alpha * a @ b + beta * c``, in place: one call of BLAS or, without it, as few passes as possible.

        ``scratch`` are two arrays like ``c``, which are overwritten.
        """
        if blas.enabled():
            blas.gemm(alpha, self.a, self.b, beta, c)
            return
        a, b = self.a, self.b
        scale_a, (other, step) = a.size < b.size, scratch
        factor = a if scale_a else b
        scaled = other.reshape(-1)[: factor.size].reshape(factor.shape) if factor.size <= c.size else None
        scaled = np.multiply(factor, alpha, out=scaled)
        a, b = (scaled, b) if scale_a else (a, scaled)
        # a sum of few products is computed as fast as it is added to ``c``: by parts that remain in the cache
        rows = len(c) if len(b) > _FEW else max(1, BYTES // 2 // c[0].nbytes)
        for i in range(0, len(c), rows):
            part = c[i : i + rows]
            product = np.matmul(a[i : i + rows], b, out=step[: len(part)])
            np.add(part if beta == 1 else np.multiply(part, beta, out=part), product, out=part)

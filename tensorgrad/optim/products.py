"""Gradients that are products of matrices, added to a parameter without an array for the product."""

from __future__ import annotations

import numpy as np

from tensorgrad import blas
from tensorgrad.engine.tape import Array


class Product:
    """The gradient ``a @ b + decay * p`` of a matrix ``p``, as `tensorgrad.compile` passes it to `SGD`."""

    def __init__(self, a: Array, b: Array, decay: float = 0.0) -> None:
        self.a, self.b, self.decay = a, b, decay
        self.shape, self.dtype = (a.shape[0], b.shape[1]), a.dtype

    def of(self, p: Array) -> Array:
        """The gradient as an array."""
        g = np.matmul(self.a, self.b)
        return g + self.decay * p if self.decay else g

    def add_to(self, c: Array, alpha: float, beta: float, scratch: Array) -> None:
        """``c = alpha * a @ b + beta * c``, in place: one call of BLAS or, without it, as few passes as possible."""
        if blas.enabled():
            blas.gemm(alpha, self.a, self.b, beta, c)
            return
        a, b = (self.a * alpha, self.b) if self.a.size < self.b.size else (self.a, self.b * alpha)
        step = np.matmul(a, b, out=scratch)
        np.add(c if beta == 1 else np.multiply(c, beta, out=c), step, out=c)

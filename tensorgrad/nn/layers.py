"""Layers of a single function: `Linear`, `Dropout`, `Embedding` and `Flatten`."""

from __future__ import annotations

import math
from typing import Any, overload

import numpy as np

from tensorgrad import functional
from tensorgrad.errors import ShapeError
from tensorgrad.frontend.tensor import Tensor
from tensorgrad.nn.checks import call, check_generator, check_input, check_sizes, run, shape_of
from tensorgrad.nn.initializers import INITS, check_init, initial_bias
from tensorgrad.nn.modes import drops

__all__ = ["Dropout", "Embedding", "Flatten", "Linear"]


class Linear:
    """``x @ weight + bias``, from ``(..., in_features)`` to ``(..., out_features)``.

    Parameters
    ----------
    in_features, out_features
        The lengths of the last axis before and after.
    rng
        The random generator for the initial weights.
    bias
        Whether there is a bias; it is initially 0, except for ``init="pytorch"``.
    init
        ``"he"``, ``"glorot"``, ``"small"`` or ``"pytorch"``.
    dtype
        The dtype of the parameters.

    Examples
    --------
    >>> layer = tg.nn.Linear(3, 2, np.random.default_rng(0))
    >>> layer(np.ones((4, 3), np.float32)).shape
    (4, 2)
    >>> list(tg.nn.parameters(layer))
    ['weight', 'bias']
    """

    def __init__(self, in_features: int, out_features: int, rng: np.random.Generator, *, bias: bool = True,
                 init: str = "he", dtype: Any = np.float32) -> None:  # fmt: skip
        check_generator("Linear", "third", rng)
        check_init(init)
        if in_features < 1 or out_features < 1:
            raise ValueError(f"the features of Linear must be at least 1, got {in_features} and {out_features}")
        self.in_features, self.out_features = in_features, out_features
        self.weight = Tensor(INITS[init](rng, in_features, out_features), requires_grad=True, dtype=dtype)
        self.bias = initial_bias(init, rng, in_features, out_features, dtype) if bias else None

    def __call__(self, x: Any) -> Tensor:
        """From ``(..., in_features)`` to ``(..., out_features)``."""
        shape = x.shape if isinstance(x, (Tensor, np.ndarray)) else shape_of(x)
        if not shape or shape[-1] != self.weight.shape[0]:
            check_input(self, x, "...", self.weight.shape[0])
        y: Tensor = x @ self.weight
        return y if self.bias is None else y + self.bias

    def __repr__(self) -> str:
        return call(self, *self.weight.shape, bias=(self.bias is not None, True))


class Dropout:
    """Set each element to 0 with probability ``p`` in training, and scale the rest by ``1 / (1 - p)``.

    Initially, dropout is applied if a generator is passed to the call. After `eval`, it is never applied; after
    `train`, a call without a generator is an error.

    Examples
    --------
    >>> drop = tg.nn.Dropout(0.5)
    >>> drop(np.ones(4))  # no generator: evaluation
    array([1., 1., 1., 1.])
    >>> drop(np.ones(4), np.random.default_rng(0))
    array([2., 0., 0., 0.])
    """

    draws = True

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p < 1:
            raise ValueError(f"dropout probability must be in [0, 1), got {p}")
        self.p = p
        self.training: bool | None = None  # None: training if a generator is passed

    @overload
    def __call__(self, x: Tensor, rng: np.random.Generator | None = None) -> Tensor: ...
    @overload
    def __call__(self, x: Any, rng: np.random.Generator | None = None) -> Any: ...
    def __call__(self, x: Any, rng: np.random.Generator | None = None) -> Any:
        """Apply dropout in training."""
        return functional.dropout(x, self.p, rng) if drops(self, rng) and rng is not None else x

    def __repr__(self) -> str:
        return call(self, self.p)


class Embedding:
    """A vector for each of the integers ``0 .. num_embeddings - 1``: from ``(...)`` to ``(..., embedding_dim)``.

    Parameters
    ----------
    num_embeddings, embedding_dim
        The shape of ``weight``, whose rows are the vectors.
    rng
        The random generator for the initial weights.
    padding_idx
        An integer for padding: its vector is initially 0, and has gradient 0.
    init
        How weights are drawn: ``"pytorch"``, from the standard normal distribution, or another of `tg.nn.INITS`.
    dtype
        The dtype of the weight.

    Examples
    --------
    >>> layer = tg.nn.Embedding(10, 3, np.random.default_rng(0))
    >>> layer(np.array([[1, 2, 2, 9]])).shape
    (1, 4, 3)
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, rng: np.random.Generator, *,
                 padding_idx: int | None = None, init: str = "pytorch",
                 dtype: Any = np.float32) -> None:  # fmt: skip
        check_generator("Embedding", "third", rng)
        check_init(init)
        check_sizes("Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        normal = init == "pytorch"
        shape = num_embeddings, embedding_dim
        values = rng.standard_normal(shape) if normal else INITS[init](rng, *shape)
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ValueError(f"padding_idx must lie in {-num_embeddings}..{num_embeddings - 1}, got {padding_idx}")
            values[padding_idx] = 0
        self.num_embeddings, self.embedding_dim, self.padding_idx = num_embeddings, embedding_dim, padding_idx
        self.weight = Tensor(values, requires_grad=True, dtype=dtype)

    def __call__(self, indices: Any) -> Tensor:
        """From integers ``(...)`` to vectors ``(..., embedding_dim)``."""
        vectors: Tensor = run(self, functional.embedding, indices, self.weight, self.padding_idx)
        return vectors

    def __repr__(self) -> str:
        return call(self, self.num_embeddings, self.embedding_dim, padding_idx=(self.padding_idx, None))


class Flatten:
    """Merge axes ``start_dim`` to ``end_dim`` into one; by default, from ``(N, ...)`` to ``(N, features)``.

    Examples
    --------
    >>> tg.nn.Flatten()(np.ones((2, 3, 4, 4))).shape
    (2, 48)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    @overload
    def __call__(self, x: Tensor) -> Tensor: ...
    @overload
    def __call__(self, x: Any) -> Any: ...
    def __call__(self, x: Any) -> Any:
        """The same elements in another shape."""
        shape = shape_of(x)
        start, end = (dim + len(shape) if dim < 0 else dim for dim in (self.start_dim, self.end_dim))
        if not 0 <= start <= end < len(shape):
            raise ShapeError(f"{self!r} takes x with axes {self.start_dim} to {self.end_dim}, got shape {shape}")
        return np.reshape(x, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))

    def __repr__(self) -> str:
        return call(self, start_dim=(self.start_dim, 1), end_dim=(self.end_dim, -1))

"""Attention layers."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tensorgrad import functional
from tensorgrad.engine.tape import as_array
from tensorgrad.errors import ShapeError
from tensorgrad.frontend.tensor import Tensor
from tensorgrad.functional.attention import attention_weights
from tensorgrad.nn.checks import call, check_generator, check_input, check_sizes, run
from tensorgrad.nn.initializers import glorot, pytorch
from tensorgrad.nn.modes import drops

__all__ = ["MultiheadAttention"]


class _Projection:
    """A weight ``(out, in)``, the transpose of that of `Linear`, and a bias, with PyTorch's names."""

    def __init__(self, embed_dim: int, rng: np.random.Generator, bias: bool, dtype: Any) -> None:
        values = pytorch(rng, embed_dim, embed_dim)
        self.weight = Tensor(values, requires_grad=True, dtype=dtype)
        self.bias = Tensor(np.zeros(embed_dim), requires_grad=True, dtype=dtype) if bias else None


class MultiheadAttention:
    """Multi-head attention: queries, keys and values are projected, each head attends, and the results are projected.

    Weights have PyTorch's names and layout, ``(out, in)``: ``in_proj_weight`` ``(3 * embed_dim, embed_dim)``, with the
    rows of queries, keys and values in this order, ``in_proj_bias``, ``out_proj.weight`` and ``out_proj.bias``. If
    ``kdim`` or ``vdim`` differs from ``embed_dim``, ``q_proj_weight``, ``k_proj_weight`` and ``v_proj_weight`` replace
    ``in_proj_weight``.

    Parameters
    ----------
    embed_dim, num_heads
        The length of queries and outputs, and the number of heads, which must divide it.
    rng
        The random generator for the initial weights.
    dropout
        The probability with which an attention weight is dropped: see `Dropout`.
    bias
        Whether the projections have biases.
    kdim, vdim
        The lengths of keys and values; by default, ``embed_dim``.
    batch_first
        Whether inputs and outputs are ``(N, L, embed_dim)``; otherwise they are ``(L, N, embed_dim)``.
    dtype
        The dtype of the parameters.

    Notes
    -----
    Source: Vaswani et al., "Attention is all you need", 2017, section 3.2.2.

    Examples
    --------
    >>> layer = tg.nn.MultiheadAttention(8, 2, np.random.default_rng(0), batch_first=True)
    >>> x = np.ones((5, 7, 8), np.float32)
    >>> output, weights = layer(x, x, x, is_causal=True)
    >>> output.shape, weights.shape
    ((5, 7, 8), (5, 7, 7))
    """

    def __init__(self, embed_dim: int, num_heads: int, rng: np.random.Generator, *, dropout: float = 0.0,
                 bias: bool = True, kdim: int | None = None, vdim: int | None = None, batch_first: bool = False,
                 dtype: Any = np.float32) -> None:  # fmt: skip
        check_generator("MultiheadAttention", "third", rng)
        self.embed_dim, self.num_heads = embed_dim, num_heads
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        check_sizes("MultiheadAttention", embed_dim=embed_dim, num_heads=num_heads, kdim=self.kdim, vdim=self.vdim)
        if embed_dim % num_heads:
            raise ValueError(f"embed_dim {embed_dim} of MultiheadAttention must be divisible by num_heads {num_heads}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout of MultiheadAttention must be in [0, 1), got {dropout}")
        self.dropout, self.batch_first = dropout, batch_first
        self.training: bool | None = None  # for dropout; None: training if a generator is passed

        def drawn(rows: int, columns: int) -> Tensor:
            return Tensor(glorot(rng, columns, rows, (rows, columns)), requires_grad=True, dtype=dtype)

        if self.kdim == self.vdim == embed_dim:
            self.in_proj_weight = drawn(3 * embed_dim, embed_dim)
        else:
            self.q_proj_weight, self.k_proj_weight = drawn(embed_dim, embed_dim), drawn(embed_dim, self.kdim)
            self.v_proj_weight = drawn(embed_dim, self.vdim)
        self.in_proj_bias = Tensor(np.zeros(3 * embed_dim), requires_grad=True, dtype=dtype) if bias else None
        self.out_proj = _Projection(embed_dim, rng, bias, dtype)

    def __call__(self, query: Any, key: Any, value: Any, key_padding_mask: Any = None, need_weights: bool = True,
                 attn_mask: Any = None, average_attn_weights: bool = True, is_causal: bool = False, *,
                 rng: np.random.Generator | None = None) -> tuple[Tensor, Tensor | None]:  # fmt: skip
        """The output, of the shape of ``query``, and the weights, ``(N, L, S)``, or None.

        Parameters
        ----------
        query, key, value
            ``(L, N, embed_dim)``, ``(S, N, kdim)`` and ``(S, N, vdim)``, or with the batch first.
        key_padding_mask
            ``(N, S)``: **true for the keys to ignore**; floats are added to the scores.
        need_weights
            Whether to return the weights.
        attn_mask
            ``(L, S)`` or ``(N * num_heads, L, S)``: **true where a query does not attend to a key**, as in PyTorch's
            layer, and unlike in `tensorgrad.scaled_dot_product_attention`; floats are added to the scores.
        average_attn_weights
            Whether the weights are the means over all heads; otherwise they are ``(N, num_heads, L, S)``.
        is_causal
            Query ``i`` attends to keys ``0 .. i`` only.
        rng
            The random generator for dropout.
        """
        queries, keys = (("N", "L"), ("N", "S")) if self.batch_first else (("L", "N"), ("S", "N"))
        check_input(self, query, *queries, self.embed_dim)
        check_input(self, key, *keys, self.kdim)
        check_input(self, value, *keys, self.vdim)
        q, k, v = (self._heads(x) for x in self._projected(query, key, value))  # (N, num_heads, L or S, width)
        mask = self._keep(attn_mask, key_padding_mask, is_causal, (q.shape[0], q.shape[2], k.shape[2]))
        p = self.dropout if self.dropout and drops(self, rng) else 0.0
        weights = None
        if need_weights:
            weights = run(self, attention_weights, q, k, mask, p, False, rng=rng)
            joined = weights @ v
            weights = np.mean(weights, axis=1) if average_attn_weights else weights
        else:
            joined = run(self, functional.scaled_dot_product_attention, q, k, v, mask, p, rng=rng)
        n, _, length, _ = joined.shape
        y = _affine(np.reshape(np.swapaxes(joined, 1, 2), (n, length, self.embed_dim)), self.out_proj.weight,
                    self.out_proj.bias)  # fmt: skip
        return (y if self.batch_first else np.swapaxes(y, 0, 1)), weights

    def _projected(self, query: Any, key: Any, value: Any) -> list[Any]:
        """Projected queries, keys and values, ``(N, L or S, embed_dim)``; one product if all three are one array."""
        if query is key and key is value and hasattr(self, "in_proj_weight"):
            return np.split(_affine(self._batch_first(query), self.in_proj_weight, self.in_proj_bias), 3, axis=-1)
        if hasattr(self, "in_proj_weight"):
            weights = _thirds(self.in_proj_weight)
        else:
            weights = [self.q_proj_weight, self.k_proj_weight, self.v_proj_weight]
        biases = [None] * 3 if self.in_proj_bias is None else _thirds(self.in_proj_bias)
        inputs = (self._batch_first(x) for x in (query, key, value))
        return [_affine(x, weight, bias) for x, weight, bias in zip(inputs, weights, biases, strict=True)]

    def _batch_first(self, x: Any) -> Any:
        return x if self.batch_first else np.swapaxes(x, 0, 1)

    def _heads(self, x: Any) -> Any:
        n, length, _ = x.shape
        return np.swapaxes(np.reshape(x, (n, length, self.num_heads, self.embed_dim // self.num_heads)), 1, 2)

    def _keep(self, attn_mask: Any, padding: Any, is_causal: bool, sizes: tuple[int, int, int]) -> Any:
        """All masks as one for `scaled_dot_product_attention`: true for the keys to attend to, or floats."""
        n, length, count = sizes
        masks: list[Any] = [~np.tri(length, count, dtype=bool)] if is_causal else []
        if attn_mask is not None:
            each = (n * self.num_heads, length, count)
            mask = self._checked("attn_mask", attn_mask, (length, count), each)
            masks.append(mask if mask.ndim == 2 else np.reshape(mask, (n, self.num_heads, length, count)))
        if padding is not None:
            masks.append(np.reshape(self._checked("key_padding_mask", padding, (n, count)), (n, 1, 1, count)))
        if all(mask.dtype == bool for mask in masks):
            return np.logical_not(functools.reduce(np.logical_or, masks)) if masks else None
        return sum(np.where(mask, -np.inf, 0.0) if mask.dtype == bool else mask for mask in masks)

    def _checked(self, name: str, mask: Any, *shapes: tuple[int, ...]) -> Any:
        mask = mask if isinstance(mask, Tensor) else as_array(mask)
        if mask.dtype.kind not in "bf":
            raise TypeError(f"{name} of {self!r} must hold booleans (true for keys to ignore) or floats "
                            f"(added to the scores), got {mask.dtype}")  # fmt: skip
        if mask.shape not in shapes:
            raise ShapeError(f"{self!r} takes {name} of shape {' or '.join(map(str, shapes))}, got {mask.shape}")
        return mask

    def __repr__(self) -> str:
        return call(self, self.embed_dim, self.num_heads, dropout=(self.dropout, 0.0),
                    bias=(self.in_proj_bias is not None, True), kdim=(self.kdim, self.embed_dim),
                    vdim=(self.vdim, self.embed_dim), batch_first=(self.batch_first, False))  # fmt: skip


def _thirds(x: Any) -> list[Any]:
    return np.split(x, 3)


def _affine(x: Any, weight: Any, bias: Any) -> Any:
    y = x @ np.transpose(weight)
    return y if bias is None else y + bias

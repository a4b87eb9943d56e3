"""Convolution of arrays with any number of axes, as in `scipy.signal`."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.signal as ss
from numpy.lib.array_utils import normalize_axis_tuple

from tensorgrad.engine.registry import primitive, rule
from tensorgrad.engine.tape import Array
from tensorgrad.errors import ShapeError
from tensorgrad.functional.arguments import check_choice, floating

__all__ = ["convolve", "fftconvolve"]


@primitive
def _full(x: Array, y: Array, *, axes: tuple[int, ...], method: str) -> Array:
    """The full convolution along ``axes``; the other axes are broadcast."""
    dtype = np.result_type(x, y)
    if len(axes) == x.ndim:
        return ss.convolve(x, y, method=method).astype(dtype, copy=False)
    return ss.fftconvolve(x, y, axes=axes).astype(dtype, copy=False)


def _part(x: Array, axes: tuple[int, ...], starts: Any, lengths: Any) -> Array:
    """The slices of ``lengths`` elements along ``axes`` that begin at ``starts``."""
    index = [slice(None)] * x.ndim
    for axis, start, length in zip(axes, starts, lengths, strict=True):
        index[axis] = slice(start, start + length)
    return x[tuple(index)]


def _convolution_dx(g: Array, other: Array, shape: tuple[int, ...], axes: tuple[int, ...], method: str) -> Array:
    """The correlation of ``g`` with the other input, where the two overlap completely."""
    full = _full(g, np.flip(other, axes), axes=axes, method=method)
    return _part(full, axes, [other.shape[axis] - 1 for axis in axes], [shape[axis] for axis in axes])


# fmt: off
rule(_full, lambda g, _ans, _x, y, *, axes, method: _convolution_dx(g, y, _x.shape, axes, method),
            lambda g, _ans, x, _y, *, axes, method: _convolution_dx(g, x, _y.shape, axes, method))
# fmt: on


def _convolution(x: Array, y: Array, mode: str, axes: tuple[int, ...], method: str) -> Array:
    """The part of the full convolution that ``mode`` selects."""
    check_choice("mode", mode, ("full", "same", "valid"))
    sizes = [(x.shape[axis], y.shape[axis]) for axis in axes]
    if mode == "full":
        return _full(x, y, axes=axes, method=method)
    if mode == "valid" and any(m < n for m, n in sizes) and any(m > n for m, n in sizes):
        raise ShapeError(f"with mode 'valid', one input must be at least as long as the other along every axis, got "
                         f"shapes {x.shape} and {y.shape}")  # fmt: skip
    full = _full(x, y, axes=axes, method=method)
    if mode == "same":
        starts = [(n - m) // 2 for m, n in zip(x.shape, full.shape, strict=True)]  # batch axes as well, as in SciPy
        return _part(full, tuple(range(x.ndim)), starts, x.shape)
    return _part(full, axes, [min(m, n) - 1 for m, n in sizes], [abs(m - n) + 1 for m, n in sizes])


def _inputs(in1: Any, in2: Any) -> tuple[Array, Array]:
    x, y = floating(in1), floating(in2)
    if x.ndim != y.ndim:
        raise ShapeError(f"in1 and in2 must have the same number of axes, got shapes {x.shape} and {y.shape}")
    if 0 in x.shape or 0 in y.shape:
        raise ShapeError(f"in1 and in2 must not be empty, got shapes {x.shape} and {y.shape}")
    return x, y


def convolve(in1: Array, in2: Array, mode: str = "full", method: str = "auto") -> Array:
    """The convolution of two arrays over all their axes, as `scipy.signal.convolve`.

    ``(M, ...)`` and ``(N, ...)`` give ``(M + N - 1, ...)`` with ``mode`` "full", ``(M, ...)`` with "same", and
    ``(|M - N| + 1, ...)`` with "valid". ``method`` is "direct", "fft" or "auto", the faster of the two.

    Examples
    --------
    >>> x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> out = tg.scipy.signal.convolve(x, np.array([1.0, 10.0]), mode="same")
    >>> out.data, tg.grad(out[0], x)
    (array([ 1., 12., 23.]), array([1., 0., 0.]))
    """
    x, y = _inputs(in1, in2)
    check_choice("method", method, ("auto", "direct", "fft"))
    if x.ndim == 0:
        return x * y
    return _convolution(x, y, mode, tuple(range(x.ndim)), method)


def fftconvolve(in1: Array, in2: Array, mode: str = "full", axes: Any = None) -> Array:
    """The convolution over ``axes`` (all, by default) by Fourier transforms, as `scipy.signal.fftconvolve`.

    Shapes along ``axes`` are as in `convolve`; the other axes are batch axes, and are broadcast. With "same", the
    result has the shape of ``in1`` along these as well.

    Examples
    --------
    >>> x = tg.Tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    >>> out = tg.scipy.signal.fftconvolve(x, np.array([[1.0, 10.0]]), mode="valid", axes=1)
    >>> out.data
    array([[12., 23.]])
    """
    x, y = _inputs(in1, in2)
    if x.ndim == 0:
        return x * y
    over = tuple(range(x.ndim)) if axes is None else normalize_axis_tuple(axes, x.ndim)
    if any(m != n and 1 not in (m, n) for i, (m, n) in enumerate(zip(x.shape, y.shape, strict=True)) if i not in over):
        raise ShapeError(f"the axes other than {over} must broadcast, got shapes {x.shape} and {y.shape}")
    return _convolution(x, y, mode, over, "fft")


def __dir__() -> list[str]:
    return [*__all__, "__doc__"]

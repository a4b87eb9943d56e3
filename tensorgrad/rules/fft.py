"""Fourier transforms along one axis, which have rows; transforms along several axes are compositions of them.

The matrix of a discrete Fourier transform is symmetric, so that its vector-Jacobian product is the transform itself,
cut or padded to the length of the input. Transforms of real signals omit half of the spectrum, so the other half counts
twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad.engine.registry import also_complex, implements, rule
from tensorgrad.engine.tape import Array

# fmt: off
rule(np.fft.fft,   lambda g, _ans, _a, n=None, axis=-1, norm=None:
                       _cut_or_pad(np.fft.fft(g, axis=axis, norm=norm), _a.shape[axis], axis))
rule(np.fft.ifft,  lambda g, _ans, _a, n=None, axis=-1, norm=None:
                       _cut_or_pad(np.fft.ifft(g, axis=axis, norm=norm), _a.shape[axis], axis))
rule(np.fft.rfft,  lambda g, _ans, a, n=None, axis=-1, norm=None:
                       _cut_or_pad(np.fft.fft(g, _length(n, a, axis), axis, norm), a.shape[axis], axis))
rule(np.fft.irfft, lambda g, _ans, _a, n=None, axis=-1, norm=None:
                       _cut_or_pad(_half_doubled(np.fft.ifft(g, axis=axis, norm=norm), axis), _a.shape[axis], axis))
# fmt: on


def _length(n: int | None, a: Any, axis: int) -> int:
    return a.shape[axis] if n is None else n


def _cut_or_pad(x: Array, n: int, axis: int) -> Array:
    """``x``, cut off or padded with zeros to length ``n`` along the axis."""
    kept: list[Any] = [slice(None)] * x.ndim
    kept[axis] = slice(0, n)
    missing = list(x.shape)
    missing[axis] = n - x.shape[axis]
    return x[tuple(kept)] if missing[axis] <= 0 else np.concatenate([x, np.zeros(missing, x.dtype)], axis=axis)


def _half_doubled(spectrum: Array, axis: int) -> Array:
    """The first half of a spectrum, doubled at each frequency whose negative is in the other half."""
    n = spectrum.shape[axis]
    half = np.full(n // 2 + 1, 2, spectrum.real.dtype)
    half[0] = 1
    if n % 2 == 0:
        half[-1] = 1
    shape = [1] * spectrum.ndim
    shape[axis] = len(half)
    return _cut_or_pad(spectrum, len(half), axis) * half.reshape(shape)


def _along_axes(first: Callable[..., Any] | None, others: Callable[..., Any], last: Callable[..., Any] | None) -> Any:
    """A transform along several axes, the last one first: by ``first``, or at the end by ``last``, if it is real."""

    def transform(
        a: Array, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: Any = None
    ) -> Array:
        """The transform along each of several axes in turn, all of them by default."""
        if axes is None:
            axes = range(a.ndim) if s is None else range(-len(s), 0)
        axes = tuple(axes)
        lengths: list[Any] = [None] * len(axes) if s is None else [None if n == -1 else n for n in s]
        if len(lengths) != len(axes):
            raise ValueError(f"axes and s must have the same length, got {len(axes)} and {len(lengths)}")
        steps = list(zip(lengths, axes, strict=True))
        if first is not None:
            n, axis = steps.pop()
            a = first(a, n, axis, norm)
        end = steps.pop() if last is not None else None
        for n, axis in reversed(steps) if last is None else steps:
            a = others(a, n, axis, norm)
        return a if last is None or end is None else last(a, *end, norm)

    return transform


def _2d(transform: Callable[..., Any]) -> Callable[..., Any]:
    def transform_2d(
        a: Array, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: Any = None
    ) -> Array:
        """The transform along two axes, the last two by default."""
        return transform(a, s, axes, norm)

    return transform_2d


_SWAPPED: dict[Any, Any] = {"backward": "forward", None: "forward", "ortho": "ortho", "forward": "backward"}

fftn, ifftn = _along_axes(None, np.fft.fft, None), _along_axes(None, np.fft.ifft, None)
rfftn, irfftn = _along_axes(np.fft.rfft, np.fft.fft, None), _along_axes(None, np.fft.ifft, np.fft.irfft)
for _function, _composition in [
    (np.fft.fftn, fftn), (np.fft.ifftn, ifftn), (np.fft.rfftn, rfftn), (np.fft.irfftn, irfftn),
    (np.fft.fft2, _2d(fftn)), (np.fft.ifft2, _2d(ifftn)), (np.fft.rfft2, _2d(rfftn)),
    (np.fft.irfft2, _2d(irfftn)),
]:  # fmt: skip
    implements(_function)(_composition)  # type: ignore[arg-type]


@implements(np.fft.hfft)
def hfft(a: Array, n: int | None = None, axis: int = -1, norm: Any = None) -> Array:
    """The transform of a signal with a real spectrum, given its first half."""
    return np.fft.irfft(np.conjugate(a), n, axis, _SWAPPED[norm])


@implements(np.fft.ihfft)
def ihfft(a: Array, n: int | None = None, axis: int = -1, norm: Any = None) -> Array:
    """The inverse of `hfft`."""
    return np.conjugate(np.fft.rfft(a, n, axis, _SWAPPED[norm]))


@implements(np.fft.fftshift)
def fftshift(x: Array, axes: Any = None) -> Array:
    """The spectrum with the zero frequency in the middle."""
    axes = tuple(range(x.ndim)) if axes is None else axes if isinstance(axes, (tuple, list)) else (axes,)
    return np.roll(x, [x.shape[axis] // 2 for axis in axes], axes)


@implements(np.fft.ifftshift)
def ifftshift(x: Array, axes: Any = None) -> Array:
    """The inverse of `fftshift`."""
    axes = tuple(range(x.ndim)) if axes is None else axes if isinstance(axes, (tuple, list)) else (axes,)
    return np.roll(x, [-(x.shape[axis] // 2) for axis in axes], axes)


also_complex(*(getattr(np.fft, name) for name in np.fft.__all__ if name not in ("fftfreq", "rfftfreq")))

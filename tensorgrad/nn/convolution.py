"""Convolutional layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from tensorgrad import functional
from tensorgrad.frontend.tensor import Tensor
from tensorgrad.functional.arguments import check_choice, per_axis
from tensorgrad.nn.checks import call, check_generator, check_input, check_sizes, run
from tensorgrad.nn.initializers import INITS, check_init, initial_bias

__all__ = ["Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d"]

_PAD = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""The modes of `numpy.pad` by PyTorch's names."""


class _Filters:
    """Base class of convolutions and transposed convolutions: the weight, the bias, and their initialization."""

    _names: ClassVar[tuple[str, ...]]  # of the spatial axes

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, rng: np.random.Generator, groups: int,
                 bias: bool, init: str, dtype: Any, transposed: bool) -> None:  # fmt: skip
        name = type(self).__name__
        check_generator(name, "fourth", rng)
        check_init(init)
        check_sizes(name, in_channels=in_channels, out_channels=out_channels, groups=groups)
        kernel = per_axis(kernel_size, len(self._names), "kernel_size", 1)
        if in_channels % groups or out_channels % groups:
            raise ValueError(f"in_channels {in_channels} and out_channels {out_channels} of {name} must be divisible "
                             f"by groups {groups}")  # fmt: skip
        rows, columns = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        shape = (rows, columns // groups, *kernel)
        fan_in, fan_out = math.prod(shape[1:]), rows * math.prod(kernel)  # as PyTorch counts them
        self.in_channels, self.out_channels, self.kernel_size, self.groups = in_channels, out_channels, kernel, groups
        self.weight = Tensor(INITS[init](rng, fan_in, fan_out, shape), requires_grad=True, dtype=dtype)
        self.bias = initial_bias(init, rng, fan_in, out_channels, dtype) if bias else None

    def _call(self, **options: tuple[Any, Any]) -> str:
        kernel = self.kernel_size[0] if len(set(self.kernel_size)) == 1 else self.kernel_size
        return call(self, self.in_channels, self.out_channels, kernel_size=(kernel, ...), **options,
                    groups=(self.groups, 1), bias=(self.bias is not None, True))  # fmt: skip


class _Convolution(_Filters):
    _function: ClassVar[Callable[..., Any]]

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, rng: np.random.Generator, *,
                 stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1, bias: bool = True,
                 padding_mode: str = "zeros", init: str = "pytorch", dtype: Any = np.float32) -> None:  # fmt: skip
        super().__init__(in_channels, out_channels, kernel_size, rng, groups, bias, init, dtype, transposed=False)
        check_choice("padding_mode", padding_mode, tuple(_PAD))
        self.stride, self.padding, self.dilation, self.padding_mode = stride, padding, dilation, padding_mode

    def __call__(self, x: Any) -> Tensor:
        check_input(self, x, "N", self.in_channels, *self._names)
        padding = self.padding
        if self.padding_mode != "zeros":
            x, padding = run(self, np.pad, x, [(0, 0), (0, 0), *self._margins()], mode=_PAD[self.padding_mode]), 0
        y: Tensor = run(self, type(self)._function, x, self.weight, self.bias, self.stride, padding, self.dilation,
                        self.groups)  # fmt: skip
        return y

    def _margins(self) -> list[tuple[int, int]]:
        """The padding before and after each spatial axis."""
        axes = len(self._names)
        if self.padding == "same":
            totals = [
                d * (k - 1) for d, k in zip(per_axis(self.dilation, axes, "dilation", 1), self.kernel_size, strict=True)
            ]
            return [(total // 2, total - total // 2) for total in totals]
        return [(p, p) for p in per_axis(0 if self.padding == "valid" else self.padding, axes, "padding", 0)]

    def __repr__(self) -> str:
        return self._call(stride=(self.stride, 1), padding=(self.padding, 0), dilation=(self.dilation, 1),
                          padding_mode=(self.padding_mode, "zeros"))  # fmt: skip


class Conv1d(_Convolution):
    """Convolve ``(N, in_channels, L)`` with filters, to ``(N, out_channels, out)``: see `Conv2d`.

    Examples
    --------
    >>> layer = tg.nn.Conv1d(3, 8, 5, np.random.default_rng(0), padding="same")
    >>> layer(np.ones((2, 3, 20), np.float32)).shape
    (2, 8, 20)
    """

    _names, _function = ("L",), functional.conv1d


class Conv2d(_Convolution):
    """Convolve images ``(N, in_channels, H, W)`` with filters, to ``(N, out_channels, ...)``: see `tensorgrad.conv2d`.

    Parameters
    ----------
    in_channels, out_channels, kernel_size
        The shape of ``weight`` is ``(out_channels, in_channels / groups, *kernel_size)``. ``kernel_size`` and the
        options below are one integer for all spatial axes, or one for each.
    rng
        The random generator for the initial weights.
    stride, padding, dilation, groups
        See `tensorgrad.conv2d`; ``padding`` may be ``"same"``.
    bias
        Whether there is a bias, ``(out_channels,)``.
    padding_mode
        ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.
    init
        ``"pytorch"``, ``"he"``, ``"glorot"`` or ``"small"``; the bias is initially 0, except for ``"pytorch"``.
    dtype
        The dtype of the parameters.

    Examples
    --------
    >>> layer = tg.nn.Conv2d(1, 8, 3, np.random.default_rng(0), padding=1)
    >>> layer
    Conv2d(1, 8, kernel_size=3, padding=1)
    >>> layer(np.ones((2, 1, 28, 28), np.float32)).shape
    (2, 8, 28, 28)
    """

    _names, _function = ("H", "W"), functional.conv2d


class _Transposed(_Filters):
    _function: ClassVar[Callable[..., Any]]

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, rng: np.random.Generator, *,
                 stride: Any = 1, padding: Any = 0, output_padding: Any = 0, groups: int = 1, bias: bool = True,
                 dilation: Any = 1, init: str = "pytorch", dtype: Any = np.float32) -> None:  # fmt: skip
        super().__init__(in_channels, out_channels, kernel_size, rng, groups, bias, init, dtype, transposed=True)
        self.stride, self.padding, self.output_padding, self.dilation = stride, padding, output_padding, dilation

    def __call__(self, x: Any) -> Tensor:
        check_input(self, x, "N", self.in_channels, *self._names)
        y: Tensor = run(self, type(self)._function, x, self.weight, self.bias, self.stride, self.padding,
                        self.output_padding, self.groups, self.dilation)  # fmt: skip
        return y

    def __repr__(self) -> str:
        return self._call(stride=(self.stride, 1), padding=(self.padding, 0), output_padding=(self.output_padding, 0),
                          dilation=(self.dilation, 1))  # fmt: skip


class ConvTranspose1d(_Transposed):
    """The transpose of a convolution of ``(N, in_channels, L)``: see `ConvTranspose2d`.

    Examples
    --------
    >>> layer = tg.nn.ConvTranspose1d(8, 3, 4, np.random.default_rng(0), stride=2, padding=1)
    >>> layer(np.ones((2, 8, 10), np.float32)).shape
    (2, 3, 20)
    """

    _names, _function = ("L",), functional.conv_transpose1d


class ConvTranspose2d(_Transposed):
    """The transpose of a convolution, from ``(N, in_channels, H, W)`` to ``(N, out_channels, ...)``.

    See `tensorgrad.conv_transpose2d`. ``weight`` is ``(in_channels, out_channels / groups, *kernel_size)``; the other
    parameters are those of `Conv2d`, and ``output_padding``, which selects one of the sizes that a convolution with a
    stride maps to the same size.

    Examples
    --------
    >>> layer = tg.nn.ConvTranspose2d(8, 1, 2, np.random.default_rng(0), stride=2)
    >>> layer(np.ones((2, 8, 14, 14), np.float32)).shape
    (2, 1, 28, 28)
    """

    _names, _function = ("H", "W"), functional.conv_transpose2d

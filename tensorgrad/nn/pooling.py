"""Pooling layers; their arguments are those of the functions, such as `tensorgrad.max_pool2d`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, overload

from tensorgrad import functional
from tensorgrad.frontend.tensor import Tensor
from tensorgrad.nn.checks import call, check_input, run

__all__ = ["AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AvgPool1d", "AvgPool2d", "MaxPool1d", "MaxPool2d"]


class _Pool:
    _names: ClassVar[tuple[str, ...]]  # of the spatial axes
    _function: ClassVar[Callable[..., Any]]
    _defaults: ClassVar[dict[str, Any]]

    def __init__(self, kernel_size: Any, stride: Any, padding: Any) -> None:
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding

    @overload
    def __call__(self, x: Tensor) -> Tensor: ...
    @overload
    def __call__(self, x: Any) -> Any: ...
    def __call__(self, x: Any) -> Any:
        check_input(self, x, "N", "C", *self._names)
        options = {name: getattr(self, name) for name in self._defaults}
        return run(self, type(self)._function, x, self.kernel_size, self.stride, self.padding, **options)

    def __repr__(self) -> str:
        options = {name: (getattr(self, name), default) for name, default in self._defaults.items()}
        return call(
            self, self.kernel_size, stride=(self.stride, self.kernel_size), padding=(self.padding, 0), **options
        )


class _MaxPool(_Pool):
    _defaults: ClassVar = {"dilation": 1, "ceil_mode": False}

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
                 ceil_mode: bool = False) -> None:  # fmt: skip
        super().__init__(kernel_size, stride, padding)
        self.dilation, self.ceil_mode = dilation, ceil_mode


class _AvgPool(_Pool):
    _defaults: ClassVar = {"ceil_mode": False, "count_include_pad": True}

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
                 count_include_pad: bool = True) -> None:  # fmt: skip
        super().__init__(kernel_size, stride, padding)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad


class MaxPool1d(_MaxPool):
    """The largest element of every window of ``(N, C, L)``.

    Examples
    --------
    >>> tg.nn.MaxPool1d(2)(np.arange(6.0).reshape(1, 1, 6))
    array([[[1., 3., 5.]]])
    """

    _names, _function = ("L",), functional.max_pool1d


class MaxPool2d(_MaxPool):
    """The largest element of every window of ``(N, C, H, W)``; ``stride`` is by default the size of the window.

    Examples
    --------
    >>> pool = tg.nn.MaxPool2d(3, stride=2, padding=1)
    >>> pool
    MaxPool2d(3, stride=2, padding=1)
    >>> pool(np.ones((2, 8, 28, 28))).shape
    (2, 8, 14, 14)
    """

    _names, _function = ("H", "W"), functional.max_pool2d


class AvgPool1d(_AvgPool):
    """The mean of every window of ``(N, C, L)``.

    Examples
    --------
    >>> tg.nn.AvgPool1d(2)(np.arange(6.0).reshape(1, 1, 6))
    array([[[0.5, 2.5, 4.5]]])
    """

    _names, _function = ("L",), functional.avg_pool1d


class AvgPool2d(_AvgPool):
    """The mean of every window of ``(N, C, H, W)``.

    Examples
    --------
    >>> tg.nn.AvgPool2d(2)(np.ones((2, 8, 28, 28))).shape
    (2, 8, 14, 14)
    """

    _names, _function = ("H", "W"), functional.avg_pool2d


class _AdaptivePool:
    _names: ClassVar[tuple[str, ...]]  # of the spatial axes
    _function: ClassVar[Callable[..., Any]]

    def __init__(self, output_size: Any) -> None:
        self.output_size = output_size

    @overload
    def __call__(self, x: Tensor) -> Tensor: ...
    @overload
    def __call__(self, x: Any) -> Any: ...
    def __call__(self, x: Any) -> Any:
        check_input(self, x, "N", "C", *self._names)
        return run(self, type(self)._function, x, self.output_size)

    def __repr__(self) -> str:
        return call(self, self.output_size)


class AdaptiveAvgPool1d(_AdaptivePool):
    """The means of ``output_size`` windows that cover ``(N, C, L)`` of any length.

    Examples
    --------
    >>> tg.nn.AdaptiveAvgPool1d(2)(np.arange(6.0).reshape(1, 1, 6))
    array([[[1., 4.]]])
    """

    _names, _function = ("L",), functional.adaptive_avg_pool1d


class AdaptiveAvgPool2d(_AdaptivePool):
    """The means of ``output_size`` windows that cover ``(N, C, H, W)`` of any size; 1 for the mean of each channel.

    The size is one integer for both axes, or one for each; None keeps the length of an axis.

    Examples
    --------
    >>> tg.nn.AdaptiveAvgPool2d(1)(np.ones((2, 8, 7, 9))).shape
    (2, 8, 1, 1)
    """

    _names, _function = ("H", "W"), functional.adaptive_avg_pool2d

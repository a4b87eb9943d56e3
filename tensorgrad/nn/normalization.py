"""Normalization layers."""

from __future__ import annotations

from typing import Any, ClassVar, overload

import numpy as np

from tensorgrad import functional
from tensorgrad.errors import ShapeError
from tensorgrad.frontend.tensor import Tensor
from tensorgrad.nn.checks import call, check_input, check_sizes, run, shape_of

__all__ = ["BatchNorm1d", "BatchNorm2d", "GroupNorm", "LayerNorm", "RMSNorm"]


def _affine(shape: Any, dtype: Any, has_weight: bool, has_bias: bool) -> tuple[Tensor | None, Tensor | None]:
    """A weight of ones and a bias of zeros, or None."""
    return (
        Tensor(np.ones(shape, dtype), requires_grad=True) if has_weight else None,
        Tensor(np.zeros(shape, dtype), requires_grad=True) if has_bias else None,
    )


class _BatchNorm:
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    _shapes: ClassVar[tuple[tuple[str, ...], ...]]  # the axes after that of the channels

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, *, dtype: Any = np.float32) -> None:  # fmt: skip
        check_sizes(type(self).__name__, num_features=num_features)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.training = True
        self.weight, self.bias = _affine(num_features, dtype, affine, affine)
        self.running_mean = np.zeros(num_features, dtype) if track_running_stats else None
        self.running_var = np.ones(num_features, dtype) if track_running_stats else None
        self.num_batches_tracked = np.array(0) if track_running_stats else None

    @overload
    def __call__(self, x: Tensor) -> Tensor: ...
    @overload
    def __call__(self, x: Any) -> Any: ...
    def __call__(self, x: Any) -> Any:
        axes = next((axes for axes in self._shapes if len(axes) == len(shape_of(x)) - 2), self._shapes[-1])
        check_input(self, x, "N", self.num_features, *axes)
        count, momentum = self.num_batches_tracked, self.momentum
        is_tracking = self.training and count is not None
        if momentum is None:  # the mean of all batches
            momentum = 0 if count is None else 1 / (int(count) + 1)
        out = run(self, functional.batch_norm, x, self.running_mean, self.running_var, self.weight, self.bias,
                  self.training or count is None, momentum, self.eps)  # fmt: skip
        if is_tracking and count is not None:
            count += 1
        return out

    def __repr__(self) -> str:
        return call(self, self.num_features, eps=(self.eps, 1e-5), momentum=(self.momentum, 0.1),
                    affine=(self.weight is not None, True),
                    track_running_stats=(self.running_mean is not None, True))  # fmt: skip


class BatchNorm1d(_BatchNorm):
    """Standardize each channel of ``(N, num_features)`` or ``(N, num_features, L)`` over the batch: see `BatchNorm2d`.

    Examples
    --------
    >>> norm = tg.nn.BatchNorm1d(2)
    >>> norm(np.array([[1.0, 10.0], [3.0, 30.0]], np.float32))
    Tensor([[-1., -1.],
            [ 1.,  1.]], dtype=float32, from standardize_channels)
    """

    _shapes = ((), ("L",))


class BatchNorm2d(_BatchNorm):
    """Standardize each channel of ``(N, num_features, H, W)`` over the batch, scale by ``weight`` and add ``bias``.

    In training mode, which is the initial mode, the mean and variance are those of the batch, and ``running_mean`` and
    ``running_var`` are updated with them; in evaluation mode, the running statistics are used instead. **Call**
    ``tg.nn.eval(model)`` **before evaluating**: in training mode, the result for an image depends on the other images
    of its batch, and test images change the running statistics.

    Parameters
    ----------
    num_features
        The number of channels.
    eps
        Added to the variance.
    momentum
        The weight of a new batch in the running statistics; None for the mean over all batches.
    affine
        Whether there are a weight and a bias, ``(num_features,)``.
    track_running_stats
        If False, the statistics of the batch are used in evaluation mode as well.
    dtype
        The dtype of parameters and statistics.

    Notes
    -----
    Source: Ioffe and Szegedy, "Batch normalization", 2015.

    Examples
    --------
    >>> norm = tg.nn.BatchNorm2d(8)
    >>> norm(np.ones((2, 8, 4, 4), np.float32)).shape
    (2, 8, 4, 4)
    >>> list(tg.nn.state_dict(norm))
    ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked']
    >>> norm.running_mean[0].round(4)
    np.float32(0.1)
    """

    _shapes = (("H", "W"),)


class GroupNorm:
    """Standardize each of ``num_groups`` groups of channels of ``(N, num_channels, ...)``, for each of the ``N``.

    Source: Wu and He, "Group normalization", 2018.

    Examples
    --------
    >>> tg.nn.GroupNorm(2, 8)(np.ones((5, 8, 4, 4), np.float32)).shape
    (5, 8, 4, 4)
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, *,
                 dtype: Any = np.float32) -> None:  # fmt: skip
        check_sizes("GroupNorm", num_groups=num_groups, num_channels=num_channels)
        if num_channels % num_groups:
            raise ValueError(f"num_channels {num_channels} of GroupNorm must be divisible by num_groups {num_groups}")
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, eps
        self.weight, self.bias = _affine(num_channels, dtype, affine, affine)

    @overload
    def __call__(self, x: Tensor) -> Tensor: ...
    @overload
    def __call__(self, x: Any) -> Any: ...
    def __call__(self, x: Any) -> Any:
        """From ``(N, num_channels, ...)`` to the same shape."""
        shape = shape_of(x)
        if len(shape) < 2 or shape[1] != self.num_channels:
            raise ShapeError(f"{self!r} takes x of shape (N, {self.num_channels}, ...), got {shape}")
        return run(self, functional.group_norm, x, self.num_groups, self.weight, self.bias, self.eps)

    def __repr__(self) -> str:
        return call(self, self.num_groups, self.num_channels, eps=(self.eps, 1e-5),
                    affine=(self.weight is not None, True))  # fmt: skip


def _as_shape(layer: str, normalized_shape: Any) -> tuple[int, ...]:
    shape = tuple(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
    for n in shape or (0,):
        check_sizes(layer, normalized_shape=n)
    return shape


class LayerNorm:
    """Standardize over the last axes, of lengths ``normalized_shape``, an integer or a tuple; then scale and shift.

    Source: Ba et al., "Layer normalization", 2016.

    Examples
    --------
    >>> norm = tg.nn.LayerNorm(3)
    >>> norm(np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]], np.float32))
    Tensor([[-1.2247,  0.    ,  1.2247],
            [-1.2247,  0.    ,  1.2247]], dtype=float32, from standardize_rows)
    """

    def __init__(self, normalized_shape: Any, eps: float = 1e-5, elementwise_affine: bool = True, bias: bool = True, *,
                 dtype: Any = np.float32) -> None:  # fmt: skip
        self.normalized_shape, self.eps = _as_shape("LayerNorm", normalized_shape), eps
        self.weight, self.bias = _affine(self.normalized_shape, dtype, elementwise_affine, elementwise_affine and bias)

    @overload
    def __call__(self, x: Tensor) -> Tensor: ...
    @overload
    def __call__(self, x: Any) -> Any: ...
    def __call__(self, x: Any) -> Any:
        """From ``(..., *normalized_shape)`` to the same shape."""
        check_input(self, x, "...", *self.normalized_shape)
        return run(self, functional.layer_norm, x, self.normalized_shape, self.weight, self.bias, self.eps)

    def __repr__(self) -> str:
        shape, has_weight = self.normalized_shape, self.weight is not None
        return call(self, shape[0] if len(shape) == 1 else shape, eps=(self.eps, 1e-5),
                    elementwise_affine=(has_weight, True), bias=(self.bias is not None, has_weight))  # fmt: skip


class RMSNorm:
    """Divide by the root of the mean square over the last axes, of lengths ``normalized_shape``; then scale.

    ``eps`` is added to the mean; by default it is the machine epsilon of the dtype of ``x``, as in PyTorch.

    Source: Zhang and Sennrich, "Root mean square layer normalization", 2019.

    Examples
    --------
    >>> norm = tg.nn.RMSNorm(2)
    >>> norm(np.array([[3.0, 4.0]], np.float32))
    Tensor([[0.8485, 1.1314]], dtype=float32, from multiply)
    """

    def __init__(self, normalized_shape: Any, eps: float | None = None, elementwise_affine: bool = True, *,
                 dtype: Any = np.float32) -> None:  # fmt: skip
        self.normalized_shape, self.eps = _as_shape("RMSNorm", normalized_shape), eps
        self.weight, _ = _affine(self.normalized_shape, dtype, elementwise_affine, False)

    @overload
    def __call__(self, x: Tensor) -> Tensor: ...
    @overload
    def __call__(self, x: Any) -> Any: ...
    def __call__(self, x: Any) -> Any:
        """From ``(..., *normalized_shape)`` to the same shape."""
        check_input(self, x, "...", *self.normalized_shape)
        return run(self, functional.rms_norm, x, self.normalized_shape, self.weight, self.eps)

    def __repr__(self) -> str:
        shape = self.normalized_shape
        return call(self, shape[0] if len(shape) == 1 else shape, eps=(self.eps, None),
                    elementwise_affine=(self.weight is not None, True))  # fmt: skip

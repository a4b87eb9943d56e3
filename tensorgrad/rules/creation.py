"""Creation of tensors from nested lists that contain tensors: `array`, and NumPy's functions that take ``like=``.

NumPy converts lists to arrays without calling the protocols of the tensors in them, unless ``like=`` is a tensor.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine import tape
from tensorgrad.engine.registry import implements
from tensorgrad.engine.tape import Array, Variable, any_tracked, as_array, value_of
from tensorgrad.errors import ShapeError
from tensorgrad.foreign import operand
from tensorgrad.frontend.tensor import Tensor


def array(data: Any, dtype: Any = None) -> Tensor:
    """A new tensor from numbers, arrays, tensors, and nested lists of them. Gradients flow back to the tensors.

    Parameters
    ----------
    data
        Anything that `numpy.array` accepts, with tensors anywhere in it.
    dtype
        The dtype of the result. By default, the common dtype of all parts.

    Raises
    ------
    ShapeError
        If the parts of a list have different shapes.

    Examples
    --------
    >>> x = tg.Tensor([3.0, 4.0], requires_grad=True)
    >>> rotation = tg.array([[np.cos(x[0]), -np.sin(x[0])], [np.sin(x[0]), np.cos(x[0])]])
    >>> rotation.shape
    (2, 2)
    >>> tg.grad(np.sum(rotation @ x), x)
    array([-0.8467, -1.1311])
    """
    out = _joined(data)
    if dtype is not None:
        out = np.astype(out, np.dtype(dtype), copy=out is data)
    elif out is data:
        out = np.copy(out)
    return out if isinstance(out, Tensor) else Tensor(out)


def _joined(data: Any) -> Array:
    """Nested lists as one array; as a tensor if a gradient flows to one of their elements."""
    if isinstance(data, Variable):
        return data
    if not isinstance(data, (list, tuple)) or not any_tracked(data):
        return as_array(value_of(data))
    parts = [_joined(item) if any_tracked(item) else operand(value_of(item)) for item in data]
    shapes = sorted({np.shape(value_of(part)) for part in parts})
    if len(shapes) > 1:
        raise ShapeError(f"array: the parts of a list must have one shape, got {', '.join(map(str, shapes))}")
    return np.stack(parts)


@implements(np.array, complex=True)
def _array(data: Any, dtype: Any = None, *, copy: Any = True, order: Any = "K", ndmin: int = 0) -> Any:
    out: Any = array(data, dtype) if copy else _asarray(data, dtype)
    return _in_order(np.reshape(out, (1,) * (ndmin - out.ndim) + out.shape) if out.ndim < ndmin else out, order)


@implements(np.asarray, complex=True)
@implements(np.asanyarray, complex=True)
def _asarray(data: Any, dtype: Any = None, order: Any = None, *, copy: Any = None) -> Any:
    is_done = isinstance(data, Variable) and not copy and dtype in (None, data.dtype)
    return _in_order(data if is_done else array(data, dtype), order)


@implements(np.ascontiguousarray, complex=True)
def _ascontiguousarray(data: Any, dtype: Any = None) -> Any:
    return np.atleast_1d(_asarray(data, dtype, "C"))


@implements(np.asfortranarray, complex=True)
def _asfortranarray(data: Any, dtype: Any = None) -> Any:
    return np.atleast_1d(_asarray(data, dtype, "F"))


def _in_order(x: Any, order: Any) -> Any:
    """A tensor with this memory layout."""
    has_order = order in (None, "K", "A") or value_of(x).flags[order]
    return x if has_order else np.copy(x, order)


def _created(create: Any, *args: Any) -> Tensor:
    """A new tensor that requires no gradient; while a program is recorded, one that it creates in each replay."""
    trace = tape.tracer()
    return Tensor(create(*args) if trace is None else trace.call(create, args, {}))


@implements(np.full, complex=True)
def full(shape: Any, fill_value: Any, dtype: Any = None, order: Any = "C", *, device: Any = None) -> Any:
    """`numpy.full`: a tensor of this shape, filled with ``fill_value``."""
    if not any_tracked(fill_value):
        return _created(np.full, shape, value_of(fill_value), dtype, order)
    value: Any = array(fill_value, dtype)
    return np.copy(np.broadcast_to(value, shape), "C" if order == "K" else order)


def _filled(create: Any) -> None:
    @implements(create, complex=True)
    def new(shape: Any, dtype: Any = None, order: Any = "C", *, device: Any = None) -> Tensor:
        return _created(create, shape, dtype, order)

    new.__doc__ = f"`numpy.{create.__name__}`: a new tensor, which requires no gradient."


for _create in (np.zeros, np.ones, np.empty):
    _filled(_create)

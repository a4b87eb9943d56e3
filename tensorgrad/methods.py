"""NumPy's methods: ``t.sum(axis=0)`` is ``np.sum(t, axis=0)``, with NumPy's names, keywords and order of arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tensorgrad.rules  # noqa: F401  (fills the table)
from tensorgrad.rules.shapes import astype, reshape
from tensorgrad.table import functions
from tensorgrad.tape import Variable

_np: Any = np  # for calls on tensors, of which NumPy's types know nothing


def _method(function: Callable[..., Any]) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__name__, method.__doc__ = function.__name__, f"`numpy.{function.__name__}` of this tensor."
    return method


_sum, _mean, _transpose = (functions[fn] for fn in (np.sum, np.mean, np.transpose))


class Methods(Variable):
    """The methods and attributes of an ndarray, for a tensor."""

    __slots__ = ()

    # ------------------------------------------------------------------------------------------- attributes

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.data.size

    @property
    def nbytes(self) -> int:
        """How many bytes the elements take."""
        return self.data.nbytes

    @property
    def T(self) -> Any:  # noqa: N802  (NumPy's name)
        """The tensor with its axes reversed."""
        return _transpose(self)

    @property
    def mT(self) -> Any:  # noqa: N802  (NumPy's name)
        """The tensor with its last two axes exchanged."""
        return _np.matrix_transpose(self)

    @property
    def real(self) -> Any:
        """The real part."""
        return _np.real(self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return _np.imag(self)

    # ------------------------------------------------------------------------------------------- reductions

    def sum(self, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, **others: Any) -> Any:
        """`numpy.sum` of this tensor."""
        if others:
            return _np.sum(self, axis=axis, dtype=dtype, keepdims=keepdims, **others)
        return _sum(self, axis=axis, dtype=dtype, keepdims=keepdims)

    def mean(self, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, **others: Any) -> Any:
        """`numpy.mean` of this tensor."""
        if others:
            return _np.mean(self, axis=axis, dtype=dtype, keepdims=keepdims, **others)
        return _mean(self, axis=axis, dtype=dtype, keepdims=keepdims)

    max, min, prod, var, std = map(_method, (_np.max, _np.min, _np.prod, _np.var, _np.std))
    cumsum, cumprod, trace = map(_method, (_np.cumsum, _np.cumprod, _np.trace))
    argmax, argmin, any, all = map(_method, (_np.argmax, _np.argmin, _np.any, _np.all))

    # ------------------------------------------------------------------------------------------- elements and order

    clip, round, conj, conjugate, dot = map(_method, (_np.clip, _np.round, _np.conj, _np.conjugate, _np.dot))
    take, repeat, diagonal, choose = map(_method, (_np.take, _np.repeat, _np.diagonal, _np.choose))
    argsort, argpartition, searchsorted, nonzero = map(
        _method, (_np.argsort, _np.argpartition, _np.searchsorted, _np.nonzero)
    )

    def compress(self, condition: Any, axis: Any = None) -> Any:
        """`numpy.compress` of this tensor."""
        return _np.compress(condition, self, axis=axis)

    # ------------------------------------------------------------------------------------------- shapes

    def reshape(self, *shape: Any, **others: Any) -> Any:
        """This tensor in another shape: ``t.reshape(2, -1)`` or ``t.reshape((2, -1))``."""
        new = shape[0] if len(shape) == 1 else shape
        return _np.reshape(self, new, **others) if others else reshape(self, shape=new)

    def transpose(self, *axes: Any) -> Any:
        """This tensor with its axes permuted: reversed, or ``t.transpose(1, 0)`` or ``t.transpose((1, 0))``."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes or None
        return _transpose(self, axes=order)

    swapaxes, squeeze, ravel = map(_method, (_np.swapaxes, _np.squeeze, _np.ravel))

    def flatten(self, order: Any = "C") -> Any:
        """A copy of all elements, in one axis."""
        return _np.ravel(self, order).copy()

    # ------------------------------------------------------------------------------------------- copies

    def astype(self, dtype: Any) -> Any:
        """This tensor in another floating-point precision; the gradient returns in the old one."""
        return astype(self, dtype=np.dtype(dtype))

    def copy(self) -> Any:
        """A tensor of the same value in memory of its own, still on the tape."""
        return astype(self, dtype=self.dtype)

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers; like `item`, off the tape."""
        return self.data.tolist()

    # ------------------------------------------------------------------------------------------- in place

    def fill(self: Any, value: Any) -> None:
        """Assign one value to all elements."""
        self[...] = value

    def sort(self: Any, axis: int = -1, **others: Any) -> None:
        """Sort in place; `numpy.sort` leaves the tensor as it is."""
        self[...] = _np.sort(self, axis, **others)

    put = _method(_np.put)

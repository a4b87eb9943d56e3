"""NumPy's methods: ``t.sum(axis=0)`` is ``np.sum(t, axis=0)``, with NumPy's names, keywords and order of arguments.

Unlike an ndarray, a tensor also has elementwise methods such as ``t.exp()``, as in PyTorch, and methods such as
``t.relu()``, which are functions of `tensorgrad.functional`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np

from tensorgrad.engine.registry import declare, entries
from tensorgrad.engine.tape import Variable
from tensorgrad.frontend.flat import Flat

if TYPE_CHECKING:  # the types of everything inside `if not TYPE_CHECKING` below are in signatures.pyi
    from tensorgrad.frontend.signatures import Axis, Signatures
    from tensorgrad.frontend.tensor import Tensor

    class _NumPy:
        def __getattr__(self, name: str) -> Callable[..., Tensor]: ...
else:
    Signatures = Variable

_np = cast("_NumPy", np)  # for calls with tensors, which NumPy's types do not describe; its functions become methods


class _OfFunctional:
    """A method that is a function of `tensorgrad.functional`, and takes its place when it is first used."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, tensor: Any, owner: type) -> Any:
        setattr(Methods, self._name, getattr(import_module("tensorgrad.functional"), self._name))
        return getattr(owner if tensor is None else tensor, self._name)


_sum: Callable[..., Tensor] = declare(np.sum)
_mean: Callable[..., Tensor] = declare(np.mean)
_transpose: Callable[..., Tensor] = declare(np.transpose)


class Methods(Signatures):
    """The methods and attributes of an ndarray, for a tensor."""

    __slots__ = ()

    # ------------------------------------------------------------------------------------------- attributes

    if not TYPE_CHECKING:
        ndim = property(lambda self: self.data.ndim, doc="The number of axes.")
        size = property(lambda self: self.data.size, doc="The number of elements.")
        nbytes = property(lambda self: self.data.nbytes, doc="The number of bytes of the elements.")
        T = property(_transpose, doc="The tensor with its axes reversed.")
        mT = property(_np.matrix_transpose, doc="The tensor with its last two axes swapped.")  # noqa: N815  (NumPy's name)
        real = property(_np.real, doc="The real part.")
        imag = property(_np.imag, doc="The imaginary part.")

    @property
    def flat(self) -> Flat:
        """All elements in row-major order, like `numpy.ndarray.flat`; ``t.flat[i] = v`` writes to this tensor.

        Examples
        --------
        >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> x.flat[2].item(), [element.item() for element in x.flat]
        (3.0, [1.0, 2.0, 3.0, 4.0])
        """
        return Flat(self)

    @flat.setter
    def flat(self, value: Any) -> None:
        Flat(self)[:] = value

    # ------------------------------------------------------------------------------------------- reductions

    def sum(self, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False, **others: Any) -> Tensor:
        """`numpy.sum` of this tensor.

        Examples
        --------
        >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> x.sum(axis=0)
        Tensor([4., 6.])
        """
        return (_np.sum if others else _sum)(self, axis=axis, dtype=dtype, keepdims=keepdims, **others)

    def mean(self, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False, **others: Any) -> Tensor:
        """`numpy.mean` of this tensor.

        Examples
        --------
        >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> x.mean(axis=1, keepdims=True)
        Tensor([[1.5],
                [3.5]])
        """
        return (_np.mean if others else _mean)(self, axis=axis, dtype=dtype, keepdims=keepdims, **others)

    if not TYPE_CHECKING:
        max, min, prod, var, std = _np.max, _np.min, _np.prod, _np.var, _np.std
        cumsum, cumprod, trace = _np.cumsum, _np.cumprod, _np.trace
        argmax, argmin, any, all = _np.argmax, _np.argmin, _np.any, _np.all

    # ------------------------------------------------------------------------------------------- elements and order

    if not TYPE_CHECKING:
        clip, round, dot, diagonal = _np.clip, _np.round, _np.dot, _np.diagonal
        take, repeat, choose, searchsorted = _np.take, _np.repeat, _np.choose, _np.searchsorted
        argsort, argpartition, nonzero = _np.argsort, _np.argpartition, _np.nonzero

    def conj(self: Any) -> Tensor:
        """The complex conjugate; for a real tensor, the tensor itself.

        Examples
        --------
        >>> tg.Tensor([1 + 2j]).conj()
        Tensor([1.-2.j], dtype=complex128)
        """
        tensor: Tensor = self
        return _np.conj(tensor) if tensor.data.dtype.kind == "c" else tensor

    conjugate = conj

    def compress(self, condition: Any, axis: int | None = None) -> Tensor:
        """`numpy.compress` of this tensor.

        Examples
        --------
        >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> x.compress([True, False], axis=0)
        Tensor([[1., 2.]])
        """
        return _np.compress(condition, self, axis=axis)

    if not TYPE_CHECKING:
        exp, expm1, log, log1p, log2, log10 = map(declare, (np.exp, np.expm1, np.log, np.log1p, np.log2, np.log10))
        sqrt, square, abs, sign = map(declare, (np.sqrt, np.square, np.absolute, np.sign))
        sin, cos, tan, sinh, cosh, tanh = map(declare, (np.sin, np.cos, np.tan, np.sinh, np.cosh, np.tanh))

        relu, sigmoid, softmax, log_softmax = _OfFunctional(), _OfFunctional(), _OfFunctional(), _OfFunctional()
        logsumexp, erf, erfc = _OfFunctional(), _OfFunctional(), _OfFunctional()

    # ------------------------------------------------------------------------------------------- shapes

    def reshape(self, *shape: Any, **others: Any) -> Tensor:
        """This tensor in another shape: ``t.reshape(2, -1)`` or ``t.reshape((2, -1))``.

        Examples
        --------
        >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> x.reshape(4, -1).shape
        (4, 1)
        """
        if len(shape) == 1 or others:
            return _np.reshape(self, shape[0] if len(shape) == 1 else shape, **others)
        return cast("Tensor", entries[np.reshape].run(self, shape))  # without NumPy's protocol: half of the time

    def transpose(self, *axes: Any) -> Tensor:
        """This tensor with its axes permuted: reversed, or ``t.transpose(1, 0)`` or ``t.transpose((1, 0))``.

        Examples
        --------
        >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> x.transpose()
        Tensor([[1., 3.],
                [2., 4.]])
        """
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes or None
        return _transpose(self, axes=order)

    if not TYPE_CHECKING:
        swapaxes, squeeze, ravel = _np.swapaxes, _np.squeeze, _np.ravel

    def flatten(self, order: Any = "C") -> Tensor:
        """A one-dimensional copy of all elements.

        Examples
        --------
        >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> x.flatten()
        Tensor([1., 2., 3., 4.])
        """
        return _np.ravel(self, order).copy()

    # ------------------------------------------------------------------------------------------- copies

    if TYPE_CHECKING:

        @overload
        def astype(self, dtype: type[np.inexact[Any]], *, copy: bool = True) -> Tensor: ...
        @overload
        def astype(self, dtype: Any, *, copy: bool = True) -> Any: ...

    def astype(self: Any, dtype: Any, *, copy: bool = True) -> Any:
        """Cast to another dtype. For a floating-point or complex dtype the result is a tensor, otherwise an array.

        Examples
        --------
        >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> x.astype(np.float32)
        Tensor([[1., 2.],
                [3., 4.]], dtype=float32)
        >>> np.floor(x / 2).astype(int)  # piecewise constant
        array([[0, 1],
               [1, 2]])
        """
        return self if not copy and self.dtype == dtype else _np.astype(self, np.dtype(dtype))

    def copy(self) -> Tensor:
        """A recorded copy: gradients flow back to this tensor.

        Examples
        --------
        >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> y = x.copy()
        >>> y[0, 0] = 9
        >>> x[0, 0].item()
        1.0
        """
        return _np.astype(self, self.dtype)

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers, which are not recorded.

        Examples
        --------
        >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> x.tolist()
        [[1.0, 2.0], [3.0, 4.0]]
        """
        return self.data.tolist()

    # ------------------------------------------------------------------------------------------- in place

    def fill(self: Any, value: Any) -> None:
        """Assign one value to all elements.

        Examples
        --------
        >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> x.fill(0)
        >>> x
        Tensor([[0., 0.],
                [0., 0.]])
        """
        self[...] = value

    def sort(self: Any, axis: int = -1, **others: Any) -> None:
        """Sort in place. `numpy.sort` returns a sorted copy.

        Examples
        --------
        >>> x = tg.Tensor([3.0, 1.0, 2.0])
        >>> x.sort()
        >>> x
        Tensor([1., 2., 3.])
        """
        self[...] = _np.sort(self, axis, **others)

    if not TYPE_CHECKING:
        put = _np.put

"""The Tensor: an ndarray that remembers how it was made.

Operators, methods and NumPy's own functions all end in the same place: the function's entry in
the gradient table, which runs it and records. What NumPy is told when it asks stands in `dispatch`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorgrad.assign import assign
from tensorgrad.dispatch import call, call_ufunc
from tensorgrad.errors import GradientLostError, ShapeError
from tensorgrad.methods import Methods
from tensorgrad.rules.indexing import as_index, getitem
from tensorgrad.table import functions
from tensorgrad.tape import DETACHED, Variable, any_tracked, as_array, at_stake, before_write, mode, value_of
from tensorgrad.walk import seed_for, walk


def _operators(ufunc: np.ufunc) -> tuple[Any, Any, Any]:
    """``x + y``, its reflection ``y + x`` and the in-place ``x += y``, from one row of the table."""
    function = functions[ufunc]

    def reflected(self: Tensor, other: Any) -> Any:
        return function(other, self)

    def in_place(self: Tensor, other: Any) -> Any:
        if (
            self.data.ndim == 0
            and not isinstance(self.views, list)
            and (self.record is not None or self.tracked is False)
        ):
            return function(self, other)  # as NumPy's scalars, which are never written to
        return ufunc(self, other, out=(self,))

    return function, reflected, in_place


_np: Any = np  # for calls on tensors, of which NumPy's types know nothing


class Tensor(Methods):
    """An n-d array on the tape.

    Parameters
    ----------
    data
        Anything `numpy.asarray` takes that holds numbers. An ndarray is shared, not copied.
    requires_grad
        Whether `backward` shall leave a gradient in ``.grad``. Only floating-point data can.
    dtype
        The dtype to convert to; that of ``data`` by default.

    Raises
    ------
    TypeError
        If the data are not numbers, or a gradient is asked for integers or booleans.
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = False, dtype: Any = None) -> None:
        self.data = as_array(data.data if isinstance(data, Variable) else data, dtype)
        if self.data.dtype.kind not in "fiubc":
            raise TypeError(f"a Tensor holds numbers, not {self.data.dtype}")
        self.grad = None
        self.record = None
        self.readers = self.views = None
        self.tracked = False
        if isinstance(data, Variable) and np.may_share_memory(self.data, data.data):
            if data.readers is None:
                data.readers = []
            self.readers, self.views = data.readers, DETACHED
        self.requires_grad = requires_grad

    # ------------------------------------------------------------------------------------------- what it is

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to this tensor. Settable on leaves: False freezes a parameter."""
        return bool(self.tracked)

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        if self.record is not None and not flag:
            raise ValueError(
                f"requires_grad can be cleared on leaves only; this tensor is a result of {self.record.row.name!r}. "
                "Use .detach() for a tensor of the same value without its history."
            )
        if flag and self.data.dtype.kind != "f":
            raise TypeError(
                f"only floating-point tensors can require a gradient, not {self.data.dtype}: "
                "write Tensor(data, requires_grad=True, dtype=float)"
            )
        self.tracked = True if flag else None if self.tracked is not False else False

    @property
    def is_leaf(self) -> bool:
        """Whether this tensor was made by a user rather than by an operation on tracked tensors."""
        return self.record is None

    def numpy(self) -> np.ndarray[Any, Any]:
        """The ndarray itself, shared and writable; gradients do not follow it."""
        return self.data

    def item(self) -> Any:
        """The only element, as a Python number."""
        if self.data.size != 1:
            raise ValueError(f"item() needs a tensor with one element, this one has shape {self.shape}")
        return self.data.item()

    def detach(self) -> Tensor:
        """A tensor of the same memory that is not on the tape."""
        return Tensor(self)

    def __repr__(self) -> str:
        text = np.array2string(self.data, separator=", ", prefix="Tensor(")
        dtype = "" if self.dtype in (np.float64, np.int64, np.bool_) else f", dtype={self.dtype}"
        made = "" if self.record is None else f", from {self.record.row.name}"
        grad = ", requires_grad=True" if self.tracked and self.record is None else made
        return f"Tensor({text}{dtype}{grad})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and self.size == 1 else format(str(self), spec)

    def __copy__(self) -> Tensor:
        if self.record is not None:
            raise TypeError("a tensor on the tape cannot be copied: call .detach() first, or .copy() to stay on it")
        out = type(self)(self, self.requires_grad)
        out.grad = self.grad
        return out

    def __reduce__(self) -> Any:
        if self.record is not None:
            raise TypeError("a tensor on the tape cannot be copied or pickled: call .detach() first")
        return _rebuild, (type(self), self.data, self.requires_grad, self.grad)

    # ------------------------------------------------------------------------------------------- gradients

    def backward(self, seed: Any = None, create_graph: bool = False, retain_graph: bool = False) -> None:
        """Add the gradient of this tensor to ``.grad`` of every leaf it was made from.

        Parameters
        ----------
        seed
            The gradient to start from, of this tensor's shape; 1 for a tensor with one element.
        create_graph
            Record the backward pass, so that the gradients (tensors, then) can be differentiated again.
        retain_graph
            Keep the graph for another backward pass. By default it is freed on the way, to save memory.

        Raises
        ------
        RuntimeError
            If this tensor does not require a gradient.
        ShapeError
            If it has more than one element and no seed is given, or the seed has another shape.
        FreedGraphError
            If the graph was freed by an earlier pass.
        """
        if not self.tracked:
            raise RuntimeError(
                "backward() on a tensor that requires no gradient: make a Tensor it is computed from with "
                "requires_grad=True, and compute it outside no_grad()"
            )
        start = seed_for(self, seed)
        for node, gradient in walk([(self, start)], create_graph=create_graph, retain_graph=retain_graph).items():
            assert isinstance(node, Tensor)
            if create_graph and not isinstance(gradient, Tensor):
                gradient = Tensor(gradient)
            if node.grad is not None and node.grad.shape != node.shape:
                raise ShapeError(f"the .grad of a leaf of shape {node.shape} was set to one of shape {node.grad.shape}")
            total = gradient if node.grad is None else node.grad + gradient
            node.grad = total if isinstance(total, Tensor) else np.asarray(total)

    # ------------------------------------------------------------------------------------------- NumPy's protocols

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **kwargs: Any) -> Any:
        if method == "__call__" and out is None and not kwargs and ufunc in functions:
            return functions[ufunc](*inputs)
        return call_ufunc(type(self), ufunc, method, inputs, out, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return call(type(self), func, args, kwargs)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
        if self.tracked:
            raise GradientLostError(
                "this Tensor requires a gradient, which a plain ndarray would lose: use t.data or t.detach() if "
                "that is meant, np.stack([...]) to join tensors, t[...] or np.where to place one in another"
            )
        return np.array(self.data, dtype, copy=copy)

    # ------------------------------------------------------------------------------------------- elements

    def __getitem__(self, index: Any) -> Tensor:
        return getitem(self, index=as_index(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        if mode.recording and at_stake(self, value):
            assign(self, index, _joined(value))
        else:
            before_write(self, "assignment to elements")
            self.data[as_index(index)] = value_of(value)

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Tensor]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self.data)))

    def __contains__(self, value: Any) -> bool:
        return bool((self.data == value_of(value)).any())

    def __bool__(self) -> bool:
        return bool(self.data)

    def __float__(self) -> float:
        return float(self._number("float"))

    def __int__(self) -> int:
        return int(self._number("int"))

    def __complex__(self) -> complex:
        return complex(self._number("complex"))

    def _number(self, name: str) -> Any:
        if self.tracked and mode.recording:  # NumPy asks too, for ``array[0] = t``, which must not lose it in silence
            raise GradientLostError(
                f"{name}() of a Tensor that requires a gradient would lose it: write t.item() if that is meant; to put "
                "t into an array, make the array a tensor (np.zeros_like(t), tg.Tensor(np.zeros(n))) or use np.stack"
            )
        return self.item()

    def __index__(self) -> int:
        return self.data.__index__()

    # ------------------------------------------------------------------------------------------- operators

    __add__, __radd__, __iadd__ = _operators(np.add)
    __sub__, __rsub__, __isub__ = _operators(np.subtract)
    __mul__, __rmul__, __imul__ = _operators(np.multiply)
    __truediv__, __rtruediv__, __itruediv__ = _operators(np.divide)
    __floordiv__, __rfloordiv__, __ifloordiv__ = _operators(np.floor_divide)
    __mod__, __rmod__, __imod__ = _operators(np.remainder)
    __divmod__, __rdivmod__, _ = _operators(np.divmod)
    __matmul__, __rmatmul__, __imatmul__ = _operators(np.matmul)
    _power, __rpow__, __ipow__ = _operators(np.power)

    __lt__, __gt__, _ = _operators(np.less)
    __le__, __ge__, _ = _operators(np.less_equal)
    __eq__, _, _ = _operators(np.equal)
    __ne__, _, _ = _operators(np.not_equal)
    __and__, __rand__, __iand__ = _operators(np.bitwise_and)
    __or__, __ror__, __ior__ = _operators(np.bitwise_or)
    __xor__, __rxor__, __ixor__ = _operators(np.bitwise_xor)
    __invert__ = functions[np.invert]
    __hash__ = object.__hash__

    __neg__, __pos__, __abs__ = functions[np.negative], functions[np.positive], functions[np.absolute]

    def __round__(self, digits: int | None = None) -> Any:
        return _np.round(self, digits or 0)

    def __pow__(self, exponent: Any) -> Any:
        return functions[np.square](self) if type(exponent) is int and exponent == 2 else self._power(exponent)


def _joined(value: Any) -> Any:
    """Nested lists with tensors in them, as a tensor."""
    return (
        _np.stack([_joined(item) for item in value])
        if isinstance(value, (list, tuple)) and any_tracked(value)
        else value
    )


def _rebuild(kind: type[Tensor], data: Any, requires_grad: bool, grad: Any) -> Tensor:
    out = kind(data, requires_grad)
    out.grad = grad
    return out

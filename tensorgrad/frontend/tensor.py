"""The Tensor: an ndarray that remembers how it was made.

Operators, methods and NumPy functions all call the entry of the function in the gradient table, which runs the function
and records the call. `dispatch` implements NumPy's protocols.
"""

from __future__ import annotations

import inspect
import math
from _thread import allocate_lock
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from tensorgrad.engine.aliasing import detach_from, keep_saved
from tensorgrad.engine.backward import backward_pass
from tensorgrad.engine.indexing import getitem
from tensorgrad.engine.registry import declare, entries
from tensorgrad.engine.tape import Leaf, Variable, any_tracked, as_array, current_mode, value_of
from tensorgrad.errors import GradientLostError, ShapeError
from tensorgrad.frontend.assign import as_index, assign, needs_recording
from tensorgrad.frontend.conversion_errors import array_conversion_error, copy_error, number_conversion_error
from tensorgrad.frontend.dispatch import call, call_ufunc, nondifferentiable
from tensorgrad.frontend.leaves import frozen_leaves, leaf_of
from tensorgrad.frontend.methods import Methods
from tensorgrad.frontend.spelling import MissingAttribute, missing_attributes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    Unary: TypeAlias = Callable[["Tensor"], "Tensor"]
    Binary: TypeAlias = Callable[["Tensor", "Tensor | ArrayLike"], "Tensor"]
    Comparison: TypeAlias = Callable[..., NDArray[np.bool]]
    Pair: TypeAlias = Callable[["Tensor", "Tensor | ArrayLike"], tuple["Tensor", "Tensor"]]


def _operators(ufunc: np.ufunc, enter: Callable[..., Any] = declare) -> tuple[Binary, Binary, Binary]:
    """``x + y``, its reflection ``y + x`` and the in-place ``x += y``, from one entry of the table."""
    run = enter(ufunc)

    def reflected(self: Tensor, other: Any) -> Any:
        return run(other, self)

    def in_place(self: Tensor, other: Any) -> Any:
        if self.data.ndim == 0 and (self.memory is None or self.memory.detached) and leaf_of(self) is None:
            return run(self, other)  # like NumPy's scalars, which are immutable
        return ufunc(self, other, out=(self,))

    return run, reflected, in_place


def _unary(ufunc: np.ufunc) -> Unary:
    return declare(ufunc)


_np: Any = np  # for calls with tensors, which NumPy's types do not describe
_element: Callable[..., Tensor] = getitem


def _conversion(kind: Any) -> Any:
    """``__float__`` and similar methods. NumPy also calls them for ``array[0] = t``, which must not lose a gradient."""

    def convert(self: Tensor) -> Any:
        if self.node is not None and current_mode().recording:
            raise number_conversion_error(kind.__name__)
        return kind(self.item())

    return convert


def _to_integer(function: Any) -> Any:
    """``__floor__`` and similar methods, which return Python integers and so have no gradient."""
    return lambda self: function(self.item())


class _TensorType(type):
    """The metaclass of `Tensor`; it hides attributes that only raise an error from ``dir(Tensor)``."""

    def __dir__(cls) -> list[str]:
        return [name for name in super().__dir__() if _is_available(cls, name)]


def _is_available(kind: type, name: str) -> bool:
    return not isinstance(inspect.getattr_static(kind, name, None), MissingAttribute)


class Tensor(Methods, metaclass=_TensorType):
    """An n-dimensional array that records the operations applied to it, so that gradients can be computed.

    A Tensor wraps an ndarray, its ``.data``. NumPy's functions, operators and methods accept it and return Tensors.
    ``result.backward()`` stores the gradient of a result in ``.grad`` of every Tensor that was created with
    ``requires_grad=True``.

    Parameters
    ----------
    data : array_like
        Numbers. An ndarray is shared, not copied.
    requires_grad : bool, optional
        Whether `backward` computes a gradient for this tensor. Requires a floating-point dtype.
    dtype : data-type, optional
        The dtype to convert ``data`` to. By default, that of ``data``.

    Raises
    ------
    TypeError
        If ``data`` does not hold numbers, or ``requires_grad`` is true for integers, booleans or complex numbers.

    Examples
    --------
    >>> x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> y = np.sum(np.sin(x) ** 2)
    >>> y.backward()
    >>> x.grad  # 2 sin(x) cos(x)
    array([ 0.9093, -0.7568, -0.2794])
    """

    __slots__ = ()
    __pandas_priority__ = 5000  # above Series and DataFrame, so that ``series * t`` calls ``Tensor.__rmul__``

    if TYPE_CHECKING:
        data: NDArray[Any]
        grad: NDArray[Any] | None

    def __init__(self, data: Any, requires_grad: bool = False, dtype: DTypeLike | None = None) -> None:
        self.data = as_array(data.data if isinstance(data, Variable) else data, dtype)
        if self.data.dtype.kind not in "fiubc":
            raise TypeError(f"a Tensor holds numbers, not {self.data.dtype}")
        self.grad = self.node = self.saved = self.memory = None
        if isinstance(data, Variable) and np.may_share_memory(self.data, data.data):
            detach_from(data, self)
        if requires_grad:
            if isinstance(data, Variable) and data.tracked and current_mode().origin is not None:
                raise GradientLostError("a leaf created in a gradient rule does not depend on the input, so that "
                                        "higher derivatives would be wrong: write tg.grad(f)(x) or tg.vjp(f, x) "
                                        "in a rule")  # fmt: skip
            self.requires_grad = True

    # ------------------------------------------------------------------------------------------- attributes

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to this tensor. Can be set for leaves: False freezes a parameter.

        Examples
        --------
        >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
        >>> x.requires_grad = False  # freeze
        >>> x
        Tensor([1., 2.])
        """
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        if flag == (self.node is not None):
            return
        if self.record is not None:
            raise ValueError("requires_grad can be cleared on leaves only; this tensor is a result of "
                             f"{self.record.row.name!r}: .detach() gives one without its history")  # fmt: skip
        if flag and self.data.dtype.kind != "f":
            raise TypeError(f"only floating-point tensors can require a gradient, not {self.data.dtype}: "
                            "write Tensor(data, requires_grad=True, dtype=float)")  # fmt: skip
        if flag:
            self.node = leaf_of(self) or Leaf(self)
        else:
            frozen_leaves[id(self)], self.node = self.node, None  # type: ignore[assignment]  # the node is a Leaf

    @property
    def is_leaf(self) -> bool:
        """Whether this tensor was created by a user rather than by an operation on tracked tensors.

        Examples
        --------
        >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
        >>> x.is_leaf, (x * 2).is_leaf
        (True, False)
        """
        return self.record is None

    def numpy(self) -> NDArray[Any]:
        """The underlying ndarray, shared and writable. Operations on it are not recorded.

        Examples
        --------
        >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
        >>> x.numpy()
        array([1., 2.])
        """
        return self.data

    def item(self) -> Any:
        """The only element, as a Python number.

        Examples
        --------
        >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
        >>> np.sum(x).item()
        3.0
        """
        if self.data.size != 1:
            raise ValueError(f"item() needs a tensor with one element, but this one has shape {self.shape}")
        return self.data.item()

    def detach(self) -> Tensor:
        """A tensor that shares the memory of this one but requires no gradient.

        Examples
        --------
        >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
        >>> x.detach()
        Tensor([1., 2.])
        """
        return Tensor(self)

    def __repr__(self) -> str:
        text = np.array2string(self.data, separator=", ", prefix="Tensor(")
        dtype = "" if self.dtype in (np.float64, np.int64, np.bool_) else f", dtype={self.dtype}"
        made = "" if self.record is None else f", from {self.record.row.name}"
        grad = ", requires_grad=True" if isinstance(self.node, Leaf) else made
        return f"Tensor({text}{dtype}{grad})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and self.size == 1 else format(str(self), spec)

    def __dir__(self) -> list[str]:
        hidden = {"memory", "node", "record", "saved", "tracked"}  # the engine's own
        public = [name for name in super().__dir__() if name not in hidden and (name[:1] != "_" or name[:2] == "__")]
        return [name for name in public if _is_available(type(self), name)]

    def __copy__(self) -> Tensor:
        if self.record is not None:
            raise copy_error()
        return _rebuild(type(self), self, self.requires_grad, self.grad)

    def __reduce__(self) -> Any:
        if self.record is not None:
            raise TypeError("a tensor on the tape cannot be copied or pickled: call .detach() first")
        return _rebuild, (type(self), self.data, self.requires_grad, self.grad)

    # ------------------------------------------------------------------------------------------- gradients

    def backward(self, seed: Any = None, create_graph: bool = False, retain_graph: bool = False) -> None:
        """Add the gradient of this tensor to ``.grad`` of every leaf that it depends on.

        Parameters
        ----------
        seed
            The gradient to start from, of this tensor's shape; 1 for a tensor with one element.
        create_graph
            Record the backward pass, so that the gradients, which are tensors then, can be differentiated again.
        retain_graph
            Keep the graph for another backward pass. By default it is freed after this one.

        Raises
        ------
        RuntimeError
            If this tensor does not require a gradient.
        ShapeError
            If it has more than one element and no seed is given, or the seed has another shape.
        FreedGraphError
            If the graph was freed by an earlier pass.

        Examples
        --------
        >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
        >>> np.sum(x**2).backward()
        >>> np.sum(x**2).backward()  # gradients accumulate
        >>> x.grad
        array([4., 8.])
        """
        if not self.tracked:
            raise RuntimeError("backward() on a tensor that requires no gradient: make a Tensor it is computed from "
                               "with requires_grad=True, and compute it outside no_grad(); in a gradient rule, write "
                               "tg.grad(f)(x) or tg.vjp(f, x)")  # fmt: skip
        start = seed_for(self, seed)
        start = start if create_graph else value_of(start)
        found = backward_pass([(self, start)], create_graph=create_graph, retain_graph=retain_graph)
        tensors = [(leaf, leaf.tensor()) for leaf in found]  # type: ignore[attr-defined]
        for leaf, tensor in tensors:
            if tensor is not None and (leaf.shape != tensor.data.shape or leaf.dtype != tensor.data.dtype):
                raise ShapeError(f"a leaf had shape {leaf.shape} and dtype {leaf.dtype} when it was used, and was then "
                                 f"given data of shape {tensor.shape} and dtype {tensor.dtype}: compute the "
                                 "result again, or call tg.grad(result, leaf) for its former data")  # fmt: skip
        for leaf, tensor in tensors:
            if tensor is not None:
                _accumulate(tensor, found[leaf], create_graph)

    # ------------------------------------------------------------------------------------------- NumPy's protocols

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **kwargs: Any) -> Any:
        if method == "__call__" and out is None and not kwargs:
            entry = entries.get(ufunc)
            if entry is not None:
                return entry.run(*inputs)
        return call_ufunc(type(self), ufunc, method, inputs, out, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return call(type(self), func, args, kwargs)

    if not TYPE_CHECKING:  # otherwise type checkers would infer an array for ``array @ t``

        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
            if self.node is not None and (dtype is None or np.dtype(dtype).kind not in "biu"):
                raise array_conversion_error()
            return np.array(self.data, dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> Any:
        if self.node is not None:
            raise array_conversion_error()
        return self.data.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.data.__dlpack_device__()

    # ------------------------------------------------------------------------------------------- elements

    def __getitem__(self, index: Any) -> Tensor:
        return _element(self, index=as_index(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        if current_mode().recording and needs_recording(self, value):
            assign(self, index, _joined(value))
        else:
            keep_saved(self)
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

    __float__, __int__, __complex__ = map(_conversion, (float, int, complex))

    def __index__(self) -> int:
        return self.data.__index__()

    # ------------------------------------------------------------------------------------------- operators

    __add__, __radd__, __iadd__ = _operators(np.add)
    __sub__, __rsub__, __isub__ = _operators(np.subtract)
    __mul__, __rmul__, __imul__ = _operators(np.multiply)
    __truediv__, __rtruediv__, __itruediv__ = _operators(np.divide)
    __floordiv__, __rfloordiv__, __ifloordiv__ = _operators(np.floor_divide)
    __mod__, __rmod__, __imod__ = _operators(np.remainder)
    __divmod__, __rdivmod__ = cast("tuple[Pair, Pair]", _operators(np.divmod)[:2])
    __matmul__, __rmatmul__, __imatmul__ = _operators(np.matmul)
    _square = _unary(np.square)
    _power, __rpow__, __ipow__ = _operators(np.power)

    __lt__: Comparison
    __le__: Comparison
    __gt__: Comparison
    __ge__: Comparison
    __lt__, __le__, __gt__, __ge__ = map(nondifferentiable, (np.less, np.less_equal, np.greater, np.greater_equal))
    if TYPE_CHECKING:  # an attribute annotated as a Callable would not override the method of object

        def __eq__(self, other: object) -> NDArray[np.bool]: ...  # type: ignore[override]
        def __ne__(self, other: object) -> NDArray[np.bool]: ...  # type: ignore[override]
    else:
        __eq__, __ne__ = map(nondifferentiable, (np.equal, np.not_equal))
    __and__, __rand__, __iand__ = _operators(np.bitwise_and, nondifferentiable)
    __or__, __ror__, __ior__ = _operators(np.bitwise_or, nondifferentiable)
    __xor__, __rxor__, __ixor__ = _operators(np.bitwise_xor, nondifferentiable)
    __invert__ = nondifferentiable(np.invert)
    __hash__ = object.__hash__

    __neg__, __pos__, __abs__ = _unary(np.negative), _unary(np.positive), _unary(np.absolute)

    __floor__, __ceil__, __trunc__ = map(_to_integer, (math.floor, math.ceil, math.trunc))

    def __round__(self, digits: int | None = None) -> Tensor:
        return self.round(digits or 0)

    def __pow__(self, exponent: Tensor | ArrayLike) -> Tensor:
        return self._square() if type(exponent) is int and exponent == 2 else self._power(exponent)


for _name, _instead in missing_attributes(Tensor).items():
    setattr(Tensor, _name, _instead)


def _joined(value: Any) -> Any:
    """Nested lists that contain tracked tensors, as a tensor."""
    nested = isinstance(value, (list, tuple)) and any_tracked(value)
    return _np.stack([_joined(item) for item in value]) if nested else value


def _rebuild(kind: type[Tensor], data: Any, requires_grad: bool, grad: Any) -> Tensor:
    out = kind(data, requires_grad)
    out.grad = grad
    return out


_grad_lock = allocate_lock()  # `threading.Lock`, without importing `threading`, which takes a millisecond


def _accumulate(tensor: Variable, gradient: Any, create_graph: bool) -> None:
    """Add to ``.grad`` of a leaf. Thread-safe."""
    if create_graph and not isinstance(gradient, Tensor):
        gradient = Tensor(gradient)
    with _grad_lock:
        before = tensor.grad
        if before is not None and before.shape != tensor.shape:
            raise ShapeError(f"the .grad of a leaf of shape {tensor.shape} was set to an array of shape {before.shape}")
        total = gradient if before is None else before + gradient
        tensor.grad = total if type(total) is np.ndarray or isinstance(total, Tensor) else as_array(total)


def seed_for(output: Variable, seed: Any) -> Any:
    """The gradient that a backward pass starts from: ``seed`` in the dtype of ``output``, or 1."""
    if output.data.dtype.kind == "c":
        raise TypeError("a complex tensor has no gradient to start from: take np.real, np.imag or np.abs of it")
    if seed is None:
        if output.data.size != 1:
            raise ShapeError(f"a tensor of shape {output.shape} has no single gradient: reduce it first, with .sum() "
                             f"or .mean(), or pass a seed of shape {output.shape}")  # fmt: skip
        return np.array(1, output.dtype, ndmin=output.data.ndim)
    if isinstance(seed, Variable) and seed.shape == output.shape and seed.dtype.kind in "fiub":
        return seed if seed.dtype == output.dtype else _np.astype(seed, output.dtype)
    seed = as_array(value_of(seed))
    if seed.dtype.kind not in "fiub":
        raise TypeError(f"the seed must hold real numbers, not {seed.dtype}")
    if seed.shape != output.shape:
        raise ShapeError(f"the seed has shape {seed.shape}, the tensor {output.shape}: they must be equal")
    return seed.astype(output.dtype, copy=False)

"""A call: unwrap the arguments, run the function on arrays, wrap the result, and record the operation.

`runner` creates the function that replaces the function of a row. Calls with one input and binary ufuncs, nine calls in
ten, have specialized versions with the same steps as the general one, but no loops. They reduce the time
of a small operation by a third (`python benchmarks/ops.py`).
"""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.engine import tape
from tensorgrad.engine.aliasing import save, share_with_source
from tensorgrad.engine.caller import in_package
from tensorgrad.engine.tape import NO_PARAMS, Leaf, Mode, Node, Record, Variable, current_mode, node_of, outline_of
from tensorgrad.errors import NoRuleError
from tensorgrad.foreign import UNCONVERTED, operand
from tensorgrad.foreign import plain as _plain

if TYPE_CHECKING:
    from tensorgrad.engine.registry import Row

_ndarray, _new, _frame = np.ndarray, object.__new__, sys._getframe  # globals are looked up faster than attributes
next_number = itertools.count().__next__


observers: list[Any] = []
"""Objects that are notified of every operation, such as the one of `debug.anomaly`; usually empty.

An observer has four methods: ``after_call(row, values, params, ans)`` is called when a function has run,
``after_recording(record, values, ans)`` when the call has been recorded, and ``before_rules(record)`` and
``after_rule(record, i, g, out)`` in a backward pass.
"""


def runner(row: Row) -> Callable[..., Any]:
    """The function that runs in place of the function of a row."""
    is_binary = isinstance(row.fn, np.ufunc) and row.fn.nin == 2 and row.fn.nout == 1
    run = (_binary if is_binary else _one_input)(row, _general(row))
    functools.update_wrapper(run, row.fn)
    run.row = row  # type: ignore[attr-defined]
    return run


def _general(row: Row) -> Callable[..., Any]:
    """The general version, for any function and any arguments."""

    def run(*args: Any, **params: Any) -> Any:
        tensors = [arg for arg in args if isinstance(arg, Variable)]
        values = tuple([arg.data if isinstance(arg, Variable) else _plain(arg) for arg in args])
        params = {name: copied(row, name, value) for name, value in params.items()}
        trace = tape.tracer()
        ans = row.forward(*values, **params) if trace is None else trace.run(row.forward, values, params)
        if not tensors:
            return ans
        out = _new(type(tensors[-1]))
        out.data = ans = ans if type(ans) is _ndarray else tape.as_result(row.name, ans)
        out.grad = out.node = out.saved = out.memory = None
        for observer in observers:
            observer.after_call(row, values, params, ans)
        nodes = tuple([node_of(arg) if isinstance(arg, Variable) else None for arg in args])
        if ans.base is not None or any([ans is x for x in values]):
            share_with_source(args, out)
        record_call(row, args, values, nodes, params, out)
        return out

    return run


def _one_input(row: Row, general: Callable[..., Any]) -> Callable[..., Any]:
    """The version for one input: unary ufuncs, reductions, reshapes, indexing. Other calls use ``general``."""

    def run(*args: Any, **params: Any) -> Any:
        if len(args) != 1 or observers or row.is_partial:
            return general(*args, **params)
        (x,) = args
        if not isinstance(x, Variable):
            return row.forward(_plain(x), **{name: _untracked(row, name, value) for name, value in params.items()})
        for name, value in params.items():
            if type(value) not in _CONSTANTS:
                params[name] = copied(row, name, value)
        ans = row.forward(x.data, **params)
        if type(ans) is not _ndarray:
            ans = tape.as_result(row.name, ans)
        out = _new(type(x))
        out.data, out.grad, out.node, out.saved, out.memory = ans, None, None, None, None
        if ans.base is not None or ans is x.data:
            share_with_source(args, out)
        node, mode = x.node if type(x.node) is not Leaf else node_of(x), current_mode()
        if ans.dtype.kind != "f" or (node is not None and node.dtype.kind != "f"):
            record_call(row, args, (x.data,), (node,), params, out)
        elif node is not None and mode.recording:
            saving, nodes = row.savings.get(_ONE_TRACKED) or row.saving(True), (node,)
            attach(row, nodes, (save(x),) if saving.inputs[0] else nodes, saving.ans, params or NO_PARAMS, out, mode)
        return out

    return run


def _binary(row: Row, general: Callable[..., Any]) -> Callable[..., Any]:
    """The version for binary ufuncs."""

    def run(x: Any, y: Any) -> Any:
        if observers:
            return general(x, y)
        x_node = y_node = None
        if isinstance(x, Variable):
            kind, a, x_node = type(x), x.data, x.node if type(x.node) is not Leaf else node_of(x)
        else:
            kind, a = None, x if type(x) in UNCONVERTED else operand(x)
        if isinstance(y, Variable):
            kind, b, y_node = type(y), y.data, y.node if type(y.node) is not Leaf else node_of(y)
        else:
            b = y if type(y) in UNCONVERTED else operand(y)
        ans = row.forward(a, b)
        if kind is None:
            return ans
        if type(ans) is not _ndarray:
            ans = np.asarray(ans)
        out = _new(kind)
        out.data, out.grad, out.node, out.saved, out.memory = ans, None, None, None, None
        mode = current_mode()
        if (x_node is None and y_node is None) or not mode.recording or row.is_partial or ans.dtype.kind != "f":
            record_call(row, (x, y), (a, b), (x_node, y_node), NO_PARAMS, out)
            return out
        tracked, like = (x_node is not None, y_node is not None), x_node or y_node
        saving = row.savings.get(tracked) or row.saving(*tracked)
        saves_x, saves_y = saving.inputs
        inputs = (
            (save(x) if isinstance(x, Variable) else a) if saves_x else x_node or outline_of(a, like),
            (save(y) if isinstance(y, Variable) else b) if saves_y else y_node or outline_of(b, like),
        )
        attach(row, (x_node, y_node), inputs, saving.ans, NO_PARAMS, out, mode)
        return out

    return run


def record_call(row: Row, args: Sequence[Any], values: Sequence[Any], nodes: tuple[Node | None, ...],
                params: dict[str, Any], out: Variable) -> None:  # fmt: skip
    """Record a call with the result ``out``, if a gradient flows to an input with respect to which it has a rule."""
    mode = current_mode()
    if not mode.recording or not any(nodes):
        if out.data.dtype.kind == "O":
            raise TypeError(f"{row.name} of these inputs is an array of Python objects: a Tensor holds numbers")
        return
    saving = row.saving(*[node is not None for node in nodes])
    if row.together is None:  # the function may be piecewise constant in some inputs
        nodes = tuple([None if node is None or row.vjp(i) is None else node for i, node in enumerate(nodes)])
    if not any(nodes):
        return
    _check_dtypes(row, out.data, values)
    inputs = [
        (save(arg) if isinstance(arg, Variable) else value) if saves else node or outline_of(value)
        for arg, value, node, saves in zip(args, values, nodes, saving.inputs, strict=True)
    ]
    attach(row, nodes, tuple(inputs), saving.ans, params or NO_PARAMS, out, mode)
    for observer in observers:
        observer.after_recording(out.node, values, out.data)


def attach(row: Row, parents: tuple[Node | None, ...], inputs: tuple[Any, ...], saves_ans: bool,
            params: dict[str, Any], out: Variable, mode: Mode) -> None:  # fmt: skip
    """Create the record of an operation with the result ``out``."""
    record = _new(Record)
    record.row, record.parents, record.inputs, record.params = row, parents, inputs, params
    ans, like = out.data, parents[0] or parents[-1]
    shape = ans.shape
    record.shape = like.shape if like is not None and shape == like.shape else shape  # a shared tuple: less work for GC
    record.dtype, record.number = ans.dtype, next_number()
    record.ans = save(out) if saves_ans else None
    if mode.origin is None:
        frame = _frame(2)  # the first two belong to this module
        while in_package[frame.f_code.co_filename] and frame.f_back is not None:
            frame = frame.f_back
        record.code, record.instruction = frame.f_code, frame.f_lasti
    else:
        record.code, record.instruction = mode.origin.code, mode.origin.instruction
    out.node = record


def _check_dtypes(row: Row, ans: Any, values: Sequence[Any]) -> None:
    """Refuse integer results, and complex values if the rules hold for real values only."""
    kind = ans.dtype.kind
    if kind not in "fc":
        raise NoRuleError(f"{row.name} returned {ans.dtype} for a tensor that requires a gradient: only "
                          "floating-point results can be differentiated")  # fmt: skip
    if not row.complex and (kind == "c" or any(getattr(x, "dtype", None) in _COMPLEX for x in values)):
        raise NoRuleError(f"{row.name}: no gradient rule for complex values. Take np.real or np.abs first, or, "
                          "if its rule holds for them, pass complex=True to tg.rule.")  # fmt: skip


def copied(row: Row, name: str, value: Any) -> Any:
    """The value of a parameter for a record: without tensors, and with copies of arrays, also in lists and dicts."""
    kind = type(value)
    if kind is _ndarray:
        return value.copy()
    if kind in _CONSTANTS or (kind is tuple and _CONSTANTS.issuperset(map(type, value))):
        return value
    if kind is tuple or kind is list:
        return kind([copied(row, name, item) for item in value])
    if kind is dict:
        return {key: copied(row, name, item) for key, item in value.items()}
    value = _untracked(row, name, value)
    return value.copy() if type(value) is _ndarray else value


def _untracked(row: Row, name: str, value: Any) -> Any:
    """The value of a parameter. It is not an input, so it must not require a gradient."""
    if tape.any_tracked(value) and current_mode().recording:
        raise NoRuleError(f"{row.name}: {name!r} requires a gradient: pass it by position, as an input")
    return tape.value_of(value)


_ONE_TRACKED = (True,)
_CONSTANTS = frozenset((int, float, complex, bool, str, slice, type(None), type(...)))
_COMPLEX = (np.complex64, np.complex128, np.clongdouble)

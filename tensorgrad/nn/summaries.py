"""A table of the layers of a model, with the shapes of their results and the numbers of their parameters."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.frontend.modes import no_grad
from tensorgrad.nn.containers import Sequential, describe
from tensorgrad.nn.modes import Mode
from tensorgrad.nn.state import parameters
from tensorgrad.nn.walking import walk

__all__ = ["Summary", "summary"]


class Row(NamedTuple):
    """A layer: its path, its representation, the shape of its result, and the size of its own parameters."""

    path: str
    layer: str
    output: str
    parameters: int


class Summary:
    """The result of `summary`: its ``rows``, and the numbers of all ``parameters`` and of the ``trainable`` ones.

    Examples
    --------
    >>> found = tg.nn.summary(tg.nn.Linear(3, 2, np.random.default_rng(0)), (5, 3))
    >>> found.parameters, found.trainable, found.rows[0].output
    (8, 8, '(5, 2)')
    """

    def __init__(self, rows: list[Row], parameters: int, trainable: int) -> None:
        self.rows, self.parameters, self.trainable = rows, parameters, trainable

    def __repr__(self) -> str:
        table = [("name", "layer", "output", "parameters")]
        table += [(row.path or "(model)", row.layer, row.output, f"{row.parameters:,}" if row.parameters else "")
                  for row in self.rows]  # fmt: skip
        a, b, c, d = (max(map(len, column)) for column in zip(*table, strict=True))
        lines = [f"{name:<{a}}  {layer:<{b}}  {output:<{c}}  {count:>{d}}" for name, layer, output, count in table]
        rule, frozen = "-" * len(lines[0]), self.parameters - self.trainable
        total = f"{self.parameters:,} parameters" + (f", {frozen:,} of them frozen" if frozen else "")
        return "\n".join([lines[0], rule, *(line.rstrip() for line in lines[1:]), rule, total])


def summary(model: Any, shape: Any, *, dtype: Any = np.float32, **options: Any) -> Summary:
    """A table of the layers of a model, with the shapes of their results and the numbers of their parameters.

    The model is called once, in evaluation mode and without recording. Layers are found as `parameters` finds tensors.
    There is a row for each layer that was called, with the shape of its last result, for each layer that holds
    parameters, and for each function in a `Sequential`. A parameter is counted once, for the innermost layer.

    Parameters
    ----------
    model
        Anything that can be called.
    shape
        The shape of the input, such as ``(1, 3, 32, 32)``, for an input of zeros, or the input itself; for a model with
        several inputs, a list of these.
    dtype
        The dtype of the zeros: an integer type for a model that begins with an `Embedding`.
    options
        Keyword arguments for the call.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> net = tg.nn.Sequential({"hidden": tg.nn.Linear(64, 30, rng), "relu": tg.relu, "out": tg.nn.Linear(30, 10, rng)})
    >>> tg.nn.summary(net, (5, 64))
    name           layer           output   parameters
    --------------------------------------------------
    (model)        Sequential      (5, 10)
    layers.hidden  Linear(64, 30)  (5, 30)       1,950
    layers.relu    relu            (5, 30)
    layers.out     Linear(30, 10)  (5, 10)         310
    --------------------------------------------------
    2,260 parameters
    """
    if not callable(model):
        raise TypeError(f"summary takes a model that can be called, got {model!r:.80}")
    is_one = not isinstance(shape, (list, tuple)) or all(isinstance(n, (int, np.integer)) for n in shape)
    inputs = [_input(one, dtype) for one in ([shape] if is_one else shape)]
    layers = {path: item for path, item in walk(model) if callable(item) and not isinstance(item, type)}
    with no_grad(), Mode(model, training=False), np.errstate(all="ignore"), _recorded(layers) as outputs:
        model(*inputs, **options)

    held = dict.fromkeys(layers, 0)
    named = parameters(model)
    for name, parameter in named.items():
        holders = [path for path in layers if not path or name.startswith(path + ".")]
        held[max(holders, key=len)] += parameter.size
    rows = [Row(path, _kind(layers[path]), outputs.get(path, ""), count) for path, count in held.items()
            if path in outputs or count]  # fmt: skip
    trainable = sum(parameter.size for parameter in named.values() if parameter.requires_grad)
    return Summary(rows, sum(held.values()), trainable)


def _input(given: Any, dtype: Any) -> Any:
    return np.zeros(given, dtype) if isinstance(given, (tuple, list)) else given


def _kind(layer: Any) -> str:
    """The representation of a layer in one line."""
    text = describe(layer)
    return text if "\n" not in text else type(layer).__name__


@contextmanager
def _recorded(layers: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Inside the context, record the shapes of the results of layers, by path.

    Python looks up ``__call__`` in the class of an object, so each class temporarily gets another one, which records
    the results of the given instances in this thread. Functions do not have a class of their own: those in a
    `Sequential` are replaced in its list or dict.
    """
    outputs: dict[str, str] = {}
    thread = threading.get_ident()
    paths: dict[int, list[str]] = {}
    for path, layer in layers.items():
        paths.setdefault(id(layer), []).append(path)

    def record(layer: Any, out: Any) -> Any:
        if threading.get_ident() == thread:
            outputs.update(dict.fromkeys(paths.get(id(layer), ()), _shapes(out)))
        return out

    with ExitStack() as stack:
        for kind in dict.fromkeys(map(type, layers.values())):
            with suppress(TypeError, AttributeError):  # a class implemented in C
                stack.enter_context(_replaced(kind, "__call__", _recording(kind, record)))
        for path, layer in layers.items():
            if isinstance(layer, Sequential):
                functions = _with_functions_recorded(layer.layers, f"{path}.layers." if path else "layers.", outputs)
                stack.enter_context(_replaced(layer, "layers", functions))
        yield outputs


def _recording(kind: type, record: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """The ``__call__`` of a class, which also records its results."""
    original = next(vars(base)["__call__"] for base in kind.__mro__ if "__call__" in vars(base))

    def call(self: Any, *arguments: Any, **options: Any) -> Any:
        return record(self, original.__get__(self, kind)(*arguments, **options))

    return call


def _with_functions_recorded(layers: Any, prefix: str, outputs: dict[str, str]) -> Any:
    """The list or dict of a `Sequential`, in which each function also records its results."""

    def recording(function: Callable[..., Any], path: str) -> Callable[..., Any]:
        def call(x: Any) -> Any:
            out = function(x)
            outputs[path] = _shapes(out)
            return out

        return call

    named = layers.items() if isinstance(layers, dict) else enumerate(layers)
    found = {name: recording(layer, f"{prefix}{name}") if _is_function(layer) else layer for name, layer in named}
    return found if isinstance(layers, dict) else list(found.values())


def _is_function(layer: Any) -> bool:
    return isinstance(layer, np.ufunc) or (inspect.isroutine(layer) and not getattr(layer, "draws", False))


@contextmanager
def _replaced(holder: Any, name: str, value: Any) -> Iterator[None]:
    """Inside the context, an attribute of an object or class has another value."""
    own = vars(holder).get(name, ...)
    setattr(holder, name, value)
    try:
        yield
    finally:
        if own is ...:
            delattr(holder, name)
        else:
            setattr(holder, name, own)


def _shapes(out: Any) -> str:
    """The shape of an array, or of each in a tuple, list or dict."""
    if isinstance(out, (tuple, list)):
        return f"({', '.join(map(_shapes, out))})"
    if isinstance(out, Mapping):
        return f"{{{', '.join(f'{name}: {_shapes(value)}' for name, value in out.items())}}}"
    return str(out.shape) if hasattr(out, "shape") else "None" if out is None else type(out).__name__

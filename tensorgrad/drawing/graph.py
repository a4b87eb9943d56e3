"""The graph behind some tensors as a list of boxes, each with its sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tensorgrad.drawing.calls import Calls, Path, keys_of
from tensorgrad.engine.aliasing import values_of
from tensorgrad.engine.tape import Node, Outline, Record, Variable
from tensorgrad.errors import FreedGraphError
from tensorgrad.nn import parameters

_LONGEST = 32  # characters per line; the tooltip has the whole text


@dataclass(slots=True)
class Box:
    """One value: a leaf that requires a gradient, the result of an operation, or an array without a gradient."""

    kind: str  # "leaf", "operation" or "array"
    title: str
    shape: tuple[int, ...] | None = None
    dtype: Any = None
    detail: str = ""  # the parameters of an operation
    sources: list[int] = field(default_factory=list)  # one entry per argument; the index of an earlier box
    result: bool = False
    lines: list[str] = field(default_factory=list)
    tooltip: str = ""
    path: Path = ()  # the calls of functions and layers around an operation
    home: Path | None = None  # the calls in which an array or leaf is a variable, if known


def boxes_behind(outputs: Sequence[Variable], names: Any, limit: int,
                 calls: Calls | None = None) -> tuple[list[Box], str]:  # fmt: skip
    """The boxes of the graph behind ``outputs``, sources first, and the dtype of boxes that do not show theirs."""
    found = _Boxes(_names_by_identity(names), limit, calls)
    for record in _records_behind(outputs, limit):
        found.add_operation(record)
    for output in outputs:
        found.add_result(output)
    return found.boxes, _write_lines(found.boxes)


class _Boxes:
    """The boxes so far, and the index of each."""

    def __init__(self, named: dict[int, str], limit: int, calls: Calls | None) -> None:
        self.named = named if calls is None else calls.names | named
        self.paths = {} if calls is None else calls.paths
        self.homes = {} if calls is None else calls.homes
        self.values = {} if calls is None else calls.values
        self.limit = limit
        self.boxes: list[Box] = []
        self.places: dict[int, int] = {}  # from the identity of a node or array to its box

    def add(self, box: Box, key: Any = None) -> int:
        """Append a box and return its index."""
        if len(self.boxes) >= self.limit:
            raise _too_many(self.limit)
        if key is not None:
            self.places[id(key)] = len(self.boxes)
        self.boxes.append(box)
        return len(self.boxes) - 1

    def value(self, kind: str, array: Any, key: Any) -> int:
        """The index of the box of a leaf or an array, which is added once."""
        if id(key) in self.places:
            return self.places[id(key)]
        title = self.named.get(id(key)) or self.named.get(id(array)) or ("leaf" if kind == "leaf" else "array")
        home = self.homes.get(id(key), self.homes.get(id(array)))
        return self.add(Box(kind, title, tuple(array.shape), array.dtype, home=home), key)

    def argument(self, x: Any, node: Any, parents: Any) -> int:
        """The index of the box of an input: a node, an array, a number, or the outline of a value that is not saved."""
        if isinstance(node, Record):
            return self.places[id(node)]
        if node is not None:
            return self.value("leaf", node, node)
        if type(x) is Outline or (isinstance(x, Node) and x in parents):  # a node of the same shape as its outline
            return self.add(Box("array", "constant", x.shape or None, x.dtype if x.shape else None))
        if isinstance(x, Node) or id(x) in self.named or np.ndim(x):
            return self.value("array", x, x)
        title = _short(x[()] if isinstance(x, np.ndarray) else x)
        return self.add(Box("array", title, None, getattr(x, "dtype", None)))

    def add_operation(self, record: Record) -> None:
        """Add the box of an operation, and of those of its inputs that have none yet."""
        values = self.values.get(record) or values_of(record.inputs or ())
        pairs = zip(values, record.parents or (), strict=True)
        sources = [self.argument(x, node, record.parents) for x, node in pairs]
        name, operation = self.named.get(id(record)), record.row.name
        title = operation if name is None else f"{name} = {operation}"
        detail = ", ".join(_parameters(record.params))
        path = self.paths.get(record, ())
        self.add(Box("operation", title, record.shape, record.dtype, detail, sources, path=path), record)

    def add_result(self, output: Variable) -> None:
        """Mark the box of an output."""
        if output.record is not None:
            place = self.places[id(output.record)]
        else:
            kind, key = ("leaf", output.node) if output.tracked else ("array", output.data)
            place = self.value(kind, output, key)
        self.boxes[place].result = True


def _records_behind(outputs: Sequence[Variable], limit: int) -> list[Record]:
    """All records behind the outputs, in topological order."""
    seen = {output.record for output in outputs if output.record is not None}
    stack = list(seen)
    while stack:
        if len(seen) > limit:
            raise _too_many(limit)
        record = stack.pop()
        if record.parents is None:
            raise FreedGraphError(
                f"this graph, which contains {record.row.name!r}, was freed by a backward pass: draw it before "
                "backward() or grad(), or pass retain_graph=True there"
            )
        for parent in record.parents:
            if isinstance(parent, Record) and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=lambda record: record.number)


def _too_many(limit: int) -> ValueError:
    return ValueError(
        f"the graph has more than {limit} operations and inputs: draw a part of it (an earlier tensor, one step, a "
        "smaller model), or pass a larger limit"
    )


def _names_by_identity(names: Any) -> dict[int, str]:
    """Names by the ``id`` of tensors, of their nodes, and of their arrays, which identify constants."""
    found: dict[int, str] = {}
    for key, item in (names if isinstance(names, Mapping) else {"": names}).items():
        for name, value in ({str(key): item} if _is_value(item) else parameters({str(key): item})).items():
            for owner in keys_of(value):
                found.setdefault(id(owner), name)
    return found


def check_names(names: Any) -> None:
    """Raise `TypeError` unless the names that a user gave are a model, a dict, or None."""
    must = "names must be a model, or a dict from name to tensor, array or model"
    if isinstance(names, Mapping):
        for key, item in names.items():
            if not isinstance(key, str):
                raise TypeError(f"{must}: got the name {key!r:.80}, which is not a text")
            if not (_is_value(item) or _is_model(item)):
                raise TypeError(f"{must}: got {item!r:.80} for {key!r}")
    elif names is not None and (_is_value(names) or not _is_model(names)):
        raise TypeError(f"{must}, got {names!r:.80}")


def _is_model(x: Any) -> bool:
    """Whether an object can contain tensors, see `tensorgrad.nn.walking`."""
    return isinstance(x, (list, tuple, Mapping)) or (hasattr(x, "__dict__") and not isinstance(x, type))


def _is_value(x: Any) -> bool:
    return isinstance(x, (Variable, np.ndarray, np.generic))


def _parameters(params: Mapping[str, Any]) -> list[str]:
    """The parameters to display: without defaults and without the elements of arrays."""
    return [
        _short(list(value) if isinstance(value, tuple) else [value]) if name == "index" else f"{name}={_short(value)}"
        for name, value in params.items()
        if value is not None and value is not False
    ]


def _short(x: Any) -> str:
    if isinstance(x, np.ndarray):
        return f"{x.dtype}{x.shape}" if x.ndim else str(x)
    if isinstance(x, slice):
        ends = ["" if end is None else str(end) for end in (x.start, x.stop, x.step)]
        return ":".join(ends[: 2 if x.step is None else 3])
    if isinstance(x, (tuple, list)):
        left, right = "()" if isinstance(x, tuple) else "[]"
        inside = ", ".join(map(_short, x[:8])) + (", …" if len(x) > 8 else "," if len(x) == 1 and left == "(" else "")
        return left + inside + right
    if x is Ellipsis:
        return "..."
    if isinstance(x, np.dtype):
        return str(x)
    return getattr(x, "__name__", None) or (f"{x:.5g}" if isinstance(x, (float, np.floating)) else str(x))


def _write_lines(boxes: list[Box]) -> str:
    """Set the text of all boxes; return the most common dtype, which is displayed in the legend only."""
    dtypes = Counter(str(box.dtype) for box in boxes if box.dtype is not None)
    common = dtypes.most_common(1)[0][0] if dtypes else ""
    for box in boxes:
        shape = "" if box.shape is None else str(box.shape)
        dtype = "" if box.dtype is None or str(box.dtype) == common else str(box.dtype)
        lines = [cut(box.detail), f"{shape} {dtype}".strip()]
        box.lines = [line for line in lines if line]
        kind = {"leaf": "leaf that requires a gradient", "array": "array without a gradient"}.get(box.kind, "")
        detail = f"({box.detail})" if box.detail else ""
        box.tooltip = ", ".join(filter(None, [box.title + detail, shape, str(box.dtype or ""), kind]))
    return common


def shorten_titles(boxes: Sequence[Box]) -> None:
    """Shorten titles that are too long for a box."""
    for box in boxes:
        box.title = cut(box.title, from_end=box.kind != "operation")


def cut(text: str, from_end: bool = False) -> str:
    """A text shortened to fit in a box; for a path, the end is kept."""
    if len(text) <= _LONGEST:
        return text
    if not from_end:
        return text[: _LONGEST - 1] + "…"
    end = text[1 - _LONGEST :]
    return "…" + end[end.find(".") + 1 :]

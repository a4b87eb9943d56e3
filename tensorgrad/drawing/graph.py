"""What is drawn: the tape behind some tensors as a list of boxes, each with the boxes its arrows come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tensorgrad.errors import FreedGraphError
from tensorgrad.nn import parameters
from tensorgrad.tape import Outline, Record, Variable

_LONGEST = 32  # characters in a line; the whole text stands in the tooltip


@dataclass(slots=True)
class Box:
    """One value: a leaf that wants a gradient, the result of an operation, or an array that merely took part."""

    kind: str  # "leaf", "operation" or "array"
    title: str
    shape: tuple[int, ...] | None = None
    dtype: Any = None
    detail: str = ""  # the parameters of an operation
    sources: list[int] = field(default_factory=list)  # one entry an argument; each earlier than this box
    result: bool = False
    lines: list[str] = field(default_factory=list)
    tooltip: str = ""


def boxes_behind(outputs: Sequence[Variable], names: Any, limit: int) -> tuple[list[Box], str]:
    """The boxes of the graph behind ``outputs``, sources first, and the dtype of all that do not say theirs."""
    named = _names_by_identity(names)
    boxes: list[Box] = []
    places: dict[int, int] = {}  # from the identity of a node or array to its box

    def add(box: Box, key: Any = None) -> int:
        if len(boxes) >= limit:
            raise _too_many(limit)
        if key is not None:
            places[id(key)] = len(boxes)
        boxes.append(box)
        return len(boxes) - 1

    def value(kind: str, array: Any, key: Any) -> int:
        if id(key) in places:
            return places[id(key)]
        title = named.get(id(key)) or named.get(id(array)) or ("leaf" if kind == "leaf" else "array")
        return add(Box(kind, title, tuple(array.shape), array.dtype), key)

    def argument(x: Any) -> int:
        """An input that no gradient flows to: an array, a number, or nothing where no rule will read it."""
        if x is None:
            return add(Box("array", "constant"))
        if isinstance(x, Outline) or id(x) in named or np.ndim(x):
            return value("array", x, x)
        return add(Box("array", _short(x[()] if isinstance(x, np.ndarray) else x), None, getattr(x, "dtype", None)))

    for record in _records_behind(outputs, limit):
        parents = dict(record.parents or ())
        sources = []
        for i, x in enumerate(record.inputs or ()):
            node = parents.get(i)
            if node is None:
                sources.append(argument(x))
            else:
                sources.append(places[id(node)] if isinstance(node, Record) else value("leaf", node, node))
        name, operation = named.get(id(record)), record.row.name
        title = operation if name is None else f"{name} = {operation}"
        detail = ", ".join(_parameters(record.params))
        add(Box("operation", title, record.shape, record.dtype, detail, sources), record)
    for output in outputs:
        if output.record is not None:
            boxes[places[id(output.record)]].result = True
        else:
            kind, key = ("leaf", output) if output.tracked else ("array", output.data)
            boxes[value(kind, output, key)].result = True
    return boxes, _write_lines(boxes)


def _records_behind(outputs: Sequence[Variable], limit: int) -> list[Record]:
    """All records behind the outputs, each after those it was made from."""
    seen = {output.record for output in outputs if output.record is not None}
    stack = list(seen)
    while stack:
        if len(seen) > limit:
            raise _too_many(limit)
        record = stack.pop()
        if record.parents is None:
            raise FreedGraphError(
                f"This graph was walked back, and its {record.row.name!r} was freed by that walk: draw it before "
                "backward() or grad(), or pass retain_graph=True there."
            )
        for _, parent in record.parents:
            if isinstance(parent, Record) and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=lambda record: record.number)


def _too_many(limit: int) -> ValueError:
    return ValueError(
        f"more than {limit} operations and inputs make no picture: draw a part of it (an earlier tensor, one step, a "
        "smaller model), or pass a larger limit"
    )


def _names_by_identity(names: Any) -> dict[int, str]:
    """Names of tensors, of the records they came from, and of their arrays, which is how constants are met."""
    if isinstance(names, str):
        raise TypeError(f"names must be a model, or a dict from name to tensor, array or model, got {names!r}")
    found: dict[int, str] = {}
    for key, item in (names if isinstance(names, Mapping) else {"": names}).items():
        for name, value in ({str(key): item} if _is_value(item) else parameters({str(key): item})).items():
            for thing in (value.record or value, value.data) if isinstance(value, Variable) else (value,):
                found.setdefault(id(thing), name)
    return found


def _is_value(x: Any) -> bool:
    return isinstance(x, (Variable, np.ndarray, np.generic))


def _parameters(params: Mapping[str, Any]) -> list[str]:
    """The parameters worth a place: no defaults of NumPy's, no contents of arrays."""
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
    """Fill in the text of all boxes; return the dtype that most have, which is then said once for all of them."""
    dtypes = Counter(str(box.dtype) for box in boxes if box.dtype is not None)
    common = dtypes.most_common(1)[0][0] if dtypes else ""
    for box in boxes:
        shape = "" if box.shape is None else str(box.shape)
        dtype = "" if box.dtype is None or str(box.dtype) == common else str(box.dtype)
        lines = [_cut(box.detail), f"{shape} {dtype}".strip()]
        box.lines = [line for line in lines if line]
        kind = {"leaf": "leaf that requires a gradient", "array": "takes part without a gradient"}.get(box.kind, "")
        detail = f"({box.detail})" if box.detail else ""
        box.tooltip = ", ".join(filter(None, [box.title + detail, shape, str(box.dtype or ""), kind]))
        box.title = _cut(box.title, from_end=box.kind != "operation")
    return common


def _cut(text: str, from_end: bool = False) -> str:
    """A text that fits in a box: of a path, the end says most."""
    if len(text) <= _LONGEST:
        return text
    if not from_end:
        return text[: _LONGEST - 1] + "…"
    end = text[1 - _LONGEST :]
    return "…" + end[end.find(".") + 1 :]

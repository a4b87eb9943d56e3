"""Types of the values in options, checkpoints and YAML files: each is declared once, and checked by msgspec.

A type is one of Python's, such as ``dict[str, float]``, a `msgspec.Struct`, or what `integer` and `number`
return. Messages have one form: the place of a value, what it must be, and what it is.
"""

from __future__ import annotations

import re
import sys
from types import GenericAlias
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, inspect

from models.yaml_file import brief
from tensorgrad.errors import ConfigError

LARGEST = sys.float_info.max
NOT_EMPTY = "must not be empty"  # of a text

Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**53)]
Finite: TypeAlias = Annotated[float, Meta(ge=-LARGEST, le=LARGEST)]
Text: TypeAlias = Annotated[str, Meta(min_length=1, pattern=r"^[^\0]*$", description=NOT_EMPTY)]


def integer(least: int, most: int | None = None) -> Any:
    """The type of integers from ``least`` to ``most``, both included."""
    return Annotated[int, Meta(ge=least, le=most)]


def number(least: float = 0.0, below: float | None = None, *, open: bool = False) -> Any:
    """The type of finite numbers from ``least`` (excluded if ``open``) to ``below`` (excluded)."""
    start = Meta(gt=least) if open else Meta(ge=least)
    return Annotated[float, start, Meta(le=LARGEST) if below is None else Meta(lt=below)]


def list_of(item: Any) -> Any:
    """The type of lists of such items."""
    return GenericAlias(list, item)


def one_of(*names: str) -> Any:
    """The type of these texts."""
    return described(Literal.__getitem__(names), f"must be one of {', '.join(names)}")


def described(kind: Any, description: str, length: int | None = None) -> Any:
    """A type with a description of its own in messages, such as ``must be two numbers``, and perhaps a length."""
    return Annotated[kind, Meta(description=description, min_length=length, max_length=length)]


def checked(value: Any, kind: Any, where: str, *, is_written: bool = False) -> Any:
    """A value as one of type ``kind``: with defaults for what is left out, and floats for integers where expected.

    A value that ``is_written`` by a user, on a command line or in YAML, may also be the text of a number, or a single
    item of a list.

    Raises
    ------
    ConfigError
        Such as ``WHERE: history[2].epoch must be an integer of at least 0, got 'x'``.
    """
    read = value
    if is_written:
        info = inspect.type_info(kind)
        items = _inner(info, "") if isinstance(_unwrap(info), inspect.ListType) else None
        if items:
            value = list(value) if isinstance(value, (list, tuple)) else [value]
        read = [_number_in(item, items) for item in value] if items else _number_in(value, info)
    try:
        return msgspec.convert(read, kind)
    except (ValueError, RecursionError) as error:  # ValueError: also a text that is not Unicode
        raise ConfigError(_explain(error, value, kind, where)) from None


def _number_in(value: Any, info: inspect.Type) -> Any:
    """The number in a text, if the type is one of numbers."""
    kinds = {inspect.IntType: int, inspect.FloatType: float}
    read = next((kinds[type(member)] for member in _members(info) if type(member) in kinds), None)
    try:
        return read(value) if read and isinstance(value, str) else value
    except ValueError:
        return value


def _unwrap(info: inspect.Type) -> inspect.Type:
    return info.type if isinstance(info, inspect.Metadata) else info


def _explain(error: Exception, value: Any, kind: Any, where: str) -> str:
    """What msgspec says of a value, in our words; it names types and a path, such as ``$.history[2].epoch``."""
    problem, _, path = str(error).partition(" - at `")
    place, info = "", inspect.type_info(kind)
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        inner = _inner(info, name)
        if inner is None:
            break
        info, value = inner, value[name or int(index)]
        place += f".{name}" if name else f"[{index}]" * _has_parts(info)
    label = f"{where}: {place.lstrip('.')}" if place and where else where or place
    if missing := re.fullmatch(r"Object missing required field `(.*)`", problem):
        return f"{label}: {missing[1]} is missing"
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", problem):
        return f"{label}: unknown key {brief(unknown[1])}; valid: {', '.join(_fields(info))}"
    if isinstance(error, msgspec.ValidationError) and not problem.startswith(
        ("Expected", "Invalid", "Number", "Integer")
    ):
        return f"{label}: {problem}"  # of a __post_init__
    description = _description(info)
    if description == NOT_EMPTY and not isinstance(value, str):
        description = "must be a text"
    return f"{label} {description}, got {brief(value)}"


def _members(info: inspect.Type) -> list[inspect.Type]:
    """The type without its description; the members of a union, but for null."""
    bare = _unwrap(info)
    if not isinstance(bare, inspect.UnionType):
        return [bare]
    return [_unwrap(member) for member in bare.types if not isinstance(member, inspect.NoneType)]


def _fields(info: inspect.Type) -> dict[str, inspect.Type]:
    """The types of the values in a Struct or a TypedDict by name."""
    return {field.encode_name: field.type for member in _members(info) for field in getattr(member, "fields", ())}


def _inner(info: inspect.Type, name: str) -> inspect.Type | None:
    """The type of a field, or, without a name, that of the items of a list."""
    if name:
        return _fields(info).get(name)
    return next((member.item_type for member in _members(info) if isinstance(member, inspect.ListType)), None)


def _has_parts(info: inspect.Type) -> bool:
    return bool(_fields(info)) or _inner(info, "") is not None


def _description(info: inspect.Type) -> str:
    """What a value of a type must be."""
    match info:
        case inspect.Metadata(extra_json_schema=dict(extra)) if "description" in extra:
            return str(extra["description"])
        case inspect.Metadata():
            return _description(info.type)
        case inspect.UnionType():
            return _description(next(member for member in info.types if not isinstance(member, inspect.NoneType)))
        case inspect.IntType() | inspect.FloatType():
            words = {"ge": "of at least", "gt": "greater than", "le": "at most", "lt": "less than"}
            limits = {name: limit for name in words if (limit := getattr(info, name)) is not None}
            limits = {name: limit for name, limit in limits.items() if abs(limit) != LARGEST}
            kind = "a number" if isinstance(info, inspect.FloatType) else "an integer"
            return " ".join(["must be", kind, " and ".join(f"{words[n]} {x:.16g}" for n, x in limits.items())]).rstrip()
        case inspect.BoolType():
            return "must be true or false"
        case inspect.StrType():
            return "must be a text"
        case inspect.ListType():
            return "must be a list"
    return "must be a dict"

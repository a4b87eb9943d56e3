"""Types of values, and the messages about values that are of another type."""

import math
from typing import Any, Literal, TypedDict

import msgspec
import pytest

from models.schema import Count, Text, checked, described, integer, list_of, number, one_of
from tensorgrad.errors import ConfigError


class Point(TypedDict, total=False):
    x: float
    label: Text | None


class Shape(msgspec.Struct, forbid_unknown_fields=True):
    points: list[Point]
    sides: Count = 3
    color: dict[str, float] | None = None
    name: Literal["a", "b"] | list[int] = "a"

    def __post_init__(self):
        if len(self.points) > 2:
            raise ValueError("there are more than 2 points")


def shape(**parts):
    return {"points": [{"x": 1, "label": None}], **parts}


# A type, a value that is not of it, and the message.
REFUSED = [
    (integer(1), 0, "W must be an integer of at least 1, got 0"),
    (integer(0, 7), 8, "W must be an integer of at least 0 and at most 7, got 8"),
    (integer(0), True, "W must be an integer of at least 0, got True"),
    (integer(0), 1.0, "W must be an integer of at least 0, got 1.0"),
    (integer(0), "1", "W must be an integer of at least 0, got '1'"),
    (Count, 10**30, f"W must be an integer of at least 0 and at most {2**53}, got {10**30}"),
    (number(), math.nan, "W must be a number of at least 0, got nan"),
    (number(), math.inf, "W must be a number of at least 0, got inf"),
    (number(), 10**400, "W must be a number of at least 0, got 1000"),
    (number(0, 0.9), 0.9, "W must be a number of at least 0 and less than 0.9, got 0.9"),
    (number(0, open=True), 0, "W must be a number greater than 0, got 0"),
    (one_of("b", "a"), "c", "W must be one of b, a, got 'c'"),
    (one_of("b", "a"), "\udc80", "W must be one of b, a, got '\\udc80'"),
    (list_of(integer(1)), [1, 0], "W must be an integer of at least 1, got 0"),
    (list_of(integer(1)), 3, "W must be a list, got 3"),
    (list_of(list_of(integer(1))), [[1], [2, "x"]], "W: [1] must be an integer of at least 1, got 'x'"),
    (described(list_of(number()), "must be two numbers", 2), [1.0], "W must be two numbers, got [1.0]"),
    (Text, "", "W must not be empty, got ''"),
    (list_of(Text), [["a"]], "W must be a text, got ['a']"),
    (bool, 1, "W must be true or false, got 1"),
    (str, None, "W must be a text, got None"),
    (Shape, [], "W must be a dict, got []"),
    (Shape, {}, "W: points is missing"),
    (Shape, shape(size=3), "W: unknown key 'size'; valid: points, sides, color, name"),
    (Shape, shape(sides=-1), "W: sides must be an integer of at least 0 and at most 9007199254740992, got -1"),
    (Shape, shape(points=[{}, {"x": "y"}]), "W: points[1].x must be a number, got 'y'"),
    (Shape, shape(points=[{"label": ""}]), "W: points[0].label must not be empty, got ''"),
    (Shape, shape(points=[3]), "W: points[0] must be a dict, got 3"),
    (Shape, shape(points=[{}] * 3), "W: there are more than 2 points"),
    (Shape, shape(color={"red": "x"}), "W: color must be a dict, got {'red': 'x'}"),
    (Shape, {1: 2}, "W must be a dict, got {1: 2}"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "message"), REFUSED, ids=[row[2][:60] for row in REFUSED])
def test_value_of_another_type_is_refused(kind, value, message):
    with pytest.raises(ConfigError) as caught:
        checked(value, kind, "W")
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 300


ACCEPTED = [
    (integer(1), 10**30, 10**30),
    (number(), 3, 3.0),
    (Text, "a\nb", "a\nb"),
    (dict[str, Any], {"a": [1, {}]}, {"a": [1, {}]}),
    (list[Point], [{"x": 2, "other": 3}], [{"x": 2.0}]),
]


@pytest.mark.parametrize(("kind", "value", "expected"), ACCEPTED)
def test_value_of_the_type_is_accepted(kind, value, expected):
    assert repr(checked(value, kind, "W")) == repr(expected)


def test_struct_has_defaults():
    made = checked(shape(name=[1]), Shape, "W")
    assert (made.sides, made.color, made.name) == (3, None, [1])


WRITTEN = [
    (integer(0), "017", 17), (integer(0), "1_0", 10), (number(), ".5", 0.5), (number(), "1e-5", 1e-5), (Text, "5", "5"),
    (list_of(integer(1)), "4", [4]), (list_of(integer(1)), ("4", 5), [4, 5]), (list_of(Text), "a", ["a"]),
    (Literal["auto"] | integer(1), "3", 3), (Literal["auto"] | integer(1), "auto", "auto"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "expected"), WRITTEN)
def test_written_value_is_read(kind, value, expected):
    assert checked(value, kind, "W", is_written=True) == expected


@pytest.mark.parametrize(("kind", "value", "message"), [
    (integer(0), "1.5", "must be an integer of at least 0, got '1.5'"),
    (number(), "1,5", "must be a number of at least 0, got '1,5'"),
    (number(), "nan", "must be a number of at least 0, got 'nan'"),
    (integer(0), "9" * 5000, "must be an integer of at least 0, got '999"),
    (list_of(integer(1)), ["4", "-5"], "must be an integer of at least 1, got '-5'"),
])  # fmt: skip
def test_message_shows_what_was_written(kind, value, message):
    with pytest.raises(ConfigError) as caught:
        checked(value, kind, "--x", is_written=True)
    assert str(caught.value).startswith(f"--x {message}")

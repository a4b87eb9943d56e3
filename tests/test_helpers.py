"""The functions of tests/helpers.py that run several checks in one test."""

import inspect

import pytest

from tests.helpers import each, grouped


def test_each_calls_the_test_with_every_row_and_says_which_one_fails():
    calls = []

    @each("x", [1, 2], ids="the number {}".format)
    @each(("y", "z"), [("a", 3), ("b", 4)], ids=["first", "second"])
    def test(x, y, z, tmp_path):
        calls.append((x, y, z, tmp_path))
        assert (x, y) != (2, "b")

    assert list(inspect.signature(test).parameters) == ["tmp_path"]
    with pytest.raises(AssertionError) as caught:
        test(tmp_path="folder")
    assert caught.value.__notes__[-2:] == ["with second", "with the number 2"]
    assert calls == [(x, y, z, "folder") for x in (1, 2) for y, z in (("a", 3), ("b", 4))]


def test_items_are_grouped_in_their_order():
    assert grouped("abcAB", str.lower) == {"a": ["a", "A"], "b": ["b", "B"], "c": ["c"]}

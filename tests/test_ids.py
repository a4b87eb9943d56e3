"""The ids of parametrized tests name their values."""

import numpy as np
import pytest
from ids import LONGEST, value_id

VALUES = [
    ("axis=(0, 1)", "axis", (0, 1)),
    ("shape=()", "shape", ()),
    ("shape=(3,)", "shape", (3,)),
    ("p=2.5", "p", 2.5),
    ("index=(1::2, None, ...)", "index", (slice(1, None, 2), None, ...)),
    ("x=float32(2, 3)", "x", np.zeros((2, 3), np.float32)),
    ("x=4.0", "x", np.float64(4)),
    ("options={lr: 0.1, fn: tanh}", "options", {"lr": 0.1, "fn": np.tanh}),
    ("x + (1 - x)", "f", lambda x: x + (1 - x)),
    ("np.sum( x )", "f", lambda x: np.sum(
        x
    )),
    ("names={a, b, c}", "names", {"c", "a", "b"}),
    (None, "thing", object()),
    (None, "things", [object()]),
    (None, "name", "a string"),
    (None, "dtype", np.float32),
    (None, "f", np.tanh),
]  # fmt: skip


@pytest.mark.parametrize(("expected", "name", "value"), VALUES, ids=[str(row[0]) for row in VALUES])
def test_a_value_is_named(expected, name, value):
    found = value_id(name, value)
    assert (found and " ".join(found.split())) == expected


def test_a_long_id_is_cut_off():
    found = value_id("values", list(range(100)))
    assert len(found) == LONGEST
    assert found.endswith("...")

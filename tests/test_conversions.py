"""What tensors become, and what is made of other libraries' numbers and arrays: right, plain, or refused by name."""

import math

import numpy as np
import pytest

import tensorgrad as tg

X = np.array([[0.5, 1.7, -2.3], [3.0, -0.2, 2.5]])


def leaf(x):
    return tg.Tensor(np.array(x, float), requires_grad=True)


# ------------------------------------------------------------------------------------------------ integers

# fmt: off
WHOLE = [
    ("astype(int)",       lambda t: t.astype(int)),
    ("astype('i2')",      lambda t: t.astype("i2")),
    ("astype(bool)",      lambda t: t.astype(bool)),
    ("astype(uint8)",     lambda t: np.abs(t).astype(np.uint8, copy=False)),
    ("floor.astype(int)", lambda t: np.floor(t * 2).astype(int)),
    ("np.astype",         lambda t: np.astype(np.rint(t), np.int32)),
    ("asarray(int)",      lambda t: np.asarray(t, dtype=int)),
    ("array(int)",        lambda t: np.array(np.ceil(t), dtype=np.int16)),
    ("array(bool)",       lambda t: np.array(t, dtype=bool)),
    ("array([t], int)",   lambda t: np.array([t[None], t[None]], dtype=int)),
    ("int64",             lambda t: np.int64(t)),
    ("bool_",             lambda t: np.bool_(t)),
]
# fmt: on


@pytest.mark.parametrize("make", [leaf, tg.Tensor, lambda x: leaf(x) * 1], ids=["leaf", "constant", "result"])
@pytest.mark.parametrize("x", [X, X[0], X[0, 1]], ids=["2-d", "1-d", "0-d"])
@pytest.mark.parametrize(("name", "convert"), WHOLE, ids=[row[0] for row in WHOLE])
def test_integers_of_a_tracked_tensor_are_plain(name, convert, x, make):
    got, expected = convert(make(x)), convert(np.asarray(x))
    assert isinstance(got, (np.ndarray, np.integer, np.bool_))
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("whole", [math.floor, math.ceil, math.trunc])
def test_whole_numbers_of_a_tracked_tensor_are_pythons(whole):
    got = whole(leaf(-1.5))
    assert type(got) is int
    assert got == whole(-1.5)
    with pytest.raises(ValueError, match="one element"):
        whole(leaf([1.5, 2.5]))


def test_integers_are_copies_that_leave_the_tensor_alone():
    t = tg.Tensor([1, 2])
    t.astype(int)[0] = 5
    f = tg.Tensor([1.0, 2.0])
    f.astype(int)[0] = 5
    np.asarray(f, dtype=int)[0] = 5
    assert (t.tolist(), f.tolist()) == ([1, 2], [1, 2])
    assert isinstance(t.astype(np.int8), tg.Tensor)  # integers already


def test_a_look_up_between_two_entries_differentiates():
    """Linear interpolation in a table: the place is constant, what is left of it and the table have gradients."""

    def look_up(x, table):
        i = np.floor(x).astype(int)
        return table[i] + (table[i + 1] - table[i]) * (x - i)

    assert tg.gradcheck(look_up, [np.array([0.5, 1.7, 0.2]), np.array([1.0, 2.0, 4.0])])


@pytest.mark.parametrize("dtype", [None, float, np.float32, complex, object, str])
def test_other_arrays_of_a_tracked_tensor_are_refused(dtype):
    with pytest.raises(tg.GradientLostError):
        np.asarray(leaf(X), dtype=dtype)

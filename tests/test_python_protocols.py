"""Python's protocols on tensors: comparisons, conversions, iteration, copies, pickles; and the creation of tensors."""

import copy
import itertools
import pickle

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import leaf


def test_comparisons_are_plain_arrays_and_hash_is_identity():
    t = leaf([1.0, 2.0, 3.0])
    for result, expected in [
        (t > 2, [0, 0, 1]), (t >= 2, [0, 1, 1]), (t < 2, [1, 0, 0]), (t <= 2, [1, 1, 0]), (t == 2, [0, 1, 0]),
        (t != 2, [1, 0, 1]), (t > 2, [0, 0, 1]), (np.float64(2) < t, [0, 0, 1]), (np.full(3, 2.0) == t, [0, 1, 0]),
        (t == t, [1, 1, 1]), (np.isnan(t), [0, 0, 0]), (t == [1, 2, 4], [1, 1, 0]),
    ]:  # fmt: skip
        assert type(result) is np.ndarray
        np.testing.assert_array_equal(result, np.array(expected, bool))
    assert len({t, t, leaf([1.0, 2.0, 3.0])}) == 2


def test_python_conversions():
    t = leaf([[2.5]])
    for u in (t.detach(), t):
        with tg.no_grad():
            assert (float(u), int(u), complex(u), bool(u), u.item(), f"{u:.2f}") == (2.5, 2, 2.5, True, 2.5, "2.50")
    assert not leaf(0.0)
    for convert in (float, int, complex):  # NumPy also calls these for array[0] = t
        with pytest.raises(tg.GradientLostError, match=r"t\.item\(\).*np\.zeros_like"):
            convert(t)
    for convert in (float, int, bool):
        with pytest.raises((TypeError, ValueError)):
            convert(leaf([1.0, 2.0]))
    assert [10, 20, 30][tg.Tensor(np.array(2))] == 30
    with pytest.raises(TypeError):
        [10, 20][leaf(1.0)]
    assert f"{leaf([1.0, 2.0])}" == "Tensor([1., 2.], requires_grad=True)"
    with pytest.raises((TypeError, ValueError)):
        f"{leaf([1.0, 2.0]):.2f}"


def test_rounding():
    t = leaf([1.26, -0.74])
    np.testing.assert_array_equal(round(t).data, [1, -1])
    np.testing.assert_array_equal(round(t, 1).data, [1.3, -0.7])
    np.testing.assert_array_equal(tg.grad(np.sum(round(t, 1) * t), t), [1.3, -0.7])


def test_repr():
    assert repr(leaf([1.0, 2.0])) == "Tensor([1., 2.], requires_grad=True)"
    assert repr(tg.Tensor([1, 2])) == "Tensor([1, 2])"
    assert repr(tg.Tensor(np.float32(1.5))) == "Tensor(1.5, dtype=float32)"
    assert repr(np.exp(leaf(0.0))) == "Tensor(1., from exp)"


def test_length_iteration_and_membership():
    t = leaf([[1.0, 2.0], [3.0, 4.0]])
    assert len(t) == 2
    assert [row.requires_grad for row in t] == [True, True]
    np.testing.assert_array_equal([row.data for row in t], t.data)
    assert 3.0 in t
    assert 5.0 not in t
    with pytest.raises(TypeError, match="0-d"):
        iter(leaf(1.0))
    with pytest.raises(TypeError):
        len(leaf(1.0))
    assert [x.item() for x in reversed(leaf([1.0, 2.0]))] == [2, 1]
    assert len(list(itertools.islice(leaf(np.ones(5)), 2))) == 2


@pytest.mark.parametrize(
    "clone",
    [
        copy.copy,
        copy.deepcopy,
        pytest.param(lambda t: pickle.loads(pickle.dumps(t)), id="pickle.loads(pickle.dumps(t))"),
    ],
)
def test_leaves_can_be_copied_and_pickled(clone):
    for t in (leaf([1.0, 2.0]), tg.Tensor([1, 2]), tg.Tensor(np.float32(3)), np.exp(tg.Tensor([1.0]))):
        t.grad = np.ones(t.shape) if t.requires_grad else None
        other = clone(t)
        assert type(other) is tg.Tensor
        assert other is not t
        np.testing.assert_array_equal(other.data, t.data)
        assert (other.dtype, other.requires_grad, other.is_leaf) == (t.dtype, t.requires_grad, True)
        np.testing.assert_array_equal(other.grad, t.grad)


def test_a_write_to_a_copy_that_shares_memory_leaves_a_pending_pass_its_value():
    t = leaf([1.0, 2.0])
    other = copy.copy(t)
    loss = np.sum(t * t)
    with tg.no_grad():
        other[...] = 0
    loss.backward()
    np.testing.assert_array_equal(t.grad, [2, 4])


def test_making_tensors():
    array = np.ones(3)
    assert tg.Tensor(array).data is array
    assert tg.Tensor(array, dtype=np.float32).dtype == np.float32
    assert tg.Tensor(2).shape == ()
    assert tg.Tensor([[1, 2], [3, 4]], requires_grad=True, dtype=float).shape == (2, 2)
    for bad in ("text", [None], object(), np.array(["a"]), np.array([1], "m8[s]"), {1: 2}):
        with pytest.raises(TypeError):
            tg.Tensor(bad)
    with pytest.raises(ValueError, match="inhomogeneous"):
        tg.Tensor([[1], [2, 3]])
    with pytest.raises(AttributeError):
        tg.Tensor(1.0).nonsense = 3

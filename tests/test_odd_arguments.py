"""Unusual arguments: what NumPy accepts works, and what it refuses raises the same kind of error."""

import inspect

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.engine.registry import entries
from tests.helpers import leaf

pytestmark = [pytest.mark.filterwarnings("ignore::RuntimeWarning"), pytest.mark.filterwarnings("ignore::UserWarning")]

SHAPES = [(2, 3), (3,), (), (0,), (2, 0), (0, 2)]
AXES = [None, 0, 1, -1, -2, 2, np.int64(0), np.int64(-1), (), (0,), (1,), (-1,), (0, 1), (1, -2), (0, 0), (0, 2), [0],
        [0, 1], [], np.array([0]), np.array(0), np.array([0, 1]), 1.5, slice(None)]  # fmt: skip
MORE = {  # further inputs
    np.quantile: (0.3,), np.nanquantile: (0.3,), np.percentile: (30,), np.nanpercentile: (30,),
}  # fmt: skip


def is_reduction(function):
    """Whether a function of NumPy takes an array and ``axis``, and its result has other axes or is cumulative."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return False
    needed = [p for p in parameters if p.default is p.empty and p.kind is not p.KEYWORD_ONLY]
    in_numpy = (getattr(function, "__module__", None) or "").startswith("numpy")
    return in_numpy and "axis" in [p.name for p in parameters] and len(needed) == 1 + len(MORE.get(function, ()))


FUNCTIONS = {
    f"{fn.__module__}.{fn.__name__}": fn
    for fn in list(entries)
    if is_reduction(fn) and not fn.__name__.endswith(("split", "fft")) and fn not in (np.stack, np.concatenate)
}


def outcome(function, x, **params):
    """The kind of error, or the values."""
    try:
        found = function(x, *MORE.get(function, ()), **params)
    except Exception as error:
        return next(kind for kind in KINDS if isinstance(error, kind)), None
    parts = found if isinstance(found, tuple) else (found,)
    return None, [np.asarray(part.data if isinstance(part, tg.Tensor) else part) for part in parts]


KINDS = (np.exceptions.AxisError, TypeError, ValueError, IndexError, ZeroDivisionError, Exception)


def check_same(function, **params):
    for shape in SHAPES:
        x = np.random.default_rng(0).permutation(np.arange(1.0, np.prod(shape, dtype=int) + 1)).reshape(shape)
        error, values = outcome(function, x, **params)
        got_error, got = outcome(function, leaf(x), **params)
        told = f"{function.__name__} of shape {shape}, {params}"
        assert got_error is error, told
        for a, b in zip(got or (), values or (), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, err_msg=told)


def test_the_list_holds_the_reductions():
    names = {fn.__name__ for fn in FUNCTIONS.values()}
    assert {"sum", "prod", "median", "nanquantile", "average", "cumulative_sum", "unstack", "norm", "std"} <= names
    assert len(names) >= 35


@pytest.mark.parametrize("axis", AXES, ids="axis={!r}".format)
def test_axes_are_taken_as_numpy_takes_them(axis):
    for function in FUNCTIONS.values():
        check_same(function, axis=axis)


@pytest.mark.parametrize("keepdims", [True, False, 1])
def test_axes_that_are_kept(keepdims):
    for function in FUNCTIONS.values():
        if "keepdims" in inspect.signature(function).parameters:
            for axis in ((), (0,), [0], np.int64(-1), 0):
                check_same(function, axis=axis, keepdims=keepdims)


OTHERS = [
    (np.std, {"dtype": np.float32}), (np.nanvar, {"dtype": bool}),
    (np.cov, {"dtype": int}), (np.corrcoef, {"dtype": int}), (np.prod, {"dtype": "no type"}),
    (np.sort, {"kind": "no kind"}), (np.sort, {"kind": "stable"}), (np.sort, {"kind": "mergesort", "axis": None}),
    (np.quantile, {"method": "no method"}), (np.median, {"axis": (0, 0)}), (np.average, {"weights": np.zeros((2, 3))}),
    (np.average, {"axis": [0]}), (np.average, {"axis": (), "returned": True}),
]  # fmt: skip


@pytest.mark.parametrize(("function", "params"), OTHERS, ids=lambda x: getattr(x, "__name__", str(x)))
def test_other_arguments_are_taken_as_numpy_takes_them(function, params):
    check_same(function, **params)


@pytest.mark.parametrize("fn", [np.sum, np.mean, np.prod, np.var, np.std, np.cumsum, np.nansum])
def test_integer_results_of_a_tracked_tensor_are_refused(fn):
    with pytest.raises(tg.NoRuleError, match="only floating-point results"):
        fn(leaf([1.0, 2.0]), dtype=int)
    assert np.asarray(fn(tg.Tensor([1.0, 2.0]), dtype=int)).shape == np.asarray(fn(np.ones(2))).shape


def test_gradients_for_unusual_axes():
    for fn, axis, expected in [
        (np.median, (), 1), (np.average, (), 1), (np.cumulative_sum, (1,), [[3, 2, 1]] * 2),
        (np.median, np.int64(1), None), (np.prod, np.int64(0), None), (np.nanmedian, (0, 1), None),
    ]:  # fmt: skip
        x = np.array([[1.0, 5, 2], [4, 3, 6.5]])
        g = tg.grad(np.sum(fn(t := leaf(x), axis=axis)), t)
        usual = (axis[0] if axis else None) if isinstance(axis, tuple) and len(axis) < 2 else axis
        if expected is None:
            usual = axis if isinstance(axis, tuple) else int(axis)
            expected = tg.grad(np.sum(fn(t := leaf(x), axis=usual)), t)
        np.testing.assert_allclose(g, np.broadcast_to(expected, x.shape), rtol=1e-12)

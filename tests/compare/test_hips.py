"""The rows of the test table that HIPS autograd supports, run with its ``autograd.numpy``: values and gradients."""

import inspect
import types

import numpy as np
import pytest
from cases import ROWS

import tensorgrad as tg

pytest.importorskip("autograd")
import autograd.numpy as anp
from autograd import make_vjp

pytestmark = [
    pytest.mark.compare,
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),  # of its rules: 0 / 0
    pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning"),  # of its rules for complex numbers
]

AT_LEAST = 700  # rows on which both agree: 727 of 1756 with version 1.9.1

# Rows in which tensorgrad agrees with finite differences, and HIPS autograd does not.
DIFFERENT = {
    "its gradient has the shape of the result, not of the input": [
        "where grows", "broadcast none", "diag of 0", "diag of 2", "diag of -1", "diag of 4", "tril 1-d", "sort 0-d",
        "cross (2, 3) (3,)", "cross (2, 1, 3) (4, 3)", "cross (0, 3) (3,)", "cross axisc (4, 3, 2) (2, 3)",
        "cross 2, 3", "cross 3, 2", "cross array", "einsum ij,j->i [(2, 1), (3,)]", "einsum ij,j-> [(1, 3), (1,)]",
        "solve (3, 3) (2, 3, 2)", "solve (2, 3, 3) (3, 2)", "solve (2, 1, 2, 2) (3, 2, 1)",
        "solve (0, 2, 2) (2, 1)", "solve (2, 2, 2) (2, 2)", "array ndmin",
    ],
    "it takes no notice of where= and correction=": [
        "mean where dtype", "var where", "var where ddof", "var where row", "var correction", "std correction",
        "std where", "std where axis", "prod where", "sum where", "sum method where", "mean where",
        "mean method where", "prod initial where",
    ],
    "NaN where a NaN was left out, or where a product is divided by a factor 0": [
        "fmax of holes", "nan_to_num()", "prod zeros",
    ],
    "it negates an unsigned number": ["roll unsigned"],
    "it takes one number of copies for those along the first axis, not the last": ["tile", "tile few reps"],
    "the gradient of the value to fill with is wrong": ["full_like", "full row"],
    "the gradient of a real input among complex ones is complex": ["concatenate z", "where z"],
    "another branch": ["arccosh z"],
    "it scales by another norm than the one asked for, 'forward' or 'backward'": [
        "rfft 6 0 forward", "rfft 2 1 backward", "rfft2 (4, 2) (2, 1) forward", "rfftn (4, 2) (2, 1) forward",
        "irfft2 (4, 2) (2, 1) forward", "irfftn (4, 2) (2, 1) forward",
    ],
}  # fmt: skip
KNOWN = {name for names in DIFFERENT.values() for name in names}


def theirs(fn, seen):
    """The function with ``autograd.numpy`` in place of NumPy, in its globals, defaults and closure."""
    if fn is np:
        return anp
    if not isinstance(fn, types.FunctionType) or not fn.__module__.startswith("cases"):
        return of_their_name(fn) if isinstance(fn, np.ufunc) or inspect.isroutine(fn) else fn
    if fn in seen:
        return seen[fn]
    of_globals = dict(fn.__globals__)
    cells = tuple(types.CellType(theirs(cell.cell_contents, seen)) for cell in fn.__closure__ or ())
    defaults = tuple(theirs(value, seen) for value in fn.__defaults__ or ())
    new = types.FunctionType(fn.__code__, of_globals, fn.__name__, defaults or None, cells or None)
    new.__kwdefaults__ = {name: theirs(value, seen) for name, value in (fn.__kwdefaults__ or {}).items()}
    seen[fn] = new
    for code in (fn.__code__, *(c for c in fn.__code__.co_consts if isinstance(c, types.CodeType))):
        for name in set(code.co_names) & of_globals.keys():
            of_globals[name] = theirs(of_globals[name], seen)
    return new


def of_their_name(fn):
    for here, there in ((np, anp), (np.linalg, anp.linalg), (np.fft, anp.fft)):
        if getattr(here, fn.__name__, None) is fn:
            return getattr(there, fn.__name__)
    return fn


def direction(shape):
    return np.random.default_rng(3).standard_normal(shape)


def by_hips(row):
    """The value and the gradients; None if it lacks the function, or some argument of it."""
    arrays, found = row.inputs(), []
    try:
        fn = theirs(row.fn, {})
        for i in range(len(arrays)):
            pull, out = make_vjp(fn, i)(*arrays)
            found.append(pull(direction(np.shape(out))))
    except Exception:  # whatever it says
        return None
    return None if np.asarray(out).dtype == object else [out, *found]


def by_tensorgrad(row):
    leaves = [tg.Tensor(x, requires_grad=True) for x in row.inputs()]
    out = row.fn(*leaves)
    gradients = tg.grad(out, leaves, direction(out.shape))
    return [out.data, *(np.zeros(x.shape) if g is None else g for g, x in zip(gradients, leaves, strict=True))]


def same(x, y):
    return np.shape(x) == np.shape(y) and np.allclose(x, y, rtol=1e-8, atol=1e-10)


def test_rows():
    agreed, differ = set(), set()
    with np.errstate(all="ignore"):
        for row in ROWS:
            other = by_hips(row)
            if other is not None:
                agree = all(same(x, y) for x, y in zip(by_tensorgrad(row), other, strict=True))
                (agreed if agree else differ).add(row.name)
    assert differ <= KNOWN
    assert len(agreed) >= AT_LEAST
    assert {row.name for row in ROWS} >= KNOWN


def test_a_difference_is_noticed():
    row = next(row for row in ROWS if row.name == "np.tanh")
    value, gradient = by_hips(row)
    mine = by_tensorgrad(row)
    assert same(value, mine[0])
    assert same(gradient, mine[1])
    assert not same(gradient * 1.0001, mine[1])
    assert not same(gradient[None], mine[1])

"""Conversion of tensors to other types, and of numbers and arrays of other libraries: right, plain, or refused."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import each, leaf

X = np.array([[0.5, 1.7, -2.3], [3.0, -0.2, 2.5]])


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


@each("make", [leaf, tg.Tensor, lambda x: leaf(x) * 1], ids=["leaf", "constant", "result"])
@each("x", [X, X[0], X[0, 1]], ids=["2-d", "1-d", "0-d"])
@each(("name", "convert"), WHOLE, ids=[row[0] for row in WHOLE])
def test_integers_of_a_tracked_tensor_are_plain(name, convert, x, make):
    got, expected = convert(make(x)), convert(np.asarray(x))
    assert isinstance(got, (np.ndarray, np.integer, np.bool_))
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("whole", [math.floor, math.ceil, math.trunc])
def test_floor_ceil_and_trunc_of_a_tracked_tensor_are_python_integers(whole):
    got = whole(leaf(-1.5))
    assert type(got) is int
    assert got == whole(-1.5)
    with pytest.raises(ValueError, match="one element"):
        whole(leaf([1.5, 2.5]))


def test_integers_are_copies():
    t = tg.Tensor([1, 2])
    t.astype(int)[0] = 5
    f = tg.Tensor([1.0, 2.0])
    f.astype(int)[0] = 5
    np.asarray(f, dtype=int)[0] = 5
    assert (t.tolist(), f.tolist()) == ([1, 2], [1, 2])
    assert isinstance(t.astype(np.int8), tg.Tensor)  # integers already


def test_interpolation_in_a_table_is_differentiable():
    """Linear interpolation in a table: the index is constant; the fraction and the table have gradients."""

    def look_up(x, table):
        i = np.floor(x).astype(int)
        return table[i] + (table[i + 1] - table[i]) * (x - i)

    assert tg.gradcheck(look_up, [np.array([0.5, 1.7, 0.2]), np.array([1.0, 2.0, 4.0])])


@pytest.mark.parametrize("dtype", [None, float, np.float32, complex, object, str])
def test_other_arrays_of_a_tracked_tensor_are_refused(dtype):
    with pytest.raises(tg.GradientLostError):
        np.asarray(leaf(X), dtype=dtype)


# ------------------------------------------------------------------------------------------------ foreign numbers

HALF = Fraction(1, 2)

# fmt: off
FRACTIONS = [
    ("t * f",     lambda t, f: t * f),
    ("f * t",     lambda t, f: f * t),
    ("t + f",     lambda t, f: t + f - f),
    ("f - t",     lambda t, f: f - t),
    ("t / f",     lambda t, f: t / f),
    ("f / t",     lambda t, f: f / t),
    ("t ** f",    lambda t, f: t ** f),
    ("f ** t",    lambda t, f: f ** t),
    ("t % f",     lambda t, f: t % f),
    ("maximum",   lambda t, f: np.maximum(t, f)),
    ("add",       lambda t, f: np.add(f, t)),
    ("where",     lambda t, f: np.where([True, False, True], t, f)),
    ("clip",      lambda t, f: np.clip(t, f, 1.0)),
    ("t *= f",    lambda t, f: (t * 1).__imul__(f)),
    ("t[0] = f",  lambda t, f: set_first(t * 1, f)),
]
# fmt: on


def set_first(t, value):
    t[0] = value
    return t * t


@pytest.mark.parametrize(("name", "compute"), FRACTIONS, ids=[row[0] for row in FRACTIONS])
def test_fractions_are_floats(name, compute):
    x = np.array([0.3, 0.7, 1.3])
    t = leaf(x)
    out = compute(t, HALF)
    np.testing.assert_array_equal(out.data, compute(tg.Tensor(x), 0.5).data)
    np.testing.assert_array_equal(tg.grad(np.sum(out), t), tg.grad(np.sum(compute(leaf_ := leaf(x), 0.5)), leaf_))
    assert compute(tg.Tensor(x, dtype=np.float32), HALF).dtype == np.float32


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("make", [leaf, tg.Tensor])
def test_a_matrix_whose_product_would_be_elementwise_is_refused(make):
    matrix, t = np.matrix(np.eye(3)), make([0.3, 0.7, 1.3])
    for compute in (lambda: matrix * t, lambda: t * matrix, lambda: matrix @ t, lambda: np.multiply(matrix, t)):
        with pytest.raises(TypeError, match=r"write np\.asarray\(x\), and @ for the matrix product"):
            compute()
    np.testing.assert_array_equal((np.asarray(matrix) @ t).data, t.data)


@pytest.mark.parametrize("compute", [row[1] for row in FRACTIONS[:11]], ids=[row[0] for row in FRACTIONS[:11]])
@pytest.mark.parametrize("make", [leaf, tg.Tensor])
def test_decimals_and_other_objects_are_refused_at_the_call(compute, make):
    with pytest.raises(TypeError, match=r"decimal\.Decimal: write float\(x\)"):
        compute(make([0.3, 0.7, 1.3]), Decimal("0.5"))
    with pytest.raises(TypeError, match=r"builtins\.object: it is not a number"):
        compute(make([0.3, 0.7, 1.3]), object())
    with pytest.raises(TypeError, match=r"array of Python objects: write x\.astype\(float\)"):
        compute(make([0.3, 0.7, 1.3]), [HALF] * 3)


# ------------------------------------------------------------------------------------------------ sparse matrices

# fmt: off
SPARSE = [
    ("t @ A",      lambda t, a: t @ a,          "sparse"),
    ("t * A",      lambda t, a: t * a,          "sparse"),
    ("t + A",      lambda t, a: t + a,          "sparse"),
    ("np.matmul",  lambda t, a: np.matmul(t, a), "sparse"),
    ("np.dot",     lambda t, a: np.dot(t, a),   "sparse"),
    ("np.concatenate", lambda t, a: np.stack([t, tg.Tensor(a)]), "sparse"),
    ("A @ t",      lambda t, a: a @ t,          r"A\.toarray\(\) @ t"),
    ("A * t",      lambda t, a: a * t,          r"A\.toarray\(\) @ t"),
    ("A.dot",      lambda t, a: a.dot(t),       r"A\.toarray\(\) @ t"),
]
# fmt: on


@pytest.mark.parametrize("kind", ["csr_array", "coo_array", "dia_matrix"])
@pytest.mark.parametrize(("name", "compute", "words"), SPARSE, ids=[row[0] for row in SPARSE])
def test_sparse_matrices_are_refused_with_the_remedy(name, compute, words, kind):
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match=words):
        compute(leaf(np.ones((3, 3))), getattr(sparse, kind)(np.eye(3)))


@pytest.mark.parametrize("by_name", [False, True])
def test_a_user_defined_product_with_a_sparse_matrix(by_name):
    """The code that the error recommends."""
    a = pytest.importorskip("scipy.sparse").csr_array(np.array([[0.0, 2.0], [3.0, 0.0], [0.0, 1.0]]))
    if by_name:
        times = tg.primitive(lambda x, *, matrix: matrix @ x)
        tg.rule(times, lambda g, _ans, _x, *, matrix: times(g, matrix=matrix.T))
        assert tg.gradcheck(lambda x: times(x, matrix=a), [np.array([1.0, 2.0])])
        assert tg.gradgradcheck(lambda x: times(x * x, matrix=a), [np.array([1.0, 2.0])])
    else:
        times = tg.primitive(lambda matrix, x: matrix @ x)
        tg.rule(times, None, lambda g, _ans, matrix, _x: times(matrix.T, g))
        assert tg.gradcheck(lambda x: times(a, x), [np.array([1.0, 2.0])])


# ------------------------------------------------------------------------------------------------ tables

# fmt: off
TABLES = [
    ("s * t",   lambda t, s: s * t),
    ("t * s",   lambda t, s: t * s),
    ("s + t",   lambda t, s: s + t),
    ("s - t",   lambda t, s: s - t),
    ("t / s",   lambda t, s: t / s),
    ("np.add",  lambda t, s: np.add(s, t)),
    ("np.dot",  lambda t, s: np.dot(t, s)),
    ("t @ s",   lambda t, s: t @ s),
    ("where",   lambda t, s: np.where(s > 1.5, t, s)),
]
# fmt: on


@pytest.mark.parametrize(("name", "compute"), TABLES, ids=[row[0] for row in TABLES])
@pytest.mark.parametrize("kind", ["Series", "DataFrame", "DataArray"])
def test_tables_compute_with_tensors_as_arrays_do(name, compute, kind):
    """Pandas and xarray: the values, without labels."""
    library = pytest.importorskip("xarray" if kind == "DataArray" else "pandas")
    values = np.array([[1.0, 2.0, 4.0]] * 3) if kind == "DataFrame" else np.array([1.0, 2.0, 4.0])
    table = getattr(library, kind)(values)
    t = leaf([0.5, 1.5, 2.5])
    out = compute(t, table)
    out = getattr(out, "data", out) if kind == "DataArray" and not isinstance(out, tg.Tensor) else out
    assert isinstance(out, tg.Tensor)
    np.testing.assert_allclose(out.data, compute(t.data, values))
    np.testing.assert_array_equal(
        tg.grad(np.sum(out), t), tg.grad(np.sum(compute(other := leaf(t.data), values)), other)
    )


@pytest.mark.parametrize("make", ["Series", "DataFrame"])
def test_a_table_of_a_tracked_tensor_is_refused_with_the_remedy(make):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(tg.GradientLostError, match=r"pass t\.data"):
        getattr(pandas, make)(leaf([1.0, 2.0]))


# ------------------------------------------------------------------------------------------------ pictures and text


@pytest.mark.parametrize("draw", ["plot", "scatter", "imshow", "hist", "axhline"])
def test_drawing_a_tracked_tensor_says_what_to_pass(draw):
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes = figure.subplots()
    t = leaf([[1.0, 2.0]])
    arguments = {"scatter": (t, t), "axhline": (t[0, 0],)}.get(draw, (t,))
    with pytest.raises(TypeError, match=r"To draw it, pass t\.data"):
        getattr(axes, draw)(*arguments)
    getattr(axes, draw)(*(x.data for x in arguments))


@pytest.mark.parametrize("spec", ["%f", "%.3f", "%g", "%e"])
def test_formatting_by_percent_says_what_to_write(spec):
    t = leaf(1.5)
    with pytest.raises(tg.GradientLostError, match=r"write t\.item\(\)"):
        _ = spec % t
    assert spec % t.item() == spec % 1.5


# ------------------------------------------------------------------------------------------------ inputs of primitives

# fmt: off
NO_INPUTS = [
    ("list",  lambda t: [t, t],               r"write tg\.array"),
    ("tuple", lambda t: (t, t),               r"write tg\.array"),
    ("dict",  lambda t: {"a": t, "b": 2.0},   r"pass each tensor as a positional"),
]
# fmt: on


@pytest.mark.parametrize(("name", "make", "words"), NO_INPUTS, ids=[row[0] for row in NO_INPUTS])
def test_containers_of_tensors_are_not_inputs_of_a_function_of_arrays(name, make, words):
    """If the rule were not applied, the gradient would be silently wrong."""
    with pytest.raises(TypeError, match=words):
        tg.softmax(make(leaf([1.0, 2.0])))


@pytest.mark.parametrize("make", [row[1] for row in NO_INPUTS], ids=[row[0] for row in NO_INPUTS])
def test_containers_of_tensors_are_inputs_of_a_primitive_whose_rule_returns_one(make):
    """See also `test_structures`."""
    first = tg.primitive(lambda pair: pair["a"] * 1 if isinstance(pair, dict) else pair[0] * 1)
    tg.rule(first, lambda g, _ans, _pair: 7 * g)
    out = np.sum(first(make(leaf([1.0, 2.0]))))
    with pytest.raises(ValueError, match="the gradient of <lambda> must"):
        out.backward()
    assert first(make(np.array([1.0, 2.0])))[0] == 1


def test_configurations_pass_through_a_primitive():
    """Dicts, objects and functions without tensors in them are passed on unchanged."""
    seen = []
    scaled = tg.primitive(lambda x, options, how: seen.append((options, how)) or x * options["factor"])
    tg.rule(scaled, lambda g, _ans, _x, options, how: g * options["factor"])
    options = {"factor": 3.0}
    t = leaf([1.0, 2.0])
    np.testing.assert_array_equal(tg.grad(np.sum(scaled(t, options, math.sqrt)), t), [3, 3])
    assert seen == [(options, math.sqrt)]
    assert seen[0][0] is options


def test_dlpack_shares_memory_without_a_gradient_only():
    t = tg.Tensor(np.arange(6.0).reshape(2, 3))
    shared = np.from_dlpack(t)
    assert shared.shape == (2, 3)
    assert np.shares_memory(shared, t.data)
    for tracked in (tg.Tensor([1.0], requires_grad=True), tg.Tensor([1.0], requires_grad=True) * 2):
        with pytest.raises(tg.GradientLostError, match=r"t\.data or t\.detach"):
            np.from_dlpack(tracked)
        assert np.from_dlpack(tracked.detach()).shape == (1,)

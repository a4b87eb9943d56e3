"""Every row of the table: value, gradient, second derivative and dtype."""

import re

import numpy as np
import pytest
from cases import BINARY, ROWS, UNARY, ids

import tensorgrad as tg
from tensorgrad.engine import record
from tensorgrad.engine.registry import entries
from tensorgrad.engine.tape import Mode, set_mode
from tests.helpers import check_derivatives, check_gradient, gradients, grouped, noted, tracked

by_function = grouped(ROWS, lambda row: re.match(r"\w+|\W+", row.name)[0].strip())  # by the first word of the name


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


def test_every_name_in_the_table_is_its_own():
    assert len(set(ids(ROWS))) == len(ROWS)


def test_every_function_of_the_gradient_table_is_in_the_test_table(monkeypatch):
    """Run all rows of the test table, and collect the rows of the gradient table that are used."""

    class Watcher:
        """Observes every call."""

        def __init__(self):
            self.used = set()

        def after_call(self, row, values, params, ans):
            self.used.add(row.name)

        def after_recording(self, record, values, ans):
            self.used.add(record.row.name)

    watcher = Watcher()
    monkeypatch.setattr(record, "observers", [watcher])
    for row in ROWS:
        row.fn(*tracked(row.inputs()))
    used = watcher.used
    rows = {entry.run.row for entry in entries.values() if hasattr(entry.run, "row")}
    modules = {row: getattr(row.fn, "__module__", None) or "" for row in rows}  # SciPy's ufuncs have none
    of_scipy = ("tensorgrad.rules.special", "tensorgrad.scipy")  # which have separate tests
    ours = {row for row, module in modules.items() if module.startswith(("numpy", "tensorgrad"))}
    known = {row.name for row in ours if not modules[row].startswith(of_scipy)}
    internal = {
        "scatter",
        "cofactors",
        "erased",
        "sinc_derivative",
        "recomputed",
        "tie_slope",
        "abs_slope",
        "zero_where",
        "odd_power",
        "even_power",
        "steep_power",
        "assigned",
        "assigned_elsewhere",
        "total_of_array",
        "lstm_states",
        "gru_states",
        "gelu_and_slope",
        "channel_statistics",
    }  # called by other rules, by the engine, or by layers, whose tests they have
    assert known - used - internal == set()


@pytest.mark.parametrize("name", by_function)
def test_values_derivatives_and_dtypes(name):
    """A single test for all rows of a function: separate tests would take longer than what they test."""
    for number, row in enumerate(by_function[name]):
        arrays = row.inputs()
        leaves = tracked(arrays)
        with noted(f"row {row.name!r}"):
            out = row.fn(*leaves)
            with noted("the value"):
                check_value(row, arrays, out)
            with noted("the derivatives"):
                check_derivatives(row.fn, arrays, out, leaves)
            if number % 3 == 0:  # the others in the slow tests
                with noted("of float32"):
                    check_float32_stays(row)


def check_value(row, arrays, out):
    expected = row.expected(*arrays)
    assert isinstance(out, tg.Tensor)
    assert out.requires_grad
    assert (out.shape, out.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(out.data, expected, rtol=1e-12, atol=1e-13)


def check_float32_stays(row):
    """The value has NumPy's dtype, the gradients of both orders have that of the input, and all are right."""
    arrays = row.inputs(np.float32)
    leaves = tracked(arrays)
    out = row.fn(*leaves)
    expected = row.expected(*arrays)
    assert out.dtype == expected.dtype
    direction = np.random.default_rng(3).standard_normal(out.shape)
    out.backward(direction, create_graph=True)
    wide = gradients(row.fn, [x.astype(np.float64) for x in arrays])
    for leaf, gradient in zip(leaves, wide, strict=True):
        assert leaf.grad.dtype == np.float32
        assert leaf.grad.shape == leaf.shape
        np.testing.assert_allclose(leaf.grad.data, gradient, rtol=2e-3, atol=2e-4)
        if leaf.grad.requires_grad:
            for second in tg.grad(np.sum(leaf.grad), leaves, retain_graph=True):
                assert second is None or second.dtype == np.float32


def test_a_wrong_derivative_is_found():
    wrong = tg.primitive(lambda x: x**3)
    tg.rule(wrong, lambda g, _ans, x: g * 3 * x**2 * (1 + 1e-4 * (np.arange(3) == 1)))
    with pytest.raises(AssertionError):
        check_gradient(wrong, [np.ones(3)])
    cube = tg.primitive(lambda x: x**3)
    tg.rule(cube, lambda g, _ans, x: g * 3 * np.square(getattr(x, "data", x)))  # not recorded
    check_gradient(cube, [np.ones(3)])
    with pytest.raises(AssertionError):
        check_derivatives(cube, [np.ones(3)])


@pytest.mark.slow
@pytest.mark.parametrize("name", by_function)
def test_float32_stays_in_every_row(name):
    for row in by_function[name]:
        with noted(f"row {row.name!r}"):
            check_float32_stays(row)


@pytest.mark.slow
@pytest.mark.parametrize("name", by_function)
def test_derivatives_of_every_element(name):
    for row in by_function[name]:
        with noted(f"row {row.name!r}"):
            assert tg.gradcheck(row.fn, row.inputs())
            assert tg.gradgradcheck(row.fn, row.inputs())


@pytest.mark.slow
@pytest.mark.parametrize("name", by_function)
def test_layouts_memory_and_inputs(name):
    for row in by_function[name]:
        with noted(f"row {row.name!r}, other layouts"):
            check_layouts(row)
        with noted(f"row {row.name!r}, rules that write"):
            check_that_rules_write_to_nothing(row)
        with noted(f"row {row.name!r}, one input alone"):
            check_each_input_alone(row)


def check_layouts(row):
    """Fortran order, reversed and strided views, read-only memory: the same gradients, and inputs do not change."""
    arrays = row.inputs()
    expected = gradients(row.fn, arrays)
    with_gap = [np.repeat(x, 2, axis=-1)[..., ::2] if x.ndim else x for x in arrays]
    reversed_twice = [x[::-1].copy()[::-1] if x.ndim else x for x in arrays]
    for variant in ([np.array(x, order="F") for x in arrays], with_gap, reversed_twice, map(read_only, arrays)):
        variant = list(variant)
        for got, gradient in zip(gradients(row.fn, variant), expected, strict=True):
            np.testing.assert_allclose(got, gradient, rtol=1e-10, atol=1e-12)
        for x, before in zip(variant, arrays, strict=True):
            np.testing.assert_array_equal(x, before)


def check_that_rules_write_to_nothing(row):
    expected = gradients(row.fn, row.inputs())
    set_mode(Mode(read_only=True))
    try:
        found = gradients(row.fn, row.inputs())
    finally:
        set_mode(Mode())
    for got, gradient in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, gradient, rtol=1e-12, atol=1e-14)  # summed in another order


def check_each_input_alone(row):
    """The gradient of one input is the same whether the others are tracked tensors, untracked tensors or arrays."""
    arrays = row.inputs()
    expected = gradients(row.fn, arrays)
    for i, gradient in enumerate(expected):
        for wrap in (tg.Tensor, np.asarray):
            inputs = [tg.Tensor(x, requires_grad=True) if j == i else wrap(x) for j, x in enumerate(arrays)]
            out = row.fn(*inputs)
            direction = np.random.default_rng(3).standard_normal(out.shape)
            got = tg.grad(out, inputs[i], direction) if out.requires_grad else None
            np.testing.assert_allclose(
                np.zeros_like(gradient) if got is None else got, gradient, rtol=1e-10, atol=1e-12
            )


@pytest.mark.parametrize("row", UNARY + BINARY, ids=ids(UNARY + BINARY))
def test_elementwise_in_any_shape(row):
    for shape in ((), (0,), (2, 0, 3), (1, 1)):
        arrays = row.inputs(shapes=[shape] * len(row.shapes))
        with noted(f"shape {shape}"):
            out = row.fn(*tracked(arrays))
            assert isinstance(out, tg.Tensor)
            np.testing.assert_allclose(out.data, row.expected(*arrays), rtol=1e-12, atol=1e-13)
            assert tg.gradcheck(row.fn, arrays)
            if 0 in shape:
                for leaf, gradient in zip(arrays, gradients(row.fn, arrays), strict=True):
                    assert gradient.shape == leaf.shape


BROADCASTS = [
    [(2, 3), (3,)], [(3,), (2, 3)], [(2, 1), (1, 3)], [(), (2, 2)], [(2, 2), ()], [(1, 1), (3,)],
    [(3,), (1, 1)], [(2, 1, 2), (3, 1)], [(3, 1), (2, 1, 2)], [(0, 3), (1, 1)], [(1, 3), (0, 1)],
]  # fmt: skip


@pytest.mark.parametrize("row", BINARY, ids=ids(BINARY))
def test_broadcasting_in_both_directions(row):
    for shapes in BROADCASTS:
        arrays = row.inputs(shapes=shapes)
        with noted(f"shapes {shapes}"):
            np.testing.assert_allclose(row.fn(*tracked(arrays)).data, row.expected(*arrays), rtol=1e-12)
            check_derivatives(row.fn, arrays)


def test_float16_and_longdouble_stay():
    for dtype in (np.float16, np.longdouble, ">f8"):
        x = tg.Tensor(np.array([0.5, 2.0], dtype), requires_grad=True)
        np.sum(np.sqrt(x) * x + np.exp(x)).backward()
        assert x.grad.dtype == np.dtype(dtype)
        np.testing.assert_allclose(x.grad.astype(float), 1.5 * np.sqrt([0.5, 2]) + np.exp([0.5, 2]), rtol=2e-3)


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "var", "std", "max", "min"])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.bool_, np.int64, np.float32])
def test_untracked_numbers_of_any_dtype_reduce_as_in_numpy(name, dtype):
    x = np.array([[100, 90, 0], [1, 120, 101]]).astype(dtype)
    fn = getattr(np, name)
    out = fn(tg.Tensor(x))
    assert out.dtype == fn(x).dtype
    np.testing.assert_allclose(out.data, fn(x), rtol=1e-6)


def test_variance_with_too_few_numbers_is_numpys():
    x = np.arange(3.0)
    with np.errstate(all="ignore"):
        for ddof in (3, 5):
            with pytest.warns(RuntimeWarning):
                expected = np.var(x, ddof=ddof)
            np.testing.assert_equal(float(np.var(tg.Tensor(x), ddof=ddof)), expected)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, for too few numbers
@pytest.mark.parametrize(
    "fn",
    [
        pytest.param(lambda x: np.sum(x, where=False), id="sum(x, where=False)"),
        pytest.param(lambda x: np.prod(x, where=False), id="prod(x, where=False)"),
        pytest.param(lambda x: np.mean(x, where=False), id="mean(x, where=False)"),
        pytest.param(lambda x: np.var(x, where=False), id="var(x, where=False)"),
        pytest.param(lambda x: np.max(x, where=False, initial=-3.0), id="max(x, where=False, initial=-3.0)"),
        pytest.param(lambda x: np.min(x, where=False, initial=30.0), id="min(x, where=False, initial=30.0)"),
        pytest.param(lambda x: np.nanmax(x, where=False, initial=-3.0), id="nanmax(x, where=False, initial=-3.0)"),
        pytest.param(
            lambda x: np.nanmax(x, where=[[True, False]] * 3, initial=-3.0),
            id="nanmax(x, where=[[True, False]] * 3, initial=-3.0)",
        ),
        pytest.param(lambda x: np.nanmin(x, initial=-3.0), id="nanmin(x, initial=-3.0)"),
        pytest.param(
            lambda x: np.var(x, axis=1, where=[True, False], ddof=2), id="var(x, axis=1, where=[True, False], ddof=2)"
        ),
        pytest.param(lambda x: np.nanvar(x, axis=1, ddof=2), id="nanvar(x, axis=1, ddof=2)"),
        pytest.param(lambda x: np.nanmedian(x[:0], axis=0), id="nanmedian(x[:0], axis=0)"),
        pytest.param(lambda x: np.cov(x[:, :1]), id="cov(x[:, :1])"),
    ],
)
def test_values_of_few_numbers_are_numpys(fn):
    x = np.array([[1.0, 2.5], [np.nan, 3.0], [4.0, 7.0]])
    for t in (tg.Tensor(x), tg.Tensor(x, requires_grad=True)):
        with np.errstate(all="ignore"):
            out, expected = fn(t), fn(x)
        np.testing.assert_array_equal(out.data, expected)
        assert out.dtype == expected.dtype


def test_both_parts_of_integers_are_floats():
    for out, expected in zip(np.modf(tg.Tensor([1, -2])), np.modf(np.array([1, -2])), strict=True):
        assert out.dtype == expected.dtype


def test_the_covariance_of_one_observation_is_numpys_with_its_warning():
    x = np.array([[1.0], [3.0]])
    for a in (x, tg.Tensor(x)):
        with np.errstate(all="ignore"), pytest.warns(RuntimeWarning, match="Degrees of freedom <= 0"):
            out = np.cov(a)
        assert np.isnan(np.asarray(out)).all()

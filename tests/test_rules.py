"""Every row of the table, through one mechanism; then properties over shapes, axes and indices drawn at random."""

import cases
import numpy as np
import pytest
from cases import BINARY, ROWS, UNARY, ids
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tensorgrad as tg
from tensorgrad.engine import record
from tensorgrad.engine.registry import entries
from tensorgrad.engine.tape import Mode, set_mode

rows = pytest.mark.parametrize("row", ROWS, ids=ids(ROWS))


def tracked(arrays):
    return [tg.Tensor(x, requires_grad=True) for x in arrays]


def gradients(fn, arrays, seed=3):
    """Gradients of the function's output, pulled back from a random direction in its own dtype."""
    leaves = tracked(arrays)
    out = fn(*leaves)
    direction = np.random.default_rng(seed).standard_normal(out.shape).astype(out.dtype)
    found = tg.grad(out, leaves, direction)
    return [np.zeros_like(x) if g is None else g for g, x in zip(found, arrays, strict=True)]


def gradients_at(fn, arrays, upstream):
    """Gradients of the function's output, pulled back from this upstream gradient; zeros where there is none."""
    leaves = tracked(arrays)
    found = tg.grad(fn(*leaves), leaves, upstream)
    return [np.zeros_like(x) if g is None else g for g, x in zip(found, arrays, strict=True)]


def locked(x):
    x = x.copy()
    x.flags.writeable = False
    return x


def test_every_name_in_the_table_is_its_own():
    assert len(set(ids(ROWS))) == len(ROWS)


def test_every_function_of_the_gradient_table_is_in_the_test_table(monkeypatch):
    """Run all rows and see which rows of the gradient table were used."""

    class Watcher:
        """Sees every call."""

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
    modules = {row: getattr(row.fn, "__module__", None) or "" for row in rows}  # of SciPy's ufuncs there is none
    known = {row.name for row, module in modules.items() if module.startswith(("numpy", "tensorgrad"))
             and module != "tensorgrad.rules.special"}  # fmt: skip  # see test_special
    internal = {
        "scatter",
        "cofactors",
        "erased",
        "sinc_derivative",
        "recomputed",
        "jump",
        "side",
        "zero_where",
        "odd_power",
        "even_power",
        "steep_power",
        "assigned",
        "assigned_elsewhere",
        "total_of_array",
    }  # what the rules of others run, and what the engine itself records
    assert known - used - internal == set()


@rows
def test_forward_is_numpys(row):
    arrays = row.inputs()
    out = row.fn(*tracked(arrays))
    expected = row.expected(*arrays)
    assert isinstance(out, tg.Tensor)
    assert out.requires_grad
    assert (out.shape, out.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(out.data, expected, rtol=1e-12, atol=1e-13)


@rows
def test_gradient(row):
    assert tg.gradcheck(row.fn, row.inputs())


@rows
def test_second_derivative(row):
    """Along a random direction of the inputs, and of the upstream gradient: an error in any element shows."""
    arrays, rng = row.inputs(), np.random.default_rng(7)
    leaves = tracked(arrays)
    upstream = tracked([rng.standard_normal(row.fn(*leaves).shape)])
    directions = [rng.standard_normal(x.shape) for x in (*arrays, upstream[0].data)]

    def pulled_back(step):
        """The gradients at a step along the directions."""
        *xs, g = (x + step * d for x, d in zip((*arrays, upstream[0].data), directions, strict=True))
        return gradients_at(row.fn, xs, g)

    def projected(weights):
        """Their sum with weights, on the tape."""
        found = tg.grad(row.fn(*leaves), leaves, upstream[0], create_graph=True)
        return sum(np.sum(g * w) for g, w in zip(found, weights, strict=True) if g is not None)

    weights = [rng.standard_normal(x.shape) for x in arrays]
    total = projected(weights)
    found = [None] * (len(arrays) + 1)
    if isinstance(total, tg.Tensor) and total.requires_grad:
        found = tg.grad(total, [*leaves, *upstream])
    analytic = sum(np.sum(g * d) for g, d in zip(found, directions, strict=True) if g is not None)
    ends = [sum(np.sum(g * w) for g, w in zip(pulled_back(step), weights, strict=True)) for step in (1e-6, -1e-6)]
    np.testing.assert_allclose(analytic, (ends[0] - ends[1]) / 2e-6, rtol=1e-5, atol=1e-5 * (1 + abs(ends[0])))


def test_a_wrong_second_derivative_is_found():
    cube = tg.primitive(lambda x: x**3)
    tg.rule(cube, lambda g, _ans, x: g * 3 * np.square(getattr(x, "data", x)))  # off the tape
    assert tg.gradcheck(cube, [np.ones(3)])
    with pytest.raises(AssertionError):
        test_second_derivative(cases.Row("wrong", cube, cases.rows.real, [(3,)]))


@pytest.mark.slow
@rows
def test_second_derivative_of_every_element(row):
    assert tg.gradgradcheck(row.fn, row.inputs())


@rows
def test_float32_stays(row):
    """The value has NumPy's dtype, the gradient that of its input, in both orders; and both are right."""
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


@pytest.mark.slow
@rows
def test_layout_does_not_matter_and_inputs_stay(row):
    """Fortran order, reversed and strided views, read-only memory: the same gradients, and no input changes."""
    arrays = row.inputs()
    expected = gradients(row.fn, arrays)
    with_gap = [np.repeat(x, 2, axis=-1)[..., ::2] if x.ndim else x for x in arrays]
    reversed_twice = [x[::-1].copy()[::-1] if x.ndim else x for x in arrays]
    for variant in ([np.array(x, order="F") for x in arrays], with_gap, reversed_twice, map(locked, arrays)):
        variant = list(variant)
        for got, gradient in zip(gradients(row.fn, variant), expected, strict=True):
            np.testing.assert_allclose(got, gradient, rtol=1e-10, atol=1e-12)
        for x, before in zip(variant, arrays, strict=True):
            np.testing.assert_array_equal(x, before)


@pytest.mark.slow
@rows
def test_rules_write_to_nothing(row):
    expected = gradients(row.fn, row.inputs())
    set_mode(Mode(read_only=True))
    try:
        found = gradients(row.fn, row.inputs())
    finally:
        set_mode(Mode())
    for got, gradient in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, gradient, rtol=1e-12, atol=1e-14)  # added up in another order


@pytest.mark.slow
@rows
def test_each_input_alone(row):
    """The gradient of one input is the same whether the others are tracked, tensors that are not, or arrays."""
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
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1, 1)], ids=str)
def test_elementwise_in_any_shape(row, shape):
    arrays = row.inputs(shapes=[shape] * len(row.shapes))
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
@pytest.mark.parametrize("shapes", BROADCASTS, ids=str)
def test_broadcasting_in_both_directions(row, shapes):
    arrays = row.inputs(shapes=shapes)
    np.testing.assert_allclose(row.fn(*tracked(arrays)).data, row.expected(*arrays), rtol=1e-12)
    assert tg.gradcheck(row.fn, arrays)
    assert tg.gradgradcheck(row.fn, arrays)


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


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy: of too few numbers
@pytest.mark.parametrize(
    "fn",
    [
        lambda x: np.sum(x, where=False),
        lambda x: np.prod(x, where=False),
        lambda x: np.mean(x, where=False),
        lambda x: np.var(x, where=False),
        lambda x: np.max(x, where=False, initial=-3.0),
        lambda x: np.min(x, where=False, initial=30.0),
        lambda x: np.nanmax(x, where=False, initial=-3.0),
        lambda x: np.nanmax(x, where=[[True, False]] * 3, initial=-3.0),
        lambda x: np.nanmin(x, initial=-3.0),
        lambda x: np.var(x, axis=1, where=[True, False], ddof=2),
        lambda x: np.nanvar(x, axis=1, ddof=2),
        lambda x: np.nanmedian(x[:0], axis=0),
        lambda x: np.cov(x[:, :1]),
    ],
)
def test_of_few_numbers_the_value_is_numpys(fn):
    x = np.array([[1.0, 2.5], [np.nan, 3.0], [4.0, 7.0]])
    for t in (tg.Tensor(x), tg.Tensor(x, requires_grad=True)):
        with np.errstate(all="ignore"):
            out, expected = fn(t), fn(x)
        np.testing.assert_array_equal(out.data, expected)
        assert out.dtype == expected.dtype


def test_both_parts_of_integers_are_floats():
    for out, expected in zip(np.modf(tg.Tensor([1, -2])), np.modf(np.array([1, -2])), strict=True):
        assert out.dtype == expected.dtype


def test_of_one_observation_the_covariance_is_numpys_with_its_warning():
    x = np.array([[1.0], [3.0]])
    for a in (x, tg.Tensor(x)):
        with np.errstate(all="ignore"), pytest.warns(RuntimeWarning, match="Degrees of freedom <= 0"):
            out = np.cov(a)
        assert np.isnan(np.asarray(out)).all()


# ------------------------------------------------------------------------------------------------- properties


def arrays_of(shapes):
    return [np.random.default_rng(7 + i).standard_normal(shape) for i, shape in enumerate(shapes)]


small_shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)


@given(st.data())
def test_property_indexing(data):
    """Any index NumPy takes: the value is NumPy's, and the gradient counts how often each element was taken."""
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=4), "shape")
    part = st.one_of(
        hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True),
        hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(min_dims=0, max_dims=2, max_side=3)),
        hnp.arrays(bool, shape),
        hnp.arrays(bool, shape[:1]),
        mixed_index(shape),
    )
    index = data.draw(part, "index")
    x = np.arange(float(np.prod(shape))).reshape(shape)
    try:
        expected = x[index]
    except IndexError:
        assume(False)
    leaf = tg.Tensor(x, requires_grad=True)
    out = leaf[index]
    np.testing.assert_array_equal(out.data, expected)
    weights = np.random.default_rng(0).integers(1, 9, expected.shape).astype(float)
    gradient = tg.grad(out, leaf, weights)
    slow = np.zeros(x.size)
    for position, weight in zip(np.ravel(expected).astype(int), np.ravel(weights), strict=True):
        slow[position] += weight  # the value of an element is its position
    np.testing.assert_array_equal(gradient, slow.reshape(shape))


@st.composite
def mixed_index(draw, shape):
    """Slices, integers, new axes, an ellipsis, and integer arrays and masks that broadcast, in any order."""
    indexed = shape[: draw(st.integers(0, len(shape)))]
    entries = [
        draw(
            st.one_of(
                st.slices(n),
                st.integers(-n, n - 1),
                st.lists(st.integers(-n, n - 1), min_size=2, max_size=2),
                hnp.arrays(np.intp, (2, 1), elements=st.integers(-n, n - 1)),
            )
        )
        for n in indexed
    ]
    for _ in range(draw(st.integers(0, 2))):
        entries.insert(draw(st.integers(0, len(entries))), None)
    if len(indexed) < len(shape) and draw(st.booleans()):
        entries.append(Ellipsis)
    return tuple(entries)


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3, min_side=0), st.sampled_from(BINARY))
def test_property_broadcasting(shapes, row):
    """The gradient of a broadcast input is the sum over its copies."""
    arrays = row.inputs(shapes=shapes.input_shapes)
    full = [np.broadcast_to(x, shapes.result_shape).copy() for x in arrays]
    for got, copies, x in zip(gradients(row.fn, arrays), gradients(row.fn, full), arrays, strict=True):
        extra = copies.ndim - x.ndim
        kept = tuple(i + extra for i in range(x.ndim) if x.shape[i] == 1)
        summed = copies.sum(axis=(*range(extra), *kept), keepdims=True).reshape(x.shape)
        np.testing.assert_allclose(got, summed, rtol=1e-9, atol=1e-12)


@given(st.data())
def test_property_reductions(data):
    """Any axes of any shape: values are NumPy's, and gradients are those of finite differences."""
    names = ["sum", "mean", "max", "min", "ptp", "prod", "var", "std", "median", "nanmedian"]
    name = data.draw(st.sampled_from(names), "function")
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, max_side=3), "shape")
    one = st.sampled_from([None, *range(-len(shape), len(shape))])
    axis = data.draw(one | hnp.valid_tuple_axes(len(shape)), "axis")
    keepdims = data.draw(st.booleans(), "keepdims")
    x = cases.distinct(np.random.default_rng(5), shape)

    def fn(x):
        return getattr(np, name)(x, axis=axis, keepdims=keepdims)

    expected = fn(x)
    out = fn(tg.Tensor(x, requires_grad=True))
    assert out.shape == np.shape(expected)
    np.testing.assert_allclose(out.data, expected, rtol=1e-12, atol=1e-13)
    if name != "std" or np.min(expected, initial=1) > 1e-6:  # the deviation of equal numbers has a kink
        assert tg.gradcheck(fn, x)


@given(st.data())
def test_property_matmul(data):
    """Any shapes that multiply, batch axes that broadcast included."""
    shapes = data.draw(
        hnp.mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=2, min_side=0, max_side=3), "shapes"
    ).input_shapes
    x, y = arrays_of(shapes)
    out = np.matmul(*tracked([x, y]))
    np.testing.assert_allclose(out.data, x @ y, rtol=1e-12, atol=1e-13)
    # A bilinear function: <g, x @ y> = <dx, x> = <dy, y>
    direction = np.random.default_rng(3).standard_normal(out.shape)
    dx, dy = gradients(np.matmul, [x, y])
    np.testing.assert_allclose([np.sum(dx * x), np.sum(dy * y)], np.sum(direction * (x @ y)), atol=1e-10)
    if x.size and y.size:
        assert tg.gradcheck(np.matmul, [x, y])


@st.composite
def einsum_call(draw):
    """Subscripts over four labels, each of length 1 to 3, some operands having length 1 in its place."""
    length = {label: draw(st.integers(1, 3)) for label in "ijkl"}
    terms = draw(st.lists(st.text("ijkl", min_size=0, max_size=3), min_size=1, max_size=3))
    shapes = []
    for term in terms:
        ones = draw(st.sets(st.sampled_from("ijkl"), max_size=1))
        shapes.append(tuple(1 if label in ones else length[label] for label in term))
    used = sorted(set("".join(terms)))
    subscripts = ",".join(terms)
    if draw(st.booleans()):
        output = draw(st.permutations(used))[: draw(st.integers(0, len(used)))] if used else []
        subscripts += "->" + "".join(output)
    return subscripts, shapes


@given(einsum_call())
def test_property_einsum(call):
    subscripts, shapes = call
    arrays = arrays_of(shapes)
    expected = np.einsum(subscripts, *arrays)
    out = np.einsum(subscripts, *tracked(arrays))
    assert out.shape == np.shape(expected)
    np.testing.assert_allclose(out.data, expected, rtol=1e-11, atol=1e-12)
    assert tg.gradcheck(lambda *x: np.einsum(subscripts, *x), arrays)


@given(small_shapes, st.data())
def test_property_axes_moved_come_back(shape, data):
    """Permuting, reshaping and joining only move elements: the gradient of <w, f(x)> is w, moved back."""
    axes = data.draw(st.permutations(range(len(shape))), "axes")
    negative = data.draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)), "negative")
    axes = [a - len(shape) if flip else a for a, flip in zip(axes, negative, strict=True)]
    x = np.random.default_rng(0).standard_normal(shape)
    w = np.random.default_rng(1).standard_normal(shape)
    for move in (
        lambda x: np.transpose(x, axes),
        lambda x: np.reshape(x, (x.size,)),
        lambda x: np.concatenate([x, x[:0]]) if x.ndim else np.stack([x]),
        lambda x: np.expand_dims(x, -1)[..., 0][None],
    ):
        leaf = tg.Tensor(x, requires_grad=True)
        np.testing.assert_array_equal(tg.grad(move(leaf), leaf, move(w)), w)


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=6))
def test_property_softmax_family_agrees(values):
    x = np.array(values)
    np.testing.assert_allclose(tg.softmax(x), np.exp(tg.log_softmax(x)), rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(tg.log_softmax(x), x - tg.logsumexp(x), rtol=1e-9, atol=1e-9)
    leaf = tg.Tensor(x, requires_grad=True)
    np.testing.assert_allclose(tg.grad(tg.logsumexp(leaf), leaf), tg.softmax(x), rtol=1e-9, atol=1e-300)

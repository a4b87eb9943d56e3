"""Rules for random shapes, axes and indices: values as in NumPy, and right gradients."""

import cases
import numpy as np
from cases import BINARY
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tensorgrad as tg
from tests.helpers import gradients, tracked


def arrays_of(shapes):
    return [np.random.default_rng(7 + i).standard_normal(shape) for i, shape in enumerate(shapes)]


small_shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)


@given(st.data())
def test_property_indexing(data):
    """Any index that NumPy accepts: NumPy's value, and a gradient that counts how often each element was selected."""
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
    """Any axes of any shape: values as in NumPy, and gradients as by finite differences."""
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
    """Any shapes that can be multiplied, including batch axes that broadcast."""
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
    """Permuting, reshaping and joining only move elements: the gradient of <w, f(x)> is w, with elements moved back."""
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

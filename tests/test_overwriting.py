"""A pending backward pass keeps the values it needs, even if the tensors are overwritten afterwards."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.engine.backward import reachable
from tests.helpers import each, leaf
from tests.records import saved_inputs


def overwrite(name, w):
    """Write to w under no_grad, in one of several ways."""
    if name == "setitem":
        w[...] = 7
    elif name == "element":
        w[0] = 7
    elif name == "+=":
        w += 1
    elif name == "*=":
        w *= 2
    elif name == "out=":
        np.add(w, 1, out=w)
    elif name == "out of other":
        np.exp(np.zeros(2), out=w)
    elif name == "sum out=":
        np.sum(np.ones((2, 2)), axis=0, out=w)
    elif name == "copyto":
        np.copyto(w, np.zeros(2))
    elif name == "put":
        np.put(w, [0], [9.0])
    elif name == "putmask":
        np.putmask(w, np.array([True, False]), 9.0)
    elif name == "place":
        np.place(w, np.array([True, False]), [9.0])
    elif name == "view":
        w[:1][...] = 7
    elif name == "transposed view":
        w.T[...] = 7
    elif name == "reshaped view":
        w.reshape(2, 1)[...] = 7
    elif name == "view of view":
        w[None][0][1:][...] = 7
    elif name == "broadcast view":
        np.expand_dims(w, 0)[...] = 7
    elif name == "detached":
        w.detach()[...] = 7
    elif name == "detached view":
        w.detach()[:1] += 7
    elif name == "Tensor(w)":
        tg.Tensor(w)[...] = 7
    elif name == "iterated":
        for row in w[None]:
            row[...] = 7
    elif name == "sgd":
        w.grad = np.ones(2)
        tg.optim.SGD([w], 0.1).step()
    elif name == "load_state_dict":
        tg.nn.load_state_dict({"w": w}, {"w": np.zeros(2)})


WRITERS = [
    "setitem", "element", "+=", "*=", "out=", "out of other", "sum out=", "copyto", "put", "putmask", "place",
    "view", "transposed view", "reshaped view", "view of view", "broadcast view", "detached", "detached view",
    "Tensor(w)", "iterated", "sgd", "load_state_dict",
]  # fmt: skip


def written(writer, w):
    """Write to a tensor under no_grad, and check that its values have changed."""
    before = w.data.copy()
    with tg.no_grad():
        overwrite(writer, w)
    assert not np.array_equal(w.data, before)


@each("writer", WRITERS)
@each("read", ["in full", "through a view", "twice"])
def test_a_pending_pass_keeps_the_value_that_is_overwritten(writer, read):
    w = leaf([1.0, 2.0])
    loss = {
        "in full": lambda: np.sum(np.sin(w)),
        "through a view": lambda: np.sum(np.sin(w[::-1])),
        "twice": lambda: np.sum(np.sin(w) + 0 * np.cos(w)),
    }[read]()
    written(writer, w)
    after = w.data.copy()
    w.grad = None
    loss.backward()
    np.testing.assert_allclose(w.grad, np.cos([1, 2]))
    np.testing.assert_array_equal(w.data, after)


@each("writer", [w for w in WRITERS if w not in ("sgd", "load_state_dict")])
def test_a_pending_pass_keeps_the_value_of_an_interior_tensor(writer):
    w = leaf([1.0, 2.0])
    h = w * 2
    loss = np.sum(np.sin(h))
    written(writer, h)
    loss.backward()
    np.testing.assert_allclose(w.grad, 2 * np.cos([2, 4]))


@each("writer", WRITERS)
@each("when", ["before the first pass", "before the second pass"])
def test_the_graph_of_a_gradient_keeps_the_value_that_is_overwritten(writer, when):
    w = leaf([1.0, 2.0])
    loss = np.sum(np.sin(w) * w)
    if when == "before the first pass":
        written(writer, w)
    g = tg.grad(loss, w, create_graph=True)
    if when == "before the second pass":
        written(writer, w)
    x = np.array([1.0, 2.0])
    np.testing.assert_allclose(g.data, np.cos(x) * x + np.sin(x))
    np.testing.assert_allclose(tg.grad(np.sum(g), w), 2 * np.cos(x) - np.sin(x) * x)


@each("writer", WRITERS)
def test_every_pass_has_the_value_of_its_own_time(writer):
    """Three losses, each followed by a write; the backward passes are in another order."""
    w = leaf([1.0, 2.0])
    losses, values = [], []
    for _ in range(2):
        losses.append(np.sum(np.exp(np.sin(w))))
        values.append(w.data.copy())
        with tg.no_grad():
            overwrite(writer, w)
    losses.append(np.sum(np.exp(np.sin(w))))
    values.append(w.data.copy())
    for k in (1, 0, 2):
        expected = np.cos(values[k]) * np.exp(np.sin(values[k]))
        np.testing.assert_allclose(tg.grad(losses[k], w), expected)


@each("writer", WRITERS)
@each("why", ["backward", "dropped", "not recorded", "not read"])
def test_writing_is_free_once_nothing_needs_the_value(writer, why):
    w = leaf([1.0, 2.0])
    if why == "not recorded":
        with tg.no_grad():
            loss = np.sum(np.sin(w))
    else:
        loss = np.sum(np.sin(w) if why != "not read" else w + 1)
    if why == "backward":
        loss.backward()
    elif why == "dropped":
        del loss
    with tg.no_grad():
        overwrite(writer, w)
    assert not np.array_equal(w.data, [1, 2])


@pytest.mark.parametrize(
    ("fn", "slope"),
    [
        (lambda w: np.exp(w)[:], np.exp),  # the result, through a view of it
        (lambda w: tg.relu(w), np.sign),
        (lambda w: np.tanh(w).reshape(2, 1), lambda x: 1 / np.cosh(x) ** 2),
    ],
    ids=["exp", "relu", "tanh"],
)
def test_a_saved_answer_is_kept(fn, slope):
    w = leaf([1.0, 2.0])
    h = fn(w)
    with tg.no_grad():
        h[...] = 0
    np.sum(h).backward()
    np.testing.assert_allclose(w.grad, slope(w.data))


def test_an_untracked_operand_is_kept():
    w, c = leaf([1.0, 2.0]), tg.Tensor([3.0, 4.0])
    loss = np.sum(w * c)
    c[0] = 0
    loss.backward()
    np.testing.assert_array_equal(w.grad, [3, 4])
    np.testing.assert_array_equal(c.data, [0, 4])


def test_one_copy_serves_all_records_and_none_is_made_where_nothing_is_pending():
    w = leaf(np.ones(3))
    losses = [np.sum(np.sin(w) * w), np.sum(w * w)]
    before = w.data
    kept = {id(x) for loss in losses for x in saved_arrays(loss) if x is before}
    assert len(kept) == 1
    with tg.no_grad():
        w += 1
    assert w.data is before  # modified in place
    arrays = [x for loss in losses for x in saved_arrays(loss) if x.shape == (3,) and np.array_equal(x, [1, 1, 1])]
    assert len(arrays) > 2
    assert len({id(x) for x in arrays}) == 1
    del losses, arrays
    with tg.no_grad():
        w += 1
    assert w.saved is None or w.saved() is None


def saved_arrays(loss):
    return [x for record in reachable([loss.record]) for x in saved_inputs(record) if x is not None]


def test_an_optimizer_may_step_while_passes_are_pending():
    a, b = leaf([1.0]), leaf([2.0])
    a.grad = b.grad = np.ones(1)
    pending = b * b
    tg.optim.SGD([a, b], 0.5).step()
    assert (a.item(), b.item()) == (0.5, 1.5)
    assert tg.grad(pending, b) == 4


def test_a_view_by_a_users_function_is_kept_whichever_input_it_is_of():
    first = tg.primitive(lambda x, k: x[:])
    second = tg.primitive(lambda k, x: x[:])
    same = tg.primitive(lambda k, x: x)
    tg.rule(first, lambda g, ans, x, k: g, None)
    tg.rule(second, None, lambda g, ans, k, x: g)
    tg.rule(same, None, lambda g, ans, k, x: g)
    for view in (lambda w: first(w, 0), lambda w: second(0, w), lambda w: same(0, w)):
        w = leaf([1.0, 2.0])
        loss = np.sum(w * w)
        with tg.no_grad():
            view(w)[...] = 0
        np.testing.assert_array_equal(w.data, [0, 0])
        loss.backward()
        np.testing.assert_array_equal(w.grad, [2, 4])


@pytest.mark.parametrize("target", ["inner", "constant", "leaf"])
def test_overwriting_what_only_the_graph_of_a_gradient_needs(target):
    """The record that first saved a value is gone; a record in the graph of the gradient still needs it."""
    x, k, m, c = leaf([1.0, 2.0]), leaf([3.0, 4.0]), leaf([5.0, 6.0]), tg.Tensor([7.0, 8.0])
    h = x + 1
    dk = tg.grad(np.sum(m * (h * k * c)), k, create_graph=True)  # m * h * c
    with tg.no_grad():
        {"inner": h, "constant": c, "leaf": m}[target][...] = 0
    dm, dx = tg.grad(np.sum(dk), [m, x])
    np.testing.assert_allclose([dm, dx], [[2 * 7, 3 * 8], [5 * 7, 6 * 8]])


@pytest.mark.parametrize("what", ["a gradient", "a view of a gradient"])
def test_a_gradient_that_is_a_tensor_may_be_overwritten(what):
    x = leaf([1.0, 2.0])
    g = tg.grad(np.sum(x**3), x, create_graph=True)
    loss = np.sum(g * g)
    with tg.no_grad():
        (g if what == "a gradient" else g[:])[...] = 0
    np.testing.assert_allclose(tg.grad(loss, x), 2 * 3 * x.data**2 * 6 * x.data)


def test_a_frozen_leaf_still_gets_the_gradient_of_what_is_pending():
    w = leaf([1.0, 2.0])
    loss = np.sum(w * w)
    w.requires_grad = False
    assert not (w * 2).requires_grad
    with tg.no_grad():
        w[...] = 0
    loss.backward()
    np.testing.assert_array_equal(w.grad, [2, 4])
    w.requires_grad = True
    np.sum(w * 3).backward()
    np.testing.assert_array_equal(w.grad, [5, 7])


def test_a_leaf_unfrozen_while_a_pass_is_pending_is_the_same_leaf():
    w = leaf([1.0, 2.0])
    first = np.sum(w * w)
    w.requires_grad = False
    w.requires_grad = True
    np.testing.assert_array_equal(tg.grad(first + np.sum(w), w), [3, 5])


# ------------------------------------------------------------------------------------------------ other data


@pytest.mark.parametrize(
    "other",
    [np.ones(1), np.ones(()), np.ones((2, 3)), np.ones((3, 1)), np.ones(0), np.ones(3, np.float32), np.ones(3, int)],
    ids=lambda x: f"{x.shape} {x.dtype}",
)
def test_a_gradient_is_that_of_the_data_that_was_used(other):
    """A leaf may get data of another shape or dtype while a result still depends on the former data."""
    w, bystander = leaf([1.0, 2, 3]), leaf([1.0, 2, 3])
    loss = np.sum(np.exp(w) * bystander + w)
    w.data = other
    expected = np.exp([1, 2, 3]) * [1, 2, 3] + 1
    got = tg.grad(loss, w, retain_graph=True)
    np.testing.assert_allclose(got, expected, strict=True)
    with pytest.raises(tg.ShapeError, match="compute the result again"):
        loss.backward()
    assert w.grad is None
    assert bystander.grad is None  # all or nothing
    if other.dtype.kind == "f":
        np.sum(np.exp(w)).backward()
        np.testing.assert_allclose(w.grad, np.exp(other), strict=True)
    else:
        with pytest.raises(TypeError, match="int64"):
            np.exp(w)


def test_data_of_the_same_shape_and_dtype_keeps_the_leaf():
    w = leaf([1.0, 2, 3])
    loss = np.sum(w * w)
    w.data = np.full(3, 7.0)
    loss.backward()
    np.testing.assert_array_equal(w.grad, [2, 4, 6])

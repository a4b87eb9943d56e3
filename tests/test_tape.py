"""The values that records save, when graphs are freed, and the memory of gradients."""

import functools
import gc
import tracemalloc
import weakref

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.engine import indexing, tape
from tests.helpers import leaf
from tests.records import reads


def live_records():
    return sum(type(x) is tape.Record for x in gc.get_objects())


# ------------------------------------------------------------------------------------------------ no cycles


def network(x, w):
    h = np.tanh(x @ w)
    return np.mean(tg.log_softmax(h)[:, 0] * np.einsum("ij,ij->i", h, h)) + np.sum(np.stack([h, h]))


@pytest.mark.parametrize("after", ["forward", "backward", "retained", "create_graph", "grad twice", "error"])
def test_dropping_the_loss_frees_all_that_led_to_it(no_gc, after):
    before = live_records()
    x, w = np.ones((2, 3)), leaf(np.eye(3))
    h = x @ w
    watched = [weakref.ref(h), weakref.ref(h.record)]
    loss = network(h, w)
    watched += [weakref.ref(loss), weakref.ref(loss.record)]
    if after == "backward":
        loss.backward()
    elif after == "retained":
        loss.backward(retain_graph=True)
    elif after == "create_graph":
        loss.backward(create_graph=True)
        w.grad = None
    elif after == "grad twice":
        (g,) = tg.grad(loss, [w], create_graph=True)
        tg.grad(np.sum(g * g), w)
        del g
    elif after == "error":
        with pytest.raises(tg.ShapeError):
            h.backward()
    del loss, h
    assert [ref() for ref in watched] == [None] * 4
    assert live_records() == before


def test_backward_frees_the_graph_while_the_loss_lives(no_gc):
    w = leaf([1.0, 2.0])
    h = np.exp(w)
    inner = weakref.ref(h.record)
    loss = np.sum(h * h)
    del h
    assert inner() is not None
    loss.backward()
    assert inner() is None


def test_memory_is_flat_over_thousands_of_steps(no_gc):
    rng = np.random.default_rng(0)
    w = tg.Tensor(rng.standard_normal((8, 4)), requires_grad=True)
    b = tg.Tensor(np.zeros(4), requires_grad=True)
    data = tg.Tensor(rng.standard_normal((16, 8)))  # one tensor that every step reads
    labels = rng.integers(0, 4, 16)
    optimizer = tg.optim.SGD([w, b], 0.1, momentum=0.9)

    def steps(n):
        for _ in range(n):
            optimizer.zero_grad()
            tg.cross_entropy(tg.relu(data @ w + b), labels).backward()
            optimizer.step()

    steps(2500)  # fill Python's own free lists first
    records = live_records()
    tracemalloc.start()
    try:
        steps(100)
        base = tracemalloc.get_traced_memory()[0]
        steps(400)
        grown = tracemalloc.get_traced_memory()[0] - base
    finally:
        tracemalloc.stop()
    assert live_records() == records
    assert grown < 4000
    assert data.saved is None or data.saved() is None


# ------------------------------------------------------------------------------------------------ nothing unasked


def counting(counts):
    """A product whose rules count their calls."""
    product = tg.primitive(lambda x, y: x * y)

    def dx(g, ans, x, y):
        counts["x"] += 1
        return g * y

    def dy(g, ans, x, y):
        counts["y"] += 1
        return g * x

    tg.rule(product, dx, dy)
    return product


def test_only_requested_gradients_are_computed():
    counts = {"x": 0, "y": 0}
    product = counting(counts)
    x, y, w = leaf([1.0, 2.0]), leaf([3.0, 4.0]), leaf([5.0, 6.0])
    np.sum(product(x.data, y)).backward()  # an array
    np.sum(product(x.detach(), y)).backward()  # a tensor that requires none
    assert counts == {"x": 0, "y": 2}
    tg.grad(np.sum(product(x * w, y)), y)  # the backward pass visits only paths that lead to y
    assert counts == {"x": 0, "y": 3}
    hidden = product(x, w)
    tg.grad(np.sum(hidden * y), y)
    assert counts == {"x": 0, "y": 3}
    tg.grad(np.sum(product(x, w) * y), hidden := w)
    assert counts == {"x": 0, "y": 4}
    assert hidden is w


# fmt: off
SAVES = [
    ("x + y",                   lambda x, y: x + y,             [False, False], False),
    ("x * y",                   lambda x, y: x * y,             [True, True],   False),
    ("x * y.data",              lambda x, y: x * y.data,        [False, True],  False),
    ("x.data * y",              lambda x, y: x.data * y,        [True, False],  False),
    ("x @ y.data",              lambda x, y: x @ y.data,        [False, True],  False),
    ("exp(x)",                  lambda x, y: np.exp(x),         [False],        True),
    ("tanh(x)",                 lambda x, y: np.tanh(x),        [False],        True),
    ("sin(x)",                  lambda x, y: np.sin(x),         [True],         False),
    ("relu(x)",                 lambda x, y: tg.relu(x),        [False],        True),
    ("log_softmax(x)",          lambda x, y: tg.log_softmax(x), [False],        True),
    ("where(y.data > 2, x, y)", lambda x, y: np.where(y.data > 2, x, y), [True, False, False], False),
]
# fmt: on


@pytest.mark.parametrize(("name", "fn", "inputs", "ans"), SAVES, ids=[row[0] for row in SAVES])
def test_records_save_only_what_their_rules_read(name, fn, inputs, ans):
    assert reads(fn(leaf(np.eye(2) + 1), leaf(np.eye(2) * 3))) == (inputs, ans)


def test_what_is_not_saved_is_freed_before_the_backward_pass(no_gc):
    x = leaf(np.ones(1000))
    h = x * 2
    memory = weakref.ref(h.data)
    y = np.sum(h + 1)
    del h
    assert memory() is None
    y.backward()


class Doubler:
    """Rules of every kind of callable."""

    def __call__(self, g, ans, x):
        return g * (x + ans / x)

    def method(self, g, ans, x):
        return g * (x + ans / x)

    @staticmethod
    def with_more(factor, g, ans, x):
        return g * factor * (x + ans / x)


@pytest.mark.parametrize(
    "vjp",
    [
        Doubler(),
        Doubler().method,
        functools.partial(Doubler.with_more, 1),
        lambda *args: args[0] * (args[2] + args[1] / args[2]),
        lambda g, ans, *inputs: g * (inputs[0] + ans / inputs[0]),
        lambda g, ans, x: (lambda: g * (x + ans / x))(),
        lambda g, ans, x: np.concatenate([[g[i] * (x[i] + ans[i] / x[i])] for i in range(len(g))]),
        lambda g, ans, x, k=1: g * (x + ans / x) * k,
    ],
    ids=["object", "method", "partial", "*args", "*inputs", "closure", "comprehension", "default"],
)
def test_a_rule_may_be_any_callable(vjp):
    square = tg.primitive(lambda x: x * x)
    tg.rule(square, vjp)
    x = leaf([3.0, 4.0])
    np.sum(square(x)).backward()
    np.testing.assert_array_equal(x.grad, [6, 8])


# ------------------------------------------------------------------------------------------------ owned buffers

# fmt: off
SHARING = [
    ("x + y",       lambda x, y: np.sum(x + y)),
    ("x - y",       lambda x, y: np.sum(x - y)),
    ("x + y + x",   lambda x, y: np.sum(x + y + x)),
    ("x + x.T + y", lambda x, y: np.sum(x + x.T + y)),
    ("reshape",     lambda x, y: np.sum(np.reshape(x, (4,)) + np.ravel(y))),
    ("concatenate", lambda x, y: np.sum(np.concatenate([x, y]) * 2)),
    ("stack",       lambda x, y: np.sum(np.stack([x, y, x]))),
    ("where",       lambda x, y: np.sum(np.where(True, x, y))),
    ("copies",      lambda x, y: np.sum(+x + y.copy())),
    ("products",    lambda x, y: np.sum(x * y) + np.sum(x @ y)),
    ("first index", lambda x, y: np.sum(x[:] + y[...])),
    ("sum of sums", lambda x, y: np.sum(x) + np.sum(y)),
    ("mean",        lambda x, y: np.mean(x + y)),
    ("broadcast",   lambda x, y: np.sum(np.broadcast_to(x, (3, 2, 2)) + y)),
]
# fmt: on


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(("name", "fn"), SHARING, ids=[row[0] for row in SHARING])
def test_no_two_gradients_share_memory(name, fn, create_graph):
    x, y = leaf(np.ones((2, 2))), leaf(np.full((2, 2), 3.0))
    fn(x, y).backward(create_graph=create_graph)
    gx, gy = (np.asarray(tape.value_of(t.grad)) for t in (x, y))
    for a, b in [(gx, gy), (gx, x.data), (gx, y.data), (gy, x.data), (gy, y.data)]:
        assert not np.shares_memory(a, b)
    expected = gy.copy()
    gx[...] = 77  # writable, and nothing else changes
    np.testing.assert_array_equal(gy, expected)
    if not create_graph:
        assert gx.flags.c_contiguous or gx.flags.f_contiguous


@pytest.mark.parametrize("create_graph", [False, True])
def test_the_seed_is_not_aliased(create_graph):
    x = leaf([1.0, 2.0])
    for seed in (np.array([3.0, 4.0]), tg.Tensor([3.0, 4.0])):
        for out in (x, x + 0, x[:]):
            x.grad = None
            out.backward(seed, create_graph=create_graph)
            tape.value_of(x.grad)[...] = 0
            np.testing.assert_array_equal(tape.value_of(seed), [3, 4])
            found = tg.grad(x + 0, x, seed, create_graph=create_graph)
            assert not np.shares_memory(tape.value_of(found), tape.value_of(seed))


def test_an_array_that_a_rule_created_is_passed_on_without_a_copy():
    made = []

    def rule(g, _ans, x):
        out = g * x
        made.append((id(out), out.ctypes.data))
        return out

    product = tg.primitive(lambda x: x * x)
    tg.rule(product, rule)
    x = leaf([3.0, 4.0])
    np.sum(product(x)).backward()
    assert (id(x.grad), x.grad.ctypes.data) == made[0]


def test_a_constant_that_a_rule_returns_is_not_modified():
    """The sum of gradients must not be written to an array that a rule returned but did not create."""
    constant = np.array([1.0, 2.0])
    linear = tg.primitive(lambda x: np.sum(x * constant))
    tg.rule(linear, lambda g, ans, x: constant)
    x = leaf([3.0, 4.0])
    (linear(x) + linear(x) + linear(x)).backward()
    np.testing.assert_array_equal(x.grad, [3, 6])
    np.testing.assert_array_equal(constant, [1, 2])
    x.grad = None
    linear(x).backward()
    x.grad[...] = 0
    np.testing.assert_array_equal(constant, [1, 2])


@pytest.mark.parametrize("size", [90, 90_000])
def test_gradients_of_slices_are_added_in_one_array_if_it_is_large(monkeypatch, size):
    calls, scatter = [], indexing._scatter_array

    def counted(*args, **params):
        calls.append(args)
        return scatter(*args, **params)

    monkeypatch.setattr(indexing, "_scatter_array", counted)
    x, n = leaf(np.ones(size)), size // 3
    y = x * 2
    np.sum(y[:n] + 3 * y[n : 2 * n] - y[2 * n :]).backward()
    np.testing.assert_array_equal(x.grad, np.repeat([2, 6, -2], n))
    assert len(calls) == (2 if size == 90 else 1)


def test_a_slice_is_not_added_to_an_array_that_a_rule_returned_but_did_not_create():
    constant, calls = np.arange(20_000.0), []

    def add_to(total, _g, _i, _x):
        calls.append(np.add(total, constant, out=total))

    taken = tg.primitive(lambda x: x * constant)
    tg.rule(taken, lambda _g, _ans, _x: constant, add_to=add_to)
    x = leaf(np.zeros(20_000))
    y = x * 1
    np.sum(taken(y) + taken(y) + taken(y)).backward()
    np.testing.assert_array_equal(constant, np.arange(20_000.0))
    np.testing.assert_array_equal(x.grad, 3 * constant)
    assert len(calls) == 1  # the sum of the first two belongs to the pass

"""The invariants of the tape, one by one."""

import functools
import gc
import threading
import tracemalloc
import weakref

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.engine import tape
from tensorgrad.engine.backward import reachable
from tests.records import reads, saved_inputs


def leaf(x):
    return tg.Tensor(np.array(x, float), requires_grad=True)


@pytest.fixture
def no_gc():
    """Only reference counts free anything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


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


def test_memory_is_flat_over_a_thousand_steps(no_gc):
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

    steps(2500)  # so that the free lists of Python itself are full
    records = live_records()
    tracemalloc.start()
    try:
        steps(100)
        base = tracemalloc.get_traced_memory()[0]
        steps(900)
        grown = tracemalloc.get_traced_memory()[0] - base
    finally:
        tracemalloc.stop()
    assert live_records() == records
    assert grown < 8000
    assert data.saved is None or data.saved() is None


# ------------------------------------------------------------------------------------------------ the pass back


@pytest.mark.parametrize("create_graph", [False, True])
def test_chain_of_100_000(create_graph):
    x = leaf(1.0)
    y = x
    for _ in range(100_000 if not create_graph else 30_000):
        y = y + 0.5
    y.backward(create_graph=create_graph)
    assert float(x.grad) == 1


def test_a_long_chain_can_be_dropped():
    y = leaf(1.0)
    for _ in range(200_000):
        y = -y
    del y


def test_diamond_of_many_paths(monkeypatch):
    calls = []
    double = tg.primitive(lambda x, y: x + y)
    tg.rule(double, lambda g, ans, x, y: calls.append(1) or g, lambda g, ans, x, y: calls.append(1) or g)
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = double(y, y)
    y.backward()
    assert x.grad == 2.0**60
    assert len(calls) == 120


def test_every_path_counts_once_whatever_the_order():
    x = leaf([1.5, -2.0])
    a = x * x
    b = a * x
    c = a + b
    (b * c + a).sum().backward()  # x^3 (x^2 + x^3) + x^2
    np.testing.assert_allclose(x.grad, 5 * x.data**4 + 6 * x.data**5 + 2 * x.data)


# ------------------------------------------------------------------------------------------------ leaves


def test_leaves_alone_keep_gradients_and_accumulate():
    x = leaf([1.0, 2.0])
    y = x * 3
    for k in (1, 2, 3):
        np.sum(y * y).backward(retain_graph=True)
        np.testing.assert_array_equal(x.grad, 18 * x.data * k)
    assert y.grad is None
    assert type(x.grad) is np.ndarray
    x.backward([1.0, 1.0])
    np.testing.assert_array_equal(x.grad, 54 * x.data + 1)


def test_accumulating_does_not_write_to_the_gradient_handed_out_before():
    x = leaf([1.0, 2.0])
    np.sum(x).backward()
    first = x.grad
    np.sum(x * 5).backward()
    np.testing.assert_array_equal(first, [1, 1])


def test_0d_gradients_are_arrays():
    x = leaf(2.0)
    for _ in range(2):
        (x * x).backward()
        assert type(x.grad) is np.ndarray
        assert x.grad.shape == ()
    assert x.grad == 8


def test_frozen_leaves():
    w, b = leaf([1.0, 2.0]), leaf([0.5, 0.5])
    b.requires_grad = False
    y = np.sum(w * b)
    y.backward()
    assert b.grad is None
    np.testing.assert_array_equal(w.grad, b.data)
    assert not np.sum(b * b).requires_grad
    b.requires_grad = True
    np.sum(b * b).backward()
    np.testing.assert_array_equal(b.grad, [1, 1])
    with pytest.raises(ValueError, match="multiply"):
        (w * b).requires_grad = False


@pytest.mark.parametrize("dtype", [int, bool, np.uint8, complex])
def test_only_real_floats_require_a_gradient(dtype):
    with pytest.raises(TypeError, match="floating"):
        tg.Tensor(np.ones(2, dtype), requires_grad=True)
    t = tg.Tensor(np.ones(2, dtype))
    with pytest.raises(TypeError, match="floating"):
        t.requires_grad = True
    assert not t.requires_grad


def test_backward_says_what_it_needs():
    with pytest.raises(RuntimeError, match="requires no gradient"):
        tg.Tensor([1.0]).backward()
    with pytest.raises(tg.ShapeError, match=r"\(2,\)"):
        (leaf([1, 2]) * 2).backward()
    with pytest.raises(tg.ShapeError, match=r"seed has shape \(3,\)"):
        (leaf([1, 2]) * 2).backward(np.ones(3))
    with pytest.raises(tg.ShapeError, match="seed"):
        (leaf([1, 2]) * 2).backward(1.0)  # would broadcast


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


def test_no_gradient_that_nobody_asked_for():
    counts = {"x": 0, "y": 0}
    product = counting(counts)
    x, y, w = leaf([1.0, 2.0]), leaf([3.0, 4.0]), leaf([5.0, 6.0])
    np.sum(product(x.data, y)).backward()  # an array
    np.sum(product(x.detach(), y)).backward()  # a tensor that requires none
    assert counts == {"x": 0, "y": 2}
    tg.grad(np.sum(product(x * w, y)), y)  # a target: the pass does not go where it leads elsewhere
    assert counts == {"x": 0, "y": 3}
    hidden = product(x, w)
    tg.grad(np.sum(hidden * y), y)
    assert counts == {"x": 0, "y": 3}
    tg.grad(np.sum(product(x, w) * y), hidden := w)
    assert counts == {"x": 0, "y": 4}
    assert hidden is w


# fmt: off
SAVES = [
    (lambda x, y: x + y,             [False, False], False),
    (lambda x, y: x * y,             [True, True],   False),
    (lambda x, y: x * y.data,        [False, True],  False),
    (lambda x, y: x.data * y,        [True, False],  False),
    (lambda x, y: x @ y.data,        [False, True],  False),
    (lambda x, y: np.exp(x),         [False],        True),
    (lambda x, y: np.tanh(x),        [False],        True),
    (lambda x, y: np.sin(x),         [True],         False),
    (lambda x, y: tg.relu(x),        [False],        True),
    (lambda x, y: tg.log_softmax(x), [False],        True),
    (lambda x, y: np.where(y.data > 2, x, y), [True, False, False], False),
]
# fmt: on


@pytest.mark.parametrize("k", range(len(SAVES)))
def test_records_save_only_what_their_rules_read(k):
    fn, inputs, ans = SAVES[k]
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
    gx[...] = 77  # writable, and nothing else moves
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


def test_an_array_that_a_rule_made_is_handed_over_not_copied():
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


def test_a_rule_that_hands_out_a_constant_keeps_it():
    """Adding up gradients must not write to an array that a rule returned but did not make."""
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


# ------------------------------------------------------------------------------------------------ freed graphs


def test_a_second_pass_needs_retain_graph():
    x = leaf([1.0, 2.0])
    loss = np.sum(np.exp(x))
    loss.backward(retain_graph=True)
    loss.backward()
    with pytest.raises(tg.FreedGraphError, match="retain_graph=True"):
        loss.backward()
    with pytest.raises(tg.FreedGraphError, match=r"'sum'|'exp'"):
        tg.grad(loss, x)
    np.testing.assert_allclose(x.grad, 2 * np.exp(x.data))


def test_two_losses_on_one_trunk():
    x = leaf([1.0, 2.0])
    trunk = np.exp(x)
    one, two = np.sum(trunk), np.sum(trunk * trunk)
    one.backward()
    with pytest.raises(tg.FreedGraphError, match="'exp'"):
        two.backward()
    assert np.isfinite(x.grad).all()


# ------------------------------------------------------------------------------------------------ no_grad


def is_recording():
    return (leaf(1.0) * 2).requires_grad


def test_no_grad_nests_and_survives_exceptions():
    with tg.no_grad():
        assert not is_recording()
        with tg.no_grad():
            assert not is_recording()
        assert not is_recording()
        with pytest.raises(ZeroDivisionError), tg.no_grad():
            raise ZeroDivisionError
        assert not is_recording()
    assert is_recording()
    with pytest.raises(ZeroDivisionError), tg.no_grad():
        raise ZeroDivisionError
    assert is_recording()
    once = tg.no_grad()
    with once, once:
        assert not is_recording()
    assert is_recording()


def test_no_grad_as_a_decorator():
    @tg.no_grad()
    def deep(n):
        assert not is_recording()
        return deep(n - 1) if n else is_recording()

    assert deep(3) is False
    assert is_recording()

    @tg.no_grad()
    def fails():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert is_recording()
    assert deep.__name__ == "deep"


def test_no_grad_refuses_what_runs_later():
    def generator():
        yield is_recording()

    async def coroutine():
        return is_recording()

    async def both():
        yield is_recording()

    for function in (generator, coroutine, both):
        with pytest.raises(TypeError, match=function.__name__):
            tg.no_grad()(function)


def test_threads_have_a_switch_each():
    seen = []
    with tg.no_grad():
        thread = threading.Thread(target=lambda: seen.append(is_recording()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_one_decorated_function_in_two_threads():
    """A enters while recording, B enters under no_grad, A leaves, B leaves: each finds its own state again."""
    entered, leave_a, left_a = threading.Event(), threading.Event(), threading.Event()
    after = {}

    @tg.no_grad()
    def work(name):
        if name == "a":
            entered.set()
            assert leave_a.wait(5)
        else:
            leave_a.set()
            assert left_a.wait(5)

    def a():
        work("a")
        after["a"] = is_recording()
        left_a.set()

    thread = threading.Thread(target=a)
    thread.start()
    assert entered.wait(5)
    with tg.no_grad():
        work("b")
        after["b"] = is_recording()
    thread.join()
    assert after == {"a": True, "b": False}


def test_passes_in_threads_do_not_meet():
    w = leaf(np.ones(50))
    found = {}

    def work(k):
        for _ in range(20):
            found[k] = tg.grad(np.sum(np.exp(w * k)), w)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(4):
        np.testing.assert_allclose(found[k], k * np.exp(k * w.data))


# ------------------------------------------------------------------------------------------------ tg.grad


def test_grad_of_inner_tensors_and_unused_inputs():
    x, unused = leaf([1.0, 2.0]), leaf(1.0)
    h = np.exp(x)
    loss = np.sum(h**2)
    gh, gx, nothing, gl = tg.grad(loss, [h, x, unused, loss])
    np.testing.assert_allclose(gh, 2 * h.data)
    np.testing.assert_allclose(gx, 2 * h.data**2)
    assert nothing is None
    assert gl == 1
    assert x.grad is None
    assert h.grad is None


def test_grad_of_several_outputs_is_the_sum():
    x = leaf([1.0, 2.0])
    y, z = x * 2, np.sum(x * x)
    plain = tg.Tensor([5.0])
    got = tg.grad([y, z, plain, z], x, [np.array([1.0, 10.0]), None, None, 3.0])
    np.testing.assert_allclose(got, [2 + 4 * 2 * 1, 20 + 4 * 2 * 2])


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [x], lambda x: (x,)])
def test_grad_answers_in_the_form_it_was_asked(wrap):
    x = leaf([1.0, 2.0])
    got = tg.grad(np.sum(x * x), wrap(x))
    assert isinstance(got, np.ndarray) == isinstance(wrap(x), tg.Tensor)
    np.testing.assert_array_equal(got if isinstance(got, np.ndarray) else got[0], [2, 4])


def test_grad_refuses_what_has_none():
    x = leaf([1.0, 2.0])
    with pytest.raises(RuntimeError, match="input 2"):
        tg.grad(np.sum(x), [x, tg.Tensor([1.0])])
    with pytest.raises(RuntimeError, match="no gradient"):
        tg.grad(tg.Tensor(1.0), x)
    with pytest.raises(TypeError, match="ndarray"):
        tg.grad(np.sum(x), x.data)
    with pytest.raises(ValueError, match="2 outputs"):
        tg.grad([np.sum(x), np.sum(x)], x, [1.0])
    with pytest.raises(tg.ShapeError):
        tg.grad(x * 2, x)


def test_the_same_input_twice_gives_two_arrays():
    x = leaf([1.0, 2.0])
    one, two = tg.grad(np.sum(x * x), [x, x])
    one[...] = 0
    np.testing.assert_array_equal(two, [2, 4])


@pytest.mark.parametrize("x0", [-0.7, 0.3, 1.1])
def test_third_derivative_against_the_closed_form(x0):
    x = leaf(x0)
    y = np.tanh(x) * np.exp(2 * x) + x**5
    for _ in range(3):
        y = tg.grad(y, x, create_graph=True)
    t = np.tanh(x0)
    d = [t, 1 - t**2, -2 * t * (1 - t**2), (1 - t**2) * (6 * t**2 - 2)]  # of tanh
    e = np.exp(2 * x0) * 2.0 ** np.arange(4)  # of exp(2x)
    expected = d[0] * e[3] + 3 * d[1] * e[2] + 3 * d[2] * e[1] + d[3] * e[0] + 60 * x0**2
    np.testing.assert_allclose(y.item(), expected, rtol=1e-12)


def test_backward_through_backward_accumulates_tensors():
    x = leaf([1.0, 2.0])
    np.sum(x**3).backward(create_graph=True)
    assert isinstance(x.grad, tg.Tensor)
    first, x.grad = x.grad, None
    np.sum(first * first).backward()
    np.testing.assert_allclose(x.grad, 2 * 3 * x.data**2 * 6 * x.data)


def test_gradient_penalty_has_the_right_gradient():
    w, x = leaf([[0.5, -1.0], [1.5, 0.25]]), leaf([[1.0, 2.0]])

    def penalty(w, x):
        out = np.sum(np.tanh(x @ w))
        (g,) = tg.grad(out, [x], create_graph=True)
        return np.sum(g * g)

    assert tg.gradcheck(penalty, [w.data, x.data])


def test_a_backward_pass_under_no_grad():
    x = leaf([1.0, 2.0])
    loss = np.sum(x**3)
    with tg.no_grad():
        g = tg.grad(loss, x, create_graph=True)
        assert not is_recording()
    np.testing.assert_allclose(tg.grad(np.sum(g), x), 6 * x.data)


# ------------------------------------------------------------------------------------------------ overwriting


def overwrite(name, w):
    """Write to w under no_grad, in one of all the ways there are."""
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
    """Write to a tensor under no_grad, and see that its values have changed."""
    before = w.data.copy()
    with tg.no_grad():
        overwrite(writer, w)
    assert not np.array_equal(w.data, before)


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("read", ["in full", "through a view", "twice"])
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


@pytest.mark.parametrize("writer", [w for w in WRITERS if w not in ("sgd", "load_state_dict")])
def test_a_pending_pass_keeps_the_value_of_an_interior_tensor(writer):
    w = leaf([1.0, 2.0])
    h = w * 2
    loss = np.sum(np.sin(h))
    written(writer, h)
    loss.backward()
    np.testing.assert_allclose(w.grad, 2 * np.cos([2, 4]))


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("when", ["before the first pass", "before the second pass"])
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


@pytest.mark.parametrize("writer", WRITERS)
def test_every_pass_has_the_value_of_its_own_time(writer):
    """Three losses, with a write after each; passes back in another order."""
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


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("why", ["backward", "dropped", "not recorded", "not read"])
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
        (lambda w: np.exp(w)[:], np.exp),  # the answer, through a view of it
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
    assert w.data is before  # written to in place
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
    """The record that saved a value first is gone; the one that the gradient's own graph made still reads it."""
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


def test_a_leaf_thawed_while_a_pass_is_pending_is_the_same_leaf():
    w = leaf([1.0, 2.0])
    first = np.sum(w * w)
    w.requires_grad = False
    w.requires_grad = True
    np.testing.assert_array_equal(tg.grad(first + np.sum(w), w), [3, 5])


# ------------------------------------------------------------------------------------------------ errors, dtypes


def test_an_error_inside_a_rule_says_where():
    broken = tg.primitive(lambda x, y, *, axis: x + y)
    broken.__name__ = "broken"
    tg.rule(broken, lambda g, ans, x, y, *, axis: g, lambda g, ans, x, y, *, axis: 1 / 0)
    x, y = leaf([1.0, 2.0]), leaf([[3.0, 4.0]])
    with pytest.raises(ZeroDivisionError) as caught:
        np.sum(broken(x, y, axis=5)).backward()
    (note,) = caught.value.__notes__
    assert "input 2" in note
    assert "(1, 2)" in note
    assert "'axis': 5" in note
    assert is_recording()


@pytest.mark.parametrize("bad", [None, 1.0, [1.0, 2.0], np.zeros(3), np.zeros((5, 2, 2))[:, :, :0]], ids=str)
def test_a_rule_that_returns_nonsense_is_an_error(bad):
    odd = tg.primitive(lambda x: x * 2)
    tg.rule(odd, lambda g, ans, x: bad)
    with pytest.raises(Exception) as caught:  # noqa: PT011  (whichever fits; the note is what counts)
        np.sum(odd(leaf([1.0, 2.0]))).backward()
    assert "tensorgrad" in caught.value.__notes__[0]


def test_a_primitive_without_a_rule_is_refused_in_the_forward_pass():
    lonely = tg.primitive(lambda x: x * 2)
    with pytest.raises(tg.NoRuleError, match=r"tg\.rule"):
        lonely(leaf(1.0))
    assert lonely(np.float64(2)) == 4
    assert lonely(tg.Tensor(2.0)).item() == 4
    half = tg.primitive(lambda x, y: x * y)
    tg.rule(half, lambda g, ans, x, y: g * y)
    assert half(leaf(1.0), 2.0).item() == 2
    with pytest.raises(tg.NoRuleError, match="input 2"):
        half(1.0, leaf(2.0))


def test_one_function_called_with_fewer_and_more_inputs():
    """What is saved is decided anew for another number of inputs."""
    scaled = tg.primitive(lambda x, y=None: x * x if y is None else x * x * y)
    tg.rule(
        scaled,
        lambda g, ans, x, y=None: g * 2 * x * (1 if y is None else y),
        lambda g, ans, x, y=None: g * x * x,
    )
    for _ in range(2):
        x, y = leaf(3.0), leaf(5.0)
        assert tg.grad(scaled(x), x) == 6
        assert tg.grad(scaled(x, 5.0), x) == 30
        assert tg.grad(scaled(x, y), y) == 9
        assert tg.grad(scaled(2.0, y), y) == 4


def test_results_that_are_no_real_floats_do_not_differentiate():
    x = leaf([1.0, 2.0])
    with pytest.raises(tg.NoRuleError, match="floating-point"):
        np.sum(x, dtype=int)


@pytest.mark.parametrize("fn", [lambda x, y: x * y, lambda x, y: x @ y, lambda x, y: np.concatenate([x, y]), np.vdot])
def test_mixed_precision(fn):
    """The result is of the wider dtype, each gradient of its own input's."""
    x = tg.Tensor(np.array([1.5, 2.0], np.float32), requires_grad=True)
    y = tg.Tensor(np.array([3.0, 4.0], np.float64), requires_grad=True)
    out = np.sum(fn(x, y))
    assert out.dtype == np.float64
    out.backward()
    assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float64)


def test_scalars_keep_float32():
    x = tg.Tensor(np.ones(2, np.float32), requires_grad=True)
    y = np.sum(((x * 2.0 + 1) / 3 - 0.5) ** 2) ** 0.5
    assert y.dtype == np.float32
    y.backward()
    assert x.grad.dtype == np.float32
    optimizer = tg.optim.SGD([x], 0.1, momentum=0.9, weight_decay=1e-2, nesterov=True)
    optimizer.step()
    assert x.dtype == np.float32
    assert {v.dtype for v in optimizer.state_dict().values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("order", [1, 2])
def test_a_gradient_that_is_the_same_along_an_axis_is_summed_for_what_was_broadcast(order):
    """The gradient of the difference is that of k, and of k's shape, as is r: but it stands for three columns."""
    k, q, r = leaf([[1.0], [2.0]]), leaf(np.ones((2, 3))), leaf([[3.0], [4.0]])
    if order == 1:
        np.testing.assert_array_equal(tg.grad(np.sum(k * (q - r)), r), [[-3], [-6]])
        np.testing.assert_array_equal(tg.grad(np.sum(k * (q * r)), r), [[3], [6]])
    else:
        g = tg.grad(np.sum(k * (q - r) ** 2), q, create_graph=True)  # 2 k (q - r)
        np.testing.assert_array_equal(tg.grad(np.sum(g), r), [[-6], [-12]])

"""Lifetimes of graphs, and the objects that the garbage collector tracks."""

import gc
import weakref

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.engine.backward import reachable
from tests.helpers import leaf

pytestmark = pytest.mark.usefixtures("no_gc")


def assign_elements(x):
    y = x * 2
    y[0] = x[1] * 3
    y[1:] += np.sin(x[1:])
    return np.sum(y * y)


def assign_views(x):
    y = x * 2
    top, row = y[:1], y[::2]
    y[...] = np.exp(x)
    top *= 2
    row[0] = x[0]
    return np.sum(y) + np.sum(row * top)


def overwrite(x):
    h = x * x
    loss = np.sum(np.sin(h) * x)
    with tg.no_grad():
        h[...] = 0
        x += 1
    return loss


def gradient(x):
    return np.sum(tg.grad(np.sum(np.sin(x) * x**3), x, create_graph=True) ** 2)


def written_gradient(x):
    g = tg.grad(np.sum(np.sin(x) * x**3), x, create_graph=True)
    loss = np.sum(g * g)
    with tg.no_grad():
        g[...] = 0
        g[:1] += 1
    return loss


def through_backward(x):
    np.sum(x**3).backward(create_graph=True)
    loss, x.grad = np.sum(x.grad**2), None
    return loss


def of_a_checkpoint(x):
    return np.sum(tg.checkpoint(lambda x: np.sin(x) * x)(x))


def of_a_closure(x):
    return np.sum(tg.jacobian(lambda t: np.sum(x * t**2), np.ones(3)))


def of_a_model(x):
    h = tg.log_softmax(np.reshape(np.stack([x, x[::-1]]) @ np.ones((3, 4)), (2, 4)))
    return tg.cross_entropy(tg.relu(h + x[0]), np.array([0, 1]))


PROGRAMS = [assign_elements, assign_views, overwrite, gradient, written_gradient, through_backward, of_a_checkpoint,
            of_a_closure, of_a_model]  # fmt: skip


@pytest.mark.parametrize("after", ["dropped", "backward", "create_graph", "grad of grad", "error"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_no_reference_cycles(program, after):
    x = leaf([0.3, 0.7, 1.1])
    loss = program(x)
    records = [weakref.ref(record) for record in reachable([loss.record])]
    watched = [weakref.ref(loss), *records]
    if after == "backward":
        loss.backward()
    elif after == "create_graph":
        loss.backward(create_graph=True)
        x.grad = None
    elif after == "grad of grad":
        g = tg.grad(loss, x, create_graph=True)
        watched.append(weakref.ref(g))
        if g.requires_grad:
            tg.grad(np.sum(g * g), x)
        del g
    elif after == "error":
        with pytest.raises(tg.ShapeError):
            loss.backward(np.ones(7))
    del loss
    assert [ref() for ref in watched] == [None] * len(watched)


def test_a_reference_cycle_is_detected():
    """A reference cycle is not freed here, so the tests above can fail."""
    x = leaf([1.0])
    y = x * 2
    watched = weakref.ref(y)
    holder = [y]
    holder.append(holder)
    del y, holder
    assert watched() is not None


CHAIN = {
    "one input": lambda y, w: np.sin(y),
    "a constant": lambda y, w: y * 1.5,
    "two inputs": lambda y, w: y * w,
    "both": lambda y, w: y * y,
    "sum": lambda y, w: y + w,
    "mixed": lambda y, w: np.tanh(y * w) + y,
}
OPERATIONS = {"mixed": 3}


@pytest.mark.parametrize("size", [(), (4,)], ids=["0-d", "1-d"])
@pytest.mark.parametrize("name", CHAIN)
def test_an_operation_leaves_at_most_four_objects_to_the_garbage_collector(name, size):
    """Intermediate tensors were dropped: a record, its tuples, and saved values remain."""
    step, w = CHAIN[name], leaf(np.full(size, 0.9))
    y = leaf(np.full(size, 0.5))
    y = step(step(y, w), w)
    gc.collect()
    before = len(gc.get_objects())
    n = 300
    for _ in range(n):
        y = step(y, w)
    gc.collect()
    grown = len(gc.get_objects()) - before
    assert grown <= 4 * n * OPERATIONS.get(name, 1) + 20
    y.backward(np.ones(size))


def with_view(make_view):
    w = leaf([0.3, 0.7, 1.1])
    view = make_view(w)

    def step(i):
        tg.grad(np.sum(np.sin(w) * w), w)
        return view

    return step


def of_constant_rows():
    w, c = leaf([0.3, 0.7, 1.1]), tg.Tensor(np.ones((4, 3)))
    rows = list(c)
    return lambda i: tg.grad(np.sum(w * rows[i % 4]), w)


def of_its_own_gradient():
    w = leaf([0.3, 0.7, 1.1])
    return lambda i: tg.grad(np.sum(tg.grad(np.sum(w**3), w, create_graph=True) ** 2), w)


def of_a_frozen_leaf():
    w = leaf([0.3, 0.7, 1.1])

    def step(i):
        w.requires_grad = not w.requires_grad
        return tg.grad(np.sum(w * w), w) if w.requires_grad else None

    return step


def with_updates():
    w, unused = leaf([0.3, 0.7, 1.1]), []
    opt = tg.optim.Adam([w], lr=1e-3)

    def step(i):
        unused[:] = [np.sum(w**2), np.sum(w[1:])]  # as a notebook keeps its last output
        opt.zero_grad()
        np.sum(np.sin(w) * w).backward()
        opt.step()

    return step


def with_recomputation():
    w, x = leaf([0.3, 0.7, 1.1]), leaf([1.0, 2.0, 3.0])
    f = tg.checkpoint(lambda x: np.sum(np.sin(x) * w))

    def step(i):
        loss = f(x)
        with tg.no_grad():
            w[...] = w * 1
        return tg.grad(loss, x)

    return step


LOOPS = {
    "a view": lambda: with_view(lambda w: w[:2]),
    "a detached view": lambda: with_view(lambda w: w.detach()),
    "rows of a constant": of_constant_rows,
    "a recorded pass": of_its_own_gradient,
    "a frozen leaf": of_a_frozen_leaf,
    "updates beside unused losses": with_updates,
    "recomputation": with_recomputation,
}


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_of_passes_leaves_nothing_behind(name):
    """Neither objects nor references to freed ones, which lists in `Memory` would collect."""
    step = LOOPS[name]()
    for i in range(200):
        step(i)
    gc.collect()
    before = len(gc.get_objects())
    for i in range(700):
        step(i)
    gc.collect()
    assert len(gc.get_objects()) - before <= 70

"""Threads and tasks: concurrent passes lose no gradient, and each context has its own mode."""

import asyncio
import contextlib
import contextvars
import pickle
import sys
import threading
import time

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.engine import aliasing
from tests.helpers import leaf


def in_threads(works):
    """Run all functions concurrently; return their results, or the exceptions they raised."""
    start, results = threading.Barrier(len(works)), [None] * len(works)

    def run(k):
        start.wait(60)
        try:
            results[k] = works[k]()
        except Exception as error:
            results[k] = error

    threads = [threading.Thread(target=run, args=(k,), daemon=True) for k in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    return results


@pytest.fixture(autouse=True)
def _often_another_thread():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_eight_threads_that_accumulate_into_one_leaf_lose_nothing():
    w = leaf(np.zeros(3))
    passes = 50

    def work(k):
        for _ in range(passes):
            np.sum(w * (k + 1) + np.sin(w)).backward()

    errors = in_threads([lambda k=k: work(k) for k in range(8)])
    assert errors == [None] * 8
    np.testing.assert_array_equal(w.grad, np.full(3, passes * (sum(range(1, 9)) + 8)))


class Slow(np.ndarray):
    """A gradient with slow additions, so that another thread may read it at the same time."""

    def __add__(self, other):
        time.sleep(0.1)
        return np.asarray(self) + other


def test_no_thread_reads_a_gradient_that_another_one_is_adding_to():
    w = leaf([1.0, 2.0])
    w.grad = np.zeros(2).view(Slow)
    assert in_threads([lambda: np.sum(w * 3).backward()] * 2) == [None] * 2
    np.testing.assert_array_equal(w.grad, [6, 6])


def test_eight_threads_accumulate_tensors():
    w = leaf([1.0, 2.0])

    def work():
        for _ in range(20):
            np.sum(w**3).backward(create_graph=True)

    assert in_threads([work] * 8) == [None] * 8
    np.testing.assert_allclose(w.grad.data, 160 * 3 * w.data**2)


def deep_graph():
    """A leaf, and a loss that is 91 records away from it."""
    w = leaf([0.5, 2.0])
    y = w
    for _ in range(30):
        y = np.sin(y) * w + y
    return w, np.sum(y)


@pytest.mark.parametrize("retain", [True, False])
def test_two_passes_over_one_graph_at_once(retain):
    """Both passes compute the full gradient, or one raises an error because the graph was freed."""
    for _ in range(40):
        w, loss = deep_graph()
        expected = tg.grad(loss, w, retain_graph=True)
        found = in_threads([lambda loss=loss, w=w: tg.grad(loss, w, retain_graph=retain)] * 2)
        errors = [x for x in found if isinstance(x, Exception)]
        assert all(isinstance(error, tg.FreedGraphError) for error in errors), errors
        assert len(errors) <= (0 if retain else 1)
        for gradient in found:
            if not isinstance(gradient, Exception):
                np.testing.assert_array_equal(gradient, expected)


def test_two_backward_calls_on_one_graph_at_once():
    for _ in range(40):
        w, loss = deep_graph()
        once = tg.grad(loss, w, retain_graph=True)
        found = in_threads([loss.backward] * 2)
        errors = [x for x in found if x is not None]
        assert all(isinstance(error, tg.FreedGraphError) for error in errors), errors
        np.testing.assert_allclose(w.grad, once * (2 - len(errors)), rtol=1e-12)


def test_writes_in_one_thread_and_passes_in_others():
    """Each thread has a parameter of its own, and a constant that all of them read."""
    c = tg.Tensor(np.arange(1.0, 4.0))

    def work(k):
        w = leaf(np.full(3, k + 1.0))
        for step in range(40):
            before = w.data.copy()
            loss = np.sum(w * w * c)
            with tg.no_grad():
                w += 1.0
            w.grad = None
            loss.backward()
            np.testing.assert_allclose(w.grad, 2 * before * c.data, err_msg=f"{k}, {step}")

    assert in_threads([lambda k=k: work(k) for k in range(8)]) == [None] * 8


def recording():
    return (leaf(1.0) * 2).requires_grad


def test_the_mode_belongs_to_its_thread():
    inside, outside = threading.Event(), threading.Event()

    def without():
        with tg.no_grad():
            inside.set()
            assert outside.wait(60)
            return recording()

    def with_it():
        assert inside.wait(60)
        found = recording()
        outside.set()
        return found

    assert in_threads([without, with_it]) == [False, True]
    assert recording()


def test_the_mode_belongs_to_its_task():
    async def without():
        with tg.no_grad():
            await asyncio.sleep(0)
            first = recording()
            await asyncio.sleep(0)
            return first, recording()

    async def with_it():
        found = []
        for _ in range(3):
            found.append(recording())
            await asyncio.sleep(0)
        return found

    async def main():
        return await asyncio.gather(without(), with_it(), without())

    assert asyncio.run(main()) == [(False, False), [True, True, True], (False, False)]
    assert recording()


def test_a_task_inherits_the_mode_it_was_started_in():
    async def inner():
        return recording()

    async def main():
        with tg.no_grad():
            task = asyncio.create_task(inner())
        return await task, recording()

    assert asyncio.run(main()) == (False, True)
    with tg.no_grad():
        context = contextvars.copy_context()
    assert context.run(recording) is False


class Read(tg.Tensor):
    """A tensor with an attribute that two threads read at the same time, unless a lock prevents it."""

    def __init__(self, name):
        super().__init__(np.ones(3))
        self.together, self.name = threading.Barrier(2), name

    def __getattribute__(self, name):
        if name not in ("name", "together") and name == getattr(self, "name", None):
            found = super().__getattribute__(name)
            with contextlib.suppress(threading.BrokenBarrierError):  # if the other one waits elsewhere
                self.together.wait(0.2)
            return found
        return super().__getattribute__(name)


def test_two_threads_that_save_one_tensor_at_first_save_it_once():
    """With two `Saved` objects, a write would protect the value of only one."""
    x = Read("data")
    first, second = in_threads([lambda: aliasing.save(x)] * 2)
    assert isinstance(first, aliasing.Saved)
    assert first is second
    assert x.saved() is first


@pytest.mark.parametrize("share", [aliasing.share_memory, aliasing.detach_from])
def test_two_threads_that_look_at_one_tensor_at_first_share_what_is_known_of_its_memory(share):
    x, views = Read("memory"), [tg.Tensor(np.ones(3)) for _ in range(2)]
    assert in_threads([lambda view=view: share(x, view) for view in views]) == [None, None]
    x.name = None
    if share is aliasing.share_memory:
        assert x.memory is views[0].memory is views[1].memory
        assert {id(ref()) for ref in x.memory.tensors} == {id(t) for t in (x, *views)}
    assert x.memory.saved is views[0].memory.saved is views[1].memory.saved


def test_a_value_that_threads_saved_at_once_is_kept_by_a_write():
    for _ in range(100):
        x, ys = tg.Tensor(np.ones(3)), leaf(np.zeros(8))
        products = in_threads([lambda k=k, x=x, ys=ys: np.sum(ys[k] * x) for k in range(4)])
        x += 1
        gradients = [tg.grad(product, ys) for product in products]
        np.testing.assert_array_equal(np.sum(gradients, axis=0), [3, 3, 3, 3, 0, 0, 0, 0])


@pytest.mark.parametrize("tracked", [False, True])
def test_threads_that_write_to_rows_of_one_tensor_lose_no_gradient(tracked):
    """Each write is also recorded for the whole tensor, whose history all threads continue."""
    weights = np.arange(1.0, 25).reshape(8, 3)
    for _ in range(5):
        leaves = [leaf(np.full(3, k + 1.0)) for k in range(8)]
        rows = leaf(np.ones((8, 3))) * 0 if tracked else tg.Tensor(np.zeros((8, 3)))

        def work(k, rows=rows, leaves=leaves):
            row = rows[k]
            for i in range(40):
                row[...] = leaves[k] * i
                rows[k, 0] = leaves[k][1]

        assert in_threads([lambda k=k: work(k) for k in range(8)]) == [None] * 8
        for k, g in enumerate(tg.grad(np.sum(rows * weights), leaves)):
            np.testing.assert_array_equal(g, [0, 39 * weights[k, 1] + weights[k, 0], 39 * weights[k, 2]])


def test_recorded_passes_over_one_graph_protect_all_that_they_saved():
    for _ in range(20):
        w, c = leaf([2.0, 1.0]), tg.Tensor([3.0, 1.0])
        loss = np.sum(w**3 * c)
        slopes = in_threads([lambda loss=loss, w=w: tg.grad(loss, w, create_graph=True)] * 8)
        squares = [np.sum(slope * slope) for slope in slopes]
        with tg.no_grad():
            w[...] = c[...] = 100.0
        for square in squares:
            np.testing.assert_allclose(tg.grad(square, w), [36 * 8 * 9, 36])


# ------------------------------------------------------------------------------------------------ checkpoint


def test_threads_recompute_from_different_values_of_one_parameter():
    for _ in range(10):
        w, losses, expected = leaf([1.0, 2.0]), [], []
        f = tg.checkpoint(lambda x, w=w: np.sin(x * w) * w)
        xs = [leaf(np.full(2, 0.1 * k)) for k in range(8)]
        for x in xs:
            losses.append(np.sum(f(x)))
            expected.append(np.cos(x.data * w.data) * w.data**2)
            with tg.no_grad():
                w += 1.0
        found = in_threads([lambda loss=loss, x=x: tg.grad(loss, x) for loss, x in zip(losses, xs, strict=True)])
        for got, right in zip(found, expected, strict=True):
            np.testing.assert_allclose(got, right, rtol=1e-12)
        np.testing.assert_array_equal(w.data, [9, 10])
        assert type(w) is tg.Tensor


class Weight(tg.Tensor):
    """A user's class, with attributes."""


@pytest.mark.parametrize("kind", [tg.Tensor, Weight])
def test_while_one_thread_recomputes_others_see_and_update_the_present_value(kind):
    w, x, memory = kind([1.0, 2.0], requires_grad=True), leaf([0.5, 0.5]), []
    again, seen = threading.Event(), threading.Event()
    calls = []

    def f(x):
        y = x * w**2
        calls.append(1)
        if len(calls) == 2:
            again.set()
            assert seen.wait(60)
        return y * w

    loss = np.sum(tg.checkpoint(f)(x))
    with tg.no_grad():
        w += 9.0

    def pull():
        return tg.grad(loss, [x, w], create_graph=True)

    def use():
        assert again.wait(60)
        present = (w * 1).data.copy()
        product = np.sum(w * w)
        with tg.no_grad():
            w[...] = w + 1.0
            updated = w * 1
        memory.append(w.data)
        slope = tg.grad(product, w)
        seen.set()
        return present, slope, updated.data, pickle.loads(pickle.dumps(updated))

    before = w.data
    (gx, gw), (present, slope, updated, pickled) = in_threads([pull, use])
    np.testing.assert_array_equal(gx.data, [1, 8])
    np.testing.assert_array_equal(gw.data, 3 * 0.5 * np.array([1.0, 4.0]))
    assert {type(gx), type(gw)} <= {tg.Tensor, kind}
    np.testing.assert_array_equal(present, [10, 11])
    np.testing.assert_array_equal(slope, [20, 22])
    np.testing.assert_array_equal(updated, [11, 12])
    np.testing.assert_array_equal(pickled.data, updated)
    assert type(w) is type(pickled) is kind
    assert w.data is before is memory[0]
    np.testing.assert_array_equal(w.data, updated)

"""`tg.no_grad` as a context manager and as a decorator, and what it does not record."""

import threading

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import is_recording, leaf


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


def test_a_generator_that_yields_inside_the_block_leaves_recording_off_until_it_goes_on():
    def generator():
        with tg.no_grad():
            yield is_recording()
        yield is_recording()

    steps = generator()
    assert next(steps) is False
    assert not is_recording()
    assert next(steps) is True
    assert is_recording()
    abandoned = generator()
    next(abandoned)
    abandoned.close()
    assert is_recording()


def test_each_thread_has_its_own_mode():
    seen = []
    with tg.no_grad():
        thread = threading.Thread(target=lambda: seen.append(is_recording()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_one_decorated_function_in_two_threads():
    """A enters while recording, B enters under no_grad, A exits, B exits: each restores its own mode."""
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


def test_backward_passes_in_threads_are_independent():
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

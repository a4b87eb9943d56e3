"""Items made in a thread: their order, errors, and that the thread ends on every path."""

import itertools
import threading
import time

import pytest

from tensorgrad.data import Prefetch


def running():
    return [thread for thread in threading.enumerate() if thread.name == "Prefetch"]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert not running()


@pytest.mark.parametrize("count", [0, 1, 7])
@pytest.mark.parametrize("ahead", [1, 3, 100])
def test_items_come_in_order_and_end(count, ahead):
    with Prefetch(range(count), ahead) as items:
        assert list(items) == list(range(count))
        assert list(items) == []
        assert not running()


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_leaving_early_ends_the_thread(taken):
    with Prefetch(itertools.count()) as items:
        assert list(itertools.islice(items, taken)) == list(range(taken))
        assert running()
    assert not running()
    assert list(items) == []


def test_an_exception_in_the_block_ends_the_thread():
    with pytest.raises(ZeroDivisionError), Prefetch(itertools.count()) as items:
        1 / next(items)


@pytest.mark.parametrize("error", [ValueError("wrong"), KeyboardInterrupt(), MemoryError()])
def test_an_error_is_raised_in_the_place_of_its_item(error):
    def failing():
        yield 1
        raise error

    with Prefetch(failing(), ahead=5) as items:
        assert next(items) == 1
        with pytest.raises(type(error)) as caught:
            next(items)
        assert caught.value is error
        assert list(items) == []


def test_items_are_made_ahead_and_no_more_than_asked_for():
    made, enough = [], threading.Event()

    def noted():
        for i in range(100):
            made.append(i)
            if i == 3:
                enough.set()
            yield i

    with Prefetch(noted(), ahead=3):
        assert enough.wait(30)  # three in the queue, and one that waits for room
        time.sleep(0.05)
        assert made == [0, 1, 2, 3]


def test_at_least_one_item_is_made_ahead():
    with pytest.raises(ValueError, match="ahead must be at least 1, got 0"):
        Prefetch([], 0)

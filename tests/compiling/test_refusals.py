"""What a replay could not repeat is refused with one sentence that names the line, or recorded anew."""

import contextlib
import inspect
import io

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import compile

X = np.linspace(-1, 1, 12).reshape(4, 3)


def weights():
    return tg.Tensor(np.arange(3.0), requires_grad=True)


class Counter:
    def __init__(self):
        self.calls = 0
        self.mean = np.zeros(3)
        self.items = []


def branch(x, w, s):
    return np.sum(x * w) if np.sum(x) > 100 else np.sum(x)


def to_float(x, w, s):
    return x * float(np.sum(x))


def to_array(x, w, s):
    return np.asarray(np.sum(x * w).detach())


def to_item(x, w, s):
    return np.sum(x).item()


def printed(x, w, s):
    with contextlib.redirect_stdout(io.StringIO()):
        print(np.sum(x * w))  # noqa: T201
    return x


def as_integer(x, w, s):
    return list(range(np.argmax(x)))


def counted(x, w, s):
    s.calls += 1
    return x


def appended(x, w, s):
    s.items.append(1)
    return x


def rebound(x, w, s):
    s.mean = s.mean + x.mean(axis=0)
    return x


def replaced_data(x, w, s):
    w.data = w.data - 1
    return x


def hidden_generator(x, w, s):
    return x + GENERATOR.random(x.shape)


def hidden_number(x, w, s):
    NUMBERS.append(None)
    return x * len(NUMBERS)


def hidden_array(x, w, s):
    return x * next(STREAM)


def tracked_result(x, w, s):
    return np.sum(x * w)


def computed_outside(x, w, s):
    return tg.grad(np.sum(OUTSIDE * x), w)


def strange_result(x, w, s):
    return {1, 2}


def updates_twice(x, w, s):
    for _ in range(2):
        np.sum(np.log(x + 3) * w).backward()
        SGD.step()
    return w.grad


def gradient_with_a_graph(x, w, s):
    np.sum((x * w) ** 2).backward(create_graph=True)


def gradient_set(x, w, s):
    w.grad = np.ones(3)


GENERATOR, NUMBERS, STREAM = np.random.default_rng(0), [], iter(np.arange(1.0, 9.0))
OUTSIDE = tg.Tensor(np.arange(3.0), requires_grad=True) * 2
SGD = tg.optim.SGD([tg.Tensor(0.0, requires_grad=True)])

REFUSED = {
    branch: "a branch",
    to_float: r"float\(\)",
    to_array: "conversion to an ndarray",
    to_item: r"\.item",
    printed: "printing",
    as_integer: "Python integer",
    counted: r"sets 's\.calls'",
    appended: "length of a list",
    rebound: r"sets '.*mean'",
    replaced_data: r"replaces the `\.data`",
    hidden_generator: "draws from a generator",
    hidden_number: "length of a list",
    hidden_array: "different constants",
    tracked_result: "backward pass has not run",
    computed_outside: "computed outside",
    strange_result: "returns a set",
    gradient_with_a_graph: r"sets `\.grad` to a Tensor",
    gradient_set: r"sets `\.grad` to a ndarray",
}


@pytest.mark.parametrize("fn", REFUSED, ids=lambda fn: fn.__name__)
def test_refused(fn):
    step, w, state = compile(fn), weights(), Counter()
    before = w.data

    def three_calls():
        for k in range(3):
            step(X + k, w, state)

    with pytest.raises(tg.CompileError, match=REFUSED[fn]):
        three_calls()
    assert type(w.data) is np.ndarray
    assert repr(w.grad)  # not a stand-in
    assert type(state.mean) is np.ndarray
    assert w.data is before or fn is replaced_data
    assert type(np.sum(w * 2).data) is np.ndarray  # nothing is recorded any more


def test_the_error_names_the_line():
    line = inspect.getsourcelines(to_float)[1] + 1
    with pytest.raises(tg.CompileError, match=rf"test_refusals.py:{line} in to_float"):
        compile(to_float)(X, weights(), None)

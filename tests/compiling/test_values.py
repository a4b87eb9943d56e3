"""Calls that differ from the recorded ones in the shapes of results, in the memory that arrays share, or in a sign."""

import re

import numpy as np
import pytest

import tensorgrad as tg
from tests.compiling.steps import assert_same, programs


def same_effects(make, calls):
    """Make the same calls of a function and of a compiled one, and compare results, arguments and state."""
    (plain, state), (fn, compiled_state) = make(), make()
    compiled = tg.compile(fn)
    for args in calls:
        a, b = _copies(args), _copies(args)
        assert_same(compiled(*a), plain(*b))
        assert_same(a, b)
        assert_same(compiled_state(), state())
    return compiled


def _copies(args):
    """Copies of arguments that share memory as the originals do; ``(array, slice)`` is a part of an array."""
    owners = {}
    taken = [x if isinstance(x, tuple) else (x, ...) for x in args]
    copies = [owners.setdefault(id(x), np.copy(x) if isinstance(x, np.ndarray) else x) for x, _ in taken]
    return [x if key is ... else x[key] for x, (_, key) in zip(copies, taken, strict=True)]


def stateless(fn):
    return lambda: (fn, lambda: [])


def gradient(fn):
    def run(x):
        t = tg.Tensor(x, requires_grad=True)
        loss = np.sum(fn(t * 1.0) ** 2)
        loss.backward()
        return loss, t.grad

    return run


# ------------------------------------------------------------------------------------------------ shapes of results


X = np.array([0.5, -1.0, 2.0, -0.1, 3.0])
VALUES = [X, 2 * X, 3 * X, -X, np.abs(X), X - 9, X - 2.5, X]  # 3 are positive, then 2, 5, 0, 1 and 3

VARYING = {
    "mask": lambda x: np.exp(x[x > 0]) * 2,
    "mask, number of items": lambda x: np.sum(x) / max(len(x[x > 0]), 1),
    "mask, broadcast": lambda x: np.ones((3, 1)) * x[x > 0],
    "mask, sum": lambda x: np.sum(x[x > 0] * 3),
    "mask, product": lambda x: x[x > 0] @ x[x > 0],
    "mask, part": lambda x: x[x > 0][:1] * 2,
    "nonzero": lambda x: np.nonzero(x > 0)[0] + 1,
    "where": lambda x: np.where(x > 0)[0] + 1,
    "compress": lambda x: np.compress(x > 0, x) * 2,
    "repeat": lambda x: np.repeat(x, (x > 0).astype(int)) * 2,
    "unique": lambda x: np.unique(np.sign(x)) * 2,
    "trim_zeros": lambda x: np.trim_zeros(np.maximum(x, 0) * (x > 1)) * 2,
    "dtype": lambda x: np.emath.sqrt(np.sum(x) - 1) * 2,
    "method": lambda x: x.compress(x > 0) * 2,
}


@pytest.mark.parametrize("name", VARYING)
def test_a_result_of_another_shape_or_dtype_makes_an_ordinary_call(name):
    compiled = same_effects(stateless(VARYING[name]), [(x,) for x in VALUES])
    assert programs(compiled) == 1


@pytest.mark.parametrize("name", [name for name in VARYING if name.startswith("mask") and "number" not in name])
def test_gradients_of_a_result_of_another_shape(name):
    compiled = same_effects(stateless(gradient(VARYING[name])), [(x,) for x in VALUES])
    assert programs(compiled) == 1


def test_a_shape_that_differs_in_the_first_two_calls_is_refused():
    compiled = tg.compile(lambda x: x[x > 0] * 2)
    compiled(X)
    with pytest.raises(tg.CompileError, match=r"test_values.py.*the shape or dtype of a result depends on the values"):
        compiled(-X)


def test_an_error_of_numpy_is_that_of_the_ordinary_call():
    compiled = tg.compile(lambda x: np.linalg.inv(x) @ x)
    for _ in range(3):
        compiled(np.eye(2))
    with pytest.raises(np.linalg.LinAlgError, match="Singular") as info:
        compiled(np.zeros((2, 2)))
    assert "<tg.compile>" not in {str(entry.path) for entry in info.traceback}


# ------------------------------------------------------------------------------------------------ memory


def writes_an_argument(x, y):
    z = y * 1
    x += 1
    return z, y * 3


def only_writes(x, y):
    x *= 2
    return y * 3


@pytest.mark.parametrize("fn", [writes_an_argument, only_writes])
def test_arguments_that_share_memory(fn):
    z = np.arange(6.0)
    apart, overlapping, equal = (z[:4], z[2:]), ((z, slice(0, 4)), (z, slice(2, 6))), (z, z)
    same_effects(stateless(fn), [apart] * 4 + [overlapping] * 4 + [equal] * 4 + [apart, overlapping, equal])


def test_an_argument_that_is_the_memory_of_a_parameter():
    outcomes = []
    for convert in (tg.compile, lambda f: f):
        w = tg.Tensor(np.arange(4.0), requires_grad=True)
        optimizer = tg.optim.SGD([w], lr=0.1)

        def step(x, w=w, optimizer=optimizer):
            optimizer.zero_grad()
            loss = np.sum(w * w * x)
            loss.backward()
            optimizer.step()
            return loss, x * 2

        step = convert(step)
        given = [np.ones(4), np.ones(4), np.ones(4), w.data, w.data, w.data[::-1], np.ones(4), w.data]
        outcomes.append([[*step(x), w.data.copy()] for x in given])
    assert_same(*outcomes)


def accumulating():
    w, v = (tg.Tensor(np.ones(2), requires_grad=True) for _ in range(2))

    def step(x, y):
        loss = np.sum(w * x) + np.sum(v * y)
        loss.backward()
        return loss

    return step, lambda: [w.grad, v.grad]


def decaying():
    w = tg.Tensor(np.ones(2), requires_grad=True)

    def step(x, y):
        if w.grad is not None:
            w.grad *= 0.5
        loss = np.sum(w * x) + np.sum(w * y)
        loss.backward()
        return loss

    return step, lambda: [w.grad]


def comparing():
    w = tg.Tensor(np.ones(2), requires_grad=True)

    def step(x, y):
        before = w.grad
        np.sum(w * x * y).backward()
        return before, w.grad

    return step, lambda: [w.grad]


def ignoring():
    w = tg.Tensor(np.ones(2), requires_grad=True)
    w.grad = np.full(2, 3.0)
    return lambda x, y: x * w.detach(), lambda: [w.grad]


@pytest.mark.parametrize("make", [accumulating, decaying, comparing, ignoring])
def test_gradients_of_earlier_calls(make):
    x, infinite = np.array([1.0, 2.0]), np.array([np.inf, 1.0])
    same_effects(make, [*[(x, 3 * x)] * 5, (x, infinite), (infinite, x), (x, x), (infinite, infinite), (x, x)])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_gradient_of_a_number_is_an_array(dtype):
    s = tg.Tensor(dtype(0.5), requires_grad=True)

    @tg.compile
    def step(x):
        s.grad = None
        loss = np.sum(np.tanh(x * s))
        loss.backward()
        return loss

    for k in range(4):
        step(np.arange(3, dtype=dtype) + dtype(k))
        assert type(s.grad) is np.ndarray
        assert s.grad.dtype == dtype
    assert programs(step) == 1


def test_a_program_of_very_many_parameters():
    params = [tg.Tensor(np.ones(2), requires_grad=True) for _ in range(1500)]

    @tg.compile
    def step(x):
        for p in params:
            p.grad = None
        loss = np.sum(np.stack([x * p for p in params]))
        loss.backward()
        return loss

    for k in range(4):
        step(np.full(2, float(k)))
    assert programs(step) == 1
    np.testing.assert_array_equal(params[-1].grad, [3, 3])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("at", [(0, 0), (3, 1), (7, 4)])
def test_gradients_of_large_matrices_in_any_layout_are_searched_for_nan(at, dtype):
    def make():
        by_rows = tg.Tensor(np.ones((120, 100), dtype), requires_grad=True)
        by_columns = tg.Tensor(np.ones((100, 120), dtype).T, requires_grad=True)

        def step(x):
            by_rows.grad = by_columns.grad = None
            loss = np.sum(np.sqrt(x @ by_rows)) + np.sum((x @ by_columns) ** 2)
            loss.backward()
            return loss

        return step, lambda: [by_rows.grad, by_columns.grad]

    x = np.linspace(1, 2, 960, dtype=dtype).reshape(8, 120)
    calls = [x, x, x + 1]
    for special in (np.inf, np.nan, np.finfo(dtype).max / 2):
        other = x.copy()
        other[at] = special
        calls += [other, x]
    with np.errstate(all="ignore"):
        compiled = same_effects(make, [(x,) for x in calls])
    assert re.search(r"holds\(vdot\(.*\) < inf and vdot\(.*\) < inf, True\)", compiled.source)


# ------------------------------------------------------------------------------------------------ arguments


@pytest.mark.parametrize("kind", [float, np.float64, complex])
def test_a_negative_zero_is_another_number(kind):
    calls = [(np.ones(2), kind(x)) for x in (0.0, 0.0, 0.0, -0.0, -0.0, 0.0, -0.0)]
    same_effects(stateless(lambda x, number: np.copysign(x, np.real(number))), calls)


def set_item(items):
    items[0] = items[0] * 2
    return items[0]


def append(items):
    items.append(items[0] * 2)
    return items[0] * 1


@pytest.mark.parametrize("fn", [set_item, append])
def test_changing_a_list_among_the_arguments_is_refused(fn):
    with pytest.raises(tg.CompileError, match="changes a list or dict among its arguments"):
        tg.compile(fn)([np.ones(2)])


@pytest.mark.parametrize(
    "fn", [lambda x: np.cumsum(x, 0, None, x), lambda x: np.nan_to_num(x, copy=False), lambda x: x.round(1, x)]
)
def test_writing_into_an_argument_that_is_not_named_out_is_refused(fn):
    with pytest.raises(tg.CompileError, match=r"^tg\.compile cannot follow"):
        tg.compile(fn)(np.ones(2))


# ------------------------------------------------------------------------------------------------ branches, NaN

FINITE, ZERO, INFINITE = np.array([1.0, 2, 3]), np.array([0.0, 2, 3]), np.array([1.0, np.inf, 3])
BRANCHES = {
    "root": (lambda x, w: np.sum(np.sqrt(x * w)), [FINITE, ZERO]),
    "root, masked": (lambda x, w: np.sum(np.where(x > 0, np.sqrt(x * w), 0)), [FINITE, ZERO]),
    "matmul": (
        lambda x, w: tg.cross_entropy(np.outer(x, w) @ np.ones((3, 3)), np.array([0, 1, 2])),
        [FINITE, INFINITE],
    ),
    "cross entropy": (lambda x, w: tg.cross_entropy(np.outer(x, w), np.array([0, 1, 2])), [FINITE, INFINITE]),
    "logarithm": (lambda x, w: np.sum(np.log(x * w) * np.array([0.0, 1, 1])), [FINITE, ZERO, -FINITE]),
    "gelu": (lambda x, w: np.sum(tg.gelu(x * w) ** 2), [FINITE, INFINITE]),
    "norm": (lambda x, w: np.sum(x * w / np.linalg.norm(x * w)), [FINITE, 0 * FINITE, INFINITE]),
    "own": (lambda x, w: np.sum(halved(x * w)), [FINITE, ZERO, INFINITE]),
}


@tg.primitive
def halved(x):
    """``sqrt(x) / 2``, with a value taken out of NumPy, so that a program calls it as a whole."""
    return np.sqrt(x) / 2 + 0 * float(np.shape(x)[0] + np.ravel(x)[-1] // 1e9)


tg.rule(halved, lambda g, ans, x: g / (8 * ans) + 0 * float(np.ravel(x)[-1] // 1e9))


@pytest.mark.parametrize("order", ["first", "second", "both", "later", "in turn"])
@pytest.mark.parametrize("name", BRANCHES)
def test_values_that_take_another_branch_or_are_not_finite(name, order):
    loss, (usual, *others) = BRANCHES[name]

    def make():
        w = tg.Tensor(np.ones(3), requires_grad=True)
        optimizer = tg.optim.SGD([w], lr=0.1)

        def step(x):
            optimizer.zero_grad()
            value = loss(x, w)
            value.backward()
            d = w.grad.copy()
            w.grad = np.clip(np.where(np.isfinite(d), d, 0), -1, 1)
            optimizer.step()
            return value, d

        return step, lambda: [w.data, w.grad]

    for other in others:
        calls = {"first": [other, usual, usual, usual], "second": [usual, other, usual, usual], "both": [other] * 4,
                 "later": [usual, usual, other, usual], "in turn": [usual, other] * 3}[order]  # fmt: skip
        with np.errstate(all="ignore"):
            same_effects(make, [(x,) for x in calls])

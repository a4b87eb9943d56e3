"""Results are views or new arrays as in NumPy, for every function of the table.

A write to the result affects the value and the gradient of the source if they share memory, and vice versa.
"""
# ruff: noqa: E501  (tables with one row per line)

import contextlib
import io

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.engine.registry import entries
from tensorgrad.engine.tape import value_of
from tests.test_namespaces import FUNCTIONS, leaves, run

BASE = np.arange(12.0).reshape(3, 4) / 7 + 0.5

SOURCES = {
    "vector": lambda: BASE[0, :3].copy(), "matrix": lambda: BASE[:2, :2].copy(), "number": lambda: np.array(0.537),
    "empty": lambda: np.zeros((0, 2)), "one": lambda: np.array([1.3]), "one by one": lambda: np.array([[1.3]]),
    "row": lambda: BASE[:1].copy(), "steps": lambda: BASE.copy()[0, ::2], "reversed": lambda: BASE[0].copy()[::-1],
    "transposed": lambda: BASE.copy().T, "part": lambda: BASE.copy()[1:, 1:3], "cube": lambda: np.arange(1.0, 9).reshape(2, 2, 2) / 3,
    "ones": lambda: np.ones((2, 2)),
}  # fmt: skip
QUICK = ["matrix", "one", "empty", "transposed"]
WRITTEN = {"matrix", "one"}  # of these

CALLS = [
    lambda t: ((t,), {}), lambda t: ((t, t), {}), lambda t: (([t],), {}), lambda t: (([t, t],), {}), lambda t: ((t, 1), {}),
    lambda t: ((t, 0), {}), lambda t: ((1, t), {}), lambda t: ((t,), {"axis": 0}), lambda t: ((t,), {"axis": -1}),
    lambda t: ((t, 0, 1), {}), lambda t: ((t, (1,)), {}), lambda t: ((t, (0,)), {}), lambda t: ((t, ()), {}),
    lambda t: ((t,), {"axis": ()}), lambda t: ((t,), {"keepdims": True}), lambda t: ((t,), {"axis": 0, "keepdims": True}),
    lambda t: ((t, t.shape), {}), lambda t: ((t, -1), {}), lambda t: ((t, (-1,)), {}), lambda t: ((t, [0]), {}),
    lambda t: ((t, t.dtype), {}), lambda t: ((t, float), {"copy": False}), lambda t: ((t, np.float32), {"copy": False}),
    lambda t: ((t, "K"), {}), lambda t: ((t, "F"), {}), lambda t: ((t, "A"), {}), lambda t: ((t, 1, 0), {}), lambda t: ((t, 2), {}),
    lambda t: ((t, 1), {"axis": 0}), lambda t: ((t, 0), {"axis": 0}), lambda t: ((t, t), {"copy": False}), lambda t: ((t,), {"copy": False}),
    lambda t: ((t, t), {"sparse": True, "copy": False}), lambda t: ((t,), {"dtype": np.float64}), lambda t: (([[t]],), {}),
    lambda t: ((np.ones(t.shape, bool), t), {}), lambda t: ((t, None), {}), lambda t: ((t, 0, 0), {}), lambda t: ((t,), {"n": 0}),
    lambda t: (("...->...", t), {}), lambda t: (("ij->ji", t), {}), lambda t: ((t, None, None), {}),
    lambda t: ((t, -9.0, 9.0), {}), lambda t: ((t, [(0, 0)]), {}), lambda t: ((t, 0, (0, 1)), {}), lambda t: ((t, 2, (0, 1)), {}),
]  # fmt: skip

NOT_CALLED = {"linspace", "logspace", "geomspace"}  # the number of results is an argument
NOT_CALLED |= {"pinv"}  # the generated calls are invalid
KNOWN = [param for param in FUNCTIONS if param.values[1] in entries and param.values[0] not in NOT_CALLED]


def tensors(x):
    return [y for y in leaves(x) if isinstance(y, tg.Tensor)]


def quietly(function, call, x):
    with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        return run(function, call, x)[0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("sources", [QUICK, pytest.param([*SOURCES], marks=pytest.mark.slow)], ids=["", "all"])
@pytest.mark.parametrize(("name", "function"), KNOWN)
def test_memory_is_shared_where_numpy_shares_it(name, function, sources):
    for source in sources:
        make, seen = SOURCES[source], set()
        for k, call in enumerate(CALLS):
            if sources is QUICK and (k + QUICK.index(source)) % 2:  # each call with half of these sources
                continue
            x = make()
            expected = quietly(function, call, x)
            if isinstance(expected, Exception):
                continue
            for tracked in (True, False):
                t = tg.Tensor(make(), requires_grad=tracked)
                got = quietly(function, call, t)
                if isinstance(got, Exception) or len(list(leaves(got))) != len(list(leaves(expected))):
                    continue
                for i, (mine, numpys) in enumerate(zip(leaves(got), leaves(expected), strict=True)):
                    shared = np.shares_memory(value_of(mine), t.data)
                    message = f"result {i} of {name}, call {k}, of the source {source!r}, a leaf: {tracked}"
                    assert shared == np.shares_memory(numpys, x), message
            if sources is QUICK and (source not in WRITTEN or is_repeated(expected, x, seen)):
                continue
            if tensors(got):
                check_writes(function, call, make, expected, x)


def is_repeated(results, x, seen):
    """Whether a result with the same values and the same shared memory is in ``seen``, to which it is added."""
    parts = [np.asarray(part) for part in leaves(results)]
    key = tuple((y.dtype.str, y.shape, y.tobytes(), np.shares_memory(y, x)) for y in parts)
    return key in seen or seen.add(key) is not None


def check_writes(function, call, make, expected, x):
    """Write to the source after the call, and to the result: a write is visible in the other if they share memory."""
    w = tg.Tensor(make(), requires_grad=True)
    untouched = [y for y in tensors(quietly(function, call, w * 1.0)) if y.dtype.kind == "f"]
    for i, before in enumerate(untouched):
        t = w * 1.0
        got = [y for y in tensors(quietly(function, call, t)) if y.dtype.kind == "f"][i]
        if got is t or not (before.requires_grad and np.isfinite(before.data).all()) or not got.data.flags.writeable:
            continue
        shared = np.shares_memory(got.data, t.data)
        t[...] = 7.0
        if shared:
            np.testing.assert_array_equal(got.data, 7.0)
        else:
            np.testing.assert_array_equal(got.data, before.data)
        with contextlib.suppress(np.linalg.LinAlgError):  # of qr, for ones: singular on some processors
            same_gradients(np.sum(got), np.sum(before), w, zero=shared)

        t = w * 1.0
        kept = t.data.copy()
        got = [y for y in tensors(quietly(function, call, t)) if y.dtype.kind == "f"][i]
        got[...] = 5.0
        untouched_elements = t.data == kept
        assert untouched_elements.all() == (not shared or not t.size)
        gradient = tg.grad(np.sum(t * 3.0), w)
        np.testing.assert_array_equal(gradient, 3.0 * untouched_elements)


def same_gradients(after, before, w, zero):
    if not after.requires_grad:
        assert zero
        return
    gradient = tg.grad(after, w)
    expected = np.zeros(w.shape) if zero or not before.requires_grad else tg.grad(before, w, retain_graph=True)
    np.testing.assert_array_equal(np.zeros(w.shape) if gradient is None else gradient, expected)


METHODS = {
    "flatten": lambda t: t.flatten(), "flatten F": lambda t: t.flatten("F"), "ravel": lambda t: t.ravel(), "ravel F": lambda t: t.ravel("F"),
    "copy": lambda t: t.copy(), "astype": lambda t: t.astype(float), "astype copy=False": lambda t: t.astype(float, copy=False),
    "astype other": lambda t: t.astype(np.float32, copy=False), "reshape": lambda t: t.reshape(-1), "reshape same": lambda t: t.reshape(t.shape),
    "transpose": lambda t: t.transpose(), "T": lambda t: t.T, "squeeze": lambda t: t.squeeze(), "real": lambda t: t.real,
    "conj": lambda t: t.conj(), "clip": lambda t: t.clip(-9, 9), "round": lambda t: t.round(9), "[...]": lambda t: t[...], "[()]": lambda t: t[()],
    "[None]": lambda t: t[None], "[:]": lambda t: t[..., :1] if t.ndim else t[...], "[mask]": lambda t: t[np.ones(t.shape, bool)], "+": lambda t: +t,
    "repeat": lambda t: t.repeat(1), "take": lambda t: t.take([0]), "diagonal": lambda t: t.diagonal(), "prod": lambda t: t.prod(axis=0, keepdims=True),
    "sum": lambda t: t.sum(axis=0), "max": lambda t: t.max(axis=0), "mean": lambda t: t.mean(axis=0), "cumsum": lambda t: t.cumsum(0), "swapaxes": lambda t: t.swapaxes(0, 0),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", METHODS)
def test_methods_share_memory_where_numpys_do(name):
    method = METHODS[name]
    for source, make in SOURCES.items():
        x, t = make(), tg.Tensor(make(), requires_grad=True)
        try:
            expected = method(x)
        except (ValueError, IndexError, np.exceptions.AxisError):
            continue
        assert np.shares_memory(method(t).data, t.data) == np.shares_memory(expected, x), source
        check_writes(method, lambda t: ((t,), {}), make, expected, x)


def test_the_check_finds_a_view_in_place_of_a_copy(monkeypatch):
    monkeypatch.setattr(entries[np.copy], "run", lambda x: x[...])
    with pytest.raises(AssertionError):
        test_memory_is_shared_where_numpy_shares_it("copy", np.copy, [*SOURCES])


def test_nan_to_num_in_place():
    w = tg.Tensor(np.array([1.0, np.nan, 3.0]), requires_grad=True)
    t = w * 2
    assert np.nan_to_num(t, copy=False, nan=5.0) is t
    np.testing.assert_array_equal(t.data, [2, 5, 6])
    np.testing.assert_array_equal(tg.grad(np.sum(t), w), [2, 0, 2])

"""Functions for tests in several files: leaves, and derivatives of functions."""

import contextlib
import functools
import importlib.util
import inspect
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.engine.tape import current_mode, set_mode


def is_installed(package):
    """Whether a package is installed; folders of tests have the names of some packages, too."""
    return bool(getattr(importlib.util.find_spec(package), "origin", None))


def leaf(x, dtype=float):
    """A tensor that requires a gradient, with a copy of the values."""
    return tg.Tensor(np.array(x, dtype), requires_grad=True)


def tracked(arrays):
    """For each array, a tensor that requires a gradient and shares its memory."""
    return [tg.Tensor(x, requires_grad=True) for x in arrays]


def gradients(fn, arrays, seed=3):
    """Gradients of the function for a random upstream gradient in the dtype of the output."""
    leaves = tracked(arrays)
    out = fn(*leaves)
    direction = np.random.default_rng(seed).standard_normal(out.shape).astype(out.dtype)
    found = tg.grad(out, leaves, direction)
    return [np.zeros_like(x) if g is None else g for g, x in zip(found, arrays, strict=True)]


def pulled_back(out, leaves, upstream, **options):
    """The gradients, by rules that receive read-only arrays, so that one that writes to its arguments is found."""
    mode = current_mode()
    set_mode(mode._replace(read_only=True))
    try:
        return tg.grad(out, leaves, upstream, **options)
    finally:
        set_mode(mode)


def check_gradient(fn, arrays, rtol=1e-5, atol=1e-6):
    """Check it along a random direction, in which an error in any element is visible, with two evaluations."""
    rng = np.random.default_rng(5)
    leaves = tracked(arrays)
    out = fn(*leaves)
    upstream = rng.standard_normal(out.shape)
    directions = [rng.standard_normal(x.shape) for x in arrays]
    found = pulled_back(out, leaves, upstream)
    analytic = sum(np.sum(g * d) for g, d in zip(found, directions, strict=True) if g is not None)
    ends = [
        np.sum(upstream * fn(*tracked([x + step * d for x, d in zip(arrays, directions, strict=True)])).data)
        for step in (1e-6, -1e-6)
    ]
    np.testing.assert_allclose(analytic, (ends[0] - ends[1]) / 2e-6, rtol=rtol, atol=atol * (1 + abs(ends[0])))


def check_derivatives(fn, arrays, out=None, leaves=None, rtol=1e-5):
    """Check both orders along a random direction of inputs and upstream gradient, as `check_gradient` does the first.

    ``out`` is ``fn(*leaves)`` if that is known. The gradients of a recorded pass must be those of one that is not.
    """
    rng = np.random.default_rng(7)
    if out is None:
        leaves = tracked(arrays)
        out = fn(*leaves)
    g = rng.standard_normal(out.shape)
    directions = [rng.standard_normal(x.shape) for x in arrays]
    weights = [rng.standard_normal(x.shape) for x in arrays]
    turn = rng.standard_normal(out.shape)
    upstream = tg.Tensor(g, requires_grad=True)

    plain = pulled_back(out, leaves, g, retain_graph=True)
    recorded = tg.grad(out, leaves, upstream, create_graph=True)
    for one, other in zip(plain, recorded, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(other.data, one, rtol=1e-9, atol=1e-11 * (1 + np.abs(one).max(initial=0)))
    total = sum(np.sum(found * w) for found, w in zip(recorded, weights, strict=True) if found is not None)
    second = [None] * (len(arrays) + 1)
    if isinstance(total, tg.Tensor) and total.requires_grad:
        second = tg.grad(total, [*leaves, upstream])

    values, slopes = [], []
    for step in (1e-6, -1e-6):
        moved = tracked([x + step * d for x, d in zip(arrays, directions, strict=True)])
        y = fn(*moved)
        values.append(np.sum(g * y.data))
        found = tg.grad(y, moved, g + step * turn)
        slopes.append(sum(np.sum(part * w) for part, w in zip(found, weights, strict=True) if part is not None))
    both = [("first", plain, directions, values, 1e-6), ("second", second, [*directions, turn], slopes, 1e-5)]
    for order, found, ways, ends, atol in both:
        analytic = sum(np.sum(part * d) for part, d in zip(found, ways, strict=True) if part is not None)
        numeric, size = (ends[0] - ends[1]) / 2e-6, 1 + abs(ends[0])
        np.testing.assert_allclose(analytic, numeric, rtol=rtol, atol=atol * size, err_msg=f"the {order} derivative")


@contextlib.contextmanager
def noted(text):
    """Add a text to an error, which says what a loop in a test was checking."""
    try:
        yield
    except BaseException as error:
        error.add_note(text)
        raise


def grouped(items, key):
    """The items in a dict by ``key(item)``: one test for each key costs less than one for each item."""
    groups = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def sampled(rows, every):
    """Rows for `pytest.mark.parametrize`: one in ``every`` in the default suite, the others in the slow tests."""
    return [
        pytest.param(*(row if isinstance(row, tuple) else [row]), marks=pytest.mark.slow if i % every else [])
        for i, row in enumerate(rows)
    ]


def each(names, rows, ids=None):
    """Call a short test with each row, as `pytest.mark.parametrize` does, in one test; an error says with which row.

    For rows that take less time than pytest needs for a test of its own, and for tests that change no fixture.
    """
    names, rows = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names), list(rows)
    labels = list(map(ids, rows) if callable(ids) else ids or map(repr, rows))

    def decorate(test):
        @functools.wraps(test)
        def run(**others):
            for label, row in zip(labels, rows, strict=True):
                with noted(f"with {label}"):
                    test(**dict(zip(names, row if len(names) > 1 else [row], strict=True)), **others)

        given = inspect.signature(test)
        run.__signature__ = given.replace(parameters=[p for p in given.parameters.values() if p.name not in names])
        return run

    return decorate


def is_recording():
    """Whether an operation on a tensor that requires a gradient is recorded here."""
    return (leaf(1.0) * 2).requires_grad


def derivatives(fn, x, orders):
    """All derivatives of ``fn(x).sum()``: the gradient, the Hessian and so on."""

    def next_order(fn):
        return lambda x: tg.jacobian(fn, x)

    out, found = lambda x: np.sum(fn(x)), []
    for _ in range(orders):
        out = next_order(out)
        found.append(np.asarray(out(np.array(x, float))))
    return found


def along(fn, x, directions):
    """Directional derivatives of increasing order, computed without forming a Hessian."""
    x = leaf(x)
    y, found = np.sum(fn(x)), []
    for direction in directions:
        g = tg.grad(y, x, create_graph=True)
        if g is None:  # constant
            break
        y = np.sum(g * direction)
        found.append(y.item())
        if not y.requires_grad:
            break
    return found + [0.0] * (len(directions) - len(found))


def check_equal(fn, smooth, x, orders=3):
    """Check that all derivatives are those of a function without a kink: two in full, all in general directions."""
    for got, expected in zip(derivatives(fn, x, 2), derivatives(smooth, x, 2), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
    directions = np.random.default_rng(0).uniform(-1, 1, (orders, *np.shape(x)))
    np.testing.assert_allclose(along(fn, x, directions), along(smooth, x, directions), rtol=1e-11, atol=1e-11)


def right_or_nan(got, expected, rtol=1e-6, atol=1e-6):
    """Check that every finite element is correct; elements may be NaN or infinite instead."""
    got, expected = np.broadcast_arrays(got, expected)
    known = np.isfinite(got)
    np.testing.assert_allclose(got[known], expected[known], rtol=rtol, atol=atol)


def slope(fn, x):
    """Derivative of ``sum(fn(x))`` at every element of x."""
    x = leaf(x)
    out = fn(x)
    return tg.grad(np.sum(out), x) if out.requires_grad else np.zeros(x.shape)


def slopes(fn, x):
    """First and second derivative, elementwise."""
    x = leaf(x)
    with np.errstate(all="ignore"):
        first = tg.grad(np.sum(fn(x)), x, create_graph=True)
        second = tg.grad(np.sum(first), x) if first.requires_grad else None
    return first.data, np.zeros(x.shape) if second is None else second


def draw(*shape, seed=0):
    """Numbers from the standard normal distribution, the same ones for the same seed."""
    return np.random.default_rng(seed).standard_normal(shape)


def example(name):
    """The program ``examples/NAME.py`` as a module."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names_of_tables(np_):
    """The names that the code in tables of the documentation uses; ``np_`` is NumPy, or what takes its place."""
    return {
        "f": lambda x: np_.sum(np_.sin(x) * x),
        "f2": lambda x, y: np_.sum(np_.exp(x) * y**2),
        "h": lambda x: x**3 + np_.tanh(x),
        "x": np.array([0.3, -1.2, 2.0]),
        "y": np.array([0.5, 0.7, -0.2]),
        "v": np.array([1.0, -0.4, 0.1]),
    }

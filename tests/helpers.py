"""Functions that tests in several files use: leaves, and derivatives of functions of them."""

import numpy as np

import tensorgrad as tg


def leaf(x, dtype=float):
    """A tensor that requires a gradient, with a copy of these values."""
    return tg.Tensor(np.array(x, dtype), requires_grad=True)


def tracked(arrays):
    """A tensor that requires a gradient for each array, with the array's own memory."""
    return [tg.Tensor(x, requires_grad=True) for x in arrays]


def gradients(fn, arrays, seed=3):
    """Gradients of the function's output, pulled back from a random direction in its own dtype."""
    leaves = tracked(arrays)
    out = fn(*leaves)
    direction = np.random.default_rng(seed).standard_normal(out.shape).astype(out.dtype)
    found = tg.grad(out, leaves, direction)
    return [np.zeros_like(x) if g is None else g for g, x in zip(found, arrays, strict=True)]


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

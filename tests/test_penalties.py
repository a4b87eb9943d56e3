"""The gradients of penalties, which the backward pass adds last, in place."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import blas

PENALTIES = {  # functions of a matrix, and the multiple of it that is their gradient
    "np.sum(w**2)": (lambda w: np.sum(w**2), 2),
    "np.vdot(w, w)": (lambda w: np.vdot(w, w), 2),
    "np.vdot(w, 3 * w)": (lambda w: np.vdot(w, 3 * w), 6),
    "np.vdot(w, w.detach())": (lambda w: np.vdot(w, w.detach()), 1),
    "np.vdot(w.detach(), w)": (lambda w: np.vdot(w.detach(), w), 1),
    "np.vdot of an alias": (lambda w: np.vdot(w, w[...]), 2),
    "np.vdot, twice": (lambda w: np.vdot(w, w) + np.vdot(w, w), 4),
    "np.vdot of the transpose": (lambda w: np.vdot(w.T, w.T), 2),
}


@pytest.mark.parametrize("with_blas", [True, False], ids=["BLAS", "NumPy"])
@pytest.mark.parametrize("name", PENALTIES)
def test_penalties_beside_another_gradient(name, with_blas, monkeypatch):
    if not with_blas:
        monkeypatch.setattr(blas, "enabled", lambda: False)
    penalty, multiple = PENALTIES[name]
    rng = np.random.default_rng(0)
    for shape, dtype in [((3, 4), np.float64), ((150, 200), np.float32), ((150, 200), np.float64)]:
        w = tg.Tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True)
        x = rng.standard_normal((5, shape[0])).astype(dtype)
        (np.sum(x @ w) + 0.5 * penalty(w)).backward()
        expected = np.broadcast_to(x.sum(0)[:, None], shape) + 0.5 * multiple * w.data
        np.testing.assert_allclose(w.grad, expected, rtol=1e-5, atol=1e-5)
        assert w.grad.dtype == dtype


def test_vdot_of_a_tensor_with_itself_has_derivatives_of_any_order():
    x = np.array([[1.0, 2.0], [0.0, -3.0]])
    assert tg.gradgradcheck(lambda x: np.vdot(x, x) ** 2, [x])
    np.testing.assert_array_equal(tg.hessian(lambda x: np.vdot(x, x), x.ravel()), 2 * np.eye(4))


@pytest.mark.parametrize("shape", [(3,), (150, 200)])
@pytest.mark.parametrize(("dtype", "scale"), [(np.float16, 32768), (np.float32, 2e38)])
@pytest.mark.parametrize("squares", [lambda x: np.vdot(x, x), lambda x: np.sum(x**2), lambda x: np.sum(np.square(x))])
def test_a_gradient_overflows_only_if_it_is_too_large_itself(squares, dtype, scale, shape):
    x = np.full(shape, 1e-3, dtype)
    x.flat[0] = 0
    t, scale = tg.Tensor(x, requires_grad=True), dtype(scale)
    (squares(t) * scale + np.sum(t * 0)).backward()
    with np.errstate(over="ignore"):
        expected = scale * (x + x)
    np.testing.assert_allclose(t.grad, expected, rtol=1e-3)

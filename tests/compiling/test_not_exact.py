"""`exact=False`: products that are added to weights without being computed as gradients, and sums of squares."""

import pickle

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import blas
from tensorgrad.optim.products import Product
from tests.compiling.steps import programs

SHAPE = 120, 100  # so many elements that NaN is looked for in the factors of the gradient, not in the gradient


class Subclass(tg.optim.SGD):
    def _update(self, p, d, state, *scratch):
        super()._update(p, 2 * d, state, *scratch)


def make(optimizer, before=lambda w, x: None, penalty=0.0, squares=lambda w: np.sum(w**2), result=lambda w: 0):
    """A weight and a step that trains it; ``before`` runs before the update."""
    w = tg.Tensor(np.random.default_rng(0).standard_normal(SHAPE) / 10, requires_grad=True)
    optimizer = optimizer({"w": w})

    def step(x):
        loss = np.sum(np.tanh(x @ w)) / 50
        if penalty:
            loss = loss + penalty * squares(w)
        optimizer.zero_grad()
        loss.backward()
        before(w, x)
        optimizer.step()
        return loss, result(w)

    return w, step


def writes_x(w, x):
    x *= 0.5


ROWS = [  # options of `make`, and whether the product is not computed
    ("SGD", {"optimizer": lambda p: tg.optim.SGD(p, 0.1)}, True),
    ("weight decay", {"optimizer": lambda p: tg.optim.SGD(p, 0.1, weight_decay=0.1)}, True),
    ("maximize", {"optimizer": lambda p: tg.optim.SGD(p, 0.1, maximize=True, weight_decay=0.1)}, True),
    ("momentum", {"optimizer": lambda p: tg.optim.SGD(p, 0.1, momentum=0.9, dampening=0.5)}, True),
    ("Nesterov", {"optimizer": lambda p: tg.optim.SGD(p, 0.1, momentum=0.9, nesterov=True)}, True),
    ("all", {"optimizer": lambda p: tg.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.1, maximize=True)}, True),
    ("groups", {"optimizer": lambda p: tg.optim.SGD([{"params": p, "lr": 0.1}])}, True),
    ("penalty", {"optimizer": lambda p: tg.optim.SGD(p, 0.1), "penalty": 0.3}, True),
    ("vdot", {"optimizer": lambda p: tg.optim.SGD(p, 0.1), "penalty": 0.3, "squares": lambda w: np.vdot(w, w)}, True),
    ("penalty and momentum", {"optimizer": lambda p: tg.optim.SGD(p, 0.1, momentum=0.9), "penalty": 0.3}, True),
    ("penalty, momentum, maximize",
     {"optimizer": lambda p: tg.optim.SGD(p, 0.1, momentum=0.9, maximize=True), "penalty": 0.3}, True),
    ("penalty, maximize", {"optimizer": lambda p: tg.optim.SGD(p, 0.1, maximize=True), "penalty": 0.3}, True),
    ("a subclass", {"optimizer": lambda p: Subclass(p, 0.1)}, False),
    ("Adam", {"optimizer": lambda p: tg.optim.Adam(p, 0.01)}, False),
    ("clipping", {"optimizer": lambda p: tg.optim.SGD(p, 0.1),
                  "before": lambda w, x: tg.optim.clip_grad_norm([w], 0.01)}, False),
    ("a result", {"optimizer": lambda p: tg.optim.SGD(p, 0.1), "result": lambda w: w.grad}, False),
    ("the norm of it", {"optimizer": lambda p: tg.optim.SGD(p, 0.1), "result": lambda w: np.max(w.grad)}, False),
    ("a write to a factor", {"optimizer": lambda p: tg.optim.SGD(p, 0.1), "before": writes_x}, False),
]  # fmt: skip


@pytest.mark.parametrize("with_blas", [True, False], ids=["BLAS", "NumPy"])
@pytest.mark.parametrize(("options", "is_product"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_products(options, is_product, with_blas, monkeypatch):
    if not with_blas:
        monkeypatch.setattr(blas, "enabled", lambda: False)
    (ours, step), (theirs, other) = make(**options), make(**options)
    compiled = tg.compile(step, exact=False)
    for k in range(12):
        x = np.random.default_rng(k).standard_normal((8, SHAPE[0]))
        got, expected = compiled(x.copy()), other(x.copy())
        np.testing.assert_allclose(got[0].data, expected[0].data, rtol=1e-12)
        np.testing.assert_allclose(got[1], expected[1], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(ours.data, theirs.data, rtol=1e-11, atol=1e-13)
    assert programs(compiled) == 1 + is_product  # with and without a gradient of an earlier call
    assert ("Product(" in compiled.source) == is_product
    assert (ours.grad is None) == is_product
    assert ("vdot(w, w)" in compiled.source) == ("penalty" in options)


def test_a_weight_whose_dtype_was_unpickled_is_equal_but_another_object():
    (ours, step), (theirs, other) = (make(lambda p: tg.optim.SGD(p, 0.1)) for _ in range(2))
    ours.data = pickle.loads(pickle.dumps(ours.data))
    compiled = tg.compile(step, exact=False)
    for k in range(4):
        x = np.random.default_rng(k).standard_normal((8, SHAPE[0]))
        compiled(x), other(x)
    np.testing.assert_allclose(ours.data, theirs.data, rtol=1e-12)
    assert "Product(" in compiled.source


def test_by_default_gradients_are_computed():
    w, step = make(lambda p: tg.optim.SGD(p, 0.1), penalty=0.3)
    compiled = tg.compile(step)
    for _ in range(4):
        compiled(np.ones((8, SHAPE[0])))
    assert w.grad.shape == SHAPE
    assert "Product" not in compiled.source
    assert "= vdot(" not in compiled.source


SQUARES = {
    "an argument": (lambda x: np.sum(x**2), True),
    "a result": (lambda x: np.sum((x - 1) ** 2), True),
    "along an axis": (lambda x: np.sum(x**2, axis=0), False),
    "used twice": (lambda x: np.sum(s := x**2) + np.max(s), False),
    "integers": (lambda x: np.sum((x > 0).astype(int) ** 2), False),
    "transposed": (lambda x: np.sum(x.T**2), True),
}


@pytest.mark.parametrize("name", SQUARES)
def test_sums_of_squares(name):
    fn, is_dot = SQUARES[name]
    compiled = tg.compile(fn, exact=False)
    for k in range(4):
        x = np.random.default_rng(k).standard_normal((3, 4))
        np.testing.assert_allclose(compiled(x), fn(x), rtol=1e-14)
    assert ("vdot" in compiled.source) == is_dot


def test_nan_in_a_factor_makes_an_ordinary_call():
    (ours, step), (theirs, other) = (make(lambda p: tg.optim.SGD(p, 0.1)) for _ in range(2))
    compiled = tg.compile(step, exact=False)
    for k in range(12):
        x = np.random.default_rng(k).standard_normal((8, SHAPE[0]))
        x[0, 0] = np.inf if k > 9 else 0
        with np.errstate(all="ignore"):
            compiled(x), other(x)
        np.testing.assert_allclose(ours.data, theirs.data, rtol=1e-11, atol=1e-13)


def test_an_error_in_the_update_leaves_no_product_behind(monkeypatch):
    w, step = make(lambda p: tg.optim.SGD(p, 0.1))
    compiled = tg.compile(step, exact=False)
    for _ in range(12):
        compiled(np.ones((8, SHAPE[0])))
    monkeypatch.setattr(Product, "add_to", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        compiled(np.ones((8, SHAPE[0])))
    assert w.grad is None


@pytest.mark.parametrize("with_blas", [True, False], ids=["BLAS", "NumPy"])
@pytest.mark.parametrize("beta", [1.0, 0.5])
@pytest.mark.parametrize(
    ("m", "k", "n", "order"), [(5000, 7, 30, "C"), (5000, 33, 30, "C"), (30, 7, 5000, "F"), (6, 90, 7, "C")]
)
def test_a_product_added_to_an_array(m, k, n, order, beta, with_blas, monkeypatch):
    """Also in parts, with either factor scaled, and with factors that are larger than the product."""
    if not with_blas:
        monkeypatch.setattr(blas, "enabled", lambda: False)
    rng = np.random.default_rng(0)
    a, b, c = rng.random((k, m)).T, rng.random((k, n)), np.asarray(rng.random((m, n)), order=order)
    before, expected = [a.copy(), b.copy()], -0.3 * (a @ b) + beta * c
    Product(a, b).add_to(c, -0.3, beta, np.empty_like(c), np.empty_like(c))
    np.testing.assert_allclose(c, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(b, before[1])


def test_a_product_as_an_array():
    a, b, p = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4), np.ones((2, 4))
    np.testing.assert_array_equal(Product(a, b).of(p), a @ b)
    np.testing.assert_array_equal(Product(a, b, 0.5).of(p), a @ b + 0.5)

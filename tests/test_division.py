"""Gradients that are known multiples of a norm or deviation: all derivatives are right at its kink, too.

`tensorgrad.rules.division` finds the quotient.
"""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.rules import division
from tests.helpers import check_equal, derivatives, leaf
from tests.test_smooth_compositions import UNDONE

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, for divisions by zero
NAN = np.nan


def squares(x, axis=None, keepdims=False):
    return np.sum(x * x, axis=axis, keepdims=keepdims)


ROWS = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])
DISTANCES = {  # a distance that has a kink at this point, and its square, which has none
    "abs": (np.abs, lambda x: x * x, [0.0, 2.0, 0.0]),
    "fabs": (np.fabs, lambda x: x * x, [0.0, -2.0]),
    "complex abs": (lambda x: np.abs(x * (3 + 4j)), lambda x: 25 * x * x, [0.0, 2.0]),
    "abs of a function": (lambda x: np.abs(np.sin(x)), lambda x: np.sin(x) ** 2, [0.0, 1.0]),
    "hypot": (lambda x: np.hypot(x[:, 0], x[:, 1]), lambda x: squares(x, 1), ROWS),
    "hypot(x, 0)": (lambda x: np.hypot(x, 0.0), lambda x: x * x, [0.0, 2.0]),
    "norm": (np.linalg.norm, squares, np.zeros(3)),
    "norm of rows": (lambda x: np.linalg.norm(x, axis=1), lambda x: squares(x, 1), ROWS),
    "norm, keepdims": (
        lambda x: np.linalg.norm(x, axis=0, keepdims=True), lambda x: squares(x, 0, keepdims=True), ROWS.T),
    "frobenius": (lambda x: np.linalg.norm(x, axis=(0, 1)), squares, np.zeros((2, 2))),
    "complex norm": (lambda x: np.linalg.norm(x * (3 + 4j)), lambda x: 25 * squares(x), np.zeros(2)),
    "distance": (lambda x: np.linalg.norm(x[0] - x[1]), lambda x: squares(x[0] - x[1]), np.ones((2, 2))),
    "std": (np.std, np.var, np.ones(3)),
    "std of rows": (lambda x: np.std(x, axis=-1, ddof=1), lambda x: np.var(x, axis=-1, ddof=1), ROWS),
    "std, where": (lambda x: np.std(x, where=[True, True, False]), lambda x: np.var(x[:2]), [1.0, 1.0, 2.0]),
    "maximum": (lambda x: np.maximum(x, -x), lambda x: x * x, [0.0, 2.0, 0.0]),
    "minimum": (lambda x: np.minimum(x, -x), lambda x: x * x, [0.0, 2.0]),
    "fmax": (lambda x: np.fmax(x, -x), lambda x: x * x, [0.0, -2.0]),
    "fmin": (lambda x: np.fmin(-x, x), lambda x: x * x, [0.0, -2.0]),
    "max": (lambda x: np.max(np.stack([x, -x]), axis=0), lambda x: x * x, [0.0, 2.0]),
    "min": (lambda x: np.min(np.stack([x, -x]), axis=0, keepdims=True), lambda x: x * x, [0.0, 2.0]),
    "nanmax": (lambda x: np.nanmax(np.stack([x, -x, x * NAN]), axis=0), lambda x: x * x, [0.0, 2.0]),
    "nanmin": (lambda x: np.nanmin(np.stack([x, -x]), axis=0), lambda x: x * x, [0.0, 2.0]),
}  # fmt: skip
OF_SQUARES = {  # a function of the distance, as a function of its square: each needs another step of the division
    "r**2": (lambda r: r**2, lambda s: s),
    "r**2.0": (lambda r: r**2.0, lambda s: s),
    "r**[2.0]": (lambda r: r ** np.array([2.0]), lambda s: s),
    "r*r": (lambda r: r * r, lambda s: s),
    "square": (np.square, lambda s: s),
    "square of a multiple": (lambda r: np.square(3 * r) ** 2, lambda s: 81 * s**2),
    "r**4": (lambda r: r**4, lambda s: s**2),
    "r*r*r*r": (lambda r: r * r * r * r, lambda s: s**2),
    "(r**2)**3": (lambda r: (r**2) ** 3, lambda s: s**3),
    "exp(-r**2)": (lambda r: np.exp(-(r**2)), lambda s: np.exp(-s)),
    "r**2 / (1 + r**2)": (lambda r: r**2 / (1 + r**2), lambda s: s / (1 + s)),
    "1 / (1 + r**2)": (lambda r: 1 / (1 + r * r), lambda s: 1 / (1 + s)),
    "sqrt(1 + r**2)": (lambda r: np.sqrt(1 + r**2), lambda s: np.sqrt(1 + s)),
    "(r / 2)**2": (lambda r: (r / 2) ** 2, lambda s: s / 4),
    "r**4 - r**2": (lambda r: r**4 - r**2, lambda s: s**2 - s),
    "+r": (lambda r: (+r) * (-r), lambda s: -s),
    "of the derivative": (lambda r: slope_of(lambda w: w * r**2 + (w * r) ** 2, r), lambda s: 3 * s),
}


def slope_of(fn, like):
    """The derivative of a function at 1, as part of a larger one."""
    w = tg.Tensor(np.ones(like.shape), requires_grad=True)
    return tg.grad(np.sum(fn(w)), w, create_graph=True)


PAIRS = [  # a sixth of them is in the default suite
    pytest.param(inner, outer, marks=pytest.mark.slow if (i + k) % 6 else [])
    for i, inner in enumerate(DISTANCES)
    for k, outer in enumerate(OF_SQUARES)
]


@pytest.mark.parametrize(("inner", "outer"), PAIRS)
def test_where_the_gradient_is_a_known_multiple_of_the_distance_all_derivatives_are_right(inner, outer):
    (distance, square, x), (f, of_square) = DISTANCES[inner], OF_SQUARES[outer]
    check_equal(lambda x: f(distance(x)), lambda x: of_square(square(x)), x)


SEVERAL = {  # of more than a distance: a function, the same without a kink, and a point
    "abs * abs": (lambda x: np.abs(x) * np.abs(x), lambda x: x * x, [0.0, 1.0]),
    "norm * norm": (lambda x: np.linalg.norm(x) * np.linalg.norm(x), squares, np.zeros(2)),
    "(a a)(b b)": (lambda x: (abs(x) * 3 * abs(x)) * (abs(x) * abs(x)), lambda x: 3 * x**4, [0.0]),
    "times a variable": (lambda z: np.hypot(z[0], z[1]) ** 2 * z[2], lambda z: squares(z[:2]) * z[2], [0.0, 0, 3]),
    "over a variable": (lambda z: np.abs(z[0]) ** 2 / z[1], lambda z: z[0] ** 2 / z[1], [0.0, 3]),
    "times itself": (lambda x: np.linalg.norm(x) ** 2 * x, lambda x: squares(x) * x, np.zeros(2)),
    "of a product": (lambda x: (np.linalg.norm(x) * x) ** 2, lambda x: squares(x) * x**2, np.zeros(2)),
    "of scaled rows": (
        lambda x: (np.linalg.norm(x, axis=1, keepdims=True) * x) ** 2, lambda x: squares(x, 1, True) * x**2, ROWS),
    "two distances": (
        lambda z: np.abs(z[0]) ** 2 * np.abs(z[1]) ** 2, lambda z: z[0] ** 2 * z[1] ** 2, [0.0, 0.0]),
    "one in another": (lambda x: np.abs(np.abs(x)) ** 2, lambda x: x * x, [0.0, 2.0]),
    "hypot of hypot": (lambda x: np.hypot(np.hypot(x[0], x[1]), x[2]) ** 2, squares, np.zeros(3)),
}  # fmt: skip


@pytest.mark.parametrize("name", SEVERAL)
def test_known_multiples_of_several_variables(name):
    check_equal(*SEVERAL[name])


def sum_by_gradient(r):
    """The sum of the elements, as the gradient with respect to a common factor."""
    w = tg.Tensor(np.ones(1), requires_grad=True)
    return tg.grad(np.sum(w * r), w, create_graph=True)


REMAINING_KINKS = {  # functions that have no derivative of this order at 0
    "r": (np.linalg.norm, 2, 2),
    "r**1.5": (lambda x: np.linalg.norm(x) ** 1.5, 2, 2),
    "r**3": (lambda x: np.linalg.norm(x) ** 3, 2, 3),
    "|x|**3": (lambda x: np.abs(x) ** 3, 1, 3),
    "r**2 + r": (lambda x: np.linalg.norm(x) ** 2 + np.linalg.norm(x), 2, 2),
    "other elements": (lambda x: (lambda r: r * r[::-1])(np.abs(x)), 2, 2),
    "the sum": (lambda x: sum_by_gradient(np.abs(x)) ** 2, 2, 2),
    "other axes": (lambda x: (lambda x: np.linalg.norm(x, axis=0) * np.linalg.norm(x, axis=1))(x.reshape(2, 2)), 4, 2),
    "other inputs": (lambda x: np.abs(x[0]) * np.abs(x[1]), 2, 2),
}


@pytest.mark.parametrize("name", REMAINING_KINKS)
def test_gradients_that_are_not_multiples_are_not_divided(name):
    fn, size, order = REMAINING_KINKS[name]
    assert np.isnan(derivatives(fn, np.zeros(size), order)[-1]).any()


def test_an_overwritten_value_is_not_the_same_value():
    """The product of ``|x|`` before and after a write to ``x`` is not a square."""
    x = leaf([0.0])
    before = np.abs(x)
    with tg.no_grad():
        x[0] = 2.0
    first = tg.grad(np.sum(before * np.abs(x)), x, create_graph=True)
    np.testing.assert_array_equal(tg.grad(np.sum(first), x), 0)  # 1 if the two were taken for one


def test_first_derivatives_do_not_ask_for_a_quotient(monkeypatch):
    asked = []
    monkeypatch.setattr(division, "_Division", lambda *_: asked.append(1))
    for distance, _, x in DISTANCES.values():
        x = leaf(x)
        tg.grad(np.sum(distance(x) ** 2), x)  # not recorded
    for distance in (np.abs, np.linalg.norm, np.std, np.max, lambda x: np.hypot(x, 1.0)):
        derivatives(lambda x, distance=distance: distance(x) ** 2, [1.0, 2.0], 2)  # no kink
    assert not asked


@pytest.mark.parametrize("change", ["removed", "wrong"])
@pytest.mark.parametrize("fn", list(division._RULES), ids=lambda fn: fn.__name__)
def test_each_step_of_the_division_is_needed(fn, change, monkeypatch):
    """Without a step, or with a wrong one, a function of the tables has a wrong derivative, or none."""
    tables = [(lambda x, f=f: f(np.abs(x)), lambda x, f=of: f(x * x), [0.0]) for f, of in OF_SQUARES.values()]
    right = division._RULES[fn]

    def twice(*args):
        found = right(*args)
        return None if found is None else found * 2

    monkeypatch.setitem(division._RULES, fn, (lambda *_: None) if change == "removed" else twice)
    tables += [(f, of, [0.0]) for f, of in UNDONE.values()]
    assert any(fails(row) for row in [*tables, *SEVERAL.values()])


def fails(row):
    try:
        check_equal(*row, orders=2)
    except AssertionError:
        return True
    return False


BESIDE = {  # of rows of numbers: a function of each row, which has a kink at a row of zeros
    "norm": lambda x: np.linalg.norm(x, axis=-1),
    "norm 3": lambda x: np.linalg.norm(x, 3, axis=-1),
    "hypot": lambda x: np.hypot(x[..., 0], x[..., 1]),
    "std": lambda x: np.std(x, axis=-1),
    "complex abs": lambda x: np.abs(x[..., 0] + 1j * x[..., 1]),
    "power": lambda x: (x[..., 0] ** 2) ** (1 + x[..., 1] ** 2),
    "float_power": lambda x: np.float_power(x[..., 0] ** 2, 1 + x[..., 1] ** 2),
}


@pytest.mark.parametrize("name", BESIDE)
def test_a_kink_does_not_affect_derivatives_of_other_rows(name):
    """First and second derivatives: the rows are independent of each other."""
    regular = np.array([[3.0, 4.0], [0.5, -1.0]])
    for got, expected in zip(
        derivatives(BESIDE[name], np.concatenate([[[0.0, 0.0]], regular]), 2),
        derivatives(BESIDE[name], regular, 2),
        strict=True,
    ):
        rest = got[1:] if got.ndim == 2 else got[1:, :, 1:, :]
        np.testing.assert_allclose(rest, expected, rtol=1e-12)

"""value_and_grad, and grad of functions, as in JAX and HIPS autograd; and mistakes between the two forms of grad."""

import dataclasses
import re
from typing import Any, NamedTuple

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import leaf

X, Y = np.array([0.5, -1.5, 2.0]), np.array([1.5, 0.5, -1.0])


def f(x, y):
    return np.sum(np.sin(x) * y**2)


DX, DY = np.cos(X) * Y**2, 2 * np.sin(X) * Y


# fmt: off
ARGNUMS = [
    (0,        DX),
    (1,        DY),
    (-1,       DY),
    ((0,),     (DX,)),
    ((1, 0),   (DY, DX)),
    ([0, 1],   (DX, DY)),
]
# fmt: on


@pytest.mark.parametrize(("argnums", "expected"), ARGNUMS)
def test_gradients_of_the_arguments_that_were_asked_for(argnums, expected):
    value, found = tg.value_and_grad(f, argnums)(X, Y)
    assert value == pytest.approx(f(X, Y))
    for gradient in (found, tg.grad(f, argnums)(X, Y), tg.grad(f, argnums=argnums)(X, Y)):
        assert isinstance(gradient, tuple) == isinstance(expected, tuple)
        for one, other in zip(*(x if isinstance(x, tuple) else (x,) for x in (gradient, expected)), strict=True):
            assert type(one) is np.ndarray
            np.testing.assert_allclose(one, other, rtol=1e-14)


def test_nested_arguments_and_keywords():
    def loss(parameters, x, *, power=2):
        return np.mean((x @ parameters["weight"] + parameters["bias"][0]) ** power)

    parameters = {"weight": np.array([1.0, 2.0]), "bias": [np.array(0.5)]}
    value, found = tg.value_and_grad(loss)(parameters, np.eye(2), power=3)
    assert found.keys() == parameters.keys()
    np.testing.assert_allclose(value, (1.5**3 + 2.5**3) / 2)
    np.testing.assert_allclose(found["weight"], [1.5 * 1.5**2, 1.5 * 2.5**2])
    np.testing.assert_allclose(found["bias"][0], 1.5 * (1.5**2 + 2.5**2))


def test_what_is_not_differentiated_is_passed_on_as_it_is():
    seen = []

    def loss(x, labels, how):
        seen.extend([labels, how])
        return tg.cross_entropy(x, labels)

    labels, how = np.array([0, 1]), object()
    assert tg.grad(loss)(np.ones((2, 3)), labels, how).shape == (2, 3)
    assert seen[0] is labels
    assert seen[1] is how


def test_gradients_nest():
    cube = lambda x: x**3  # noqa: E731
    assert tg.grad(tg.grad(tg.grad(cube)))(2.0) == 6
    np.testing.assert_allclose(tg.jacobian(tg.grad(lambda x: np.sum(x**3)), X), np.diag(6 * X))


def test_results_are_arrays_unless_something_tracked_takes_part():
    w = leaf(3.0)
    value, found = tg.value_and_grad(lambda x: np.sum(w * x**2))(X)
    assert isinstance(found, tg.Tensor)
    np.testing.assert_allclose(tg.grad(np.sum(found) + value, w), np.sum(2 * X + X**2))
    x = leaf(X)
    slopes = tg.grad(lambda x: np.sum(x**3))(x)
    np.testing.assert_allclose(tg.grad(np.sum(slopes), x), 6 * X)
    assert x.grad is None


def test_an_auxiliary_result():
    def loss(x):
        squares = x**2
        return np.sum(squares), {"squares": squares, "name": "loss"}

    (value, aux), found = tg.value_and_grad(loss, has_aux=True)(X)
    assert value == np.sum(X**2)
    assert type(aux["squares"]) is np.ndarray
    np.testing.assert_array_equal(aux["squares"], X**2)
    assert aux["name"] == "loss"
    np.testing.assert_array_equal(found, 2 * X)
    gradient, aux = tg.grad(loss, has_aux=True)(X)
    np.testing.assert_array_equal(gradient, 2 * X)
    assert aux["name"] == "loss"


def test_a_model_is_a_function_and_names_are_kept():
    model = tg.nn.Sequential([tg.nn.Linear(3, 1, np.random.default_rng(0))])
    assert tg.grad(lambda x: np.sum(model(x)))(X).shape == (3,)
    assert tg.grad(model)(X).shape == (3,)
    assert tg.grad(f).__name__ == tg.value_and_grad(f).__name__ == "f"


def test_training_by_gradients_of_a_function_descends():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((20, 3)), np.zeros(3)
    y = x @ [1.0, -2.0, 0.5]
    step = tg.value_and_grad(lambda w: np.mean((x @ w - y) ** 2))
    losses = []
    for _ in range(50):
        value, gradient = step(w)
        losses.append(float(value))
        w = w - 0.2 * gradient
    assert losses[-1] < 1e-3 * losses[0]


# fmt: off
MIXED_UP = [
    (lambda: tg.grad(f, X),                         TypeError,     "tg.grad(f)(x)"),
    (lambda: tg.grad(f, leaf(X)),                   TypeError,     "tg.grad(f)(x)"),
    (lambda: tg.grad(f, [leaf(X)]),                 TypeError,     "tg.grad(f)(x)"),
    (lambda: tg.grad(f, "x"),                       TypeError,     "tg.grad(f)(x)"),
    (lambda: tg.grad(f, ()),                        TypeError,     "argnums"),
    (lambda: tg.grad(f, True),                      TypeError,     "argnums"),
    (lambda: tg.grad(f, 0, argnums=0),              TypeError,     "argnums"),
    (lambda: tg.grad(f, 0, create_graph=True),      TypeError,     "create_graph"),
    (lambda: tg.grad(f, 0, np.ones(3)),             TypeError,     "grad_outputs"),
    (lambda: tg.grad(np.sum(leaf(X) * 2)),          TypeError,     "tg.grad(outputs, inputs)"),
    (lambda: tg.grad(np.sum(leaf(X)), argnums=0),   TypeError,     "argnums"),
    (lambda: tg.grad(np.sum(leaf(X)), leaf(X), has_aux=True), TypeError, "has_aux"),
    (lambda: tg.grad(X, leaf(X)),                   TypeError,     "for a function, write tg.grad(f)(x)"),
    (lambda: tg.value_and_grad(np.sum(leaf(X))),    TypeError,     "tg.grad(outputs, inputs)"),
    (lambda: tg.grad(f, 2)(X, Y),                   TypeError,     "no positional argument 2"),
    (lambda: tg.grad(f)(x=X, y=Y),                  TypeError,     "by position"),
    (lambda: tg.grad(lambda x: x * 2)(X),           tg.ShapeError, "tg.jacobian"),
    (lambda: tg.grad(lambda x: (x[0], x[1]))(X),    tg.ShapeError, "(), ()"),
    (lambda: tg.grad(np.sum)(np.arange(3)),         TypeError,     "astype(float)"),
    (lambda: tg.grad(f, has_aux=True)(X, Y),        TypeError,     "(value, aux)"),
]
# fmt: on


@pytest.mark.parametrize(("call", "kind", "words"), MIXED_UP)
def test_mixing_the_two_forms_of_grad_is_refused(call, kind, words):
    with pytest.raises(kind, match=re.escape(words)):
        call()


class Pair(NamedTuple):
    a: Any
    b: Any


@dataclasses.dataclass
class Weights:
    a: Any
    b: Any


@dataclasses.dataclass(frozen=True)
class Frozen:
    a: Any
    b: Any = None


@pytest.mark.parametrize("kind", [Pair, Weights, Frozen])
def test_named_tuples_and_dataclasses_are_nested_inputs(kind):
    def product(w):
        return np.sum(w.a * w.b["x"] ** 2)

    point = kind(X, {"x": Y})
    value, found = tg.value_and_grad(product)(point)
    assert type(found) is kind
    assert value == np.sum(X * Y**2)
    np.testing.assert_allclose(found.a, Y**2)
    np.testing.assert_allclose(found.b["x"], 2 * X * Y)
    assert point.a is X
    _, slope = tg.jvp(product, [point], [kind(Y, {"x": X})])
    np.testing.assert_allclose(slope, np.sum(Y**3 + 2 * X * Y * X))


def test_outputs_may_be_dataclasses():
    out, pullback = tg.vjp(lambda x: Frozen(2 * x, np.sum(x)), X)
    assert type(out) is Frozen
    np.testing.assert_allclose(pullback(Frozen(np.ones(3), 1.0)), [3, 3, 3])
    with pytest.raises(ValueError, match="must be a Frozen, got tuple"):
        pullback((np.ones(3), 1.0))

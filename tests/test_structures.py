"""Primitives whose inputs are tuples, dicts and dataclasses that hold tensors."""

from collections import namedtuple
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import leaf


@dataclass
class Line:
    slope: object
    offset: object


Pair = namedtuple("Pair", ["a", "b"])


@tg.primitive
def product(pair):
    return pair[0] * pair[1]


@tg.primitive
def of_dict(parts, *, power=1):
    return (parts["a"] * parts["b"]) ** power


@tg.primitive
def on_line(line, x):
    return line.slope * x + line.offset


def of_dict_rule(g, _ans, parts, power=1):
    inner = g * power * (parts["a"] * parts["b"]) ** (power - 1)
    return {"b": inner * parts["a"], "a": inner * parts["b"]}


tg.rule(product, lambda g, _ans, pair: (g * pair[1], g * pair[0]))
tg.rule(of_dict, of_dict_rule)
tg.rule(on_line, lambda g, _ans, line, x: Line(g * x, g), lambda g, _ans, line, x: g * line.slope)

FUNCTIONS = {
    "tuple": (lambda a, b: product((a, b)), lambda a, b: a * b),
    "list": (lambda a, b: product([a, b]), lambda a, b: a * b),
    "named tuple": (lambda a, b: product(Pair(a, b)), lambda a, b: a * b),
    "the same tensor twice": (lambda a, b: product((a, a)) * b, lambda a, b: a * a * b),
    "with an array": (lambda a, b: product((a, np.array([2.0, 3.0]))) + b, lambda a, b: a * np.array([2.0, 3.0]) + b),
    "dict with a parameter": (lambda a, b: of_dict({"a": a, "b": b}, power=3), lambda a, b: (a * b) ** 3),
    "dataclass": (lambda a, b: on_line(Line(a, 1.0), b), lambda a, b: a * b + 1.0),
    "dataclass beside a list": (
        lambda a, b: on_line(Line(a, b), [2.0, 3.0]),
        lambda a, b: a * np.array([2.0, 3.0]) + b,
    ),
    "plain input": (lambda a, b: on_line(Line(2.0, 1.0), a * b), lambda a, b: 2 * a * b + 1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_derivatives(name):
    fn, same = FUNCTIONS[name]
    inputs = [np.array([1.5, -0.5]), np.array([0.7, 2.0])]
    np.testing.assert_allclose(fn(*map(leaf, inputs)).data, same(*inputs), rtol=1e-14)
    tg.gradcheck(fn, inputs)
    tg.gradgradcheck(fn, inputs)


def test_arrays_alone_call_the_function_itself():
    out = product((np.ones(2), np.ones(2)))
    assert type(out) is np.ndarray


def test_a_rule_that_returns_another_structure():
    @tg.primitive
    def first(pair):
        return pair[0] * 1

    tg.rule(first, lambda g, _ans, pair: (g,))
    out = np.sum(first((leaf([1.0]), leaf([1.0]))))
    with pytest.raises(ValueError, match="the gradient of first must be a list or tuple of 2, got 1"):
        out.backward()


def test_tensors_in_other_objects_are_refused():
    with pytest.raises(tg.NoRuleError, match=r"SimpleNamespace has tensors in its attributes.*dataclass"):
        product(SimpleNamespace(a=leaf([1.0])))


def test_no_recording_under_no_grad():
    with tg.no_grad():
        assert not product((leaf([2.0]), leaf([3.0]))).requires_grad


def test_other_things_among_the_inputs_to_differentiate_are_named():
    @dataclass
    class Model:
        weight: object
        name: str = "linear"

    for value, kind in (
        (Model(np.ones(2)), "str"),
        ({"a": None}, "NoneType"),
        ([SimpleNamespace()], "SimpleNamespace"),
    ):
        with pytest.raises(TypeError, match=rf"arrays of numbers, in .* got {kind}: bind it"):
            tg.grad(lambda p: 0.0)(value)
    model = Model(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(tg.grad(lambda w: np.sum(replace(model, weight=w).weight ** 2))(model.weight), [2, 4])


def cubed_by(slope):
    @tg.primitive
    def cubed(x):
        return x**3

    tg.rule(cubed, slope)
    return cubed


def by_a_new_leaf(g, _ans, x):
    v = tg.Tensor(x, requires_grad=True)
    return tg.grad(np.sum(g * v**3), v)


def by_backward(g, _ans, x):
    v = tg.Tensor(x, requires_grad=True)
    np.sum(g * v**3).backward()
    return v.grad


def test_a_rule_may_differentiate_functions():
    for slope in (lambda g, _ans, x: g * tg.grad(lambda v: np.sum(v**3))(x),
                  lambda g, _ans, x: tg.vjp(lambda v: v**3, x)[1](g)):  # fmt: skip
        fn = cubed_by(slope)
        assert tg.gradcheck(fn, [np.array([1.5, -0.5])])
        assert tg.gradgradcheck(fn, [np.array([1.5, -0.5])])
        np.testing.assert_allclose(tg.hessian(fn)(np.array(1.5)), 9)


@pytest.mark.parametrize("slope", [by_a_new_leaf, by_backward])
def test_a_rule_that_makes_new_leaves_is_told_what_to_write(slope):
    """Without recording, there is nothing to differentiate; with it, the second derivative would be 0."""
    fn = cubed_by(slope)
    for derivative in (tg.grad(fn), tg.hessian(fn)):
        with pytest.raises((RuntimeError, tg.GradientLostError), match=r"rule.*write tg\.grad\(f\)\(x\) or tg\.vjp"):
            derivative(np.array(1.5))

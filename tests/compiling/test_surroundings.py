"""What the compiled function reads from outside: a change of it is noticed, and a replay follows."""

import copy
import dataclasses
import pickle
import types

import numpy as np
import pytest

import tensorgrad as tg
from tests.compiling.steps import assert_same, programs

X = np.array([1.0, -2.0])


def in_a_set():
    known = {1}
    return lambda x: x * len(known), lambda k: known.add(-k)


def in_a_list_that_shrinks():
    items = [1.0, 2.0, 3.0]
    return lambda x: x * len(items), lambda k: items.pop()


def in_slots():
    @dataclasses.dataclass
    class Config:
        __slots__ = ("rate",)
        rate: float

    config = Config(1.0)
    return lambda x: x * config.rate, lambda k: setattr(config, "rate", 2.0 * k)


def in_a_property():
    class Config:
        base = 1.0

        @property
        def rate(self):
            return self.base * 2

    config = Config()
    return lambda x: x * config.rate, lambda k: setattr(config if k > 1 else Config, "base", 3.0 * k)


def in_a_class():
    class Config:
        rate = 1.0

    return lambda x: x * Config.rate, lambda k: setattr(Config, "rate", 2.0 * k)


def in_a_base_class():
    class Base:
        rate = 1.0

    class Config(Base):
        pass

    config = Config()
    return lambda x: x * config.rate, lambda k: setattr(Config if k > 1 else Base, "rate", 2.0 * k)


def array_in_a_class():
    class Config:
        rates = np.ones(2)

    return lambda x: x * Config.rates, lambda k: setattr(Config, "rates", np.full(2, 2.0 * k))


def by_an_operator():
    class Config:
        def __init__(self):
            self.rates = {"rate": 1.0}

        def __getitem__(self, key):
            return self.rates[key]

    config = Config()
    return lambda x: x * config["rate"], lambda k: config.rates.update(rate=2.0 * k)


def by_a_string():
    config = types.SimpleNamespace(rate=1.0)
    return lambda x: x * getattr(config, "rate"), lambda k: setattr(config, "rate", 2.0 * k)  # noqa: B009


def in_a_callable_object():
    class Function:
        rate = 1.0

        def __call__(self, x):
            return x * self.rate

    function = Function()
    return function, lambda k: setattr(function, "rate", 2.0 * k)


def at_a_function():
    def function(x):
        return x * function.rate

    function.rate = 1.0
    return function, lambda k: setattr(function, "rate", 2.0 * k)


@pytest.mark.parametrize(
    "make", [in_a_set, in_a_list_that_shrinks, in_slots, in_a_property, in_a_class, in_a_base_class, array_in_a_class,
             by_an_operator, by_a_string, in_a_callable_object, at_a_function]
)  # fmt: skip
def test_a_change_is_noticed(make):
    fn, change = make()
    compiled = tg.compile(fn)
    for k in range(3):
        if k:
            change(k)
        for _ in range(4):
            assert_same(compiled(X), fn(X))
        assert programs(compiled) == k + 1


def catches_the_error(x):
    try:
        return x * float(np.sum(x))
    except Exception:
        return x * 0


def test_an_error_that_the_function_catches_is_raised():
    with pytest.raises(tg.CompileError, match=r"cannot follow float\(\)"):
        tg.compile(catches_the_error)(X)


def test_a_new_attribute_is_refused():
    place = types.SimpleNamespace()

    def function(x):
        place.last = x * 2
        return place.last + 1

    with pytest.raises(tg.CompileError, match="sets 'last'"):
        tg.compile(function)(X)


def test_an_argument_of_a_subclass_is_refused():
    x = np.ma.array(X, mask=[False, True])
    with pytest.raises(tg.CompileError, match="the argument 'x' of the compiled function is a"):
        tg.compile(catches_nothing)(x)


class Model:
    def __init__(self, scale):
        self.w = tg.Tensor(np.full(2, scale), requires_grad=True)
        self.scale = scale

    def plain(self, x):
        loss = np.sum((self.w * x * self.scale) ** 2)
        loss.backward()
        self.w.data -= 0.01 * self.w.grad
        self.w.grad = None
        return loss

    step = tg.compile(plain)


def test_a_method():
    one, other = ([Model(1.0), Model(2.0)] for _ in range(2))
    for k in range(12):
        assert_same(one[k % 2].step(X + k), other[k % 2].plain(X + k))
        assert_same(one[k % 2].w, other[k % 2].w)
    assert programs(Model.step) == 2


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda compiled: pickle.loads(pickle.dumps(compiled))])
def test_copies(how):
    compiled = tg.compile(catches_nothing)
    for _ in range(3):
        compiled(X)
    duplicate = how(compiled)
    assert programs(duplicate) == 0
    assert_same(duplicate(X), compiled(X))


def catches_nothing(x):
    return np.exp(x)

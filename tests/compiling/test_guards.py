"""When a program applies, and when it is abandoned for an ordinary call."""

import dataclasses
import operator

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.compiling.guards import signature
from tests.compiling.steps import Training, arrays, assert_same, batch, both, gradient, programs

# ------------------------------------------------------------------------------------------------ one program each


KINDS = {
    "shapes": [*arrays((2, 3)), *arrays((4, 3)), *arrays((2, 3))],
    "dtypes": [*arrays(3), *arrays(3, dtype=np.float32), *arrays(3)],
    "layouts": [*arrays((3, 3)), *[(x.T,) for (x,) in arrays((3, 3))], *[(x[:, ::2],) for (x,) in arrays((3, 3))]],
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_argument_has_a_program(kind):
    compiled = both(gradient(lambda t: np.sum(np.exp(t) * t)), KINDS[kind])
    assert programs(compiled) == len({str(signature(x)) for (x,) in KINDS[kind]})


def test_numbers_are_compared_by_value():
    compiled = both(lambda x, k: x * k, [(np.ones(2), k) for k in (1, 1, 1, 2, 2, 2, 2.0, 2.0, 1)])
    assert programs(compiled) == 3


def test_structures_of_arguments():
    calls = [({"a": x, "b": [y, 2.0]}, (x,)) for x, y in arrays(3, 3)]
    compiled = both(lambda tree, pair: tree["a"] * tree["b"][0] * tree["b"][1] + pair[0], calls)
    assert programs(compiled) == 1


def test_keywords_and_defaults():
    compiled = tg.compile(lambda x, scale=2.0, *, shift: x * scale + shift)
    for k in range(4):
        np.testing.assert_array_equal(compiled(np.ones(2), shift=np.full(2, k)), np.full(2, 2.0 + k))
    assert programs(compiled) == 1
    with pytest.raises(TypeError, match="shift"):
        compiled(np.ones(2))


def test_tensors_as_arguments():
    compiled = both(lambda t: np.exp(t) * 2, [(tg.Tensor(x),) for (x,) in arrays(3)])
    assert programs(compiled) == 1


def test_too_many_programs_warn_and_the_function_is_called():
    compiled = tg.compile(lambda x, k: x * k)

    def many_calls():
        for k in range(100):
            assert compiled(np.ones(2), k)[0] == k

    with pytest.warns(UserWarning, match="keeps changing"):
        many_calls()


def test_what_the_function_does_not_mention_may_change():
    class Trainer:
        def __init__(self):
            self.count, self.losses, self.scale = 0, [], 2.0

        def __call__(self, x):
            self.count += 1
            self.losses.append(step(x))

        def compute(self, x):
            return np.sum(x) * self.scale

    trainer = Trainer()
    step = tg.compile(trainer.compute)
    for k in range(6):
        trainer(np.full(2, float(k)))
    trainer.scale = 3.0
    for k in range(4):
        trainer(np.full(2, float(k)))
    assert trainer.losses == [0.0, 4.0, 8.0, 12.0, 16.0, 20.0, 0.0, 6.0, 12.0, 18.0]
    assert programs(step) == 2


# ------------------------------------------------------------------------------------------------ numbers


@pytest.mark.parametrize("kind", [int, float, complex, bool, str, np.float32, np.float64, np.int64])
def test_an_equal_number_is_the_same_argument(kind):
    compiled = tg.compile(lambda x, k: x * len(k) if kind is str else x * k)
    for _ in range(5):
        compiled(np.ones(2), kind("".join(["2"])))
    assert programs(compiled) == 1


def test_nan_equals_itself_and_zero_differs_from_minus_zero():
    numbers = [*3 * [0.0], *3 * [-0.0], *3 * [float("nan")], 0.0, -0.0, float("-nan")]
    compiled = both(lambda x, k: np.signbit(x * k), [(np.ones(2), float(str(k))) for k in numbers])
    assert programs(compiled) == 3


# ------------------------------------------------------------------------------------------------ zeros, NaN, infinity


SINGULAR = {
    "where and sqrt": lambda t: np.sum(np.where(t > 0, np.sqrt(t), 0)),
    "log": lambda t: np.sum(np.log(t)),
    "division": lambda t: np.sum(1 / t),
    "product with zero": lambda t: np.sum(np.where(t > 0, t * np.sqrt(t), t)),
    "norm": lambda t: np.linalg.norm(t),
    "overflow": lambda t: np.sum(np.exp(1000 * t)),
    "no gradient at NaN": lambda t: np.sum(np.where(np.isnan(t), 0, t) ** 2),
}
POINTS = [1.0, 2.0, 0.5, 0.0, 3.0, -1.0, np.nan, np.inf, 1.5, 0.0]


@pytest.mark.parametrize("name", SINGULAR)
def test_special_values(name):
    """The same values, gradients and warnings as without compiling, and the program is used where it applies."""
    compiled = both(gradient(SINGULAR[name]), [(np.array([1.0, value]),) for value in POINTS])
    assert programs(compiled) == 1


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_nan_in_a_gradient_of_any_size(large):
    n = 20_000 if large else 3
    calls = [(np.linspace(1, 2, n),), (np.linspace(1, 2, n),), (np.linspace(1, 3, n),), (np.linspace(0, 2, n),)]
    both(gradient(lambda t: np.sum(np.where(t > 0, np.sqrt(t), 0))), calls)


def test_an_abandoned_replay_changes_nothing_and_draws_nothing():
    w = tg.Tensor(np.ones(3), requires_grad=True)
    v = tg.Tensor(np.ones(3), requires_grad=True)

    def step(p, optimizer, x, rng):
        optimizer.zero_grad()
        noise = rng.random(3)
        np.sum(p * noise * np.where(x > 0, np.log(x), 0)).backward()
        optimizer.step()

    first, second = tg.optim.SGD([w], 0.1), tg.optim.SGD([v], 0.1)
    compiled = tg.compile(lambda x, rng: step(w, first, x, rng))
    rngs = np.random.default_rng(3), np.random.default_rng(3)
    for value in (1.0, 2.0, 3.0, 0.0, 2.0, -1.0, 4.0):
        with np.errstate(all="ignore"):
            compiled(np.array([1.0, 2.0, value]), rngs[0])
            step(v, second, np.array([1.0, 2.0, value]), rngs[1])
        assert_same([w.data, w.grad], [v.data, v.grad])
    assert rngs[0].bit_generator.state == rngs[1].bit_generator.state
    assert programs(compiled) == 1


def test_labels_are_checked_at_every_call():
    training = Training()
    step = tg.compile(training.step)
    for k in range(5):
        step(*batch(k))
    before = training.state()
    x, y = batch(9)
    with pytest.raises(IndexError, match=r"0\.\.2"):
        step(x, y + 1)
    assert_same(training.state()[:4], before[:4])


def test_detect_anomaly_looks_inside():
    compiled = tg.compile(gradient(lambda t: np.sum(np.log(t))))
    for _ in range(4):
        compiled(np.ones(2))
    with tg.detect_anomaly(), pytest.raises(tg.AnomalyError, match="log"):
        compiled(np.zeros(2))


# ------------------------------------------------------------------------------------------------ which tensor it is


def test_a_parameter_among_the_arguments_is_the_one_that_is_updated():
    def step(params, x):
        (w,) = params
        optimizer = optimizers[id(w)]
        optimizer.zero_grad()
        loss = np.sum(x * w**2)
        loss.backward()
        optimizer.step()
        return loss

    weights = [tg.Tensor(np.full(3, k + 1.0), requires_grad=True) for k in range(2)]
    same = [tg.Tensor(w.data.copy(), requires_grad=True) for w in weights]
    optimizers = {id(w): tg.optim.SGD([w], 0.1) for w in (*weights, *same)}
    compiled = tg.compile(step)
    for k in (0, 0, 0, 1, 1, 1, 0, 1):
        assert_same(compiled([weights[k]], np.ones(3)), step([same[k]], np.ones(3)))
        for w, v in zip(weights, same, strict=True):
            np.testing.assert_array_equal(w.data, v.data)


def test_one_tensor_twice_among_the_arguments():
    w, v = (tg.Tensor(np.array([1.0, k]), requires_grad=True) for k in (2.0, 5.0))
    compiled = tg.compile(lambda a, b: np.vdot(a, b).detach())
    for a, b in [(w, w)] * 3 + [(w, v)] * 3 + [(v, v), (w, w)]:
        assert compiled(a, b).item() == np.vdot(a.data, b.data)


# ------------------------------------------------------------------------------------------------ objects of the user


class Level:
    """Comparisons that read an attribute."""

    def __init__(self):
        self.level = 1.0

    def __eq__(self, x):
        return x * self.level

    __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __eq__
    __hash__ = object.__hash__


@pytest.mark.parametrize("compare", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_what_comparisons_of_an_object_read_is_a_condition(compare):
    level = Level()
    compiled = tg.compile(lambda x: getattr(operator, compare)(level, x))
    for value in (1.0, 1.0, 1.0, 5.0, 5.0):
        level.level = value
        np.testing.assert_array_equal(compiled(np.ones(2)), np.full(2, value))


@dataclasses.dataclass
class Counted:
    """A field that the function does not read, but the ``__eq__`` of the dataclass does."""

    scale: float = 2.0
    calls: int = 0


def test_a_field_that_only_the_comparison_of_a_dataclass_names_may_change():
    counted = Counted()
    compiled = tg.compile(lambda x: x * counted.scale)
    for k in range(6):
        counted.calls = k
        np.testing.assert_array_equal(compiled(np.full(2, k)), np.full(2, 2.0 * k))
    assert programs(compiled) == 1
    counted.scale = 3.0
    np.testing.assert_array_equal(compiled(np.ones(2)), np.full(2, 3.0))


class Stored:
    """A descriptor that keeps an array in the ``__dict__`` under its own name."""

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner=None):
        return self if instance is None else instance.__dict__[self.name]

    def __set__(self, instance, value):
        instance.__dict__[self.name] = np.asarray(value)


class Buffers:
    """Arrays behind a property without a setter, and behind a descriptor."""

    shift = Stored()

    def __init__(self):
        self.__dict__["scale"] = np.array([1.0, 2.0])
        self.shift = [3.0, 4.0]

    @property
    def scale(self):
        return self.__dict__["scale"]


@pytest.mark.parametrize("read", [lambda b: b.scale, lambda b: b.shift], ids=["property", "descriptor"])
def test_arrays_behind_properties_and_descriptors_are_inputs(read):
    buffers = Buffers()
    compiled = tg.compile(lambda x: x * read(buffers))
    for k in range(5):
        read(buffers)[...] = k
        np.testing.assert_array_equal(compiled(np.ones(2)), np.full(2, k))
    assert programs(compiled) == 1


# ------------------------------------------------------------------------------------------------ several states


def test_gradients_that_are_accumulated_over_calls():
    w, same = (tg.Tensor(np.ones(3), requires_grad=True) for _ in range(2))

    def add(t, x):
        loss = np.sum(np.exp(x * t))
        loss.backward()
        return loss

    compiled = tg.compile(lambda x: add(w, x))
    for k in range(8):
        if k % 2 == 0:
            w.grad = same.grad = None
        x = np.full(3, k / 8)
        assert_same(compiled(x), add(same, x))
        np.testing.assert_array_equal(w.grad, same.grad)
    assert programs(compiled) == 2

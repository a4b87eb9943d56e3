"""When a program applies, when it is abandoned for an ordinary call, and what it never does."""

import threading
import tracemalloc
import warnings
import weakref

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.compiling.guards import signature
from tests.compiling.steps import Training, assert_same, batch, programs


def both(fn, calls):
    """A compiled function and the function itself on the same arguments; returns the compiled one."""
    compiled = tg.compile(fn)
    for args in calls:
        assert_same(outcome(compiled, *args), outcome(fn, *args))
    return compiled


def outcome(fn, *args):
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="warn"):
        warnings.simplefilter("always")
        result = fn(*args)
    return result, sorted({str(w.message) for w in caught})  # an abandoned replay may repeat one


def arrays(*shapes, n=5, dtype=float):
    rng = np.random.default_rng(0)
    return [tuple(rng.standard_normal(shape).astype(dtype) for shape in shapes) for _ in range(n)]


def gradient(f):
    """A function of an array that returns the value and the gradient."""

    def run(x):
        t = tg.Tensor(x, requires_grad=True)
        out = f(t)
        return out.detach(), tg.grad(out, t)

    return run


# ------------------------------------------------------------------------------------------------ one program each


KINDS = {
    "shapes": [*arrays((2, 3)), *arrays((4, 3)), *arrays((2, 3))],
    "dtypes": [*arrays(3), *arrays(3, dtype=np.float32), *arrays(3)],
    "layouts": [*arrays((3, 3)), *[(x.T,) for (x,) in arrays((3, 3))], *[(x[:, ::2],) for (x,) in arrays((3, 3))]],
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_argument_has_a_program(kind):
    compiled = both(gradient(lambda t: np.sum(np.exp(t) * t)), KINDS[kind])
    assert programs(compiled) == len({str(signature(args)) for args in KINDS[kind]})


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


# ------------------------------------------------------------------------------------------------ what surrounds it


def test_an_exception_in_the_function_leaves_no_trace():
    w = tg.Tensor(np.ones(2), requires_grad=True)
    state = {"fail": True, "scale": np.ones(2)}

    def step(x):
        out = np.sum(w * x * state["scale"])
        if state["fail"]:
            raise KeyError("on purpose")
        out.backward()
        return out.detach()

    compiled = tg.compile(step)
    for _ in range(2):
        with pytest.raises(KeyError, match="on purpose"):
            compiled(np.ones(2))
        assert type(w.data) is type(state["scale"]) is np.ndarray
        assert type(np.exp(w).data) is np.ndarray
    state["fail"] = False
    for _ in range(4):
        assert compiled(np.ones(2)).item() == 2.0


def test_nested_compiled_functions():
    inner = tg.compile(lambda x: np.exp(x) * 2)
    outer = tg.compile(lambda x: inner(x) + inner(x))
    for (x,) in arrays(3):
        np.testing.assert_array_equal(outer(x), 4 * np.exp(x))
    assert programs(outer) == 1


def test_recursion_calls_the_function():
    def step(x, depth):
        return x if depth == 0 else compiled(x, depth - 1) * 2

    compiled = tg.compile(step)
    for (x,) in arrays(3):
        np.testing.assert_array_equal(compiled(x, 3), x * 8)


def test_threads():
    """Calls in several threads give what they give alone; one that finds the program busy calls the function."""
    compiled = tg.compile(gradient(lambda t: np.sum(np.tanh(t @ t))))
    expected = [gradient(lambda t: np.sum(np.tanh(t @ t)))(x) for (x,) in arrays((20, 20), n=8)]
    failures = []

    def work(k):
        (x,) = arrays((20, 20), n=8)[k]
        for _ in range(30):
            try:
                assert_same(compiled(x), expected[k])
            except Exception as error:  # reported below
                failures.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures


def test_another_thread_may_use_the_parameters_while_a_call_is_recorded():
    training = Training()
    stop, failures = threading.Event(), []

    def predict():
        x, _ = batch(0)
        while not stop.is_set():
            try:
                result = training.net(x)
                assert type(result.data) is np.ndarray
            except Exception as error:
                failures.append(error)
                return

    thread = threading.Thread(target=predict)
    thread.start()
    for _ in range(10):
        step = tg.compile(training.step)
        for k in range(3):
            step(*batch(k))
    stop.set()
    thread.join(60)
    assert not failures


def test_the_source_is_python_with_the_users_lines():
    training = Training()
    step = tg.compile(training.step)
    with pytest.raises(tg.CompileError, match="no program yet"):
        _ = step.source
    for k in range(4):
        step(*batch(k))
    compile(step.source, "source", "exec")
    assert "def compute(x, y):" in step.source
    assert "matmul(x, params_layers_hidden_weight, out=" in step.source
    assert "# (8, 5)  loss = tg.cross_entropy(self.net(x, rng), y)" in step.source
    assert "gradient of matmul" in step.source


def test_a_replay_allocates_nothing_large():
    w = tg.Tensor(np.ones((300, 300)), requires_grad=True)
    optimizer = tg.optim.SGD([w], 1e-6)

    def step(x):
        optimizer.zero_grad()
        np.sum(np.tanh(x @ w)).backward()
        optimizer.step()

    compiled, x = tg.compile(step), np.ones((300, 300))
    for _ in range(5):
        compiled(x)
    tracemalloc.start()
    try:
        compiled(x)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < w.data.nbytes / 4


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


# ------------------------------------------------------------------------------------------------ state and memory


def test_no_argument_or_result_is_kept():
    compiled, references = tg.compile(lambda x: np.exp(x) * 2), []
    for k in range(5):
        x = np.full(3, float(k))
        result = compiled(x)
        references += [weakref.ref(x), weakref.ref(result)]
        del x, result
    assert programs(compiled) == 1
    assert all(reference() is None for reference in references)


def test_what_cannot_be_recorded_is_left_as_it_was():
    class Arrays(dict):
        def __setitem__(self, key, value):
            raise KeyError("read only")

    table, w = Arrays(a=np.ones(2)), tg.Tensor(np.ones(2), requires_grad=True)
    with pytest.raises(KeyError, match="read only"):
        tg.compile(lambda x: x * w.detach() * table["a"])(np.ones(2))
    assert type(w.data) is type(np.exp(w).data) is np.ndarray
    assert type(table["a"]) is np.ndarray


def test_an_error_in_the_update_does_not_repeat_the_call():
    class Optimizer(tg.optim.SGD):
        calls = 0

        def _update(self, p, d, state, *scratch):
            self.calls += 1
            np.multiply(p, self.lr, out=p)

    w = tg.Tensor(np.ones(2), requires_grad=True)
    optimizer = Optimizer([w], 2.0)

    def step(x):
        optimizer.zero_grad()
        np.sum(w * x).backward()
        optimizer.step()

    compiled = tg.compile(step)
    for _ in range(4):
        compiled(np.ones(2))
    optimizer.lr = 1e308
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        compiled(np.ones(2))
    assert optimizer.calls == 5

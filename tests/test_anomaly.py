"""`detect_anomaly`: the first NaN or infinity raises, with operation, index, values, line and the usual rewrite."""
# ruff: noqa: E501  (tables with one row per line)

import inspect
import threading

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import leaf


def line_of(function, text):
    """The number of the line of a function's source that contains the text."""
    lines, start = inspect.getsourcelines(function)
    return start + next(i for i, line in enumerate(lines) if text in line)


# fmt: off
FORWARD = [  # a computation, and words in the error
    ("log([2.0, 0.0])",                lambda: np.log(leaf([2.0, 0.0])),                     ["first infinity", "'log'", "(1,)", "log(0.0) = -inf", "logsumexp"]),
    ("log([[2.0, 1.0], [-0.5, 1.0]])", lambda: np.log(leaf([[2.0, 1.0], [-0.5, 1.0]])),      ["first NaN", "'log'", "(1, 0)", "log(-0.5) = nan"]),
    ("sqrt([-1.0])",                   lambda: np.sqrt(leaf([-1.0])),                        ["first NaN", "'sqrt'", "sqrt(-1.0)", "np.where(ok, x, 1)", "np.linalg.norm"]),
    ("exp([1.0, 1000.0])",             lambda: np.exp(leaf([1.0, 1000.0])),                  ["first infinity", "'exp'", "(1,)", "exp(1000.0) = inf", "tg.softmax"]),
    ("1 / [1.0, 0.0]",                 lambda: 1 / leaf([1.0, 0.0]),                         ["first infinity", "'divide'", "(1,)", "divide(1, 0.0)", "np.where(y == 0, 1, y)"]),
    ("[0.0] / array([[1.0], [0.0]])",  lambda: leaf([0.0]) / np.array([[1.0], [0.0]]),       ["first NaN", "'divide'", "(1, 0)", "divide(0.0, 0.0)"]),
    ("[0.0, 2.0] ** (-1)",             lambda: leaf([0.0, 2.0]) ** -1,                       ["first infinity", "'power'", "power(0.0, -1)"]),
    ("arcsin([1.0000001])",            lambda: np.arcsin(leaf([1.0000001])),                 ["first NaN", "'arcsin'", "np.clip"]),
    ("[1e+200] * 1e+200",              lambda: leaf([1e200]) * 1e200,                        ["first infinity", "'multiply'", "multiply(1e+200, 1e+200)"]),
    ("sum([1e+308, 1e+308])",          lambda: np.sum(leaf([1e308, 1e308])),                 ["first infinity", "'sum'", "array of shape (2,) from 1e+308 to 1e+308"]),
    ("sum(Tensor([1e+308, 1e+308]))",  lambda: np.sum(tg.Tensor([1e308, 1e308])),            ["first infinity", "'sum'"]),  # no gradient is required
    ("[inf] - inf",                    lambda: leaf([np.inf]) - np.inf,                      ["first NaN", "'subtract'", "subtract(inf, inf)"]),
]
PASSES = [
    ("softmax(where([True, False], [1.0, 2.0], -inf))", lambda: tg.softmax(np.where([True, False], leaf([1.0, 2.0]), -np.inf))),
    ("logsumexp([-inf, 1.0])",                    lambda: tg.logsumexp(leaf([-np.inf, 1.0]))),
    ("max([nan, 1.0])",                           lambda: np.max(leaf([np.nan, 1.0]))),
    ("isnan([nan])",                              lambda: np.isnan(leaf([np.nan]))),
    ("sin([nan])",                                lambda: np.sin(leaf([np.nan]))),
    ("Tensor([1, 2]) + 1",                        lambda: tg.Tensor([1, 2]) + 1),
    ("sqrt(linalg.norm([3.0, 4.0]))",             lambda: np.sqrt(np.linalg.norm(leaf([3.0, 4.0])))),
    ("max_pool1d([[[1.0, 2.0, 3.0]]], 3, padding=1)", lambda: tg.max_pool1d(leaf([[[1.0, 2.0, 3.0]]]), 3, padding=1)),  # padded with -inf
    ("grad(sum(where([False, True], sqrt((x := [0.0, 4.0])), 0)...", lambda: tg.grad(np.sum(np.where([False, True], np.sqrt(x := leaf([0.0, 4.0])), 0)), x, create_graph=True)),
    ("grad(hypot((x := 0.0), (y := 0.0)), [x, y], create_graph=...", lambda: tg.grad(np.hypot(x := leaf(0.0), y := leaf(0.0)), [x, y], create_graph=True)),
]
BACKWARD = [
    ("sum(sqrt(x))",             lambda x: np.sum(np.sqrt(x)),         [4.0, 0.0],     ["first infinity of the backward pass", "'sqrt'", "(1,)", "upstream gradient 1.0", "inputs 0.0", "output 0.0"]),
    ("sum(cbrt(x) * 2)",         lambda x: np.sum(np.cbrt(x) * 2),     [0.0, 1.0],     ["'cbrt'", "(0,)", "upstream gradient 2.0"]),
    ("sum(x ** 0.5)",            lambda x: np.sum(x**0.5),             [0.0, 1.0],     ["'power'", "inputs 0.0, 0.5"]),
    ("sum(arccos(x))",           lambda x: np.sum(np.arccos(x)),       [0.5, 1.0],     ["'arccos'", "(1,)"]),
    ("sum(x * 1e+200 * 1e+200)", lambda x: np.sum(x * 1e200 * 1e200),  [1e-300, 0.0], ["first infinity of the backward pass", "'multiply'", "input 1"]),
]
# fmt: on


@pytest.mark.parametrize(("name", "compute", "words"), FORWARD, ids=[row[0] for row in FORWARD])
def test_the_first_anomaly_of_a_forward_pass_is_reported(name, compute, words):
    with pytest.raises(tg.AnomalyError) as caught, tg.detect_anomaly():
        compute()
    for word in [*words, f"{__file__}:{line_of_case(words)}", "Usual rewrite: "]:
        assert word in str(caught.value)
    with np.errstate(all="ignore"):
        compute()  # outside the context nothing is checked


def line_of_case(words):
    with open(__file__, encoding="utf-8") as source:  # noqa: PTH123
        return next(
            n for n, line in enumerate(source, 1) if str(words).replace("'", '"')[:40] in line.replace("'", '"')
        )


@pytest.mark.parametrize(("name", "fn"), PASSES, ids=[row[0] for row in PASSES])
def test_values_explained_by_the_inputs_are_accepted(name, fn):
    with tg.detect_anomaly():
        fn()


@pytest.mark.parametrize(("name", "f", "x", "words"), BACKWARD, ids=[row[0] for row in BACKWARD])
def test_the_first_anomaly_of_a_backward_pass_is_reported(name, f, x, words):
    with pytest.raises(tg.AnomalyError) as caught, tg.detect_anomaly():
        f(leaf(x)).backward()
    for word in [*words, __file__, "called at", "Usual rewrite: "]:
        assert word in str(caught.value), str(caught.value)


def test_a_nan_that_the_zero_rule_replaces_is_accepted():
    with tg.detect_anomaly():
        x = leaf([0.0, 4.0])
        np.sum(np.where([False, True], np.sqrt(x), 0)).backward()
        np.testing.assert_array_equal(x.grad, [0, 0.25])
        y = leaf([3.0, 4.0])
        np.linalg.norm(y - [3.0, 4.0]).backward()


def test_second_derivatives_are_checked():
    x = leaf([0.0])
    with tg.detect_anomaly():
        (g,) = tg.grad(np.sum(x**1.5), [x], create_graph=True)  # 1.5 sqrt(x), which has no slope at 0
        with pytest.raises(tg.AnomalyError, match="infinity"):
            tg.grad(np.sum(g), x)


def test_it_nests_ends_and_survives_exceptions():
    @tg.detect_anomaly()
    def root(x):
        return np.sqrt(x)

    with pytest.raises(tg.AnomalyError):
        root(leaf([-1.0]))
    with tg.detect_anomaly():
        with pytest.raises(ZeroDivisionError), tg.detect_anomaly():
            raise ZeroDivisionError
        with pytest.raises(tg.AnomalyError):
            np.sqrt(leaf([-1.0]))
    with np.errstate(all="ignore"):
        assert np.isnan(np.sqrt(leaf([-1.0])).data).all()


def test_a_generator_is_refused():
    def generator():
        yield 1

    with pytest.raises(TypeError, match="generator"):
        tg.detect_anomaly()(generator)


def test_other_threads_are_not_checked():
    seen = []

    def work():
        with np.errstate(all="ignore"):
            seen.append(np.isnan(np.sqrt(leaf([-1.0])).item()))

    with tg.detect_anomaly():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert seen == [True]


# ------------------------------------------------------------------------------------------------ overwritten values


def test_a_write_through_a_raw_ndarray_is_found_before_its_gradient_is_used():
    data = np.array([1.0, 2.0, 3.0])
    x, w = leaf([4.0, 5.0, 6.0]), leaf([1.0, 1.0, 1.0])
    for array, compute in [
        (data, lambda: np.sum(x * data)),
        (x.data, lambda: np.sum(np.sin(x) * w)),
        (data, lambda: np.sum(np.where(data > 1, x, 0) * data)),
    ]:
        before = array[1]
        with tg.detect_anomaly():
            loss = compute()
            array[1] = 7
            with pytest.raises(tg.OverwriteError) as caught:
                loss.backward()
            array[1] = before
            for word in (
                "'multiply'" if array is data else "'sin'",
                "(1,)",
                f"was {before} and is 7.0",
                __file__,
                "backward",
            ):
                assert word in str(caught.value)
            loss = compute()
            loss.backward()  # still works


def test_a_saved_result_is_compared():
    x = leaf([1.0, 2.0])
    with tg.detect_anomaly():
        y = np.exp(x)
        y.data[0] = 0
        with pytest.raises(tg.OverwriteError, match="'exp'"):
            np.sum(y).backward()


# ------------------------------------------------------------------------------------------------ the user's line


def composed(x):
    return tg.cross_entropy(x, [0])  # the line that called


def test_an_error_in_the_backward_pass_shows_the_line_of_the_forward_call():
    broken = tg.primitive(lambda x: x * 2)
    tg.rule(broken, lambda g, ans, x: 1 / 0)

    def forward(x):
        return broken(x)  # here

    with pytest.raises(ZeroDivisionError) as caught:
        np.sum(forward(leaf([1.0]))).backward()
    assert f"{__file__}:{line_of(forward, '# here')} in forward" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda x: x * 2, id="x * 2"),
        pytest.param(lambda x: np.sin(x), id="sin(x)"),
        pytest.param(lambda x: x.sum(), id="x.sum()"),
        pytest.param(lambda x: np.linalg.norm(x), id="linalg.norm(x)"),
        pytest.param(lambda x: x[0], id="x[0]"),
        pytest.param(lambda x: tg.softmax(x), id="softmax(x)"),
        pytest.param(lambda x: np.einsum("ij->i", x), id="einsum('ij->i', x)"),
        pytest.param(lambda x: np.var(x), id="var(x)"),
        pytest.param(lambda x: tg.gelu(x), id="gelu(x)"),
    ],
)
def test_the_line_is_the_users_for_every_kind_of_call(call):
    assert __file__ in call(leaf([[1.0, 2.0]])).record.where()


def test_second_derivatives_show_the_line_of_the_forward_call():
    x = leaf([2.0])

    def cube(x):
        return x**3  # here

    (g,) = tg.grad(np.sum(cube(x)), [x], create_graph=True)
    assert f":{line_of(cube, '# here')} in cube" in g.record.where()


def test_the_line_of_a_composition():
    assert f":{line_of(composed, 'the line that called')} in composed" in composed(leaf([[1.0, 2.0]])).record.where()


def test_refusals_of_backward_say_what_to_do():
    x = leaf([1.0, 2.0])
    loss = np.sum(x * x)
    loss.backward()
    for call, error, words in [
        (loss.backward, tg.FreedGraphError, ["retain_graph=True", "'sum'", __file__]),
        (tg.Tensor([1.0]).backward, RuntimeError, ["requires_grad=True", "no_grad"]),
        ((x * 2).backward, tg.ShapeError, [".sum()", "seed", "(2,)"]),
        (lambda: (x * 2j).backward(np.ones(2)), TypeError, ["np.real"]),
    ]:
        with pytest.raises(error) as caught:
            call()
        assert not [word for word in words if word not in str(caught.value)], str(caught.value)


SMOOTH_AGAIN = [  # functions whose derivative at 0 a pass finds only if it is recorded, with this derivative
    (lambda x: np.sqrt(x) ** 2, 1.0),
    (lambda x: np.cbrt(x) ** 3, 1.0),
    (lambda x: np.where(x > 0, np.sqrt(x), 0), 0.0),
]


@pytest.mark.parametrize(("fn", "slope"), SMOOTH_AGAIN, ids=["sqrt(x)**2", "cbrt(x)**3", "where"])
def test_a_limit_is_found_under_detect_anomaly_as_without_it(fn, slope):
    x = leaf([0.0, 0.0])
    with tg.detect_anomaly():
        np.sum(fn(x)).backward()
    np.testing.assert_array_equal(x.grad, [slope, slope])

"""Every row for a ufunc of SciPy, compared with mpmath at the edges, and with differences for orders 1 and 2."""

import subprocess
import sys

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.frontend import dispatch
from tensorgrad.functional.error_function import normal_cdf
from tests.helpers import leaf

sp = pytest.importorskip("scipy.special", reason="SciPy is in the extra `scipy`")
mpmath = pytest.importorskip("mpmath", reason="mpmath is in the extra `test`")
mp = mpmath.mp

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # at poles

REAL, POSITIVE, UNIT, LARGE = [-2.3, -0.4, 0.3, 1.7, 3.1], [0.3, 0.9, 1.7, 3.1], [0.1, 0.45, 0.8], [1.3, 2.2, 4.1]
PAIRS = ([0.7, 1.6, 2.4], [0.4, 1.1, 1.9])


def of(name, *values):
    """A function with its first arguments fixed."""
    f = getattr(sp, name)
    return lambda *xs: f(*values, *xs)


# fmt: off
# The function, points for differences, and for mpmath: its function and points at the edges.
ONE = [
    ("expit",    (),    REAL,     lambda x: 1 / (1 + mp.exp(-x)),       [-700.0, -40.0, 0.0, 40.0, 700.0]),
    ("logit",    (),    UNIT,     lambda x: mp.log(x / (1 - x)),        [1e-300, 1e-9, 0.5, 1 - 1e-9]),
    ("log_expit", (),   REAL,     lambda x: -mp.log(1 + mp.exp(-x)),    [-800.0, 0.0, 40.0, 700.0]),
    ("erf",      (),    REAL,     mp.erf,                               [0.0, 1e-9, 5.0]),
    ("erfc",     (),    REAL,     mp.erfc,                              [0.0, -3.0, 5.0, 20.0]),
    ("erfcx",    (),    REAL,     lambda x: mp.exp(x * x) * mp.erfc(x), [-5.0, 0.0, 5.9, 6.1, 100.0, 1e8]),
    ("erfinv",   (),    UNIT,     mp.erfinv,                            [0.0, 1e-12, -0.999, 0.999999]),
    ("erfcinv",  (),    UNIT,     lambda x: mp.erfinv(1 - x),           [1e-9, 0.5, 1.0, 1.999]),
    ("gammaln",  (),    POSITIVE, mp.loggamma,                          [1e-9, 1.0, 100.0, 1e12]),
    ("gamma",    (),    POSITIVE, mp.gamma,                             [1e-3, -1.5, -0.5, 20.0, 170.0]),
    ("rgamma",   (),    REAL,     mp.rgamma,                            [0.0, -1.0, -2.0, -5.0, -3.5, 0.5, 20.0]),
    ("psi",      (),    POSITIVE, lambda x: mp.psi(0, x),                [1e-3, 1.0, 50.0, 1e8]),
    ("entr",     (),    POSITIVE, lambda x: -x * mp.log(x),             [1e-300, 1.0, 1e10]),
    ("ndtr",     (),    REAL,     mp.ncdf,                              [-37.0, 0.0, 5.0]),
    ("log_ndtr", (),    REAL,     lambda x: mp.log(mp.erfc(-x / mp.sqrt(2)) / 2), [-1e4, -40.0, -1.0, 0.0, 3.0, 37.0]),
    ("ndtri",    (),    UNIT,     lambda x: mp.sqrt(2) * mp.erfinv(2 * x - 1), [1e-9, 0.5, 0.999]),
    ("j0",       (),    REAL,     lambda x: mp.besselj(0, x),           [0.0, 1e-9, 50.0]),
    ("j1",       (),    REAL,     lambda x: mp.besselj(1, x),           [0.0, 1e-9, 50.0]),
    ("jn",       (2,),  REAL,     lambda x: mp.besselj(2, x),           [0.0, 1e-3, 50.0]),
    ("jv",       (1.5,), POSITIVE, lambda x: mp.besselj(1.5, x),        [1e-3, 50.0]),
    ("y0",       (),    POSITIVE, lambda x: mp.bessely(0, x),           [1e-6, 50.0]),
    ("y1",       (),    POSITIVE, lambda x: mp.bessely(1, x),           [1e-3, 50.0]),
    ("yv",       (1.5,), POSITIVE, lambda x: mp.bessely(1.5, x),        [1e-3, 50.0]),
    ("i0",       (),    REAL,     lambda x: mp.besseli(0, x),           [0.0, 1e-9, 600.0]),
    ("i1",       (),    REAL,     lambda x: mp.besseli(1, x),           [0.0, 1e-9, 600.0]),
    ("iv",       (1.5,), POSITIVE, lambda x: mp.besseli(1.5, x),        [1e-3, 600.0]),
    ("ive",      (1.5,), POSITIVE, lambda x: mp.besseli(1.5, x) * mp.exp(-x), [1e-3, 50.0]),
    ("i0e",      (),    REAL,     lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), [1e-3, 50.0]),
    ("i1e",      (),    REAL,     lambda x: mp.besseli(1, x) * mp.exp(-abs(x)), [1e-3, 50.0]),
    ("k0",       (),    POSITIVE, lambda x: mp.besselk(0, x),           [1e-6, 500.0]),
    ("k1",       (),    POSITIVE, lambda x: mp.besselk(1, x),           [1e-3, 500.0]),
    ("kv",       (1.5,), POSITIVE, lambda x: mp.besselk(1.5, x),        [1e-3, 500.0]),
    ("kve",      (1.5,), POSITIVE, lambda x: mp.besselk(1.5, x) * mp.exp(x), [1e-3, 50.0]),
    ("gammainc", (2.5,), POSITIVE, lambda x: mp.gammainc(2.5, 0, x, regularized=True), [1e-3, 50.0]),
    ("gammaincc", (2.5,), POSITIVE, lambda x: mp.gammainc(2.5, x, mp.inf, regularized=True), [1e-3, 50.0]),
    ("betainc",  (2.5, 1.5), UNIT, lambda x: mp.betainc(2.5, 1.5, 0, x, regularized=True), [1e-6, 0.5, 0.999]),
    ("betaincc", (2.5, 1.5), UNIT, lambda x: mp.betainc(2.5, 1.5, x, 1, regularized=True), [1e-6, 0.5, 0.999]),
    ("stdtr",    (2.5,), REAL,    None, []),
    ("stdtrit",  (2.5,), UNIT,    None, []),
    ("gammaincinv", (2.5,), UNIT, None, []),
    ("betaincinv", (2.5, 1.5), UNIT, None, []),
    ("exp1",     (),    POSITIVE, mp.e1,                                [1e-9, 1.0, 300.0]),
    ("expi",     (),    POSITIVE, mp.ei,                                [1e-9, 1.0, 300.0]),
    ("loggamma", (),    POSITIVE, mp.loggamma,                          [1e-9, 1.0, 100.0, 1e12]),
    ("erfi",     (),    REAL,     mp.erfi,                              [0.0, 1e-9, -3.0, 20.0]),
    ("yn",       (2,),  POSITIVE, lambda x: mp.bessely(2, x),           [1e-3, 50.0]),
    ("kn",       (2,),  POSITIVE, lambda x: mp.besselk(2, x),           [1e-3, 500.0]),
    ("k0e",      (),    POSITIVE, lambda x: mp.besselk(0, x) * mp.exp(x), [1e-6, 50.0]),
    ("k1e",      (),    POSITIVE, lambda x: mp.besselk(1, x) * mp.exp(x), [1e-3, 50.0]),
    ("expm1",    (),    REAL,     mp.expm1,                             [-700.0, -40.0, 1e-300, 700.0]),
    ("log1p",    (),    POSITIVE, mp.log1p,                             [-1 + 1e-9, 1e-300, 1e300]),
    ("exp2",     (),    REAL,     lambda x: mp.mpf(2) ** x,             [-1000.0, 0.0, 1000.0]),
    ("exp10",    (),    REAL,     lambda x: mp.mpf(10) ** x,            [-300.0, 0.0, 300.0]),
    ("cosm1",    (),    REAL,     lambda x: mp.cos(x) - 1,              [0.0, 1e-9, 10.0]),
    ("dawsn",    (),    REAL,     lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x), [0.0, 5.9, 6.1, -30.0]),
    ("exprel",   (),    REAL,     lambda x: mp.expm1(x) / x,            [-300.0, -3.5, -2.5, 1e-5, 2.9, 3.5, 100.0]),
]
TWO = [
    ("beta",    PAIRS, lambda x, y: mp.beta(x, y)),
    ("betaln",  PAIRS, lambda x, y: mp.log(mp.beta(x, y))),
    ("beta",    ([30.0, 1e-3, 100.0], [1e-6, 30.0, 1.0]), lambda x, y: mp.beta(x, y)),
    ("betaln",  ([1e4, 1e8, 1e-8, 3.0], [1e-8, 1.0, 1e4, 1e-3]),
                lambda x, y: mp.loggamma(x) + mp.loggamma(y) - mp.loggamma(x + y)),
    ("xlogy",   PAIRS, lambda x, y: x * mp.log(y)),
    ("xlog1py", PAIRS, lambda x, y: x * mp.log1p(y)),
    ("rel_entr", PAIRS, lambda x, y: x * mp.log(x / y)),
    ("kl_div",  PAIRS, lambda x, y: x * mp.log(x / y) - x + y),
    ("huber",   PAIRS, lambda d, r: r * r / 2 if abs(r) <= d else d * (abs(r) - d / 2)),
    ("huber",   ([0.5, 0.6], [2.0, -3.0]), lambda d, r: r * r / 2 if abs(r) <= d else d * (abs(r) - d / 2)),
    ("pseudo_huber", PAIRS, lambda d, r: d * d * (mp.sqrt(1 + (r / d) ** 2) - 1)),
    ("pseudo_huber", ([1e6], [1.0]), lambda d, r: d * d * (mp.sqrt(1 + (r / d) ** 2) - 1)),
    ("boxcox",  (LARGE, [-0.7, 1e-9, 1.9]), lambda x, k: (x**k - 1) / k),
    ("inv_boxcox", (LARGE, [0.7, 1e-9, 1.9]), lambda x, k: (1 + x * k) ** (1 / k)),
]
# fmt: on
IDS = [row[0] for row in ONE]


def gradient(f, *xs):
    leaves = [leaf(x) for x in xs]
    return tg.grad(np.sum(f(*leaves)), leaves)


@pytest.mark.parametrize(("name", "fixed", "points", "exact", "edges"), ONE, ids=IDS)
def test_differences(name, fixed, points, exact, edges):
    assert tg.gradcheck(of(name, *fixed), [np.array(points)], rtol=1e-5)
    assert tg.gradgradcheck(of(name, *fixed), [np.array(points)], rtol=1e-4)


def central_difference(f, x, h):
    """The derivative; `mpmath.diff` would compute with four times as many digits."""
    return float((f(x + h) - f(x - h)) / (2 * h))


@pytest.mark.parametrize(("name", "fixed", "points", "exact", "edges"), ONE, ids=IDS)
def test_edges(name, fixed, points, exact, edges):
    if exact is None:
        return
    with mpmath.workdps(60):
        for x in edges:
            expected = central_difference(exact, mp.mpf(x), mp.mpf(10) ** -20 * (min(1, abs(x)) or 1))
            np.testing.assert_allclose(gradient(of(name, *fixed), [x])[0], expected, rtol=2e-11, atol=1e-290, err_msg=x)


@pytest.mark.parametrize(("name", "points", "exact"), TWO, ids=[f"{row[0]} {len(row[1][0])}" for row in TWO])
def test_two_inputs(name, points, exact):
    f, points = getattr(sp, name), [np.array(x) for x in points]
    found = gradient(f, *points)
    with mpmath.workdps(80):
        for i, orders in enumerate([(1, 0), (0, 1)]):
            expected = [
                float(mpmath.diff(exact, (mp.mpf(x), mp.mpf(y)), orders, h=mp.mpf(10) ** -25))
                for x, y in zip(*points, strict=True)
            ]
            np.testing.assert_allclose(found[i], expected, rtol=1e-11)
    if max(map(np.max, points)) < 100 and min(map(np.min, points)) > 1e-2:
        assert tg.gradgradcheck(f, points, rtol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_stay(dtype):
    for name, fixed, points, *_ in ONE:
        t = leaf(points, dtype)
        out = of(name, *(x if name == "jn" else dtype(x) for x in fixed))(t)
        assert (out.dtype, tg.grad(np.sum(out), t).dtype) == (dtype, dtype), name


@pytest.mark.parametrize("name", ["jv", "yv", "iv", "ive", "kv", "kve", "gammainc", "gammaincc", "gammaincinv",
                                  "stdtr", "stdtrit", "yn", "kn"])  # fmt: skip
def test_an_input_without_a_rule_is_refused(name):
    f, t = getattr(sp, name), tg.Tensor([0.5], requires_grad=True)
    for x in (np.array([0.7]), t):
        with pytest.raises(tg.NoRuleError, match=f"scipy.special.{name}.*detach"):
            f(t, x)
    assert f(t.data, t).requires_grad
    with tg.no_grad():
        assert not f(t, t).requires_grad


def test_what_has_no_row_is_named_by_its_module():
    t = tg.Tensor([0.5], requires_grad=True)
    with pytest.raises(tg.NoRuleError, match=r"scipy\.special\.struve: no gradient rule"):
        sp.struve(1.0, t)
    with pytest.raises(tg.NoRuleError, match=r"^scipy\.special\._ufuncs\._riemann_zeta: no gradient rule"):
        sp.zeta(t + 1)  # a function that calls a private ufunc
    assert dispatch._name_of(np.exp) == "np.exp"
    with pytest.raises(tg.NoRuleError, match=r"scipy\.special\.struve"):
        sp.struve(1.0, t, out=np.zeros(1))


def test_a_sign_is_a_plain_result():
    t = tg.Tensor([0.5, -0.5], requires_grad=True)
    assert type(sp.gammasgn(t)) is np.ndarray
    np.testing.assert_array_equal(sp.gammasgn(t), [1, -1])
    np.testing.assert_allclose(tg.grad(np.sum(t * sp.gammasgn(t)), t), [1, -1])


@pytest.mark.parametrize(("name", "args", "expected"), [
    ("xlogy", (0.0, 0.0), [0, 0]), ("kl_div", (0.0, 2.0), [-np.inf, 1]), ("rel_entr", (0.0, 2.0), [-np.inf, 0]),
    ("pseudo_huber", (0.0, 2.0), [2, 0]), ("boxcox", (2.0, 0.0), [0.5, np.log(2) ** 2 / 2]),
    ("xlog1py", (0.0, -1.0), [0, 0]),
])  # fmt: skip
def test_chosen_slopes(name, args, expected):
    np.testing.assert_allclose(np.ravel(gradient(getattr(sp, name), *args)), expected)


def in_a_process(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=200
    ).stdout.split()  # fmt: skip


def test_rules_are_loaded_with_the_first_call_and_a_users_row_stays():
    code = """
import sys, numpy as np, tensorgrad as tg
print(any(name.startswith("scipy") for name in sys.modules))
tg.erf(np.ones(3)), tg.gelu(tg.Tensor([1.0]))
print(any(name.startswith("scipy") for name in sys.modules))
import scipy.special as sp
tg.rule(sp.j0, lambda g, _ans, _x: 7 * g)
t = tg.Tensor([1.0], requires_grad=True)
print("tensorgrad.rules.special" in sys.modules, tg.grad(np.sum(sp.expit(t)), t), tg.grad(np.sum(sp.j0(t)), t))
"""
    assert in_a_process(code) == ["False", "False", "False", "[0.19661193]", "[7.]"]


def ulps(values, exact):
    """The error of float32 in units of the last place, at most, over normal numbers."""
    normal = np.abs(exact) > np.finfo(np.float32).tiny
    units = np.spacing(np.abs(exact).astype(np.float32)).astype(float)
    return np.max(np.abs(values.astype(float) - exact)[normal] / units[normal])


@pytest.mark.parametrize(("function", "exact", "bound"), [
    (tg.erf, sp.erf, 0.54),
    (tg.erfc, sp.erfc, 9),
    (normal_cdf, sp.ndtr, 9),
    (lambda x: tg.gelu(x) / x, sp.ndtr, 9),
    (tg.sigmoid, sp.expit, 6),
])  # fmt: skip
def test_float32_is_as_exact_as_stated_in_both_tails(function, exact, bound):
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-14, 14, 200_000), rng.uniform(-87, 87, 10_000), rng.uniform(-0.1, 0.1, 10_000),
                        10.0 ** rng.uniform(-37, 1, 10_000), np.linspace(3.9, 4, 1000)])  # fmt: skip
    x = x.astype(np.float32)
    y = function(x)
    assert y.dtype == np.float32
    assert ulps(y, exact(x.astype(float))) <= bound
    assert ulps(np.nextafter(y, np.float32(9)), exact(x.astype(float))) > 0.54  # the measure sees one unit
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        ends = function(np.array([-200, 200], np.float32))
    np.testing.assert_array_equal(ends, exact(np.array([-200.0, 200.0])).astype(np.float32))


@pytest.mark.parametrize("function", [tg.erf, tg.erfc, normal_cdf])
def test_float32_of_infinities_and_of_few_or_many_elements(function):
    ends = function(np.array([-np.inf, np.inf, np.nan, 0, -0.0], np.float32))
    np.testing.assert_array_equal(ends, function(np.array([-np.inf, np.inf, np.nan, 0, -0.0])).astype(np.float32))
    x = np.random.default_rng(1).standard_normal((3, 40_000)).astype(np.float32)
    np.testing.assert_array_equal(function(x)[1, 7:9], function(x[1, 7:9]))
    np.testing.assert_array_equal(function(x.T), function(x).T)
    assert function(x[:, :0]).shape == (3, 0)
    assert function(x[0, 0]).shape == ()


def test_the_error_function_is_scipys_where_it_was_imported():
    x = np.linspace(-6, 6, 1001)
    np.testing.assert_array_equal(tg.erf(x), sp.erf(x))
    np.testing.assert_array_max_ulp(tg.erf(x.astype("f")), sp.erf(x.astype("f")), 1)  # a faster one of tensorgrad
    assert tg.erf(x.astype(np.float16)).dtype == np.float16

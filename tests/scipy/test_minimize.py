"""`tg.minimize`: every method of SciPy that takes derivatives, structures, bounds and constraints."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

import tensorgrad as tg

optimize = pytest.importorskip("scipy.optimize", reason="needs the extra `scipy`")

GRADIENT = ["CG", "BFGS", "L-BFGS-B", "TNC", "SLSQP"]
PRODUCTS = ["Newton-CG", "trust-ncg", "trust-krylov", "trust-constr"]
HESSIAN = ["dogleg", "trust-exact"]
FREE = ["Nelder-Mead", "Powell", "COBYLA", "COBYQA"]


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def of_structure(p):
    x = np.concatenate([np.reshape(p["a"], (-1,)), np.ravel(p["b"][0]), p["b"][1][0]])
    return rosenbrock(x)


def beale(p):
    x, y = p
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def booth(p):
    return (p[0] + 2 * p[1] - 7) ** 2 + (2 * p[0] + p[1] - 5) ** 2


def many(method):
    """Options for enough iterations."""
    return {"maxfun" if method == "TNC" else "maxiter": 2000}


def counted(f):
    def call(*args):
        call.count += 1
        return f(*args)

    call.count = 0
    return call


@pytest.fixture
def no_differences(monkeypatch):
    """Fail if SciPy approximates a derivative by differences."""
    from scipy.optimize import _differentiable_functions as functions

    def fail(*_, **__):
        raise AssertionError("a derivative was approximated")

    monkeypatch.setattr(functions, "approx_derivative", fail)


@pytest.mark.parametrize("method", [None, *GRADIENT, *PRODUCTS, *HESSIAN])
def test_every_method_with_derivatives_finds_the_minimum(method, no_differences):
    start = np.array([1.05, 1.1, 1.2]) if method == "dogleg" else np.array([-1.2, 1.0, 0.7])
    result = tg.minimize(rosenbrock, start, method=method, options=many(method))
    np.testing.assert_allclose(result.x, 1, atol=2e-3)
    assert result.fun < 1e-5
    if method in PRODUCTS + HESSIAN:
        np.testing.assert_allclose(result.x, 1, atol=2e-4)


@pytest.mark.parametrize("method", FREE)
def test_methods_without_derivatives(method):
    result = tg.minimize(booth, [0.0, 0.0], method=method)
    np.testing.assert_allclose(result.x, [1, 3], atol=1e-3)


@pytest.mark.parametrize("method", [*GRADIENT, *PRODUCTS])
@pytest.mark.parametrize(("f", "x0", "expected"), [(beale, (1.0, 0.2), (3, 0.5)), (booth, [0.0, 0.0], [1, 3])])
def test_other_functions(f, x0, expected, method):
    result = tg.minimize(f, x0, method=method, options=many(method))
    assert type(result.x) is type(x0)
    np.testing.assert_allclose(result.x, expected, atol=1e-3)


@pytest.mark.parametrize("method", ["BFGS", "trust-ncg"])
def test_steps_are_those_of_scipy_with_derivatives_by_hand(method):
    x0, visited, expected = np.array([-1.2, 1.0, 0.7]), [], []
    by_hand = {"jac": optimize.rosen_der}
    by_hand |= {"hessp": optimize.rosen_hess_prod} if method == "trust-ncg" else {}
    optimize.minimize(optimize.rosen, x0, method=method, callback=lambda v: expected.append(v.copy()), **by_hand)
    tg.minimize(rosenbrock, x0, method=method, callback=visited.append)
    assert len(visited) == len(expected) > 10
    np.testing.assert_allclose(visited, expected, rtol=1e-4, atol=1e-5)


def test_hessian_and_products_are_right():
    from tensorgrad.minimizing import _Derivatives

    x, p = np.array([-1.2, 1.0, 0.7]), np.array([1.0, -2.0, 0.5])
    found = _Derivatives(counted(rosenbrock))
    np.testing.assert_allclose(found.product(x, p), optimize.rosen_hess_prod(x, p))
    np.testing.assert_allclose(found.hessian(x), optimize.rosen_hess(x))
    assert found.f.count == 1  # the gradient is recorded once
    np.testing.assert_allclose(found.product(2 * x, p), optimize.rosen_hess_prod(2 * x, p))


@dataclasses.dataclass
class Line:
    slope: np.ndarray
    offset: float


def test_structures_and_dtypes():
    x0 = {"a": 0.5, "b": (np.float32([[0.7, 1.2]]), [np.array([1, 2])])}
    result = tg.minimize(of_structure, x0, method="trust-exact")
    assert result.x["a"].shape == ()
    assert (result.x["b"][0].dtype, result.x["b"][0].shape) == (np.float32, (1, 2))
    assert result.x["b"][1][0].dtype == np.float64
    found = [result.x["a"], *result.x["b"][0].ravel(), *result.x["b"][1][0]]
    np.testing.assert_allclose(found, 1, atol=1e-3)
    assert result.jac.keys() == x0.keys()
    assert x0["a"] == 0.5

    x = np.linspace(0, 1, 20)
    fitted = tg.minimize(lambda p, y: np.mean((p.slope * x + p.offset - y) ** 2), Line(np.zeros(()), 0.0), (3 * x + 2,))
    assert isinstance(fitted.x, Line)
    np.testing.assert_allclose([fitted.x.slope, fitted.x.offset], [3, 2], atol=1e-5)


@pytest.mark.parametrize("method", [None, "L-BFGS-B", "TNC", "trust-constr"])
def test_bounds(method):
    limits = ({"u": None, "v": 0.0}, {"u": np.array([1.0, 5.0]), "v": None})
    x0 = {"u": np.zeros(2), "v": 0.5}
    result = tg.minimize(lambda p: np.sum((p["u"] - 2) ** 2) + (p["v"] + 1) ** 2, x0, method=method, bounds=limits)
    np.testing.assert_allclose(result.x["u"], [1, 2], atol=1e-3)
    np.testing.assert_allclose(result.x["v"], 0, atol=1e-3)
    assert tg.minimize(lambda x: (x - 2) ** 2, 0.0, bounds=(0, 1)).x == pytest.approx(1)


@pytest.mark.parametrize("method", [None, "SLSQP", "trust-constr"])
def test_constraints_are_differentiated(method, no_differences):
    circle = {"type": "eq", "fun": lambda p: p["x"] ** 2 + p["y"] ** 2 - 1}
    right = {"type": "ineq", "fun": lambda p, least: p["x"] - least, "args": (0.8,)}
    result = tg.minimize(lambda p: p["x"] + p["y"], {"x": 0.9, "y": 0.1}, method=method, constraints=[circle, right])
    np.testing.assert_allclose([result.x["x"], result.x["y"]], [0.8, -0.6], atol=1e-4)
    alone = tg.minimize(lambda p: p["x"] + p["y"], {"x": 0.9, "y": 0.1}, method=method, constraints=circle)
    np.testing.assert_allclose([alone.x["x"], alone.x["y"]], -np.sqrt(0.5), atol=1e-4)


def test_a_network_is_trained():
    rng = np.random.default_rng(0)
    x = np.linspace(-2, 2, 40)[:, None]
    sizes = [rng.standard_normal((1, 8)), np.zeros(8), rng.standard_normal((8, 1)) / 3, np.zeros(1)]

    def loss(p):
        return np.mean((np.tanh(x @ p[0] + p[1]) @ p[2] + p[3] - np.sin(2 * x)) ** 2)

    result = tg.minimize(loss, sizes, method="L-BFGS-B", options={"maxiter": 500})
    assert result.fun < 1e-3


def test_linear_and_constant_functions():
    for method in ("BFGS", "trust-ncg"):
        assert tg.minimize(lambda x: 3.0, np.ones(2), method=method).x.tolist() == [1, 1]
    found = tg.minimize(lambda x: np.sum(x), np.ones(2), method="trust-constr", bounds=(0, 2))
    np.testing.assert_allclose(found.x, 0, atol=1e-3)


def test_errors():
    with pytest.raises(tg.ShapeError, match="must return one number"):
        tg.minimize(lambda x: x**2, np.ones(2))
    with pytest.raises(TypeError, match="real numbers"):
        tg.minimize(rosenbrock, np.ones(2, complex))
    with pytest.raises(ValueError, match="no elements"):
        tg.minimize(rosenbrock, [])
    with pytest.raises(ValueError, match="bounds must have the keys"):
        tg.minimize(lambda p: p["a"], {"a": 1.0}, bounds=({"b": 0}, None))
    code = 'import sys; sys.modules["scipy"] = None\nimport tensorgrad as tg\ntry: tg.minimize(abs, 1.0)\n' \
           "except ImportError as error: print(error)"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=200)
    assert "needs SciPy" in done.stdout

"""The objectives of `examples/`, and likelihoods of survival times, with gradients and second derivatives.

If JAX and HIPS autograd can run the code of an example, it is run with their NumPy; for PyTorch it is rewritten.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers import example

import tensorgrad as tg
from compare.both import TOLERANCE, by_tensorgrad, by_torch, disagreements, torch
from compare.functions import autograd, by_hips, by_jax, compiled, jax

pytest.importorskip("autograd")
pytest.importorskip("jax")
import autograd.numpy as anp
import autograd.scipy.linalg
import autograd.scipy.special
import jax.numpy as jnp
import jax.scipy.linalg
import scipy.special
import scipy.stats
from autograd.tracer import getval

pytestmark = pytest.mark.compare

RNG = np.random.default_rng(0)


def check(arrays, ours, of_torch, of_jax, of_hips, order=2):
    """All four agree to 1e-9, in values and derivatives, and no derivative is zero everywhere."""
    mine = by_tensorgrad(ours, arrays, order)
    assert all(np.any(x) for level in mine for x in level)
    for run, other in ((by_torch, of_torch), (by_jax, of_jax), (by_hips, of_hips)):
        found = disagreements(mine, run(other, arrays, order), TOLERANCE[np.float64])
        assert not found, f"{run.__name__}: " + "\n".join(found)


def with_numpy(name, namespace, **functions):
    """The program ``examples/NAME.py`` with another NumPy, and with other functions."""
    program = example(name)
    vars(program).update({"np": namespace, **functions})
    return program


def t(x):
    return torch.tensor(x, dtype=torch.float64)


# ------------------------------------------------------------------------------------------------ examples


def test_gaussian_process():
    program = example("gaussian_process")
    of_jax = with_numpy("gaussian_process", jnp, solve_triangular=jax.scipy.linalg.solve_triangular)
    of_hips = with_numpy("gaussian_process", anp, solve_triangular=autograd.scipy.linalg.solve_triangular)
    years, y = program.YEAR[:25], program.FLOW[:25] - 1000

    def of_torch(theta):
        squares = (t(years)[:, None] - t(years)) ** 2
        covariance = torch.exp(2 * theta[0] - 0.5 * squares * torch.exp(-2 * theta[1]))
        covariance = covariance + torch.exp(2 * theta[2]) * torch.eye(25, dtype=torch.float64)
        normal = torch.distributions.MultivariateNormal(torch.zeros(25, dtype=torch.float64), covariance)
        return -normal.log_prob(t(y))

    objectives = [lambda theta, p=p: p.negative_log_likelihood(theta, years, y) for p in (program, of_jax, of_hips)]
    check([np.log([150.0, 5.0, 90.0])], objectives[0], of_torch, *objectives[1:])


def test_logistic_regression():
    program = example("logistic_regression")

    def of_torch(w):
        logits = t(program.X) @ w
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, t(program.DAMAGED), reduction="sum")

    others = [with_numpy("logistic_regression", namespace).negative_log_likelihood for namespace in (jnp, anp)]
    for w in ([0.0, 0.0], [15.0, -0.23], [-3.0, 0.1]):
        check([np.array(w)], program.negative_log_likelihood, of_torch, *others)


def test_bayesian_regression():
    program = example("bayesian_regression")

    def of_torch(theta):
        normal = torch.distributions.Normal(t(program.X) @ theta[:2], torch.exp(theta[2]))
        return normal.log_prob(t(program.Y)).sum() + 12 * np.log(2 * np.pi)

    others = [with_numpy("bayesian_regression", namespace).log_posterior for namespace in (jnp, anp)]
    check([np.array([3.0, 2.5, 0.7])], program.log_posterior, of_torch, *others)


def repeat(library, step, state, count):
    """The stacked results of repeated calls of ``step(state) -> state, result``; compiled once by JAX."""
    if library is jnp:
        return jax.lax.scan(lambda state, _: step(state), state, None, count)[1]
    results = []
    for _ in range(count):
        state, result = step(state)
        results.append(result)
    return library.stack(results)


def runge_kutta(library, f, z, times, substeps=2):
    """The states (..., T) at equidistant times from 0, by the method of fourth order."""
    h = times[1] / substeps

    def step(z):
        a = f(0, z)
        b = f(0, z + h / 2 * a)
        c = f(0, z + h / 2 * b)
        return z + h / 6 * (a + 2 * b + 2 * c + f(0, z + h * c)), z

    return repeat(library, step, z, (len(times) - 1) * substeps + 1)[::substeps].T


def lotka_volterra(library, measured, substeps=2):
    """The objective of ode_fit.py, one equation for each of the numbers."""

    def objective(theta):
        alpha, beta, gamma, delta = (library.exp(theta[i]) for i in range(4))

        def growth(_, z):
            return library.stack([alpha - beta * library.exp(z[1]), delta * library.exp(z[0]) - gamma])

        times = np.arange(measured.shape[1])
        residuals = runge_kutta(library, growth, theta[4:], times, substeps) - measured
        return 0.5 * len(times) * library.log(library.mean(residuals**2, 1)).sum()

    return objective


def solved_by_runge_kutta(f, _span, z, t_eval, **_options):
    return SimpleNamespace(y=runge_kutta(np, f, z, t_eval))


def test_ode_fit():
    program = with_numpy("ode_fit", np, solve_ivp=solved_by_runge_kutta)
    program.YEARS, measured = np.arange(4.0), program.MEASURED[:, :4]
    program.MEASURED = measured
    others = lotka_volterra(torch, t(measured)), lotka_volterra(jnp, measured), lotka_volterra(anp, measured)
    check([program.START], program.negative_log_likelihood, *others)


def test_ode_fit_by_the_steps_of_scipy():
    """Within the tolerance of the solver, compared with steps that are small enough to be exact."""
    program = example("ode_fit")
    program.YEARS, measured = np.arange(4.0), program.MEASURED[:, :4]
    program.MEASURED, solution = measured, program.solution
    program.solution = lambda theta, times: solution(theta, times, tolerance=1e-10)
    mine = by_tensorgrad(program.negative_log_likelihood, [program.START], 1)
    expected = by_torch(lotka_volterra(torch, t(measured), 100), [program.START], 1)
    assert not disagreements(mine, expected, 1e-7)


def test_burgers():
    program = example("burgers")
    rng = np.random.default_rng(3)
    program.PAIRS = [(2, 5), (5, 4), (4, 1)]
    theta, points = rng.standard_normal(44), rng.uniform([-1, 0], [1, 1], (20, 2))

    def wave(library, theta, x, t):
        """As (N,), of the weights in the order of the example."""
        h = library.stack([x, t], 1)
        h = library.tanh(h @ theta[:10].reshape(2, 5) + theta[10:15])
        h = library.tanh(h @ theta[15:35].reshape(5, 4) + theta[35:39])
        h = h @ theta[39:43].reshape(4, 1) + theta[43:]
        return -library.sin(np.pi * x) + t * (1 - x**2) * h[:, 0]

    def of_torch(theta):
        x, time = (t(points[:, i]).requires_grad_() for i in (0, 1))
        u = wave(torch, theta, x, time)
        u_x, u_t = torch.autograd.grad(u.sum(), (x, time), create_graph=True)
        (u_xx,) = torch.autograd.grad(u_x.sum(), x, create_graph=True)
        return torch.mean((u_t + u * u_x - program.NU * u_xx) ** 2)

    def by_nesting(library, grad):
        def objective(theta):
            def of(x, t):
                return library.sum(wave(library, theta, x, t))

            x, t = points.T
            u_x, u_t = grad(of)(x, t), grad(of, 1)(x, t)
            u_xx = grad(lambda x, t: library.sum(grad(of)(x, t)))(x, t)
            return library.mean((u_t + wave(library, theta, x, t) * u_x - program.NU * u_xx) ** 2)

        return objective

    others = of_torch, by_nesting(jnp, jax.grad), by_nesting(anp, autograd.grad)
    check([theta], lambda theta: program.loss(theta, points), *others)
    check([theta], by_nesting(np, tg.grad), *others, order=1)


# The code of `simulate` in tsunami.py, for libraries whose arrays can be written to.
IN_PLACE = """
def simulate(h, steps, library, diff, gauges, g, depth, ratio):
    h, records = h * 1, library.zeros((steps, len(gauges[0])), dtype=h.dtype)
    u, v = library.zeros_like(h[:, 1:]), library.zeros_like(h[1:])
    for step in range(steps):
        u -= ratio * g * diff(h, 1)
        v -= ratio * g * diff(h, 0)
        flow_x = u * (depth + (h[:, 1:] + h[:, :-1]) / 2)
        flow_y = v * (depth + (h[1:] + h[:-1]) / 2)
        h[:, :-1] -= ratio * flow_x
        h[:, 1:] += ratio * flow_x
        h[:-1] -= ratio * flow_y
        h[1:] += ratio * flow_y
        records[step] = h[gauges]
    return records
"""


def tsunami_of_new_arrays(library, program, steps):
    """The simulation without writes; the flow through the walls of the basin is 0."""
    n = 8
    y, x = (program.GAUGES * n).astype(int)
    ratio = 0.5 / np.sqrt(program.G * program.DEPTH)
    ahead = np.eye(n)[1:] - np.eye(n)[:-1]  # (n - 1, n): differences
    between = (np.eye(n)[1:] + np.eye(n)[:-1]) / 2
    if library is torch:
        ahead, between = t(ahead), t(between)

    def step(state):
        h, u, v = state
        u, v = u - ratio * program.G * (h @ ahead.T), v - ratio * program.G * (ahead @ h)
        flow_x, flow_y = u * (program.DEPTH + h @ between.T), v * (program.DEPTH + between @ h)
        h = h + ratio * (flow_x @ ahead + ahead.T @ flow_y)
        return (h, u, v), h[y, x]

    return lambda h: repeat(library, step, (h, 0 * h[:, 1:], 0 * h[1:]), steps)


def test_tsunami():
    program = example("tsunami")
    h = np.random.default_rng(1).standard_normal((8, 8)) * 300  # high waves, for the equations to be nonlinear
    others = [tsunami_of_new_arrays(library, program, 4) for library in (torch, jnp, anp)]
    check([h], lambda h: program.simulate(h, 4), *others)


def test_pytorch_refuses_the_text_of_the_tsunami():
    program = example("tsunami")
    names = {}
    exec(IN_PLACE, names)
    gauges = tuple((program.GAUGES * 8).astype(int))
    constants = gauges, program.G, program.DEPTH, 0.5 / np.sqrt(program.G * program.DEPTH)
    h = np.random.default_rng(1).standard_normal((8, 8)) * 300

    expected = program.simulate(h, 10)
    leaf = tg.Tensor(h, requires_grad=True)
    with tg.no_grad():
        records = names["simulate"](leaf, 10, np, lambda x, axis: np.diff(x, axis=axis), *constants)
    np.testing.assert_allclose(records, expected, rtol=1e-12)

    leaf = t(h).requires_grad_()
    records = names["simulate"](leaf, 10, torch, lambda x, axis: torch.diff(x, dim=axis), *constants)
    np.testing.assert_allclose(records.detach(), expected, rtol=1e-12)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        records.sum().backward()


def test_image_warp():
    program = example("image_warp")
    of_jax = with_numpy("image_warp", jnp)
    of_jax.grid = lambda pixels: tuple(jnp.asarray(z) for z in program.grid(pixels))
    moving, fixed = np.random.default_rng(2).standard_normal((2, 9, 9))

    def bilinear(library, plain, asarray):
        image, n = asarray(np.pad(moving, 1)), 9
        x, y = (asarray(z) for z in program.grid(n))

        def objective(theta):
            c, s = library.exp(theta[1]) * library.cos(theta[0]), library.exp(theta[1]) * library.sin(theta[0])
            row = library.clip(-(s * x + c * y + theta[3]) * n / 2 + n / 2 + 0.5, 0, n + 1)
            column = library.clip((c * x - s * y + theta[2]) * n / 2 + n / 2 + 0.5, 0, n + 1)
            warped = 0
            for i in (0, 1):
                for j in (0, 1):
                    r, k = (np.minimum(np.floor(plain(z)).astype(int), n) + d for z, d in ((row, i), (column, j)))
                    weight = (1 - abs(row - asarray(r))) * (1 - abs(column - asarray(k)))
                    warped = warped + weight * image[r, k]
            return library.mean((warped - asarray(fixed)) ** 2)

        return objective

    others = (
        bilinear(torch, lambda z: z.detach().numpy(), t),
        lambda theta: of_jax.difference(theta, moving, fixed),
        bilinear(anp, deep_value, np.asarray),
    )
    check([np.array([0.2, 0.1, 0.05, -0.07])], lambda theta: program.difference(theta, moving, fixed), *others)


def deep_value(z):
    """The array inside nested boxes of HIPS autograd."""
    while z is not getval(z):
        z = getval(z)
    return z


# ------------------------------------------------------------------------------------------------ survival times

TIMES = RNG.weibull(1.5, 30) * 2 + 0.1
EVENTS = (RNG.uniform(size=30) < 0.7) * 1.0  # 0 for censored times
GROUP = RNG.integers(0, 2, 30) * 1.0  # a covariate, of proportional hazards
KNOTS = np.log([0.4, 1.2, 3.0])


def spline(n, t, p):
    """Royston and Parmar (2002): the logarithm of H is a cubic spline of log(t), linear beyond the outer knots."""
    x = n.log(t)
    share = (KNOTS[2] - KNOTS[1]) / (KNOTS[2] - KNOTS[0])
    cubes = [n.maximum(x - knot, x * 0) ** 3 for knot in KNOTS]
    return n.exp(p[0] + n.exp(p[1]) * x + 0.01 * p[2] * (cubes[1] - share * cubes[0] - (1 - share) * cubes[2]))


CUMULATIVE_HAZARDS = {
    "exponential": (lambda n, t, p: t * n.exp(p[0]), [-0.8]),
    "Weibull": (lambda n, t, p: (t * n.exp(p[0])) ** n.exp(p[1]), [-0.6, 0.3]),
    "Gompertz": (lambda n, t, p: n.exp(p[0]) * (n.exp(p[1] * t) - 1) / p[1], [-1.5, 0.4]),
    "log-logistic": (lambda n, t, p: n.log1p((t * n.exp(p[0])) ** n.exp(p[1])), [-0.5, 0.6]),
    "log-normal": (lambda n, t, p: -n.log_ndtr(-(n.log(t) - p[0]) * n.exp(p[1])), [0.5, 0.2]),
    "Lomax": (lambda n, t, p: n.exp(p[0]) * n.log1p(t * n.exp(p[1])), [0.4, -0.7]),
    "spline": (spline, [-0.9, 0.2, -0.8]),
}


def likelihood(library, hazard, cumulative, times=TIMES, events=EVENTS, group=GROUP):
    """A function of the parameters; the last one is the effect of the group. The hazard is the derivative of H."""

    def log_likelihood(p):
        risk = library.exp(p[-1] * group)
        return (events * library.log(hazard(p) * risk) - cumulative(library, times, p) * risk).sum()

    return log_likelihood


def by_nested_grad(library, grad, cumulative):
    return likelihood(library, lambda p: grad(lambda t: library.sum(cumulative(library, t, p)))(TIMES), cumulative)


def by_tensors(cumulative):
    """The hazard by `tg.grad` of tensors."""

    def hazard(p):
        t = tg.Tensor(TIMES, requires_grad=True)
        return tg.grad(np.sum(cumulative(NUMPY, t, p)), t, create_graph=True)

    return likelihood(NUMPY, hazard, cumulative)


def by_torch_tensors(cumulative):
    def hazard(p):
        times = t(TIMES).requires_grad_()
        return torch.autograd.grad(cumulative(TORCH, times, p).sum(), times, create_graph=True)[0]

    return likelihood(TORCH, hazard, cumulative, t(TIMES), t(EVENTS), t(GROUP))


def with_log_ndtr(library, log_ndtr):
    return SimpleNamespace(
        log_ndtr=log_ndtr, **{n: getattr(library, n) for n in ("exp", "log", "log1p", "maximum", "sum")}
    )


NUMPY = with_log_ndtr(np, scipy.special.log_ndtr)
JAX = with_log_ndtr(jnp, jax.scipy.special.log_ndtr)
HIPS = with_log_ndtr(anp, lambda x: anp.log(autograd.scipy.special.erfc(-x / np.sqrt(2)) / 2))
TORCH = with_log_ndtr(torch, lambda x: torch.log(torch.special.erfc(-x / np.sqrt(2)) / 2))


@pytest.mark.parametrize("name", CUMULATIVE_HAZARDS)
def test_survival_times(name):
    cumulative, parameters = CUMULATIVE_HAZARDS[name]
    p = np.array([*parameters, 0.3])
    others = (
        by_torch_tensors(cumulative),
        by_nested_grad(JAX, jax.grad, cumulative),
        by_nested_grad(HIPS, autograd.grad, cumulative),
    )
    check([p], by_nested_grad(NUMPY, tg.grad, cumulative), *others)
    check([p], by_tensors(cumulative), *others)


@pytest.mark.parametrize("name", CUMULATIVE_HAZARDS)
def test_the_hessian_of_survival_times(name):
    """The whole Hessian, by transformations of functions."""
    cumulative, parameters = CUMULATIVE_HAZARDS[name]
    p = np.array([*parameters, 0.3])
    expected = np.asarray(compiled(jax.hessian(by_nested_grad(JAX, jax.grad, cumulative)))(p))
    np.testing.assert_allclose(
        tg.hessian(by_nested_grad(NUMPY, tg.grad, cumulative), p), expected, rtol=1e-9, atol=1e-9
    )


def test_the_likelihoods_are_those_of_the_distributions():
    cases = {
        "exponential": lambda a: scipy.stats.expon(scale=np.exp(-a)),
        "Weibull": lambda a, b: scipy.stats.weibull_min(np.exp(b), scale=np.exp(-a)),
        "Gompertz": lambda a, b: scipy.stats.gompertz(np.exp(a) / b, scale=1 / b),
        "log-logistic": lambda a, b: scipy.stats.fisk(np.exp(b), scale=np.exp(-a)),
        "log-normal": lambda a, b: scipy.stats.lognorm(np.exp(-b), scale=np.exp(a)),
        "Lomax": lambda a, b: scipy.stats.lomax(np.exp(a), scale=np.exp(-b)),
    }
    for name, distribution in cases.items():
        cumulative, parameters = CUMULATIVE_HAZARDS[name]
        one = distribution(*parameters)
        expected = np.sum(np.where(EVENTS == 1, one.logpdf(TIMES), one.logsf(TIMES)))
        found = by_nested_grad(NUMPY, tg.grad, cumulative)(np.array([*parameters, 0.0]))
        np.testing.assert_allclose(found, expected, rtol=1e-10, err_msg=name)


def test_a_difference_is_noticed():
    cumulative, parameters = CUMULATIVE_HAZARDS["Weibull"]
    p = np.array([*parameters, 0.3])
    right = by_tensorgrad(by_nested_grad(NUMPY, tg.grad, cumulative), [p], 2)

    def constant(p):  # an inner derivative that forgets the outer parameters
        t = tg.Tensor(TIMES, requires_grad=True)
        return tg.grad(np.sum(cumulative(NUMPY, t, p.detach())), t)

    wrong = by_tensorgrad(likelihood(NUMPY, constant, cumulative), [p], 2)
    found = disagreements(wrong, right, 1e-9)
    assert [line.split(":")[0] for line in found] == ["gradient 0", "second derivative 0"]

"""The scientific programs of `examples/` at a small size, against published and closed-form results."""

import numpy as np
import pytest
from helpers import example

import tensorgrad as tg

pytest.importorskip("scipy.special")
import scipy.integrate
import scipy.ndimage
import scipy.optimize
import scipy.stats

RNG = np.random.default_rng(0)


@pytest.fixture
def run(tmp_path):
    """Call the main function of a program, and look at its picture."""
    imread = pytest.importorskip("matplotlib.image").imread

    def called(program, *arguments):
        file = tmp_path / "picture.png"
        result = program.main([*arguments, "--plot", str(file)])
        pixels = imread(file)[..., :3]
        assert min(pixels.shape[:2]) > 300
        assert 0.02 < np.mean(np.any(pixels < 0.9, axis=-1)) < 0.99  # neither blank nor black
        return result

    return called


# ---------------------------------------------------------------------------------------- gaussian_process.py


def test_the_likelihood_is_that_of_a_normal_distribution():
    program = example("gaussian_process")
    t, y, theta = program.YEAR[:30], program.FLOW[:30] - 900, np.log([150.0, 4.0, 90.0])
    covariance = program.covariance(t, t, theta) + 90**2 * np.eye(30)
    expected = scipy.stats.multivariate_normal.logpdf(y, np.zeros(30), covariance)
    np.testing.assert_allclose(-program.negative_log_likelihood(theta, t, y), expected, rtol=1e-12)
    at = np.array([1880.5, 1925.0])
    mean, deviation = program.predict(theta, t, y, at)
    gain = np.linalg.solve(covariance, program.covariance(t, at, theta)).T
    np.testing.assert_allclose(mean, gain @ y, rtol=1e-9)
    variance = program.covariance(at, at, theta) - gain @ program.covariance(t, at, theta)
    np.testing.assert_allclose(deviation**2, np.diag(variance), rtol=1e-9)


def test_the_likelihood_has_two_maxima_of_which_the_higher_is_chosen(run, capsys):
    program = example("gaussian_process")
    theta = run(program)
    np.testing.assert_allclose(np.exp(theta), [118.9, 2.589, 116.1], rtol=1e-3)  # by four other starts
    assert "log likelihood -638.340" in capsys.readouterr().out
    assert program.main(["--points", "40"]) != pytest.approx(theta, rel=1e-2)


def test_with_the_covariance_of_a_random_walk_it_gives_the_published_variances(monkeypatch):
    """Durbin and Koopman (2012), "Time series analysis by state space methods", section 2.10: 15099 and 1469."""
    program = example("gaussian_process")
    monkeypatch.setattr(
        program, "covariance", lambda s, t, theta: 1e8 + np.exp(2 * theta[0]) * np.minimum(s[:, None], t)
    )
    objective, start = tg.value_and_grad(program.negative_log_likelihood), np.log([30.0, 1.0, 100.0])
    found = scipy.optimize.minimize(
        objective, start, (np.arange(100.0), program.FLOW), jac=True, options={"gtol": 1e-4}
    )
    np.testing.assert_allclose(np.exp(2 * found.x[[2, 0]]), [15099, 1469], rtol=2e-3)


# ---------------------------------------------------------------------------------------- logistic_regression.py


def test_the_estimates_are_those_that_were_published(run):
    w, errors = run(example("logistic_regression"))
    np.testing.assert_allclose(w, [15.0429, -0.2322], atol=5e-5)
    np.testing.assert_allclose(errors, [7.3786, 0.1082], atol=5e-5)
    w, errors = example("logistic_regression").main(["--steps", "3"])
    assert abs(w[0] - 15.0429) > 0.01


# ---------------------------------------------------------------------------------------- bayesian_regression.py


def test_the_samples_have_the_posterior_mean_and_deviation(run):
    program = example("bayesian_regression")
    mean, deviation = program.closed_form()
    line = scipy.stats.linregress(program.DISTANCE, program.VELOCITY)
    np.testing.assert_allclose([mean, deviation], [line.slope, line.stderr * np.sqrt(22 / 20)], rtol=1e-12)
    slope = run(program, "--draws", "250")
    assert abs(slope.mean() - mean) < 4 * deviation / np.sqrt(200)
    assert abs(slope.std() / deviation - 1) < 0.15


def test_the_leapfrog_method_keeps_the_energy():
    program = example("bayesian_regression")
    accepted = [program.hmc(program.START, 60, np.random.default_rng(1), step, 6)[1] for step in (0.02, 0.16, 1.0)]
    assert accepted[0] > 0.98
    assert accepted[1] > 0.75
    assert accepted[2] < 0.2


# ---------------------------------------------------------------------------------------- ode_fit.py


def test_the_rates_are_those_of_another_study(run):
    program = example("ode_fit")
    found, errors = run(program)
    np.testing.assert_allclose(found[:4], [0.55, 0.028, 0.80, 0.024], rtol=0.04)
    np.testing.assert_allclose(errors[:4] * found[:4], [0.06, 0.004, 0.09, 0.004], rtol=0.3)
    a, b, c, d, *start = found
    solved = scipy.integrate.solve_ivp(lambda t, z: [z[0] * (a - b * z[1]), z[1] * (d * z[0] - c)], (0, 20), start,
                                       t_eval=program.YEARS, rtol=1e-9, atol=1e-9)  # fmt: skip
    np.testing.assert_allclose(np.exp(program.solution(np.log(found), program.YEARS)), solved.y, rtol=1e-4)


# ---------------------------------------------------------------------------------------- burgers.py


def test_the_exact_solution_solves_the_equation():
    program = example("burgers")
    at, e = np.column_stack([RNG.uniform(-0.9, 0.9, 50), RNG.uniform(0.2, 0.9, 50)]), 1e-4
    u, left, right, before, after = (
        program.exact(at + shift) for shift in ([0, 0], [-e, 0], [e, 0], [0, -e], [0, e])
    )  # fmt: skip
    terms = (after - before) / (2 * e), u * (right - left) / (2 * e), program.NU * (left - 2 * u + right) / e**2
    np.testing.assert_allclose(terms[0] + terms[1], terms[2], atol=1e-3)
    assert max(np.abs(terms[2])) > 1
    np.testing.assert_allclose(program.exact(np.array([[0.3, 1e-7]])), -np.sin(0.3 * np.pi), rtol=1e-4)


def test_the_network_solves_burgers_equation(run):
    program = example("burgers")
    assert run(program, "--points", "300", "--steps", "150") < 0.1
    assert program.main(["--points", "300", "--steps", "10"]) > 0.2


# ---------------------------------------------------------------------------------------- tsunami.py


def test_a_low_wave_oscillates():
    """For the linear equations, h = cos(pi x) cos(pi c t); a wave crosses half a cell in a step."""
    program, n = example("tsunami"), 30
    at = (np.arange(n) + 0.5) / n
    records = program.simulate(0.01 * np.cos(np.pi * at) * np.ones((n, 1)), 4 * n)
    _, x = (program.GAUGES * n).astype(int)
    expected = 0.01 * np.cos(np.pi * at[x]) * np.cos(np.pi * 0.5 * np.arange(1, 4 * n + 1) / n)[:, None]
    assert np.max(np.abs(records - expected)) < 5e-4


def test_the_gradient_goes_through_the_writes():
    program = example("tsunami")
    h, direction = RNG.standard_normal((2, 64))
    measured = program.simulate(program.bump(8, 0.4, 0.5, 0.2), 12)
    e = 1e-6
    difference = program.misfit(h + e * direction, measured, 8) - program.misfit(h - e * direction, measured, 8)
    np.testing.assert_allclose(tg.grad(program.misfit)(h, measured, 8) @ direction, difference / (2 * e), rtol=1e-6)


def test_the_tsunami_is_traced_back(run):
    truth, h = run(example("tsunami"), "--cells", "16", "--steps", "12")
    for extreme in (np.argmax, np.argmin):
        at, expected = (np.array(np.unravel_index(extreme(field), field.shape)) for field in (h, truth))
        assert np.max(np.abs(at - expected)) <= 1  # cell
    assert np.linalg.norm(h - truth) < 0.3 * np.linalg.norm(truth)


# ---------------------------------------------------------------------------------------- image_warp.py


def test_sampling_is_bilinear_interpolation():
    program = example("image_warp")
    image, (x, y) = RNG.standard_normal((7, 7)), RNG.uniform(-1.2, 1.2, (2, 50))
    at = [(-y + 1) * 3.5 - 0.5, (x + 1) * 3.5 - 0.5]
    expected = scipy.ndimage.map_coordinates(np.pad(image, 1), np.clip(np.add(at, 1), 0, 8), order=1)
    np.testing.assert_allclose(program.sample(image, x, y), expected, atol=1e-12)


def test_the_images_are_brought_into_register(run):
    program = example("image_warp")
    assert run(program) < 0.06  # pixels; seven at the beginning
    x, y = program.grid(96)
    before = np.hypot(*np.subtract(program.transform(program.TRUTH, x, y), (x, y))).mean() * 48
    assert before > 6

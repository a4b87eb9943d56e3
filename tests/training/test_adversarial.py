"""Inputs moved in the direction in which their loss grows fastest."""

import numpy as np
import pytest

import tensorgrad as tg
from training.adversarial import moved


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def quadratic(x):
    """The loss of each input, whose gradient is twice the input."""
    return np.sum(x * x, axis=tuple(range(1, x.ndim)))


@pytest.mark.parametrize("shape", [(5, 7), (4, 2, 3, 3), (1, 1)])
@pytest.mark.parametrize("distance", [0.25, 3.0])
@pytest.mark.parametrize("size", [1.0, 1e-30, 1e30])  # whose squares are 0 and infinite in float32
def test_each_input_moves_by_the_distance_along_its_gradient(rng, shape, distance, size):
    x = (size * rng.uniform(0.1, 1, shape)).astype(np.float32)
    step = moved(np.zeros_like(x), lambda z: np.sum(z * x, axis=tuple(range(1, x.ndim))), distance)
    wide = x.astype(float)
    norm = np.sqrt(quadratic(wide)).reshape(-1, *[1] * (len(shape) - 1))
    assert step.dtype == np.float32
    np.testing.assert_allclose(step, distance * wide / norm, rtol=1e-5)


def test_gradients_are_those_at_the_inputs(rng):
    x = rng.normal(size=(6, 3))
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    np.testing.assert_allclose(moved(x, quadratic, 0.5), x + 0.5 * x / norm, rtol=1e-12)


def test_inputs_without_a_gradient_stay(rng):
    x = rng.normal(size=(3, 4))
    x[1] = 0
    result = moved(x, quadratic, 2.0)
    np.testing.assert_array_equal(result[1], 0)
    assert np.all(quadratic(result)[[0, 2]] > quadratic(x)[[0, 2]])


def test_the_gradients_of_parameters_are_left_alone(rng):
    w = tg.Tensor(rng.normal(size=(4, 1)), requires_grad=True)
    np.sum(w).backward()
    moved(rng.normal(size=(3, 4)), lambda x: tg.relu(x @ w)[:, 0], 1.0)
    np.testing.assert_array_equal(w.grad, 1)


def test_a_run_that_diverges_by_too_large_a_distance_says_so(run_train):
    result = run_train("--dataset", "digits", "--hidden", 8, "--epochs", 2, "--adversarial", 1e30, "--quiet")
    assert result.code == 1
    assert "--adversarial 1e+30 moves the images too far" in result.err
    assert "learning rate" not in result.err

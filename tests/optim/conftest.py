"""Parameters to optimize, and gradients of them."""

import numpy as np
import pytest

import tensorgrad as tg

START = [np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([0.25, -0.75]), np.array(1.5), np.zeros((0, 3))]


@pytest.fixture
def leaves():
    """``leaves(dtype)``: parameters of several shapes, by name."""

    def make(dtype=np.float64):
        return {name: tg.Tensor(x.astype(dtype), requires_grad=True) for name, x in zip("wbse", START, strict=True)}

    return make


@pytest.fixture
def gradient():
    """``gradient(step, x)``: depends on the step and on the value, as that of a loss would."""
    return lambda step, x: np.cos(x * (step + 1)) + 0.1 * step


@pytest.fixture
def run(gradient):
    """``run(optimizer, steps)``: steps with these gradients."""

    def steps(optimizer, numbers):
        for step in numbers:
            for p in optimizer.params.values():
                p.grad = np.asarray(gradient(step, p.data), p.dtype)
            optimizer.step()

    return steps

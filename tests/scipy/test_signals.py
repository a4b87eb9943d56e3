"""Convolution as in `scipy.signal`."""

import numpy as np
import pytest
import scipy.signal as ss

import tensorgrad as tg
import tensorgrad.scipy.signal as ours
from tests.helpers import draw, leaf

PAIRS = [
    (draw(5), draw(3, seed=1)), (draw(3), draw(4, seed=1)), (draw(4), draw(4, seed=1)), (draw(1), draw(3, seed=1)),
    (draw(4, 3), draw(2, 3, seed=1)), (draw(2, 2), draw(3, 4, seed=1)), (draw(2, 3, 2), draw(1, 2, 2, seed=1)),
]  # fmt: skip
AXES = [
    (draw(2, 5), draw(2, 3, seed=1), 1), (draw(2, 5), draw(1, 3, seed=1), -1), (draw(1, 3), draw(4, 3, seed=1), (1,)),
    (draw(2, 4, 3), draw(2, 3, 2, seed=1), (1, 2)), (draw(4, 3), draw(2, 3, seed=1), (0, 1)),
    (draw(4, 2), draw(3, 2, seed=1), [0]),
]  # fmt: skip
WRONG = [
    (lambda t: ours.convolve(t, np.eye(2)), "same number of axes"),
    (lambda t: ours.convolve(t, np.ones(0)), "not be empty"),
    (lambda t: ours.convolve(t, t, mode="circular"), "mode must be"),
    (lambda t: ours.convolve(t, t, method="fast"), "method must be"),
    (lambda t: ours.convolve(t[None], np.ones((2, 1)), mode="valid"), "at least as long"),
    (lambda t: ours.fftconvolve(t[None], np.ones((2, 3)), axes=0), "broadcast"),
    (lambda t: ours.fftconvolve(t, t, axes=1), "axis 1"),
]


def shape_of(value):
    return str(getattr(value, "shape", value))


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize(("x", "y"), PAIRS, ids=shape_of)
def test_convolution_over_all_axes(check, x, y, mode):
    np.testing.assert_allclose(ours.convolve(x, y, mode), ss.convolve(x, y, mode), rtol=1e-12, atol=1e-13)
    for method in ("direct", "fft"):
        check(lambda x, y, m=method: ours.convolve(x, y, mode, m),
              lambda x, y, m=method: ss.convolve(x, y, mode, m), [x, y])  # fmt: skip
    check(lambda x, y: ours.fftconvolve(x, y, mode), lambda x, y: ss.fftconvolve(x, y, mode), [x, y])


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize(("x", "y", "axes"), AXES, ids=shape_of)
def test_batches(check, x, y, axes, mode):
    check(lambda x, y: ours.fftconvolve(x, y, mode, axes), lambda x, y: ss.fftconvolve(x, y, mode, axes), [x, y])


def test_numbers_and_nothing(check):
    check(ours.convolve, ss.convolve, [np.array(2.0), np.array(3.0)])
    check(ours.fftconvolve, ss.fftconvolve, [np.array(2.0), np.array(3.0)])


@pytest.mark.parametrize(("f", "words"), WRONG)
def test_bad_input(f, words):
    with pytest.raises(ValueError, match=words) as caught:
        f(leaf([1.0, 2.0]))
    assert "\n" not in str(caught.value)


def test_one_input_alone_may_require_a_gradient():
    x, y = leaf(draw(5)), draw(3, seed=1)
    out = ours.convolve(y, x, "same")
    assert tg.grad(out, x, np.ones(3)).shape == (5,)

"""Clipping, by the norm of all gradients or element by element."""

import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.optim import SGD, clip_grad_norm, clip_grad_value


def parameter(gradient, dtype=np.float64):
    g = None if gradient is None else np.asarray(gradient, dtype)
    p = tg.Tensor(np.zeros(np.shape(g), dtype) if g is not None else np.zeros(2), requires_grad=True)
    p.grad = g
    return p


GRADIENTS = [[[3.0, -4.0], [0.0, 1.0]], [-2.0, 0.5], 7.0, np.zeros((0, 3)), None]
FLAT = np.array([3.0, -4.0, 0.0, 1.0, -2.0, 0.5, 7.0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("max_norm", [0.0, 0.5, 3.0, 1e3, math.inf])
@pytest.mark.parametrize("norm_type", [0.5, 1, 2, 3.0, math.inf])
def test_norm(dtype, max_norm, norm_type):
    params = [parameter(g, dtype) for g in GRADIENTS]
    expected = np.abs(FLAT).max() if norm_type == math.inf else np.sum(np.abs(FLAT) ** norm_type) ** (1 / norm_type)
    norm = clip_grad_norm(params, max_norm, norm_type)
    assert type(norm) is float
    assert norm == pytest.approx(expected, rel=1e-12)
    for p, g in zip(params[:-1], GRADIENTS[:-1], strict=True):
        assert type(p.grad) is np.ndarray
        assert (p.grad.dtype, p.grad.shape) == (dtype, p.shape)
        np.testing.assert_allclose(p.grad, np.asarray(g) * min(1, max_norm / (norm + 1e-6)), rtol=1e-6)
    assert params[-1].grad is None


def test_norm_leaves_short_gradients_untouched():
    p = parameter([3.0, 4.0])
    g = p.grad
    assert clip_grad_norm(p, 5.1) == 5
    assert p.grad is g


@pytest.mark.parametrize(
    ("gradient", "dtype", "norm"),
    [([3e30, 4e30], np.float32, 5e30), ([3e-30, 4e-30], np.float32, 5e-30), ([3e4, 4e4], np.float16, 5e4)],
)
def test_norm_in_double_precision(gradient, dtype, norm):
    p = parameter(gradient, dtype)
    assert clip_grad_norm(p, 1.0) == pytest.approx(norm, rel=1e-3)
    assert p.grad.dtype == dtype
    np.testing.assert_allclose(np.linalg.norm(p.grad.astype(float)), min(1, norm), rtol=3e-3)


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_norm_that_is_not_finite(bad):
    params = [parameter([1.0, bad]), parameter([2.0])]
    kept = [p.grad for p in params]
    with pytest.raises(RuntimeError, match=r"norm of all gradients is (inf|nan)"):
        clip_grad_norm(params, 1.0, error_if_nonfinite=True)
    assert [p.grad is g for p, g in zip(params, kept, strict=True)] == [True, True]
    assert not math.isfinite(clip_grad_norm(params, 1.0))
    rest = math.nan if math.isnan(bad) else 0.0
    np.testing.assert_array_equal(params[0].grad, [rest, math.nan])
    np.testing.assert_array_equal(params[1].grad, [rest])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_value(dtype):
    params = [parameter(g, dtype) for g in GRADIENTS]
    clip_grad_value(params, 1.5)
    for p, g in zip(params[:-1], GRADIENTS[:-1], strict=True):
        assert type(p.grad) is np.ndarray
        assert p.grad.dtype == dtype
        np.testing.assert_array_equal(p.grad, np.maximum(np.minimum(g, 1.5), -1.5))
    assert params[-1].grad is None
    p = parameter([math.nan, math.inf, -math.inf])
    clip_grad_value(p, 2.0)
    np.testing.assert_array_equal(p.grad, [math.nan, 2, -2])


CLIPS = pytest.mark.parametrize(
    "clip", [lambda p: clip_grad_norm(p, 0.1), lambda p: clip_grad_value(p, 0.1)], ids=["norm", "value"]
)


@CLIPS
def test_gradients_that_others_hold_are_not_written_to(clip):
    shared = np.array([3.0, -4.0])
    a, b = parameter(shared), parameter(shared)
    a.grad = b.grad = shared
    c = parameter([1.0, 1.0])
    c.grad = np.broadcast_to(np.float64(2.0), (2,))  # read-only
    clip([a, b, c])
    np.testing.assert_array_equal(shared, [3, -4])
    np.testing.assert_array_equal(a.grad, b.grad)
    assert np.abs([a.grad, c.grad]).max() <= 0.1


@CLIPS
def test_gradients_on_the_tape_become_plain(clip):
    p = tg.Tensor([1.0, 2.0], requires_grad=True)
    np.sum(p**3).backward(create_graph=True)
    clip(p)
    assert type(p.grad) is np.ndarray
    assert np.abs(p.grad).max() <= 0.1


@CLIPS
def test_parameters_as_a_tensor_a_list_a_generator_and_a_dict(clip):
    for wrap in (lambda p: p, lambda p: [p], lambda p: (q for q in [p]), lambda p: {"w": p}):
        p = parameter([3.0, -4.0])
        clip(wrap(p))
        assert np.abs(p.grad).max() <= 0.1
    clip([])
    clip([parameter(None)])
    with pytest.raises(TypeError, match="'0'"):
        clip([np.ones(2)])
    with pytest.raises(ValueError, match="twice"):
        clip([p, p])


def test_norm_of_nothing_is_zero():
    assert clip_grad_norm([], 1.0) == clip_grad_norm([parameter(None)], 1.0) == clip_grad_norm(parameter([]), 1.0) == 0


@pytest.mark.parametrize("value", [-1.0, math.nan])
def test_wrong_limits_are_refused(value):
    for clip, name in ((clip_grad_norm, "max_norm"), (clip_grad_value, "clip_value")):
        with pytest.raises(ValueError, match=name):
            clip(parameter([1.0]), value)
    with pytest.raises(ValueError, match="norm_type"):
        clip_grad_norm(parameter([1.0]), 1.0, value)
    with pytest.raises(ValueError, match="norm_type"):
        clip_grad_norm(parameter([1.0]), 1.0, 0)


def test_before_a_step():
    w = tg.Tensor([30.0, -40.0], requires_grad=True)
    optimizer = SGD([w], lr=1.0)
    (np.sum(w**2) / 2).backward()
    assert clip_grad_norm(optimizer.params, 5.0) == pytest.approx(50)
    optimizer.step()
    np.testing.assert_allclose(w.data, [27, -36], rtol=1e-6)

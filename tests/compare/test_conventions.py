"""Kinks, poles and very large numbers: the conventions of PyTorch, or a reason for the difference."""

import functools
import math

import numpy as np
import pytest

import tensorgrad as tg
from compare import elementwise
from compare.both import by_tensorgrad, by_torch, torch
from compare.op import alone, broadcasting

pytestmark = [
    pytest.mark.compare,
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),  # of NumPy, outside the domains
]

F, L = torch.nn.functional, torch.linalg
inf, nan = math.inf, math.nan

# ---------------------------------------------------------------------------------------- functions of each element


SPECIAL = np.array([0, -0.0, 1, -1, 0.5, -0.5, 2, -2.5, 30, -30, 100, -100, 1e4, -1e4, inf, -inf, nan])
CHOICES = {  # of their parameters
    "leaky_relu": {"negative_slope": 0.1}, "elu": {"alpha": 2.0}, "celu": {"alpha": 2.0}, "hardtanh": {"min_val": -1.0, "max_val": 2.0},
    "gelu": {"approximate": "none"},
}  # fmt: skip

# fmt: off
DIFFERENT_ON_PURPOSE = {
    "logaddexp":   "-inf and -inf: 0, PyTorch has NaN",
    "logaddexp2":  "as logaddexp",
    "hypot":       "the gradient of a norm at 0 is 0, PyTorch has NaN",
    "arctan2":     "none at (0, 0), PyTorch has 0",
    "fmax":        "ties share, as they do in both libraries' maximum",
    "fmin":        "as fmax",
    "copysign":    "of infinity: 1 or -1, PyTorch has NaN",
    "select":      "what was left out stays out, PyTorch has NaN where it is infinite",
    "piecewise":   "what was left out stays out, PyTorch has NaN where it overflows",
    "expm1":       "exact in the tail, PyTorch's cancels",
}
# fmt: on

LINES = [op for op in elementwise.OPS if op not in elementwise.COMPLEX and op.draw in (alone, broadcasting)]
LINES += [op for op in elementwise.OPS if op.name in CHOICES]
NO_PYTORCH = ("cbrt", "modf", "frexp", "dropout", "heaviside")  # written by other functions, or without a gradient


@pytest.mark.parametrize("op", [op for op in LINES if op.name not in NO_PYTORCH], ids=lambda op: op.name)
def test_special_points(op):
    """Where the function is defined, values and derivatives are the same."""
    grid = [SPECIAL] if op.draw is not broadcasting else [z.ravel() for z in np.meshgrid(SPECIAL, SPECIAL)]
    params = CHOICES.get(op.name, {})
    total = np.ones_like(grid[0])
    ours = slopes(functools.partial(op.ours, **params), grid, total)
    theirs = theirs_slopes(functools.partial(op.theirs, **params), grid, torch.tensor(total))
    exists = ~np.isnan(theirs[0])
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-12, atol=1e-15)
    agree = all(
        np.allclose(x[exists], y[exists], rtol=1e-10, atol=1e-190, equal_nan=True)
        for x, y in zip(ours, theirs, strict=True)
    )
    assert agree is (op.name not in DIFFERENT_ON_PURPOSE)


def slopes(fn, arrays, seed):
    leaves = [tg.Tensor(x.copy(), requires_grad=True) for x in arrays]
    out = fn(*leaves)
    found = tg.grad(out, leaves, seed) if out.requires_grad else [None] * len(leaves)
    return [out.data, *(np.zeros_like(x) if g is None else g for g, x in zip(found, arrays, strict=True))]


def theirs_slopes(fn, arrays, seed):
    leaves = [torch.tensor(x, requires_grad=True) for x in arrays]
    out = fn(*leaves)
    found = torch.autograd.grad(out, leaves, seed, materialize_grads=True, allow_unused=True)
    return [x.detach().numpy() for x in (out, *found)]


# -------------------------------------------------------------------------------------------- functions of whole arrays


def dims(fn, **params):
    return lambda x: fn(x, **params)


def t(x):
    return torch.tensor(x, dtype=torch.float64)


ZEROS, EQUALS, RANK_1 = np.zeros((2, 3)), np.full((2, 3), 1.5), np.outer([1.0, 2, -1], [0.5, 1, 3])
BIG = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4 - 1], [-inf, 0, 1]])
PLAIN = np.array([1.0, 2])

# fmt: off
AT_A_POINT = [
    # function                ours                                     PyTorch's                                where             why it differs, if it does
    ("max ties",              np.max,                                  torch.amax,                              [1., 3, 3],       ""),
    ("min ties",              np.min,                                  torch.amin,                              [1., 1, 3],       ""),
    ("median of ties",        np.median,                               dims(torch.quantile, q=0.5),             [1., 2, 2, 3],    ""),
    ("median of nan",         np.median,                               dims(torch.quantile, q=0.5),             [1., nan, 2],     ""),
    ("sort ties",             lambda x: np.sort(x) ** 2 * [1, 2, 3, 4], lambda x: torch.sort(x, stable=True).values ** 2 * t([1, 2, 3, 4]), [5., 3, 5, 3], ""),
    ("prod of a zero",        np.prod,                                 torch.prod,                              [2., 0, 3],       ""),
    ("prod of two zeros",     np.prod,                                 torch.prod,                              [0., 0, 3],       ""),
    ("cumprod of zeros",      np.cumprod,                              dims(torch.cumprod, dim=0),              [2., 0, 3, 0],    ""),
    ("nansum",                np.nansum,                               torch.nansum,                            [1., nan, 2],     ""),
    ("nanmean",               np.nanmean,                              torch.nanmean,                           [1., nan, 2],     ""),
    ("std of equals",         np.std,                                  dims(torch.std, correction=0),           EQUALS,           "0, PyTorch has NaN: the second derivative too"),
    ("var of equals",         np.var,                                  dims(torch.var, correction=0),           EQUALS,           ""),
    ("norm at 0",             np.linalg.norm,                          L.vector_norm,                           ZEROS,            ""),
    *[(f"norm {p} at 0",      lambda x, p=p: np.linalg.vector_norm(x, ord=p), dims(L.vector_norm, ord=p),       ZEROS,            "") for p in (1, inf)],
    ("norm 3 at 0",           lambda x: np.linalg.vector_norm(x, ord=3), dims(L.vector_norm, ord=3),           ZEROS,            "no second derivative: NaN, PyTorch has 0"),
    ("norm 1.5 with a zero",  lambda x: np.linalg.norm(x, 1.5),        dims(L.vector_norm, ord=1.5),            [0., -4, 2],      "the second derivative is 0 at an element that is 0"),
    ("norm 1 with a zero",    lambda x: np.linalg.norm(x, 1),          dims(L.vector_norm, ord=1),              [0., -4, 2],      ""),
    ("norm inf ties",         lambda x: np.linalg.norm(x, inf),        dims(L.vector_norm, ord=inf),            [3., -3, 1],      ""),
    ("norm fro at 0",         dims(np.linalg.norm, ord="fro"),         dims(L.matrix_norm, ord="fro"),          ZEROS,            ""),
    ("det, singular",         np.linalg.det,                           L.det,                                   [[4., 2, 0], [2, 1, 0], [0, 0, 1]], "without create_graph, PyTorch has 0 where a pivot is exactly 0"),
    ("det of rank 1",         np.linalg.det,                           L.det,                                   RANK_1,           ""),
    ("logsumexp",             dims(tg.logsumexp, axis=1),              dims(torch.logsumexp, dim=1),            BIG,              ""),
    ("logsumexp of -inf",     tg.logsumexp,                            dims(torch.logsumexp, dim=0),            [-inf, -inf],     "0, PyTorch has NaN"),
    ("softmax",               lambda x: tg.softmax(x) ** 2,            lambda x: torch.softmax(x, 1) ** 2,      BIG,              ""),
    ("log_softmax",           lambda x: tg.log_softmax(x)[:, 1:],      lambda x: torch.log_softmax(x, 1)[:, 1:], BIG,             ""),
    ("cross_entropy",         lambda x: tg.cross_entropy(x, np.array([0, 1, 2, 1])), lambda x: F.cross_entropy(x, torch.tensor([0, 1, 2, 1])), BIG, ""),
    ("cross_entropy of inf",  lambda x: tg.cross_entropy(x, np.array([0])), lambda x: F.cross_entropy(x, torch.tensor([0])), [[-inf, 0.]], ""),
    ("l1_loss of equals",     lambda x: tg.l1_loss(x, PLAIN),          lambda x: F.l1_loss(x, t(PLAIN)),        [1., 3],          ""),
    ("huber_loss corners",    lambda x: tg.huber_loss(x, PLAIN),       lambda x: F.huber_loss(x, t(PLAIN)),     [2., 1],          "the second derivative: that of the square, PyTorch's that of the line"),
    ("smooth_l1_loss corners", lambda x: tg.smooth_l1_loss(x, PLAIN),  lambda x: F.smooth_l1_loss(x, t(PLAIN)), [2., 1],          "the second derivative: that of the square, PyTorch's that of the line"),
    ("smooth_l1_loss 0",      lambda x: tg.smooth_l1_loss(x, PLAIN, beta=0), lambda x: F.smooth_l1_loss(x, t(PLAIN), beta=0), [2., 2], ""),
    ("bce at 0 and 1",        lambda x: tg.binary_cross_entropy(x, [1., 0, 1, 0]), lambda x: F.binary_cross_entropy(x, t([1., 0, 1, 0])), [0., 1, .3, 1e-5], "the second derivative where the logarithm is cut off: 0, PyTorch's is 1e22"),
    ("bce logits",            lambda x: tg.binary_cross_entropy_with_logits(x, [0., 1, 0, 1]), lambda x: F.binary_cross_entropy_with_logits(x, t([0., 1, 0, 1])), [1e4, 1e4, -1e4, -1e4], ""),
    ("kl_div, target 0",      lambda y: tg.kl_div(np.array([-1., -2]), y, reduction="sum"), lambda y: F.kl_div(t([-1., -2]), y, reduction="sum"), [0., .5], "0 log 0 has gradient 0, PyTorch has NaN"),
    ("max_pool ties",         lambda x: tg.max_pool1d(x, 3),           dims(F.max_pool1d, kernel_size=3),       [[[2., 2, 1, 0, 0, 0]]], "ties share, PyTorch gives all to the first"),
    ("attention without keys", lambda q: tg.scaled_dot_product_attention(q, EQUALS, EQUALS, np.array([[True, True], [False, False]])), lambda q: F.scaled_dot_product_attention(q, t(EQUALS), t(EQUALS), torch.tensor([[True, True], [False, False]])), EQUALS / 3, ""),
    ("embedding padding",     lambda w: tg.embedding([0, 1, 0], w, padding_idx=0), lambda w: F.embedding(torch.tensor([0, 1, 0]), w, padding_idx=0), EQUALS, ""),
    ("clip edges",            lambda x: np.clip(x, -1, 1),             dims(torch.clip, min=-1, max=1),         [-2., -1, 0, 1, 2], ""),
    ("maximum tie",           lambda x: np.maximum(x, 0),              lambda x: torch.maximum(x, t(0)),        [-1., 0, 1],      ""),
    ("x ** 0",                lambda x: x ** 0,                        lambda x: x ** 0,                        [-1., 0, 2],      ""),
    ("x ** 1",                lambda x: x ** 1,                        lambda x: x ** 1,                        [-1., 0, 2],      ""),
    ("sinc(0)",               np.sinc,                                 torch.sinc,                              [0., 1],          "the second derivative at 0 is -pi**2 / 3, PyTorch has 0"),
    ("ldexp down",            lambda x: np.ldexp(x, -1),               lambda x: torch.ldexp(x, torch.tensor(-1)), [3.],          "1/2, PyTorch has 0: 2 ** -1 in integers"),
    ("0 * sqrt(0)",           lambda x: 0 * np.sqrt(x),                lambda x: 0 * torch.sqrt(x),             [0., 4],          "the zero rule, PyTorch has NaN"),
    ("where, sqrt(-1)",       lambda x: np.where(x > 0, np.sqrt(x), 0), lambda x: torch.where(x > 0, torch.sqrt(x), 0), [-1., 4], "the zero rule, PyTorch has NaN"),
    ("where, log(0)",         lambda x: np.where(x > 0, np.log(x), 0), lambda x: torch.where(x > 0, torch.log(x), 0), [0., 4],    "the zero rule, PyTorch has NaN"),
    ("sqrt(0)",               np.sqrt,                                 torch.sqrt,                              [0., 4],          ""),
    ("|x| ** 2 at 0",         lambda x: np.abs(x) ** 2,                lambda x: torch.abs(x) ** 2,             [0., 4],          "a kink has no curvature: NaN, PyTorch has 0, and neither the limit 2"),
]
# fmt: on


@pytest.mark.parametrize(("name", "ours", "theirs", "x", "why"), AT_A_POINT, ids=[row[0] for row in AT_A_POINT])
def test_kinks(name, ours, theirs, x, why):
    """Values, gradients and second derivatives are the same, or there is a reason."""
    x = np.array(x)
    mine, other = (f(*args, 2) + f(*args, 1)[1:] for f, *args in ((by_tensorgrad, ours, [x]), (by_torch, theirs, [x])))
    np.testing.assert_allclose(mine[0][0], other[0][0], rtol=1e-12, atol=1e-15)
    agree = all(
        np.allclose(a[0], b[0], rtol=1e-10, atol=1e-12, equal_nan=True) for a, b in zip(mine, other, strict=True)
    )
    assert agree is not bool(why), f"{mine}\nPyTorch: {other}"

"""Elementwise functions: arithmetic, powers, logarithms, angles, rounding, choices, activations, complex numbers."""

import numpy as np
from cases.activations import Drawn
from cases.rows import pair, parts
from hypothesis import strategies as st

import tensorgrad as tg
from compare.both import t, torch
from compare.op import (
    Op,
    broadcasting,
    differ,
    free,
    given,
    inside,
    larger,
    mask,
    near_one,
    nonzero,
    parts_t,
    positive,
    small,
    unit,
    with_axis,
)

F = torch.nn.functional


def same(fn):
    """A function written with operators only, the same for both libraries."""
    return fn, fn


def whole(x, y):
    """Is the quotient far from whole numbers?"""
    return nonzero(y) and inside(x / y)


def both_apart(x, y, **params):
    return nonzero(x) and nonzero(y)


def away_from_steps(x):
    return all(differ(x, c) for c in (-1, 0, 1, 2))


def slopes(p, x):
    """Of PyTorch's `prelu`: one, or one for each channel."""
    return [p.another((p.draw(st.sampled_from([1, x.shape[1] if x.ndim > 1 else 1])),))], {}


def pair_t(x, y):
    return torch.complex(*torch.broadcast_tensors(x, y))


def of_complex(name, theirs, domain=free):
    """A function of complex numbers, as a function of real and imaginary parts."""
    fn = getattr(np, name)
    return Op(
        f"{name} z",
        lambda x, y: parts(fn(pair(x, y))),
        lambda x, y: parts_t(theirs(pair_t(x, y))),
        broadcasting,
        domain,
    )


# fmt: off
ARITHMETIC = [
    Op("-x",           *same(lambda x: -x)),
    Op("x + 2",        *same(lambda x: x + 2)),
    Op("2.5 - x",      *same(lambda x: 2.5 - x)),
    Op("x * x",        *same(lambda x: x * x)),
    Op("1 / x",        *same(lambda x: 1 / x),                                  domain=positive),
    Op("x ** 2",       *same(lambda x: x ** 2)),
    Op("x ** 3",       *same(lambda x: x ** 3)),
    Op("x ** 0",       *same(lambda x: x ** 0)),
    Op("x ** -1.5",    *same(lambda x: x ** -1.5),                              domain=positive),
    Op("x ** p",       *same(lambda x, p: x ** p),                              given(p=[1, 2, 0.5, -1, 2.5]), positive),
    Op("2 ** x",       lambda x: 2 ** x, lambda x: 2.0 ** x,                    domain=small),
    Op("+",            *same(lambda x, y: x + y),                               broadcasting),
    Op("-",            *same(lambda x, y: x - y),                               broadcasting),
    Op("*",            *same(lambda x, y: x * y),                               broadcasting),
    Op("/",            *same(lambda x, y: x / y),                               broadcasting, (free, positive)),
    Op("**",           *same(lambda x, y: x ** y),                              broadcasting, (positive, small)),
    Op("add",          np.add,                      torch.add,                  broadcasting),
    Op("subtract",     np.subtract,                 torch.subtract,             broadcasting),
    Op("multiply",     np.multiply,                 torch.multiply,             broadcasting),
    Op("divide",       np.divide,                   torch.divide,               broadcasting, (free, larger)),
    Op("power",        np.power,                    torch.pow,                  broadcasting, (larger, unit)),
    Op("float_power",  lambda x, y: np.float_power(x, y).astype(x.dtype), lambda x, y: torch.float_power(x, y).to(x.dtype), broadcasting, (larger, unit)),
    Op("negative",     np.negative,                 torch.negative),
    Op("positive",     np.positive,                 torch.positive),
    Op("reciprocal",   np.reciprocal,               torch.reciprocal,           domain=larger),
    Op("absolute",     np.absolute,                 torch.absolute,             safe=nonzero),
    Op("fabs",         np.fabs,                     torch.abs,                  safe=nonzero),
    Op("sign",         lambda x: x * np.sign(x),    lambda x: x * torch.sign(x), safe=nonzero),
    Op("square",       np.square,                   torch.square),
    Op("sqrt",         np.sqrt,                     torch.sqrt,                 domain=positive),
    Op("cbrt",         np.cbrt,                     lambda x: torch.sign(x) * torch.abs(x) ** (1 / 3), safe=nonzero),
]

EXPONENTIALS = [
    Op("exp",          np.exp,                      torch.exp,                  domain=small),
    Op("exp2",         np.exp2,                     torch.exp2,                 domain=small),
    Op("expm1",        np.expm1,                    torch.expm1,                domain=small),
    Op("log",          np.log,                      torch.log,                  domain=positive),
    Op("log2",         np.log2,                     torch.log2,                 domain=positive),
    Op("log10",        np.log10,                    torch.log10,                domain=positive),
    Op("log1p",        np.log1p,                    torch.log1p,                domain=unit),
    Op("logaddexp",    np.logaddexp,                torch.logaddexp,            broadcasting),
    Op("logaddexp2",   np.logaddexp2,               torch.logaddexp2,           broadcasting),
]

TRIGONOMETRY = [
    Op("sin",          np.sin,                      torch.sin),
    Op("cos",          np.cos,                      torch.cos),
    Op("tan",          np.tan,                      torch.tan,                  domain=unit),
    Op("sinc",         np.sinc,                     torch.sinc,                 safe=nonzero),
    Op("i0",           np.i0,                       torch.special.i0,           domain=small),
    Op("arcsin",       np.arcsin,                   torch.arcsin,               domain=unit),
    Op("arccos",       np.arccos,                   torch.arccos,               domain=unit),
    Op("arctan",       np.arctan,                   torch.arctan),
    Op("arctan2",      np.arctan2,                  torch.arctan2,              broadcasting, safe=both_apart),
    Op("hypot",        np.hypot,                    torch.hypot,                broadcasting, safe=both_apart),
    Op("sinh",         np.sinh,                     torch.sinh,                 domain=small),
    Op("cosh",         np.cosh,                     torch.cosh,                 domain=small),
    Op("tanh",         np.tanh,                     torch.tanh),
    Op("arcsinh",      np.arcsinh,                  torch.arcsinh),
    Op("arccosh",      np.arccosh,                  torch.arccosh,              domain=larger),
    Op("arctanh",      np.arctanh,                  torch.arctanh,              domain=unit),
    Op("deg2rad",      np.deg2rad,                  torch.deg2rad),
    Op("rad2deg",      np.rad2deg,                  torch.rad2deg),
    Op("radians",      np.radians,                  torch.deg2rad),
    Op("degrees",      np.degrees,                  torch.rad2deg),
]

# A product with the input, so that the gradient of the row is not 0.
ROUNDING = [
    Op("floor",        lambda x: x * np.floor(x),   lambda x: x * torch.floor(x), safe=inside),
    Op("ceil",         lambda x: x * np.ceil(x),    lambda x: x * torch.ceil(x),  safe=inside),
    Op("trunc",        lambda x: x * np.trunc(x),   lambda x: x * torch.trunc(x), safe=inside),
    Op("fix",          lambda x: x * np.fix(x),     lambda x: x * torch.fix(x),   safe=inside),
    Op("rint",         lambda x: x * np.rint(x),    lambda x: x * torch.round(x), safe=inside),
    Op("round",        lambda x: x * np.round(x),   lambda x: x * torch.round(x), safe=inside),
    Op("around",       lambda x: x * np.around(x),  lambda x: x * torch.round(x), safe=inside),
    Op("modf",         lambda x: np.modf(x)[0] + x * np.modf(x)[1], lambda x: torch.frac(x) + x * torch.trunc(x), safe=inside),
    Op("frexp",        lambda x: np.frexp(x)[0],    lambda x: x / 2.0 ** torch.frexp(x.detach()).exponent, safe=nonzero),
    Op("ldexp",        lambda x: np.ldexp(x, 3),    lambda x: torch.ldexp(x, torch.tensor(3))),
    Op("remainder",    np.remainder,                torch.remainder,            broadcasting, safe=whole),
    Op("fmod",         np.fmod,                     torch.fmod,                 broadcasting, safe=whole),
    Op("floor_divide", lambda x, y: x * np.floor_divide(x, y), lambda x, y: x * torch.div(x, y, rounding_mode="floor"), broadcasting, safe=whole),
    Op("divmod",       lambda x, y: np.add(*np.divmod(x, y)), lambda x, y: torch.div(x, y, rounding_mode="floor") + torch.remainder(x, y), broadcasting, safe=whole),
]

CHOICES = [
    Op("maximum",      np.maximum,                  torch.maximum,              broadcasting, safe=differ),
    Op("minimum",      np.minimum,                  torch.minimum,              broadcasting, safe=differ),
    Op("fmax",         np.fmax,                     torch.fmax,                 broadcasting, safe=differ),
    Op("fmin",         np.fmin,                     torch.fmin,                 broadcasting, safe=differ),
    Op("clip",         lambda x: np.clip(x, -0.51, 0.77), lambda x: torch.clip(x, -0.51, 0.77), safe=lambda x: differ(x, -0.51) and differ(x, 0.77)),
    Op("clip by arrays", lambda x, y: np.clip(x, None, y), lambda x, y: torch.clip(x, None, y), broadcasting, safe=differ),
    Op("copysign",     np.copysign,                 torch.copysign,             broadcasting, safe=both_apart),
    Op("heaviside",    lambda x, y: np.heaviside(x, y.detach() if isinstance(y, tg.Tensor) else y), lambda x, y: torch.heaviside(x.detach(), y.detach()), broadcasting, safe=both_apart),
    Op("nan_to_num",   np.nan_to_num,               torch.nan_to_num),
    Op("where",        lambda x, y: np.where(x > y, x, y * 2), lambda x, y: torch.where(x > y, x, y * 2), broadcasting, safe=differ),
    Op("where mask",   lambda x, mask: np.where(mask, x, 0.5), lambda x, mask: torch.where(t(mask), x, 0.5), mask),
    Op("select",       lambda x, y: np.select([x > 1, y > 0], [x, x * y], y), lambda x, y: torch.where(x > 1, x, torch.where(y > 0, x * y, y)), broadcasting, safe=lambda x, y: differ(x, 1) and nonzero(y)),
    Op("piecewise",    lambda x: np.piecewise(x, [x < 0], [np.exp, lambda x: x * x]), lambda x: torch.where(x < 0, torch.exp(x), x * x), domain=small, safe=nonzero),
    Op("choose",       lambda x, y: np.choose((x > y).astype(int), [x, y * 2]), lambda x, y: torch.where(x > y, y * 2, x), broadcasting, safe=differ),
]

ACTIVATIONS = [
    Op("relu",         tg.relu,                     F.relu,                     safe=nonzero),
    Op("leaky_relu",   tg.leaky_relu,               F.leaky_relu,               given(negative_slope=[0.01, 0.3, 0.0]), safe=nonzero),
    Op("elu",          tg.elu,                      F.elu,                      given(alpha=[1.0, 0.5, 2.0]), safe=nonzero),
    Op("celu",         tg.celu,                     F.celu,                     given(alpha=[1.0, 0.5, 2.0]), safe=nonzero),
    Op("prelu",        tg.prelu,                    F.prelu,                    slopes, safe=nonzero, ndim=(1, 3)),
    Op("glu",          lambda x, axis: tg.glu(np.concatenate([x, x * x], axis), axis), lambda x, axis: F.glu(torch.cat([x, x * x], axis), axis), with_axis, ndim=(1, 3)),
    Op("relu6",        lambda x: tg.relu6(3 * x),       lambda x: F.relu6(3 * x),       safe=away_from_steps),
    Op("hardsigmoid",  lambda x: tg.hardsigmoid(3 * x), lambda x: F.relu6(3 * x + 3) / 6, safe=away_from_steps),  # its own has a slope of float32, and no second derivative
    Op("hardswish",    lambda x: tg.hardswish(3 * x),   lambda x: F.hardswish(3 * x),   safe=away_from_steps),
    Op("selu",         tg.selu,                     F.selu,                     safe=nonzero),
    Op("gelu",         lambda x, approximate: tg.gelu(x, approximate), lambda x, approximate: F.gelu(x, approximate=approximate), given(approximate=["none", "tanh"])),
    Op("silu",         tg.silu,                     F.silu),
    Op("mish",         tg.mish,                     F.mish),
    Op("softsign",     tg.softsign,                 F.softsign,                 safe=nonzero),
    Op("hardtanh",     tg.hardtanh,                 F.hardtanh,                 given(min_val=[-1.0, -0.3], max_val=[1.0, 0.7]), safe=lambda x, min_val, max_val: differ(x, min_val) and differ(x, max_val)),
    Op("log_sigmoid",  tg.log_sigmoid,              F.logsigmoid),
    Op("sigmoid",      tg.sigmoid,                  torch.sigmoid),
    Op("softplus",     tg.softplus,                 lambda x: F.softplus(x, threshold=100)),
    Op("erf",          tg.erf,                      torch.erf),
    Op("erfc",         tg.erfc,                     torch.erfc),
    Op("dropout",      lambda x: tg.dropout(x, 0.4, Drawn), lambda x: x * (t(Drawn.random(tuple(x.shape))) >= 0.4) / 0.6),
]

COMPLEX = [
    Op("real imag",    lambda x, y: np.real(pair(x, y) ** 2) * np.imag(pair(x, y)), lambda x, y: (pair_t(x, y) ** 2).real * pair_t(x, y).imag, broadcasting),
    Op("conj",         lambda x, y: parts(np.conj(pair(x, y)) * (1 + 2j)), lambda x, y: parts_t(torch.conj(pair_t(x, y)) * (1 + 2j)), broadcasting),
    Op("conjugate",    lambda x, y: parts(np.conjugate(pair(x, y)) * pair(y, x)), lambda x, y: parts_t(torch.conj(pair_t(x, y)) * pair_t(y, x)), broadcasting),
    Op("abs z",        lambda x, y: np.abs(pair(x, y)), lambda x, y: torch.abs(pair_t(x, y)), broadcasting, safe=both_apart),
    Op("angle",        lambda x, y: np.angle(pair(x, y)), lambda x, y: torch.angle(pair_t(x, y)), broadcasting, safe=both_apart),
    Op("z * w",        lambda x, y: parts(pair(x, y) * pair(y, 2.0)), lambda x, y: parts_t(pair_t(x, y) * pair_t(y, torch.full_like(y, 2))), broadcasting),
    Op("z / w",        lambda x, y: parts(pair(x, y) / pair(y, x)), lambda x, y: parts_t(pair_t(x, y) / pair_t(y, x)), broadcasting, (near_one, near_one)),
    Op("z ** w",       lambda x, y: parts(pair(x, y) ** pair(y, x)), lambda x, y: parts_t(pair_t(x, y) ** pair_t(y, x)), broadcasting, (near_one, near_one)),
    Op("z ** 3",       lambda x, y: parts(pair(x, y) ** 3), lambda x, y: parts_t(pair_t(x, y) ** 3), broadcasting, (positive, positive)),
    of_complex("square", torch.square),
    *[of_complex(name, getattr(torch, name), (unit, unit)) for name in ("exp", "expm1", "sin", "cos", "sinh", "cosh", "tan", "tanh", "arcsin", "arccos", "arctan", "arcsinh", "arctanh")],
    *[of_complex(name, getattr(torch, name), (positive, positive)) for name in ("log", "log2", "log10", "log1p", "sqrt", "reciprocal", "arccosh")],
]
# fmt: on

OPS = ARITHMETIC + EXPONENTIALS + TRIGONOMETRY + ROUNDING + CHOICES + ACTIVATIONS + COMPLEX

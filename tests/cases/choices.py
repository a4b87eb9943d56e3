"""Functions that select between elements: maximum, where, clip, nan_to_num and similar functions."""

import numpy as np

from cases.rows import Row, away, distinct, real

A23 = np.array([[0.5, -1.5, 2.5], [1.25, -0.75, 1.75]])
HOLES = np.array([0.3, np.nan, -0.4])
ENDLESS = np.array([[1.5, np.nan, np.inf], [-np.inf, 0.5, 2.0]])
MASK = np.array([[True, False, True], [False, True, True]])
PICK = np.array([[2, 0, 1], [1, 1, 0]])

# fmt: off
UNARY = [
    Row("where x, c",     lambda x: np.where(np.sin(x) > 0, x, 2.0),                real,     [(2, 3)]),
    Row("where c, x",     lambda x: np.where(np.sin(x) > 0, 2.0, x * x),            real,     [(2, 3)]),
    Row("maximum x, c",   lambda x: np.maximum(x, 0),                               away,     [(2, 3)]),
    Row("minimum c, x",   lambda x: np.minimum(0.0, x),                             away,     [(2, 3)]),
    Row("clip both",      lambda x: np.clip(x, -0.6, 0.6),                          distinct, [(2, 3)]),
    Row("clip below",     lambda x: np.clip(x, 0.0, None),                          away,     [(2, 3)]),
    Row("clip above",     lambda x: np.clip(x, None, 0.0),                          away,     [(2, 3)]),
    Row("x.clip",         lambda x: x.clip(-0.6, 0.6),                              distinct, [(2, 3)]),
    Row("copysign x, c",  lambda x: np.copysign(x, -2.0),                           away,     [(2, 3)]),
    Row("copysign c, x",  lambda x: x * np.copysign(1.5, x),                        away,     [(2, 3)]),
    Row("heaviside x, c", lambda x: np.heaviside(x, 0.5),                           away,     [(2, 3)]),
    Row("fmax x, nan",    lambda x: np.fmax(x, np.nan) * x,                         away,     [(2, 3)]),
    Row("nan_to_num",     lambda x: np.nan_to_num(x) * x,                           real,     [(2, 3)]),
    Row("piecewise",
        lambda x: np.piecewise(x, [x < 0, x > 0.5], [lambda x: x * x, np.sin, lambda x: 2 - x]), distinct, [(2, 3)]),
    Row("piecewise c",    lambda x: np.piecewise(x, [x < 0, x >= 0], [-1, 1]),      away,     [(2, 3)]),
]

BINARY = [
    Row("np.maximum",     np.maximum,                                               real,     [(2, 3), (2, 3)]),
    Row("np.minimum",     np.minimum,                                               real,     [(2, 3), (2, 3)]),
    Row("where(c, x, y)", lambda x, y: np.where(np.cos(x) > 0.5, x, y),             real,     [(2, 3), (2, 3)]),
    Row("clip low",       lambda x, y: np.clip(x, y, None),                         real,     [(2, 3), (2, 3)]),
    Row("clip high",      lambda x, y: np.clip(x, None, y),                         real,     [(2, 3), (2, 3)]),
    Row("clip bounds",    lambda x, y: np.clip(x, y - 0.7, y + 0.7),                real,     [(2, 3), (2, 3)]),
    Row("clip crossed",   lambda x, y: np.clip(x, y + 0.2, y - 0.3),                real,     [(2, 3), (2, 3)]),
    Row("np.fmax",        np.fmax,                                                  real,     [(2, 3), (2, 3)]),
    Row("np.fmin",        np.fmin,                                                  real,     [(2, 3), (2, 3)]),
    Row("np.copysign",    np.copysign,                                              away,     [(2, 3), (2, 3)]),
    Row("np.heaviside",   np.heaviside,                                             away,     [(2, 3), (2, 3)]),
    Row("select",
        lambda x, y: np.select([np.cos(x) > 0.8, np.sin(y) > 0], [x * x, y], x * y), real, [(2, 3), (2, 3)]),
    Row("choose(x, y)",   lambda x, y: np.choose((np.sin(x) > 0) * 1, [x * 2, y * y]), real, [(2, 3), (2, 3)]),
]

OPERANDS = [
    Row("maximum array",   lambda x: np.maximum(A23, x),                             real,     [(3,)]),
    Row("where 3 ways",    lambda x, y: np.where(MASK, x, y),                        real,     [(2, 3), (2, 3)]),
    Row("where grows",     lambda x, y: np.where(MASK, x, y),                        real,     [(3,), (2, 1)]),
    Row("where of x",      lambda x, y: np.where(x, x * y, 3.0),                     away,     [(2, 3), (2, 3)]),
    Row("clip 3 ways",     lambda x, y, z: np.clip(x, y, z),                         distinct, [(2, 3), (3,), ()]),
    Row("clip(min=)",      lambda x: np.clip(x, min=-0.6, max=0.6),                  distinct, [(2, 3)]),
    Row("fmax holes",      lambda x: np.fmax(x, HOLES),                              away,     [(2, 3)]),
    Row("fmin holes",      lambda x: np.fmin(HOLES, x),                              away,     [(2, 3)]),
    Row("fmax of holes",   lambda x: np.fmax(x * HOLES, 0.1),                        away,     [(2, 3)]),
    Row("nan_to_num()",    lambda x: np.nan_to_num(x * HOLES) * x,                   away,     [(2, 3)]),
    Row("nan_to_num nan=", lambda x: np.nan_to_num(x * ENDLESS, nan=2.0, posinf=3.0, neginf=-1.0), away, [(2, 3)]),
    Row("heaviside 0, x",  lambda x: np.heaviside(A23 - 0.5, x),                     real,     [(2, 3)]),
    Row("heaviside 0., x", lambda x: np.heaviside(0.0, x * x),                       real,     [(2, 3)]),
    Row("select default",  lambda x: np.select([MASK, A23 > 1], [x * x, 2.0]),       real,     [(3,)]),
    Row("select first",
        lambda x, y: np.select([MASK, A23 > 1, A23 < 0], [x, y, 3 * x], default=-1.5), real, [(3,), (2, 1)]),
    Row("select z",        lambda x: np.abs(np.select([MASK], [x * 1j], x + 2j)),    real,     [(2, 3)]),
    Row("choose z",        lambda x: np.imag(np.choose(PICK, [x * 1j, x, x * 2j])),  real,     [(2, 3)]),
    Row("choose",          lambda x, y, z: np.choose(PICK, [x, y * y, z]),           real,     [(3,), (2, 1), (2, 3)]),
    Row("choose array",    lambda x: np.choose([2, 0, 1], x),                        real,     [(3, 3)]),
    Row("choose wrap",     lambda x: np.choose([-1, 5, 0], [x, 1.5, x * x], mode="wrap"), real, [(2, 3)]),
    Row("choose clip",     lambda x: np.choose([-1, 5, 1], [x, x ** 3, x * x], mode="clip"), real, [(2, 3)]),
    Row("piecewise 1",     lambda x: np.piecewise(x, x < 0, [np.exp, 1.5]),          away,     [(4,)]),
    Row("piecewise args",
        lambda x: np.piecewise(x, [MASK, ~MASK], [lambda x, a: x * a, lambda x, a: a - x * x], 3.0), real, [(2, 3)]),
    Row("piecewise 0-d",   lambda x: np.piecewise(x, [x < 9], [np.sin, np.exp]),     real,     [()]),
    Row("piecewise rest",  lambda x: np.piecewise(x, [x > 0.3], [np.sin]),           distinct, [(5,)]),
    Row("piecewise casts", lambda x: np.piecewise(x, [x > 0], [lambda x: x * np.float64(1.5), np.sin]), away, [(4,)]),
    Row("piecewise last",  lambda x: np.piecewise(x, [x > -9, x > 0], [np.sin, np.exp]), away, [(2, 3)]),
]

ROWS = UNARY + BINARY + OPERANDS
# fmt: on

"""Arithmetic, powers, exponentials and logarithms of each element."""

import numpy as np

from cases.rows import Row, away, larger, positive, real, unit

A23 = np.array([[0.5, -1.5, 2.5], [1.25, -0.75, 1.75]])
A3 = np.array([1.5, 0.5, 2.25])
A34 = np.arange(12.0).reshape(3, 4) / 7 - 0.6
INTS = np.array([2, 3, 1])
MASK = np.array([[True, False, True], [False, True, True]])
F32, F64, I8 = np.float32(1.5), np.float64(1.5), np.int8(3)

# fmt: off
# Elementwise functions of one array; tests call them with other shapes as well.
UNARY = [
    Row("neg",           lambda x: -x,                        real,      [(2, 3)]),
    Row("pos",           lambda x: +x,                        real,      [(2, 3)]),
    Row("abs",           lambda x: abs(x),                    away,      [(2, 3)]),
    Row("np.abs",        np.abs,                              away,      [(2, 3)]),
    Row("np.fabs",       np.fabs,                             away,      [(2, 3)]),
    Row("np.negative",   np.negative,                         real,      [(2, 3)]),
    Row("np.positive",   np.positive,                         real,      [(2, 3)]),
    Row("np.reciprocal", np.reciprocal,                       away,      [(2, 3)]),
    Row("np.exp",        np.exp,                              real,      [(2, 3)]),
    Row("np.exp2",       np.exp2,                             real,      [(2, 3)]),
    Row("np.expm1",      np.expm1,                            real,      [(2, 3)]),
    Row("np.log",        np.log,                              positive,  [(2, 3)]),
    Row("np.log2",       np.log2,                             positive,  [(2, 3)]),
    Row("np.log10",      np.log10,                            positive,  [(2, 3)]),
    Row("np.log1p",      np.log1p,                            unit,      [(2, 3)]),
    Row("np.sqrt",       np.sqrt,                             positive,  [(2, 3)]),
    Row("np.cbrt",       np.cbrt,                             away,      [(2, 3)]),
    Row("np.square",     np.square,                           real,      [(2, 3)]),
    Row("np.sign",       np.sign,                             away,      [(2, 3)]),
    Row("x + int",       lambda x: x + 2,                     real,      [(2, 3)]),
    Row("int + x",       lambda x: 2 + x,                     real,      [(2, 3)]),
    Row("x - float",     lambda x: x - 0.5,                   real,      [(2, 3)]),
    Row("float - x",     lambda x: 0.5 - x,                   real,      [(2, 3)]),
    Row("x * int",       lambda x: x * 3,                     real,      [(2, 3)]),
    Row("bool * x",      lambda x: True * x,                  real,      [(2, 3)]),
    Row("x / float",     lambda x: x / 4.0,                   real,      [(2, 3)]),
    Row("int / x",       lambda x: 2 / x,                     positive,  [(2, 3)]),
    Row("f32 + x",       lambda x: F32 + x,                   real,      [(2, 3)]),
    Row("x * f32",       lambda x: x * F32,                   real,      [(2, 3)]),
    Row("f64 - x",       lambda x: F64 - x,                   real,      [(2, 3)]),
    Row("x / f64",       lambda x: x / F64,                   real,      [(2, 3)]),
    Row("f64 / x",       lambda x: F64 / x,                   positive,  [(2, 3)]),
    Row("i8 * x",        lambda x: I8 * x,                    real,      [(2, 3)]),
    Row("x ** 2",        lambda x: x ** 2,                    real,      [(2, 3)]),
    Row("x ** 3",        lambda x: x ** 3,                    real,      [(2, 3)]),
    Row("x ** 1",        lambda x: x ** 1,                    real,      [(2, 3)]),
    Row("x ** 0",        lambda x: x ** 0,                    real,      [(2, 3)]),
    Row("x ** -1",       lambda x: x ** -1,                   positive,  [(2, 3)]),
    Row("x ** 0.5",      lambda x: x ** 0.5,                  positive,  [(2, 3)]),
    Row("x ** f64",      lambda x: x ** F64,                  positive,  [(2, 3)]),
    Row("float_power 3", lambda x: np.float_power(x, 3),      real,      [(2, 3)]),
    Row("float_power c", lambda x: np.float_power(1.7, x),    real,      [(2, 3)]),
    Row("2 ** x",        lambda x: 2 ** x,                    real,      [(2, 3)]),
    Row("f64 ** x",      lambda x: F64 ** x,                  real,      [(2, 3)]),
    Row("x * x",         lambda x: x * x,                     real,      [(2, 3)]),
    Row("x ** x",        lambda x: x ** x,                    positive,  [(2, 3)]),
    Row("x / (x + 2)",   lambda x: x / (x * x + 2),           real,      [(2, 3)]),
    Row("real if close", lambda x: np.real_if_close(x) * 2,   real,      [(2, 3)]),
]

# Functions of two arrays that broadcast.
BINARY = [
    Row("+",             lambda x, y: x + y,                  real,      [(2, 3), (2, 3)]),
    Row("-",             lambda x, y: x - y,                  real,      [(2, 3), (2, 3)]),
    Row("*",             lambda x, y: x * y,                  real,      [(2, 3), (2, 3)]),
    Row("/",             lambda x, y: x / y,                  positive,  [(2, 3), (2, 3)]),
    Row("**",            lambda x, y: x ** y,                 positive,  [(2, 3), (2, 3)]),
    Row("np.add",        np.add,                              real,      [(2, 3), (2, 3)]),
    Row("np.subtract",   np.subtract,                         real,      [(2, 3), (2, 3)]),
    Row("np.multiply",   np.multiply,                         real,      [(2, 3), (2, 3)]),
    Row("np.divide",     np.divide,                           larger,    [(2, 3), (2, 3)]),
    Row("np.power",      np.power,                            larger,    [(2, 3), (2, 3)]),
    Row("np.float_power", np.float_power,                     larger,    [(2, 3), (2, 3)]),
    Row("np.logaddexp",  np.logaddexp,                        real,      [(2, 3), (2, 3)]),
    Row("np.logaddexp2", np.logaddexp2,                       real,      [(2, 3), (2, 3)]),
]

OPERANDS = [
    Row("x + array",     lambda x: x + A23,                   real,      [(3,)]),
    Row("array + x",     lambda x: A23 + x,                   real,      [(3,)]),
    Row("x - array",     lambda x: x - A3,                    real,      [(2, 1)]),
    Row("array - x",     lambda x: A3 - x,                    real,      [(2, 1)]),
    Row("x * list",      lambda x: x * [1.5, -2.0, 3.0],      real,      [(2, 3)]),
    Row("list * x",      lambda x: [1.5, -2.0, 3.0] * x,      real,      [(2, 3)]),
    Row("x ** list",     lambda x: x ** [1, 2, 0],            real,      [(2, 3)]),
    Row("x * tuple",     lambda x: x * (1.5, -2.0, 3.0),      real,      [(2, 3)]),
    Row("x ** tuple",    lambda x: np.power(x, (1.5, -2.0, 3.0)), positive, [(2, 3)]),
    Row("x @ tuple",     lambda x: x @ ((1.0, 2.0), (3.0, 4.0), (5.0, 6.0)), real, [(2, 3)]),
    Row("join tuple",    lambda x: np.concatenate([(1.0, 2.0), x]),          real, [(2,)]),
    Row("x * int array", lambda x: x * INTS,                  real,      [(2, 3)]),
    Row("x * mask",      lambda x: x * MASK,                  real,      [(2, 3)]),
    Row("x / array",     lambda x: x / A23,                   real,      [()]),
    Row("array / x",     lambda x: A23 / x,                   positive,  [()]),
    Row("x ** ints",     lambda x: x ** INTS,                 real,      [(2, 3)]),
    Row("ints ** x",     lambda x: INTS ** x,                 real,      [(2, 3)]),
    Row("array ** x",    lambda x: A3 ** x,                   real,      [(2, 1)]),
    Row("x @ array",     lambda x: x @ A34,                   real,      [(2, 3)]),
    Row("array @ x",     lambda x: A23 @ x,                   real,      [(3, 2)]),
]


ROWS = UNARY + BINARY + OPERANDS
# fmt: on

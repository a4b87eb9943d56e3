"""Padding."""

import numpy as np

import tensorgrad as tg
from cases.rows import Row, real

WIDTHS = ((1, 2), (0, 3))


def pad_with(x, widths, values, u):
    """``np.pad`` with constants that depend on ``u``: NumPy dispatches only on the padded array."""
    if isinstance(u, tg.Tensor) and not isinstance(x, tg.Tensor):
        x = tg.Tensor(x)
    return np.pad(x, widths, constant_values=values)


# fmt: off
PADDINGS = [
    Row("pad",           lambda x: np.pad(x, 1),              real,      [(2, 3)]),
    Row("pad one side",  lambda x: np.pad(x, (2, 0)),         real,      [(2, 3)]),
    Row("pad widths",    lambda x: np.pad(x, WIDTHS),         real,      [(2, 3)]),
    Row("pad each alike", lambda x: np.pad(x, np.array([[1], [2]])), real, [(2, 3)]),
    Row("pad values",    lambda x: np.pad(x, WIDTHS, constant_values=((1.5, 2), (3, 4))), real, [(2, 3)]),
    Row("pad value",     lambda x: np.pad(x, 2, "constant", constant_values=7), real, [(3,)]),
    Row("pad 0-d",       lambda x: np.pad(x, 2) * 3,          real,      [()]),
    Row("pad empty",     lambda x: np.pad(x, ((1, 0), (2, 1))), real,    [(0, 1)]),
    Row("pad one axis",  lambda x: np.pad(x, {1: (1, 2)}),    real,      [(2, 3)],
                         lambda x: np.pad(x, ((0, 0), (1, 2)))),
    Row("pad by axis",   lambda x: np.pad(x, {-1: (1, 2), 0: 1}), real,  [(2, 3)],
                         lambda x: np.pad(x, ((1, 1), (1, 2)))),
    Row("pad with tensor", lambda x, u: pad_with(x, WIDTHS, u, u), real, [(2, 3), ()]),
    Row("pad with pair", lambda x, u: pad_with(x, (1, 2), u, u), real, [(2, 3), (2,)]),
    Row("pad with pairs", lambda x, u: pad_with(x, WIDTHS, ((u[0], 1.5), (u[1], u[0] * u[1])), u), real,
                         [(2, 3), (2,)]),
    *[Row(f"pad {mode}",   lambda x, mode=mode: np.pad(x, ((2, 1), (0, 2)), mode), real, [(3, 3)])
      for mode in ("edge", "reflect", "symmetric", "wrap")],
    *[Row(f"pad {mode} far", lambda x, mode=mode: np.pad(x, (5, 4), mode=mode), real, [(2,)])
      for mode in ("edge", "reflect", "symmetric", "wrap")],
]

ROWS = PADDINGS
# fmt: on

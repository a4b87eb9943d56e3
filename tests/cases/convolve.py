"""Convolution and correlation of two vectors."""

import numpy as np

from cases.rows import Row, parts, real

A3 = np.array([1.5, -0.5, 2.25])


# fmt: off
CONVOLUTIONS = [
    Row("convolve full 5, 3",   lambda x, y: np.convolve(x, y, "full"),     real,     [(5,), (3,)]),
    Row("convolve full 3, 4",   lambda x, y: np.convolve(x, y, "full"),     real,     [(3,), (4,)]),
    Row("convolve full 2, 5",   lambda x, y: np.convolve(x, y, "full"),     real,     [(2,), (5,)]),
    Row("convolve full 4, 4",   lambda x, y: np.convolve(x, y, "full"),     real,     [(4,), (4,)]),
    Row("convolve full 4, 2",   lambda x, y: np.convolve(x, y, "full"),     real,     [(4,), (2,)]),
    Row("convolve same 5, 3",   lambda x, y: np.convolve(x, y, "same"),     real,     [(5,), (3,)]),
    Row("convolve same 3, 4",   lambda x, y: np.convolve(x, y, "same"),     real,     [(3,), (4,)]),
    Row("convolve same 2, 5",   lambda x, y: np.convolve(x, y, "same"),     real,     [(2,), (5,)]),
    Row("convolve same 4, 4",   lambda x, y: np.convolve(x, y, "same"),     real,     [(4,), (4,)]),
    Row("convolve same 4, 2",   lambda x, y: np.convolve(x, y, "same"),     real,     [(4,), (2,)]),
    Row("convolve valid 5, 3",  lambda x, y: np.convolve(x, y, "valid"),    real,     [(5,), (3,)]),
    Row("convolve valid 3, 4",  lambda x, y: np.convolve(x, y, "valid"),    real,     [(3,), (4,)]),
    Row("convolve valid 2, 5",  lambda x, y: np.convolve(x, y, "valid"),    real,     [(2,), (5,)]),
    Row("convolve valid 4, 4",  lambda x, y: np.convolve(x, y, "valid"),    real,     [(4,), (4,)]),
    Row("convolve valid 4, 2",  lambda x, y: np.convolve(x, y, "valid"),    real,     [(4,), (2,)]),
    Row("correlate full 5, 3",  lambda x, y: np.correlate(x, y, "full"),    real,     [(5,), (3,)]),
    Row("correlate full 3, 4",  lambda x, y: np.correlate(x, y, "full"),    real,     [(3,), (4,)]),
    Row("correlate full 2, 5",  lambda x, y: np.correlate(x, y, "full"),    real,     [(2,), (5,)]),
    Row("correlate full 4, 4",  lambda x, y: np.correlate(x, y, "full"),    real,     [(4,), (4,)]),
    Row("correlate full 4, 2",  lambda x, y: np.correlate(x, y, "full"),    real,     [(4,), (2,)]),
    Row("correlate same 5, 3",  lambda x, y: np.correlate(x, y, "same"),    real,     [(5,), (3,)]),
    Row("correlate same 3, 4",  lambda x, y: np.correlate(x, y, "same"),    real,     [(3,), (4,)]),
    Row("correlate same 2, 5",  lambda x, y: np.correlate(x, y, "same"),    real,     [(2,), (5,)]),
    Row("correlate same 4, 4",  lambda x, y: np.correlate(x, y, "same"),    real,     [(4,), (4,)]),
    Row("correlate same 4, 2",  lambda x, y: np.correlate(x, y, "same"),    real,     [(4,), (2,)]),
    Row("correlate valid 5, 3", lambda x, y: np.correlate(x, y, "valid"),   real,     [(5,), (3,)]),
    Row("correlate valid 3, 4", lambda x, y: np.correlate(x, y, "valid"),   real,     [(3,), (4,)]),
    Row("correlate valid 2, 5", lambda x, y: np.correlate(x, y, "valid"),   real,     [(2,), (5,)]),
    Row("correlate valid 4, 4", lambda x, y: np.correlate(x, y, "valid"),   real,     [(4,), (4,)]),
    Row("correlate valid 4, 2", lambda x, y: np.correlate(x, y, "valid"),   real,     [(4,), (2,)]),
    Row("convolve",             lambda x: np.convolve(x, [1.5, -0.5, 2.0]), real,     [(4,)]),
    Row("correlate",            lambda x: np.correlate(A3, x),              real,     [(2,)]),
    Row("convolve 0-d",         lambda x, y: np.convolve(x, y),             real,     [(), (3,)]),
]

COMPLEX = [
    Row("convolve z",      lambda x, y: parts(np.convolve(x + 1j * y, y - 2j * x, "same")), real, [(4,), (4,)]),
    Row("correlate z",     lambda x, y: parts(np.correlate(x, y * (1 - 2j), "full")), real, [(4,), (3,)]),
]

ROWS = CONVOLUTIONS + COMPLEX
# fmt: on

"""Sliding windows."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cases.rows import Row, real
from tensorgrad.rules.windows import fold

# fmt: off
WINDOWS = [
    Row("windows",       lambda x: sliding_window_view(x, 2), real,      [(4,)]),
    Row("windows long",  lambda x: sliding_window_view(x, 4), real,      [(5,)]),
    Row("windows 2-d",   lambda x: sliding_window_view(x, (2, 3)), real, [(3, 4)]),
    Row("windows axis",  lambda x: sliding_window_view(x, 2, axis=0), real, [(3, 2)]),
    Row("windows axes",  lambda x: sliding_window_view(x, (2, 3), axis=(-1, 0)), real, [(4, 2, 3)]),
    Row("windows twice", lambda x: sliding_window_view(x, (2, 3), axis=(0, 0)), real, [(5, 2)]),
    Row("windows of 1",  lambda x: sliding_window_view(x, (1,)), real,   [(3,)]),
    Row("windows empty", lambda x: sliding_window_view(x, 2, axis=1), real, [(0, 3)]),
    Row("fold windows",  lambda x: fold(x, shape=(4,), stride=(1,), dilation=(1,)), real, [(2, 3)],
                         lambda x: np.array([x[0, 0], x[0, 1] + x[1, 0], x[0, 2] + x[1, 1], x[1, 2]])),
    Row("fold batch",    lambda x: fold(x, shape=(4,), stride=(1,), dilation=(1,)), real, [(2, 2, 3)],
                         lambda x: np.pad(x[:, 0], ((0, 0), (0, 1))) + np.pad(x[:, 1], ((0, 0), (1, 0)))),
    Row("windows 0-d",   lambda x: sliding_window_view(x, ()) * 2, real, [()]),
]

ROWS = WINDOWS
# fmt: on

"""Functions of neural networks."""
# ruff: noqa: E501  (tables, a row a line)

import numpy as np

import tensorgrad as tg
from table.rows import Row, real

LABELS = np.array([2, 0, 0, 1])


# fmt: off
def _shifted(x, axis):
    shares = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return shares / np.sum(shares, axis=axis, keepdims=True)


NETWORKS = [
    Row("softmax",       lambda x: tg.softmax(x),             real,      [(2, 3)], lambda x: _shifted(x, -1)),
    Row("softmax 0",     lambda x: tg.softmax(x, axis=0),     real,      [(2, 3)], lambda x: _shifted(x, 0)),
    Row("log_softmax",   lambda x: tg.log_softmax(x),         real,      [(2, 3)], lambda x: np.log(_shifted(x, -1))),
    Row("log_softmax 1", lambda x: tg.log_softmax(x, axis=1), real,      [(2, 3, 2)], lambda x: np.log(_shifted(x, 1))),
    *[Row(f"logsumexp {axis} {keep}", lambda x, a=axis, k=keep: tg.logsumexp(x, axis=a, keepdims=k), real, [(2, 3, 2)],
          lambda x, a=axis, k=keep: np.log(np.sum(np.exp(x), axis=a, keepdims=k))) for axis in (None, 0, -1, (0, 2)) for keep in (False, True)],
    *[Row(f"cross_entropy {how}", lambda x, how=how: tg.cross_entropy(x, LABELS, reduction=how), real, [(4, 3)],
          lambda x, f=f: f(-np.log(_shifted(x, -1))[np.arange(4), LABELS])) for how, f in (("mean", np.mean), ("sum", np.sum), ("none", lambda x: x))],
]

ROWS = NETWORKS
# fmt: on

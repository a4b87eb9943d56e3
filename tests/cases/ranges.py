"""``linspace``, ``logspace`` and ``geomspace``."""

import numpy as np

from cases.rows import Row, larger, positive, real

ENDS = np.array([[0.5], [2.5]])

# fmt: off
ROWS = [
    Row("linspace",      lambda x, y: np.linspace(x, y, 5),                 real, [(), ()]),
    Row("linspace start", lambda x: np.linspace(x, 2.5, 4),                 real, [()]),
    Row("linspace stop", lambda x: np.linspace(0, x, 4, endpoint=False),    real, [()]),
    Row("linspace axes", lambda x, y: np.linspace(x, y, 3, axis=-1),        real, [(2,), (2,)]),
    Row("linspace broadcast", lambda x: np.linspace(x, ENDS, 3, axis=1),    real, [(3,)]),
    Row("linspace step", lambda x, y: np.linspace(x, y, 5, retstep=True)[1] * np.linspace(x, y, 3), real, [(), ()]),
    Row("linspace one",  lambda x, y: np.linspace(x, y, 1),                 real, [(), ()]),
    Row("linspace none", lambda x, y: np.linspace(x, y, 0),                 real, [(), ()]),
    Row("linspace dtype", lambda x, y: np.linspace(x, y, 3, dtype=np.float64), real, [(), ()]),
    Row("logspace",      lambda x, y: np.logspace(x, y, 4),                 real, [(), ()]),
    Row("logspace base", lambda x, y, b: np.logspace(x, y, 3, False, b),    positive, [(2,), (), ()]),
    Row("logspace bases", lambda x, b: np.logspace(x, 2.0, 3, base=b, axis=-1), positive, [(), (2,)]),
    Row("geomspace",     lambda x, y: np.geomspace(x, y, 5),                positive, [(), ()]),
    Row("geomspace open", lambda x, y: np.geomspace(x, y, 3, endpoint=False), larger, [(2,), ()]),
    Row("geomspace negative", lambda x: np.geomspace(-x, -9.0, 4, axis=-1), positive, [(2,)]),
    Row("geomspace one", lambda x: np.geomspace(x, 9.0, 1),                 positive, [()]),
]
# fmt: on

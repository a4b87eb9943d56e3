"""`numpy.emath`: functions whose result is complex outside their real domain."""

import numpy as np

from cases.rows import Row, away, larger, parts, positive, unit

# fmt: off
ROWS = [
    *[Row(f"emath.{name}", getattr(np.emath, name), positive, [(2, 3)]) for name in ("sqrt", "log", "log2", "log10")],
    *[Row(f"emath.{name}", getattr(np.emath, name), unit, [(3,)]) for name in ("arccos", "arcsin", "arctanh")],
    *[Row(f"emath.{name} complex", lambda x, name=name: parts(getattr(np.emath, name)(x)), away, [(4,)])
      for name in ("sqrt", "log", "log2", "log10")],
    *[Row(f"emath.{name} complex", lambda x, name=name: parts(getattr(np.emath, name)(x)), larger, [(3,)])
      for name in ("arccos", "arcsin", "arctanh")],
    Row("emath.sqrt 0-d", lambda x: parts(np.emath.sqrt(-x)),             positive, [()]),
    Row("emath.logn",    lambda n, x: np.emath.logn(n + 1, x),            positive, [(2,), (2,)]),
    Row("emath.logn complex", lambda x: parts(np.emath.logn(2.0, -x)),    positive, [(3,)]),
    Row("emath.power",   lambda x, p: np.emath.power(x, p),               positive, [(3,), (3,)]),
    Row("emath.power integers", lambda p: np.emath.power([2, 3], p),      positive, [(2,)]),
    Row("emath.power complex", lambda x: parts(np.emath.power(-x, 1.5)),  positive, [(3,)]),
]
# fmt: on

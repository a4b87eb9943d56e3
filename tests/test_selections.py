"""Functions that select: each row with ``selects=True`` needs it, or its zeros would count as used elements."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.engine import registry
from tensorgrad.functional.rectifiers import negative_part
from tests.helpers import leaf

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy: what is divided by zero here is meant

R = np.sqrt  # infinitely steep at 0


def over_a_view(x):
    y = np.stack([R(x), R(x)]).T
    y[0][...] = 5.0
    return y * 1


def over_an_element(x):
    y = R(x) * 1
    y[0] = 5.0
    return y


def over_an_element_of_a_gradient(x):
    """The derivative of ``y * sqrt(x)`` with respect to ``y``, whose first element has been overwritten."""
    y = leaf([1.0, 1.0, 1.0])
    z = y * 1
    z[0] = 5.0
    return tg.grad(np.sum(z * R(x)), y, create_graph=True)


SELECTING = {  # functions of x >= 0 that do not depend on elements that are 0
    **{
        fn.__name__: (lambda x, fn=fn: fn(R(x) + 0.25))
        for fn in (np.floor, np.ceil, np.trunc, np.rint, np.round, np.around)
    },
    "sign": lambda x: np.sign(R(x)),
    "spacing": lambda x: np.spacing(R(x)),
    "floor_divide": lambda x: np.floor_divide(R(x), 3.0),
    "floor_divide y": lambda x: np.floor_divide(2.0, R(x) + 5),
    "remainder": lambda x: np.remainder(2.0, R(x) + 5),
    "fmod": lambda x: np.fmod(2.0, R(x) + 5),
    "heaviside": lambda x: np.heaviside(R(x) - 1, 0.5),
    "heaviside y": lambda x: np.heaviside(1.0, R(x)),
    "clip": lambda x: np.clip(R(x), 1, 9),
    "clip low": lambda x: np.clip(3.0, R(x), 9),
    "clip high": lambda x: np.clip(3.0, None, R(x) + 9),
    "maximum": lambda x: np.maximum(R(x), R(x[1])),
    "minimum": lambda x: np.minimum(1, R(x) + 4),
    "fmax": lambda x: np.fmax(R(x), R(x[1])),
    "fmin": lambda x: np.fmin(1, R(x) + 4),
    "where": lambda x: np.where(x > 0, R(x), R(x[1])),
    "nan_to_num": lambda x: np.nan_to_num(np.log(x)),
    "relu": lambda x: tg.relu(R(x) - 1),
    "negative_part": lambda x: negative_part(R(x) + 1),
    "linear_below": lambda x: tg.leaky_relu(R(x) - 1, negative_slope=0.0),
    "interp": lambda x: np.interp(R(x), x[1] - np.array([3, 1]), x[1:]),
    "bounded": lambda x: tg.hardtanh(R(x) - 1.75),
    "max": lambda x: np.max(R(x)),
    "min": lambda x: np.min(np.concatenate([R(x), [-1.0]])),
    "nanmax": lambda x: np.nanmax(R(x)),
    "nanmin": lambda x: np.nanmin(np.concatenate([R(x), [-1.0]])),
    "getitem": lambda x: R(x)[1:],
    "largest": lambda x: tg.max_pool1d(np.reshape(R(x), (1, 1, 3)), 2, stride=1),
    "rows_of": lambda x: tg.embedding(np.array([1, 2]), np.reshape(R(x), (3, 1))),
    "tril": lambda x: np.tril(R(np.reshape(x[[1, 0, 2, 1]], (2, 2)))),
    "triu": lambda x: np.triu(R(np.reshape(x[[1, 2, 0, 1]], (2, 2)))),
    "diagonal": lambda x: np.diagonal(R(np.reshape(x[[1, 0, 0, 2]], (2, 2)))),
    "assigned": over_an_element,
    "erased": over_an_element_of_a_gradient,
    "assigned_elsewhere": over_a_view,
}
X = [0.0, 4.0, 2.25]


def wrong(prefix=""):
    """The names of functions, with this prefix, whose gradient is not 0 where nothing depends on an element."""
    found = []
    for name, fn in SELECTING.items():
        if not name.startswith(prefix):
            continue
        x = leaf(X)
        for create_graph in (False, True):
            g = tg.grad(np.sum(fn(x)), x, create_graph=create_graph)
            g = g.data if isinstance(g, tg.Tensor) else g
            if g[0] != 0 or not np.isfinite(g).all():
                found.append(name)
    return found


def test_what_is_not_selected_has_gradient_zero():
    assert wrong() == []


ROWS = sorted({row for row in map(registry.row_of, tuple(registry.entries)) if row is not None and row.selects
               and (getattr(row.fn, "__module__", None) or "numpy").startswith(("numpy", "tensorgrad"))},
              key=lambda row: row.name)  # fmt: skip


@pytest.mark.parametrize("row", [row for row in ROWS if row.name != "where"], ids=lambda row: row.name)
def test_each_row_that_selects_must_say_so(row, monkeypatch):
    """``where`` is an exception: its condition has no gradient, so that its rule returns the same zeros anywhere."""
    monkeypatch.setattr(row, "selects", False)
    assert row.name in {name.split(" ")[0] for name in wrong(row.name)}

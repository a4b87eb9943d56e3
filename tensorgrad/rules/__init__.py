"""The gradient table: how each NumPy function pulls a gradient back, one row a function, one file a family.

A row is ``rule(function, vjp of input 1, vjp of input 2, ...)``, and a vjp is ``(g, ans, *inputs, **params)``:
``g`` the upstream gradient in the shape of the output ``ans``, ``x, y`` the inputs. Rows are written in NumPy,
so they differentiate themselves. Broadcasting is not their business, nor dtypes, nor ``0 * inf``: see `walk`.

A function that other functions express exactly is composed of them (`implements`) and has no row.

The families that nearly every program uses are read at once, the others when a function is first met that is not there.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from tensorgrad import table
from tensorgrad.rules import (  # noqa: F401  (each fills the table)
    choices,
    einsum,
    elementwise,
    indexing,
    joining,
    ordering,
    plain,
    products,
    reductions,
    rounding,
    shapes,
    trigonometry,
)
from tensorgrad.table import Vjp, rows

LATER = (
    "complex", "convolve", "cumulative", "decompositions", "differences", "fft", "linalg", "matrices", "nanfunctions",
    "norms", "padding", "statistics", "windows", "writing",
)  # fmt: skip

for _row in rows.values():
    _row.short = _row.elementwise  # the rules of ufuncs work element by element, whatever the shape of g


def load_all() -> None:
    """Read the families that have not been needed so far."""
    for name in LATER:
        import_module(f"tensorgrad.rules.{name}")


def rule(fn: Callable[..., Any], *vjps: Vjp | None, singular: bool = True, **options: Any) -> None:
    """Enter a row: `tensorgrad.table.rule`, with the zero rule unless ``singular=False`` says that it is not needed."""
    load_all()  # so that the user's row is the one that holds
    table.rule(fn, *vjps, singular=singular, **options)


rule.__doc__ = (table.rule.__doc__ or "").replace(
    "The function has points where", "True unless told otherwise. The function may have points where"
)

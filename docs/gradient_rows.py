"""The rows of the test table that call each function, and the errors of its derivatives.

Part of `docs/gradients.py`, which writes the page.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import cases as tests  # noqa: E402  (tests/cases: the table that drives the tests)
from cases import Row  # noqa: E402

import tensorgrad as tg  # noqa: E402
from tensorgrad import functional  # noqa: E402
from tensorgrad.engine import record, registry  # noqa: E402
from tensorgrad.engine.registry import entries, row_of  # noqa: E402
from tensorgrad.engine.tape import value_of  # noqa: E402
from tensorgrad.frontend import assign, dispatch, methods, tensor  # noqa: E402
from tensorgrad.rules import fft  # noqa: E402, F401  (the whole table)

_RUNS = {
    entry.run.__code__ for entry in entries.values() if hasattr(entry.run, "row")
}  # the code objects of the runners
_NUMPY, _UFUNC = dispatch.call.__code__, tg.Tensor.__array_ufunc__.__code__
_VARIABLE = {entries[np.less].run.__code__: "fn", _NUMPY: "func", _UFUNC: "ufunc"}  # which one holds the function
_VARIABLE |= dict.fromkeys(_RUNS, "row")
_OWN = {fn.__code__: fn for fn in (getattr(functional, name) for name in functional.__all__) if row_of(fn) is None}
_OWN[entries[np.divmod].run.__code__] = np.divmod  # an operator that is a composition
_OWN[assign.assign.__code__] = row_of(assign.assigned)

_BETWEEN = {module.__file__ for module in (assign, dispatch, methods, record, registry, tensor)}
"""Files whose code runs between the call of a function and the function itself."""

_ARITHMETIC = (np.add, np.subtract, np.multiply, np.negative, np.real, np.imag)  # allowed beside the subject of a row


def watch(run: Callable[[], Any]) -> dict[Any, bool]:
    """The functions (NumPy's, the package's, rows) that are called with tensors, and whether by ``run`` directly."""
    called: dict[Any, bool] = {}

    def hook(frame: Any, event: str, _: Any) -> None:
        code = frame.f_code
        if event != "call" or (code not in _VARIABLE and code not in _OWN):
            return
        what = _OWN[code] if code in _OWN else frame.f_locals[_VARIABLE[code]]
        if code in _RUNS and not _given_tensors(frame.f_locals):
            return
        caller = frame.f_back
        while caller.f_code.co_filename in _BETWEEN:
            caller = caller.f_back
        itself = not caller.f_code.co_filename.startswith(str(ROOT / "tensorgrad"))
        called[what] = called.get(what, False) or itself

    sys.setprofile(hook)
    try:
        run()
    finally:
        sys.setprofile(None)
    return called


def _given_tensors(names: dict[str, Any]) -> bool:
    """Whether a runner was called with a tensor: in ``args``, ``x`` or ``y``, depending on its signature."""
    given = [*names.get("args", ()), names.get("x"), names.get("y")]
    return any(isinstance(x, tg.Tensor) for x in given)


def rows_of(subject_of: Callable[[Any], Any]) -> dict[Any, list[Row]]:
    """The most specific rows for each subject: those that call only it and arithmetic, or call it, or reach it.

    ``subject_of`` returns the subject that a called function belongs to.
    """
    found: dict[Any, tuple[list[Row], ...]] = defaultdict(lambda: ([], [], []))
    arithmetic = {subject_of(ufunc) for ufunc in _ARITHMETIC}
    for row in tests.ROWS:
        called = watch(lambda row=row: _gradients(row, row.inputs(), create_graph=True))
        itself = {subject_of(what) for what, directly in called.items() if directly} - {None}
        for subject in {subject_of(what) for what in called} - {None}:
            level = 2 if subject not in itself else 0 if itself - arithmetic <= {subject} else 1
            found[subject][level].append(row)
    return {subject: next(rows for rows in levels if rows) for subject, levels in found.items()
            if subject.row or levels[0] or levels[1]}  # fmt: skip


def ways() -> dict[str, Any]:
    """Operators and methods of a tensor, as they are written, and the function that each of them calls."""
    texts = """x + y; x - y; x * y; x / y; x // y; x % y; divmod(x, y); x ** y; x ** 2; x @ y; -x; +x; abs(x); round(x)
               x[index]; x[index] = y; x.T; x.mT; x.real; x.imag; x < y; x <= y; x > y; x >= y; x == y; x != y"""
    texts = [text.strip() for text in texts.replace("\n", ";").split(";")]
    arguments = ["", "0", "0, 1", "y", "y > 0, 0", "(4,)", "[y]", "0, 0", "float"]
    names = [name for name in dir(tg.Tensor(1.0)) if callable(getattr(tg.Tensor, name)) and name[0] != "_"]
    found = {}
    for text in [*texts, *(f"x.{name}()" for name in names)]:
        for call in [text] if text in texts else [f"{text[:-1]}{given})" for given in arguments]:
            x = tg.Tensor(np.array([[0.5, 0.7], [0.4, 0.8]]), requires_grad=True) * 1
            try:
                called = watch(lambda call=call, x=x: exec(call, {"x": x, "y": np.ones((2, 2)), "index": ...}))
            except (TypeError, ValueError, IndexError, AttributeError):
                continue
            found[text] = next((what for what, itself in called.items() if itself), None)
            break
    return found


# ------------------------------------------------------------------------------------------------ measured errors


def errors(row: Row) -> tuple[float, float]:
    """The largest ``|analytic - numeric| / (1 + |numeric|)`` of the first derivatives, and of the second.

    First: the gradient of ``sum(u * f(x))`` for a random ``u``, element by element, compared with differences of the
    values of NumPy's function. Second: the derivative of that gradient, as a function of ``x`` and ``u``, in a random
    direction of ``x``, compared with differences along it; the part of ``u`` is again the value of NumPy's function.
    """
    rng = np.random.default_rng(9)
    xs = row.inputs()
    leaves, u, gradients = _gradients(row, xs, rng, create_graph=True)
    first = 0.0
    for i, x in enumerate(xs):
        numeric = np.zeros(x.shape)
        for index in np.ndindex(x.shape):

            def moved(step: float, i: int = i, index: Any = index) -> Any:
                x = np.array(xs[i])
                x[index] += step
                return np.sum(u.data * row.expected(*xs[:i], x, *xs[i + 1 :]))

            numeric[index] = derivative(moved)
        first = max(first, _distance(_values(gradients[i : i + 1], [x]), np.ravel(numeric)))

    ws = [rng.uniform(-1, 1, x.shape) for x in xs]
    along = [np.sum(g * w) for g, w in zip(gradients, ws, strict=True) if getattr(g, "requires_grad", False)]
    seconds = tg.grad(sum(along), [*leaves, u]) if along else [None] * (len(xs) + 1)

    def slope(step: float) -> Any:
        there = [x + step * w for x, w in zip(xs, ws, strict=True)]
        leaves = [tg.Tensor(x, requires_grad=True) for x in there]
        return _values([*tg.grad(row.fn(*leaves), leaves, u.data), row.expected(*there)], [*xs, u])

    return first, _distance(_values(seconds, [*xs, u]), derivative(slope))


def _gradients(row: Row, xs: list[Any], rng: Any = None, *, create_graph: bool) -> tuple[Any, Any, Any]:
    """Leaves, the gradient of the output to start from (a leaf as well), and the gradients of the leaves."""
    leaves = [tg.Tensor(x, requires_grad=True) for x in xs]
    out = row.fn(*leaves)
    u = tg.Tensor(np.ones(out.shape) if rng is None else rng.standard_normal(out.shape), requires_grad=True)
    return leaves, u, tg.grad(out, leaves, u, create_graph=create_graph)


def derivative(f: Callable[[float], Any]) -> Any:
    """The derivative of ``f`` at 0, by central differences, extrapolated to a step of 0 by Ridders' method.

    Of all extrapolations, the one that agrees best with its two predecessors is used. If none agree, there is a kink
    within the steps, and smaller ones are used.

    Source: Ridders, "Accurate computation of F'(x) and F'(x) F''(x)", 1982.
    """
    for step in (2.0**-8, 2.0**-12, 2.0**-16, 2.0**-19):
        best, doubt = np.nan, np.inf
        before: list[Any] = []
        for k in range(5):
            now = [(f(step / 2**k) - f(-step / 2**k)) / (2 * step / 2**k)]
            for j, coarser in enumerate(before):
                now.append(now[j] + (now[j] - coarser) / (4 ** (j + 1) - 1))
                difference = np.maximum(np.abs(now[-1] - now[-2]), np.abs(now[-1] - coarser))
                best, doubt = np.where(difference < doubt, now[-1], best), np.minimum(difference, doubt)
            before = now
        if np.all(doubt <= 1e-7 * (1 + np.abs(best))):
            break
    return best


def _values(gradients: Any, xs: Any) -> Any:
    """All elements as a vector; zeros where there is no gradient."""
    parts = [np.zeros(x.shape) if g is None else value_of(g) for g, x in zip(gradients, xs, strict=True)]
    return np.concatenate([np.ravel(part) for part in parts])


def _distance(analytic: Any, numeric: Any) -> float:
    """The largest relative difference; infinite for NaN."""
    return float(np.max(np.nan_to_num(np.abs(analytic - numeric) / (1 + np.abs(numeric)), nan=math.inf), initial=0))

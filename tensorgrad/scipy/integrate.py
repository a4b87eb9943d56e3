"""Ordinary differential equations, as in `scipy.integrate`, by explicit Runge-Kutta methods.

SciPy chooses the step sizes, using plain arrays. The same steps are then repeated with tensors, so that the gradient is
that of the computed numbers ("discretize, then differentiate"), with respect to the initial values and to all tensors
that the right-hand side uses, to any order. The dependence of the step sizes on these is neglected: its effect is of
the order of the discretization error. Source of the methods: Hairer, Norsett and Wanner (1993), "Solving Ordinary
Differential Equations", ch. II.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.integrate as si

from tensorgrad.engine.tape import Array, Variable, any_tracked, current_mode, value_of
from tensorgrad.errors import NoRuleError, ShapeError
from tensorgrad.frontend.modes import no_grad
from tensorgrad.frontend.tensor import Tensor
from tensorgrad.functional.arguments import check_choice, floating
from tensorgrad.rules.creation import array

__all__ = ["odeint", "solve_ivp"]

_METHODS: dict[str, Any] = {"RK23": si.RK23, "RK45": si.RK45, "DOP853": si.DOP853}


def _times(name: str, t: Any) -> Any:
    """Times as an array. They must not require a gradient."""
    if current_mode().recording and any_tracked(t):
        raise NoRuleError(f"{name}: no gradient rule for times: pass t.detach(), or scale the right-hand side instead")
    return np.asarray(value_of(t), float)


def _extra(name: str, args: Any) -> tuple[Any, ...]:
    """Further arguments of the right-hand side."""
    if args is not None and not isinstance(args, (tuple, list)):
        raise TypeError(f"{name}: args must be a tuple of further arguments, got {type(args).__name__}: write (x,)")
    return tuple(args or ())


def _derivative(fun: Callable[..., Any], size: int) -> Callable[[float, Array], Array]:
    """The right-hand side as a function that returns an array of the shape of the state, not a list."""

    def f(t: float, y: Array) -> Array:
        dy = fun(t, y)
        if not isinstance(dy, Variable):
            has_tensors = isinstance(dy, (list, tuple)) and any(isinstance(item, Variable) for item in dy)
            dy = array(dy) if has_tensors else np.asarray(dy, float)
        if dy.size != size:
            raise ShapeError(f"the right-hand side must return {size} derivatives, one for each initial value, got "
                             f"shape {dy.shape}")  # fmt: skip
        return dy if dy.shape == (size,) else np.reshape(dy, (size,))

    return f


def _solved(f: Callable[[float, Array], Array], y0: Array, t_span: Any, method: str, **options: Any) -> Any:
    """SciPy's solution, computed with plain arrays; ``.sol.ts`` are the ends of the steps."""
    kind = Tensor if isinstance(y0, Variable) else np.asarray

    def on_values(t: float, y: Array) -> Any:
        with no_grad():
            return value_of(f(t, kind(y)))

    return si.solve_ivp(on_values, t_span, value_of(y0), method=method, dense_output=True, **options)


def _steps(f: Callable[[float, Array], Array], y: Array, ts: Any, method: str) -> Iterator[tuple[Array, Array, Array]]:
    """For each step: the state before, the slopes of all stages ``(stages + 1, N)``, and the state after."""
    tableau = _METHODS[method]
    slopes = [f(float(ts[0]), y)]
    for t, h in zip(ts[:-1].tolist(), np.diff(ts).tolist(), strict=True):
        for i in range(1, tableau.n_stages):
            slopes.append(f(t + tableau.C[i] * h, y + (h * tableau.A[i, :i]) @ np.stack(slopes)))
        after = y + (h * tableau.B) @ np.stack(slopes)
        slopes.append(f(t + h, after))
        yield y, np.stack(slopes), after
        y, slopes = after, slopes[-1:]


def solve_ivp(fun: Callable[..., Any], t_span: Any, y0: Array, method: str = "RK45", t_eval: Any = None,
              args: tuple[Any, ...] | None = (), **options: Any) -> Any:  # fmt: skip
    """The solution of ``dy/dt = fun(t, y, *args)`` with ``y = y0`` at the first time, as `scipy.integrate.solve_ivp`.

    Parameters
    ----------
    fun
        A function of a number and the state ``(N,)`` that returns the derivative ``(N,)``, or a list of its elements.
    t_span
        The first and last time.
    y0
        The initial state ``(N,)``.
    method
        "RK45" or "RK23".
    t_eval
        Times ``(T,)`` at which to return the solution; by default, the ends of the steps.
    args
        Further arguments of ``fun``, which may be tensors.
    **options
        SciPy's ``rtol``, ``atol``, ``max_step`` and ``first_step``.

    Returns
    -------
    OdeResult
        SciPy's result object, with the times ``.t`` ``(T,)`` and the solution ``.y`` ``(N, T)``, a tensor if a state is
        one.

    Examples
    --------
    >>> rate = tg.Tensor(0.5, requires_grad=True)
    >>> out = tg.scipy.integrate.solve_ivp(lambda t, y: -rate * y, (0, 2), np.ones(1), rtol=1e-8, atol=1e-8)
    >>> tg.grad(out.y[0, -1], rate)  # -2 exp(-1)
    array(-0.7358)
    """
    check_choice("method", method, ("RK45", "RK23"))
    unknown = options.keys() - {"rtol", "atol", "max_step", "first_step"}
    if unknown:
        raise TypeError(f"solve_ivp takes the options rtol, atol, max_step and first_step, not {sorted(unknown)}")
    y0 = floating(y0)
    if y0.ndim != 1:
        raise ShapeError(f"y0 must be a vector (N,), got shape {y0.shape}")
    extra = _extra("solve_ivp", args)
    f = _derivative(lambda t, y: fun(t, y, *extra), y0.size)
    t_eval = None if t_eval is None else _times("solve_ivp", t_eval)
    found = _solved(f, y0, _times("solve_ivp", t_span), method, t_eval=t_eval, **options)
    ts, found.sol, found.t = found.sol.ts, None, np.asarray(found.t)
    if t_eval is None:
        found.y = np.stack([y0, *(after for _, _, after in _steps(f, y0, ts, method))], axis=1)
    else:
        found.y = _between(f, y0, ts, found.t, method)
    return found


def _between(f: Callable[[float, Array], Array], y0: Array, ts: Any, wanted: Any, method: str) -> Array:
    """The solution at the ``wanted`` times, interpolated within the steps as SciPy does."""
    powers = np.arange(1, _METHODS[method].P.shape[1] + 1)
    direction = np.sign(ts[-1] - ts[0])
    at = np.maximum(np.searchsorted(ts * direction, wanted * direction) - 1, 0)
    parts = [np.zeros_like(y0, shape=(y0.size, 0))]
    for k, (before, slopes, _) in enumerate(_steps(f, y0, ts, method)):
        inside = wanted[at == k]
        if inside.size:
            h = ts[k + 1] - ts[k]
            x = (inside - ts[k]) / h if h else 0 * inside
            weights = h * _METHODS[method].P @ x ** powers[:, None]
            parts.append(np.expand_dims(before, 1) + np.matrix_transpose(slopes) @ weights)
    return np.concatenate(parts, axis=1)


def odeint(func: Callable[..., Any], y0: Array, t: Any, args: tuple[Any, ...] = (), rtol: float = 1.49012e-8,
           atol: Any = 1.49012e-8, tfirst: bool = False) -> Array:  # fmt: skip
    """The solution of ``dy/dt = func(y, t, *args)`` at the times ``t``, ``(T, N)``, as `scipy.integrate.odeint`.

    ``y0`` ``(N,)`` is the state at the first of the times ``(T,)``, which increase or decrease. With ``tfirst``, the
    signature is ``func(t, y, *args)``. The method is "DOP853", with steps that end at the times, whereas SciPy uses
    LSODA: results agree within the tolerances, but stiff equations need many steps. Raises ``RuntimeError`` if it
    fails.

    Examples
    --------
    >>> y0 = tg.Tensor([1.0, 0.0], requires_grad=True)
    >>> y = tg.scipy.integrate.odeint(lambda y, t: [y[1], -y[0]], y0, [0, np.pi / 2])
    >>> y.shape, tg.grad(y[-1, 1], y0)
    ((2, 2), array([-1.,  0.]))
    """
    y0, times = floating(y0), _times("odeint", t)
    if times.ndim != 1 or not times.size or not (np.all(np.diff(times) >= 0) or np.all(np.diff(times) <= 0)):
        raise ValueError("odeint: the times t must be a vector (T,) that increases or decreases")
    if y0.ndim > 1:
        raise ShapeError(f"y0 must be a vector (N,), got shape {y0.shape}")
    y0 = np.reshape(y0, (y0.size,))
    extra = _extra("odeint", args)
    f = _derivative(lambda t, y: func(t, y, *extra) if tfirst else func(y, t, *extra), y0.size)
    found = _solved(f, y0, (times[0], times[-1]), "DOP853", rtol=rtol, atol=atol)
    if found.status < 0:
        raise RuntimeError(f"odeint: {found.message}")
    direction = -1 if times[-1] < times[0] else 1
    ts = direction * np.unique(direction * np.concatenate([found.sol.ts, times]))
    states = [y0, *(after for _, _, after in _steps(f, y0, ts, "DOP853"))]
    return np.stack([states[i] for i in np.searchsorted(direction * ts, direction * times)])


def __dir__() -> list[str]:
    return [*__all__, "__doc__"]

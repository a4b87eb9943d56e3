"""`minimize`: SciPy's optimizers, with derivatives from the tape, and structures in place of one vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tensorgrad.engine.tape import value_of
from tensorgrad.errors import ShapeError
from tensorgrad.frontend.tensor import Tensor
from tensorgrad.transforms import trees
from tensorgrad.transforms.derivatives import jacobian
from tensorgrad.transforms.functions import grad

__all__ = ["minimize"]

Array = Any
_WITHOUT_GRADIENT = ("nelder-mead", "powell", "cobyla", "cobyqa")
_WITH_PRODUCTS = ("newton-cg", "trust-ncg", "trust-krylov", "trust-constr")  # of the Hessian with a vector
_WITH_HESSIAN = ("dogleg", "trust-exact")


def minimize(f: Callable[..., Any], x0: Any, args: tuple[Any, ...] = (), method: str | None = None, *,
             bounds: Any = None, constraints: Mapping[str, Any] | Sequence[Mapping[str, Any]] = (),
             tol: float | None = None, callback: Callable[[Any], Any] | None = None,
             options: Mapping[str, Any] | None = None) -> Any:  # fmt: skip
    """Minimize ``f(x, *args)``, a number, over the arrays of ``x``, by `scipy.optimize.minimize`; SciPy is needed.

    The methods get what they can use: the gradient, products of the Hessian with vectors (``"Newton-CG"``,
    ``"trust-ncg"``, ``"trust-krylov"``, ``"trust-constr"``), or the Hessian (``"dogleg"``, ``"trust-exact"``).

    Parameters
    ----------
    f
        A function of tensors in the structure of ``x0``, whose result has one element.
    x0
        The initial values: an array, or nested lists, tuples, dicts and dataclasses of arrays. Integers become float64.
    args
        Further arguments of ``f``, which are not changed.
    method, tol, options
        Those of SciPy, whose default is ``"BFGS"``, and ``"L-BFGS-B"`` or ``"SLSQP"`` with bounds or constraints.
    bounds
        A pair of the lowest and the highest values: each is None, a number, or a structure like ``x0`` of arrays, or
        numbers, that can be broadcast.
    constraints
        Dicts such as ``{"type": "ineq", "fun": g}``: each element of ``g(x)`` must be 0 for ``"eq"`` and at least 0
        for ``"ineq"``. Their derivatives are computed as well.
    callback
        Called with the values, in the structure of ``x0``, after each iteration; may raise ``StopIteration``.

    Returns
    -------
    scipy.optimize.OptimizeResult
        Its ``x``, and ``jac`` if there is one, have the structure of ``x0``.

    Examples
    --------
    >>> def rosenbrock(p):
    ...     return 100 * (p["y"] - p["x"] ** 2) ** 2 + (1 - p["x"]) ** 2
    >>> result = tg.minimize(rosenbrock, {"x": -1.2, "y": 1.0}, method="trust-ncg")
    >>> bool(result.success), result.x
    (True, {'x': array(1.), 'y': array(1.)})
    """
    try:
        from scipy import optimize
    except ImportError:
        raise ImportError('tg.minimize needs SciPy: python -m pip install scipy, or "tensorgrad-np[scipy]"') from None
    vector = _Vector(x0)
    function = _Derivatives(lambda v: f(vector.structure(v), *args))
    name = (method or "").lower()
    given: dict[str, Any] = {} if name in _WITHOUT_GRADIENT else {"jac": True}
    if name in _WITH_PRODUCTS:
        given["hessp"] = function.product
    if name in _WITH_HESSIAN:
        given["hess"] = function.hessian
    if bounds is not None:
        given["bounds"] = optimize.Bounds(vector.bound(bounds[0], -np.inf), vector.bound(bounds[1], np.inf))
    limits = [constraints] if isinstance(constraints, Mapping) else constraints
    given["constraints"] = [
        vector.with_hessian(limit, optimize.NonlinearConstraint) if name == "trust-constr" else vector.constraint(limit)
        for limit in limits
    ]
    if callback is not None:
        given["callback"] = lambda v, *_: callback(vector.arrays(v))
    start = function.value_and_gradient if "jac" in given else function.value
    result = optimize.minimize(start, vector.initial, method=method, tol=tol, options=dict(options or {}), **given)
    result.x = vector.arrays(result.x)
    if isinstance(result.get("jac"), np.ndarray) and result.jac.shape == vector.initial.shape:
        result.jac = vector.arrays(result.jac)
    return result


class _Vector:
    """The arrays of a structure as one vector, float64, and back."""

    def __init__(self, x0: Any) -> None:
        leaves = [np.asarray(value_of(leaf)) for leaf in trees.leaves(x0)]
        for leaf in leaves:
            if leaf.dtype.kind not in "fiu":
                raise TypeError(f"x0 must contain real numbers, got {leaf.dtype}")
        if not sum(leaf.size for leaf in leaves):
            raise ValueError("x0 has no elements to minimize over")
        self.like = x0
        self.shapes = [leaf.shape for leaf in leaves]
        self.dtypes = [leaf.dtype if leaf.dtype.kind == "f" else np.dtype(np.float64) for leaf in leaves]
        self.ends = np.cumsum([leaf.size for leaf in leaves]).tolist()
        self.initial = np.concatenate([leaf.ravel() for leaf in leaves]).astype(np.float64)

    def structure(self, v: Any) -> Any:
        """The structure, of parts of a vector or a tensor."""
        starts = [0, *self.ends[:-1]]
        parts = [np.reshape(v[a:b], shape) for a, b, shape in zip(starts, self.ends, self.shapes, strict=True)]
        return trees.refill(self.like, [part if part.dtype == dtype else part.astype(dtype)
                                        for part, dtype in zip(parts, self.dtypes, strict=True)])  # fmt: skip

    def arrays(self, v: Array) -> Any:
        """The structure of arrays of their own."""
        return self.structure(np.array(v, np.float64))

    def bound(self, values: Any, default: float) -> Array:
        """The bounds of all elements: ``default`` for None, a number for all, or a structure."""
        if values is None or np.isscalar(values):
            return np.full(self.initial.shape, default if values is None else values)
        leaves = trees.leaves_like(self.like, values, "bounds")
        return np.concatenate([
            np.broadcast_to(default if leaf is None else leaf, shape).ravel()
            for leaf, shape in zip(leaves, self.shapes, strict=True)
        ])  # fmt: skip

    def constraint(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """A constraint with its Jacobian."""
        fun, more = given["fun"], given.get("args", ())

        def values(v: Any) -> Any:
            return np.ravel(fun(self.structure(v), *more))

        return {"type": given["type"], "fun": lambda v: np.asarray(value_of(values(v))), "values": values,
                "jac": lambda v: jacobian(values, np.array(v))}  # fmt: skip

    def with_hessian(self, given: Mapping[str, Any], kind: Any) -> Any:
        """A constraint as the method "trust-constr" takes it."""
        made = self.constraint(given)
        values, highest = made["values"], {"eq": 0, "ineq": np.inf}[given["type"]]

        def hessian(v: Array, weights: Array) -> Array:
            return _Derivatives(lambda x: np.sum(values(x) * weights)).hessian(v)

        return kind(made["fun"], 0, highest, made["jac"], hessian)


class _Derivatives:
    """The value and the derivatives of a function of a vector; its gradient is recorded once at each point."""

    def __init__(self, f: Callable[[Any], Any]) -> None:
        self.f = f
        self._at: Array = None
        self._x: Any = None
        self._gradient: Any = None

    def value(self, v: Array) -> float:
        return float(value_of(_one(self.f(np.array(v)))).item())

    def value_and_gradient(self, v: Array) -> tuple[float, Array]:
        x = Tensor(np.array(v), requires_grad=True)
        y = _one(self.f(x))
        if not (isinstance(y, Tensor) and y.requires_grad):  # it does not depend on x
            return float(y), np.zeros_like(v)
        value = y.item()
        return value, _or_zeros(grad(y, x), v)

    def product(self, v: Array, p: Array) -> Array:
        """The Hessian times ``p``."""
        if self._at is None or not np.array_equal(v, self._at):
            self._x, self._gradient = Tensor(np.array(v), requires_grad=True), None
            y = _one(self.f(self._x))
            if isinstance(y, Tensor) and y.requires_grad:
                self._gradient = grad(y, self._x, create_graph=True)
            self._at = np.array(v)
        if not (isinstance(self._gradient, Tensor) and self._gradient.requires_grad):  # f is linear
            return np.zeros_like(v)
        return _or_zeros(grad(self._gradient, self._x, np.array(p, np.float64), retain_graph=True), v)

    def hessian(self, v: Array) -> Array:
        return np.stack([self.product(v, row) for row in np.eye(len(v))])


def _or_zeros(gradient: Any, v: Array) -> Array:
    return np.zeros_like(v) if gradient is None else gradient


def _one(y: Any) -> Any:
    if np.shape(value_of(y)) and np.size(value_of(y)) != 1:
        raise ShapeError(f"the function to minimize must return one number, got shape {np.shape(value_of(y))}")
    return y

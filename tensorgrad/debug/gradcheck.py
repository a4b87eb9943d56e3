"""Check first and second derivatives against finite differences, in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad.engine.tape import Variable, current_mode, set_mode, value_of
from tensorgrad.errors import GradcheckError
from tensorgrad.frontend.tensor import Tensor
from tensorgrad.transforms.gradients import grad


def gradcheck(f: Callable[..., Any], inputs: Any, *, eps: float = 1e-6, atol: float = 1e-6,
              rtol: float = 1e-5, seed: int = 0) -> bool:  # fmt: skip
    """Compare the gradients of ``f`` with central differences.

    The output of ``f`` is projected on a random direction, and the gradient of that number is compared element by
    element with ``(f(x + eps) - f(x - eps)) / (2 eps)``. Rules receive read-only arrays, so that a rule that writes to
    its arguments is detected as well.

    Parameters
    ----------
    f
        A function of tensors that returns a tensor or a tuple of tensors, and the same values for the same inputs.
    inputs
        A float64 array, or a sequence of them. Integer and boolean arrays are passed on unchanged.
    eps
        Half the difference between the two points of evaluation.
    atol, rtol
        The check passes where ``|analytic - numeric| <= atol + rtol * |numeric|``.
    seed
        The seed of the random projection.

    Returns
    -------
    bool
        True.

    Raises
    ------
    GradcheckError
        If they disagree. The message contains both numbers, the input, and the index where they differ most.
    TypeError
        If an input is not float64: in float32, finite differences are dominated by rounding errors.

    Examples
    --------
    >>> tg.gradcheck(lambda x: np.sum(np.sin(x) * x), [np.array([0.5, 1.5])])
    True
    """
    arrays = [_float64(i, x) for i, x in enumerate(_as_sequence(inputs))]
    checked = [i for i, x in enumerate(arrays) if x.dtype == np.float64]
    if not checked:
        raise TypeError("gradcheck needs an input of float64 to check: write x.astype(np.float64)")
    outputs = _evaluate(f, arrays)
    rng = np.random.default_rng(seed)
    directions = [rng.standard_normal(output.shape) for output in outputs]
    for first, second in zip(outputs, _evaluate(f, arrays), strict=True):
        if not np.array_equal(first.data, second.data, equal_nan=True):
            raise GradcheckError("f gives different results for the same inputs: fix its random generator")

    def projection(arrays: Sequence[Any]) -> float:
        return sum(float(np.sum(d * out.data)) for d, out in zip(directions, _evaluate(f, arrays), strict=True))

    analytic = _analytic(f, arrays, checked, directions)
    for i, gradient in zip(checked, analytic, strict=True):
        numeric = np.empty_like(arrays[i])
        for index in np.ndindex(arrays[i].shape):
            shifted = list(arrays)
            values = []
            for step in (eps, -eps):
                shifted[i] = arrays[i].copy()
                shifted[i][index] += step
                values.append(projection(shifted))
            numeric[index] = (values[0] - values[1]) / (2 * eps)
        _compare(i, gradient, numeric, atol, rtol)
    return True


def gradgradcheck(f: Callable[..., Any], inputs: Any, *, eps: float = 1e-6, atol: float = 1e-5,
                  rtol: float = 1e-5, seed: int = 0) -> bool:  # fmt: skip
    """Compare the second derivatives of ``f`` with central differences of its first derivatives.

    The vector-Jacobian product of ``f`` with a random vector is itself checked by `gradcheck`, as a function of the
    inputs and of that vector. Parameters and errors are those of `gradcheck`.

    Examples
    --------
    >>> tg.gradgradcheck(np.tanh, [np.array([0.5, 1.5])])
    True
    """
    arrays = [_float64(i, x) for i, x in enumerate(_as_sequence(inputs))]
    if all(x.dtype != np.float64 for x in arrays):
        raise TypeError("gradgradcheck needs an input of float64 to check: write x.astype(np.float64)")
    rng = np.random.default_rng(seed + 1)
    directions = [rng.standard_normal(output.shape) for output in _evaluate(f, arrays)]
    count = len(arrays)

    def gradient(*args: Any) -> tuple[Any, ...]:
        xs, upstream = args[:count], args[count:]
        outputs = _as_sequence(f(*xs))
        pairs = [(out, up) for out, up in zip(outputs, upstream, strict=True) if getattr(out, "tracked", False)]
        inner = [x for x in xs if getattr(x, "tracked", False)]
        if not pairs:
            return tuple(Tensor(np.zeros(x.shape)) for x in inner)
        found = grad([out for out, _ in pairs], inner, [up for _, up in pairs], create_graph=True)
        return tuple(Tensor(np.zeros(x.shape)) if g is None else g for g, x in zip(found, inner, strict=True))

    return gradcheck(gradient, [*arrays, *directions], eps=eps, atol=atol, rtol=rtol, seed=seed)


def _as_sequence(x: Any) -> list[Any]:
    return list(x) if isinstance(x, (list, tuple)) else [x]


def _float64(i: int, x: Any) -> np.ndarray[Any, Any]:
    array = np.array(value_of(x))
    if array.dtype.kind not in "iub" and array.dtype != np.float64:
        raise TypeError(f"gradcheck needs float64, input {i + 1} is {array.dtype}: write x.astype(np.float64)")
    return array


def _leaves(arrays: Sequence[Any]) -> list[Any]:
    leaves = []
    for array in arrays:
        read_only = array.view()
        read_only.flags.writeable = False
        leaves.append(Tensor(read_only, requires_grad=True) if array.dtype == np.float64 else array)
    return leaves


def _evaluate(f: Callable[..., Any], arrays: Sequence[Any]) -> list[Any]:
    outputs = _as_sequence(f(*_leaves(arrays)))
    if not outputs:
        raise GradcheckError("f returns nothing to check")
    for output in outputs:
        if not isinstance(output, Variable):
            raise GradcheckError(
                f"f must return tensors, got {type(output).__name__}: compute it from the inputs with NumPy functions"
            )
    return outputs


def _analytic(f: Callable[..., Any], arrays: Sequence[Any], checked: list[int],
              directions: list[Any]) -> list[Any]:  # fmt: skip
    leaves = _leaves(arrays)
    pairs = [(out, d) for out, d in zip(_as_sequence(f(*leaves)), directions, strict=True) if out.tracked]
    inputs = [leaves[i] for i in checked]
    if not pairs or not inputs:
        return [np.zeros(x.shape) for x in inputs]
    mode = current_mode()
    set_mode(mode._replace(read_only=True))
    try:
        found = grad([out for out, _ in pairs], inputs, [d for _, d in pairs])
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        where = " ".join(getattr(error, "__notes__", []))
        raise GradcheckError(f"a gradient rule writes to an array among its arguments ({error}). {where}") from error
    finally:
        set_mode(mode)
    return [np.zeros(x.shape) if g is None else g for g, x in zip(found, inputs, strict=True)]


def _compare(i: int, analytic: Any, numeric: Any, atol: float, rtol: float) -> None:
    """Raise an error unless all elements agree; NaN never agrees."""
    if not analytic.size:
        return
    excess = np.abs(analytic - numeric) - (atol + rtol * np.abs(numeric))
    excess = np.where(np.isnan(excess), np.inf, excess)
    worst = np.unravel_index(np.argmax(excess), excess.shape)
    if excess[worst] > 0:
        index = tuple(int(k) for k in worst)
        wrong = int(np.count_nonzero(excess > 0))
        raise GradcheckError(
            f"the gradient for input {i + 1} is wrong in {wrong} of {excess.size} elements, most at index {index}: "
            f"analytic {analytic[worst]:.10g}, numeric {numeric[worst]:.10g}"
        )

"""Errors for the conversion of a tensor that requires a gradient to a plain array or number.

NumPy converts lists to arrays, and assigns values to elements of an array, without calling the protocols of a tensor.
The tensor can only raise an error that says what to write instead. docs/traps.md shows these situations.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import FrameType
from typing import Any

import numpy as np

from tensorgrad.errors import GradientLostError

_REMEDIES = ("For a list of tensors, write tg.array([...]), np.stack([...]) or np.array([...], like=t); to write "
             "into an array, make it a tensor, F = np.zeros(n, like=t), or write F = F + t, or np.where; for the "
             "values without a gradient, write t.data or t.detach()")  # fmt: skip

_HINTS = {
    "scipy.sparse": "Sparse matrices do not support tensors: write A.toarray() @ t, or, to keep it sparse, import "
                    "tensorgrad.scipy, and write tensorgrad.scipy.sparse.matmul(A, t): see docs/scipy.md. ",
    "matplotlib": "To draw it, pass t.data. ",
    "pandas": "pandas does not support tensors: write x.to_numpy() @ t; to put t into a table, pass t.data. ",
}  # fmt: skip


def array_conversion_error() -> GradientLostError:
    """The error of ``np.asarray(t)``; to be raised by the method that NumPy calls."""
    return GradientLostError("this Tensor requires a gradient, which a plain ndarray would lose. "
                             f"{_hint_for(sys._getframe(2))}{_REMEDIES}.")  # fmt: skip


def number_conversion_error(name: str) -> GradientLostError:
    """The error of ``float(t)``, which NumPy also calls for ``array[0] = t``."""
    hint = _hint_for(sys._getframe(2))
    return GradientLostError(f"{name}() of a Tensor that requires a gradient would lose it: write t.item() if that is "
                             f"meant. {hint}To put t into an array, write tg.array([...]) or np.stack([...]), or make "
                             "that a tensor: F = np.zeros(n, like=t), or np.zeros_like(t).")  # fmt: skip


def copy_error() -> TypeError:
    """The error of ``copy.copy(t)`` for a tensor that was computed."""
    return TypeError("a tensor on the tape cannot be copied: call .detach() first, or .copy() for a recorded copy. "
                     f"{_hint_for(sys._getframe(2))}".rstrip())  # fmt: skip


def _hint_for(frame: FrameType | None) -> str:
    """What to write instead of the library function that the user called and that led to this frame."""
    hint = ""
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module == "tensorgrad.engine.record":
            hint = "Each input must be a single tensor: pass several by position, or stack them into one. "
        elif module.startswith("tensorgrad."):
            hint = ""  # the package made this call, not the user
        elif module.startswith("scipy."):
            hint = _hint_for_scipy(frame, module) or hint
        elif known := [prefix for prefix in _HINTS if f"{module}.".startswith(f"{prefix}.")]:
            hint = _HINTS[max(known)]  # the longest, of those that begin alike
        elif module.startswith("numpy."):
            hint = _hint_for_numpy(frame) or hint
        elif module != "copy":
            break
        frame = frame.f_back
    return hint


def _hint_for_scipy(frame: FrameType, module: str) -> str:
    """The hint if the frame is that of a public function, a distribution, or a sparse matrix of SciPy."""
    called, known = frame.f_code.co_name, frame.f_locals
    owner = known.get("self")
    if called.endswith("wrapper"):  # of decorators, in which the function has one of these names
        wrapped = [known[name] for name in ("f", "fun", "hypotest_fun_in") if hasattr(known.get(name), "__name__")]
        module, called = (wrapped[0].__module__, wrapped[0].__name__) if wrapped else (module, called)
    owner = getattr(owner, "dist", owner)  # a distribution with parameters
    kind = "" if owner is None else type(owner).__name__
    public = module.split("._")[0]
    if public == "scipy.sparse":
        return _HINTS[public]
    names = [kind] if kind else [called]
    if kind.endswith("_gen"):  # of distributions
        names = [kind.removesuffix("_gen"), *([] if called.startswith("__") else [called])]
    if public == "scipy" or names[0].startswith(("_", "<")):
        return ""
    names = [*public.split("."), *names]
    return f"{'.'.join(names)} does not support tensors: {_counterpart(names[1:])}. "


def _counterpart(names: list[str]) -> str:
    """What to write instead of ``scipy.linalg.expm``, given as a list of names without the first."""
    if names[0] == "optimize":
        return "pass arrays, and functions of arrays: tg.value_and_grad(f) with jac=True, or jac=tg.grad(f)"
    for path in (names, [names[0], names[-1]]):  # scipy.sparse.linalg.spsolve is tensorgrad.scipy.sparse.spsolve
        try:
            found: Any = import_module(f"tensorgrad.scipy.{path[0]}")
            for name in path[1:]:
                found = getattr(found, name)
        except (ImportError, AttributeError):
            continue
        return f"import tensorgrad.scipy, and write {'.'.join(['tensorgrad.scipy', *path])} (see docs/scipy.md)"
    if names[0] in ("linalg", "fft") and hasattr(getattr(np, names[0]), names[-1]):
        return f"write np.{'.'.join(names)}"
    if names[0] == "integrate" and hasattr(np, names[-1]):
        return f"write np.{names[-1]}"
    return "write it with NumPy's functions, or with those of tensorgrad.scipy, which docs/scipy.md lists"


def _hint_for_numpy(frame: FrameType) -> str:
    """The hint if the frame is that of a public NumPy function."""
    name = frame.f_code.co_name
    if isinstance(frame.f_locals.get("self"), _JOINING) and name == "__getitem__":
        return "np.c_ and np.r_ do not support tensors: write np.column_stack([...]) or np.concatenate([...]). "
    for prefix, namespace in (("np", np), ("np.linalg", np.linalg), ("np.fft", np.fft)):
        function = getattr(namespace, name, None)
        if getattr(getattr(function, "_implementation", function), "__code__", None) is frame.f_code:
            return f"np.{name}".replace("np", prefix, 1) + _CONVERTS_LISTS
    return ""


_JOINING = (type(np.c_), type(np.r_))
_CONVERTS_LISTS = " turns lists into plain arrays: pass it tg.array([...]), or like=t if it supports that. "

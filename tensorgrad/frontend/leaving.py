"""What an error says where a tensor that requires a gradient was about to become a plain array or number.

NumPy turns lists into arrays, and values into elements of an array, without asking a tensor what to do. All that a
tensor can do is to refuse, and to name the line to write instead. docs/traps.md shows these situations.
"""

from __future__ import annotations

import sys
from types import FrameType

import numpy as np

from tensorgrad.errors import GradientLostError

_IN_ITS_PLACE = ("For a list of tensors, write tg.array([...]), np.stack([...]) or np.array([...], like=t); to write "
                 "into an array, make it a tensor, F = np.zeros(n, like=t), or write F = F + t, or np.where; to leave "
                 "the tape, write t.data or t.detach()")  # fmt: skip

_HINTS = {
    "numpy.lib._index_tricks_impl": "np.c_ and np.r_ do not ask a tensor: write np.column_stack([...]) or "
                                    "np.concatenate([...]). ",
    "scipy": "SciPy does not ask a tensor, unless by ufuncs of scipy.special: import tensorgrad.scipy, and write "
             "tensorgrad.scipy.linalg.expm for scipy.linalg.expm, as docs/scipy.md lists. ",
    "scipy.sparse": "Sparse matrices do not ask a tensor: write A.toarray() @ t, or, to keep it sparse, import "
                    "tensorgrad.scipy, and write tensorgrad.scipy.sparse.matmul(A, t): see docs/scipy.md. ",
    "matplotlib": "To draw it, pass t.data. ",
    "pandas": "pandas does not ask a tensor: write x.to_numpy() @ t; to put t into a table, pass t.data. ",
}  # fmt: skip


def becomes_an_array() -> GradientLostError:
    """The error of ``np.asarray(t)``, which the function that converts the tensor raises."""
    return GradientLostError("this Tensor requires a gradient, which a plain ndarray would lose. "
                             f"{_asked_by(sys._getframe(2))}{_IN_ITS_PLACE}.")  # fmt: skip


def becomes_a_number(name: str) -> GradientLostError:
    """The error of ``float(t)``, which NumPy calls, too, for ``array[0] = t``."""
    hint = _asked_by(sys._getframe(2))
    return GradientLostError(f"{name}() of a Tensor that requires a gradient would lose it: write t.item() if that is "
                             f"meant. {hint}To put t into an array, write tg.array([...]) or np.stack([...]), or make "
                             "that a tensor: F = np.zeros(n, like=t), or np.zeros_like(t).")  # fmt: skip


def is_copied() -> TypeError:
    """The error of ``copy.copy(t)`` for a tensor that was computed."""
    return TypeError("a tensor on the tape cannot be copied: call .detach() first, or .copy() to stay on it. "
                     f"{_asked_by(sys._getframe(2))}".rstrip())  # fmt: skip


def _asked_by(frame: FrameType | None) -> str:
    """What to write in place of the outermost function of a library on the way from the user's call to the tensor."""
    hint = ""
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module == "tensorgrad.engine.record":
            hint = "A function records single tensors: pass each by position, or one tensor that holds them. "
        elif module.startswith("tensorgrad."):
            hint = ""  # what our own functions called is not what the user did
        elif known := [prefix for prefix in _HINTS if f"{module}.".startswith(f"{prefix}.")]:
            hint = _HINTS[max(known)]  # the longest, of those that begin alike
        elif module.startswith("numpy."):
            hint = _of_numpy(frame) or hint
        elif module != "copy":
            break
        frame = frame.f_back
    return hint


def _of_numpy(frame: FrameType) -> str:
    """For a public function of NumPy."""
    name = frame.f_code.co_name
    for prefix, namespace in (("np", np), ("np.linalg", np.linalg), ("np.fft", np.fft)):
        function = getattr(namespace, name, None)
        if getattr(getattr(function, "_implementation", function), "__code__", None) is frame.f_code:
            return f"np.{name}".replace("np", prefix, 1) + _CONVERTS
    return ""


_CONVERTS = " turns lists into plain arrays: pass it tg.array([...]), or like=t where it takes that. "

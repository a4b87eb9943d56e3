"""`compile`: record a function once, and replay it as a flat list of NumPy calls."""

from __future__ import annotations

import functools
import inspect
import types
import warnings
from _thread import allocate_lock
from collections.abc import Callable, Sequence
from typing import Any, Generic, ParamSpec, TypeVar, cast

from tensorgrad.compiling.guards import signature
from tensorgrad.compiling.program import NotReplayedError, Program
from tensorgrad.compiling.recording import Recording, agree
from tensorgrad.engine.record import observers
from tensorgrad.engine.tape import current_mode, tracer
from tensorgrad.errors import CompileError

P = ParamSpec("P")
R = TypeVar("R")
_MOST_PROGRAMS, _MOST_RECORDINGS = 8, 64  # for arguments of one kind, and in all
_MOST_WAITING = 4  # recordings that are kept for comparison


class Compiled(Generic[P, R]):
    """A function that is replayed if a recorded program applies, and called otherwise."""

    is_compiled = True

    def __init__(self, fn: Callable[P, R], exact: bool = True) -> None:
        self.compiled_function, self.exact = fn, exact
        self._parameters = list(inspect.signature(fn).parameters)
        self._recordings: dict[Any, Recording] = {}  # the first, by the kind of the arguments and the state of tensors
        self._programs: dict[Any, list[Program]] = {}  # by the kind of the arguments; the newest first
        self._gave_up, self._count = False, 0
        self._busy = allocate_lock()
        self._newest: Program | None = None
        functools.update_wrapper(self, fn)
        self.__name__ = getattr(fn, "__name__", type(fn).__name__)

    @property
    def source(self) -> str:
        """The newest program, as Python."""
        if self._newest is None:
            raise CompileError("there is no program yet: the first two calls record it")
        return self._newest.source

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function."""
        if tracer() is not None or observers or self._gave_up or not self._busy.acquire(blocking=False):
            return self.compiled_function(*args, **kwargs)
        try:
            leaves: Sequence[Any] = args
            structure: Any = len(args)
            if kwargs or any([isinstance(x, (list, tuple, dict)) for x in args]):
                structure = _structure((args, kwargs), leaves := [], [])
            kind = structure, current_mode(), *map(signature, leaves)
            for program in self._programs.get(kind, ()):
                if program.applies(leaves):
                    break
            else:
                return self._record(kind, leaves, args, kwargs)
            try:
                return cast(R, program.replay(leaves))
            except NotReplayedError:
                pass  # and the errors of the ordinary call have no context
            return self.compiled_function(*args, **kwargs)
        finally:
            self._busy.release()

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """The method of an object, of a function that is decorated in a class."""
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> Any:
        return Compiled, (self.compiled_function, self.exact)  # a copy has its own recordings

    def _record(self, kind: Any, leaves: Sequence[Any], args: Any, kwargs: Any) -> R:
        """Record a call; the second of its kind, if it agrees with the first, makes a program."""
        self._count += 1
        similar = self._programs.setdefault(kind, [])
        if len(similar) >= _MOST_PROGRAMS or self._count > _MOST_RECORDINGS:
            self._gave_up = True
            self._recordings.clear()
            what = similar[0].dependencies.changed() if similar else "the shape or the value of an argument"
            warnings.warn(
                f"tg.compile has recorded {self.__name__} {self._count} times, because {what or 'a parameter'} keeps "
                "changing, and calls it without compiling from now on: pass a number that changes as an array",
                stacklevel=4,
            )
            return self.compiled_function(*args, **kwargs)
        parameters = [*self._parameters[: len(args)], *["argument"] * (len(args) - len(self._parameters)), *kwargs]
        names: list[str] = []
        for parameter, x in zip(parameters, (*args, *kwargs.values()), strict=True):
            _structure(x, [], names, parameter)
        recording = Recording(self.compiled_function, names, leaves)
        result = recording.run(self.compiled_function, args, kwargs)
        if not recording.trace.is_whole:
            return cast(R, result)
        # Some functions alternate between states, as those that accumulate gradients.
        state = kind, *recording.tensors, *recording.state
        first = self._recordings.pop(state, None)
        if first is None or first.dependencies.changed() is not None or not agree(first, recording):
            self._recordings[state] = recording
            for oldest in list(self._recordings)[:-_MOST_WAITING]:
                del self._recordings[oldest]
        else:
            name = self.__name__ if self.__name__.isidentifier() else "program"
            self._newest = Program(recording, leaves, name, self.exact)
            similar.insert(0, self._newest)
        return cast(R, result)


def _structure(tree: Any, leaves: list[Any], names: list[str], name: str = "") -> Any:
    """The structure of nested lists, tuples and dicts; other objects are None, and appended to ``leaves``."""
    kind = type(tree)
    if kind in (list, tuple, dict) or hasattr(kind, "_fields"):
        keys, items = (tuple(tree), tree.values()) if kind is dict else (range(len(tree)), tree)
        inner = [_structure(x, leaves, names, f"{name}_{key}") for key, x in zip(keys, items, strict=True)]
        return kind, keys, tuple(inner)
    leaves.append(tree)
    names.append(name)
    return None


def compile(fn: Callable[P, R], *, exact: bool = True) -> Compiled[P, R]:
    """Record a function at its first calls, and replay it as a flat list of NumPy calls from then on.

    A replay gives the numbers of an ordinary call, without the tape, and without allocating memory for large results.
    The function may be a whole training step: forward pass, `backward`, gradient clipping and the optimizer.

    What may change from call to call: the values of arrays that are arguments, parameters and other arrays outside that
    are written to in place, the state and settings of optimizers (``optimizer.lr``), and random numbers drawn from a
    generator that is an argument. If anything else changes, the function is recorded again: the shapes,
    dtypes and memory layouts of arguments, the values of arguments that are numbers, ``requires_grad``, and the
    variables, attributes and global names that the function refers to.

    If the values of a call lead to another branch inside tensorgrad than those of the recorded one, or to a NaN, the
    function itself is called. The first two calls with arguments of one kind are recorded and compared.

    Parameters
    ----------
    fn
        A function of arrays, tensors, random generators, numbers, and lists, tuples and dicts of these. It returns
        arrays, tensors and numbers in such structures; the caller owns the results.
    exact
        Whether the results are equal to the last bit. If not, `SGD` adds the gradient of a weight matrix to the weights
        in the call of BLAS that would compute it, so that ``.grad`` is None after a replay, and sums of squares are dot
        products; results differ by rounding.

    Returns
    -------
    Compiled
        A callable with the same arguments. ``.source`` is the newest program, as Python.

    Raises
    ------
    CompileError
        At a call, if the function does what a replay could not repeat: if it takes a value out of an array, as
        ``float(x)`` and ``if x > 0`` do, sets a variable outside, returns a tensor whose backward pass has not run, or
        computes differently in two calls of the same kind. The message names the line.

    See Also
    --------
    docs/compile.md : What is followed and what is refused, with the reasons.

    Examples
    --------
    >>> w = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = tg.optim.SGD([w], lr=0.1)
    >>> @tg.compile
    ... def step(x):
    ...     optimizer.zero_grad()
    ...     loss = np.sum((x * w) ** 2)
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> for k in range(4):
    ...     loss = step(np.array([1.0, k]))
    >>> print(step.source.partition("#")[0].strip())
    def step(x):
        multiply(x, w, out=t1)
    """
    return Compiled(fn, exact)

"""`compile`: record a function once, and replay it as a flat list of NumPy calls."""

from __future__ import annotations

import functools
import inspect
import types
import warnings
from _thread import allocate_lock
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, starmap, zip_longest
from typing import Any, Generic, ParamSpec, TypeVar, cast

from tensorgrad.compiling.guards import signature
from tensorgrad.compiling.program import NotReplayedError, Program
from tensorgrad.compiling.recording import Recording, check_agreement
from tensorgrad.engine.record import observers
from tensorgrad.engine.tape import current_mode, tracer
from tensorgrad.errors import CompileError

P = ParamSpec("P")
R = TypeVar("R")
_MOST_PROGRAMS, _MOST_RECORDINGS = 8, 64  # for arguments of one kind, and in all
_NESTED = (list, tuple, dict)


class Compiled(Generic[P, R]):
    """A function that is replayed where it was recorded, and otherwise called."""

    is_compiled = True

    def __init__(self, fn: Callable[P, R]) -> None:
        self.compiled_function = fn
        self._signature = inspect.signature(fn)
        self._recordings: dict[Any, Recording] = {}
        self._programs: dict[Any, list[Program]] = {}
        self._flat_programs: list[Program] = []  # those of flat arguments, the newest first
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
            return self._call(args, kwargs)
        finally:
            self._busy.release()

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """The method of an object, of a function that is decorated in a class."""
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> Any:
        return Compiled, (self.compiled_function,)  # a copy records for itself

    def _call(self, args: Any, kwargs: Any) -> R:
        is_flat = not kwargs and not any([type(x) in _NESTED for x in args])
        if is_flat:
            for program in self._flat_programs:
                if len(args) == program.arity and program.applies(*args):
                    return self._replay(program, args, args, kwargs)
        names, leaves = self._flat(args, kwargs)
        key = (current_mode(), signature(args), signature(kwargs) if kwargs else None)
        programs = self._programs.get(key, ())
        for program in programs:
            if program.applies(*leaves):
                return self._replay(program, leaves, args, kwargs)
        self._count += 1
        if len(programs) >= _MOST_PROGRAMS or self._count > _MOST_RECORDINGS:
            self._gave_up = True
            self._recordings.clear()
            what = programs[-1].reach.changed() if programs else "the shape or the value of an argument"
            warnings.warn(
                f"tg.compile has recorded {self.__name__} {self._count} times, because {what or 'a parameter'} keeps "
                "changing, and calls it without compiling from now on: pass a number that changes as an array",
                stacklevel=3,
            )
            return self.compiled_function(*args, **kwargs)
        recording = Recording(self.compiled_function, names, leaves)
        result = recording.run(self.compiled_function, args, kwargs)
        first = self._recordings.pop(key, None)
        if first is not None and first.reach.changed() is None and _same_state(first, recording):
            check_agreement(first, recording)
            self._newest = Program(recording, names, leaves)
            self._programs.setdefault(key, []).append(self._newest)
            if is_flat:
                self._flat_programs.insert(0, self._newest)
        else:
            self._recordings[key] = recording
        return cast(R, result)

    def _replay(self, program: Program, leaves: Sequence[Any], args: Any, kwargs: Any) -> R:
        states = [leaves[i].bit_generator.state for i in program.draws]
        values = [leaves[i].data if is_tensor else leaves[i] for i, is_tensor in program.taken]
        try:
            return cast(R, program.replay(values))
        except NotReplayedError:
            for i, state in zip(program.draws, states, strict=True):
                leaves[i].bit_generator.state = state
        return self.compiled_function(*args, **kwargs)

    def _flat(self, args: Any, kwargs: Any) -> tuple[list[str], list[Any]]:
        """The arguments as a list, and a name for each."""
        names: list[str] = []
        leaves: list[Any] = []
        by_position = zip_longest(args, list(self._signature.parameters)[: len(args)], fillvalue="argument")
        named = [(name, x) for x, name in by_position] + list(kwargs.items())
        for name, x in chain.from_iterable(starmap(_flattened, named)):
            names.append(name if name.isidentifier() and name not in names else f"argument_{len(names)}")
            leaves.append(x)
        return names, leaves


def _flattened(name: str, x: Any) -> Iterator[tuple[str, Any]]:
    """What is in nested lists, tuples and dicts, with a name for each."""
    if type(x) in _NESTED:
        for key, item in x.items() if type(x) is dict else enumerate(x):
            yield from _flattened(f"{name}_{key}", item)
    else:
        yield name, x


def _same_state(first: Recording, second: Recording) -> bool:
    """Whether the captured tensors were in the same state at both recordings."""
    a, b = first.tensors, second.tensors
    return a.keys() == b.keys() and all(a[key][1] is b[key][1] and a[key][2:] == b[key][2:] for key in a)


def compile(fn: Callable[P, R]) -> Compiled[P, R]:
    """Record a function at its first calls, and replay it as a flat list of NumPy calls from then on.

    A replay gives the numbers of an ordinary call, without the tape, and without allocating memory for large results.
    The function may be a whole training step: forward pass, `backward`, gradient clipping and the optimizer.

    What may change from call to call: the values of arrays that are arguments, parameters and other arrays outside that
    are written to in place, the state and settings of optimizers (``optimizer.lr``), and random numbers drawn from a
    generator that is an argument. A change of anything else is noticed, and the function recorded anew: the shapes,
    dtypes and memory layouts of arguments, the values of arguments that are numbers, ``requires_grad``, and the
    variables, attributes and global names that the function refers to.

    Where the values of a call take another way than those of the recorded one (a branch inside tensorgrad, a NaN), the
    function is called as it is. The first two calls with arguments of one kind are recorded and compared.

    Parameters
    ----------
    fn
        A function of arrays, tensors, random generators, numbers, and lists, tuples and dicts of these. It returns
        arrays, tensors and numbers in such structures; the caller owns the results.

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
    def compute(x):
        multiply(x, w, out=t1)
    """
    return Compiled(fn)

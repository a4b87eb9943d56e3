"""Context managers that turn recording off (`no_grad`) and on (`recorded`)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import ContextDecorator
from typing import Any, Self, TypeVar

from tensorgrad.engine.tape import Mode, current_mode, set_mode

F = TypeVar("F", bound=Callable[..., Any])


class FunctionDecorator(ContextDecorator):
    """A context manager that can be used as a decorator of functions, but not of generators and coroutines."""

    def _recreate_cm(self) -> Self:
        return type(self)()  # a new one per call, so that threads do not share it

    def __call__(self, func: F) -> F:
        """Decorate a function."""
        if inspect.isgeneratorfunction(func) or inspect.iscoroutinefunction(func) or inspect.isasyncgenfunction(func):
            name = type(self).__name__
            raise TypeError(f"{name} cannot decorate {func.__name__!r}: a generator or coroutine runs after the call "
                            f"returned. Write `with tg.{name}():` inside it.")  # fmt: skip
        return super().__call__(func)


class Switch(FunctionDecorator):
    """Sets ``recording`` inside a ``with`` block or a decorated function. Can be nested; exception-safe."""

    recording = True

    def __init__(self) -> None:
        self._before: list[Mode] = []

    def __enter__(self) -> Self:
        self._before.append(current_mode())
        set_mode(self._before[-1]._replace(recording=self.recording, origin=None))
        return self

    def __exit__(self, *error: object) -> None:
        set_mode(self._before.pop())


class no_grad(Switch):  # noqa: N801  (the field's name, used like a keyword)
    """Disable recording: ``with tg.no_grad():`` or ``@tg.no_grad()``. Can be nested; exception-safe.

    The mode belongs to the thread or task (a context variable). A generator has no context of its own: if it yields
    inside the block, recording stays off in its caller until the generator is resumed, as in PyTorch. Leave the block
    before ``yield``, or iterate over the generator inside a ``with`` block.

    Examples
    --------
    >>> w = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> with tg.no_grad():
    ...     w -= 0.5  # an update, not part of the graph
    >>> w
    Tensor([0.5, 1.5], requires_grad=True)
    """

    recording = False


class recorded(Switch):  # noqa: N801  (like `no_grad`)
    """Enable recording inside the block, even under `no_grad`."""

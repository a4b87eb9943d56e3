"""Functions that `tensorgrad.compile` calls as a whole instead of recording what they do."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from tensorgrad.engine.tape import tracer

T = TypeVar("T")


def as_one_call(*, sets_grad: bool = False, product: Any = None) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Decorate a function that updates parameters, or sets ``.grad``: a recorded program calls it as a whole.

    Where its first argument ``takes_products``, a gradient may be a ``product``, which is a class.
    """

    def decorate(fn: Callable[..., T]) -> Callable[..., T]:
        fn.__dict__["product"] = product

        @functools.wraps(fn)
        def run(*args: Any, **kwargs: Any) -> Any:
            trace = tracer()
            if trace is None:
                return fn(*args, **kwargs)
            return trace.effect(functools.partial(fn, *args, **kwargs), sets_grad)

        return run

    return decorate

"""Layers that consist of other layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, overload

import numpy as np

from tensorgrad.errors import ShapeError
from tensorgrad.nn.checks import shape_of

__all__ = ["Residual", "Sequential"]

_WITHOUT_REPR: Any = object.__repr__


class Sequential:
    """Layers called one after the other: a list, a dict, or several arguments; ``layers`` is the list or dict.

    With a dict, its keys are part of the names of parameters: ``layers.hidden.weight`` instead of ``layers.0.weight``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> net = tg.nn.Sequential({"hidden": tg.nn.Linear(3, 4, rng), "relu": tg.relu, "out": tg.nn.Linear(4, 2, rng)})
    >>> net(np.ones((5, 3), np.float32)).shape
    (5, 2)
    >>> list(tg.nn.parameters(net))
    ['layers.hidden.weight', 'layers.hidden.bias', 'layers.out.weight', 'layers.out.bias']
    >>> net
    Sequential(
      (hidden): Linear(3, 4)
      (relu): relu
      (out): Linear(4, 2)
    )
    """

    draws = True

    @overload
    def __init__(self, layers: Mapping[str, Callable[..., Any]]) -> None: ...
    @overload
    def __init__(self, layers: Iterable[Callable[..., Any]]) -> None: ...
    @overload
    def __init__(self, layers: Callable[..., Any], *more: Callable[..., Any]) -> None: ...
    def __init__(self, layers: Any, *more: Callable[..., Any]) -> None:
        given = [layers, *more] if more or not isinstance(layers, Iterable) else layers
        self.layers = dict(given) if isinstance(given, Mapping) else list(given)
        for name, layer in self._named():
            if not callable(layer):
                raise TypeError(f"layer {name!r} of Sequential cannot be called: got {layer!r:.80}")

    def __call__(self, x: Any, rng: np.random.Generator | None = None) -> Any:
        """The result of the last layer; ``rng`` is passed to layers with ``draws = True``."""
        for name, layer in self._named():
            try:
                x = layer(x, rng) if getattr(layer, "draws", False) else layer(x)
            except Exception as error:
                error.add_note(f"in layer {name!r} of a Sequential")
                raise
        return x

    def _named(self) -> Iterable[tuple[str | int, Callable[..., Any]]]:
        return self.layers.items() if isinstance(self.layers, dict) else enumerate(self.layers)

    def __repr__(self) -> str:
        return tree("Sequential", {str(name): describe(layer) for name, layer in self._named()})


class Residual:
    """``shortcut(x) + layer(x)``, where the shortcut is by default ``x`` itself; both must have the same shape.

    Source: He et al., "Deep residual learning for image recognition", 2016.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> block = tg.nn.Residual(tg.nn.Sequential([tg.nn.LayerNorm(3), tg.nn.Linear(3, 3, rng)]))
    >>> block(np.ones((5, 3), np.float32)).shape
    (5, 3)
    >>> block
    Residual(
      (layer): Sequential(
        (0): LayerNorm(3)
        (1): Linear(3, 3)
      )
    )
    """

    draws = True

    def __init__(self, layer: Callable[..., Any], shortcut: Callable[..., Any] | None = None) -> None:
        for name, one in (("layer", layer), ("shortcut", shortcut)):
            if not callable(one) and not (name == "shortcut" and one is None):
                raise TypeError(f"{name} of Residual cannot be called: got {one!r:.80}")
        self.layer, self.shortcut = layer, shortcut

    def __call__(self, x: Any, rng: np.random.Generator | None = None) -> Any:
        """The sum; ``rng`` is passed to layers with ``draws = True``."""
        short = x if self.shortcut is None else _called(self.shortcut, x, rng)
        y = _called(self.layer, x, rng)
        if shape_of(y) != shape_of(short):
            what = "x" if self.shortcut is None else "its shortcut's result"
            raise ShapeError(f"Residual adds the result of {one_line(self.layer)}, of shape {shape_of(y)}, to {what}, "
                             f"of shape {shape_of(short)}: they must agree")  # fmt: skip
        return short + y

    def __repr__(self) -> str:
        parts = {"layer": self.layer} | ({} if self.shortcut is None else {"shortcut": self.shortcut})
        return tree("Residual", {name: describe(part) for name, part in parts.items()})


def _called(layer: Callable[..., Any], x: Any, rng: np.random.Generator | None) -> Any:
    return layer(x, rng) if getattr(layer, "draws", False) else layer(x)


def tree(name: str, parts: Mapping[str, str]) -> str:
    """The representation of a layer with parts: its name, and each part on indented lines."""
    lines = [f"  ({part}): " + text.replace("\n", "\n  ") for part, text in parts.items()]
    return "\n".join([f"{name}(", *lines, ")"]) if lines else f"{name}()"


def describe(layer: Any, around: tuple[Any, ...] = ()) -> str:
    """The name of a function, or the representation of a layer; its parts, if its class does not define one."""
    if hasattr(layer, "__name__"):
        return str(layer.__name__)
    if type(layer).__repr__ is not _WITHOUT_REPR:
        return repr(layer)
    around = (*around, layer)
    parts = [(name, part) for name, part in _parts(layer) if all(part is not one for one in around)]
    return tree(type(layer).__name__, {name: describe(part, around) for name, part in parts})


def _parts(layer: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The callable attributes of an object, and callable elements of lists and dicts among its attributes."""
    for name, value in vars(layer).items():
        inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
        yield from ((f"{name}.{key}", part) for key, part in inner if callable(part))
        if callable(value) and not isinstance(value, type):
            yield name, value


def one_line(layer: Any) -> str:
    """The first line of a layer's description."""
    text = describe(layer)
    return text if "\n" not in text else text.split("(", 1)[0]

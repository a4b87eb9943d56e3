"""Mutants of every rule of the gradient table: its sign, a factor, each axis; and every row without one of its flags."""

from __future__ import annotations

import functools
import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from mutants import Mutant
from mutants.checks import Seen
from tensorgrad.engine import registry
from tensorgrad.engine.registry import Row


def rules() -> Iterator[tuple[Row, Any, Any]]:
    """Each rule of the table: its row, its position in it (the number of an input, or a name), and its function."""
    rows = {row: None for row in map(registry.row_of, tuple(registry.entries)) if row is not None}
    for row in rows:
        if not (getattr(row.fn, "__module__", None) or "numpy").startswith(("numpy", "tensorgrad")):
            continue  # a row of a test
        if row.together is not None:
            yield row, "together", row.together
        else:
            yield from ((row, i, vjp) for i, vjp in enumerate(row.vjps))
        if row.add_to is not None:
            yield row, "add_to", row.add_to


def put_in(row: Row, place: Any, rule: Any) -> None:
    """Replace one rule of a row, but not the values that are saved for it."""
    if place in ("together", "add_to"):
        setattr(row, place, rule)
    else:
        row.vjps = (*row.vjps[:place], rule, *row.vjps[place + 1 :])


def enter_again(row: Row, **changes: Any) -> None:
    """Register a row again with some changes, and determine again which values are saved."""
    accepts = row.accepts_unbroadcast_g
    options = ("vjps", "together", "singular", "selects", "elementwise", "add_to")
    row.enter(**{option: getattr(row, option) for option in options} | changes)
    row.accepts_unbroadcast_g = accepts


def with_results(change: Callable[[Any], Any], place: Any, rule: Any) -> Any:
    """The rule with a change applied to its gradients."""

    @functools.wraps(rule)
    def changed(*args: Any, **params: Any) -> Any:
        if place == "add_to":
            total, *others = args
            part = np.zeros_like(total)
            rule(part, *others, **params)
            total += change(part)
            return None
        out = rule(*args, **params)
        return {i: change(part) for i, part in out.items()} if place == "together" else change(out)

    return changed


def save_as_before() -> None:
    """Save the same values for a rule that replaces another as for that one."""
    named = registry.named
    registry.named = lambda vjp, count, skip=0: named(inspect.unwrap(vjp), count, skip)


class Results:
    """The results of rules while the tests ran on the unmodified library."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.nonzero: set[Any] = set()  # rules that returned a nonzero gradient
        self.axes: dict[Any, set[int]] = defaultdict(set)  # axes along which it is longer than 1, counted from the last
        self.originals = list(rules())
        for row, place, rule in self.originals:
            if rule is not None:
                put_in(row, place, with_results(functools.partial(self._note, (row, place)), place, rule))

    def _note(self, key: Any, out: Any) -> Any:
        self.seen.now.add(key)
        if np.any(getattr(out, "data", out)):
            self.nonzero.add(key)
            self.axes[key].update(k - out.ndim for k, n in enumerate(out.shape) if n > 1)
        return out

    def restore(self) -> None:
        """Restore the rules."""
        for row, place, rule in self.originals:
            put_in(row, place, rule)


def growing(out: Any, axis: int) -> Any:
    """Multiplied by 1, 1.1, 1.2, ... along an axis."""
    if out.ndim < -axis:
        return out
    return out * np.expand_dims(1 + 0.1 * np.arange(out.shape[axis]), tuple(range(1, -axis))).astype(out.dtype)


def rolled(out: Any, axis: int) -> Any:
    """Shifted by one along an axis."""
    return out if out.ndim < -axis else np.roll(out, 1, axis)


WAYS: dict[str, Callable[[Any], Any]] = {
    "negated": lambda out: -out,
    "doubled": lambda out: out + out,
    "a hundredth more": lambda out: out * 1.01,
    "nothing": np.zeros_like,
}


def broken_rules(results: Results) -> Iterator[Mutant]:
    """All mutants of rules."""
    for row in {row: None for row, _, _ in rules()}:
        places = [(place, rule) for r, place, rule in rules() if r is row]
        family = next(rule for _, rule in places if rule).__module__.split(".")[-1]
        of_row = results.seen.that_ran(*((row, place) for place, _ in places))
        for place, rule in places:
            which = f" input {place + 1}" if place in range(len(places)) and len(places) > 1 else ""
            name = f"{row.name}{which or ' add_to' * (place == 'add_to')}"
            if rule is None:
                yield Mutant(family, f"{name}: ones", functools.partial(_some, row, place), of_row)
                continue
            ways = dict(WAYS) if (row, place) in results.nonzero else {"ones": np.ones_like}
            for axis in sorted(results.axes[row, place]):
                ways[f"growing along axis {axis}"] = functools.partial(growing, axis=axis)
                ways[f"rolled along axis {axis}"] = functools.partial(rolled, axis=axis)
            found = results.seen.that_ran((row, place))
            for way, change in ways.items():
                install = functools.partial(put_in, row, place, with_results(change, place, rule))
                yield Mutant(family, f"{name}: {way}", install, found)
        for flag in ("selects", "complex"):
            if getattr(row, flag):
                change = functools.partial(setattr, row, flag, False)
                install = change if flag == "complex" else functools.partial(enter_again, row, **{flag: False})
                first = () if flag == "complex" else ("test_selections", "test_conventions", "test_table")
                yield Mutant(family, f"{row.name}: not {flag}", install, of_row, first)


def _some(row: Row, place: int) -> None:
    """A gradient for an input that has none."""

    def ones(g: Any, ans: Any, *inputs: Any, **params: Any) -> Any:
        return np.ones(inputs[place].shape, g.dtype)

    enter_again(row, vjps=(*row.vjps[:place], ones, *row.vjps[place + 1 :]))

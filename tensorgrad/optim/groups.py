"""Parameter groups: an optimizer made of optimizers of one kind, each with its own parameters and options."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from tensorgrad.frontend.tensor import Tensor
from tensorgrad.optim.checks import by_name
from tensorgrad.optim.optimizer import Optimizer


class Groups(Optimizer):
    """The optimizer that ``kind([{"params": ..., "lr": ...}, ...], ...)`` returns; see `Optimizer`.

    An option that has one value in all groups can be read and set here. For others, that is an AttributeError.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Do nothing: `of` has created the groups."""

    @classmethod
    def of(cls, kind: type[Optimizer], groups: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Groups:
        """One optimizer of this kind for each group; ``arguments`` and ``options`` are those of the constructor."""
        signature = inspect.signature(kind.__init__)
        signature.bind(None, groups, *arguments, **options)  # raises the usual TypeError
        names = list(signature.parameters)[2:]
        open_ended = any(one.kind is one.VAR_KEYWORD for one in signature.parameters.values())
        given = dict(zip(names, arguments, strict=False)) | options
        params: dict[str, Tensor] = {}
        known = {*names, *given}
        members = []
        for i, group in enumerate(groups):
            own, chosen = _parts(i, group, len(params))
            if not open_ended and (unknown := sorted(chosen.keys() - set(names))):
                raise TypeError(f"parameter group {i} has unknown options {', '.join(map(repr, unknown))}: those of "
                                f"{kind.__name__} are {', '.join(names)}")  # fmt: skip
            known |= chosen.keys()
            for name, p in own.items():
                if name in params:
                    raise ValueError(f"two parameter groups have a parameter {name!r}: rename one, as in "
                                     "{f'decoder.{name}': p for name, p in params.items()}")  # fmt: skip
                if any(p is other for other in params.values()):
                    raise ValueError(f"parameter {name!r} is in two groups")
            params |= own
            members.append(kind(own, **given | chosen))
        made = object.__new__(cls)
        vars(made).update(params=params, _members=members, _options=known)
        return made

    @property
    def param_groups(self) -> list[Optimizer]:
        """The optimizers of the groups."""
        return list(self._members)

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._options:
            return super().__getattribute__(name)
        return self._shared(name, "read")

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._options:
            super().__setattr__(name, value)
            return
        self._shared(name, "set")
        for group in self._members:
            setattr(group, name, value)

    def _shared(self, name: str, what: str) -> Any:
        """The value of an option that all groups share; ``what`` is what was attempted, for the error."""
        values = [getattr(group, name) for group in self._members]
        if any(value != values[0] for value in values):
            scale = ", or write optimizer.scale_lr(factor)" if name == "lr" and what == "set" else ""
            raise AttributeError(f"the parameter groups have several values of {name!r}, {values}: {what} "
                                 f"optimizer.param_groups[i].{name}{scale}")  # fmt: skip
        return values[0]


def _parts(i: int, group: Any, first: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The parameters of a group by name, numbered from ``first`` if they have none, and its options."""
    if not isinstance(group, Mapping) or "params" not in group:
        raise TypeError(f"parameter group {i} must be a dict with the key 'params', got {group!r:.80}")
    params = by_name(group["params"], first)
    if not params:
        raise ValueError(f"parameter group {i} has no parameters")
    return params, {name: value for name, value in group.items() if name != "params"}

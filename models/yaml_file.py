"""Read YAML 1.2, in which ``1e-4`` is a number and ``no`` a string, without Python objects."""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import Any

from tensorgrad.errors import ConfigError

_MAX_VALUES = 100_000  # values in a file, counting those that aliases repeat


def read_yaml(path: Path, what: str) -> Any:
    """The content of a YAML file; ``what`` names its kind in messages, such as "the model file".

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ConfigError
        If the file cannot be read, is not YAML, gives a key twice, or has too many values.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        count = _count(content, {})
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {what} {path}: {error}") from None
    except (YAMLError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{path} is not YAML: {_problem(error)}") from None
    if count > _MAX_VALUES:
        raise ConfigError(f"{path} has more than {_MAX_VALUES:,} values, counting those that aliases repeat")
    return content


def brief(value: Any) -> str:
    """The representation of a value in messages, shortened to about a line."""
    return _SHORT.repr(value)


_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 2, 80, 80


def _problem(error: Exception) -> str:
    """The problem that a parser found, with its line, in one line."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = str(getattr(error, "problem", None) or error).partition("\n")[0]
    if problem.startswith("but "):
        problem = f"{getattr(error, 'context', '')}, {problem}"
    return f"{problem:.200}" if mark is None else f"line {mark.line + 1}: {problem:.200}"


def _count(value: Any, counts: dict[int, int]) -> int:
    """The number of values in nested lists and dicts. Those that an alias repeats are counted each time."""
    if not isinstance(value, (list, dict)):
        return 1
    if id(value) not in counts:
        counts[id(value)] = _MAX_VALUES + 1  # if the value contains itself
        items = [*value, *value.values()] if isinstance(value, dict) else value
        counts[id(value)] = 1 + sum(_count(item, counts) for item in items)
    return counts[id(value)]

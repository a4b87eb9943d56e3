"""The command-line parser of the three programs: any mistake is one line that names the option and the remedy."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import tensorgrad as tg
from models import brief
from tensorgrad.errors import ConfigError


class Parser(argparse.ArgumentParser):
    """An `argparse.ArgumentParser` with ``--version``, whose errors are `ConfigError`.

    Options have to be written out, and each can be given once, unless its action is ``"extend"``.
    """

    def __init__(self, program: str, **settings: Any) -> None:
        super().__init__(
            prog=program, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **settings
        )
        self.add_argument("--version", action="version", version=f"tensorgrad {tg.__version__}")

    def parse(self, arguments: Sequence[str] | None = None) -> argparse.Namespace:
        """The values of the options in ``arguments``, by default those of the command line.

        Raises
        ------
        ConfigError
            If an option is unknown, repeated or without a value, or if an argument belongs to no option.
        """
        words = sys.argv[1:] if arguments is None else list(arguments)
        self._check_names(words)
        given, others = self.parse_known_args(words)
        if others:
            self.error(
                f"unexpected argument {brief(others[0])}: values come after the name of an option, as in --lr 0.1"
            )
        return given

    def error(self, message: str) -> NoReturn:
        """Raise a `ConfigError` in place of printing the usage and exiting."""
        message = message.removeprefix("argument ")
        message = message.replace(": expected one argument", " needs a value")
        message = message.replace(": expected at least one argument", " needs at least one value")
        raise ConfigError(f"{message} (python {self.prog} --help lists the options)")

    def _check_names(self, words: Sequence[str]) -> None:
        """Refuse unknown and repeated options, before argparse takes their values for those of others."""
        known, seen = self._option_string_actions, set()
        for word in words:
            if word == "--":
                return
            name = word.partition("=")[0]
            if not name.startswith("--"):
                continue
            if name not in known:
                similar = difflib.get_close_matches(name, known, 1)
                self.error(f"{name} is not an option" + (f"; did you mean {similar[0]}?" if similar else ""))
            action = known[name]
            if action.dest in seen and type(action).__name__ != "_ExtendAction":
                several = action.nargs == "+"
                self.error(f"{name} is given twice" + (": put all its values after one" if several else ""))
            seen.add(action.dest)


def flag(name: object) -> str:
    """The name of an option as it is written on the command line: ``--batch-size`` for ``batch_size``."""
    return "--" + str(name).replace("_", "-")


def suggestion(name: str, valid: Iterable[str]) -> str:
    """``did you mean NAME?``, with the valid name that is most similar to ``name``, or a list of all valid names."""
    valid = tuple(valid)
    similar = difflib.get_close_matches(name, valid, 1)
    return f"did you mean {similar[0]}?" if similar else f"valid: {', '.join(valid)}"

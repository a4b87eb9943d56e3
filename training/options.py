"""The options of a run: one table of names, ranges, defaults and meanings, for the command line and for recipes.

An option's value is the first that is given of: the command line, the recipe in the model file, the default for
the data set. `parse` reads the command line, `settle` puts the three together.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import models
from tensorgrad.errors import ConfigError


def whole(least: int, most: float = math.inf) -> Callable[[Any], int]:
    """A parser of whole numbers from ``least`` to ``most``."""
    wanted = f"must be a whole number of at least {least}" + (f" and at most {most}" if most < math.inf else "")

    def parse(value: Any) -> int:
        try:
            number = int(str(value))
        except ValueError:
            number = least - 1
        if not least <= number <= most or isinstance(value, bool):
            raise ValueError(f"{wanted}, got {value!r}")
        return number

    return parse


def real(least: float = 0.0, below: float = math.inf, *, open: bool = False) -> Callable[[Any], float]:
    """A parser of numbers from ``least`` (if ``open``, above it) up to, not including, ``below``."""
    start = f"greater than {least:g}" if open else f"of at least {least:g}"
    wanted = f"must be a number {start}" + (f" and less than {below:g}" if below < math.inf else "")

    def parse(value: Any) -> float:
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not (least < number or (number == least and not open)) or not number < below:
            raise ValueError(f"{wanted}, got {value!r}")
        return number

    return parse


def one_of(*names: str) -> Callable[[Any], str]:
    """A parser of one name among several."""

    def parse(value: Any) -> str:
        if value not in names:
            raise ValueError(f"must be one of {', '.join(names)}, got {value!r}")
        return str(value)

    return parse


def several(item: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    """A parser of one or more values."""

    def parse(value: Any) -> list[Any]:
        return [item(v) for v in (value if isinstance(value, (list, tuple)) else [value])]

    return parse


def switch(value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, got {value!r}")
    return value


def text(value: Any) -> str:
    """Any text but none at all."""
    if not str(value):
        raise ValueError("must not be empty")
    return str(value)


class Option(NamedTuple):
    """One option: its name (with underscores), how it is read, its default, and what it does."""

    name: str
    read: Callable[[Any], Any]
    default: Any  # a dict where it depends on the data set
    metavar: str | None
    help: str
    in_recipe: bool = True

    def default_for(self, dataset: str) -> Any:
        """The default on a data set."""
        return self.default[dataset] if isinstance(self.default, dict) else self.default


# fmt: off
NETWORK = (
    Option("model", text, None, "FILE",
           "a YAML file with a list of layers and perhaps a recipe, such as models/report.yaml", in_recipe=False),
    Option("hidden", several(whole(1)), [400], "N",
           "sizes of the hidden layers; with --model, in place of those in the file", in_recipe=False),
    Option("dropout", real(0, 1), 0.2, "P",
           "probability of dropping a hidden unit, for each image anew", in_recipe=False),
    Option("input_dropout", real(0, 1), 0.0, "P",
           "probability of dropping a pixel", in_recipe=False),
    Option("init", one_of("he", "glorot", "small"), "he", "NAME",
           "initial weights: he, glorot, or small (normal, 0.01)", in_recipe=False),
    Option("freeze", several(text), [], "NAME",
           "layers that stay as they were initialised, by name (hidden, output)"),
)
TRAINING = (
    Option("epochs", whole(1), {"mnist": 15, "digits": 100}, "N",
           "times that every training image is seen"),
    Option("batch_size", whole(1), {"mnist": 128, "digits": 32}, "N",
           "images per update"),
    Option("lr", real(0, open=True), 0.1, "RATE",
           "learning rate, at the start of the schedule"),
    Option("momentum", real(0, 1), 0.9, "M",
           "fraction of the last step that is made again along with the new one"),
    Option("nesterov", switch, True, None,
           "look ahead along the momentum"),
    Option("schedule", one_of("constant", "halving", "step", "cosine", "linear"), "cosine", "NAME",
           "how the rate falls: constant, halving and step (to a half and to a tenth, every so many updates), "
           "cosine and linear (to 0 at the end)"),
    Option("every", whole(1), 5000, "N",
           "updates between two falls of halving and step"),
    Option("warmup", whole(0), 0, "N",
           "updates in which the rate rises from 0"),
    Option("loss", one_of("mean", "sum"), "mean", "NAME",
           "mean or sum of the cross-entropy over the batch"),
    Option("l2", real(0), 1e-5, "LAMBDA",
           "penalty in the loss: LAMBDA/2 times the sum of all squared weights (not biases)"),
    Option("shrink", real(0, 1), 0.0, "LAMBDA",
           "the report's own rule: after every update multiply weights (not biases) by 1 - LAMBDA, whatever the rate"),
)
DATA = (
    Option("dataset", one_of("mnist", "digits"), None, "NAME",
           "mnist, or the 8x8 digits that come along; without it mnist if that is there or can be downloaded",
           in_recipe=False),
    Option("data", text, None, "DIR",
           "folder with the four MNIST files, or those of another set in their format", in_recipe=False),
    Option("validation", real(0, 0.9), 1 / 12, "FRACTION",
           "part of the training images held out to choose the best epoch, the same for every seed"),
    Option("pixels", one_of("unit", "raw"), "unit", "NAME",
           "what the network sees: unit for pixels from 0 to 1, raw for 0 to 255"),
    Option("shift", whole(0, 7), {"mnist": 1, "digits": 0}, "N",
           "move each training image by up to N pixels, anew every time"),
)
RUN = (
    Option("seed", whole(0), 0, "N",
           "of everything random: same seed, same machine, same result, bit for bit", in_recipe=False),
    Option("out", text, None, "DIR",
           "folder for the run; without it a new one in runs/", in_recipe=False),
    Option("watch_test", switch, False, None,
           "record the test accuracy after every epoch too (nothing is chosen by it)"),
    Option("quiet", switch, False, None,
           "no progress, only the result", in_recipe=False),
)
# fmt: on
GROUPS = {"network": NETWORK, "training": TRAINING, "data": DATA, "run": RUN}
OPTIONS = {option.name: option for group in GROUPS.values() for option in group}

EXAMPLES = """examples:
  python train.py --hidden 400                     the two-layer network; MNIST, 98.8 %, about half a minute
  python train.py --hidden 400 200 --dropout 0.3   three layers
  python train.py --model models/report.yaml       the recipe of the report this project starts from
  python train.py --dataset digits                 1,797 small digits that come along: seconds
  python train.py --resume runs/mnist-400-seed0    go on where Ctrl-C stopped
  python evaluate.py runs/mnist-400-seed0/best.npz --image my-own-digit.png
"""


def parser() -> argparse.ArgumentParser:
    """The command line of train.py; options that are not given are absent from what it returns."""
    made = argparse.ArgumentParser(
        prog="train.py",
        description="Train a network on handwritten digits. Every run gets a folder with its configuration, "
        "metrics.csv, the last and the best weights, and pictures of what it learned. Defaults in brackets.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    for title, group in GROUPS.items():
        section = made.add_argument_group(title)
        for option in group:
            flag, note = "--" + option.name.replace("_", "-"), option.help + _default_note(option.default)
            if option.read is switch:
                section.add_argument(flag, action=argparse.BooleanOptionalAction, help=note)
            else:
                nargs = "+" if isinstance(option.default, list) else None
                section.add_argument(flag, metavar=option.metavar, nargs=nargs, help=note)
        if title == "run":
            section.add_argument("--resume", metavar="RUN", help="continue a run folder exactly where it stopped")
    return made


def _default_note(default: Any) -> str:
    if default in (None, []):
        return ""
    if isinstance(default, bool):
        return f" ({'on' if default else 'off'})"
    if isinstance(default, dict):
        return " (" + ", ".join(f"{value} on {name}" for name, value in default.items()) + ")"
    if isinstance(default, list):
        return f" ({' '.join(map(str, default))})"
    return f" ({default:.4g})" if isinstance(default, float) else f" ({default})"


def parse(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """What the command line gives, checked, by option name; a bad one ends the program with one line."""
    reader = parser()
    given = vars(reader.parse_args(arguments))
    if "resume" in given:
        others = sorted(given.keys() - {"resume", "quiet", "data"})
        if others:
            reader.error(f"--resume continues a run as it was: leave out --{others[0].replace('_', '-')}")
        return given
    try:
        return check(given)
    except ConfigError as error:
        reader.error(str(error))


def check(given: Mapping[str, Any], source: str = "") -> dict[str, Any]:
    """The same options, read and found in range.

    Raises
    ------
    ConfigError
        Naming the option, the range and what was given; and ``source``, or the flag of the command line.
    """
    checked = {}
    for name, value in given.items():
        label = f"{source}: {name}" if source else "--" + name.replace("_", "-")
        option = OPTIONS.get(name)
        if option is None or (source and not option.in_recipe):
            valid = ", ".join(o.name for o in OPTIONS.values() if o.in_recipe or not source)
            raise ConfigError(f"{label} is not an option of a run; valid: {valid}")
        try:
            checked[name] = option.read(value)
        except ValueError as error:
            raise ConfigError(f"{label} {error}") from None
    return checked


def settle(given: Mapping[str, Any], dataset: str, classes: int) -> SimpleNamespace:
    """All options of a run on a data set, and the ``layers`` of its network.

    Parameters
    ----------
    given
        What `parse` or `check` returned.
    dataset
        The name of the data set that was loaded.
    classes
        The number of its classes.

    Raises
    ------
    ConfigError
        If the model file or its recipe is wrong, or options contradict each other.
    """
    recipe: dict[str, Any] = {}
    layers = None
    if given.get("model") is not None:
        for name in ("dropout", "input_dropout", "init"):
            if name in given:
                raise ConfigError(
                    f"--{name.replace('_', '-')} has no effect on a --model: write it into {given['model']}"
                )
        layers, recipe = models.read(given["model"])
        recipe = check(recipe, f"{given['model']}: {models.network.RECIPE}")
        if "hidden" in given:
            layers = models.resize(layers, given["hidden"], given["model"])
    settled = {name: option.default_for(dataset) for name, option in OPTIONS.items()} | recipe | dict(given)
    o = SimpleNamespace(**settled)
    if layers is None:
        layers = models.mlp(o.hidden, classes, dropout=o.dropout, input_dropout=o.input_dropout, init=o.init)
    else:
        o.dropout = o.input_dropout = o.init = None  # the file says
        if "hidden" not in given:
            o.hidden = [e["params"]["out_features"] for e in layers if "out_features" in e["params"]][:-1]
    o.layers, o.dataset = layers, dataset
    return o

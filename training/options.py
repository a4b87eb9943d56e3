"""The options of a run: one table of names, ranges, defaults and meanings, for the command line and for recipes.

The command line overrides the recipe of the model file, which overrides the default for the data set. `parse` reads
the command line, `resolve` combines the three.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import models
from models.schema import Text, checked, described, integer, list_of, number, one_of
from tensorgrad.data import NAMES
from tensorgrad.data.known import KNOWN
from tensorgrad.errors import ConfigError
from training import event_log, threads
from training.augmentation import AMPLITUDES, names_in
from training.augmentation import NAMES as WARPS
from training.command_line import Parser, flag
from training.recipe import OPTIMIZERS, PLATEAU, SCHEDULES, SPECIFIC, by_optimizer


class Option(NamedTuple):
    """One option of a run."""

    name: str  # with underscores; `flag` gives the name on the command line
    kind: Any  # the type of its values, see `models.schema`
    default: Any  # if it depends on the data set or the optimizer, a dict by the name of that
    metavar: str | None
    help: str
    in_recipe: bool = True  # whether the recipe of a model file may contain it
    read: Callable[[Any], Any] = lambda value: value  # from a value as it is written to one of this type

    def parse(self, value: Any, label: str = "") -> Any:
        """The value in what is written on a command line or in YAML; raises `ConfigError`, which names ``label``."""
        try:
            value = self.read(value)
        except ValueError as error:
            raise ConfigError(f"{label} {error}") from None
        return checked(value, self.kind, label, is_written=True)

    @property
    def takes_several(self) -> bool:
        """Whether its value is a list."""
        return isinstance(self.default_for("mnist"), list)

    def default_for(self, dataset: str, optimizer: str = "sgd") -> Any:
        """The default on a data set, by default that on MNIST, or with an optimizer."""
        if not isinstance(self.default, dict):
            return self.default
        return next(self.default[name] for name in (dataset, optimizer, "mnist") if name in self.default)


# fmt: off
NETWORK = (
    Option("model", Text, None, "FILE",
           "YAML file with the layers of the network and perhaps a recipe, such as models/cnn.yaml; or a class of your "
           "own, my_model.py:Net, which is called as Net(shape, classes, rng)",
           in_recipe=False),
    Option("hidden", list_of(integer(1)), [400], "N",
           "sizes of the hidden layers; with --model, they replace those in the file", in_recipe=False),
    Option("dropout", number(0, 1), 0.2, "P",
           "probability of dropping a hidden unit, drawn anew for each image; by default 0 with --augment",
           in_recipe=False),
    Option("input_dropout", number(0, 1), 0.0, "P",
           "probability of dropping a pixel, likewise", in_recipe=False),
    Option("init", one_of("he", "glorot", "small"), "he", "NAME",
           "initial weights: he, glorot, or small (normal, with standard deviation 0.01)", in_recipe=False),
    Option("freeze", list_of(Text), [], "NAME",
           "names of the layers that keep their initial weights, such as hidden or output"),
    Option("from", Text, None, "FILE",
           "start from the weights in this .npz file, such as best.npz of a run with the same layers", in_recipe=False),
)
TRAINING = (
    Option("epochs", integer(1), {"mnist": 14, "digits": 100}, "N",
           "passes over the training images"),
    Option("batch_size", integer(1), {"mnist": 128, "digits": 32}, "N",
           "images per update"),
    Option("optimizer", one_of(*OPTIMIZERS), "sgd", "NAME",
           f"optimizer, as in tg.optim: {', '.join(OPTIMIZERS)}"),
    Option("lr", number(0, open=True), by_optimizer(sgd=0.1, nadam=0.002, adagrad=0.01, others=0.001), "RATE",
           "learning rate at the start of the schedule"),
    Option("momentum", number(0, 1), by_optimizer(sgd=0.9, others=0.0), "M",
           "sgd, rmsprop: fraction of the previous step that is added to the next one"),
    Option("nesterov", bool, True, None,
           "sgd: use Nesterov momentum"),
    Option("betas", described(list_of(number(0, 1)), "must be two numbers", length=2), [0.9, 0.999], "B",
           "adam, adamw, nadam, radam: two numbers, the decay of the running means of the gradient and of its square"),
    Option("weight_decay", number(0), by_optimizer(adamw=0.01, others=0.0), "W",
           "weight decay by the optimizer, of all parameters: decoupled in adamw, where each update subtracts RATE * W "
           "times the parameter; in the others, W times the parameter is added to the gradient"),
    Option("clip", number(0), 0.0, "NORM",
           "scale the gradient down if the norm of all its elements is larger; 0: never"),
    Option("schedule", one_of(*SCHEDULES, PLATEAU), "cosine", "NAME",
           "schedule of the learning rate: constant; halving or step (multiplied by 1/2 or --gamma at intervals, see "
           "--every), multi_step (multiplied by --gamma at --milestones), exponential (as step, but smoothly); cosine, "
           "linear or polynomial (decreasing to 0 at the end, see --power); one_cycle (rising for three tenths of the "
           "run, then decreasing to almost 0); cosine_restarts (cosines of --every updates); cyclic (from a tenth of "
           "the rate up to it in --every updates, and down again, repeatedly); plateau (multiplied by --gamma when the "
           "validation loss has stopped improving, see --plateau-epochs)"),
    Option("every", integer(1), 5000, "N",
           "interval of the schedules that have one, in updates"),
    Option("gamma", number(0, 1, open=True), 0.1, "G",
           "factor of the schedules step, multi_step, exponential and plateau"),
    Option("milestones", list_of(integer(1)), [], "N",
           "numbers of updates after which the schedule multi_step multiplies the rate"),
    Option("power", number(0, open=True), 2.0, "P",
           "the schedule polynomial is (1 - the part of the run that is done) to the power P"),
    Option("plateau_epochs", integer(0), 3, "N",
           "epochs without a smaller validation loss that the schedule plateau waits for"),
    Option("warmup", integer(0), 0, "N",
           "updates during which the learning rate rises from 0"),
    Option("loss", one_of("mean", "sum"), "mean", "NAME",
           "cross-entropy over the batch: its mean, or its sum"),
    Option("label_smoothing", number(0, 1), 0.0, "S",
           "fraction of each label that is distributed evenly over all classes, in the loss of the training"),
    Option("adversarial", number(0), 0.0, "DISTANCE",
           "adversarial training: before each update, move every image by this Euclidean distance (in the range of "
           "--pixels) in the direction in which its loss grows fastest; takes about twice the time; 0: none"),
    Option("l2", number(0), 1e-5, "LAMBDA",
           "L2 penalty: LAMBDA/2 times the sum of the squared weights (not biases) is added to the loss"),
    Option("shrink", number(0, 1), 0.0, "LAMBDA",
           "weight decay of the report: every update multiplies the weights (not biases) by 1 - LAMBDA, "
           "independently of the learning rate"),
    Option("ema", number(0, 1), 0.0, "DECAY",
           "average the weights: after each update, the average becomes DECAY * average + (1 - DECAY) * weights; the "
           "averages are what is validated, kept as the best weights and tested; 0: no average"),
    Option("patience", integer(0), 0, "N",
           "stop after N epochs in a row without a better validation result; 0: never"),
)
DATA = (
    Option("dataset", one_of(*NAMES), None, "NAME",
           f"{', '.join(KNOWN)}, digits (8x8 pixels, part of the package), or files (those in --data); by default what "
           "--data contains or, without it, mnist if it is found or can be downloaded",
           in_recipe=False),
    Option("data", Text, None, "DIR",
           "folder with the four files of the data set; or a file .npz or .csv, or a folder of pictures for each class",
           in_recipe=False),
    Option("validation", number(0, 0.9), 1 / 12, "FRACTION",
           "fraction of the training images held out to choose the best epoch; the same images for every seed"),
    Option("pixels", one_of("unit", "raw"), "unit", "NAME",
           "range of the network's inputs: unit (0 to 1), or raw (as stored, 0 to 255 in MNIST)"),
    Option("shift", integer(0, 7), {"mnist": 1, "digits": 0}, "N",
           "shift each training image by up to N pixels in both directions, drawn anew in every epoch; it replaces "
           "--augment, and is 0 with it"),
    Option("augment", list_of(described(one_of(*WARPS), f"must be one of {', '.join(WARPS)}, none")),
           {name: list(WARPS) if name == "mnist" else [] for name in NAMES}, "NAME",
           "warp each training image at random, anew in every epoch, in a second thread: affine (rotated, scaled, "
           "sheared and translated), elastic (distorted by a smooth random field), or affine,elastic; or none",
           read=names_in),
    Option("rotation", number(0, 180), 8.0, "DEGREES",
           "affine: the largest angle, in both directions"),
    Option("scaling", number(0, 1), 0.08, "FRACTION",
           "affine: the largest relative change of height and of width, each drawn by itself"),
    Option("shear", number(0), 0.08, "SLOPE",
           "affine: the largest slope of vertical lines, in both directions"),
    Option("translation", number(0), {"mnist": 0.3, "digits": 0.1}, "PIXELS",
           "affine: the largest displacement, in all directions"),
    Option("elastic_amplitude", number(0), {"mnist": 22.0, "digits": 2.0}, "PIXELS",
           "elastic: the largest displacement before the field is smoothed, which makes it much smaller"),
    Option("elastic_sigma", number(0, open=True), {"mnist": 5.0, "digits": 1.5}, "PIXELS",
           "elastic: standard deviation of the Gaussian that smooths the field"),
)
TEACHERS = (
    Option("teachers", list_of(Text), [], "FILE",
           "model files of other networks, which are trained first, in the folder of the run; what they predict on "
           "average for a warped image replaces its label. In a recipe, relative to its file"),
    Option("temperature", number(0.01, 1000), 3.0, "T",
           "the logits of the teachers, and those of the network in its loss, are divided by T"),
    Option("labelled_warps", integer(1), 20, "N",
           "how many times each image is warped and labelled by the teachers; the epochs take these in turn"),
    Option("teachers_from", Text, None, "RUN",
           "use the teachers and labelled warps in the folder of another run, and add those that are missing there",
           in_recipe=False),
)
RUN = (
    Option("seed", integer(0), 0, "N",
           "seed of all random numbers; on one machine, the same seed and number of --threads give bitwise the same "
           "result",
           in_recipe=False),
    Option("out", Text, None, "DIR",
           "folder of the run, new or empty; by default a new one in runs/", in_recipe=False),
    Option("threads", threads.NUMBERS, threads.AUTO, "N",
           "threads of the BLAS library: a number; auto, which measures what is fastest, at the start and again after "
           "an epoch that was slow; or metrics.csv of another run, for the numbers recorded there",
           in_recipe=False, read=threads.recorded),
    Option("eager", bool, False, None,
           "compute each update anew in place of replaying the NumPy calls of the first ones (see docs/compile.md); "
           "slower, with bitwise the same result", in_recipe=False),
    Option("watch_test", bool, False, None,
           "record the test accuracy after every epoch, too (it does not influence the training)"),
    Option("log", one_of(event_log.NONE, event_log.TENSORBOARD), event_log.NONE, "NAME",
           "tensorboard: also write the metrics of each epoch as events for TensorBoard, into the folder tensorboard "
           "of the run (needs tensorboardX); none", in_recipe=False),
    Option("quiet", bool, False, None,
           "print the result only, without progress", in_recipe=False),
)
# fmt: on
GROUPS = {"network": NETWORK, "training": TRAINING, "data": DATA, "teachers": TEACHERS, "run": RUN}
OPTIONS = {option.name: option for group in GROUPS.values() for option in group}
WITH_RESUME = ("data", "eager", "epochs", "log", "quiet", "threads")  # the options that may be given with --resume

EXAMPLES = """examples:
  python train.py --hidden 400                     two layers; 99.0 % on MNIST in about half a minute
  python train.py --hidden 400 200 --dropout 0.3   three layers
  python train.py --model models/report.yaml       the recipe of the report that this project is based on
  python train.py --dataset digits                 1,797 small digits, part of the package: seconds
  python train.py --resume runs/mnist-400-seed0    continue a run that was stopped by Ctrl-C
  python evaluate.py runs/mnist-400-seed0/best.npz --image my-own-digit.png
"""


def parser() -> Parser:
    """The command line of train.py; what it returns lacks the options that are not given."""
    made = Parser(
        "train.py",
        description="Train a network to classify handwritten digits. Every run has a folder with its configuration,\n"
        "metrics.csv, the last and the best weights, and pictures. Defaults are in parentheses.",
        epilog=EXAMPLES,
        argument_default=argparse.SUPPRESS,
    )
    for title, group in GROUPS.items():
        section = made.add_argument_group(title)
        for option in group:
            shown = shown_default(option.default)
            note = option.help + (f" ({shown})" if shown else "")
            if option.kind is bool:
                section.add_argument(flag(option.name), action=argparse.BooleanOptionalAction, help=note)
            else:
                nargs = "+" if option.takes_several else None
                section.add_argument(flag(option.name), metavar=option.metavar, nargs=nargs, help=note)
        if title == "run":
            section.add_argument(
                "--resume", metavar="RUN", help="continue the run in this folder exactly where it stopped, or with a "
                "larger number of --epochs after its end, with the schedule of a run of that length from there on; the "
                f"options that may be given with it are {', '.join(map(flag, WITH_RESUME))}",
            )  # fmt: skip
    return made


def shown_default(default: Any) -> str:
    """A default as it is shown to users; an empty text for none."""
    if default in (None, []):
        return ""
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, dict):
        values = list(default.values())
        usual = max(values, key=values.count)
        if values.count(usual) == 1:
            return ", ".join(f"{value} on {name}" for name, value in default.items())
        if isinstance(usual, list):
            return ", ".join(f"{','.join(value)} on {name}" for name, value in default.items() if value)
        special = [f"{value:g} with {name}, " for name, value in default.items() if value != usual]
        return f"{''.join(special)}otherwise {usual:g}"
    if isinstance(default, list):
        return " ".join(map(str, default))
    return f"{default:.4g}" if isinstance(default, float) else str(default)


def parse(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """The options on the command line of train.py by name, checked.

    Raises
    ------
    ConfigError
        If an option is unknown, repeated, out of range, or cannot be combined with ``--resume``.
    """
    given = vars(parser().parse(arguments))
    if "resume" not in given:
        return check(given)
    if not (resume := given.pop("resume")):
        raise ConfigError("--resume must not be empty")
    if others := sorted(given.keys() - set(WITH_RESUME)):
        raise ConfigError(f"--resume continues a run with its own options: leave out {flag(others[0])}")
    return {**check(given), "resume": resume}


def check(given: Mapping[str, Any], source: str = "", *, in_file: bool = False) -> dict[str, Any]:
    """The same options by name, parsed and checked; ``in_file`` allows those that a recipe cannot have.

    Raises
    ------
    ConfigError
        Naming the option after ``source``, or if that is empty as on the command line; its range; and its value.
    """
    parsed = {}
    for name, value in given.items():
        label = f"{source}: {name}" if source else flag(name)
        option = OPTIONS.get(name)
        if option is None or (source and not in_file and not option.in_recipe):
            valid = ", ".join(o.name for o in OPTIONS.values() if o.in_recipe or not source)
            raise ConfigError(f"{label} is not an option of a run; valid: {valid}")
        parsed[name] = option.parse(value, label)
    return parsed


def resolve(given: Mapping[str, Any], dataset: str, classes: int) -> SimpleNamespace:
    """All options of a run on a data set, and ``layers``, the list of the layers of its network.

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
        If the model file or its recipe is malformed, or if options contradict each other.
    """
    recipe: dict[str, Any] = {}
    layers = None
    if given.get("model") is not None:
        for name in ("dropout", "input_dropout", "init"):
            if name in given:
                raise ConfigError(f"{flag(name)} cannot be combined with --model: set it in {given['model']}")
        if models.user_class.is_class(given["model"]):
            layers = models.user_class.entries(given["model"])
        else:
            layers, recipe = models.read(given["model"])
        recipe = check(recipe, f"{given['model']}: {models.files.RECIPE}")
        recipe |= {"teachers": [str(Path(given["model"]).parent / path) for path in recipe.get("teachers", [])]}
        if "hidden" in given:
            layers = models.resize(layers, given["hidden"], given["model"])
    chosen = recipe | dict(given)
    optimizer = chosen.get("optimizer", OPTIONS["optimizer"].default)
    values = {name: option.default_for(dataset, optimizer) for name, option in OPTIONS.items()} | chosen
    if "shift" in chosen and "augment" not in chosen:  # each replaces the other's default
        values["augment"] = []
    elif values["augment"]:  # which is regularization enough
        values |= {name: zero for name, zero in (("shift", 0), ("dropout", 0.0)) if name not in chosen}
    o = SimpleNamespace(**values)
    _check_combination(o, given)
    if layers is None:
        layers = models.mlp(o.hidden, classes, dropout=o.dropout, input_dropout=o.input_dropout, init=o.init)
    else:
        o.dropout = o.input_dropout = o.init = None  # set in the file
        if "hidden" not in given:
            o.hidden = models.hidden_sizes(layers)
    o.layers, o.dataset = layers, dataset
    o.data, o.teachers_from = absolute(o.data), absolute(o.teachers_from)
    o.teachers = [absolute(path) for path in o.teachers]
    return o


def absolute(path: str | None) -> str | None:
    """The same path, if any, such that the run can be continued from another folder."""
    return None if path is None else str(Path(path).expanduser().absolute())


def _check_combination(o: SimpleNamespace, given: Mapping[str, Any]) -> None:
    """Raise a `ConfigError` if options contradict each other; ``given`` are those that were named."""
    for name in SPECIFIC:
        if name in given and name not in OPTIMIZERS[o.optimizer][1]:
            having = ", ".join(kind for kind, (_, names) in OPTIMIZERS.items() if name in names)
            raise ConfigError(f"{flag(name)} is an option of {having}, not of --optimizer {o.optimizer}")
    for name, amplitudes in AMPLITUDES.items():
        if name not in o.augment and (unused := [amplitude for amplitude in amplitudes if amplitude in given]):
            raise ConfigError(f"{flag(unused[0])} needs --augment {name}")
    if o.augment and o.shift:
        raise ConfigError("--shift cannot be combined with --augment: use --translation")
    unused = [option.name for option in TEACHERS if option.name in given and not o.teachers]
    if unused:
        raise ConfigError(f"{flag(unused[0])} needs --teachers")
    for name in ("shift", "label_smoothing") if o.teachers else ():
        if getattr(o, name):
            raise ConfigError(f"{flag(name)} cannot be combined with --teachers")
    if o.schedule == "multi_step" and not o.milestones:
        raise ConfigError("--schedule multi_step needs --milestones")
    for is_given, name in ((o.schedule == PLATEAU, "--schedule plateau"), (o.patience, "--patience")):
        if is_given and not o.validation:
            raise ConfigError(f"{name} needs images to validate on: it cannot be combined with --validation 0")

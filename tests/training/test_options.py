"""The options: from the command line and from recipes, and which values are refused."""

import json
import re
import shlex
from pathlib import Path

import pytest

import tensorgrad as tg
import train
from tensorgrad.errors import ConfigError
from training import options
from training.recipe import OPTIMIZERS

DOCS = Path(train.__file__).parent / "docs"

# For every kind of option, the range that the message names, and values that are refused.
INTEGER_FROM_1 = ("must be an integer of at least 1", ["0", "-1", "2.5", "1e3", "many", "nan", "inf", "", "0x10"])
INTEGER_FROM_0 = ("must be an integer of at least 0", ["-1", "2.5", "none", ""])
POSITIVE = ("must be a number greater than 0", ["0", "-0.1", "nan", "inf", "1e400", "fast", "", "1,5"])
NOT_NEGATIVE = ("must be a number of at least 0", ["-1e-9", "nan", "inf", "much", ""])
FRACTION = ("must be a number of at least 0 and less than 1", ["1", "-0.1", "1.5", "nan", "inf", "half", ""])
REFUSED = {
    "hidden": INTEGER_FROM_1, "epochs": INTEGER_FROM_1, "batch_size": INTEGER_FROM_1, "every": INTEGER_FROM_1,
    "warmup": INTEGER_FROM_0, "seed": INTEGER_FROM_0,
    "shift": ("must be an integer of at least 0 and at most 7", ["-1", "8", "1.0", "x"]),
    "lr": POSITIVE, "l2": NOT_NEGATIVE, "adversarial": NOT_NEGATIVE,
    "betas": ("must be two numbers", [""]), "label_smoothing": FRACTION, "ema": FRACTION, "patience": INTEGER_FROM_0,
    "plateau_epochs": INTEGER_FROM_0, "milestones": INTEGER_FROM_1, "power": POSITIVE,
    "weight_decay": NOT_NEGATIVE, "clip": NOT_NEGATIVE,
    "gamma": ("must be a number greater than 0 and less than 1", ["0", "1", "nan", ""]),
    "optimizer": ("must be one of sgd, adam, adamw, nadam, radam, rmsprop, adagrad", ["SGD", "lbfgs", ""]),
    "log": ("must be one of none, tensorboard", ["wandb", "", "TensorBoard"]),
    "threads": ("must be auto, an integer of at least 1 and at most 1024, or a file metrics.csv",
                ["0", "-1", "2.5", "all", "", "1025", "9" * 20]),
    "dropout": FRACTION, "input_dropout": FRACTION, "momentum": FRACTION, "shrink": FRACTION,
    "validation": ("must be a number of at least 0 and less than 0.9", ["0.9", "-0.1", "nan"]),
    "init": ("must be one of he, glorot, small", ["HE", "zeros", ""]),
    "schedule": ("must be one of constant, halving, step, multi_step, exponential, linear, ", ["half", ""]),
    "loss": ("must be one of mean, sum", ["max", ""]),
    "pixels": ("must be one of unit, raw", ["1", ""]),
    "dataset": (f"must be one of {', '.join(tg.data.NAMES)}", ["cifar", ""]),
    "model": ("must not be empty", [""]), "data": ("must not be empty", [""]), "out": ("must not be empty", [""]),
    "augment": ("must be one of affine, elastic, none", ["cutout", "affine elastic", ""]),
    "rotation": ("must be a number of at least 0 and less than 180", ["180", "-1", "nan", ""]),
    "scaling": FRACTION, "shear": NOT_NEGATIVE, "translation": NOT_NEGATIVE,
    "elastic_amplitude": NOT_NEGATIVE, "elastic_sigma": POSITIVE,
    "teachers": ("must not be empty", [""]), "teachers_from": ("must not be empty", [""]),
    "temperature": ("must be a number of at least 0.01 and less than 1000",
                    ["0", "-1", "0.001", "1e3", "1e9", "nan", "inf", "hot", ""]),
    "labelled_warps": INTEGER_FROM_1,
    "from": ("must not be empty", [""]), "freeze": ("must not be empty", [""]),
}  # fmt: skip
BOOLEANS = {"eager", "nesterov", "watch_test", "quiet"}


def test_every_option_is_tested():
    assert REFUSED.keys() | BOOLEANS == options.OPTIONS.keys()
    assert REFUSED.keys().isdisjoint(BOOLEANS)


@pytest.mark.parametrize("name", REFUSED)
def test_values_out_of_range_are_refused_with_name_and_range(run_train, refused, name):
    flag, (message, values) = "--" + name.replace("_", "-"), REFUSED[name]
    for value in values:
        result = run_train(*(() if name == "dataset" else ("--dataset", "digits")), f"{flag}={value}")
        assert refused(result, f"error: {flag} {message}", f", got {value!r}" if value else "")
        assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "piece"),
    [
        (["--hidden", "400", "-5"], "--hidden must be an integer of at least 1, got '-5'"),
        (["--betas", "0.9"], "--betas must be two numbers, got ['0.9']"),
        (["--betas", "0.9", "1"], "--betas must be a number of at least 0 and less than 1, got '1'"),
        (["--betas", "nan", "0.9"], "--betas must be a number of at least 0 and less than 1, got 'nan'"),
        (["--betas", "0.9", "0.99", "0.999"], "--betas must be two numbers"),
        (["--betas", "0.9", "0.99"], "--betas is an option of adam, adamw, nadam, radam, not of --optimizer sgd"),
        (
            ["--optimizer", "adam", "--momentum", "0.5"],
            "--momentum is an option of sgd, rmsprop, not of --optimizer adam",
        ),
        (["--optimizer", "rmsprop", "--no-nesterov"], "--nesterov is an option of sgd, not of --optimizer rmsprop"),
        (["--schedule", "multi_step"], "--schedule multi_step needs --milestones"),
        (["--schedule", "plateau", "--validation", "0"], "--schedule plateau needs images to validate on"),
        (["--patience", "2", "--validation", "0"], "--patience needs images to validate on"),
        (["--augment", "affine", "--elastic-sigma", "5"], "--elastic-sigma needs --augment elastic"),
        (["--rotation", "5"], "--rotation needs --augment affine"),
        (["--augment", "elastic", "--shift", "1"], "--shift cannot be combined with --augment: use --translation"),
        (["--from", "nowhere.npz"], "--from nowhere.npz: no checkpoint at nowhere.npz"),
        (["--from", "."], "--from .: . is a folder"),
        (["--threads", "nowhere.csv"], "--threads cannot be read from nowhere.csv"),
        (["--model", "nowhere.yaml"], "no model file nowhere.yaml"),
        (["--model", "."], "cannot read the model file ."),
    ],
)
def test_wrong_value_is_refused(run_train, refused, arguments, piece):
    assert refused(run_train("--dataset", "digits", *arguments), piece)
    assert list(Path().iterdir()) == []


def test_help_describes_every_option(capsys):
    with pytest.raises(SystemExit) as ended:
        options.parse(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0
    for name, option in options.OPTIONS.items():
        assert f"--{name.replace('_', '-')}" in text
        # argparse breaks lines at hyphens, so white space is ignored
        assert option.help.replace(" ", "") in text.replace(" ", "")
    for piece in (
        "(14 on mnist, 100 on digits)",
        "(0.1 with sgd, 0.002 with nadam, ",
        "(400)",
        "(cosine)",
        "(on)",
        "--resume RUN",
        "examples:",
    ):
        assert piece in text


def test_options_that_are_not_given_are_absent():
    assert options.parse([]) == {}
    line = "--hidden 30 20 --lr 1e-3 --no-nesterov --epochs 7 --freeze hidden output --quiet"
    given = options.parse(shlex.split(line))
    assert given == {
        "hidden": [30, 20], "lr": 0.001, "nesterov": False, "epochs": 7, "freeze": ["hidden", "output"], "quiet": True,
    }  # fmt: skip


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dataset", ["mnist", "digits"])
def test_defaults_are_in_range(dataset, optimizer):
    for option in options.OPTIONS.values():
        default = option.default_for(dataset, optimizer)
        assert default is None or option.parse(default) == default, option.name


# ------------------------------------------------------------------------------------------------ recipes

LAYER = {"name": "output", "type": "Linear", "params": {"out_features": 10}}


def model_file(recipe, name="m.yaml"):
    entries = [{"name": "recipe", "type": "Recipe", "params": recipe}, LAYER]
    Path(name).write_text(json.dumps(entries))
    return name


def test_command_line_overrides_recipe_and_recipe_overrides_default():
    model = model_file({"lr": 0.5, "epochs": 7, "nesterov": False, "freeze": ["a"]})
    o = options.resolve(options.parse(["--model", model, "--epochs", "3", "--nesterov"]), "digits", 10)
    assert (o.epochs, o.lr, o.nesterov, o.freeze, o.batch_size, o.momentum) == (3, 0.5, True, ["a"], 32, 0.9)
    assert (o.dropout, o.input_dropout, o.init) == (None, None, None)  # set in the file
    assert options.resolve({}, "mnist", 10).batch_size == 128


@pytest.mark.parametrize("text", ["1e-4", "0.0001", "1.0e-4"])  # YAML considers the first one a text
def test_numbers_of_a_recipe_are_parsed(text):
    Path("m.yaml").write_text(f"- {{name: r, type: Recipe, params: {{lr: {text}}}}}\n- {LAYER}\n")
    assert options.resolve({"model": "m.yaml"}, "digits", 10).lr == 1e-4


@pytest.mark.parametrize(
    ("recipe", "pieces"),
    [
        ({"epochs": 0}, ["m.yaml", "Recipe", "epochs must be an integer of at least 1, got 0"]),
        ({"epochs": 5.0}, ["epochs must be an integer", "5.0"]),
        ({"epochs": True}, ["epochs must be an integer", "True"]),
        ({"epochs": None}, ["epochs must be an integer", "None"]),
        ({"lr": [0.1]}, ["lr must be a number greater than 0", "[0.1]"]),
        ({"lr": True}, ["lr must be a number greater than 0", "True"]),
        ({"lr": 10**400}, ["lr must be a number greater than 0"]),
        ({"nesterov": "yes"}, ["nesterov must be true or false", "'yes'"]),
        ({"loss": ["mean"]}, ["loss must be one of mean, sum", "['mean']"]),
        ({"learning_rate": 1}, ["learning_rate is not an option of a run", "lr", "momentum"]),
        ({"hidden": [3]}, ["hidden is not an option of a run"]),
        ({"seed": 3}, ["seed is not an option of a run"]),
        ({7: 3}, ["7 is not an option of a run"]),
    ],
)
def test_malformed_recipe_is_refused_with_file_and_option(run_train, refused, recipe, pieces):
    assert refused(run_train("--dataset", "digits", "--model", model_file(recipe)), *pieces)
    assert not Path("runs").exists()


@pytest.mark.parametrize("name", ["dropout", "input_dropout", "init"])
def test_option_that_belongs_into_the_model_file_is_refused(name):
    value = "he" if name == "init" else 0.5
    with pytest.raises(ConfigError, match=re.escape(f"--{name.replace('_', '-')} cannot be combined with --model")):
        options.resolve({"model": model_file({}), name: value}, "digits", 10)


# ------------------------------------------------------------------------------------------------ the page


def test_page_lists_every_option_with_its_default(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    import options as page

    text = (DOCS / "options.md").read_text(encoding="utf-8")
    assert text == page.page()
    for name, option in options.OPTIONS.items():
        (row,) = [line for line in text.splitlines() if re.match(rf"\| `--{name.replace('_', '-')}[ `]", line)]
        assert f"| {options.shown_default(option.default)} |" in row
    added = option._replace(help="something else")
    monkeypatch.setitem(options.GROUPS, "run", (*options.RUN[:-1], added))
    assert text != page.page()

"""The grids of a sweep: their runs, the names of the runs, and files."""

import itertools
import re

import pytest

from models import read_yaml
from tensorgrad.errors import ConfigError
from training.grid import AXES, Grid, all_settings, as_text, file_name, grid_of, read_file


def test_seed_varies_fastest():
    grid = grid_of({"seed": ["0", "1"], "lr": ["0.1", "1e-3"], "hidden": ["8", "8,4"]})
    assert grid.varied == ["lr", "hidden"]
    assert [(s["lr"], s["hidden"], s["seed"]) for s in grid.settings()] == [
        (lr, hidden, seed) for lr in (0.1, 0.001) for hidden in ([8], [8, 4]) for seed in (0, 1)
    ]


def test_every_option_can_be_varied_except_those_of_the_sweep_itself():
    assert {"lr", "hidden", "seed", "nesterov", "freeze", "model", "dataset"} < set(AXES)
    assert not {"out", "quiet", "data", "eager", "threads"} & set(AXES)


def test_options_of_optimizers_and_schedules_can_be_varied():
    several = {"optimizer": ["adam", "nadam"], "betas": ["0.9,0.99", "0.8,0.9"], "milestones": ["none", "5,10"]}
    grid = grid_of({**several, "ema": ["0", "0.9"], "patience": [3], "schedule": ["multi_step"]})
    assert grid.varied == ["optimizer", "betas", "milestones", "ema"]
    assert grid.axes["betas"] == [[0.9, 0.99], [0.8, 0.9]]
    assert grid.axes["milestones"] == [[], [5, 10]]
    names = list(all_settings([grid]))
    assert names[0] == "optimizer-adam_betas-0.9+0.99_milestones-none_ema-0"
    assert len(names) == 16
    with pytest.raises(ConfigError, match="--betas must be two numbers"):
        grid_of({"betas": ["0.9"]})


def test_sample_is_reproducible_and_part_of_larger_ones():
    axes = {"lr": list(range(1, 9)), "l2": [0.0, 0.1, 0.2], "seed": [0, 1]}
    small, large = Grid(axes, sample=5), Grid(axes, sample=9)
    assert small.settings() == Grid(axes, sample=5).settings()
    assert len(small.settings()) == 10
    assert all(run in large.settings() for run in small.settings())
    assert all(run in Grid(axes).settings() for run in large.settings())
    assert len(Grid(axes, sample=1000).settings()) == 48


def test_names_do_not_depend_on_the_sample():
    axes = {"lr": list(range(1, 9)), "l2": [0.0, 0.1, 0.2]}
    assert set(all_settings([Grid(axes, sample=1)])) < set(all_settings([Grid(axes, sample=7)]))
    assert all(name.startswith("lr-") and "_l2-" in name for name in all_settings([Grid(axes, sample=1)]))


def test_names_are_different_and_valid_file_names():
    values = ["a b/c.yaml", "a-b-c.yaml", "é$(rm).yaml", "x" * 300 + ".yaml", "x" * 301 + ".yaml", "../up.yaml"]
    names = list(all_settings([grid_of({"model": values, "hidden": ["400,200", "400"]})]))
    assert len(set(names)) == 12
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+=-]{0,140}", name) for name in names)


def test_numbers_that_differ_slightly_are_two_runs():
    assert len(all_settings([grid_of({"lr": [0.12345678, 0.12345679]})])) == 2


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.1, "0.1"), (1e-5, "1e-05"), (0.0, "0"), ([400, 200], "400,200"), ([], "none"), (True, "true"), (3, "3")],
)
def test_text_of_a_value(value, shown):
    assert as_text(value) == shown


def test_booleans_and_empty_lists():
    assert grid_of({"nesterov": ["true", "False"]}).axes == {"nesterov": [True, False]}
    assert grid_of({"freeze": ["none", "hidden"]}).axes == {"freeze": [[], ["hidden"]]}


def test_run_in_two_grids_is_run_once():
    grids = [grid_of({"lr": [0.1, 1], "seed": [0]}), grid_of({"lr": [1, 10], "seed": [0]})]
    assert list(all_settings(grids)) == ["lr-0.1", "lr-1", "lr-10"]


def test_file_name_of_anything():
    assert file_name("hidden units, mean loss") == "hidden-units+-mean-loss"
    assert len(file_name("y" * 1000)) == 120


# ------------------------------------------------------------------------------------------------------ files


GOOD = """
common: {dataset: digits, seed: [0, 1]}
grids:
  - name: rates
    axes: {lr: [1e-2, 0.1]}
    report: {"1e-2": 0.9, 0.1: 1}
  - axes: {hidden: [8, [8, 4], "4,4"], lr: 0.1}
    sample: 2
"""


def test_read_file(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(GOOD)
    rates, sizes = read_file(path)
    assert rates.axes == {"dataset": ["digits"], "seed": [0, 1], "lr": [0.01, 0.1]}
    assert (rates.name, rates.report) == ("rates", {"0.01": 0.9, "0.1": 1.0})
    assert sizes.axes["hidden"] == [[8], [8, 4], [4, 4]]
    assert (sizes.name, sizes.sample) == ("grid 2", 2)


BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in itertools.pairwise("abcdefghiz")
)
HUNDREDS = ", ".join(str(n) for n in range(1, 201))
HUGE = (
    f"grids: [{{axes: {{lr: [{HUNDREDS}], l2: [{HUNDREDS}], epochs: [{HUNDREDS}], batch_size: [{HUNDREDS}]}}SAMPLE}}]"
)

# fmt: off
MALFORMED = [
    ("{",                                                       "is not YAML"),
    ("",                                                        "must be a dict with grids, and perhaps common"),
    ("grids: []",                                               "grids must be a list of dicts with name and axes"),
    ("grids: {}",                                               "grids must be a list of dicts with name and axes"),
    ("grid: []\ngrids: [{axes: {lr: 1}}]",                      "unknown key 'grid'; valid: grids, common"),
    ("common: [1]\ngrids: [{axes: {lr: 1}}]",                   "common must be a dict"),
    ("grids: [3]",                                              "grid 1 must be a dict with name and axes, got 3"),
    ("grids: [{name: a}]",                                      "grid 1 (a): axes is missing"),
    ("grids: [{axes: {lr: 1}, samples: 3}]",                    "grid 1: unknown key 'samples'"),
    ("grids: [{name: a, axes: {lr: 1}}, {name: a, axes: {}}]",  "grid 2 (a): another grid has the name a"),
    ("grids: [{name: a, axes: {lr: 1}, sample: 0}]",            "grid 1 (a): sample must be an integer"),
    ("grids: [{axes: {lr: 1}, sample: true}]",                  "sample must be"),
    ("grids: [{axes: {lrr: 1}}]",                               "lrr is not an option that a sweep can vary; did you"),
    ("grids: [{axes: {1: 1}}]",                                 "grid 1: 1 is not an option"),
    ("grids: [{axes: {out: x}}]",                               "grid 1: out is not an option"),
    ("grids: [{axes: {lr: []}}]",                               "grid 1: lr has no values"),
    ("grids: [{axes: {lr: [0]}}]",                              "grid 1: lr must be a number greater than 0, got 0"),
    ("grids: [{axes: {lr: [a, b]}}]",                           "grid 1: lr must be a number greater than 0, got 'a'"),
    ("grids: [{axes: {lr: [0.1, 1e-1]}}]",                      "grid 1: lr has the value 0.1 twice"),
    ("grids: [{axes: {lr: [[1, 2]]}}]",                         "grid 1: lr cannot be [1, 2]"),
    ("grids: [{axes: {lr: }}]",                                 "grid 1: lr cannot be null"),
    ("grids: [{axes: {lr: no}}]",                               "grid 1: lr must be a number greater than 0, got 'no'"),
    (BOMB + "grids: *z",                                        "more than 100,000 values"),
    ("grids: &x [*x]",                                          "has more than 100,000 values"),
    (HUGE.replace("SAMPLE", ""),                                "grid 1: 1,600,000,000 runs are more than a sweep"),
    ("grids: [{axes: {hidden: [[]]}}]",                         "grid 1: hidden needs at least one number"),
    ("grids: [{axes: {lr: 1}, report: {1: 0.9}}]",              "grid 1: report must map the values"),
    ("grids: [{axes: {lr: [1, 2]}, report: {3: 0.9}}]",         "report: 3 is not a value of lr"),
    ("grids: [{axes: {lr: [1, 2]}, report: {1: 90}}]",          "report: 1 must be an accuracy of 0 to 1, got 90"),
]
# fmt: on


@pytest.mark.parametrize(("content", "says"), MALFORMED, ids=[row[1] for row in MALFORMED])
def test_malformed_file_is_refused_in_one_line(tmp_path, content, says):
    path = tmp_path / "s.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        read_file(path)
    message = str(caught.value)
    assert says in message
    assert str(path) in message
    assert "\n" not in message


def test_sample_of_very_many_combinations(tmp_path):
    drawn = []
    for size in (3, 5):
        path = tmp_path / f"{size}.yaml"
        path.write_text(HUGE.replace("SAMPLE", f", sample: {size}"))
        (grid,) = read_file(path)
        drawn.append(grid.settings())
    assert [len(settings) for settings in drawn] == [3, 5]
    assert all(settings in drawn[1] for settings in drawn[0])  # whose runs are not run again


def test_numbers_and_texts_are_those_of_yaml_1_2(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("a: [1e-4, 017, 1_000, no, on, 0o17]")
    assert read_yaml(path, "the file") == {"a": [1e-4, 17, 1000, "no", "on", 15]}


def test_no_such_file(tmp_path):
    with pytest.raises(ConfigError, match="cannot read the sweep"):
        read_file(tmp_path / "none.yaml")

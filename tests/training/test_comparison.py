"""evaluate.py --compare: the settings that differ, a table of results, and a picture of the curves."""

import json
import shutil
from pathlib import Path

import matplotlib.figure
import numpy as np
import pytest
from PIL import Image

import tensorgrad as tg
import train
from tests.runs import TINY, combined, read_metrics
from training import comparison_pictures


@pytest.fixture(scope="module")
def three_runs(tmp_path_factory):
    """A folder with runs called one, two and three, of which the last two differ in the learning rate."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "draw", lambda *_: True)
        patch.chdir(tmp_path_factory.mktemp("three"))
        for name, options in {"one": ["--hidden", 16, "--l2", 0], "two": [], "three": ["--lr", 0.05]}.items():
            assert train.main(combined(*TINY, "--quiet", "--out", name, *options)) == 0
        return Path.cwd()


@pytest.fixture
def runs(three_runs, trained, workplace):
    """Copies of these runs, and `trained`."""
    shutil.copytree(three_runs, workplace, dirs_exist_ok=True)
    return ["one", "two", "three", trained]


def table(text, heading):
    """The rows of the table under a heading, by run, each by the name of its column."""
    lines = text.split(f"{heading}\n\n", 1)[1].splitlines()
    names, rule, *rest = lines
    assert set(rule) == {"-"}
    rows = {}
    for line in rest:
        if not line:
            break
        cells = [cell.strip() for cell in line.split("   ") if cell.strip()]
        rows[cells[0]] = dict(zip([n.strip() for n in names.split("   ") if n.strip()], cells, strict=True))
    return rows


def test_tables_contain_what_differs_and_what_was_reached(runs, run_evaluate):
    result = run_evaluate("--compare", *runs)
    assert (result.code, result.err) == (0, "")
    settings = table(result.out, "settings that differ")
    assert (settings["one"]["l2"], settings["two"]["l2"]) == ("0", "1e-05")
    assert [settings[name]["lr"] for name in ("one", "two", "three")] == ["0.1", "0.1", "0.05"]
    assert [settings[name]["hidden"] for name in ("one", "two", "run")] == ["16", "8", "64"]
    assert "momentum" not in settings["one"]
    assert "layers" not in settings["one"]
    reached = table(result.out, "results")
    for place in runs:
        stored = json.loads((Path(place) / "result.json").read_text())
        row = reached[Path(place).name]
        assert (row["validation"], row["test"]) == (f"{stored['val_accuracy']:.2%}", f"{stored['test_accuracy']:.2%}")
        assert (row["best epoch"], row["epochs"]) == (str(stored["best_epoch"]), str(stored["epochs"]))
        assert row["time"] == f"{stored['seconds']:.1f} s"
    assert reached["two"]["parameters"] == f"{64 * 8 + 8 + 8 * 10 + 10}"
    with Image.open("comparison.png") as picture:
        assert picture.width > 1000


def test_json_has_the_same_numbers_and_out_names_the_picture(runs, run_evaluate):
    result = run_evaluate("--compare", *runs[:2], "--json", "--out", "p.png")
    assert result.code == 0
    content = json.loads(result.out)
    assert content["picture"] == "p.png"
    assert Path("p.png").is_file()
    assert not Path("comparison.png").exists()
    for place, run in zip(runs, content["runs"], strict=False):
        stored = json.loads((Path(place) / "result.json").read_text())
        assert run["run"] == place
        assert set(run["settings"]) == {"hidden", "l2"}
        for key in ("status", "val_accuracy", "test_accuracy", "best_epoch", "epochs", "updates", "seconds"):
            assert run[key] == stored[key]


def test_checkpoints_are_evaluated_and_other_data_leave_the_column_empty(runs, run_evaluate):
    copied = Path("elsewhere.npz")
    shutil.copy("two/best.npz", copied)
    result = run_evaluate("--compare", "two", copied, "one/best.npz", "--json")
    two, copy, one = json.loads(result.out)["runs"]
    assert (copy["status"], copy["test_accuracy"]) == ("checkpoint", two["test_accuracy"])
    assert one["run"] == "one/best.npz"
    assert one["test_accuracy"] == json.loads(Path("one/result.json").read_text())["test_accuracy"]
    arrays, config = tg.load(copied)
    config["data"]["fingerprint"] = "00000000"
    tg.save(copied, arrays, config)
    other = json.loads(run_evaluate("--compare", "two", copied, "--json").out)["runs"][1]
    assert other["test_accuracy"] is None
    assert other["settings"] == {"data": "00000000"}


def test_unfinished_runs_and_runs_without_validation_are_compared(run_tiny, run_evaluate, interrupt_after, monkeypatch):
    drawn = []
    monkeypatch.setattr(comparison_pictures, "save", lambda figure, path: drawn.append(figure))
    assert run_tiny("--out", "v", "--validation", 0, "--quiet").code == 0
    assert run_tiny("--out", "d", "--lr", 1e30, "--quiet").code == 1
    interrupt_after(8)
    assert run_tiny("--out", "u", "--quiet").code == 130
    result = run_evaluate("--compare", "v", "d", "u")
    assert (result.code, result.err) == (0, "")
    for line in ("d (diverged)", "u (unfinished)", "1 of 2"):
        assert line in result.out
    assert {text.get_text() for text in drawn[0].axes[1].texts} >= {"v", "d (diverged)", "u (unfinished)"}


def test_picture_shows_the_metrics_of_each_run(runs, run_evaluate, monkeypatch):
    drawn = []
    monkeypatch.setattr(comparison_pictures, "save", lambda figure, path: drawn.append(figure))
    assert run_evaluate("--compare", *runs).code == 0
    (figure,) = drawn
    assert isinstance(figure, matplotlib.figure.Figure)
    right = figure.axes[1]
    assert right.get_yscale() == "log"
    lines = {line.get_label(): line for line in right.get_lines() if not line.get_label().startswith("_")}
    assert list(lines) == [Path(place).name for place in runs]
    for place in runs:
        errors = [100 - 100 * float(row["val_accuracy"]) for row in read_metrics(place)]
        shown = lines[Path(place).name].get_ydata()
        assert np.allclose(shown, np.where(np.array(errors) > 0, errors, shown))
    names = [text.get_text() for text in right.texts]
    assert set(names) >= set(lines)


# fmt: off
MISTAKES = [
    (["--compare", "one"],                      ["at least two"]),
    (["--compare", "one", "nowhere"],           ["no checkpoint at nowhere"]),
    (["--compare", "one", "empty"],             ["empty is not the folder of a run", "no last.npz"]),
    (["--compare", "one", "other"],             ["other is not the folder of a run", "x.npz"]),
    (["--compare", "one", "other/x.npz"],       ["other/x.npz", "was it written by train.py?"]),
    (["--compare", "one", "one/config.yaml"],   ["one/config.yaml is damaged or not a checkpoint"]),
    (["--compare", "one", "one/"],              ["one/ is named twice"]),
    (["--compare", "one", "broken"],            ["broken/last.npz is not a checkpoint of train.py", "epoch"]),
    (["one/best.npz", "--compare", "one"],      ["leave out one/best.npz"]),
    (["--compare", "one", "--image", "x.png"],  ["--image cannot be combined with --compare"]),
    (["one/best.npz", "--page", "x", "--export", "y"],  ["--export cannot be combined with --page"]),
    (["one/best.npz", "--json"],                ["--json is an option of --image and --compare"]),
    (["one/best.npz", "--out", "x"],            ["--out is an option of --compare"]),
    ([],                                        ["name a checkpoint"]),
]
# fmt: on


@pytest.mark.parametrize(("arguments", "pieces"), MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_what_is_not_a_run_is_refused_in_one_line(trained, run_evaluate, refused, arguments, pieces):
    shutil.copytree(trained, "one")
    shutil.copytree(trained, "broken")
    arrays, config = tg.load("broken/last.npz")
    config["progress"]["epoch"] = "x"
    tg.save("broken/last.npz", arrays, config)
    for folder in ("empty", "other"):
        Path(folder).mkdir()
    np.savez("other/x.npz", x=np.zeros(3))
    assert refused(run_evaluate(*arguments), *pieces)
    assert not Path("comparison.png").exists()


def test_picture_that_cannot_be_written_is_reported(trained, run_evaluate):
    shutil.copytree(trained, "one")
    result = run_evaluate("--compare", "one", trained, "--out", "nowhere/p.png")
    assert result.code == 1
    assert "the pictures could not be drawn" in result.err
    assert "all settings are the same" in result.out

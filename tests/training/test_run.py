"""A run's folder: where it is made, and where not."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import ConfigError
from training.images import predict
from training.run import Progress, Run, finite


def options(**given):
    return SimpleNamespace(**{"out": None, "hidden": [400], "model": None, "dataset": "mnist", "seed": 0} | given)


def test_folders_are_named_after_the_run_and_numbered_where_that_is_taken():
    names = [Run.create(options(), {}).folder for _ in range(3)]
    assert names == [Path("runs") / name for name in ("mnist-400-seed0", "mnist-400-seed0-2", "mnist-400-seed0-3")]
    assert Run.create(options(hidden=[30, 20], seed=7), {}).folder.name == "mnist-30-20-seed7"
    assert Run.create(options(model="models/report.yaml"), {}).folder.name == "mnist-report-400-seed0"
    assert Run.create(options(model="models/two_layer.yaml", hidden=[]), {}).folder.name == "mnist-two_layer-seed0"


def test_an_interrupted_number_is_not_taken_again():
    Path("runs").mkdir()
    (Path("runs") / "mnist-400-seed0").symlink_to("nowhere")
    assert Run.create(options(), {}).folder.name == "mnist-400-seed0-2"


@pytest.mark.parametrize("prepare", [lambda path: None, Path.mkdir], ids=["missing", "empty"])
def test_a_new_or_empty_folder_is_taken(run_tiny, prepare):
    prepare(Path("mine"))
    assert run_tiny("--out", "mine").code == 0
    assert (Path("mine") / "result.json").exists()
    assert not Path("runs").exists()


@pytest.mark.parametrize("content", ["config.yaml", ".hidden", "sub/file"])
def test_a_folder_with_something_in_it_is_refused_and_left_alone(run_tiny, refused, content):
    path = Path("mine") / content
    path.parent.mkdir(parents=True)
    path.write_text("precious")
    assert refused(run_tiny("--out", "mine"), "--out mine is not empty", "--resume mine")
    assert [p for p in Path().rglob("*") if p.is_file()] == [path]
    assert path.read_text() == "precious"


@pytest.mark.parametrize("place", ["file", "file/below", "x" * 300])
def test_a_folder_that_cannot_be_made_is_one_line(run_tiny, refused, place):
    Path("file").write_text("in the way")
    assert refused(run_tiny("--out", place), "cannot make a folder for the run", "name another with --out")


def test_a_folder_that_cannot_be_written_to_is_one_line(run_tiny, refused, monkeypatch):
    def forbidden(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", forbidden)
    assert refused(run_tiny(), "cannot make a folder for the run", "Permission denied", "runs")


def test_runs_that_is_a_file_is_one_line(run_tiny, refused):
    Path("runs").write_text("in the way")
    assert refused(run_tiny(), "cannot make a folder for the run", "runs")


def test_the_result_is_json_to_every_reader():
    run = Run.create(options(), {})
    run.write_result({"status": "finished", "val_accuracy": float("nan"), "test_accuracy": 0.5, "loss": np.inf})

    def no_such_thing(name):
        raise AssertionError(f"{name} is not JSON")

    text = (run.folder / "result.json").read_text()
    result = json.loads(text, parse_constant=no_such_thing)
    assert result == {"status": "finished", "val_accuracy": None, "test_accuracy": 0.5, "loss": None}
    assert run.ending == "finished"


@pytest.mark.parametrize("content", ["", "{}", "[1]", "{"])
def test_a_damaged_result_names_the_file(content):
    run = Run.create(options(), {})
    assert run.ending == ""
    (run.folder / "result.json").write_text(content)
    with pytest.raises(ConfigError, match=r"result\.json is damaged: delete it"):
        _ = run.ending


@pytest.mark.parametrize(("value", "good"), [(0.0, True), (np.inf, False), (-np.inf, False), (np.nan, False)])
def test_one_weight_that_is_no_number_is_noticed(value, good):
    network = [tg.Tensor(np.zeros((2, 2))), tg.Tensor(np.array([1.0, value]))]
    assert finite(network) == good


def test_statistics_are_used_in_evaluation_and_saved():
    network = tg.nn.Sequential([tg.nn.BatchNorm1d(4), tg.nn.Linear(4, 2, np.random.default_rng(0))])
    images = np.random.default_rng(1).integers(0, 255, (6, 2, 2), np.uint8)
    one_by_one = [predict(network, images[i : i + 1], 1 / 255) for i in range(6)]
    np.testing.assert_allclose(predict(network, images, 1 / 255), np.concatenate(one_by_one), rtol=1e-5)
    norm = network.layers[0]
    assert norm.training
    assert norm.num_batches_tracked == 0
    network(np.ones((3, 4), np.float32))
    run = Run.create(options(), {})
    run.save("last.npz", network, Progress())
    assert run.weights("last.npz").keys() == tg.nn.state_dict(network).keys()
    np.testing.assert_array_equal(run.weights("last.npz")["layers.0.running_mean"], norm.running_mean)

"""The folder of a run, and its result."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import tensorgrad as tg
import train
from tensorgrad.errors import ConfigError
from training.images import predict
from training.run import Progress, Run, finite, new_folder, read_result


def options(**given):
    return SimpleNamespace(**{"out": None, "hidden": [400], "model": None, "dataset": "mnist", "seed": 0} | given)


def create(options):
    return Run.create(new_folder(options), options, {})


def test_folders_are_named_after_the_run_and_numbered_if_they_exist():
    names = [create(options()).folder for _ in range(3)]
    assert names == [Path("runs") / name for name in ("mnist-400-seed0", "mnist-400-seed0-2", "mnist-400-seed0-3")]
    assert create(options(hidden=[30, 20], seed=7)).folder.name == "mnist-30-20-seed7"
    assert create(options(model="models/report.yaml")).folder.name == "mnist-report-400-seed0"
    assert create(options(model="models/two_layer.yaml", hidden=[])).folder.name == "mnist-two_layer-seed0"


def test_name_of_a_broken_link_is_not_used():
    Path("runs").mkdir()
    (Path("runs") / "mnist-400-seed0").symlink_to("nowhere")
    assert create(options()).folder.name == "mnist-400-seed0-2"


@pytest.mark.parametrize("prepare", [lambda path: None, Path.mkdir], ids=["missing", "empty"])
def test_new_or_empty_folder_is_used(run_tiny, prepare):
    prepare(Path("mine"))
    assert run_tiny("--out", "mine").code == 0
    assert (Path("mine") / "result.json").exists()
    assert not Path("runs").exists()


def test_folder_of_a_run_that_ended_before_its_first_checkpoint_is_used(run_tiny):
    create(options(out="mine"))
    (Path("mine") / ".last.npz.7.tmp").touch()
    (Path("mine") / ".lock").touch()
    assert run_tiny("--out", "mine").code == 0
    assert (Path("mine") / "result.json").exists()


@pytest.mark.parametrize("content", ["config.yaml", ".hidden", "sub/file"])
def test_folder_that_is_not_empty_is_refused_and_not_changed(run_tiny, refused, content):
    path = Path("mine") / content
    path.parent.mkdir(parents=True)
    path.write_text("precious")
    assert refused(run_tiny("--out", "mine"), "--out mine is not empty: name another folder, or delete this one")
    assert [p for p in Path().rglob("*") if p.is_file()] == [path]
    assert path.read_text() == "precious"


def test_message_for_a_folder_with_a_run_names_a_way_that_works(run_tiny, run_train, refused):
    assert run_tiny("--out", "mine").code == 0
    assert refused(run_tiny("--out", "mine"), "--out mine contains a run", "continue that run with --resume mine")
    assert run_train("--resume", "mine").code == 0
    (Path("mine") / "last.npz").unlink()  # as if it had been stopped before its first checkpoint
    assert refused(run_tiny("--out", "mine"), "name another folder, or delete this one")
    assert refused(run_train("--resume", "mine"), "start one without --resume")


@pytest.mark.parametrize("files", [["config.yaml"], ["config.yaml", ".lock", ".last.npz.7.tmp"], [".lock"]])
def test_run_killed_before_its_first_checkpoint_is_started_again(run_tiny, files):
    assert run_tiny("--out", "first").code == 0
    Path("mine").mkdir()
    for name in files:
        (Path("mine") / name).write_bytes(b"" if name[0] == "." else (Path("first") / name).read_bytes())
    assert run_tiny("--out", "mine", "--seed", "3").code == 0
    assert "seed: 3" in (Path("mine") / "config.yaml").read_text()
    assert not list(Path("mine").glob("*.tmp"))


def test_folder_taken_by_another_program_meanwhile_is_refused(run_tiny, refused, monkeypatch):
    original = train.new_folder

    def new_folder(*arguments):
        folder = original(*arguments)
        (folder / "last.npz").write_text("of another program")
        return folder

    monkeypatch.setattr(train, "new_folder", new_folder)
    assert refused(run_tiny("--out", "mine", "--quiet"), "--out mine contains a run")
    assert not (Path("mine") / "config.yaml").exists()


@pytest.mark.parametrize(("size", "code"), [("1316", 2), ("1", 2), ("658", 2), ("1317", 0)])
def test_size_of_batch_that_a_layer_cannot_take_is_refused_at_the_start(run_train, refused, size, code):
    Path("norm.yaml").write_text("- {name: norm, type: BatchNorm1d}\n- {name: output, type: Linear}\n")
    settings = ("--dataset", "digits", "--model", "norm.yaml", "--batch-size", size, "--epochs", "1", "--quiet")
    result = run_train(*settings)
    assert result.code == code
    assert code == 0 or refused(result, f"with --batch-size {size}, there are batches of 1 image, for which")
    assert Path("runs").exists() == (code == 0)


@pytest.mark.parametrize("place", ["file", "file/below", "x" * 300], ids=["file", "below a file", "long name"])
def test_folder_that_cannot_be_created_is_refused(run_tiny, refused, place):
    Path("file").write_text("a file")
    assert refused(run_tiny("--out", place), "cannot create a folder for the run", "name another one with --out")


def test_folder_without_permission_is_refused(run_tiny, refused, monkeypatch):
    def forbidden(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", forbidden)
    assert refused(run_tiny(), "cannot create a folder for the run", "Permission denied", "runs")


def test_file_called_runs_is_refused(run_tiny, refused):
    Path("runs").write_text("a file")
    assert refused(run_tiny(), "cannot create a folder for the run", "runs")


def test_result_is_valid_json():
    run = create(options())
    run.write_result({"status": "finished", "val_accuracy": float("nan"), "test_accuracy": 0.5, "loss": np.inf})

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    text = (run.folder / "result.json").read_text()
    result = json.loads(text, parse_constant=refuse)
    assert result == {"status": "finished", "val_accuracy": None, "test_accuracy": 0.5, "loss": None}
    assert read_result(run.folder)["status"] == "finished"


@pytest.mark.parametrize("content", ["", "{}", "[1]", "{"])
def test_damaged_result_names_the_file(content):
    run = create(options())
    assert read_result(run.folder) is None
    (run.folder / "result.json").write_text(content)
    with pytest.raises(ConfigError, match=r"result\.json is damaged: delete it"):
        read_result(run.folder)


@pytest.mark.parametrize(("value", "expected"), [(0.0, True), (np.inf, False), (-np.inf, False), (np.nan, False)])
def test_weights_are_finite_if_each_one_is(value, expected):
    network = [tg.Tensor(np.zeros((2, 2))), tg.Tensor(np.array([1.0, value]))]
    assert finite(network) == expected


def test_statistics_are_used_in_evaluation_and_saved():
    network = tg.nn.Sequential([tg.nn.BatchNorm1d(4), tg.nn.Linear(4, 2, np.random.default_rng(0))])
    images = np.random.default_rng(1).integers(0, 255, (6, 2, 2), np.uint8)
    one_by_one = [predict(network, images[i : i + 1], 1 / 255) for i in range(6)]
    np.testing.assert_allclose(predict(network, images, 1 / 255), np.concatenate(one_by_one), rtol=1e-5)
    norm = network.layers[0]
    assert norm.training
    assert norm.num_batches_tracked == 0
    network(np.ones((3, 4), np.float32))
    run = create(options())
    run.save("last.npz", network, Progress())
    assert run.weights("last.npz").keys() == tg.nn.state_dict(network).keys()
    np.testing.assert_array_equal(run.weights("last.npz")["layers.0.running_mean"], norm.running_mean)

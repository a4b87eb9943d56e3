"""What --resume accepts: the options, the data, and the files of a run."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
import train
from tests.helpers import noted
from tests.runs import FILES, FOLDER, read_metrics

pytestmark = pytest.mark.usefixtures("no_clock", "without_trials")


def test_finished_run_is_not_changed(run_train, uninterrupted):
    folder = Path("elsewhere") / FOLDER
    folder.mkdir(parents=True)
    for name, content in uninterrupted.items():
        (folder / name).write_bytes(content)
    result = run_train("--resume", folder)
    assert (result.code, "has finished: drawing its pictures again" in result.out) == (0, True)
    assert {name: (folder / name).read_bytes() for name in FILES} == uninterrupted


@pytest.mark.parametrize("option", [
    ["--hidden", "8"], ["--lr", "0.1"], ["--seed", "1"], ["--out", "x"], ["--nesterov"],
    ["--model", "m.yaml"], ["--dataset", "digits"],
])  # fmt: skip
def test_run_is_not_resumed_with_other_options(run_train, refused, stopped, option):
    assert refused(run_train("--resume", stopped, *option), "leave out", option[0])


def test_run_is_not_resumed_with_other_data(run_train, refused, interrupt_after, write_mnist, workplace):
    write_mnist(workplace / "a")
    write_mnist(workplace / "b", count=150)
    interrupt_after(1)
    assert run_train("--data", "a", "--hidden", 4, "--epochs", 1).code == 130
    folder = "runs/mnist-4-seed0"
    assert refused(run_train("--resume", folder, "--data", "b"), "was trained on mnist with fingerprint", "--data")
    (workplace / "a").rename(workplace / "c")
    assert refused(run_train("--resume", folder), f"MNIST is not in {workplace / 'a'}")
    assert run_train("--resume", folder, "--data", "c").code == 0


def best(path):
    return tg.load(path.with_name("best.npz")).arrays


@pytest.mark.parametrize(
    ("damage", "piece"),
    [
        (lambda path: path.unlink(), "there is no run to resume"),
        (lambda path: path.write_bytes(b""), "damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:-40]), "damaged"),
        (lambda path: path.write_bytes(path.read_bytes().replace(b'"epoch"', b'"hcope"')), "damaged"),
        (lambda path: np.savez(path, x=np.zeros(3)), "does not contain the state of a run"),
        (lambda path: tg.save(path, {}, {"options": {}, "data": {}, "progress": {}}), "does not contain the state"),
        (lambda path: tg.save(path, {}, {**tg.load(path).config, "progress": {"eboch": 1}}), "not contain the state"),
        (lambda path: tg.save(path, best(path), {**tg.load(path).config, "progress": {}}), "PCG64"),
        (lambda path: tg.save(path, {}, tg.load(path).config), "the state of the optimizer"),
        (lambda path: tg.save(path, {"optimizer.velocity.x": 0}, tg.load(path).config), "missing layers.hidden.bias"),
        (lambda path: shutil.copy(path.with_name("best.npz"), path), "the state of the optimizer"),
        (lambda path: path.with_name("result.json").write_text("{"), "result.json is damaged"),
        (lambda path: path.with_name("result.json").write_text('{"status": "x"}'), "result.json is damaged"),
    ],
    ids=[
        "no file", "empty", "truncated", "changed byte", "only arrays", "no progress", "unknown progress",
        "no random state", "no velocities", "wrong velocities", "another checkpoint", "damaged result",
        "unknown status",
    ],
)  # fmt: skip
def test_damaged_run_is_refused_and_not_changed(run_train, refused, stopped, damage, piece):
    damage(stopped / "last.npz")
    files = {path.name: path.read_bytes() for path in stopped.iterdir()}
    assert refused(run_train("--resume", stopped), str(stopped), piece)
    assert {path.name: path.read_bytes() for path in stopped.iterdir()} == files


WRONG = [None, "x", -1, {}, 1e300]
ENTRIES = ["options batch_size", "options lr", "options momentum", "options schedule", "options seed", "options freeze",
           "options warmup", "options validation", "options layers", "options eager",
           "progress epoch", "progress batch", "progress update", "progress right", "progress best_epoch",
           "progress threads", "progress extended", "data shape", "data classes",
           "progress history", "progress random_state", "progress random_state state"]  # fmt: skip


def test_malformed_configuration_is_refused(run_train, refused, stopped):
    path = stopped / "last.npz"
    arrays, config = tg.load(path)
    for entry in ENTRIES:
        *parents, name = entry.split()
        holder = config
        for parent in parents:
            holder = holder[parent]
        original = holder[name]
        for value in WRONG:
            if entry == "options lr" and value == 1e300:  # a valid learning rate
                continue
            holder[name] = value
            tg.save(path, arrays, config)
            with noted(f"{entry}: {value!r}"):
                assert refused(run_train("--resume", stopped), str(path))
        holder[name] = original
    tg.save(path, arrays, config)
    assert run_train("--resume", stopped).code == 0


@pytest.mark.parametrize("folder", ["nowhere", ".", "file"])
def test_folder_without_a_run_is_refused(run_train, refused, folder):
    Path("file").write_text("not a folder")
    assert refused(run_train("--resume", folder), f"--resume {folder}: there is no run to resume")


@pytest.mark.parametrize(("name", "piece"), [("last.npz", "name the folder of the run"), ("", "must not be empty")])
def test_other_names_than_that_of_the_folder_are_refused(run_train, refused, stopped, name, piece):
    assert refused(run_train("--resume", stopped / name if name else ""), "--resume", piece)


def edit(path, before, after):
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, after))


@pytest.mark.parametrize("change", [
    ("lr: 0.3", "lr: 0.1"), ("out_features: 8", "out_features: 9"), ("\nepochs: 3", "\nepochs: none"),
    ("\nepochs: 3", "\nepochs: ["), ("\nepochs: 3", "\nepochs: null"), ("\nepochs: 3", "\nepochs: 3\nepoch: 9"),
    ("\nepochs: 3", "\nepochs: 3\n7: 9"), ("\nout: ", "\nout: x"),
    ("  classes: 10", "  classes: 9"), ("  fingerprint: ", "  fingerprint: x"),
])  # fmt: skip
def test_edited_configuration_is_refused(run_train, refused, stopped, uninterrupted, change):
    config = stopped / "config.yaml"
    edit(config, *change)
    assert refused(run_train("--resume", stopped, "--quiet"), str(config))
    edit(config, *change[::-1])
    assert run_train("--resume", stopped, "--quiet").code == 0
    assert (stopped / "last.npz").read_bytes() == uninterrupted["last.npz"]


@pytest.mark.parametrize("epochs", [["--epochs", "5"], []], ids=["command line", "file"])
def test_epochs_of_the_configuration_are_obeyed(run_train, stopped, epochs):
    edit(stopped / "config.yaml", "\nepochs: 3", f"\nepochs: {9 if epochs else 5}")  # the command line wins
    assert run_train("--resume", stopped, *epochs).code == 0
    assert len((stopped / "metrics.csv").read_text().splitlines()) == 1 + 5
    assert "epochs: 5\n" in (stopped / "config.yaml").read_text()


def test_run_that_was_killed_after_its_configuration_was_changed_goes_on(run_train, stopped, monkeypatch):
    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(train, "train", kill)
        with pytest.raises(Killed):
            run_train("--resume", stopped, "--no-eager", "--epochs", 4, "--threads", 3)
    config = stopped / "config.yaml"
    edit(config, "  compile: true", "  compile: false")
    assert "eager: false" in config.read_text()
    assert run_train("--resume", stopped, "--quiet").code == 0
    assert {int(row["threads"]) for row in read_metrics(stopped)[2:]} == {3}
    assert len(read_metrics(stopped)) == 4


def test_line_that_was_deleted_is_written_again(run_train, stopped):
    edit(stopped / "config.yaml", "\nlr: 0.3", "")
    assert run_train("--resume", stopped, "--epochs", 4).code == 0
    assert "\nlr: 0.3\n" in (stopped / "config.yaml").read_text()


def test_place_of_the_data_is_remembered_from_every_folder(run_train, interrupt_after, write_mnist, monkeypatch):
    write_mnist("a")
    interrupt_after(1)
    assert run_train("--data", "a", "--hidden", 4, "--epochs", 1, "--out", "r").code == 130
    Path("a").rename("b")
    assert run_train("--resume", "r", "--data", "b").code == 0
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert run_train("--resume", "../r", "--epochs", 2).code == 0
    Path("../b").rename("c")
    config = Path("../r/config.yaml")
    (line,) = [line for line in config.read_text().splitlines() if line.startswith("data:")]
    edit(config, line, "data: c")
    assert run_train("--resume", "../r", "--epochs", 3).code == 0
    edit(config, f"data: {Path('c').absolute()}", "data: null")
    monkeypatch.setenv("TENSORGRAD_DATA", "c")
    assert run_train("--resume", "../r", "--epochs", 4).code == 0
    assert "\ndata: null\n" in config.read_text()


def test_lost_configuration_is_written_again(run_train, stopped, uninterrupted):
    (stopped / "config.yaml").unlink()
    assert run_train("--resume", stopped, "--quiet").code == 0
    read = [
        sorted(text.splitlines()) for text in ((stopped / "config.yaml").read_bytes(), uninterrupted["config.yaml"])
    ]
    assert read[0] == read[1]

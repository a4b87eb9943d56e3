"""Distillation: teachers are trained, label warped images, and are learned from; stopped anywhere, it continues."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import models
import tensorgrad as tg
import train
from tests.runs import combined, in_this_process
from training import images, options, teachers, workers
from training.run import read_result

TEACHER = """
- {name: recipe, type: Recipe, params: {epochs: 6, batch_size: 256, optimizer: adamw, lr: 0.01, shift: 0}}
- {name: hidden, type: Linear, params: {out_features: 32, init: he}}
- {name: relu, type: ReLU}
- {name: output, type: Linear, params: {init: he}}
"""
STUDENT = """
- {name: recipe, type: Recipe, params: {epochs: 5, batch_size: 256, optimizer: adamw, lr: 0.03,
   augment: [affine, elastic], teachers: [teacher.yaml, teacher.yaml], labelled_warps: 2}}
- {name: hidden, type: Linear, params: {out_features: 16, init: he}}
- {name: relu, type: ReLU}
- {name: output, type: Linear, params: {init: he}}
"""
COMMAND = ("--model", "models/student.yaml", "--dataset", "digits", "--seed", "3", "--threads", "1", "--quiet")
FOLDER = Path("runs/student")
FILES = ["last.npz", "best.npz", *(f"teachers/{n}/best.npz" for n in (1, 2)),
         *(f"teachers/labels-00{n}.npz" for n in (1, 2))]  # fmt: skip


def write_models():
    Path("models").mkdir()
    Path("models/teacher.yaml").write_text(TEACHER)
    Path("models/student.yaml").write_text(STUDENT)


@pytest.fixture
def run_student(run_train):
    """Train a student, or with ``--resume`` as the first argument continue it."""
    write_models()
    return lambda *more: run_train(*combined(*(() if "--resume" in more else (*COMMAND, "--out", FOLDER)), *more))


@pytest.fixture(scope="module", autouse=True)
def undrawn_teachers(undrawn):
    """Teachers, which are trained in other processes, draw no pictures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", undrawn["PYTHONPATH"])
        yield


@pytest.fixture
def copied_teachers(once_taught, monkeypatch):
    """Copy the runs of teachers, which take most of the time, instead of training them again with the same result."""

    def copy(job):
        place = Path(job["folder"])
        shutil.copytree(once_taught / "teachers" / place.name, place)
        return read_result(place)

    @contextlib.contextmanager
    def local(count):
        with ThreadPoolExecutor(count) as executor:
            yield executor, copy

    monkeypatch.setattr(workers, "local", local)


@pytest.fixture(scope="module")
def once_taught(tmp_path_factory, undrawn_teachers):
    """The folder in which a student was trained without interruption; its clock stood still."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "time", _StoppedClock)
        patch.setattr(train, "draw", lambda *_: True)
        folder = tmp_path_factory.mktemp("taught")
        patch.chdir(folder)
        write_models()
        assert train.main([*COMMAND, "--out", str(FOLDER)]) == 0
        return folder / FOLDER


class _StoppedClock:
    monotonic = staticmethod(lambda: 0.0)


def contents(folder):
    """The files that must be the same however often a run was stopped; the times of teachers are left out."""
    return arrays(folder) | {"metrics.csv": (folder / "metrics.csv").read_bytes()}


def arrays(folder):
    """What does not depend on the clock."""
    return {name: [a.tobytes() for _, a in sorted(tg.load(folder / name).arrays.items())] for name in FILES}


def stopping(monkeypatch, target, name, number, act):
    """Call ``act()`` in the call of ``target.name`` with this number."""
    original, calls = getattr(target, name), []

    def wrapped(*arguments, **keywords):
        calls.append(1)
        if len(calls) == number:
            act()
        return original(*arguments, **keywords)

    monkeypatch.setattr(target, name, wrapped)


# ---------------------------------------------------------------------------------------------- the whole


def test_teachers_are_runs_in_the_folder_of_the_run(once_taught):
    assert {path.name for path in (once_taught / "teachers").iterdir() if path.name[0] != "."} == {
        "1", "2", "labels-001.npz", "labels-002.npz", "settings.json",
    }  # fmt: skip
    for number in (1, 2):
        config = tg.load(once_taught / f"teachers/{number}/last.npz").config
        assert (config["options"]["seed"], config["progress"]["epoch"]) == (1000 * number + 3, 6)
    first, second = (tg.load(once_taught / f"teachers/{n}/best.npz").arrays["layers.hidden.weight"] for n in (1, 2))
    assert (first != second).all()


def test_labels_are_what_the_teachers_predict_for_the_inputs_of_each_epoch(once_taught, monkeypatch):
    monkeypatch.chdir(once_taught.parents[1])
    data = tg.data.digits()
    o = options.resolve(options.parse(COMMAND), "digits", 10)
    train_on, _ = images.hold_out(data, o.validation)
    networks = []
    for number in (1, 2):
        arrays, config = tg.load(once_taught / f"teachers/{number}/best.npz")
        networks.append(models.build(config["options"]["layers"], data.shape, 10, np.random.default_rng(0)))
        tg.nn.load_state_dict(networks[-1], arrays)
    seen = []
    with teachers.Inputs(o, data, data.train_images[train_on], 1 / 16, once_taught, 1) as source:
        for epoch in range(1, 5):
            parts = list(source.epoch(epoch, 0, np.random.default_rng(0)))
            assert sorted(np.concatenate([batch for batch, *_ in parts])) == list(range(len(train_on)))
            for _, inputs, targets in parts:
                logits = [network(inputs).data for network in networks]
                wanted = np.mean([tg.softmax(z / 3.0, axis=1) for z in logits], axis=0)
                np.testing.assert_allclose(targets, wanted, atol=1e-3)
                assert targets.dtype == inputs.dtype == np.float32
            seen.append({int(i): x.tobytes() for batch, inputs, _ in parts for i, x in zip(batch, inputs, strict=True)})
            assert [len(batch) for batch, *_ in parts] == [256] * 5 + [37]
    assert seen[0] == seen[2] != seen[1] == seen[3]
    first = parts[0][0].tolist()
    with teachers.Inputs(o, data, data.train_images[train_on], 1 / 16, once_taught, 4) as source:
        (rest, *_), *others = source.epoch(4, 4, np.random.default_rng(0))
        assert len(others) == 1
        assert rest.tolist() == parts[4][0].tolist() != first


def test_a_student_agrees_with_its_teachers_more_than_with_the_labels(run_student, once_taught):
    shutil.copytree(once_taught, FOLDER)
    assert run_student("--resume", FOLDER, "--epochs", 80, "--quiet").code == 0
    data = tg.data.digits()
    answers = []
    for folder in (FOLDER, *(FOLDER / f"teachers/{n}" for n in (1, 2))):
        arrays, config = tg.load(folder / "last.npz")
        network = models.build(config["options"]["layers"], data.shape, 10, np.random.default_rng(0))
        tg.nn.load_state_dict(network, {k: v for k, v in arrays.items() if k.startswith("layers")})
        answers.append(images.predict(network, data.test_images, 1 / 16))
    taught = np.mean([tg.softmax(z / 3.0, axis=1) for z in answers[1:]], axis=0).argmax(axis=1)
    agrees = np.mean(answers[0].argmax(axis=1) == taught)
    assert np.mean(taught == data.test_labels) < agrees > 0.7


# ------------------------------------------------------------------------------------- stopped and continued


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


class _Killed(BaseException):
    pass


def kill():
    raise _Killed


@pytest.mark.parametrize(
    ("target", "name", "number", "act"),
    [
        (teachers, "_label", 1, kill),
        (tg, "save", 4, kill),  # after the first checkpoint: labels of the second warp
        (teachers, "warped", 2, interrupt),
        (train.Display, "batch", 9, interrupt),
        (train.Display, "batch", 9, kill),
        (train.Display, "epoch", 3, kill),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.usefixtures("copied_teachers")
def test_stopped_at_any_moment_it_continues_bitwise(run_student, once_taught, monkeypatch, target, name, number, act):
    monkeypatch.setattr(train, "time", _StoppedClock)
    with monkeypatch.context() as patch:
        stopping(patch, target, name, number, act)
        if act is kill:
            with pytest.raises(_Killed):
                run_student()
        else:
            assert run_student().code == 130
    assert not (FOLDER / "result.json").exists()
    assert run_student("--resume", FOLDER, "--quiet").code == 0
    assert contents(FOLDER) == contents(once_taught)


def test_interrupted_while_the_teachers_train_it_continues_bitwise(run_student, once_taught, monkeypatch):
    monkeypatch.setattr(train, "time", _StoppedClock)
    monkeypatch.setattr(train, "draw", lambda *_: True)
    monkeypatch.setattr(teachers, "_show", lambda *_: None)
    with monkeypatch.context() as patch:
        stopping(patch, teachers, "_show", 1, interrupt)  # which is for runs that are not quiet
        assert train.main([word for word in (*COMMAND, "--out", str(FOLDER)) if word != "--quiet"]) == 130
    assert not (FOLDER / "teachers/labels-001.npz").exists()
    assert not (FOLDER / "result.json").exists()
    assert run_student("--resume", FOLDER, "--quiet").code == 0
    assert contents(FOLDER) == contents(once_taught)


def test_killed_while_the_teachers_train_it_continues_bitwise(run_student, undrawn, once_taught, monkeypatch):
    command = [sys.executable, Path(train.__file__), *COMMAND, "--out", FOLDER]
    with subprocess.Popen(command, env=undrawn, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not (FOLDER / "teachers/1/last.npz").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
    assert not (FOLDER / "best.npz").exists()
    monkeypatch.setattr(workers, "local", in_this_process)
    assert run_student("--resume", FOLDER, "--quiet").code == 0
    assert arrays(FOLDER) == arrays(once_taught)


def test_what_is_finished_is_not_made_again(run_student, once_taught, monkeypatch):
    shutil.copytree(once_taught, FOLDER)
    (FOLDER / "teachers/labels-002.npz").unlink()
    before = {path: path.stat().st_mtime_ns for path in FOLDER.glob("teachers/**/*") if path.is_file()}
    monkeypatch.setattr(workers, "local", None)  # no teacher is trained
    assert run_student("--resume", FOLDER, "--epochs", "7", "--quiet").code == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert contents(FOLDER)["teachers/labels-002.npz"] == contents(once_taught)["teachers/labels-002.npz"]


def test_pictures_of_a_finished_run_need_no_teachers(run_student, once_taught):
    shutil.copytree(once_taught, FOLDER, ignore=shutil.ignore_patterns("teachers"))
    assert run_student("--resume", FOLDER, "--quiet").code == 0


def test_students_share_teachers_and_add_labels(run_student, once_taught, monkeypatch):
    shutil.copytree(once_taught, "first")
    monkeypatch.setattr(workers, "local", None)
    assert run_student("--teachers-from", "first", "--seed", "4", "--labelled-warps", "3").code == 0
    assert not (FOLDER / "teachers").exists()
    assert contents(Path("first"))["teachers/labels-001.npz"] == contents(once_taught)["teachers/labels-001.npz"]
    assert sorted(path.name for path in Path("first/teachers").glob("labels*")) == [f"labels-00{n}.npz" for n in "123"]
    assert "4" != json.loads(Path("first/teachers/settings.json").read_text())["seed"] == 3


# --------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("words", "pieces"),
    [
        (["--teachers", "no.yaml"], ["no model file", "no.yaml"]),
        (["--teachers", "models/student.yaml"], ["student.yaml: a teacher cannot have teachers"]),
        (["--teachers", "models/wrong.yaml"], ["wrong.yaml", "7", "10"]),
        (["--teachers", "models/large.yaml"], ["large.yaml", "conv"]),
        (["--teachers", "models/typo.yaml"], ["typo.yaml", "epoch"]),
        (["--teachers-from", "no"], ["--teachers-from", "no", "settings.json"]),
        (["--teachers-from", "first", "--rotation", "3"], ["settings.json", "rotation 8", "this run has 3"]),
        (["--teachers-from", "first", "--validation", "0.2"], ["settings.json", "validation"]),
        (["--teachers-from", "first", "--teachers", "models/teacher.yaml"], ["settings.json", "teachers"]),
        (["--label-smoothing", "0.1"], ["--label-smoothing cannot be combined with --teachers"]),
        (["--temperature", "0"], ["--temperature must be a number of at least 0.01"]),
        (["--labelled-warps", "0"], ["--labelled-warps must be an integer of at least 1"]),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_before_anything_is_trained(run_student, refused, once_taught, words, pieces):
    shutil.copytree(once_taught, "first")
    layer = "- {name: output, type: Linear, params: {init: he%s}}\n"
    Path("models/wrong.yaml").write_text(layer % ", out_features: 7")
    Path("models/large.yaml").write_text("- {name: conv, type: Conv2d, params: {out_channels: 2, kernel_size: 9}}\n"
                                         "- {name: flatten, type: Flatten}\n" + layer % "")  # fmt: skip
    Path("models/typo.yaml").write_text("- {name: recipe, type: Recipe, params: {epoch: 2}}\n" + layer % "")
    assert refused(run_student(*words), *pieces)
    assert not FOLDER.exists()


@pytest.mark.parametrize("name", ["temperature", "labelled-warps", "teachers-from"])
def test_options_of_teachers_need_teachers(run_train, refused, name):
    assert refused(run_train("--dataset", "digits", f"--{name}", "2"), f"--{name} needs --teachers")


def test_teachers_for_other_images_are_refused(run_student, refused, once_taught, write_mnist):
    shutil.copytree(once_taught, "first")
    result = run_student("--teachers-from", "first", "--data", write_mnist("other", (8, 8)), "--dataset", "mnist")
    assert refused(result, "settings.json", "data 'digits f9a3a324'")


def test_a_teacher_that_diverges_ends_the_run(run_student, refused):
    Path("models/teacher.yaml").write_text(TEACHER.replace("adamw, lr: 0.01", "sgd, lr: 1.0e+30"))
    assert refused(run_student(), "teacher 1", "has diverged", "teacher.yaml", "--resume")


@pytest.mark.parametrize(("name", "damage", "pieces"), [
    ("settings.json", b'{"seed": 1e999}',                     ["settings.json is damaged", "seed"]),
    ("settings.json", b'{"seed": -1}',                        ["settings.json is damaged", "seed"]),
    ("labels-002.npz", b"nothing",                            ["labels-002.npz is damaged", "delete the file"]),
    ("labels-002.npz", {"logits": np.zeros((9, 2, 10), "e")}, ["labels-002.npz", "delete it"]),
    ("labels-002.npz", {"others": np.zeros(3)},               ["labels-002.npz", "delete it"]),
    ("1/best.npz", None,                                      ["teachers/1 is incomplete", "delete that folder"]),
])  # fmt: skip
def test_damaged_folder_of_teachers_is_one_line(run_student, refused, once_taught, name, damage, pieces):
    shutil.copytree(once_taught, FOLDER)
    path = FOLDER / "teachers" / name
    path.unlink()
    if isinstance(damage, dict):
        tg.save(path, damage)
    elif damage is not None:
        path.write_bytes(damage)
    else:
        (FOLDER / "teachers" / "labels-001.npz").unlink()
    assert refused(run_student("--resume", FOLDER, "--epochs", "7"), *pieces)


# ------------------------------------------------------------------------------------------------- parts


def test_soft_targets_are_the_mean_of_the_teachers_probabilities():
    logits = np.array([[[0, -2], [-4, 0]]], np.float16)
    probability = 1 / (1 + np.exp(-1)), 1 / (1 + np.exp(2))
    np.testing.assert_allclose(teachers.soft_targets(logits, 2.0)[0, 0], np.mean(probability), rtol=1e-6)
    np.testing.assert_allclose(teachers.soft_targets(logits, 1e6), 0.5, atol=1e-5)


def test_without_warps_copies_are_the_images():
    pictures = tg.data.digits().train_images[:345]
    o = options.resolve(options.parse(["--augment", "none"]), "digits", 10)
    np.testing.assert_array_equal(teachers.warped(o, pictures, 16, 0, 0), np.rint(pictures * (255 / 16)))


def test_copies_are_determined_by_seed_and_number():
    pictures = tg.data.digits().train_images[:345]
    o = options.resolve(options.parse(["--augment", "affine,elastic"]), "digits", 10)
    copies = [teachers.warped(o, pictures, 16, *key) for key in ((0, 0), (0, 0), (0, 1), (1, 0))]
    np.testing.assert_array_equal(copies[0], copies[1])
    assert all((a != b).mean() > 0.3 for a, b in ((copies[0], copies[2]), (copies[0], copies[3])))
    differences = np.abs(copies[0][:, None].astype(float) - np.rint(pictures * (255 / 16))).mean(axis=(2, 3))
    assert np.mean(differences.argmin(axis=1) == np.arange(345)) > 0.4  # by chance 0.003

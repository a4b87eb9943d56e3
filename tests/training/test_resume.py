"""A run that is interrupted or killed, and taken up again, ends bit for bit as one that was not."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.checkpoints
import train
import training.run
from training.interrupt import Interrupt

# Everything that has a state: 3 epochs of 6 updates, the rate falling and the random numbers flowing all the way.
SETTINGS = shlex.split(
    "--dataset digits --hidden 8 --epochs 3 --batch-size 256 --quiet --seed 1 --dropout 0.3 --input-dropout 0.1 "
    "--lr 0.3 --momentum 0.8 --shift 1 --warmup 8 --schedule halving --every 5 --l2 0.001 --shrink 0.0001 --watch-test"
)
RESULT = ("config.yaml", "metrics.csv", "last.npz", "best.npz", "result.json")
FOLDER = Path("runs/digits-8-seed1")
PROJECT = Path(train.__file__).parent


class Killed(BaseException):
    """An exception that no handler catches, like a kill."""


@pytest.fixture(autouse=True)
def no_clock(monkeypatch):
    """Let no time pass: the seconds are the one thing in which two runs may differ."""
    monkeypatch.setattr(train, "time", SimpleNamespace(monotonic=lambda: 0.0))


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory):
    """The files of a run that nothing happened to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "time", SimpleNamespace(monotonic=lambda: 0.0))
        patch.setattr(train, "draw", lambda *_: None)
        patch.chdir(tmp_path_factory.mktemp("uninterrupted"))
        assert train.main(SETTINGS) == 0
        return {name: (FOLDER / name).read_bytes() for name in RESULT}


def assert_same(uninterrupted):
    for name in RESULT:
        assert (FOLDER / name).read_bytes() == uninterrupted[name], name
    assert not list(FOLDER.glob(".*"))


@pytest.fixture
def interrupt_after(monkeypatch):
    """``interrupt_after(n)``: Ctrl-C within the n-th update from now, or at the n-th call of something else."""

    def arm(n, target=tg.optim.SGD, name="step"):
        calls, original = [], getattr(target, name)

        def step(*arguments):
            calls.append(name)
            if len(calls) == n:
                os.kill(os.getpid(), signal.SIGINT)
            return original(*arguments)

        monkeypatch.setattr(target, name, step)

    return arm


# ------------------------------------------------------------------------------------------------ Ctrl-C


@pytest.mark.parametrize("legs", [
    [1],  # the first update of all
    [3],  # in the middle of an epoch
    [6],  # the last batch of an epoch
    [7],  # the first of the next
    [12], [17],
    [18],  # the last of all
    [2, 2], [6, 6], [5, 1], [1, 5, 6, 6], [1] * 18,
], ids=str)  # fmt: skip
def test_an_interrupted_run_is_resumed_bit_for_bit(run_train, interrupt_after, uninterrupted, legs):
    arguments, done = SETTINGS, 0
    for leg in legs:
        interrupt_after(leg)
        result = run_train(*arguments)
        done += leg
        assert result.code == 130
        assert f"after {done} updates" in result.out
        assert f"python train.py --resume {FOLDER}\n" in result.out
        progress = tg.load(FOLDER / "last.npz").config["progress"]
        assert (progress["update"], progress["epoch"]) == (done, (done - 1) // 6)
        assert not (FOLDER / "result.json").exists()
        arguments = ("--resume", FOLDER, "--quiet")
    assert run_train(*arguments).code == 0
    assert_same(uninterrupted)


def test_a_signal_between_two_epochs_waits_for_the_next_update(run_train, interrupt_after, uninterrupted):
    interrupt_after(1, train.Display, "epoch")
    result = run_train(*SETTINGS)
    assert (result.code, "in epoch 2 after 7 updates" in result.out) == (130, True)
    assert run_train("--resume", FOLDER, "--quiet").code == 0
    assert_same(uninterrupted)


def test_a_signal_after_the_last_update_comes_too_late(run_train, interrupt_after, uninterrupted):
    interrupt_after(3, train.Display, "epoch")
    assert run_train(*SETTINGS).code == 0
    assert_same(uninterrupted)


def test_the_comparison_notices_a_lost_random_state(run_train, interrupt_after, uninterrupted, monkeypatch):
    interrupt_after(3)
    run_train(*SETTINGS)
    restore = train.restore
    monkeypatch.setattr(train, "restore", lambda *known: restore(*known[:3], np.random.default_rng(1)))
    run_train("--resume", FOLDER, "--quiet")
    with pytest.raises(AssertionError, match=r"metrics\.csv"):
        assert_same(uninterrupted)


def test_a_resumed_bar_knows_how_many_images_are_behind_it(run_train, interrupt_after, monkeypatch):
    seen, display = [], train.Display
    monkeypatch.setattr(train, "Display", lambda *known: seen.append(known) or display(*known))
    for leg in (6, 2):
        interrupt_after(leg)
        run_train(*(SETTINGS if leg == 6 else ("--resume", FOLDER, "--quiet")))
    run_train("--resume", FOLDER, "--quiet")
    assert [done for _, _, done, _ in seen] == [0, 1317, 1317 + 2 * 256]


def test_an_interrupted_run_draws_its_pictures(run_train, interrupt_after):
    interrupt_after(8)
    assert run_train(*SETTINGS, pictures=True).code == 130
    assert {path.name for path in FOLDER.glob("*.png")} == {
        "curves.png", "weights.png", "confusion.png", "mistakes.png"
    }  # fmt: skip


def test_ctrl_c_while_drawing_comes_after_the_message_how_to_resume(run_train, interrupt_after, monkeypatch):
    def drawing(*_):
        raise KeyboardInterrupt

    interrupt_after(2)
    monkeypatch.setattr(train, "draw", drawing)
    result = run_train(*SETTINGS, pictures=True)
    assert (result.code, f"--resume {FOLDER}" in result.out) == (130, True)


def test_ctrl_c_during_the_last_pictures_loses_nothing(run_train, uninterrupted, monkeypatch):
    def drawing(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train, "draw", drawing)
        result = run_train(*SETTINGS, pictures=True)
    assert (result.code, "test accuracy" in result.out) == (130, True)
    assert run_train("--resume", FOLDER, "--quiet").out == result.out
    assert_same(uninterrupted)


def test_a_folder_with_a_space_in_its_name_can_be_pasted(run_train, interrupt_after):
    interrupt_after(2)
    result = run_train(*SETTINGS, "--out", "my run")
    assert "python train.py --resume 'my run'\n" in result.out


def test_overflowing_weights_are_not_saved_at_ctrl_c(run_tiny, interrupt_after):
    interrupt_after(1)
    assert run_tiny("--lr", 1e300, "--quiet").code == 1
    arrays = tg.load("runs/digits-8-seed0/last.npz").arrays
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_a_second_signal_acts_as_usual_and_so_does_one_outside(capsys):
    with Interrupt() as interrupt:
        assert not interrupt
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.signal == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert capsys.readouterr().err == "\nstopping after this update (once more to stop at once)\n"
    before = signal.getsignal(signal.SIGTERM)
    with Interrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGTERM)
    assert interrupt
    assert signal.getsignal(signal.SIGTERM) is before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_a_real_program_and_a_real_signal(run_train, interrupt_after):
    settings = [*SETTINGS, "--epochs", "100000"]
    settings.remove("--quiet")
    with subprocess.Popen(
        [sys.executable, PROJECT / "train.py", *settings, "--out", "real"], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(PROJECT)},
    ) as program:  # fmt: skip
        while not program.stderr.readline().startswith("epoch   3/"):
            assert program.poll() is None
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=200)
    assert (program.returncode, "python train.py --resume real" in out, "Traceback" in err) == (130, True, False)
    updates = int(re.search(r"after (\d+) updates", out)[1])
    assert updates > 18
    interrupt_after(updates)
    assert run_train(*settings, "--out", "again").code == 130
    real, again = (tg.load(Path(name) / "last.npz").arrays for name in ("real", "again"))
    assert real.keys() == again.keys()
    assert all(real[name].tobytes() == again[name].tobytes() for name in real)


# ------------------------------------------------------------------------------------------------ killed


@pytest.mark.parametrize("write", range(3, 12))
def test_a_run_killed_at_any_write_is_resumed_bit_for_bit(run_train, uninterrupted, monkeypatch, write):
    # A run writes: config, last; then best (where it is better), metrics and last in each epoch; result.
    writes, write_whole = [], training.run.write_whole

    def killing(path, content):
        writes.append(path.name)
        if len(writes) == write:
            raise Killed
        write_whole(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(training.run, "write_whole", killing)
        patch.setattr(tensorgrad.checkpoints, "write_whole", killing)
        with pytest.raises(Killed):
            run_train(*SETTINGS)
    assert run_train("--resume", FOLDER, "--quiet").code == 0
    assert_same(uninterrupted)


def test_a_run_killed_within_an_epoch_goes_on_from_the_last_one(run_train, uninterrupted, monkeypatch):
    with monkeypatch.context() as patch:
        calls, step = [], tg.optim.SGD.step

        def killing(optimizer):
            calls.append(1)
            if len(calls) == 10:
                raise Killed
            step(optimizer)

        patch.setattr(tg.optim.SGD, "step", killing)
        with pytest.raises(Killed):
            run_train(*SETTINGS)
    assert tg.load(FOLDER / "last.npz").config["progress"]["update"] == 6
    assert run_train("--resume", FOLDER, "--quiet").code == 0
    assert_same(uninterrupted)


def test_a_copy_of_a_run_is_resumed_apart_from_it(run_train, interrupt_after, uninterrupted):
    interrupt_after(9)
    run_train(*SETTINGS)
    shutil.copytree(FOLDER, "copy")
    assert run_train("--resume", "copy", "--quiet").code == 0
    assert (Path("copy") / "last.npz").read_bytes() == uninterrupted["last.npz"]
    assert not (FOLDER / "result.json").exists()


# ------------------------------------------------------------------------------------------------ refusals


@pytest.fixture
def stopped(run_train, interrupt_after):
    """The folder of a run that was stopped in its second epoch."""
    interrupt_after(8)
    assert run_train(*SETTINGS).code == 130
    return FOLDER


def test_a_finished_run_says_so(run_train, uninterrupted):
    folder = Path("elsewhere") / FOLDER
    folder.mkdir(parents=True)
    for name, content in uninterrupted.items():
        (folder / name).write_bytes(content)
    result = run_train("--resume", folder)
    assert (result.code, "has finished: nothing to resume" in result.out) == (0, True)
    assert {name: (folder / name).read_bytes() for name in RESULT} == uninterrupted


@pytest.mark.parametrize("option", [
    ["--epochs", "5"], ["--hidden", "8"], ["--lr", "0.1"], ["--seed", "1"], ["--out", "x"], ["--nesterov"],
    ["--model", "m.yaml"], ["--dataset", "digits"],
])  # fmt: skip
def test_a_run_is_not_resumed_with_other_options(run_train, refused, stopped, option):
    assert refused(run_train("--resume", stopped, *option), "leave out", option[0])


def test_a_run_is_not_resumed_on_other_data(run_train, refused, interrupt_after, write_mnist, workplace):
    write_mnist(workplace / "a")
    write_mnist(workplace / "b", count=150)
    interrupt_after(1)
    assert run_train("--data", "a", "--hidden", 4, "--epochs", 1).code == 130
    folder = "runs/mnist-4-seed0"
    assert refused(run_train("--resume", folder, "--data", "b"), "was trained on mnist data", "--data")
    (workplace / "a").rename(workplace / "c")
    assert refused(run_train("--resume", folder), "MNIST is not in a")
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
        (lambda path: np.savez(path, x=np.zeros(3)), "does not hold the state of a run"),
        (lambda path: tg.save(path, {}, {"options": {}, "data": {}, "progress": {}}), "does not hold the state"),
        (lambda path: tg.save(path, {}, {**tg.load(path).config, "progress": {"eboch": 1}}), "does not hold the state"),
        (lambda path: tg.save(path, best(path), {**tg.load(path).config, "progress": {}}), "PCG64"),
        (lambda path: tg.save(path, {}, tg.load(path).config), "velocities"),
        (lambda path: tg.save(path, {"optimizer.velocity.x": 0}, tg.load(path).config), "missing layers.hidden.bias"),
        (lambda path: shutil.copy(path.with_name("best.npz"), path), "velocities"),
        (lambda path: path.with_name("result.json").write_text("{"), "result.json is damaged"),
    ],
    ids=[
        "no file",
        "empty",
        "cut short",
        "a changed byte",
        "arrays alone",
        "no progress",
        "unknown progress",
        "no random state",
        "no velocities",
        "wrong velocities",
        "another checkpoint",
        "damaged result",
    ],
)
def test_what_cannot_be_resumed_is_one_clear_line(run_train, refused, stopped, damage, piece):
    damage(stopped / "last.npz")
    files = {path.name: path.read_bytes() for path in stopped.iterdir()}
    assert refused(run_train("--resume", stopped), str(stopped), piece)
    assert {path.name: path.read_bytes() for path in stopped.iterdir()} == files


WRONG = [None, "x", -1, {}, 1e300]
ENTRIES = ["options batch_size", "options lr", "options momentum", "options schedule", "options seed", "options freeze",
           "options warmup", "options validation", "options layers", "progress history", "progress random_state",
           "progress random_state state"]  # fmt: skip


@pytest.mark.parametrize("place", ENTRIES)
def test_a_configuration_of_the_wrong_kind_is_one_clear_line(run_train, refused, stopped, place):
    path = stopped / "last.npz"
    arrays, config = tg.load(path)
    *parents, name = place.split()
    holder = config
    for parent in parents:
        holder = holder[parent]
    right, refusals = holder[name], []
    for value in WRONG:
        holder[name] = value
        if place != "options lr" or value != 1e300:  # which is a number greater than 0
            tg.save(path, arrays, config)
            refusals.append(refused(run_train("--resume", stopped), str(path)))
    assert all(refusals)
    holder[name] = right
    tg.save(path, arrays, config)
    assert run_train("--resume", stopped).code == 0


@pytest.mark.parametrize("folder", ["nowhere", ".", "file"])
def test_where_there_is_no_run_is_one_clear_line(run_train, refused, folder):
    Path("file").write_text("no folder")
    assert refused(run_train("--resume", folder), f"--resume {folder}: there is no run to resume")

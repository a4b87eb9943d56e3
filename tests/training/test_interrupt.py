"""A run that is interrupted and resumed ends with bitwise the same files as one that was not."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
import train
from tests.runs import FOLDER, PICTURES, STATEFUL, assert_same, combined

pytestmark = pytest.mark.usefixtures("no_clock", "without_trials")
PROJECT = Path(train.__file__).parent


@pytest.mark.parametrize("legs", [
    [1],  # in the first update
    [3],  # in the middle of an epoch
    [6],  # in the last update of an epoch
    [7],  # in the first update of the next epoch
    [18],  # in the last update
    [5, 1], [1, 5, 6, 6],
    *(pytest.param(legs, marks=pytest.mark.slow) for legs in ([12], [17], [2, 2], [6, 6], [1] * 18)),
], ids=str)  # fmt: skip
def test_interrupted_run_is_resumed_bitwise(run_train, interrupt_after, uninterrupted, legs):
    arguments, done = STATEFUL, 0
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


def test_signal_between_epochs_stops_after_the_next_update(run_train, interrupt_after, uninterrupted):
    interrupt_after(1, train.Display, "epoch")
    result = run_train(*STATEFUL)
    assert (result.code, "in epoch 2 after 7 updates" in result.out) == (130, True)
    assert run_train("--resume", FOLDER, "--quiet").code == 0
    assert_same(uninterrupted)


def test_signal_after_the_last_update_has_no_effect(run_train, interrupt_after, uninterrupted):
    interrupt_after(3, train.Display, "epoch")
    assert run_train(*STATEFUL).code == 0
    assert_same(uninterrupted)


def test_comparison_detects_a_lost_random_state(run_train, interrupt_after, uninterrupted, monkeypatch):
    interrupt_after(3)
    run_train(*STATEFUL)
    restore = train.restore
    monkeypatch.setattr(train, "restore", lambda *given: restore(*given[:4], np.random.default_rng(1)))
    run_train("--resume", FOLDER, "--quiet")
    with pytest.raises(AssertionError, match=r"metrics\.csv"):
        assert_same(uninterrupted)


def test_bar_of_a_resumed_run_starts_at_the_images_it_has_processed(run_train, interrupt_after, monkeypatch):
    seen, display = [], train.Display
    monkeypatch.setattr(train, "Display", lambda *given: seen.append(given) or display(*given))
    for leg in (6, 2):
        interrupt_after(leg)
        run_train(*(STATEFUL if leg == 6 else ("--resume", FOLDER, "--quiet")))
    run_train("--resume", FOLDER, "--quiet")
    assert [done for _, _, done, *_ in seen] == [0, 1317, 1317 + 2 * 256]


def test_interrupted_run_draws_pictures(run_train, interrupt_after, unrendered):
    interrupt_after(8)
    assert run_train(*STATEFUL, pictures=True).code == 130
    assert {path.name for path in FOLDER.glob("*.png")} == PICTURES


@pytest.mark.parametrize(("target", "name"), [(train, "draw"), (train.images, "score"), (train.Run, "write_metrics")])
def test_ctrl_c_outside_an_update_says_how_to_resume(run_train, monkeypatch, uninterrupted, target, name):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(target, name, interrupted)
        result = run_train(*STATEFUL, pictures=True)
    assert (result.code, result.err) == (130, "train.py: stopped immediately\n")
    assert result.out.endswith(f"\n  python train.py --resume {FOLDER}\n")
    assert run_train("--resume", FOLDER, "--quiet").code == 0
    assert_same(uninterrupted)


def test_ctrl_c_while_the_final_pictures_are_drawn_loses_nothing_else(
    run_train, monkeypatch, uninterrupted, unrendered
):
    def interrupted(*_):
        assert_same(uninterrupted)  # the result is complete before the pictures
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train, "draw", interrupted)
        result = run_train(*STATEFUL, pictures=True)
    assert "test accuracy" in result.out
    resumed = run_train("--resume", FOLDER, "--quiet", pictures=True)
    assert (resumed.code, f"{FOLDER} has finished: drawing its pictures again" in resumed.out) == (0, True)
    assert {path.name for path in FOLDER.glob("*.png")} == PICTURES
    assert_same(uninterrupted)


def test_sigterm_saves_and_exits_with_143(run_train, interrupt_after, uninterrupted):
    interrupt_after(9, number=signal.SIGTERM)
    result = run_train(*STATEFUL)
    assert (result.code, "terminated in epoch 2 after 9 updates" in result.out) == (143, True)
    assert run_train("--resume", FOLDER, "--quiet").code == 0
    assert_same(uninterrupted)


def test_command_in_the_message_quotes_the_folder(run_train, interrupt_after):
    interrupt_after(2)
    result = run_train(*STATEFUL, "--out", "my run")
    assert "python train.py --resume 'my run'\n" in result.out


def test_weights_that_are_not_finite_are_not_saved_at_ctrl_c(run_tiny, interrupt_after):
    interrupt_after(1)
    assert run_tiny("--lr", 1e300, "--quiet").code == 1
    arrays = tg.load("runs/digits-8-seed0/last.npz").arrays
    assert all(np.isfinite(array).all() for array in arrays.values())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send SIGINT to one process")
def test_program_that_receives_sigint(run_train, interrupt_after, undrawn):
    settings = combined(*STATEFUL, "--epochs", "100000")
    settings.remove("--quiet")
    with subprocess.Popen(
        [sys.executable, PROJECT / "train.py", *settings, "--out", "real"], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=undrawn,
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
    one, other = (tg.load(Path(name) / "last.npz").arrays for name in ("real", "again"))
    assert one.keys() == other.keys()
    assert all(one[name].tobytes() == other[name].tobytes() for name in one)

"""Progress: a bar on a terminal, lines otherwise, nothing with --quiet."""

import io
import re
import sys

import pytest

from training.progress import Display

ROW = {"epoch": 1, "train_loss": 0.5, "val_loss": 0.25, "val_accuracy": 0.875, "seconds": 1.5}


class Terminal(io.StringIO):
    """A standard error that claims to be a terminal."""

    def isatty(self):
        return True


def terminal(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    return screen


def test_bar_shows_loss_accuracy_and_speed(monkeypatch):
    screen = terminal(monkeypatch)
    with Display(2, 100, 0, quiet=False) as display:
        for epoch in (1, 2):
            for _ in range(2):
                display.batch(epoch, 50, 0.75)
            display.epoch(ROW | {"epoch": epoch, "val_accuracy": 0.5 + epoch / 10})
    last = screen.getvalue().rsplit("\r", 1)[-1]
    assert re.search(r"epoch 2/2: 100%.*200/200.*images/s.*loss 0\.7500, val 70\.00%", last), last


def test_bar_of_a_resumed_run_starts_where_it_stopped(monkeypatch):
    screen = terminal(monkeypatch)
    with Display(2, 100, 150, quiet=False):
        pass
    assert "75%" in screen.getvalue()


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (ROW, "epoch   1/2  loss 0.5000  val loss 0.2500  val accuracy  87.50%     1.5 s\n"),
        (ROW | {"val_accuracy": float("nan")}, "epoch   1/2  loss 0.5000     1.5 s\n"),
    ],
)
def test_without_a_terminal_each_epoch_is_a_line(capsys, row, line):
    with Display(2, 100, 0, quiet=False) as display:
        display.batch(1, 100, 0.5)
        display.epoch(row)
    assert capsys.readouterr().err == line


def test_quiet_shows_nothing(monkeypatch):
    screen = terminal(monkeypatch)
    with Display(2, 100, 0, quiet=True) as display:
        display.batch(1, 100, 0.5)
        display.epoch(ROW)
    assert screen.getvalue() == ""


def test_run_without_a_terminal_writes_lines(run_tiny):
    result = run_tiny("--epochs", 3)
    lines = result.err.splitlines()
    assert [line[:11] for line in lines] == ["epoch   1/3", "epoch   2/3", "epoch   3/3"]
    assert "\r" not in result.err + result.out


def test_quiet_run_prints_only_its_result(run_tiny):
    result = run_tiny("--quiet")
    assert result.err == ""
    assert re.fullmatch(
        r"test accuracy [\d.]+%, with the weights of epoch \d, the best on the validation images\n", result.out
    )


def test_run_on_a_terminal_ends_with_a_full_bar(run_tiny, monkeypatch):
    screen = terminal(monkeypatch)
    assert run_tiny().code == 0
    assert re.search(r"epoch 2/2: 100%.*loss \d\.\d{4}, val +[\d.]+%", screen.getvalue().rsplit("\r", 1)[-1])

"""Progress: a bar on a terminal, lines otherwise, nothing with --quiet."""

import io
import re
import sys

import pytest

import train
from tests.runs import read_metrics
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


def shown(screen):
    """What a terminal shows at last: complete lines, and the bar."""
    return [line.rsplit("\r", 1)[-1].rstrip() for line in screen.getvalue().split("\n")]


def test_bar_shows_mean_loss_best_epoch_patience_and_time_below_a_line_for_each_epoch(monkeypatch):
    screen = terminal(monkeypatch)
    with Display(3, 100, 0, False, 2) as display:
        for epoch, accuracy in ((1, 0.75), (2, 0.5)):
            display.batch(epoch, 50, 0.75)
            display.batch(epoch, 50, 0.5)
            display.best(1, 0.75, epoch - 1)
            display.epoch(ROW | {"epoch": epoch, "val_accuracy": accuracy, "train_loss": epoch / 8})
    first, second, bar, *_ = shown(screen)
    assert first == "epoch   1/3  loss 0.1250  val loss 0.2500  val accuracy  75.00%     1.5 s  patience 0/2  best"
    assert second == "epoch   2/3  loss 0.2500  val loss 0.2500  val accuracy  50.00%     1.5 s  patience 1/2"
    pattern = r"epoch 2/3: +67%.*200/300 \[.*<.*images/s, loss 0\.2500, best val 75\.00% \(epoch 1\), patience 1/2"
    assert re.search(pattern, bar), bar


def test_bar_of_a_resumed_run_starts_where_it_stopped(monkeypatch):
    screen = terminal(monkeypatch)
    with Display(2, 100, 150, quiet=False):
        pass
    assert "75%" in screen.getvalue()


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (ROW, "epoch   1/2  loss 0.5000  val loss 0.2500  val accuracy  87.50%     1.5 s  best\n"),
        (ROW | {"val_accuracy": float("nan")}, "epoch   1/2  loss 0.5000     1.5 s\n"),
    ],
)
def test_without_a_terminal_each_epoch_is_a_line(capsys, row, line):
    with Display(2, 100, 0, quiet=False) as display:
        display.batch(1, 100, 0.5)
        display.best(1, row["val_accuracy"], 0)
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


def test_run_on_a_terminal_ends_with_a_full_bar_and_the_loss_in_metrics(run_tiny, monkeypatch, capsys):
    screen, described = terminal(monkeypatch), []
    batch = train.Display.batch
    monkeypatch.setattr(train.Display, "batch", lambda *given: described.append(given[3]) or batch(*given))
    result = run_tiny()
    assert result.code == 0
    losses = [float(row["train_loss"]) for row in read_metrics(result.folder)]
    assert described[5::6] == losses  # after the six updates of each epoch
    *lines, bar, _ = shown(screen)
    assert [line[:11] for line in lines] == ["epoch   1/2", "epoch   2/2"]
    assert re.search(rf"epoch 2/2: 100%.*loss {losses[-1]:.4f}, best val [\d.]+% \(epoch \d\)", bar), bar

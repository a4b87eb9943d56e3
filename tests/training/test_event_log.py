"""``--log tensorboard``: the log has each epoch once, with the numbers of metrics.csv, even if the run was killed."""

import struct
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

import train
from tests.runs import FOLDER, STATEFUL, Killed, read_metrics
from training.event_log import TAGS


@pytest.fixture(autouse=True)
def package():
    """Import tensorboardX, which takes two seconds, where it is needed and not where tests are collected."""
    pytest.importorskip("tensorboardX")


def records(path):
    """The records of an event file, whose checksums are verified."""
    from tensorboardX.crc32c import crc32c

    def masked(content):
        crc = crc32c(content)
        return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF

    content, at = path.read_bytes(), 0
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        assert struct.unpack_from("<I", content, at + 8)[0] == masked(content[at : at + 8])
        record = content[at + 12 : at + 12 + length]
        assert struct.unpack_from("<I", content, at + 12 + length)[0] == masked(record)
        yield record
        at += 16 + length
    assert at == len(content)


def logged(folder):
    """The values of each tag by step, in the order of the log, from all event files of a run."""
    from tensorboardX.proto.event_pb2 import Event

    found = defaultdict(list)
    for path in sorted(Path(folder, "tensorboard").iterdir()):
        events = [Event.FromString(record) for record in records(path)]
        assert events[0].file_version == "brain.Event:2"
        times = [event.wall_time for event in events[1:]]
        assert times == sorted(times)
        for event in events:
            for value in event.summary.value:
                found[value.tag].append((event.step, value.simple_value))
    return found


def assert_logged(folder):
    """That the log has the numbers of metrics.csv, those of each epoch once, and nothing else."""
    expected = {}
    for column, tag in TAGS.items():
        rows = [(int(row["epoch"]), np.float32(row[column])) for row in read_metrics(folder)]
        if values := [(epoch, value) for epoch, value in rows if not np.isnan(value)]:
            expected[tag] = values
    assert dict(logged(folder)) == expected
    assert {"loss/training", "loss/validation", "accuracy/validation", "learning rate"} <= expected.keys()


def test_log_has_the_numbers_of_the_metrics(run_tiny):
    run_tiny("--log", "tensorboard", "--out", "r", "--ema", 0.9)
    assert_logged("r")
    assert "accuracy/validation without averaging" in logged("r")
    assert run_tiny("--out", "other").code == 0
    assert not Path("other/tensorboard").exists()


KILLED = {"before the checkpoint": (train.Run, "write_metrics"), "after the checkpoint": (train.Display, "epoch")}


@pytest.mark.parametrize("moment", KILLED)
def test_log_of_a_killed_run_has_each_epoch_once(run_train, monkeypatch, uninterrupted, moment):
    for call in (2, 1):
        calls = []

        def killing(*_, calls=calls, call=call):
            calls.append(1)
            if len(calls) == call:
                raise Killed

        arguments = [*STATEFUL, "--log", "tensorboard"] if call == 2 else ["--resume", FOLDER, "--quiet"]
        with monkeypatch.context() as patch:
            patch.setattr(*KILLED[moment], killing)
            with pytest.raises(Killed):
                run_train(*arguments)
    assert run_train("--resume", FOLDER, "--quiet").code == 0
    assert_logged(FOLDER)
    assert run_train("--resume", FOLDER, "--quiet", "--epochs", 5).code == 0
    assert_logged(FOLDER)
    assert len(read_metrics(FOLDER)) == 5


def test_log_of_an_interrupted_run_goes_on(run_train, interrupt_after):
    interrupt_after(9)
    assert run_train(*STATEFUL).code == 130
    assert run_train("--resume", FOLDER, "--quiet", "--log", "tensorboard").code == 0
    assert_logged(FOLDER)
    before = logged(FOLDER)
    assert run_train("--resume", FOLDER, "--quiet", "--log", "none", "--epochs", 4).code == 0
    assert logged(FOLDER) == before


def test_log_does_not_change_the_run(run_train, uninterrupted, no_clock):
    assert run_train(*STATEFUL, "--log", "tensorboard").code == 0
    for name in ("metrics.csv", "result.json"):
        assert (FOLDER / name).read_bytes() == uninterrupted[name]


def test_without_the_package_nothing_is_started(run_tiny, refused, monkeypatch, workplace):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    result = run_tiny("--log", "tensorboard")
    assert refused(result, "--log tensorboard needs tensorboardX: python -m pip install")
    assert not list(workplace.iterdir())

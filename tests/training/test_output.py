"""Standard output and standard error that are closed, full, or a pipe without a reader."""

import io
import os
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from tests.helpers import sampled
from tests.runs import FILES, PICTURES, TINY
from training.output import ResilientStream, resilient_output

posix = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


def shell(command, *arguments, env=os.environ):
    """Run a command of the shell, which can use the variables PYTHON, ROOT and ARGUMENTS."""
    root = Path(__file__).resolve().parents[2]
    environment = env | {"PYTHON": sys.executable, "ROOT": str(root), "ARGUMENTS": " ".join(map(str, arguments))}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        env=environment, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


FULL = "error: the output is incomplete: [Errno 28] No space left on device\n"


@posix
@pytest.mark.parametrize(
    ("redirection", "code", "err"),
    [
        pytest.param(">&-", 0, None, marks=pytest.mark.slow),
        ("<&- >&- 2>&-", 0, ""),
        (">/dev/full", 2, FULL),
        pytest.param(">/dev/full 2>&1", 2, "", marks=pytest.mark.slow),
        pytest.param("| true", 141, None, marks=pytest.mark.slow),
        ("2>&1 | head -1", 141, ""),
    ],
)
def test_training_is_completed_without_output(undrawn, redirection, code, err):
    drawn = redirection == "<&- >&- 2>&-"  # where the files of the pictures get the descriptors 0 to 2
    env = os.environ if drawn else undrawn
    ended = shell(f'"$PYTHON" "$ROOT/train.py" $ARGUMENTS {redirection}', *TINY, "--out", "r", env=env)
    assert ended.returncode == code
    assert "Traceback" not in ended.stderr + ended.stdout
    assert {path.name for path in Path("r").iterdir()} == {".lock", *FILES, *(PICTURES if drawn else ())}
    if err is not None:
        assert ended.stderr.endswith(err)
        assert err or not ended.stderr


@posix
@pytest.mark.parametrize(
    ("redirection", "code", "err"),
    sampled([(">/dev/full", 2, f"evaluate.py: {FULL}"), (">&-", 0, ""), ("| true", 141, ""), ("2>&-", 0, "")], 2),
)
def test_evaluation_without_a_reader(trained, redirection, code, err):
    ended = shell(f'"$PYTHON" "$ROOT/evaluate.py" $ARGUMENTS {redirection}', trained / "best.npz")
    assert (ended.returncode, ended.stderr) == (code, err)


class Failing(io.StringIO):
    def write(self, text):
        raise OSError(28, "No space left on device")


def test_first_error_is_kept_and_further_text_is_discarded():
    stream = ResilientStream(Failing())
    assert (stream.write("abc"), stream.write("d"), stream.error.errno) == (3, 1, 28)


def test_output_appears_at_once_and_streams_are_restored(tmp_path):
    before = sys.stderr
    with (tmp_path / "out").open("w") as file, redirect_stdout(file):
        with resilient_output() as output:
            sys.stdout.write("line\n")
            assert (tmp_path / "out").read_text() == "line\n"
            assert output.error is None
        assert sys.stdout is file
    assert sys.stderr is before

"""Mistakes on the command line of the three programs: a single line that names the option and the remedy."""

import pytest

import sweep
import tensorgrad as tg
from tests.runs import called
from training.command_line import suggestion


@pytest.fixture
def run(run_train, run_evaluate, capsys):
    """``run(program, arguments...)``: call one of the three programs."""
    programs = {"train": run_train, "evaluate": run_evaluate}
    programs["sweep"] = lambda *arguments: called(capsys, sweep.main, arguments)
    return lambda program, *arguments: programs[program](*arguments)


# fmt: off
MISTAKES = [
    ("train",    "--lr 0.1 --lr 0.2",                "--lr is given twice"),
    ("train",    "--lr=0.1 --epochs 2 --lr=0.1",     "--lr is given twice"),
    ("train",    "--hidden 4 --hidden 5",            "--hidden is given twice: put all its values after one"),
    ("train",    "--nesterov --no-nesterov",         "--no-nesterov is given twice"),
    ("train",    "--quiet --quiet",                  "--quiet is given twice"),
    ("train",    "--epoch 2",                        "--epoch is not an option; did you mean --epochs?"),
    ("train",    "--batch_size 2",                   "--batch_size is not an option; did you mean --batch-size?"),
    ("train",    "--nonsense=1",                     "--nonsense is not an option"),
    ("train",    "--lr",                             "--lr needs a value"),
    ("train",    "--lr --epochs 2",                  "--lr needs a value"),
    ("train",    "--hidden --epochs 2",              "--hidden needs at least one value"),
    ("train",    "--quiet=yes",                      "--quiet/--no-quiet: ignored explicit argument 'yes'"),
    ("train",    "runs/x",                           "unexpected argument 'runs/x'"),
    ("train",    "--lr 0",                           "--lr must be a number greater than 0, got '0'"),
    ("evaluate", "--compare",                        "--compare needs at least one value"),
    ("evaluate", "--images x.png",                   "--images is not an option; did you mean --image?"),
    ("evaluate", "a.npz b.npz",                      "unexpected argument 'b.npz'"),
    ("evaluate", "a.npz --image",                    "--image needs at least one value"),
    ("evaluate", "a.npz --image x --json --csv",     "--csv: not allowed with"),
    ("evaluate", "a.npz --data x --data y",          "--data is given twice"),
    ("sweep",    "--lr 0.1 --out a --out b",         "--out is given twice"),
    ("sweep",    "--lr 0.1 --lr 0.2",                "--lr is given twice: put all its values after one"),
    ("sweep",    "--quite",                          "--quite is not an option; did you mean --quiet?"),
    ("sweep",    "a.yaml b.yaml",                    "unexpected argument 'b.yaml'"),
]
# fmt: on


@pytest.mark.parametrize(("program", "arguments", "message"), MISTAKES, ids=[f"{p} {a}" for p, a, _ in MISTAKES])
def test_mistake_is_a_single_line(run, workplace, program, arguments, message):
    result = run(program, *arguments.split())
    assert result.code == 2
    (line,) = result.err.splitlines()
    assert line.startswith(f"{program}.py: error: {message}")
    assert line.endswith(f"(python {program}.py --help lists the options)") or message.endswith("'0'")
    assert result.out == ""
    assert not list(workplace.iterdir())


@pytest.mark.parametrize("program", ["train", "evaluate", "sweep"])
def test_version(run, program):
    result = run(program, "--version")
    assert (result.code, result.out) == (0, f"tensorgrad {tg.__version__}\n")


def test_words_after_two_hyphens_are_not_options(run):
    assert "no checkpoint at --data" in run("evaluate", "--", "--data").err


def test_suggestion_is_the_most_similar_name_or_a_list():
    assert suggestion("hiden", ["hidden", "lr"]) == "did you mean hidden?"
    assert suggestion("xyz", ["hidden", "lr"]) == "valid: hidden, lr"


def test_lines_of_the_help_fit(run):
    for program in ("train", "evaluate", "sweep"):
        result = run(program, "--help")
        assert result.code == 0
        assert max(map(len, result.out.splitlines())) <= 120

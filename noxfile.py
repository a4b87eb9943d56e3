"""The checks of the project, one session each; `.ci/run` and the workflow on GitHub run these and nothing else.

::

    python -m pip install -e ".[dev]"
    nox                        # all of them
    nox -s lint types          # some of them
    nox -s tests-3.13          # the tests with another Python, if this machine has it
    nox -l                     # what there is

Sessions that need nothing but the extra `dev` run in the environment that nox runs in; those that need another Python,
other packages or a bare environment make one, in ``.nox``, and use it again.
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import nox

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
TORCH = "torch==2.13.0"  # installed by itself first: a later one may be a build for GPUs
# The accuracy that a short training run has to reach: (data set, epochs, least accuracy on the test images).
TRAINING = [("digits", 20, 0.93), ("mnist", 1, 0.95)]
IN_WHEEL = ("tensorgrad/py.typed", "tensorgrad/data/digits.npz", "tensorgrad/data/digits.txt",
            "tensorgrad/engine/tape.py", "tensorgrad/frontend/signatures.pyi",
            "tensorgrad/functional/__init__.pyi")  # fmt: skip
IN_SDIST = ("train.py", "evaluate.py", "models/report.yaml", "training/run.py", "tests/cases/__init__.py", "README.md",
            "LICENSE", "noxfile.py", "docs/how-it-works.md", "CONTRIBUTING.md", "CHANGELOG.md",
            "tensorgrad/py.typed")  # fmt: skip
BARE = """
import numpy as np, tensorgrad as tg
w = tg.Tensor(np.ones(3), requires_grad=True)
np.sum(np.exp(w)).backward()
assert np.allclose(w.grad, np.e)
assert tg.data.digits().train_images.shape == (1437, 8, 8)
"""

nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "types", "docs", "dist", "train", "tests", "coverage", "slow", "compare"]
os.environ.setdefault("MPLBACKEND", "Agg")


@nox.session(venv_backend="none")
def lint(session: nox.Session) -> None:
    """Style, format, and the security of the workflows."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("zizmor", "--offline", "--no-progress", ".github")


@nox.session(venv_backend="none")
def types(session: nox.Session) -> None:
    """The types of the package and the programs, and of users' programs for a second type checker."""
    session.run("mypy")
    programs = ("tensors", "functions", "derivatives", "numpy_functions")
    session.run("basedpyright", "--level", "error", *(f"tests/typing/{name}.py" for name in programs))


@nox.session(python=PYTHONS, venv_backend="venv")
def tests(session: nox.Session) -> None:
    """The test command of the README, with each Python that this machine has."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(venv_backend="none")
def coverage(session: nox.Session) -> None:
    """The same tests, with the lines and branches of the package that they reach; fails below the floor."""
    session.run("python", "-m", "pytest", "--cov=tensorgrad", "--cov-report=term:skip-covered", *session.posargs)


@nox.session(venv_backend="none")
def slow(session: nox.Session) -> None:
    """The rows in other layouts and read-only, each input alone; the measured errors of docs/gradients.md."""
    session.run("python", "-m", "pytest", "-m", "slow", *session.posargs)


@nox.session(venv_backend="venv")
def compare(session: nox.Session) -> None:
    """Values and gradients beside those of PyTorch and HIPS autograd."""
    session.install(TORCH)
    session.install("-e", ".[compare]")
    session.run(
        "python", "-m", "pytest", "-m", "compare", "tests/compare", *session.posargs, env={"OMP_NUM_THREADS": "1"}
    )


@nox.session(venv_backend="none")
def docs(session: nox.Session) -> None:
    """The pages: what they show runs, what they link to exists, docs/gradients.md is what the table says."""
    session.run("python", "docs/gradients.py", "--check", "--fast")
    session.run("python", "-m", "pytest", "-n0", "tests/test_readme.py", "tests/test_how_it_works.py")


@nox.session(venv_backend="none")
def train(session: nox.Session) -> None:
    """Training runs, whose accuracy is asserted; the one on MNIST where $TENSORGRAD_DATA holds it."""
    for dataset, epochs, least in TRAINING:
        if dataset == "mnist" and not os.environ.get("TENSORGRAD_DATA"):
            session.log("no MNIST here: the run on it is left out")
            continue
        out = Path(session.create_tmp()).resolve() / dataset
        shutil.rmtree(out, ignore_errors=True)
        session.run("python", "train.py", "--dataset", dataset, "--epochs", str(epochs), "--out", str(out), "--quiet")
        reached = json.loads((out / "result.json").read_text(encoding="utf-8"))["test_accuracy"]
        if reached < least:
            session.error(f"{dataset}: {reached:.4f} < {least}")
        session.log(f"{dataset}: {reached:.4f} >= {least}")
        session.run("python", "evaluate.py", str(out / "best.npz"), silent=True)
        if dataset == "mnist":
            said = session.run("python", "evaluate.py", "checkpoints/mnist-400.npz", silent=True)
            if "accuracy" not in str(said):
                session.error("evaluate.py says nothing of an accuracy")


@nox.session(venv_backend="venv")
def dist(session: nox.Session) -> None:
    """The wheel and the sdist hold what they should, and the wheel works with NumPy alone."""
    folder = Path(session.create_tmp()).resolve() / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    session.run("python", "-m", "pip", "uninstall", "--quiet", "--yes", "tensorgrad-np")
    session.run("python", "-m", "pip", "install", "--quiet", "build>=1.2")
    session.run("python", "-m", "build", "--quiet", "--outdir", str(folder), ".", silent=True)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    in_wheel = zipfile.ZipFile(wheel).namelist()
    with tarfile.open(sdist) as archive:
        in_sdist = [name.partition("/")[2] for name in archive.getnames()]
    missing = [name for name in IN_WHEEL if name not in in_wheel] + [name for name in IN_SDIST if name not in in_sdist]
    strangers = [name for name in in_wheel if not name.startswith(("tensorgrad/", "tensorgrad_np-"))]
    if missing or strangers:
        session.error(f"missing: {missing}, not of the package: {strangers}")
    session.log(f"wheel {len(in_wheel)} files, sdist {len(in_sdist)}")
    bare = folder / "bare"
    session.run("python", "-m", "venv", str(bare))
    python = str(bare / ("Scripts" if os.name == "nt" else "bin") / "python")
    session.run(python, "-m", "pip", "install", "--quiet", str(wheel), external=True)
    session.chdir(folder)
    session.run(python, "-c", BARE, external=True, env={"PYTHONPATH": ""})

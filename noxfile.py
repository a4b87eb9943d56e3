"""The checks of the project, as nox sessions, which `.ci/run` and the workflow on GitHub run.

::

    python -m pip install -e ".[dev]"
    nox                        # all of them
    nox -s lint types          # some of them
    nox -s tests-3.13          # the tests with another version of Python, if it is installed
    nox -l                     # a list of all sessions

Sessions that need only the extra `dev` run in the current environment. Those that need another version of Python, other
packages or an empty environment create one in ``.nox``, and reuse it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
import zipfile
from pathlib import Path

import nox

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
TORCH = "torch==2.13.0"  # pinned, and installed first
# The accuracy that a short training run must reach: (data set, epochs, minimum accuracy on the test images).
TRAINING = [("digits", 20, 0.93), ("mnist", 1, 0.95)]
IN_WHEEL = ("tensorgrad/py.typed", "tensorgrad/data/digits.npz", "tensorgrad/data/digits.txt",
            "tensorgrad/engine/tape.py", "tensorgrad/frontend/signatures.pyi",
            "tensorgrad/functional/__init__.pyi", "tensorgrad/drawing/interactive.js")  # fmt: skip
IN_SDIST = ("train.py", "evaluate.py", "models/report.yaml", "training/run.py", "training/page/page.html",
            "tests/cases/__init__.py", "README.md", "LICENSE", "noxfile.py", "docs/how-it-works.md", "docs/digit.html",
            "docs/lessons/lesson.py", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md",
            "examples/gaussian_process.py", "tensorgrad/py.typed")  # fmt: skip
BARE = """
import numpy as np, tensorgrad as tg
w = tg.Tensor(np.ones(3), requires_grad=True)
np.sum(np.exp(w)).backward()
assert np.allclose(w.grad, np.e)
assert tg.data.digits().train_images.shape == (1437, 8, 8)
"""

nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False
nox.options.sessions = [
    "lint", "types", "docs", "site", "lessons", "dist", "train", "tests", "coverage", "slow", "page", "compare",
]  # fmt: skip
os.environ.setdefault("MPLBACKEND", "Agg")


@nox.session(venv_backend="none")
def lint(session: nox.Session) -> None:
    """Style, format, and the security of the workflows."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("zizmor", "--offline", "--no-progress", ".github")


@nox.session(venv_backend="none")
def types(session: nox.Session) -> None:
    """The types of the package and the programs by mypy, and those of users' programs by a second type checker."""
    session.run("mypy")
    programs = ("tensors", "functions", "derivatives", "layers", "numpy_functions")
    session.run("basedpyright", "--level", "error", *(f"tests/typing/{name}.py" for name in programs))


@nox.session(python=PYTHONS, venv_backend="venv")
def tests(session: nox.Session) -> None:
    """The test command of the README, with each version of Python that is installed."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(venv_backend="none")
def coverage(session: nox.Session) -> None:
    """The same tests with coverage of lines and branches; fails below the minimum in pyproject.toml."""
    session.run("python", "-m", "pytest", "--cov=tensorgrad", "--cov-report=term:skip-covered", *session.posargs)


@nox.session(venv_backend="none")
def slow(session: nox.Session) -> None:
    """Slow tests: all of what is a sample in the others, rows with other layouts, the errors of docs/gradients.md."""
    session.run("python", "-m", "pytest", "-m", "slow", *session.posargs)


@nox.session(venv_backend="venv")
def compare(session: nox.Session) -> None:
    """Values and gradients compared with those of PyTorch, JAX and HIPS autograd."""
    session.install(TORCH)
    session.install("-e", ".[compare]")
    tests = (
        "tests/compare",
        "tests/test_from_pytorch.py",
        "tests/test_from_autograd.py",
        "tests/test_from_jax.py",
        "tests/test_benchmarks.py",
    )
    session.run("python", "-m", "pytest", "-m", "compare", *tests, *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session(venv_backend="venv")
def page(session: nox.Session) -> None:
    """The page to draw on, in Chromium; without it, the session says so."""
    browser = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        session.skip(f"no Chromium: none of {', '.join(BROWSERS)} is in $PATH, and $CHROMIUM is not set")
    session.install("-e", ".[page]")
    tests = ("-m", "page", "-n0", "tests/page")
    session.run("python", "-m", "pytest", *tests, *session.posargs, env={"CHROMIUM": browser})


@nox.session(venv_backend="none")
def docs(session: nox.Session) -> None:
    """The pages: examples run, links exist, docs/gradients.md is up to date."""
    session.run("python", "docs/gradients.py", "--check", "--fast")
    pages = ("readme", "how_it_works", "from_autograd")
    session.run("python", "-m", "pytest", "-n0", *(f"tests/test_{name}.py" for name in pages))


@nox.session(venv_backend="venv")
def lessons(session: nox.Session) -> None:
    """The notebooks of docs/lessons, with mistakes in and solutions of their exercises."""
    session.install("-e", ".[test,lessons]")
    session.run("python", "-m", "pytest", "-m", "lessons", "tests/test_lessons.py", *session.posargs)


@nox.session(venv_backend="venv")
def site(session: nox.Session) -> None:
    """The documentation as a site: every link and every public name is found, and nothing is loaded from elsewhere."""
    session.install("-e", ".[docs]")
    folder = Path(session.create_tmp()).resolve() / "site"
    session.run("mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder), env={"NO_MKDOCS_2_WARNING": "1"})
    loaded = re.compile(
        r"<(?:script|img|iframe)[^>]+src=.?https?:|<link[^>]+rel=.?(?:stylesheet|preconnect)[^>]+https?:"
    )
    pages = [*folder.rglob("*.html")]
    external = [page for page in pages if loaded.search(page.read_text(encoding="utf-8"))]
    if external or len(pages) < 25:
        session.error(f"{len(pages)} pages; these load files of other sites: {external}")
    session.log(f"{len(pages)} pages")


@nox.session(venv_backend="none")
def train(session: nox.Session) -> None:
    """Training runs with a minimum accuracy; on MNIST only if it is in $TENSORGRAD_DATA."""
    for dataset, epochs, least in TRAINING:
        if dataset == "mnist" and not os.environ.get("TENSORGRAD_DATA"):
            session.log("TENSORGRAD_DATA is not set: the run on MNIST is skipped")
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
            output = session.run("python", "evaluate.py", "checkpoints/mnist-400.npz", silent=True)
            if "accuracy" not in str(output):
                session.error("evaluate.py prints no accuracy")


@nox.session(venv_backend="venv")
def dist(session: nox.Session) -> None:
    """The wheel and the sdist contain what they should, and the wheel works with only NumPy installed."""
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
    unexpected = [name for name in in_wheel if not name.startswith(("tensorgrad/", "tensorgrad_np-"))]
    if missing or unexpected:
        session.error(f"missing: {missing}, unexpected: {unexpected}")
    session.log(f"wheel {len(in_wheel)} files, sdist {len(in_sdist)}")
    bare = folder / "bare"
    session.run("python", "-m", "venv", str(bare))
    python = str(bare / ("Scripts" if os.name == "nt" else "bin") / "python")
    session.run(python, "-m", "pip", "install", "--quiet", str(wheel), external=True)
    session.chdir(folder)
    session.run(python, "-c", BARE, external=True, env={"PYTHONPATH": ""})

"""The package: imported only on request, and named in the errors of SciPy's functions called with tensors."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tensorgrad.scipy
from tests.helpers import leaf

PAGE = Path(__file__).parents[2] / "docs" / "scipy.md"


def in_a_process(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=200)
    return done.stdout.strip()


def test_tensorgrad_does_not_import_it():
    code = "import sys, tensorgrad; print([x for x in sys.modules if x.startswith(('scipy', 'tensorgrad.scipy'))])"
    assert in_a_process(code) == "[]"


def test_an_error_says_what_to_install():
    code = """
import sys
sys.modules["scipy"] = None
try:
    import tensorgrad.scipy
except ImportError as error:
    print(error)
"""
    assert in_a_process(code) == "tensorgrad.scipy needs SciPy: python -m pip install scipy"


def test_the_page_lists_what_is_there():
    text = PAGE.read_text(encoding="utf-8")
    named = {tuple(x.split(".")) for x in re.findall(r"tensorgrad\.scipy\.(\w+\.\w+)", text)}
    for namespace, name in named:
        assert hasattr(getattr(tensorgrad.scipy, namespace), name), name
    for namespace in tensorgrad.scipy.__all__:
        for name in getattr(tensorgrad.scipy, namespace).__all__:
            assert re.search(rf"\b{name}\b", text), f"{namespace}.{name}"


def scipys(module, name, *args):
    return lambda t: getattr(pytest.importorskip(f"scipy.{module}"), name)(*args, t)


REFUSED = [
    scipys("special", "logsumexp"), scipys("special", "polygamma", 1), scipys("linalg", "expm"),
    scipys("linalg", "solve_triangular", np.eye(2)), scipys("linalg", "block_diag"),
    scipys("signal", "fftconvolve", np.eye(2)), scipys("integrate", "solve_ivp", lambda t, y: -y, (0, 1)),
    lambda t: scipys("integrate", "odeint", lambda y, t: -y, np.ones(2))(t[:, 1]),
]  # fmt: skip


@pytest.mark.parametrize("call", REFUSED)
def test_scipys_own_functions_name_ours(call):
    with pytest.raises(TypeError, match=r"tensorgrad\.scipy.*docs/scipy\.md"):
        call(leaf(np.eye(2)))

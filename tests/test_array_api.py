"""Tensors offer no namespace of the array API (docs/scipy.md says why); who asks for one never loses a gradient."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg

ROOT = Path(__file__).parent.parent

# Functions of SciPy that compute by namespaces if $SCIPY_ARRAY_API is set. The answer is none, or NumPy's namespace.
PROGRAM = """
import json
import numpy as np, tensorgrad as tg
import scipy.fft, scipy.integrate, scipy.linalg, scipy.ndimage, scipy.signal, scipy.special, scipy.stats

calls = {
    "logsumexp": scipy.special.logsumexp, "softmax": scipy.special.softmax, "expit": scipy.special.expit,
    "zscore": scipy.stats.zscore, "gmean": scipy.stats.gmean, "skew": scipy.stats.skew,
    "trapezoid": scipy.integrate.trapezoid, "simpson": scipy.integrate.simpson,
    "detrend": scipy.signal.detrend, "gaussian_filter": lambda t: scipy.ndimage.gaussian_filter(t, 1.0),
    "fft": scipy.fft.fft, "dct": scipy.fft.dct, "norm": scipy.linalg.norm,
}


def outcome(function):
    t = tg.Tensor([0.3, 0.7, 1.5, 2.2], requires_grad=True)
    try:
        return "recorded" if getattr(function(t), "requires_grad", False) else "lost"
    except (TypeError, ValueError) as error:  # GradientLostError and NoRuleError are TypeErrors
        return type(error).__name__


none = {name: outcome(function) for name, function in calls.items()}
tg.Tensor.__array_namespace__ = lambda self, api_version=None: np
print(json.dumps([none, {name: outcome(function) for name, function in calls.items()}]))
"""


@pytest.mark.parametrize("requires_grad", [False, True])
def test_a_tensor_is_not_an_array_of_the_standard(requires_grad):
    compat = pytest.importorskip("array_api_compat")
    t = tg.Tensor([0.5, 2.0], requires_grad=requires_grad)
    assert not hasattr(t, "__array_namespace__")
    assert not compat.is_array_api_obj(t)
    with pytest.raises(TypeError, match="Tensor is not a supported array type"):
        compat.array_namespace(t)
    with pytest.raises(TypeError, match="Tensor is not a supported array type"):
        compat.array_namespace(np.ones(2), t)


def test_scipy_by_namespaces_raises_and_never_loses_a_gradient():
    pytest.importorskip("scipy")
    environment = os.environ | {"SCIPY_ARRAY_API": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM], env=environment, timeout=120,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    for outcomes in json.loads(done.stdout):
        assert len(outcomes) == 13
        assert "lost" not in outcomes.values(), outcomes
        assert "GradientLostError" in outcomes.values()

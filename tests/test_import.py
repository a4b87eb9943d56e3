"""`import tensorgrad` needs only NumPy, and takes little time."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run(code, cache=None):
    compiled = {} if cache is None else {"PYTHONPYCACHEPREFIX": str(cache), "PYTHONDONTWRITEBYTECODE": ""}
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=200, env=os.environ | compiled,
    )  # fmt: skip
    return json.loads(result.stdout)


def test_imports_numpy_and_the_standard_library_alone():
    loaded = run("""
import sys, json
import numpy
before = set(sys.modules)
import tensorgrad
print(json.dumps(sorted({name.split(".")[0] for name in set(sys.modules) - before})))
""")
    assert set(loaded) - set(sys.stdlib_module_names) - {"numpy"} == {"tensorgrad"}


def test_brings_in_no_heavy_part_of_the_standard_library():
    loaded = run("""
import sys, json
import numpy
before = set(sys.modules)
import tensorgrad
print(json.dumps(sorted(set(sys.modules) - before)))
""")
    assert not {
        "unittest",
        "asyncio",
        "multiprocessing",
        "urllib.request",
        "http.client",
        "ssl",
        "numpy.testing",
    } & set(loaded)


def test_layers_are_imported_when_they_are_used():
    before, after = run("""
import sys, json
import tensorgrad as tg
before = sorted(name for name in sys.modules if name.startswith("tensorgrad.nn"))
tg.nn.Linear
print(json.dumps([before, sorted(name for name in sys.modules if name.startswith("tensorgrad.nn"))]))
""")
    assert not before
    assert "tensorgrad.nn.recurrent" in after


def test_takes_little_longer_than_numpy(tmp_path):
    """At most 20 ms of CPU time are promised, a third of what NumPy takes; a ratio is the same beside a load."""
    code = """
import time, json
start = time.process_time()
import numpy
between = time.process_time()
import tensorgrad
print(json.dumps((time.process_time() - between) / (between - start)))
"""
    assert any(run(code, tmp_path) < 0.65 for _ in range(6))  # the first one compiles


def test_the_public_names_are_there():
    import tensorgrad as tg

    promised = [
        "Tensor",
        "no_grad",
        "grad",
        "gradcheck",
        "gradgradcheck",
        "primitive",
        "rule",
        "relu",
        "sigmoid",
        "softplus",
        "softmax",
        "log_softmax",
        "logsumexp",
        "cross_entropy",
        "dropout",
        "nn",
        "optim",
        "schedules",
        "save",
        "load",
        "Checkpoint",
        "NoRuleError",
        "FreedGraphError",
        "OverwriteError",
        "GradcheckError",
        "ShapeError",
        "DataError",
        "DataNotFoundError",
        "CheckpointError",
        "ConfigError",
        "TensorgradError",
        "__version__",
    ]
    assert [name for name in promised if not hasattr(tg, name)] == []


def test_errors_are_also_the_built_in_kind():
    import tensorgrad as tg

    for error, kind in [
        (tg.NoRuleError, TypeError), (tg.FreedGraphError, RuntimeError), (tg.OverwriteError, RuntimeError),
        (tg.GradcheckError, AssertionError), (tg.ShapeError, ValueError), (tg.DataError, ValueError),
        (tg.DataNotFoundError, tg.DataError), (tg.CheckpointError, ValueError), (tg.ConfigError, ValueError),
    ]:  # fmt: skip
        assert issubclass(error, kind)
        assert issubclass(error, tg.TensorgradError)

"""PyTorch's names: errors that say what to write, and the page generated from the same table, compared with PyTorch."""

import copy
import importlib.util
import inspect
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.engine.tape import value_of
from tensorgrad.frontend.spelling import FUNCTIONS, METHODS
from tests.helpers import each

DOCS = Path(__file__).parent.parent / "docs"
ROWS = [(name, *lines) for table in (METHODS, FUNCTIONS) for name, lines in table.items()]
T, U = np.array([[0.3, 1.7, 0.9], [2.1, 0.4, 1.2]]), np.array([[1.3, 0.7, 0.8], [0.2, 1.4, 2.2]])


def known(tensor, integers=np.asarray):
    """The variables of the table; `v` can be written to."""
    m = np.array([[2.0, 0.3, 0.1], [0.2, 1.5, 0.4], [0.6, 0.1, 1.1]])
    index, mask = np.array([[2, 0], [1, 1]]), T > 1
    return {"t": tensor(T), "u": tensor(U), "v": tensor(T) * 1, "m": tensor(m), "a": np.array([1.0, 2.0]),
            "i": integers(np.array([1, 0])), "index": integers(index), "mask": integers(mask), "np": np,
            "tg": tg}  # fmt: skip


def run(line, names):
    """The value of a line of code, or the value of `v` after it."""
    *statements, last = line.split("; ")
    for statement in statements:
        exec(statement, names)
    try:
        value = eval(last, names)
    except SyntaxError:
        exec(last, names)
        value = None
    return names["v"] if value is None else value


@each(("name", "theirs", "ours"), ROWS, ids=[f"{row[0]}: {row[2]}" for row in ROWS])
def test_our_line_runs(name, theirs, ours):
    assert name in theirs
    if "scipy" in ours and importlib.util.find_spec("scipy") is None:
        return
    for tracked in (True, False):
        run(ours, known(lambda x, tracked=tracked: tg.Tensor(x.copy(), requires_grad=tracked)))


@pytest.mark.compare
@pytest.mark.parametrize(("name", "theirs", "ours"), ROWS, ids=[f"{row[0]}: {row[1]}" for row in ROWS])
def test_it_is_what_pytorch_computes(name, theirs, ours):
    import torch

    expected = run(theirs, known(torch.tensor, torch.as_tensor) | {"torch": torch})
    got = run(ours, known(lambda x: tg.Tensor(x.copy())))
    if isinstance(got, type):  # a dtype
        assert str(np.dtype(got)) == str(expected).removeprefix("torch.")
        return
    got = np.asarray(value_of(got))
    np.testing.assert_allclose(got, np.asarray(expected.detach() if torch.is_tensor(expected) else expected), rtol=1e-6)
    assert got.shape == tuple(np.shape(expected))
    if name in ("float", "double", "half", "long", "int", "bool", "type_as", "to"):
        assert str(got.dtype) == str(expected.dtype).removeprefix("torch.")


@each("name", sorted(METHODS.keys() | {"cuda", "grad_fn", "register_hook"}))
def test_a_tensor_says_what_to_write(name):
    t = tg.Tensor(T)
    assert not hasattr(t, name)
    assert getattr(t, name, 3) == 3
    with pytest.raises(AttributeError, match=f"'Tensor' object has no attribute '{name}': ") as caught:
        getattr(t, name)
    if name in METHODS:
        assert METHODS[name][1] in str(caught.value)
    assert (caught.value.name, caught.value.obj) == (name, t)


@each("name", sorted(FUNCTIONS))
def test_the_package_says_what_to_write(name):
    assert not hasattr(tg, name)
    with pytest.raises(AttributeError) as caught:
        getattr(tg, name)
    assert FUNCTIONS[name][1] in str(caught.value)


@pytest.mark.parametrize(("name", "words"), [
    ("randn", "default_rng"), ("manual_seed", "default_rng"), ("vmap", "batch axes"), ("linalg", r"np\.linalg"),
    ("device", "on the CPU"), ("inference_mode", r"tg\.no_grad"), ("autograd", r"tg\.grad"), ("jit", r"tg\.compile"),
    ("special", "scipy"), ("utils", r"tg\.data"), ("enable_grad", "recorded"), ("mul", r"write t \* u for t\.mul"),
    ("masked_fill", r"np\.where"),
])  # fmt: skip
def test_other_names_of_the_package_and_names_of_methods(name, words):
    with pytest.raises(AttributeError, match=f"'tensorgrad' has no attribute '{name}': .*{words}"):
        getattr(tg, name)


def test_functions_of_numpy_are_numpys():
    with pytest.raises(AttributeError, match=r"write np\.exp\(t\)"):
        _ = tg.exp
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'$"):
        _ = tg.nothing
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'$"):
        _ = tg.Tensor(1.0).nothing


def test_missing_attributes_are_hidden_and_break_no_protocol():
    t = tg.Tensor(T, requires_grad=True)
    for shown in (dir(t), dir(tg.Tensor)):
        assert {"reshape", "data", "backward"} <= set(shown)
        assert not set(shown) & METHODS.keys()
    for clone in (copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))):
        np.testing.assert_array_equal(clone(t).data, T)
    assert not {name for name, _ in inspect.getmembers(t)} & METHODS.keys()
    assert inspect.getdoc(tg.Tensor).startswith("An n-dimensional array")


def test_a_subclass_may_have_such_a_name():
    class Mine(tg.Tensor):
        def view(self, *shape):
            return self.reshape(shape)

    assert Mine(T).view(3, 2).shape == (3, 2)
    assert "view" in dir(Mine(T))
    assert "view" in dir(Mine)
    assert "unsqueeze" not in dir(Mine)


def test_the_page_is_made_of_the_table():
    check = [sys.executable, str(DOCS / "from_pytorch.py"), "--check"]
    assert subprocess.run(check, check=False).returncode == 0
    page = (DOCS / "from-pytorch.md").read_text(encoding="utf-8")
    for _, theirs, ours in ROWS:
        assert f"| `{theirs}` | `{ours}` |" in page


def test_a_page_that_was_changed_is_noticed(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(DOCS)
    import from_pytorch

    page = from_pytorch.PAGE.read_text(encoding="utf-8")
    assert from_pytorch.render(page) == page
    assert from_pytorch.render(page.replace("np.expand_dims(t, 0)", "t")) == page

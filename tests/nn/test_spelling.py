"""Names of PyTorch that `tg.nn` does not have raise an error that says what to write."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.nn.spelling import LINES, WORDS
from tests.helpers import each


@each("name", [*LINES, *WORDS])
def test_an_error_says_what_to_write(name):
    assert name not in tg.nn.__all__
    with pytest.raises(AttributeError, match=rf"^module 'tensorgrad\.nn' has no attribute '{name}': .") as caught:
        getattr(tg.nn, name)
    assert LINES.get(name, WORDS.get(name)) in str(caught.value)


@each("line", LINES.values())
def test_what_it_says_is_there(line):
    x = np.ones((2, 3))
    made = eval(line, {"tg": tg, "np": np, "x": x})
    assert callable(made) or isinstance(made, tg.Tensor)


@pytest.mark.compare
@pytest.mark.parametrize("name", [*LINES, *WORDS])
def test_pytorch_has_it(name):
    torch = pytest.importorskip("torch")
    assert hasattr(torch.nn, name)


def test_other_names_are_just_missing():
    with pytest.raises(AttributeError, match=r"has no attribute 'Lineer'$"):
        _ = tg.nn.Lineer
    assert not hasattr(tg.nn, "Transformer")
    assert set(dir(tg.nn)) == {*tg.nn.__all__, "__doc__"}

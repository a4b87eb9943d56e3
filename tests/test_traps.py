"""docs/traps.md: the code on the left raises and names a remedy, the code on the right runs and is differentiable."""

import math
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import each

PAGE = (Path(__file__).parent.parent / "docs" / "traps.md").read_text(encoding="utf-8")
TABLE = [
    [re.findall(r"`([^`]+)`", cell) for cell in line.strip("| ").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| `")
]
PAIRS = [(wrong, code) for (wrong,), *right in TABLE for cell in right for code in cell]
WAYS_OUT = ("tg.array", "np.stack", "like=", "F = F + t", "t.item()", "t.data", "np.column_stack")


def names():
    t = tg.Tensor(np.array([0.5, 1.5, 2.5]), requires_grad=True)
    return {"np": np, "tg": tg, "math": math, "t": t, "s": np.sum(t * t), "F": np.zeros(3),
            "rng": np.random.default_rng(0),
            "A": np.array([[1.0, -1.0, 2.0], [0.5, 0.0, 1.0], [2.0, 1.0, 1.0]])}  # fmt: skip


def run(code):
    """The value of a line of code, or of F after it; and the leaf."""
    known = names()
    *statements, last = code.split("; ")
    for statement in statements:
        exec(statement, known)
    try:
        value = eval(last, known)
    except SyntaxError:
        exec(last, known)
        value = None
    return known["F"] if value is None else value, known["t"]


def test_there_are_traps():
    assert len(TABLE) > 20
    assert len(PAIRS) > 35


@pytest.mark.filterwarnings("ignore")
@each("wrong", [row[0][0] for row in TABLE])
def test_the_trap_raises_and_the_error_names_a_remedy(wrong):
    with pytest.raises(Exception) as caught:  # noqa: PT011  (NumPy may raise its own error from ours)
        run(wrong)
    error = caught.value
    ours = error if isinstance(error, tg.TensorgradError) else error.__cause__
    assert isinstance(ours, tg.TensorgradError), repr(error)
    assert [way for way in WAYS_OUT if way in str(ours)], str(ours)


@each(("wrong", "right"), PAIRS, ids=[right for _, right in PAIRS])
def test_what_to_write_instead_runs_and_differentiates(wrong, right):
    value, t = run(right)
    if "item" in right or ".data" in right or right.startswith('f"'):
        assert not isinstance(value, tg.Tensor)
        return
    assert isinstance(value, tg.Tensor)
    assert np.abs(tg.grad(np.sum(value), t)).sum() > 0


def test_a_shuffle_is_not_noticed():
    """It is right for one axis; rows are views, and are overwritten. The page says what to write."""
    assert "M[i], M[j] = M[j], M[i]" in PAGE
    t = tg.Tensor(np.arange(12.0).reshape(6, 2), requires_grad=True)
    numbers, rows, rng = t[:, 0] * 1, t * 1, np.random.default_rng(0)
    for shuffled in (numbers, rows):
        with pytest.warns(UserWarning, match="shuffling a 'Tensor' object"):
            rng.shuffle(shuffled)
    assert sorted(numbers.data) == [0, 2, 4, 6, 8, 10]
    np.testing.assert_array_equal(tg.grad(np.sum(numbers**2), t)[:, 0], 2 * t.data[:, 0])
    assert len(np.unique(rows.data[:, 0])) < 6
    permuted = t[rng.permutation(len(t))]
    np.testing.assert_array_equal(tg.grad(np.sum(permuted**2), t), 2 * t.data)


REPLACED = [re.findall(r"[^|]+", line) for line in PAGE.splitlines() if re.search(r"\| \w+Error: ", line)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("code", "error"), [[cell.strip() for cell in row[:2]] for row in REPLACED])
def test_errors_that_other_libraries_replace(code, error):
    known = names()
    if code.startswith("series"):
        known["series"] = pytest.importorskip("pandas").Series([1.0, 2.0, 3.0])
    kind, words = error.split(": ", 1)
    with pytest.raises(Exception, match=re.escape(words)) as caught:
        exec(code, known)
    assert type(caught.value).__name__ == kind


def test_there_are_such_errors():
    assert len(REPLACED) == 4


# fmt: off
NAMED = [
    (lambda t: np.mean([t, t]),                     "np.mean turns lists into plain arrays: pass it tg.array"),
    (lambda t: np.linalg.norm([t, t]),              "np.linalg.norm turns lists"),
    (lambda t: np.full((2, 3), t),                  "np.full turns lists .* like=t"),
    (lambda t: np.trapezoid([t, t]),                "np.trapezoid turns"),
    (lambda t: np.c_[t, t],                         "np.column_stack"),
    (lambda t: np.fill_diagonal(np.eye(3), t),      "np.fill_diagonal turns"),  # in the module of np.c_
    (lambda t: np.ndenumerate(t),                   r"would lose\. For a list"),
    (lambda t: np.array([t, t]),                    r"gradient, which a plain ndarray would lose\. For a list"),
    (lambda t: np.outer([t[0]], t),                 r"would lose\. For a list"),  # not np.ravel, which tensorgrad calls
    (lambda t: np.polynomial.polynomial.polyval(2.0, [t[0], t[1]]), r"would lose\. For a list"),
]
# fmt: on


@pytest.mark.parametrize(("call", "words"), NAMED, ids=[row[1] for row in NAMED])
def test_the_error_names_the_function_that_the_user_called(call, words):
    with pytest.raises(tg.GradientLostError, match=words):
        call(tg.Tensor([1.0, 2.0, 3.0], requires_grad=True))


def test_parts_of_different_shapes_are_refused():
    t = tg.Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(tg.ShapeError, match=r"one shape, got \(\), \(2,\)"):
        tg.array([t, t[0]])
    with pytest.raises(tg.ShapeError):
        np.array([[1.0], [t[0], t[1]]], like=t)


def test_other_things_in_a_list_of_tensors_are_numbers_or_refused():
    s = tg.Tensor(2.0, requires_grad=True)
    np.testing.assert_array_equal(tg.array([s, Fraction(1, 2)]).data, [2, 0.5])
    for value, kind in (
        (Decimal("0.5"), "decimal.Decimal: write float"),
        (None, "NoneType"),
        ([Decimal(1)], "objects"),
    ):
        with pytest.raises(TypeError, match=kind):
            tg.array([s if np.ndim(value) == 0 else [s], value])


@pytest.mark.parametrize(
    "make",
    [
        tg.array,
        lambda x, **o: np.array(x, like=tg.Tensor(1.0), **o),
        lambda x, **o: np.asarray([*x], like=tg.Tensor(1.0), **o),
    ],
)
def test_arrays_of_constants_and_copies(make):
    assert isinstance(make([1, 2]), tg.Tensor)
    assert make([1, 2]).dtype == np.int64
    assert make([1, 2], dtype=np.float32).dtype == np.float32
    t = tg.Tensor([1.0, 2.0], requires_grad=True)
    copied = make([t[0], t[1]], dtype=np.float32)
    assert copied.dtype == np.float32
    assert not np.shares_memory(make(t).data, t.data)
    assert not np.shares_memory(make(t.detach()).data, t.data)
    with tg.no_grad():
        assert not make([t, t]).requires_grad


def test_asarray_of_a_tensor_is_the_tensor():
    t = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert np.asarray(t, like=t) is t
    assert np.array(t, copy=None, like=t) is t
    assert np.ascontiguousarray(t.T, like=t).data.flags.c_contiguous
    assert np.asarray(t, np.float32, like=t).dtype == np.float32
    with pytest.raises(tg.NoRuleError, match=r"np\.require"):
        np.require(t, requirements=["C"], like=t)

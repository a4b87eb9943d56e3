"""docs/gradients.md is up to date, and its check finds errors."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cases.rows import Row, real

import tensorgrad as tg

DOCS = Path(__file__).parent.parent / "docs"


def check(*options):
    """The check runs in its own process, since other tests add rules to the registry."""
    command = [sys.executable, str(DOCS / "gradients.py"), "--check", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow  # the check of the pages, in `nox -s docs`, has the same command
def test_the_page_is_what_the_tables_say():
    check("--fast")


@pytest.mark.slow
def test_no_measured_error_has_grown():
    check()


@pytest.fixture
def gradients(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(DOCS), *sys.path])
    import gradients

    return gradients


PAGE = """Made with Python 3.11.7 and NumPy 2.4.6, of whose functions **1** are refused.
| `np.exp(x)` | `g * ans` | `real` |  | 10⁻¹² | 0 |

## Refused

`np.roots`.
"""


def test_a_change_of_a_formula_is_noticed(gradients):
    wrong = gradients.differences(PAGE, PAGE.replace("g * ans", "g"), measured=False)
    assert [line[0] for line in wrong] == ["-", "+"]
    assert gradients.differences("", PAGE, measured=False)


@pytest.mark.parametrize(
    ("printed", "found"), [("10⁻¹²", "10⁻¹⁰"), ("10⁻¹²", "10⁰"), ("10⁻¹²", "inf"), ("0 |", "10⁻¹³ |")]
)
def test_a_larger_error_is_noticed(gradients, printed, found):
    (wrong,) = gradients.differences(PAGE, PAGE.replace(printed, found), measured=True)
    assert wrong.startswith("`np.exp(x)`")
    assert not gradients.differences(PAGE, PAGE.replace(printed, found), measured=False)


@pytest.mark.parametrize(
    ("printed", "found"), [("10⁻¹²", "10⁻¹¹"), ("10⁻¹²", "0"), ("0 |", "10⁻¹⁴ |"), ("2.4.6", "2.4.9")]
)
def test_what_differs_from_machine_to_machine_is_not(gradients, printed, found):
    assert not gradients.differences(PAGE, PAGE.replace(printed, found), measured=True)


def test_another_numpy_may_have_other_functions(gradients):
    other = PAGE.replace("np.roots", "np.of_tomorrow")
    assert gradients.differences(PAGE, other, measured=True)
    assert not gradients.differences(PAGE, other.replace("2.4.6", "2.5.0"), measured=True)


@pytest.mark.parametrize(
    ("error", "written"), [(0.0, "0"), (3e-12, "10⁻¹¹"), (1e-20, "10⁻¹⁵"), (0.7, "10⁰"), (30.0, "10²"), (np.inf, "inf")]
)
def test_errors_are_rounded_up_to_powers_of_ten(gradients, error, written):
    assert gradients.power_of_ten(error) == written
    assert gradients.ERROR.findall(f"| {written} |") == [written]


def test_wrong_rules_have_large_errors(gradients):
    @tg.primitive
    def fine(x):
        return np.exp(x)

    @tg.primitive
    def wrong(x):
        return np.exp(x)

    @tg.primitive
    def wrong_later(x):
        return np.exp(x)

    tg.rule(fine, lambda g, ans, x: g * ans)
    tg.rule(wrong, lambda g, ans, x: g * ans * 1.001)
    tg.rule(wrong_later, lambda g, ans, x: g * np.exp(x.detach() if isinstance(x, tg.Tensor) else x))
    found = [gradients.errors(Row("exp", fn, real, [(2, 3)])) for fn in (fine, wrong, wrong_later)]
    assert max(found[0]) < 1e-11
    assert min(found[1]) > 1e-4
    assert found[2][0] < 1e-11
    assert found[2][1] > 0.1


def test_the_numeric_derivative_is_exact_and_steps_back_from_kinks(gradients):
    from gradient_rows import derivative

    x = np.linspace(-2, 2, 9)
    np.testing.assert_allclose(derivative(lambda t: np.sin(x + t)), np.cos(x), rtol=0, atol=1e-12)
    np.testing.assert_allclose(derivative(lambda t: np.abs(t + 3e-5)), 1, atol=1e-9)

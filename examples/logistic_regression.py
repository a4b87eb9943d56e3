"""Logistic regression by Newton's method, with standard errors: the O-rings of the space shuttle.

    python examples/logistic_regression.py --plot o-rings.png

On 28 January 1986, at 31 degrees Fahrenheit, O-rings of the space shuttle Challenger failed. The model is fitted to the
23 flights before that. The log odds of a damaged ring are assumed to be linear in the temperature:

    log(p / (1 - p)) = a + b * temperature

`tg.hessian` is used for Newton's steps, -H^-1 g, and for the covariance of the estimates, which is H^-1 at the minimum
of the negative log likelihood. Data and model: Dalal, Fowlkes and Hoadley (1989), "Risk analysis of the space shuttle".
"""

import argparse
from typing import Any

import numpy as np

import tensorgrad as tg

TEMPERATURE = np.array([66, 70, 69, 68, 67, 72, 73, 70, 57, 63, 70, 78, 67, 53, 67, 75, 70, 81, 76, 79, 75, 76, 58.0])
DAMAGED = np.array([0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1.0])
X = np.column_stack([np.ones(23), TEMPERATURE])  # (23, 2)


def negative_log_likelihood(w: Any) -> Any:
    """Minus the logarithm of the probability of the observations; w is (a, b)."""
    logits = X @ w
    return np.sum(np.logaddexp(0, logits) - DAMAGED * logits)


def newton(w: Any, steps: int) -> Any:
    """The minimum of the negative log likelihood."""
    for step in range(steps):
        value, gradient = tg.value_and_grad(negative_log_likelihood)(w)
        print(f"step {step}: {value:.9f}, largest derivative {np.max(np.abs(gradient)):.1e}")
        w = w - np.linalg.solve(tg.hessian(negative_log_likelihood, w), gradient)
    return w


def probability(w: Any, temperature: Any) -> tuple[Any, Any, Any]:
    """The probability of damage with its 95 % confidence limits, which are those of the logit."""
    at = np.stack([np.ones_like(temperature), temperature], axis=-1)  # (..., 2)
    covariance = np.linalg.inv(tg.hessian(negative_log_likelihood, w))
    error = np.sqrt(np.sum(at @ covariance * at, axis=-1))
    return tuple(tg.sigmoid(at @ w + shift * error) for shift in (0, -1.96, 1.96))


def main(arguments: list[str] | None = None) -> tuple[Any, Any]:
    """Fit, print, and draw; return the estimates and their standard errors."""
    parser = argparse.ArgumentParser(description="Damage of O-rings against temperature, by logistic regression.")
    parser.add_argument("--steps", type=int, default=8, help="steps of Newton's method")
    parser.add_argument("--plot", metavar="FILE", help="write a picture of the fit to this file")
    given = parser.parse_args(arguments)

    w = newton(np.zeros(2), given.steps)
    errors = np.sqrt(np.diag(np.linalg.inv(tg.hessian(negative_log_likelihood, w))))
    for name, estimate, error in zip("ab", w, errors, strict=True):
        print(f"{name} = {estimate:.4f} +- {error:.4f}")
    p, low, high = probability(w, np.array(31.0))
    print(f"probability of damage at 31 degrees: {p:.4f}, 95 % limits {low:.2f} to {high:.4f}")
    if given.plot:
        draw(given.plot, w)
    return w, errors


def draw(file: str, w: Any) -> None:
    """The flights, the probability of damage, and its confidence band."""
    from matplotlib.figure import Figure

    at = np.linspace(29, 83, 300)
    p, low, high = probability(w, at)
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.fill_between(at, low, high, color="C0", alpha=0.2, lw=0, label="95 % confidence band")
    axes.plot(at, p, "C0", label="fitted probability")
    axes.plot(TEMPERATURE, DAMAGED, "ko", mfc="none", label="flights")
    axes.axvline(31, color="C3", ls=":", label="28 January 1986")
    axes.set(xlabel="temperature at the joint, degrees Fahrenheit", ylabel="damage of an O-ring", xlim=(29, 83))
    axes.legend(frameon=False, loc=(0.05, 0.03))
    figure.savefig(file, dpi=150)


if __name__ == "__main__":
    main()

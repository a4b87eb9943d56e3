"""A differential equation fitted to measurements: the numbers of hares and lynxes in Canada, 1900 to 1920.

    python examples/ode_fit.py --plot hares.png

Lotka and Volterra's equations for the logarithms u, v of the numbers of hares and lynxes, in thousands of pelts,

    u' = alpha - beta exp(v),    v' = delta exp(u) - gamma

have six unknowns: four rates, and both numbers in 1900. The logarithms of the measurements have normal noise.
`tensorgrad.scipy.integrate.solve_ivp` records SciPy's steps, so that SciPy's `minimize` is given the gradient of the
likelihood; the standard errors are computed from its Hessian at the maximum. For comparison: the rates in
Carpenter (2018), "Predator-prey population dynamics: the Lotka-Volterra model in Stan", are 0.55, 0.028, 0.80, 0.024.
"""

import argparse
from typing import Any

import numpy as np
from scipy.optimize import minimize

import tensorgrad as tg
from tensorgrad.scipy.integrate import solve_ivp

# Pelts collected by the Hudson's Bay Company, in thousands.
HARES = np.array([
    30, 47.2, 70.2, 77.4, 36.3, 20.6, 18.1, 21.4, 22, 25.4, 27.1, 40.3, 57, 76.6, 52.3, 19.5, 11.2,
    7.6, 14.6, 16.2, 24.7])  # fmt: skip
LYNXES = np.array([
    4, 6.1, 9.8, 35.2, 59.4, 41.7, 19, 13, 8.3, 9.1, 7.4, 8, 12.3, 19.5, 45.7, 51.1, 29.7, 15.8,
    9.7, 10.1, 8.6])  # fmt: skip
MEASURED = np.log([HARES, LYNXES])  # (2, 21)
YEARS = np.arange(21.0)  # since 1900
NAMES = ("alpha", "beta", "gamma", "delta", "hares in 1900", "lynxes in 1900")
START = np.log([0.5, 0.025, 0.8, 0.025, 30.0, 5.0])  # logarithms keep all six positive


def solution(theta: Any, times: Any, tolerance: float = 1e-6) -> Any:
    """Logarithms of both numbers at these times, (2, T)."""
    rates = np.exp(theta[:4])
    growth, crossed = rates[[0, 2]] * [1, -1], rates[[1, 3]] * [-1, 1]  # of one's own, and by the other's number
    found = solve_ivp(lambda t, z: growth + crossed * np.exp(z[::-1]), (0, times[-1]), theta[4:], t_eval=times,
                      rtol=tolerance, atol=tolerance)  # fmt: skip
    return found.y


def negative_log_likelihood(theta: Any) -> Any:
    """Up to a constant, at the best size of the noise, one for each species."""
    residuals = solution(theta, YEARS) - MEASURED
    return 0.5 * len(YEARS) * np.sum(np.log(np.mean(residuals**2, axis=1)))


def main(arguments: list[str] | None = None) -> tuple[Any, Any]:
    """Fit, print, and draw; return the parameters and their relative standard errors."""
    parser = argparse.ArgumentParser(description="Lotka and Volterra's equations, fitted to hares and lynxes.")
    parser.add_argument("--steps", type=int, default=100, help="most steps of the optimizer")
    parser.add_argument("--plot", metavar="FILE", help="write a picture of the fit to this file")
    given = parser.parse_args(arguments)

    objective, options = tg.value_and_grad(negative_log_likelihood), {"maxiter": given.steps, "gtol": 1e-3}
    found = minimize(objective, START, jac=True, method="BFGS", options=options)
    errors = np.sqrt(np.diag(np.linalg.inv(tg.hessian(negative_log_likelihood, found.x))))
    print(f"log likelihood {-found.fun:.4f} after {found.nfev} evaluations")
    for name, value, error in zip(NAMES, np.exp(found.x), errors, strict=True):
        print(f"{name:14} {value:7.4f} +- {value * error:.4f}")
    if given.plot:
        draw(given.plot, found.x)
    return np.exp(found.x), errors


def draw(file: str, theta: Any) -> None:
    """Measurements and solution over the years, and the solution in the plane of both numbers."""
    from matplotlib.figure import Figure

    at = np.linspace(0, 20, 401)
    both = np.exp(solution(theta, at))
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[2, 1])
    for name, curve, points, colour in zip(("hares", "lynxes"), both, (HARES, LYNXES), ("C0", "C1"), strict=True):
        left.plot(1900 + at, curve, colour, label=name)
        left.plot(1900 + YEARS, points, "o", color=colour, ms=4)
    left.set(xlabel="year", ylabel="pelts, thousands", xticks=range(1900, 1921, 5))
    left.legend(frameon=False)
    right.plot(*both, "k", lw=1)
    right.plot(HARES, LYNXES, "ko", ms=3, mfc="none")
    right.set(xlabel="hares", ylabel="lynxes")
    figure.savefig(file, dpi=150)


if __name__ == "__main__":
    main()

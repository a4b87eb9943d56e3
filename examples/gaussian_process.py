"""A Gaussian process fitted to the flow of the Nile by maximum likelihood.

    python examples/gaussian_process.py --plot nile.png

The model is a smooth curve plus noise: the flows in the years s and t are jointly normal, with the covariance

    k(s, t) = height^2 exp(-(s - t)^2 / (2 length^2)) + noise^2 [s = t]

`scipy.optimize.minimize` maximizes the likelihood of the parameters, with its gradient from `tg.value_and_grad`.
Source: Rasmussen and Williams (2006), "Gaussian Processes for Machine Learning", ch. 5.
"""

import argparse
from typing import Any

import numpy as np
from scipy.optimize import minimize

import tensorgrad as tg
from tensorgrad.scipy.linalg import solve_triangular

# Annual flow at Aswan from 1871 to 1970, in 10^8 cubic metres: Cobb (1978), Biometrika 65.
FLOW = np.array([
    1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020, 960, 1180, 799, 958, 1140,
    1100, 1210, 1150, 1250, 1260, 1220, 1030, 1100, 774, 840, 874, 694, 940, 833, 701, 916, 692, 1020, 1050, 969, 831,
    726, 456, 824, 702, 1120, 1100, 832, 764, 821, 768, 845, 864, 862, 698, 845, 744, 796, 1040, 759, 781, 865, 845,
    944, 984, 897, 822, 1010, 771, 676, 649, 846, 812, 742, 801, 1040, 860, 874, 848, 890, 744, 749, 838, 1050, 918,
    986, 797, 923, 975, 815, 1020, 906, 901, 1170, 912, 746, 919, 718, 714, 740.0])  # fmt: skip
YEAR = np.arange(1871.0, 1971)
LENGTHS = (3.0, 30.0)  # initial values in years: as is common for Gaussian processes, the likelihood has two maxima


def covariance(s: Any, t: Any, theta: Any) -> Any:
    """The covariance of the curve at the times ``s`` (M,) and ``t`` (N,), without the noise: (M, N)."""
    height, length, _ = np.exp(theta)  # logarithms keep the parameters positive
    return height**2 * np.exp(-0.5 * ((s[:, None] - t) / length) ** 2)


def factored(theta: Any, t: Any, y: Any) -> tuple[Any, Any]:
    """The Cholesky factor L of the covariance of the measurements ``y``, and z with L z = y, which is white noise."""
    factor = np.linalg.cholesky(covariance(t, t, theta) + np.exp(2 * theta[2]) * np.eye(len(t)))
    return factor, solve_triangular(factor, y, lower=True)


def negative_log_likelihood(theta: Any, t: Any, y: Any) -> Any:
    """Minus the logarithm of the normal density of ``y`` (N,), of mean 0, at the times ``t``."""
    factor, z = factored(theta, t, y)
    return 0.5 * np.sum(z**2) + np.sum(np.log(np.diag(factor))) + 0.5 * len(y) * np.log(2 * np.pi)


def predict(theta: Any, t: Any, y: Any, at: Any) -> tuple[Any, Any]:
    """Mean and standard deviation of the curve at other times, given the measurements."""
    factor, z = factored(theta, t, y)
    w = solve_triangular(factor, covariance(t, at, theta), lower=True)  # (N, M)
    return w.T @ z, np.sqrt(np.exp(2 * theta[0]) - np.sum(w**2, axis=0))


def main(arguments: list[str] | None = None) -> Any:
    """Fit, print, and draw; return the parameters."""
    parser = argparse.ArgumentParser(description="A Gaussian process for the flow of the Nile.")
    parser.add_argument("--points", type=int, default=100, help="years to use (default: all 100)")
    parser.add_argument("--plot", metavar="FILE", help="write a picture of the fit to this file")
    given = parser.parse_args(arguments)

    t, y = YEAR[: given.points], FLOW[: given.points] - FLOW.mean()
    maxima = []
    for start in np.log([[np.std(y), length, np.std(y)] for length in LENGTHS]):
        found = minimize(tg.value_and_grad(negative_log_likelihood), start, args=(t, y), jac=True, method="BFGS")
        height, length, noise = np.exp(found.x)
        print(f"log likelihood {-found.fun:.3f}: height {height:.1f}, length {length:.1f} years, noise {noise:.1f}")
        maxima.append(found)
    best = min(maxima, key=lambda found: found.fun).x
    if given.plot:
        draw(given.plot, t, y, best)
    return best


def draw(file: str, t: Any, y: Any, theta: Any) -> None:
    """The measurements, the curve with a band of two standard deviations, and its forecast."""
    from matplotlib.figure import Figure

    at = np.linspace(t[0], t[-1] + 20, 400)
    mean, deviation = predict(theta, t, y, at)
    mean += FLOW.mean()
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(t, y + FLOW.mean(), "k.", ms=5, label="measured")
    axes.plot(at, mean, "C0", label="posterior mean")
    axes.fill_between(
        at, mean - 2 * deviation, mean + 2 * deviation, color="C0", alpha=0.2, label="2 standard deviations"
    )
    axes.set(xlabel="year", ylabel="flow of the Nile, 10$^8$ m$^3$ a year", xlim=(at[0], at[-1]))
    axes.legend(frameon=False, ncols=3, loc="upper right")
    figure.savefig(file, dpi=150)


if __name__ == "__main__":
    main()

"""Bayesian regression by Hamiltonian Monte Carlo: the expansion of the universe, from Hubble's measurements of 1929.

    python examples/bayesian_regression.py --plot hubble.png

The velocities of 24 nebulae are modelled as linear in their distances, with normal noise of unknown size. The unknowns
are the intercept, the slope and the logarithm of the noise, with flat priors. `tg.value_and_grad` computes the gradient
of the log posterior for the sampler. The exact posterior of the slope is a t distribution around the least-squares
estimate; its mean and standard deviation are printed next to those of the samples.
Source of the method: Neal (2011), "MCMC using Hamiltonian dynamics".
"""

import argparse
from typing import Any

import numpy as np

import tensorgrad as tg

# Mpc and km/s: Hubble (1929), "A relation between distance and radial velocity among extra-galactic nebulae", table 1.
DISTANCE = np.array([
    0.032, 0.034, 0.214, 0.263, 0.275, 0.275, 0.45, 0.5, 0.5, 0.63, 0.8, 0.9, 0.9, 0.9, 0.9, 1.0, 1.1, 1.1, 1.4, 1.7,
    2.0, 2.0, 2.0, 2.0])  # fmt: skip
VELOCITY = np.array([
    170, 290, -130, -70, -185, -220, 200, 290, 270, 200, 300, -30, 650, 150, 500, 920, 450, 500, 500, 960, 500, 850,
    800, 1090.0])  # fmt: skip
CENTRE, SPREAD = DISTANCE.mean(), DISTANCE.std()
X = np.column_stack([np.ones(24), (DISTANCE - CENTRE) / SPREAD])  # (24, 2), standardized: all scales are then alike
Y = VELOCITY / 100
START = np.array([Y.mean(), 0.0, np.log(Y.std())])


def log_posterior(theta: Any) -> Any:
    """The logarithm of the posterior density, up to a constant; theta is (intercept, slope, log noise)."""
    residuals = (Y - X @ theta[:2]) * np.exp(-theta[2])
    return -0.5 * np.sum(residuals**2) - len(Y) * theta[2]


def hmc(theta: Any, draws: int, rng: np.random.Generator, step: float = 0.16, leaps: int = 6) -> tuple[Any, float]:
    """Samples of the posterior (draws, 3), and the share of accepted proposals."""
    density = tg.value_and_grad(log_posterior)
    value, gradient = density(theta)
    samples, accepted = np.empty((draws, 3)), 0
    for i in range(draws):
        momentum = rng.standard_normal(3)
        energy = value - momentum @ momentum / 2
        at, slope, size = theta, gradient, step * rng.uniform(0.8, 1.2)  # at random, so that no orbit closes
        for _ in range(leaps):  # the leapfrog method
            momentum = momentum + size / 2 * slope
            at = at + size * momentum
            new, slope = density(at)
            momentum = momentum + size / 2 * slope
        if np.log(rng.uniform()) < new - momentum @ momentum / 2 - energy:
            theta, value, gradient, accepted = at, new, slope, accepted + 1
        samples[i] = theta
    return samples, accepted / draws


def closed_form() -> tuple[float, float]:
    """Mean and standard deviation of the slope in km/s per Mpc: those of a t distribution, 22 degrees of freedom."""
    w, (squares,), *_ = np.linalg.lstsq(X, Y)
    return w[1] * 100 / SPREAD, np.sqrt(squares / 24 / 20) * 100 / SPREAD


def main(arguments: list[str] | None = None) -> Any:
    """Sample, print, and draw; return the samples of the slope in km/s per Mpc."""
    parser = argparse.ArgumentParser(description="Hubble's law by Hamiltonian Monte Carlo.")
    parser.add_argument("--draws", type=int, default=2000, help="samples; the first tenth is discarded")
    parser.add_argument("--plot", metavar="FILE", help="write a picture of the posterior to this file")
    given = parser.parse_args(arguments)

    samples, accepted = hmc(START, given.draws, np.random.default_rng(0))
    samples = samples[given.draws // 10 :]
    slope = samples[:, 1] * 100 / SPREAD
    print(f"{given.draws} draws, {accepted:.0%} of the proposals accepted")
    print(f"Hubble's constant: {slope.mean():.1f} +- {slope.std():.1f} km/s per Mpc")
    print("in closed form:    {:.1f} +- {:.1f}".format(*closed_form()))
    if given.plot:
        draw(given.plot, samples)
    return slope


def draw(file: str, samples: Any) -> None:
    """The measurements with lines of the posterior, and the slope against the noise."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    at = np.array([0.0, 2.1])
    for intercept, slope, _ in samples[:: max(1, len(samples) // 80)]:
        left.plot(at, 100 * (intercept + slope * (at - CENTRE) / SPREAD), "C0", lw=0.7, alpha=0.25)
    left.plot(DISTANCE, VELOCITY, "ko", ms=4)
    left.set(xlabel="distance, Mpc", ylabel="velocity, km/s", xlim=at, title="24 nebulae and 80 lines of the posterior")
    right.plot(samples[:, 1] * 100 / SPREAD, 100 * np.exp(samples[:, 2]), ".", ms=2, alpha=0.4)
    right.set(xlabel="slope, km/s per Mpc", ylabel="noise, km/s", title="samples of the posterior")
    figure.savefig(file, dpi=150)


if __name__ == "__main__":
    main()

"""A physics-informed neural network for Burgers' equation, in which a wave steepens into a shock.

    python examples/burgers.py --plot burgers.png

    u_t + u u_x = nu u_xx    for -1 < x < 1 and 0 < t < 1,    u(x, 0) = -sin(pi x),    u(-1, t) = u(1, t) = 0

The network is trained to satisfy the equation at random points; it satisfies the other conditions by construction.
`tg.grad` with ``create_graph=True`` computes its derivatives in x and t; the loss that contains them is differentiated
again. The error is measured against the exact solution of Hopf (1950) and Cole (1951), which is an integral.
Source: Raissi, Perdikaris and Karniadakis (2019), "Physics-informed neural networks".
"""

import argparse
from typing import Any

import numpy as np
from scipy.optimize import minimize

import tensorgrad as tg

NU = 0.05 / np.pi
PAIRS = [(2, 20), (20, 20), (20, 20), (20, 1)]  # inputs and outputs of the layers


def unpack(theta: Any) -> list[tuple[Any, Any]]:
    """The weights and biases of the layers, from one vector."""
    parts = np.split(theta, np.cumsum([k for m, n in PAIRS for k in (m * n, n)])[:-1])
    return [(w.reshape(-1, len(b)), b) for w, b in zip(parts[::2], parts[1::2], strict=True)]


def wave(theta: Any, points: Any) -> Any:
    """The network's solution u at the points (x, t), (N, 2), as (N,)."""
    *hidden, (weight, bias) = unpack(theta)
    h = points
    for w, b in hidden:
        h = np.tanh(h @ w + b)
    x, t = points.T
    return -np.sin(np.pi * x) + t * (1 - x**2) * (h @ weight + bias)[:, 0]


def loss(theta: Any, points: Any) -> Any:
    """The mean square of u_t + u u_x - nu u_xx."""
    points = tg.Tensor(points, requires_grad=True)
    u = wave(theta, points)
    first = tg.grad(np.sum(u), points, create_graph=True)  # (N, 2): u_x and u_t
    second = tg.grad(np.sum(first[:, 0]), points, create_graph=True)  # (N, 2): u_xx and u_xt
    return np.mean((first[:, 1] + u * first[:, 0] - NU * second[:, 0]) ** 2)


def exact(points: Any) -> Any:
    """The solution at the points, t > 0: an integral over a normal density, by Gauss and Hermite's quadrature."""
    z, weights = np.polynomial.hermite.hermgauss(100)
    y = points[:, :1] - np.sqrt(4 * NU * points[:, 1:]) * z  # (N, 100)
    density = weights * np.exp(-(np.cos(np.pi * y) + 1) / (2 * np.pi * NU))
    return -np.sum(np.sin(np.pi * y) * density, axis=1) / np.sum(density, axis=1)


def main(arguments: list[str] | None = None) -> float:
    """Train, print, and draw; return the relative error of the solution."""
    parser = argparse.ArgumentParser(description="Burgers' equation by a physics-informed neural network.")
    parser.add_argument("--points", type=int, default=1000, help="where the equation is made to hold")
    parser.add_argument("--steps", type=int, default=1000, help="steps of the optimizer")
    parser.add_argument("--plot", metavar="FILE", help="write a picture of the solution to this file")
    given = parser.parse_args(arguments)

    rng = np.random.default_rng(0)
    points = rng.uniform([-1, 0], [1, 1], (given.points, 2))
    theta = np.concatenate([np.sqrt(2 / (m + n)) * rng.standard_normal(m * n + n) for m, n in PAIRS])
    options = {"maxiter": given.steps, "maxfun": 2 * given.steps, "maxcor": 50}
    found = minimize(tg.value_and_grad(loss), theta, (points,), "L-BFGS-B", jac=True, options=options)

    x, t = np.linspace(-1, 1, 201), np.linspace(0.01, 1, 100)
    grid = np.stack(np.meshgrid(x, t), axis=-1).reshape(-1, 2)  # (T * X, 2)
    u, expected = wave(found.x, grid), exact(grid)
    error = float(np.linalg.norm(u - expected) / np.linalg.norm(expected))
    print(f"after {found.nit} steps: mean square of the equation {found.fun:.1e}, relative error of u {error:.2%}")
    if given.plot:
        draw(given.plot, x, t, u.reshape(100, 201), expected.reshape(100, 201))
    return error


def draw(file: str, x: Any, t: Any, u: Any, expected: Any) -> None:
    """The network's solution, and four moments of it beside the exact one."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    left.pcolormesh(t, x, u.T, cmap="RdBu_r")
    left.set(xlabel="t", ylabel="x", title="u")
    for i in (0, 24, 49, 99):
        (line,) = right.plot(x, u[i], label=f"t = {t[i]:.2f}")
        right.plot(x[::5], expected[i, ::5], ".", color=line.get_color(), ms=3)
    right.set(xlabel="x", ylabel="u; the dots are exact")
    right.legend(frameon=False)
    figure.savefig(file, dpi=150)


if __name__ == "__main__":
    main()

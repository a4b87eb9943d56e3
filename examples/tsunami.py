"""The source of a tsunami, from the gradient of a simulation that writes in place.

    python examples/tsunami.py --plot tsunami.png

Ten tide gauges have recorded the height of the water, with errors of 1 cm. The unknowns are the initial heights of 1600
cells. Their gradient takes one backward pass through a simulation of the shallow-water equations without advection,

    u_t = -g h_x,    v_t = -g h_y,    h_t = -((depth + h) u)_x - ((depth + h) v)_y

which writes to h, u and v. This is an error in PyTorch, since values that the backward pass needs are overwritten;
tensorgrad keeps copies of them.
"""

import argparse
from typing import Any

import numpy as np
from scipy.optimize import minimize

import tensorgrad as tg

G, DEPTH, SIDE = 9.81, 4000.0, 400  # m/s^2, m, km: the basin is a square
# y and x of the gauges, in sides of the basin
GAUGES = np.array([[0.1, 0.5, 0.9, 0.98, 0.98, 0.9, 0.5, 0.1, 0.02, 0.02],
                   [0.02, 0.02, 0.02, 0.3, 0.7, 0.98, 0.98, 0.98, 0.7, 0.3]])  # fmt: skip


def bump(cells: int, y: float, x: float, width: float) -> Any:
    """A round hill of height 1, (cells, cells)."""
    at = (np.arange(cells) + 0.5) / cells
    return np.exp(-((at[:, None] - y) ** 2 + (at - x) ** 2) / (2 * width**2))


def simulate(h: Any, steps: int) -> Any:
    """Heights at the gauges, (steps, 10), for an initial height (cells, cells) of water at rest."""
    ratio = 0.5 / np.sqrt(G * DEPTH)  # time step over cell size: in a step, waves cross half a cell
    h, records = h.copy(), np.zeros_like(h, shape=(steps, 10))
    u, v = np.zeros_like(h[:, 1:]), np.zeros_like(h[1:])  # velocities between the cells
    y, x = (GAUGES * len(h)).astype(int)
    for step in range(steps):
        u -= ratio * G * np.diff(h, axis=1)
        v -= ratio * G * np.diff(h, axis=0)
        flow_x = u * (DEPTH + (h[:, 1:] + h[:, :-1]) / 2)  # m^2/s
        flow_y = v * (DEPTH + (h[1:] + h[:-1]) / 2)
        h[:, :-1] -= ratio * flow_x  # what leaves a cell ...
        h[:, 1:] += ratio * flow_x  # ... enters the next
        h[:-1] -= ratio * flow_y
        h[1:] += ratio * flow_y
        records[step] = h[y, x]
    return records


def misfit(flat: Any, measured: Any, cells: int) -> Any:
    """Half the squared error of the records, and a small penalty on differences between neighbours."""
    h = flat.reshape(cells, cells)
    roughness = np.sum(np.diff(h, axis=0) ** 2) + np.sum(np.diff(h, axis=1) ** 2)
    return 0.5 * np.sum((simulate(h, len(measured)) - measured) ** 2) + 1e-3 * roughness


def main(arguments: list[str] | None = None) -> tuple[Any, Any]:
    """Simulate, find, print, and draw; return the initial heights, the true and the found one."""
    parser = argparse.ArgumentParser(description="Find where a tsunami started.")
    parser.add_argument("--cells", type=int, default=40, help="cells along a side of the basin")
    parser.add_argument("--steps", type=int, default=40, help="steps of the optimizer")
    parser.add_argument("--plot", metavar="FILE", help="write a picture to this file")
    given = parser.parse_args(arguments)

    cells, rng = given.cells, np.random.default_rng(0)
    truth = 1.5 * bump(cells, 0.36, 0.62, 0.07) - bump(cells, 0.5, 0.75, 0.06)
    measured = simulate(truth, 3 * cells) + rng.normal(0, 0.01, (3 * cells, 10))
    objective, options = tg.value_and_grad(misfit), {"maxiter": given.steps, "maxcor": 30}
    found = minimize(objective, np.zeros(cells**2), (measured, cells), "L-BFGS-B", jac=True, options=options)
    h = found.x.reshape(cells, cells)
    for name, field in (("true", truth), ("found", h)):
        y, x = (np.array(np.unravel_index(field.argmax(), field.shape)) + 0.5) / cells * SIDE
        print(f"{name}: the highest water, {field.max():.2f} m, is at x = {x:.0f} km, y = {y:.0f} km")
    print(f"relative error of the field: {np.linalg.norm(h - truth) / np.linalg.norm(truth):.2f}")
    if given.plot:
        draw(given.plot, truth, h, measured)
    return truth, h


def draw(file: str, truth: Any, h: Any, measured: Any) -> None:
    """Both fields with the gauges, and the records."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.4), layout="constrained")
    *maps, records = figure.subplots(1, 3)
    for axes, field, title in zip(maps, (truth, h), ("initial height, m", "found from the records, m"), strict=True):
        axes.imshow(field, origin="lower", extent=(0, SIDE, 0, SIDE), cmap="RdBu_r", vmin=-1.5, vmax=1.5)
        axes.plot(*GAUGES[::-1] * SIDE, "k^")
        axes.set(xlabel="x, km", ylabel="y, km", title=title)
    records.plot(measured, lw=0.8)
    records.set(xlabel="time step", title="records of the gauges, m")
    figure.savefig(file, dpi=150)


if __name__ == "__main__":
    main()

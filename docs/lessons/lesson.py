"""What the lessons share: the checker of exercises, the look of pictures, and rows of small images."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

plt.rcParams.update({
    "figure.figsize": (7, 3.2), "figure.dpi": 100, "figure.constrained_layout.use": True,
    "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 11, "legend.frameon": False,
    "image.cmap": "gray_r", "lines.linewidth": 1.8,
})  # fmt: skip


warnings.filterwarnings("ignore", message="IProgress not found")  # of tqdm, which shows no bars here


@contextmanager
def exercise(number: int) -> Iterator[None]:
    """Run the checks of an exercise, and print whether they pass; an unfinished exercise does not stop the notebook."""
    try:
        yield
    except Exception as error:
        print(f"Exercise {number}: not yet.\n{type(error).__name__}: {error}")
    else:
        print(f"Exercise {number}: right.")


def close(what: str, found: Any, expected: Any, tolerance: float = 1e-8) -> None:
    """Raise an error if an array has another shape than expected, or differs by more than the tolerance."""
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape:
        raise ValueError(f"{what} has the shape {found.shape}, expected {expected.shape}")
    error = np.max(np.abs(found - expected), initial=0)
    if not error <= tolerance:
        raise ValueError(f"{what} is wrong by up to {error:.2g}")


def at_least(what: str, found: float, least: float) -> None:
    """Raise an error if a number is below the one to reach; print it otherwise."""
    if not found >= least:
        raise ValueError(f"{what} is {found:.4g}; reach {least:g}")
    print(f"{what}: {found:.4g}")


def at_most(what: str, found: float, most: float) -> None:
    """Raise an error if a number is above the one to reach; print it otherwise."""
    if not found <= most:
        raise ValueError(f"{what} is {found:.4g}; reach {most:g} or less")
    print(f"{what}: {found:.4g}")


def show(images: Any, titles: Sequence[Any] | None = None, *, columns: int = 10, **options: Any) -> Any:
    """Draw images ``(N, H, W)`` in rows, each with a title, and return the figure."""
    rows = -(-len(images) // columns)
    height = 0.95 * rows + (0.25 * rows if titles is not None else 0)
    figure, axes = plt.subplots(rows, columns, figsize=(0.9 * columns, height), squeeze=False)
    for i, place in enumerate(axes.flat):
        place.set_axis_off()
        if i < len(images):
            place.imshow(images[i], **options)
            if titles is not None:
                place.set_title(titles[i], fontsize=9)
    return figure

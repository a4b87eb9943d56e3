"""Draw docs/images/warps.png: a training image of MNIST under 24 warps of models/record-800.yaml.

python docs/warps.py
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

import tensorgrad as tg  # noqa: E402
from training import augmentation, options  # noqa: E402
from training.pictures import save  # noqa: E402

ROWS, COLUMNS = 3, 9


def main() -> int:
    """Draw the picture; return the exit code."""
    data = tg.data.load("mnist")
    o = options.resolve({"model": str(ROOT / "models" / "record-800.yaml")}, data.name, data.classes)
    image, warps = data.train_images[0], ROWS * (COLUMNS - 1)
    coordinates = augmentation.warps(o).draw(warps, data.shape, np.random.default_rng(0))
    warped = iter(tg.data.warp(np.broadcast_to(image, (1, *image.shape)).repeat(warps, axis=0), coordinates))
    figure = Figure(figsize=(COLUMNS * 0.9, ROWS * 0.9 + 0.3))
    for i, axes in enumerate(figure.subplots(ROWS, COLUMNS).flat):
        axes.set_axis_off()
        if i % COLUMNS:
            axes.imshow(next(warped), cmap="gray_r", vmin=0, vmax=255)
        elif i == 0:
            axes.imshow(image, cmap="gray_r", vmin=0, vmax=255)
            axes.set_title("original", fontsize=9)
    figure.suptitle("A training image, and 24 random warps of it", fontsize=10)
    save(figure, ROOT / "docs" / "images" / "warps.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())

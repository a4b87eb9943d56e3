"""The picture of the README: the graph behind the loss of a two-layer network, with an L2 penalty; and a page with it.

::

    python docs/graph.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import tensorgrad as tg  # noqa: E402  (found through the line above)


def picture() -> tg.Drawing:
    """The drawing in ``docs/images/graph.svg`` and ``graph.html``."""
    rng = np.random.default_rng(0)
    x, y = rng.random((64, 784), np.float32), rng.integers(0, 10, 64)
    hidden, output = tg.nn.Linear(784, 400, rng), tg.nn.Linear(400, 10, rng)

    def loss(x: Any, y: Any) -> Any:
        logits = output(tg.relu(hidden(x)))
        penalty = np.sum(hidden.weight**2) + np.sum(output.weight**2)
        return tg.cross_entropy(logits, y) + 1e-4 * penalty

    return tg.draw(loss, x, y, open="hidden")


if __name__ == "__main__":
    for name in ("graph.svg", "graph.html"):
        picture().save(ROOT / "docs" / "images" / name)

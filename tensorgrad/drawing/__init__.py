"""Drawings of the graph as SVG, without external programs.

``graph`` collects the boxes from the tape, ``layout`` computes their positions, ``svg`` writes the drawing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from tensorgrad.checkpoints import write_whole
from tensorgrad.drawing.graph import boxes_behind
from tensorgrad.drawing.svg import write
from tensorgrad.frontend.tensor import Tensor


class Drawing:
    """A drawing that notebooks display; ``svg`` is its source, `save` writes it to a file.

    Examples
    --------
    >>> x = tg.Tensor(2.0, requires_grad=True)
    >>> drawing = tg.draw(np.sin(x), {"x": x})
    >>> drawing.svg[:4]
    '<svg'
    """

    def __init__(self, svg: str, about: str) -> None:
        self.svg = svg
        self._about = about

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Drawing: {self._about}>"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the drawing to a file atomically.

        Raises
        ------
        ValueError
            If the name does not end in ``.svg``.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> x = tg.Tensor(2.0, requires_grad=True)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     tg.draw(np.sin(x)).save(pathlib.Path(folder, "graph.svg"))
        """
        path = Path(path)
        if path.suffix.lower() != ".svg":
            raise ValueError(f"a Drawing is saved as SVG: write {path.with_suffix('.svg').name!r}, not {path.name!r}")

        def write_to(file: BinaryIO) -> None:
            file.write(self.svg.encode())

        write_whole(path, write_to)


def draw(outputs: Any, names: Any = None, *, direction: str = "down", limit: int = 1000) -> Drawing:
    """Draw the graph behind a tensor as SVG, with the shape of every value; notebooks show it inline.

    Parameters
    ----------
    outputs
        A tensor, or a sequence of them. Draw before ``backward()``, which frees the graph.
    names
        Names to display: a model, or a dict from name to tensor, array or model. Leaves, arrays and results of
        operations can have names.
    direction
        ``"down"`` or ``"right"``: the direction of the arrows, from inputs to results.
    limit
        The maximum number of operations and inputs to draw.

    Raises
    ------
    FreedGraphError
        If the graph was freed by an earlier backward pass.
    ValueError
        If the graph is larger than the limit, or ``outputs`` is empty.

    Examples
    --------
    >>> x, w = np.ones((4, 3)), tg.Tensor(np.ones((3, 2)), requires_grad=True)
    >>> tg.draw(np.sum(tg.relu(x @ w)), {"x": x, "w": w}).svg.count("<title>")
    6
    """
    tensors = list(outputs) if isinstance(outputs, Sequence) else [outputs]
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"draw takes a Tensor, or a sequence of them, got {type(tensor).__name__}")
    if not tensors:
        raise ValueError("draw needs at least one tensor, got an empty sequence")
    if direction not in ("down", "right"):
        raise ValueError(f"direction must be 'down' or 'right', got {direction!r}")
    boxes, dtype = boxes_behind(tensors, names, limit)
    svg, (width, height) = write(boxes, dtype, direction == "down")
    operations = sum(box.kind == "operation" for box in boxes)
    return Drawing(svg, f"{operations} operations, {len(boxes) - operations} inputs, {width:.0f} x {height:.0f}")

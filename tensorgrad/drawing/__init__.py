"""Drawings of the graph as SVG, without external programs.

``calls`` notes the functions and layers around each operation, ``graph`` collects the boxes from the tape, ``groups``
folds them, ``layout`` computes their positions, ``svg`` writes the drawing, and ``interactive`` a page.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from tensorgrad.checkpoints import write_whole
from tensorgrad.drawing.calls import observed
from tensorgrad.drawing.graph import boxes_behind, check_names
from tensorgrad.drawing.interactive import interactive, page
from tensorgrad.drawing.svg import Graph
from tensorgrad.frontend.tensor import Tensor


class Drawing:
    """A drawing that notebooks display; `save` writes it to a file.

    ``svg`` is its source without scripts, and ``html`` the same with a script by which functions and layers open and
    fold.

    Examples
    --------
    >>> x = tg.Tensor(2.0, requires_grad=True)
    >>> drawing = tg.draw(np.sin(x), {"x": x})
    >>> drawing.svg[:4]
    '<svg'
    """

    def __init__(self, graph: Graph, opened: Collection[int]) -> None:
        self._graph, self._opened = graph, opened
        self.svg, self._size = graph.svg(opened)

    @property
    def html(self) -> str:
        """The drawing as a part of an HTML page.

        Examples
        --------
        >>> tg.draw(lambda x: np.sum(np.sin(x)), np.ones(3)).html[:24]
        '<div class="tg-drawing" '
        """
        return interactive(self._graph, self._opened, self.svg)

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str | None:
        return self.html if self._graph.groups else None

    def __repr__(self) -> str:
        boxes, groups = self._graph.boxes, len(self._graph.groups)
        operations = sum(box.kind == "operation" for box in boxes)
        counts = f"{operations} operations, {len(boxes) - operations} inputs"
        width, height = self._size
        return f"<Drawing: {counts}{f', {groups} functions and layers' if groups else ''}, {width:.0f} x {height:.0f}>"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the drawing to a file atomically: a picture, or a page whose functions and layers open and fold.

        Raises
        ------
        ValueError
            If the name does not end in ``.svg`` or ``.html``.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> x = tg.Tensor(2.0, requires_grad=True)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     tg.draw(np.sin(x)).save(pathlib.Path(folder, "graph.svg"))
        """
        path = Path(path)
        kind = path.suffix.lower()
        if kind not in (".svg", ".html"):
            raise ValueError(f"a Drawing is saved as SVG or HTML: write {path.with_suffix('.svg').name!r} or "
                             f"{path.with_suffix('.html').name!r}, not {path.name!r}")  # fmt: skip
        text = self.svg if kind == ".svg" else page(self._graph, self.html)

        def write_to(file: BinaryIO) -> None:
            file.write(text.encode())

        write_whole(path, write_to)


def draw(outputs: Any, *inputs: Any, names: Any = None, open: bool | Collection[str] | None = None,
         direction: str | None = None, limit: int = 1000) -> Drawing:  # fmt: skip
    """Draw the graph behind a tensor, or of a function, with the shape of every value; notebooks show it inline.

    ``draw(tensor, names)`` draws the graph that led to a tensor. ``draw(f, *inputs)`` calls ``f(*inputs)`` and folds
    the operations of each function and layer into a box. In notebooks and HTML files, a click, Enter or Space opens and
    folds it. If nothing in ``f`` requires a gradient, the arrays in the first input do, as in `grad`.

    Parameters
    ----------
    outputs
        A tensor, or a sequence of them: draw before ``backward()``, which frees the graph. Or a function or model.
    inputs
        For a function, what to call it with. For tensors, at most one: the names.
    names
        Names to display: a model, or a dict from name to tensor, array or model. Leaves, arrays and results of
        operations can have names. Those of a function's parameters and variables are known.
    open
        Which functions and layers are open at first: all, none, or those with the given titles or paths. By default,
        the largest ones as long as there are few boxes.
    direction
        ``"down"`` or ``"right"``: the direction of the arrows, from inputs to results. By default, down; long chains
        are drawn in rows, from left to right.
    limit
        The maximum number of operations and inputs to draw.

    Raises
    ------
    FreedGraphError
        If the graph was freed by an earlier backward pass.
    TypeError
        If ``outputs`` or ``names`` are something else.
    ValueError
        If the graph is larger than the limit, or ``outputs`` is empty.

    Examples
    --------
    >>> x, w = np.ones((4, 3)), tg.Tensor(np.ones((3, 2)), requires_grad=True)
    >>> tg.draw(np.sum(tg.relu(x @ w)), {"x": x, "w": w}).svg.count("<title>")
    6
    >>> net = tg.nn.Linear(3, 2, np.random.default_rng(0))
    >>> tg.draw(lambda x, y: tg.cross_entropy(net(x), y), x, np.array([0, 1, 1, 0]))
    <Drawing: 6 operations, 3 inputs, 2 functions and layers, 277 x 693>
    """
    calls = None
    if not callable(outputs) and inputs:
        if len(inputs) > 1 or names is not None:
            raise TypeError("draw(tensor, names) takes one further argument, the names")
        (names,) = inputs
    check_names(names)
    if callable(outputs):
        outputs, calls, names = observed(outputs, inputs, names)
    tensors = list(outputs) if isinstance(outputs, Sequence) else [outputs]
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise TypeError("draw takes a Tensor, or a sequence of them, or a function that returns them, got "
                            f"{type(tensor).__name__}")  # fmt: skip
    if not tensors:
        raise ValueError("draw needs at least one tensor, got an empty sequence")
    if direction not in (None, "down", "right"):
        raise ValueError(f"direction must be 'down' or 'right', got {direction!r}")
    boxes, dtype = boxes_behind(tensors, names, limit, calls)
    graph = Graph(boxes, dtype, direction)
    return Drawing(graph, graph.numbers(open))

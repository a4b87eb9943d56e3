"""The picture of a comparison: the losses and the error rates of several runs by epoch."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from training.comparison import Entry
from training.pictures import save
from training.sweep_pictures import (
    COLOURS,
    DASHES,
    MOST_CURVES,
    error_rate,
    error_scale,
    loss_range,
    name_lines,
    panels,
    style_axes,
)
from training.tables import heading
from training.titles import data_set

LONGEST = 40  # letters of the name of a run


def draw(path: Path, entries: Sequence[Entry], different: Sequence[str]) -> None:
    """Draw loss and error rate on the validation images by epoch, a line for each run, and mark the best epochs.

    The loss of the training is a thin line. If there are more runs than colours, those with the best validation
    accuracy are drawn.
    """
    ranked = sorted(range(len(entries)), key=lambda i: -(entries[i].results()["val_accuracy"] or 0.0))
    shown = [entries[i] for i in sorted(ranked[:MOST_CURVES])]
    sets = dict.fromkeys(data_set(entry.about["name"], entry.options.data) for entry in shown)
    title = f"{', '.join(sets)}: {len(shown)} runs"
    parts = [f"they differ in {', '.join(map(heading, different))}"] if different else []
    parts += ["thin lines: training loss, mean over the epoch", "circles: the best epochs"]
    if len(entries) > len(shown):
        parts.append(f"the best {len(shown)} of {len(entries)} by validation accuracy")
    labels = [textwrap.shorten(entry.name, LONGEST, placeholder="...") + _status_note(entry) for entry in shown]
    figure, (left, right) = panels(title, "; ".join(parts), 0.25 + 0.075 * max(map(len, labels)), 0)
    for entry, label, colour, dash in zip(shown, labels, COLOURS, DASHES, strict=False):
        columns = {
            name: np.array([row.get(name, np.nan) for row in entry.progress.history], float)
            for name in ("epoch", "train_loss", "val_loss", "val_accuracy")
        }
        epoch, errors = columns["epoch"], error_rate(columns["val_accuracy"])
        left.plot(epoch, columns["train_loss"], color=colour, linestyle=dash, linewidth=0.7)
        left.plot(epoch, columns["val_loss"], color=colour, linestyle=dash, linewidth=1.8)
        right.plot(epoch, errors, color=colour, linestyle=dash, linewidth=1.8, label=label)
        best = epoch == entry.progress.best_epoch
        marks: dict[str, Any] = {"color": colour, "marker": "o", "linestyle": "none", "markersize": 7, "mfc": "none"}
        left.plot(epoch[best], columns["val_loss"][best], **marks)
        right.plot(epoch[best], errors[best], **marks)
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        style_axes(axes)
    left.set_ylabel("loss (nats per image)")
    right.set_ylabel("validation error rate (%)")
    loss_range(left)
    error_scale(right)
    name_lines(right)
    save(figure, path)


def _status_note(entry: Entry) -> str:
    return f" ({entry.status})" if entry.status in ("diverged", "unfinished") else ""

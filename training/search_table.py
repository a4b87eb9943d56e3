"""The table of a search."""

from __future__ import annotations

from collections.abc import Sequence

from training.grid import as_text
from training.search import Trial
from training.tables import heading, table_row

MOST_TRIALS = 10  # in the table


def search_table(axes: Sequence[str], trials: Sequence[Trial], best: Trial | None) -> str:
    """A Markdown table of the trials of a search with the best validation accuracies, and a line about the best one.

    Its accuracy on the test images is given there, and that of no other trial, so that nobody chooses by it.
    """
    ranked = sorted((t for t in trials if t.value is not None), key=lambda t: -(t.value or 0.0))[:MOST_TRIALS]
    lines = [table_row(["trial", *map(heading, axes), "validation (%)", "best epoch"]),
             table_row(["---:", *["---:"] * len(axes), "---:", "---:"])]  # fmt: skip
    for trial in ranked:
        values = [as_text(trial.settings[axis]).replace("|", "\\|") for axis in axes]
        result = trial.result or {}
        lines.append(table_row([str(trials.index(trial) + 1), *values, f"{100 * (trial.value or 0.0):.2f}",
                           str(result["best_epoch"])]))  # fmt: skip
    states = [trial.outcome["status"] if trial.outcome else "missing" for trial in trials]
    counts = [f"{states.count(state)} {state}" for state in dict.fromkeys(sorted(states))]
    lines += ["", f"{len(trials)} trials: {', '.join(counts)}." if trials else "No trials."]
    if best is not None:
        lines.append(f"The best on the validation images is trial {trials.index(best) + 1}, runs/{best.run}; its test "
                     f"accuracy is {100 * (best.result or {})['test_accuracy']:.2f} %.")  # fmt: skip
    return "\n".join(lines) + "\n"

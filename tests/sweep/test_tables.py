"""Tables and pictures of sweeps, compared with numbers computed by hand."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from training import sweep_pictures as pictures
from training.grid import AXES, Grid, all_settings
from training.tables import Cell, cells, markdown, mean, write_csv

HEAD = "epoch,updates,train_loss,train_accuracy,val_loss,val_accuracy,test_accuracy,lr,seconds\n"


def finished(accuracy, best=2, val=None):
    """The result of a finished run."""
    val = accuracy - 0.1 if val is None else val
    return {"status": "finished", "test_accuracy": accuracy, "val_accuracy": val, "best_epoch": best}


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were drawn, by the name of the file."""
    kept = {}
    monkeypatch.setattr(pictures, "save", lambda figure, path: kept.update({path.name: figure}))
    return kept


@pytest.fixture
def table_of():
    """``table_of(grid, results)``: the rows of the table, each a list of texts; results in the order of the runs."""

    def make(grid, results):
        runs = all_settings([grid])
        text = markdown(grid, cells(grid, runs, dict(zip(runs, results, strict=False)), Path("runs")))
        lines = [line for line in text.splitlines() if line.startswith("|")]
        return [[word.strip() for word in line.strip("|").split("|")] for line in lines]

    return make


def grid(report=None, **axes):
    return Grid(axes, report=report or {})


def test_mean_and_sample_deviation_over_the_seeds(table_of):
    rows = table_of(
        grid(lr=[0.1, 1.0], seed=[0, 1, 2]),
        [finished(0.90, 1), finished(0.92, 2), finished(0.97, 4), finished(0.5), {"status": "diverged"}],
    )
    # (90 + 92 + 97) / 3 = 93; deviations -3, -1, 4; sqrt(26 / 2) = 3.6056
    assert rows[2] == ["0.1", "**93.00 ± 3.61**", "83.00 ± 3.61", "2.3", "3"]
    assert rows[3] == ["1", "50.00", "40.00", "2.0", "1, 1 diverged, 1 missing"]


def test_numbers_are_right_aligned_and_texts_left_aligned(table_of):
    rows = table_of(grid(schedule=["cosine", "step"], hidden=[[8], [4, 4]], l2=[0.0, 0.1]), [finished(0.9)] * 8)
    assert rows[0][:3] == ["schedule", "hidden units", "L2 penalty"]
    assert rows[1][:4] == ["---", "---", "---:", "---:"]
    assert rows[3][:3] == ["cosine", "8", "0.1"]


def test_best_by_validation_is_bold_even_if_another_has_a_better_test_accuracy(table_of):
    rows = table_of(grid(lr=[0.1, 0.2, 0.3]), [finished(0.9, val=0.8), finished(0.8, val=0.9), finished(0.85, val=0.7)])
    assert [row[1] for row in rows[2:]] == ["90.00", "**80.00**", "85.00"]


@pytest.mark.parametrize("results", [[finished(0.9)], [{**finished(0.9), "val_accuracy": None}] * 2, [{"status": "x"}]])
def test_nothing_is_bold_without_a_comparison_by_validation(table_of, results):
    rows = table_of(grid(lr=[0.1, 0.2][: len(results)]), results)
    assert "**" not in "".join(map("".join, rows))


def test_missing_numbers(table_of):
    rows = table_of(grid(lr=[0.1, 1.0]), [{"status": "failed", "error": "x"}, {**finished(0.9), "val_accuracy": None}])
    assert rows[2] == ["0.1", "-", "-", "-", "0, 1 failed"]
    assert rows[3] == ["1", "90.00", "-", "2.0", "1"]


def test_published_accuracies(table_of):
    rows = table_of(grid(lr=[0.1, 1.0], report={"0.1": 0.922}), [finished(0.9), finished(0.8)])
    assert [row[-1] for row in rows] == ["report (%)", "---:", "92.2", ""]


def test_csv_has_a_row_for_each_run(tmp_path):
    runs = all_settings([Grid({"hidden": [[8], [4, 4]], "seed": [0]})])
    error = 'its process "died",\nso'
    write_csv(tmp_path / "r.csv", runs, {"hidden-8": finished(0.9), "hidden-4+4": {"status": "failed", "error": error}})
    with (tmp_path / "r.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["run"], first["hidden"], first["seed"], first["status"]) == ("hidden-8", "8", "0", "finished")
    assert float(first["test_accuracy"]) == 0.9
    assert (second["hidden"], second["error"], second["test_accuracy"]) == ("4,4", error, "")


@pytest.mark.parametrize("name", AXES)
def test_csv_has_each_column_once(tmp_path, name):
    write_csv(tmp_path / "r.csv", {"a": {name: 3, "seed": 0}}, {"a": finished(0.9) | {"epochs": 3}})
    header = (tmp_path / "r.csv").read_text().splitlines()[0].split(",")
    assert len(set(header)) == len(header)
    assert {"run", name, "test_accuracy", "epochs"} <= set(header)


# ----------------------------------------------------------------------------------------------------- pictures


def write_run(folder, losses, accuracies, status="finished"):
    folder.mkdir(parents=True)
    rows = [
        f"{i},1,{loss},0.5,1,{a},nan,0.1,1\n" for i, (loss, a) in enumerate(zip(losses, accuracies, strict=True), 1)
    ]
    (folder / "metrics.csv").write_text(HEAD + "".join(rows))
    accuracy = accuracies[-1] if status == "finished" else None
    return {"status": status, "test_accuracy": accuracy, "val_accuracy": accuracy}


def made_cells(folder, grid, epochs=3, seeds=2):
    combinations = {repr(s): s for s in grid.settings()}.values()
    result = []
    for i, settings in enumerate(combinations):
        folders = [folder / f"{i}-{seed}" for seed in range(seeds)]
        losses = [[2.0 / (e + i + 1) + 0.1 * seed for e in range(epochs)] for seed in range(seeds)]
        accuracies = [[0.5 + 0.01 * (e + i) + 0.02 * seed for e in range(epochs)] for seed in range(seeds)]
        results = [write_run(f, x, a) for f, x, a in zip(folders, losses, accuracies, strict=True)]
        result.append(Cell(tuple(settings[axis] for axis in grid.varied), folders, results))
    return result


def is_inside(figure: Figure):
    """Whether all text is inside the picture."""
    figure.draw_without_rendering()
    whole = figure.bbox
    boxes = [legend.get_window_extent() for legend in figure.legends]
    boxes += [axes.get_tightbbox() for axes in figure.axes]
    if figure._suptitle:
        boxes.append(figure._suptitle.get_window_extent())
    notes = [axes._left_title.get_window_extent() for axes in figure.axes if axes.get_title(loc="left")]
    assert not figure._suptitle or all(figure._suptitle.get_window_extent().y0 > note.y1 for note in notes)
    edges = [(box.x0, box.y0, box.x1, box.y1) for box in boxes]
    return all(x0 >= -1 and y0 >= -1 and x1 <= whole.x1 + 1 and y1 <= whole.y1 + 1 for x0, y0, x1, y1 in edges)


def names_of_lines(figure):
    """The heading of the names of lines, and the names, in the order of the lines."""
    return [text.get_text() for text in figure.axes[1].texts]


def test_curves_are_the_mean_and_the_range_of_the_seeds(tmp_path, drawn):
    g = Grid({"lr": [0.1, 1.0]})
    pictures.curves(tmp_path / "c.png", g, made_cells(tmp_path, g), "title")
    left, right = drawn["c.png"].axes
    assert left.get_lines()[0].get_ydata() == pytest.approx([2.05, 1.05, 2 / 3 + 0.05])
    assert right.get_lines()[1].get_ydata() == pytest.approx([48, 47, 46])
    assert right.get_ylabel() == "validation error rate (%)"
    assert names_of_lines(drawn["c.png"]) == ["learning rate\n(mean and range of seeds)", "0.1", "1"]
    ranges = [shade.get_paths()[0].vertices[:, 1] for shade in right.collections]
    assert [(r.min(), r.max()) for r in ranges] == [pytest.approx((46, 50)), pytest.approx((45, 49))]
    assert right.get_ylim()[0] < 45 < 50 < right.get_ylim()[1]


def test_many_cells_and_long_names_fit_into_the_picture(tmp_path, drawn):
    axes = {"input_dropout": [0.0, 0.1, 0.2], "model": ["models/" + "long" * 20 + ".yaml", "b.yaml"],
            "batch_size": [16, 32], "schedule": ["cosine", "constant"]}  # fmt: skip
    g = Grid(axes)
    found = made_cells(tmp_path, g)
    pictures.curves(tmp_path / "c.png", g, found, "a title that is rather long " * 8)
    figure = drawn["c.png"]
    note = figure.axes[0].get_title(loc="left").replace("\n", " ")
    assert "the best 7 of 24 combinations by validation accuracy" in note
    best = sorted(found, key=mean)[-7:]
    assert len(figure.axes[0].get_lines()) == 7
    most = max(line.get_ydata()[-1] for line in figure.axes[1].get_lines())
    assert most == pytest.approx(100 - 100 * min(map(mean, best)), abs=0.01)
    assert is_inside(figure)


def test_seeds_that_diverged_do_not_shorten_the_curve(tmp_path, drawn):
    g = Grid({"lr": [0.1, 1.0, 9.0]})
    found = made_cells(tmp_path, g)
    found[0].results[1] = write_run(tmp_path / "x", [3.0], [0.1], "diverged")
    found[0].folders[1] = tmp_path / "x"
    found[2].results[:] = [{"status": "diverged"}] * 2
    found[2].folders[:] = [tmp_path / "nowhere"] * 2
    pictures.draw(tmp_path, "", g, found)
    assert len(drawn["curves.png"].axes[0].get_lines()[0].get_ydata()) == 3
    assert names_of_lines(drawn["curves.png"])[3] == "9 (diverged)"
    assert is_inside(drawn["curves.png"])
    words = [t.get_text() for t in drawn["axis.png"].axes[0].texts]
    assert words == ["1 diverged", "2 diverged"]
    assert is_inside(drawn["axis.png"])


def test_no_range_of_seeds_is_cut_at_the_axes(tmp_path, drawn):
    g = Grid({"lr": [0.1, 1.0]})
    cells = made_cells(tmp_path, g, seeds=1)
    cells[0].folders.append(tmp_path / "far")
    cells[0].results.append(write_run(tmp_path / "far", [9.0, 8.0, 0.01], [0.1, 0.2, 0.99]))
    pictures.curves(tmp_path / "c.png", g, cells, "title")
    left, right = drawn["c.png"].axes
    for axes in (left, right):  # no range is cut at the axes
        low, high = axes.get_ylim()
        for shade in axes.collections:
            for path in shade.get_paths():
                assert low <= path.vertices[:, 1].min() <= path.vertices[:, 1].max() <= high


def test_very_large_loss_does_not_hide_the_others(tmp_path, drawn):
    g = Grid({"lr": [0.1, 1.0]})
    found = made_cells(tmp_path, g, seeds=1)
    found[1] = Cell((1.0,), [tmp_path / "x"], [write_run(tmp_path / "x", [1e12, 1e3, 2.3], [0.1] * 3)])
    pictures.curves(tmp_path / "c.png", g, found, "")
    left = drawn["c.png"].axes[0]
    low, high = left.get_ylim()
    assert 0.1 < low < high == 10
    assert [text.get_text() for text in left.texts] == ["▲ larger losses are not shown"]
    (mark,) = [line for line in left.get_lines() if line.get_marker() == "^" and line.get_ydata()[0] == 10]
    assert mark.get_color() == left.get_lines()[1].get_color()
    assert mark.get_xdata() == pytest.approx([2 + math.log(1000 / 10) / math.log(1000 / 2.3)])
    assert left.texts[0].xy[0] == 0  # on the side where no line leaves


@pytest.mark.parametrize(
    ("losses", "places"),
    [([20.0, 5, 40, 30], [1.5, 2 + math.log(2) / math.log(8)]), ([11.0, 12, 13], [2]), ([1.0, 10.0], []),
     ([1e300, math.nan, 3], [1])],
)  # fmt: skip
def test_a_mark_is_where_a_line_leaves_the_picture(losses, places):
    x = np.arange(1, len(losses) + 1, dtype=float)
    assert pictures._crossings(x, np.array(losses, float)) == pytest.approx(places)


@pytest.mark.parametrize("epochs", [1, 2, 40])
@pytest.mark.parametrize("seeds", [1, 3])
def test_any_length_and_any_number_of_seeds(tmp_path, drawn, epochs, seeds):
    g = Grid({"schedule": ["cosine", "step"]})
    pictures.draw(tmp_path, "p-", g, made_cells(tmp_path, g, epochs, seeds))
    assert sorted(drawn) == ["p-axis.png", "p-curves.png"]
    figure = drawn["p-curves.png"]
    figure.draw_without_rendering()
    ticks = figure.axes[0].get_xticks()
    assert all(tick == int(tick) for tick in ticks)
    assert ("(mean and range of seeds)" in names_of_lines(figure)[0]) == (seeds > 1)
    assert is_inside(figure)
    assert drawn["p-axis.png"].axes[0].get_lines()[0].get_linestyle() == "None"  # there are no lines between names


def test_numbers_of_an_axis_are_sorted(tmp_path, drawn):
    g = Grid({"lr": [1.0, 0.01, 0.1]}, report={"0.1": 0.922})
    found = made_cells(tmp_path, g, seeds=1)
    pictures.axis(tmp_path / "a.png", g, found, "")
    axes = drawn["a.png"].axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0.01", "0.1", "1"]
    assert axes.get_lines()[0].get_ydata() == pytest.approx([100 - 100 * mean(found[i]) for i in (1, 2, 0)])
    assert list(axes.get_lines()[-1].get_xdata()) == [1]
    assert axes.get_lines()[-1].get_ydata() == pytest.approx([7.8])
    assert axes.get_ylim()[0] < 7.8


@pytest.mark.parametrize("count", [1, 3])  # of combinations, of which a sample can have one
def test_a_ring_marks_the_best_by_validation_even_if_another_has_fewer_test_errors(tmp_path, drawn, count):
    g = Grid({"lr": [0.1, 0.2, 0.3]})
    found = made_cells(tmp_path, g, seeds=1)[:count]
    for i, cell in enumerate(found):
        cell.results[0]["val_accuracy"] = 0.9 - 0.1 * abs(i - 1)
    pictures.axis(tmp_path / "a.png", g, found, "")
    rings = [line for line in drawn["a.png"].axes[0].get_lines() if line.get_markersize() == 13]
    assert [list(ring.get_xdata()) for ring in rings] == [[1]] * (count > 1)
    for ring in rings:
        assert ring.get_ydata() == pytest.approx([100 - 100 * mean(found[1])])
        assert "best on\nvalidation" in [text.get_text() for text in drawn["a.png"].legends[0].get_texts()]
        assert max(map(mean, found)) > mean(found[1])


def test_lines_of_a_note_end_between_its_parts():
    note = "32 hidden units, cosine schedule, batch 32, L2 penalty 1e-05, 2 seeds; bold: the best on validation"
    for width in np.arange(4, 9, 0.3):
        lines = pictures._wrapped("", note, float(width))[1].splitlines()
        assert " ".join(lines) == note
        assert all(line.endswith((",", ";")) for line in lines[:-1])
    assert max(map(len, pictures._wrapped("", "a note without commas " * 9, 6.4)[1].splitlines())) <= 13 * 5.2


def test_heat_map(tmp_path, drawn):
    g = Grid({"lr": [0.1, 1.0], "hidden": [[8], [16], [400, 200]]})
    found = made_cells(tmp_path, g)
    found[4].results[:] = [{"status": "diverged"}] * 2
    pictures.heat_map(tmp_path / "h.png", g, found, "")
    axes = drawn["h.png"].axes[0]
    words = [t.get_text() for t in axes.texts]
    expected = [f"{100 * mean(cell):.2f}" if not math.isnan(mean(cell)) else "diverged" for cell in found]
    assert words == expected
    assert [t.get_text() for t in axes.get_xticklabels()] == ["8", "16", "400,200"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["0.1", "1"]
    assert is_inside(drawn["h.png"])


def test_markers_dashes_and_colours_are_different():
    assert len(set(pictures.MARKERS)) == len(set(map(str, pictures.DASHES))) == len(set(pictures.COLOURS)) == 7


def test_winner_of_a_heat_map_and_the_shown_curves_are_chosen_by_validation(tmp_path, drawn):
    g = Grid({"lr": [0.1, 1.0], "hidden": [[size] for size in range(1, 5)]})
    found = made_cells(tmp_path, g, seeds=1)
    for i, cell in enumerate(found):  # the validation accuracy falls while the test accuracy rises
        cell.results[0]["val_accuracy"] = 1 - 0.01 * i
    pictures.heat_map(tmp_path / "h.png", g, found, "")
    assert [text.get_fontweight() for text in drawn["h.png"].axes[0].texts] == ["bold"] + ["normal"] * 7
    pictures.curves(tmp_path / "c.png", g, found, "")
    assert names_of_lines(drawn["c.png"])[1:] == [f"{lr:g}, {size}" for lr in (0.1, 1.0) for size in range(1, 5)][:7]


def test_titles_name_the_data_set_and_the_recipe(tmp_path, drawn):
    g = Grid({"lr": [0.1, 1.0], "epochs": [3], "seed": [0, 1]})
    found = made_cells(tmp_path, Grid({"lr": [0.1, 1.0]}))
    pictures.draw(tmp_path, "", g, found)
    assert drawn["axis.png"].get_suptitle() == "learning rate"  # no run has begun
    options = {"dataset": "mnist", "model": None, "hidden": [400, 200], "lr": 0.1, "epochs": 3, "l2": 0.0}
    (found[0].folders[1] / "config.yaml").write_text(json.dumps(options))
    pictures.draw(tmp_path, "", g, found)
    for name in ("axis.png", "curves.png"):
        assert drawn[name].get_suptitle() == "MNIST: learning rate"
        assert drawn[name].axes[0].get_title(loc="left") == "400,200 hidden units, 3 epochs, 2 seeds"
        assert is_inside(drawn[name])


def test_an_error_rate_of_zero_is_on_the_picture(tmp_path, drawn):
    g = Grid({"lr": [0.1, 1.0]})
    found = made_cells(tmp_path, g, seeds=1)
    found[1] = Cell((1.0,), [tmp_path / "x"], [write_run(tmp_path / "x", [2.0, 1.0, 1.0], [0.5, 0.9, 1.0])])
    pictures.draw(tmp_path, "", g, found)
    for name, line, axes in (("curves.png", 1, 1), ("axis.png", 0, 0)):
        panel = drawn[name].axes[axes]
        zero = panel.get_lines()[line].get_ydata()[-1]
        assert panel.get_ylim()[0] < zero
        assert panel.yaxis.get_major_formatter()(zero) == "0"

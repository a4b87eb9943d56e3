"""Train many networks: every combination of several values of any options of train.py.

    python sweep.py --lr 0.03 0.1 0.3 --hidden 100 400 --seed 0 1 2      # 18 runs, as many at a time as there are cores
    python sweep.py --lr 0.01 0.1 1 --l2 0 1e-5 1e-4 --sample 5          # 5 of the 9 combinations, drawn at random
    python sweep.py studies/report.yaml                                  # the grids of a file
    python sweep.py --lr 0.03 0.1 --cluster tcp://host:8786              # on a Dask cluster

A sweep's folder holds a run folder for each combination, results.csv, table.md with means and deviations over the
seeds, and pictures. Ctrl-C saves the runs under way; called again, a sweep that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import models
import tensorgrad as tg
import train
from tensorgrad.checkpoints import write_whole
from training import images, options, serve, workers
from training.grid import (
    AXES,
    Grid,
    Settings,
    all_settings,
    file_name,
    flag,
    grid_of,
    key,
    nearest,
    read_file,
    remember,
    text,
)
from training.guard import guarded
from training.interrupt import Interrupt
from training.progress import Tally
from training.tables import cells, markdown, write_csv

CLUSTER = """a cluster:
  dask scheduler                      on one machine; it prints its address, tcp://host:8786
  dask worker tcp://host:8786         on every machine, --nthreads 4 for four runs at a time
  Every machine sees this folder, that of the sweep and the data under the same paths, and has a Python with the same
  packages. Each run is a process of its own with one BLAS thread; runs of a worker that dies go on elsewhere.
"""


def command_line() -> argparse.ArgumentParser:
    """The parser, with an option for each axis; axes are described at the end of the help."""
    parser = argparse.ArgumentParser(
        prog="sweep.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
        usage="sweep.py [--AXIS VALUE ... | FILE.yaml] [--out DIR] [--workers N] [--sample N] [--cluster ADDRESS]",
    )  # fmt: skip
    parser.add_argument("file", nargs="?", metavar="FILE.yaml", help="grids in a file, such as studies/report.yaml")
    parser.add_argument("--out", metavar="DIR", help="the sweep's folder; without it one in sweeps/, named by its axes")
    parser.add_argument("--workers", metavar="N", help="runs at a time, each with one BLAS thread (one a core)")
    parser.add_argument("--sample", metavar="N", help="that many combinations, drawn at random, each with every seed")
    parser.add_argument("--cluster", metavar="ADDRESS", help="a Dask scheduler, tcp://host:8786; or local for one here")
    parser.add_argument("--data", metavar="DIR", help="folder with the MNIST files")
    parser.add_argument("--quiet", action="store_true", help="no progress, only the results")
    lines = ["axes, each with one value or several (defaults: python train.py --help):"]
    for name in AXES:
        parser.add_argument(flag(name), nargs="+", action="append", dest=f"axis {name}", help=argparse.SUPPRESS)
        kinds = {bool: " (true, false)", list: " (several in one value: 400,200)" if name == "hidden" else ""}
        meaning = options.OPTIONS[name].help + kinds.get(type(options.OPTIONS[name].default), "")
        lines += textwrap.wrap(meaning, 118, initial_indent=f"  {flag(name):18}", subsequent_indent=" " * 20)
    parser.epilog = "\n".join([*lines, "", CLUSTER])
    return parser


def parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, list[Grid]]:
    """The options and the grids of a command line; errors result in a one-line message."""
    parser = command_line()
    given, unknown = parser.parse_known_args(arguments)
    try:
        for word in unknown:
            if word.startswith("--"):
                raise tg.ConfigError(f"{word} is no axis of a sweep; {nearest(word.partition('=')[0], AXES)}")
            raise tg.ConfigError(f"{word} belongs to no axis: name one, as in --lr 0.1 0.3, and put FILE.yaml first")
        for name in ("workers", "sample"):
            if getattr(given, name) is not None:
                try:
                    setattr(given, name, options.whole(1)(getattr(given, name)))
                except ValueError as error:
                    raise tg.ConfigError(f"--{name} {error}") from None
        lists = {name: getattr(given, f"axis {name}") for name in AXES if getattr(given, f"axis {name}")}
        for name, written in lists.items():
            if len(written) > 1:
                raise tg.ConfigError(f"{flag(name)} is given twice: put all its values behind one")
        if given.file is None:
            if not lists:
                raise tg.ConfigError("no axis: name options with several values, as in --lr 0.03 0.1 0.3, or a file")
            return given, [grid_of({name: written[0] for name, written in lists.items()}, sample=given.sample)]
        if lists or given.sample:
            raise tg.ConfigError(
                f"{given.file} says what to run: write other axes and the sample there, or leave it out"
            )
        return given, read_file(Path(given.file))
    except tg.ConfigError as error:
        parser.error(str(error))


def start(given: argparse.Namespace, grids: list[Grid]) -> int:
    """Run the settings without a result, then write tables and pictures; return the exit code of the program."""
    folder = Path(given.out or default_folder(given, grids))
    runs = all_settings(grids)
    complete, marks = prepare(given, runs)
    folder.mkdir(parents=True, exist_ok=True)
    with serve.alone(folder, otherwise="another sweep.py is at work in it"):
        runs = remember(folder, runs, marks)
        stop = (folder / "stop").absolute()
        stop.unlink(missing_ok=True)
        results = {name: ended for name in runs if (ended := serve.ended(folder / "runs" / name))}
        jobs = {
            name: {"settings": complete[key(settings)], "folder": str(folder / "runs" / name), "stop": str(stop)}
            for name, settings in runs.items() if name not in results
        }  # fmt: skip
        if not given.quiet:
            print(f"{len(runs)} runs, {len(results)} of them finished before, in {folder}", flush=True)

        count = min(given.workers or workers.cores(), max(len(jobs), 1))
        with Interrupt() as interrupt:
            if jobs:
                where = workers.cluster(given.cluster, count) if given.cluster else workers.local(count)
                with where as (executor, task), Tally(len(runs), len(results), given.quiet) as tally:
                    for news in workers.run_all(jobs, executor, task, lambda: bool(interrupt)):
                        if news is None:
                            tally.tick()
                        elif news[1] != serve.INTERRUPTED:
                            results[news[0]] = news[1]
                            tally.ended(*news)
                            write_csv(folder / "results.csv", runs, results)
        stop.unlink(missing_ok=True)
        write_csv(folder / "results.csv", runs, results)
        publish(folder, grids, runs, results)
    return report(runs, results)


def prepare(given: argparse.Namespace, runs: dict[str, Settings]) -> tuple[dict[str, Settings], dict[str, str]]:
    """Load each data set once (downloading it if needed) and validate the settings of all runs before the first starts.

    Returns, by `key`, the settings including the data set, and an identification of the data.
    """
    loaded: dict[Any, Any] = {}
    complete, marks, built = {}, {}, set()
    place = given.data or os.environ.get("TENSORGRAD_DATA")
    for settings in runs.values():
        asked = settings.get("dataset")
        if asked not in loaded:
            loaded[asked] = tg.data.load(asked, None if asked == "digits" else given.data, quiet=given.quiet)
        data = loaded[asked]
        whole = {**settings, "dataset": data.name}
        if data.name != "digits" and place:
            whole["data"] = str(Path(place).absolute())
        o = options.settle(whole, data.name, data.classes)
        images.hold_out(data, o.validation)
        if (network := key([o.layers, data.name, o.freeze])) not in built:
            built.add(network)
            layers = models.build(
                o.layers, data.features, data.classes, np.random.default_rng(0), o.model or "the network"
            )
            train.freeze(layers, o.freeze)
        complete[key(settings)], marks[key(settings)] = whole, f"{data.name} {images.about(data)['fingerprint']}"
    return complete, marks


def default_folder(given: argparse.Namespace, grids: list[Grid]) -> Path:
    """The folder in sweeps/, named after the file, or after the axes and their values."""
    if given.file:
        return Path("sweeps") / Path(given.file).stem
    parts = [f"{name}-{'-'.join(map(text, values))}" for name, values in grids[0].axes.items()]
    return Path("sweeps") / file_name("_".join(parts + ["sample"] * (given.sample is not None)))


def publish(folder: Path, grids: list[Grid], runs: dict[str, Settings], results: dict[str, serve.Result]) -> None:
    """Write table.md and the pictures for the results so far."""
    from training import sweep_pictures as pictures  # matplotlib takes a second to import

    tables = []
    for grid in grids:
        found = cells(grid, runs, results, folder / "runs")
        several = len(grids) > 1
        tables.append(f"## {grid.name}\n\n{markdown(grid, found)}" if several else markdown(grid, found))
        if any(cell.count("finished") for cell in found):
            pictures.draw(folder, f"{file_name(grid.name)}-" if several else "", grid, found)
    content = "\n".join(tables)
    write_whole(folder / "table.md", lambda file: file.write(content.encode()))
    print(content, end="")


def report(runs: dict[str, Settings], results: dict[str, serve.Result]) -> int:
    """Print failures and the number of unfinished runs; return the exit code of the program."""
    failed: dict[str, list[str]] = {}
    for name, result in results.items():
        if result["status"] == "failed":
            failed.setdefault(result["error"], []).append(name)
    for error, names in failed.items():
        more = f" and {len(names) - 1} others" if len(names) > 1 else ""
        sys.stderr.write(f"sweep.py: {names[0]}{more} failed: {error}\n")
    if len(results) < len(runs):
        count = f"{len(results)} of {len(runs)} runs"
        sys.stderr.write(f"sweep.py: stopped with {count} finished; the same command goes on from there\n")
        return 128 + signal.SIGINT
    return 1 if failed else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; errors caused by the user result in a one-line message and a non-zero exit code."""
    return guarded("sweep.py", start, *parse(arguments))


if __name__ == "__main__":
    sys.exit(main())

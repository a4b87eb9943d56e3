"""Train many networks: all combinations of several values of any options of train.py.

    python sweep.py --lr 0.03 0.1 0.3 --hidden 100 400 --seed 0 1 2      # 18 runs, one per core at a time
    python sweep.py --lr 0.01 0.1 1 --l2 0 1e-5 1e-4 --sample 5          # 5 of the 9 combinations, drawn at random
    python sweep.py studies/report.yaml                                  # the combinations that a file describes
    python sweep.py --lr 0.03 0.1 --cluster tcp://host:8786              # on a Dask cluster
    python sweep.py --search 40 --lr 1e-4:1:log --hidden 100 400         # 40 trials, chosen by Optuna one after another

The folder of a sweep contains the folder of each run, results.csv, table.md with means and standard deviations over
the seeds, and pictures. Ctrl-C saves the runs in progress; the same command continues the sweep.

A search (extra: search) looks for the settings with the best accuracy on the validation images, in ranges (LOW:HIGH, or
LOW:HIGH:log) and lists of values, or in a file such as studies/search.yaml. Trials that are worse than the median are
stopped early.
"""

if __name__ == "__main__":  # before other imports, so that Ctrl-C ends the program without a traceback
    import _signal as signals  # type: ignore[import-not-found]  # built in: its import reads no file

    if signals.getsignal(signals.SIGINT) is signals.default_int_handler:
        signals.signal(signals.SIGINT, signals.SIG_DFL)
    from training import startup

    startup.prepare("sweep.py")

import argparse
import contextlib
import os
import signal
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import models
import tensorgrad as tg
from models.schema import checked, integer
from tensorgrad.checkpoints import write_whole
from training import cluster, images, options, recipe, search, sweep_folder, workers
from training.command_line import Parser, flag
from training.folders import locked
from training.grid import AXES, Grid, Settings, all_settings, as_text, file_name, grid_of, key, read_file
from training.program import is_drawn, run_program
from training.progress import SweepDisplay
from training.run import read_result
from training.run_pictures import lacks_pictures
from training.search_space import Space, read_space, space_of
from training.search_table import search_table
from training.signals import Interrupt, exit_code
from training.tables import cells, markdown, write_csv
from training.worker_process import INTERRUPTED, Result

CLUSTER = """a cluster:
  dask scheduler                      on one machine; it prints its address, such as tcp://host:8786
  dask worker tcp://host:8786         on every machine; with --nthreads 4, four runs at a time
  Every machine needs this folder, that of the sweep and the data under the same paths, and a Python with the same
  packages. Each run is a separate process with one BLAS thread. If a worker dies, its runs continue elsewhere.
"""


def command_line() -> Parser:
    """The command line, with an option for each option of train.py that can be varied."""
    parser = Parser(
        "sweep.py", description=__doc__,
        usage="sweep.py [--OPTION VALUE ... | FILE.yaml] [--sample N | --search N] [--out DIR] [--workers N] "
              "[--cluster ADDRESS]",
    )  # fmt: skip
    parser.add_argument("file", nargs="?", metavar="FILE.yaml", help="combinations in a file, see studies/report.yaml")
    parser.add_argument(
        "--out", metavar="DIR", help="folder of the sweep; by default one in sweeps/ that is named after the options"
    )
    parser.add_argument(
        "--workers", metavar="N", help="number of runs at a time, each with one BLAS thread (one per core)"
    )
    parser.add_argument("--sample", metavar="N", help="run only N combinations, drawn at random, each with every seed")
    parser.add_argument(
        "--search", metavar="N", help="search with N trials, including those of earlier commands (see above)"
    )
    parser.add_argument(
        "--cluster", metavar="ADDRESS", help="address of a Dask scheduler, or local to start a cluster on this machine"
    )
    parser.add_argument("--data", metavar="DIR", help="folder or file with the data set")
    parser.add_argument("--quiet", action="store_true", help="print the results only, without progress")
    lines = [
        "options of train.py that can be varied, each with one value or several (defaults: python train.py --help):"
    ]
    for name in AXES:
        parser.add_argument(flag(name), nargs="+", dest=f"axis {name}", help=argparse.SUPPRESS)
        default = options.OPTIONS[name].default
        form = " (true, false)" if isinstance(default, bool) else " (400,200 is one value)" if name == "hidden" else ""
        meaning = options.OPTIONS[name].help + form
        lines += textwrap.wrap(meaning, 118, initial_indent=f"  {flag(name):18}", subsequent_indent=" " * 20)
    parser.epilog = "\n".join([*lines, "", CLUSTER])
    return parser


def parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, list[Grid] | Space]:
    """The options of the sweep itself, and its grids or, for a search, its space, from the command line.

    Raises
    ------
    ConfigError
        If an option is unknown or out of range, or if there is nothing to run.
    """
    given = command_line().parse(arguments)
    for name in ("workers", "sample", "search"):
        if getattr(given, name) is not None:
            setattr(given, name, checked(getattr(given, name), integer(1), f"--{name}", is_written=True))
    axes = {name: values for name in AXES if (values := getattr(given, f"axis {name}"))}
    if given.search and given.sample:
        raise tg.ConfigError("--sample cannot be combined with --search")
    if given.file is None:
        if not axes:
            raise tg.ConfigError("nothing to run: name options with several values, as in --lr 0.03 0.1 0.3, or a file")
        if given.search:
            return given, space_of(axes)
        try:
            return given, [grid_of(axes, sample=given.sample)]
        except tg.ConfigError as error:
            hint = " (a range needs --search N)" if any(":" in v for values in axes.values() for v in values) else ""
            raise tg.ConfigError(f"{error}{hint}") from None
    if axes or given.sample:
        extra = flag(next(iter(axes), "sample"))
        raise tg.ConfigError(f"{extra} cannot be combined with a file: set it in {given.file}")
    path = Path(given.file)
    return given, read_space(path) if given.search else read_file(path)


def start(given: argparse.Namespace, plan: list[Grid] | Space) -> int:
    """Do what the command line says; return the exit code of the program."""
    return start_search(given, plan) if isinstance(plan, Space) else start_sweep(given, plan)


def start_sweep(given: argparse.Namespace, grids: list[Grid]) -> int:
    """Train the runs that have not ended, then write tables and pictures; return the exit code of the program."""
    folder = Path(given.out or default_folder(given, grids[0].axes))
    runs = all_settings(grids)
    complete, data = prepare(given, runs)
    records = sweep_folder.merge(sweep_folder.read_records(folder), runs, data, folder)
    unfinished = sum(not has_ended(folder / "runs" / name) for name in records)
    with contextlib.ExitStack() as stack:
        executor, task, _ = open_folder(stack, folder, given, unfinished)
        known = sweep_folder.read_records(folder)  # again: before this one had the lock, another sweep may have written
        records = sweep_folder.merge(known, runs, data, folder)
        sweep_folder.write_records(folder, known | records)
        runs = {name: record["settings"] for name, record in records.items()}  # under the names they have in the folder
        results = {name: result for name in runs if (result := read_result(folder / "runs" / name))}
        undrawn = {name for name in results if lacks_pictures(folder / "runs" / name)}
        if not given.quiet:
            print(f"{len(runs)} runs in {folder}, {len(results)} of them have ended before")
        stop = (folder / "stop").absolute()
        jobs = {
            name: {"settings": complete[key(settings)], "folder": str(folder / "runs" / name), "stop": str(stop)}
            for name, settings in runs.items() if name not in results or name in undrawn
        }  # fmt: skip
        number = None
        if jobs:
            stop.unlink(missing_ok=True)
            with Interrupt() as interrupt, SweepDisplay(len(runs), len(results), given.quiet) as display:
                for ended in workers.run_all(jobs, executor, task, lambda: bool(interrupt)):
                    if ended is None:
                        display.refresh()
                    elif ended[1] != INTERRUPTED and ended[0] not in undrawn:
                        results[ended[0]] = ended[1]
                        display.run_ended(*ended)
                        write_csv(folder / "results.csv", runs, results)
            stop.unlink(missing_ok=True)
            number = interrupt.signal
        write_csv(folder / "results.csv", runs, results)
        has_pictures = publish(folder, grids, runs, results)
        undrawn = {name for name in results if lacks_pictures(folder / "runs" / name)}
    return report(runs, results, undrawn, number) or int(not has_pictures)


def start_search(given: argparse.Namespace, space: Space) -> int:
    """Run trials, each with settings that follow from the earlier ones; return the exit code of the program."""
    search.optuna()  # an error if it is missing
    folder = Path(given.out or default_folder(given, space.description()["axes"]))
    data = next(iter(prepare(given, {str(i): corner for i, corner in enumerate(space.corners())})[1].values()))
    search.Search(folder, space, data)  # an error if the folder contains something else

    def complete(settings: Settings) -> Settings:
        return next(iter(prepare(given, {"trial": settings})[0].values()))

    with contextlib.ExitStack() as stack:
        executor, task, count = open_folder(stack, folder, given, given.search)
        found = search.Search(folder, space, data)
        ended = [trial for trial in found.trials if trial.outcome]
        if not given.quiet:
            print(f"{given.search} trials in {folder}, {len(ended)} of them have ended before")
        with Interrupt() as interrupt, SweepDisplay(given.search, len(ended), given.quiet, "validation") as display:
            jobs = workers.run_next(found.jobs(given.search, complete), count, executor, task, lambda: bool(interrupt))
            found.follow(jobs, display)
        has_pictures = publish_search(found)

    runs = {f"trial {i}": trial.settings for i, trial in enumerate(found.trials, 1)}
    results = {f"trial {i}": trial.outcome for i, trial in enumerate(found.trials, 1) if trial.outcome}
    missing: dict[str, Settings] = {f"trial {i}": {} for i in range(len(found.trials) + 1, given.search + 1)}
    return report(runs | missing, results, set(), interrupt.signal, "trials") or int(not has_pictures)


def open_folder(stack: contextlib.ExitStack, folder: Path, given: argparse.Namespace,
                runs: int) -> tuple[Any, Any, int]:  # fmt: skip
    """Start workers for so many runs, and lock the folder; return the executor, its task and the number of workers."""
    count, executor, task = min(given.workers or workers.cores(), runs), None, None
    if runs:  # first of all: if a cluster does not answer, no folder is created
        pool = cluster.connect(given.cluster, count) if given.cluster else workers.local(count)
        executor, task = stack.enter_context(pool)
    folder.mkdir(parents=True, exist_ok=True)
    stack.push(_say_how_to_continue)
    stack.enter_context(locked(folder, "another sweep.py is using this folder"))
    sweep_folder.clean(folder)
    return executor, task, count


def publish_search(found: search.Search) -> bool:
    """Write results.csv and table.md, print the latter, and draw the pictures; return whether drawing succeeded."""
    runs = {trial.run: trial.settings for trial in found.trials}
    results = {trial.run: trial.outcome for trial in found.trials if trial.outcome}
    write_csv(found.folder / "results.csv", runs, results)
    content = search_table(list(found.space.axes), found.trials, found.best())
    write_whole(found.folder / "table.md", lambda file: file.write(content.encode()))
    print(content, end="")

    def draw() -> None:
        from training import search_pictures  # matplotlib takes a second to import

        search_pictures.draw(found)

    return is_drawn("sweep.py", draw)


def has_ended(run: Path) -> bool:
    """Whether nothing is left to do for a run."""
    return read_result(run) is not None and not lacks_pictures(run)


def _say_how_to_continue(kind: type[BaseException] | None, *_: object) -> None:
    if kind is not None and issubclass(kind, KeyboardInterrupt):
        print("the same command continues the sweep", flush=True)


def prepare(given: argparse.Namespace, runs: dict[str, Settings]) -> tuple[dict[str, Settings], dict[str, str]]:
    """Load each data set once, which may download it, and check the settings of all runs before the first one starts.

    Returns two dicts by the `key` of the settings: the settings with data set and folder, and a text that identifies
    the data.

    Raises
    ------
    ConfigError, DataError
        If a run could not start.
    """
    loaded: dict[Any, Any] = {}
    complete, identity, built = {}, {}, set()
    data_folder = given.data or os.environ.get("TENSORGRAD_DATA")
    for settings in runs.values():
        name = settings.get("dataset")
        if name not in loaded:
            loaded[name] = tg.data.load(name, None if name == "digits" else given.data, quiet=given.quiet)
        data = loaded[name]
        completed = {**settings, "dataset": data.name}
        if data.name != "digits" and data_folder:
            completed["data"] = str(Path(data_folder).absolute())
        o = options.resolve(completed, data.name, data.classes)
        images.hold_out(data, o.validation)
        if (network := key([o.layers, data.name, o.freeze])) not in built:
            built.add(network)
            layers = models.build(
                o.layers, data.shape, data.classes, np.random.default_rng(0), o.model or "the network"
            )
            recipe.freeze(layers, o.freeze)
        complete[key(settings)] = completed
        identity[key(settings)] = f"{data.name} {images.about(data)['fingerprint']}"
    return complete, identity


def default_folder(given: argparse.Namespace, axes: Mapping[str, Any]) -> Path:
    """The folder in sweeps/ named after the file, or after the options and their values."""
    if given.file:
        return Path("sweeps") / Path(given.file).stem
    parts = ["search"] * bool(given.search)
    for name, axis in axes.items():
        values = [axis["low"], axis["high"]] if isinstance(axis, dict) else axis
        parts.append(f"{name}-{'-'.join(map(as_text, values))}")
    return Path("sweeps") / file_name("_".join(parts + ["sample"] * (given.sample is not None)))


def publish(folder: Path, grids: list[Grid], runs: dict[str, Settings], results: dict[str, Result]) -> bool:
    """Write and print table.md, and draw the pictures, of the results so far; return whether drawing succeeded."""
    found = [cells(grid, runs, results, folder / "runs") for grid in grids]
    tables = [markdown(grid, cells_of_grid) for grid, cells_of_grid in zip(grids, found, strict=True)]
    if len(grids) > 1:
        tables = [f"## {grid.name}\n\n{table}" for grid, table in zip(grids, tables, strict=True)]
    content = "\n".join(tables)
    write_whole(folder / "table.md", lambda file: file.write(content.encode()))
    print(content, end="")

    def draw() -> None:
        from training import sweep_pictures  # matplotlib takes a second to import

        for grid, cells_of_grid in zip(grids, found, strict=True):
            if any(cell.count("finished") for cell in cells_of_grid):
                prefix = f"{file_name(grid.name)}-" if len(grids) > 1 else ""
                sweep_pictures.draw(folder, prefix, grid, cells_of_grid)

    return is_drawn("sweep.py", draw)


def report(runs: dict[str, Settings], results: dict[str, Result], undrawn: set[str], number: int | None,
           kind: str = "runs") -> int:  # fmt: skip
    """Print failures, and the number of runs that are left after a signal; return the exit code of the program."""
    failed: dict[str, list[str]] = {}
    for name, result in results.items():
        if result["status"] == "failed":
            failed.setdefault(result["error"], []).append(name)
    for error, names in failed.items():
        more = f" and {len(names) - 1} others" if len(names) > 1 else ""
        sys.stderr.write(f"sweep.py: {names[0]}{more} failed: {error}\n")
    if undrawn and number is None:
        shown = ", ".join(sorted(undrawn)[:3]) + ", ..." * (len(undrawn) > 3)
        sys.stderr.write(f"sweep.py: the pictures of {shown} could not be drawn; the same command draws them\n")
    if len(results) < len(runs):
        counts = f"{len(results)} of {len(runs)} {kind}"
        sys.stderr.write(f"sweep.py: stopped after {counts}; the same command continues the sweep\n")
        return exit_code(number or signal.SIGINT)
    return 1 if failed or undrawn else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program, by default with the arguments of the command line; return its exit code."""
    return run_program("sweep.py", lambda: start(*parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())

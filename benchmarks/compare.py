"""A training step, a cold start and memory, beside all libraries that are installed.

    python -m pip install -e ".[compare]"
    python benchmarks/compare.py                             # prints tables; about six minutes
    python benchmarks/compare.py --write docs/figures.md     # and writes them to the page, with two pictures
    python benchmarks/compare.py --only tensorgrad jax --parts steps

Each contender has a process of its own. All are pinned to the same core and run in turns: in each round, each of them
runs steps for a few milliseconds while the others wait. A ratio is the median of the ratios in all rounds. Before that,
their weights after some steps are compared.

steps   a step of 784-400-10: gather a batch, forward, cross-entropy, backward, SGD with weight decay; float32
costs   such a step with more layers, wider layers, and other batches, for some of the contenders
starts  from the start of a process to an accuracy on validation images, import and compilation included, with MNIST
        where it is found (TENSORGRAD_DATA) and the small digits otherwise; and the peak memory of the first epoch

A contender that is not installed, fails, or does not answer in time is excluded, with the reason on standard error.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import compare_report
import contender
import contenders
import measuring
import numpy as np
from contender_process import ContenderError, Process

WIDTHS, BATCH = [784, 400, 10], 128
BATCHES = [16, 128, 1024]
BASE = "tuned NumPy"
TIMEOUT = 240  # seconds that a contender may compile, or train an epoch; torch.compile takes 30 on a quiet machine
COSTS_CONTENDERS = [BASE, "tensorgrad", "tensorgrad, compiled", "PyTorch", "jax.jit"]
PARTS = ["steps", "costs", "starts"]


@dataclass
class Size:
    """How much is measured."""

    images: int
    rounds: int
    seconds: float  # of a contender in a round
    axes: dict[str, list[int]]


FULL = Size(60_000, 15, 0.02, {"hidden layers": [1, 2, 4, 8], "units": [50, 100, 200, 400, 800, 1600],
                               "batch": [4, 16, 64, 256, 1024, 4096]})  # fmt: skip
QUICK = Size(2_000, 3, 0.002, {"hidden layers": [1, 2], "units": [100, 400], "batch": [16, 128]})


@dataclass
class Recipe:
    """Settings of a training to an accuracy; with these learning rates, one epoch clearly exceeds it."""

    goal: float
    batch: int
    hidden: int
    lr: float
    decay: float = 1e-5
    epochs: int = 15  # at most


RECIPES = {"mnist": Recipe(0.98, 128, 400, 0.7), "digits": Recipe(0.94, 16, 100, 0.3)}


@dataclass
class Results:
    """What was measured, in seconds and MiB; it can be written as JSON."""

    about: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    steps: dict[str, dict[str, list[float]]] = field(default_factory=dict)  # by batch and contender
    costs: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)  # by axis, value and contender
    starts: dict[str, dict[str, float]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)  # contenders that are not installed, and why
    failed: list[str] = field(default_factory=list)  # contenders that failed, and why


class Pool:
    """The processes of the contenders that have not failed; ``results.failed`` has the others, with reasons."""

    def __init__(self, environment: Mapping[str, str], results: Results) -> None:
        self.environment, self.results = environment, results
        self.processes: dict[str, Process] = {}
        self.folder = tempfile.TemporaryDirectory()

    def start(self, name: str) -> None:
        """Start the process of a contender, with empty caches of compiled programs."""
        caches = {
            variable: tempfile.mkdtemp(dir=self.folder.name) for variable in ("TORCHINDUCTOR_CACHE_DIR", "TMPDIR")
        }
        cache = {"CACHEDB": f"{caches['TMPDIR']}/tinygrad.db"}
        self.processes[name] = Process(name, {**self.environment, **caches, **cache})

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():
            process.close()
        self.folder.cleanup()

    def request(self, name: str, method: str, timeout: float, **arguments: Any) -> Any:
        """The answer of a contender; None if it failed and was excluded."""
        try:
            return self.processes[name].request(method, timeout, **arguments)
        except ContenderError as error:
            self.exclude(name, str(error))

    def exclude(self, name: str, reason: str) -> None:
        """Continue without this contender; raise an error for the one that ratios refer to."""
        self.processes.pop(name).close()
        if name == BASE:
            raise ContenderError(f"{name}, which ratios refer to: {reason}")
        self.results.failed.append(f"{name}: {reason}")
        log(f"left out: {self.results.failed[-1]}")

    def request_all(self, method: str, timeout: float, **arguments: Any) -> None:
        """Send a request without a result to all."""
        for name in list(self.processes):
            self.request(name, method, timeout, **arguments)

    def check(self, widths: Sequence[int]) -> None:
        """Compare the weights of all after the same steps; exclude those that differ."""
        paths = {name: Path(self.folder.name, f"weights{i}.npz") for i, name in enumerate(self.processes)}
        for name, path in paths.items():
            self.request(name, "weights", 60, path=str(path))
        weights = {}
        for name in self.processes:
            with np.load(paths[name]) as file:
                weights[name] = list(file.values())
        start = contender.initial_weights(widths)
        for name in list(self.processes):
            difference = contender.difference(weights[name], weights[BASE], start)
            if not difference <= contender.TOLERANCE:
                self.exclude(name, f"other weights: they differ by {difference:.1e} of their change")

    def rounds(self, count: int, seconds: float) -> dict[str, list[float]]:
        """The times of a step, by contender and round; the order rotates from round to round."""
        order, found = list(self.processes), {name: [] for name in self.processes}
        for _ in range(count):
            for name in order:
                if name in self.processes:
                    found[name].append(self.request(name, "time_step", 30, seconds=seconds))
            order.append(order.pop(0))
        return {name: found[name] for name in self.processes}


def log(line: str) -> None:
    """Write a line to standard error."""
    print(line, file=sys.stderr, flush=True)


# ------------------------------------------------------------------------------------------------ the three parts


def measure_steps(pool: Pool, size: Size, options: Mapping[str, Any]) -> None:
    """A step at each batch size."""
    for batch in BATCHES:
        log(f"a step with a batch of {batch}")
        pool.request_all("prepare", TIMEOUT, images=size.images, batch=batch, widths=WIDTHS, **options)
        pool.check(WIDTHS)
        pool.results.steps[str(batch)] = pool.rounds(size.rounds, size.seconds)


def measure_costs(pool: Pool, size: Size, options: Mapping[str, Any]) -> None:
    """A step with another number of layers, units or images."""
    first, units, last = WIDTHS
    for axis, values in size.axes.items():
        costs = pool.results.costs.setdefault(axis, {})
        log(f"a step with other numbers of {axis}" if axis != "batch" else "a step with other batches")
        for value in values:
            hidden = {"hidden layers": [units] * value, "units": [value]}.get(axis, [units])
            batch = value if axis == "batch" else BATCH
            widths = [first, *hidden, last]
            pool.request_all("prepare", TIMEOUT, images=size.images, batch=batch, widths=widths, **options)
            costs[str(value)] = pool.rounds((size.rounds + 1) // 2, size.seconds)


def measure_starts(pool: Pool, names: Sequence[str], path: Path, recipe: Recipe, widths: Sequence[int]) -> None:
    """Training from the start of the processes, epochs in turns, up to the accuracy."""
    results, rates = pool.results, {"batch": recipe.batch, "lr": recipe.lr, "decay": recipe.decay}
    for epoch in range(recipe.epochs + 1):
        for name in list(names if epoch == 0 else pool.processes):
            start = time.perf_counter()
            if epoch == 0:
                pool.start(name)
                pool.request(name, "start", TIMEOUT, path=str(path), widths=widths, **rates)
                if name in pool.processes:
                    first = time.perf_counter() - pool.processes[name].started
                    results.starts[name] = {"first": first, "seconds": first, "accuracy": 0.0, "epochs": 0}
                continue
            found = results.starts[name]
            if found["accuracy"] >= recipe.goal:
                continue
            answer = pool.request(name, "train", TIMEOUT)
            if answer is None:
                del results.starts[name]
                continue
            found["seconds"] += time.perf_counter() - start
            found.setdefault("peak", answer["peak"])
            found |= {"accuracy": answer["accuracy"], "epochs": epoch}


def validation_file(folder: str, small: bool) -> tuple[Path, Recipe, list[int], str]:
    """The images of MNIST, or the small digits, in a file; how to train on them, the network, and the set's name."""
    import tensorgrad as tg
    from training import images

    data = tg.data.load("digits" if small else None, download=False, notify=log)
    recipe = RECIPES[data.name]
    train, validation = images.hold_out(data, 1 / 6)
    x = images.rows(data.train_images, 1 / data.brightest)
    path = Path(folder) / "images.npz"
    np.savez(path, x=x[train], y=data.train_labels[train], x_val=x[validation], y_val=data.train_labels[validation])
    return path, recipe, [data.features, recipe.hidden, data.classes], data.name


# ------------------------------------------------------------------------------------------------ the program


def select(words: Sequence[str], results: Results) -> list[str]:
    """The contenders whose names contain one of the words and that are installed, after the reference."""
    names = [name for name in contenders.CONTENDERS if not words or any(word.lower() in name.lower() for word in words)]
    for name in list(names):
        if reason := contenders.CONTENDERS[name][0].missing():
            results.missing.append(f"{name}: {reason}")
            log(f"left out: {results.missing[-1]}")
            names.remove(name)
    return [BASE, *(name for name in names if name != BASE)]


def pin(threads: int) -> str:
    """Pin this process, and all that it starts, to as many cores as threads; return a description."""
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned to a core: this system cannot"
    cores = sorted(os.sched_getaffinity(0))[:threads]
    os.sched_setaffinity(0, cores)
    return f"pinned to core{'s' * (len(cores) > 1)} {', '.join(map(str, cores))}"


def measure(args: argparse.Namespace, results: Results) -> None:
    """Measure the selected parts."""
    size = QUICK if args.quick else FULL
    size = dataclasses.replace(size, rounds=args.rounds or size.rounds)
    cores = pin(args.threads)
    environment = {**measuring.limits(args.threads), "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    names = select(args.only, results)
    options = {"keep_memory": args.allocator == "keep"}
    threads = f"{args.threads} thread{'s' * (args.threads > 1)}"
    results.about = {
        "processor": measuring.processor(), "python": platform.python_version(), "cores": cores, "threads": threads,
        "date": datetime.date.today().isoformat(), "rounds": size.rounds, "allocator": args.allocator,
    }  # fmt: skip
    with Pool(environment, results) as pool:
        for name in names:
            pool.start(name)
        for name in names:
            if about := pool.request(name, "about", 60):
                results.versions[name] = about["version"]
                results.about.setdefault("blas", about["blas"])
        if "steps" in args.parts:
            measure_steps(pool, size, options)
        if "costs" in args.parts:
            for name in set(pool.processes) - set(COSTS_CONTENDERS):
                pool.processes.pop(name).close()
            measure_costs(pool, size, options)
    if "starts" in args.parts:
        with Pool(environment, results) as pool:
            path, recipe, widths, data = validation_file(pool.folder.name, args.quick)
            network = "-".join(map(str, widths))
            results.about["starts"] = {"data": data, "network": network, **dataclasses.asdict(recipe)}
            log(f"from the start of a process to {recipe.goal:.0%} of the validation images of {data}")
            failed = {line.partition(": ")[0] for line in results.failed}
            measure_starts(pool, [name for name in names if name not in failed], path, recipe, widths)


# fmt: off
def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse and check the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"contenders: {'; '.join(contenders.CONTENDERS)}",
    )  # fmt: skip
    add = parser.add_argument
    add("--only", nargs="+", default=[], metavar="WORD",
        help=f"contenders whose names contain one of these words, and {BASE}, which ratios refer to")
    add("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure; by default, all of it")
    add("--rounds", type=int, metavar="N", help=f"rounds of a step (default: {FULL.rounds}; quick: {QUICK.rounds})")
    add("--quick", action="store_true", help="few rounds, few images: a test of the program, not a measurement")
    add("--threads", type=int, default=1, metavar="N", help="threads and cores (default: 1)")
    add("--allocator", choices=("keep", "default"), default="keep",
        help="whether the C library keeps freed memory, in steps and costs (default: keep)")
    add("--write", type=Path, metavar="PAGE",
        help="write the tables to this Markdown page, between two markers, and the pictures to the folder images")
    add("--save", type=Path, metavar="FILE", help="write what was measured, as JSON")
    add("--load", type=Path, metavar="FILE", help="take what was measured from such a file")
    args = parser.parse_args(arguments)
    if args.threads < 1 or (args.rounds is not None and args.rounds < 1):
        parser.error("--threads and --rounds must be at least 1")
    if args.write:
        try:
            compare_report.split(args.write)
        except (OSError, ValueError) as error:
            parser.error(f"--write: {error}")
    return args
# fmt: on


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables, and write them; 1 if a contender failed."""
    args = parse_arguments(arguments)
    results = Results()
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exception, which ends the contenders too
    try:
        if args.load:
            results = Results(**json.loads(args.load.read_text(encoding="utf-8")))
        else:
            measure(args, results)
    except KeyboardInterrupt:
        log("interrupted")
        return 130
    except ContenderError as error:
        log(f"compare.py: {error}")
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)
    if args.save:
        args.save.write_text(json.dumps(dataclasses.asdict(results), indent=1), encoding="utf-8")
    print(compare_report.text(results))
    if args.write:
        compare_report.write(args.write, results)
    return int(bool(results.failed))


if __name__ == "__main__":
    sys.exit(main())

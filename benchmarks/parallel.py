"""How much faster several processes train than one, each with one BLAS thread: ``mpirun -n 2 python train.py``.

Epochs of 784-400-10 on MNIST, of one process and of several, in turns; the first epoch of each run, which records the
updates, does not count. The table gives medians, and the ratios of the rounds. Every process needs a core of its own.

    python benchmarks/parallel.py --data DIR --rounds 5
    python benchmarks/parallel.py --data DIR --model models/lenet.yaml --batch-size 128
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TRAIN = Path(__file__).resolve().parents[1] / "train.py"
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def seconds(folder: Path, processes: int, settings: list[str], epochs: int) -> float:
    """The median time of an epoch after the first one."""
    shutil.rmtree(folder, ignore_errors=True)
    beside = Path(sys.executable).with_name("mpirun")
    launcher = [str(beside if beside.exists() else "mpirun"), "-n", str(processes)] if processes > 1 else []
    command = [*launcher, sys.executable, str(TRAIN), "--quiet", "--threads", "1", "--epochs", str(epochs), *settings]
    environment = os.environ | ONE_THREAD
    subprocess.run([*command, "--out", str(folder)], env=environment, check=True, stdout=subprocess.DEVNULL)
    with (folder / "metrics.csv").open(encoding="utf-8") as file:
        ends = [float(row["seconds"]) for row in csv.DictReader(file)]
    return statistics.median(end - start for start, end in itertools.pairwise(ends))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("TENSORGRAD_DATA"), help="the folder of MNIST")
    parser.add_argument("--model", help="a model file in place of 784-400-10")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, nargs="+", default=[128, 512])
    given = parser.parse_args()
    where = ["--data", given.data] if given.data else []
    print(f"| batch | seconds per epoch, 1 process | {given.processes} processes | times as fast |")
    print("|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for size in given.batch_size:
            network = ["--model", given.model] if given.model else ["--hidden", "400"]
            settings = [*where, *network, "--augment", "none", "--batch-size", str(size)]
            one, several = [], []
            for _ in range(given.rounds):
                one.append(seconds(Path(folder, "one"), 1, settings, given.epochs))
                several.append(seconds(Path(folder, "several"), given.processes, settings, given.epochs))
            ratios = [a / b for a, b in zip(one, several, strict=True)]
            spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            times = f"{statistics.median(one):.2f} | {statistics.median(several):.2f}"
            print(f"| {size} | {times} | {spread} |", flush=True)


if __name__ == "__main__":
    main()

"""The time of `import tensorgrad`, in addition to NumPy: the engine only, and with what a training program uses.

    python benchmarks/importing.py

Each round starts a new process for each contender, which imports NumPy and then tensorgrad, all compiled to bytecode,
and reports the processor time and the wall time of both. Parts of the package are imported when they are first used, so
the second contender uses tg.nn, tg.optim and tg.log_softmax.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import subprocess
import sys
from collections.abc import Sequence

import measuring
import numpy as np

CHILD = """
from time import perf_counter, process_time
def now(): return process_time(), perf_counter()
start = now()
import numpy
between = now()
{}
end = now()
import json
print(json.dumps([[b - a for a, b in zip(start, between)], [b - a for a, b in zip(between, end)]]))
"""
CONTENDERS = {
    "import tensorgrad": "import tensorgrad",
    "... and nn, optim, log_softmax": "import tensorgrad as tg; tg.nn, tg.optim, tg.log_softmax",
}


def run(code: str) -> list[list[float]]:
    """Processor and wall time in seconds, for NumPy and for the code."""
    environment = os.environ | {"PYTHONPATH": str(measuring.ROOT)}
    child = subprocess.run(
        [sys.executable, "-c", CHILD.format(code)],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(child.stdout)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args(arguments)
    compileall.compile_dir(measuring.ROOT / "tensorgrad", quiet=1)
    for code in CONTENDERS.values():
        run(code)  # so that the files are in the page cache

    measuring.header()
    print(f"medians of {args.rounds} rounds of new processes; ratios with their quartiles")
    found: dict[str, list[list[list[float]]]] = {name: [] for name in CONTENDERS}
    order = list(CONTENDERS.items())
    for _ in range(args.rounds):
        for name, code in order:
            found[name].append(run(code))
        order.append(order.pop(0))

    times = {name: np.array(values) for name, values in found.items()}  # by round, by package, by clock
    rows = [["import numpy", *(measuring.microseconds(np.concatenate([t[:, 0] for t in times.values()])[:, clock])
                               for clock in (0, 1)), ""]]  # fmt: skip
    for name, t in times.items():
        processor, wall = t[:, 1, 0], t[:, 1, 1]
        row = [name, measuring.microseconds(processor), measuring.microseconds(wall)]
        rows.append([*row, measuring.spread(processor, t[:, 0, 0])])
    measuring.table(["µs", "processor", "wall", "processor time, of NumPy's"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())

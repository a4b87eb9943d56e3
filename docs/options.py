"""Write docs/options.md: every option of train.py with its default, from the table in `training/options.py`.

python docs/options.py            # write the page
python docs/options.py --check    # fail if the page is out of date
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from training import options  # noqa: E402
from training.command_line import flag  # noqa: E402

PAGE = ROOT / "docs" / "options.md"

HEAD = """# Options of train.py

This page is written by `python docs/options.py` from `training/options.py`, where each option is defined once: its
name, range, default and meaning. Three places set an option. The command line overrides the recipe of the model file
(`--model`), which overrides the default. The folder of a run records all of them, in `config.yaml` and in each
checkpoint. An unknown option, an option given twice, and a value out of range are reported in one line on standard
error, with exit code 2.

In a recipe (an entry of type `Recipe` in a model file), names have underscores: `batch_size: 64`. `sweep.py` takes
several values of any option except `--out`, `--data`, `--quiet`, `--eager` and `--threads`; there, `0.9,0.999` is one
value of an option that takes several numbers. Its runs have one thread each.
"""

TAIL = """
## Continuing a run

`python train.py --resume RUN` continues a run exactly where it stopped: weights, averages, the state of the
optimizer, the schedule, patience and random numbers are in its last checkpoint. The weights are bitwise those of a
run without the interruption, with each optimizer, schedule and other option. Options that may be given with it:
WITH_RESUME.

`--resume RUN --epochs N` changes the number of epochs, also of a run that has finished:

* N is larger than the number of epochs that the run has trained for.
* From the present update on, the schedule is that of a run of N epochs. `constant`, `halving`, `step`, `multi_step`,
  `exponential`, `cosine_restarts`, `cyclic` and `plateau` do not depend on the length, so that the run equals one
  that had N epochs from the beginning. `cosine`, `linear`, `polynomial` and `one_cycle` do: the rate rises to what it
  would be at this point of a run of N epochs.
* The best weights so far are kept until an epoch is better. `--patience` counts from the present epoch.

These options, but for `--quiet`, may also be edited in `config.yaml`; the command line overrides it. If another one
has been edited or added there, the run is not continued. What is recorded under `decided` is not read.

`--from FILE` starts another run from the weights in a file, with an optimizer and a schedule of its own.

## Compiled updates

Before a run starts, a few updates of copies of its network are compiled ([compile.md](compile.md)) and compared with
ordinary ones. If weights, gradients, the state of the optimizer and the random numbers are bitwise the same, the run
compiles its updates. Otherwise it does not; `decided: compile` in `config.yaml` records it. The results of a run do
not depend on it.

## Threads

With `--threads auto`, updates of a copy of the network are timed with 1, 2, 4, ... threads before the first epoch,
and again before an epoch that follows a slow one: one that took 1.5 times as long as the fastest, and half a second
more. The environment sets the largest number, as in `OPENBLAS_NUM_THREADS=1`. The first line of the output names the
number, `config.yaml` records it under `decided`, and `metrics.csv` has a column with the number of each epoch.

Sums may be rounded differently with another number of threads. A run is therefore bitwise repeatable with `--threads
N`, or with the numbers of an earlier run: `--threads RUN/metrics.csv`. An epoch that is interrupted is continued with
its number.

## TensorBoard

```sh
python -m pip install -e ".[tensorboard]"
python train.py --hidden 400 --log tensorboard
tensorboard --logdir runs
```

With `--log tensorboard`, each epoch is an event in `RUN/tensorboard`, with the columns of `metrics.csv`. Whenever the
run is continued, the events are written anew from its last checkpoint: each epoch is in the log once. `--resume RUN
--log tensorboard` also logs the earlier epochs of a run that was not logged; `--log none` ends the log. The command
`tensorboard` is part of another package, of the same name.

## What is evaluated

`val_loss`, `val_accuracy` and `test_accuracy` in `metrics.csv`, `best.npz` and `result.json` are those of the weights
or, with `--ema`, of their averages. `raw_val_accuracy` is then that of the weights. `last.npz` contains both.
"""


def page() -> str:
    """The content of the page."""
    lines = [HEAD]
    for title, group in options.GROUPS.items():
        lines += [f"## {title.capitalize()}", "", "| option | default | meaning |", "|---|---|---|"]
        for option in group:
            value = "" if option.metavar is None else f" {option.metavar}"
            several = " ..." if option.takes_several else ""
            name = flag(option.name) + value + several
            if option.kind is bool:
                name += f"`, `--no-{flag(option.name)[2:]}"
            where = "" if option.in_recipe else " Not in a recipe."
            lines.append(f"| `{name}` | {options.shown_default(option.default)} | {option.help}.{where} |")
        lines.append("")
    with_resume = ", ".join(f"`{flag(name)}`" for name in options.WITH_RESUME)
    return "\n".join(lines).rstrip() + "\n" + TAIL.replace("WITH_RESUME", with_resume)


def main() -> int:
    """Write or check the page; return the exit code."""
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        print(f"{PAGE.name} is out of date: python docs/options.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

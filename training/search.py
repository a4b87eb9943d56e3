"""A search for good settings: Optuna chooses those of each trial by the validation accuracies of the earlier ones.

The file ``search.json`` in the folder of the search lists the trials with their settings; their results are in the
folders of their runs. What comes next follows from these alone: for each question, Optuna is told all trials anew. So a
search can be stopped, or killed, at any moment. The accuracy on the test images is not used.
"""

from __future__ import annotations

import contextlib
import json
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import msgspec
import numpy as np

from models.schema import Count
from tensorgrad.errors import ConfigError
from training.folders import is_empty, read_json, write_json
from training.grid import Settings, as_text, folder_name
from training.progress import SweepDisplay
from training.run import read_result
from training.search_space import Range, Space
from training.tables import read_metrics
from training.worker_process import Result
from training.workers import Job

STARTUP = 8  # trials that are drawn at random, before the others are chosen
PRUNE_TRIALS, PRUNE_EPOCHS = 5, 2  # no trial is pruned before so many have ended, and never in its first epochs


class SavedTrial(TypedDict):
    """What search.json says of a trial."""

    run: str
    settings: Settings
    pruned: Count | None


class Saved(msgspec.Struct, forbid_unknown_fields=True):
    """The content of search.json."""

    space: dict[str, Any]
    data: str
    trials: list[SavedTrial]


@dataclass(eq=False)
class Trial:
    """One run of a search."""

    run: str  # the name of its folder
    settings: Settings
    pruned: int | None = None  # the epoch after which it was stopped, because it was worse than the median
    result: Result | None = None  # of a run that has ended
    curve: list[float] = field(default_factory=list)  # the validation accuracy of each epoch

    @property
    def value(self) -> float | None:
        """The accuracy by which trials are compared; None unless the run has finished."""
        return self.result["val_accuracy"] if self.result and self.result["status"] == "finished" else None

    @property
    def outcome(self) -> Result | None:
        """The result, also of a trial that was pruned; None while it is running."""
        if self.result is not None:
            return self.result
        if self.pruned is not None:
            return {"status": "pruned", "val_accuracy": max(self.curve, default=None), "epochs": self.pruned}
        return None


class Search:
    """The trials of a search, in the file ``search.json`` of its folder."""

    def __init__(self, folder: Path, space: Space, data: str) -> None:
        """Read the trials of earlier sessions, of a search with the same space and the same ``data``.

        Raises
        ------
        ConfigError
            If the folder contains something else, or the file is damaged.
        """
        self.folder, self.space = folder, space
        self.path = folder / "search.json"
        self._about = {"space": json.loads(json.dumps(space.description())), "data": data}
        self.trials: list[Trial] = []
        if not self.path.is_file():
            if folder.exists() and not is_empty(folder):
                raise ConfigError(f"--out {folder} is not empty and contains no search: name another folder")
            return
        saved: Saved = read_json(self.path, Saved)
        self.trials = [Trial(**trial) for trial in saved.trials]
        if {"space": saved.space, "data": saved.data} != self._about:
            raise ConfigError(f"--out {folder} contains a search with other settings or data: name another folder")
        for trial in self.trials:
            self.update(trial)

    def write(self) -> None:
        """Write the file."""
        trials = [{"run": t.run, "settings": t.settings, "pruned": t.pruned} for t in self.trials]
        write_json(self.path, {**self._about, "trials": trials})

    def place(self, trial: Trial) -> Path:
        """The folder of the run of a trial."""
        return self.folder / "runs" / trial.run

    def update(self, trial: Trial) -> bool:
        """Read how far the run of a trial has come; return whether there are epochs that were not known."""
        trial.result = read_result(self.place(trial)) or trial.result
        curve = read_metrics(self.place(trial)).get("val_accuracy", [])
        is_new = len(curve) > len(trial.curve)
        trial.curve = [float(accuracy) for accuracy in curve]
        return is_new

    def ask(self) -> Trial:
        """Add a trial with settings that Optuna chooses."""
        settings = suggest(self.space, self.trials)
        trial = Trial(folder_name(settings, list(self.space.axes)), settings)
        for earlier in self.trials:
            if earlier.settings == settings:
                trial.pruned, trial.result = earlier.pruned, earlier.result
        self.trials.append(trial)
        self.write()
        self.update(trial)
        return trial

    def prune(self, trial: Trial) -> bool:
        """Record, and return, whether a running trial is to be stopped, because it is worse than the median."""
        if trial.pruned is None and trial.result is None and should_prune(self.space, self.trials, trial):
            trial.pruned = len(trial.curve)
            self.write()
            return True
        return False

    def jobs(self, total: int, complete: Callable[[Settings], Settings]) -> Callable[[], tuple[str, Job] | None]:
        """A function for `workers.run_next`: it returns the next job, until there are ``total`` trials.

        ``complete(settings)`` are the settings with which a process trains. Jobs have the numbers of their trials as
        names. Trials that other sessions began are continued first.
        """
        left = [i for i, trial in enumerate(self.trials) if not trial.outcome]

        def following() -> tuple[str, Job] | None:
            while left or len(self.trials) < total:
                trial = self.trials[left.pop(0)] if left else self.ask()
                if trial.outcome:  # that of an equal one
                    continue
                number = str(self.trials.index(trial) + 1)
                stop = self._stop(number)
                stop.unlink(missing_ok=True)
                settings, place = complete(trial.settings), str(self.place(trial))
                return number, {"settings": settings, "folder": place, "stop": str(stop)}
            return None

        return following

    def _stop(self, number: str) -> Path:
        """The file that stops the run of a trial."""
        return (self.folder / f"stop-{number}").absolute()

    def follow(self, ends: Iterable[tuple[str, Result] | None], display: SweepDisplay) -> None:
        """Record, and display, the results that `workers.run_next` yields; meanwhile, prune trials that are running."""
        for ended in ends:
            if ended is None:
                display.refresh()
            else:
                number, result = ended
                trial = self.trials[int(number) - 1]
                self._stop(number).unlink(missing_ok=True)
                if result["status"] == "failed":
                    trial.result = result
                self.update(trial)
                if trial.outcome:
                    display.run_ended(f"trial {number}, {trial.run}", trial.outcome)
            for i, trial in enumerate(self.trials, 1):
                if not trial.outcome and self.update(trial) and self.prune(trial):
                    self._stop(str(i)).touch()

    def best(self) -> Trial | None:
        """The trial with the best accuracy on the validation images; of equal ones, the first."""
        finished = [trial for trial in self.trials if trial.value is not None]
        return max(finished, key=lambda trial: trial.value or 0.0, default=None)


def optuna() -> Any:
    """The package.

    Raises
    ------
    ConfigError
        If it is missing.
    """
    try:
        import optuna as package
    except ImportError:
        raise ConfigError('--search needs Optuna: python -m pip install -e ".[search]"') from None
    package.logging.set_verbosity(package.logging.ERROR)
    return package


def suggest(space: Space, trials: Sequence[Trial]) -> Settings:
    """The settings of the trial that follows ``trials``, by a tree-structured Parzen estimator (Bergstra et al., 2011).

    They depend on these trials and on the seed of the runs alone.
    """
    seed = np.random.SeedSequence((space.common.get("seed", 0), len(trials))).generate_state(1)[0]
    with _quiet():
        sampler = optuna().samplers.TPESampler(seed=int(seed), n_startup_trials=STARTUP, constant_liar=True)
        drawn = _study(space, trials, sampler).ask(_distributions(space)).params
    chosen: Settings = {}
    for name, axis in space.axes.items():
        by_text = {} if isinstance(axis, Range) else {as_text(value): value for value in axis}
        chosen[name] = axis.value(drawn[name]) if isinstance(axis, Range) else by_text[drawn[name]]
    return space.settings(chosen)


def should_prune(space: Space, trials: Sequence[Trial], trial: Trial) -> bool:
    """Whether the best epoch of a trial is worse than the median of the others after as many epochs."""
    if not trial.curve:
        return False
    with _quiet():
        pruner = optuna().pruners.MedianPruner(PRUNE_TRIALS, PRUNE_EPOCHS + 1)
        study = _study(space, [t for t in trials if t is not trial], None)
        return bool(pruner.prune(study, _frozen(space, trial)))


def importances(space: Space, trials: Sequence[Trial]) -> dict[str, float]:
    """How much each option explains of the accuracies, in parts of 1, largest first; none if that is not known.

    By PED-ANOVA (Watanabe, Bansal and Hutter, 2023).
    """
    finished = [trial for trial in trials if trial.value is not None]
    if len(finished) < 2 or len({trial.value for trial in finished}) < 2:
        return {}
    with _quiet():
        package = optuna()
        found = package.importance.get_param_importances(
            _study(space, finished, None), evaluator=package.importance.PedAnovaImportanceEvaluator()
        )
    return {name: float(part) for name, part in found.items() if math.isfinite(part)}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Within the block, ignore warnings, as of features that Optuna calls experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _distributions(space: Space) -> dict[str, Any]:
    kinds = optuna().distributions
    found = {}
    for name, axis in space.axes.items():
        if isinstance(axis, Range):
            kind = kinds.IntDistribution if axis.is_integer else kinds.FloatDistribution
            found[name] = kind(axis.low, axis.high, log=axis.log)
        else:
            found[name] = kinds.CategoricalDistribution([as_text(value) for value in axis])
    return found


def _study(space: Space, trials: Sequence[Trial], sampler: Any) -> Any:
    """A study of Optuna in memory that has been told the trials."""
    study = optuna().create_study(direction="maximize", sampler=sampler)
    study.add_trials([_frozen(space, trial) for trial in trials])
    return study


def _frozen(space: Space, trial: Trial) -> Any:
    """A trial as Optuna describes it. A run that diverged counts as pruned, so that its neighbours are avoided."""
    package = optuna()
    states = package.trial.TrialState
    status = trial.outcome["status"] if trial.outcome else "running"
    state = {"finished": states.COMPLETE, "running": states.RUNNING, "failed": states.FAIL}.get(status, states.PRUNED)
    params = {
        name: as_text(trial.settings[name]) if isinstance(axis, list)
        else int(axis.number(trial.settings[name])) if axis.is_integer else axis.number(trial.settings[name])
        for name, axis in space.axes.items()
    }  # fmt: skip
    return package.trial.create_trial(
        state=state, value=trial.value, params=params, distributions=_distributions(space),
        intermediate_values={epoch: value for epoch, value in enumerate(trial.curve, 1) if math.isfinite(value)},
    )  # fmt: skip

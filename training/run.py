"""A run's folder: configuration, metrics, checkpoints and resuming."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.checkpoints import write_whole
from tensorgrad.errors import CheckpointError, ConfigError
from training.options import OPTIONS, check

_VELOCITY = "optimizer.velocity."
COLUMNS = (
    "epoch", "updates", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "test_accuracy", "lr", "seconds",
)  # fmt: skip


@dataclass
class Progress:
    """Where a run is: enough, with weights and velocities, to go on as if it had never stopped."""

    epoch: int = 0  # epochs completed
    batch: int = 0  # batches of the present epoch completed
    update: int = 0  # updates made in all
    loss_sum: float = 0.0  # over the images of the present epoch
    right: int = 0  # images of the present epoch that were classified rightly
    seconds: float = 0.0
    best_epoch: int = 0
    best_accuracy: float = -1.0
    best_loss: float = math.inf
    random_state: Mapping[str, Any] = field(default_factory=dict)  # of the generator of dropout and shifts
    history: list[dict[str, Any]] = field(default_factory=list)  # a row of metrics.csv per epoch


class Run:
    """A folder, and what is written to it."""

    def __init__(self, folder: Path, options: SimpleNamespace, about: dict[str, Any]) -> None:
        self.folder = folder
        self.options = options
        self.about = about  # of the data: shape, brightest pixel, fingerprint

    @classmethod
    def create(cls, options: SimpleNamespace, about: dict[str, Any]) -> Run:
        """Make a new folder; never one that holds something already.

        Raises
        ------
        ConfigError
            If ``--out`` names a folder that is not empty, or one that cannot be made.
        """
        try:
            if options.out is not None:
                folder = Path(options.out)
                folder.mkdir(parents=True, exist_ok=True)
                if any(folder.iterdir()):
                    raise ConfigError(
                        f"--out {folder} is not empty: name another folder, or continue that run with --resume {folder}"
                    )
                with (folder / "config.yaml").open("x"):  # of two runs that begin at once, one gets the folder
                    pass
            else:
                folder = _new_folder(options)
        except OSError as error:
            raise ConfigError(f"cannot make a folder for the run ({error}): name another with --out") from None
        run = cls(folder, options, about)
        run._write_config()
        return run

    @classmethod
    def reopen(cls, folder: Path) -> tuple[Run, dict[str, Any]]:
        """A run as its last checkpoint knows it, and that checkpoint's arrays.

        Raises
        ------
        ConfigError, CheckpointError
            If there is no run in the folder, or its checkpoint is damaged.
        """
        path = folder / "last.npz"
        if not path.is_file():
            raise ConfigError(f"--resume {folder}: there is no run to resume (no {path})")
        arrays, config = tg.load(path)
        try:
            run = cls(folder, SimpleNamespace(**config["options"]), config["data"])
            if missing := (OPTIONS.keys() | {"layers"}) - config["options"].keys():
                raise KeyError(*sorted(missing))
            lists = {name: config["options"][name] for name in ("layers", "hidden", "freeze")}
            for name, value in {**lists, "history": config["progress"].get("history", [])}.items():
                if not isinstance(value, list):
                    raise TypeError(f"{name} is no list")
            may_be_none = {"dropout", "input_dropout", "init"} | {o.name for o in OPTIONS.values() if o.default is None}
            check({name: value for name, value in config["options"].items()
                   if name in OPTIONS and not (value is None and name in may_be_none)})  # fmt: skip
            progress = Progress(**config["progress"])
            progress.best_loss = math.inf if progress.best_loss is None else progress.best_loss
            progress.history = [
                {key: math.nan if value is None else value for key, value in row.items()} for row in progress.history
            ]
            if bool(run.options.momentum and progress.update) != any(key.startswith(_VELOCITY) for key in arrays):
                raise KeyError("velocities")
            return run, {"path": path, "arrays": arrays, "progress": progress}
        except (KeyError, TypeError, AttributeError, ConfigError) as error:
            what = f"missing, unknown or out of range: {error}"
            raise CheckpointError(f"{path} does not hold the state of a run ({what})") from None

    def save(self, name: str, network: Any, progress: Progress, optimizer: tg.optim.SGD | None = None) -> None:
        """Write a checkpoint: the weights, and with the optimizer all that resuming takes."""
        arrays: dict[str, Any] = {**tg.nn.parameters(network), **tg.nn.buffers(network)}
        if optimizer is not None:
            arrays |= {_VELOCITY + key: velocity for key, velocity in optimizer.state_dict().items()}
        config = {"options": vars(self.options), "data": self.about, "progress": _without_nan(asdict(progress))}
        tg.save(self.folder / name, arrays, config)

    def weights(self, name: str) -> dict[str, Any]:
        """The weights in one of the run's checkpoints."""
        arrays, _ = tg.load(self.folder / name)
        return {key: array for key, array in arrays.items() if not key.startswith(_VELOCITY)}

    def check_data(self, about: dict[str, Any]) -> None:
        """Raise `ConfigError` unless these are the data the run was begun with."""
        if about != self.about:
            raise ConfigError(
                f"{self.folder} was trained on {self.about['name']} data {self.about['fingerprint']}, these are "
                f"{about['name']} data {about['fingerprint']}: name the folder it had with --data"
            )

    def write_metrics(self, progress: Progress) -> None:
        """Write metrics.csv, a row per epoch."""
        content = io.StringIO()
        writer = csv.DictWriter(content, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(progress.history)
        write_whole(self.folder / "metrics.csv", lambda file: file.write(content.getvalue().encode()))

    @property
    def ending(self) -> str:
        """How the run ended, ``"finished"`` or ``"diverged"``; empty while it can go on."""
        path = self.folder / "result.json"
        try:
            return str(json.loads(path.read_text(encoding="utf-8"))["status"])
        except FileNotFoundError:
            return ""
        except (ValueError, TypeError, KeyError):
            raise ConfigError(f"{path} is damaged: delete it to go on from the last checkpoint") from None

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write result.json: how the run ended, and what it reached."""
        known = {k: v for k, v in result.items() if not isinstance(v, float) or math.isfinite(v)}
        content = json.dumps(dict.fromkeys(result) | known, indent=2) + "\n"  # JSON has no NaN, but null
        write_whole(self.folder / "result.json", lambda file: file.write(content.encode()))

    def _write_config(self) -> None:
        import yaml

        content = "# Everything this run was made with; the layers are the list a model file holds.\n"
        content += yaml.safe_dump(vars(self.options) | {"data_set": self.about}, sort_keys=False, width=110)
        write_whole(self.folder / "config.yaml", lambda file: file.write(content.encode()))


def _without_nan(value: Any) -> Any:
    """The same with None for every number that is not finite: JSON has no word for them."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def finite(network: Any) -> bool:
    """Whether all weights are finite."""
    return all(bool(np.isfinite(p.data).all()) for p in tg.nn.parameters(network).values())


def restore(checkpoint: Mapping[str, Any], network: Any, optimizer: tg.optim.SGD, rng: np.random.Generator) -> Progress:
    """Put the weights, the velocities and the random state back where they were."""
    arrays = checkpoint["arrays"]
    progress: Progress = checkpoint["progress"]
    try:
        tg.nn.load_state_dict(network, {k: v for k, v in arrays.items() if not k.startswith(_VELOCITY)})
        optimizer.load_state_dict({k.removeprefix(_VELOCITY): v for k, v in arrays.items() if k.startswith(_VELOCITY)})
        rng.bit_generator.state = progress.random_state
    except (CheckpointError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(f"{checkpoint['path']} does not hold the state of this run: {error}") from None
    return progress


def _new_folder(options: SimpleNamespace) -> Path:
    """runs/DATASET-SIZES-seedN, with a number behind it where that is taken."""
    sizes = "-".join(map(str, options.hidden))
    kind = Path(options.model).stem + "-" if options.model else ""
    name = f"{options.dataset}-{kind}{sizes}-seed{options.seed}".replace("--", "-")
    for attempt in range(1, 10_000):
        folder = Path("runs") / (name if attempt == 1 else f"{name}-{attempt}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise ConfigError(f"runs/{name} and 10,000 numbered folders after it are taken: use --out")

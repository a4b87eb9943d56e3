"""The folder of a run: configuration, metrics, checkpoints and result; and how a run is resumed."""

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
from training.folders import is_empty
from training.options import OPTIONS, check

_VELOCITY = "optimizer.velocity."
COLUMNS = (
    "epoch", "updates", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "test_accuracy", "lr", "seconds",
)  # fmt: skip


@dataclass
class Progress:
    """The state of a run that, together with weights and velocities, determines how it continues."""

    epoch: int = 0  # completed epochs
    batch: int = 0  # completed batches of the current epoch
    update: int = 0  # completed updates of the weights, over all epochs
    loss_sum: float = 0.0  # over the images of the current epoch
    right: int = 0  # correctly classified images of the current epoch
    seconds: float = 0.0  # of training, over all sessions
    best_epoch: int = 0  # whose weights are in best.npz
    best_accuracy: float = -1.0  # on validation images, in that epoch
    best_loss: float = math.inf  # likewise
    random_state: Mapping[str, Any] = field(default_factory=dict)  # of the generator of dropout and shifts
    history: list[dict[str, Any]] = field(default_factory=list)  # a row of metrics.csv for each epoch


class Run:
    """The folder of a run, its options, and a description of its data."""

    def __init__(self, folder: Path, options: SimpleNamespace, about: dict[str, Any]) -> None:
        self.folder = folder
        self.options = options
        self.about = about  # what `images.about` returns

    @classmethod
    def create(cls, options: SimpleNamespace, about: dict[str, Any]) -> Run:
        """Create the folder of a new run.

        Raises
        ------
        ConfigError
            If the folder of ``--out`` is not empty, or if the folder cannot be created.
        """
        try:
            if options.out is not None:
                folder = Path(options.out)
                folder.mkdir(parents=True, exist_ok=True)
                if (folder / "last.npz").exists():
                    raise ConfigError(
                        f"--out {folder} contains a run: name another folder, or continue that run with "
                        f"--resume {folder}"
                    )
                if not is_empty(folder):
                    raise ConfigError(f"--out {folder} is not empty: name another folder, or delete this one")
                with (folder / "config.yaml").open("x"):  # of two runs that start at the same time, one gets the folder
                    pass
            else:
                folder = _new_folder(options)
        except OSError as error:
            raise ConfigError(f"cannot create a folder for the run ({error}): name another one with --out") from None
        run = cls(folder, options, about)
        run._write_config()
        return run

    @classmethod
    def reopen(cls, folder: Path) -> tuple[Run, dict[str, Any]]:
        """The run of an existing folder, and its last checkpoint: path, arrays and progress, for `restore`.

        Raises
        ------
        ConfigError
            If the folder contains no checkpoint to resume from.
        CheckpointError
            If that checkpoint is damaged, or is not that of a run.
        """
        path = folder / "last.npz"
        if not path.is_file():
            raise ConfigError(f"--resume {folder}: there is no run to resume (no {path}); start one without --resume")
        arrays, config = tg.load(path)
        try:
            run = cls(folder, SimpleNamespace(**config["options"]), config["data"])
            if missing := (OPTIONS.keys() | {"layers"}) - config["options"].keys():
                raise KeyError(*sorted(missing))
            lists = {name: config["options"][name] for name in ("layers", "hidden", "freeze")}
            for name, value in {**lists, "history": config["progress"].get("history", [])}.items():
                if not isinstance(value, list):
                    raise TypeError(f"{name} is not a list")
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
            reason = f"missing, unknown or out of range: {error}"
            raise CheckpointError(f"{path} does not contain the state of a run ({reason})") from None

    def save(self, name: str, network: Any, progress: Progress, optimizer: tg.optim.SGD | None = None) -> None:
        """Write a checkpoint called ``name``: the weights and, given the optimizer, the state for resuming."""
        arrays: dict[str, Any] = {**tg.nn.parameters(network), **tg.nn.buffers(network)}
        if optimizer is not None:
            arrays |= {_VELOCITY + key: velocity for key, velocity in optimizer.state_dict().items()}
        config = {"options": vars(self.options), "data": self.about, "progress": _without_nan(asdict(progress))}
        tg.save(self.folder / name, arrays, config)

    def weights(self, name: str) -> dict[str, Any]:
        """The weights in the checkpoint called ``name``, by parameter name."""
        arrays, _ = tg.load(self.folder / name)
        return {key: array for key, array in arrays.items() if not key.startswith(_VELOCITY)}

    def check_data(self, about: dict[str, Any]) -> None:
        """Raise `ConfigError` unless ``about`` describes the data with which the run was started."""
        if about != self.about:
            raise ConfigError(
                f"{self.folder} was trained on {self.about['name']} with fingerprint {self.about['fingerprint']}, but "
                f"{about['name']} with fingerprint {about['fingerprint']} was found: name the original folder with "
                f"--data"
            )

    def write_metrics(self, progress: Progress) -> None:
        """Write metrics.csv, with a row for each epoch."""
        content = io.StringIO()
        writer = csv.DictWriter(content, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(progress.history)
        write_whole(self.folder / "metrics.csv", lambda file: file.write(content.getvalue().encode()))

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write result.json: the status in which the run ended, and its results."""
        content = json.dumps(_without_nan(dict(result)), indent=2) + "\n"
        write_whole(self.folder / "result.json", lambda file: file.write(content.encode()))

    def _write_config(self) -> None:
        from ruamel.yaml import YAML

        yaml: Any = YAML(typ="safe", pure=True)  # its types forbid assignment of its options
        yaml.default_flow_style, yaml.sort_base_mapping_type_on_output, yaml.width = False, False, 110
        content = io.StringIO("# All options of this run. The layers have the form of those in a model file.\n")
        content.seek(0, io.SEEK_END)
        yaml.dump(vars(self.options) | {"data_set": self.about}, content)
        write_whole(self.folder / "config.yaml", lambda file: file.write(content.getvalue().encode()))


def read_result(folder: Path) -> dict[str, Any] | None:
    """The content of result.json in the folder of a run; None while the run has not ended.

    Its ``status`` is ``"finished"`` or ``"diverged"``.

    Raises
    ------
    ConfigError
        If the file is damaged.
    """
    path = folder / "result.json"
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        return dict(result, status=str(result["status"]))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        raise ConfigError(f"{path} is damaged: delete it to continue from the last checkpoint") from None


def _without_nan(value: Any) -> Any:
    """The same value with None in place of NaN and infinities, which JSON cannot represent."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def finite(network: Any) -> bool:
    """Whether all weights are finite."""
    return all(bool(np.isfinite(p.data).all()) for p in tg.nn.parameters(network).values())


def restore(checkpoint: Mapping[str, Any], network: Any, optimizer: tg.optim.SGD, rng: np.random.Generator) -> Progress:
    """Restore the weights, the velocities and the state of ``rng`` from what `Run.reopen` returned.

    Raises
    ------
    CheckpointError
        If they do not fit the network.
    """
    arrays = checkpoint["arrays"]
    progress: Progress = checkpoint["progress"]
    try:
        tg.nn.load_state_dict(network, {k: v for k, v in arrays.items() if not k.startswith(_VELOCITY)})
        optimizer.load_state_dict({k.removeprefix(_VELOCITY): v for k, v in arrays.items() if k.startswith(_VELOCITY)})
        rng.bit_generator.state = progress.random_state
    except (CheckpointError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(f"{checkpoint['path']} does not contain the state of this run: {error}") from None
    return progress


def _new_folder(options: SimpleNamespace) -> Path:
    """Create the folder runs/DATASET-SIZES-seedN, with a number appended if it exists already."""
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
    raise ConfigError(f"runs/{name} exists, and so do 10,000 numbered folders: name another folder with --out")

"""The folder of a run: configuration, metrics, checkpoints and result; and how a run is resumed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np

import models
import tensorgrad as tg
from tensorgrad.checkpoints import write_whole
from tensorgrad.errors import CheckpointError, ConfigError
from training.command_line import suggestion
from training.folders import is_empty, read_json, remove_temporary_files
from training.options import OPTIONS, WITH_RESUME, absolute, check
from training.state import COLUMNS, Progress, Result, check_network, options_in, progress_in, without_nan

_OPTIMIZER, _EMA = "optimizer.", "ema."  # prefixes of arrays that are not the network's
_NOT_READ = ("quiet", "decided")  # in config.yaml, which may be newer than the checkpoint if a run was killed
_DATA_SET = "data_set"  # what config.yaml says about the images, beside the options
_HEADER = b"# All options of this run. The layers have the form of those in a model file.\n"  # of config.yaml


class Run:
    """The folder of a run, its options, and a description of its data."""

    def __init__(self, folder: Path, options: SimpleNamespace, about: dict[str, Any]) -> None:
        self.folder = folder
        self.options = options
        self.about = about  # what `images.about` returns
        self.is_changed = False  # whether options differ from those in config.yaml

    @classmethod
    def create(cls, folder: Path, options: SimpleNamespace, about: dict[str, Any]) -> Run:
        """Begin a new run in a folder that `new_folder` returned, whose lock the caller holds.

        Raises
        ------
        ConfigError
            If the folder is not free.
        """
        check_free(folder)
        run = cls(folder, options, about)
        run.write_config()
        return run

    @classmethod
    def reopen(cls, folder: Path) -> tuple[Run, dict[str, Any]]:
        """The run of a folder that `folder_of_run` returned, whose lock the caller holds, and its last checkpoint.

        The checkpoint consists of path, arrays and progress, for `restore`.

        Raises
        ------
        CheckpointError
            If that checkpoint is damaged, or is not that of a run.
        """
        path = folder / "last.npz"
        arrays, config = tg.load(path)
        try:
            o, progress = options_in(config.get("options")), progress_in(config.get("progress"))
            has_state = bool(progress.update) and (o.optimizer != "sgd" or o.momentum > 0)
            parts = (
                (_OPTIMIZER, has_state, "the state of the optimizer"),
                (_EMA, o.ema, "the averages of the weights"),
            )
            for prefix, is_needed, what in parts:
                if (found := any(key.startswith(prefix) for key in arrays)) != bool(is_needed):
                    raise ConfigError(f"it contains {what}" if found else f"it lacks {what}")
        except ConfigError as error:
            raise CheckpointError(f"{path} does not contain the state of a run: {error}") from None
        check_network(path, config)
        return cls(folder, o, config["data"]), {"path": path, "arrays": arrays, "progress": progress}

    def edited(self) -> dict[str, Any]:
        """The options that have other values in config.yaml than in the last checkpoint, and may have them.

        An option that is missing there has not been edited.

        Raises
        ------
        ConfigError
            If the file cannot be read, if another option has been edited, or if one has been added.
        """
        path = self.folder / "config.yaml"
        try:
            content = models.read_yaml(path, "the configuration")
        except FileNotFoundError:
            return {}
        if not isinstance(content, dict):
            raise ConfigError(f"{path} is damaged: delete it to continue with the options in last.npz")
        written, changes = {**vars(self.options), _DATA_SET: self.about}, {}
        for name, value in content.items():
            if name not in written:
                meant = suggestion(str(name), written)
                raise ConfigError(f"{path}: {models.brief(name)} is not an option of a run; {meant}")
            if value == written[name] or name in _NOT_READ:
                continue
            if name not in WITH_RESUME:
                raise ConfigError(f"{path}: {name} has been edited, but a run continues with its own options: change "
                                  f"it back, or delete the file ({', '.join(WITH_RESUME)} can be edited)")  # fmt: skip
            changes[name] = value
        checked = check({n: v for n, v in changes.items() if v is not None or n != "data"}, str(path), in_file=True)
        return changes | checked

    def apply_changes(self) -> None:
        """Remove temporary files, and a result that is no longer the last; write the options if they have changed."""
        remove_temporary_files(self.folder)
        if self.is_changed:
            (self.folder / "result.json").unlink(missing_ok=True)
        if self.is_changed or not (self.folder / "config.yaml").exists():
            self.write_config()

    def save(self, name: str, network: Any, progress: Progress, optimizer: tg.optim.Optimizer | None = None,
             average: tg.optim.EMA | None = None) -> None:  # fmt: skip
        """Write a checkpoint called ``name``: the weights and, given optimizer and average, the state for resuming."""
        arrays: dict[str, Any] = {**tg.nn.parameters(network), **tg.nn.buffers(network)}
        for prefix, part in ((_OPTIMIZER, optimizer), (_EMA, average)):
            arrays |= {prefix + key: value for key, value in (part.state_dict() if part else {}).items()}
        config = {
            "options": vars(self.options),
            "data": self.about,
            "progress": without_nan(msgspec.structs.asdict(progress)),
        }
        tg.save(self.folder / name, arrays, config)

    def weights(self, name: str) -> dict[str, Any]:
        """The weights in the checkpoint called ``name``, by parameter name."""
        return weights_in(tg.load(self.folder / name).arrays)

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
        content = json.dumps(without_nan(dict(result)), indent=2) + "\n"
        write_whole(self.folder / "result.json", lambda file: file.write(content.encode()))

    def write_config(self) -> None:
        """Write config.yaml."""
        from ruamel.yaml import YAML

        yaml: Any = YAML(typ="safe", pure=True)  # its types forbid assignment of its options
        yaml.default_flow_style, yaml.sort_base_mapping_type_on_output, yaml.width = False, False, 110
        content = io.StringIO(_HEADER.decode())
        content.seek(0, io.SEEK_END)
        options = {name: getattr(self.options, name) for name in OPTIONS if hasattr(self.options, name)}
        yaml.dump(options | vars(self.options) | {_DATA_SET: self.about}, content)
        write_whole(self.folder / "config.yaml", lambda file: file.write(content.getvalue().encode()))


def folder_of_run(place: str) -> Path:
    """The folder of ``--resume``; raises `ConfigError` if it contains no checkpoint to resume from."""
    folder = Path(place)
    path = folder / "last.npz"
    if folder.is_file() and (folder.parent / "last.npz").is_file():
        raise ConfigError(f"--resume {folder} is a file: name the folder of the run, {folder.parent}")
    if not path.is_file():
        raise ConfigError(f"--resume {folder}: there is no run to resume (no {path}); start one without --resume")
    return folder


def resume(given: Mapping[str, Any]) -> tuple[Run, dict[str, Any], dict[str, Any] | None]:
    """The run in the folder ``given["resume"]`` with the options in ``given``, its last checkpoint, and its result.

    The result is None if the run is to go on: if it has not ended, or is to be made longer.

    Raises
    ------
    ConfigError, CheckpointError
        If there is no such run, it is damaged, or it has trained for more epochs already.
    """
    run, checkpoint = Run.reopen(folder_of_run(given["resume"]))
    edited = run.edited()
    given = {**edited, **given}
    if "data" in given:
        given["data"] = absolute(given["data"])
    o, progress, result = run.options, checkpoint["progress"], read_result(run.folder)
    epochs = given.get("epochs", o.epochs)
    if epochs != o.epochs and (result is None or result["status"] == "finished"):
        if epochs <= progress.epoch:
            raise ConfigError(
                f"--epochs {epochs}: the run has trained for {progress.epoch} epochs; name a larger number"
            )
        if result is not None:
            progress.extended, result = progress.epoch, None  # patience begins anew
    changes = {name: given[name] for name in WITH_RESUME if name in given and name != "quiet"}
    run.is_changed = result is None and (
        bool(edited) or any(getattr(o, name) != value for name, value in changes.items())
    )
    vars(o).update(changes, quiet=given.get("quiet", False))
    return run, checkpoint, result


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
        result: dict[str, Any] = read_json(path, Result, "delete it to continue from the last checkpoint")
        return result
    except FileNotFoundError:
        return None


def weights_in(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of the network among those of a checkpoint."""
    return {key: array for key, array in arrays.items() if not key.startswith((_OPTIMIZER, _EMA))}


def load_weights(network: Any, path: str | None) -> None:
    """Load the weights of ``--from`` into a network, unless there are none.

    Raises
    ------
    ConfigError
        If the file is missing, damaged, or does not fit the network.
    """
    if path is None:
        return
    try:
        tg.nn.load_state_dict(network, weights_in(tg.load(path).arrays))
    except (OSError, CheckpointError) as error:
        raise ConfigError(f"--from {path}: {error}") from None


def finite(network: Any) -> bool:
    """Whether all weights are finite."""
    return all(bool(np.isfinite(p.data).all()) for p in tg.nn.parameters(network).values())


def restore(checkpoint: Mapping[str, Any], network: Any, optimizer: tg.optim.Optimizer, average: tg.optim.EMA | None,
            rng: np.random.Generator) -> Progress:  # fmt: skip
    """Restore the weights, their average, and the states of optimizer and ``rng`` from what `Run.reopen` returned.

    Raises
    ------
    CheckpointError
        If they do not fit the network.
    """
    arrays = checkpoint["arrays"]
    progress: Progress = checkpoint["progress"]
    try:
        tg.nn.load_state_dict(network, weights_in(arrays))
        state = _part(arrays, _OPTIMIZER)  # in version 0.2.0, keys began with velocity.
        optimizer.load_state_dict({key.removeprefix("velocity."): value for key, value in state.items()})
        if average:
            average.load_state_dict(_part(arrays, _EMA))
        rng.bit_generator.state = progress.random_state
    except (CheckpointError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(f"{checkpoint['path']} does not contain the state of this run: {error}") from None
    return progress


def _part(arrays: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}


def new_folder(options: SimpleNamespace) -> Path:
    """Create the folder of a new run: that of ``--out``, or runs/DATASET-SIZES-seedN with a number if that exists.

    Raises
    ------
    ConfigError
        If the folder of ``--out`` is not free, or if the folder cannot be created.
    """
    try:
        if options.out is not None:
            folder = Path(options.out)
            folder.mkdir(parents=True, exist_ok=True)
            check_free(folder)  # as in `Run.create`, but before a lock is created in a folder that is no run
            return folder
        sizes = "-".join(map(str, options.hidden))
        kind = Path(options.model.replace(".py:", "-")).stem + "-" if options.model else ""
        name = f"{options.dataset}-{kind}{sizes}-seed{options.seed}".replace("--", "-")
        for attempt in range(1, 10_000):
            folder = Path("runs") / (name if attempt == 1 else f"{name}-{attempt}")
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        raise ConfigError(f"cannot create a folder for the run ({error}): name another one with --out") from None
    raise ConfigError(f"runs/{name} exists, and so do 10,000 numbered folders: name another folder with --out")


def check_free(folder: Path) -> None:
    """Raise `ConfigError` unless a run can begin in a folder: it is empty, or a run ended before its first checkpoint.

    Such a run leaves its lock, temporary files and config.yaml.
    """
    config = folder / "config.yaml"
    content = config.read_bytes()[: len(_HEADER)] if config.is_file() else None
    if (folder / "last.npz").exists():
        raise ConfigError(
            f"--out {folder} contains a run: name another folder, or continue that run with --resume {folder}"
        )
    is_of_a_run = content is not None and _HEADER.startswith(content)  # version 0.2.0 created an empty one first
    if not is_empty(folder, *["config.yaml"] * is_of_a_run):
        raise ConfigError(f"--out {folder} is not empty: name another folder, or delete this one")

"""Distillation: a network learns what other networks, its teachers, predict for warped images, in place of the labels.

The folder ``teachers`` in that of a run contains a run for each teacher, ``1``, ``2``, ..., and a file for each time
that all training images are warped: the logits of the teachers for these. What is missing is made before the first
epoch, and nothing in it changes afterwards.

Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, arXiv:1503.02531.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Required, Self, TypedDict

import numpy as np

import models
import tensorgrad as tg
from models.schema import Count
from tensorgrad.data import Dataset, Prefetch, batches, warp
from tensorgrad.errors import CheckpointError, ConfigError
from training import augmentation, images, options, threads
from training.folders import locked, read_json, remove_temporary_files, write_json
from training.run import read_result, weights_in
from training.signals import Interrupt

Array = Any
TOGETHER = 16  # images that share coordinates; in each epoch, they are in batches drawn at random
BRIGHTEST = 255  # of warped images, which are stored as uint8
_SETTINGS = "settings.json"  # what the folder was made for
_COUNT = 64  # images that a teacher labels at a time, so that its features stay in the cache
_GROUPS = 256  # of such images, warped at a time


class Settings(TypedDict, total=False):
    """The content of settings.json: what determines the teachers and the labelled warps."""

    seed: Required[Count]
    teachers: Required[list[str]]  # the names of their files
    data: Required[str]
    validation: Required[float]
    rotation: float
    scaling: float
    shear: float
    translation: float
    elastic_amplitude: float
    elastic_sigma: float


def folder_of(o: SimpleNamespace, run: Path) -> Path:
    """The folder of the teachers of a run: its own, or that of ``--teachers-from``."""
    return Path(o.teachers_from or run) / "teachers"


def check(o: SimpleNamespace, data: Dataset) -> None:
    """Check, before a run starts, that its teachers can be trained on its images.

    Raises
    ------
    ConfigError
        If the model file of a teacher is missing, malformed, or not for such images; or if the teachers of another
        run, which ``--teachers-from`` names, are for other images or settings.
    """
    for number in range(1, len(o.teachers) + 1):
        settings = _settings_of_teacher(o, number, o.seed)
        teacher = options.resolve(settings, data.name, data.classes)
        if teacher.teachers:
            raise ConfigError(f"{settings['model']}: a teacher cannot have teachers")
        models.build(teacher.layers, data.shape, data.classes, np.random.default_rng(0), settings["model"])
    if o.teachers_from is not None:
        place = folder_of(o, Path())
        if not (place / _SETTINGS).is_file():
            raise ConfigError(f"--teachers-from {o.teachers_from}: there is no {place / _SETTINGS}; name the folder of "
                              "a run that has teachers")  # fmt: skip
        _recorded_seed(o, images.about(data), place)


def train_and_label(o: SimpleNamespace, data: Dataset, run: Path, epoch: int) -> int | None:
    """Train the teachers of a run and label its warped images, as far as that is missing, unless no epoch is left.

    The teachers are trained at the same time, each in a process with one BLAS thread. Returns None, or the number of
    the signal that has stopped this; all is saved then.

    Raises
    ------
    ConfigError
        If a teacher cannot be trained, or if the folder of the teachers is not as it was.
    """
    if not o.teachers or epoch >= o.epochs:
        return None
    place, about = folder_of(o, run), images.about(data)
    if o.teachers_from is None and not (place / _SETTINGS).exists():
        place.mkdir(exist_ok=True)
        write_json(place / _SETTINGS, {"seed": o.seed, **_settings(o, about)})
    seed = _recorded_seed(o, about, place)
    with locked(place):  # waits for another run that makes these teachers
        remove_temporary_files(place)
        return _train(o, seed, place) or _label(o, data, seed, place)


class Inputs:
    """The inputs of a training and what the teachers say of them, from an epoch on, in a ``with`` block.

    The warped images and their labels of the next epoch are prepared in a second thread.
    """

    def __init__(self, o: SimpleNamespace, data: Dataset, pictures: Array, scale: float, run: Path, epoch: int) -> None:
        self._o, self._scale = o, scale * data.brightest / BRIGHTEST
        self._epochs = Prefetch(_epochs(o, data, pictures, folder_of(o, run), epoch))

    def epoch(self, epoch: int, start: int, rng: np.random.Generator) -> Iterator[tuple[Array, Array, Array]]:
        """Yield the batches of an epoch from ``start`` on: indices ``(B,)``, inputs ``(B, H * W)``, targets ``(B, C)``.

        Epochs have to be asked for in turn.
        """
        pictures, targets = next(self._epochs)
        for batch in batches(len(pictures), self._o.batch_size, augmentation.order(self._o, epoch), start):
            yield batch, images.rows(pictures[batch], self._scale), targets[batch]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self._epochs.close()


def _epochs(o: SimpleNamespace, data: Dataset, pictures: Array, place: Path,
            epoch: int) -> Iterator[tuple[Array, Array]]:  # fmt: skip
    """Yield the warped images ``(N, H, W)`` and targets ``(N, C)`` of each epoch, to the end of the training."""
    seed = _recorded_seed(o, images.about(data), place) if epoch < o.epochs else 0
    for at in range(epoch, o.epochs):
        number = at % o.labelled_warps
        logits = _read_labels(place / _labels(number), (len(pictures), len(o.teachers), data.classes))
        yield warped(o, pictures, data.brightest, seed, number), soft_targets(logits, o.temperature)


def _read_labels(path: Path, shape: tuple[int, ...]) -> Array:
    """The logits in a file, with this shape; `ConfigError` if they are not there."""
    try:
        logits = tg.load(path).arrays.get("logits")
    except CheckpointError as error:
        raise ConfigError(f"{error}: delete the file, and --resume makes it again") from None
    if logits is None or logits.shape != shape or logits.dtype != np.float16 or np.isnan(logits).any():
        raise ConfigError(f"{path} does not contain the labels of {shape[0]} images by {shape[1]} teachers: delete it, "
                          "and --resume makes it again")  # fmt: skip
    return logits


def soft_targets(logits: Array, temperature: float) -> Array:
    """The probabilities ``(N, C)`` of the teachers, with logits ``(N, K, C)``, at a temperature: the mean of them."""
    shares = logits.astype(np.float32) / np.float32(temperature)
    shares = np.exp(shares - shares.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    return shares.mean(axis=1)


def warped(o: SimpleNamespace, pictures: Array, brightest: int, seed: int, number: int) -> Array:
    """The images ``(N, H, W)``, each warped, as uint8 with `BRIGHTEST` for ``brightest``.

    They are determined by ``seed`` and ``number``.
    """
    distribution = augmentation.warps(o)
    rng = np.random.default_rng((seed, number + 1, 0, 1))
    order = rng.permutation(len(pictures))  # those that follow each other share coordinates
    found = np.empty(pictures.shape, np.uint8)
    for first in range(0, len(order), _GROUPS * TOGETHER):
        part = order[first : first + _GROUPS * TOGETHER]
        count = math.ceil(len(part) / TOGETHER)
        groups = pictures[np.resize(part, (count, TOGETHER))]
        values = warp(groups, distribution.draw(count, pictures.shape[1:], rng))
        values *= np.float32(BRIGHTEST / brightest)
        found[part] = np.rint(values, out=values).reshape(-1, *pictures.shape[1:])[: len(part)]
    return found


def _train(o: SimpleNamespace, seed: int, place: Path) -> int | None:
    """Train the teachers that have not finished, in processes; return the number of the signal that stopped this."""
    from training import workers  # here, since it imports what most runs do not need

    names = [str(number) for number in range(1, len(o.teachers) + 1)]
    stop = (place / "stop").absolute()
    stop.unlink(missing_ok=True)
    jobs = {
        name: {"settings": _settings_of_teacher(o, int(name), seed), "folder": str(place / name), "stop": str(stop)}
        for name in names if read_result(place / name) is None
    }  # fmt: skip
    shown: dict[str, int] = {}
    if jobs:
        with workers.local(min(workers.cores(), len(jobs))) as (executor, task), Interrupt() as interrupt:
            for ended in workers.run_all(jobs, executor, task, lambda: bool(interrupt)):
                if not o.quiet:
                    _show(jobs, place, shown)
                if ended is not None and ended[1]["status"] == "failed":
                    raise ConfigError(f"teacher {ended[0]}, in {place / ended[0]}: {ended[1]['error']}")
        stop.unlink(missing_ok=True)
        if interrupt:
            return interrupt.signal
    for name in names:
        result = read_result(place / name)
        if result is None or result["status"] != "finished":
            why = "has diverged" if result and result["status"] == "diverged" else "has not finished"
            raise ConfigError(f"teacher {name}, in {place / name}, {why}: delete that folder, choose other settings, "
                              f"such as a smaller lr, in {o.teachers[int(name) - 1]}, and --resume")  # fmt: skip
        if name in jobs and not o.quiet:
            sys.stderr.write(f"teacher {name}: test accuracy {result['test_accuracy']:.2%}\n")
    return None


def _show(jobs: Mapping[str, Any], place: Path, shown: dict[str, int]) -> None:
    """Print a line for each teacher that has trained for another epoch; ``shown`` are the numbers of epochs so far."""
    from training.tables import read_metrics

    for name in jobs:
        metrics = read_metrics(place / name)
        if not metrics:
            continue
        columns = (metrics[column].tolist() for column in ("epoch", "train_loss", "seconds"))
        rows = list(zip(*columns, strict=True))
        for epoch, loss, seconds in rows[shown.get(name, len(rows) - 1) :]:
            sys.stderr.write(f"teacher {name}: epoch {epoch:3.0f}  loss {loss:.4f}  {seconds:6.1f} s\n")
            sys.stderr.flush()
        shown[name] = len(rows)


def _label(o: SimpleNamespace, data: Dataset, seed: int, place: Path) -> int | None:
    """Write the files of labels that are missing; return the number of the signal that stopped this."""
    from concurrent.futures import ThreadPoolExecutor

    from training.workers import cores

    needed = min(o.labelled_warps, o.epochs)  # --resume with more epochs may need more
    missing = [number for number in range(needed) if not (place / _labels(number)).is_file()]
    if not missing:
        return None
    pictures = data.train_images[images.hold_out(data, o.validation)[0]]
    teachers = [_finished(place / str(number), data) for number in range(1, len(o.teachers) + 1)]
    start = time.monotonic()

    def label(number: int) -> None:
        copies = warped(o, pictures, data.brightest, seed, number)
        found = np.empty((len(copies), len(teachers), data.classes), np.float16)
        for first in range(0, len(copies), _COUNT):
            if interrupt:
                return
            for k, (network, scale) in enumerate(teachers):
                with tg.no_grad():  # in this thread
                    logits = network(images.rows(copies[first : first + _COUNT], scale)).data
                found[first : first + _COUNT, k] = logits - logits.max(axis=1, keepdims=True)
        tg.save(place / _labels(number), {"logits": found})
        if not o.quiet:
            sys.stderr.write(f"labelled warp {number + 1}/{needed} of each image  {time.monotonic() - start:6.1f} s\n")

    with Interrupt() as interrupt, threads.adjustable() as use_threads:
        use_threads(1)  # so that the labels do not depend on the number of cores
        with ThreadPoolExecutor(min(cores(), len(missing))) as pool:
            for _ in pool.map(label, missing):
                pass
    return interrupt.signal


def _finished(run: Path, data: Dataset) -> tuple[Any, float]:
    """The network of a teacher that has finished, in evaluation mode, and the scale of its pixels."""
    try:
        arrays, config = tg.load(run / "best.npz")
        o = config["options"]
        network = models.build(o["layers"], data.shape, data.classes, np.random.default_rng(0), str(run))
        tg.nn.load_state_dict(network, weights_in(arrays))
    except (CheckpointError, FileNotFoundError, LookupError, TypeError) as error:
        raise ConfigError(f"the teacher in {run} is incomplete: delete that folder, and --resume trains it again "
                          f"({error})") from None  # fmt: skip
    tg.nn.eval(network)
    return network, images.pixel_scale(o["pixels"], BRIGHTEST)


def _labels(number: int) -> str:
    return f"labels-{number + 1:03}.npz"


def _settings_of_teacher(o: SimpleNamespace, number: int, seed: int) -> dict[str, Any]:
    """The options of a teacher: its images are those of the run, also those held out, and its seed is another one."""
    given = {"model": o.teachers[number - 1], "seed": 1000 * number + seed, "validation": o.validation}
    return given | {name: getattr(o, name) for name in ("dataset", "data") if getattr(o, name) is not None}


def _settings(o: SimpleNamespace, about: Mapping[str, Any]) -> dict[str, Any]:
    """The `Settings` of a run, without the seed."""
    amplitudes = {amplitude: getattr(o, amplitude) for name in o.augment for amplitude in augmentation.AMPLITUDES[name]}
    names = [Path(path).name for path in o.teachers]
    data = f"{about['name']} {about['fingerprint']}"
    return {"teachers": names, "data": data, "validation": o.validation, **amplitudes}


def _recorded_seed(o: SimpleNamespace, about: Mapping[str, Any], place: Path) -> int:
    """The seed of the teachers in a folder; `ConfigError` if they are not for these images and settings."""
    path = place / _SETTINGS
    try:
        recorded: dict[str, Any] = read_json(path, Settings)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    seed = int(recorded.pop("seed"))
    wanted = _settings(o, about)
    for name in {**wanted, **recorded}:
        if wanted.get(name) != recorded.get(name):
            raise ConfigError(f"{path}: the teachers there have {name} {models.brief(recorded.get(name))}, but this "
                              f"run has {models.brief(wanted.get(name))}")  # fmt: skip
    return seed

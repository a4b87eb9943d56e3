"""Read the digits in pictures with a trained network, for evaluate.py: files, answers, and how they are printed."""

from __future__ import annotations

import csv
import glob
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

import tensorgrad as tg
from tensorgrad.errors import DataError
from training import handwriting, images

DOUBTFUL = 0.6  # an answer with a lower probability is not given; docs/pictures.md says how it was chosen
ONLY_BARE = (
    "evaluate.py: without SciPy, pictures are read only if they show a single digit on bare paper: "
    'python -m pip install -e ".[images]"\n'
)
COLUMNS = ("file", "reading", "doubtful", "digit", "label", "probability", "left", "top", "right", "bottom", "error")


@dataclass
class Answer:
    """What the network says of one digit: the probabilities of the classes, the image it saw, and where that was."""

    names: Sequence[str]
    probabilities: Any
    seen: Any
    box: tuple[int, int, int, int] | None = None  # left, top, right, bottom, in pixels of the file

    @property
    def ranked(self) -> list[int]:
        """The classes, the most likely first."""
        return [int(label) for label in np.argsort(-self.probabilities, kind="stable")]

    @property
    def label(self) -> str:
        """The name of the most likely class."""
        return self.names[self.ranked[0]]

    @property
    def probability(self) -> float:
        """The probability of the most likely class."""
        return float(self.probabilities.max())

    @property
    def may_be_several(self) -> bool:
        """Whether this may be two digits that touch: it is wide for a digit, the more so the surer the network is."""
        if self.box is None:
            return False
        left, top, right, bottom = self.box
        return right - left > (1.6 if self.probability > 0.9 else 1.2) * (bottom - top)

    @property
    def doubt(self) -> str:
        """Why the answer is doubtful, or nothing."""
        first, second = (self.names[label] for label in self.ranked[:2])
        if self.may_be_several:
            return "digits that touch?"
        return f"{first} or {second}" if self.probability < DOUBTFUL else ""


@dataclass
class Reading:
    """The answers for the digits of a picture from left to right, or the error that prevented them."""

    file: str
    answers: list[Answer] = field(default_factory=list)
    error: str = ""
    picture: Any = None
    findings: Any = None

    @property
    def text(self) -> str:
        """The labels together: ``37``."""
        labels = [answer.label for answer in self.answers]
        return ("" if all(len(label) == 1 for label in labels) else " ").join(labels)

    @property
    def doubt(self) -> str:
        """Why the reading is doubtful, or nothing."""
        return ", ".join(answer.doubt for answer in self.answers if answer.doubt)


def conversion(about: dict[str, Any]) -> Callable[[Any], Any]:
    """The function that converts ink to the images of a data set.

    Raises
    ------
    DataError
        If there is none for the shape of these images.
    """
    shape = tuple(about["shape"])
    conversions: dict[tuple[int, ...], Callable[[Any], Any]] = {
        (28, 28): handwriting.to_mnist, (8, 8): handwriting.to_digits
    }  # fmt: skip
    if shape not in conversions:
        raise DataError(f"pictures can be converted to 28x28 or 8x8; this network needs {shape[0]}x{shape[1]}")
    return conversions[shape]


class Reader:
    """Reads pictures with the network of a checkpoint: ``Reader(*restore(path)).read(file)``."""

    def __init__(self, network: Any, options: SimpleNamespace, about: dict[str, Any]) -> None:
        self._network = network
        self._scale = images.pixel_scale(options.pixels, about["brightest"])
        self._names = images.class_names(about)
        self._convert = conversion(about)
        try:
            from training.scene import find_digits
        except ImportError:
            self._find: Callable[[Any], Any] | None = None
            sys.stderr.write(ONLY_BARE)
        else:
            self._find = find_digits

    def read(self, file: str) -> Reading:
        """Read a picture; failures are in the ``error`` of the result."""
        try:
            return self._read(file)
        except (tg.TensorgradError, OSError) as error:
            return Reading(file, error=" ".join(str(error).split()))

    def _read(self, file: str) -> Reading:
        if self._find is None:
            seen = self._convert(handwriting.read_image(file))
            return Reading(file, [Answer(self._names, self._classify(seen), seen)])
        picture, (width, height) = handwriting.read_colours(file)
        findings = self._find(picture)
        if not findings.digits:
            raise DataError(f"{file}: no ink found: {findings.reason}")
        scale = np.array([height / findings.shape[0], width / findings.shape[1]] * 2)
        inks = [digit.ink for digit in findings.digits]
        if len(inks) == 1 and not any(mask.any() for mask in findings.removed.values()):
            drawn = handwriting.ink_of_drawing(picture)  # nothing to find or to remove: the ink as it is
            inks = inks if drawn is None else [drawn]
        answers = []
        for digit, ink in zip(findings.digits, inks, strict=True):
            seen = self._convert(ink)
            top, left, bottom, right = (round(float(side)) for side in digit.box * scale)
            answers.append(Answer(self._names, self._classify(seen), seen, (left, top, right, bottom)))
        return Reading(file, answers, picture=picture, findings=findings)

    def _classify(self, seen: Any) -> Any:
        return tg.softmax(images.predict(self._network, seen[None], self._scale).astype(np.float64))[0]


def read_pictures(reader: Reader, names: Sequence[str], form: str, show: str | None) -> int:
    """Read and print all pictures in the form ``"text"``, ``"json"`` or ``"csv"``; return the exit code.

    It is 2 if a picture could not be read. With ``show``, a picture of each reading is written to that folder.
    """
    if show is not None:
        Path(show).mkdir(parents=True, exist_ok=True)
    failed, drawn = False, set[str]()
    records: list[dict[str, Any]] = []
    if form == "csv":
        csv.writer(sys.stdout, lineterminator="\n").writerow(COLUMNS)
    for file, error in files(names):
        reading = Reading(file, error=error) if error else reader.read(file)
        if reading.error:
            failed = True
            sys.stderr.write(f"evaluate.py: error: {reading.error}\n")
        if form == "json":
            records.append(record(reading))
        elif form == "csv":
            csv.writer(sys.stdout, lineterminator="\n").writerows(rows(reading))
        elif not reading.error:
            print_text(reading)
        if show is not None and reading.findings is not None:
            from training.shown import picture_of

            picture_of(reading).save(Path(show) / _unused(Path(file).stem, drawn))
        reading.picture = reading.findings = None
    if form == "json":
        sys.stdout.write(json.dumps(records, indent=1) + "\n")
    return 2 if failed else 0


def files(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The pictures that files, folders and patterns name, each with an error or nothing."""
    for name in names:
        path = Path(name)
        if path.is_dir():
            found = sorted(str(file) for file in path.iterdir() if is_picture(file))
            yield from ((file, "") for file in found)
            if not found:
                yield name, f"{name}: the folder contains no pictures"
        elif not path.exists() and glob.has_magic(name):
            found = sorted(file for file in glob.glob(name, recursive=True) if not Path(file).is_dir())  # noqa: PTH207
            yield from ((file, "") for file in found)
            if not found:
                yield name, f"{name}: no file has such a name"
        else:
            yield name, ""


def is_picture(file: Path) -> bool:
    """Whether a file in a folder is a picture, by its name."""
    known = {suffix for suffix, form in Image.registered_extensions().items() if form in Image.OPEN}
    known |= {".heic", ".heif"}
    return file.suffix.lower() in known and not file.name.startswith(".") and file.is_file()


def print_text(reading: Reading) -> None:
    """Print a reading, and the probabilities of each digit."""
    lines = [f"{reading.file}: {f'doubtful ({reading.doubt})' if reading.doubt else reading.text}"]
    for answer in reading.answers:
        chances = [f"{answer.names[label]} {answer.probabilities[label]:.1%}" for label in answer.ranked]
        lines.append("   " + "   ".join(chances))
    sys.stdout.write("\n".join(lines) + "\n")


def record(reading: Reading) -> dict[str, Any]:
    """A reading for JSON."""
    return {
        "file": reading.file,
        "reading": None if reading.error or reading.doubt else reading.text,
        "doubtful": reading.doubt or None,
        "digits": [
            {
                "label": answer.label,
                "probability": round(answer.probability, 6),
                "doubtful": answer.doubt or None,
                "box": answer.box and list(answer.box),
                "probabilities": {
                    str(name): round(float(p), 6)
                    for name, p in zip(answer.names, answer.probabilities, strict=True)
                },
            }
            for answer in reading.answers
        ],
        "error": reading.error or None,
    }  # fmt: skip


def rows(reading: Reading) -> list[list[object]]:
    """A reading for CSV: a row for each digit, or one row for an error."""
    if reading.error:
        return [[reading.file, *[""] * 9, reading.error]]
    answer = "" if reading.doubt else reading.text
    return [
        [reading.file, answer, reading.doubt, i, one.label, f"{one.probability:.6f}", *(one.box or [""] * 4), ""]
        for i, one in enumerate(reading.answers, 1)
    ]


def _unused(stem: str, used: set[str]) -> str:
    """The name of a file for a picture; pictures of different folders may have the same name."""
    name, number = f"{stem}.png", 1
    while name.lower() in used:
        number += 1
        name = f"{stem}-{number}.png"
    used.add(name.lower())
    return name

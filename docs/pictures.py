"""Measure how evaluate.py reads scenes, and write the tables of docs/pictures.md and docs/images/picture.jpg.

    python docs/pictures.py               # 10 scenes of each kind: a quarter of an hour
    python docs/pictures.py --count 100   # more of them
    python docs/pictures.py --image       # the picture only

The scenes are those of tests/scenes.py with digits of MNIST's test images; the network is checkpoints/mnist-400.npz.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import evaluate  # noqa: E402
import tensorgrad as tg  # noqa: E402
from tests import scenes  # noqa: E402
from training import images, reading  # noqa: E402
from training.shown import picture_of  # noqa: E402

PAGE = ROOT / "docs" / "pictures.md"
PICTURE = ROOT / "docs" / "images" / "picture.jpg"
CHECKPOINT = ROOT / "checkpoints" / "mnist-400.npz"
MARK = "<!-- python docs/pictures.py -->\n"
SEED = 2  # the program was developed with other seeds


def main() -> None:
    """Measure all kinds of scenes, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10, help="scenes of each kind")
    parser.add_argument("--image", action="store_true", help="write the picture only")
    given = parser.parse_args()
    network, options, about = evaluate.restore(str(CHECKPOINT))
    reader = reading.Reader(network, options, about)
    data = tg.data.load("mnist")
    draw_picture(reader, data)
    if given.image:
        return
    bare = images.predict(network, data.test_images, 1 / 255).argmax(axis=1)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scene.png"
        for number in range(given.count):
            for i, kind in enumerate(scenes.KINDS):
                rng = np.random.default_rng([SEED, i, number])
                which = int(rng.integers(len(data.test_images)))
                scenes.draw(kind, [data.test_images[which] / 255], rng).save(file, compress_level=1)
                found = reader.read(str(file))
                same = not found.error and found.text == str(bare[which])
                counts[kind]["doubtful" if found.doubt else "same" if same else "wrong"] += 1
                least = min((answer.probability for answer in found.answers), default=0)
                answer = f"{found.text} {least:.3f} {found.error or found.doubt}"
                print(kind, number, which, bare[which], answer, flush=True)
            write_table(table(counts, number + 1))  # after each round, so that the program can be stopped


def write_table(text: str) -> None:
    """Replace the table of the page."""
    before, _, after = PAGE.read_text(encoding="utf-8").split(MARK)
    PAGE.write_text(f"{before}{MARK}{text}{MARK}{after}", encoding="utf-8")


def table(counts: dict[str, Counter[str]], number: int) -> str:
    """The table of all kinds, and their sum."""
    total: Counter[str] = sum(counts.values(), Counter())
    command = f"`python docs/pictures.py --count {number}`"
    lines = [f"\nScenes of each kind: {number}, drawn with the seed {SEED}: {command}.\n",
             "| scene | as the bare digit | doubtful | wrong or not found |", "|---|---:|---:|---:|"]  # fmt: skip
    for name, count in [*counts.items(), ("**all**", total)]:
        shares = (f"{count[key] / count.total():.0%}".replace("%", " %") for key in ("same", "doubtful", "wrong"))
        lines.append(f"| {name} | {' | '.join(shares)} |")
    return "\n".join(lines) + "\n\n"


def draw_picture(reader: reading.Reader, data: tg.data.Dataset) -> None:
    """Two digits in a scene like a photograph, what was found there, and what the network saw."""
    digits = [data.test_images[np.flatnonzero(data.test_labels == label)[0]] / 255 for label in (3, 7)]
    sheet = scenes.sheet_with(digits, np.random.default_rng(5), (480, 640))
    steps = [scenes.plain, scenes.pen(0.07, 0.1), scenes.grid(2, 0.2, 0.4), scenes.soft_shadow,
             scenes.desk(0.2, 0.4, 0.03), scenes.perspective, scenes.camera]  # fmt: skip
    for step in steps:
        step(sheet)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scene.jpg"
        scenes.picture(sheet).save(file, quality=90)
        picture_of(reader.read(str(file))).save(PICTURE, quality=85, optimize=True)


if __name__ == "__main__":
    main()

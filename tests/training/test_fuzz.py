"""Random inputs of the three programs: command lines, YAML files, checkpoints, pictures and data.

Every input follows from its seed. Whatever it is, a program ends with one of its exit codes and without a traceback, in
bounded memory and time. ``FUZZ_SEED=17 FUZZ_COUNT=1`` repeats a single one.
"""

import gzip
import io
import json
import os
import random
import shlex
import shutil
import struct
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import evaluate
import sweep
import tensorgrad as tg
import train
from tests.file_operations import run_in_child
from tests.runs import in_this_process
from training import run_pictures, sweep_pictures, worker_process, workers
from training.grid import AXES
from training.options import OPTIONS, flag

resource = pytest.importorskip("resource")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning"),
]

START, COUNT = int(os.environ.get("FUZZ_SEED", "0")), int(os.environ.get("FUZZ_COUNT", "1000"))
ROOT = Path(train.__file__).parent
CODES = {0, 1, 2, 130, 141, 143}
MEMORY, CPU_SECONDS, UPDATES, RUNS = 2 << 30, 60, 12, 2  # limits of one program; Ctrl-C comes after so many updates
LONGEST = 3000  # characters of an error

NUMBERS = ["0", "-1", "1", "2", "7", "0.5", "1e-5", "1e400", "nan", "-inf", "017", "0x10", "1_0", "9" * 20,
           "9" * 5000]  # fmt: skip
WORDS = ["", " ", "no", "null", "~", "true", "[]", "{}", "a,b", "4,,4", "--", "-", "\x00", "\udc80", "é" * 300, "../x",
         "/dev/null", "/dev/full", ".", "x.py:Net", "%s%n", "digits", "cosine", "adam", "plateau",
         "glorot"]  # fmt: skip
VALUES = [None, True, False, 0, -1, 1, 3, 1.5, 1e308, 10**30, "", "x", "9" * 400, [], [1], [[]], {}, {"a": 1},
          [0] * 99]  # fmt: skip
SPECIAL = [*"[]{}:,-&*!|>'\"%@`#?\t\n \\", "<<: *a", "&a [*a]", "!!python/object:os.system", "\ufeff", "\x00", "é"]


def command_line(rng, folder):
    """An own program with options of any kind."""
    program = rng.choice([train, train, sweep, evaluate])
    names = [flag(name) for name in (AXES if program is sweep else OPTIONS)]
    names += ["--resume", "--image", "--workers", "--sample", "--cluster", "--help", "--version", "--nonsense",
              "--no-eager"]  # fmt: skip
    words = [] if rng.random() < 0.2 else ["--dataset", "digits", "--hidden", "4", "--epochs", "1", "--quiet"]
    if program is evaluate:
        words = [str(folder / "run" / rng.choice(["best.npz", "last.npz", "", "config.yaml"]))]
    for _ in range(rng.randrange(1, 5)):
        name = rng.choice(names)
        if name in words and rng.random() < 0.9:
            i = words.index(name)
            del words[i : i + 2]
        words.append(name)
        words += rng.choices(NUMBERS + WORDS, k=rng.choice([0, 1, 1, 1, 1, 2]))
    return program, words


def flipped(rng, content):
    """Bytes of which some are changed, or which are cut off or longer."""
    content = bytearray(content)
    for _ in range(rng.choice([0, 1, 1, 5, 50])):
        if content:
            content[rng.randrange(len(content))] = rng.randrange(256)
    if rng.random() < 0.3:
        content = content[: rng.randrange(len(content) + 1)]
    return bytes(content) + rng.randbytes(rng.choice([0, 0, 0, 9]))


def edited(rng, text):
    """A text with changed characters, numbers and lines."""
    for _ in range(rng.randrange(1, 4)):
        lines = text.split("\n")
        i, line = (i := rng.randrange(len(lines))), lines[i]
        k = rng.randrange(len(line) + 1)
        words = line.split(" ")
        words[rng.randrange(len(words))] = rng.choice(NUMBERS + WORDS + SPECIAL)
        lines[i] = rng.choice([
            "", line + "\n" + line, "  " + line, line.lstrip(), line[:k] + rng.choice(SPECIAL) + line[k:],
            line[:k] + line[k + 1 :], " ".join(words), " ".join(words), rng.choice(lines),
        ])  # fmt: skip
        text = "\n".join(lines)
    return text


def yaml_file(rng, folder):
    """A model or a sweep with mistakes."""
    program = rng.choice([train, train, sweep])
    source = rng.choice(sorted((ROOT / ("studies" if program is sweep else "models")).glob("*.yaml")))
    path = folder / "file.yaml"
    path.write_bytes(edited(rng, source.read_text(encoding="utf-8")).encode(errors="surrogateescape"))
    if program is sweep:
        return sweep, [str(path), "--quiet", "--out", "s", "--workers", "1"]
    return train, ["--model", str(path), "--dataset", "digits", "--epochs", "1", "--quiet"]


def places(value, found=None):
    """All containers in a JSON value with their keys."""
    found = [] if found is None else found
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        found.append((value, key))
        if isinstance(value[key], (dict, list)):
            places(value[key], found)
    return found


def checkpoint(rng, folder):
    """A damaged or edited checkpoint, or another file of a run."""
    run = folder / "run"
    path = run / rng.choice(["last.npz", "last.npz", "best.npz"])
    kind = rng.choice(["bytes", "values", "values", "values", "arrays", "files"])
    arrays, config = tg.load(path)
    if kind == "bytes":
        path.write_bytes(flipped(rng, path.read_bytes()))
    elif kind == "files":
        other = rng.choice(sorted(run.glob("*.[jcy]*")))
        other.write_bytes(flipped(rng, other.read_bytes()))
    else:
        for _ in range(rng.choice([1, 1, 3])):
            if kind == "values":
                container, key = rng.choice(places(config))
                if isinstance(container, dict) and rng.random() < 0.2:
                    value = container.pop(key)
                    if rng.random() < 0.5:
                        container[key + "x"] = value
                else:
                    container[key] = rng.choice(VALUES)
            else:
                name = rng.choice(sorted(arrays))
                array = arrays.pop(name)
                arrays[rng.choice([name, name, name + "x", "optimizer." + name, "../" + name])] = rng.choice([
                    array, array.astype(rng.choice(["f8", "i4", "c8", "U5", "?", "f2", "S3", "M8[s]"])), array[None],
                    array.ravel()[:0], array * np.float32(np.nan), np.zeros(rng.choice([(), (0, 3), (1,) * 30])),
                ])  # fmt: skip
        with zipfile.ZipFile(path, "w", rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
            for name, array in arrays.items():
                content = io.BytesIO()
                np.save(content, array)
                archive.writestr(name + ".npy", content.getvalue())
            archive.writestr("config.json", json.dumps(config))
    if kind != "files" and rng.random() < 0.4:
        return evaluate, [str(path)]
    if rng.random() < 0.15:
        runs = rng.sample([run, run / "last.npz", run / "best.npz"], 2)
        return evaluate, ["--compare", *map(str, runs), "--out", str(folder / "c.png")]
    if rng.random() < 0.1:
        return train, ["--from", str(path), "--dataset", "digits", "--hidden", "4", "--epochs", "1", "--quiet"]
    return train, ["--resume", str(run), "--quiet", *rng.choice([[], ["--epochs", "3"]])]


def picture(rng, folder):
    """A picture to classify: of any mode and size, damaged, or no picture."""
    path = folder / rng.choice(["p.png", "p.jpg", "p.bmp", "p.gif", "p.tif"])
    size = rng.choice([(1, 1), (8, 8), (1, 500), (60, 40), (300, 300)])
    pixels = np.frombuffer(rng.randbytes(size[0] * size[1] * 3), np.uint8).reshape(size[1], size[0], 3)
    content = io.BytesIO()
    image = Image.fromarray(pixels // rng.choice([1, 255])).convert(rng.choice(["RGB", "L", "1", "P"]))
    image.save(content, rng.choice(["PNG", "JPEG", "BMP"]) if image.mode != "P" else "GIF")
    damaged = content.getvalue()
    if rng.random() < 0.1:  # a header of a very large picture
        damaged = damaged[:16] + struct.pack(">II", 2 ** rng.randrange(10, 31), 2**15) + damaged[24:]
    path.write_bytes(rng.choice([flipped(rng, damaged), damaged, rng.randbytes(rng.randrange(200))]))
    return evaluate, [str(folder / "run" / "best.npz"), "--image", str(path)]


def data_file(rng, folder):
    """A data set of one's own with mistakes."""
    count, shape = rng.choice([1, 2, 30, 60]), rng.choice([(8, 8), (8, 8), (1, 1), (3, 5)])
    x = np.frombuffer(rng.randbytes(count * shape[0] * shape[1]), np.uint8).reshape(count, *shape)
    y = np.arange(count) % rng.choice([1, 2, 10, 30])
    if rng.random() < 0.5:
        path = folder / "data.csv"
        lines = [",".join(map(str, [label, *pixels.ravel()])) for label, pixels in zip(y, x, strict=True)]
        text = "\n".join(["label," + ",".join(f"pixel{i}" for i in range(x[0].size)), *lines]) + "\n"
        content = edited(rng, text).encode(errors="surrogateescape")
        path.write_bytes(gzip.compress(content) if rng.random() < 0.05 else content)
    else:
        path = folder / "data.npz"
        kinds = ["u1", "i4", "f4", "f8", "f2", "U3", "?", "c8", "u8", "M8[s]"]
        x, y = x.astype(rng.choice(kinds[:6] + kinds)), y.astype(rng.choice(kinds + ["i8"] * 10))
        if rng.random() < 0.2 and x.dtype.kind == "f":
            x.flat[0] = rng.choice([np.nan, np.inf, -1, 1e30 if x.itemsize > 2 else 1])
        names = rng.choice([("x", "y"), ("x_train", "y_train"), ("images", "labels"), ("x", "z")])
        arrays = rng.choice([(x, y), (x, y), (x[:-1], y), (x, y[:, None]), (x[..., None], y),
                             (x.reshape(count, -1), y)])  # fmt: skip
        content = io.BytesIO()
        np.savez(content, **dict(zip(names, arrays, strict=True)))
        path.write_bytes(content.getvalue() if rng.random() < 0.6 else flipped(rng, content.getvalue()))
    return train, ["--data", str(path), "--hidden", "4", "--epochs", "1", "--quiet", "--validation", "0.2"]


def idx_files(rng, folder):
    """The four files of a data set, damaged or of other types and sizes."""
    parts = {"train": rng.choice([20, 60]), "t10k": 10}
    others = [(9, "i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8"), (7, "u1")]
    code, kind = rng.choice([(8, "u1"), rng.choice(others)])
    damaged = rng.choice([None, *(f"{part}-{what}" for part in parts for what in ("images", "labels"))])
    for part, count in parts.items():
        x = np.frombuffer(rng.randbytes(count * 64), np.uint8).reshape(count, 8, 8).astype(kind)
        y = (np.arange(count) % rng.choice([1, 2, 10])).astype("u1")
        for what, array, number in (("images", x, code), ("labels", y, 8)):
            shape = list(array.shape)
            if f"{part}-{what}" == damaged and rng.random() < 0.3:
                shape[rng.randrange(len(shape))] = rng.choice([0, 1, 2**31 - 1, 2**32 - 1])
            content = struct.pack(f">HBB{len(shape)}I", 0, number, len(shape), *shape) + array.tobytes()
            content = gzip.compress(content) if rng.random() < 0.3 else content
            content = flipped(rng, content) if f"{part}-{what}" == damaged else content
            name = f"{part}-{what}-idx{array.ndim}-ubyte" + (".gz" if content[:2] == b"\x1f\x8b" else "")
            if rng.random() < 0.97:
                (folder / name).write_bytes(content)
    return folder


def picture_folders(rng, folder):
    """A folder of pictures for each class, with pictures that are damaged or unlike the others."""
    place = folder / "pictures"
    classes = rng.sample(["0", "1", "10", "cat", "é", "a b", "train", "test", ".x", "-"], rng.choice([1, 2, 2, 3]))
    for name in classes:
        inner = place / rng.choice(["", "", "train"]) / name
        inner.mkdir(parents=True, exist_ok=True)
        for i in range(rng.choice([0, 1, 8, 8])):
            size = (8, 8) if rng.random() < 0.97 else rng.choice([(1, 1), (9, 7), (2000, 1)])
            pixels = np.frombuffer(rng.randbytes(size[0] * size[1] * 3), np.uint8).reshape(size[1], size[0], 3)
            image = Image.fromarray(pixels).convert(rng.choice(["L", "L", "L", "RGB", "1", "P", "RGBA", "I", "F"]))
            content, form = io.BytesIO(), "TIFF" if image.mode in "IF" else "PNG"
            image.save(content, form)
            damaged = content.getvalue() if rng.random() < 0.97 else flipped(rng, content.getvalue())
            (inner / f"{i}.{rng.choice(['png', 'PNG', 'jpg', 'tif'])}").write_bytes(damaged)
    return place


def data_folder(rng, folder):
    """A folder with a data set, and perhaps with names of classes, with mistakes."""
    place = rng.choice([idx_files, picture_folders])(rng, folder)
    if rng.random() < 0.3:
        text = json.dumps(rng.choice([["a", "b"], ["é"] * 10, {"0": "a", "cat": "b"}, {"a": 1}, VALUES, [0], "x", {}]))
        (folder / rng.choice(["labels.json", "class_names.json"])).write_text(edited(rng, text), errors="replace")
    return train, ["--data", str(place), "--hidden", "4", "--epochs", "1", "--quiet", "--validation", "0.2"]


KINDS = (command_line, yaml_file, checkpoint, picture, data_file, data_folder)


def prepare():
    """Limit memory and time of this process, and what is not an input: updates, runs of a sweep, and pictures."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    updates, runs, run_one = [], [], worker_process.run_one

    def interrupt(*_):
        updates.append(1)
        if len(updates) >= UPDATES:
            raise KeyboardInterrupt

    def run_few(**job):
        runs.append(1)
        return run_one(**job) if len(runs) <= RUNS else {"status": "failed", "error": "not run"}

    train.Display.batch, worker_process.run_one, workers.local = interrupt, run_few, in_this_process
    train.time = SimpleNamespace(monotonic=lambda: 0.0)
    run_pictures._draw = sweep_pictures.draw = lambda *_: None


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The folder of a run that finished its two epochs."""
    folder = tmp_path_factory.mktemp("example") / "run"
    options = shlex.split(
        "--dataset digits --hidden 4 --epochs 2 --batch-size 512 --ema 0.9 --threads 1 --schedule plateau --quiet --out"
    )
    ended = run_in_child(folder.parent, train.main, [*options, str(folder)], prepare=prepare)
    assert ended.code == 0, ended.err
    return folder


@pytest.mark.parametrize("kind", KINDS, ids=[kind.__name__ for kind in KINDS])
def test_random_input_ends_with_an_exit_code_and_without_a_traceback(tmp_path, example, kind):
    found = []
    for seed in range(START, START + COUNT):
        if KINDS[seed % len(KINDS)] is not kind:
            continue
        folder = tmp_path / "input"
        shutil.copytree(example, folder / "run")
        if kind is checkpoint and seed % 2:
            (folder / "run" / "result.json").unlink()  # as if the run had been stopped
        program, words = kind(random.Random(seed), folder)
        ended = run_in_child(folder, program.main, words, prepare=prepare)
        text = ended.out + ended.err
        if (ended.code not in CODES or "Traceback" in text or "Exception ignored" in text or len(ended.err) > LONGEST
                or (ended.code == 2 and ": error: " not in ended.err)):  # fmt: skip
            command = f"{program.__name__}.py {words!r:.300}"
            found.append(f"seed {seed}: {command} ends with {ended.code}: {ended.err[-600:]}")
        shutil.rmtree(folder)
    assert not found, "\n\n".join(found)

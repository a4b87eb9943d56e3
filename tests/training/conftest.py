"""The programs, called as a user would call them, in an empty folder of their own and without the internet."""

import gzip
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import evaluate
import tensorgrad as tg
import train
from tests.offline import without_mnist

# Six updates an epoch, the last one on fewer images; a run of it takes a twentieth of a second.
TINY = ("--dataset", "digits", "--hidden", "8", "--epochs", "2", "--batch-size", "256")


@pytest.fixture(autouse=True)
def workplace(monkeypatch, tmp_path):
    """Go to a new folder where MNIST is not, and cannot be fetched."""
    monkeypatch.chdir(tmp_path)
    without_mnist(monkeypatch, tmp_path / "cache")
    return tmp_path


def called(capsys, main, arguments):
    """Call a program; return its exit code and what it wrote."""
    capsys.readouterr()
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as exit_:
        code = exit_.code
    wrote = capsys.readouterr()
    return SimpleNamespace(code=code, out=wrote.out, err=wrote.err)


@pytest.fixture
def run_train(capsys, monkeypatch):
    """``run_train(arguments...)``: train.py, without pictures unless asked for, as they take a second."""

    def run(*arguments, pictures=False):
        before = set(Path("runs").glob("*"))
        with monkeypatch.context() as patch:
            if not pictures:
                patch.setattr(train, "draw", lambda *_: None)
            result = called(capsys, train.main, arguments)
        made = sorted(set(Path("runs").glob("*")) - before)
        assert len(made) <= 1
        result.folder = made[0] if made else None
        return result

    return run


@pytest.fixture
def run_tiny(run_train):
    """The same with the settings of `TINY`, which further arguments override."""
    return lambda *arguments, **options: run_train(*TINY, *arguments, **options)


@pytest.fixture
def run_evaluate(capsys):
    """``run_evaluate(arguments...)``: evaluate.py."""
    return lambda *arguments: called(capsys, evaluate.main, arguments)


@pytest.fixture
def refused():
    """``refused(result, pieces...)``: exit code 2, one line that holds the pieces, and no traceback."""

    def check(result, *pieces):
        lines = result.err.splitlines()
        assert result.code == 2
        assert sum(": error: " in line for line in lines) == 1
        assert "error: " in lines[-1]
        assert "Traceback" not in result.err
        for piece in pieces:
            assert piece in lines[-1]
        return True

    return check


@pytest.fixture
def write_mnist():
    """``write_mnist(folder, shape)``: a little set in MNIST's format, made of the small digits."""

    def write(folder, shape=(28, 28), count=200, gzipped=False):
        folder = Path(folder)
        folder.mkdir(parents=True)
        small = tg.data.load("digits")
        scale = min(shape) // 8
        for part, images, labels in (
            ("train", small.train_images[:count], small.train_labels[:count]),
            ("t10k", small.test_images[:50], small.test_labels[:50]),
        ):
            large = np.zeros((len(images), *shape), np.uint8)
            enlarged = np.kron(images, np.ones((1, max(scale, 1), max(scale, 1)), np.uint8)) * np.uint8(15)
            height, width = (min(a, b) for a, b in zip(shape, enlarged.shape[1:], strict=True))
            large[:, :height, :width] = enlarged[:, :height, :width]
            packed = gzip.compress if gzipped else bytes
            end = ".gz" if gzipped else ""
            head = struct.pack(">HBBIII", 0, 8, 3, *large.shape)
            (folder / f"{part}-images-idx3-ubyte{end}").write_bytes(packed(head + large.tobytes()))
            head = struct.pack(">HBBI", 0, 8, 1, len(labels))
            content = head + labels.astype(np.uint8).tobytes()
            (folder / f"{part}-labels-idx1-ubyte{end}").write_bytes(packed(content))
        return folder

    return write


@pytest.fixture
def weights():
    """``weights(folder, name)``: the arrays of a run's checkpoint without the optimizer's."""

    def read(folder, name="last.npz"):
        arrays = tg.load(Path(folder) / name).arrays
        return {key: array for key, array in arrays.items() if not key.startswith("optimizer.")}

    return read


@pytest.fixture
def untrained():
    """``untrained(folder)``: the weights that the network of a run began with."""
    import models

    def build(folder):
        config = tg.load(Path(folder) / "last.npz").config
        o, about = config["options"], config["data"]
        features = about["shape"][0] * about["shape"][1]
        network = models.build(o["layers"], features, about["classes"], np.random.default_rng(o["seed"]))
        return tg.nn.state_dict(network)

    return build


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A run folder, pictures included, of a network that reads the small digits well; not to be written to."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    settings = ("--dataset", "digits", "--hidden", "64", "--epochs", "12", "--watch-test", "--quiet", "--out", folder)
    assert train.main([str(argument) for argument in settings]) == 0
    return folder

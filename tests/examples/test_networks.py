"""The networks of `examples/`, trained at a small size: each must be better than a model that needs no training."""

import numpy as np
import pytest
from helpers import example

import tensorgrad as tg

WORDS = ["tensor", "gradient", "array", "backward", "shape", "record", "rule", "leaf"]


def test_the_cnn_reads_digits():
    accuracy = example("cnn").main(["--epochs", "2", "--channels", "8", "--batch-size", "32"])
    assert 0.9 < accuracy <= 1  # 0.1 by guessing


@pytest.mark.parametrize(
    ("name", "steps", "width", "part"),  # the part of the loss by frequency alone that it gets below
    [
        ("transformer", 12, 32, 0.9),
        pytest.param("transformer", 60, 32, 0.5, marks=pytest.mark.slow),
        ("lstm", 25, 64, 0.65),
    ],
)
def test_a_text_of_eight_words_is_learned(name, steps, width, part, tmp_path, capsys):
    text = " ".join(np.random.default_rng(0).choice(WORDS, 1500))
    (tmp_path / "text").write_text(text)
    numbers = ["--steps", str(steps), "--width", str(width), "--write", "200"]
    loss = example(name).main(["--text", str(tmp_path / "text"), "--start", "tensor ", *numbers])
    written = capsys.readouterr().out.split("\n\n")[1]
    assert written.startswith("tensor ")
    assert len(written) == len("tensor ") + 200 + 1
    _, counts = np.unique(list(text), return_counts=True)
    frequencies = counts / counts.sum()
    assert 0.28 < loss < -np.sum(frequencies * np.log(frequencies)) * part


def test_the_vae_codes_digits(tmp_path):
    data = tg.data.digits()
    x, test = (images.reshape(-1, 64) / 16 for images in (data.train_images, data.test_images))
    mean = np.clip(x.mean(axis=0), 1e-6, 1 - 1e-6)
    of_mean = -np.mean(test @ np.log(mean) + (1 - test) @ np.log(1 - mean))  # the loss without z
    loss = example("vae").main(["--epochs", "10", "--plot", str(tmp_path / "vae.png")])
    assert 20 < loss < of_mean - 0.2
    assert (tmp_path / "vae.png").read_bytes().startswith(b"\x89PNG")

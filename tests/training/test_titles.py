"""What the titles of a run's pictures say: the data set and the recipe, also of a folder with another name."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.data.known import KNOWN
from training import pictures, titles


def test_titles_of_data_sets():
    assert titles.data_set("mnist") == "MNIST"
    assert titles.data_set("emnist-letters") == "EMNIST letters"
    assert titles.data_set("digits") == "digits"
    assert titles.data_set("files") == "files"
    assert titles.data_set("files", "/some/where/cats.npz") == "cats.npz"
    assert all(titles.data_set(name) == known.title for name, known in KNOWN.items())


@pytest.mark.parametrize(
    ("o", "varied", "expected"),
    [
        ({"hidden": [400, 200], "lr": 0.1, "epochs": 3, "l2": 0.0}, [],
         ["400,200 hidden units", "learning rate 0.1", "3 epochs"]),
        ({"model": "models/lenet.yaml", "hidden": [120], "schedule": "step"}, [], ["lenet", "step schedule"]),
        ({"model": "models/lenet.yaml", "hidden": [120], "lr": 0.1}, ["model", "lr"], []),
        ({"hidden": [], "model": "my.py:Net"}, [], ["my.py:Net"]),
        ({}, [], []),
    ],
)  # fmt: skip
def test_recipe_names_the_network_and_what_is_not_varied(o, varied, expected):
    assert titles.recipe(o, varied) == expected


def test_titles_of_a_run_say_data_set_network_and_seed(run_train, monkeypatch):
    drawn = {}
    monkeypatch.setattr(pictures, "save", lambda figure, path: drawn.update({path.name: figure.texts[0].get_text()}))
    options = ("--dataset", "digits", "--hidden", 8, "--epochs", 1, "--seed", 3, "--quiet")
    assert run_train(*options, "--out", "a name", pictures=True).code == 0
    start = "digits, 8 hidden units, seed 3"
    assert drawn.pop("curves.png").startswith("digits: 8 hidden units, learning rate 0.1, cosine schedule, batch 32, ")
    assert drawn == {"weights.png": f"{start}: weights of the first layer", "confusion.png": f"{start}: test images",
                     "mistakes.png": f"{start}: misclassified test images"}  # fmt: skip
    data = tg.data.load("digits")
    np.savez("cats.npz", x=data.test_images, y=data.test_labels)
    assert run_train("--data", "cats.npz", *options[2:], pictures=True).code == 0
    assert drawn["confusion.png"] == "cats.npz, 8 hidden units, seed 3: test images"

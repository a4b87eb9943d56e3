"""The estimator of scikit-learn's interface beside scikit-learn's own network: time and accuracy on MNIST.

::

    TENSORGRAD_DATA=folder python benchmarks/classifier.py [--epochs 10] [--hidden 400] [--rounds 3]

Both have the same sizes, optimizer, rate, batches and epochs, train on the same float32 images in turns, and take their
own initial weights from the same seeds. A third contender is what a user would choose here: dropout and a falling rate.
"""

from __future__ import annotations

import argparse
import time
import warnings

import measuring
import numpy as np
from sklearn.neural_network import MLPClassifier

import tensorgrad as tg
from tensorgrad.sklearn import NetworkClassifier


def main(arguments: list[str] | None = None) -> int:
    """Print a table of times and accuracies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("epochs", 10), ("hidden", 400), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--dataset", default="mnist")
    given = parser.parse_args(arguments)
    data = tg.data.load(given.dataset)
    x, x_test = (images.reshape(len(images), -1) / np.float32(data.brightest)
                 for images in (data.train_images, data.test_images))  # fmt: skip
    shared = {"hidden": (given.hidden,), "epochs": given.epochs, "batch_size": 200, "lr": 0.001}
    contenders = {
        "MLPClassifier": lambda seed: MLPClassifier(
            (given.hidden,), max_iter=given.epochs, batch_size=200, n_iter_no_change=given.epochs, random_state=seed
        ),
        "NetworkClassifier": lambda seed: NetworkClassifier(**shared, random_state=seed),
        'NetworkClassifier(dropout=0.2, lr=0.003, schedule="cosine")': lambda seed: NetworkClassifier(
            **shared | {"lr": 0.003}, dropout=0.2, schedule="cosine", random_state=seed
        ),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    accuracy: dict[str, list[float]] = {name: [] for name in contenders}
    for seed in range(given.rounds):
        for name, make in contenders.items():
            model, start = make(seed), time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # MLPClassifier warns that it could go on
                model.fit(x, data.train_labels)
            seconds[name].append(time.perf_counter() - start)
            accuracy[name].append(float(np.mean(model.predict(x_test) == data.test_labels)))
    measuring.header()
    print("\n| estimator | seconds | ratio | test accuracy |\n|---|---:|---:|---:|")
    base = np.array(seconds["MLPClassifier"])
    for name in contenders:
        ratio = np.median(np.array(seconds[name]) / base)
        print(f"| `{name}` | {np.median(seconds[name]):.1f} | {ratio:.2f} | {np.mean(accuracy[name]):.2%} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

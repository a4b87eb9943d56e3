"""Accuracy against training time on MNIST: scikit-learn's MLPClassifier, and a PyTorch script of the same network.

::

    TENSORGRAD_DATA=folder python benchmarks/frontier.py [sklearn] [torch] [torch-warps] [--epochs 5 15 30]

Both train 784-400-10 on all 60,000 images, with one thread. MLPClassifier has its own settings. The script has those of
`train.py --hidden 400`: SGD with Nesterov momentum, cosine schedule, batches of 128; with torch-warps each image is
rotated, scaled, sheared and translated at random by `grid_sample`, without dropout; otherwise there is dropout and no
warp. Prints a row of docs/record.csv for each: what, seed, processor time in seconds, errors in the 10,000 test images.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings

os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import numpy as np

import tensorgrad as tg

HIDDEN, BATCH, RATE = 400, 128, 0.1
DROPOUT = 0.2


def train_sklearn(x, y, x_test, epochs, seed):
    """Train scikit-learn's network; return its predictions."""
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier((HIDDEN,), max_iter=epochs, n_iter_no_change=epochs, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it could go on
        model.fit(x, y)
    return model.predict(x_test)


def train_torch(x, y, x_test, epochs, seed, *, is_warped=False):
    """Train the network with PyTorch; return its predictions."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    x, y, x_test = torch.from_numpy(x), torch.from_numpy(y.astype(np.int64)), torch.from_numpy(x_test)
    model = nn.Sequential(nn.Linear(x.shape[1], HIDDEN), nn.ReLU(), nn.Dropout(0.0 if is_warped else DROPOUT),
                          nn.Linear(HIDDEN, 10))  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9, nesterov=True)
    updates = epochs * -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(BATCH):
            inputs = warped(x[batch]) if is_warped else x[batch]
            loss = nn.functional.cross_entropy(model(inputs), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        return model(x_test).argmax(dim=1).numpy()


def warped(x):
    """The images, each under a random affine map, with the amplitudes of train.py."""
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    angle, slope, down, right, *shift = 2 * torch.rand(6, len(x)) - 1
    angle, slope, down, right = angle * np.deg2rad(8), slope * 0.08, 1 + down * 0.08, 1 + right * 0.08
    cos, sin = torch.cos(angle), torch.sin(angle)
    side = round(x.shape[1] ** 0.5)
    first = torch.stack([cos * right, cos * right * slope - sin * down, shift[0] * 0.3 / (side / 2)], dim=1)
    second = torch.stack([sin * right, sin * right * slope + cos * down, shift[1] * 0.3 / (side / 2)], dim=1)
    grid = affine_grid(torch.stack([first, second], dim=1), [len(x), 1, side, side], align_corners=False)
    return grid_sample(x.reshape(-1, 1, side, side), grid, align_corners=False).reshape(len(x), -1)


CONTENDERS = {
    "sklearn": ("scikit-learn's MLPClassifier", train_sklearn),
    "torch": ("PyTorch", train_torch),
    "torch-warps": ("PyTorch, affine warps", lambda *a: train_torch(*a, is_warped=True)),
}


def main(arguments: list[str] | None = None) -> int:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contenders", nargs="*", metavar="CONTENDER", help=", ".join(CONTENDERS))
    parser.add_argument("--epochs", type=int, nargs="+", default=[5, 15, 30])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    if unknown := set(given.contenders) - CONTENDERS.keys():
        parser.error(f"unknown contender {min(unknown)}; known: {', '.join(CONTENDERS)}")
    data = tg.data.load("mnist")
    x, x_test = (
        images.reshape(len(images), -1) / np.float32(data.brightest) for images in (data.train_images, data.test_images)
    )
    for key in given.contenders or CONTENDERS:
        name, train = CONTENDERS[key]
        for epochs in given.epochs:
            start = time.process_time()
            predictions = train(x, data.train_labels, x_test, epochs, given.seed)
            seconds = time.process_time() - start
            errors = int(np.count_nonzero(predictions != data.test_labels))
            print(f'"{name}, {epochs} epochs",{given.seed},{seconds:.0f},{errors}', flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

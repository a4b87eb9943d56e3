"""Classification of handwritten digits by a convolutional network.

    python examples/cnn.py                       # 8x8 digits, which are part of the package
    python examples/cnn.py --dataset mnist       # 28x28, if MNIST is found or can be downloaded

The network has three convolutions and a linear layer that computes the ten logits. Pooling after the first two halves
the size of the image. Batch normalization follows pooling, where there are a quarter as many numbers to normalize.
Images of MNIST are shifted at random, so that they differ from epoch to epoch.

Choose settings with `--validate`, which reports the accuracy on training images that were held out, so that the test
images are not used until the settings are final.
"""

import argparse
from typing import Any

import numpy as np
from tqdm import tqdm

import tensorgrad as tg
from tensorgrad.nn import BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, Sequential


def build(side: int, channels: int, rng: np.random.Generator) -> Sequential:
    """The network for images ``(B, 1, side, side)``, 28 or 8 pixels wide: it returns logits ``(B, 10)``."""
    c, kernel, padding = (channels, 5, 0) if side == 28 else (channels, 3, 1)
    return Sequential({
        "conv1": Conv2d(1, c, kernel, rng, padding=padding), "pool1": MaxPool2d(2),
        "norm1": BatchNorm2d(c), "relu1": tg.relu,
        "conv2": Conv2d(c, 2 * c, kernel, rng, padding=padding), "pool2": MaxPool2d(2),
        "norm2": BatchNorm2d(2 * c), "relu2": tg.relu,
        "conv3": Conv2d(2 * c, 4 * c, 3, rng, padding=padding),  # the result is 2 pixels wide for both sizes
        "norm3": BatchNorm2d(4 * c), "relu3": tg.relu,
        "flatten": Flatten(), "output": Linear(16 * c, 10, rng),
    })  # fmt: skip


def shifted(images: Any, rng: np.random.Generator) -> Any:
    """Shift each of the images ``(B, 1, H, W)`` by up to 1/28 of its side in both directions, padded with 0."""
    limit = images.shape[3] // 28  # 1 pixel for MNIST, and none for the digits
    padded = np.pad(images, ((0, 0), (0, 0), (limit, limit), (limit, limit)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, images.shape[2:], axis=(2, 3))
    down, right = rng.integers(0, 2 * limit + 1, (2, len(images)))
    return windows[np.arange(len(images)), :, down, right]


def train(network: Sequential, x: Any, y: Any, o: argparse.Namespace, rng: np.random.Generator) -> list[float]:
    """Minimize the cross-entropy on images ``x`` (N, 1, H, W) with labels ``y`` (N,); return the losses."""
    optimizer = tg.optim.AdamW(tg.nn.parameters(network))
    losses: list[float] = []
    updates = -(-len(y) // o.batch_size)  # in an epoch
    schedule = tg.schedules.one_cycle(1.0, o.epochs * updates)
    for epoch in range(1, o.epochs + 1):
        bar = tqdm(tg.data.batches(len(y), o.batch_size, rng), f"epoch {epoch}/{o.epochs}", updates, unit=" batches")
        for batch in bar:
            loss = tg.cross_entropy(network(shifted(x[batch], rng)), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.lr = o.lr * schedule(len(losses))
            optimizer.step()
            losses.append(loss.item())
            bar.set_postfix_str(f"loss {losses[-1]:.4f}", refresh=False)
    return losses


def main(arguments: list[str] | None = None) -> float:
    """Train, and print and return the accuracy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", choices=["digits", "mnist"], default="digits", help="default: %(default)s")
    parser.add_argument("--epochs", type=int, help="passes over the images; default: 30 on digits, 4 on MNIST")
    parser.add_argument("--channels", type=int, default=16, help="of the first convolution; default: %(default)s")
    parser.add_argument("--batch-size", type=int, default=128, help="images in an update; default: %(default)s")
    parser.add_argument("--lr", type=float, default=0.01, help="the highest learning rate; default: %(default)s")
    parser.add_argument("--validate", action="store_true", help="hold out a twelfth of the images, to report on")
    parser.add_argument("--seed", type=int, default=0, help="of weights, batches and shifts; default: %(default)s")
    o = parser.parse_args(arguments)
    o.epochs = o.epochs or {"digits": 30, "mnist": 4}[o.dataset]

    data, rng = tg.data.load(o.dataset), np.random.default_rng(o.seed)
    x, x_test = (images[:, None] / np.float32(data.brightest) for images in (data.train_images, data.test_images))
    y, y_test = data.train_labels, data.test_labels
    if o.validate:
        held = np.random.default_rng(1).permutation(len(y)) < len(y) // 12
        x, y, x_test, y_test = x[~held], y[~held], x[held], y[held]
    network = build(data.shape[0], o.channels, rng)
    train(network, x, y, o, rng)
    with tg.no_grad(), tg.nn.eval(network):  # batch normalization by its running statistics
        logits = [network(chunk).numpy() for chunk in np.array_split(x_test, 20)]
    accuracy = float(np.mean(np.concatenate(logits).argmax(axis=1) == y_test))
    print(f"{data}\naccuracy on {len(y_test):,} {'held-out' if o.validate else 'test'} images: {accuracy:.2%}")
    return accuracy


if __name__ == "__main__":
    main()

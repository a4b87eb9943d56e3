"""A variational autoencoder of handwritten digits.

    python examples/vae.py --plot vae.png                   # 8x8 digits
    python examples/vae.py --dataset mnist --epochs 20      # 28x28, if MNIST is found or can be downloaded

An image x is assumed to be generated from a few standard normal latent variables z. Two networks are trained: the
decoder computes the probability p(x|z) of ink in each pixel, and the encoder a normal distribution q(z|x) that
approximates p(z|x). The loss is an upper bound of -log p(x), in nats, estimated at z = mean + deviation * noise:

    -log p(x|z) + KL(q(z|x) || N(0, 1))        (Kingma and Welling, "Auto-encoding variational Bayes", 2014)
"""

import argparse
from typing import Any

import numpy as np
from tqdm import trange

import tensorgrad as tg
from tensorgrad.nn import Linear, Sequential


def build(pixels: int, hidden: int, latent: int, rng: np.random.Generator) -> dict[str, Any]:
    """The two networks; the encoder returns means and logarithms of variances, concatenated."""
    sizes = {"encoder": (pixels, hidden, hidden, 2 * latent), "decoder": (latent, hidden, hidden, pixels)}
    return {name: Sequential(Linear(a, b, rng), tg.relu, Linear(b, c, rng), tg.relu, Linear(c, d, rng, init="small"))
            for name, (a, b, c, d) in sizes.items()}  # fmt: skip


def loss(model: dict[str, Any], x: Any, rng: np.random.Generator) -> Any:
    """The mean over images ``x``, (B, pixels) in 0..1, of the bound above."""
    mean, log_variance = np.split(model["encoder"](x), 2, axis=1)  # (B, latent) each
    z = mean + np.exp(log_variance / 2) * rng.standard_normal(mean.shape).astype(x.dtype)
    unlikely = tg.binary_cross_entropy_with_logits(model["decoder"](z), x, reduction="sum")
    divergence = 0.5 * np.sum(mean**2 + np.exp(log_variance) - log_variance - 1)
    return (unlikely + divergence) / len(x)


def train(model: dict[str, Any], x: Any, epochs: int, rng: np.random.Generator, lr: float = 2e-3) -> list[float]:
    """Minimize the loss in batches of 100 images; return the losses."""
    optimizer = tg.optim.Adam(tg.nn.parameters(model))
    schedule, losses = tg.schedules.cosine(epochs), []
    for epoch in (bar := trange(epochs, unit=" epochs")):
        optimizer.lr = lr * schedule(epoch)
        for batch in tg.data.batches(len(x), 100, rng):
            value = loss(model, x[batch], rng)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            losses.append(value.item())
        bar.set_postfix_str(f"loss {losses[-1]:.2f}")
    return losses


def main(arguments: list[str] | None = None) -> Any:
    """Train, print, and draw; return the loss on the test images in nats per image."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", choices=["digits", "mnist"], default="digits", help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=150, help="passes over the training images; default: %(default)s")
    parser.add_argument("--latent", type=int, default=8, help="numbers z of an image; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of weights, batches and noise; default: %(default)s")
    parser.add_argument("--plot", metavar="FILE", help="write a picture of test images and new digits to this file")
    o = parser.parse_args(arguments)

    data, rng = tg.data.load(o.dataset), np.random.default_rng(o.seed)
    x, test = (images.reshape(-1, data.features) / np.float32(data.brightest)
               for images in (data.train_images, data.test_images))  # fmt: skip
    model = build(data.features, 256, o.latent, rng)
    train(model, x, o.epochs, rng)
    with tg.no_grad():
        reached = loss(model, test, rng).item()
        print(f"{data.name}: {reached:.2f} nats per test image")
        if o.plot:
            draw(o.plot, model, test, data.test_labels, data.shape, rng)
    return reached


def draw(file: str, model: dict[str, Any], test: Any, labels: Any, shape: Any, rng: np.random.Generator) -> None:
    """Test images and their reconstructions, new digits, and interpolations from each digit to the next."""
    from matplotlib.figure import Figure

    means = np.split(model["encoder"](test).numpy(), 2, axis=1)[0]
    digits = means[[np.flatnonzero(labels == digit)[0] for digit in (*range(10), 0)]]  # (11, latent)
    z = [means[:50], rng.standard_normal((100, means.shape[1])), *np.linspace(digits[:-1], digits[1:], 10, axis=1)]
    again, new, ways = np.split(tg.sigmoid(model["decoder"](np.vstack(z, dtype=np.float32))).numpy(), [50, 150])
    panels = {"test images, each beside its reconstruction": np.stack([test[:50], again], axis=1),
              "new digits: random z, decoded": new, "from each digit to the next, on a line in z": ways}  # fmt: skip
    figure = Figure(figsize=(12, 4.3), layout="constrained")
    for axes, (title, x) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        grid = np.pad(x.reshape(10, 10, *shape), ((0, 0), (0, 0), (1, 0), (1, 0)))
        axes.imshow(grid.swapaxes(1, 2).reshape(10 * grid.shape[2], -1), cmap="gray_r", vmin=0, vmax=1)
        axes.set(title=title, xticks=[], yticks=[], frame_on=False)
    figure.savefig(file, dpi=110)


if __name__ == "__main__":
    main()

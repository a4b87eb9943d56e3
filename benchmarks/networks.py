"""The functions of neural networks, forward and backward, compared with PyTorch; and whole training steps.

    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/networks.py [names] [options]

float32, one thread. The upstream gradient of a function is a given array, so that only the function is measured; all
inputs require a gradient, except images that are inputs of a network. A step is a forward pass, a backward pass and an
update. Results and gradients of both libraries are compared before they are timed. ``names`` select the rows that
contain one of them. For ``--allocator default`` see `measuring.keep_memory`; ``--clock processor`` leaves out the time
during which other processes ran.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import measuring
import numpy as np

import tensorgrad as tg
from tensorgrad.functional import recurrent

TOLERANCE = {"rtol": 2e-3, "atol": 2e-4}
SECONDS = 0.4  # for each contender in a row
ROUNDS = 15  # the minimum
SMALL = 1  # divides the batch sizes: larger for a quick test

Row = tuple[Callable[..., Any], Callable[..., Any], list[Any], int]
"""The function for tensorgrad, that for PyTorch, the inputs, and how many of them, from the end, require a gradient."""


def normal(*shape: int, scale: float = 1.0) -> Any:
    """An array of float32."""
    if len(shape) > 1:
        shape = (max(shape[0] // SMALL, 1), *shape[1:])
    return (scale * np.random.default_rng(len(shape)).standard_normal(shape)).astype(np.float32)


def filters(*shape: int) -> Any:
    """Weights of a convolution, of variance 2 / fan_in, and a bias."""
    rng = np.random.default_rng(1)
    weight = rng.standard_normal(shape) * math.sqrt(2 / math.prod(shape[1:]))
    return [weight.astype(np.float32), rng.standard_normal(shape[0]).astype(np.float32)]


def functions(torch: Any) -> dict[str, Row]:
    """The rows of single functions."""
    F, x = torch.nn.functional, normal(128, 1024)  # noqa: N806  (as PyTorch's users write)
    rows: dict[str, Row] = {}

    def row(name: str, ours: Any, theirs: Any, inputs: list[Any], tracked: int | None = None, **options: Any) -> None:
        rows[name] = (
            lambda *xs: ours(*xs, **options),
            lambda *xs: theirs(*xs, **options),
            inputs,
            len(inputs) if tracked is None else tracked,
        )

    row("relu", tg.relu, F.relu, [x])
    row("sigmoid", tg.sigmoid, torch.sigmoid, [x])
    row("tanh", np.tanh, torch.tanh, [x])
    row("silu", tg.silu, F.silu, [x])
    row("gelu", tg.gelu, F.gelu, [x])
    row("gelu, tanh", tg.gelu, F.gelu, [x], approximate="tanh")
    row("erf", tg.erf, torch.erf, [x])
    row("erfc", tg.erfc, torch.erfc, [x])
    row("softplus", tg.softplus, F.softplus, [x])
    row("elu", tg.elu, F.elu, [x])
    row("leaky_relu", tg.leaky_relu, F.leaky_relu, [x])
    row("celu", tg.celu, F.celu, [x], alpha=0.5)
    row("selu", tg.selu, F.selu, [x])
    row("mish", tg.mish, F.mish, [x])
    for power in (2, 3, 4, -1):
        row(f"x**{power}", lambda x, p=power: x**p, lambda x, p=power: x**p, [x])
    row("softmax", tg.softmax, lambda x: torch.softmax(x, -1), [x])
    row("log_softmax", tg.log_softmax, lambda x: torch.log_softmax(x, -1), [x])

    def conv(name: str, shape: tuple[int, ...], kernel: tuple[int, ...], tracked: int = 3, **options: Any) -> None:
        row(f"conv2d {name}", tg.conv2d, F.conv2d, [normal(*shape), *filters(*kernel)], tracked, **options)

    conv("1 -> 32, 3x3, 28x28, batch 64, images", (64, 1, 28, 28), (32, 1, 3, 3), 2)
    conv("1 -> 32, 3x3, 28x28, batch 128, images", (128, 1, 28, 28), (32, 1, 3, 3), 2)
    conv("1 -> 6, 5x5 padded, 28x28, batch 64, images", (64, 1, 28, 28), (6, 1, 5, 5), 2, padding=2)
    conv("6 -> 16, 5x5, 14x14, batch 64", (64, 6, 14, 14), (16, 6, 5, 5))
    conv("3 -> 32, 3x3 padded, 32x32, batch 32, images", (32, 3, 32, 32), (32, 3, 3, 3), 2, padding=1)
    conv("32 -> 32, 3x3 padded, 28x28, batch 64", (64, 32, 28, 28), (32, 32, 3, 3), padding=1)
    conv("32 -> 64, 3x3, 14x14, batch 64", (64, 32, 14, 14), (64, 32, 3, 3))
    conv("32 -> 64, 3x3 padded, 14x14, batch 128", (128, 32, 14, 14), (64, 32, 3, 3), padding=1)
    conv("32 -> 64, 3x3 padded, stride 2, 28x28, batch 64", (64, 32, 28, 28), (64, 32, 3, 3), padding=1, stride=2)
    conv("64 -> 64, 1x1, 14x14, batch 64", (64, 64, 14, 14), (64, 64, 1, 1))
    conv("64 -> 128, 3x3 padded, 7x7, batch 64", (64, 64, 7, 7), (128, 64, 3, 3), padding=1)
    conv("depthwise 32, 3x3 padded, 14x14, batch 64", (64, 32, 14, 14), (32, 1, 3, 3), padding=1, groups=32)
    row("conv1d 64 -> 64, 5 padded, 128, batch 32", tg.conv1d, F.conv1d,
        [normal(32, 64, 128), *filters(64, 64, 5)], padding=2)  # fmt: skip
    row("conv_transpose2d 32 -> 16, 4x4, stride 2, 14x14, batch 64", tg.conv_transpose2d, F.conv_transpose2d,
        [normal(64, 32, 14, 14), normal(32, 16, 4, 4, scale=0.05)], stride=2, padding=1)  # fmt: skip

    images = normal(64, 32, 28, 28)
    row("max_pool2d 2", tg.max_pool2d, F.max_pool2d, [images], kernel_size=2)
    row("max_pool2d 3, stride 2, padded", tg.max_pool2d, F.max_pool2d, [images], kernel_size=3, stride=2, padding=1)
    row("avg_pool2d 2", tg.avg_pool2d, F.avg_pool2d, [images], kernel_size=2)
    row("avg_pool2d 3, stride 2, padded", tg.avg_pool2d, F.avg_pool2d, [images], kernel_size=3, stride=2, padding=1)

    channels, width = [normal(32) + 1, normal(32)], [normal(128) + 1, normal(128)]
    row("batch_norm", lambda x, w, b: tg.batch_norm(x, None, None, w, b, training=True),
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True), [images, *channels])  # fmt: skip
    row("layer_norm", lambda x, w, b: tg.layer_norm(x, 128, w, b), lambda x, w, b: F.layer_norm(x, (128,), w, b),
        [normal(32, 64, 128), *width])  # fmt: skip
    row("group_norm", lambda x, w, b: tg.group_norm(x, 8, w, b), lambda x, w, b: F.group_norm(x, 8, w, b),
        [images, *channels])  # fmt: skip

    heads = [normal(32, 4, 64, 32) for _ in range(3)]
    row("attention", tg.scaled_dot_product_attention, F.scaled_dot_product_attention, heads)
    row("attention, causal", tg.scaled_dot_product_attention, F.scaled_dot_product_attention, heads, is_causal=True)
    labels = np.random.default_rng(2).integers(0, 65, 32 * 64)
    row("cross_entropy, 2048 x 65", lambda x: tg.cross_entropy(x, labels),
        lambda x: F.cross_entropy(x, torch.tensor(labels)), [normal(SMALL * 2048, 65)])  # fmt: skip
    tokens = labels.reshape(32, 64)
    row("embedding, 65 x 128", lambda w: tg.embedding(tokens, w),
        lambda w: F.embedding(torch.tensor(tokens), w), [normal(SMALL * 65, 128)])  # fmt: skip
    return rows


# ------------------------------------------------------------------------------------------------ steps


class Library:
    """A library and a model of it: its parameters, a loss, and a step."""

    def __init__(self, torch: Any, initial: dict[str, Any], loss: Callable[..., Any]) -> None:
        self.torch, self.loss = torch, loss
        if torch is None:
            self.w = {name: tg.Tensor(value.copy(), requires_grad=True) for name, value in initial.items()}
            self.optimizer: Any = tg.optim.AdamW(self.w, lr=1e-3)
        else:
            self.w = {name: torch.tensor(value, requires_grad=True) for name, value in initial.items()}
            self.optimizer = torch.optim.AdamW(list(self.w.values()), lr=1e-3)

    def step(self) -> float:
        """Forward, backward, update; the loss."""
        self.optimizer.zero_grad()
        loss = self.loss(self.w)
        loss.backward()
        self.optimizer.step()
        return float(loss.item())


BATCH, CONTEXT, WIDTH, HEADS, LETTERS, BLOCKS = 16, 64, 128, 4, 65, 2


def gpt_weights() -> dict[str, Any]:
    """The weights of a transformer of two blocks."""
    rng, width = np.random.default_rng(3), WIDTH
    shapes = {"letters": (LETTERS, width), "places": (CONTEXT, width), "head": (width, LETTERS)}
    for b in range(BLOCKS):
        shapes |= {
            f"{b} qkv": (width, 3 * width),
            f"{b} out": (width, width),
            f"{b} up": (width, 4 * width),
            f"{b} down": (4 * width, width),
        }
    w = {name: (0.05 * rng.standard_normal(shape)).astype(np.float32) for name, shape in shapes.items()}
    for name in [f"{b} {part}" for b in range(BLOCKS) for part in ("first", "second")] + ["last"]:
        w[f"{name} scale"], w[f"{name} shift"] = np.ones(width, np.float32), np.zeros(width, np.float32)
    for b in range(BLOCKS):
        for part in ("qkv", "out", "up", "down"):
            w[f"{b} {part} bias"] = np.zeros(shapes[f"{b} {part}"][1], np.float32)
    return w


def gpt(torch: Any) -> Callable[[dict[str, Any]], Any]:
    """The loss of the transformer, by either library."""
    rng = np.random.default_rng(4)
    tokens, targets = rng.integers(0, LETTERS, (2, BATCH, CONTEXT))
    if torch is None:
        library: Any = tg
    else:
        tokens, targets, library = torch.tensor(tokens), torch.tensor(targets), torch.nn.functional

    def norm(x: Any, w: dict[str, Any], name: str) -> Any:
        return library.layer_norm(x, (WIDTH,), w[f"{name} scale"], w[f"{name} shift"])

    def swap(x: Any) -> Any:
        return np.swapaxes(x, 1, 2) if torch is None else x.transpose(1, 2)

    shape = (BATCH, CONTEXT, HEADS, WIDTH // HEADS)

    def loss(w: dict[str, Any]) -> Any:
        x = library.embedding(tokens, w["letters"]) + w["places"]  # (B, T, D)
        for b in range(BLOCKS):
            qkv = norm(x, w, f"{b} first") @ w[f"{b} qkv"] + w[f"{b} qkv bias"]
            q, k, v = (swap(qkv[..., i * WIDTH : (i + 1) * WIDTH].reshape(shape)) for i in range(3))  # (B, H, T, D / H)
            y = swap(library.scaled_dot_product_attention(q, k, v, is_causal=True)).reshape((BATCH, CONTEXT, WIDTH))
            x = x + (y @ w[f"{b} out"] + w[f"{b} out bias"])
            h = library.gelu(norm(x, w, f"{b} second") @ w[f"{b} up"] + w[f"{b} up bias"])
            x = x + (h @ w[f"{b} down"] + w[f"{b} down bias"])
        logits = norm(x, w, "last") @ w["head"]
        return library.cross_entropy(logits.reshape((BATCH * CONTEXT, LETTERS)), targets.reshape(-1))

    return loss


UNITS, STEPS = 128, 32


def lstm_weights() -> dict[str, Any]:
    """The weights of an LSTM with an embedding and a head."""
    rng, gates = np.random.default_rng(5), 4 * UNITS
    shapes = {"letters": (LETTERS, UNITS), "head": (UNITS, LETTERS)}
    shapes |= {"weight_ih": (gates, UNITS), "weight_hh": (gates, UNITS), "bias_ih": (gates,), "bias_hh": (gates,)}
    return {name: (rng.standard_normal(s) / math.sqrt(UNITS)).astype(np.float32) for name, s in shapes.items()}


def lstm(torch: Any) -> Callable[[dict[str, Any]], Any]:
    """The loss of the LSTM, which is one function in both libraries, with an embedding and a head."""
    rng = np.random.default_rng(6)
    tokens, targets = rng.integers(0, LETTERS, (2, BATCH, STEPS))
    if torch is None:

        def loss(w: dict[str, Any]) -> Any:
            x = tg.embedding(tokens.T, w["letters"])
            inputs = x @ w["weight_ih"].T + (w["bias_ih"] + w["bias_hh"])  # of all steps at once
            start = np.zeros((BATCH, UNITS), np.float32)
            states = recurrent.lstm(inputs, start, start, w["weight_hh"])[0]
            return tg.cross_entropy((states @ w["head"]).reshape((STEPS * BATCH, LETTERS)), targets.T.reshape(-1))

        return loss
    library, tokens, targets = torch.nn.functional, torch.tensor(tokens), torch.tensor(targets)
    start = torch.zeros(1, BATCH, UNITS)

    def loss(w: dict[str, Any]) -> Any:
        weights = [w[name] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        x = library.embedding(tokens, w["letters"])
        out = torch.lstm(x, (start, start), weights, True, 1, 0.0, True, False, True)[0]
        return library.cross_entropy((out @ w["head"]).reshape(-1, LETTERS), targets.reshape(-1))

    return loss


def cnn_weights() -> dict[str, Any]:
    """The weights of a network of two convolutions and two dense layers, for MNIST."""
    parts = {"1": (32, 1, 3, 3), "2": (64, 32, 3, 3), "3": (128, 64 * 25), "4": (10, 128)}
    w = {}
    for name, shape in parts.items():
        w[f"{name} weight"], w[f"{name} bias"] = filters(*shape)
    return w


def cnn(torch: Any) -> Callable[[dict[str, Any]], Any]:
    """The loss of that network."""
    rng = np.random.default_rng(7)
    images, labels = rng.random((64, 1, 28, 28), np.float32), rng.integers(0, 10, 64)
    library: Any = tg
    if torch is not None:
        library, images, labels = torch.nn.functional, torch.tensor(images), torch.tensor(labels)

    def loss(w: dict[str, Any]) -> Any:
        x = library.max_pool2d(library.relu(library.conv2d(images, w["1 weight"], w["1 bias"])), 2)
        x = library.max_pool2d(library.relu(library.conv2d(x, w["2 weight"], w["2 bias"])), 2)
        x = library.relu(x.reshape((64, -1)) @ w["3 weight"].T + w["3 bias"])
        return library.cross_entropy(x @ w["4 weight"].T + w["4 bias"], labels)

    return loss


STEPS_OF_TRAINING = {
    "a step of a CNN, batch 64": (cnn_weights, cnn),
    f"a step of a GPT: 2 blocks, width {WIDTH}": (gpt_weights, gpt),
    f"a step of an LSTM: {UNITS} units, {STEPS} letters": (lstm_weights, lstm),
}


# ------------------------------------------------------------------------------------------------ measurement


def contenders_of(row: Row, torch: Any) -> dict[str, Callable[[], Any]]:
    """Forward and backward by both libraries, which return the result and all gradients."""
    ours, theirs, inputs, tracked = row
    first = len(inputs) - tracked
    a = [tg.Tensor(x, requires_grad=True) if i >= first else x for i, x in enumerate(inputs)]
    b = [torch.tensor(x, requires_grad=i >= first) for i, x in enumerate(inputs)]
    shape = tuple(theirs(*b).shape)
    g = np.random.default_rng(9).standard_normal(shape).astype(np.float32)
    g_torch = torch.tensor(g)

    def tensorgrad() -> Any:
        for x in a[first:]:
            x.grad = None
        out = ours(*a)
        out.backward(g)
        return [out.data, *(x.grad for x in a[first:])]

    def pytorch() -> Any:
        for x in b[first:]:
            x.grad = None
        out = theirs(*b)
        out.backward(g_torch)
        return [out.detach().numpy(), *(x.grad.numpy() for x in b[first:])]

    for x, y in zip(tensorgrad(), pytorch(), strict=True):
        np.testing.assert_allclose(x, y, rtol=TOLERANCE["rtol"], atol=TOLERANCE["atol"] * max(np.abs(y).max(), 1))
    return {"tensorgrad": tensorgrad, "PyTorch": pytorch}


def steps_of(name: str, torch: Any) -> dict[str, Callable[[], Any]]:
    """A step of training by both libraries, which must have the same losses."""
    weights, loss = STEPS_OF_TRAINING[name]
    libraries = {"tensorgrad": Library(None, weights(), loss(None)), "PyTorch": Library(torch, weights(), loss(torch))}
    ours, theirs = ([library.step() for _ in range(3)] for library in libraries.values())
    np.testing.assert_allclose(ours, theirs, rtol=TOLERANCE["rtol"], err_msg=name)
    return {name: library.step for name, library in libraries.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help="rows whose names contain one of these; by default, all")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each contender, for a row")
    parser.add_argument("--allocator", choices=("keep", "default"), default="keep", help="whether freed memory is kept")
    parser.add_argument("--clock", choices=("wall", "processor"), default="wall", help="processor: on a busy machine")
    args = parser.parse_args(arguments)
    measuring.clock = time.thread_time if args.clock == "processor" else time.perf_counter
    torch = measuring.pytorch()
    kept = args.allocator == "keep" and measuring.keep_memory()
    measuring.header()
    if torch is None:
        print("nothing to compare with")
        return 0
    print(f"freed memory: {'kept by the C library for both' if kept else 'the default of the C library'}")
    print("medians of interleaved rounds; a ratio has its quartiles beside it")

    rows = functions(torch)
    lines = []
    for name in [*rows, *STEPS_OF_TRAINING]:
        if args.names and not any(word in name for word in args.names):
            continue
        calls = contenders_of(rows[name], torch) if name in rows else steps_of(name, torch)
        once = sum(float(values.min()) for values in measuring.interleave(calls, 2).values())
        count = max(min(int(args.seconds / once), 201), ROUNDS)
        seconds = measuring.interleave(calls, count)
        times = [measuring.microseconds(values) for values in seconds.values()]
        lines.append([name, *times, measuring.spread(seconds["tensorgrad"], seconds["PyTorch"])])
    measuring.table(["µs, forward and backward", "tensorgrad", "PyTorch", "tensorgrad / PyTorch"], lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())

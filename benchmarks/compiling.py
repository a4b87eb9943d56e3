"""Training steps compiled by `tensorgrad.compile`, compared with the same steps not compiled; and recording itself.

    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/compiling.py [names] [--rounds 21]

The networks are one of two layers and those of `examples/`, on random data. In the last row, a step is a chain of 100
operations on three numbers, forward and backward, and the time is that of one of them. float32, one thread. The losses
of both must be equal to the last bit before they are timed. The last column is the time of the two calls that record a
step, in brackets as a multiple of an ordinary call. ``names`` select the rows that contain one of them.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import measuring
import numpy as np

import tensorgrad as tg
from examples import cnn, lstm, transformer

Step = tuple[Callable[..., Any], Iterator[tuple[Any, ...]]]
"""A step, and the arguments of its calls."""

CHAIN, LETTERS = 100, 65
BATCH, TEXTS = 128, 16  # of the CNN; of the transformer and the LSTM


def random_batches(make: Callable[[np.random.Generator], tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Batches of random data, made in advance, in turns."""
    rng = np.random.default_rng(1)
    return itertools.cycle([make(rng) for _ in range(8)])


def update(optimizer: Any, loss: Any) -> Any:
    """The backward pass and the update of the weights."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def two_layers(batch: int) -> Step:
    """The network of 784-400-10 and SGD with weight decay."""
    rng = np.random.default_rng(0)
    network = tg.nn.Sequential([tg.nn.Linear(784, 400, rng), tg.relu, tg.nn.Linear(400, 10, rng)])
    optimizer = tg.optim.SGD(tg.nn.parameters(network), 0.1, weight_decay=1e-4)

    def step(x: Any, y: Any) -> Any:
        return update(optimizer, tg.cross_entropy(network(x), y))

    return step, random_batches(lambda r: (r.random((batch, 784), np.float32), r.integers(0, 10, batch)))


def convolutional() -> Step:
    """`examples/cnn.py` on MNIST."""
    network = cnn.build(28, 16, np.random.default_rng(0))
    optimizer = tg.optim.AdamW(tg.nn.parameters(network))

    def step(x: Any, y: Any) -> Any:
        return update(optimizer, tg.cross_entropy(network(x), y))

    return step, random_batches(lambda r: (r.random((BATCH, 1, 28, 28), np.float32), r.integers(0, 10, BATCH)))


def attention() -> Step:
    """`examples/transformer.py`."""
    network = transformer.Transformer(LETTERS, 64, 96, 3, np.random.default_rng(0))
    optimizer = tg.optim.AdamW(tg.nn.parameters(network), betas=(0.9, 0.99), weight_decay=0.1)

    def step(pieces: Any) -> Any:
        return update(optimizer, transformer.loss(network, pieces))

    return step, random_batches(lambda r: (r.integers(0, LETTERS, (TEXTS, 65)),))


def recurrent() -> Step:
    """`examples/lstm.py`, with gradients clipped, from a state of zeros."""
    network = lstm.Writer(LETTERS, 256, 1, np.random.default_rng(0))
    parameters = tg.nn.parameters(network)
    optimizer = tg.optim.AdamW(parameters, weight_decay=0.01)

    def step(pieces: Any) -> Any:
        logits, _ = network(pieces[:, :-1])
        loss = tg.cross_entropy(np.swapaxes(logits, 1, 2), pieces[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        tg.optim.clip_grad_norm(parameters, 1.0)
        optimizer.step()
        return loss

    return step, random_batches(lambda r: (r.integers(0, LETTERS, (TEXTS, 65)),))


def chain() -> Step:
    """Products and sums of three numbers."""
    x = tg.Tensor(np.float32([0.1, 0.2, 0.3]), requires_grad=True)

    def step(k: Any) -> Any:
        y = x
        for _ in range(CHAIN // 2):
            y = y * k + x
        x.grad = None
        loss = np.sum(y)
        loss.backward()
        return loss

    return step, random_batches(lambda r: (r.random(3, np.float32),))


ROWS: dict[str, Callable[[], Step]] = {
    **{f"784-400-10, batch {batch}": functools.partial(two_layers, batch) for batch in (16, 128, 1024)},
    f"CNN, batch {BATCH}": convolutional,
    f"transformer, {TEXTS} pieces of 64 letters": attention,
    f"LSTM, {TEXTS} pieces of 64 letters": recurrent,
    "an operation of a chain": chain,
}


def measure(name: str, rounds: int) -> list[str]:
    """Check both, time them, and return a row of the table."""
    (eager, inputs), (compiled, same_inputs) = ROWS[name](), ROWS[name]()
    compiled = tg.compile(compiled)
    recordings = []
    for k in range(6):
        began = time.perf_counter()
        value = compiled(*next(same_inputs)).item()
        recordings += [time.perf_counter() - began] if k < 2 else []
        expected = eager(*next(inputs)).item()
        assert value == expected, f"{name}: {value} compiled, {expected} otherwise"
    assert "yield" in compiled.source
    contenders = {"eager": lambda: eager(*next(inputs)), "compiled": lambda: compiled(*next(same_inputs))}
    once = min(float(values.min()) for values in measuring.interleave(contenders, 2).values())
    seconds = measuring.interleave(contenders, rounds, max(1, min(40, int(0.02 / once))))
    ordinary = np.median(seconds["eager"])
    each = CHAIN if ROWS[name] is chain else 1
    return [
        name,
        *(measuring.microseconds(values / each) for values in seconds.values()),
        measuring.spread(seconds["compiled"], seconds["eager"]),
        " + ".join(f"{1e3 * t:.0f} ms ({t / ordinary:.1f})" for t in recordings),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help="rows whose names contain one of these; by default, all")
    parser.add_argument("--rounds", type=int, default=21)
    args = parser.parse_args(arguments)
    kept = measuring.keep_memory()
    measuring.header()
    print(f"freed memory: {'kept by the C library for both' if kept else 'the default of the C library'}")
    print(f"medians of {args.rounds} interleaved rounds; a ratio has its quartiles beside it")
    names = [name for name in ROWS if not args.names or any(word in name for word in args.names)]
    rows = [measure(name, args.rounds) for name in names]
    measuring.table(["µs a step", "eager", "compiled", "compiled / eager", "recording, two calls"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())

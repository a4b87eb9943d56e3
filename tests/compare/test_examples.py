"""The networks of `examples/` trained by their own programs, and the same networks written and trained in PyTorch.

From the same weights and on the same batches, in float64: the loss of every step, and afterwards all weights and running
statistics.
"""

import argparse

import numpy as np
import pytest
from helpers import example

import tensorgrad as tg
from compare.both import torch
from tensorgrad.nn.walking import walk

pytestmark = pytest.mark.compare

nn, F = torch.nn, torch.nn.functional
STEPS = 8


def in_float64(model):
    """The same model with parameters and buffers of float64."""
    for parameter in tg.nn.parameters(model).values():
        parameter.data = parameter.data.astype(np.float64)
    for _, item in walk(model):
        for name in getattr(item, "buffers", ()):
            setattr(item, name, getattr(item, name).astype(np.float64))
    return model


def pairs(ours, theirs):
    """The names and arrays of both, matched in order, with the weights of linear layers as they are in PyTorch."""
    mine = [tg.nn.parameters(ours), tg.nn.buffers(ours)]
    linear = {f"{name}.weight" for name, module in theirs.named_modules() if type(module) is nn.Linear}
    for own, other in zip(mine, (theirs.named_parameters(), theirs.named_buffers()), strict=True):
        for (name, x), (their_name, y) in zip(own.items(), other, strict=True):
            assert name.split(".")[-1] == their_name.split(".")[-1], (name, their_name)
            x = x.data if isinstance(x, tg.Tensor) else x
            yield name, (x.T if their_name in linear else x), y


def start(model, theirs):
    """Both models in float64, with the same weights."""
    theirs = theirs.double()
    with torch.no_grad():
        for _, x, y in pairs(in_float64(model), theirs):
            y.copy_(torch.tensor(x))
    return theirs


def check(model, theirs, losses, expected):
    assert losses[0] > losses[-1]
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    for name, x, y in pairs(model, theirs):
        np.testing.assert_allclose(x, y.detach(), rtol=1e-6, atol=1e-6, err_msg=name)


def fit(network, optimizer, schedule, batch_losses, clip=None):
    """Train a network of PyTorch on these batches; return the losses."""
    losses = []
    for loss in batch_losses:
        optimizer.zero_grad()
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(network.parameters(), clip)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def one_cycle(optimizer, lr, **options):
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, cycle_momentum=False, **options)


def test_cnn():
    cnn, c = example("cnn"), 2
    o = argparse.Namespace(epochs=2, batch_size=16, lr=0.01)
    data = tg.data.digits()
    x, y = data.train_images[:64, None] / 16.0, data.train_labels[:64]
    model = cnn.build(8, c, np.random.default_rng(0))
    theirs = start(model, nn.Sequential(
        nn.Conv2d(1, c, 3, padding=1), nn.MaxPool2d(2), nn.BatchNorm2d(c), nn.ReLU(),
        nn.Conv2d(c, 2 * c, 3, padding=1), nn.MaxPool2d(2), nn.BatchNorm2d(2 * c), nn.ReLU(),
        nn.Conv2d(2 * c, 4 * c, 3, padding=1), nn.BatchNorm2d(4 * c), nn.ReLU(), nn.Flatten(), nn.Linear(16 * c, 10),
    ))  # fmt: skip
    optimizer, rng = torch.optim.AdamW(theirs.parameters()), np.random.default_rng(1)

    def batch_losses():
        for _ in range(2):
            for batch in tg.data.batches(64, 16, rng):
                yield F.cross_entropy(theirs(torch.tensor(cnn.shifted(x[batch], rng))), torch.tensor(y[batch]))

    expected = fit(theirs, optimizer, one_cycle(optimizer, 0.01, total_steps=STEPS), batch_losses())
    check(model, theirs, cnn.train(model, x, y, o, np.random.default_rng(1)), expected)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.layers = nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))

    def forward(self, x):
        h = self.norm1(x)
        later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        x = x + self.attention(h, h, h, attn_mask=later, need_weights=False)[0]
        return x + self.layers(self.norm2(x))


class Transformer(nn.Module):
    def __init__(self, characters, context, width, depth):
        super().__init__()
        self.characters, self.places = nn.Embedding(characters, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*[Block(width) for _ in range(depth)], nn.LayerNorm(width))
        self.output = nn.Linear(width, characters)

    def forward(self, ids):
        x = self.characters(ids) + self.places(torch.arange(ids.shape[1]))
        return self.output(self.blocks(x))


def text():
    return np.random.default_rng(3).zipf(1.5, 2000) % 9  # numbers of characters, some more frequent than others


def test_transformer():
    transformer, ids = example("transformer"), text()
    model = transformer.Transformer(9, 12, 8, 2, np.random.default_rng(0))
    theirs = start(model, Transformer(9, 12, 8, 2))
    rng = np.random.default_rng(1)
    optimizer = torch.optim.AdamW(theirs.parameters(), betas=(0.9, 0.99), weight_decay=0.1)

    def batch_losses():
        for _ in range(STEPS):
            at = rng.integers(0, len(ids) - 12, (16, 1)) + np.arange(13)
            pieces = torch.tensor(ids[at])
            yield F.cross_entropy(theirs(pieces[:, :-1]).transpose(1, 2), pieces[:, 1:])

    schedule = one_cycle(optimizer, 1e-2, total_steps=STEPS, pct_start=0.1)
    expected = fit(theirs, optimizer, schedule, batch_losses())
    losses = transformer.train(model, ids, STEPS, np.random.default_rng(1), context=12)
    check(model, theirs, losses, expected)


class Writer(nn.Module):
    def __init__(self, characters, width, layers):
        super().__init__()
        self.characters = nn.Embedding(characters, width)
        self.lstm = nn.LSTM(width, width, layers, batch_first=True)
        self.output = nn.Linear(width, characters)

    def forward(self, ids, state=None):
        x, state = self.lstm(self.characters(ids), state)
        return self.output(x), state


def test_lstm():
    lstm, ids = example("lstm"), np.tile(text(), 2)[:3000]  # 187 characters for each place: the steps pass the end
    model = lstm.Writer(9, 8, 2, np.random.default_rng(0))
    model.output.weight.data *= 1000  # for gradients that are clipped
    theirs = start(model, Writer(9, 8, 2))
    rng = np.random.default_rng(1)
    optimizer = torch.optim.AdamW(theirs.parameters())
    strips = torch.tensor(ids[: 187 * 16].reshape(16, 187))

    def batch_losses():
        at = 187
        for _ in range(STEPS):
            if at + 64 >= 187:
                at, state = rng.integers(187 % 64), None
            logits, state = theirs(strips[:, at : at + 64], state)
            state = tuple(part.detach() for part in state)
            yield F.cross_entropy(logits.transpose(1, 2), strips[:, at + 1 : at + 65])
            at += 64

    schedule = one_cycle(optimizer, 1e-2, total_steps=STEPS, pct_start=0.1)
    expected = fit(theirs, optimizer, schedule, batch_losses(), clip=1.0)
    check(model, theirs, lstm.train(model, ids, STEPS, np.random.default_rng(1)), expected)


def test_vae():
    vae, x = example("vae"), tg.data.digits().train_images[:400].reshape(400, 64) / 16.0
    model = vae.build(64, 10, 3, np.random.default_rng(0))

    def perceptron(a, b, c):
        return nn.Sequential(nn.Linear(a, b), nn.ReLU(), nn.Linear(b, b), nn.ReLU(), nn.Linear(b, c))

    theirs = start(model, nn.ModuleDict({"encoder": perceptron(64, 10, 6), "decoder": perceptron(3, 10, 64)}))
    optimizer, rng = torch.optim.Adam(theirs.parameters(), 2e-3), np.random.default_rng(1)

    def batch_losses():
        for _ in range(2):
            for batch in tg.data.batches(400, 100, rng):
                images = torch.tensor(x[batch])
                mean, log_variance = theirs["encoder"](images).chunk(2, 1)
                q = torch.distributions.Normal(mean, torch.exp(log_variance / 2))
                z = mean + q.stddev * torch.tensor(rng.standard_normal(mean.shape))
                unlikely = F.binary_cross_entropy_with_logits(theirs["decoder"](z), images, reduction="sum")
                standard = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
                yield (unlikely + torch.distributions.kl_divergence(q, standard).sum()) / len(images)

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 + np.cos(np.pi * (step // 4) / 2)) / 2)
    expected = fit(theirs, optimizer, schedule, batch_losses())
    check(model, theirs, vae.train(model, x, 2, np.random.default_rng(1)), expected)

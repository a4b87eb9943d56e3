"""Networks of `tg.nn`, compiled: the same bits as without, running statistics included."""

import numpy as np
import pytest

import tensorgrad as tg
from tests.compiling.steps import assert_same, programs

nn = tg.nn


class Block:
    def __init__(self, width, rng):
        self.norms = [nn.LayerNorm(width), nn.LayerNorm(width)]
        self.attention = nn.MultiheadAttention(width, 2, rng, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width, rng), tg.gelu, nn.Linear(2 * width, width, rng))
        self.mask = np.triu(np.ones((6, 6), bool), 1)

    def __call__(self, x):
        h = self.norms[0](x)
        x = x + self.attention(h, h, h, attn_mask=self.mask)[0]
        return x + self.mlp(self.norms[1](x))


class Text:
    """A network on characters, with a transformer block or an LSTM."""

    def __init__(self, rng, recurrent):
        self.embedding = nn.Embedding(7, 8, rng)
        self.body = nn.LSTM(8, 8, rng, batch_first=True) if recurrent else Block(8, rng)
        self.out = nn.Linear(8, 7, rng)

    def __call__(self, x):
        h = self.body(self.embedding(x))
        return self.out(h[0] if isinstance(h, tuple) else h)


def cnn(rng):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, rng, padding=1), nn.BatchNorm2d(4), tg.relu, nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, rng, stride=2), nn.GroupNorm(2, 6), tg.relu, nn.Flatten(), nn.Linear(6, 3, rng),
    )  # fmt: skip


NETWORKS = {
    "convolutions": (cnn, lambda rng: (rng.random((40, 1, 8, 8), np.float32), rng.integers(0, 3, 40))),
    "transformer": (lambda rng: Text(rng, False), lambda rng: tuple(rng.integers(0, 7, (2, 4, 6)))),
    "LSTM": (lambda rng: Text(rng, True), lambda rng: tuple(rng.integers(0, 7, (2, 4, 6)))),
}


def training(make):
    net = make(np.random.default_rng(0))
    optimizer = tg.optim.AdamW(nn.parameters(net), lr=0.01)

    def step(x, y):
        logits = net(x)
        loss = tg.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return net, step


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name):
    make, batch = NETWORKS[name]
    (ours, step), (theirs, other) = training(make), training(make)
    compiled = tg.compile(step)
    for k in range(8):
        x, y = batch(np.random.default_rng(k))
        assert_same(compiled(x, y), other(x, y))
        assert_same(nn.state_dict(ours), nn.state_dict(theirs))
    assert programs(compiled) == 1

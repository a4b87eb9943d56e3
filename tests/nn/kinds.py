"""A layer of each kind, for tests that apply to all layers."""

import numpy as np

import tensorgrad as tg

nn = tg.nn


def each(dtype=np.float64):
    """A layer of each kind, by its representation, with a suitable input."""
    rng = np.random.default_rng(0)
    images, series, words = (2, 4, 6, 5), (2, 4, 6), (5, 2, 4)
    kind = {"dtype": dtype}
    made = [
        (nn.Linear(4, 3, rng, **kind), (2, 4)),
        (nn.Linear(4, 3, rng, bias=False, init="pytorch", **kind), (2, 3, 4)),
        (nn.Dropout(0.5), (3,)),
        (nn.Flatten(), images),
        (nn.Conv1d(4, 2, 3, rng, **kind), series),
        (nn.Conv2d(4, 2, 3, rng, stride=2, padding=1, padding_mode="reflect", **kind), images),
        (nn.Conv2d(4, 2, (3, 1), rng, padding="same", groups=2, bias=False, init="he", **kind), images),
        (nn.ConvTranspose1d(4, 2, 3, rng, **kind), series),
        (nn.ConvTranspose2d(4, 2, 3, rng, stride=2, output_padding=1, **kind), images),
        (nn.MaxPool1d(2), series),
        (nn.MaxPool2d(2, 1), images),
        (nn.AvgPool1d(2, padding=1), series),
        (nn.AvgPool2d((2, 1), count_include_pad=False), images),
        (nn.AdaptiveAvgPool1d(3), series),
        (nn.AdaptiveAvgPool2d((None, 2)), images),
        (nn.BatchNorm1d(4, **kind), series),
        (nn.BatchNorm2d(4, momentum=None, affine=False, **kind), images),
        (nn.LayerNorm((6, 5), bias=False, **kind), images),
        (nn.LayerNorm(5, elementwise_affine=False, **kind), images),
        (nn.RMSNorm(5, eps=1e-3, **kind), images),
        (nn.GroupNorm(2, 4, **kind), images),
        (nn.Residual(nn.Linear(4, 4, rng, **kind)), (2, 4)),
        (nn.Residual(nn.Linear(4, 3, rng, **kind), nn.Linear(4, 3, rng, bias=False, **kind)), (2, 4)),
        (nn.LSTM(4, 3, rng, num_layers=2, **kind), words),
        (nn.GRU(4, 3, rng, bidirectional=True, batch_first=True, **kind), words),
        (nn.MultiheadAttention(4, 2, rng, batch_first=True, **kind), words),
    ]
    return {
        repr(layer): (layer, np.random.default_rng(1).standard_normal(shape).astype(dtype)) for layer, shape in made
    }


def output(layer, x):
    """The first result of a layer, which a network passes on."""
    out = layer(x, x, x) if isinstance(layer, nn.MultiheadAttention) else layer(x)
    return out[0] if isinstance(out, tuple) else out

"""Errors of layers name the layer, what it got and what it expected."""
# ruff: noqa: E501  (a table with one row per line)

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import each

nn = tg.nn
RNG = np.random.default_rng
RANDOM = "random generator for its initial weights, such as np.random.default_rng(0), got"
OTHER = np.zeros((2, 3, 7, 7))


def made(name, *arguments, **options):
    return getattr(nn, name)(*arguments, **options)


MISTAKES = [
    (lambda: nn.Linear(3, 4, 0), TypeError, f"the third argument of Linear is the {RANDOM} 0"),
    (lambda: nn.Linear(3, 4, True), TypeError, f"the third argument of Linear is the {RANDOM} True"),
    (lambda: nn.Embedding(3, 4, None), TypeError, f"the third argument of Embedding is the {RANDOM} None"),
    *[(lambda name=name: made(name, 3, 4, 5, 1), TypeError, f"the fourth argument of {name} is the {RANDOM} 1")
      for name in ("Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d")],
    *[(lambda name=name: made(name, 4, 2, 2), TypeError, f"the third argument of {name} is the {RANDOM} 2")
      for name in ("LSTM", "GRU", "MultiheadAttention")],
    (lambda: nn.Dropout(0.5)(OTHER, 0), TypeError, "rng of Dropout(0.5) must be a generator such as np.random"),
    # sizes
    (lambda: nn.Conv2d(3.0, 4, 3, RNG(0)), TypeError, "in_channels of Conv2d must be an integer, got 3.0"),
    (lambda: nn.Conv2d(3, 0, 3, RNG(0)), ValueError, "out_channels of Conv2d must be at least 1, got 0"),
    (lambda: nn.Conv2d(3, 4, (3, 3, 3), RNG(0)), ValueError, "kernel_size must be an integer, or one for each of 2"),
    (lambda: nn.Conv2d(4, 6, 3, RNG(0), groups=3), ValueError, "in_channels 4 and out_channels 6 of Conv2d must be div"),
    (lambda: nn.Conv2d(4, 6, 3, RNG(0), padding_mode="edge"), ValueError, "padding_mode must be 'zeros', 'reflect'"),
    (lambda: nn.Conv2d(4, 6, 3, RNG(0), init="xavier"), ValueError, "init must be one of he, glorot, small, pytorch"),
    (lambda: nn.BatchNorm2d("8"), TypeError, "num_features of BatchNorm2d must be an integer, got '8'"),
    (lambda: nn.LayerNorm(()), ValueError, "normalized_shape of LayerNorm must be at least 1"),
    (lambda: nn.GroupNorm(3, 8), ValueError, "num_channels 8 of GroupNorm must be divisible by num_groups 3"),
    (lambda: nn.Embedding(5, 2, RNG(0), padding_idx=5), ValueError, "padding_idx must lie in -5..4, got 5"),
    (lambda: nn.LSTM(4, 3, RNG(0), num_layers=0), ValueError, "num_layers of LSTM must be at least 1, got 0"),
    (lambda: nn.GRU(4, 3, RNG(0), dropout=1), ValueError, "dropout of GRU must be in [0, 1), got 1"),
    (lambda: nn.MultiheadAttention(8, 3, RNG(0)), ValueError, "embed_dim 8 of MultiheadAttention must be divisible by num_heads 3"),
    (lambda: nn.MultiheadAttention(8, 2, RNG(0), dropout=-1), ValueError, "dropout of MultiheadAttention must be in"),
    (lambda: nn.Sequential([tg.relu, 3]), TypeError, "layer 1 of Sequential cannot be called: got 3"),
    (lambda: nn.Residual(None), TypeError, "layer of Residual cannot be called: got None"),
    # inputs
    (lambda: nn.Linear(3, 4, RNG(0))(np.ones(())), tg.ShapeError, "Linear(3, 4) takes x of shape (..., 3), got ()"),
    (lambda: nn.Conv1d(4, 6, 3, RNG(0))(OTHER[0]), tg.ShapeError, "kernel_size=3) takes x of shape (N, 4, L), got (3, 7, 7)"),
    (lambda: nn.Conv2d(3, 6, 3, RNG(0))(OTHER[0]), tg.ShapeError, "(N, 3, H, W), got (3, 7, 7): write x[None] for a batch"),
    (lambda: nn.Conv2d(3, 6, 9, RNG(0))(OTHER), tg.ShapeError, "in Conv2d(3, 6, kernel_size=9)"),
    (lambda: nn.ConvTranspose2d(4, 6, 3, RNG(0))(OTHER), tg.ShapeError, "ConvTranspose2d(4, 6, kernel_size=3) takes x of"),
    (lambda: nn.MaxPool2d(2)(OTHER[0, 0]), tg.ShapeError, "MaxPool2d(2) takes x of shape (N, C, H, W), got (7, 7)"),
    (lambda: nn.MaxPool2d(8)(OTHER), tg.ShapeError, "in MaxPool2d(8)"),
    (lambda: nn.AdaptiveAvgPool1d(1)(OTHER), tg.ShapeError, "AdaptiveAvgPool1d(1) takes x of shape (N, C, L), got (2, 3"),
    (lambda: nn.BatchNorm1d(4)(OTHER[0]), tg.ShapeError, "BatchNorm1d(4) takes x of shape (N, 4, L), got (3, 7, 7)"),
    (lambda: nn.BatchNorm1d(4)(OTHER[0, 0]), tg.ShapeError, "BatchNorm1d(4) takes x of shape (N, 4), got (7, 7)"),
    (lambda: nn.BatchNorm2d(4)(OTHER), tg.ShapeError, "BatchNorm2d(4) takes x of shape (N, 4, H, W), got (2, 3, 7, 7)"),
    (lambda: nn.BatchNorm1d(7)(OTHER[:1, 0, 0]), ValueError, "in BatchNorm1d(7)"),
    (lambda: nn.LayerNorm((3, 7))(OTHER), tg.ShapeError, "LayerNorm((3, 7)) takes x of shape (..., 3, 7), got (2, 3, 7, 7)"),
    (lambda: nn.RMSNorm(8)(OTHER), tg.ShapeError, "RMSNorm(8) takes x of shape (..., 8), got (2, 3, 7, 7)"),
    (lambda: nn.GroupNorm(2, 4)(OTHER), tg.ShapeError, "GroupNorm(2, 4) takes x of shape (N, 4, ...), got (2, 3, 7, 7)"),
    (lambda: nn.Flatten()(np.ones(3)), tg.ShapeError, "Flatten() takes x with axes 1 to -1, got shape (3,)"),
    (lambda: nn.Embedding(5, 2, RNG(0))(OTHER), TypeError, "in Embedding(5, 2)"),
    (lambda: nn.Embedding(5, 2, RNG(0))([5]), IndexError, "indices must lie in 0..4, got 5..5"),
    (lambda: nn.LSTM(4, 3, RNG(0))(OTHER[0]), tg.ShapeError, "LSTM(4, 3) takes x of shape (T, N, 4), got (3, 7, 7)"),
    (lambda: nn.GRU(7, 3, RNG(0), batch_first=True)(OTHER[0, 0]), tg.ShapeError, "takes x of shape (N, T, 7), got (7, 7)"),
    (lambda: nn.GRU(7, 3, RNG(0))(OTHER[0, :0]), tg.ShapeError, "takes sequences of at least one step, got x of shape (0, 7, 7)"),
    (lambda: nn.GRU(7, 3, RNG(0))(OTHER[0], np.ones((3, 3))), tg.ShapeError, "takes h of shape (1, 7, 3), (layers, N, hidden"),
    (lambda: nn.LSTM(7, 3, RNG(0))(OTHER[0], np.ones((1, 7, 3))), TypeError, "takes initial states as a pair, (h, c), got ndarray"),
    (lambda: nn.LSTM(7, 3, RNG(0))(OTHER[0], (np.ones((1, 7, 3)), np.ones(3))), tg.ShapeError, "takes c of shape (1, 7, 3)"),
    (lambda: nn.Residual(nn.Linear(7, 3, RNG(0)))(OTHER), tg.ShapeError, "Residual adds the result of Linear(7, 3), of shape (2, 3, 7, 3), to x, of shape (2, 3, 7, 7)"),
    (lambda: attend(OTHER[0, 0]), tg.ShapeError, "MultiheadAttention(8, 2) takes x of shape (L, N, 8), got (7, 7)"),
    (lambda: attend(attn_mask=np.ones((5, 4), bool)), tg.ShapeError, "takes attn_mask of shape (5, 5) or (6, 5, 5), got (5, 4)"),
    (lambda: attend(key_padding_mask=np.ones((5, 3), bool)), tg.ShapeError, "takes key_padding_mask of shape (3, 5), got (5, 3)"),
    (lambda: attend(attn_mask=np.ones((5, 5), int)), TypeError, "attn_mask of MultiheadAttention(8, 2) must hold booleans"),
    (lambda: nn.Sequential({"a": tg.relu, "b": nn.Linear(3, 4, RNG(0))})(OTHER), tg.ShapeError, "in layer 'b' of a Sequential"),
]  # fmt: skip


def attend(x=None, **masks):
    x = np.ones((5, 3, 8)) if x is None else x
    return nn.MultiheadAttention(8, 2, RNG(0))(x, x, x, **masks)


@each(
    ("call", "kind", "message"), MISTAKES, ids=[message.replace(RANDOM, "generator,")[:60] for *_, message in MISTAKES]
)
def test_mistakes_are_explained(call, kind, message):
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    assert message in "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])

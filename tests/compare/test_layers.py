"""Every layer compared with PyTorch's: names and shapes of the state, outputs, all gradients, statistics."""

import numpy as np
import pytest

import tensorgrad as tg
from compare.both import torch

pytestmark = pytest.mark.compare

nn, tnn = tg.nn, torch.nn
RNG = np.random.default_rng
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}  # of the largest element of an array, or of 1

SEQUENCE = (5, 3, 8)
IMAGES = (3, 4, 9, 8)


class Case:
    """A layer: its name, its sizes, its options, and the shape of its input; with ``integers``, the end of their range."""

    def __init__(self, name, sizes, shape, *, call=None, evaluate=False, integers=None, **options):
        self.name, self.sizes, self.shape, self.options = name, sizes, shape, options
        self.call, self.evaluate, self.integers = call or (lambda layer, x, to: layer(x)), evaluate, integers
        self.draws = name.startswith(("Conv", "Embedding", "Multihead", "GRU", "LSTM"))

    def __str__(self):
        shown = [*map(str, self.sizes), *(f"{name}={value}" for name, value in self.options.items())]
        return f"{self.name}({', '.join(shown)}){' evaluated' * self.evaluate}{list(self.shape)}"

    def ours(self, dtype):
        rng = [RNG(0)] if self.draws else []
        takes_dtype = {} if "Pool" in self.name or self.name == "Flatten" else {"dtype": dtype}
        return getattr(nn, self.name)(*self.sizes, *rng, **self.options, **takes_dtype)

    def theirs(self, dtype):
        torch.manual_seed(0)
        return getattr(tnn, self.name)(*self.sizes, **self.options).to(getattr(torch, dtype))

    def input(self, dtype, seed):
        if self.integers:
            return RNG(seed).integers(0, self.integers, self.shape)
        return RNG(seed).standard_normal(self.shape).astype(dtype)


def recurrent(h, c=None):
    """A call with initial states, drawn."""

    def call(layer, x, to):
        states = [to(RNG(7 + i).standard_normal(s)) for i, s in enumerate([h, c]) if s is not None]
        return layer(x, tuple(states) if c else states[0])

    return call


def attention(*, keys=None, values=None, attn=None, padding=None, **options):
    """A call with the input as queries; keys, values and masks are drawn if their shapes or arrays are given."""

    def call(layer, x, to):
        k = x if keys is None else to(RNG(8).standard_normal(keys))
        v = k if values is None else to(RNG(9).standard_normal(values))
        masks = {"attn_mask": attn, "key_padding_mask": padding}
        masks = {name: to(mask) for name, mask in masks.items() if mask is not None}
        out = layer(x, k, v, **masks, **options)
        return [one for one in out if one is not None]

    return call


def causal(layer, x, to):
    """PyTorch requires the mask in addition to ``is_causal``, which is only a hint."""
    length = x.shape[1]
    mask = to(np.triu(np.ones((length, length), bool), 1))
    if isinstance(layer, nn.MultiheadAttention):
        return layer(x, x, x, is_causal=True)
    return layer(x, x, x, attn_mask=mask, is_causal=True)


FLOATS = RNG(5).standard_normal((5, 5))
HIDDEN = np.tri(5, 5, -2, dtype=bool)
PADDING = np.array([[False] * 4 + [True], [False] * 5, [False, True, False, True, False]])

CASES = [
    *[Case(f"Conv{n}d", (4, 6, 3), IMAGES[: n + 2], **options) for n in (1, 2) for options in (
        {}, {"stride": 2, "padding": 1}, {"padding": "same", "dilation": 2}, {"groups": 2, "bias": False},
        {"padding": 1, "padding_mode": "circular"}, {"padding": "same", "padding_mode": "reflect"},
        {"padding": 2, "padding_mode": "replicate", "stride": 3})],
    Case("Conv2d", (4, 6, (3, 2)), IMAGES, stride=(1, 2), padding=(2, 0), dilation=(2, 1)),
    Case("Conv2d", (4, 6, (2, 4)), IMAGES, padding="same", padding_mode="replicate"),
    *[Case(f"ConvTranspose{n}d", (4, 6, 3), IMAGES[: n + 2], **options) for n in (1, 2) for options in (
        {}, {"stride": 2, "padding": 1, "output_padding": 1}, {"groups": 2, "bias": False, "dilation": 2})],
    *[Case(f"{kind}{n}d", (2,), IMAGES[: n + 2], **options) for n in (1, 2) for kind in ("MaxPool", "AvgPool")
      for options in ({}, {"stride": 1, "padding": 1, "ceil_mode": True})],
    Case("MaxPool2d", (2, 3), IMAGES, dilation=2), Case("AvgPool2d", ((3, 2),), IMAGES, padding=1, count_include_pad=False),
    Case("AdaptiveAvgPool1d", (3,), IMAGES[:3]), Case("AdaptiveAvgPool2d", ((None, 5),), IMAGES),
    Case("AdaptiveAvgPool2d", (1,), IMAGES), Case("Flatten", (), IMAGES), Case("Flatten", (0, 2), IMAGES),
    *[Case(name, (4,), shape, evaluate=evaluate, **options)
      for name, shape in (("BatchNorm1d", (3, 4)), ("BatchNorm1d", (3, 4, 9)), ("BatchNorm2d", IMAGES))
      for options in ({}, {"momentum": None, "eps": 0.1}, {"affine": False, "momentum": 0.5}, {"track_running_stats": False})
      for evaluate in (False, True)],
    Case("LayerNorm", (8,), IMAGES), Case("LayerNorm", ((9, 8),), IMAGES, eps=0.1), Case("LayerNorm", (8,), IMAGES, bias=False),
    Case("LayerNorm", (8,), (8,), elementwise_affine=False),
    Case("RMSNorm", (8,), IMAGES), Case("RMSNorm", ((9, 8),), IMAGES, eps=0.1, elementwise_affine=False),
    Case("GroupNorm", (2, 4), IMAGES), Case("GroupNorm", (4, 4), IMAGES[:3], eps=0.1), Case("GroupNorm", (1, 4), IMAGES, affine=False),
    Case("Embedding", (10, 4), (3, 5), integers=10), Case("Embedding", (10, 4), (7,), integers=10, padding_idx=2),
    Case("Embedding", (10, 4), (7,), integers=10, padding_idx=-1),
    *[Case(name, (8, 6), SEQUENCE, **options) for name in ("LSTM", "GRU") for options in (
        {}, {"batch_first": True}, {"bias": False}, {"bidirectional": True}, {"num_layers": 3},
        {"num_layers": 2, "bidirectional": True, "batch_first": True})],
    Case("LSTM", (8, 6), SEQUENCE, num_layers=2, bidirectional=True, call=recurrent((4, 3, 6), (4, 3, 6))),
    Case("LSTM", (8, 6), SEQUENCE, batch_first=True, call=recurrent((1, 5, 6), (1, 5, 6))),
    Case("GRU", (8, 6), SEQUENCE, num_layers=2, bidirectional=True, call=recurrent((4, 3, 6))),
    Case("MultiheadAttention", (8, 2), SEQUENCE, call=attention()),
    Case("MultiheadAttention", (8, 4), SEQUENCE, call=attention(average_attn_weights=False), batch_first=True),
    Case("MultiheadAttention", (8, 2), SEQUENCE, call=attention(need_weights=False), bias=False),
    Case("MultiheadAttention", (8, 2), SEQUENCE, call=attention(keys=(4, 3, 8))),
    Case("MultiheadAttention", (8, 2), SEQUENCE, call=attention(keys=(4, 3, 8), values=(4, 3, 8)), bias=False),
    Case("MultiheadAttention", (8, 2), SEQUENCE, call=attention(keys=(4, 3, 5), values=(4, 3, 7)), kdim=5, vdim=7),
    Case("MultiheadAttention", (8, 2), SEQUENCE, call=attention(attn=HIDDEN)),
    Case("MultiheadAttention", (8, 2), SEQUENCE, call=attention(attn=FLOATS, need_weights=False)),
    Case("MultiheadAttention", (8, 2), SEQUENCE, call=attention(attn=np.stack([FLOATS * i for i in range(6)]))),
    Case("MultiheadAttention", (8, 2), SEQUENCE, call=attention(padding=PADDING)),
    Case("MultiheadAttention", (8, 2), SEQUENCE, call=attention(padding=PADDING, attn=HIDDEN, need_weights=False)),
    Case("MultiheadAttention", (8, 2), SEQUENCE, call=attention(padding=FLOATS[:3], attn=FLOATS)),
    Case("MultiheadAttention", (8, 2), (3, 5, 8), call=causal, batch_first=True),
]  # fmt: skip


def flat(out):
    return [one for part in out for one in flat(part)] if isinstance(out, (tuple, list)) else [out]


def agree(what, ours, theirs, dtype):
    ours, theirs = np.asarray(ours), theirs.detach().numpy()
    assert ours.shape == theirs.shape, what
    assert ours.dtype == theirs.dtype, what
    bound = TOLERANCE[dtype] * max(1, np.abs(theirs).max(initial=0))
    apart = np.abs(ours - theirs).max(initial=0)
    assert apart <= bound, f"{what}: {apart:.1e} apart, where {bound:.1e} is allowed"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_layer(case, dtype):
    ours, theirs = case.ours(dtype), case.theirs(dtype)
    mine = {name: torch.as_tensor(value) for name, value in nn.state_dict(ours).items()}
    assert list(mine) == list(theirs.state_dict())  # the names, in the same order
    theirs.load_state_dict(mine, strict=True)
    if mine:  # another state, in which no weight is 1 and no bias 0
        with torch.no_grad():
            for parameter in theirs.parameters():
                parameter.add_(torch.as_tensor(RNG(2).uniform(-0.2, 0.2, parameter.shape).astype(dtype)))
    nn.load_state_dict(ours, {name: value.numpy() for name, value in theirs.state_dict().items()})

    batches = [case.input(dtype, seed) for seed in range(3)]
    if case.evaluate:  # after two batches of training
        for x in batches[:2]:
            ours(x), theirs(torch.as_tensor(x))
        nn.eval(ours), theirs.eval()
    for x in batches[-1:] if case.evaluate else batches:
        once(case, ours, theirs, x, dtype)


def once(case, ours, theirs, x, dtype):
    """A forward and a backward pass of both."""
    is_float = x.dtype.kind == "f"
    a, b = tg.Tensor(x, requires_grad=True) if is_float else x, torch.tensor(x, requires_grad=is_float)
    outs = flat(case.call(ours, a, lambda v: v.astype(dtype) if v.dtype.kind == "f" else v))
    expected = flat(case.call(theirs, b, lambda v: torch.as_tensor(v.astype(dtype) if v.dtype.kind == "f" else v)))
    losses = [0, 0]
    for i, (mine, their) in enumerate(zip(outs, expected, strict=True)):
        agree(f"output {i}", mine.data, their, dtype)
        w = RNG(10 + i).standard_normal(tuple(their.shape)).astype(dtype)
        losses[0], losses[1] = losses[0] + np.sum(mine * w), losses[1] + (their * torch.as_tensor(w)).sum()
    for parameter in theirs.parameters():
        parameter.grad = None
    named = nn.parameters(ours)
    for parameter in named.values():
        parameter.grad = None
    losses[0].backward()
    losses[1].backward()
    if is_float:
        agree("gradient of x", a.grad, b.grad, dtype)
    for name, parameter in theirs.named_parameters():
        agree(f"gradient of {name}", named[name].grad, parameter.grad, dtype)
    state = nn.state_dict(ours)
    for name, value in theirs.state_dict().items():
        agree(name, state[name], value, dtype)


def test_every_layer_is_compared():
    layers = {name for name in nn.__all__ if isinstance(getattr(nn, name), type)}
    by_hand = {"Linear", "Dropout", "Sequential", "Residual", "Mode", "Summary"}
    assert {case.name for case in CASES} == layers - by_hand


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_linear_with_a_transposed_weight(dtype):
    theirs = tnn.Linear(5, 3).to(getattr(torch, dtype))
    state = {name: value.numpy().T for name, value in theirs.state_dict().items()}
    ours = nn.Linear(5, 3, RNG(0), dtype=dtype)
    nn.load_state_dict(ours, state)
    x = RNG(1).standard_normal((2, 7, 5)).astype(dtype)
    agree("output", ours(x).data, theirs(torch.as_tensor(x)), dtype)


INITIAL = [
    ("Linear", (30, 40), {}, {"init": "pytorch"}), ("Conv1d", (8, 16, 5), {}, {}), ("Conv2d", (8, 16, 5), {"groups": 2}, {}),
    ("ConvTranspose2d", (8, 16, 5), {}, {}), ("ConvTranspose1d", (8, 16, 5), {"groups": 4}, {}),
    ("Embedding", (50, 40), {"padding_idx": 3}, {}), ("LSTM", (20, 30), {"num_layers": 2}, {}),
    ("GRU", (20, 30), {"bidirectional": True}, {}), ("MultiheadAttention", (32, 4), {}, {}),
    ("MultiheadAttention", (32, 4), {"kdim": 20, "vdim": 60}, {}), ("BatchNorm2d", (8,), {}, {}), ("LayerNorm", (8,), {}, {}),
    ("GroupNorm", (2, 8), {}, {}), ("RMSNorm", (8,), {}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "sizes", "options", "more"), INITIAL, ids=lambda value: str(value))
def test_initial_values_are_from_the_same_distribution(name, sizes, options, more):
    """Mean, standard deviation and largest element over several layers, which determine a uniform distribution."""
    draws = ("Linear", "Conv", "Embedding", "Multihead", "GRU", "LSTM")
    rng = [RNG(0)] if name.startswith(draws) else []
    torch.manual_seed(0)
    ours, theirs = {}, {}
    for _ in range(40):
        layer, other = getattr(nn, name)(*sizes, *rng, **options, **more), getattr(tnn, name)(*sizes, **options)
        for key, value in nn.state_dict(layer).items():
            ours.setdefault(key, []).append(value)
        for key, value in other.state_dict().items():
            theirs.setdefault(key, []).append(value.numpy())
    assert list(ours) == list(theirs)
    for key in ours:
        mine, their = np.stack(ours[key]).astype(float), np.stack(theirs[key]).astype(float)
        np.testing.assert_allclose(mine.std(), their.std(), rtol=0.05, err_msg=key)
        np.testing.assert_allclose(mine.mean(), their.mean(), atol=6 * mine.std() / mine.size**0.5, err_msg=key)
        edge = 0.03 if name != "Embedding" else 0.3  # the largest of normal numbers vary
        np.testing.assert_allclose(np.abs(mine).max(), np.abs(their).max(), rtol=edge, err_msg=key)

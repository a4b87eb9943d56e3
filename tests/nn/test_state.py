"""Layers, initial weights, and parameters found through attributes."""

from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn

RNG = np.random.default_rng


def mlp(seed=0, **options):
    rng = RNG(seed)
    return nn.Sequential([nn.Linear(3, 4, rng, **options), tg.relu, nn.Linear(4, 2, rng, **options)])


@pytest.mark.parametrize(
    ("init", "deviation", "bound"),
    [("he", np.sqrt(2 / 300), np.inf), ("glorot", np.sqrt(2 / 700), np.sqrt(6 / 700)), ("small", 0.01, np.inf)],
)
def test_initial_weights(init, deviation, bound):
    layer = nn.Linear(300, 400, RNG(0), init=init)
    w = layer.weight.data
    assert w.shape == (300, 400)
    assert w.dtype == np.float32
    np.testing.assert_allclose(w.std(), deviation, rtol=0.02)
    assert abs(w.mean()) < 0.02 * deviation * 5
    assert np.abs(w).max() <= bound * (1 + 1e-6)
    np.testing.assert_array_equal(layer.bias.data, np.zeros(400))
    np.testing.assert_array_equal(w, nn.Linear(300, 400, RNG(0), init=init).weight.data)
    assert not np.array_equal(w, nn.Linear(300, 400, RNG(1), init=init).weight.data)


@pytest.mark.parametrize(("options", "deviation"), [({}, 1), ({"init": "pytorch"}, 1), ({"init": "small"}, 0.01)])
def test_initial_vectors(options, deviation):
    w = nn.Embedding(300, 400, RNG(0), padding_idx=2, **options).weight.data
    np.testing.assert_allclose(w.std(), deviation, rtol=0.02)
    assert not w[2].any()


@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 5, 3), (0, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear(shape, bias):
    layer = nn.Linear(3, 4, RNG(0), bias=bias, dtype=np.float64)
    x = RNG(1).standard_normal(shape)
    if bias:
        layer.bias.data[...] = np.arange(4)
    out = layer(x)
    np.testing.assert_allclose(out.data, x @ layer.weight.data + (np.arange(4) if bias else 0))
    names = ["weight", "bias"] if bias else ["weight"]
    assert list(nn.parameters(layer)) == names

    def run(x, *values):
        for name, value in zip(names, values, strict=True):
            setattr(layer, name, value)
        return layer(x)

    assert tg.gradcheck(run, [x, *(p.data for p in nn.parameters(layer).values())])


def test_invalid_layers_are_refused():
    for call, word in [
        (lambda: nn.Linear(3, 4, RNG(0), init="xavier"), "he, glorot, small"),
        (lambda: nn.Embedding(3, 4, RNG(0), init="xavier"), "he, glorot, small"),
        (lambda: nn.Linear(0, 4, RNG(0)), "features of Linear must be"),
        (lambda: nn.Linear(3, -1, RNG(0)), "features of Linear must be"),
        (lambda: nn.Dropout(1.0), r"\[0, 1\)"),
        (lambda: nn.Dropout(-0.1), r"\[0, 1\)"),
        (
            lambda: nn.Linear(3, 4, RNG(0))(np.ones((2, 5))),
            r"Linear\(3, 4\) takes x of shape \(\.\.\., 3\), got \(2, 5\)",
        ),
    ]:
        with pytest.raises(ValueError, match=word):
            call()


def test_dropout_is_off_without_a_generator():
    model = nn.Sequential([nn.Dropout(0.5), nn.Sequential([nn.Dropout(0.5)])])
    x = np.ones((4, 50))
    np.testing.assert_array_equal(model(x), x)
    once, again, other = model(x, RNG(0)), model(x, RNG(0)), model(x, RNG(1))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, other)
    np.testing.assert_array_equal(np.unique(once), [0, 4])  # both masks: the inner one was given the generator


def test_dropout_gradient_has_the_mask():
    x = tg.Tensor(np.ones(100), requires_grad=True)
    y = nn.Dropout(0.25)(x, RNG(0))
    np.sum(y).backward()
    np.testing.assert_array_equal(x.grad, y.data)


def test_parameters_are_found_wherever_they_are():
    class Block:
        def __init__(self):
            self.scale = tg.Tensor(np.ones(2), requires_grad=True)
            self.frozen = tg.Tensor(np.ones(2))
            self.table = OrderedDict(b=tg.Tensor([1.0]), a=[tg.Tensor([2.0])])
            self.pair = namedtuple("Pair", "left right")(tg.Tensor([3.0]), None)
            self.result = self.scale * 2  # on the tape: no parameter
            self.array, self.number, self.text, self.kind = np.ones(2), 3, "text", dict
            self.function, self.method = tg.relu, self.run
            self.itself = self
            self.inner = mlp()
            self.tied = self.inner.layers[0].weight

        def run(self):
            return None

    block = Block()
    found = nn.parameters(block)
    assert list(found) == [
        "scale", "frozen", "table.b", "table.a.0", "pair.0",
        "inner.layers.0.weight", "inner.layers.0.bias", "inner.layers.2.weight", "inner.layers.2.bias",
    ]  # fmt: skip
    assert found["inner.layers.0.weight"] is block.tied
    assert nn.parameters([block, block]).keys() == {f"0.{name}" for name in found}
    assert nn.parameters(block.tied) == {"": block.tied}
    assert nn.parameters(3) == nn.parameters({}) == {}


def test_a_dict_of_layers_gives_names():
    model = nn.Sequential({"hidden": nn.Linear(3, 4, RNG(0)), "relu": tg.relu})
    assert list(nn.parameters(model)) == ["layers.hidden.weight", "layers.hidden.bias"]
    assert model(np.ones((1, 3), np.float32)).shape == (1, 4)


def test_two_parameters_of_one_name_are_refused():
    """Otherwise one of the two would be neither trained nor saved."""
    for model in (
        {"a.b": tg.Tensor([1.0]), "a": {"b": tg.Tensor([2.0])}},
        {1: tg.Tensor([1.0]), "1": tg.Tensor([2.0])},
    ):
        with pytest.raises(ValueError, match="two parameters"):
            nn.parameters(model)


def test_freeze():
    model = mlp()
    assert nn.freeze(model, "layers.0") == ["layers.0.weight", "layers.0.bias"]
    assert [p.requires_grad for p in nn.parameters(model).values()] == [False, False, True, True]
    np.sum(model(np.ones((2, 3), np.float32))).backward()
    assert [p.grad is None for p in nn.parameters(model).values()] == [True, True, False, False]
    assert nn.freeze(model, "layers.2.bias") == ["layers.2.bias"]
    with pytest.raises(ValueError, match=r"'layers\.1'.*layers\.0\.weight"):
        nn.freeze(model, "layers.1")
    with pytest.raises(ValueError, match="no parameter"):
        nn.freeze(model, "layers.2", "layer")  # not a prefix of a word
    assert nn.parameters(model)["layers.2.weight"].requires_grad


def test_state_round_trip():
    model, other = mlp(0), mlp(1)
    state = nn.state_dict(model)
    for name, value in state.items():
        assert not np.shares_memory(value, nn.parameters(model)[name].data)
    memory = [id(p.data) for p in nn.parameters(other).values()]
    nn.load_state_dict(other, state)
    assert [id(p.data) for p in nn.parameters(other).values()] == memory
    x = RNG(0).standard_normal((5, 3)).astype(np.float32)
    np.testing.assert_array_equal(model(x).data, other(x).data)
    state["layers.0.bias"][...] = 9
    assert nn.parameters(other)["layers.0.bias"].data.max() == 0
    nn.load_state_dict(other, {k: v.astype(np.float64) for k, v in state.items()})
    assert {p.dtype for p in nn.parameters(other).values()} == {np.dtype(np.float32)}


def test_a_state_that_does_not_fit_lists_all_its_errors():
    model = mlp()
    before = nn.state_dict(model)
    state = nn.state_dict(model)
    state["extra"] = np.ones(1)
    state["layers.0.weight"] = np.ones((4, 3))
    state["layers.0.bias"] = np.ones(())  # would broadcast
    del state["layers.2.bias"]
    with pytest.raises(tg.CheckpointError) as caught:
        nn.load_state_dict(model, state)
    for words in (
        "unexpected extra",
        "layers.0.weight has shape (4, 3), expected (3, 4)",
        "layers.0.bias has shape ()",
        "missing layers.2.bias",
    ):
        assert words in str(caught.value)
    for name, value in nn.state_dict(model).items():
        np.testing.assert_array_equal(value, before[name])


def locked(model, state):
    nn.parameters(model)["layers.2.bias"].data.flags.writeable = False


def not_numbers(model, state):
    state["layers.2.bias"] = np.array(["a", "b"])


def on_the_tape(model, state):
    state["layers.2.bias"] = tg.Tensor(np.ones(2), requires_grad=True)


@pytest.mark.parametrize("spoil", [locked, not_numbers, on_the_tape])
def test_loading_is_all_or_nothing(spoil):
    model = mlp()
    before, state = nn.state_dict(model), {k: v + 1 for k, v in nn.state_dict(model).items()}
    spoil(model, state)
    with pytest.raises((ValueError, TypeError)):
        nn.load_state_dict(model, state)
    for name, value in before.items():
        np.testing.assert_array_equal(nn.parameters(model)[name].data, value)


def test_loading_leaves_a_pending_backward_pass_what_it_needs():
    model = mlp()
    w = nn.parameters(model)["layers.2.weight"]
    before, pending = w.data.copy(), np.sum(np.exp(w))
    nn.load_state_dict(model, {k: v + 1 for k, v in nn.state_dict(model).items()})
    np.testing.assert_array_equal(w.data, before + 1)
    np.testing.assert_allclose(tg.grad(pending, w), np.exp(before), rtol=1e-6)

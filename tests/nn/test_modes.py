"""Training and evaluation mode, and the buffers of layers with running statistics."""

import numpy as np
import pytest

import tensorgrad as tg

nn = tg.nn
RNG = np.random.default_rng


class Block:
    """A user-defined layer with a mode, a buffer, and an inner layer."""

    buffers = ("calls", "none")
    draws = True

    def __init__(self):
        self.training = True
        self.calls, self.none, self.mask = np.array(0), None, np.ones(3)
        self.inner = [nn.Dropout(0.5)]

    def __call__(self, x, rng=None):
        if self.training:
            self.calls += 1
        return self.inner[0](x, rng)


def network():
    return nn.Sequential({"norm": nn.BatchNorm1d(3), "block": Block(), "out": nn.Linear(3, 2, RNG(0))})


def modes(model):
    return [model.layers["norm"].training, model.layers["block"].training, model.layers["block"].inner[0].training]


def test_train_and_eval_reach_whatever_has_a_mode():
    model = network()
    assert modes(model) == [True, True, None]  # dropout has no mode
    mode = nn.eval(model)
    assert mode.layers == ["layers.norm", "layers.block", "layers.block.inner.0"]
    assert repr(mode) == f"Mode(training=False, layers={mode.layers})"
    assert modes(model) == [False] * 3
    assert nn.train(model).layers == mode.layers
    assert modes(model) == [True] * 3
    assert nn.eval(nn.Linear(3, 2, RNG(0))).layers == []


def test_a_mode_as_a_context_restores_those_before():
    model = network()

    def fail():
        with nn.eval(model) as mode:
            assert modes(model) == [False] * 3
            with nn.train(model.layers["block"]):
                assert modes(model) == [False, True, True]
            assert modes(model) == [False] * 3
            assert not mode.training
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert modes(model) == [True, True, None]


def test_other_attributes_called_training_are_not_changed():
    class Data:
        def __init__(self):
            self.training, self.layer = np.arange(3), nn.Dropout(0.5)

    class Kind:
        training = True

    data = Data()
    assert nn.eval({"data": data, "kind": Kind}).layers == ["data.layer"]
    np.testing.assert_array_equal(data.training, [0, 1, 2])
    assert Kind.training


DRAWING = {
    "dropout": lambda: nn.Dropout(0.5),
    "attention": lambda: nn.MultiheadAttention(8, 2, RNG(0), dropout=0.5),
    "lstm": lambda: nn.LSTM(8, 4, RNG(0), num_layers=2, dropout=0.5),
    "gru": lambda: nn.GRU(8, 4, RNG(0), num_layers=2, dropout=0.5),
    "in a network": lambda: nn.Sequential(nn.Linear(8, 8, RNG(0)), nn.Residual(nn.Dropout(0.5))),
}


@pytest.mark.parametrize("name", DRAWING)
def test_dropout_depends_on_mode_and_generator(name):
    layer, x = DRAWING[name](), np.ones((5, 3, 8), np.float32)

    def out(rng=None):
        y = layer(x, x, x, rng=rng) if name == "attention" else layer(x, rng=rng)
        y = y[0] if isinstance(y, tuple) else y
        return y.data if isinstance(y, tg.Tensor) else y

    plain, dropped = out(), out(RNG(0))  # without a mode, it depends on the generator
    assert np.abs(plain - dropped).max() > 1e-3
    np.testing.assert_array_equal(out(RNG(0)), dropped)
    assert np.abs(out(RNG(1)) - dropped).max() > 1e-3
    nn.eval(layer)
    np.testing.assert_array_equal(out(), plain)
    np.testing.assert_array_equal(out(RNG(0)), plain)
    nn.train(layer)
    np.testing.assert_array_equal(out(RNG(0)), dropped)
    with pytest.raises(ValueError, match=r"in training mode needs a generator: model\(x, rng\), or tg\.nn\.eval"):
        out()


@pytest.mark.parametrize(
    "layer",
    [
        nn.MultiheadAttention(8, 2, RNG(0)),
        nn.LSTM(8, 4, RNG(0), num_layers=2),
        nn.GRU(8, 4, RNG(0), dropout=0.5),  # dropout is applied between layers, and there is only one
    ],
    ids=repr,
)
def test_layers_without_dropout_need_no_generator(layer):
    nn.train(layer)
    x = np.ones((5, 3, 8), np.float32)
    layer(x, x, x) if isinstance(layer, nn.MultiheadAttention) else layer(x)


def test_batch_normalization_learns_in_training_and_uses_what_it_learned_in_evaluation():
    norm, rng = nn.BatchNorm1d(2, momentum=0.5, dtype=np.float64), RNG(0)
    one, other = rng.standard_normal((6, 2)) * 3 + 1, rng.standard_normal((6, 2))
    out = norm(one)
    np.testing.assert_allclose(out.data.mean(axis=0), 0, atol=1e-12)
    mean, var = 0.5 * one.mean(axis=0), 0.5 + 0.5 * one.var(axis=0, ddof=1)
    np.testing.assert_allclose(norm.running_mean, mean)
    np.testing.assert_allclose(norm.running_var, var)
    with nn.eval(norm):
        np.testing.assert_allclose(norm(other).data, (other - mean) / np.sqrt(var + 1e-5))
        assert norm(other[:1]).shape == (1, 2)
    assert norm.num_batches_tracked == 1
    with tg.no_grad():  # does not switch to evaluation mode
        norm(other)
    assert norm.num_batches_tracked == 2
    with pytest.raises(ValueError, match="more than one value per channel"):
        norm(other[:1])
    assert norm.num_batches_tracked == 2


def test_without_a_momentum_the_statistics_are_means_of_all_batches():
    norm, batches = nn.BatchNorm2d(3, momentum=None, dtype=np.float64), RNG(0).standard_normal((4, 5, 3, 2, 2))
    for batch in batches:
        norm(batch)
    np.testing.assert_allclose(norm.running_mean, batches.mean(axis=(0, 1, 3, 4)))
    np.testing.assert_allclose(norm.running_var, batches.var(axis=(1, 3, 4), ddof=1).mean(axis=0))


# ------------------------------------------------------------------------------------------------ buffers

NAMES = ["layers.norm.running_mean", "layers.norm.running_var", "layers.norm.num_batches_tracked", "layers.block.calls"]


def test_buffers_are_those_that_a_layer_names():
    model = network()
    assert list(nn.buffers(model)) == NAMES
    assert nn.buffers(model)["layers.block.calls"] is model.layers["block"].calls
    assert not nn.buffers(model).keys() & nn.parameters(model).keys()
    assert nn.state_dict(model).keys() == nn.buffers(model).keys() | nn.parameters(model).keys()
    assert nn.buffers([model.layers["norm"]] * 2).keys() == {f"0.{name}" for name in nn.BatchNorm1d.buffers}
    assert nn.buffers(nn.BatchNorm1d(3, track_running_stats=False)) == {}


def test_buffers_are_saved_and_loaded_in_place(tmp_path):
    model, other = network(), network()
    for seed in range(3):
        model(RNG(seed).standard_normal((5, 3)).astype(np.float32), RNG(seed))
    arrays = {name: id(value) for name, value in nn.buffers(other).items()}
    tg.save(tmp_path / "model.npz", nn.state_dict(model))
    nn.load_state_dict(other, tg.load(tmp_path / "model.npz").arrays)
    assert {name: id(value) for name, value in nn.buffers(other).items()} == arrays
    for name, value in nn.buffers(model).items():
        np.testing.assert_array_equal(nn.buffers(other)[name], value)
        assert nn.buffers(other)[name].dtype == value.dtype
    assert other.layers["norm"].num_batches_tracked == other.layers["block"].calls == 3
    state = nn.state_dict(model)
    model(np.ones((2, 3), np.float32))
    assert state["layers.block.calls"] == 3


@pytest.mark.parametrize("spoil", [
    lambda model, state: state.pop("layers.norm.running_var"),
    lambda model, state: state.update({"layers.norm.running_var": np.ones(4)}),
    lambda model, state: setattr(model.layers["norm"].running_var.flags, "writeable", False),
])  # fmt: skip
def test_a_state_that_does_not_fit_the_buffers_changes_nothing(spoil):
    model = network()
    before, state = nn.state_dict(model), {name: value + 1 for name, value in nn.state_dict(model).items()}
    spoil(model, state)
    with pytest.raises(ValueError, match=r"norm\.running_var"):
        nn.load_state_dict(model, state)
    for name, value in nn.state_dict(model).items():
        np.testing.assert_array_equal(value, before[name])


class Named:
    """An object with an attribute ``buffers``, and an attribute that it may name."""

    def __init__(self, buffers, value=None):
        self.buffers, self.value = buffers, value


def test_declarations_that_make_no_sense_are_errors_and_other_things_of_this_name_are_not():
    with pytest.raises(TypeError, match=r"buffer 'a\.value' must be an ndarray, or None, got \[1\.0\]"):
        nn.buffers({"a": Named(("value",), [1.0])})
    with pytest.raises(AttributeError, match="valeu"):
        nn.buffers(Named(("valeu",)))
    with pytest.raises(ValueError, match=r"a parameter and a buffer are called 'a\.value'"):
        nn.state_dict({"a.value": tg.Tensor([1.0]), "a": Named(["value"], np.ones(1))})
    assert list(nn.buffers(Named("value", np.ones(2)))) == ["value"]  # ("value"), which is no tuple
    for other in (7, [1, 2], [np.ones(2)], {"a": 1}, nn.BatchNorm1d):
        assert nn.buffers(Named(other)) == {}

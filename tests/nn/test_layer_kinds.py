"""Properties of layers of every kind: gradients, dtypes, states and representations."""

import copy
import functools

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import check_gradient
from tests.nn.kinds import each, output

nn = tg.nn
RNG = np.random.default_rng
LAYERS = each()


def test_every_layer_is_here():
    kinds = {getattr(nn, name) for name in nn.__all__ if isinstance(getattr(nn, name), type)}
    assert kinds - {type(layer) for layer, _ in LAYERS.values()} == {nn.Embedding, nn.Sequential, nn.Mode, nn.Summary}


def with_values(layer, values):
    """A copy of a layer whose parameters are these tensors."""
    twin = copy.deepcopy(layer)
    for path, value in zip(nn.parameters(layer), values, strict=True):
        *where, name = path.split(".")
        setattr(functools.reduce(getattr, where, twin), name, value)
    return twin


@pytest.mark.parametrize("name", LAYERS)
def test_gradients(name):
    """The gradients of the input and of all parameters, compared with finite differences."""
    layer, x = each()[name]
    values = [parameter.data.copy() for parameter in nn.parameters(layer).values()]
    check_gradient(lambda x, *values: output(with_values(layer, values), x), [x, *values])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LAYERS)
def test_dtypes(name, dtype):
    layer, x = each(dtype)[name]
    x = tg.Tensor(x, requires_grad=True)
    out = output(layer, x)
    assert out.dtype == dtype
    np.sum(out).backward()
    assert x.grad.dtype == dtype
    for parameter in nn.parameters(layer).values():
        assert parameter.dtype == dtype
        assert parameter.requires_grad
        assert parameter.grad.dtype == dtype


@pytest.mark.parametrize("name", LAYERS)
def test_states_and_copies(name):
    layer, x = each()[name]
    output(layer, x)
    state = nn.state_dict(layer)
    twins = copy.deepcopy(layer), each()[name][0]
    for leaf in nn.parameters(twins[1]).values():
        leaf.data += 1
    nn.load_state_dict(twins[1], state)
    results = []
    for twin in (layer, *twins):
        assert repr(twin) == name
        assert list(nn.state_dict(twin)) == list(state)
        for key, value in nn.state_dict(twin).items():
            np.testing.assert_array_equal(value, state[key])
        nn.eval(twin)
        out = output(twin, x)
        results.append(out.data if isinstance(out, tg.Tensor) else out)
    np.testing.assert_array_equal(results[1:], results[:1] * 2)


@pytest.mark.parametrize("name", LAYERS)
def test_errors_name_the_layer_and_both_shapes(name):
    """Another number of channels, an axis less, and longer rows: each is accepted, or refused by a layer's name."""
    layer, x = each()[name]
    channels = np.ones((x.shape[0], x.shape[1] + 1, *x.shape[2:])) if x.ndim > 1 else x
    refused = 0
    for wrong in (channels, np.ones(x.shape[1:]), np.ones((*x.shape[:-1], x.shape[-1] + 1))):
        try:
            output(layer, wrong)
        except ValueError as error:
            text = "\n".join([str(error), *getattr(error, "__notes__", [])])
            parts = layer, *vars(layer).values()  # a Residual leaves the error to the layer inside
            assert any(repr(part) in text for part in parts if type(part).__module__.startswith("tensorgrad.nn")), text
            assert str(wrong.shape) in text
            refused += 1
    assert bool(refused) == (type(layer) not in (nn.Dropout, nn.Flatten))


def test_representations_are_the_calls_that_make_the_layers():
    """Except for the generator and the dtype: a layer created by such a call has the same representation."""
    for name, (layer, _) in LAYERS.items():
        if "\n" in name:
            continue
        kind = type(layer).__name__
        sizes = {"Conv1d": 2, "Conv2d": 2, "ConvTranspose1d": 2, "ConvTranspose2d": 2, "Linear": 2, "LSTM": 2, "GRU": 2,
                 "MultiheadAttention": 2}  # fmt: skip
        place = sizes.get(kind)
        if place is None:
            again = eval(f"nn.{name}")
        else:
            arguments = name.removeprefix(f"{kind}(").removesuffix(")")
            again = eval(f"nn.{kind}({arguments}, rng=RNG(0))")
        assert repr(again) == name


def test_the_representation_of_a_network():
    class Block:
        def __init__(self):
            self.layers = [nn.Linear(3, 3, RNG(0)), np.tanh]
            self.norm, self.width, self.kind, self.itself = nn.LayerNorm(3), 3, nn.Linear, self

        def __call__(self, x):
            return x

    net = nn.Sequential({"first": Block(), "act": tg.relu, "inner": nn.Sequential(nn.Flatten(), nn.Residual(Block()))})
    assert (
        repr(net)
        == """\
Sequential(
  (first): Block(
    (layers.0): Linear(3, 3)
    (layers.1): tanh
    (norm): LayerNorm(3)
  )
  (act): relu
  (inner): Sequential(
    (0): Flatten()
    (1): Residual(
      (layer): Block(
        (layers.0): Linear(3, 3)
        (layers.1): tanh
        (norm): LayerNorm(3)
      )
    )
  )
)"""
    )
    assert repr(nn.Sequential([])) == "Sequential()"

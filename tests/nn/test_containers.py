"""Layers that consist of layers: their arguments, and what they pass on."""

import numpy as np
import pytest

import tensorgrad as tg

nn = tg.nn
RNG = np.random.default_rng


class Drawing:
    """A user-defined layer that draws random numbers."""

    draws = True

    def __call__(self, x, rng=None):
        return x if rng is None else x + rng.random()


def test_the_ways_to_give_layers():
    double, negate = (lambda x: 2 * x), np.negative
    for layers in ([double, negate], (double, negate), iter([double, negate])):
        assert nn.Sequential(layers).layers == [double, negate]
    assert nn.Sequential(double, negate).layers == [double, negate]
    assert nn.Sequential(double).layers == [double]
    assert nn.Sequential({"a": double}).layers == {"a": double}
    assert nn.Sequential([])(3) == 3
    np.testing.assert_array_equal(nn.Sequential(double, negate)(np.ones(2)), [-2, -2])


@pytest.mark.parametrize("wrap", [
    lambda layer: nn.Sequential(np.positive, layer),
    lambda layer: nn.Sequential({"inner": nn.Sequential([layer])}),
    lambda layer: nn.Residual(np.zeros_like, layer),
    lambda layer: nn.Residual(layer, np.zeros_like),
    lambda layer: nn.Sequential(nn.Residual(nn.Sequential(layer), np.zeros_like)),
])  # fmt: skip
def test_the_generator_reaches_layers_that_draw(wrap):
    x = np.ones(3)
    np.testing.assert_array_equal(wrap(Drawing())(x), x)
    np.testing.assert_array_equal(wrap(Drawing())(x, RNG(0)), x + RNG(0).random())


def test_a_residual_adds_and_its_gradient_too():
    x, weight = np.arange(3.0), tg.Tensor(np.eye(3) * 2, requires_grad=True)
    np.testing.assert_array_equal(nn.Residual(lambda x: x @ weight)(x).data, 3 * x)
    np.testing.assert_array_equal(nn.Residual(lambda x: x @ weight, lambda x: -x)(x).data, x)
    assert tg.gradcheck(nn.Residual(np.tanh), [x])


def test_an_error_names_the_layer_and_the_network():
    inner = nn.Sequential({"first": tg.relu, "second": nn.Linear(4, 2, RNG(0))})
    with pytest.raises(tg.ShapeError) as caught:
        nn.Sequential(nn.Flatten(), inner)(np.ones((2, 3)))
    assert caught.value.__notes__ == ["in layer 'second' of a Sequential", "in layer 1 of a Sequential"]

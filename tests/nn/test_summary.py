"""`tg.nn.summary` of several networks, which it does not change."""

import operator
import threading

import numpy as np
import pytest

import tensorgrad as tg

nn = tg.nn
RNG = np.random.default_rng


class Block:
    """A transformer block."""

    draws = True

    def __init__(self, width, heads, rng):
        self.norms = [nn.LayerNorm(width), nn.LayerNorm(width)]
        self.attention = nn.MultiheadAttention(width, heads, rng, batch_first=True, dropout=0.1)
        self.hidden, self.out = nn.Linear(width, 4 * width, rng), nn.Linear(4 * width, width, rng)
        self.scale = tg.Tensor(np.ones(width, np.float32), requires_grad=True)
        self.activation, self.itself = tg.gelu, self

    def __call__(self, x, rng=None):
        y = self.norms[0](x)
        x = x + self.attention(y, y, y, is_causal=True, need_weights=False, rng=rng)[0]
        return x + self.out(self.activation(self.hidden(self.norms[1](x)))) * self.scale


def mlp(rng):
    return nn.Sequential({"hidden": nn.Linear(64, 30, rng), "relu": tg.relu, "out": nn.Linear(30, 10, rng)})


def cnn(rng):
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, rng, padding=1), nn.BatchNorm2d(8), tg.relu, nn.MaxPool2d(2),
        nn.Residual(nn.Sequential([nn.Conv2d(8, 8, 3, rng, padding=1), np.tanh])),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(8, 10, rng),
    )  # fmt: skip


def transformer(rng):
    return nn.Sequential({"embed": nn.Embedding(50, 8, rng), "block": Block(8, 2, rng), "out": nn.Linear(8, 50, rng)})


TABLES = {
    "mlp": (mlp, ((5, 64),), {}, """\
name           layer           output   parameters
--------------------------------------------------
(model)        Sequential      (5, 10)
layers.hidden  Linear(64, 30)  (5, 30)       1,950
layers.relu    relu            (5, 30)
layers.out     Linear(30, 10)  (5, 10)         310
--------------------------------------------------
2,260 parameters"""),
    "cnn": (cnn, ((1, 1, 28, 28),), {}, """\
name                     layer                                   output          parameters
-------------------------------------------------------------------------------------------
(model)                  Sequential                              (1, 10)
layers.0                 Conv2d(1, 8, kernel_size=3, padding=1)  (1, 8, 28, 28)          80
layers.1                 BatchNorm2d(8)                          (1, 8, 28, 28)          16
layers.2                 relu                                    (1, 8, 28, 28)
layers.3                 MaxPool2d(2)                            (1, 8, 14, 14)
layers.4                 Residual                                (1, 8, 14, 14)
layers.4.layer           Sequential                              (1, 8, 14, 14)
layers.4.layer.layers.0  Conv2d(8, 8, kernel_size=3, padding=1)  (1, 8, 14, 14)         584
layers.4.layer.layers.1  tanh                                    (1, 8, 14, 14)
layers.5                 AdaptiveAvgPool2d(1)                    (1, 8, 1, 1)
layers.6                 Flatten()                               (1, 8)
layers.7                 Dropout(0.5)                            (1, 8)
layers.8                 Linear(8, 10)                           (1, 10)                 90
-------------------------------------------------------------------------------------------
770 parameters"""),
    "transformer": (transformer, ((2, 12),), {"dtype": int}, """\
name                    layer                                                    output              parameters
---------------------------------------------------------------------------------------------------------------
(model)                 Sequential                                               (2, 12, 50)
layers.embed            Embedding(50, 8)                                         (2, 12, 8)                 400
layers.block            Block                                                    (2, 12, 8)                   8
layers.block.norms.0    LayerNorm(8)                                             (2, 12, 8)                  16
layers.block.norms.1    LayerNorm(8)                                             (2, 12, 8)                  16
layers.block.attention  MultiheadAttention(8, 2, dropout=0.1, batch_first=True)  ((2, 12, 8), None)         288
layers.block.hidden     Linear(8, 32)                                            (2, 12, 32)                288
layers.block.out        Linear(32, 8)                                            (2, 12, 8)                 264
layers.out              Linear(8, 50)                                            (2, 12, 50)                450
---------------------------------------------------------------------------------------------------------------
1,730 parameters"""),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_tables(name):
    make, arguments, options, expected = TABLES[name]
    model = make(RNG(0))
    found = nn.summary(model, *arguments, **options)
    assert repr(found) == expected
    assert found.parameters == found.trainable == sum(p.size for p in nn.parameters(model).values())
    assert found.parameters == sum(row.parameters for row in found.rows)


def test_frozen_and_shared_parameters():
    first = nn.Linear(4, 4, RNG(0))
    model = nn.Sequential(first, first, nn.Linear(4, 2, RNG(0)))
    model.layers[2].weight = first.weight
    model.layers[2].bias = None
    nn.freeze(model, "layers.0.bias")
    found = nn.summary(model, (3, 4))
    assert [row.path for row in found.rows] == ["", "layers.0", "layers.2"]
    assert (found.parameters, found.trainable) == (20, 16)
    assert repr(found).endswith("20 parameters, 4 of them frozen")


def test_inputs():
    def model(x, y=None, *, flag=False):
        return {"sum": x if y is None else x + y, "flag": flag}

    class Model:
        layer = staticmethod(model)

        def __call__(self, *inputs, **options):
            return self.layer(*inputs, **options)

    rows = [
        nn.summary(Model(), *arguments, **options).rows[0].output
        for arguments, options in [
            (((2, 3),), {}), (([2, 3],), {"flag": True}), (([(2, 1), (4,)],), {}), ((np.ones(5),), {}),
            (([tg.Tensor(np.ones(5)), (1,)],), {}),
        ]
    ]  # fmt: skip
    assert rows == ["{sum: (2, 3), flag: bool}"] * 2 + ["{sum: (2, 4), flag: bool}"] + ["{sum: (5,), flag: bool}"] * 2
    with pytest.raises(TypeError, match="a model that can be called, got 3"):
        nn.summary(3, (1,))


def traces(model):
    """What a summary changes temporarily: classes, lists of layers, modes, statistics, gradients."""
    kinds = {type(item): vars(type(item)).get("__call__") for item in (model, *model.layers, model.layers[4].layer)}
    lists = [(id(model.layers), list(model.layers)), list(model.layers[4].layer.layers)]
    return kinds, lists, nn.train(model).layers, {k: v.tolist() for k, v in nn.state_dict(model).items()}


def test_the_model_is_unchanged():
    model = cnn(RNG(0))
    before = traces(model)
    model.layers[7].training = None
    nn.summary(model, (1, 1, 28, 28))
    assert model.layers[7].training is None
    assert model.layers[1].training
    assert traces(model) == before
    with pytest.raises(tg.ShapeError, match="Conv2d"):
        nn.summary(model, (1, 3, 28, 28))
    assert traces(model) == before
    assert all(p.grad is None for p in nn.parameters(model).values())
    assert (tg.Tensor(1.0, requires_grad=True) * 2).requires_grad


def test_what_other_threads_compute_is_not_recorded():
    class Model:
        def __init__(self):
            self.layer = nn.Linear(3, 2, RNG(0))

        def __call__(self, x):
            out = self.layer(x)
            thread = threading.Thread(target=lambda: self.layer(np.ones((7, 3))))
            thread.start()
            thread.join(60)
            return out

    assert [row.output for row in nn.summary(Model(), (5, 3)).rows] == ["(5, 2)"] * 2


def test_classes_that_inherit_their_call_and_objects_implemented_in_c():
    class Base:
        def __call__(self, x):
            return x[:1]

    class Derived(Base):
        pass

    class Static:
        @staticmethod
        def __call__(x):
            return x[:1]

    rows = nn.summary(nn.Sequential(Base(), Derived(), Static(), np.negative, operator.neg), (4, 3)).rows
    assert [(row.layer, row.output) for row in rows[1:]] == [
        (name, "(1, 3)") for name in ("Base()", "Derived()", "Static()", "negative", "neg")
    ]  # fmt: skip
    assert "__call__" not in vars(Derived)

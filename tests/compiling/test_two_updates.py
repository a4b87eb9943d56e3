"""Functions that compute after they have updated something: if a condition does not hold then, all is undone."""

import numpy as np
import pytest

import tensorgrad as tg
from tests.compiling.steps import assert_same, programs

OPTIMIZERS = {
    "SGD": lambda p: tg.optim.SGD(p, 0.1, momentum=0.9),
    "Adam": lambda p: tg.optim.Adam(p, 0.1),
    "groups": lambda p: tg.optim.ASGD([{"params": p}], 0.1),
}


class Adversaries:
    """Two networks that are trained against each other in one step; the second may meet a zero."""

    def __init__(self, optimizer):
        self.w, self.v = (tg.Tensor(np.linspace(0.5, 1, 3), requires_grad=True) for _ in range(2))
        self.optimizers = optimizer({"w": self.w}), optimizer({"v": self.v})
        self.average = tg.optim.EMA({"w": self.w}, 0.5)
        self.mean = np.zeros(3)

    def step(self, x, z, seen, rng):
        """Update ``w``, and then ``v`` with the new ``w``."""
        first, second = self.optimizers
        first.zero_grad()
        one = np.sum((x * self.v) @ self.w)
        one.backward()
        first.step()
        self.average.update()
        self.mean *= 0.5
        self.mean += x.mean(axis=0)
        seen += 1
        second.zero_grad()
        noise = rng.random(3)
        two = np.sum(np.where(z > 0, np.sqrt(z), 0) * self.v * self.w * noise) + np.sum(np.log(z + 1) * self.v)
        two.backward()
        second.step()
        return one, two

    def state(self):
        states = [optimizer.state_dict() for optimizer in self.optimizers]
        arrays = [self.w.data, self.v.data, self.w.grad, self.v.grad, self.mean, self.average.averages["w"]]
        return [*[np.array(x) for x in arrays], *states, self.average.updates]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_two_optimizers(name):
    ours, theirs = Adversaries(OPTIMIZERS[name]), Adversaries(OPTIMIZERS[name])
    compiled = tg.compile(ours.step)
    rngs, seen = [np.random.default_rng(0), np.random.default_rng(0)], [np.zeros(2), np.zeros(2)]
    for k, z in enumerate((1.0, 2.0, 3.0, 1.0, 2.0, np.nan, 3.0, -1.0, 1.0, 2.0)):
        x, zs = np.random.default_rng(k).random((4, 3)), np.array([1.0, z, 2.0])
        with np.errstate(all="ignore"):
            results = compiled(x, zs, seen[0], rngs[0])
            assert_same(results, theirs.step(x, zs, seen[1], rngs[1]))
        assert_same([ours.state(), seen[0]], [theirs.state(), seen[1]])
        if np.isnan(z):  # the weights are NaN from now on: start again
            for training in (ours, theirs):
                for p in (training.w, training.v):
                    p.data[...] = 1.0
    assert rngs[0].bit_generator.state == rngs[1].bit_generator.state
    assert 1 <= programs(compiled) <= 2


def test_an_error_after_an_update_leaves_what_it_leaves_uncompiled():
    w = tg.Tensor(np.ones(2), requires_grad=True)
    optimizer = tg.optim.SGD([w], 0.125)

    def step(x, y):
        optimizer.zero_grad()
        np.sum(w * x).backward()
        optimizer.step()
        return np.linalg.inv(y * np.sum(w.detach()))

    compiled = tg.compile(step)
    for _ in range(4):
        compiled(np.ones(2), np.eye(2))
    assert programs(compiled)
    before = w.data.copy()
    with pytest.raises(np.linalg.LinAlgError):
        compiled(np.ones(2), np.zeros((2, 2)))
    np.testing.assert_array_equal(w.data, before - 0.125)


def test_an_interrupt_between_two_updates_undoes_the_first():
    class Interrupting(tg.optim.SGD):
        fails = False

        def _update(self, p, d, state, *scratch):
            if self.fails:
                raise KeyboardInterrupt
            super()._update(p, d, state, *scratch)

    w, v = (tg.Tensor(np.ones(2), requires_grad=True) for _ in range(2))
    first, second = tg.optim.SGD([w], 0.01), Interrupting([v], 0.01)

    def step(x):
        for p, optimizer in ((w, first), (v, second)):
            optimizer.zero_grad()
            np.sum(p * x * w).backward()
            optimizer.step()

    compiled = tg.compile(step)
    for _ in range(5):
        compiled(np.ones(2))
    assert programs(compiled) == 1
    before = w.data.copy()
    second.fails = True
    with pytest.raises(KeyboardInterrupt):
        compiled(np.ones(2))
    np.testing.assert_array_equal(w.data, before)

"""Functions that compute after they have updated something: what may need an ordinary call then is refused."""

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
    """Two networks that are trained against each other; the second, with the new weights of the first."""

    def __init__(self, optimizer, convert):
        self.w, self.v = (tg.Tensor(np.linspace(0.5, 1, 3), requires_grad=True) for _ in range(2))
        self.optimizers = optimizer({"w": self.w}), optimizer({"v": self.v})
        self.average = tg.optim.EMA({"w": self.w}, 0.5)
        self.mean = np.zeros(3)
        self.one, self.two = convert(self.first), convert(self.second)

    def first(self, x, seen):
        """Update ``w``, and then averages of it and of the data, and return what the new ``w`` gives."""
        optimizer = self.optimizers[0]
        optimizer.zero_grad()
        loss = np.sum((x * self.v) @ self.w)
        loss.backward()
        optimizer.step()
        self.average.update()
        self.mean *= 0.5
        self.mean += x.mean(axis=0)
        seen += 1
        return loss, self.w.detach() * 2

    def second(self, z, rng):
        """Update ``v``."""
        optimizer = self.optimizers[1]
        optimizer.zero_grad()
        noise = rng.random(3)
        loss = np.sum(np.where(z > 0, np.sqrt(z), 0) * self.v * self.w * noise) + np.sum(np.log(z + 1) * self.v)
        loss.backward()
        optimizer.step()
        return loss

    def step(self, x, z, seen, rng):
        return self.first(x, seen), self.second(z, rng)

    def state(self):
        states = [optimizer.state_dict() for optimizer in self.optimizers]
        arrays = [self.w.data, self.v.data, self.w.grad, self.v.grad, self.mean, self.average.averages["w"]]
        return [*[np.array(x) for x in arrays], *states, self.average.updates]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_two_compiled_functions(name):
    ours, theirs = Adversaries(OPTIMIZERS[name], tg.compile), Adversaries(OPTIMIZERS[name], lambda f: f)
    rngs, seen = [np.random.default_rng(0), np.random.default_rng(0)], [np.zeros(2), np.zeros(2)]
    for k, z in enumerate((1.0, 2.0, 3.0, 1.0, 2.0, np.nan, 3.0, -1.0, 1.0, 2.0)):
        x, zs = np.random.default_rng(k).random((4, 3)), np.array([1.0, z, 2.0])
        with np.errstate(all="ignore"):
            assert_same(ours.one(x, seen[0]), theirs.one(x, seen[1]))
            assert_same(ours.two(zs, rngs[0]), theirs.two(zs, rngs[1]))
        assert_same([ours.state(), seen[0]], [theirs.state(), seen[1]])
        if np.isnan(z):  # the weights are NaN from now on: start again
            for training in (ours, theirs):
                for p in (training.w, training.v):
                    p.data[...] = 1.0
    assert rngs[0].bit_generator.state == rngs[1].bit_generator.state
    assert programs(ours.one) == programs(ours.two) == 1


def test_conditions_and_random_numbers_after_an_update_are_refused():
    ours = Adversaries(OPTIMIZERS["SGD"], lambda f: f)
    compiled, arguments = tg.compile(ours.step), (np.ones((4, 3)), np.ones(3), np.zeros(2), np.random.default_rng(0))
    compiled(*arguments)
    compiled(*arguments)  # from now on, there are gradients of an earlier call
    with pytest.raises(tg.CompileError, match=r"test_two_updates.py.*after an update.*as two functions"):
        compiled(*arguments)


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

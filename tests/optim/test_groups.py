"""Parameter groups: each has its own options, and together they are one optimizer."""
# ruff: noqa: E501  (tables with one row per line)

import copy
import pickle

import numpy as np
import pytest
from optim.kinds import EACH

import tensorgrad as tg
from tensorgrad.optim import EMA, SGD, Adam, AdamW, Optimizer, Rprop, clip_grad_norm

WAYS = {  # to give the parameters "w", "b", "s" and "e" in two groups
    "dicts": lambda ps: ({"w": ps["w"], "s": ps["s"]}, {"b": ps["b"], "e": ps["e"]}),
    "lists": lambda ps: ([ps["w"], ps["s"]], (ps["b"], ps["e"])),
    "generators": lambda ps: ((ps[name] for name in "ws"), (ps[name] for name in "be")),
}


def leaf(*values):
    return tg.Tensor(np.array(values, float), requires_grad=True)


def two(kind=SGD, own=(), **options):
    """An optimizer with two groups of one parameter each; the second has options of its own."""
    return kind([{"params": leaf(1.0, -2.0)}, {"params": leaf(3.0), **dict(own)}], **options)


# ------------------------------------------------------------------------------------------------ a step


@EACH
@pytest.mark.parametrize("way", WAYS)
def test_groups_step_as_optimizers_of_their_own(leaves, run, kind, chosen, way):
    """One group has other options; the gradient of each element depends on this element only."""
    one, other = leaves(), leaves()
    own = {"lr": 0.03} if kind is not Rprop else {"etas": (0.3, 1.5)}
    first, second = WAYS[way](one)
    grouped = kind([{"params": first}, {"params": second, **own}], **chosen)
    apart = [kind({n: other[n] for n in "ws"}, **chosen), kind({n: other[n] for n in "be"}, **(chosen | own))]
    run(grouped, range(5))
    for optimizer in apart:
        run(optimizer, range(5))
    for name in one:
        np.testing.assert_array_equal(one[name].data, other[name].data)


@EACH
def test_a_resumed_run_is_the_same_run(leaves, run, tmp_path, kind, chosen):
    def grouped(params):
        return kind([{"params": {n: params[n] for n in names}} for names in ("ws", "be")], **chosen)

    whole = leaves()
    uninterrupted = grouped(whole)
    run(uninterrupted, range(8))
    part = leaves()
    optimizer = grouped(part)
    run(optimizer, range(3))
    tg.save(tmp_path / "optimizer.npz", optimizer.state_dict())
    state = tg.load(tmp_path / "optimizer.npz").arrays
    for resumed in (grouped(part), kind(part, **chosen)):  # a state does not depend on the groups
        resumed.load_state_dict(state)
    resumed = grouped(part)
    resumed.load_state_dict(state)
    run(resumed, range(3, 8))
    for name in whole:
        np.testing.assert_array_equal(part[name].data, whole[name].data)
    np.testing.assert_equal(resumed.state_dict(), uninterrupted.state_dict())


def test_a_state_that_does_not_fit_changes_no_group(run):
    optimizer = two(SGD, lr=0.1, momentum=0.9)
    run(optimizer, range(2))
    before = optimizer.state_dict()
    with pytest.raises(tg.CheckpointError, match="'1'"):
        optimizer.load_state_dict({"0": np.zeros(2), "1": np.zeros(5)})
    for name, velocity in optimizer.state_dict().items():
        np.testing.assert_array_equal(velocity, before[name])


def test_a_refused_step_changes_no_group():
    optimizer = two(SGD, lr=0.1)
    first, second = optimizer.params.values()
    first.grad, second.grad = np.ones(2), np.ones(3)
    with pytest.raises(tg.ShapeError, match="'1' has shape"):
        optimizer.step()
    np.testing.assert_array_equal(first.data, [1, -2])


def test_numbering_continues_from_group_to_group():
    a, b, c, d = (leaf(i) for i in range(4))
    optimizer = SGD([{"params": [a, b]}, {"params": {"bias": c}}, {"params": d}])
    assert list(optimizer.params) == ["0", "1", "bias", "3"]
    assert [list(group.params) for group in optimizer.param_groups] == [["0", "1"], ["bias"], ["3"]]


def test_functions_of_parameters_accept_those_of_all_groups():
    optimizer = two(SGD, lr=1.0)
    first, second = optimizer.params.values()
    first.grad, second.grad = np.array([3.0, 0.0]), np.array([4.0])
    assert clip_grad_norm(optimizer.params, 1.0) == 5
    ema = EMA(optimizer.params, decay=0.5)
    optimizer.step()
    ema.update()
    np.testing.assert_allclose(ema.averages["1"], [3 - 0.4], rtol=1e-6)
    optimizer.zero_grad()
    assert first.grad is second.grad is None


# ------------------------------------------------------------------------------------------------ options


def test_options_are_those_of_the_constructor_unless_a_group_has_its_own():
    optimizer = two(AdamW, {"betas": (0.5, 0.6), "weight_decay": 0.0}, lr=0.1, amsgrad=True)
    first, second = optimizer.param_groups
    assert (first.lr, first.betas, first.weight_decay, first.amsgrad) == (0.1, (0.9, 0.999), 0.01, True)
    assert (second.lr, second.betas, second.weight_decay, second.amsgrad) == (0.1, (0.5, 0.6), 0.0, True)
    by_position = SGD([{"params": leaf(1.0), "momentum": 0.5}, {"params": leaf(1.0)}], 0.1, 0.9)
    assert [(group.lr, group.momentum) for group in by_position.param_groups] == [(0.1, 0.5), (0.1, 0.9)]


def test_an_option_that_all_groups_share_is_one_of_the_optimizer():
    optimizer = two(SGD, {"weight_decay": 0.1}, lr=0.5, momentum=0.9)
    assert (optimizer.lr, optimizer.momentum) == (0.5, 0.9)
    optimizer.lr = 0.25
    assert [group.lr for group in optimizer.param_groups] == [0.25, 0.25]
    optimizer.param_groups[0].weight_decay = 0.1
    assert optimizer.weight_decay == 0.1


def test_an_option_that_differs_between_groups_is_refused_with_a_remedy():
    optimizer = two(SGD, {"lr": 0.1}, lr=0.5)
    with pytest.raises(
        AttributeError, match=r"several values of 'lr', \[0.5, 0.1\]: read optimizer.param_groups\[i\].lr$"
    ):
        _ = optimizer.lr
    with pytest.raises(
        AttributeError, match=r"set optimizer.param_groups\[i\].lr, or write optimizer.scale_lr\(factor\)"
    ):
        optimizer.lr = 0.3
    assert [group.lr for group in optimizer.param_groups] == [0.5, 0.1]
    with pytest.raises(AttributeError, match="'nothing'"):
        _ = optimizer.nothing


def test_an_optimizer_is_its_only_group():
    optimizer = SGD([leaf(1.0)], lr=0.5)
    assert optimizer.param_groups == [optimizer]
    assert SGD([{"params": leaf(1.0)}], lr=0.5).lr == 0.5


@pytest.mark.parametrize("optimizer", [SGD([leaf(1.0)], lr=0.5), two(SGD, {"lr": 0.1}, lr=0.5)], ids=["one", "two"])
def test_schedules_scale_the_rate_of_each_group(optimizer):
    schedule = tg.schedules.exponential(0.5)
    initial = [group.lr for group in optimizer.param_groups]
    for update in range(4):
        optimizer.scale_lr(schedule(update))
        assert [group.lr for group in optimizer.param_groups] == [lr * 0.5**update for lr in initial]


def test_a_user_defined_optimizer_accepts_groups():
    class Sign(Optimizer):
        def __init__(self, params, lr=0.5, power=1, **options):
            super().__init__(params, lr, **options)
            self.power = power

        def _update(self, p, d, state, *scratch):
            self._descend(p, self.lr * np.sign(d) ** self.power)

    optimizer = two(Sign, {"lr": 0.25, "weight_decay": 0.0}, power=2, weight_decay=0.0, maximize=True)
    for p in optimizer.params.values():
        p.grad = np.full(p.shape, -7.0)
    optimizer.step()
    np.testing.assert_array_equal(optimizer.params["0"].data, [0.5, -2.5])
    np.testing.assert_array_equal(optimizer.params["1"].data, [2.75])
    assert optimizer.maximize
    assert optimizer.weight_decay == 0
    assert isinstance(Optimizer([{"params": leaf(1.0)}], 0.5), Optimizer)


def test_copies():
    for optimizer in (SGD([leaf(1.0)], lr=0.5, momentum=0.9), two(SGD, {"lr": 0.1}, lr=0.5, momentum=0.9)):
        for clone in (copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))):
            other = clone(optimizer)
            assert [group.lr for group in other.param_groups] == [group.lr for group in optimizer.param_groups]
            assert other.params.keys() == optimizer.params.keys()


SAME = leaf(1.0)
REFUSED = {
    "unknown option": (lambda: two(SGD, {"learning_rate": 1}), TypeError,
                       r"group 1 has unknown options 'learning_rate': those of SGD are lr, momentum, dampening, "),
    "of another": (lambda: two(SGD, {"betas": (0, 0)}), TypeError, "unknown options 'betas'"),
    "wrong value": (lambda: two(Adam, {"lr": -1}), ValueError, r"lr must be in \[0, inf\), got -1"),
    "wrong together": (lambda: two(SGD, {"nesterov": True}), ValueError, "nesterov requires momentum"),
    "in two groups": (lambda: SGD([{"params": {"a": SAME}}, {"params": {"b": SAME}}]), ValueError, "'b' is in two groups"),
    "twice in one": (lambda: SGD([{"params": [SAME, SAME]}]), ValueError, "the same parameter was given twice"),
    "one name": (lambda: SGD([{"params": {"w": leaf(1.0)}}, {"params": {"w": leaf(1.0)}}]), ValueError,
                 "two parameter groups have a parameter 'w': rename one"),
    "no params": (lambda: SGD([{"params": leaf(1.0)}, {"lr": 0.1}]), TypeError, "group 1 must be a dict with the key 'params'"),
    "mixed": (lambda: SGD([{"params": leaf(1.0)}, leaf(1.0)]), TypeError, "group 1 must be a dict with the key 'params'"),
    "empty": (lambda: SGD([{"params": leaf(1.0)}, {"params": []}]), ValueError, "group 1 has no parameters"),
    "no tensor": (lambda: SGD([{"params": [1.0]}]), TypeError, "'0' must be a leaf Tensor"),
    "one dict": (lambda: SGD({"params": [leaf(1.0)], "lr": 0.1}), TypeError, "'params'.*: optimizers take parameter groups as a list of dicts"),
    "generator": (lambda: SGD({"params": [p]} for p in [leaf(1.0)]), TypeError, "optimizers take parameter groups as a list of dicts"),
    "too many": (lambda: SGD([{"params": leaf(1.0)}], 0.1, 0.9, 7), TypeError, "positional"),
    "unknown to all": (lambda: SGD([{"params": leaf(1.0)}], rate=0.1), TypeError, "'rate'"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_groups_are_refused(name):
    call, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        call()

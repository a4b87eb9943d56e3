"""The state of an optimizer: a resumed run is the same run, and a state that does not fit is refused."""

import numpy as np
import pytest
from optim.kinds import EACH
from optim.values import assert_same, values

import tensorgrad as tg
from tensorgrad.optim import SGD, Adam


@EACH
def test_a_resumed_run_is_the_same_run(leaves, run, tmp_path, kind, chosen):
    whole = leaves()
    run(kind(whole, **chosen), range(10))

    first = leaves()
    optimizer = kind(first, **chosen)
    run(optimizer, range(4))
    state = optimizer.state_dict()
    tg.save(tmp_path / "optimizer.npz", state)
    second = {name: tg.Tensor(p.data.copy(), requires_grad=True) for name, p in first.items()}
    resumed = kind(second, **chosen)
    resumed.load_state_dict(tg.load(tmp_path / "optimizer.npz").arrays)
    resumed.load_state_dict(state)
    for entry in state.values():
        entry[...] = 77  # copies, both ways
    run(resumed, range(4, 10))
    assert_same(second, values(whole))


def test_a_state_of_sgd_is_its_velocities_by_parameter(leaves, run):
    optimizer = SGD(leaves(), 0.1, momentum=0.9)
    run(optimizer, range(1))
    assert {name: v.shape for name, v in optimizer.state_dict().items()} == {
        name: p.shape for name, p in leaves().items()
    }


def test_states_that_do_not_fit(leaves, run):
    params = leaves()
    optimizer = SGD(params, 0.1, momentum=0.9)
    for state in (
        {"x": np.ones(2)},
        {"w": np.ones(2)},
        {"b": np.ones((2, 1))},
        {"w": np.float64(1)},
        {"b": ["a", "b"]},
    ):
        with pytest.raises(tg.CheckpointError, match=next(iter(state))):
            optimizer.load_state_dict(state)
    assert optimizer.state_dict() == {}

    optimizer = Adam(params)
    run(optimizer, range(1))
    good = optimizer.state_dict()
    fresh = Adam(params)
    for spoilt, message in [
        ({k: v for k, v in good.items() if k != "exp_avg.w"}, "'w' lacks exp_avg"),
        ({k: v for k, v in good.items() if k != "step.b"}, "'b' lacks step"),
        (good | {"step.b": np.ones(2)}, "step.b"),
        (good | {"exp_avg_sq.b": np.ones(3)}, "exp_avg_sq.b"),
        (good | {"velocity.b": np.ones(2)}, "velocity.b"),
        (Adam(params, amsgrad=True), "lacks max_exp_avg_sq"),
    ]:
        target, state = (spoilt, good) if isinstance(spoilt, Adam) else (fresh, spoilt)
        with pytest.raises(tg.CheckpointError, match=message):
            target.load_state_dict(state)
    assert fresh.state_dict() == {}
    for name in params:
        fresh.load_state_dict({k: v for k, v in good.items() if not k.endswith(name)})  # one that had no update yet

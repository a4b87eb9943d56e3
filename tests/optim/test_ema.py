"""The moving average of weights, and its use in place of the weights."""

import threading
import tracemalloc
from contextlib import nullcontext

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.optim import EMA, SGD


@pytest.fixture
def params(leaves):
    return leaves()


def move(params, number):
    """New weights, as a step would leave them."""
    for p in params.values():
        p.data[...] = np.cos(p.data + number)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("warm_up", [False, True])
def test_average_against_the_formula(leaves, dtype, warm_up):
    params = leaves(dtype)
    ema = EMA(params, decay=0.3, warm_up=warm_up)
    expected = {name: p.data.astype(float) for name, p in params.items()}
    for t in range(1, 8):
        move(params, t)
        ema.update()
        decay = [2 / 11, 3 / 12, 0.3, 0.3, 0.3, 0.3, 0.3][t - 1] if warm_up else 0.3
        for name, p in params.items():
            expected[name] = decay * expected[name] + (1 - decay) * p.data.astype(float)
            assert ema.averages[name].dtype == dtype
            np.testing.assert_allclose(ema.averages[name], expected[name], rtol=1e-5 if dtype == np.float32 else 1e-13)
    assert ema.updates == 7


def test_known_numbers():
    p = tg.Tensor([1.0], requires_grad=True)
    ema = EMA(p, decay=0.75)
    p.data[:] = 5
    ema.update()
    np.testing.assert_array_equal(ema.averages["0"], [2])
    ema.update()
    np.testing.assert_array_equal(ema.averages["0"], [2.75])
    assert EMA(p).decay == 0.999


def test_an_update_allocates_nothing():
    ema = EMA([tg.Tensor(np.ones((100, 100)), requires_grad=True) for _ in range(3)])
    ema.update()
    tracemalloc.start()
    ema.update()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8000


def test_averages_replace_the_weights_inside_the_block(params):
    ema = EMA(params, decay=0.5)
    move(params, 1)
    ema.update()
    own = {name: p.data.copy() for name, p in params.items()}
    memory = {name: p.data for name, p in params.items()}
    for error in (None, KeyError, KeyboardInterrupt):
        with pytest.raises(error) if error else nullcontext(), ema.average_parameters():
            for name, p in params.items():
                assert p.data is memory[name]
                np.testing.assert_array_equal(p.data, ema.averages[name])
                assert p.requires_grad
            assert (params["w"].data != own["w"]).all()
            if error:
                raise error
        for name, p in params.items():
            assert p.data is memory[name]
            np.testing.assert_array_equal(p.data, own[name])
        move(params, 1)  # and the averages are arrays of their own
        own = {name: p.data.copy() for name, p in params.items()}
        ema.update()


def test_nothing_is_recorded_inside(params):
    ema = EMA(params)
    with ema.average_parameters():
        assert not np.sum(params["w"] * params["w"]).requires_grad
    assert np.sum(params["w"] * params["w"]).requires_grad
    with tg.no_grad():
        with ema.average_parameters():
            pass
        assert not np.sum(params["w"] * 2).requires_grad


def test_nested_blocks_of_averages(params):
    ema, other = EMA(params, decay=0.0), EMA(params, decay=0.0)
    first = params["w"].data.copy()
    move(params, 1)
    ema.update()
    second = ema.averages["w"].copy()
    move(params, 2)
    third = params["w"].data.copy()
    with ema.average_parameters():
        with other.average_parameters(), ema.average_parameters():
            np.testing.assert_array_equal(params["w"].data, second)
        np.testing.assert_array_equal(params["w"].data, second)
        with other.average_parameters():
            np.testing.assert_array_equal(params["w"].data, first)
    np.testing.assert_array_equal(params["w"].data, third)


def test_update_inside_is_refused(params):
    ema = EMA(params)
    with ema.average_parameters(), pytest.raises(RuntimeError, match="would use the averages"):
        ema.update()
    assert ema.updates == 0
    ema.update()


def test_a_pending_backward_pass_keeps_the_weights_it_began_with(params):
    ema = EMA(params, decay=0.0)
    move(params, 1)
    loss = np.sum(params["b"] ** 2)
    before = {name: p.data.copy() for name, p in params.items()}
    with ema.average_parameters():
        assert not np.array_equal(params["b"].data, before["b"])
    for name, p in params.items():
        np.testing.assert_array_equal(p.data, before[name])
    loss.backward()
    np.testing.assert_allclose(params["b"].grad, 2 * before["b"])
    ema.update()


def test_read_only_weights_are_refused_before_anything_changes(params):
    ema = EMA(params)
    move(params, 1)
    before = params["w"].data.copy()
    params["s"].data.flags.writeable = False
    with pytest.raises(ValueError, match="'s' is a read-only"), ema.average_parameters():
        raise AssertionError("not reached")
    np.testing.assert_array_equal(params["w"].data, before)
    ema.update()


def test_tensors_without_an_average():
    count, w = tg.Tensor([3, 4]), tg.Tensor([1.0])
    ema = EMA({"count": count, "w": w})
    assert ema.averages.keys() == {"w"}  # frozen, but a weight
    for params in ([], [count]):
        with pytest.raises(ValueError, match="nothing to average"):
            EMA(params)
    with pytest.raises(TypeError, match="'0'"):
        EMA([np.ones(2)])
    for decay in (1.0, -0.1, np.nan):
        with pytest.raises(ValueError, match="decay"):
            EMA(w, decay=decay)


@pytest.mark.parametrize("warm_up", [False, True])
def test_a_resumed_average_is_the_same_average(leaves, tmp_path, warm_up):
    def go(params, ema, numbers):
        for number in numbers:
            move(params, number)
            ema.update()

    params = leaves()
    whole = EMA(params, 0.9, warm_up)
    go(params, whole, range(3))
    tg.save(tmp_path / "ema.npz", whole.state_dict())
    state = whole.state_dict()
    resumed_params = leaves()
    for name, p in params.items():
        resumed_params[name].data[...] = p.data
    go(params, whole, range(3, 6))
    resumed = EMA(resumed_params, 0.9, warm_up)
    resumed.load_state_dict(tg.load(tmp_path / "ema.npz").arrays)
    resumed.load_state_dict(state)
    for entry in state.values():
        entry[...] = 77  # copies, both ways
    go(resumed_params, resumed, range(3, 6))
    for name in params:
        np.testing.assert_array_equal(resumed.averages[name], whole.averages[name])
    assert resumed.updates == whole.updates == 6


def test_states_that_do_not_fit(params):
    ema = EMA(params)
    ema.update()
    good = ema.state_dict()
    move(params, 1)
    for state, message in [
        ({}, "average.b, average.e, average.s, average.w, updates"),
        ({k: v for k, v in good.items() if k != "average.w"}, "average.w"),
        (good | {"average.x": np.ones(2)}, "average.x"),
        (good | {"average.b": np.ones(3)}, r"average.b has shape \(3,\), not \(2,\)"),
        (good | {"updates": np.ones(3)}, "updates has shape"),
    ]:
        with pytest.raises(tg.CheckpointError, match=message):
            ema.load_state_dict(state)
    np.testing.assert_array_equal(ema.averages["w"], good["average.w"])
    assert ema.updates == 1


def test_other_threads_still_record(params):
    ema, seen = EMA(params), []
    with ema.average_parameters():
        thread = threading.Thread(target=lambda: seen.append((tg.Tensor([1.0], requires_grad=True) * 2).requires_grad))
        thread.start()
        thread.join()
    assert seen == [True]


def test_in_a_loop():
    rng = np.random.default_rng(0)
    w = tg.Tensor([0.0], requires_grad=True)
    optimizer, ema = SGD([w], lr=0.5), EMA([w], decay=0.98, warm_up=True)
    last = []
    for _ in range(300):
        optimizer.zero_grad()
        (np.sum((w - 3 - rng.standard_normal()) ** 2) / 2).backward()
        optimizer.step()
        ema.update()
        last.append(w.item())
    with ema.average_parameters():
        assert abs(w.item() - 3) < 0.25
    assert np.std(last[100:]) > 0.4

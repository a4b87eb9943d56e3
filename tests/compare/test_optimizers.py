"""Optimizers over twenty steps, for every combination of their settings, and gradient clipping."""

import itertools
import math

import numpy as np
import pytest

import tensorgrad as tg
from compare.both import torch

pytestmark = pytest.mark.compare

SHAPES = [(3, 4), (5,), ()]
BETAS = [(0.9, 0.999), (0.5, 0.9), (0.0, 0.99), (0.9, 0.5)]

# fmt: off
SETTINGS = {
    "SGD":     {"lr": [0.1, 0.01], "momentum": [0, 0.9], "dampening": [0, 0.3], "weight_decay": [0, 0.05],
                "nesterov": [False, True], "maximize": [False, True]},
    "Adam":    {"lr": [1e-3, 0.1], "betas": BETAS, "eps": [1e-8, 1e-2], "weight_decay": [0, 0.05],
                "amsgrad": [False, True], "maximize": [False, True]},
    "AdamW":   {"lr": [1e-3, 0.1], "betas": BETAS, "eps": [1e-8, 1e-2], "weight_decay": [0, 0.05],
                "amsgrad": [False, True], "maximize": [False, True]},
    "RMSprop": {"lr": [1e-2], "alpha": [0.99, 0.5], "eps": [1e-8, 1e-2], "weight_decay": [0, 0.05],
                "momentum": [0, 0.9], "centered": [False, True], "maximize": [False, True]},
    "Adagrad": {"lr": [1e-2, 0.5], "lr_decay": [0, 0.1], "weight_decay": [0, 0.05],
                "initial_accumulator_value": [0, 0.3], "eps": [1e-10, 1e-2], "maximize": [False, True]},
    "Adamax":  {"lr": [2e-3, 0.1], "betas": BETAS, "eps": [1e-8, 1e-2], "weight_decay": [0, 0.05],
                "maximize": [False, True]},
    "Adadelta": {"lr": [1.0, 0.1], "rho": [0.9, 0.5], "eps": [1e-6, 1e-2], "weight_decay": [0, 0.05],
                 "maximize": [False, True]},
    "ASGD":    {"lr": [1e-2, 0.1], "lambd": [1e-4, 0.1], "alpha": [0.75, 0.5], "t0": [1e6, 3], "weight_decay": [0, 0.05],
                "maximize": [False, True]},
    "Rprop":   {"lr": [1e-2, 0.1], "etas": [(0.5, 1.2), (0.3, 1.5)], "step_sizes": [(1e-6, 50), (0.02, 0.05)],
                "maximize": [False, True]},
    "NAdam":   {"lr": [2e-3, 0.1], "betas": BETAS, "eps": [1e-8, 1e-2], "weight_decay": [0, 0.05],
                "momentum_decay": [4e-3, 0.5], "decoupled_weight_decay": [False, True], "maximize": [False, True]},
    "RAdam":   {"lr": [1e-3, 0.1], "betas": BETAS, "eps": [1e-8, 1e-2], "weight_decay": [0, 0.05],
                "decoupled_weight_decay": [False, True], "maximize": [False, True]},
}
# fmt: on


def combinations(name):
    for values in itertools.product(*SETTINGS[name].values()):
        chosen = dict(zip(SETTINGS[name], values, strict=True))
        if not chosen.get("nesterov") or (chosen["momentum"] and not chosen["dampening"]):
            yield chosen
    yield {"lr": 1e-3} if name == "SGD" else {}  # the defaults


@pytest.fixture(autouse=True)
def _wide_numbers():
    """PyTorch's NAdam stores a product in the default precision, whatever the dtype of its parameters."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_all_optimizers_are_compared():
    kinds = {name for name, kind in vars(tg.optim).items() if isinstance(kind, type)}
    assert kinds - {"Optimizer", "EMA"} == set(SETTINGS)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", SETTINGS)
def test_twenty_steps(name, dtype):
    """One parameter has no gradient in every third step."""
    rng = np.random.default_rng(0)
    tolerance = 1e-12 if dtype == np.float64 else 2e-5
    for chosen in combinations(name):
        start = [np.asarray(rng.standard_normal(shape), dtype) for shape in SHAPES]
        ours = [tg.Tensor(x.copy(), requires_grad=True) for x in start]
        theirs = [torch.tensor(x, requires_grad=True) for x in start]
        optimizers = getattr(tg.optim, name)(ours, **chosen), getattr(torch.optim, name)(theirs, **chosen)
        for step in range(20):
            for i, (p, q) in enumerate(zip(ours, theirs, strict=True)):
                p.grad, q.grad = None, None
                if i != 1 or step % 3 != 1:
                    noise = rng.standard_normal(p.shape)
                    p.grad = np.asarray(np.cos(q.detach().numpy() * (step + 1)) + 0.1 * step + noise, dtype)
                    q.grad = torch.tensor(p.grad)
            for optimizer in optimizers:
                optimizer.step()
        for p, q in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=tolerance, atol=tolerance, err_msg=str(chosen))


@pytest.mark.parametrize("name", SETTINGS)
def test_parameter_groups_with_a_schedule(name):
    """The second group has its own learning rate and option; a schedule scales both rates."""
    rng = np.random.default_rng(0)
    start = [rng.standard_normal(shape) for shape in SHAPES]
    chosen = next(combinations(name))
    own = {"lr": 3 * chosen["lr"]} | {
        key: values[-1] for key, values in SETTINGS[name].items() if key in ("betas", "weight_decay", "etas", "rho")
    }
    ours = [tg.Tensor(x.copy(), requires_grad=True) for x in start]
    theirs = [torch.tensor(x, requires_grad=True) for x in start]
    optimizer, other = (
        kind([{"params": params[:1]}, {"params": params[1:], **own}], **chosen)
        for kind, params in ((getattr(tg.optim, name), ours), (getattr(torch.optim, name), theirs))
    )
    schedule = tg.schedules.exponential(0.7)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(other, 0.7)
    for step in range(10):
        optimizer.scale_lr(schedule(step))
        for p, q in zip(ours, theirs, strict=True):
            p.grad = np.cos(q.detach().numpy() * (step + 1)) + 0.1 * step
            q.grad = torch.tensor(p.grad)
        optimizer.step()
        other.step()
        scheduler.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-12, atol=1e-12, err_msg=str((chosen, own)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.0, 0.5, math.inf])
def test_clipping(norm_type, dtype):
    rng = np.random.default_rng(0)
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    for most in (0.0, 0.1, 1.0, 5.0, 100.0):
        gradients = [np.asarray(rng.standard_normal(shape), dtype) for shape in SHAPES]
        ours = [tg.Tensor(np.zeros_like(g), requires_grad=True) for g in gradients]
        theirs = [torch.zeros(g.shape, dtype=torch.tensor(g).dtype, requires_grad=True) for g in gradients]
        for p, q, g in zip(ours, theirs, gradients, strict=True):
            p.grad, q.grad = g.copy(), torch.tensor(g)
        norm = tg.optim.clip_grad_norm(ours, most, norm_type)
        other = torch.nn.utils.clip_grad_norm_(theirs, most, norm_type).item()
        np.testing.assert_allclose(norm, other, rtol=tolerance)
        assert_same_gradients(ours, theirs, tolerance)
        tg.optim.clip_grad_value(ours, 0.05)
        torch.nn.utils.clip_grad_value_(theirs, 0.05)
        assert_same_gradients(ours, theirs, tolerance)


def assert_same_gradients(ours, theirs, tolerance):
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.grad, q.grad.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_clipping_of_what_is_not_finite(bad):
    p, q = tg.Tensor(np.zeros(3), requires_grad=True), torch.zeros(3, requires_grad=True, dtype=torch.float64)
    p.grad, q.grad = np.array([1, bad, 2.0]), torch.tensor([1, bad, 2.0], dtype=torch.float64)
    np.testing.assert_equal(tg.optim.clip_grad_norm(p, 1.0), torch.nn.utils.clip_grad_norm_(q, 1.0).item())
    np.testing.assert_equal(p.grad, q.grad.numpy())
    for problem in (lambda: tg.optim.clip_grad_norm(p, 1.0, error_if_nonfinite=True),
                    lambda: torch.nn.utils.clip_grad_norm_(q, 1.0, error_if_nonfinite=True)):  # fmt: skip
        with pytest.raises((ValueError, RuntimeError), match="finite"):
            problem()


def test_moving_average_of_weights():
    """PyTorch's AveragedModel first copies the weights, whereas EMA starts with the weights at its creation."""
    rng = np.random.default_rng(0)
    p = tg.Tensor(rng.standard_normal((3, 2)), requires_grad=True)
    model = torch.nn.Linear(2, 3, bias=False, dtype=torch.float64)
    model.weight.data = torch.tensor(p.data)
    averaged = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    averaged.update_parameters(model)
    ema = tg.optim.EMA([p], decay=0.9)
    for _ in range(10):
        p.data[...] = rng.standard_normal(p.shape)
        model.weight.data = torch.tensor(p.data)
        ema.update()
        averaged.update_parameters(model)
    np.testing.assert_allclose(ema.averages["0"], averaged.module.weight.detach().numpy(), rtol=1e-13)

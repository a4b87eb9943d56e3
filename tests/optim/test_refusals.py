"""Wrong settings and gradients raise errors, and a step that raises changes nothing."""

import math

import numpy as np
import pytest
from optim.kinds import EACH
from optim.values import assert_same, values

import tensorgrad as tg
from tensorgrad.optim import ASGD, SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, NAdam, RAdam, RMSprop, Rprop


@EACH
def test_float16_needs_an_eps_that_it_has(kind, chosen):
    """A gradient of 0 is not divided by an eps that was rounded to 0."""
    params = {"w": tg.Tensor([1.0], requires_grad=True), "h": tg.Tensor(np.ones(2, np.float16), requires_grad=True)}
    for p in params.values():
        p.grad = np.zeros_like(p.data)
    optimizer = kind(params, **chosen)
    if kind in (SGD, ASGD, Rprop):  # without a division
        optimizer.step()
        return
    with pytest.raises(ValueError, match=r"'h' is float16, in which eps=1e-\d+ underflows: use eps=1e-4, or float32"):
        optimizer.step()
    assert optimizer.state_dict() == {}
    kind(params, **(chosen | {"eps": 1e-4, "weight_decay": 0.0})).step()
    np.testing.assert_array_equal(params["h"].data, [1, 1])


def refuse_read_only(params):
    params["b"].data.flags.writeable = False
    return ValueError, "'b' is a read-only array"


def refuse_shape(params):
    params["b"].grad = np.ones(1)  # which would broadcast
    return tg.ShapeError, r"'b' has shape \(2,\), its \.grad \(1,\)"


def refuse_complex(params):
    params["b"].grad = np.ones(2, complex)
    return TypeError, "'b' is float64, its .grad complex128"


@pytest.mark.parametrize("spoil", [refuse_read_only, refuse_shape, refuse_complex])
@EACH
def test_a_refused_step_changes_nothing(leaves, kind, chosen, spoil):
    params = leaves()
    before = values(params)
    optimizer = kind(params, **chosen)
    for p in params.values():
        p.grad = np.ones(p.shape)
    error, message = spoil(params)
    with pytest.raises(error, match=message):
        optimizer.step()
    assert_same(params, before)
    assert optimizer.state_dict() == {}


@EACH
def test_a_step_leaves_pending_backward_passes_what_they_need(leaves, kind, chosen):
    params = leaves()
    before = values(params)
    pending = np.sum(params["b"] * params["b"])
    optimizer = kind(params, **chosen)
    for p in params.values():
        p.grad = np.ones(p.shape)
    optimizer.step()
    assert not np.array_equal(params["b"].data, before["b"])
    np.testing.assert_array_equal(tg.grad(pending, params["b"]), 2 * before["b"])


W = lambda: [tg.Tensor([1.0], requires_grad=True)]  # noqa: E731  (a cell of the table below)


REFUSED = [
    (SGD, lambda: [], {}, ValueError, "no parameters"),
    (Adam, lambda: {}, {}, ValueError, "no parameters"),
    (SGD, lambda: [np.ones(2)], {}, TypeError, "'0'"),
    (AdamW, lambda: {"w": W()[0] * 2}, {}, TypeError, "'w'.*leaf"),
    (SGD, lambda: W() * 2, {}, ValueError, "same parameter.*twice"),
    (SGD, W, {"lr": -0.1}, ValueError, r"lr.*-0\.1"),
    (SGD, W, {"lr": math.nan}, ValueError, "lr"),
    (Adam, W, {"lr": math.inf}, ValueError, "lr"),
    (SGD, W, {"momentum": 1.1}, ValueError, r"momentum.*\[0, 1\]"),
    (SGD, W, {"momentum": -0.5}, ValueError, "momentum"),
    (SGD, W, {"weight_decay": -1}, ValueError, "weight_decay"),
    (SGD, W, {"momentum": 0.5, "dampening": 1.5}, ValueError, "dampening"),
    (SGD, W, {"nesterov": True}, ValueError, "nesterov"),
    (SGD, W, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, ValueError, "nesterov.*dampening"),
    (Adam, W, {"betas": (1.0, 0.9)}, ValueError, r"betas\[0\].*1\.0"),
    (NAdam, W, {"betas": (0.9, -0.1)}, ValueError, r"betas\[1\]"),
    (RAdam, W, {"eps": -1e-8}, ValueError, "eps"),
    (NAdam, W, {"momentum_decay": -1}, ValueError, "momentum_decay"),
    (RMSprop, W, {"alpha": 1.0}, ValueError, "alpha"),
    (RMSprop, W, {"momentum": 1.5}, ValueError, "momentum"),
    (Adamax, W, {"betas": (0.9, 1.0)}, ValueError, r"betas\[1\]"),
    (Adadelta, W, {"rho": 1.5}, ValueError, r"rho.*\[0, 1\]"),
    (ASGD, W, {"lambd": -1}, ValueError, "lambd"),
    (ASGD, W, {"alpha": -1}, ValueError, "alpha"),
    (ASGD, W, {"t0": -1}, ValueError, "t0"),
    (Rprop, W, {"etas": (1.2, 0.5)}, ValueError, r"0 < eta_minus < 1 < eta_plus, got \(1.2, 0.5\)"),
    (Rprop, W, {"etas": (0.0, 1.2)}, ValueError, "etas"),
    (Rprop, W, {"step_sizes": (1.0, 0.1)}, ValueError, "step_sizes"),
    (Rprop, W, {"step_sizes": (-1.0, 0.1)}, ValueError, "step_sizes"),
    (Adagrad, W, {"lr_decay": -1}, ValueError, "lr_decay"),
    (Adagrad, W, {"initial_accumulator_value": -1}, ValueError, "initial_accumulator_value"),
]


@pytest.mark.parametrize(
    ("kind", "arguments", "settings", "error", "message"),
    REFUSED,
    ids=[f"{kind.__name__} {settings or message}" for kind, _, settings, _, message in REFUSED],
)
def test_wrong_settings_are_refused(kind, arguments, settings, error, message):
    with pytest.raises(error, match=message):
        kind(arguments(), **settings)

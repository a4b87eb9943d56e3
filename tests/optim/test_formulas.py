"""Every optimizer compared with its formula, computed from all gradients so far, and with numbers from PyTorch."""

import itertools

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.optim import ASGD, SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, NAdam, RAdam, RMSprop, Rprop


def mean(values, beta):
    """The running mean of values, with initial value 0, as a single sum."""
    return sum((1 - beta) * beta ** (len(values) - 1 - i) * value for i, value in enumerate(values))


def corrected(values, beta):
    """The same, divided by the sum of its coefficients."""
    return mean(values, beta) / sum((1 - beta) * beta**i for i in range(len(values)))


def squares(ds):
    return [d**2 for d in ds]


# Each takes the t gradients so far, with coupled weight decay, and returns the t-th step, which is subtracted.


def sgd(ds, lr=1e-3, momentum=0.0, dampening=0.0, nesterov=False):
    velocity = momentum ** (len(ds) - 1) * ds[0]
    velocity = velocity + sum((1 - dampening) * momentum ** (len(ds) - 1 - i) * ds[i] for i in range(1, len(ds)))
    return lr * (ds[-1] + momentum * velocity if nesterov else velocity if momentum else ds[-1])


def adam(ds, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, amsgrad=False):
    v = corrected(squares(ds), betas[1])
    if amsgrad:
        largest = np.max([mean(squares(ds[: i + 1]), betas[1]) for i in range(len(ds))], axis=0)
        v = largest / (1 - betas[1] ** len(ds))
    return lr * corrected(ds, betas[0]) / (np.sqrt(v) + eps)


def nadam(ds, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, momentum_decay=4e-3):
    mu = [betas[0] * (1 - 0.96 ** (t * momentum_decay) / 2) for t in range(1, len(ds) + 2)]
    now, ahead = np.prod(mu[:-1]), np.prod(mu)
    u = (1 - mu[-2]) / (1 - now) * ds[-1] + mu[-1] / (1 - ahead) * mean(ds, betas[0])
    return lr * u / (np.sqrt(corrected(squares(ds), betas[1])) + eps)


def radam(ds, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    t, most = len(ds), 2 / (1 - betas[1]) - 1
    rho = most - 2 * t * betas[1] ** t / (1 - betas[1] ** t)
    step = lr * corrected(ds, betas[0])
    if rho <= 5:
        return step
    r = np.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
    return step * r * np.sqrt(1 - betas[1] ** t) / (np.sqrt(mean(squares(ds), betas[1])) + eps)


def adagrad(ds, lr=1e-2, lr_decay=0.0, initial_accumulator_value=0.0, eps=1e-10):
    rate = lr / (1 + (len(ds) - 1) * lr_decay)
    return rate * ds[-1] / (np.sqrt(initial_accumulator_value + sum(squares(ds))) + eps)


def rmsprop(ds, lr=1e-2, alpha=0.99, eps=1e-8, momentum=0.0, centered=False):
    total = 0.0
    for t in range(1, len(ds) + 1):
        v = mean(squares(ds[:t]), alpha) - (mean(ds[:t], alpha) ** 2 if centered else 0)
        total = total + momentum ** (len(ds) - t) * ds[t - 1] / (np.sqrt(v) + eps)
    return lr * total


def adamax(ds, lr=2e-3, betas=(0.9, 0.999), eps=1e-8):
    t = len(ds)
    largest = np.max([betas[1] ** (t - 1 - i) * (np.abs(d) + eps) for i, d in enumerate(ds)], axis=0)
    return lr * corrected(ds, betas[0]) / largest


def adadelta(ds, lr=1.0, rho=0.9, eps=1e-6):
    steps = []
    for t in range(1, len(ds) + 1):
        u, v = mean(squares(steps), rho), mean(squares(ds[:t]), rho)
        steps.append(np.sqrt((u + eps) / (v + eps)) * ds[t - 1])
    return lr * steps[-1]


def rprop(ds, lr=1e-2, etas=(0.5, 1.2), step_sizes=(1e-6, 50.0)):
    size, kept = lr, np.zeros_like(ds[0])
    for d in ds:
        agree = np.sign(d) * kept
        size = np.clip(size * np.where(agree > 0, etas[1], np.where(agree < 0, etas[0], 1)), *step_sizes)
        kept = np.where(agree < 0, 0, np.sign(d))
    return size * kept


def asgd(ds, lr=1e-2, alpha=0.75, lambd=0.0, t0=1e6):
    return lr / (1 + lambd * lr * (len(ds) - 1)) ** alpha * ds[-1]


def settings(**choices):
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


BETAS = [(0.9, 0.999), (0.5, 0.8), (0.0, 0.9)]
DECAY, EPS, FLAG = [0.0, 0.05], [1e-8, 0.01], [False, True]
# fmt: off
TABLE = [
    # optimizer, formula, settings that may be combined
    (SGD, sgd, settings(lr=[0.1, 0.0], momentum=[0.0, 0.9], dampening=[0.0, 0.3], weight_decay=DECAY)),
    (SGD, sgd, settings(lr=[0.1], momentum=[0.9], nesterov=[True], weight_decay=DECAY, maximize=FLAG)),
    (Adam, adam, settings(lr=[0.1], betas=BETAS, eps=EPS, weight_decay=DECAY, amsgrad=FLAG, maximize=FLAG)),
    (AdamW, adam, settings(lr=[0.1], betas=BETAS, weight_decay=[0.0, 0.5], amsgrad=FLAG, maximize=FLAG)),
    (NAdam, nadam, settings(lr=[0.1], betas=BETAS, eps=EPS, weight_decay=DECAY, momentum_decay=[4e-3, 0.5],
                            decoupled_weight_decay=FLAG, maximize=FLAG)),
    (RAdam, radam, settings(lr=[0.1], betas=BETAS, eps=EPS, weight_decay=DECAY, decoupled_weight_decay=FLAG,
                            maximize=FLAG)),
    (Adagrad, adagrad, settings(lr=[0.5], lr_decay=[0.0, 0.2], weight_decay=DECAY, eps=[1e-10, 0.01],
                                initial_accumulator_value=[0.0, 0.3], maximize=FLAG)),
    (RMSprop, rmsprop, settings(lr=[0.1], alpha=[0.99, 0.5], eps=[1e-3, 0.1], weight_decay=DECAY, momentum=[0.0, 0.9],
                                centered=FLAG, maximize=FLAG)),
    (Adamax, adamax, settings(lr=[0.1], betas=BETAS, eps=EPS, weight_decay=DECAY, maximize=FLAG)),
    (Adadelta, adadelta, settings(lr=[1.0, 0.1], rho=[0.9, 0.5], eps=[1e-3, 0.1], weight_decay=DECAY, maximize=FLAG)),
    (Rprop, rprop, settings(lr=[0.1], etas=[(0.5, 1.2), (0.3, 1.5)], step_sizes=[(1e-6, 50.0), (0.05, 0.2)],
                            maximize=FLAG)),
    (ASGD, asgd, settings(lr=[0.1], weight_decay=DECAY, lambd=[0.0], maximize=FLAG)),
]
# fmt: on
CASES = [  # with all choices of the other settings
    pytest.param(kind, formula, list(several), id=" ".join([kind.__name__, *(f"{k}={v}" for k, v in first)]))
    for kind, formula, choices in TABLE
    for first, several in itertools.groupby(
        [{"lr": 0.01} | ({"lambd": 0.0} if kind is ASGD else {}), *choices], lambda chosen: [*chosen.items()][:2]
    )
]


def by_formula(kind, formula, x, steps, gradient, weight_decay=None, maximize=False, decoupled_weight_decay=False, **k):
    if weight_decay is None:
        weight_decay = 0.01 if kind is AdamW else 0.0
    decoupled, ds = kind is AdamW or decoupled_weight_decay, []
    for step in range(steps):
        sign = -1 if maximize else 1
        ds.append(sign * gradient(step, x) + (0 if decoupled else weight_decay * x))
        x = x - (k["lr"] * weight_decay * x if decoupled else 0) - formula(ds, **k)
    return x


@pytest.mark.parametrize(("kind", "formula", "several"), CASES)
def test_steps_against_the_formula(leaves, gradient, run, kind, formula, several):
    begin = leaves()
    for chosen in several:
        expected = {name: by_formula(kind, formula, p.data, 8, gradient, **chosen) for name, p in begin.items()}
        for dtype, tolerance in ((np.float32, 1e-3), (np.float64, 1e-12)):  # these gradients increase differences
            params = leaves(dtype)
            run(kind(params, **chosen), range(8))
            for name, p in params.items():
                assert p.dtype == dtype
                message = f"{name} with {chosen}"
                np.testing.assert_allclose(p.data, expected[name], rtol=tolerance, atol=tolerance, err_msg=message)


# fmt: off
PYTORCH = [
    # After 8 steps from [1, -2], by torch 2.13 in float64.
    (SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.05},
     [0.39759586517878687, -2.0106237883677194]),
    (SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.05},
     [0.32551072396100433, -2.1225556032298627]),
    (Adam, {}, [0.9982808408497964, -1.9994914610371373]),
    (Adam, {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.05}, [0.7597266677337627, -1.909574881607563]),
    (Adam, {"lr": 0.1, "betas": (0.8, 0.6), "eps": 0.1, "amsgrad": True}, [0.8406984763581433, -1.9813963767407157]),
    (AdamW, {"lr": 0.1}, [0.8029209444031956, -1.9244002624115137]),
    (AdamW, {"lr": 0.1, "betas": (0.8, 0.6), "weight_decay": 0.5, "amsgrad": True},
     [0.6112774926164304, -1.2922015332847834]),
    (RMSprop, {}, [0.778800605004373, -1.9871599827421043]),
    (RMSprop, {"lr": 0.1, "alpha": 0.8, "eps": 0.1, "weight_decay": 0.05, "momentum": 0.9, "centered": True},
     [0.5236167388031735, -0.06916573388063088]),
    (Adagrad, {}, [0.9843763534843911, -1.997832334110267]),
    (Adagrad, {"lr": 0.5, "lr_decay": 0.2, "weight_decay": 0.05, "initial_accumulator_value": 0.3, "eps": 0.1},
     [0.47833759176584556, -1.6462035488148081]),
    (NAdam, {}, [0.9949582051329102, -2.0005724926826502]),
    (NAdam, {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.05, "momentum_decay": 0.5},
     [0.614251196206565, -1.986695602774629]),
    (NAdam, {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.5, "decoupled_weight_decay": True},
     [0.4669749216662543, -1.2940584899094785]),
    (RAdam, {}, [0.9998610161526, -1.9993733996463394]),
    (RAdam, {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.05}, [0.9071481308711371, -1.9291312349234513]),
    (RAdam, {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.5, "decoupled_weight_decay": True},
     [0.6467865375623806, -1.3317627939374361]),
    (Adamax, {}, [0.9972893718533223, -1.9980142132925862]),
    (Adamax, {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.05},
     [0.8256261457019308, -1.893943817194123]),
    (Adadelta, {}, [0.9871439465665777, -2.0041899829378247]),
    (Adadelta, {"lr": 0.5, "rho": 0.5, "eps": 0.1, "weight_decay": 0.05}, [0.38633327685688557, -1.8119886156416796]),
    (ASGD, {}, [0.965208949064598, -2.0167892129462]),
    (ASGD, {"lr": 0.1, "lambd": 0.1, "alpha": 0.5, "t0": 3.0, "weight_decay": 0.05},
     [0.5276372217680853, -1.9253964522298221]),
    (Rprop, {}, [0.9900799999999998, -1.9906]),
    (Rprop, {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (1e-6, 0.2)}, [0.910875, -1.859125]),
]
# fmt: on


@pytest.mark.parametrize(("kind", "chosen", "expected"), PYTORCH, ids=lambda x: getattr(x, "__name__", None))
def test_numbers_of_pytorch(run, kind, chosen, expected):
    p = tg.Tensor([1.0, -2.0], requires_grad=True)
    run(kind([p], **chosen), range(8))
    np.testing.assert_allclose(p.data, expected, rtol=1e-12)


def test_known_numbers():
    """One parameter computed by hand: p = 1, g = 0.5 at each step, lr 0.1, momentum 0.9, decay 0.1."""
    p = tg.Tensor([1.0], requires_grad=True)
    optimizer = SGD([p], lr=0.1, momentum=0.9, weight_decay=0.1)
    p.grad = np.array([0.5])
    optimizer.step()  # v = 0.6, p = 0.94
    np.testing.assert_allclose(p.data, [0.94], rtol=1e-15)
    optimizer.step()  # v = 0.54 + 0.594 = 1.134, p = 0.8266
    np.testing.assert_allclose(p.data, [0.8266], rtol=1e-14)


@pytest.mark.parametrize("weight_decay", [0.0, 1e-15, 0.1])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("changed", [{"momentum": 0.0}, {"momentum": 0.5}, {"dampening": 0.5}, {"maximize": True}])
def test_settings_of_sgd_that_change_between_updates(run, changed, nesterov, weight_decay):
    p, g = tg.Tensor([1.0, -2.0], requires_grad=True), np.array([0.5, 0.25])
    optimizer = SGD({"w": p}, lr=0.1, momentum=0.9, nesterov=nesterov, weight_decay=weight_decay)
    run(optimizer, range(3))
    for name, value in changed.items():
        setattr(optimizer, name, value)
    d = (-g if optimizer.maximize else g) + weight_decay * p.data
    v = optimizer.momentum * optimizer.state_dict()["w"] + (1 - optimizer.dampening) * d
    step = d if not optimizer.momentum else d + optimizer.momentum * v if nesterov else v
    expected = p.data - 0.1 * step
    p.grad = g
    optimizer.step()
    np.testing.assert_allclose(p.data, expected, rtol=1e-14)


def test_a_class_derived_from_sgd_is_given_the_direction_of_descent():
    given = []

    class Subclass(SGD):
        def _update(self, p, d, state, *scratch):
            given.append(d.copy())
            super()._update(p, d, state, *scratch)

    for momentum in (0.0, 0.9):
        p = tg.Tensor([1.0], requires_grad=True)
        p.grad = np.array([2.0])
        Subclass([p], lr=0.1, momentum=momentum, weight_decay=1e-16, maximize=True).step()
        np.testing.assert_allclose(p.data, [1.2])
    np.testing.assert_allclose(given, [[-2.0], [-2.0]])


@pytest.mark.parametrize("kind", [Adam, AdamW, Adamax, NAdam, RAdam, ASGD])
def test_each_parameter_counts_its_own_updates(run, kind):
    p, late = (tg.Tensor([1.0, -2.0], requires_grad=True) for _ in range(2))
    optimizer = kind([p, late], lr=0.1)
    for _ in range(3):
        p.grad = np.array([1.0, -0.5])
        optimizer.step()
    fresh = tg.Tensor([1.0, -2.0], requires_grad=True)
    run(kind([fresh], lr=0.1), range(2))
    p.grad = None
    optimizer.params = {"1": late}
    run(optimizer, range(2))
    np.testing.assert_array_equal(late.data, fresh.data)


def test_averaging_begins_after_t0(run):
    p = tg.Tensor([1.0, -2.0], requires_grad=True)
    optimizer = ASGD([p], lr=0.1, lambd=0.2, alpha=0.5, t0=3)
    seen = []
    for step in range(7):
        before = p.data.copy()
        run(optimizer, [step])
        eta = 0.1 / (1 + 0.2 * 0.1 * step) ** 0.5
        np.testing.assert_allclose(p.data, before * (1 - 0.2 * eta) - eta * (np.cos(before * (step + 1)) + 0.1 * step))
        seen.append(p.data.copy())
    np.testing.assert_allclose(optimizer.state_dict()["ax.0"], np.mean(seen[4:], axis=0))


def test_a_variance_that_rounding_makes_negative_is_zero():
    """PyTorch's centered RMSprop returns NaN there."""
    p = tg.Tensor(np.ones(50, np.float32), requires_grad=True)
    optimizer = RMSprop([p], lr=1e-9, alpha=0.1, centered=True)
    for _ in range(30):
        p.grad = np.linspace(0.1, 3, 50, dtype=np.float32)
        optimizer.step()
    state = optimizer.state_dict()
    assert (state["square_avg.0"] - state["grad_avg.0"] ** 2 < 0).any()
    assert np.isfinite(p.data).all()

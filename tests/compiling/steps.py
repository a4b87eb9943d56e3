"""Training steps to compile, and the comparison of a compiled function with the function itself."""

import warnings

import numpy as np

import tensorgrad as tg


class Training:
    """A small network, its optimizer, and a step as a method; two with the same seed start equal."""

    def __init__(self, optimizer=lambda params: tg.optim.SGD(params, 0.1, momentum=0.9), dtype=np.float32, rate=0.0):
        rng = np.random.default_rng(0)
        self.net = tg.nn.Sequential(
            {"hidden": tg.nn.Linear(6, 5, rng, dtype=dtype), "relu": tg.relu, "drop": tg.nn.Dropout(rate),
             "out": tg.nn.Linear(5, 3, rng, dtype=dtype)}
        )  # fmt: skip
        self.params = tg.nn.parameters(self.net)
        self.optimizer = optimizer(self.params)
        self.l2, self.clip, self.ema = 0.0, None, None

    def step(self, x, y, rng=None):
        """One step of training; returns the loss and the norm of the gradient."""
        loss = tg.cross_entropy(self.net(x, rng), y)
        if self.l2:
            loss = loss + self.l2 * sum(np.sum(p**2) for p in self.params.values())
        self.optimizer.zero_grad()
        loss.backward()
        norm = tg.optim.clip_grad_norm(self.params, self.clip) if self.clip else 0.0
        self.optimizer.step()
        if self.ema:
            self.ema.update()
        return loss.detach(), norm

    def state(self):
        """Copies of everything that a step changes."""
        arrays = [p.data for p in self.params.values()] + [p.grad for p in self.params.values() if p.grad is not None]
        arrays += list(self.optimizer.state_dict().values()) + (list(self.ema.averages.values()) if self.ema else [])
        return [np.array(array) for array in arrays]


def batch(k, n=8, dtype=np.float32):
    rng = np.random.default_rng(k)
    return rng.standard_normal((n, 6)).astype(dtype), rng.integers(0, 3, n)


def assert_same(a, b):
    """Two structures of arrays, tensors and numbers are equal, to the last bit, and of the same types."""
    assert type(a) is type(b)
    if isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, tg.Tensor):
        assert_same(a.data, b.data)
    elif isinstance(a, (np.ndarray, np.generic)):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    else:
        assert a == b or (a != a and b != b)


def programs(compiled):
    """How many programs a compiled function has recorded."""
    return sum(map(len, compiled._programs.values()))


def both(fn, calls):
    """A compiled function and the function itself on the same arguments; returns the compiled one."""
    compiled = tg.compile(fn)
    for args in calls:
        assert_same(outcome(compiled, *args), outcome(fn, *args))
    return compiled


def outcome(fn, *args):
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="warn"):
        warnings.simplefilter("always")
        result = fn(*args)
    return result, sorted({str(w.message) for w in caught})  # an abandoned replay may repeat one


def arrays(*shapes, n=5, dtype=float):
    rng = np.random.default_rng(0)
    return [tuple(rng.standard_normal(shape).astype(dtype) for shape in shapes) for _ in range(n)]


def gradient(f):
    """A function of an array that returns the value and the gradient."""

    def run(x):
        t = tg.Tensor(x, requires_grad=True)
        out = f(t)
        return out.detach(), tg.grad(out, t)

    return run

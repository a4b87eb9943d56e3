"""A function of arrays with tensorgrad and with PyTorch: values, gradients and second derivatives."""

from collections import Counter

import numpy as np
import pytest

import tensorgrad as tg

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

TOLERANCE = {np.float64: 1e-9, np.float32: 2e-3}


def t(x):
    """An array as a tensor of PyTorch."""
    return torch.as_tensor(x)


def directions(arrays, order):
    """Random weights for these arrays, the same for both libraries."""
    rng = np.random.default_rng([order, len(arrays)])
    return [np.asarray(rng.standard_normal(x.shape), x.dtype) for x in arrays]


def as_list(out):
    return list(out) if isinstance(out, (list, tuple)) else [out]


def as_array(x):
    """A tensor as an array; adding zeros converts PyTorch's symbolic zeros."""
    return (x.detach() + torch.zeros(x.shape, dtype=x.dtype)).numpy()


def by_tensorgrad(fn, arrays, order=2):
    """The values of ``fn``, then the gradients of their weighted sum, then those of the weighted sum of these, ..."""
    leaves = [tg.Tensor(x.copy(), requires_grad=True) for x in arrays]
    level = [out if isinstance(out, tg.Tensor) else tg.Tensor(out) for out in as_list(fn(*leaves))]
    found = [[x.data for x in level]]
    for k in range(order):
        seeds = directions(found[-1], k)
        tracked = [(x, seed) for x, seed in zip(level, seeds, strict=True) if x.requires_grad]
        gradients = [None] * len(leaves)
        if tracked:
            gradients = tg.grad([x for x, _ in tracked], leaves, [s for _, s in tracked], create_graph=k + 1 < order)
        level = [
            tg.Tensor(np.zeros_like(x)) if g is None else g if isinstance(g, tg.Tensor) else tg.Tensor(g)
            for g, x in zip(gradients, arrays, strict=True)
        ]
        found.append([x.data for x in level])
    return found


def by_torch(fn, arrays, order=2):
    """The same with PyTorch."""
    leaves = [torch.tensor(x, requires_grad=True) for x in arrays]
    level = as_list(fn(*leaves))
    found = [[as_array(x) for x in level]]
    for k in range(order):
        seeds = directions(found[-1], k)
        tracked = [(x, torch.tensor(seed)) for x, seed in zip(level, seeds, strict=True) if x.requires_grad]
        level = [torch.zeros_like(x) for x in leaves]
        if tracked:
            outputs, weights = zip(*tracked, strict=True)
            level = torch.autograd.grad(
                outputs, leaves, weights, create_graph=k + 1 < order, allow_unused=True, materialize_grads=True
            )
        found.append([as_array(x) for x in level])
    return found


class Met:
    """The compared functions, and the largest difference of each order, in float64."""

    def __init__(self):
        self.largest = [0.0, 0.0, 0.0]
        self.programs = 0
        self.calls = Counter()

    def program(self, names):
        self.programs += len(names) > 1
        self.calls.update(names)

    def __str__(self):
        longer = f"{self.programs} programs, {sum(self.calls.values())} calls of {len(self.calls)} functions"
        return longer + "; largest differences: values {:.1e}, gradients {:.1e}, second derivatives {:.1e}".format(
            *self.largest
        )


met = Met()


def distance(ours, theirs):
    """The largest difference, relative to the largest element, or to 1 if that is more."""
    difference = np.abs(np.asarray(ours, float) - theirs)
    return float(np.max(difference, initial=0) / max(1, np.max(np.abs(theirs), initial=0)))


def disagreements(ours, theirs, tolerance):
    """A description of the differences."""
    found = []
    for order, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        for i, (x, y) in enumerate(zip(mine, other, strict=True)):
            what = f"{('value', 'gradient', 'second derivative')[order]} {i}"
            if (x.shape, x.dtype) != (y.shape, y.dtype):
                found.append(f"{what}: {x.dtype} {x.shape}, PyTorch has {y.dtype} {y.shape}")
                continue
            far = distance(x, y)
            if far <= tolerance:
                if x.dtype == np.float64:
                    met.largest[order] = max(met.largest[order], far)
            else:
                found.append(f"{what}: differs by {far:.1e}\n{x}\nPyTorch:\n{y}")
    return found


def compare(ours, theirs, arrays, order=2, tolerance=None):
    """Raise AssertionError where the two differ."""
    dtype = arrays[0].dtype.type
    found = disagreements(
        by_tensorgrad(ours, arrays, order), by_torch(theirs, arrays, order), tolerance or TOLERANCE[dtype]
    )
    assert not found, "\n".join(found)

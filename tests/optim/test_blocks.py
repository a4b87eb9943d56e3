"""Parameters updated in blocks: the same numbers as without blocks, for any memory layout."""

import itertools
import tracemalloc

import numpy as np
import pytest
from optim.kinds import EACH

import tensorgrad as tg
from tensorgrad import blas
from tensorgrad.optim import SGD, Adam, optimizer

SHAPE = (100, 101)
LAYOUTS = {
    "C": lambda x: x.copy(),
    "F": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "transposed": lambda x: np.ascontiguousarray(x.transpose(1, 0)).transpose(1, 0),
}


@pytest.fixture(params=["numpy", pytest.param("blas", marks=pytest.mark.skipif(not blas.enabled(), reason="no BLAS"))])
def way(request, monkeypatch):
    if request.param == "numpy":
        monkeypatch.setattr(blas, "_routines", dict)
    return request.param


@pytest.fixture
def blocks_of(monkeypatch):
    """``blocks_of(elements)`` of float64."""
    return lambda elements: monkeypatch.setattr(optimizer, "BYTES", 8 * elements)


def trained(kind, chosen, layout="C", layout_of_gradient="C", between=lambda opt, p: opt):
    rng = np.random.default_rng(0)
    p = tg.Tensor(LAYOUTS[layout](rng.standard_normal(SHAPE)), requires_grad=True)
    opt = kind([p], **chosen)
    for step in range(8):
        p.grad = LAYOUTS[layout_of_gradient](np.cos(p.data * (step + 1)) + 0.1 * step)
        opt.step()
        if step == 5:
            opt = between(opt, p)
    return p.data


@EACH
def test_blocks_do_not_matter(way, blocks_of, kind, chosen):
    blocks_of(10**6)
    expected = trained(kind, chosen)
    for elements in (4000, 5050, 7000, 10_100):  # blocks of less than 2048 are updated without BLAS
        blocks_of(elements)
        np.testing.assert_array_equal(trained(kind, chosen), expected, err_msg=f"{elements} elements")


@EACH
def test_layouts_do_not_matter(monkeypatch, blocks_of, kind, chosen):
    monkeypatch.setattr(blas, "_routines", dict)
    blocks_of(10**6)
    expected = trained(kind, chosen)
    blocks_of(3000)
    for layouts in list(itertools.product(LAYOUTS, LAYOUTS))[::3]:  # of the parameter, and of its gradient
        np.testing.assert_array_equal(trained(kind, chosen, *layouts), expected, err_msg=str(layouts))


@EACH
def test_a_resumed_run_is_the_same_run(way, blocks_of, kind, chosen):
    """Also for an optimizer that already has blocks of other arrays."""
    blocks_of(4096)

    def resumed(opt, p):
        other = kind([p], **chosen)
        kept = p.data.copy()
        p.grad = np.ones(SHAPE)
        other.step()
        p.data[...] = kept
        other.load_state_dict({key: np.array(x, order="C") for key, x in opt.state_dict().items()})
        return other

    for layout in LAYOUTS:
        expected = trained(kind, chosen, layout)
        np.testing.assert_array_equal(trained(kind, chosen, layout, between=resumed), expected, err_msg=layout)


@EACH
def test_arrays_that_are_replaced_between_steps(way, blocks_of, kind, chosen):
    blocks_of(4096)

    def replaced(opt, p):
        p.data = p.data.copy()
        return opt

    def replaced_state(opt, p):
        for state in opt._state.values():
            state.update({what: np.array(x) for what, x in state.items() if isinstance(x, np.ndarray)})
        return opt

    expected = trained(kind, chosen)
    np.testing.assert_array_equal(trained(kind, chosen, between=replaced), expected)
    np.testing.assert_array_equal(trained(kind, chosen, between=replaced_state), expected)


@EACH
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_step_in_blocks_allocates_nothing(way, blocks_of, kind, chosen, order):
    blocks_of(3000)
    p = tg.Tensor(np.ones(SHAPE, order=order), requires_grad=True)
    opt = kind([p], **chosen)
    p.grad = np.ones_like(p.data)
    for _ in range(8):
        opt.step()
    tracemalloc.start()
    opt.step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8000  # a block is 24,000 bytes


@EACH
@pytest.mark.parametrize(
    "gradient_in",
    [lambda m: m[1:], lambda m: m[:-1], lambda m: m[:-1][::-1]],
    ids=["one element on", "the same", "reversed"],
)
def test_a_gradient_in_the_memory_of_its_parameter(way, blocks_of, kind, chosen, gradient_in):
    blocks_of(3000)
    results = []
    for copied in (False, True):
        memory = np.random.default_rng(0).standard_normal(10_001)
        p = tg.Tensor(memory[:-1], requires_grad=True)
        p.grad = gradient_in(memory).copy() if copied else gradient_in(memory)
        kind([p], **chosen).step()
        results.append(p.data)
    np.testing.assert_allclose(*results, rtol=1e-14, atol=1e-15)  # NumPy takes what a BLAS cannot


def test_momentum_that_is_set_between_steps(blocks_of):
    blocks_of(3000)
    p = tg.Tensor(np.zeros(SHAPE), requires_grad=True)
    opt = SGD([p], 0.5, dampening=0.5)
    p.grad = np.ones(SHAPE)
    opt.step()
    opt.momentum = 0.5
    opt.step()  # the velocity begins as the gradient
    opt.step()
    np.testing.assert_array_equal(p.data, np.full(SHAPE, -1.5))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_decay_that_a_factor_would_round_away(monkeypatch, dtype):
    """``1 - lr * weight_decay`` is 1 in this precision; in a sum with the gradient, the decay still counts."""
    monkeypatch.setattr(blas, "_routines", dict)
    eps = float(np.finfo(dtype).eps)
    lr, decay = 0.5, eps / 4
    x, g = np.full(5000, 3, dtype), np.full(5000, eps, dtype)
    p = tg.Tensor(x.copy(), requires_grad=True)
    p.grad = g
    SGD([p], lr, weight_decay=decay).step()
    np.testing.assert_array_equal(p.data, x - (g + x * decay) * lr)


def test_large_parameters_are_cut_and_small_ones_are_not():
    large, small = (tg.Tensor(np.ones(n, np.float32), requires_grad=True) for n in (300_000, 10))
    opt = Adam([large, small])
    large.grad, small.grad = np.ones(300_000, np.float32), np.ones(10, np.float32)
    opt.step()
    assert [opt._blocks[name].cut for name in "01"] == [True, False]
    kept = opt._blocks["0"].views
    opt.step()
    assert opt._blocks["0"].views is kept

"""Shapes, axes, joining and splitting."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from compare.both import t, torch
from compare.op import Op, both, given, numbers, partner, with_axis

F = torch.nn.functional


def flat(parts):
    """Several results as one, with different weights."""
    return np.concatenate([np.ravel(part) * (k + 1) for k, part in enumerate(parts)])


def flat_t(parts):
    return torch.cat([part.reshape(-1) * (k + 1) for k, part in enumerate(parts)])


# ------------------------------------------------------------------------------------------------------------- arguments


def new_shape(p, x):
    factors, left = [], x.size
    while left > 1 and len(factors) < 2:
        factors.append(p.draw(st.sampled_from([n for n in range(1, left + 1) if left % n == 0])))
        left //= factors[-1]
    shape = [*factors, left]
    if p.draw(st.booleans()):
        shape[p.draw(st.integers(0, len(shape) - 1))] = -1
    return [], {"shape": tuple(shape)}


def order_of_axes(p, x):
    return [], {"axes": tuple(p.draw(st.permutations(range(x.ndim))))}


def two_axes(p, x):
    axis = st.integers(-x.ndim, x.ndim - 1)
    return [], {"a": p.draw(axis), "b": p.draw(axis)}


def two_different(p, x):
    a, b = p.draw(st.permutations(range(x.ndim)))[:2]
    return [], {"a": a - x.ndim if p.draw(st.booleans()) else a, "b": b}


def some_axes(p, x):
    return [], {"axes": p.draw(hnp.valid_tuple_axes(x.ndim, min_size=0) if x.ndim else st.just(()))}


def larger_shape(p, x):
    grown = tuple(p.draw(st.integers(1, 3)) if n == 1 else n for n in x.shape)
    return [], {"shape": tuple(p.draw(st.lists(st.integers(1, 2), max_size=3 - x.ndim))) + grown}


def shifts(p, x):
    axes = p.draw(hnp.valid_tuple_axes(x.ndim, min_size=1))
    return [], {"axes": axes, "shift": tuple(p.draw(st.integers(-4, 4)) for _ in axes)}


def copies(p, x):
    return [], {"reps": tuple(p.draw(st.integers(1, 2)) for _ in range(max(1, x.ndim)))}


def counts(p, x):
    params = with_axis(p, x)[1]
    each = numbers(p, x.shape[params["axis"]], 0, 3)
    return [], params | {"repeats": each if each.any() else 2}


def margins(p, x):
    return [], {"widths": tuple((p.draw(st.integers(0, 2)), p.draw(st.integers(0, 2))) for _ in range(x.ndim))}


def window(p, x):
    params = with_axis(p, x)[1]
    return [], params | {"size": p.draw(st.integers(1, x.shape[params["axis"]]))}


def beside(p, x):
    """Arrays that differ in one axis."""
    params = with_axis(p, x)[1]
    shape = list(x.shape)
    shape[params["axis"]] = p.draw(st.integers(1, 2))
    return [p.another(shape)], params


def of_same_shape(p, x):
    return [p.another(x.shape)], {"axis": p.draw(st.integers(-x.ndim - 1, x.ndim))}


def column(p, x):
    return [p.another((x.shape[0], p.draw(st.integers(1, 2))))], {}


def cut(p, x):
    params = with_axis(p, x)[1]
    return [], params | {"at": p.draw(st.integers(1, 3))}


def one_place(p, x):
    params = with_axis(p, x)[1]
    return [], params | {"at": p.draw(st.integers(0, x.shape[params["axis"]] - 1))}


def pad_t(mode):
    """Padding along each axis by indices, as in the definition."""

    def places(n, before, after):
        k = np.arange(-before, n + after)
        if mode == "edge":
            return np.clip(k, 0, n - 1)
        if mode == "wrap":
            return k % n
        period = 2 * n if mode == "symmetric" else max(2 * n - 2, 1)
        k = k % period
        return np.where(k < n, k, period - (mode == "symmetric") - k)

    def pad(x, widths):
        for axis, (before, after) in enumerate(widths):
            x = torch.index_select(x, axis, t(places(x.shape[axis], before, after)))
        return x

    return pad


def insert_t(x, y, at, axis):
    return torch.cat([x.narrow(axis, 0, at), y.unsqueeze(axis), x.narrow(axis, at, x.shape[axis] - at)], axis)


def delete_t(x, at, axis):
    return torch.cat([x.narrow(axis, 0, at), x.narrow(axis, at + 1, x.shape[axis] - at - 1)], axis)


def slab(p, x):
    params = one_place(p, x)[1]
    return [p.another(np.delete(np.array(x.shape), params["axis"]).tolist())], params


# fmt: off
SHAPES = [
    Op("reshape",      np.reshape,                  torch.reshape,              new_shape),
    Op("reshape F",    lambda x, shape: np.reshape(x, shape, order="F"), lambda x, shape: x.permute(tuple(range(x.ndim))[::-1]).reshape(tuple(shape[::-1])).permute(tuple(range(len(shape)))[::-1]), new_shape),
    Op("ravel",        np.ravel,                    lambda x: x.reshape(-1)),
    Op("flatten",      lambda x: x.flatten(),       lambda x: x.flatten()),
    Op("copy",         np.copy,                     torch.clone),
    Op("astype",       lambda x: np.astype(x, np.float32).astype(x.dtype), lambda x: x.to(torch.float32).to(x.dtype)),
    Op("full_like",    lambda x: x * np.full_like(x, 2) + np.ones_like(x) + np.zeros_like(x), lambda x: x * torch.full_like(x, 2) + torch.ones_like(x) + torch.zeros_like(x)),
    Op("expand_dims",  np.expand_dims,              lambda x, axis: x.unsqueeze(axis), with_axis),
    Op("squeeze",      np.squeeze,                  lambda x: x.squeeze()),
    Op("atleast_1d",   np.atleast_1d,               torch.atleast_1d),
    Op("atleast_2d",   np.atleast_2d,               torch.atleast_2d),
    Op("atleast_3d",   np.atleast_3d,               torch.atleast_3d),
    Op("broadcast_to", np.broadcast_to,             lambda x, shape: x.broadcast_to(shape), larger_shape),
    Op("broadcast_arrays", lambda x, y: np.multiply(*np.broadcast_arrays(x, y)), lambda x, y: torch.mul(*torch.broadcast_tensors(x, y)), lambda p, x: ([p.another(partner(p.draw, x.shape))], {})),
    Op("transpose",    np.transpose,                lambda x, axes: x.permute(axes), order_of_axes),
    Op(".T",           lambda x: x.T,               lambda x: x.permute(tuple(range(x.ndim))[::-1])),
    Op("swapaxes",     lambda x, a, b: np.swapaxes(x, a, b), lambda x, a, b: torch.swapaxes(x, a, b), two_axes, ndim=(1, 3)),
    Op("moveaxis",     lambda x, a, b: np.moveaxis(x, a, b), lambda x, a, b: torch.moveaxis(x, a, b), two_axes, ndim=(1, 3)),
    Op("rollaxis",     lambda x, axis: np.rollaxis(x, axis), lambda x, axis: torch.moveaxis(x, axis, 0), with_axis),
    Op("matrix_transpose", np.matrix_transpose,     lambda x: x.mT,             ndim=(2, 3)),
    Op("flip",         lambda x, axes: np.flip(x, axes), lambda x, axes: torch.flip(x, axes), some_axes),
    Op("fliplr flipud", lambda x: np.fliplr(np.flipud(x)), lambda x: torch.fliplr(torch.flipud(x)), ndim=(2, 3)),
    Op("roll",         lambda x, shift, axes: np.roll(x, shift, axes), lambda x, shift, axes: torch.roll(x, shift, axes), shifts, ndim=(1, 3)),
    Op("rot90",        lambda x, a, b, k: np.rot90(x, k, (a, b)), lambda x, a, b, k: torch.rot90(x, k, (a, b)), both(two_different, given(k=[-1, 0, 1, 2, 3])), ndim=(2, 3)),
    Op("diagonal",     lambda x, a, b, k: np.diagonal(x, k, a, b), lambda x, a, b, k: torch.diagonal(x, k, a, b), both(two_different, given(k=[-1, 0, 1])), ndim=(2, 3)),
    Op("trace",        lambda x, a, b, k: np.trace(x, k, a, b), lambda x, a, b, k: torch.diagonal(x, k, a, b).sum(-1), both(two_different, given(k=[-1, 0, 1])), ndim=(2, 3)),
    Op("diag",         np.diag,                     lambda x, k: torch.diag(x, k), given(k=[-1, 0, 1]), ndim=(1, 2)),
    Op("diagflat",     np.diagflat,                 torch.diagflat,             ndim=(0, 2)),
    Op("tril",         np.tril,                     lambda x, k: torch.tril(x, k), given(k=[-1, 0, 1]), ndim=(2, 3)),
    Op("triu",         np.triu,                     lambda x, k: torch.triu(x, k), given(k=[-1, 0, 1]), ndim=(2, 3)),
    Op("vander",       lambda x: np.vander(x, 4).astype(x.dtype),  lambda x: torch.stack([x**3, x**2, x, x**0], 1), ndim=(1, 1)),
    Op("meshgrid",     lambda x, y: flat(np.meshgrid(x, y)), lambda x, y: flat_t(torch.meshgrid(x, y, indexing="xy")), lambda p, x: ([p.another((2,))], {}), ndim=(1, 1)),
    Op("sliding_window_view", lambda x, size, axis: np.lib.stride_tricks.sliding_window_view(x, size, axis), lambda x, size, axis: x.unfold(axis, size, 1), window),
]

JOINING = [
    Op("concatenate",  lambda x, y, axis: np.concatenate([x, y, x], axis), lambda x, y, axis: torch.cat([x, y, x], axis), beside),
    Op("append",       np.append,                   lambda x, y, axis: torch.cat([x, y], axis), beside),
    Op("stack",        lambda x, y, axis: np.stack([x, y], axis), lambda x, y, axis: torch.stack([x, y], axis), of_same_shape, ndim=(0, 2)),
    Op("hstack",       lambda x, y, axis: np.hstack([x, y]), lambda x, y, axis: torch.hstack([x, y]), of_same_shape),
    Op("vstack",       lambda x, y, axis: np.vstack([x, y]), lambda x, y, axis: torch.vstack([x, y]), of_same_shape),
    Op("dstack",       lambda x, y, axis: np.dstack([x, y]), lambda x, y, axis: torch.dstack([x, y]), of_same_shape),
    Op("column_stack", lambda x, y: np.column_stack([x, y]), lambda x, y: torch.column_stack([x, y]), column, ndim=(1, 2)),
    Op("block",        lambda x, y: np.block([[x, y], [y, x]]), lambda x, y: torch.cat([torch.cat([x, y], 1), torch.cat([y, x], 1)], 0), column, ndim=(2, 2)),
    Op("tile",         np.tile,                     lambda x, reps: torch.tile(x, reps), copies),
    Op("resize",       lambda x: np.resize(x, (2, 5)), lambda x: x.reshape(-1)[torch.arange(10) % x.numel()].reshape(2, 5)),
    Op("repeat",       np.repeat,                   lambda x, repeats, axis: torch.repeat_interleave(x, t(repeats), axis), counts),
    *[Op(f"pad {mode}", lambda x, widths, mode=mode: np.pad(x, widths, mode), pad_t(mode), margins, ndim=(1, 3)) for mode in ("edge", "reflect", "symmetric", "wrap")],
    Op("pad",          lambda x, widths: np.pad(x, widths, constant_values=0.5), lambda x, widths: F.pad(x, [n for pair in widths[::-1] for n in pair], value=0.5), margins, ndim=(1, 3)),
    Op("array_split",  lambda x, at, axis: flat(np.array_split(x, at, axis)), lambda x, at, axis: flat_t(torch.tensor_split(x, at, axis)), cut),
    Op("split",        lambda x, at, axis: flat(np.split(x, [at], axis)), lambda x, at, axis: flat_t(torch.tensor_split(x, [at], axis)), cut),
    Op("hsplit",       lambda x: flat(np.hsplit(x, [1])), lambda x: flat_t(torch.hsplit(x, [1])), ndim=(1, 3)),
    Op("vsplit",       lambda x: flat(np.vsplit(x, [1])), lambda x: flat_t(torch.vsplit(x, [1])), ndim=(2, 3)),
    Op("dsplit",       lambda x: flat(np.dsplit(x, [1])), lambda x: flat_t(torch.dsplit(x, [1])), ndim=(3, 3)),
    Op("unstack",      lambda x, axis: flat(np.unstack(x, axis=axis)), lambda x, axis: flat_t(torch.unbind(x, axis)), with_axis),
    Op("insert",       lambda x, y, at, axis: np.insert(x, at, y, axis), insert_t, slab),
    Op("delete",       lambda x, at, axis: np.delete(x, at, axis), delete_t, one_place),
]

# fmt: on

OPS = SHAPES + JOINING

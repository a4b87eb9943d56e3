"""Indices, and assignment to elements."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from compare.both import torch
from compare.op import Op, Unfit, mask, nonzero, numbers, of_same_shape, partner, with_axis


def t(x):
    """An index as PyTorch accepts it: arrays as tensors."""
    if isinstance(x, tuple):
        return tuple(t(part) for part in x)
    return torch.as_tensor(x) if isinstance(x, np.ndarray) else x


# ------------------------------------------------------------------------------------------------------------- arguments


def positions(p, x):
    """Positions along an axis, counted from either end."""
    params = with_axis(p, x)[1]
    n = x.shape[params["axis"]]
    return [], params | {"places": numbers(p, p.draw(hnp.array_shapes(min_dims=1, max_dims=2, max_side=3)), -n, n)}


def places_of_all(p, x):
    params = with_axis(p, x)[1]
    shape = list(x.shape)
    n, shape[params["axis"]] = shape[params["axis"]], p.draw(st.integers(1, 3))
    return [], params | {"places": numbers(p, shape, 0, n)}


def an_index(p, x, repeats=True, integers=False):
    """Slices, integers, new axes, an ellipsis, integer arrays, masks, in any order."""
    entries = []
    for n in x.shape[: p.draw(st.integers(0, x.ndim))]:
        kind = p.draw(st.sampled_from(["slice", "slice", "integer", "array", "mask"]))
        if kind == "slice":
            start, stop = p.draw(st.integers(-n, n - 1)), p.draw(st.none() | st.integers(-n, n))
            entries.append(slice(start, stop, p.draw(st.sampled_from([None, 1, 2]))))
        elif kind == "integer":
            entries.append(p.draw(st.integers(-n, n - 1)))
        elif kind == "array" and repeats:
            entries.append(numbers(p, (2,), -n, n))
        elif kind == "array":
            entries.append(np.random.default_rng(n).permutation(n)[:1])
        else:
            chosen = np.zeros(n, bool)
            chosen[p.draw(st.permutations(range(n)))[: 2 if repeats and n > 1 else 1]] = True
            entries.append(chosen)
    for _ in range(p.draw(st.integers(0, 1))):
        entries.insert(p.draw(st.integers(0, len(entries))), None)
    if len(entries) < 3 and p.draw(st.booleans()):
        entries.append(Ellipsis)
    if not integers:  # together with an array, NumPy treats an integer as one
        integers = not any(isinstance(entry, np.ndarray) for entry in entries)
    index = tuple(e if integers or not isinstance(e, int) else slice(e, e + 1 or None) for e in entries)
    try:
        taken = x[index]
    except IndexError:
        raise Unfit from None
    if not taken.size or taken.ndim > 4:
        raise Unfit
    return index


def index(p, x):
    return [], {"index": an_index(p, x)}


def any_index(p, x):
    return [], {"index": an_index(p, x, integers=True)}


def by_position(x, index):
    """Elements selected by NumPy."""
    return x.reshape(-1)[t(np.arange(x.numel()).reshape(x.shape)[index])]


def place(p, x):
    """An index without repetitions, and values to put there."""
    chosen = an_index(p, x, repeats=False)
    shape = partner(p.draw, x[chosen].shape)
    if np.broadcast_shapes(shape, x[chosen].shape) != x[chosen].shape:
        shape = x[chosen].shape
    return [p.another(shape)], {"index": chosen}


def masked_of_same_shape(p, x):
    return [p.another(x.shape)], mask(p, x)[1]


def one(p, x):
    return [p.another(())], {}


def some_places(p, x):
    """Distinct positions in the flattened array."""
    count = p.draw(st.integers(1, x.size))
    return [p.another((count,))], {
        "places": np.random.default_rng(p.draw(st.integers(0, 99))).permutation(x.size)[:count]
    }


def places_along(p, x):
    axis = with_axis(p, x)[1]["axis"]
    order = np.argsort(np.random.default_rng(p.draw(st.integers(0, 99))).random(x.shape), axis)
    places = np.take(order, [0, -1] if x.shape[axis] > 1 else [0], axis)
    return [p.another(places.shape)], {"places": places, "axis": axis}


def bins(p, x):
    return [], {"places": numbers(p, x.shape, 0, 4)}


def take_t(x, places, axis):
    return x[(slice(None),) * (axis % x.ndim) + (t(places),)]


# --------------------------------------------------------------------------------------------------- writing to elements


def written(how, how_t=None):
    """A function that writes to a copy of its first operand."""

    def ours(x, *others, **params):
        y = x.copy()
        how(y, *others, **params)
        return y

    def theirs(x, *others, **params):
        y = x.clone()
        (how_t or how)(y, *others, **{name: t(value) for name, value in params.items()})
        return y

    return ours, theirs


def put(y, v, index):
    y[index] = v


def increase(y, v, index):
    y[index] += v


def scale_twice(y, v, index):
    before = y[index] * 2
    y[index] *= v
    y[index] = y[index] - before


def through_row(y, v):
    row = y[0]
    row[...] = row * v
    y[-1] = row + y[0]  # the write is visible in the row and in y


def through_row_t(y, v):
    y[0] = y[0].clone() * v
    y[-1] = y[0].clone() * 2


def through_transpose(y, v):
    y.T[0] = v
    y *= 2


def shift_along(y):
    y[1:] = y[:-1]
    y[0] *= 3


def shift_along_t(y):
    y[1:] = y[:-1].clone()
    y[0] *= 3


def row_partner(p, x):
    return [p.another(x.shape[1:])], {}


def column_partner(p, x):
    return [p.another(x.shape[:-1][::-1])], {}


def fill(y, v):
    np.fill_diagonal(y, v)


def fill_t(y, v):
    torch.diagonal(y)[...] = v


def copy_where(y, v, mask):
    np.copyto(y, v, where=mask)


def copy_where_t(y, v, mask):
    y[mask] = v[mask]


def put_places(y, v, places):
    np.put(y, places, v)


def put_places_t(y, v, places):
    y[torch.unravel_index(places, y.shape)] = v


def put_mask(y, v, mask):
    np.putmask(y, mask, v)


def put_in_turn(y, v, mask):
    np.place(y, mask, v)


def put_in_turn_t(y, v, mask):
    y.masked_scatter_(mask, v)


def put_along(y, v, places, axis):
    np.put_along_axis(y, places, v, axis)


def put_along_t(y, v, places, axis):
    y.scatter_(axis, places, v)


def repeated_rows(p, x):
    count = p.draw(st.integers(1, 4))
    return [p.another((count, *x.shape[1:]))], {"places": numbers(p, (count,), 0, len(x))}


def repeated_along(p, x):
    places = p.draw(st.integers(1, 4)), *x.shape[1:]
    return [p.another(places)], {"places": numbers(p, places, 0, len(x))}


def add_rows(y, v, places):
    np.add.at(y, places, v)


def add_rows_t(y, v, places):
    y.index_add_(0, places, v)


def add_along(y, v, places):
    np.add.at(y, (places, *np.indices(places.shape)[1:]), v)


def add_along_t(y, v, places):
    y.scatter_add_(0, places, v)


def into(y, v):
    np.multiply(y, v, out=y)


def into_t(y, v):
    y.copy_(y.clone() * v)


# fmt: off
INDEXING = [
    Op("x[index]",     lambda x, index: x[index],   lambda x, index: x[t(index)], index),
    Op("x[any index]", lambda x, index: x[index],   by_position,                any_index),
    Op("x[::-1]",      lambda x: x[::-1, ..., ::2], lambda x: torch.flip(x, (0,))[..., ::2], ndim=(2, 3)),
    Op("x[mask]",      lambda x, mask: x[mask],     lambda x, mask: x[t(mask)], mask),
    Op("take",         lambda x, places, axis: np.take(x, places, axis), take_t, positions),
    Op("take_along_axis", lambda x, places, axis: np.take_along_axis(x, places, axis), lambda x, places, axis: torch.take_along_dim(x, t(places), axis), places_of_all),
    Op("compress",     lambda x, mask: np.compress(mask.ravel(), x), lambda x, mask: x.reshape(-1)[t(mask).reshape(-1)], mask),
    Op("extract",      lambda x, mask: np.extract(mask, x), lambda x, mask: x[t(mask)], mask),
    Op("bincount",     lambda x, places: np.bincount(places, x, 5).astype(x.dtype), lambda x, places: torch.zeros(5, dtype=x.dtype).index_add(0, t(places), x), bins, ndim=(1, 1)),
    Op("trim_zeros",   np.trim_zeros,               torch.clone,                ndim=(1, 1), safe=nonzero),
]

ASSIGNMENT = [
    Op("y[index] = v",   *written(put),             place, ndim=(1, 3)),
    Op("y[index] += v",  *written(increase),        place, ndim=(1, 3)),
    Op("y[index] *= v",  *written(scale_twice),     place, ndim=(1, 3)),
    Op("row[...] = v",    *written(through_row, through_row_t), row_partner, ndim=(2, 3)),
    Op("y.T[0] = v",     *written(through_transpose), column_partner, ndim=(2, 2)),
    Op("copyto",         *written(copy_where, copy_where_t), masked_of_same_shape),
    Op("put",            *written(put_places, put_places_t), some_places),
    Op("putmask",        *written(put_mask, copy_where_t), masked_of_same_shape),
    Op("place",          *written(put_in_turn, put_in_turn_t), masked_of_same_shape, safe=lambda x, y, mask: bool(mask.any())),
    Op("put_along_axis", *written(put_along, put_along_t), places_along, ndim=(1, 3)),
    Op("add.at(rows)",   *written(add_rows, add_rows_t), repeated_rows, ndim=(1, 3)),
    Op("add.at(axis 0)", *written(add_along, add_along_t), repeated_along, ndim=(1, 3)),
    Op("fill_diagonal",  *written(fill, fill_t),    one, ndim=(2, 2)),
    Op("out=",           *written(into, into_t),     of_same_shape),
    Op("y[1:] = y[:-1]", *written(shift_along, shift_along_t), ndim=(1, 3)),
]
# fmt: on

OPS = INDEXING + ASSIGNMENT

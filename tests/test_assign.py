"""Assignment to elements on the tape: NumPy's values, right gradients, for every kind of index and through views."""
# ruff: noqa: E501  (tables with one row per line)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tensorgrad as tg

MASK = np.array([[True, False, True], [False, True, True]])


def assigned(index):
    def fn(x, v):
        y = x * 1.5
        y[index] = v * 2
        return y

    return fn


# fmt: off
INDICES = [  # an index into (2, 3), and the shape of the assigned values
    ("int",           1,                              (3,)),
    ("negative",      -1,                             (3,)),
    ("int, int",      (1, 2),                         ()),
    ("slice",         slice(0, 1),                    (1, 3)),
    ("column",        (slice(None), 1),               (2,)),
    ("step",          (slice(None), slice(None, None, -2)), (2, 2)),
    ("...",           Ellipsis,                       (2, 3)),
    ("..., int",      (Ellipsis, 0),                  (2,)),
    ("new axis",      (None, 1),                      (1, 3)),
    ("()",            (),                             (2, 3)),
    ("nothing",       slice(2, 2),                    (0, 3)),
    ("mask",          MASK,                           (4,)),
    ("row mask",      np.array([False, True]),        (1, 3)),
    ("list",          [1, 0],                         (2, 3)),
    ("pairs",         ([0, 1, 1], [2, 0, 1]),         (3,)),
    ("outer",         ([[0], [1]], [2, 0]),           (2, 2)),
    ("mixed",         (slice(None), [2, 0]),          (2, 2)),
    ("repeats",       ([0, 1, 0], [1, 1, 1]),         (3,)),
    ("list repeats",  [1, 1, 0],                      (3, 3)),
    ("tensor",        tg.Tensor([1]),                 (1, 3)),
    ("broadcast",     slice(None),                    (3,)),
    ("broadcast 1s",  slice(None),                    (2, 1)),
    ("scalar",        (slice(None), slice(1, 3)),     ()),
    ("leading ones",  1,                              (1, 1, 3)),
]
# fmt: on


@pytest.mark.parametrize(("name", "index", "shape"), INDICES, ids=[row[0] for row in INDICES])
def test_every_kind_of_index(name, index, shape):
    rng = np.random.default_rng(0)
    x, v = rng.standard_normal((2, 3)), rng.standard_normal(shape)
    fn = assigned(index)
    out = fn(tg.Tensor(x, requires_grad=True), tg.Tensor(v, requires_grad=True))
    plain = x * 1.5
    plain[np.asarray(index) if isinstance(index, tg.Tensor) else index] = v * 2
    np.testing.assert_array_equal(out.data, plain)
    assert tg.gradcheck(fn, [x, v])
    assert tg.gradgradcheck(fn, [x, v])
    for wrap in (lambda a: a, tg.Tensor):  # only one of the two requires a gradient
        assert tg.gradcheck(lambda x, w=wrap: fn(x, w(v)), [x])
        assert tg.gradcheck(
            lambda v, w=wrap: fn(tg.Tensor(x), v) if w is tg.Tensor else fn(tg.Tensor(x.copy()), v), [v]
        )


def trajectory(w, like=np.zeros_like):
    """Euler's method, in an array of results."""
    y = like(w, shape=(6, *w.shape))
    y[0] = w
    for i in range(5):
        y[i + 1] = y[i] + 0.1 * np.sin(y[i]) * w
    return y


def cumulative(x):
    y = x * 1.0
    for i in range(1, len(y)):
        y[i] = y[i] + y[i - 1]
    return y


def in_place_operators(x):
    y = np.exp(x)
    y += x
    y *= y
    y[1:] -= x[:-1]
    y[0] **= 2
    y /= 3
    return y


def views(x):
    y = x * 2
    row, column, turned = y[0], y[:, 1], y.T
    row[1] = x[1, 1] * 3  # visible in the column and in the transpose
    column[1] = column[0] * row[1]
    turned[2, 0] = x[0, 0]
    return (
        np.sum(row * [1.0, 2.0, 3.0])
        + np.sum(column * [5.0, 7.0])
        + np.sum(turned * np.arange(6.0).reshape(3, 2))
        + np.sum(y)
    )


def views_of_views(x):
    y = np.reshape(x * 2, (6,))
    grid = y.reshape(2, 3)
    corner = grid[:, 1:]
    corner[...] = corner[::-1] * x[:, 1:]
    y[::2] = np.sin(y[1::2])
    grid[1] = y[:3]
    return np.sum(grid * corner[0, 0]) + np.sum(y * np.arange(6.0))


def values_that_were_read_before(x):
    y = np.exp(x)
    before = np.sin(y) * y  # saved, and overwritten after
    y[0] = before[1] * 2
    between = y * y
    y[...] = y[::-1]
    return before + between + y


def overlapping(x):
    y = x * 1.0
    y[1:] = y[:-1] * 2
    y[:-1] = y[1:]
    return y * np.arange(y.size).reshape(y.shape)


def out_arguments(x):
    y, z = np.zeros_like(x), np.empty_like(x)
    np.multiply(x, 3.0, out=y)
    np.exp(y, out=z)
    np.add(z, x, out=z)
    return y + z


def writers(x):
    y = x * 1.0
    np.copyto(y, x * x, where=value(x) > 0.2)
    np.fill_diagonal(y, x[0, 1])
    np.put(y, [0, -1], x[1] * 2)
    np.putmask(y, MASK, x[::-1] * 0.5)
    np.place(y, ~MASK, x[0])
    np.put_along_axis(y, np.array([[2], [0]]), x[:, :1] * 3, axis=1)
    z = np.full_like(x, 2.0)
    z.fill(x[0, 2])
    w = x * 2.0
    w.sort(axis=0)
    return y * z + w


def value(x):
    return x.data if isinstance(x, tg.Tensor) else x


def into_like(x):
    """An array created for the results, as usual in NumPy."""
    y = np.zeros(4, like=x)
    for i in range(4):
        y[i] = np.sum(x) * i
    return y


# fmt: off
def where_it_holds(x):
    out = np.ones_like(x)
    holds = np.array([True, False] * x.size)[: x.size].reshape(x.shape)
    np.divide(1.0, np.where(holds, x, 0), out=out, where=holds)  # 1/0 is not selected
    np.multiply(out, x, out=out, where=~holds)
    np.exp(x[:1], out=out[:1], where=holds[:1])
    return out * x


def added_at(x):
    y = x * 1.0
    np.add.at(y, [0, 1, 0], x[:1] * 2)
    np.subtract.at(y, (slice(None), 1), x[:, 0])
    np.add.at(y, ([1, 1], [2, 2]), 3)
    z = np.zeros_like(x)
    np.add.at(z, 0, y[1])
    return y * z


def changed_at(x):
    y = x * 1.0
    np.multiply.at(y, [1, 0], x[:1] * 2)
    np.divide.at(y, (slice(None), 1), x[:, 0] + 3)
    np.maximum.at(y, ([1, 0], [2, 2]), 0.5)
    np.exp.at(y, (0, 0))
    np.negative.at(y, [[True, False, True], [False, True, False]])
    return y * x


def flat_elements(x):
    y = x.T * 1.5  # not C-contiguous
    y.flat[1] = x[0, 0] * x[1, 1]
    y.flat[2:4] = x[0, :2] * 2
    y.flat[[-1, 0]] = 1.5
    return sum(v * (i + 1) for i, v in enumerate(y.flat)) + y.flat[2] * y.flat[1:3] * len(y.flat)


def lists_of_results(x):
    y = x * 1.0
    np.put(y, [1, 2], [x[0] * x[1], x[1]])
    np.place(y, np.arange(x.size) % 2 == 0, (x[2], x[0] ** 2))
    return y * x


PROGRAMS = [(where_it_holds, (3,)), (where_it_holds, (2, 3)), (added_at, (2, 3)), (changed_at, (2, 3)), (flat_elements, (2, 3)),
            (lists_of_results, (4,)),
            (trajectory, (2,)), (cumulative, (5,)), (in_place_operators, (4,)), (views, (2, 3)), (views_of_views, (2, 3)),
            (values_that_were_read_before, (3,)), (overlapping, (5,)), (overlapping, (3, 2)), (out_arguments, (2, 2)),
            (writers, (2, 3)), (into_like, (3,))]
# fmt: on


@pytest.mark.parametrize(("program", "shape"), PROGRAMS, ids=[f"{p.__name__} {s}" for p, s in PROGRAMS])
def test_programs_as_numpy_runs_them(program, shape):
    x = np.random.default_rng(1).uniform(0.1, 0.9, shape)
    out = program(tg.Tensor(x, requires_grad=True))
    np.testing.assert_allclose(out.data, program(x.copy()), rtol=1e-12)
    assert out.requires_grad
    assert tg.gradcheck(program, [x])
    assert tg.gradgradcheck(program, [x])


@given(st.data())
def test_property_any_views_and_assignments(data):
    """Random programs of views and assignments: every view has NumPy's values and the right gradient."""
    steps = data.draw(
        st.lists(
            st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 3), st.booleans()), min_size=1, max_size=6
        )
    )
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=2, min_side=2, max_side=3))
    indices = [data.draw(hnp.basic_indices(shape, allow_newaxis=False)) for _ in range(3)]

    def program(x):
        memory = x * 1.0
        views = [memory, memory.T, memory.reshape(-1), *(memory[i] for i in indices)]
        views = [v if isinstance(v, (np.ndarray, tg.Tensor)) and v.ndim else memory for v in views]
        read = []
        for where, source, kind, keep in steps:
            target = views[where]
            new = np.sum(np.sin(views[source])) * 0.3
            if target.size == 0:
                continue
            if kind == 0:
                target[0] = new
            elif kind == 1:
                target[...] = target * 0.5 + new
            elif kind == 2:
                target[[0, -1, 0]] = new
            else:
                target[::2] = target[-1:] * new
            if keep:
                read.append(views[source] * views[source])
        return sum((np.sum(v * (k + 1)) for k, v in enumerate([*views, *read])), np.sum(x))

    x = np.random.default_rng(2).uniform(0.2, 0.9, shape)
    out = program(tg.Tensor(x, requires_grad=True))
    np.testing.assert_allclose(out.data, program(x.copy()), rtol=1e-10)
    assert tg.gradcheck(program, [x])

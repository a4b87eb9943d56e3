"""Assignment to elements on the tape: NumPy's values, right gradients, for every kind of index and through views."""
# ruff: noqa: E501  (tables, a row a line)

import time

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
INDICES = [  # an index into (2, 3), and the shape of what is assigned
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
    for wrap in (lambda a: a, tg.Tensor):  # one of the two alone
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
    row[1] = x[1, 1] * 3  # seen by the column and by the transpose
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
    """An array made for the results, as NumPy code does it."""
    y = np.zeros(4, like=x)
    for i in range(4):
        y[i] = np.sum(x) * i
    return y


# fmt: off
def where_it_holds(x):
    out = np.ones_like(x)
    holds = np.array([True, False] * x.size)[: x.size].reshape(x.shape)
    np.divide(1.0, np.where(holds, x, 0), out=out, where=holds)  # 1/0 is left out
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
    y = x.T * 1.5  # whose elements do not lie in a row
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
    """Programs of views and assignments, drawn at random: every view has NumPy's values and the right gradient."""
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


def test_memory_stays_where_it_is():
    """An assignment is visible in the array a tensor was made from, and in arrays obtained from it."""
    buffer = np.zeros(3)
    y = tg.Tensor(buffer)
    w = tg.Tensor([1.0, 2.0], requires_grad=True)
    handed_out = y.numpy()
    y[:2] = w
    squares = np.sum(y * y)
    y[0] = w[1]  # the record of the squares keeps what it read
    np.testing.assert_array_equal(buffer, [2, 2, 0])
    assert handed_out is buffer
    np.testing.assert_array_equal(tg.grad(squares, w, retain_graph=True), [2, 4])
    np.testing.assert_array_equal(tg.grad(np.sum(y), w), [0, 2])


def test_a_detached_tensor_sees_values_and_has_no_gradient():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    d = y.detach()
    y[0] = x[1] * 5
    assert d.data[0] == 10
    assert not d.requires_grad
    with pytest.raises(tg.AssignmentError, match=r"\.detach\(\)\.copy\(\)"):
        d[0] = x[0]
    with pytest.raises(tg.AssignmentError, match="detached"):
        d[:1][0] = x[0]
    c = y.detach().copy()
    c[0] = x[0]
    assert c.requires_grad


def test_a_leaf_that_requires_a_gradient_is_refused_with_the_remedy():
    for write in (
        lambda x: x.__setitem__(0, 5.0),
        lambda x: x.__setitem__(0, x[1] * 2),
        lambda x: x.__iadd__(1),
        lambda x: x[1:].__setitem__(0, 5.0),
        lambda x: x.T.__setitem__(..., 5.0),
        lambda x: x.reshape(2, 1).__iadd__(x.reshape(2, 1)),
        lambda x: x[None][0].fill(3.0),
        lambda x: np.exp(x, out=x),
        lambda x: np.copyto(x, 5.0),
        lambda x: np.put(x, [0], 5.0),
        lambda x: x.sort(),
    ):
        x = tg.Tensor([2.0, 1.0], requires_grad=True)
        with pytest.raises(tg.AssignmentError, match=r"leaf that requires a gradient.*t\.copy\(\).*no_grad"):
            write(x)
        np.testing.assert_array_equal(x.data, [2, 1])
        assert x.is_leaf


# fmt: off
REFUSED = [
    ("y[5] = x[0]",                              lambda y, x: y.__setitem__(5, x[0]),                  IndexError,         "out of bounds"),
    ("y[slice(0, 2)] = x",                       lambda y, x: y.__setitem__(slice(0, 2), x),           ValueError,         "broadcast"),
    ("put(y, [3], x[:1])",                       lambda y, x: np.put(y, [3], x[:1]),                   IndexError,         "out of bounds"),
    ("put(y, [-4, 2], x[:2])",                   lambda y, x: np.put(y, [-4, 2], x[:2]),               IndexError,         "out of bounds"),
    ("copyto(y, x * ones((2, 1, 1)))",           lambda y, x: np.copyto(y, x * np.ones((2, 1, 1))),    ValueError,         "dimensions"),
    ("fill_diagonal(y, x[0])",                   lambda y, x: np.fill_diagonal(y, x[0]),               ValueError,         "two axes"),
    ("fill_diagonal(y * ones((3, 2, 1)), x[0])", lambda y, x: np.fill_diagonal(y * np.ones((3, 2, 1)), x[0]), ValueError,  "same length"),
    ("y[0.5] = x[0]",                            lambda y, x: y.__setitem__(0.5, x[0]),                IndexError,         "ind"),
    ("Tensor([1, 2])[0] = x[0]",                 lambda y, x: tg.Tensor([1, 2]).__setitem__(0, x[0]),  TypeError,          "int64.*float"),
    ("Tensor([True])[0] = x[0]",                 lambda y, x: tg.Tensor([True]).__setitem__(0, x[0]),  TypeError,          "bool.*float"),
    ("broadcast_to(x[0] * 1, (2,))[0] = 1",      lambda y, x: np.broadcast_to(x[0] * 1, (2,)).__setitem__(0, 1), ValueError, "read-only"),
    ("add(x, 1, out=zeros(3))",                  lambda y, x: np.add(x, 1, out=np.zeros(3)),           tg.NoRuleError,     "F = F"),
    ("add(x, 1, out=Tensor(zeros(3, int)))",     lambda y, x: np.add(x, 1, out=tg.Tensor(np.zeros(3, int))), TypeError,    "int64"),
    ("zeros(3)[:] = x",                          lambda y, x: np.zeros(3).__setitem__(slice(None), x), TypeError,          "np.stack"),
    ("zeros(3)[0] = x[0]",                       lambda y, x: np.zeros(3).__setitem__(0, x[0]),        (TypeError, ValueError), "array|lose"),
]
# fmt: on


@pytest.mark.parametrize(("name", "write", "error", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_is_refused_changes_nothing(name, write, error, message):
    x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 2
    record = y.record
    with pytest.raises(error, match=message):
        write(y, x)
    np.testing.assert_array_equal(y.data, [2, 4, 6])
    assert y.record is record


def test_a_view_taken_without_recording_is_a_view_all_the_same():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    with tg.no_grad():
        view = y[:1]
    view[0] = 10.0
    np.testing.assert_array_equal(tg.grad(np.sum(y), x), [0, 2])


def test_the_parts_of_a_complex_tensor_are_not_assigned_to():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    for write in (
        lambda z: np.real(z).__setitem__(0, x[1]),
        lambda z: z.imag.__setitem__(..., x),
        lambda z: (z.imag, z.__setitem__(0, x[1])),
    ):
        z = x * (1 + 2j)
        parts = np.real(z), np.imag(z)
        with pytest.raises(tg.AssignmentError, match="complex tensor"):
            write(z)
        del parts


def test_a_frozen_leaf_is_still_the_leaf_of_what_was_computed_from_it():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    x.requires_grad = False
    with pytest.raises(tg.AssignmentError, match="leaf"):
        x[0] = y[1] * 3


def test_a_buffer_that_is_overwritten_as_a_whole_forgets_its_history():
    buffer, x = tg.Tensor(np.zeros(3)), tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    for write in (lambda: buffer.__setitem__(..., x * 3), lambda: np.multiply(x, 3, out=buffer)):
        for _ in range(3):
            x.grad = None
            write()
            np.sum(buffer * buffer).backward()  # which frees the graph; the next round does not need it
            np.testing.assert_array_equal(x.grad, 18 * x.data)


def test_a_rule_may_fill_an_array_of_its_own():
    first = tg.primitive(lambda x: x[:1] ** 2)

    def rule(g, ans, x):
        out = np.zeros_like(x)
        out[:1] = 2 * g * x[:1]
        return out

    tg.rule(first, rule)
    assert tg.gradcheck(first, [np.array([1.5, 2.0])])
    assert tg.gradgradcheck(first, [np.array([1.5, 2.0])])


def test_results_without_axes_are_scalars():
    """NumPy scalars are immutable: a scalar taken before the write keeps its value."""

    def running(x):
        total, kept = 0.0, []
        for i in range(3):
            total += x[i]
            kept.append(total)
        return np.stack(kept)

    x = np.array([1.0, 2.0, 3.0])
    for t in (tg.Tensor(x), tg.Tensor(x, requires_grad=True)):
        np.testing.assert_array_equal(running(t).data, [1, 3, 6])
    np.testing.assert_array_equal(tg.jacobian(running, x), np.tril(np.ones((3, 3))))
    y = tg.Tensor(x, requires_grad=True) * 1
    view = y[0, ...]  # of an array, and a view
    view += 10
    assert y.data[0] == 11
    w = tg.Tensor(1.0, requires_grad=True)
    memory = w.data
    with tg.no_grad():
        w -= 0.5
    assert memory == 0.5


def test_nested_lists_of_tensors():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    y = tg.Tensor(np.zeros((2, 2)))
    y[...] = [[x[0], 1.0], (x[1] * 2, x[0])]
    np.testing.assert_array_equal(y.data, [[1, 1], [4, 1]])
    np.testing.assert_array_equal(tg.grad(np.sum(y), x), [2, 2])


def test_a_long_loop_of_assignments_takes_time_in_proportion():
    def seconds(n):
        w = tg.Tensor(np.full(2, 0.3), requires_grad=True)
        began = time.process_time()  # CPU time of this process, not of the whole machine
        y = np.zeros_like(w, shape=(n, 2))
        y[0] = w
        for i in range(n - 1):
            y[i + 1] = y[i] + 0.1 * np.sin(y[i]) * w
        return time.process_time() - began

    seconds(100)
    assert min(seconds(2400) for _ in range(3)) < 18 * min(seconds(400) for _ in range(3))  # 36 if quadratic


def test_float32_stays_and_values_are_cast():
    x = tg.Tensor(np.ones(3, np.float32), requires_grad=True)
    v = tg.Tensor(np.array(2.0), requires_grad=True)
    y = x * 2
    y[1] = v
    assert y.dtype == np.float32
    np.sum(y * y).backward()
    assert (x.grad.dtype, v.grad.dtype) == (np.float32, np.float64)


@pytest.mark.usefixtures("no_gc")
def test_nothing_is_kept_alive():
    x = tg.Tensor(np.ones(4), requires_grad=True)
    y = x * 2
    for i in range(300):
        y[i % 4] = y[(i + 1) % 4] * 0.5  # a view each time
        row = y[:2]
    assert len(y.memory.tensors) < 150  # as many as steps, were the views kept
    del row
    loss = np.sum(y)
    loss.backward()
    assert y.record.parents is None


def test_an_assignment_that_needs_no_gradient_is_plain():
    t = tg.Tensor(np.zeros(3))
    t[1] = 5
    assert t.is_leaf
    assert not t.requires_grad
    with tg.no_grad():
        x = tg.Tensor(np.zeros(3), requires_grad=True)
        x[1] = 5
        x += 1
    np.testing.assert_array_equal(x.data, [1, 6, 1])


def test_a_rule_of_a_recorded_pass_must_not_write_to_what_it_is_given():
    square = tg.primitive(lambda x: x * x)
    tg.rule(square, lambda g, ans, x: write(g, ans, x) or 2 * g * x)
    x = tg.Tensor(np.array([1.0, 2.0]), requires_grad=True)
    for k in range(3):

        def write(*arguments, k=k):
            arguments[k][...] = 1.0

        y = np.sum(np.exp(square(np.sin(x))))
        with pytest.raises(tg.AssignmentError, match="a gradient rule must not write to its arguments"):
            y.backward(create_graph=True)

"""Assignment to elements and memory: which tensors see a write, which writes are refused, and what is freed."""
# ruff: noqa: E501  (tables with one row per line)

import time

import numpy as np
import pytest

import tensorgrad as tg


def test_memory_stays_where_it_is():
    """An assignment is visible in the array that a tensor was created from, and in views of it."""
    buffer = np.zeros(3)
    y = tg.Tensor(buffer)
    w = tg.Tensor([1.0, 2.0], requires_grad=True)
    handed_out = y.numpy()
    y[:2] = w
    squares = np.sum(y * y)
    y[0] = w[1]  # the record of the squares keeps the value that it read
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


def test_a_view_created_without_recording_is_a_view():
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


def test_a_buffer_that_is_overwritten_completely_has_no_history():
    buffer, x = tg.Tensor(np.zeros(3)), tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    for write in (lambda: buffer.__setitem__(..., x * 3), lambda: np.multiply(x, 3, out=buffer)):
        for _ in range(3):
            x.grad = None
            write()
            np.sum(buffer * buffer).backward()  # frees the graph, which the next round does not need
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
    view = y[0, ...]  # an array, and a view
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
        y[i % 4] = y[(i + 1) % 4] * 0.5  # creates a view each time
        row = y[:2]
    assert len(y.memory.tensors) < 150  # as many as steps if the views were kept
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

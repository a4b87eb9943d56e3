"""For four times as many steps, a pass takes about four times as long: nothing in it takes quadratic time.

The processor time is measured, the minimum of several runs; a quadratic part would cause a factor of 16.
"""

import time

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import leaf


def leaves(n, value=0.5):
    return [leaf(value) for _ in range(n)]


def inner(n):
    return leaf(np.ones(n)) * 1


def chain_of_views(n):
    y = leaf(np.ones(3)) * 1
    for _ in range(n):
        y = y[:]
    return np.sum(y)


def writes(n):
    x = leaf(np.ones(n))
    y = np.zeros_like(x)
    for i in range(n):
        y[i] = x[i] * 2
    return np.sum(y)


def writes_beside_views(n):
    x = leaf(np.ones(n))
    y = np.zeros_like(x)
    views = [y[i : i + 1] for i in range(n)]
    for i in range(n):
        y[i] = x[i] * 2
    return np.sum(y) + sum(view.data.sum() for view in views)


def writes_through_views(n):
    x = leaf(np.ones(n))
    y = np.zeros_like(x)
    views = [y[i : i + 1] for i in range(n)]
    for i in range(n):
        views[i][...] = x[i] * 2
    return np.sum(y)


def rows_added_in_place(n):
    x = leaf(np.ones((n, 3)))
    total = np.zeros_like(x[0])
    for row in x:
        total += row
    return np.sum(total)


def gradients_of_many(n):
    xs = leaves(n)
    return np.sum(np.stack(tg.grad(np.sum(np.stack(xs) ** 3), xs, create_graph=True)))


def nan_among_many(n):
    y = np.stack(leaves(n, 0.0))
    return np.sum(np.where(y > 0, np.sqrt(y), 0))


PROGRAMS = {
    "stack": (1200, lambda n: np.sum(np.stack(leaves(n)))),
    "concatenate": (1200, lambda n: np.sum(np.concatenate(leaves(n, [0.5])))),
    "vstack": (600, lambda n: np.sum(np.vstack(leaves(n, [0.5])))),
    "hstack": (1200, lambda n: np.sum(np.hstack(leaves(n)))),
    "column_stack": (600, lambda n: np.sum(np.column_stack(leaves(n, [0.5])))),
    "block": (600, lambda n: np.sum(np.block(leaves(n)))),
    "nested block": (600, lambda n: np.sum(np.block([[x] for x in leaves(n)]))),
    "select": (600, lambda n: np.sum(np.select([np.array([False])] * n, leaves(n, [0.5])))),
    "a list assigned": (600, lambda n: write_list(n)),
    "picks": (900, lambda n: sum(x[i] for x in [inner(n)] for i in range(n))),
    "picks of a leaf": (900, lambda n: sum(x[i] for x in [leaf(np.ones(n))] for i in range(n))),
    "stacked picks": (600, lambda n: np.sum(np.stack([x[i] for x in [inner(n)] for i in range(n)]))),
    "slices": (600, lambda n: np.sum(sum(x[i : i + 1] * 2 for x in [inner(n)] for i in range(n)))),
    "iteration": (900, lambda n: sum(inner(n))),
    "unstack": (900, lambda n: sum(np.unstack(inner(n)))),
    "split": (600, lambda n: np.sum(sum(np.split(inner(n), n)))),
    "array_split": (600, lambda n: np.sum(sum(np.array_split(inner(n), n)))),
    "chain of views": (1200, chain_of_views),
    "writes": (420, writes),
    "writes beside views": (240, writes_beside_views),
    "writes through views": (240, writes_through_views),
    "rows added in place": (420, rows_added_in_place),
    "many leaves": (1800, lambda n: sum(leaves(n))),
    "gradients of many": (420, gradients_of_many),
    "NaN among many": (900, nan_among_many),
}


def write_list(n):
    x, y = inner(n), tg.Tensor(np.zeros(n))
    y[:] = [x[i] for i in range(n)]
    return np.sum(y)


def seconds(program, n):
    """Seconds of the forward pass and of the backward pass."""
    start = time.process_time()
    loss = program(n)
    middle = time.process_time()
    loss.backward()
    return middle - start, time.process_time() - middle


def ratio(program, n, repetitions=3):
    """The ratio of the times for 4n and n, for both passes together or for the slower one, if they are long enough."""
    few = np.min([seconds(program, n) for _ in range(repetitions)], axis=0)
    many = np.min([seconds(program, 4 * n) for _ in range(repetitions)], axis=0)
    parts = [b / a for a, b in zip(few, many, strict=True) if b > 0.01]
    return max(parts, default=1.0)


@pytest.mark.parametrize("name", PROGRAMS)
def test_four_times_as_many_take_about_four_times_as_long(name):
    n, program = PROGRAMS[name]
    program(10).backward()
    assert ratio(program, n, 1) < 8 or ratio(program, n) < 8 or ratio(program, n) < 8  # a busy machine: once more


def test_the_measurement_finds_what_is_quadratic():
    def quadratic(n):
        x = leaf(np.ones(n))
        return sum(sum(range(i)) for i in range(n)) + np.sum(x)

    assert ratio(quadratic, 1000) > 8


def test_a_rule_for_all_inputs_together_is_called_once():
    calls = []

    @tg.primitive
    def total(*xs):
        return np.sum(np.stack(xs), axis=0)

    tg.rule(total, together=lambda g, _ans, needed, *_xs: calls.append(len(_xs)) or dict.fromkeys(needed, g))
    xs = leaves(300)
    total(*xs).backward()
    assert calls == [300]
    assert all(x.grad == 1 for x in xs)

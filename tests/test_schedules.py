"""Schedules are pure functions from the number of updates done to a factor."""

import numpy as np
import pytest

from tensorgrad import schedules

# fmt: off
VALUES = [
    # schedule                                  factors at updates 0, 1, 2, ...
    (schedules.constant(),                      [1, 1, 1, 1]),
    (schedules.step(2, 0.1),                    [1, 1, 0.1, 0.1, 0.01, 0.01]),
    (schedules.step(1, 0.5),                    [1, 0.5, 0.25, 0.125]),
    (schedules.halving(3),                      [1, 1, 1, 0.5, 0.5, 0.5, 0.25]),
    (schedules.cosine(4),                       [1, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2, 0, 0, 0]),
    (schedules.cosine(2, final=0.2),            [1, 0.6, 0.2, 0.2]),
    (schedules.cosine(1),                       [1, 0, 0]),
    (schedules.linear(4),                       [1, 0.75, 0.5, 0.25, 0, 0]),
    (schedules.linear(2, final=0.5),            [1, 0.75, 0.5, 0.5]),
    (schedules.warm_up(schedules.constant(), 4), [0.25, 0.5, 0.75, 1, 1]),
    (schedules.warm_up(schedules.constant(), 0), [1, 1]),
    (schedules.warm_up(schedules.halving(2), 2), [0.5, 1, 0.5, 0.5, 0.25]),
]
# fmt: on


@pytest.mark.parametrize("k", range(len(VALUES)))
def test_values(k):
    schedule, expected = VALUES[k]
    np.testing.assert_allclose([schedule(i) for i in range(len(expected))], expected, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(schedule(len(expected) - 1), expected[-1], rtol=1e-14, atol=1e-15)  # no state
    assert isinstance(float(schedule(10**9)), float)


@pytest.mark.parametrize("make", [schedules.step, schedules.halving, schedules.cosine, schedules.linear])
@pytest.mark.parametrize("length", [0, -3])
def test_lengths_below_one_are_refused(make, length):
    with pytest.raises(ValueError, match=f"at least 1.*{length}"):
        make(length)


def test_negative_warm_up_is_refused():
    with pytest.raises(ValueError, match="-1"):
        schedules.warm_up(schedules.constant(), -1)

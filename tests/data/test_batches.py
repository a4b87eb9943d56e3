"""The order of an epoch, and the attributes of a `Dataset`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.data import Dataset, batches
from tensorgrad.errors import ConfigError

COUNT, SIZE, START, SEED = st.integers(0, 50), st.integers(1, 60), st.integers(0, 60), st.integers(0, 2**32)


@given(COUNT, SIZE, SEED)
def test_batches_contain_each_example_once(count, size, seed):
    parts = list(batches(count, size, np.random.default_rng(seed)))
    assert sorted(i for part in parts for i in part) == list(range(count))
    assert [len(part) for part in parts] == [min(size, count - at) for at in range(0, count, size)]
    assert all(part.dtype == np.int64 for part in parts)


@given(COUNT, SIZE, START, SEED)
def test_start_skips_batches_and_changes_nothing_else(count, size, start, seed):
    whole_rng, rest_rng = np.random.default_rng(seed), np.random.default_rng(seed)
    whole, rest = list(batches(count, size, whole_rng)), list(batches(count, size, rest_rng, start))
    assert [part.tolist() for part in rest] == [part.tolist() for part in whole[start:]]
    assert whole_rng.bit_generator.state == rest_rng.bit_generator.state


def test_the_generator_is_drawn_from_at_the_call():
    rng, other = np.random.default_rng(1), np.random.default_rng(1)
    batches(10, 3, rng)
    other.permutation(10)
    assert rng.bit_generator.state == other.bit_generator.state


def test_the_order_is_shuffled_and_differs_between_epochs():
    rng = np.random.default_rng(0)
    first, second = (np.concatenate(list(batches(100, 10, rng))) for _ in range(2))
    assert not np.array_equal(first, np.arange(100))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(("count", "size", "start"), [(10, 0, 0), (10, -1, 0), (-1, 5, 0), (10, 5, -1)])
def test_bad_numbers_are_refused_at_the_call(count, size, start):
    with pytest.raises(ConfigError, match=str(min(count, size, start))):
        batches(count, size, np.random.default_rng(0), start)


def test_dataset():
    images, labels = np.zeros((3, 4, 5), np.uint8), np.zeros(3, np.int64)
    data = Dataset("tiny", images, labels, images[:2], labels[:2], brightest=9, source="here")
    assert (data.shape, data.features, data.classes) == ((4, 5), 20, 10)
    assert str(data) == "tiny: 3 + 2 images of 4x5, from here"
    assert repr(data) == "Dataset(name='tiny', brightest=9, source='here')"
    with pytest.raises(AttributeError):
        data.brightest = 8

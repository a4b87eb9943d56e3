"""Arrays that a compiled function creates and writes to: ``np.zeros(n, like=t)`` and its kin."""

import numpy as np
import pytest

import tensorgrad as tg

CREATED = {
    "zeros": lambda x: np.zeros(3, like=x),
    "zeros of a dtype": lambda x: np.zeros((3,), np.float64, "F", like=x),
    "ones": lambda x: np.ones(3, like=x),
    "empty": lambda x: np.empty(3, like=x),
    "full": lambda x: np.full(3, 0.5, like=x),
    "full of a list": lambda x: np.full((3,), [1, 2, 3], float, like=x),
    "full of a tensor": lambda x: np.full(3, x[2], like=x),
}


@pytest.mark.parametrize("name", CREATED)
def test_an_array_is_created_anew_in_every_call(name):
    def loss(x):
        filled = CREATED[name](x)
        filled[0] = x[0] * 2
        if name == "empty":
            filled[1:] = x[1:]
        filled += x
        np.multiply(filled, x, out=filled)
        return np.sum(np.sin(filled))

    step = tg.compile(lambda x: tg.value_and_grad(loss)(x))
    for k in range(5):
        x = np.array([0.3, 0.7, 1.1]) * (k + 1)
        for found, expected in zip(step(x), tg.value_and_grad(loss)(x), strict=True):
            np.testing.assert_array_equal(found, expected)
    assert "sin" in step.source  # it was compiled


@pytest.mark.parametrize("create", CREATED.values(), ids=CREATED)
def test_it_is_what_numpy_creates(create):
    x = tg.Tensor([1.0, 2.0, 3.0])
    new = create(x)
    assert type(new) is tg.Tensor
    assert not new.requires_grad
    plain = create(x.data)
    assert (new.shape, new.dtype) == (plain.shape, plain.dtype)
    if create is not CREATED["empty"]:
        np.testing.assert_array_equal(new.data, plain)


def test_dtypes_and_keywords_are_numpys():
    x = tg.Tensor(1.0)
    assert np.zeros((2, 0), dtype=np.float32, like=x).shape == (2, 0)
    assert np.ones(2, int, like=x).dtype == np.int64
    assert np.full(2, 1j, like=x).dtype == np.complex128
    assert np.full((2, 2), 1.0, order="F", like=x).data.flags.f_contiguous
    with pytest.raises(TypeError):
        np.zeros("a", like=x)

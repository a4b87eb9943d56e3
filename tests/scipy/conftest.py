"""Tables of functions: values equal to SciPy's, and derivatives of order 1 and 2 equal to differences."""

import numpy as np
import pytest

from tests.helpers import check_derivatives, tracked

try:
    import scipy.special  # noqa: F401
except ImportError:  # SciPy is in the extra `scipy`
    collect_ignore_glob = ["test_*.py"]


def check(ours, theirs, arrays, *, rtol=1e-12, single=True):
    """For arrays, ``ours`` equals ``theirs``; for tensors, it is an equal tensor, and its two derivatives are right.

    ``single`` determines whether float32 must stay float32.
    """
    expected = theirs(*arrays)
    found = ours(*arrays)
    assert isinstance(found, (np.ndarray, np.generic))
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-13)
    assert np.shape(found) == np.shape(expected)
    out = ours(*tracked(arrays))
    assert out.requires_grad
    np.testing.assert_array_equal(out.data, found)
    if single:
        assert ours(*tracked([x.astype(np.float32) for x in arrays])).dtype == np.float32
    check_derivatives(ours, arrays, rtol=1e-4)


@pytest.fixture(name="check")
def _check():
    return check

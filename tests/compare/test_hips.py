"""The rows of the test table that are written in NumPy alone, run by HIPS autograd: values and gradients."""

import pytest

pytest.importorskip("autograd")

pytestmark = pytest.mark.compare

WITHOUT = (AttributeError, NotImplementedError, TypeError)

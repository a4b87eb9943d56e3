"""Values of parameters, to compare with later ones."""

import numpy as np


def values(params):
    return {name: p.data.copy() for name, p in params.items()}


def assert_same(params, before):
    for name, p in params.items():
        np.testing.assert_array_equal(p.data, before[name])

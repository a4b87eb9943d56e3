"""docs/from-jax.md: its example runs, and each row of its table agrees with JAX."""

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import tensorgrad as tg
from tests.helpers import names_of_tables

TEXT = (Path(__file__).parents[1] / "docs" / "from-jax.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(.+?)` \| `(.+?)` \|", TEXT.split("## What differs")[0], re.MULTILINE)


def known(np_, more):
    return names_of_tables(np_) | {"np": np} | more


def leaves(tree):
    items = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, (tuple, list)) else None
    return [np.asarray(tree)] if items is None else [x for item in items for x in leaves(item)]


def ours(code):
    return leaves(eval(code, known(np, {"tg": tg})))


def test_the_table_is_found():
    assert len(ROWS) == 15


@pytest.mark.parametrize("line", [row[1] for row in ROWS])
def test_our_line_runs(line):
    assert all(np.isfinite(value).all() for value in ours(line))


@pytest.mark.compare
@pytest.mark.parametrize(("theirs", "line"), ROWS, ids=[row[0] for row in ROWS])
def test_it_is_what_jax_computes(theirs, line):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    expected = leaves(eval(theirs, known(jnp, {"jax": jax, "jnp": jnp})))
    found = ours(line)
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert_allclose(a, b, rtol=1e-10)

"""Arguments of linear algebra: functions without a gradient, wrong arguments, and complex values."""
# ruff: noqa: E501  (tables with one row per line)

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import each, leaf

rng = np.random.default_rng(0)

# fmt: off
REFUSED = [
    ("linalg.svd(x)",                     lambda x: np.linalg.svd(x),                          "full_matrices=False"),
    ("linalg.svd(x[:2], hermitian=True)", lambda x: np.linalg.svd(x[:2], hermitian=True),      "eigh"),
    ("linalg.qr(x, mode='complete')",     lambda x: np.linalg.qr(x, mode="complete"),          "reduced"),
    ("linalg.qr(x, mode='raw')",          lambda x: np.linalg.qr(x, mode="raw"),               "reduced"),
    ("linalg.eig(x[:2])",                 lambda x: np.linalg.eig(x[:2]),                      "eigh"),
    ("linalg.eigvals(x[:2])",             lambda x: np.linalg.eigvals(x[:2]),                  "eigvalsh"),
    ("einsum('ij->i', x, dtype=float64)", lambda x: np.einsum("ij->i", x, dtype=np.float64),   "dtype"),
]
WRONG = [
    ("linalg.matrix_power(x, 2)",           lambda x: np.linalg.matrix_power(x, 2),              np.linalg.LinAlgError, "square"),
    ("linalg.matrix_power(x[0], 2)",        lambda x: np.linalg.matrix_power(x[0], 2),           np.linalg.LinAlgError, "square"),
    ("linalg.matrix_power(x[:2], 0.5)",     lambda x: np.linalg.matrix_power(x[:2], 0.5),        TypeError,             "integer"),
    ("linalg.multi_dot([x])",               lambda x: np.linalg.multi_dot([x]),                  ValueError,            "two arrays"),
    ("linalg.multi_dot([x[None], x.T])",    lambda x: np.linalg.multi_dot([x[None], x.T]),       np.linalg.LinAlgError, "vectors at the ends"),
    ("linalg.multi_dot([x, x.T[None]])",    lambda x: np.linalg.multi_dot([x, x.T[None]]),       np.linalg.LinAlgError, "vectors at the ends"),
    ("linalg.multi_dot([x[0, 0], x.T, x])", lambda x: np.linalg.multi_dot([x[0, 0], x.T, x]),    np.linalg.LinAlgError, "vectors at the ends"),
    ("linalg.multi_dot([x, x[0, 0], x])",   lambda x: np.linalg.multi_dot([x, x[0, 0], x]),      np.linalg.LinAlgError, "matrices"),
    ("linalg.tensorinv(x, ind=0)",          lambda x: np.linalg.tensorinv(x, ind=0),             ValueError,            "positive"),
    ("linalg.tensorsolve(x, x[0])",         lambda x: np.linalg.tensorsolve(x, x[0]),            np.linalg.LinAlgError, "square"),
    ("linalg.lstsq(x[None], x)",            lambda x: np.linalg.lstsq(x[None], x),               np.linalg.LinAlgError, "matrix"),
    ("linalg.pinv(x, 0.1, rtol=0.1)",       lambda x: np.linalg.pinv(x, 0.1, rtol=0.1),          ValueError,            "both"),
    ("linalg.outer(x, x)",                  lambda x: np.linalg.outer(x, x),                     ValueError,            "one-dimensional"),
    ("linalg.outer(x, x[0])",               lambda x: np.linalg.outer(x, x[0]),                  ValueError,            "one-dimensional"),
    ("linalg.cross(x, x)",                  lambda x: np.linalg.cross(x, x),                     ValueError,            "3 components"),
    ("cross(x.T[:, None], ones(4))",        lambda x: np.cross(x.T[:, None], np.ones(4)),        ValueError,            "2 or 3"),
    ("tensordot(x, x)",                     lambda x: np.tensordot(x, x),                        None,                  None),
    ("tensordot(x, x, 1)",                  lambda x: np.tensordot(x, x, 1),                     ValueError,            "mismatch"),
    ("tensordot(x, x, ([0, 1], [0]))",      lambda x: np.tensordot(x, x, ([0, 1], [0])),         ValueError,            "mismatch"),
    ("tensordot(x, x, ([0, 0], [0, 0]))",   lambda x: np.tensordot(x, x, ([0, 0], [0, 0])),      ValueError,            "duplicate"),
    ("tensordot(x, x, ([0, 0], [0, 1]))",   lambda x: np.tensordot(x, x, ([0, 0], [0, 1])),      ValueError,            "duplicate"),
    ("tensordot(x, x, (5, 0))",             lambda x: np.tensordot(x, x, (5, 0)),                IndexError,            "range"),
    ("einsum(x, [0, 52])",                  lambda x: np.einsum(x, [0, 52]),                     TypeError,             r"0\.\.51"),
    ("einsum(x)",                           lambda x: np.einsum(x),                              ValueError,            "subscripts"),
    ("multiply.outer(x, x, dtype=float)",   lambda x: np.multiply.outer(x, x, dtype=float),      tg.NoRuleError,        "outer"),
    ("vecdot(x, x, axis=2)",                lambda x: np.vecdot(x, x, axis=2),                   np.exceptions.AxisError, "2"),
]
# fmt: on


@each(("name", "call", "remedy"), REFUSED, ids=[row[0] for row in REFUSED])
def test_functions_without_a_gradient_are_refused_with_the_remedy(name, call, remedy):
    x = np.arange(6.0).reshape(3, 2) / 3 + np.eye(3, 2)
    with pytest.raises(tg.NoRuleError, match=remedy):
        call(leaf(x))
    expected = call(x)
    for untracked in (tg.Tensor(x), leaf(x)):
        with tg.no_grad():
            for got, value in zip(call(untracked), expected, strict=True):
                np.testing.assert_array_equal(getattr(got, "data", got), value)


@each(("name", "call", "error", "message"), WRONG, ids=[row[0] for row in WRONG])
def test_wrong_arguments(name, call, error, message):
    x = leaf(np.arange(6.0).reshape(3, 2) + 1)
    if error is None:
        call(x)
        return
    with pytest.raises(error, match=message):
        call(x)


# fmt: off
COMPLEX = [
    ("z @ x",                          lambda z, x: z @ x),
    ("dot(x, z)",                      lambda z, x: np.dot(x, z)),
    ("inner(z, x)",                    lambda z, x: np.inner(z, x)),
    ("tensordot(z, x, (0, 1))",        lambda z, x: np.tensordot(z, x, (0, 1))),
    ("kron(x, z)",                     lambda z, x: np.kron(x, z)),
    ("cross(z, x[0])",                 lambda z, x: np.cross(z, x[0])),
    ("outer(z, x)",                    lambda z, x: np.outer(z, x)),
    ("matvec(z, x)",                   lambda z, x: np.matvec(z, x)),
    ("einsum('ij,jk,ik->i', z, x, z)", lambda z, x: np.einsum("ij,jk,ik->i", z, x, z)),
    ("linalg.inv(z)",                  lambda z, x: np.linalg.inv(z)),
    ("linalg.solve(z, x)",             lambda z, x: np.linalg.solve(z, x)),
    ("linalg.solve(x, z[0])",          lambda z, x: np.linalg.solve(x, z[0])),
    ("linalg.matrix_power(z, -2)",     lambda z, x: np.linalg.matrix_power(z, -2)),
    ("linalg.multi_dot([z, x, z])",    lambda z, x: np.linalg.multi_dot([z, x, z])),
]
REAL_ONLY = {
    "vdot": np.vdot, "vecdot": np.vecdot, "vecmat": np.vecmat, "lstsq": lambda z, x: np.linalg.lstsq(z, z),
    **{fn.__name__: lambda z, x, fn=fn: fn(z) for fn in (
        np.linalg.det, np.linalg.slogdet, np.linalg.cholesky, np.linalg.eigh, np.linalg.eigvalsh, np.linalg.svd,
        np.linalg.svdvals, np.linalg.qr, np.linalg.pinv)},
}
# fmt: on


@pytest.mark.parametrize(("name", "product"), COMPLEX, ids=[row[0] for row in COMPLEX])
def test_complex_values_between_real_ones(name, product):
    def fn(x):
        z = product(x * (1 + 0.5j) + 0.25j * x.T, x)
        return 2.0 * np.real(z) + np.imag(z)

    assert tg.gradcheck(fn, rng.standard_normal((3, 3)) + 2 * np.eye(3))


@pytest.mark.parametrize("name", REAL_ONLY)
def test_complex_values_are_refused_where_the_rule_is_for_real_ones(name):
    x = leaf(np.eye(2))
    with pytest.raises(tg.NoRuleError, match="complex"):
        REAL_ONLY[name](x * 1j, x)

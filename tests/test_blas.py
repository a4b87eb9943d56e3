"""BLAS as loaded by NumPy: results equal NumPy's up to rounding, for arrays that BLAS accepts and for others."""

import os
import subprocess
import sys

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import blas
from tensorgrad.functional import small_products
from tensorgrad.optim import SGD, Adam

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
needs_blas = pytest.mark.skipif(not blas.enabled(), reason="NumPy's BLAS has no axpby, or TENSORGRAD_BLAS is 0")


@pytest.fixture
def calls(monkeypatch):
    """The number of calls of BLAS, by the position of the function."""
    counts = [0, 0]

    def counted(i, function):
        def call(*arguments):
            counts[i] += 1
            return function(*arguments)

        call.argtypes = function.argtypes
        return call

    known = {dtype: [counted(i, f) for i, f in enumerate(pair)] for dtype, pair in blas._routines().items()}
    monkeypatch.setattr(blas, "_routines", lambda: known)
    return counts


def numbers(shape, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def assert_near(actual, expected):
    """Equal up to rounding: BLAS may round a product and a sum once instead of twice."""
    eps = np.finfo(actual.dtype).eps
    np.testing.assert_allclose(actual, expected, rtol=32 * eps, atol=32 * eps)


# ------------------------------------------------------------------------------------------------ products


@DTYPES
@pytest.mark.parametrize(("small", "parts"), [(10**6, 6), (60, 10), (15, 9), (0, 0)])
def test_products(dtype, small, parts, monkeypatch, calls):
    """Products of more than ``small`` multiplications are divided into up to three parts; 0 is for NumPy."""
    if parts and not blas.enabled():
        pytest.skip("NumPy's BLAS is not used")
    monkeypatch.setattr(small_products, "_SMALL", small)
    if not parts:
        monkeypatch.setattr(blas, "_routines", dict)
    a, b, c = (numbers(shape, dtype, i) for i, shape in enumerate([(8, 12), (12, 8), (7, 8)]))
    terms = [  # (rows, K) and (K, columns), added to (rows, columns); the rows of a, b and c are apart
        (a[:2], b[:, :6], c[:2, 1:7]),
        (a[::3, 3:6], b[1::4, 2:4], c[::2, :2][:3]),
        (b[:5, 1:4].T, a[2:7, ::-1][:, ::-1], np.zeros((3, 12), dtype)),
        (b[:, :1].T, a[:3].T, c[3:4, :3]),
        (a[:, 2:3], b[3:4, :1], np.zeros((8, 1), dtype)),
        (a[:4, :3], b[:3, ::4][:, :1], c[:4, ::3][:, 1:2]),
    ]
    run = small_products.products(terms)
    start = [z.copy() for *_, z in terms] + [c.copy()]
    for x, y, z in terms:
        z += x @ y
    expected = [z.copy() for *_, z in terms] + [c.copy()]
    for z, value in zip([*(z for *_, z in terms), c], start, strict=True):
        z[...] = value
    run()
    for got, value in zip([*(z for *_, z in terms), c], expected, strict=True):
        assert_near(got, value)
    assert calls[1] == parts


@DTYPES
def test_products_without_elements(dtype):
    c = np.ones((2, 3), dtype)
    blas.products([(np.ones((2, 0), dtype), np.ones((0, 3), dtype), c)])()
    np.testing.assert_array_equal(c, 1)


# ------------------------------------------------------------------------------------------------ axpby


@DTYPES
@pytest.mark.parametrize("size", [0, 1, 7, 2047, 2048, 2049, 10_001])
@pytest.mark.parametrize(("a", "b"), [(-0.1, 0.9), (1, 0.5), (2.5, 1), (1, 1), (0, 0.5), (0.5, 0)])
def test_axpby(dtype, size, a, b):
    x, y, scratch = numbers(size, dtype), numbers(size, dtype, 1), np.empty(size, dtype)
    expected, kept = a * x + b * y, x.copy()
    blas.axpby(a, x, b, y, scratch)
    assert_near(y, expected)
    np.testing.assert_array_equal(x, kept)


@needs_blas
@DTYPES
def test_arrays_for_which_axpby_uses_blas(calls, dtype):
    x = numbers((60, 50), dtype)
    x.flags.writeable = False
    for a, b in [(x, numbers((60, 50), dtype, 1)), (x.T, numbers((60, 50), dtype, 1).T), (x[10:], x[10:].copy())]:
        before = calls[0]
        expected = 2 * a - 3 * b
        blas.axpby(2, a, -3, b)
        assert_near(b, expected)
        assert calls[0] == before + (a.size >= 2048)
    y = numbers(4000, dtype)
    expected = 5 * y
    blas.axpby(2, y, 3, y)  # an array with itself
    assert_near(y, expected)


def other_layouts():
    """Pairs of arrays that BLAS cannot process without a copy."""
    x, y = numbers((80, 80), np.float64), numbers((80, 80), np.float64, 1)
    raw = np.zeros(8 * 6400 + 1, np.uint8)[1:].view(np.float64).reshape(80, 80)
    return {
        "transposed": (x.T, y),
        "strided": (numbers((80, 160), np.float64)[:, ::2], y),
        "strided output": (x, numbers((80, 160), np.float64)[:, ::2]),
        "reversed": (x[::-1], y),
        "broadcast": (np.broadcast_to(x[0], (80, 80)), y),
        "shorter": (x[0], y),
        "another dtype": (x.astype(np.float32), y),
        "float16": (x.astype(np.float16), y.astype(np.float16)),
        "longdouble": (x.astype(np.longdouble), y.astype(np.longdouble)),
        "big-endian": (x.astype(">f8"), y.astype(">f8")),
        "not aligned": (x, raw),
        "complex": (x + 1j, y + 2j),
    }


@pytest.mark.parametrize("case", other_layouts())
def test_arrays_for_which_axpby_uses_numpy(calls, case):
    x, y = other_layouts()[case]
    expected = 2 * x + 3 * y
    blas.axpby(2, x, 3, y)
    np.testing.assert_allclose(y, expected, rtol=1e-6 if y.dtype.itemsize > 4 else 1e-2, atol=1e-2)
    assert calls[0] == 0


@pytest.mark.parametrize("a", [1, 2])
def test_axpby_of_overlapping_arrays(calls, a):
    memory = numbers(5001, np.float64)
    x, y = memory[:-1], memory[1:]
    expected = a * x + 3 * y
    blas.axpby(a, x, 3, y)
    assert_near(y, expected)
    assert calls[0] == 0


def test_axpby_of_arrays_whose_shapes_do_not_match(calls):
    for x, y in [((79, 80), (80, 80)), ((80, 80), (79, 80)), ((6400,), (80, 80))]:
        with pytest.raises(ValueError, match="broadcast"):
            blas.axpby(2, np.ones(x), 3, np.ones(y))
    assert calls[0] == 0


def test_axpby_refuses_to_write_to_what_is_read_only():
    x, y = numbers(5000, np.float64), numbers(5000, np.float64, 1)
    y.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        blas.axpby(2, x, 3, y)


@pytest.mark.parametrize(("a", "b"), [(0, 1), (1, 0)])
def test_zero_times_nan_is_nan(a, b):
    x, y = (np.full(5000, np.nan), np.ones(5000))[:: 1 if a == 0 else -1]
    blas.axpby(a, x, b, y)
    assert np.isnan(y).all()


@DTYPES
def test_axpby_does_not_depend_on_the_place_in_memory(dtype):
    """Therefore a resumed run is equal to an uninterrupted one."""
    x, y = numbers(5000, dtype), numbers(5000, dtype, 1)
    expected = y.copy()
    blas.axpby(-0.0123, x, 0.99987, expected)
    for offset in range(20):
        x2, y2 = np.empty(5100, dtype)[offset:][:5000], np.empty(5100, dtype)[3 * offset % 7 :][:5000]
        x2[:], y2[:] = x, y
        blas.axpby(-0.0123, x2, 0.99987, y2)
        np.testing.assert_array_equal(y2, expected)


# ------------------------------------------------------------------------------------------------ gemm


@DTYPES
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 4, 5), (1, 7, 1), (64, 33, 10), (0, 3, 2), (3, 0, 2)])
@pytest.mark.parametrize(("way_a", "way_b"), [("C", "C"), ("C", "F"), ("F", "C"), ("F", "F")])
@pytest.mark.parametrize(("alpha", "beta"), [(1, 0), (2, 1), (-0.5, 0.25)])
def test_gemm(calls, dtype, shape, way_a, way_b, alpha, beta):
    m, k, n = shape
    a, b = np.array(numbers((m, k), dtype), order=way_a), np.array(numbers((k, n), dtype, 1), order=way_b)
    c = numbers((m, n), dtype, 2)
    expected = alpha * (a @ b) + beta * c
    blas.gemm(alpha, a, b, beta, c)
    np.testing.assert_allclose(c, expected, rtol=1e-4 if dtype == np.float32 else 1e-12, atol=1e-5)
    assert calls[1] == (blas.enabled() and 0 not in shape)


def test_gemm_with_beta_0_does_not_read_the_output():
    a = numbers((5, 5), np.float64)
    for order in "CF":  # BLAS, NumPy
        c = np.full((5, 5), np.nan, order=order)
        blas.gemm(1, a, a.T, 0, c)
        assert_near(c, a @ a.T)


def test_arrays_for_which_gemm_uses_numpy(calls):
    a, b, c = (numbers((6, 6), np.float64, i) for i in range(3))
    wide = numbers((6, 12), np.float64)
    for x, y, out in [(wide[:, ::2], b, c), (a, b, wide[:, ::2]), (a, b, c.T), (a, c, c), (c.T, b, c),
                      (a.astype(np.float32), b, c), (a.astype(">f8"), b, c)]:  # fmt: skip
        expected = 2 * (x @ y) + 3 * out
        blas.gemm(2, x, y, 3, out)
        assert_near(out, expected)
    assert calls[1] == 0
    with pytest.raises(ValueError, match="matmul"):
        blas.gemm(1, a, b[:5], 1, c)


# ------------------------------------------------------------------------------------------------ whether it is used


def enabled_in(code="", **environment):
    code += "\nfrom tensorgrad import blas\nprint(blas.enabled())"
    run = [sys.executable, "-c", code]
    return subprocess.check_output(run, env=os.environ | environment, text=True, timeout=60).strip() == "True"


def test_a_variable_switches_it_off():
    assert not enabled_in(TENSORGRAD_BLAS="0")
    assert enabled_in(TENSORGRAD_BLAS="1") == enabled_in(TENSORGRAD_BLAS="")


def test_nothing_happens_at_import():
    code = (
        "import ctypes; ctypes.CDLL = None\n"
        "import tensorgrad as tg, tensorgrad.optim; from tensorgrad import blas\n"
        "assert blas._routines.cache_info().currsize == 0"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_a_library_without_the_functions_is_not_used(monkeypatch):
    monkeypatch.setattr(blas.ctypes, "CDLL", lambda *_: object())
    assert blas._routines.__wrapped__() == {}


def test_a_library_that_is_not_loaded_is_not_used(monkeypatch):
    def missing(*_):
        raise OSError

    monkeypatch.setattr(blas.ctypes, "CDLL", missing)
    assert blas._routines.__wrapped__() == {}


class Wrong:
    """Functions that do nothing."""

    def __getattr__(self, name):
        return type(name, (), {"__call__": lambda *_: None})()


def test_a_library_with_wrong_results_is_not_used(monkeypatch):
    monkeypatch.setattr(blas.ctypes, "CDLL", lambda *_: Wrong())
    assert blas._routines.__wrapped__() == {}


def test_an_unexpected_memory_layout_disables_blas(monkeypatch):
    monkeypatch.setattr(blas, "_address", lambda x: 0)
    assert blas._routines.__wrapped__() == {}


# ------------------------------------------------------------------------------------------------ in an optimizer


def trained(kind, dtype, **chosen):
    p = tg.Tensor(numbers((300, 400), dtype), requires_grad=True)
    optimizer = kind([p], **chosen)
    for step in range(5):
        p.grad = np.cos(p.data * (step + 1))
        optimizer.step()
    return p.data


@needs_blas
@DTYPES
@pytest.mark.parametrize(
    ("kind", "chosen"),
    [(SGD, {"lr": 0.1}), (SGD, {"lr": 0.1, "weight_decay": 0.1}), (SGD, {"lr": 0.1, "momentum": 0.9}), (Adam, {})],
)
def test_steps_with_and_without_agree_to_rounding(calls, monkeypatch, dtype, kind, chosen):
    there = trained(kind, dtype, **chosen)
    assert calls[0] >= 5
    monkeypatch.setattr(blas, "_routines", dict)
    np.testing.assert_allclose(there, trained(kind, dtype, **chosen), rtol=0, atol=200 * np.finfo(dtype).eps)

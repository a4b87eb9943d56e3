"""Every public function of NumPy's namespaces with a tracked tensor: right gradient, plain result, or typed error.

The functions are found in the namespaces, and called with all arrangements of arguments that they accept. Functions that a
new version of NumPy adds are therefore tested as well, and must raise an error until they have an entry.
"""
# ruff: noqa: E501  (tables with one row per line)

import contextlib
import io
from typing import NamedTuple

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.engine.registry import entries
from tensorgrad.engine.tape import value_of
from tests import helpers

# Functions that change NumPy's state, print, run tests or read files are not called.
NOT_CALLED = {
    "test", "show_config", "show_runtime", "info", "setbufsize", "seterr", "seterrcall", "set_printoptions",
    "printoptions", "errstate", "get_include", "save", "savez", "savez_compressed", "savetxt", "memmap", "fromfile",
    "empty", "empty_like", "ndarray",  # uninitialized
}  # fmt: skip

# Plain results are intended here: one element as a Python float, as with float(t) and t.item(), and text.
PLAIN = {
    "float64", "double", "fromiter", "complex128", "cdouble", "complex64", "csingle",
    "format_float_positional", "format_float_scientific", "array2string", "array_repr", "array_str", "str_", "bytes_",
}  # fmt: skip

# These read one triangle of a matrix and assume that it is symmetric.
SYMMETRIC = {"cholesky", "eigh", "eigvalsh", "pinv"}

# These bypass NumPy's protocols; a tensor lacks the buffer or attributes they need, so they raise.
NO_PROTOCOL = {"frombuffer", "from_dlpack", "nditer", "isfortran", "recarray", "mintypecode"}

# Called with arguments that make no sense here: points that are not sorted, an array for an axis, numbers for text.
NO_SENSE = {"interp", "average", "bmat"}

A, B, C = np.array([1.31, 2.13, 0.71]), np.array([[1.24, 0.42], [0.33, 2.14]]), np.array(0.537)
OTHER = {(3,): np.array([0.6, 0.92, 1.71]), (2, 2): np.array([[0.61, 0.93], [1.72, 0.23]]), (): np.array(0.35)}


def public(module):
    prefix = module.__name__.replace("numpy", "np")
    return [
        pytest.param(name, getattr(module, name), id=f"{prefix}.{name}")
        for name in sorted(dir(module))
        if not name.startswith("_") and callable(getattr(module, name)) and name not in NOT_CALLED
        and not (isinstance(getattr(module, name), type) and issubclass(getattr(module, name), BaseException))
    ]  # fmt: skip


NAMESPACES = [np, np.linalg, np.fft, np.lib.scimath, np.lib.stride_tricks]
FUNCTIONS = list(
    {id(param.values[1]): param for module in NAMESPACES for param in public(module)}.values()
)  # each under one of its names


def arrangements():
    """Ways to call a function, as functions of the array in the arguments, which may be a tensor."""
    i = np.array([0, 2, 1])
    for x in (A, B, C):
        b, mask = OTHER[x.shape], x > 1.0
        yield from (
            (x, arrange)
            for arrange in [
                lambda t: ((t,), {}), lambda t: ((t, t), {}), lambda t, b=b: ((t, b), {}), lambda t, b=b: ((b, t), {}),
                lambda t: (([t, t],), {}), lambda t: ((t, 1), {}), lambda t: ((1, t), {}), lambda t, b=b: ((t, b, b), {}),
                lambda t, b=b: ((b, b, t), {}), lambda t, b=b: ((b, t, b), {}), lambda t: ((t, i), {}), lambda t: ((t,), {"axis": 0}),
                lambda t, b=b: (([t, b],), {"axis": 0}), lambda t: ((t, 0, 1), {}), lambda t: ((t, (1,)), {}),
                lambda t: (("i...->...", t), {}), lambda t: ((len, 0, t), {}), lambda t, m=mask: ((m, t), {}),
                lambda t, m=mask, b=b: ((m, t, b), {}), lambda t, m=mask, b=b: ((m, b, t), {}),
                lambda t, m=mask, b=b: ((b.copy(), t, m), {}), lambda t, b=b: ((b.copy(), i[:1], t), {}),
                lambda t, m=mask: ((t, [m], [1.0]), {}), lambda t, m=mask: (([m], [t]), {}), lambda t: ((3, t), {}),
                lambda t, b=b: ((b, t, t), {}), lambda t, b=b: ((t, 2.0, b), {}), lambda t, b=b: ((t, None, b), {}),
                lambda t: ((t, t, t), {}), lambda t, b=b: ((b.copy(),), {"out": t}), lambda t, b=b: ((t,), {"out": b.copy()}),
                lambda t, b=b: ((t, b), {"out": b.copy()}), lambda t, b=b: ((b, [b], [t]), {}), lambda t, b=b: ((t * 1, b), {}),
                lambda t: ((t * 1, 0), {}), lambda t: ((t, -1), {}), lambda t: ((t, [0.2, 0.7]), {}), lambda t: ((t, 2), {}),
                lambda t, b=b: ((t,), {"axis": -1}), lambda t: ((t,), {"axis": (0, 1)}), lambda t: ((t,), {"dtype": np.float64}),
                lambda t, m=mask: ((t,), {"where": m, "initial": 0.5}), lambda t: ((t,), {"keepdims": True}),
                lambda t: ((t, (0, 1)), {}), lambda t: ((t, (2, 2, 2)), {}), lambda t: ((t, ((1, 1),)), {}),
            ]
        )  # fmt: skip


def leaves(x, depth=0):
    """Tensors, arrays and numbers in a result."""
    if isinstance(x, (tg.Tensor, np.ndarray, np.generic, int, float, complex)):
        if np.asarray(value_of(x)).dtype.kind in "biufc":
            yield x
    elif isinstance(x, (tuple, list)) and depth < 4:
        for item in x:
            yield from leaves(item, depth + 1)


def run(function, arrange, t):
    """What a call returns, or the exception it raises."""
    args, kwargs = arrange(t)
    try:
        result = function(*args, **kwargs)
        if type(result).__module__ == "builtins" and hasattr(result, "__next__"):
            result = list(result)
    except Exception as error:
        return error, args, kwargs
    return result, args, kwargs


class Call(NamedTuple):
    """A call, for error messages; formatted only if needed, since that takes longer than the call itself."""

    name: str
    args: tuple
    kwargs: dict

    def __str__(self):
        return f"{self.name}{self.args}{self.kwargs}"


def is_ours(name, error):
    ours = ("requires a gradient", f"{name}:", "a Tensor holds numbers")
    return isinstance(error, tg.TensorgradError) or any(words in str(error) for words in ours)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in (1, 2))])
@pytest.mark.parametrize(("name", "function"), FUNCTIONS)
def test_a_right_gradient_a_plain_result_or_our_error(name, function, part, monkeypatch, tmp_path):
    """With each arrangement for one of the three arrays; for the others in the slow tests."""
    monkeypatch.chdir(tmp_path)
    if name in PLAIN:
        return
    with np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
        for k, (x, arrange) in enumerate(arrangements()):
            if (k + x.ndim + len(name)) % 3 != part:
                continue
            leaf = tg.Tensor(x.copy(), requires_grad=True)
            got, args, kwargs = run(function, arrange, leaf)
            assert np.array_equal(leaf.data, x), f"{name}{args}{kwargs} wrote to the leaf"
            call = Call(name, args, kwargs)
            if isinstance(got, Exception) and (is_ours(name, got) or name in NO_SENSE):
                continue
            expected, *_ = run(function, arrange, x.copy())
            if isinstance(got, Exception):
                assert isinstance(expected, Exception) or name in NO_PROTOCOL, f"{call} raises {got!r}, NumPy does not"
                continue
            outputs = [y for y in leaves(got) if isinstance(y, tg.Tensor)]
            tracked = [y for y in outputs if y.requires_grad]
            if not isinstance(expected, Exception) and name not in NO_SENSE:
                for y, z in zip(leaves(got), leaves(expected), strict=True):
                    assert np.allclose(value_of(y), z, rtol=1e-10, atol=1e-12, equal_nan=True), str(call)
            if tracked and name not in NO_SENSE:
                check_gradient(name, function, arrange, x, call)
            if len(tracked) < len(list(leaves(got))):
                check_constant(function, arrange, x, call)


def check_gradient(name, function, arrange, x, call):
    def real(t):
        if name in SYMMETRIC and t.ndim == 2:
            t = (t + t.T) / 2
        result, *_ = run(function, arrange, t)
        found = [y for y in leaves(result) if isinstance(y, tg.Tensor) and y.requires_grad]
        return [np.real(y) + 2 * np.imag(y) if y.dtype.kind == "c" else y for y in found]

    if not all(np.isfinite(y.data).all() for y in real(tg.Tensor(x, requires_grad=True))):
        return

    def projected(t):  # of all results, which get different weights
        return sum(np.sum(y * np.cos(1 + i + np.arange(y.size)).reshape(y.shape)) for i, y in enumerate(real(t)))

    try:
        helpers.check_gradient(projected, [x], atol=1e-5)
    except AssertionError as error:
        raise AssertionError(f"{call}: {error}") from error


def check_constant(function, arrange, x, call):
    """Untracked results must not depend on the values: a small change of the values does not change them."""
    results = [run(function, arrange, tg.Tensor(x * scale, requires_grad=True)) for scale in (1.0, 1.0001)]
    (one, *args_one), (two, *args_two) = results
    for a, b in zip(leaves([one, *args_one[0]]), leaves([two, *args_two[0]]), strict=True):
        if not (isinstance(a, tg.Tensor) and a.requires_grad):
            assert value_of(a).dtype != object if hasattr(value_of(a), "dtype") else True, (
                f"{call} gave an object array"
            )
            assert np.array_equal(value_of(a), value_of(b), equal_nan=True), f"{call} gave bare values of the tensor"


def test_every_function_is_entered_or_refused_by_name():
    """The error of a function that is not in the table has its name and a remedy."""
    refused = set()
    t = tg.Tensor(B.copy(), requires_grad=True)
    for function in [param.values[1] for param in FUNCTIONS if hasattr(param.values[1], "_implementation")]:
        if function in entries:
            continue
        for args in ((t,), (t, t), ([t, t],)):
            with contextlib.suppress(Exception), np.errstate(all="ignore"):
                try:
                    function(*args)
                except tg.NoRuleError as error:
                    refused.add(function)
                    words = (function.__name__, "tg.rule", "detach")
                    assert not [word for word in words if word not in str(error)]  # noqa: PT017
    assert len(refused) > 20


def test_an_unknown_function_of_a_newer_numpy_is_refused():
    """A NumPy function unknown to tensorgrad."""
    from numpy._core.overrides import array_function_dispatch

    @array_function_dispatch(lambda x: (x,), module="numpy")
    def of_tomorrow(x):
        return x * 2

    with pytest.raises(tg.NoRuleError, match=r"np\.of_tomorrow.*tg\.rule"):
        of_tomorrow(tg.Tensor(A, requires_grad=True))
    np.testing.assert_array_equal(of_tomorrow(tg.Tensor(A)).data, A * 2)

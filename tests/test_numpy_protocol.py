"""NumPy calls with a tracked tensor are recorded or raise: never a plain array, an object array, a lost gradient."""
# ruff: noqa: E501  (tables with one row per line)

import copy
import inspect
import itertools
import math
import operator
import pickle

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.engine import tape
from tensorgrad.engine.registry import Signature, entries
from tests.helpers import each, leaf

# ------------------------------------------------------------------------------------------------ methods of ufuncs


@each("name", ["add", "multiply", "maximum", "minimum", "subtract", "divide", "power", "exp", "matmul"])
@each("method", ["reduce", "accumulate", "outer", "at", "reduceat"])
def test_methods_of_ufuncs(name, method):
    """Every method of a ufunc returns a tracked tensor or raises."""
    run = getattr(getattr(np, name), method)
    t, a = leaf([1.0, 2.0, 3.0]), np.ones(3)
    for args in [(t,), (t, t), (a, t), (t, [0, 1]), (a.copy(), [0], t), (t, [0], a)]:
        for kwargs in ({}, {"axis": 0}, {"keepdims": True}, {"initial": 0.0}, {"where": [True, True, False]}):
            try:
                out = run(*args, **kwargs)
            except Exception:
                continue
            assert isinstance(out, tg.Tensor)
            assert out.requires_grad
            expected = run(*(tape.value_of(x) for x in args), **kwargs)
            np.testing.assert_allclose(out.data, expected)


# ------------------------------------------------------------------------------------------------ conversions


def into(target, index=...):
    def write(t):
        target[index] = t

    return write


# fmt: off
LEAVES_THE_TAPE = [
    ("asarray",       np.asarray),
    ("array",         np.array),
    ("array float32", lambda t: np.asarray(t, np.float32)),
    ("array object",  lambda t: np.array(t, dtype=object)),
    ("array list",    lambda t: np.array([t, t])),
    ("array nested",  lambda t: np.array([[t, 1.0 * t], [t, t]])),
    ("array mixed",   lambda t: np.array([t, np.zeros(t.shape)])),
    ("asarray list",  lambda t: np.asarray([t])),
    ("full",          lambda t: np.full((2, *t.shape), t)),
    ("full_like",     lambda t: np.full_like(np.zeros(t.shape), t)),
    ("copyto",        lambda t: np.copyto(np.zeros(t.shape), t)),
    ("put",           lambda t: np.put(np.zeros(3), [0], t)),
    ("out=",          lambda t: np.exp(t, out=np.zeros(t.shape))),
    ("+=",            lambda t: operator.iadd(np.zeros(t.shape), t)),
    ("array[...] =",  lambda t: into(np.zeros(t.shape))(t)),
    ("array[:] = [t]", lambda t: into(np.zeros((1, *t.shape)))([t])),
    ("Tensor([t])",   lambda t: tg.Tensor([t, t])),
    ("Tensor((t,))",  lambda t: tg.Tensor((t,), requires_grad=True)),
    ("vectorize",     lambda t: np.vectorize(math.exp)(t)),
    ("apply_along",   lambda t: np.apply_along_axis(np.sum, 0, t)),
    ("ma",            lambda t: np.ma.array([1.0] * max(t.size, 1)) * t),
    ("np.float32",    lambda t: np.float32(t)),
    ("default_rng",   lambda t: np.random.default_rng(0).normal(t)),
    ("permutation",   lambda t: np.random.default_rng(0).permutation(t)),
    ("shuffle",       lambda t: np.random.default_rng(0).shuffle(t)),
    ("deepcopy",      lambda t: copy.deepcopy(t * 2)),
    ("copy.copy",     lambda t: copy.copy(t * 2)),
    ("array[0] =",    lambda t: into(np.zeros(3), 0)(t)),
    ("array.fill",    lambda t: np.zeros(3).fill(t)),
    ("initial=",      lambda t: np.sum(np.ones(3), initial=t)),
    ("float",         float),
    ("int",           int),
    ("complex",       complex),
    ("math.sqrt",     math.sqrt),
    ("pickle",        lambda t: pickle.dumps(t * 2)),
    ("pow mod",       lambda t: pow(t, 2, 3)),
]
# fmt: on


@pytest.mark.filterwarnings("ignore")
@each("shape", [(3,), (2, 2), ()])
@each(("name", "leave"), LEAVES_THE_TAPE, ids=[row[0] for row in LEAVES_THE_TAPE])
def test_a_conversion_of_a_tracked_tensor_is_an_error(name, leave, shape):
    t = leaf(np.full(shape, 0.5))
    with pytest.raises(Exception) as caught:  # noqa: PT011  (the type varies)
        leave(t)
    assert not isinstance(caught.value, (AttributeError, AssertionError, NameError, RecursionError))
    np.testing.assert_array_equal(t.data, np.full(shape, 0.5))


def test_the_error_says_what_to_write_instead():
    t = leaf([1.0, 2.0, 3.0])
    for call, words in [
        (lambda: np.asarray(t), ("t.data", "detach", "np.stack")),
        (lambda: np.roots(t), ("np.roots", "no gradient rule", "tg.rule", "detach")),
        (lambda: np.linalg.eig(t[None] * t[:, None]), ("np.linalg.eig",)),
        (lambda: float(t[0]), ("t.item()", "np.zeros_like")),
        (lambda: np.max(t, out=np.zeros(())), ("np.max", "'out'", "axis", "keepdims")),
        (lambda: np.cumsum(t, out=np.zeros(3)), ("np.cumsum", "'out'")),
        (lambda: np.add(t, 1, where=[True, False, True]), ("np.add", "'where'")),
        (lambda: np.exp(t, dtype=np.float32), ("np.exp", "'dtype'")),
        (lambda: np.exp(t, casting="no"), ("np.exp", "'casting'")),
        (lambda: np.sum(np.ones(3), out=t), ("np.sum", "'out'")),
        (lambda: np.sum(t, out=np.zeros(())), ("np.sum", "'out'")),
        (lambda: np.stack([t, t], out=np.zeros((2, 3))), ("np.stack", "'out'")),
        (lambda: np.broadcast_to(t, (2, 3), subok=True), ("np.broadcast_to", "'subok'")),
        (lambda: np.matmul(t, t, axes=[0, 0, ()]), ("np.matmul", "'axes'")),
        (lambda: np.maximum.accumulate(t), ("np.maximum.accumulate", "detach")),
        (lambda: np.add.reduceat(t, [0, 1]), ("np.add.reduceat", "detach")),
        (lambda: np.add.at(t, [0], 1.0), ("t.copy()", "no_grad")),
        (lambda: np.add.at(np.zeros(3), [0], t[0]), ("np.add.at", "np.zeros(n, like=t)")),
        (lambda: np.multiply.at(t * 1, [0, 2, 0], 2.0), ("np.multiply.at", "distinct", "F[i] = np.multiply(F[i], v)")),
        (lambda: np.maximum.at(np.zeros(3), [0], t[0]), ("np.maximum.at", "np.zeros(n, like=t)")),
        (lambda: np.add(t, 1, out=np.zeros(3), where=t > 1), ("np.add", "like=t")),
        (lambda: np.add(t, 1, out=t * 1, casting="no"), ("np.add", "np.where")),
        (lambda: t.__iadd__(1), ("t.copy()", "no_grad")),
        (lambda: t.__setitem__(0, 1), ("t.copy()", "no_grad")),
        (lambda: np.sum(t, axis=leaf(0.0)), ("np.sum", "'axis'")),
        (lambda: pickle.dumps(t * 1), ("detach",)),
    ]:
        with pytest.raises((TypeError, RuntimeError)) as caught:
            call()
        for word in words:
            assert word in str(caught.value), f"{word} in {caught.value}"


# ------------------------------------------------------------------------------------------------ ways to pass arguments

# fmt: off
FORMS = [
    ("sum a=",           lambda t: np.sum(a=t)),
    ("sum axis=None",    lambda t: np.sum(t, axis=None, out=None)),
    ("sum positional",   lambda t: np.sum(t, 0)),
    ("sum dtype",        lambda t: np.sum(t, 0, np.float64)),
    ("sum np axis",      lambda t: np.sum(t, axis=np.int64(1), keepdims=True)),
    ("sum initial",      lambda t: np.sum(t, 0, initial=t[0, 0])),
    ("max initial",      lambda t: np.max(t, axis=0, initial=t[1, 0], where=[[True, False], [False, True]])),
    ("accumulate",       lambda t: np.add.accumulate(t) + np.multiply.accumulate(t, axis=1)),
    ("outer",            lambda t: np.subtract.outer(t, t[0]) * np.power.outer([1.0, 2.0], t[1])[0, 1]),
    ("//, %, divmod",    lambda t: t % 0.71 + 2.0 % t + t // 2 * t + divmod(t, 0.43)[1] + divmod(3.1, t)[0] * t),
    ("mT, real, conj",   lambda t: t.mT + t.real + t.imag + t.conj()),
    ("mean",             lambda t: np.mean(a=t, axis=(0, 1))),
    ("max axis=None",    lambda t: np.max(t, axis=None)),
    ("max a=",           lambda t: np.max(axis=1, a=t)),
    ("clip a_max=",      lambda t: np.clip(t, a_min=None, a_max=1)),
    ("clip max=",        lambda t: np.clip(t, max=1.0)),
    ("clip a=",          lambda t: np.clip(a=t, a_min=0.2, a_max=0.9)),
    ("clip nothing",     lambda t: np.clip(t, None, None)),
    ("concatenate None", lambda t: np.concatenate([t], axis=None)),
    ("concatenate kw",   lambda t: np.concatenate((t, t), axis=1)),
    ("concat",           lambda t: np.concat([t, t])),
    ("stack kw",         lambda t: np.stack(arrays=[t, t], axis=1)),
    ("reshape kw",       lambda t: np.reshape(t, shape=(4,))),
    ("reshape int",      lambda t: np.reshape(t, -1)),
    ("transpose kw",     lambda t: np.transpose(t, axes=(1, 0))),
    ("transpose a=",     lambda t: np.transpose(a=t)),
    ("swapaxes kw",      lambda t: np.swapaxes(t, axis1=0, axis2=1)),
    ("expand_dims kw",   lambda t: np.expand_dims(t, axis=0)),
    ("squeeze None",     lambda t: np.squeeze(t[None], axis=None)),
    ("broadcast_to kw",  lambda t: np.broadcast_to(t, shape=(3, 2, 2))),
    ("where",            lambda t: np.where(t > 1, t, 0)),
    ("var kw",           lambda t: np.var(t, axis=0, ddof=1, keepdims=True)),
    ("std kw",           lambda t: np.std(t, keepdims=False)),
    ("prod kw",          lambda t: np.prod(t, axis=-1, keepdims=True)),
    ("einsum kw",        lambda t: np.einsum("ij,jk->ik", t, t, optimize=True)),
    ("einsum greedy",    lambda t: np.einsum("ij,jk,kl->il", t, t, t, optimize="greedy")),
    ("matmul out=None",  lambda t: np.matmul(t, t, out=None)),
    ("add where=True",   lambda t: np.add(t, t)),
    ("permute_dims",     lambda t: np.permute_dims(t, (1, 0))),
    ("pow",              lambda t: np.pow(t, 2)),
    ("logical chain",    lambda t: t * ((t > 0) & (t < 2))),
    ("f64 on the left",  lambda t: np.float64(2) * t + np.float32(1) - np.int64(3)),
    ("0-d array left",   lambda t: np.array(2.0) / t),
    ("array left",       lambda t: np.ones((2, 2)) @ t - np.eye(2) * t),
    ("scalar ** t",      lambda t: np.float64(2) ** t),
    ("bool left",        lambda t: np.True_ + t),
    ("sum()",            lambda t: sum(t)),
    ("max()",            lambda t: max(t[0], t[1], key=lambda r: r.sum().item())),
    ("methods",          lambda t: t.sum(axis=0).mean() + t.max() + t.clip(0, 1).prod() + t.var() + t.std() + t.min()),
    ("method shapes",    lambda t: t.reshape((4,)).reshape(2, 2).swapaxes(0, 1).transpose((1, 0)).T.ravel().flatten()),
    ("Tensor subclass",  lambda t: np.add(t, tg.Tensor(np.ones((2, 2))))),
]
# fmt: on


@each(("name", "fn"), FORMS, ids=[row[0] for row in FORMS])
def test_every_form_of_call_records(name, fn):
    x = np.array([[0.3, 1.7], [1.1, 0.6]])
    t = tg.Tensor(x, requires_grad=True)
    out = fn(t)
    assert isinstance(out, tg.Tensor)
    assert out.requires_grad
    if "method" not in name and "max()" not in name:
        np.testing.assert_allclose(out.data, fn(x), rtol=1e-14)
    assert tg.gradcheck(fn, x)


def test_untracked_tensors_give_tensors_and_numpys_values():
    """A function without a rule runs on a tensor that needs no gradient, and under no_grad."""
    x = np.array([[0.3, 1.7], [1.1, 0.6]])
    constant, tracked = tg.Tensor(x), tg.Tensor(x, requires_grad=True)
    calls = [
        np.cumsum, np.linalg.inv, np.linalg.norm, np.fft.fft, np.median, np.sort, lambda t: np.sum(t, where=x > 1),
        lambda t: np.max(t, initial=5.0), lambda t: np.add(t, 1, where=True), np.floor, np.round, lambda t: np.diff(t, axis=0),
        lambda t: np.reshape(t, 4, order="F"), lambda t: np.tile(t, 2), np.ptp, lambda t: np.percentile(t, 30), np.sum, np.exp,
    ]  # fmt: skip
    for call in calls:
        out = call(constant)
        assert isinstance(out, tg.Tensor)
        assert not out.requires_grad
        np.testing.assert_array_equal(out.data, call(x))
        with tg.no_grad():
            np.testing.assert_array_equal(call(tracked).data, call(x))
    values, vectors = np.linalg.eigh(constant)
    assert isinstance(values, tg.Tensor)
    assert isinstance(vectors, tg.Tensor)
    np.testing.assert_array_equal(np.asarray(constant), x)
    np.testing.assert_array_equal(np.array([constant, constant]), [x, x])


def test_out_of_an_untracked_tensor():
    u, target = tg.Tensor([1.0, 4.0]), tg.Tensor(np.zeros(2))
    assert np.sqrt(u, out=target) is target
    np.testing.assert_array_equal(target.data, [1, 2])
    target += u
    target *= 2
    target -= [1.0, 1.0]
    np.testing.assert_array_equal(target.data, [3, 11])
    array = np.zeros(2)
    np.sqrt(u, out=array)
    array += u
    np.testing.assert_array_equal(array, [2, 6])


# ------------------------------------------------------------------------------------------------ rows


def test_a_user_defined_rule_in_two_lines():
    """Two lines outside the package make a function differentiable."""
    gelu = tg.primitive(lambda x: x / (1 + np.exp(-1.702 * x)))
    tg.rule(gelu, lambda g, ans, x: g * (tg.sigmoid(1.702 * x) + ans * 1.702 * (1 - tg.sigmoid(1.702 * x))))
    x = np.linspace(-2, 2, 5)
    assert tg.gradcheck(gelu, x)
    assert tg.gradgradcheck(gelu, x)
    assert type(gelu(x)) is np.ndarray


def misplaced(fn, signature):
    """The parameters whose position differs from NumPy's, or that are not accepted."""
    names = tuple(inspect.signature(fn).parameters)[signature.arity :]
    pairs = itertools.zip_longest(signature.positional, names[: len(signature.positional)])
    return [pair for pair in pairs if pair[0] != pair[1] or pair[0] not in signature.accepted]


def test_parameters_by_position_are_those_of_numpy():
    checked = 0
    for fn, entry in entries.items():
        is_own = getattr(np, fn.__name__, None) is not fn
        if is_own or isinstance(fn, np.ufunc) or entry.signature is None or entry.signature.variadic:
            continue
        try:
            inspect.signature(fn)
        except ValueError:  # functions in C have no signature
            continue
        assert misplaced(fn, entry.signature) == [], fn.__name__
        checked += bool(entry.signature.positional)
    assert checked > 50
    assert misplaced(np.sum, Signature(1, ("dtype", "axis"), frozenset({"axis", "dtype"})))
    assert misplaced(np.sum, Signature(1, ("axis", "dtype"), frozenset({"axis"})))
    assert misplaced(np.sum, Signature(0, ("axis",), frozenset({"axis"})))

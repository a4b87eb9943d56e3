"""PyTorch's names and the equivalent code here, for error messages and for a page of the documentation.

Most of PyTorch's methods are NumPy functions here. There are no aliases.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# fmt: off
METHODS: dict[str, tuple[str, str]] = {  # from a name to the code with PyTorch and the code with tensorgrad
    # shapes
    "view":               ("t.view(3, 2)",                 "t.reshape(3, 2)"),
    "view_as":            ("t.view_as(u)",                 "t.reshape(u.shape)"),
    "reshape_as":         ("t.reshape_as(u)",              "t.reshape(u.shape)"),
    "unsqueeze":          ("t.unsqueeze(0)",               "np.expand_dims(t, 0)"),
    "permute":            ("t.permute(1, 0)",              "t.transpose(1, 0)"),
    "t":                  ("t.t()",                        "t.T"),
    "movedim":            ("t.movedim(0, 1)",              "np.moveaxis(t, 0, 1)"),
    "moveaxis":           ("t.moveaxis(0, 1)",             "np.moveaxis(t, 0, 1)"),
    "swapdims":           ("t.swapdims(0, 1)",             "t.swapaxes(0, 1)"),
    "unflatten":          ("t.unflatten(1, (3, 1))",       "t.reshape(2, 3, 1)"),
    "expand":             ("t.expand(4, 2, 3)",            "np.broadcast_to(t, (4, 2, 3))"),
    "expand_as":          ("t.expand_as(u)",               "np.broadcast_to(t, u.shape)"),
    "broadcast_to":       ("t.broadcast_to((4, 2, 3))",    "np.broadcast_to(t, (4, 2, 3))"),
    "tile":               ("t.tile((2, 2))",               "np.tile(t, (2, 2))"),
    "repeat_interleave":  ("t.repeat_interleave(2, 1)",    "t.repeat(2, axis=1)"),
    "contiguous":         ("t.contiguous()",               "np.ascontiguousarray(t, like=t)"),
    "flip":               ("t.flip(0)",                    "np.flip(t, 0)"),
    "roll":               ("t.roll(1, 0)",                 "np.roll(t, 1, axis=0)"),
    "rot90":              ("t.rot90()",                    "np.rot90(t)"),
    "chunk":              ("t.chunk(2)[0]",                "np.array_split(t, 2)[0]"),
    "split":              ("t.split(1)[0]",                "np.split(t, len(t))[0]"),
    "unbind":             ("t.unbind()[1]",                "np.unstack(t)[1]"),
    "unfold":             ("t.unfold(1, 2, 1)",            "np.lib.stride_tricks.sliding_window_view(t, 2, 1)"),
    "dim":                ("t.dim()",                      "t.ndim"),
    "numel":              ("t.numel()",                    "t.size"),
    "nelement":           ("t.nelement()",                 "t.size"),
    # elements
    "select":             ("t.select(1, 0)",               "t[:, 0]"),
    "narrow":             ("t.narrow(1, 0, 2)",            "t[:, 0:2]"),
    "index_select":       ("t.index_select(0, i)",         "t[i]"),
    "gather":             ("t.gather(1, index)",           "np.take_along_axis(t, index, 1)"),
    "take_along_dim":     ("t.take_along_dim(index, 1)",   "np.take_along_axis(t, index, 1)"),
    "masked_select":      ("t.masked_select(mask)",        "t[mask]"),
    "masked_fill":        ("t.masked_fill(mask, 0.0)",     "np.where(mask, 0.0, t)"),
    "where":              ("t.where(mask, u)",             "np.where(mask, t, u)"),
    "index_add":          ("t.index_add(0, i, u[i])",      "v = t.copy(); np.add.at(v, i, u[i])"),
    "scatter":            ("t.scatter(1, index, u)",       "v = t.copy(); np.put_along_axis(v, index, u[:, :2], 1)"),
    "scatter_add":        ("t.scatter_add(1, index, u)",   "v = t.copy(); np.add.at(v, ([[0], [1]], index), u[:, :2])"),
    "topk":               ("t.topk(2).values",             "np.sort(t)[..., ::-1][..., :2]"),
    "kthvalue":           ("t.kthvalue(1).values",         "np.partition(t, 0)[..., 0]"),
    "msort":              ("t.msort()",                    "np.sort(t, axis=0)"),
    "unique":             ("t.unique()",                   "np.unique(t)"),
    "diag":               ("m.diag()",                     "np.diag(m)"),
    "tril":               ("t.tril()",                     "np.tril(t)"),
    "triu":               ("t.triu()",                     "np.triu(t)"),
    # arithmetic
    "add":                ("t.add(u)",                     "t + u"),
    "sub":                ("t.sub(u)",                     "t - u"),
    "mul":                ("t.mul(u)",                     "t * u"),
    "div":                ("t.div(u)",                     "t / u"),
    "pow":                ("t.pow(2)",                     "t**2"),
    "neg":                ("t.neg()",                      "-t"),
    "remainder":          ("t.remainder(2)",               "t % 2"),
    "reciprocal":         ("t.reciprocal()",               "1 / t"),
    "rsqrt":              ("t.rsqrt()",                    "1 / np.sqrt(t)"),
    "frac":               ("t.frac()",                     "t - np.trunc(t)"),
    "lerp":               ("t.lerp(u, 0.5)",               "tg.lerp(t, u, 0.5)"),
    "cummax":             ("t.cummax(1).values",           "tg.cummax(t, 1).values"),
    "cummin":             ("t.cummin(1).values",           "tg.cummin(t, 1).values"),
    "clamp":              ("t.clamp(0.5, 1.0)",            "t.clip(0.5, 1.0)"),
    "clamp_min":          ("t.clamp_min(1.0)",             "np.maximum(t, 1.0)"),
    "clamp_max":          ("t.clamp_max(1.0)",             "np.minimum(t, 1.0)"),
    "acos":               ("(t / 3).acos()",               "np.arccos(t / 3)"),
    "asin":               ("(t / 3).asin()",               "np.arcsin(t / 3)"),
    "atan":               ("t.atan()",                     "np.arctan(t)"),
    "atan2":              ("t.atan2(u)",                   "np.arctan2(t, u)"),
    "asinh":              ("t.asinh()",                    "np.arcsinh(t)"),
    "acosh":              ("(t + 1).acosh()",              "np.arccosh(t + 1)"),
    "atanh":              ("(t / 3).atanh()",              "np.arctanh(t / 3)"),
    # reductions
    "amax":               ("t.amax(1)",                    "t.max(axis=1)"),
    "amin":               ("t.amin(1)",                    "t.min(axis=1)"),
    "norm":               ("t.norm()",                     "np.linalg.norm(t)"),
    "dist":               ("t.dist(u)",                    "np.linalg.norm(t - u)"),
    "median":             ("t[0].median()",                "np.median(t[0])"),
    "quantile":           ("t.quantile(0.3)",              "np.quantile(t, 0.3)"),
    "nansum":             ("t.nansum()",                   "np.nansum(t)"),
    "count_nonzero":      ("t.count_nonzero()",            "np.count_nonzero(t)"),
    # linear algebra
    "matmul":             ("t.matmul(m)",                  "t @ m"),
    "mm":                 ("t.mm(m)",                      "t @ m"),
    "mv":                 ("t.mv(m[0])",                   "t @ m[0]"),
    "bmm":                ("m[None].bmm(m[None])",         "m[None] @ m[None]"),
    "outer":              ("t[0].outer(u[0])",             "np.outer(t[0], u[0])"),
    "inner":              ("t.inner(u)",                   "np.inner(t, u)"),
    "kron":               ("t.kron(u)",                    "np.kron(t, u)"),
    "det":                ("m.det()",                      "np.linalg.det(m)"),
    "inverse":            ("m.inverse()",                  "np.linalg.inv(m)"),
    "matrix_power":       ("m.matrix_power(2)",            "np.linalg.matrix_power(m, 2)"),
    # dtypes, copies, the tape
    "float":              ("t.float()",                    "t.astype(np.float32)"),
    "double":             ("t.double()",                   "t.astype(np.float64)"),
    "half":               ("t.half()",                     "t.astype(np.float16)"),
    "long":               ("t.long()",                     "t.astype(int)"),
    "int":                ("t.int()",                      "t.astype(np.int32)"),
    "bool":               ("t.bool()",                     "t.astype(bool)"),
    "type_as":            ("t.type_as(u)",                 "t.astype(u.dtype)"),
    "to":                 ("t.to(torch.float64)",          "t.astype(np.float64)"),
    "cpu":                ("t.cpu()",                      "t"),
    "clone":              ("t.clone()",                    "t.copy()"),
    "new_zeros":          ("t.new_zeros(3)",               "np.zeros(3, like=t)"),
    "new_ones":           ("t.new_ones(3)",                "np.ones(3, like=t)"),
    # comparisons
    "eq":                 ("t.eq(u)",                      "t == u"),
    "ne":                 ("t.ne(u)",                      "t != u"),
    "lt":                 ("t.lt(u)",                      "t < u"),
    "le":                 ("t.le(u)",                      "t <= u"),
    "gt":                 ("t.gt(u)",                      "t > u"),
    "ge":                 ("t.ge(u)",                      "t >= u"),
    "isnan":              ("t.isnan()",                    "np.isnan(t)"),
    "isfinite":           ("t.isfinite()",                 "np.isfinite(t)"),
    "allclose":           ("t.allclose(t)",                "np.allclose(t, t)"),
    # others of NumPy's names
    "floor":              ("t.floor()",                    "np.floor(t)"),
    "ceil":               ("t.ceil()",                     "np.ceil(t)"),
    "trunc":              ("t.trunc()",                    "np.trunc(t)"),
    "maximum":            ("t.maximum(u)",                 "np.maximum(t, u)"),
    "minimum":            ("t.minimum(u)",                 "np.minimum(t, u)"),
    "diff":               ("t.diff()",                     "np.diff(t)"),
    "sinc":               ("t.sinc()",                     "np.sinc(t)"),
    "nan_to_num":         ("t.nan_to_num()",               "np.nan_to_num(t)"),
    "fliplr":             ("t.fliplr()",                   "np.fliplr(t)"),
    "flipud":             ("t.flipud()",                   "np.flipud(t)"),
    "hypot":              ("t.hypot(u)",                   "np.hypot(t, u)"),
    "logaddexp":          ("t.logaddexp(u)",               "np.logaddexp(t, u)"),
    "exp2":               ("t.exp2()",                     "np.exp2(t)"),
    "cross":              ("m.cross(u[:1], dim=1)",        "np.cross(m, u[:1])"),
    "vdot":               ("t[0].vdot(u[0])",              "np.vdot(t[0], u[0])"),
    "cov":                ("t.cov()",                      "np.cov(t)"),
    "corrcoef":           ("t.corrcoef()",                 "np.corrcoef(t)"),
    "isclose":            ("t.isclose(u)",                 "np.isclose(t, u)"),
    "isinf":              ("t.isinf()",                    "np.isinf(t)"),
    "slogdet":            ("m.slogdet()[1]",               "np.linalg.slogdet(m)[1]"),
    "logdet":             ("m.logdet()",                   "np.linalg.slogdet(m)[1]"),
    "pinverse":           ("t.pinverse()",                 "np.linalg.pinv(t)"),
    "svd":                ("t.svd()[1]",                   "np.linalg.svd(t, full_matrices=False)[1]"),
    "matrix_exp":         ("m.matrix_exp()",               "import tensorgrad.scipy; tg.scipy.linalg.expm(m)"),
    "lgamma":             ("t.lgamma()",                   "from scipy.special import gammaln; gammaln(t)"),
    "digamma":            ("t.digamma()",                  "from scipy.special import digamma; digamma(t)"),
    "erfinv":             ("(t / 3).erfinv()",             "from scipy.special import erfinv; erfinv(t / 3)"),
    "logit":              ("(t / 3).logit()",              "from scipy.special import logit; logit(t / 3)"),
    "xlogy":              ("t.xlogy(u)",                   "from scipy.special import xlogy; xlogy(t, u)"),
    "type":               ("t.type(torch.float64)",        "t.astype(np.float64)"),
    # in place
    "add_":               ("v.add_(u)",                    "v += u"),
    "sub_":               ("v.sub_(u)",                    "v -= u"),
    "mul_":               ("v.mul_(u)",                    "v *= u"),
    "div_":               ("v.div_(u)",                    "v /= u"),
    "zero_":              ("v.zero_()",                    "v[...] = 0"),
    "fill_":              ("v.fill_(2.0)",                 "v[...] = 2.0"),
    "copy_":              ("v.copy_(u)",                   "v[...] = u"),
    "clamp_":             ("v.clamp_(0.5, 1.0)",           "v[...] = v.clip(0.5, 1.0)"),
    "masked_fill_":       ("v.masked_fill_(mask, 0.0)",    "v[mask] = 0.0"),
    "index_add_":         ("v.index_add_(0, i, u[i])",     "np.add.at(v, i, u[i])"),
    "scatter_":           ("v.scatter_(1, index, u)",      "np.put_along_axis(v, index, u[:, :2], 1)"),
    "scatter_add_":       ("v.scatter_add_(1, index, u)",  "np.add.at(v, ([[0], [1]], index), u[:, :2])"),
    "requires_grad_":     ("t.detach().requires_grad_()",  "tg.Tensor(t.data, requires_grad=True)"),
}

FUNCTIONS: dict[str, tuple[str, str]] = {  # functions of the package
    "tensor":             ("torch.tensor([1.0, 2.0], requires_grad=True)", "tg.Tensor([1.0, 2.0], requires_grad=True)"),
    "as_tensor":          ("torch.as_tensor(a)",           "tg.Tensor(a)"),
    "from_numpy":         ("torch.from_numpy(a)",          "tg.Tensor(a)"),
    "zeros":              ("torch.zeros(3)",               "tg.Tensor(np.zeros(3))"),
    "ones":               ("torch.ones(3)",                "tg.Tensor(np.ones(3))"),
    "full":               ("torch.full((3,), 2.0)",        "tg.Tensor(np.full(3, 2.0))"),
    "arange":             ("torch.arange(3.0)",            "tg.Tensor(np.arange(3.0))"),
    "eye":                ("torch.eye(3)",                 "tg.Tensor(np.eye(3))"),
    "zeros_like":         ("torch.zeros_like(t)",          "np.zeros_like(t)"),
    "cat":                ("torch.cat([t, u], dim=1)",     "np.concatenate([t, u], axis=1)"),
    "stack":              ("torch.stack([t, u], dim=1)",   "np.stack([t, u], axis=1)"),
    "bmm":                ("torch.bmm(m[None], m[None])",  "m[None] @ m[None]"),
    "mm":                 ("torch.mm(t, m)",               "t @ m"),
    "matmul":             ("torch.matmul(t, m)",           "t @ m"),
    "einsum":             ("torch.einsum('ij,jk->ik', t, m)", "np.einsum('ij,jk->ik', t, m)"),
    "addmm":              ("torch.addmm(u, t, m)",         "u + t @ m"),
    "pow":                ("torch.pow(t, 2)",              "t**2"),
    "clamp":              ("torch.clamp(t, 0.5, 1.0)",     "np.clip(t, 0.5, 1.0)"),
    "max":                ("torch.max(t)",                 "np.max(t)"),
    "topk":               ("torch.topk(t, 2).values",      "np.sort(t)[..., ::-1][..., :2]"),
    "unsqueeze":          ("torch.unsqueeze(t, 0)",        "np.expand_dims(t, 0)"),
    "permute":            ("torch.permute(t, (1, 0))",     "np.transpose(t, (1, 0))"),
    "gather":             ("torch.gather(t, 1, index)",    "np.take_along_axis(t, index, 1)"),
    "index_add":          ("torch.index_add(t, 0, i, u[i])", "v = t.copy(); np.add.at(v, i, u[i])"),
    "scatter_add":        ("torch.scatter_add(t, 1, index, u)",
                           "v = t.copy(); np.add.at(v, ([[0], [1]], index), u[:, :2])"),
    "atan2":              ("torch.atan2(t, u)",            "np.arctan2(t, u)"),
    "det":                ("torch.det(m)",                 "np.linalg.det(m)"),
    "inverse":            ("torch.inverse(m)",             "np.linalg.inv(m)"),
    "norm":               ("torch.norm(t)",                "np.linalg.norm(t)"),
    "numel":              ("torch.numel(t)",               "t.size"),
    "flatten":            ("torch.flatten(t)",             "t.flatten()"),
    "masked_select":      ("torch.masked_select(t, mask)", "t[mask]"),
    "index_select":       ("torch.index_select(t, 0, i)",  "t[i]"),
    "is_tensor":          ("torch.is_tensor(a)",           "isinstance(a, tg.Tensor)"),
    "float32":            ("torch.float32",                "np.float32"),
    "float64":            ("torch.float64",                "np.float64"),
    "long":               ("torch.long",                   "np.int64"),
}
# fmt: on

_INSTEAD = {  # other names of the package
    **dict.fromkeys(
        ("rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial", "manual_seed", "Generator"),
        "write rng = np.random.default_rng(seed), and rng.standard_normal(3), rng.random(3), rng.integers(9, size=3) "
        "or rng.permutation(3)",
    ),
    **dict.fromkeys(
        ("linalg", "fft"), "NumPy's functions work on tensors, write np.linalg.solve(a, b) or np.fft.rfft(t)"
    ),
    **dict.fromkeys(
        ("special", "distributions"), "write scipy.special.expit(t), or import tensorgrad.scipy: docs/scipy.md"
    ),
    **dict.fromkeys(("autograd", "func"), "its functions are in tg itself: tg.grad, tg.vjp, tg.jacobian, tg.hessian"),
    **dict.fromkeys(("set_grad_enabled", "inference_mode"), "write with tg.no_grad():"),
    **dict.fromkeys(("cuda", "device"), "tensorgrad computes on the CPU"),
    "enable_grad": "operations are recorded except inside tg.no_grad()",
    "utils": "write tg.data.batches for batches, tg.optim.clip_grad_norm and tg.checkpoint",
    "vmap": "NumPy's functions take batch axes: write f for (N, ...), with axis=-1",
    "jit": "write tg.compile(f)",
}

_UNNEEDED = {
    "cuda": "tensorgrad computes on the CPU",
    "device": "tensorgrad computes on the CPU",
    "grad_fn": "t.is_leaf tells whether a tensor was computed, and tg.draw(t) shows how",
    "retain_grad": "tg.grad(loss, t) returns the gradient of a tensor that is not a leaf",
    "register_hook": "tg.grad(loss, t) returns the gradient of a tensor that is not a leaf",
}


class MissingAttribute:
    """A descriptor for an attribute that tensors do not have: reading it raises an error that says what to write.

    A ``__getattr__`` would do the same, but would slow down access to all other attributes.
    """

    def __init__(self, name: str, instead: str) -> None:
        self.name, self.instead = name, instead

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        raise AttributeError(f"'Tensor' object has no attribute {self.name!r}: {self.instead}", name=self.name,
                             obj=owner if instance is None else instance)  # fmt: skip


def missing_attributes(kind: Any) -> dict[str, MissingAttribute]:
    """The attributes to add to a class of tensors, for the names that it does not have."""
    names = {name: f"write {ours} for {theirs}" for name, (theirs, ours) in METHODS.items()} | _UNNEEDED
    return {name: MissingAttribute(name, instead) for name, instead in names.items() if not hasattr(kind, name)}


def missing(name: str) -> str:
    """The end of the error message for a name that the package does not have."""
    if name in FUNCTIONS:
        theirs, ours = FUNCTIONS[name]
        return f": write {ours} for {theirs}"
    if name in _INSTEAD:
        return f": {_INSTEAD[name]}"
    if callable(getattr(np, name, None)) and not name.startswith("_"):
        return f": NumPy's functions work on tensors, write np.{name}(t)"
    if name in METHODS and not name.endswith("_"):
        theirs, ours = METHODS[name]
        return f": write {ours} for {theirs}"
    return ""

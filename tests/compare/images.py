"""Resized images, sliding blocks of images, and functions of vectors."""

import numpy as np
from hypothesis import strategies as st

import tensorgrad as tg
from compare.both import torch
from compare.networks import each
from compare.op import Op, Unfit, apart, given, partner, with_axis

F = torch.nn.functional


def per_axis(value, x):
    """One number for each spatial axis, where None keeps its length."""
    given = value if isinstance(value, tuple) else (value,) * (x.ndim - 2)
    return tuple(n if one is None else one for n, one in zip(x.shape[2:], given, strict=True))


def sizes(p, x):
    """One output size for all axes, or one or None for each."""
    one = st.integers(1, 6)
    size = tuple(p.draw(st.none() | one) for _ in x.shape[2:]) if p.draw(st.booleans()) else p.draw(one)
    return [], {"output_size": size}


def pooled(fn):
    """PyTorch's pooling over one axis does not accept None."""
    return lambda x, output_size: fn(x, per_axis(output_size, x))


def new_sizes(*modes):
    def draw(p, x):
        mode = p.draw(st.sampled_from(modes))
        params = {"mode": mode}
        if p.draw(st.booleans()):
            params["size"] = each(p, x.ndim - 2, 1, 7)
        else:
            factors = [1.0, 2.0, 3.0]  # for others, PyTorch's gradient of "nearest" is that of another index
            params["scale_factor"] = p.draw(st.sampled_from([*factors, 1.3, 2.3] if "linear" in mode else factors))
        if "linear" in mode:
            params["align_corners"] = p.draw(st.sampled_from([None, False, True]))
        return [], params

    return draw


def blocks(p, x):
    """The options of `unfold` for images of this size."""
    kernel = each(p, 2, 1, 3)
    options = {"dilation": each(p, 2, 1, 2), "padding": each(p, 2, 0, 2), "stride": each(p, 2, 1, 3)}
    for n, k, d, m in zip(x.shape[2:], *(per_axis(v, x) for v in (kernel, options["dilation"], options["padding"]))):  # noqa: B905  (a kernel has two axes)
        if n + 2 * m < d * (k - 1) + 1:
            raise Unfit
    return [], {"kernel_size": kernel, **options}


def folded(fold, unfold):
    """The columns for `fold` are computed by `unfold`, so that their number matches the options."""
    return lambda x, **options: fold(unfold(x, **options) * 1.5, tuple(x.shape[2:]), **options)


def vectors(p, x):
    """Vectors along an axis whose other axes broadcast with those of ``x``."""
    axis = with_axis(p, x)[1]["axis"]
    shape = partner(p.draw, x.shape)
    if len(shape) != x.ndim or shape[axis] != x.shape[axis]:
        shape = x.shape
    return [p.another(shape)], {"axis": axis}


def three(p, x):
    end, weight = partner(p.draw, x.shape), partner(p.draw, x.shape)
    try:
        np.broadcast_shapes(x.shape, end, weight)
    except ValueError:
        raise Unfit from None
    return [p.another(end), p.another(weight)], {}


def with_order(p, x):
    return [], with_axis(p, x)[1] | given(p=[1, 2, 3.5])(p, x)[1]


def values(fn):
    return lambda x, axis: fn(x, axis).values


def indices(fn):
    """The indices, times ``x``."""
    return lambda x, axis: x * as_floats(fn(x, axis).indices, x.dtype)


def as_floats(numbers, dtype):
    return numbers.astype(dtype) if isinstance(numbers, np.ndarray) else numbers.to(dtype)


# fmt: off
IMAGES = [
    *[Op(f"adaptive_avg_pool{n}d", getattr(tg, f"adaptive_avg_pool{n}d"), pooled(getattr(F, f"adaptive_avg_pool{n}d")), sizes, ndim=(n + 2, n + 2)) for n in (1, 2, 3)],
    *[Op(f"adaptive_max_pool{n}d", getattr(tg, f"adaptive_max_pool{n}d"), pooled(getattr(F, f"adaptive_max_pool{n}d")), sizes, ndim=(n + 2, n + 2), safe=apart) for n in (1, 2, 3)],
    *[Op(f"interpolate {n}d",  tg.interpolate,         F.interpolate,           new_sizes("nearest", "nearest-exact", linear, "area"), ndim=(n + 2, n + 2)) for n, linear in enumerate(("linear", "bilinear", "trilinear"), 1)],
    Op("unfold",               tg.unfold,              F.unfold,                blocks,        ndim=(4, 4)),
    Op("fold",                 folded(tg.fold, tg.unfold), folded(F.fold, F.unfold), blocks,   ndim=(4, 4)),
]

VECTORS = [
    Op("cosine_similarity",    tg.cosine_similarity,   lambda x, y, axis: F.cosine_similarity(x, y, dim=axis), vectors, ndim=(1, 3)),
    Op("normalize",            tg.normalize,           lambda x, p, axis: F.normalize(x, p, dim=axis), with_order, ndim=(1, 3), safe=apart),
    Op("lerp",                 tg.lerp,                torch.lerp,              three),
    *[Op(f"{name} {part.__name__}", part(getattr(tg, name)), part(getattr(torch, name)), with_axis, ndim=(1, 3), safe=apart) for name in ("cummax", "cummin") for part in (values, indices)],
]
# fmt: on

OPS = IMAGES + VECTORS

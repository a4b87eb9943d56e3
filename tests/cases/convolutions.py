"""Convolutions and pooling, compared with loops over every window, which follow the definitions."""
# ruff: noqa: E501  (tables with one row per line)

import itertools

import numpy as np

import tensorgrad as tg
from cases.rows import Row, distinct, real
from tensorgrad.functional.convolution_products import convolution_filters
from tensorgrad.functional.pooled_windows import Pooled, spread_over_windows


def _each(value, axes):
    return value if isinstance(value, tuple) else (value,) * axes


def _windows(lengths, kernel, stride, dilation):
    """For each window along the axes: its position in the result, and the index of its elements."""
    ranges = [range(0, n - d * (k - 1), s) for n, k, s, d in zip(lengths, kernel, stride, dilation, strict=True)]
    for starts in itertools.product(*ranges):
        place = tuple(a // s for a, s in zip(starts, stride, strict=True))
        yield place, tuple(slice(a, a + d * (k - 1) + 1, d) for a, d, k in zip(starts, dilation, kernel, strict=True))


def convolve(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    kernel = weight.shape[2:]
    axes = len(kernel)
    stride, dilation = _each(stride, axes), _each(dilation, axes)
    if padding == "same":  # the odd zero goes last
        margins = [(d * (k - 1) // 2, d * (k - 1) - d * (k - 1) // 2) for d, k in zip(dilation, kernel, strict=True)]
    else:
        margins = [(p, p) for p in _each(0 if padding == "valid" else padding, axes)]
    x = np.pad(x, [(0, 0), (0, 0), *margins])
    windows = list(_windows(x.shape[2:], kernel, stride, dilation))
    out = np.zeros((len(x), len(weight), *(i + 1 for i in windows[-1][0])), x.dtype)
    taken = weight.shape[1]
    for n, o in np.ndindex(out.shape[:2]):
        first = o // (len(weight) // groups) * taken
        for place, window in windows:
            out[(n, o, *place)] = np.sum(x[(n, slice(first, first + taken), *window)] * weight[o])
            out[(n, o, *place)] += 0 if bias is None else bias[o]
    return out


def convolve_transposed(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    kernel, spatial = weight.shape[2:], x.shape[2:]
    axes = len(kernel)
    stride, padding, dilation, extra = (_each(v, axes) for v in (stride, padding, dilation, output_padding))
    whole = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(spatial, stride, dilation, kernel, strict=True)]
    made = weight.shape[1]
    out = np.zeros((len(x), made * groups, *(m + e for m, e in zip(whole, extra, strict=True))), x.dtype)
    for n, c in np.ndindex(x.shape[:2]):
        first = c // (x.shape[1] // groups) * made
        for place, window in _windows(whole, kernel, stride, dilation):
            out[(n, slice(first, first + made), *window)] += x[(n, c, *place)] * weight[c]
    out = out[(..., *(slice(p, n - p) for p, n in zip(padding, out.shape[2:], strict=True)))]
    return out if bias is None else out + bias.reshape(-1, *(1,) * axes)


def pool(reduce, x, kernel, stride=None, padding=0, dilation=1, ceil_mode=False, count_include_pad=True):
    """Reduce the elements of every window; padding is NaN, or zero where it counts."""
    axes = x.ndim - 2
    kernel, padding, dilation = _each(kernel, axes), _each(padding, axes), _each(dilation, axes)
    stride = kernel if stride is None else _each(stride, axes)
    lengths = x.shape[2:]
    counted = 0 if count_include_pad else np.nan
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)], constant_values=counted)
    if ceil_mode:  # space for windows that extend beyond the edge
        x = np.pad(x, [(0, 0), (0, 0), *((0, s - 1) for s in stride)], constant_values=np.nan)
    result = {}
    for place, window in _windows(x.shape[2:], kernel, stride, dilation):
        if all(i * s < n + p for i, s, n, p in zip(place, stride, lengths, padding, strict=True)):
            result[place] = reduce(x[(..., *window)], axis=tuple(range(2, x.ndim)))
    shape = [max(place[i] for place in result) + 1 for i in range(axes)]
    return np.moveaxis(
        np.stack([result[i] for i in np.ndindex(*shape)]).reshape(*shape, *x.shape[:2]), [-2, -1], [0, 1]
    )


def _filters(x, g, kernel, stride):
    """The gradient of a convolution with respect to its filters, each element by a sum over all windows."""
    out = np.zeros((g.shape[1], x.shape[1], *kernel), x.dtype)
    x = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
    for o, c in np.ndindex(out.shape[:2]):
        for place, window in _windows(x.shape[2:], kernel, stride, (1, 1)):
            for n in range(len(x)):
                out[o, c] += g[(n, o, *place)] * x[(n, c, *window)]
    return out


def _spread(g, where, spatial):
    """Each element to all elements of its window."""
    out = np.zeros(
        (*g.shape[:2], *(b + n + a for b, n, a in zip(where.before, spatial, where.after, strict=True))), g.dtype
    )
    for place, window in _windows(out.shape[2:], where.kernel, where.stride, where.dilation):
        out[(..., *window)] += g[(..., *place)][..., None, None]
    return out[(..., *(slice(b, b + n) for b, n in zip(where.before, spatial, strict=True)))]


WHERE = {"before": (1, 1), "stride": (2, 1), "dilation": (1, 1), "groups": 1}
POOLED = Pooled((3, 2), (2, 4), (1, 1), (1, 0), (2, 1), (1, 1))


def with_options(name, fn, same, shapes, domain=real, **options):
    return Row(name, lambda *x: fn(*x, **options), domain, shapes, lambda *x: same(*x, **options))


def conv(name, fn, *shapes, **options):
    return with_options(name, fn, convolve, list(shapes), **options)


def transposed(name, fn, *shapes, **options):
    return with_options(name, fn, convolve_transposed, list(shapes), **options)


def largest(name, fn, shape, kernel, **options):
    return Row(name, lambda x: fn(x, kernel, **options), distinct, [shape],
               lambda x: pool(np.nanmax, x, kernel, **options, count_include_pad=False))  # fmt: skip


def mean(name, fn, shape, kernel, **options):
    return Row(name, lambda x: fn(x, kernel, **options), real, [shape],
               lambda x: pool(np.nanmean, x, kernel, **options))  # fmt: skip


KERNEL = [[[0.3, -1.2, 2], [0.5, 1.5, -0.7]], [[1, 0.25, -0.6], [-2, 0.8, 0.1]]]

# fmt: off
ROWS = [
    conv("conv1d",            tg.conv1d, (2, 2, 5), (3, 2, 2), (3,)),
    Row("conv1d constants",   lambda x: tg.conv1d(x, np.array(KERNEL), [1, -2]), real, [(1, 2, 4)], lambda x: convolve(x, np.array(KERNEL, x.dtype), np.array([1, -2]))),
    Row("conv_transpose1d constants", lambda x: tg.conv_transpose1d(x, KERNEL, [0.5, 1]), real, [(1, 2, 4)], lambda x: convolve_transposed(x, np.array(KERNEL, x.dtype), np.array([0.5, 1], x.dtype))),
    conv("conv1d no bias",    tg.conv1d, (1, 2, 4), (1, 2, 3)),
    conv("conv1d stride",     tg.conv1d, (1, 1, 6), (2, 1, 2), (2,), stride=3, padding=1),
    conv("conv1d same",       tg.conv1d, (1, 1, 4), (2, 1, 4), (2,), padding="same"),
    conv("conv1d k1",         tg.conv1d, (2, 2, 3), (2, 2, 1), (2,)),
    conv("conv2d",            tg.conv2d, (2, 2, 3, 4), (3, 2, 2, 3), (3,)),
    conv("conv2d stride",     tg.conv2d, (1, 1, 4, 5), (2, 1, 2, 2), (2,), stride=(2, 1)),
    conv("conv2d padding",    tg.conv2d, (1, 2, 2, 3), (2, 2, 3, 2), (2,), padding=(2, 1)),
    conv("conv2d same",       tg.conv2d, (1, 1, 3, 4), (2, 1, 2, 3), (2,), padding="same", dilation=(1, 2)),
    conv("conv2d valid",      tg.conv2d, (1, 1, 3, 3), (2, 1, 2, 3), (2,), padding="valid"),
    conv("conv2d dilation",   tg.conv2d, (1, 1, 5, 4), (2, 1, 2, 3), (2,), dilation=(3, 1), padding=1),
    conv("conv2d groups",     tg.conv2d, (1, 4, 3, 2), (4, 2, 2, 1), (4,), groups=2),
    conv("conv2d depthwise",  tg.conv2d, (2, 3, 3, 3), (3, 1, 2, 2), (3,), groups=3, stride=2, padding=1),
    conv("conv2d no images",  tg.conv2d, (0, 2, 3, 3), (2, 2, 2, 2), (2,)),
    conv("conv2d multiplier", tg.conv2d, (1, 2, 3, 3), (4, 1, 2, 2), (4,), groups=2, padding=(0, 1), dilation=(1, 2)),
    conv("conv2d 1x1",        tg.conv2d, (2, 2, 2, 3), (3, 2, 1, 1), (3,)),
    conv("conv2d 1x1 stride", tg.conv2d, (1, 2, 3, 4), (2, 2, 1, 1), (2,), stride=2, padding=1),
    conv("conv1d many",       tg.conv1d, (1, 8, 4), (2, 8, 2), (2,), padding=1),
    conv("conv2d many",       tg.conv2d, (1, 8, 3, 3), (2, 8, 2, 2), (2,), padding=(0, 1)),
    conv("conv2d many strides", tg.conv2d, (2, 8, 4, 3), (1, 8, 2, 2), (1,), stride=(2, 1), padding=1, dilation=(2, 1)),
    conv("conv2d many groups", tg.conv2d, (1, 12, 2, 4), (2, 6, 1, 3), (2,), groups=2, padding=(0, 2), stride=(1, 2)),
    conv("conv3d many",       tg.conv3d, (2, 8, 1, 2, 2), (2, 8, 1, 2, 2), (2,), padding=(1, 0, 1), stride=(2, 1, 1)),
    Row("convolution_filters", lambda x, g: convolution_filters(x, g, kernel=(2, 3), **WHERE), real, [(2, 2, 3, 3), (2, 1, 2, 3)],
                              lambda x, g: _filters(x, g, (2, 3), (2, 1))),
    Row("convolution_filters many", lambda x, g: convolution_filters(x, g, kernel=(2, 3), **WHERE), real, [(1, 6, 3, 3), (1, 2, 2, 3)],
                              lambda x, g: _filters(x, g, (2, 3), (2, 1))),
    Row("spread_over_windows", lambda g: spread_over_windows(g, spatial=(3, 4), where=POOLED), real, [(2, 1, 2, 4)], lambda g: _spread(g, POOLED, (3, 4))),
    conv("conv3d",            tg.conv3d, (2, 2, 2, 3, 2), (2, 2, 1, 2, 2), (2,)),
    conv("conv3d options",    tg.conv3d, (1, 2, 3, 2, 3), (2, 1, 2, 2, 1), (2,), stride=(1, 2, 3), padding=(0, 1, 1), dilation=(2, 1, 1), groups=2),

    transposed("conv_transpose1d",          tg.conv_transpose1d, (2, 2, 3), (2, 3, 2), (3,)),
    transposed("conv_transpose1d options",  tg.conv_transpose1d, (1, 2, 3), (2, 1, 2), (2,), stride=3, padding=2, output_padding=1, groups=2),
    transposed("conv_transpose1d short",    tg.conv_transpose1d, (1, 2, 1), (2, 1, 2), (1,), stride=2, padding=1, output_padding=1),
    transposed("conv_transpose1d dilation", tg.conv_transpose1d, (1, 1, 3), (1, 2, 2), (2,), dilation=3, output_padding=2),
    transposed("conv_transpose2d",          tg.conv_transpose2d, (2, 2, 2, 3), (2, 2, 2, 3), (2,)),
    transposed("conv_transpose2d no bias",  tg.conv_transpose2d, (1, 1, 2, 2), (1, 2, 2, 1)),
    transposed("conv_transpose2d options",  tg.conv_transpose2d, (1, 2, 2, 3), (2, 2, 2, 2), (4,), stride=(2, 3), padding=(1, 0), output_padding=(0, 2), groups=2, dilation=(1, 2)),
    transposed("conv_transpose2d many",     tg.conv_transpose2d, (1, 2, 2, 2), (2, 8, 2, 2), (8,), stride=(1, 2), padding=(0, 1)),
    transposed("conv_transpose2d many in",  tg.conv_transpose2d, (1, 8, 2, 2), (8, 2, 2, 2), (2,), padding=1, output_padding=(0, 1), dilation=(1, 2)),
    transposed("conv_transpose2d depthwise", tg.conv_transpose2d, (1, 3, 2, 3), (3, 1, 2, 2), (3,), groups=3, stride=(2, 1), padding=1),
    transposed("conv_transpose3d",          tg.conv_transpose3d, (1, 1, 2, 1, 2), (1, 2, 2, 2, 1), (2,), stride=(1, 2, 2), padding=(1, 0, 0)),

    largest("max_pool1d",          tg.max_pool1d, (2, 2, 5), 2),
    largest("max_pool1d options",  tg.max_pool1d, (1, 2, 6), 3, stride=2, padding=1, dilation=2),
    largest("max_pool2d",          tg.max_pool2d, (2, 2, 4, 6), 2),
    largest("max_pool2d overlap",  tg.max_pool2d, (1, 2, 4, 5), (3, 2), stride=1),
    largest("max_pool2d padding",  tg.max_pool2d, (1, 1, 4, 5), (3, 2), stride=2, padding=(1, 1)),
    largest("max_pool2d ceil",     tg.max_pool2d, (1, 2, 5, 4), 2, stride=(2, 3), ceil_mode=True),
    largest("max_pool2d ceil pad", tg.max_pool2d, (1, 1, 4, 5), 2, stride=3, padding=1, ceil_mode=True),
    *[largest(f"max_pool1d ceil {n}", tg.max_pool1d, (1, 1, n), 3, stride=stride, padding=padding, dilation=2, ceil_mode=True)
      for n, stride, padding in [(6, 1, 1), (7, 2, 1), (8, 3, 1), (9, 3, 0), (10, 4, 1), (11, 4, 1)]],
    largest("max_pool2d many",     tg.max_pool2d, (1, 2, 6, 5), (5, 4), stride=1, padding=(2, 0)),
    largest("max_pool3d",          tg.max_pool3d, (1, 1, 3, 4, 2), (2, 2, 1), stride=(1, 2, 1)),

    mean("avg_pool1d",             tg.avg_pool1d, (2, 2, 5), 2),
    mean("avg_pool1d options",     tg.avg_pool1d, (1, 2, 6), 3, stride=2, padding=1, ceil_mode=True),
    mean("avg_pool2d",             tg.avg_pool2d, (2, 2, 4, 6), (2, 3)),
    mean("avg_pool2d padding",     tg.avg_pool2d, (1, 1, 4, 5), (3, 2), stride=(2, 1), padding=1),
    mean("avg_pool2d no padding",  tg.avg_pool2d, (1, 1, 4, 5), (3, 2), stride=(2, 1), padding=1, count_include_pad=False),
    mean("avg_pool2d many",        tg.avg_pool2d, (1, 2, 6, 5), (5, 4), stride=1, padding=(2, 1)),
    mean("avg_pool2d ceil",        tg.avg_pool2d, (1, 2, 5, 4), 2, stride=(2, 3), ceil_mode=True),
    mean("avg_pool2d ceil pad",    tg.avg_pool2d, (1, 1, 4, 5), 2, stride=3, padding=1, ceil_mode=True),
    mean("avg_pool2d ceil no pad", tg.avg_pool2d, (1, 1, 4, 5), 2, stride=3, padding=1, ceil_mode=True, count_include_pad=False),
    mean("avg_pool3d",             tg.avg_pool3d, (1, 1, 3, 4, 2), (2, 2, 1), stride=(1, 2, 1), padding=(1, 0, 0)),
]
# fmt: on

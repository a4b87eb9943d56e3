"""Images in another size: adaptive pooling."""

from hypothesis import strategies as st

import tensorgrad as tg
from compare.both import torch
from compare.op import Op, apart

F = torch.nn.functional


def sizes(p, x):
    """One output size for all axes, or one or None for each."""
    one = st.integers(1, 6)
    if p.draw(st.booleans()):
        return [], {"output_size": p.draw(one)}
    return [], {"output_size": tuple(p.draw(st.none() | one) for _ in x.shape[2:])}


def lengths(sizes_of_axes, x):
    """As PyTorch's functions of one axis have it, without None."""
    given = sizes_of_axes if isinstance(sizes_of_axes, tuple) else (sizes_of_axes,) * (x.ndim - 2)
    return tuple(n if size is None else size for n, size in zip(x.shape[2:], given, strict=True))


# fmt: off
OPS = [
    *[Op(f"adaptive_avg_pool{n}d", getattr(tg, f"adaptive_avg_pool{n}d"), lambda x, output_size, f=getattr(F, f"adaptive_avg_pool{n}d"): f(x, lengths(output_size, x)), sizes, ndim=(n + 2, n + 2)) for n in (1, 2, 3)],
    *[Op(f"adaptive_max_pool{n}d", getattr(tg, f"adaptive_max_pool{n}d"), lambda x, output_size, f=getattr(F, f"adaptive_max_pool{n}d"): f(x, lengths(output_size, x)), sizes, ndim=(n + 2, n + 2), safe=apart) for n in (1, 2, 3)],
]
# fmt: on

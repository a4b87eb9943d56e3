"""The sum of a gradient over any axes, which undoes a broadcast: `summation.total_of_array`, also for tensors."""

import numpy as np

from tensorgrad.engine.registry import also_complex, primitive, rule
from tensorgrad.summation import total_of_array

total = primitive(total_of_array)
rule(total, lambda g, _ans, _x, *, axis, keepdims=False: g if keepdims else np.expand_dims(g, axis), singular=False)
also_complex(total)

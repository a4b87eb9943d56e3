"""All functions that are compared, a file a family."""

from compare import algebra, arrays, elements, elementwise, networks, reductions

OPS = [op for family in (elementwise, reductions, arrays, elements, algebra, networks) for op in family.OPS]

"""All functions that are compared, a file a family."""

from compare import algebra, arrays, elements, elementwise, images, networks, reductions

OPS = [op for family in (elementwise, reductions, arrays, elements, algebra, networks, images) for op in family.OPS]

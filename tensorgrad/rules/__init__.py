"""The gradient table: how each NumPy function pulls a gradient back, one row a function, one file a family.

A row is ``rule(function, vjp of input 1, vjp of input 2, ...)``, and a vjp is ``(g, ans, *inputs, **params)``:
``g`` the upstream gradient in the shape of the output ``ans``, ``x, y`` the inputs. Rows are written in NumPy,
so they differentiate themselves. Broadcasting is not their business, nor dtypes, nor ``0 * inf``: see `walk`.

A function that other functions express exactly is composed of them (`implements`) and has no row.
"""

from tensorgrad.rules import elementwise, indexing, plain, products, reductions, shapes

__all__ = ["elementwise", "indexing", "plain", "products", "reductions", "shapes"]

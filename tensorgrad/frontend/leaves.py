"""The leaves of tensors that a user created, also of those that no longer require a gradient."""

from __future__ import annotations

import weakref

from tensorgrad.engine.tape import Leaf, Variable

frozen_leaves: weakref.WeakValueDictionary[int, Leaf] = weakref.WeakValueDictionary()
"""Leaves of tensors that no longer require a gradient, by ``id`` of the tensor, as long as records refer to them."""


def leaf_of(tensor: Variable) -> Leaf | None:
    """The leaf of a tensor: the present one or, for a frozen tensor, the former one if records still refer to it."""
    if tensor.node is not None:
        return tensor.node if isinstance(tensor.node, Leaf) else None
    leaf = frozen_leaves.get(id(tensor))
    return leaf if leaf is not None and leaf.tensor() is tensor else None

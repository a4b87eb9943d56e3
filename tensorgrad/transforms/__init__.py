"""Transformations of functions: gradients, Jacobians, Hessians, checkpointing."""

"""Derivatives as functions: of tensors, of functions, recomputed in place of stored."""

"""The user interface of the engine: the Tensor with its operators and methods, and NumPy's protocols."""

"""What a user of NumPy sees of the engine: the Tensor with its operators and methods, and what NumPy's calls become."""

"""Is it right? Gradients against finite differences, and where the first NaN came from."""

"""Debugging tools: gradient checks by finite differences, and detection of the first NaN or infinity."""

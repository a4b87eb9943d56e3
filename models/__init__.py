"""Networks written with tensorgrad, and the YAML files that describe networks."""

from models.network import LAYERS, build, load_yaml, mlp, read, resize
from models.two_layer import TwoLayer

__all__ = ["LAYERS", "TwoLayer", "build", "load_yaml", "mlp", "read", "resize"]

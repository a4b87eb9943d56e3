"""Networks written with tensorgrad, and the YAML files that describe networks."""

from models.files import load_yaml, read
from models.layers import LAYERS
from models.network import Network, build, hidden_sizes, mlp, resize
from models.two_layer import TwoLayer

__all__ = ["LAYERS", "Network", "TwoLayer", "build", "hidden_sizes", "load_yaml", "mlp", "read", "resize"]

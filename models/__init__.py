"""Networks written with tensorgrad, and the YAML files that describe networks."""

from models.files import read
from models.layers import LAYERS
from models.network import Network, build, hidden_sizes, mlp, resize
from models.two_layer import TwoLayer
from models.user_class import UserNetwork
from models.yaml_file import brief, read_yaml

__all__ = [
    "LAYERS", "Network", "TwoLayer", "UserNetwork", "brief", "build", "hidden_sizes", "mlp", "read", "read_yaml",
    "resize",
]  # fmt: skip

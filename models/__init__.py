"""Networks written with tensorgrad, and the YAML files that describe networks."""

from models.network import LAYERS, build, mlp, read, resize
from models.two_layer import TwoLayer
from models.yaml_file import brief, read_yaml

__all__ = ["LAYERS", "TwoLayer", "brief", "build", "mlp", "read", "read_yaml", "resize"]

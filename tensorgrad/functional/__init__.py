"""Neural network functions that NumPy does not have.

All of them accept arrays or tensors, and return arrays for arrays. Names, parameters and results follow PyTorch
(``torch.nn.functional``), except that axes are called ``axis`` and random numbers come from an explicit generator.

Each file is imported when one of its functions is first used. For type checkers, ``__init__.pyi`` has the signatures.
"""

from importlib import import_module
from typing import Any

_BY_FILE = {
    "activations": ("gelu", "glu", "hardsigmoid", "hardswish", "hardtanh", "log_sigmoid", "mish", "relu6", "sigmoid",
                    "silu", "softplus", "softsign"),
    "adaptive_pooling": ("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
                         "adaptive_max_pool2d", "adaptive_max_pool3d"),
    "attention": ("scaled_dot_product_attention",),
    "classification": ("cross_entropy", "nll_loss"),
    "convolution": ("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
    "cumulative": ("cummax", "cummin"),
    "embeddings": ("embedding", "one_hot"),
    "error_function": ("erf", "erfc"),
    "interpolation": ("interpolate",),
    "losses": ("binary_cross_entropy", "binary_cross_entropy_with_logits", "huber_loss", "kl_div", "l1_loss",
               "mse_loss", "smooth_l1_loss"),
    "normalization": ("batch_norm", "group_norm", "layer_norm", "rms_norm"),
    "pooling": ("avg_pool1d", "avg_pool2d", "avg_pool3d", "max_pool1d", "max_pool2d", "max_pool3d"),
    "probabilities": ("log_softmax", "logsumexp", "softmax"),
    "rectifiers": ("celu", "elu", "leaky_relu", "prelu", "relu", "selu"),
    "regularization": ("dropout",),
    "sliding_blocks": ("fold", "unfold"),
    "vectors": ("cosine_similarity", "lerp", "normalize"),
}  # fmt: skip
_FILES = {name: file for file, names in _BY_FILE.items() for name in names}

__all__ = list(_FILES)


def __getattr__(name: str) -> Any:
    if name not in _FILES:
        raise AttributeError(f"module 'tensorgrad.functional' has no attribute {name!r}")
    globals()[name] = function = getattr(import_module(f"tensorgrad.functional.{_FILES[name]}"), name)
    return function


def __dir__() -> list[str]:
    return [*__all__, "__doc__"]

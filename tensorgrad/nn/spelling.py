"""Replacements for names of ``torch.nn`` that `tensorgrad.nn` does not have, for error messages."""

from __future__ import annotations

__all__: list[str] = []

LINES = {  # code that replaces a class
    "Parameter": "tg.Tensor(x, requires_grad=True)",
    "Identity": "np.positive",
    "Tanh": "np.tanh",
    "BCELoss": "tg.binary_cross_entropy",
    "BCEWithLogitsLoss": "tg.binary_cross_entropy_with_logits",
    "CrossEntropyLoss": "tg.cross_entropy",
    "HuberLoss": "tg.huber_loss",
    "KLDivLoss": "tg.kl_div",
    "L1Loss": "tg.l1_loss",
    "MSELoss": "tg.mse_loss",
    "NLLLoss": "tg.nll_loss",
    "SmoothL1Loss": "tg.smooth_l1_loss",
    "CELU": "tg.celu",
    "CosineSimilarity": "tg.cosine_similarity",
    "ELU": "tg.elu",
    "Fold": "tg.fold",
    "GELU": "tg.gelu",
    "GLU": "tg.glu",
    "Hardsigmoid": "tg.hardsigmoid",
    "Hardswish": "tg.hardswish",
    "Hardtanh": "tg.hardtanh",
    "LeakyReLU": "tg.leaky_relu",
    "LogSigmoid": "tg.log_sigmoid",
    "LogSoftmax": "tg.log_softmax",
    "Mish": "tg.mish",
    "PReLU": "tg.prelu",
    "ReLU": "tg.relu",
    "ReLU6": "tg.relu6",
    "SELU": "tg.selu",
    "SiLU": "tg.silu",
    "Sigmoid": "tg.sigmoid",
    "Softmax": "tg.softmax",
    "Softplus": "tg.softplus",
    "Softsign": "tg.softsign",
    "Unfold": "tg.unfold",
    "Upsample": "tg.interpolate",
}
WORDS = {
    "Module": "a model is any class with a __call__, and tg.nn.parameters finds its tensors",
    "ModuleList": "write a list",
    "ModuleDict": "write a dict",
    "functional": "its functions are in tg itself, such as tg.relu",
    "init": "initial weights are an option of layers, init='he'; tg.nn.INITS has them",
}


def missing(name: str) -> str:
    """The end of an error message, with the replacement for a name; an empty string if there is none."""
    if name in LINES:
        return f": write {LINES[name]}"
    return f": {WORDS[name]}" if name in WORDS else ""

"""Networks in files of other libraries: ONNX, and safetensors in PyTorch's layout.

The packages ``onnx`` and ``safetensors`` are imported when a file of their format is written or read; the extra
``export`` installs both.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.checkpoints import write_whole
from tensorgrad.errors import CheckpointError, ExportError
from tensorgrad.exporting.card import card, texts
from tensorgrad.exporting.graph import Graph, Value, example_of
from tensorgrad.exporting.pytorch import from_pytorch, to_pytorch
from tensorgrad.exporting.reading import network_of
from tensorgrad.nn import eval as evaluation

__all__ = ["Imported", "export", "import_model"]

_FORMATS = (".onnx", ".safetensors")


class Imported(NamedTuple):
    """A network that was read from a file, and the metadata of the file.

    Examples
    --------
    >>> tg.Imported(tg.relu, {"dataset": "mnist"}).metadata
    {'dataset': 'mnist'}
    """

    model: Any
    metadata: dict[str, str]


def export(model: Any, path: str | os.PathLike[str], example: Any = None,
           metadata: Mapping[str, Any] | None = None) -> None:  # fmt: skip
    """Write a network to a file of another library, and a model card, as Markdown, to ``path`` with ``.md`` appended.

    The format follows from the ending of ``path``:

    ``.onnx``
        The network in evaluation mode as a graph of ONNX, version 20 of its operators, with float32 numbers, an input
        ``input`` and an output ``output``, whose first axis is that of the batch.
    ``.safetensors``
        Parameters and buffers with the names and in the layout of PyTorch's modules.

    Parameters
    ----------
    model
        A layer of `tg.nn`, or a function; for safetensors, any model.
    path
        The file. It is replaced if it exists.
    example
        For ONNX, a batch of inputs, of which shape and dtype matter: ``np.zeros((1, 784), np.float32)``.
    metadata
        Values for the file and the card, such as the accuracy. Those that are not texts are written as JSON.

    Raises
    ------
    ExportError
        If a layer cannot be expressed, which is named, the ending is another one, or the package is not installed.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> net = tg.nn.Sequential(tg.nn.Linear(3, 2, np.random.default_rng(0)), tg.softmax)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tg.export(net, pathlib.Path(folder, "net.onnx"), np.zeros((1, 3), np.float32), {"classes": ["a", "b"]})
    ...     sorted(file.name for file in pathlib.Path(folder).iterdir())
    ['net.onnx', 'net.onnx.md']
    """
    path = Path(path)
    _package_for(path)
    about = dict(metadata or {})
    text = card(model, path, about)
    if path.suffix == ".onnx":
        if example is None:
            raise ExportError("ONNX needs an example of the input: tg.export(model, path, np.zeros((1, 784)))")
        content = _onnx(model, example, texts(about), text).SerializeToString()
    else:
        from safetensors.numpy import save

        content = save(to_pytorch(model), {**texts(about), "card": text})
    write_whole(path, lambda file: file.write(content))
    write_whole(path.with_name(path.name + ".md"), lambda file: file.write(text.encode()))


def _onnx(model: Any, example: Any, about: dict[str, str], text: str) -> Any:
    array = np.asarray(example)
    x = Value("input", array.astype(np.float32) if array.dtype.kind == "f" else array)
    graph = Graph()
    with evaluation(model):
        try:
            example_of(model, x.example)
        except (ValueError, TypeError, IndexError) as error:
            raise ExportError(f"the network does not take the example, of shape {array.shape}: {error}") from error
        return graph.model(x, graph.layer(model, x), about, text)


def import_model(path: str | os.PathLike[str], model: Any = None) -> Imported:
    """Read a network from an ONNX file, or the weights of ``model`` from a safetensors file with PyTorch's names.

    An ONNX graph becomes a `tg.nn.Sequential`, in evaluation mode, if all its operators are those of layers and
    functions, one after the other or in a `tg.nn.Residual`. A safetensors file contains no layers: pass the model.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ExportError
        If an operator is not that of a layer, or the package is not installed.
    CheckpointError
        If the file is damaged, or the weights do not fit the model.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> net = tg.nn.Sequential(tg.nn.Linear(3, 2, np.random.default_rng(0)), tg.relu)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "net.onnx")
    ...     tg.export(net, path, np.zeros((1, 3), np.float32), {"accuracy": 0.98})
    ...     again, metadata = tg.import_model(path)
    >>> again
    Sequential(
      (0): Linear(3, 2)
      (1): relu
    )
    >>> metadata
    {'accuracy': '0.98'}
    """
    path = Path(path)
    _package_for(path)
    content = path.read_bytes()
    if path.suffix == ".onnx":
        if model is not None:
            raise ExportError("an ONNX file contains its layers: leave out the model")
        return _from_onnx(content, str(path))
    if model is None:
        raise ExportError("a safetensors file contains no layers: pass the model whose weights are in it")
    from safetensors import SafetensorError, safe_open
    from safetensors.numpy import load

    try:
        arrays = load(content)
        with safe_open(path, "numpy") as file:
            about = dict(file.metadata() or {})
    except (SafetensorError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged or not a safetensors file: {error}") from None
    try:
        from_pytorch(model, arrays)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    return Imported(model, {key: value for key, value in about.items() if key != "card"})


def _from_onnx(content: bytes, source: str) -> Imported:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        loaded = onnx.load_model_from_string(content)
        onnx.checker.check_model(loaded)
    except (DecodeError, onnx.checker.ValidationError) as error:
        raise CheckpointError(f"{source} is damaged or not an ONNX file: {error}") from None
    network = network_of(loaded, source)
    evaluation(network)
    return Imported(network, {entry.key: entry.value for entry in loaded.metadata_props})


def _package_for(path: Path) -> None:
    """Raise `ExportError` unless the ending is that of a format, and the package for it is installed."""
    if path.suffix not in _FORMATS:
        raise ExportError(f"the ending of {path} must be {' or '.join(_FORMATS)}")
    package = path.suffix[1:]
    try:
        importlib.import_module(package)
    except ImportError:
        raise ExportError(f'{path.suffix} files need the package {package}: python -m pip install {package}, or '
                          'python -m pip install "tensorgrad-np[export]"') from None  # fmt: skip

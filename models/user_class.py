"""A class in a user's file as a network: ``train.py --model my_model.py:Net``.

It is called as ``Net(shape, classes, rng)``, with the shape ``(1, H, W)`` of an image and the generator of its initial
weights; its instance takes images ``(N, 1, H, W)``, float32, and returns logits ``(N, classes)``. Tensors in its
attributes are its parameters (`tensorgrad.nn.parameters`). If its ``__call__`` has a parameter ``rng``, it gets the
generator of dropout in training.

In a list of layers, and so in a checkpoint, it is an entry of type ``Class`` with the path of the file, the name of the
class, and a hash of the file. The file is run only if it has this hash, where it was or in the current folder: a
checkpoint cannot make a program run other code than that of the training.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
import sys
import traceback
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

import tensorgrad as tg
from models.schema import checked
from tensorgrad.errors import ConfigError

TYPE = "Class"
_FIELDS: list[Any] = [("file", str), ("class", str)]
PARAMS = msgspec.defstruct("Params", [*_FIELDS, ("sha256", str, "")], forbid_unknown_fields=True)
WITH_HASH = msgspec.defstruct("WithHash", [*_FIELDS, ("sha256", str)], forbid_unknown_fields=True)

Shape = tuple[int, ...]


class UserNetwork:
    """An instance of a user's class, with the interface of the other networks."""

    draws = True

    def __init__(self, layers: Any, shape: Shape, label: str, file: Path) -> None:
        self.layers = layers  # named as in other networks
        self.shape = shape  # of the input, without the axis of the batch
        self.passes_rng = _takes_rng(layers)
        self.label, self.file = label, file  # for messages

    def __call__(self, x: Any, rng: np.random.Generator | None = None) -> Any:
        """Compute the logits ``(N, classes)``; ``rng`` draws dropout."""
        images = np.reshape(x, (len(x), *self.shape))
        try:
            return self.layers(images, rng=rng) if self.passes_rng else self.layers(images)
        except (MemoryError, tg.TensorgradError):
            raise
        except (Exception, SystemExit) as error:
            raise ConfigError(
                f"{self.label} failed with x of shape {images.shape}: {_reason(error, self.file)}"
            ) from error

    def to_onnx(self, graph: Any, x: Any) -> Any:
        """Add its nodes to a graph of ONNX, if its class has such a method: see `tensorgrad.export`."""
        images = np.reshape(x.example, (len(x.example), *self.shape))
        sizes = graph.constant(np.array((-1, *self.shape), np.int64), "shape")
        return graph.layer(self.layers, type(x)(graph.node("Reshape", x, sizes), images))


def is_class(model: str) -> bool:
    """Whether the value of ``--model`` is a class, ``FILE.py:Class``, or only its file."""
    return ".py:" in model or model.endswith(".py")


def entries(model: str) -> list[dict[str, Any]]:
    """The list of layers for ``FILE.py:Class``, with one entry.

    Raises
    ------
    ConfigError
        If there is no such file, or no such class in it.
    """
    file, _, name = model.rpartition(":") if ".py:" in model else (model, "", "")
    params = complete({"file": file, "class": name}, Path(), model)
    return [{"name": name, "type": TYPE, "params": params}]


def complete(params: dict[str, Any], folder: Path, source: str) -> dict[str, Any]:
    """The parameters of an entry, whose file is relative to ``folder``, with its absolute path and its hash.

    Raises
    ------
    ConfigError
        If a parameter is missing or unknown, if there is no such file, or no such class in it.
    """
    checked(params, PARAMS, source)
    file = (folder / Path(params["file"]).expanduser()).absolute()
    _check_class(_source(file, source), params["class"], file, source)
    return {"file": str(file), "class": params["class"], "sha256": digest(file)}


def digest(file: Path) -> str:
    """A hash of a text file, independent of its line ends."""
    return hashlib.sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def create(params: dict[str, Any], shape: Shape, classes: int, rng: np.random.Generator, source: str) -> UserNetwork:
    """Run the file of an entry, and create the network.

    Raises
    ------
    ConfigError
        In one line, if the file is missing or has changed, if it or the class raises an error, or if the network does
        not return one number for each class.
    """
    checked(params, WITH_HASH, source)
    file, name = _find_file(params, source), params["class"]
    label = f"{file.name}:{name}"
    kind = _load(file, name)

    def instance(generator: np.random.Generator) -> Any:
        try:
            return kind(shape, classes, generator)
        except (Exception, SystemExit) as error:
            raise ConfigError(f"{label} cannot be created: {label}(shape={shape}, classes={classes}, rng) raised "
                              f"{_reason(error, file)}") from None  # fmt: skip

    _check_network(instance(np.random.default_rng(0)), shape, classes, label, file)
    return UserNetwork(instance(rng), shape, label, file)


def _find_file(params: dict[str, Any], source: str) -> Path:
    """The file of an entry, at its former path or in the current folder; its content must be the same."""
    recorded = Path(params["file"])
    is_remote = params["file"].startswith(("\\\\", "//"))
    paths = [path for path in (recorded, Path.cwd() / recorded.name) if not (is_remote and path == recorded)]
    found = [path for path in paths if path.is_file()]
    for path in found:
        if digest(path) == params["sha256"]:
            return path
    what = f"{source}: its network is the class {params['class']} of {recorded}"
    if found:
        raise ConfigError(
            f"{what}, but {found[0]} has changed since: put the file as it was then back, or into this folder"
        )
    raise ConfigError(f"{what}, which is not there: put the file back, or into this folder")


def _source(file: Path, source: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{source}: there is no file {file}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{source}: cannot read {file}: {error}") from None


def _check_class(text: str, name: str, file: Path, source: str) -> None:
    """Raise `ConfigError` unless the source text is Python and defines, or imports, a name; without running it."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"{source}: {file} is not Python: {_reason(error, file)}") from None
    defined = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    if not name:
        raise ConfigError(f"{source}: name the class as well, as in {file.name}:{defined[0] if defined else 'Net'}")
    if name not in defined and not any(name in _names(node) for node in tree.body):
        has = f"its classes: {', '.join(defined)}" if defined else "it defines no class"
        raise ConfigError(f"{source}: there is no class {name!r} in {file} ({has})")


def _names(node: ast.stmt) -> set[str]:
    """The names that a statement of a module may define without ``class``."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name for alias in node.names}
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)} | {getattr(node, "name", "")}


def _load(file: Path, name: str) -> Any:
    """Run a file as a module, which can import its neighbours, and return its class."""
    key = hashlib.sha256(f"{file} {digest(file)}".encode(errors="replace")).hexdigest()
    module_name = f"model_{key[:16]}"
    module = sys.modules.get(module_name)
    if module is None:
        spec = importlib.util.spec_from_file_location(module_name, file)
        if spec is None or spec.loader is None:
            raise ConfigError(f"{file} cannot be run as a Python module: its name must end in .py")
        module = importlib.util.module_from_spec(spec)
        folder = str(file.parent)
        if folder not in sys.path:
            sys.path.append(folder)
        sys.modules[module_name] = module  # dataclasses look for it there
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            del sys.modules[module_name]
            raise ConfigError(f"{file} cannot be run: {_reason(error, file)}") from None
    kind = getattr(module, name, None)
    if not callable(kind):
        raise ConfigError(f"{name} of {file} is not a class, but {type(kind).__name__}")
    return kind


def _takes_rng(network: Any) -> bool:
    """Whether a network takes ``rng`` when it is called."""
    try:
        names = inspect.signature(network).parameters
    except (TypeError, ValueError):
        return bool(getattr(network, "draws", False))
    return "rng" in names


def _check_network(network: Any, shape: Shape, classes: int, label: str, file: Path) -> None:
    """Raise `ConfigError` unless an instance has parameters and returns logits, in training and evaluation mode."""
    if not callable(network):
        raise ConfigError(f"{label} cannot be called: it needs a method __call__(self, x)")
    if not any(p.requires_grad for p in tg.nn.parameters(network).values()):
        raise ConfigError(f"{label} has nothing to train: no attribute holds a tensor with requires_grad=True, or a "
                          "layer of tg.nn")  # fmt: skip
    rng = np.random.default_rng(0)
    x = rng.random((2, *shape), np.float32)
    for mode in (tg.nn.train, tg.nn.eval):
        try:
            with mode(network), np.errstate(all="ignore"):
                result = UserNetwork(network, shape, label, file)(x, rng if mode is tg.nn.train else None)
        except (Exception, SystemExit) as error:
            cause = error.__cause__ or error
            hint = "" if _takes_rng(network) or "needs a generator" not in str(cause) else (
                ": write __call__(self, x, rng=None), and pass rng to the layers")  # fmt: skip
            raise ConfigError(f"{label} failed with 2 images, x of shape {x.shape}: {_reason(cause, file)}"
                              f"{hint}") from None  # fmt: skip
        value = result.data if isinstance(result, tg.Tensor) else result
        if np.shape(value) != (2, classes):
            raise ConfigError(f"{label} returned {type(result).__name__} of shape {np.shape(value)} for 2 images, x of "
                              f"shape {x.shape}: expected logits (N, classes), here (2, {classes})")  # fmt: skip
        if not (isinstance(result, tg.Tensor) and result.requires_grad):
            raise ConfigError(f"{label} returned a {type(result).__name__} without a gradient: it must compute logits "
                              "from its parameters, as tensors, without .data, detach() or no_grad()")  # fmt: skip


def _reason(error: BaseException, file: Path) -> str:
    """The type and the message of an error in one line, and the last line of the file that it passed through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    number = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    text = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    where = f" (line {number} of {file.name})" if number else ""
    return f"{type(error).__name__}: {text or 'no message'}{where}"

"""A model card: what a file contains, and how it is used, as Markdown."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorgrad import nn
from tensorgrad.nn.containers import describe

__all__ = ["VERSION", "card", "texts"]

VERSION: str = sys.modules["tensorgrad"].__version__  # without an import of the package that imports this module
_LONG = 200  # characters: longer values are in the file only
_HOW = {
    ".onnx": """```python
import onnxruntime

session = onnxruntime.InferenceSession({name!r})
(output,) = session.run(None, {{"input": x}})  # x: float32, with any number of examples
```""",
    ".safetensors": """```python
from safetensors.torch import load_file

net.load_state_dict(load_file({name!r}), strict=True)  # net: a torch.nn.Module with these layers
net.eval()
```""",
}


def texts(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Metadata as texts, which is what both formats hold: other values as JSON."""
    return {str(key): value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}


def card(model: Any, path: Path, metadata: Mapping[str, Any]) -> str:
    """The model card of a file that is about to be written."""
    numbers = sum(p.size for p in nn.parameters(model).values())
    shown = {key: value.replace("|", "\\|") for key, value in texts(metadata).items() if len(value) < _LONG}
    rows = [f"| {key} | {' '.join(value.split())} |" for key, value in shown.items()]
    table = "\n".join(["| | |", "|---|---|", *rows, f"| parameters | {numbers:,} |"])
    use = _HOW[path.suffix].format(name=path.name)
    return (f"# {path.stem}\n\nA network trained with tensorgrad {VERSION}.\n\n{table}\n\n"
            f"## Layers\n\n```\n{describe(model)}\n```\n\n## Use\n\n{use}\n")  # fmt: skip

"""Parts of the programs train.py, evaluate.py and sweep.py."""

import os
from importlib.util import find_spec

_missing = [name for name in ("matplotlib", "PIL", "pooch", "threadpoolctl", "tqdm", "yaml") if find_spec(name) is None]
if _missing:
    raise SystemExit(
        f'{", ".join(_missing)} missing: python -m pip install -e ".[train]" installs what the programs need'
    )
os.environ["MPLBACKEND"] = "agg"  # the programs only write files; another value could fail when matplotlib is imported

"""``python -m tensorgrad`` names what exists."""

import re
import subprocess
import sys
from operator import attrgetter
from pathlib import Path

import tensorgrad as tg

ROOT = Path(__file__).parent.parent


def test_what_the_text_names_exists():
    ended = subprocess.run(
        [sys.executable, "-m", "tensorgrad"], cwd=ROOT, capture_output=True, text=True, timeout=200, check=True
    )
    assert ended.stdout.startswith(f"tensorgrad {tg.__version__}: ")
    names = re.findall(r"tg\.([\w.]+)", ended.stdout)
    assert len(names) > 8
    for name in names:
        assert attrgetter(name)(tg)
    files = re.findall(r"[\w/]+\.(?:py|md)", ended.stdout)
    assert {"train.py", "evaluate.py", "sweep.py"} < set(files)
    assert all((ROOT / file).is_file() for file in files)

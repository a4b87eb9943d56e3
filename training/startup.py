"""What a program does before its imports, which take half a second: handle Ctrl-C, and look for missing packages.

Importing this module takes almost no time, because it imports only modules that Python has loaded already.
"""

import _signal as signal  # type: ignore[import-not-found]  # built in; `signal` takes milliseconds to import
import os
import sys

NEEDED = ("filelock", "matplotlib", "msgspec", "PIL", "pooch", "ruamel", "threadpoolctl", "tqdm")


def prepare(program: str) -> None:
    """End ``program`` with one line at SIGINT or SIGTERM from now on, or now if packages are missing."""
    speaks = not {os.environ.get("OMPI_COMM_WORLD_RANK"), os.environ.get("PMI_RANK")} - {None, "0"}  # see `parallel`

    def end(number: int, _frame: object) -> None:
        try:
            os.write(2, f"{program}: stopped immediately\n".encode() * speaks)
        finally:
            os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:  # shells ignore SIGINT for background jobs
            signal.signal(number, end)

    from importlib.util import find_spec

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        sys.stderr.write(speaks * (
            f"{program}: error: {', '.join(missing)} not installed: "
            'python -m pip install -e ".[train]" installs what the programs need\n'
        ))  # fmt: skip
        sys.exit(2)

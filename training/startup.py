"""What a program does before its imports, which take half a second: handle Ctrl-C, and look for missing packages.

Importing this module takes almost no time, because it imports only modules that Python has loaded already.
"""

import _signal as signal  # type: ignore[import-not-found]  # built in; `signal` takes milliseconds to import
import os
import sys

NEEDED = ("filelock", "matplotlib", "msgspec", "PIL", "pooch", "ruamel", "threadpoolctl", "tqdm")


RANKS_AND_SIZES = (  # names in the environment that mpirun sets, of Open MPI, and of MPICH and Intel MPI
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
)


def rank_and_size() -> tuple[int, int]:
    """The number of this process among those that mpirun started, from 0, and how many they are."""
    for rank, size in RANKS_AND_SIZES:
        if rank in os.environ and size in os.environ:
            return int(os.environ[rank]), int(os.environ[size])
    return 0, 1


def prepare(program: str) -> None:
    """End ``program`` with one line at SIGINT or SIGTERM from now on, or now if packages are missing."""
    writes = rank_and_size()[0] == 0

    def end(number: int, _frame: object) -> None:
        try:
            os.write(2, f"{program}: stopped immediately\n".encode() * writes)
        finally:
            os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:  # shells ignore SIGINT for background jobs
            signal.signal(number, end)

    from importlib.util import find_spec

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        sys.stderr.write(writes * (
            f"{program}: error: {', '.join(missing)} not installed: "
            'python -m pip install -e ".[train]" installs what the programs need\n'
        ))  # fmt: skip
        sys.exit(2)

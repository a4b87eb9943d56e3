"""Fetch the four official MNIST files from public mirrors, each checked by its SHA-256."""

import importlib.util
import logging
import sys
import tempfile
import threading
import time
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from tensorgrad.errors import DataNotFoundError

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)
HASHES = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
ANSWER_SECONDS = 8.0  # the mirrors, asked at once, have this long to answer: offline is known by then
CONNECT_SECONDS = 5.0  # for each address of a mirror
STALL_SECONDS = 10.0  # a download that stands still this long has failed
_CHUNK = 1 << 16


def cache_folder() -> Path | None:
    """Name the user's cache folder of tensorgrad, which may not exist yet; None without pooch."""
    try:
        import pooch  # type: ignore[import-untyped]
    except ImportError:
        return None
    return Path(pooch.os_cache("tensorgrad")).expanduser()


def fetch_mnist(folder: Path, *, quiet: bool = False) -> tuple[Path, ...]:
    """Complete the four ``.gz`` files of MNIST in `folder`, with a progress bar on a terminal.

    Returns their paths, in the order of `HASHES`.

    A file appears under its name only when it is whole and its hash is right, so that an interrupted
    download leaves no half file, and two processes may fetch into the same folder. An official file that
    is there already is kept, and any other file under its name is never overwritten.

    Raises
    ------
    DataNotFoundError
        No mirror delivered, the folder cannot be used, or a name in it is taken by another file. The
        message is the bare reason, in one line.
    """
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)  # it would tell of every file
    try:
        folder.mkdir(parents=True, exist_ok=True)
        missing = [name for name in HASHES if not _is_official(folder / name)]
        # pooch moves a whole file to its name, but on Windows not atomically onto one that is there already
        with tempfile.TemporaryDirectory(dir=folder, prefix="download-") as room:
            _fetch(missing, Path(room), folder, quiet)
    except OSError as error:
        raise DataNotFoundError(f"{folder} cannot be used ({_reason(error)})") from error
    return tuple(folder / name for name in HASHES)


def _is_official(path: Path) -> bool:
    """Tell whether the file is there; raise if it is there and is not the official one."""
    if not path.exists():
        return False
    if sha256(path.read_bytes()).hexdigest() == HASHES[path.name]:
        return True
    raise DataNotFoundError(f"{path} is not MNIST's file of that name, and is not overwritten: move it away")


def _fetch(names: list[str], room: Path, folder: Path, quiet: bool) -> None:
    """Download each of `names` into `room` from the first mirror that has it, then move it to `folder`."""
    import pooch

    bar = not quiet and sys.stderr.isatty() and importlib.util.find_spec("tqdm") is not None
    get = pooch.HTTPDownloader(bar, _CHUNK, timeout=(CONNECT_SECONDS, STALL_SECONDS))
    deadline = time.monotonic() + ANSWER_SECONDS
    mirrors = {mirror: _Inquiry(mirror + names[0], deadline) for mirror in MIRRORS} if names else {}
    refusals: dict[str, str] = {}
    for name in names:
        for mirror, inquiry in tuple(mirrors.items()):
            try:
                inquiry.wait()
                pooch.retrieve(mirror + name, HASHES[name], name, room, downloader=get)
            except (OSError, ValueError) as error:
                refusals[mirror] = _reason(error)
                if isinstance(error, OSError) and getattr(error, "response", None) is None:
                    del mirrors[mirror]  # the connection failed: it would fail for the next file too
            else:
                (room / name).replace(folder / name)
                break
        else:
            said = "; ".join(f"{urlsplit(mirror).netloc}: {why}" for mirror, why in refusals.items())
            raise DataNotFoundError(f"no mirror delivered {name} ({said})")


class _Inquiry(threading.Thread):
    """Ask for the headers of `url`, in the background, so that one can stop waiting for an answer.

    The time-out of a connection does not bound the time by itself: it holds for each of the host's
    addresses in turn, and looking up the host's name has none.
    """

    def __init__(self, url: str, deadline: float) -> None:
        super().__init__(daemon=True)
        self.url, self.deadline = url, deadline
        self.error: OSError | None = None
        self.start()

    def run(self) -> None:
        """Ask, and keep the error for the one who waits."""
        import pooch

        try:
            pooch.HTTPDownloader(timeout=CONNECT_SECONDS)(self.url, None, None, check_only=True)
        except OSError as error:
            self.error = error

    def wait(self) -> None:
        """Return once the mirror has answered, be it by a refusal; raise OSError if it cannot be reached."""
        self.join(max(0.0, self.deadline - time.monotonic()))
        if self.is_alive():
            raise TimeoutError(f"no answer within {ANSWER_SECONDS:g} s")
        if self.error is not None:
            raise self.error


def _reason(error: BaseException) -> str:
    """Say in a few words, in one line, what the innermost cause of `error` was."""
    if not isinstance(error, OSError):
        return "wrong SHA-256 of what it sent"  # the only ValueError of pooch.retrieve here
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code} {response.reason}"
    root: BaseException = error
    while root.__context__ is not None:
        root = root.__context__
    return " ".join(str(getattr(root, "strerror", None) or root or type(root).__name__).split())

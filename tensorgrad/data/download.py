"""Download of the four official MNIST files from public mirrors, verified by their SHA-256 digests."""

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
ANSWER_SECONDS = 8.0  # time for the mirrors, which are tried in parallel, to answer
CONNECT_SECONDS = 5.0  # for each address of a mirror
STALL_SECONDS = 10.0  # a download without progress for this long has failed
_CHUNK = 1 << 16


def cache_folder() -> Path | None:
    """The user's cache folder for tensorgrad, which may not exist yet; None if pooch is not installed."""
    try:
        import pooch  # type: ignore[import-untyped]
    except ImportError:
        return None
    return Path(pooch.os_cache("tensorgrad")).expanduser()


def fetch_mnist(folder: Path, *, quiet: bool = False) -> tuple[Path, ...]:
    """Download those of the four ``.gz`` files of MNIST that `folder` lacks, with a progress bar on a terminal.

    Returns their paths, in the order of `HASHES`.

    A file gets its name when it is complete and its digest is right, so that an interrupted download leaves no partial
    file, and two processes may download to the same folder. Official files that exist are kept; other files with
    these names are never overwritten.

    Raises
    ------
    DataNotFoundError
        All mirrors failed, the folder cannot be used, or another file has one of the names. The message is the
        reason, in one line.
    """
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)  # by default it reports every file
    try:
        folder.mkdir(parents=True, exist_ok=True)
        missing = [name for name in HASHES if not _is_official(folder / name)]
        # on Windows, pooch does not replace an existing file atomically
        with tempfile.TemporaryDirectory(dir=folder, prefix="download-") as temporary:
            _fetch(missing, Path(temporary), folder, quiet)
    except OSError as error:
        raise DataNotFoundError(f"{folder} cannot be used ({_reason(error)})") from error
    return tuple(folder / name for name in HASHES)


def _is_official(path: Path) -> bool:
    """Whether the file exists; raises if it exists and is not the official one."""
    if not path.exists():
        return False
    if sha256(path.read_bytes()).hexdigest() == HASHES[path.name]:
        return True
    raise DataNotFoundError(f"{path} is not the MNIST file of that name, and is not overwritten: move it away")


def _fetch(names: list[str], temporary: Path, folder: Path, quiet: bool) -> None:
    """Download each file to `temporary` from the first mirror that provides it, then move it to `folder`."""
    import pooch

    bar = not quiet and sys.stderr.isatty() and importlib.util.find_spec("tqdm") is not None
    get = pooch.HTTPDownloader(bar, _CHUNK, timeout=(CONNECT_SECONDS, STALL_SECONDS))
    deadline = time.monotonic() + ANSWER_SECONDS
    mirrors = {mirror: _Request(mirror + names[0], deadline) for mirror in MIRRORS} if names else {}
    failures: dict[str, str] = {}
    for name in names:
        for mirror, request in tuple(mirrors.items()):
            try:
                request.wait()
                pooch.retrieve(mirror + name, HASHES[name], name, temporary, downloader=get)
            except (OSError, ValueError) as error:
                failures[mirror] = _reason(error)
                if isinstance(error, OSError) and getattr(error, "response", None) is None:
                    del mirrors[mirror]  # the connection failed: it would fail for the next file too
            else:
                (temporary / name).replace(folder / name)
                break
        else:
            reasons = "; ".join(f"{urlsplit(mirror).netloc}: {reason}" for mirror, reason in failures.items())
            raise DataNotFoundError(f"no mirror provided {name} ({reasons})")


class _Request(threading.Thread):
    """Request the headers of `url` in the background, to limit the time of waiting for an answer.

    The timeout of a connection does not suffice: it applies to each of the host's addresses in turn, and not to the
    name lookup.
    """

    def __init__(self, url: str, deadline: float) -> None:
        super().__init__(daemon=True)
        self.url, self.deadline = url, deadline
        self.error: OSError | None = None
        self.start()

    def run(self) -> None:
        """Request the headers, and store an error for `wait`."""
        import pooch

        try:
            pooch.HTTPDownloader(timeout=CONNECT_SECONDS)(self.url, None, None, check_only=True)
        except OSError as error:
            self.error = error

    def wait(self) -> None:
        """Return when the mirror has answered, with any status; raise OSError if it cannot be reached."""
        self.join(max(0.0, self.deadline - time.monotonic()))
        if self.is_alive():
            raise TimeoutError(f"no answer within {ANSWER_SECONDS:g} s")
        if self.error is not None:
            raise self.error


def _reason(error: BaseException) -> str:
    """The innermost cause of `error`, in one line."""
    if not isinstance(error, OSError):
        return "wrong SHA-256 of the file"  # the only ValueError of pooch.retrieve here
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code} {response.reason}"
    root: BaseException = error
    while root.__context__ is not None:
        root = root.__context__
    return " ".join(str(getattr(root, "strerror", None) or root or type(root).__name__).split())

"""Download of the official files of data sets from public mirrors, verified by their published digests."""

import hashlib
import importlib.util
import logging
import shutil
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from tensorgrad.data.known import KNOWN, Known
from tensorgrad.errors import DataNotFoundError


class Source(NamedTuple):
    """Where the files of a data set can be downloaded, and their published digests."""

    mirrors: tuple[str, ...]  # addresses of folders
    digests: dict[str, str]  # by the name of a file, in the form "algorithm:hexadecimal"
    archive: str | None = None  # the only file: a ZIP archive with the files, in a folder "gzip"


def _four(*digests: str, algorithm: str = "sha256", names: tuple[str, ...] = KNOWN["mnist"].files) -> dict[str, str]:
    return {f"{name}.gz": f"{algorithm}:{digest}" for name, digest in zip(names, digests, strict=True)}


# The digests of MNIST are those of its files; those of Fashion-MNIST, KMNIST and EMNIST are published in TensorFlow
# Datasets (url_checksums), and those of QMNIST in torchvision (datasets/mnist.py).
_EMNIST = Source(
    ("https://biometrics.nist.gov/cs_links/EMNIST/", "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/"),
    {"gzip.zip": "sha256:fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e"},
    archive="gzip.zip",
)
SOURCES = {
    "mnist": Source(
        ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/",
         "https://raw.githubusercontent.com/fgnt/mnist/master/"),
        _four("440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
              "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
              "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
              "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ),
    "fashion-mnist": Source(
        ("https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
         "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
        _four("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
              "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
              "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
              "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ),
    "kmnist": Source(
        ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        _four("51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
              "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
              "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
              "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
    ),
    "emnist-letters": _EMNIST,
    "emnist-digits": _EMNIST,
    "emnist-balanced": _EMNIST,
    "qmnist": Source(
        ("https://raw.githubusercontent.com/facebookresearch/qmnist/master/",),
        _four("ed72d4157d28c017586c42bc6afe6370", "0058f8dd561b90ffdd0f734c6a30e5e4",
              "1394631089c404de565df7b7aeaf9412", "5b5b05890a5e13444e108efe57b788aa",
              algorithm="md5", names=KNOWN["qmnist"].files),
    ),
}  # fmt: skip
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


def fetch(known: Known, folder: Path, *, quiet: bool = False) -> tuple[Path, ...]:
    """Download those of the four ``.gz`` files of a data set that `folder` lacks, with a progress bar on a terminal.

    Returns their paths: training images and labels, test images and labels.

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
    source = SOURCES[known.name]
    # an archive contains several data sets: all of them are unpacked
    sets = [known] if source.archive is None else [other for other in KNOWN.values() if SOURCES[other.name] == source]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{name}.gz" for one in sets for name in one.files]
        missing = [path for path in paths if not _is_official(path, source, known)]
        # on Windows, pooch does not replace an existing file atomically
        with tempfile.TemporaryDirectory(dir=folder, prefix="download-") as name:
            temporary = Path(name)
            if missing and source.archive is not None:
                _fetch([source.archive], source, temporary, temporary, quiet)
                _extract(temporary / source.archive, missing, temporary)
            elif missing:
                _fetch([path.name for path in missing], source, temporary, folder, quiet)
    except OSError as error:
        raise DataNotFoundError(f"{folder} cannot be used ({_reason(error)})") from error
    return tuple(folder / f"{name}.gz" for name in known.files)


def _is_official(path: Path, source: Source, known: Known) -> bool:
    """Whether the file exists; raises if it exists and is not the official one, as far as its digest is known."""
    if not path.exists():
        return False
    algorithm, _, digest = source.digests.get(path.name, "").partition(":")
    if not digest or hashlib.new(algorithm, path.read_bytes(), usedforsecurity=False).hexdigest() == digest:
        return True
    raise DataNotFoundError(f"{path} is not the {known.title} file of that name, and is not overwritten: move it away")


def _extract(archive: Path, wanted: list[Path], temporary: Path) -> None:
    """Take files out of a ZIP archive, whose digest is right."""
    with zipfile.ZipFile(archive) as content:
        for path in wanted:
            with content.open(f"gzip/{path.name}") as packed, (temporary / path.name).open("wb") as file:
                shutil.copyfileobj(packed, file)
            (temporary / path.name).replace(path)


def _fetch(names: list[str], source: Source, temporary: Path, folder: Path, quiet: bool) -> None:
    """Download each file to `temporary` from the first mirror that provides it, then move it to `folder`."""
    import pooch

    bar = not quiet and sys.stderr.isatty() and importlib.util.find_spec("tqdm") is not None
    get = pooch.HTTPDownloader(bar, _CHUNK, timeout=(CONNECT_SECONDS, STALL_SECONDS))
    deadline = time.monotonic() + ANSWER_SECONDS
    mirrors = {mirror: _Request(mirror + names[0], deadline) for mirror in source.mirrors}
    failures: dict[str, str] = {}
    for name in names:
        for mirror, request in tuple(mirrors.items()):
            try:
                request.wait()
                pooch.retrieve(mirror + name, source.digests[name], name, temporary, downloader=get)
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
        return "wrong digest of the file"  # the only ValueError of pooch.retrieve here
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code} {response.reason}"
    root: BaseException = error
    while root.__context__ is not None:
        root = root.__context__
    return " ".join(str(getattr(root, "strerror", None) or root or type(root).__name__).split())

"""Downloading: bad mirrors, interrupted and wrong files, a partly filled cache, several processes.

The mirrors are servers on this machine.
"""

import gzip
import hashlib
import http.server
import re
import sys
import threading
from contextlib import suppress

import pooch
import pytest

from tensorgrad.data import download, mnist
from tensorgrad.errors import DataError, DataNotFoundError


@pytest.fixture
def official(tiny, monkeypatch):
    """Let the tiny set be the official one."""
    files = {f"{name}.gz": gzip.compress(data, mtime=0) for name, data in tiny.files().items()}
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    monkeypatch.setattr(download, "HASHES", hashes)
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    return files


class Mirror(http.server.ThreadingHTTPServer):
    """A server on this machine that behaves in one of several ways; `asked` lists the requests."""

    daemon_threads = True

    def __init__(self, files, manner):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files, self.manner, self.asked, self.closing = files, manner, [], threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.closing.set()
        self.shutdown()
        self.server_close()


class Answer(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def log_message(self, *args):
        pass

    def answer(self):
        server, name, get = self.server, self.path.lstrip("/"), self.command == "GET"
        server.asked.append((self.command, name))
        if server.manner == "stalls" or (server.manner == "stalls later" and get):
            server.closing.wait(10)
            return
        if server.manner == "hangs up" and get:
            return
        if server.manner == "lacks it":
            self.send_error(404)
            return
        body = server.files[name]
        if server.manner == "lies":
            body = body[:-1] + b"?"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if get:
            self.wfile.write(body[: len(body) // 2] if server.manner == "breaks off" else body)


@pytest.fixture
def mirrors(official, monkeypatch):
    """Start mirrors that behave in the given ways; "down" is an address without a server."""
    running = []

    def start(*manners):
        for manner in manners:
            running.append(Mirror(official, manner))
            if manner == "down":
                running[-1].close()
        monkeypatch.setattr(download, "MIRRORS", tuple(server.url for server in running))
        # A short time limit if a mirror exceeds it, but longer than a good one takes under load; else a long one.
        known = {server.manner for server in running}
        monkeypatch.setattr(download, "ANSWER_SECONDS", 0.6 if "stalls" in known else 60)
        monkeypatch.setattr(download, "STALL_SECONDS", 0.6 if "stalls later" in known else 60)
        return running

    monkeypatch.setattr(pooch.get_logger().handlers[0], "stream", sys.stderr)  # as this test captures it
    yield start
    for server in running:
        if server.manner != "down":
            server.close()


BAD = {  # the behaviour of a mirror, and the message about it
    "down": "refused",
    "lacks it": "HTTP 404 Not Found",
    "lies": "wrong SHA-256",
    "breaks off": "IncompleteRead",
    "hangs up": "closed connection without response",
    "stalls": "no answer within 0.6 s",
    "stalls later": "timed out",
}


@pytest.mark.parametrize(("manner", "words"), BAD.items(), ids=BAD)
def test_a_bad_mirror_leaves_no_file_and_the_next_one_is_used(capfd, tiny, mirrors, official, cache, manner, words):
    (first,) = mirrors(manner)
    with pytest.raises(DataNotFoundError, match=rf"train-images\S+ \(127.0.0.1:\d+: .*{words}") as caught:
        mnist()
    assert "\n" not in str(caught.value)
    assert list((cache / "mnist").iterdir()) == []

    mirrors("good")
    assert tiny.check(mnist())
    assert {path.name: path.read_bytes() for path in (cache / "mnist").iterdir()} == official
    downloads = [name for command, name in first.asked if command == "GET"]
    given_up = manner in ("breaks off", "hangs up", "stalls later")
    alive = manner in ("lacks it", "lies")  # the connection is fine: it may have the next file
    assert len(downloads) == (2 if given_up else 5 if alive else 0)
    assert capfd.readouterr() == ("", "")
    assert tiny.check(mnist(download=False))


def test_offline_is_known_soon(mirrors, monkeypatch):
    waits = []

    class Noted(download._Request):
        def join(self, timeout=None):
            waits.append(timeout)
            super().join(timeout)

    monkeypatch.setattr(download, "_Request", Noted)
    mirrors("stalls", "stalls", "stalls")
    with pytest.raises(DataNotFoundError, match=r"(no answer within 0.6 s.*){3}"):
        mnist()
    assert len(waits) == 3
    assert sum(waits) <= 0.6  # for all of them together, not for one after the other


def test_a_download_is_completed(tiny, mirrors, official, cache):
    names = list(official)
    (cache / "mnist").mkdir(parents=True)
    for name in names[:2]:
        (cache / "mnist" / name).write_bytes(official[name])
    (server,) = mirrors("good")
    assert tiny.check(mnist())
    assert [name for command, name in server.asked if command == "GET"] == names[2:]


def test_a_file_of_the_user_is_not_overwritten(mirrors, official, cache):
    (cache / "mnist").mkdir(parents=True)
    mine = cache / "mnist" / next(iter(official))
    mine.write_bytes(b"mine")
    mirrors("good")
    with pytest.raises(DataNotFoundError, match=f"{re.escape(str(mine))} is not the MNIST file .* move it away"):
        mnist()
    assert list(mine.parent.iterdir()) == [mine]
    assert mine.read_bytes() == b"mine"


def test_a_cache_that_cannot_be_made(mirrors, cache):
    cache.parent.write_bytes(b"a file where a folder should be")
    mirrors("good")
    with pytest.raises(DataNotFoundError, match=f"{re.escape(str(cache))}.* cannot be used"):
        mnist()


def test_many_may_download_at_once(tiny, mirrors, cache):
    mirrors("good")
    loaded = []

    def work():
        with suppress(DataError):
            loaded.append(tiny.check(mnist()))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert loaded == [True] * 6
    assert len(list((cache / "mnist").iterdir())) == 4


@pytest.mark.parametrize(
    ("terminal", "quiet", "tqdm"),
    [(True, False, True), (True, True, True), (False, False, True), (True, False, False)],
)
def test_the_bar_is_for_a_terminal(tiny, mirrors, monkeypatch, capsys, terminal, quiet, tqdm):
    mirrors("good")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    if not tqdm:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    assert tiny.check(mnist(quiet=quiet))
    assert ("100%" in capsys.readouterr().err) == (terminal and tqdm and not quiet)

"""A contender in a process of its own, which executes requests: both ends of the pipe.

A request is a line of JSON, ``{"method": "time_step", "seconds": 0.02}``, and so is its answer, ``{"answer": ...}`` or
``{"error": "..."}``. `Process` is the client. It waits for a limited time, and ends the process of a contender that
does not answer. Run as a program, this module is the server.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import contender
import contenders
import measuring
import numpy as np


class ContenderError(Exception):
    """A contender raised an error, ended, or did not answer in time."""


class Process:
    """The process of a contender, pinned to the cores of this one.

    Parameters
    ----------
    name
        A key of `contenders.CONTENDERS`.
    environment
        Variables to set, in addition to those of this process and those of the contender.
    """

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self.name, self.started = name, time.perf_counter()
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `close`)
        variables = os.environ | environment | contenders.CONTENDERS[name][1]
        self.process = subprocess.Popen(
            [sys.executable, __file__, name], env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.errors, start_new_session=True,  # Ctrl-C ends the client, which ends this process
        )  # fmt: skip
        self.answers: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.answers.put(line)
        self.answers.put(b"")

    def request(self, method: str, timeout: float, **arguments: Any) -> Any:
        """The answer to a request.

        Raises
        ------
        ContenderError
            In one line: the contender raised an error, ended, or did not answer within ``timeout`` seconds. Its
            process is ended.
        """
        try:
            assert self.process.stdin is not None
            self.process.stdin.write(json.dumps({"method": method, **arguments}).encode() + b"\n")
            self.process.stdin.flush()
            line = self.answers.get(timeout=timeout)
        except queue.Empty:
            problem = f"no answer to {method!r} within {timeout:g} s"
        except OSError:
            problem = self._end()
        else:
            answer = json.loads(line) if line else {"error": self._end()}
            if "error" not in answer:
                return answer["answer"]
            problem = answer["error"]
        self.close()
        raise ContenderError(problem)

    def _end(self) -> str:
        """How the process ended, with the last line that it wrote."""
        try:
            code = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "closed its output"
        self.errors.seek(0)
        written = self.errors.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(written) if line.strip()), "")
        return f"ended with code {code}" + (f": {last[:200]}" if last else "")

    def close(self) -> None:
        """End the process, and those that it started."""
        if self.process.poll() is None:
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.errors):
            with contextlib.suppress(OSError):  # a request was not read
                pipe.close()  # type: ignore[union-attr]


class Server:
    """A method for each request."""

    def __init__(self, name: str) -> None:
        self.kind = contenders.CONTENDERS[name][0]
        self.contender: contender.Contender
        self.images: dict[tuple[int, int, int], Any] = {}

    def about(self) -> dict[str, str]:
        """The version of the library, and how NumPy multiplies matrices in this process."""
        return {"version": self.kind.version(), "blas": measuring.blas()}

    def prepare(self, images: int, batch: int, widths: Sequence[int], keep_memory: bool) -> None:
        """Build the contender for a task of random images, and run the steps that compilers need first."""
        if keep_memory:
            measuring.keep_memory()
        key = images, widths[0], widths[-1]
        self.images.setdefault(key, contender.random_images(*key))
        self.contender = self.kind(contender.random_task(*self.images[key], batch, widths))
        for _ in range(5):
            self.contender()

    def weights(self, path: str) -> None:
        """Run steps up to `contender.CHECKED`, and write the weights."""
        while self.contender.steps < contender.CHECKED:
            self.contender()
        np.savez(path, *self.contender.weights())

    def time_step(self, seconds: float) -> float:
        """The mean time of a step over about ``seconds``, after a warm-up of half that time, which fills the caches."""
        start, count = time.perf_counter(), 0
        while (passed := time.perf_counter() - start) < seconds / 2:
            self.contender()
            count += 1
        count = min(max(int(seconds * count / passed), 1), 1000)
        start = time.perf_counter()
        for _ in range(count):
            self.contender()
        return (time.perf_counter() - start) / count

    def start(self, path: str, batch: int, widths: Sequence[int], lr: float, decay: float) -> None:
        """Begin a training with the images in a file: import the library, build the contender, and run a step."""
        with np.load(path) as file:
            self.data = dict(file)
        self.batch, start = batch, contender.initial_weights(widths)
        self.task = contender.Task(self.data["x"], self.data["y"], self.batches(0), start, lr, decay)
        self.contender = self.kind(self.task)
        self.contender()

    def batches(self, epoch: int) -> list[Any]:
        """The batches of an epoch, all of the same size."""
        count = len(self.data["y"])
        order = np.random.default_rng((0, epoch)).permutation(count)
        return list(order[: count // self.batch * self.batch].reshape(-1, self.batch))

    def train(self) -> dict[str, float]:
        """Run the rest of the epoch; return the accuracy on the validation images, and the peak memory in MiB."""
        length = len(self.task.batches)
        self.contender()
        while self.contender.steps % length:
            self.contender()
        self.task.batches = self.batches(self.contender.steps // length)
        h, params = self.data["x_val"], self.contender.weights()
        for w, b in contender.pairs(params)[:-1]:
            h = np.maximum(h @ w + b, 0)
        right = (h @ params[-2] + params[-1]).argmax(axis=1) == self.data["y_val"]
        return {"accuracy": float(right.mean()), "peak": measuring.peak_memory() / 2**20}


def serve(name: str) -> None:
    """Answer the requests on standard input. What libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    server = Server(name)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"answer": getattr(server, request.pop("method"))(**request)}
        except Exception as error:
            first = str(error).strip().partition("\n")[0]
            answer = {"error": f"{type(error).__name__}: {first[:200]}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])

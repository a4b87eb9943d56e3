"""Data-parallel training by MPI: the processes that ``mpirun -n 4 python train.py ...`` starts train one network.

They are numbered, and a number is called a *rank*. Each computes the gradient for its part of every batch; Reduce adds
the gradients up at rank 0, and Bcast hands out the sum, so that all make the same update of the same bits. Rank 0 alone
writes: output, checkpoints, pictures.

Every communication begins with an exchange of states, by which a process that fails tells the others, which then end,
too. If one is killed, ``mpirun`` ends the others; if one hangs, they end after `TIMEOUT`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType, SimpleNamespace
from typing import Any, TypeVar

import numpy as np

import tensorgrad as tg
from tensorgrad.errors import ConfigError, TensorgradError
from training import images, threads, trials
from training.event_log import NONE
from training.run import Run
from training.signals import SIGNALS

Array = Any
T = TypeVar("T")

TIMEOUT = 1800.0  # seconds that a process waits for the others, for instance while the first one downloads the data
PIECE = 2**16  # elements that Reduce adds up at a time: twice as fast as all at once, in MPICH 5 on one machine
LAUNCHERS = (("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE"))  # Open MPI; MPICH and Intel


class Alone:
    """A training in one process, in which nothing is to be exchanged."""

    rank, size = 0, 1
    threads = 0  # of the BLAS library, in each process; 0: as many as are fastest

    def begin(self, total: int) -> None:
        """Begin an update with a batch of ``total`` images, over all processes."""

    def part(self, count: int) -> slice:
        """The part of a batch of ``count`` images that this process computes."""
        return slice(None)

    def generator(self, rng: np.random.Generator, seed: int, update: int) -> np.random.Generator:
        """The generator of the dropout in an update."""
        return rng

    def whole(self, part: Any) -> Any:
        """What the sum over the whole batch would be if the images of the other parts were like those of this one."""
        return part

    def update(self, gradient: Callable[..., Any], step: Callable[[], None], network: Any,
               is_compiled: bool) -> Callable[..., Any]:  # fmt: skip
        """A function that computes the gradient and makes the step, with the result of ``gradient``."""

        def update(*given: Any) -> Any:
            result = gradient(*given)
            step()
            return result

        return trials.compiled(update) if is_compiled else update

    def sums(self, *values: Any) -> tuple[Any, ...]:
        """The sums over all processes, of results for their parts of the batch."""
        return values

    def largest(self, value: int) -> int:
        """The largest value of all processes, such as the number of a signal that not all have received yet."""
        return value

    def first(self, work: Callable[[], T]) -> T:
        """The result of ``work()``, which only the first process calls."""
        return work()

    def in_turn(self, work: Callable[[], T]) -> T:
        """The result of ``work()``, which the first process calls before the others, such as a download."""
        return work()

    def score(self, network: Any, pictures: Array, labels: Array, scale: float) -> tuple[float, float]:
        """What `images.score` returns."""
        return images.score(network, pictures, labels, scale)

    def view(self, run: Run) -> Run:
        """A run to which only the first process writes."""
        return run

    def decided(self) -> dict[str, Any]:
        """What is recorded of this in a run."""
        return {}

    def check(self, o: SimpleNamespace) -> None:
        """Raise `ConfigError` if a run with these options cannot be trained, or continued, by so many processes."""
        trained_by = o.decided.get("processes", 1)
        if trained_by != self.size:
            command = f"mpirun -n {trained_by} python train.py" if trained_by > 1 else "python train.py"
            raise ConfigError(f"the run was started with {trained_by} process{'es' * (trained_by > 1)}, and its result "
                              f"depends on that number: continue it with {command} --resume")  # fmt: skip


class Ended(Exception):
    """Another process has failed, and reports why."""


class Together(Alone):
    """One of several processes that train together."""

    def __init__(self, rank: int, size: int) -> None:
        try:
            from mpi4py import MPI
        except (ImportError, RuntimeError) as error:  # RuntimeError: there is no MPI library
            why = " ".join(str(error).split())
            raise ConfigError(f'training by several processes needs mpi4py: python -m pip install -e ".[mpi]" ({why})'
                              ) from None  # fmt: skip
        self._mpi, self._comm = MPI, MPI.COMM_WORLD
        self.rank, self.size = rank, self._comm.size
        if self.size != size:
            raise ConfigError(f"mpirun has started {size} processes, but mpi4py finds {self.size}: it uses another MPI "
                              f"library than that of mpirun, {MPI.Get_library_version().splitlines()[0]}")  # fmt: skip
        here = self._comm.Split_type(MPI.COMM_TYPE_SHARED)  # the processes on this machine
        self.threads = max(threads.available() // here.size, 1)
        here.Free()
        self._times = np.ones((), np.float32)
        self.begin(0)
        self._messages: dict[Any, Array] = {}  # by dtype
        self._value = self._largest = 0  # see `largest`
        self._failed = -1  # the rank that reports a failure
        self._since: float | None = None  # when the communication began that is in progress
        self._pending: list[Callable[[], object]] = []  # signals that were received during it
        threading.Thread(target=self._watch, daemon=True).start()

    # ------------------------------------------------------------------------------------------ the training

    def part(self, count: int) -> slice:
        """Every ``size``-th image; if there are too few, the first one, which then has no weight."""
        return slice(self.rank, None, self.size) if self.rank < count else slice(0, 1)

    def generator(self, rng: np.random.Generator, seed: int, update: int) -> np.random.Generator:
        """One that depends on the rank, so that the processes drop different units; ``rng`` is the same in all."""
        return np.random.default_rng((seed, update + 1, self.rank + 1, self.size))

    def begin(self, total: int) -> None:
        """Begin an update with a batch of ``total`` images, over all processes."""
        self._total = total
        self._weight = len(range(self.rank, total, self.size)) / (total or 1)  # of its part of the batch
        self._times[...] = 1 / (self._weight or 1.0)

    def whole(self, part: Any) -> Any:
        """The sum over a part divided by its weight, so that `average` gives the sum over the batch."""
        return part * self._times  # an array, whose value of the moment a compiled program reads

    def update(self, gradient: Callable[..., Any], step: Callable[[], None], network: Any,
               is_compiled: bool) -> Callable[..., Any]:  # fmt: skip
        """The same, with the average of the gradients in between: two programs if compiled, with its call in Python."""
        if is_compiled:
            gradient, step = trials.compiled(gradient), trials.compiled(step)

        def update(*given: Any) -> Any:
            result = gradient(*given)
            self.average(network)
            step()
            return result

        return update

    def average(self, network: Any) -> None:
        """Sum gradients and buffers over all processes, each with the weight of its part of the batch."""
        leaves = [p for p in tg.nn.parameters(network).values() if p.grad is not None]
        buffers = [b for b in tg.nn.buffers(network).values() if b.dtype.kind == "f"]
        arrays: list[Array] = [*(p.grad for p in leaves), *buffers]
        means: list[Array] = [None] * len(arrays)
        for dtype in dict.fromkeys(a.dtype for a in arrays):
            chosen = [i for i, a in enumerate(arrays) if a.dtype == dtype]
            ends = np.cumsum([arrays[i].size for i in chosen]).tolist()
            message = self._message(dtype, ends[-1])
            for i, end in zip(chosen, ends, strict=True):
                means[i] = message[end - arrays[i].size : end].reshape(arrays[i].shape)
                np.multiply(arrays[i], self._weight, out=means[i])
            self._sum(message)
        for p, mean in zip(leaves, means, strict=False):
            p.grad = mean
        for buffer, mean in zip(buffers, means[len(leaves) :], strict=True):
            buffer[...] = mean

    def _message(self, dtype: Any, size: int) -> Array:
        message = self._messages.get(dtype)
        if message is None or message.size != size:
            message = self._messages[dtype] = np.empty(size, dtype)
        return message

    def score(self, network: Any, pictures: Array, labels: Array, scale: float) -> tuple[float, float]:
        """What `images.score` returns, of which each process computes a part."""
        self.begin(len(labels))
        if not len(labels):
            return images.score(network, pictures, labels, scale)
        mine = self.part(len(labels))
        loss, accuracy = images.score(network, pictures[mine], labels[mine], scale)
        count = len(labels[mine])
        loss_sum, right = self.sums(loss * count, round(accuracy * count))
        return loss_sum / len(labels), right / len(labels)

    def view(self, run: Run) -> Run:
        """The run itself for the first process, and one that is not written to for the others."""
        return run if self.rank == 0 else Unwritten(run)

    def decided(self) -> dict[str, Any]:
        """The number of processes, on which the result depends."""
        return {"processes": self.size}

    def check(self, o: SimpleNamespace) -> None:
        """Raise `ConfigError` if a run with these options cannot be trained, or continued, by so many processes."""
        super().check(o)
        if o.teachers:
            raise ConfigError("--teachers: a network with teachers is trained by one process, without mpirun")
        if o.batch_size < self.size:
            raise ConfigError(f"--batch-size {o.batch_size} is smaller than the number of processes, {self.size}")

    # ------------------------------------------------------------------------------------------ communication

    def sums(self, *values: Any) -> tuple[Any, ...]:
        """The sums over all processes, of results for their parts of the batch."""
        message = np.array(values, np.float64) * (self.rank < self._total)
        self._sum(message)
        return tuple(message.tolist())

    def largest(self, value: int) -> int:
        """The largest value of all processes in their latest exchange; this one is part of the next exchange.

        If it is a signal that this process lacks, that arrives within this call.
        """
        self._value = value
        if self._largest and not value:
            time.sleep(0.2)
        return self._largest

    def first(self, work: Callable[[], T]) -> T:
        """The result of ``work()``, which only the first process calls."""
        result = [work()] if self.rank == 0 else []

        def hand_out() -> None:
            result[:] = self._comm.bcast(result, root=0)

        self._exchange(then=hand_out)
        return result[0]

    def in_turn(self, work: Callable[[], T]) -> T:
        """The result of ``work()``, which the first process calls before the others."""
        result = [work()] if self.rank == 0 else []
        self._exchange()
        return result[0] if result else work()

    def _sum(self, message: Array) -> None:
        """Replace an array by its sum over all processes, the same bits in each."""

        def add_up() -> None:
            for start in range(0, len(message), PIECE):
                piece = message[start : start + PIECE]
                send, receive = (self._mpi.IN_PLACE, piece) if self.rank == 0 else (piece, None)
                self._comm.Reduce(send, receive, root=0)
            self._comm.Bcast(message, root=0)

        self._exchange(then=add_up)

    def _exchange(self, *, fails: bool = False, then: Callable[[], object] | None = None) -> None:
        """Tell the others that this process goes on, or fails; if none does, call ``then()``, which communicates.

        Signals that arrive in between are handled afterwards, because all processes have to complete it.

        Raises
        ------
        Ended
            If another process fails.
        """
        state = np.array([self.size - self.rank if fails else 0, self._value], np.int64)
        self._since = time.monotonic()
        try:
            self._comm.Allreduce(self._mpi.IN_PLACE, state, self._mpi.MAX)
            self._largest = int(state[1])
            if state[0]:
                self._failed = self.size - int(state[0])
            elif then is not None:
                then()
        finally:
            self._since = None
        if self._failed < 0:
            while self._pending:
                self._pending.pop(0)()
        elif not fails:
            raise Ended

    @contextlib.contextmanager
    def signals_delayed(self) -> Iterator[None]:
        """Within the block, call the handlers of signals after a communication that is in progress, not during it."""
        handlers: dict[int, Any] = {n: signal.getsignal(n) for n in SIGNALS}

        def handle(number: int, frame: FrameType | None) -> None:
            if self._since is None:
                handlers[number](number, frame)
            else:
                self._pending.append(lambda: handlers[number](number, frame))

        for number, handler in handlers.items():
            if callable(handler):
                signal.signal(number, handle)
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def end(self, code: int) -> int:
        """Wait for all processes to end; return the exit code of the first one."""
        return self.first(lambda: code)

    def reports(self) -> bool:
        """Tell the others that this process fails; return whether it is the first of those that do."""
        if self._failed < 0:
            self._exchange(fails=True)
        return self._failed == self.rank

    def _watch(self) -> None:
        """End the process, and with it all others, if a communication takes too long."""
        while True:
            time.sleep(min(TIMEOUT / 4, 5))
            since = self._since
            if since is not None and time.monotonic() - since > TIMEOUT:
                os.write(2, f"train.py: error: process {self.rank} of {self.size} has waited for the others for "
                            f"{TIMEOUT:g} s\n".encode())  # fmt: skip
                os._exit(2)


class Unwritten(Run):
    """A run as other processes than the first one see it: nothing is written to its folder."""

    def __init__(self, run: Run) -> None:
        options = SimpleNamespace(**{**vars(run.options), "quiet": True, "log": NONE})
        super().__init__(run.folder, options, run.about)

    def save(self, *_: Any, **__: Any) -> None:
        """Do nothing."""

    def write_metrics(self, *_: Any) -> None:
        """Do nothing."""

    def write_config(self) -> None:
        """Do nothing."""


ALONE = Alone()


def launched() -> tuple[int, int]:
    """The rank of this process and the number of processes, according to the environment that mpirun sets."""
    for rank, size in LAUNCHERS:
        if rank in os.environ and size in os.environ:
            return int(os.environ[rank]), int(os.environ[size])
    return 0, 1


def together(start: Callable[[Alone], int]) -> int:
    """Call ``start(ALONE)`` or, in each of several processes, with what they communicate by; return the exit code.

    If a process fails, it raises its error, after the others have returned from here.
    """
    rank, size = launched()
    if size == 1:
        return start(ALONE)
    with contextlib.ExitStack() as stack:
        if rank:
            null = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123
            stack.enter_context(contextlib.redirect_stdout(null))
            stack.enter_context(contextlib.redirect_stderr(null))
        try:
            ranks = Together(rank, size)
        except ConfigError:
            if rank:
                return 2
            raise
        with ranks.signals_delayed():
            try:
                return ranks.end(start(ranks))
            except Ended:
                return 2
            except SystemExit:  # after --help, in all of them
                raise
            except BaseException as error:
                if not ranks.reports():
                    return 130 if isinstance(error, KeyboardInterrupt) else 2
                if rank and isinstance(error, (TensorgradError, OSError, MemoryError)):
                    raise TensorgradError(f"process {rank} of {size}: {error}") from error
                raise

"""Data-parallel training by MPI: the processes that ``mpirun -n 4 python train.py ...`` starts train one network.

They are numbered, and a number is called a *rank*. Each computes the gradient for its part of every batch; Reduce adds
the gradients up at rank 0, and Bcast hands out the sum, so that all make the same update of the same bits. Rank 0 alone
writes: output, checkpoints, pictures.

Every communication begins with an exchange of states, by which a process that fails tells the others, which then end,
too. If one is killed, ``mpirun`` ends the others; if one hangs, they end after `TIMEOUT`.
"""

from __future__ import annotations

import contextlib
import itertools
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
from training.signals import SIGNALS, Interrupt
from training.startup import rank_and_size

Array = Any
T = TypeVar("T")

TIMEOUT = 1800.0  # seconds that a process waits for the others, for instance while the first one downloads the data
PIECE = 2**16  # elements that Reduce adds up at a time: twice as fast as all at once, in MPICH 5 on one machine


class OneProcess:
    """What a training asks of the processes that share it, for a training in one process."""

    rank = 0

    def update(self, network: Any, gradient: Callable[..., Any], step: Callable[[], None], is_compiled: bool, seed: int,
               count: int) -> Callable[..., tuple[float, float, int]]:  # fmt: skip
        """A function that updates the weights, of the two parts that `prepare` in train.py returns.

        ``update(inputs, targets, labels, size, rng)`` takes this process's part of a batch of ``size`` images. It
        returns, for the whole batch and before the update, the loss, the sum of the losses of the images, and the
        number of images that were classified correctly. ``count`` updates were made earlier.
        """
        whole = trials.joined(gradient, step)
        if is_compiled:
            whole = trials.compiled(whole)

        def update(inputs: Array, targets: Array, labels: Array, size: int, rng: np.random.Generator,
                   ) -> tuple[float, float, int]:  # fmt: skip
            loss, losses, logits = whole(inputs, targets, rng)
            return _totals(loss, losses, logits, labels)

        return update

    def part(self, count: int) -> slice:
        """The part of a batch of ``count`` images that this process computes."""
        return slice(None)

    def score(self, network: Any, pictures: Array, labels: Array, scale: float) -> tuple[float, float]:
        """What `images.score` returns."""
        return images.score(network, pictures, labels, scale)

    def interrupt(self) -> Interrupt:
        """An `Interrupt`, which is true after the same update in all processes."""
        return Interrupt()

    def first(self, work: Callable[[], T]) -> T:
        """The result of ``work()``, which only the first process calls."""
        return work()

    def in_turn(self, work: Callable[[], T]) -> T:
        """The result of ``work()``, which the first process calls before the others, such as a download."""
        return work()

    def decide(self, decide: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
        """What a run finds out before its first update, ``decide(threads)``; 0 threads: as many as are fastest."""
        return decide(0)

    def view(self, run: Run) -> Run:
        """A run to which only the first process writes."""
        return run

    def check(self, o: SimpleNamespace) -> None:
        """Raise `ConfigError` if a run with these options cannot be trained, or continued, by so many processes."""
        _check_number(o, 1)


def _totals(loss: Array, losses: Array, logits: Array, labels: Array) -> tuple[float, float, int]:
    """The loss, the sum of the losses of images, and the number of images that are classified correctly."""
    return float(loss), float(losses.sum()), int(np.count_nonzero(logits.argmax(axis=1) == labels))


def _check_number(o: SimpleNamespace, number: int) -> None:
    trained_by = o.decided.get("processes", 1)
    if trained_by != number:
        command = f"mpirun -n {trained_by} python train.py" if trained_by > 1 else "python train.py"
        raise ConfigError(f"the run was started with {trained_by} process{'es' * (trained_by > 1)}, and its result "
                          f"depends on that number: continue it with {command} --resume")  # fmt: skip


class OtherProcessFailed(Exception):
    """Another process has failed, and reports why."""


class SeveralProcesses(OneProcess):
    """The same for one of several processes."""

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
        self._threads = max(threads.available() // here.size, 1)  # of the BLAS library, in each process
        here.Free()
        self._factor = np.ones((), np.float32)
        self.begin(0)
        self._messages: dict[Any, Array] = {}  # by dtype
        self._interrupt: Interrupt | None = None
        self.signal = 0  # the largest number of a signal that any process had received at the latest exchange
        self._failed = -1  # the rank that reports a failure
        self._since: float | None = None  # when the communication began that is in progress
        self._pending: list[Callable[[], object]] = []  # signals that were received during it
        threading.Thread(target=self._watch, daemon=True).start()

    # ------------------------------------------------------------------------------------------ the training

    def update(self, network: Any, gradient: Callable[..., Any], step: Callable[[], None], is_compiled: bool, seed: int,
               count: int) -> Callable[..., tuple[float, float, int]]:  # fmt: skip
        """The same, with the average of the gradients between the two parts, which are compiled separately."""
        if is_compiled:
            gradient, step = trials.compiled(gradient), trials.compiled(step)
        numbers = itertools.count(count)

        def update(inputs: Array, targets: Array, labels: Array, size: int, rng: np.random.Generator,
                   ) -> tuple[float, float, int]:  # fmt: skip
            self.begin(size)
            rng = self.generator(seed, next(numbers))
            part_loss, losses, logits = gradient(inputs, targets, rng, self._factor)
            self.average(network)
            step()
            loss, loss_sum, right = self.sums(*_totals(part_loss, losses, logits, labels))
            return loss, loss_sum, int(right)

        return update

    def begin(self, total: int) -> None:
        """Begin with a batch of ``total`` images, over all processes."""
        self._total = total
        self._weight = len(range(self.rank, total, self.size)) / (total or 1)  # of its part of the batch
        # A sum over this part times this factor is averaged with the weight. An array: compiled updates read its value.
        self._factor[...] = 1 / (self._weight or 1.0)

    def part(self, count: int) -> slice:
        """Every ``size``-th image; if there are too few, the first one, which then has no weight."""
        return slice(self.rank, None, self.size) if self.rank < count else slice(0, 1)

    def generator(self, seed: int, update: int) -> np.random.Generator:
        """The generator of the dropout in an update, which depends on the rank: processes drop different units."""
        return np.random.default_rng((seed, update + 1, self.rank + 1, self.size))

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
        """What `images.score` returns; each process computes a part of it."""
        self.begin(len(labels))
        if not len(labels):
            return images.score(network, pictures, labels, scale)
        mine = self.part(len(labels))
        loss, accuracy = images.score(network, pictures[mine], labels[mine], scale)
        count = len(labels[mine])
        loss_sum, right = self.sums(loss * count, round(accuracy * count))
        return loss_sum / len(labels), right / len(labels)

    def interrupt(self) -> Interrupt:
        """The same; whichever process receives a signal, all of them stop after the next update."""
        self._interrupt = SharedInterrupt(self)
        return self._interrupt

    def decide(self, decide: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
        """The same, and the number of processes, on which the result depends; they share the cores of a machine."""
        return self.first(lambda: decide(self._threads)) | {"processes": self.size}

    def view(self, run: Run) -> Run:
        """The run itself for the first process, and one that is not written to for the others."""
        return run if self.rank == 0 else UnwrittenRun(run)

    def check(self, o: SimpleNamespace) -> None:
        """Raise `ConfigError` if a run with these options cannot be trained, or continued, by so many processes."""
        _check_number(o, self.size)
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
        OtherProcessFailed
            If another process fails.
        """
        received = 0 if self._interrupt is None else self._interrupt.signal or 0
        state = np.array([self.size - self.rank if fails else 0, received], np.int64)
        self._since = time.monotonic()
        try:
            self._comm.Allreduce(self._mpi.IN_PLACE, state, self._mpi.MAX)
            self.signal = int(state[1])
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
            raise OtherProcessFailed

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


class SharedInterrupt(Interrupt):
    """True, in all processes at the same time, once any of them had received a signal at their latest exchange."""

    def __init__(self, processes: SeveralProcesses) -> None:
        super().__init__()
        self._processes = processes

    def __bool__(self) -> bool:
        if self._processes.signal and self.signal is None:
            time.sleep(0.2)  # the signal arrives within this call, as `mpirun` sends it to all processes
            self.signal = self._processes.signal
        return self._processes.signal != 0


class UnwrittenRun(Run):
    """A run as other processes than the first one see it: nothing is written to its folder."""

    def __init__(self, run: Run) -> None:
        options = SimpleNamespace(**{**vars(run.options), "quiet": True, "log": NONE})
        super().__init__(run.folder, options, run.about)

    def save(self, *_: Any, **__: Any) -> None:
        """Do nothing."""

    def apply_changes(self) -> None:
        """Do nothing."""

    def write_metrics(self, *_: Any) -> None:
        """Do nothing."""


ONE = OneProcess()


def run(start: Callable[[OneProcess], int]) -> int:
    """Call ``start(ONE)`` or, if mpirun started several processes, ``start(processes)`` in each; return the exit code.

    If a process fails, it raises its error, after the others have returned from here.
    """
    rank, size = rank_and_size()
    if size == 1:
        return start(ONE)
    with contextlib.ExitStack() as stack:
        if rank:
            null = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123
            stack.enter_context(contextlib.redirect_stdout(null))
            stack.enter_context(contextlib.redirect_stderr(null))
        try:
            processes = SeveralProcesses(rank, size)
        except ConfigError:
            if rank:
                return 2
            raise
        with processes.signals_delayed():
            try:
                return processes.end(start(processes))
            except OtherProcessFailed:
                return 2
            except SystemExit:  # after --help, in all of them
                raise
            except BaseException as error:
                if not processes.reports():
                    return 130 if isinstance(error, KeyboardInterrupt) else 2
                if rank and isinstance(error, (TensorgradError, OSError, MemoryError)):
                    raise TensorgradError(f"process {rank} of {size}: {error}") from error
                raise

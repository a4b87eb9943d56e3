"""Items made in a second thread while the present one is used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeAlias, TypeVar

T = TypeVar("T")
Queue: TypeAlias = "queue.Queue[tuple[Any, BaseException | None]]"
_END = object()
_CHECK_SECONDS = 5.0  # between checks that the thread is alive


class Prefetch(Generic[T]):
    """The items of an iterable, in their order, made in a thread: up to `ahead` of them before they are needed.

    NumPy releases Python's lock in its loops, so that the thread runs on another core. An exception in the iterable is
    raised where its item would have been. To be used in a ``with`` block, whose end stops the thread: after the item
    that it is making.

    Examples
    --------
    >>> with tg.data.Prefetch(n * n for n in range(4)) as squares:
    ...     print(list(squares))
    [0, 1, 4, 9]
    """

    def __init__(self, items: Iterable[T], ahead: int = 1) -> None:
        if ahead < 1:
            raise ValueError(f"ahead must be at least 1, got {ahead}")
        self._made: Queue = queue.Queue(ahead)
        self._is_closed = threading.Event()
        arguments = (items, self._made, self._is_closed)
        self._thread = threading.Thread(target=_make, args=arguments, name="Prefetch", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        while not self._is_closed.is_set():
            try:
                item, error = self._made.get(timeout=_CHECK_SECONDS)
            except queue.Empty:
                if self._thread.is_alive() or not self._made.empty():
                    continue
                break  # for example after os.fork
            if error is not None or item is _END:
                self.close()
            if error is not None:
                raise error
            if item is _END:
                break
            return item  # type: ignore[no-any-return]
        raise StopIteration

    def close(self) -> None:
        """Stop the thread, and wait until it has ended.

        Examples
        --------
        >>> import itertools
        >>> numbers = tg.data.Prefetch(itertools.count())
        >>> next(numbers)
        0
        >>> numbers.close()
        """
        self._is_closed.set()
        while self._thread.is_alive():
            try:
                self._made.get_nowait()  # so that the thread can put its item and see that it is to stop
            except queue.Empty:
                self._thread.join(0.01)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.close()


def _make(items: Iterable[Any], made: Queue, is_closed: threading.Event) -> None:
    """Put items, then the end or an error, into ``made``, until ``is_closed``."""
    last: tuple[Any, BaseException | None] = (_END, None)
    try:
        for item in items:
            made.put((item, None))
            if is_closed.is_set():
                return
    except BaseException as error:  # raised again by the thread that takes the items
        last = (_END, error)
    made.put(last)

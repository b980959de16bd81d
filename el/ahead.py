"""An iterator that works ahead in a thread of its own: what comes next is made while what came before is used."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from queue import Empty, Queue
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")


class Ahead(Generic[Item]):
    """Used in a ``with`` block, which ends the thread. One item waits, and one more is in the making.

    ``stop`` makes the iterator end although it waits for something; it is called at the end of the block.
    """

    def __init__(self, items: Generator[Item, None, None], stop: Callable[[], None]) -> None:
        self._items, self._stop = items, stop
        self._made: Queue[tuple[Item | None, BaseException | None]] = Queue(1)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopped.set()
        self._stop()
        while self._thread.is_alive():
            with suppress(Empty):
                self._made.get(timeout=0.05)

    def next(self) -> Item:
        """The next item; waits for it. An error of the iterator is raised here, EOFError behind the last."""
        item, error = self._made.get()
        if error is not None:
            self._made.put((None, error))  # whoever asks again gets it again
            raise error
        assert item is not None
        return item

    def _work(self) -> None:
        ended: BaseException = EOFError()
        try:
            for item in self._items:
                self._made.put((item, None))
                if self._stopped.is_set():
                    break
        except BaseException as error:  # it belongs to whoever waits for the next item
            ended = error
        finally:
            self._items.close()
        if not self._stopped.is_set():
            self._made.put((None, ended))

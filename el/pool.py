"""A pool of connections: those of one run, used again by one table after the other instead of logging in anew.

In: how to connect, and how to see that a connection still serves. Out: a connection that nobody else uses. The pool has
no limit of its own: it holds as many as were used at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """What every driver's connection has."""

    def close(self) -> None: ...


C = TypeVar("C", bound=Closable)


class Pool(Generic[C]):
    """Safe to use from several threads."""

    def __init__(self, connect: Callable[[], C], serves: Callable[[C], bool]) -> None:
        """``serves`` is asked of a connection that was idle; one that does not is closed."""
        self._connect, self._serves = connect, serves
        self._lock = threading.Lock()
        self._idle: list[C] = []

    @contextmanager
    def one(self) -> Iterator[C]:
        """A connection; one on which something failed is closed and not used again. Raises what ``connect`` raises."""
        connection = self._taken() or self._connect()
        try:
            yield connection
        except BaseException:  # whatever it was, Ctrl-C too: nobody knows what state the session is in
            connection.close()
            raise
        with self._lock:
            self._idle.append(connection)

    def _taken(self) -> C | None:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is not None and not self._serves(connection):
            connection.close()
            return None
        return connection

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            for connection in self._idle:
                connection.close()
            self._idle.clear()

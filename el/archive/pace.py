"""How gently rows are deleted: how many in one transaction, and when to wait.

In: how long transactions took, the limits of the source file (``server:``), and whoever says "pause". Out: the size of
the next batch, and a pause whose reason is said.

A transaction aims at a time, not at a number of rows: a row may have one index or ten, and a replica applies what the
primary did. Between transactions the limits of ``el/mysql/kindness.py`` are looked at (hours, rows per second,
Threads_running, the lag of the replica that SOURCES__<SOURCE>__REPLICA names), and two switches for people: the
file ``EL_HOME/archive.pause`` and the object ``_pause`` below ARCHIVE_URL.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pymysql

from el.archive.store import Archive
from el.config import ServerLimits
from el.errors import ConnectionLost
from el.mysql.connection import Connection, connected
from el.mysql.kindness import Kindness, Say
from el.settings import MySQL

_FIRST, _MOST = 500, 5_000
#: The switch on S3 is looked at no more often than this, in seconds.
_LOOK = 5.0
_ASK_AGAIN = 1.0


@dataclass(frozen=True)
class Limits:
    """``target``: seconds that a transaction should take. ``home`` is EL_HOME, where the switch is."""

    server: ServerLimits
    target: float
    home: Path


class Pace:
    """One source in one run. ``wait`` sleeps, and says True if it is asked to stop."""

    def __init__(
        self,
        source: str,
        limits: Limits,
        replica: MySQL | None,
        archive: Archive,
        wait: Callable[[float], bool],
    ) -> None:
        self._source, self._archive, self._wait, self._target = source, archive, wait, limits.target
        self._file, server = limits.home / "archive.pause", limits.server
        self._kindness = Kindness(source, server)
        self._of_replica = Kindness(source, server.model_copy(update={"max_threads_running": None}), replica=True)
        self._replica = replica if server.max_replica_lag is not None else None
        self._stack = ExitStack()
        self._replica_connection: Connection | None = None
        self._looked, self._object = -_LOOK, False
        self.size = _FIRST

    def close(self) -> None:
        """Give back what was opened."""
        self._stack.close()

    def took(self, rows: int, seconds: float) -> None:
        """How long a transaction of so many rows took; the next one is larger or smaller by that."""
        if rows < self.size and seconds < self._target:
            return  # the last batch of a chunk says nothing about longer ones
        factor = self._target / max(seconds, 0.001)
        self.size = int(min(_MOST, max(1, rows * min(1.5, max(0.3, factor)))))

    def pause(self, connection: Connection, rows: int, say: Say) -> bool:
        """Wait until rows may be deleted; ``rows``: how many were since the last call. False: the hours are over, or it
        was asked to stop.

        Raises:
            SourceError: a limit cannot be looked at.
            LandingError: S3 cannot be asked.
        """
        said = False
        while why := self._switched():
            say(f"paused: {why}")
            said = True
            if self._wait(_ASK_AGAIN):
                return False
        if said:
            say("")
        try:
            return self._may_go_on(connection, rows, say)
        except pymysql.err.MySQLError as error:
            raise ConnectionLost(
                f"source {self._source}: MySQL did not tell how busy it is ({type(error).__name__} {error.args[0]}). "
                "What was deleted was proven; the next run goes on from here. Run again."
            ) from None

    def _may_go_on(self, connection: Connection, rows: int, say: Say) -> bool:
        stopped = self._is_stopped
        if not self._kindness.pause(connection, rows, say, stopped) or stopped():
            return False
        if self._replica is None:
            return True
        if self._replica_connection is None:
            self._replica_connection = self._stack.enter_context(connected(self._source, self._replica))
        return self._of_replica.pause(self._replica_connection, 0, say, stopped) and not stopped()

    def _is_stopped(self) -> bool:
        return self._wait(0)

    def _switched(self) -> str:
        """Who has switched it off; empty: nobody."""
        if self._file.exists():
            return f"{self._file} is there"
        now = time.monotonic()
        if now - self._looked >= _LOOK:
            self._object, self._looked = self._archive.is_paused(), now
        return f"{self._archive.pause_url} is there" if self._object else ""

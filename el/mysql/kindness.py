"""Throttles reads to spare a server that others need; the limits are checked between chunks.

In: the limits of a source file (``server:``), and a connection to the server that is read. Out: a turn among the tables
of the source, a pause whose reason is said, or the end of reading because its hours are over. Limits are looked at
between chunks only: a chunk is short, and a query that is cut off would have to be made again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

from el.config import ServerLimits
from el.errors import SourceError
from el.mysql.connection import Connection, rows
from el.mysql.replication import read_status

#: A server that is busy is asked again after so many seconds.
_ASK_AGAIN = 1.0
#: What was not read for so many seconds may be made up for at once.
_CREDIT = 1.0

#: Told why reading pauses; an empty text: it goes on.
Say = Callable[[str], None]


class Turns:
    """How many connections of one table read rows now; a ``with`` block, which gives back what was taken."""

    def __init__(self, free: threading.Semaphore) -> None:
        self._free = free
        self.taken = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        while self.taken:
            self.give_back()

    def take(self, seconds: float) -> bool:
        """One more; False if there is none within so many seconds."""
        taken = self._free.acquire(timeout=seconds)
        self.taken += taken
        return taken

    def give_back(self) -> None:
        self.taken -= 1
        self._free.release()


class Kindness:
    """One source in one run. Its tables share it, and each is read in a thread of its own.

    ``replica``: rows are read from one, so its lag counts.
    """

    def __init__(self, source: str, limits: ServerLimits, replica: bool = False) -> None:
        self.limits = limits
        self._source, self._replica = source, replica
        self._turns = threading.BoundedSemaphore(limits.max_connections)
        self._lock = threading.Lock()
        self._paid_until = 0.0

    def turns(self) -> Turns:
        """The turns of one table."""
        return Turns(self._turns)

    def is_open(self) -> bool:
        """Whether it is within the hours, if there are any."""
        if self.limits.hours is None:
            return True
        zone = ZoneInfo(self.limits.hours_zone) if self.limits.hours_zone else None
        now = f"{datetime.now(zone):%H:%M}"
        begin, end = self.limits.hours.split("-")
        return begin <= now < end if begin < end else now >= begin or now < end

    def pause(
        self,
        connection: Connection | None,
        read: int,
        say: Say,
        stopped: Callable[[], bool] = lambda: False,
        to_the_end: bool = False,
    ) -> bool:
        """Wait until reading may go on; ``read``: how many rows were read since the last call.

        Without a connection only the rate counts. False: the hours are over, and ``to_the_end`` is not set.

        Raises:
            SourceError: the server does not tell what a limit is about.
        """
        paid_until = self._pay(read)
        said = False
        while not stopped() and (to_the_end or self.is_open()):
            left = paid_until - time.monotonic()
            why = self._busy(connection) if connection else ""
            if not why and left > 0:
                why = f"held back to {self.limits.max_rows_per_second:,} rows/s"
            elif not why:
                break
            say(why)
            said = True
            time.sleep(min(_ASK_AGAIN, left) if left > 0 else _ASK_AGAIN)
        if said:
            say("")
        return to_the_end or self.is_open()

    def _pay(self, read: int) -> float:
        """The moment until which the rows read so far, by all tables, take up the rate."""
        if self.limits.max_rows_per_second is None:
            return 0.0
        with self._lock:
            begin = max(self._paid_until, time.monotonic() - _CREDIT)
            self._paid_until = begin + read / self.limits.max_rows_per_second
            return self._paid_until

    def _busy(self, connection: Connection) -> str:
        """Why the server should be left alone for now; empty if there is no reason."""
        most = self.limits.max_threads_running
        if most is not None:
            with self._lock:  # else the tables would count each other's question
                running = int(rows(connection, "show global status like 'Threads_running'")[0][1])
            if running > most:
                return f"paused: more than {most} threads are running on MySQL (max_threads_running)"
        longest = self.limits.max_replica_lag
        if longest is not None and self._replica:
            lag = self._lag(connection)
            if lag is None:
                return "paused: the replica does not apply what the primary writes (max_replica_lag)"
            if lag > longest:
                return f"paused: the replica is more than {longest} s behind (max_replica_lag)"
        return ""

    def _lag(self, connection: Connection) -> int | None:
        """Seconds that the replica is behind; None if it has stopped."""
        channels = read_status(connection)
        if channels is None:
            raise SourceError(
                f"source {self._source}: max_replica_lag needs a privilege on the replica to see its lag. Nothing was "
                "read since. Grant it (MySQL: replication client; MariaDB: replica monitor) or leave the limit out"
            )
        if not channels:
            raise SourceError(
                f"source {self._source}: max_replica_lag: the server that rows are read from shows no replica status "
                "(SHOW REPLICA STATUS is empty, as on an Aurora reader). Leave the limit out"
            )
        lags = [channel["seconds_behind_source"] for channel in channels]
        return None if None in lags else max(lags)

"""What was run, for stl_query and sys_query_history: statements without their literals, since the server's start.

It is kept in memory and put into a database's table only when somebody asks that database for it: so that nothing
is written behind a test's back, and a load does not pay for a history that nobody reads.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import astuple, dataclass

from psycopg2 import extensions
from psycopg2.extras import execute_values

_VIEWS = re.compile(r"\b(stl_query|svl_qlog|stl_querytext|sys_query_history|sys_query_text)\b", re.IGNORECASE)
_LAST = re.compile(r"\bpg_last_(query_id|copy_id|copy_count|unload_count)\b", re.IGNORECASE)
_KEPT = 10_000
_TABLE = "redshift_internal.query_history"

Connect = Callable[[str], extensions.connection]


@dataclass(frozen=True)
class Ran:
    query: int
    user: str
    database: str
    process: int
    kind: str
    text: str  # without its literals
    began: float  # seconds since the epoch
    ended: float
    error: str  # '' if it succeeded
    transaction: int  # 0 if it had not written


class History:
    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._numbers = itertools.count(self._last_load() + 1)
        self._ran: deque[tuple[int, Ran]] = deque(maxlen=_KEPT)  # numbered as they ended
        self._ended = 0
        self._written: dict[str, int] = {}  # database → the last number that its table has

    def _last_load(self) -> int:
        """The records of loads survive a restart: their numbers are not given away again."""
        connection, last = self._connect("postgres"), 0
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute("select datname from pg_database where not datistemplate and datname <> 'postgres'")
            databases = [name for (name,) in cursor.fetchall()]
        for database in databases:
            connection = self._connect(database)
            with contextlib.closing(connection), connection.cursor() as cursor:
                cursor.execute("select coalesce(max(query), 0) from redshift_internal.load")
                last = max(last, *(query for (query,) in cursor.fetchall()))
        return last

    def number(self) -> int:
        """For a statement that begins."""
        return next(self._numbers)

    def add(self, ran: Ran) -> None:
        with self._lock:
            self._ended += 1
            self._ran.append((self._ended, ran))

    def wanted(self, sql: str) -> bool:
        return _VIEWS.search(sql) is not None

    def wants_last(self, sql: str) -> bool:
        """Whether the statement asks about the one before it: it is then not counted as such itself."""
        return _LAST.search(sql) is not None

    def show(self, database: str) -> None:
        """Make this database's table complete."""
        with self._lock:
            last = self._written.get(database)
            rows = [astuple(ran) for ended, ran in self._ran if ended > (last or 0)]
            connection = self._connect(database)
            try:
                with connection.cursor() as cursor:
                    if last is None:
                        # What an earlier run left. TRUNCATE would wait for readers, and everybody for it.
                        cursor.execute(f"delete from {_TABLE}")
                    if rows:
                        values = "(%s, %s, %s, %s, %s, %s, to_timestamp(%s), to_timestamp(%s), %s, %s)"
                        execute_values(cursor, f"insert into {_TABLE} values %s", rows, values)
                    self._written[database] = self._ended
            finally:
                connection.close()

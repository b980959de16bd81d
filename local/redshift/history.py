"""What was run, for stl_query and sys_query_history: statements without their literals, since the server's start.

It is kept in memory and put into a database's table only when somebody asks that database for it: so that nothing
is written behind a test's back, and a load does not pay for a history that nobody reads.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import astuple, dataclass

from psycopg2 import extensions
from psycopg2.extras import execute_values

from .lexer import shape

_VIEWS = re.compile(r"\b(stl_query|svl_qlog|stl_querytext|sys_query_history|sys_query_text)\b", re.IGNORECASE)
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
    text: str
    began: float  # seconds since the epoch
    ended: float
    error: str  # '' if it succeeded


class History:
    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._ran: deque[Ran] = deque(maxlen=_KEPT)
        self._written: dict[str, int] = {}  # database → the last query its table has

    def add(self, who: tuple[str, str, int], kind: str, sql: str, began: float, ended: float, error: str) -> None:
        error = re.sub('"[^"]*"', '"?"', error)  # PostgreSQL quotes values
        with self._lock:
            self._ran.append(Ran(next(self._numbers), *who, kind, shape(sql), began, ended, error))

    def wanted(self, sql: str) -> bool:
        return _VIEWS.search(sql) is not None

    def show(self, database: str) -> None:
        """Make this database's table complete."""
        with self._lock:
            last = self._written.get(database)
            rows = [astuple(r) for r in self._ran if r.query > (last or 0)]
            connection = self._connect(database)
            try:
                with connection.cursor() as cursor:
                    if last is None:
                        cursor.execute(f"truncate {_TABLE}")  # of an earlier run of the server
                    if rows:
                        values = "(%s, %s, %s, %s, %s, %s, to_timestamp(%s), to_timestamp(%s), %s)"
                        execute_values(cursor, f"insert into {_TABLE} values %s", rows, values)
                        self._written[database] = int(rows[-1][0])
            finally:
                connection.close()

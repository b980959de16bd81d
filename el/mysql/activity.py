"""Who may still commit a row that was written before a moment: running statements and open transactions.

In: a connection to the primary that has just read the clock. Out: ``Activity``. Only ages are compared, never clock
readings: MySQL prints ``trx_started`` in its own zone.

Neither list is enough by itself. ``innodb_trx`` is a cache that frequent readers freeze, so our own query must be
visible in it; it does not know a statement that waits for a metadata lock, whose CURRENT_TIMESTAMP is fixed all the
same, and shows that statement's transaction as younger than the timestamp afterwards (MariaDB). So the order is:
clock, process list, transactions: a writer that began before the clock was read is still running, or has an open
transaction, or has committed and is visible to the reads that follow.
"""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

import pymysql

from el.errors import SourceError
from el.mysql.connection import Connection, rows

#: Most transactions are short: waiting this long for them saves reading their rows again.
_PATIENCE_SECONDS = 2.0
_FRESH_SECONDS = 30
#: MySQL's error where bytes are no text of a character set.
_NO_TEXT = 3854
#: The transaction list is renewed only when nobody read it for 0.1 s.
_PAUSE_SECONDS = 0.15
#: Several of us on one server would freeze it for each other: the pauses grow, and no two are alike.
_LONGEST_PAUSE_SECONDS = 2.0
_SECOND = timedelta(seconds=1)

#: Threads of the server itself, which wait for work and write nothing of their own.
_NO_WRITER = ("Sleep", "Daemon", "Binlog Dump", "Binlog Dump GTID")
#: Bytes of a statement that are looked at, and what begins one that writes nothing unless it waits.
_BEGINNING = 200
_WRITES_NOTHING = re.compile(rb"\s*(select|show|explain|desc|describe|kill)\s", re.IGNORECASE)
_APPLIES = "(command like 'Slave%' or (user = 'system user' and command in ('Query', 'Connect')))"


@dataclass(frozen=True)
class Writer:
    """A running statement that may write, or an open transaction. ``thread`` is its connection's id; 0: it has none.

    ``age`` is that of when the clock was read. A transaction's is as InnoDB tells it, and its first statement may be
    older; None: nobody knows it (a prepared XA transaction, which after a restart shows that as its start).
    """

    thread: int
    kind: Literal["statement", "transaction"]
    age: timedelta | None


@dataclass(frozen=True)
class Activity:
    """Who was under way when the clock was read. ``applies``: the server replays another server's transactions."""

    writers: tuple[Writer, ...] = ()
    applies: bool = False

    @property
    def statements(self) -> timedelta:
        """The age of the oldest running statement; zero: there is none."""
        return max(self._ages("statement"), default=timedelta(0))

    @property
    def transactions(self) -> timedelta | None:
        """The age of the oldest open transaction whose age is known; None: there is none."""
        return max(self._ages("transaction"), default=None)

    @property
    def unknown(self) -> bool:
        """There is a transaction whose age nobody knows."""
        return any(writer.age is None for writer in self.writers)

    def _ages(self, kind: str) -> list[timedelta]:
        return [writer.age for writer in self.writers if writer.kind == kind and writer.age is not None]


def look(connection: Connection, source: str, asked: float) -> Activity:
    """What is under way; ``asked`` is ``time.monotonic()`` right after the clock was read.

    Raises:
        SourceError: the transaction list never showed our own query.
    """
    appliers, _ = _shown(connection, source, f"select count(*) from information_schema.processlist where {_APPLIES}")
    applies = bool(appliers[0][0])
    rows(connection, "start transaction with consistent snapshot")
    try:
        running = waited = _running(connection, source, asked)
        listed, own_start = _listed(connection, source)
        first = set(listed)
        # What began later is no concern of ours, except the transactions of statements that were waiting until now.
        # MySQL's own short transactions (statistics, GTIDs) belong to no connection either, and are waited for.
        while (running or listed) and time.monotonic() < asked + _PATIENCE_SECONDS:
            time.sleep(_PAUSE_SECONDS)
            running = _running(connection, source, asked)
            now, _ = _listed(connection, source)
            listed = {(thread, start) for thread, start in now if (thread, start) in first or thread in waited}
    finally:
        rows(connection, "rollback")
    statements = [Writer(thread, "statement", age) for thread, age in sorted(running.items())]
    # Whole seconds on both sides: one more.
    transactions = [
        Writer(thread, "transaction", max(own_start - start, timedelta(0)) + _SECOND if thread else None)
        for thread, start in sorted(listed)
    ]
    return Activity((*statements, *transactions), applies)


def _running(connection: Connection, source: str, asked: float) -> dict[int, timedelta]:
    """Connections with a statement that may write and that began before ``asked``, and its age then.

    A plain SELECT writes nothing; one that waits for a lock may call a function that does.
    """
    listed, moment = _shown(
        connection,
        source,
        # As bytes: MySQL refuses to compare with a text what is none.
        f"select id, time, left(cast(coalesce(info, '') as binary), {_BEGINNING}), coalesce(state, '') "
        "from information_schema.processlist "
        f"where id <> connection_id() and command not in {_NO_WRITER} and not {_APPLIES} "
        "and user not in ('system user', 'event_scheduler') "
        "and (info is not null or command in ('Query', 'Execute', 'Long Data'))",
    )
    found = [
        (thread, seconds)
        for thread, seconds, statement, state in listed
        if not _WRITES_NOTHING.match(statement) or str(state).startswith("Waiting for ")
    ]
    passed = timedelta(seconds=moment - asked)
    # TIME has whole seconds, so one more.
    ages = {int(thread): timedelta(seconds=max(int(seconds or 0), 0)) + _SECOND - passed for thread, seconds in found}
    return {thread: age for thread, age in ages.items() if age >= timedelta(0)}


def _shown(connection: Connection, source: str, sql: str) -> tuple[list[tuple[Any, ...]], float]:
    """The rows of a list of what is under way, and ``time.monotonic()`` right before it was asked for.

    As long as a statement runs whose bytes are no text (a literal of a BLOB), MySQL shows neither list to anybody.

    Raises:
        SourceError: such a statement did not end.
    """
    deadline = time.monotonic() + _FRESH_SECONDS
    while True:
        moment = time.monotonic()
        try:
            return rows(connection, sql), moment
        except pymysql.err.OperationalError as error:
            if error.args[0] != _NO_TEXT:
                raise
        if time.monotonic() > deadline:
            raise SourceError(
                f"source {source}: MySQL shows no list of what is under way, because a statement with bytes that are "
                f"no text (a literal of a BLOB) has been running for {_FRESH_SECONDS} s (error {_NO_TEXT}). Nothing "
                "was read. Run again when it has ended."
            )
        time.sleep(random.uniform(_PAUSE_SECONDS, 2 * _PAUSE_SECONDS))  # noqa: S311 # guards no secret


def _listed(connection: Connection, source: str) -> tuple[set[tuple[int, datetime]], datetime]:
    """The other open transactions, as connection and start, and the start of our own.

    The list is true if it shows this very query. A transaction that changed nothing and whose connection is idle (a
    reader with autocommit off) cannot commit anything that was written before now.
    """
    deadline = time.monotonic() + _FRESH_SECONDS
    pause = _PAUSE_SECONDS
    while True:
        mark = uuid4().hex
        found, _ = _shown(
            connection,
            source,
            f"/* {mark} */ select coalesce(trx_mysql_thread_id, 0), trx_started, "
            f"trx_mysql_thread_id = connection_id() and locate('{mark}', cast(coalesce(trx_query, '') as binary)) > 0 "
            "from information_schema.innodb_trx where trx_rows_modified > 0 or trx_query is not null",
        )
        own = [start for _, start, is_own in found if is_own]
        if own:
            return {(int(thread), start) for thread, start, is_own in found if not is_own}, own[0]
        if time.monotonic() > deadline:
            raise SourceError(
                f"source {source}: MySQL's transaction list did not show a query of our own within "
                f"{_FRESH_SECONDS} s, so it cannot be trusted. Nothing was read. Other programs that read "
                "information_schema.innodb_trx many times a second freeze it; stop them and run again."
            )
        time.sleep(random.uniform(_PAUSE_SECONDS, pause))  # noqa: S311 # guards no secret
        pause = min(1.5 * pause, _LONGEST_PAUSE_SECONDS)

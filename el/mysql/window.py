"""How far the watermark may move: the moment before which nothing older can still appear.

In: a connection to the primary. Out: ``Bound``: the server's clock, read once per run and source, and how long
before it the oldest statement or transaction began that may still commit a row. The next ``lo`` of a table is that
moment, less the overlap, floored to the cursor's precision.

Why not MAX(cursor) of the rows that were read: a row whose transaction commits late carries an older cursor, and is
lost for ever. Why not ``innodb_trx`` alone: it is a cache that frequent readers freeze, it does not know a statement
that waits for a table lock (its CURRENT_TIMESTAMP is fixed all the same), and it prints clock readings in the
server's zone. So the order matters:

1. read the clock;
2. read the process list: every writing statement that began before 1 and still runs is seen, or has ended;
3. begin a transaction of our own and read ``innodb_trx`` until it is in there: then the list is younger than 2, and
   what ended in between is either still open and listed, or committed and visible to the reads that follow.

Only ages are compared, never clock readings.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

import pymysql

from el.errors import SourceError
from el.mysql.connection import Connection, connected, rows
from el.settings import MySQL

#: In the hour that repeats at the end of daylight saving, a local DATETIME falls back behind the watermark.
DAYLIGHT_SAVING = timedelta(minutes=70)
_SENTINEL_SECONDS = 10
_MISSED = "rows that commit later than the table's overlap after they were written may be missed"
_NO_PRIVILEGE = (1044, 1142, 1143, 1227)


@dataclass(frozen=True)
class Bound:
    """What was asked once, for all tables of a source.

    ``utc`` and ``local`` are the server's clock in UTC and in its own zone, ``oldest`` the age of what may still
    write, ``held`` True where the age is not known (a recovered XA transaction): then no watermark moves.
    """

    utc: datetime
    local: datetime
    oldest: timedelta
    held: bool
    server: str
    warnings: tuple[str, ...]

    def next_lo(self, cursor_is_local: bool, digits: int, overlap: int, lo: datetime | None) -> datetime | None:
        """The next ``lo`` of a table; never before ``lo``. None: there was none, and there can be none yet.

        ``overlap`` is the table's margin in seconds, ``digits`` the cursor's precision behind the second.
        """
        if self.held:
            return lo
        now = self.utc
        if cursor_is_local:
            # A DATETIME is in its writer's zone, which MySQL does not know. The server's own zone and UTC are what
            # applications use; the earlier of the two readings loses nothing and only reads more again.
            now = min(self.utc, self.local)
            if self.local != self.utc:
                now -= DAYLIGHT_SAVING
        step = 10 ** (6 - digits)
        moment = now - self.oldest - timedelta(seconds=overlap)
        floored = moment.replace(microsecond=moment.microsecond // step * step)
        return floored if lo is None else max(lo, floored)


def read_bound(source: str, server: MySQL) -> Bound:
    """Ask the primary.

    Raises:
        SourceError: MySQL cannot be reached, or never showed our own transaction.
    """
    warnings = []
    statements = transactions = timedelta(0)
    held = False
    with connected(source, server) as connection:
        utc, local, identity, read_only = _clock(connection)
        try:
            statements = _oldest_statement(connection)
            transactions, held = _oldest_transaction(connection, source)
        except pymysql.err.MySQLError as error:
            if error.args[0] not in _NO_PRIVILEGE:
                raise
            warnings.append(
                f"source {source}: the user has no PROCESS privilege, so open transactions cannot be seen: {_MISSED}. "
                "Remedy: grant process on *.* to the user"
            )
    if read_only:
        warnings.append(
            f"source {source}: the server is read-only, as a replica is, and a replica does not know which "
            f"transactions are open on the primary: {_MISSED}. "
            f"Remedy: the primary's address in SOURCES__{source.upper()}__CREDENTIALS"
        )
    if held:
        warnings.append(
            f"source {source}: a prepared XA transaction was recovered after a restart and its age is not "
            "known; no watermark moves until it is committed or rolled back. List it: xa recover"
        )
    return Bound(utc, local, max(statements, transactions), held, identity, tuple(warnings))


def _clock(connection: Connection) -> tuple[datetime, datetime, str, bool]:
    """The clock in UTC and in the server's zone, who the server is, and whether it takes no writes."""
    rows(connection, "set session time_zone = @@global.time_zone")
    # The same for a DATETIME's writer, whether he calls now() or sets the clock of his application server.
    utc, local, host, port, server_id, read_only, innodb_read_only = rows(
        connection,
        "select utc_timestamp(6), now(6), @@hostname, @@port, @@server_id, "
        "@@global.read_only, @@global.innodb_read_only",
    )[0]
    rows(connection, "set session time_zone = '+00:00'")
    # MariaDB 12 has words instead of 0 and 1.
    takes_no_writes = any(str(flag).upper() not in ("0", "OFF") for flag in (read_only, innodb_read_only))
    return utc, local, f"{host}:{port}/{server_id}", takes_no_writes


def _oldest_statement(connection: Connection) -> timedelta:
    """The age of the oldest running statement that may write; TIME has whole seconds, so one more."""
    ages = rows(
        connection,
        "select time from information_schema.processlist "
        "where id <> connection_id() and command in ('Query', 'Execute', 'Long Data') "
        "and coalesce(info, '') not regexp '^[[:space:]]*(select|show|explain|desc|describe|kill)[[:space:]]'",
    )
    return timedelta(seconds=max((max(int(age or 0), 0) + 1 for (age,) in ages), default=0))


def _oldest_transaction(connection: Connection, source: str) -> tuple[timedelta, bool]:
    """The age of the oldest open transaction, and whether there is one whose age is not known.

    An idle reader counts as well: with no upper bound on the read that only means that more is read again.
    """
    deadline = time.monotonic() + _SENTINEL_SECONDS
    own_id = int(rows(connection, "select connection_id()")[0][0])
    rows(connection, "start transaction with consistent snapshot")
    try:
        while True:
            listed = {
                int(thread or 0): started
                for thread, started in rows(
                    connection,
                    "select trx_mysql_thread_id, min(trx_started) from information_schema.innodb_trx group by 1",
                )
            }
            own = listed.pop(own_id, None)
            if own is not None:
                break
            if time.monotonic() > deadline:
                raise SourceError(
                    f"source {source}: MySQL's transaction list did not show a transaction of our own within "
                    f"{_SENTINEL_SECONDS} s, so it cannot be trusted. Nothing was read. Other programs that read "
                    "information_schema.innodb_trx many times a second freeze it; stop them and run again."
                )
            time.sleep(0.15)  # the list is renewed only when nobody read it for 0.1 s
    finally:
        rows(connection, "rollback")
    # Both readings are printed in the server's zone with whole seconds: only their difference says anything.
    ages = [max(own - started, timedelta(0)) + timedelta(seconds=1) for started in listed.values()]
    return max(ages, default=timedelta(0)), 0 in listed

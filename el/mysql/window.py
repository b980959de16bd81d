"""How far the watermark may move: the moment before which nothing older can still appear.

In: a connection to the primary. Out: ``Bound``: the server's clock, read once per run and source, and what was under
way at that moment (``activity.py``). The next ``lo`` of a table is the clock, less the age of the oldest running
statement that may write, less the overlap, in the form of the table's cursor (``cursor.py``). An open transaction keeps
it further back, as below.

Why not MAX(cursor) of the rows that were read: a row whose transaction commits late carries an older cursor, and is
lost for ever.

Why an open transaction's age is not enough: its first statement may have waited for a lock before InnoDB saw it, and
its timestamps are older than the transaction. But then it was running, and seen, or had not begun, when the pass
before asked. So with a transaction open that is younger than that question the watermark moves up to that question,
and with an older one not at all.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pymysql

from el.landing import Asked, Server
from el.mysql.activity import Activity, look
from el.mysql.catalog import TableShape
from el.mysql.connection import Connection, connected, quoted, rows
from el.mysql.cursor import Cursor
from el.mysql.identity import read_server
from el.settings import MySQL

#: Before a first copy nobody asked: so long a lock wait of a transaction that is open then is reckoned with.
_FIRST_ALLOWANCE = timedelta(days=1)
_MISSED = "rows that commit later than the table's overlap after they were written may be missed"
_NO_PRIVILEGE = (1044, 1142, 1143, 1227)


@dataclass(frozen=True)
class Bound:
    """What was asked once, for all tables of a source.

    ``utc`` is the server's clock and ``host`` this host's at the same moment; ``offset`` is the server's zone.
    ``activity`` is None where the server would not or could not show it. ``tops`` holds the largest value of each
    integer cursor by table, read before the clock; None for an empty table.
    """

    utc: datetime
    host: datetime
    offset: timedelta
    activity: Activity | None
    server: Server
    tops: Mapping[str, int | None]
    warnings: tuple[str, ...]

    @property
    def held(self) -> bool:
        """The age of something open is not known: no watermark moves."""
        return self.activity is not None and self.activity.unknown

    def next_lo(self, cursor: Cursor, overlap: int, lo: str | None, before: Asked | None) -> str | None:
        """The next ``lo`` of a cursor that is a time; never before ``lo``. None: there was none, there can be none yet.

        ``overlap`` is the table's margin in seconds; ``before``: when the pass before asked.
        """
        safe = self._safe(before)
        if safe is None:
            return lo
        found = cursor.lowest_from(safe - timedelta(seconds=overlap), self.offset)
        return found if lo is None else max(lo, found)  # one form, one length: text compares as time

    def next_top(
        self, table: str, overlap: int, lo: str | None, before: Asked | None
    ) -> tuple[str | None, int | None, str | None]:
        """The next ``lo`` of an integer cursor, and the value that may follow it at the next run, with its moment.

        A number is given out before its row is visible: with 101 committed, 100 may still be open. So the largest
        number seen counts once every transaction and statement that was under way after it was seen has ended.
        """
        top = self.tops[table]
        if self.activity is not None and not self.activity.writers and not self.activity.applies:
            return (lo if top is None else str(top)), None, None
        if before is not None and before.top is not None and before.top_at is not None:
            oldest = self._oldest() + timedelta(seconds=overlap)
            if self.held or self.utc - oldest <= datetime.fromisoformat(before.top_at):
                return lo, before.top, before.top_at  # not yet: keep it until it is, else it never will be
            lo = str(before.top)
        return lo, top, _print(self.utc)

    def asked(self, top: int | None = None, top_at: str | None = None) -> Asked:
        """For the commit: what the next pass needs to know of this question."""
        statements = self.activity.statements if self.activity else timedelta(0)
        return Asked(_print(self.utc), _print(self.host), _print(self.utc - statements), top, top_at)

    def stepped_back(self, before: Asked) -> timedelta:
        """How far the server's clock was set back since, measured by this host's; zero if it was not."""
        passed = self.utc - datetime.fromisoformat(before.at)
        by_host = self.host - datetime.fromisoformat(before.host)
        return max(by_host - passed, timedelta(0))

    def _oldest(self) -> timedelta:
        if self.activity is None:
            return timedelta(0)
        return max(self.activity.statements, self.activity.transactions or timedelta(0))

    def _safe(self, before: Asked | None) -> datetime | None:
        """The moment (UTC) before which nothing can appear any more; None: not beyond the one before."""
        if self.activity is None:
            return self.utc
        if self.activity.unknown:
            return None
        safe = self.utc - self.activity.statements
        if self.activity.transactions is None:
            return safe
        began = self.utc - self.activity.transactions
        if before is None:
            return min(safe, began - _FIRST_ALLOWANCE)
        if began <= datetime.fromisoformat(before.at):
            return None
        return min(safe, datetime.fromisoformat(before.quiet))


def read_bound(source: str, server: MySQL, shapes: Sequence[TableShape]) -> Bound:
    """Ask the primary.

    Raises:
        SourceError: MySQL cannot be reached, or never showed our own query.
    """
    warnings = []
    with connected(source, server) as connection:
        identity = read_server(connection)
        tops = _tops(connection, shapes)
        utc, offset, read_only = _clock(connection)
        host, asked = datetime.now(UTC).replace(tzinfo=None), time.monotonic()
        activity: Activity | None = None
        try:
            activity = look(connection, source, asked)
        except pymysql.err.MySQLError as error:
            if error.args[0] not in _NO_PRIVILEGE:
                raise
            warnings.append(
                f"source {source}: the user has no PROCESS privilege, so open transactions cannot be seen: {_MISSED}. "
                "Remedy: grant process on *.* to the user"
            )
    if read_only or (activity and activity.applies):
        what = "is read-only, as a replica is," if read_only else "applies another server's transactions"
        warnings.append(
            f"source {source}: the server {what} and a replica does not know which "
            f"transactions are open on the primary: {_MISSED}. "
            f"Remedy: the primary's address in SOURCES__{source.upper()}__CREDENTIALS, "
            f"the replica's in SOURCES__{source.upper()}__REPLICA"
        )
        activity = activity and replace(activity, applies=True)
    bound = Bound(utc, host, offset, activity, identity, tops, tuple(warnings))
    if bound.held:
        held = (
            f"source {source}: a prepared XA transaction belongs to no connection (its client or the server went away, "
            "or it is MySQL, which sets it free) and its age is not known; no watermark moves until it is committed or "
            "rolled back. List it: xa recover"
        )
        bound = replace(bound, warnings=(*warnings, held))
    return bound


def _tops(connection: Connection, shapes: Sequence[TableShape]) -> dict[str, int | None]:
    """The largest integer cursors, in one query; before the clock, so that what is under way later covers them."""
    wanted = [(shape.name, shape.cursor.name) for shape in shapes if shape.cursor and shape.cursor.kind == "integer"]
    if not wanted:
        return {}
    found = rows(
        connection,
        " union all ".join(
            f"select {number}, max({quoted(cursor)}) from {quoted(table)}"
            for number, (table, cursor) in enumerate(wanted)
        ),
    )
    return {wanted[number][0]: None if top is None else int(top) for number, top in found}


def _clock(connection: Connection) -> tuple[datetime, timedelta, bool]:
    """The clock in UTC, the server's zone as an offset, and whether the server takes no writes."""
    rows(connection, "set session time_zone = @@global.time_zone")
    # The same for a DATETIME's writer, whether he calls now() or sets the clock of his application server.
    utc, local, read_only, innodb_read_only = rows(
        connection, "select utc_timestamp(6), now(6), @@global.read_only, @@global.innodb_read_only"
    )[0]
    rows(connection, "set session time_zone = '+00:00'")
    # MariaDB 12 has words instead of 0 and 1.
    takes_no_writes = any(str(flag).upper() not in ("0", "OFF") for flag in (read_only, innodb_read_only))
    return utc, local - utc, takes_no_writes


def _print(moment: datetime) -> str:
    return moment.isoformat(" ", "microseconds")

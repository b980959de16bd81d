"""The only module that deletes rows from MySQL.

Each row is locked, compared again with its verified archive copy, and deleted in the same transaction.

In: the rows of a verified object and positions in it. Out: ``Outcome``: which were deleted, which are gone, and which
were left, by reason. One call is one READ COMMITTED transaction:

1. ``SELECT key, hash … FOR UPDATE`` by the keys, bound by type: from here on nobody changes these rows;
2. what differs from its copy, is under a hold, is not before the applied horizon, or is the newest AUTO_INCREMENT, is
   left;
3. where a foreign key hangs on the table, a locking read leaves the rows that have a child. Nobody can add one later:
   an insert of a child waits for the lock of its parent. Only who writes without foreign_key_checks does not wait: so
   the DELETE never cascades, and such a child loses its parent but is not deleted without a copy;
4. if the table, a trigger or a foreign key on it changed since it was planned: ROLLBACK and an error;
5. ``DELETE`` by the keys that remain. Unless it deleted exactly so many rows as were proven: ROLLBACK and an error.

A deadlock or a lock that is held for too long takes the transaction back; it is tried again, then in small pieces, and
what is still locked is left as busy. If the connection is lost, nobody knows whether COMMIT came through: the same rows
are looked at again, and those that are absent now count as gone.

Why not DELETE by the predicate that selected, as pt-archiver's bulk mode does: what was inserted or changed in between
would be deleted without a copy. Why not ``WHERE key … AND hash = …`` in the DELETE alone: it would say how many rows
were left, but not which and why.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import pymysql
from pymysql.cursors import Cursor

from el.archive import rows
from el.archive.objects import Proven
from el.archive.table import Child, Shape, what_changed
from el.errors import ArchiveError, ConnectionLost, ElError, SourceError
from el.mysql.connection import LOST, Connection, connected, quoted, reason
from el.retry import LOCKED, RECONNECT, Backoff, retry
from el.settings import MySQL

#: For every session that deletes. A short wait for a lock, because we hold others meanwhile.
_SESSION = (
    "set session transaction isolation level read committed",
    "set session innodb_lock_wait_timeout = 2",
    "set session foreign_key_checks = 1",
    # A key may be 30 February: else MySQL finds no row for it, and it would count as gone.
    "set session sql_mode = 'NO_ENGINE_SUBSTITUTION,ALLOW_INVALID_DATES'",
)
#: Variables by which a server gives up looking keys up one by one and reads the whole table instead, locking it.
_KEYS = {
    "optimizer_max_sel_args": 1_000_000,
    "optimizer_max_sel_arg_weight": 1_000_000_000,
    "in_predicate_conversion_threshold": 0,
    "range_optimizer_max_mem_size": 0,
}
#: A deadlock, a lock that was not given in time, a child that came in between: the transaction may be tried again.
_AGAIN = frozenset({1213, 1205, 1451})
#: Keys of one question that locks nothing.
_ASKED = 1000


@dataclass(frozen=True)
class Horizon:
    """Rows whose cursor is before ``value`` are in Redshift in their last version; ``kind`` as in the landing."""

    column: str
    kind: str
    value: str

    @property
    def sql(self) -> str:
        """True for such a row; a row without a cursor is none."""
        if not re.fullmatch(r"[0-9 :.+T-]+", self.value):
            raise ArchiveError(f"the applied horizon of {self.column} cannot be read. Nothing was deleted.")
        literal = self.value if self.kind == "integer" else f"'{self.value}'"
        return f"ifnull({quoted(self.column)} < {literal}, false)"


@dataclass(frozen=True)
class Stays:
    """What stays although it equals its copy. ``held``: SQL that is true for a row under a hold (``holds.py``)."""

    horizon: Horizon | None = None
    held: str | None = None


@dataclass
class Outcome:
    """What became of rows: positions in the object. ``unsure``: a connection was lost, gone may mean deleted by us."""

    deleted: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    left: dict[str, list[int]] = field(default_factory=dict)
    seconds: float = 0.0
    unsure: bool = False

    def leave(self, why: str, positions: Sequence[int]) -> None:
        if positions:
            self.left.setdefault(why, []).extend(positions)

    def add(self, other: Outcome) -> None:
        self.deleted += other.deleted
        self.gone += other.gone
        for why, found in other.left.items():
            self.left.setdefault(why, []).extend(found)
        self.seconds = max(self.seconds, other.seconds)


class _BusyError(ElError):
    """Another transaction was in the way; this one was taken back."""


class Copies:
    """The proven rows of one object, as the deletion needs them: the key and the hash of each position."""

    def __init__(self, shape: Shape, proven: Proven) -> None:
        self.hashes = proven.hashes
        self.columns = shape.primary_key
        values = [rows.to_canonical(one, proven.table.column(one.name)).to_pylist() for one in shape.primary_key]
        self.keys: list[tuple[bytes, ...]] = list(zip(*values, strict=True))
        auto = shape.column(shape.auto_increment) if shape.auto_increment else None
        self.numbers = rows.to_canonical(auto, proven.table.column(auto.name)).to_pylist() if auto else None

    def __len__(self) -> int:
        return len(self.keys)

    def condition(self, positions: Sequence[int], alias: str = "") -> str:
        """SQL: the key is that of one of the positions."""
        *before, last = self.columns
        groups: dict[tuple[bytes, ...], list[str]] = {}
        for position in positions:
            key = self.keys[position]
            groups.setdefault(key[:-1], []).append(rows.literal(last, key[-1]))
        terms = []
        for prefix, literals in groups.items():
            equal = [
                f"{alias}{quoted(one.name)} = {rows.literal(one, value)}"
                for one, value in zip(before, prefix, strict=True)
            ]
            terms.append(" and ".join([*equal, f"{alias}{quoted(last.name)} in ({','.join(literals)})"]))
        return terms[0] if len(terms) == 1 else f"({' or '.join(f'({term})' for term in terms)})"


class Deleter:
    """Deletes rows of one table; used in a ``with`` block. ``wait`` sleeps, and says True if it is asked to stop."""

    def __init__(
        self,
        source: str,
        server: MySQL,
        shape: Shape,
        stays: Stays,
        wait: Callable[[float], bool],
    ) -> None:
        self._source, self._server, self._shape, self._wait = source, server, shape, wait
        self._label = f"{source}.{shape.name}"
        table = quoted(shape.name)
        keys = ", ".join(one.canonical for one in shape.primary_key)
        known = stays.horizon.sql if stays.horizon else "true"
        self._look = f"select {keys}, {rows.hash_sql(shape.columns)}, {known}, {stays.held or 'false'} "
        # Else MySQL reads the whole table where the batch is a large part of it, and waits for the locks of others.
        self._look += f"from {table} force index (primary) where "
        self._delete = f"delete from {table} where "
        self._keys = ", ".join(
            one.canonical.replace(quoted(one.name), f"p.{quoted(one.name)}") for one in shape.primary_key
        )
        self._stack = ExitStack()
        self._connection: Connection | None = None
        self._unsure = False  # a connection was lost since ``delete`` was called

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    @property
    def connection(self) -> Connection:
        """The connection, outside of a transaction; made if there is none."""
        if self._connection is None:
            connection = self._stack.enter_context(connected(self._source, self._server))
            with connection.cursor() as cursor:
                for statement in _SESSION:
                    cursor.execute(statement)
                # Else a child of somebody who writes without them would go with its parent, without a copy.
                if any(child.rule.upper() not in ("RESTRICT", "NO ACTION") for child in self._shape.children):
                    cursor.execute("set session foreign_key_checks = 0")
                cursor.execute("show variables where variable_name in %s", (tuple(_KEYS),))
                for name, _ in cursor.fetchall():
                    cursor.execute(f"set session {name} = {_KEYS[name]}")
            self._connection = connection
        return self._connection

    def delete(self, copies: Copies, positions: Sequence[int]) -> Outcome:
        """Delete what is equal to its copy.

        Raises:
            ArchiveError: MySQL deleted other rows than those that were proven; it was taken back.
            SourceError: MySQL cannot be reached or refuses.
        """
        self._unsure = False
        outcome = self._patiently(copies, positions)
        outcome.unsure = self._unsure
        return outcome

    def absent(self, copies: Copies, positions: Sequence[int]) -> list[int]:
        """Those whose key MySQL does not have; nothing is locked or deleted.

        Raises:
            SourceError: MySQL cannot be reached or refuses.
        """
        keys = ", ".join(one.canonical for one in copies.columns)
        found: set[tuple[Any, ...]] = set()
        with connected(self._source, self._server) as connection, connection.cursor() as cursor:
            for first in range(0, len(positions), _ASKED):
                condition = copies.condition(positions[first : first + _ASKED])
                cursor.execute(f"select {keys} from {quoted(self._shape.name)} where {condition}")
                found.update(cursor.fetchall())
        return [position for position in positions if copies.keys[position] not in found]

    def _patiently(self, copies: Copies, positions: Sequence[int]) -> Outcome:
        with suppress(_BusyError):
            return retry(lambda: self._try(copies, positions), LOCKED, _BusyError, self._wait)
        outcome = Outcome()
        for piece in _pieces(positions):
            try:
                outcome.add(self._try(copies, piece))
            except _BusyError:
                outcome.leave("busy", piece)
        return outcome

    def _try(self, copies: Copies, positions: Sequence[int]) -> Outcome:
        """Raises _BusyError: another transaction was in the way; one that was lost before may have deleted."""
        backoff = Backoff(RECONNECT, wait=self._wait)
        while True:
            try:
                return self._transaction(self.connection, copies, positions)
            except pymysql.err.MySQLError as error:
                number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
                if number in _AGAIN:
                    self._roll_back()
                    raise _BusyError(f"{self._label}: {reason(number)}") from None
                if number not in LOST and not isinstance(error, pymysql.err.InterfaceError):
                    self._roll_back()
                    raise SourceError(
                        f"{self._label}: MySQL at {self._server.where}: {reason(number)} ({type(error).__name__} "
                        f"{number}). The transaction was taken back; what was deleted before was proven. Run again."
                    ) from None
            except ConnectionLost:
                pass
            self._forget()
            self._unsure = True
            backoff.pause(
                ConnectionLost(
                    f"{self._label}: the connection to MySQL at {self._server.where} was lost. What was deleted was "
                    "proven; the next run finds out what became of the last transaction. Run again."
                )
            )

    def _roll_back(self) -> None:
        try:
            if self._connection:
                self._connection.rollback()
        except pymysql.err.MySQLError:
            self._forget()

    def _forget(self) -> None:
        self._connection = None
        try:
            self._stack.close()
        except (pymysql.err.MySQLError, SourceError):  # it is lost already
            self._stack = ExitStack()

    def _transaction(self, connection: Connection, copies: Copies, positions: Sequence[int]) -> Outcome:
        began = time.monotonic()
        with _open(connection) as cursor:
            outcome = self._compare(cursor, copies, positions)
            proven = outcome.deleted
            if proven:
                if what := what_changed(connection, self._shape):
                    raise ArchiveError(
                        f"{self._label}: {what} changed since this run began. It was rolled back; what was deleted "
                        "before was proven. Look at it, and run again: el-archive plan says what holds now."
                    )
                # Only a LIMIT keeps a DELETE to its keys: it knows no FORCE INDEX. One more, so that a mistake shows.
                limit = len(proven) + 1
                deleted = cursor.execute(f"{self._delete}{copies.condition(proven)} limit {limit}")
                if deleted != len(proven):
                    raise ArchiveError(
                        f"{self._label}: MySQL deleted {deleted:,} rows where {len(proven):,} were proven. The "
                        "transaction was rolled back: nothing of it is deleted. Do not archive this table; please "
                        "report it as a mistake in el, with the table's definition."
                    )
        outcome.seconds = time.monotonic() - began
        return outcome

    def _compare(self, cursor: Cursor, copies: Copies, positions: Sequence[int]) -> Outcome:
        """Lock the rows and see what may be done with each; those to be deleted are ``deleted``."""
        outcome = Outcome()
        cursor.execute(f"{self._look}{copies.condition(positions)} for update")
        live = {row[:-3]: row[-3:] for row in cursor.fetchall()}
        newest = self._newest(cursor)
        for position in positions:
            found = live.pop(copies.keys[position], None)
            if found is None:
                outcome.gone.append(position)
            elif found[0] is None or bytes.fromhex(found[0]) != copies.hashes[position]:
                outcome.leave("changed", [position])
            elif found[2]:
                outcome.leave("hold", [position])
            elif not found[1]:
                outcome.leave("horizon", [position])
            elif copies.numbers and copies.numbers[position] == newest:
                outcome.leave("newest", [position])
            else:
                outcome.deleted.append(position)
        if live:  # a key that MySQL calls equal to ours and whose bytes differ, such as 'A' for 'a', is a changed row
            changed = [position for position in outcome.gone if self._is_there(cursor, copies, position)]
            outcome.gone = [position for position in outcome.gone if position not in changed]
            outcome.leave("changed", changed)
        for child in self._shape.children:
            parents = self._parents(cursor, child, copies, outcome.deleted)
            outcome.leave("child", [one for one in outcome.deleted if copies.keys[one] in parents])
            outcome.deleted = [one for one in outcome.deleted if copies.keys[one] not in parents]
        return outcome

    def _newest(self, cursor: Cursor) -> bytes | None:
        """The largest AUTO_INCREMENT. Without its row a server before MySQL 8 gives the number out again."""
        if self._shape.auto_increment is None:
            return None
        cursor.execute(f"select max({quoted(self._shape.auto_increment)}) from {quoted(self._shape.name)}")
        (found,) = cursor.fetchone() or (None,)
        return None if found is None else str(found).encode()

    def _is_there(self, cursor: Cursor, copies: Copies, position: int) -> bool:
        return bool(
            cursor.execute(f"select 1 from {quoted(self._shape.name)} where {copies.condition([position])} for update")
        )

    def _parents(self, cursor: Cursor, child: Child, copies: Copies, positions: Sequence[int]) -> set[tuple[Any, ...]]:
        """The keys among them that a row of another table hangs on."""
        if not positions:
            return set()
        hangs = " and ".join(
            f"c.{quoted(mine)} = p.{quoted(theirs)}"
            for mine, theirs in zip(child.columns, child.parent_columns, strict=True)
        )
        cursor.execute(
            f"select {self._keys} from {quoted(self._shape.name)} p force index (primary) straight_join "
            f"{quoted(child.database)}.{quoted(child.table)} c on {hangs} "
            f"where {copies.condition(positions, 'p.')} lock in share mode"
        )
        return set(cursor.fetchall())


@contextmanager
def _open(connection: Connection) -> Iterator[Cursor]:
    """A transaction: committed at the end, taken back after an error."""
    connection.begin()
    try:
        with connection.cursor() as cursor:
            yield cursor
        connection.commit()
    except ArchiveError:
        connection.rollback()
        raise


def _pieces(positions: Sequence[int]) -> Iterator[Sequence[int]]:
    size = max(1, len(positions) // 10)
    for first in range(0, len(positions), size):
        yield positions[first : first + size]

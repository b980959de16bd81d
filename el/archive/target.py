"""A table in MySQL that rows come back into: made if it is not there, and every row compared with its copy.

In: rows of archive objects, with the columns they had. Out: what became of each: restored, already there, in the way.

The table may have changed since: a column that was added gets its default; one that was dropped is left out, and said;
one of another type is compared by value instead of by bytes. The session is not strict, because strict MySQL refuses
what it once stored (zero dates, a text for no label of an ENUM). So nothing rests on warnings: each row is read again
in its own transaction, and one that is not its copy undoes the transaction.

A live row that differs from its copy is the newer one and stays, unless the user says ``--overwrite``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pymysql
from pymysql.converters import escape_bytes

from el.archive import rows
from el.archive.contents import key_text, key_texts
from el.archive.objects import Manifest
from el.archive.rows import Column
from el.archive.table import Shape, read_shape
from el.errors import ArchiveError, UsageError
from el.mysql import connection as mysql
from el.mysql.connection import Connection, quoted

#: Rows of one transaction, and about how many bytes of values.
_ROWS, _BYTES = 500, 4 << 20
#: Values longer than this are written as escaped text: hex would double them, and a statement has a largest size.
_LONG = 1024
_DUPLICATE = 1062
#: Why MySQL refuses a row, where that is not what it would be of a read.
_REFUSALS = {
    1142: "the archive's user may not insert or update there",
    1452: "a row that they refer to by a foreign key is not there; restore that table first",
    3819: "a CHECK of the table does not allow them",
    4025: "a CHECK of the table does not allow them",
}
_NAME = "`(?:[^`]|``)*`"
_SESSION = (
    # Zero is a value of an AUTO_INCREMENT column too, and 30 February one of a DATE.
    # MariaDB may hold rows that a CHECK refuses now.
    "set session sql_mode = 'NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES' "
    "/*M!100600 , check_constraint_checks = 0 */",
    "set session transaction isolation level read committed",
)


@dataclass
class Counts:
    """What became of rows. ``differing`` and ``clashing`` ones were left as they are in MySQL.

    ``clashing`` rows cannot be restored because another row has their value of a unique key.
    """

    restored: int = 0
    same: int = 0
    overwritten: int = 0
    differing: int = 0
    clashing: int = 0
    notes: set[str] = field(default_factory=set)


def create(connection: Connection, database: str, table: str, manifest: Manifest) -> bool:
    """Make the table as it was when the rows were archived, unless it is there. True if it was made.

    Raises:
        UsageError: there is no such database, or the user may not make tables in it.
    """
    there = mysql.rows(
        connection,
        "select 1 from information_schema.tables where table_schema = %s and table_name = %s",
        (database, table),
    )
    if there:
        return False
    try:
        _run(connection, f"use {quoted(database)}")
        _run(connection, "set session sql_mode = ''")  # a default may be a zero date
        _run(connection, without_foreign_keys(manifest.create_table, table))
    except pymysql.err.MySQLError as error:
        raise UsageError(
            f"{database}.{table} is not there and cannot be made: {mysql.reason(error.args[0])}. Nothing was restored. "
            "Make it, or restore into a database in which the archive's user may create tables, such as "
            f"{manifest.source}_restore.{table}"
        ) from None
    return True


def make_database(connection: Connection, database: str) -> None:
    """Make a scratch database, unless it is there.

    Raises:
        UsageError: the user may not.
    """
    try:
        _run(connection, f"create database if not exists {quoted(database)}")
    except pymysql.err.MySQLError as error:
        raise UsageError(
            f"the scratch database {database} cannot be made: {mysql.reason(error.args[0])}. Nothing was restored. "
            f"Allow it: grant create, drop on `{database}`.* to the archive's user"
        ) from None


def drop(connection: Connection, database: str, table: str) -> None:
    """Drop a table that was made here, if it is there."""
    _run(connection, f"drop table if exists {quoted(database)}.{quoted(table)}")


def without_foreign_keys(create_table: str, table: str) -> str:
    """CREATE TABLE under another name and without foreign keys: the rows that they name may not be there.

    CHECKs lose their names, which in MySQL one table of a database alone may have. Both servers print each part on a
    line of its own, and escape line ends in texts but not in names.
    """
    text = re.sub(rf"\ACREATE TABLE {_NAME} \(", lambda _: f"CREATE TABLE {quoted(table)} (", create_table)
    text = re.sub(rf",\n  CONSTRAINT {_NAME} FOREIGN KEY (?:{_NAME}|[^`\n])*?(?=,?\n)", "", text)
    return re.sub(rf"(?<=\n  )CONSTRAINT {_NAME} (?=CHECK )", "", text)


class Target:
    """One table to restore into. Needs a connection of its own, whose session it changes."""

    def __init__(self, connection: Connection, database: str, table: str, overwrite: bool) -> None:
        """Raises ArchiveError if there is no such table, or it has no primary key."""
        self._connection, self._overwrite = connection, overwrite
        self.label = f"{database}.{table}"
        _run(connection, f"use {quoted(database)}")
        for statement in _SESSION:
            _run(connection, statement)
        self._shape = read_shape(connection, table)
        self._name = quoted(table)
        self.counts = Counts()
        if not self._shape.primary_key:
            raise ArchiveError(f"{self.label} has no primary key: rows cannot be recognised. Nothing was restored.")

    def put(self, manifest: Manifest, table: pa.Table, chosen: Sequence[int]) -> None:
        """Bring back the rows at these positions of an object.

        Raises:
            ArchiveError: a row would not be its copy, or MySQL refuses one; the transaction at work was undone.
            SourceError: the connection is lost.
        """
        plan = _Plan(manifest, self._shape, self.counts.notes, self.label)
        for positions in _portions(table, chosen):
            batch = Batch(manifest.archived, table.take(pa.array(positions, pa.int64())))
            try:
                self._one(plan, batch)
            except pymysql.err.MySQLError as error:
                _run(self._connection, "rollback")
                if error.args[0] in mysql.LOST:
                    raise
                raise ArchiveError(
                    f"{self.label}: MySQL refuses rows of {manifest.object}: {_why(error)}. Nothing "
                    f"of the last {batch.count:,} rows was restored, what came before them stays. Mend the table, then "
                    "run again: rows that are there already are left as they are."
                ) from None
            except ArchiveError:
                _run(self._connection, "rollback")
                raise

    def _one(self, plan: _Plan, batch: Batch) -> None:
        """One transaction."""
        _run(self._connection, "begin")
        keys = key_texts(plan.key, batch.table)
        hashes = rows.hashes(plan.alike, batch.table.select([one.name for one in plan.alike])) if plan.alike else []
        expected = [one.hex() for one in hashes] or [""] * batch.count
        live = self._live(plan, batch, lock=True)
        changed: list[int] = []
        inserted: list[int] = []
        for number, key in enumerate(keys):
            if key not in live:
                inserted.append(number)
            elif live[key] == expected[number] and self._same_values(plan, batch, number):
                self.counts.same += 1
            elif self._overwrite:
                changed.append(number)
            else:
                self.counts.differing += 1
        clashing = self._insert(plan, batch, inserted)
        inserted = [number for number in inserted if number not in clashing]
        for number in changed:
            self._update(plan, batch, number)
        self._compare(plan, batch, [*inserted, *changed], keys, expected)
        _run(self._connection, "commit")
        self.counts.restored += len(inserted)
        self.counts.overwritten += len(changed)
        self.counts.clashing += len(clashing)

    def _live(self, plan: _Plan, batch: Batch, lock: bool) -> dict[bytes, str | None]:
        """Hash by key of the rows that are in MySQL with the keys of the batch."""
        columns = ", ".join(one.canonical for one in plan.key)
        hashed = rows.hash_sql(plan.alike) if plan.alike else "''"
        found = mysql.rows(
            self._connection,
            # Else MySQL reads, and locks, the whole table where the batch is a large part of it.
            f"select {columns}, {hashed} from {self._name} force index (primary) where {plan.any_of(batch)}"
            + (" for update" if lock else ""),
        )
        return {key_text([_bytes(part) for part in row[:-1]]): _text(row[-1]) for row in found}

    def _insert(self, plan: _Plan, batch: Batch, numbers: Sequence[int]) -> set[int]:
        """Insert rows; those that clash with another row's unique key."""
        if not numbers:
            return set()
        names = ", ".join(quoted(one.name) for one in plan.written)
        head = f"insert into {self._name} ({names}) values "
        _run(self._connection, "savepoint el")
        try:
            _run(self._connection, head + ", ".join(plan.values(batch, number) for number in numbers))
        except pymysql.err.IntegrityError as error:
            if error.args[0] != _DUPLICATE:
                raise
            _run(self._connection, "rollback to savepoint el")
            if len(numbers) == 1:
                return {numbers[0]}
            middle = len(numbers) // 2
            return self._insert(plan, batch, numbers[:middle]) | self._insert(plan, batch, numbers[middle:])
        return set()

    def _update(self, plan: _Plan, batch: Batch, number: int) -> None:
        values = ", ".join(f"{quoted(one.name)} = {literal(one, batch.value(one, number))}" for one in plan.written)
        _run(self._connection, f"update {self._name} set {values} where {plan.condition(batch, number)}")

    def _compare(
        self, plan: _Plan, batch: Batch, numbers: Sequence[int], keys: list[bytes], expected: list[str]
    ) -> None:
        """Read what was written again."""
        if not numbers:
            return
        live = self._live(plan, batch, lock=False)
        wrong = [
            number
            for number in numbers
            if live.get(keys[number]) != expected[number] or not self._same_values(plan, batch, number)
        ]
        if wrong:
            raise ArchiveError(
                f"{self.label}: {len(wrong):,} of {len(numbers):,} rows would not be what was archived: "
                f"{', '.join(self._differences(plan, batch, wrong[0])) or 'the row is not there'}. These rows were not "
                "restored, what came before them stays. A trigger or another type of the column is the usual reason: "
                f"restore into a new table, such as {plan.manifest.source}_restore.{plan.manifest.table}"
            )

    def _same_values(self, plan: _Plan, batch: Batch, number: int) -> bool:
        """Whether the columns that have another type now hold the value that was archived."""
        if not plan.altered:
            return True
        tests = " and ".join(self._equal(one, batch.value(one, number)) for one in plan.altered)
        found = mysql.rows(self._connection, f"select {tests} from {self._name} where {plan.condition(batch, number)}")
        return bool(found) and _text(found[0][0]) == "1"

    def _equal(self, column: Column, value: bytes | None) -> str:
        live = self._shape.column(column.name)
        assert live
        told = literal(column, value)
        if live.data_type == "json" and value is not None:
            # By its value, or by its text where it is the row that was archived as text.
            name = quoted(live.name)
            as_text = f"cast(cast({name} as char) as binary) = cast({told} as binary)"
            return f"ifnull({name} = cast({told} as json) or {as_text}, false)"
        if live.charset and value is not None:  # a collation calls texts equal that are not
            return f"cast({quoted(live.name)} as binary) <=> cast(convert({told} using {live.charset}) as binary)"
        return f"{quoted(live.name)} <=> {told}"

    def _differences(self, plan: _Plan, batch: Batch, number: int) -> list[str]:
        """Names of the columns in which a row differs from its copy."""
        parts = [
            f"{one.canonical} <=> {_literal_bytes(batch.value(one, number))}"
            + (f" and ({quoted(one.name)} is null or {one.faithful})" if one.faithful else "")
            for one in plan.alike
        ]
        parts += [self._equal(one, batch.value(one, number)) for one in plan.altered]
        found = mysql.rows(
            self._connection,
            f"select {', '.join(parts)} from {self._name} where {plan.condition(batch, number)}",
        )
        columns = [*plan.alike, *plan.altered]
        return [
            f"column {one.name}" for row in found for one, same in zip(columns, row, strict=True) if _text(same) != "1"
        ]


class _Plan:
    """How rows of one object fit into the table as it is now.

    ``written`` are inserted; ``alike`` have the same type and are compared by hash; ``altered``, and JSON that was
    archived as text, are compared by value.
    """

    def __init__(self, manifest: Manifest, shape: Shape, notes: set[str], label: str) -> None:
        self.manifest = manifest
        archived = manifest.archived
        live = {one.name: shape.column(one.name) for one in archived}
        dropped = [one.name for one in archived if live[one.name] is None and not one.generated]
        if dropped:
            notes.add(f"{label} has no column {', '.join(dropped)} now: its values stay in the archive alone")
        kept = [one for one in archived if live[one.name] is not None]
        self.written = [one for one in kept if not _made(live[one.name])]
        same = [one for one in kept if _form(one) == _form(live[one.name])]
        # What was archived as text may print otherwise once it is JSON again: 1.10 becomes 1.1.
        self.alike = [one for one in same if not one.json_as_text]
        self.altered = [one for one in self.written if one not in self.alike]
        for one in self.altered:
            now = live[one.name]
            if one in same:
                continue
            notes.add(f"{label}: {one.name} was {one.mysql_type} and is {now.mysql_type if now else ''} now")
        by_name = {one.name: one for one in archived}
        if [name.lower() for name in manifest.primary_key] != [one.name.lower() for one in shape.primary_key]:
            raise ArchiveError(
                f"{label} has another primary key than the rows had when they were archived "
                f"({', '.join(manifest.primary_key)}). Nothing was restored. Restore into a new table."
            )
        self.key = [by_name[name] for name in manifest.primary_key]

    def condition(self, batch: Batch, number: int) -> str:
        """SQL that finds the row by its key."""
        parts = [f"{quoted(one.name)} = {literal(one, batch.value(one, number))}" for one in self.key]
        return f"({' and '.join(parts)})"

    def any_of(self, batch: Batch) -> str:
        """SQL that finds all rows of a batch."""
        if len(self.key) > 1:
            return " or ".join(self.condition(batch, number) for number in range(batch.count))
        (one,) = self.key
        return f"{quoted(one.name)} in ({', '.join(literal(one, batch.value(one, n)) for n in range(batch.count))})"

    def values(self, batch: Batch, number: int) -> str:
        """The row in an INSERT."""
        return f"({', '.join(literal(one, batch.value(one, number)) for one in self.written)})"


class Batch:
    """Some rows of an object, with the canonical bytes of their values."""

    def __init__(self, columns: Sequence[Column], table: pa.Table) -> None:
        self.table, self.count = table, len(table)
        self._values = {one.name: rows.to_canonical(one, table.column(one.name)).to_pylist() for one in columns}

    def value(self, column: Column, number: int) -> bytes | None:
        """The canonical bytes of one value."""
        return self._values[column.name][number]  # type: ignore[no-any-return]


def literal(column: Column, value: bytes | None) -> str:
    """SQL of a value as it was: its bytes in the column's own character set."""
    if value is None:
        return "null"
    if column.data_type == "json":  # MySQL's own type takes no binary text
        return "_utf8mb4 " + _literal_bytes(value)
    if column.part in ("length", "digest") and len(value) > _LONG:
        return (f"_{column.charset} " if column.charset else "_binary ") + _escaped(value)
    return rows.literal(column, value)


def _literal_bytes(value: bytes | None) -> str:
    if value is None:
        return "null"
    return f"x'{value.hex()}'" if len(value) <= _LONG else _escaped(value)


def _escaped(value: bytes) -> str:
    return escape_bytes(value).removeprefix("_binary")


def _made(column: Column | None) -> bool:
    return column is not None and column.generated


def _form(column: Column | None) -> tuple[Any, ...] | None:
    """What makes the bytes of a value: columns of one form are compared by them."""
    return (
        None if column is None else (column.mysql_type, column.charset, column.canonical, column.part, column.generated)
    )


def _portions(table: pa.Table, chosen: Sequence[int]) -> Iterator[list[int]]:
    """Positions in portions of one transaction each, by the average size of a row."""
    many = max(1, min(_ROWS, _BYTES * max(len(table), 1) // max(table.nbytes, 1)))
    for first in range(0, len(chosen), many):
        yield list(chosen[first : first + many])


def _why(error: pymysql.err.MySQLError) -> str:
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    return _REFUSALS.get(number) or mysql.reason(number)


def _run(connection: Connection, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _text(value: Any) -> str | None:
    return value.decode() if isinstance(value, bytes) else None if value is None else str(value)

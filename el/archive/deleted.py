"""The keys of the rows that were deleted, as Redshift has them: what load needs to tell which rows are archived.

In: the proven rows of a chunk as they lie on S3, and the records of the journal that say which of them were deleted.
Out: a table with a row per deleted row: the key's columns under their raw names and in the types of the raw table, when
it was deleted (UTC), by which run, chunk and record. The same again from the same object and journal, so a run that
was killed before it wrote ``done`` goes on here as everywhere.

Why MySQL is asked for text in another character set than UTF-8: it alone knows what its bytes mean there; Python's
codecs of the same names differ in some characters. A literal is converted, and no table is read.

A key that Redshift cannot hold (a date that does not exist, a NUL, broken UTF-8) is left out: extract refuses it too,
so no raw table has that row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from el.archive import journal, objects, rows
from el.archive.journal import ChunkState, Deletion
from el.archive.rows import Column
from el.archive.store import TableArchive
from el.archived import ADDED, TAKEN
from el.config import raw_name
from el.errors import ArchiveError
from el.landing import MAX_VARCHAR
from el.mysql import types
from el.mysql.connection import Connection
from el.mysql.connection import rows as ask
from el.mysql.types import CatalogColumn
from el.mysql.values import dates

#: Literals that one statement converts.
_AT_ONCE = 500
#: Texts of values of a column; None for bytes that mean nothing in its character set.
Texts = Callable[[Column, Sequence[bytes]], list[str | None]]


@dataclass(frozen=True)
class Key:
    """The columns of a chunk's primary key, and the columns of its table that Redshift must not see."""

    columns: Sequence[Column]
    hidden: Sequence[str]


def tell(
    archive: TableArchive,
    state: ChunkState,
    key: Key,
    proven: pa.Table | None,
    connect: Callable[[], AbstractContextManager[Connection]],
) -> dict[str, Any]:
    """Write the keys of what was deleted of a chunk; what its record ``done`` says of them.

    ``proven`` are the chunk's rows; None where nothing was deleted. ``connect`` makes a connection to MySQL, which is
    asked for texts of old character sets.

    Raises:
        ArchiveError: another object lies there.
        SourceError, LandingError: MySQL or S3 cannot be reached or refuses.
    """
    many = sum(journal.count(one.positions) for one in state.deletions)
    if not many:
        return {"deleted": 0, "keys": None, "untold": None}
    columns_of_key = key.columns
    if why := _why_untold(columns_of_key, key.hidden):
        return {"deleted": many, "keys": None, "untold": why}
    assert proven is not None
    with ExitStack() as stack:
        needed = any(one.kind == "bytes" and one.charset is not None for one in columns_of_key)
        connection = stack.enter_context(connect()) if needed else None
        try:
            found = table(
                columns_of_key, proven, state.deletions, lambda column, values: _texts(connection, column, values)
            )
        except ArchiveError as error:  # it must not keep the rest of the table from being archived
            return {"deleted": many, "keys": None, "untold": str(error)}
    body, name = objects.to_parquet(found), archive.keys_key(state.chunk)
    try:
        stored = archive.put(name, body)
    except ArchiveError:
        # A run that was killed wrote it, perhaps with another version of Arrow, whose files have other bytes.
        there = archive.find(name)
        if there is None or not objects.table_of(archive.get(name, there.version)).equals(found):
            raise
        stored = there
    return {
        "deleted": many,
        "keys": {"object": asdict(stored), "rows": len(found), "columns": columns(columns_of_key)},
        "untold": "their keys hold what Redshift cannot" if len(found) < many else None,
    }


def _why_untold(key: Sequence[Column], hidden: Sequence[str]) -> str | None:
    names = [raw_name(one.name) for one in key]
    if secret := [one.name for one in key if one.name in hidden]:
        return f"{', '.join(secret)} is kept from Redshift by exclude or hash"
    if len(set(names)) < len(names) or set(names) & TAKEN:
        return f"{', '.join(names)} cannot be names of columns beside {', '.join(sorted(TAKEN))}"
    return None


def columns(key: Sequence[Column]) -> list[tuple[str, str]]:
    """Raw name and Redshift type of each column of a key; text of any length, as its length is not known here."""
    return [
        (raw_name(one.name), f"varchar({MAX_VARCHAR})" if pa.types.is_string(made.arrow) else made.redshift)
        for one, made in ((one, _raw(one)) for one in key)
    ]


def table(key: Sequence[Column], proven: pa.Table, deletions: Sequence[Deletion], texts: Texts) -> pa.Table:
    """The keys of what was deleted, in the order of the journal.

    Raises:
        ArchiveError: a key is not what its column's type prints.
        SourceError: MySQL cannot be asked.
    """
    positions = [position for one in deletions for position in journal.positions(one.positions)]
    taken = proven.select([one.name for one in key]).take(pa.array(positions, pa.int64()))
    arrays = []
    for one in key:
        try:
            arrays.append(_converted(one, taken.column(one.name).combine_chunks(), texts))
        except (pa.ArrowException, ValueError, IndexError):  # its message would quote the value
            raise ArchiveError(
                f"column {one.name} ({one.mysql_type}) of the primary key holds a value that is none of its type"
            ) from None
    many = [journal.count(one.positions) for one in deletions]
    moments = [datetime.fromisoformat(one.at).replace(tzinfo=None) for one in deletions]
    added = [
        _repeated([pa.scalar(moment, pa.timestamp("us")) for moment in moments], many),
        _repeated([one.run for one in deletions], many),
        _repeated([one.chunk for one in deletions], many),
        _repeated([pa.scalar(one.seq, pa.int64()) for one in deletions], many),
    ]
    made = pa.table([*arrays, *added], names=[*(raw_name(one.name) for one in key), *ADDED])
    for one in key:
        made = made.filter(pc.is_valid(made.column(raw_name(one.name))))
    return made.combine_chunks()


def _repeated(values: Sequence[Any], many: Sequence[int]) -> pa.Array:
    """What each record says, once for each of its rows."""
    return pa.concat_arrays([pa.repeat(value, times) for value, times in zip(values, many, strict=True)])


def _texts(connection: Connection | None, column: Column, values: Sequence[bytes]) -> list[str | None]:
    """Texts as MySQL makes them; None for bytes that mean nothing in the column's character set."""
    assert connection
    made: list[str | None] = []
    for first in range(0, len(values), _AT_ONCE):
        literals = [f"convert({rows.literal(column, one)} using utf8mb4)" for one in values[first : first + _AT_ONCE]]
        made += ask(connection, f"select {', '.join(literals)}")[0]
    return made


def _raw(column: Column) -> types.Column:
    source = CatalogColumn(
        column.name, column.data_type, column.mysql_type, column.nullable, None, column.precision, column.scale, ""
    )
    made = types.column(source, raw_name(column.name))
    assert made, "whatever the archive carries, Redshift has a type for"
    return made


def _converted(column: Column, values: pa.Array, texts: Texts) -> pa.Array:
    """Values of the archive as those of the raw table; NULL for what Redshift cannot hold."""
    arrow = _raw(column).arrow
    match column.kind:
        case "number" if column.data_type in ("enum", "set"):
            return pa.array([_label(column, int(value)) for value in values.to_pylist()], arrow)
        case "text" if pa.types.is_string(arrow):
            return _held(values.cast(pa.binary()).to_pylist())
        case "text":
            return dates(values, arrow)
        case "bytes" if column.charset is not None:
            return _held([None if text is None else text.encode() for text in texts(column, values.to_pylist())])
    return values.cast(arrow)


def _held(values: Sequence[bytes | None]) -> pa.Array:
    made: list[str | None] = []
    for value in values:
        try:
            made.append(None if value is None or b"\0" in value else value.decode())
        except UnicodeDecodeError:
            made.append(None)
    return pa.array(made, pa.string())


def _label(column: Column, number: int) -> str:
    """What MySQL prints for the number of an ENUM or SET, which the archive has where '' is one of the labels."""
    labels = [label.replace("''", "'") for label in re.findall(r"'((?:[^']|'')*)'", column.mysql_type)]
    if column.data_type == "enum":
        return labels[number - 1] if number else ""
    return ",".join(label for place, label in enumerate(labels) if number >> place & 1)

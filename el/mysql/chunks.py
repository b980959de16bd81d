"""A table in ranges of its primary key, each read by one query.

In: a table's shape. Out: ``Chunk`` after ``Chunk``, SQL conditions that follow each other without a gap and without
an overlap. MySQL itself finds each boundary (the key so many rows further on), so that work is equal whatever the
gaps, nothing is counted, and text is ordered and compared by the one collation that is right.

Why not arithmetic on MIN and MAX: it needs integers, and gaps make some chunks empty and others huge.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from el.errors import SourceError
from el.mysql.catalog import TableShape
from el.mysql.connection import Connection, quoted, rows
from el.mysql.types import UTF8, Column

#: connectorx has no backpressure: the chunk is what bounds memory, where it lies several times (in the archive as read,
#: as Parquet and as read back).
CHUNK_BYTES = 24 * 2**20
MAX_CHUNK_ROWS = 100_000
_MIN_CHUNK_ROWS = 100
#: Of a first chunk: nothing was seen yet, and InnoDB's average row may be a day old or of a table that was empty.
_FIRST_CHUNK_ROWS = 1000
#: So many times the rows of a chunk that was read may be in a later one.
_GROWTH = 4
#: Bytes that a row may have in its text and binary columns before the length of each chunk is asked for.
_LONG_ROW = 4096

#: A primary key as JSON can keep it, one entry per column: {"number": "12"}, {"text": "…"} or {"bytes": hex}. Text that
#: is no UTF-8 in MySQL is the bytes that it has there.
Key = list[dict[str, str]]


@dataclass(frozen=True)
class Chunk:
    """Rows to be read by one query. ``last`` is the key they go up to; None in the last chunk of a pass."""

    condition: str
    last: Key | None


class ChunkSize:
    """How many ``rows`` the next chunk may have: few at first, then by those that were read, without a leap."""

    def __init__(self, most_rows: int, most_bytes: int, fewest: int = 1) -> None:
        self._most_rows, self._most_bytes, self._fewest = most_rows, most_bytes, fewest
        self.rows = max(fewest, min(most_rows, _FIRST_CHUNK_ROWS))

    def was_read(self, rows: int, size: int) -> None:
        """A chunk had so many rows, and bytes in memory."""
        if rows:
            fitting = self._most_bytes * rows // max(size, 1)
            self.rows = max(self._fewest, min(self._most_rows, fitting, _GROWTH * rows))


class Chunks:
    """The chunks of one pass, from behind ``after`` to the end; each is found when it is asked for.

    ``most_rows``: a chunk has no more, where reading is held back to a rate.
    """

    def __init__(self, shape: TableShape, condition: str, after: Key | None, most_rows: int | None = None) -> None:
        self._shape, self._condition, self._after = shape, condition, after
        self._size = ChunkSize(min(MAX_CHUNK_ROWS, most_rows or MAX_CHUNK_ROWS), CHUNK_BYTES, _MIN_CHUNK_ROWS)
        self._length = _length(shape)
        self._found: Chunk | None = None
        self.ended = False

    def find(self, connection: Connection) -> Chunk:
        """The chunk that ``next`` will give; asks MySQL where it ends. So it is known before its turn has come.

        An error leaves everything as it was: ask again.
        """
        if self._found is None:
            size = self._size.rows
            while True:
                last = boundary(connection, self._shape, self._condition, self._after, size)
                limits = f"{behind(self._shape, self._after)} and {up_to(self._shape, last)}"
                chunk = Chunk(f"{self._condition} and {limits}", last)
                fitting = self._fitting(connection, chunk)
                if fitting is None:
                    break
                size = min(fitting, size - 1)
            self._found = chunk
        return self._found

    def _fitting(self, connection: Connection, chunk: Chunk) -> int | None:
        """How many rows of a chunk fit into memory, if it has more than those; asked where a row may be long.

        What was seen says nothing of the rows that follow: behind 100,000 short ones may lie as many long ones.
        """
        if self._length is None:
            return None
        ((length, count),) = rows(
            connection,
            f"select coalesce(sum({self._length}), 0), count(*) from {quoted(self._shape.name)} "
            f"where {chunk.condition}",
        )
        if count <= 1 or length <= 2 * CHUNK_BYTES:
            return None
        return max(1, CHUNK_BYTES * int(count) // int(length))

    def next(self, connection: Connection) -> Chunk:
        """The next chunk. An error leaves everything as it was: ask again."""
        chunk = self.find(connection)
        self._found, self._after, self.ended = None, chunk.last, chunk.last is None
        return chunk

    def was_read(self, rows: int, size: int) -> None:
        """How many bytes a chunk had in memory: the next ones have fewer rows, or more, by that."""
        self._size.was_read(rows, size)


def _length(shape: TableShape) -> str | None:
    """SQL: the bytes of a row in text and binary columns; None where they are few in every row."""
    if sum(map(_most_bytes, shape.columns)) <= _LONG_ROW:
        return None
    terms = []
    for column in filter(_most_bytes, shape.columns):
        # The length of MySQL's JSON would be that of its text, which has to be made first.
        length = "json_storage_size" if column.mysql_type == "json" else "length"
        terms.append(f"coalesce({length}({quoted(column.name)}), 0)")
    return " + ".join(terms)


def _most_bytes(column: Column) -> int:
    if declared := re.fullmatch(r"(?:var)?(?:char|binary)\((\d+)\)", column.mysql_type):
        return int(declared[1])
    return 2**16 if re.match(r"(medium|long)?(text|blob)|json|geom|(multi)?(point|line|poly)", column.mysql_type) else 0


def boundary(connection: Connection, shape: TableShape, condition: str, after: Key | None, size: int) -> Key | None:
    """The key of the last row of the chunk that begins behind ``after``; None if no row would be left behind it."""
    selected = [_exactly(column) for column in shape.primary_key]
    found = rows(
        connection,
        f"select {', '.join(selected)} from {quoted(shape.name)} where {condition} and {behind(shape, after)} "
        f"order by {key_order(shape)} limit 2 offset {size - 1}",
    )
    if len(found) < 2:
        return None
    last = [_encode(value, column) for value, column in zip(found[0], shape.primary_key, strict=True)]
    if last == after:
        raise SourceError(
            f"table {shape.name}: its primary key cannot be read in chunks: MySQL finds a row behind itself. "
            "Nothing was committed. Please report it as a mistake in el, with the table's definition"
        )
    return last


def key_order(shape: TableShape) -> str:
    """ORDER BY the primary key: the table's columns, whatever a SELECT list calls its own."""
    table = quoted(shape.name)
    return ", ".join(c.key.replace(quoted(c.name), f"{table}.{quoted(c.name)}") for c in shape.primary_key)


def _exactly(column: Column) -> str:
    if re.match("date|timestamp", column.mysql_type):
        # As a number, which is compared in the same way: the driver has no value for a zero date, and MySQL refuses
        # its text in a condition (1525) under the sql_mode that most servers have.
        return f"{column.key}+0"
    if column.mysql_type.startswith("time"):
        return f"cast({column.key} as char)"  # of the driver a negative one would be "-1 day, …"
    if column.mysql_type.startswith("float"):
        return f"{column.key}+0e0"  # printed with six digits it could lie before its own row, and no chunk would end
    if column.ordered_as_text:
        return f"cast({column.key} as binary)"  # not every character of every charset is one of Unicode
    return column.key


def behind(shape: TableShape, after: Key | None) -> str:
    """SQL: the key comes behind ``after``; everything if that is None."""
    return "true" if after is None else _compare(shape, after, ">", ">")


def up_to(shape: TableShape, last: Key | None) -> str:
    """SQL: the key is ``last`` or comes before it; everything if that is None."""
    return "true" if last is None else _compare(shape, last, "<", "<=")


def _compare(shape: TableShape, key: Key, strict: str, final: str) -> str:
    # Spelled out: MySQL reads no range from (a, b) > (1, 2). The first condition gives it one.
    literals = [_literal(part, column) for part, column in zip(key, shape.primary_key, strict=True)]
    columns = [column.key for column in shape.primary_key]
    terms = []
    for number, column in enumerate(columns):
        equal = [f"{c} = {value}" for c, value in zip(columns[:number], literals[:number], strict=True)]
        operator = final if number == len(columns) - 1 else strict
        terms.append(" and ".join([*equal, f"{column} {operator} {literals[number]}"]))
    if len(terms) == 1:
        return terms[0]
    return f"({columns[0]} {strict}= {literals[0]} and ({' or '.join(f'({term})' for term in terms)}))"


def _encode(value: Any, column: Column) -> dict[str, str]:
    match value:
        case bytes() if column.ordered_as_text and column.charset in UTF8 and (text := _text(value)) is not None:
            return {"text": text}
        case bool() | int():
            return {"number": str(value)}
        case Decimal():
            return {"number": f"{value:f}"}  # str() says 1E-10
        case float():
            return {"number": repr(value)}
        case bytes():
            return {"bytes": value.hex()}
        case str():
            return {"text": value}
        case date() | timedelta():
            return {"text": str(value)}
    raise SourceError(f"a primary key of type {type(value).__name__} cannot be read in chunks")


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:  # MariaDB takes what no UTF-8 has, a half of a surrogate pair
        return None


def _literal(part: dict[str, str], column: Column) -> str:
    """SQL of one part of a key. A commit's text is never put into SQL as it is: numbers are checked, text is hex."""
    ((kind, value),) = part.items()
    if kind == "number" and re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", value):
        return value
    if kind == "bytes":
        charset = f"_{column.charset} " if column.ordered_as_text else ""
        return f"{charset}x'{bytes.fromhex(value).hex()}'"
    if kind == "text" and re.fullmatch(r"[0-9A-Za-z :.-]*", value):
        return f"'{value}'"
    if kind == "text":
        return f"_utf8mb4 x'{value.encode().hex()}'"
    raise SourceError("a commit holds a primary key that cannot be read; copy the table in full again: --full")

"""A table in ranges of its primary key, each read by one query.

In: a table's shape. Out: ``Chunk`` after ``Chunk``, SQL conditions that follow each other without a gap and without
an overlap. MySQL itself finds each boundary (the key so many rows further on), so that work is equal whatever the
gaps, nothing is counted, and text is ordered and compared by the one collation that is right.

Why not arithmetic on MIN and MAX: it needs integers, and gaps make some chunks empty and others huge.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from el.errors import SourceError
from el.mysql.catalog import TableShape
from el.mysql.connection import Connection, quoted, rows
from el.mysql.types import Column

#: connectorx has no backpressure: the chunk is what bounds memory.
_CHUNK_BYTES = 24 * 2**20
_MAX_CHUNK_ROWS = 100_000
_MIN_CHUNK_ROWS = 100

#: A primary key as JSON can keep it, one entry per column: {"number": "12"}, {"text": "…"} or {"bytes": hex}.
Key = list[dict[str, str]]


@dataclass(frozen=True)
class Chunk:
    """Rows to be read by one query. ``last`` is the key they go up to; None in the last chunk of a pass."""

    condition: str
    last: Key | None


class Chunks:
    """The chunks of one pass, from behind ``after`` to the end; each is found when it is asked for.

    ``most_rows``: a chunk has no more, where reading is held back to a rate.
    """

    def __init__(self, shape: TableShape, condition: str, after: Key | None, most_rows: int | None = None) -> None:
        self._shape, self._condition, self._after = shape, condition, after
        self._most_rows = min(_MAX_CHUNK_ROWS, most_rows or _MAX_CHUNK_ROWS)
        self._row_bytes = max(shape.average_row, 1)
        self._found: Chunk | None = None
        self.ended = False

    def find(self, connection: Connection) -> Chunk:
        """The chunk that ``next`` will give; asks MySQL where it ends. So it is known before its turn has come.

        An error leaves everything as it was: ask again.
        """
        if self._found is None:
            last = boundary(connection, self._shape, self._condition, self._after, self._rows())
            limits = f"{behind(self._shape, self._after)} and {up_to(self._shape, last)}"
            self._found = Chunk(f"{self._condition} and {limits}", last)
        return self._found

    def next(self, connection: Connection) -> Chunk:
        """The next chunk. An error leaves everything as it was: ask again."""
        chunk = self.find(connection)
        self._found, self._after, self.ended = None, chunk.last, chunk.last is None
        return chunk

    def was_read(self, rows: int, size: int) -> None:
        """How many bytes a chunk had in memory: the next ones have fewer rows, or more, by that."""
        # InnoDB's average is of the whole table and may be old: where the rows are longer, chunks must be shorter.
        if rows:
            self._row_bytes = max(self._shape.average_row, size // rows, 1)

    def _rows(self) -> int:
        return max(_MIN_CHUNK_ROWS, min(self._most_rows, _CHUNK_BYTES // self._row_bytes))


def boundary(connection: Connection, shape: TableShape, condition: str, after: Key | None, size: int) -> Key | None:
    """The key of the last row of the chunk that begins behind ``after``; None if no row would be left behind it."""
    keys = [column.key for column in shape.primary_key]
    selected = [_exactly(column) for column in shape.primary_key]
    found = rows(
        connection,
        f"select {', '.join(selected)} from {quoted(shape.name)} where {condition} and {behind(shape, after)} "
        f"order by {', '.join(keys)} limit 2 offset {size - 1}",
    )
    return [_encode(value) for value in found[0]] if len(found) == 2 else None


def _exactly(column: Column) -> str:
    if column.is_date or column.mysql_type.startswith("time"):
        return f"cast({column.key} as char)"  # the driver has no value for a zero date
    if column.mysql_type.startswith("float"):
        return f"{column.key}+0e0"  # printed with six digits it could lie before its own row, and no chunk would end
    return column.key


def behind(shape: TableShape, after: Key | None) -> str:
    """SQL: the key comes behind ``after``; everything if that is None."""
    return "true" if after is None else _compare([c.key for c in shape.primary_key], after, ">", ">")


def up_to(shape: TableShape, last: Key | None) -> str:
    """SQL: the key is ``last`` or comes before it; everything if that is None."""
    return "true" if last is None else _compare([c.key for c in shape.primary_key], last, "<", "<=")


def _compare(columns: Sequence[str], key: Key, strict: str, final: str) -> str:
    # Spelled out: MySQL reads no range from (a, b) > (1, 2). The first condition gives it one.
    literals = [_literal(part) for part in key]
    terms = []
    for number, column in enumerate(columns):
        equal = [f"{c} = {value}" for c, value in zip(columns[:number], literals[:number], strict=True)]
        operator = final if number == len(columns) - 1 else strict
        terms.append(" and ".join([*equal, f"{column} {operator} {literals[number]}"]))
    if len(terms) == 1:
        return terms[0]
    return f"({columns[0]} {strict}= {literals[0]} and ({' or '.join(f'({term})' for term in terms)}))"


def _encode(value: Any) -> dict[str, str]:
    match value:
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


def _literal(part: dict[str, str]) -> str:
    """SQL of one part of a key. A commit's text is never put into SQL as it is: numbers are checked, text is hex."""
    ((kind, value),) = part.items()
    if kind == "number" and re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", value):
        return value
    if kind == "bytes":
        return f"x'{bytes.fromhex(value).hex()}'"
    if kind == "text" and re.fullmatch(r"[0-9A-Za-z :.-]*", value):
        return f"'{value}'"
    if kind == "text":
        return f"_utf8mb4 x'{value.encode().hex()}'"
    raise SourceError("a commit holds a primary key that cannot be read; copy the table in full again: --full")

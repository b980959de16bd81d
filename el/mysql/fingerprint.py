"""Has anything changed? Answered by MySQL, without moving rows.

In: a table's shape and the window's ``lo``. Out: a number of rows and a checksum of their content. A commit keeps the
fingerprint of the rows at or beyond its next ``lo``; if it has not changed, there is nothing new, and nothing is
written. An idle table costs two queries, and the first of them stops counting one row beyond what it expects.

Why the content and not key and cursor: two updates within one tick of the cursor leave both as they were.
A fingerprint is always taken *before* the rows are read: what changes in between makes it differ next time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from el.mysql.catalog import TableShape
from el.mysql.connection import Connection, quoted, rows
from el.mysql.types import Column


@dataclass(frozen=True)
class Fingerprint:
    """``rows`` and a checksum over every column of them, in hex."""

    rows: int
    checksum: str


def window_condition(shape: TableShape, lo: datetime | None) -> str:
    """The rows of a window as SQL. A row whose cursor is NULL belongs to every window: nothing tells its age."""
    if lo is None or shape.cursor is None:
        return "true"
    cursor = quoted(shape.cursor)
    condition = f"{cursor} >= '{lo.isoformat(' ', 'microseconds')}'"
    return f"({condition} or {cursor} is null)" if shape.cursor_nullable else condition


def unchanged(connection: Connection, shape: TableShape, lo: datetime | None, expected: Fingerprint) -> bool:
    """True if the rows of the window are those of the fingerprint."""
    found = rows(
        connection,
        f"select count(*) from (select 1 from {quoted(shape.name)} where {window_condition(shape, lo)} "
        f"limit {expected.rows + 1}) found",
    )[0][0]
    return int(found) == expected.rows and fingerprint(connection, shape, lo) == expected


def fingerprint(connection: Connection, shape: TableShape, lo: datetime | None) -> Fingerprint:
    """The fingerprint of the rows of a window."""
    parts = ", ".join(_part(column) for column in shape.columns)
    # Half of an MD5 as a number, combined by xor and by sum: xor alone would not see two equal rows of a table
    # without a key. A row too large to be put into one text has no hash; rand() says "changed" then.
    number = "coalesce(cast(conv(left(hash, 16), 16, 10) as unsigned), floor(rand() * 1e18))"
    count, xor, total = rows(
        connection,
        f"select count(*), coalesce(bit_xor({number}), 0), coalesce(sum(crc32(hash)), 0) from "
        f"(select md5(concat_ws(',', {parts})) as hash from {quoted(shape.name)} "
        f"where {window_condition(shape, lo)}) hashed",
    )[0]
    return Fingerprint(int(count), f"{int(xor):016x}{int(total):x}")


def _part(column: Column) -> str:
    # Text is hashed by itself, so that no comma and no '-' in it can be taken for another row's.
    value = column.select
    if column.is_text or column.hashed or column.arrow == pa.binary():
        value = f"md5({value})"
    return f"coalesce({value}, '-')"

"""Whether the rows of a window are still those that a commit saw: answered by MySQL, without moving rows.

In: a table's shape and the window's ``lo``. Out: a number of rows and a checksum of their content. A commit keeps the
fingerprint of the rows at or beyond its next ``lo``; if it has not changed, there is nothing new, and nothing is
written. An idle table costs two queries, and the first of them stops counting one row beyond what it expects.

Why the content and not key and cursor: two updates within one tick of the cursor leave both as they were.
A fingerprint is always taken *before* the rows are read: what changes in between makes it differ next time.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from el.mysql.catalog import TableShape
from el.mysql.connection import Connection, quoted, rows
from el.mysql.types import Column


@dataclass(frozen=True)
class Fingerprint:
    """``rows``, a checksum over every column of them, in hex, and how many of them have no cursor."""

    rows: int
    checksum: str
    nulls: int


def window_condition(shape: TableShape, lo: str | None) -> str:
    """The rows of a window as SQL."""
    return "true" if shape.cursor is None else shape.cursor.at_or_beyond(lo)


def glance(connection: Connection, shape: TableShape, lo: str | None, expected: Fingerprint) -> tuple[bool, str | None]:
    """Whether the rows of the window are those of the fingerprint, and the largest cursor behind the window."""
    count, newest = rows(
        connection,
        f"select (select count(*) from (select 1 from {quoted(shape.name)} where {window_condition(shape, lo)} "
        f"limit {expected.rows + 1}) found), ({_newest(shape, lo)})",
    )[0]
    same = int(count) == expected.rows and fingerprint(connection, shape, lo) == expected
    return same, newest


def newest_behind(connection: Connection, shape: TableShape, lo: str | None) -> str | None:
    """The largest cursor behind a window, as text; None if there is none."""
    return None if lo is None else rows(connection, _newest(shape, lo))[0][0]


def _newest(shape: TableShape, lo: str | None) -> str:
    if shape.cursor is None or lo is None:
        return "select null"
    cursor = quoted(shape.cursor.name)
    return f"select cast(max({cursor}) as char) from {quoted(shape.name)} where {shape.cursor.behind(lo)}"


def fingerprint(connection: Connection, shape: TableShape, lo: str | None) -> Fingerprint:
    """The fingerprint of the rows of a window."""
    parts = ", ".join(_part(column) for column in shape.columns)
    # A quarter of a SHA-256 as a number, combined by xor and by sum: xor alone would not see two equal rows of a table
    # without a key. (MD5 is no function of MySQL 9.7 any more.) A row too large to be put into one text has no hash;
    # rand() says "changed" then. Both are cast: a BIGINT UNSIGNED beside a DOUBLE is a DOUBLE, which BIT_XOR refuses.
    number = "coalesce(cast(conv(left(hash, 16), 16, 10) as unsigned), cast(floor(rand() * 1e18) as unsigned))"
    null = f"{quoted(shape.cursor.name)} is null" if shape.cursor and shape.cursor.nullable else "0"
    count, xor, total, nulls = rows(
        connection,
        f"select count(*), coalesce(bit_xor({number}), 0), coalesce(sum(crc32(hash)), 0), coalesce(sum(no_cursor), 0) "
        f"from (select sha2(concat_ws(',', {parts}), 256) as hash, {null} as no_cursor from {quoted(shape.name)} "
        f"where {window_condition(shape, lo)}) hashed",
    )[0]
    return Fingerprint(int(count), f"{int(xor):016x}{int(total):x}", int(nulls))


def _part(column: Column) -> str:
    # Text is hashed by itself, so that no comma and no '-' in it can be taken for another row's.
    value = column.select
    if column.is_text or column.hashed or column.arrow == pa.binary():
        value = f"sha2({value}, 256)"
    return f"coalesce({value}, '-')"

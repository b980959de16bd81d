"""Creates and fills the demo database.

In: a scale and a database name. Out: the tables of schema.sql, filled with the rows of rows.py. The comment
of `specialties` says "being made" until the last row is committed, then the scale: that is how an
interrupted creation is noticed and done again, and how tables that are somebody else's are recognised and
left alone. A marker table of our own would be one table more for the loader to find.

Why multi-row inserts and not LOAD DATA LOCAL: they work on every server without a setting, and carry bytes,
bits and geometry without a second way of escaping.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from local.clinic.database import ClinicError, connect, quoted
from local.clinic.rows import TABLES, row_counts, rows

SCHEMA = Path(__file__).with_name("schema.sql")
_MARKED = "specialties"
_COMMENT = "Medical specialties a provider can have. A small lookup without a cursor. Demo data"
_BEING_MADE = "being made"
_ROWS_PER_INSERT = 1_000
_SYSTEM = {"information_schema", "mysql", "performance_schema", "sys"}


def create(database: str, scale: float, force: bool = False) -> str:
    """Make the demo at this scale unless it is there; return what was done, in a sentence.

    Raises ClinicError, having changed nothing, if the database holds the demo at another scale and ``force``
    is not given, or tables that this program did not make.
    """
    if not 0 < scale <= 1_000:
        raise ClinicError(f"scale {scale:g}: it must be above 0 and at most 1000; 1 makes about 200,000 rows")
    if database.lower() in _SYSTEM:
        raise ClinicError(f"{database}: belongs to the server. Nothing was changed. Choose another --database")
    try:
        connection = connect()
        with connection, connection.cursor() as cursor:
            cursor.execute("select get_lock(%s, 300)", (_lock(database),))
            if cursor.fetchone() != (1,):
                raise ClinicError(f"{database}: another process has been creating it for 300 s. Nothing was changed")
            return _create(connection, cursor, database, scale, force)
    except pymysql.MySQLError as error:
        number = error.args[0] if error.args else "no number"
        raise ClinicError(f"{database}: MySQL refused ({type(error).__name__} {number}). Run create again") from None


def _create(connection: Connection, cursor: Cursor, database: str, scale: float, force: bool) -> str:
    comment = _marked_comment(cursor, database)
    if comment is not None and not comment.startswith(_COMMENT):
        raise ClinicError(
            f"{database}: has tables that the demo did not make. Nothing was changed. Use another --database"
        )
    wanted = f"scale {scale:g}"
    state = comment.removeprefix(_COMMENT).lstrip(", ") if comment else "absent"
    if state == wanted and not force:
        return f"{database}: already there at {wanted}; nothing was done"
    if state.startswith("scale") and not force:
        raise ClinicError(f"{database}: is there at {state}, not {wanted}. Nothing was changed. To remake it: --force")
    cursor.execute(f"create database if not exists {quoted(database)} default character set utf8mb4")
    connection.select_db(database)
    _drop(cursor)
    _make_tables(cursor)
    counts, total = row_counts(scale), 0
    for table in TABLES:
        total += _fill(cursor, table, counts)
        connection.commit()
    cursor.execute(f"alter table {_MARKED} comment = %s", (f"{_COMMENT}, {wanted}",))
    again = "an unfinished one was replaced, " if state == _BEING_MADE else ""
    return f"{database}: {again}{total:,} rows in {len(TABLES)} tables at {wanted}"


def _marked_comment(cursor: Cursor, database: str) -> str | None:
    """None: no table of ours is there. Else the marked table's comment, empty if it is missing."""
    cursor.execute(
        "select table_name, table_comment from information_schema.tables where table_schema = %s", (database,)
    )
    comments = {str(name): str(comment) for name, comment in cursor.fetchall()}
    if not comments.keys() & set(TABLES):
        return None
    return comments.get(_MARKED, "")


def _drop(cursor: Cursor) -> None:
    """Children first, the marked table last: an interruption leaves a state that is known as unfinished."""
    cursor.execute("set foreign_key_checks = 0")
    cursor.execute("select table_name from information_schema.tables where table_schema = database()")
    present = {str(name) for (name,) in cursor.fetchall()}
    if _MARKED in present:
        cursor.execute(f"alter table {_MARKED} comment = %s", (f"{_COMMENT}, {_BEING_MADE}",))
    for name in reversed(TABLES):
        if name in present:
            cursor.execute(f"drop table {name}")
    cursor.execute("set foreign_key_checks = 1")


def _make_tables(cursor: Cursor) -> None:
    lines = SCHEMA.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("--"))
    marked = "A small lookup without a cursor'"
    text = text.replace(marked, marked.removesuffix("'") + f". Demo data, {_BEING_MADE}'")
    for statement in text.split(";\n"):
        if statement.strip(" \n;"):
            cursor.execute(statement)


def _fill(cursor: Cursor, table: str, counts: dict[str, int]) -> int:
    made, count = rows(table, counts), 0
    while batch := list(islice(made, _ROWS_PER_INSERT)):
        columns = tuple(batch[0])
        insert = f"insert into {table} ({', '.join(columns)}) values ({', '.join(['%s'] * len(columns))})"
        cursor.executemany(insert, [tuple(row.values()) for row in batch])
        count += len(batch)
    return count


def _lock(database: str) -> str:
    return f"clinic demo {database}"[:64]

"""The record of a COPY for stl_load_errors and its like, kept outside of the client's transaction.

A load that failed is rolled back, and its record is what the person needs then. So it is written through a connection
of this server's own, in autocommit. READ COMMITTED, so that it takes no part in serializable conflicts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .copy_statement import CopyStatement
from .text_rows import LoadError

Connect = Callable[[str], Any]
_connect: list[Connect] = []
_NOW = "(clock_timestamp() at time zone 'UTC')"
# Redshift keeps seven days.
_FORGET = "".join(
    f"delete from redshift_internal.{table} where query in "
    "(select query from redshift_internal.load where started < now() - interval '7 days'); "
    for table in ("load_file", "load_error", "load")
)


def configure(connect: Connect) -> None:
    """How to reach a database of the cluster as its owner; called once, when the server starts."""
    _connect[:] = [connect]


class Load:
    """One COPY. `query`: its number in the history. `session`: (pid, database, user's oid, table's oid, transaction),
    as the client's session says."""

    def __init__(self, copy: CopyStatement, query: int, session: tuple[str, ...]) -> None:
        pid, database, user, table, xid = session
        self._connection = _connect[0](database)
        self.id = query
        self._run(
            f"set default_transaction_isolation = 'read committed'; {_FORGET}"
            "insert into redshift_internal.load (query, userid, xid, session, database, tbl, table_name, data_source, "
            f"file_format, started, status) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, {_NOW}, 'running')",
            (
                query,
                user,
                xid,
                pid,
                database,
                table,
                copy.table.rpartition(".")[2].strip('"'),
                copy.source,
                _FORMATS[copy.form],
            ),
        )

    def file(self, url: str, rows: int, size: int) -> None:
        self._run(
            f"insert into redshift_internal.load_file values (%s, %s, %s, %s, {_NOW})", (self.id, url, rows, size)
        )

    def errors(self, errors: Iterable[LoadError]) -> None:
        for e in errors:
            kind = "" if e.column is None else _SHORT.get(e.column.kind, e.column.kind)[:10]
            length = str(e.column.limit or "") if e.column else ""
            place = (self.id, e.file, e.line, e.column.name if e.column else "", kind, length)
            what = (_shown(e.raw_line), _shown(e.raw_value), e.code, e.reason[:100])
            self._run(f"insert into redshift_internal.load_error values ({', '.join(['%s'] * 10)})", place + what)

    def end(self, status: str, rows: int, errors: int) -> None:
        self._run(
            f"update redshift_internal.load set status = %s, loaded_rows = %s, errors = %s, ended = {_NOW} "
            "where query = %s",
            (status, rows, errors, self.id),
        )

    def close(self) -> None:
        self._connection.close()

    def _run(self, sql: str, parameters: tuple[Any, ...]) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters)


_FORMATS = {"PARQUET": "Parquet", "JSON": "JSON", "CSV": "Text", "TEXT": "Text"}
_SHORT = {
    "character varying": "varchar", "character": "char", "smallint": "int2", "integer": "int4", "bigint": "int8",
    "real": "float4", "double precision": "float8", "boolean": "bool", "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz", "binary varying": "varbyte",
}  # fmt: skip


def _shown(text: str) -> str:
    return text.replace("\0", "").encode(errors="replace").decode()[:1024]

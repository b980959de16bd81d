"""COPY … FROM 's3://…', run inside the client's own transaction.

In: a parsed COPY and the client's backend. Out: rows in the table, the answer `COPY`. Files become CSV (quoted
strings, bare NULLs: no value can be mistaken) and stream into the same PostgreSQL backend, batch by batch. What
Redshift would refuse is found here, before a row is sent: so an error can name file and column, and holds no value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from . import protocol as wire
from .columns import Column, column
from .copy_statement import CSV, JSON, PARQUET, CopyStatement, column_list
from .errors import RedshiftError, Refused
from .json_file import finder, json_rows
from .lexer import literal
from .loads import Load
from .parquet_file import parquet_chunks
from .s3 import Object, Store, store
from .text_file import text_rows
from .text_rows import Loader
from .unload import run_unload
from .unload_statement import UnloadStatement

if TYPE_CHECKING:
    from .backend import Backend


def run_copy(backend: Backend, copy: CopyStatement | UnloadStatement) -> None:
    if isinstance(copy, UnloadStatement):
        run_unload(backend, copy)
        return
    columns = _target(backend, copy)
    source = store()
    if "MANIFEST" in copy.options:
        objects = source.manifest(copy.source, columnar=copy.form == PARQUET)
    else:
        objects = source.objects(copy.source)
    reader = _Reader(backend.client, source, objects, copy, columns)
    load = Load(copy, backend.query, _session(backend, copy))
    try:
        _run(backend, copy, reader, load, columns)
    finally:
        load.close()


def _run(backend: Backend, copy: CopyStatement, reader: _Reader, load: Load, columns: list[Column]) -> None:
    status = "aborted"  # a client or a server that goes away
    try:
        if "NOLOAD" in copy.options:
            for _ in reader:
                pass
        else:
            target = f"{copy.table} {column_list([c.name for c in columns])}"
            backend.copy_in(f"copy {target} from stdin (format csv)", reader)
        status = "completed"
    except RedshiftError as error:
        status = "failed"
        if reader.failed or error.code in ("57014", "25P02", "XX000"):
            raise
        # PostgreSQL's message may quote a value; the place is what helps.
        raise RedshiftError(
            f"Load into table {copy.table} failed: a value of {reader.url} was refused", error.code
        ) from error
    finally:
        for file in reader.done:
            load.file(*file)
        load.errors(reader.loader.errors)
        load.end(status, reader.rows if status == "completed" else 0, len(reader.loader.errors))
    count = 0 if "NOLOAD" in copy.options else reader.rows
    backend.own(f"set redshift.last_copy_count to {count}; set redshift.last_copy_id to {load.id}")
    skipped = len(reader.loader.errors)
    notices = [f"Load into table '{_bare(copy.table)}' completed, {count} record(s) loaded successfully."]
    if skipped:
        notices.append(
            f"Load into table '{_bare(copy.table)}' completed, {skipped} record(s) could not be loaded.  "
            "Check 'stl_load_errors' system table for details."
        )
    backend.client.send(*(wire.message(b"N", notice(text)) for text in notices), wire.complete("COPY"))


class _Reader:
    """The chunks for PostgreSQL, keeping what has been read so far."""

    def __init__(
        self, client: wire.Wire, source: Store, objects: list[Object], copy: CopyStatement, columns: list[Column]
    ) -> None:
        self._client = client
        self._source, self._objects, self._copy, self._columns = source, objects, copy, columns
        self.loader = Loader(copy, [] if copy.form == PARQUET else columns)
        self._find: Any = finder(copy, columns, source) if copy.form == JSON else None
        self.rows = 0
        self.url = ""
        self.failed = False
        self.done: list[tuple[str, int, int]] = []  # file, rows, bytes

    def __iter__(self) -> Iterator[bytes]:
        try:
            for item in self._objects:
                self.url, before = item.url, self.rows
                with self._source.file(item) as file:
                    for rows, chunk in self._chunks(file):
                        self.rows += rows
                        yield chunk
                        if self._client.closed():  # a COPY in autocommit must not commit for nobody
                            raise wire.Disconnected("the client has gone")
                self.done.append((item.url, self.rows - before, item.size))
        except Exception:
            self.failed = True
            raise

    def _chunks(self, file: Any) -> Iterable[tuple[int, bytes]]:
        if self._copy.form == PARQUET:
            return parquet_chunks(file, self.url, self._columns, self._copy.options)
        if self._copy.form == JSON:
            return self.loader.chunks(json_rows(file, self._copy, self._columns, self._find), self.url)
        return self.loader.chunks(text_rows(file, self._copy, self._columns, self.url), self.url)


def _target(backend: Backend, copy: CopyStatement) -> list[Column]:
    rows = backend.own(f"select * from redshift_internal.copy_columns({literal(copy.table)})")
    known = {c.name: c for c in (column([v.decode() if v is not None else "" for v in r]) for r in rows)}
    for name in copy.columns:
        if name not in known:
            raise RedshiftError(f'column "{name}" of relation {copy.table} does not exist', "42703")
    explicit = "EXPLICIT_IDS" in copy.options
    columns = [known[n] for n in copy.columns] or [c for c in known.values() if explicit or not c.identity]
    for target in known.values():
        if target.identity and explicit != (target in columns):
            raise RedshiftError(
                f"the column list must name identity column {target.name} with EXPLICIT_IDS"
                if explicit
                else f"cannot set identity column {target.name} to a value without EXPLICIT_IDS",
                "0A000",
            )
    for target in columns:
        if target.kind == "binary varying" and copy.form not in (PARQUET, CSV):
            raise Refused("COPY into VARBYTE", "from CSV, Parquet and ORC only")
    return columns


def _session(backend: Backend, copy: CopyStatement) -> tuple[str, ...]:
    rows = backend.own(
        "select pg_backend_pid(), current_database(), current_user::regrole::oid, "
        f"{literal(copy.table)}::regclass::oid, txid_current()"
    )
    return tuple(v.decode() if v is not None else "" for v in rows[0])


def _bare(table: str) -> str:
    return table.rpartition(".")[2].strip('"')


def notice(text: str) -> bytes:
    return b"S" + wire.text("INFO") + b"C" + wire.text("00000") + b"M" + wire.text(text) + b"\0"

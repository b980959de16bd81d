"""Archives made by hand, record by record, for what a run makes only by accident: a key used twice, a lost object.

What they hold is written by the archive's own modules; that a run writes the same is shown by the tests of runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pymysql

from el.archive import deleted, journal, objects, rows
from el.archive.journal import ChunkState, Journal
from el.archive.objects import Manifest
from el.archive.store import Archive, TableArchive
from el.archive.table import Shape, read_shape
from el.mysql.connection import connected
from el.settings import ArchivePlace, MySQL
from tests.conftest import Source

UNTIL = datetime(2033, 11, 25, tzinfo=UTC)


def place(source: Source) -> ArchivePlace:
    url = urlsplit(source.env["ARCHIVE_URL"])
    lock = source.env["ARCHIVE_OBJECT_LOCK"].upper()
    return ArchivePlace(url.netloc, url.path.strip("/"), source.env["ARCHIVE_KMS_KEY"], lock)


def table_archive(source: Source, table: str) -> TableArchive:
    return Archive(place(source)).table(source.name, table)


@contextmanager
def session(source: Source) -> Iterator[Any]:
    """A connection in which values are what MySQL sends."""
    url = urlsplit(source.env["EL_MYSQL_ADMIN_URL"])
    connection = pymysql.connect(
        host=url.hostname,
        port=url.port,
        user=url.username,
        password=url.password or "",
        database=source.name,
        charset="utf8mb4",
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("set time_zone = '+00:00', sql_mode = ''")
        yield connection


def archive(
    source: Source, table: str, where: str = "true", run: str = "20261125T010203Z-run-0a0b0c", **more: Any
) -> str:
    """Archive and delete rows of a table as one chunk; its name. ``delete`` False deletes nothing."""
    store = table_archive(source, table)
    book = Journal(store, run)
    chunk = f"{run}-{store.last():04d}"
    until = more.get("until", UNTIL)
    with session(source) as connection:
        shape = read_shape(connection, table)
        found = read(connection, shape, where)
        book.append("planned", chunk=chunk, object=store.rows_key(chunk), manifest=store.manifest_key(chunk))
        hashes = rows.hashes(shape.columns, found)
        stored = store.put(store.rows_key(chunk), objects.to_parquet(found), until)
        manifest = manifest_of(source, shape, chunk, run, found, hashes, stored, until)
        named = store.put(store.manifest_key(chunk), manifest.to_json(), until)
        book.append(
            "written",
            chunk=chunk,
            object=vars(stored),
            manifest=vars(named),
            rows=len(found),
            rows_sha256=rows.digest(hashes),
        )
        book.append("verified", chunk=chunk)
        if more.get("delete", True):
            book.append("deleting", chunk=chunk)
            with connection.cursor() as cursor:
                cursor.execute(f"delete from `{table}` where {where}")
            state = ChunkState(chunk, run)
            state.deletions += journal.deletions(
                book.append("deleted", chunk=chunk, deleted=[[0, len(found)]], gone=[], left={})
            )
            connect = partial(connected, source.name, server(source))
            told = deleted.tell(store, state, deleted.Key(shape.primary_key, ()), found, connect)
            book.append("done", chunk=chunk, **told)
    return chunk


def server(source: Source) -> MySQL:
    url = urlsplit(source.env["EL_MYSQL_ADMIN_URL"])
    assert url.hostname and url.port and url.username
    return MySQL(url.hostname, url.port, url.username, url.password or "", source.name, "disabled", None)


def read(connection: Any, shape: Shape, where: str) -> pa.Table:
    key = ", ".join(f"`{shape.name}`.`{one.name}`" for one in shape.primary_key)
    with connection.cursor() as cursor:
        cursor.execute(f"select {rows.select_list(shape.columns)} from `{shape.name}` where {where} order by {key}")
        found = cursor.fetchall()
    made = [pa.array([row[number] for row in found], pa.large_binary()) for number in range(len(shape.columns))]
    batch = pa.RecordBatch.from_arrays(made, [f"c{number}" for number in range(len(made))])
    return rows.table(shape.columns, [batch])


def manifest_of(
    source: Source,
    shape: Shape,
    chunk: str,
    run: str,
    found: pa.Table,
    hashes: Sequence[bytes],
    stored: Any,
    until: Any,
) -> Manifest:
    ends = [
        objects.key_json(shape.primary_key, objects.key_of(shape.primary_key, found, position))
        for position in (0, len(found) - 1)
    ]
    return Manifest(
        source=source.name,
        table=shape.name,
        chunk=chunk,
        run=run,
        retention="transient",
        age="created_at",
        where=None,
        as_of="2026-11-25T00:00:00+00:00",
        cutoff="2026-05-25 00:00:00",
        until=until.isoformat(),
        select="",
        create_table=shape.create_table,
        columns=[one.facts for one in shape.columns],
        primary_key=[one.name for one in shape.primary_key],
        hash_version=rows.HASH_VERSION,
        hash_sql=rows.hash_sql(shape.columns),
        rows=len(found),
        first_key=ends[0],
        last_key=ends[1],
        object=stored.key,
        version=stored.version,
        size=stored.size,
        sha256=stored.sha256,
        rows_sha256=rows.digest(hashes),
        server={},
        written_at=datetime.now(UTC).isoformat(),
        el_version="test",
    )


__all__ = ["archive", "journal", "place", "table_archive"]

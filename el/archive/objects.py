"""An archive object: rows of one chunk as Parquet, and the manifest that says what they are.

In: rows as they lie on S3 (``rows.table``). Out: one Parquet file in memory, zstd, statistics per row group, and a
``Manifest`` beside it; and the way back, which trusts nothing: what was read is hashed, decoded, counted, and every
row of it is hashed again by ``rows.py``.

A chunk is small enough for memory, so an object is written and read in one piece: what is hashed is what was sent.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from el.archive import rows
from el.archive.rows import Column
from el.archive.store import TableArchive
from el.archived import Stored
from el.documents import Format
from el.errors import ArchiveError

MANIFEST = Format(1, ArchiveError, ArchiveError)
_ROW_GROUP = 50_000


@dataclass(frozen=True)
class Manifest:
    """What one archive object is.

    ``as_of``, ``cutoff`` (in the form of the age column), ``until`` (the class's end) and ``written_at`` are UTC.
    ``first_key`` and ``last_key`` have one entry per key column: {"number": …}, {"text": …} or {"bytes": hex}.
    ``columns`` are the arguments of ``rows.column`` by name. ``server`` is who was read (``mysql/identity.py``).
    """

    source: str
    table: str
    chunk: str
    run: str
    retention: str
    age: str
    where: str | None
    as_of: str
    cutoff: str
    until: str
    select: str
    create_table: str
    columns: list[dict[str, Any]]
    primary_key: list[str]
    hash_version: int
    hash_sql: str
    rows: int
    first_key: list[dict[str, str]]
    last_key: list[dict[str, str]]
    object: str
    version: str
    size: int
    sha256: str
    rows_sha256: str
    server: dict[str, Any]
    written_at: str
    el_version: str

    def to_json(self) -> bytes:
        return MANIFEST.body(asdict(self))

    @classmethod
    def from_json(cls, body: bytes, where: str) -> Manifest:
        """Raises ArchiveError for a manifest of another format or one that is damaged."""
        return MANIFEST.read(body, where, lambda content: cls(**{one.name: content[one.name] for one in fields(cls)}))

    @property
    def archived(self) -> list[Column]:
        """The columns, in the order of the object."""
        made = [rows.column(rows.Described(**one)) for one in self.columns]
        if None in made:
            raise ArchiveError(f"the manifest of {self.chunk} has a column of a type that this el does not know")
        return [one for one in made if one]


def to_parquet(table: pa.Table) -> bytes:
    """A Parquet file. Readers other than Arrow must see plain types, so Arrow's own schema is left out."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=_ROW_GROUP, store_schema=False)
    return sink.getvalue()


def from_parquet(body: bytes, columns: Sequence[Column]) -> pa.Table:
    """The rows of a Parquet file.

    Raises:
        ArchiveError: it is no Parquet file of these columns.
    """
    table = table_of(body)
    if not table.schema.equals(rows.schema(columns)):
        raise ArchiveError("it has other columns than its manifest says")
    return table


def table_of(body: bytes) -> pa.Table:
    """What a Parquet file holds.

    Raises:
        ArchiveError: it is none.
    """
    try:
        return pq.read_table(pa.BufferReader(body)).combine_chunks()
    except (pa.ArrowException, OSError):
        raise ArchiveError("it is no Parquet file that can be read") from None


@dataclass(frozen=True)
class Proven:
    """An object as it was read back: its rows, and the hash of each."""

    table: pa.Table
    hashes: list[bytes]


def read_back(archive: TableArchive, stored: Stored, columns: Sequence[Column], count: int, digest: str) -> Proven:
    """Read one version of an object whole, and prove that it holds the rows that were written.

    Raises:
        ArchiveError: it is not what was written: how that was seen.
        LandingError: S3 cannot be reached or refuses, or has no such version.
    """
    where = f"{archive.url}/{stored.key} (version {stored.version})"
    body = archive.get(stored.key, stored.version)
    try:
        if sha256(body).hexdigest() != stored.sha256:
            raise ArchiveError(f"it has {len(body):,} bytes with another SHA-256 than was written")
        table = from_parquet(body, columns)
        if len(table) != count:
            raise ArchiveError(f"it has {len(table):,} rows and {count:,} were written")
        hashes = rows.hashes(columns, table)
        if rows.digest(hashes) != digest:
            raise ArchiveError("its rows have other hashes than those that were written")
    except ArchiveError as error:
        raise ArchiveError(f"{where}: read back from S3, {error}.") from None
    return Proven(table, hashes)


def key_of(columns: Sequence[Column], table: pa.Table, position: int) -> list[bytes]:
    """The canonical bytes of the columns of a key, of one row."""
    row = table.slice(position, 1)
    return [rows.to_canonical(one, row.column(one.name))[0].as_py() for one in columns]


def key_json(columns: Sequence[Column], key: Sequence[bytes]) -> list[dict[str, str]]:
    """A key as a manifest keeps it."""
    made = []
    for one, value in zip(columns, key, strict=True):
        if one.kind in ("number", "decimal"):
            made.append({"number": value.decode()})
        elif one.kind == "text":
            made.append({"text": value.decode(errors="surrogateescape")})
        else:
            made.append({"bytes": value.hex()})
    return made

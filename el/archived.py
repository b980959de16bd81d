"""What the archive tells about one table: its journal, and the keys of the rows that it deleted from MySQL.

    <archive>/<source>/<table>/
        _journal/<seq, 20 digits>.json     what was done and is about to be done (archive/journal.py)
        _keys/<chunk>.parquet              keys of the rows of a chunk that were deleted (archive/deleted.py)

In: a bucket and a prefix. Out: records, and the ``Told`` in them. Here is what both read who write the archive and who
load from it; load knows nothing else of the archive, and its role may read nothing else of it. ``archive/store.py``
spells the rest, and writes.

Why load does not read the archive's objects and the positions in the journal itself: Redshift numbers no row that COPY
brings, and load would get to see every value that was ever archived.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from el.config import raw_name
from el.documents import Content, Format
from el.errors import ArchiveError, LandingDamage
from el.s3 import Numbered, explained

#: Of the journal.
JOURNAL = Format(2, ArchiveError, ArchiveError)
#: Columns that follow the key's in an object of keys: when its row was deleted (UTC), by which run, the chunk, and the
#: number of the record that says so.
ADDED = {
    "_archived_at": "timestamp",
    "_run": "varchar(128)",
    "_chunk": "varchar(128)",
    "_record": "bigint",
}
#: Names that no column of a key may have: load adds two more (redshift/archived.py).
TAKEN = frozenset({*ADDED, "_applied", "_expired_at"})
#: Requests at once: answers take tens of milliseconds.
_AT_ONCE = 8


@dataclass(frozen=True)
class Stored:
    """One version of one object. ``key`` is below the table's folder, ``size`` in bytes."""

    key: str
    version: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Told:
    """What the record ``done`` of a chunk says of the rows that were deleted. ``seq`` is the record's number.

    ``keys`` is the object that has their keys, ``rows`` how many, ``columns`` the key's raw names with their Redshift
    types. Of ``untold`` rows the keys are not told, ``why`` says why; None if there are none.
    """

    seq: int
    chunk: str
    keys: Stored | None
    rows: int
    columns: tuple[tuple[str, str], ...]
    untold: int
    why: str | None


@dataclass(frozen=True)
class Expired:
    """The record ``expired`` of a chunk, by its number: its object is gone. ``at`` is UTC."""

    seq: int
    chunk: str
    at: str


def folder(prefix: str, source: str, table: str) -> str:
    """Of one table, by its MySQL name."""
    return "/".join(part for part in (prefix, source, raw_name(table)) if part)


class Archived:
    """The folder of one table, for reading. Safe to use from several threads."""

    def __init__(self, client: Any, bucket: str, folder: str) -> None:
        self._client, self._bucket, self._folder = client, bucket, folder
        self.url = f"s3://{bucket}/{folder}"
        self._journal = Numbered(client, bucket, f"{folder}/_journal/")

    @staticmethod
    def keys_key(chunk: str) -> str:
        """Of a chunk's object of keys, below the table's folder."""
        return f"_keys/{chunk}.parquet"

    @staticmethod
    def record_key(seq: int) -> str:
        """Of a record, below the table's folder."""
        return f"_journal/{seq:020d}.json"

    def last(self) -> int:
        """Number of the newest record; 0 before the first."""
        return self._journal.last() or 0

    def seqs_from(self, seq: int) -> list[int]:
        """Numbers of the records from ``seq`` on, ascending."""
        return self._journal.seqs_from(seq)

    def records(self, first: int, last: int) -> list[dict[str, Any]]:
        """The records from one number up to another, in order.

        Raises:
            ArchiveError: one is damaged, or of another version of el.
            LandingDamage: one is missing.
            LandingError: S3 cannot be reached or refuses.
        """
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(self._record, range(first, last + 1)))

    def _record(self, seq: int) -> dict[str, Any]:
        where = f"{self.url}/{self.record_key(seq)}"
        with explained(where):
            key = f"{self._folder}/{self.record_key(seq)}"
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()

        def parse(record: Content) -> Content:
            if record["seq"] != seq or not isinstance(record["kind"], str):
                raise ValueError("it is another record")
            return record

        return JOURNAL.read(body, where, parse)

    def url_of(self, stored: Stored) -> str:
        """Where an object lies."""
        return f"{self.url}/{stored.key}"

    def check(self, objects: Sequence[Stored]) -> None:
        """Hold objects that are about to be read by their names, as COPY does, against the versions in the journal.

        Raises:
            LandingDamage: one is missing, or another version lies there.
            LandingError: S3 cannot be reached or refuses.
        """
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(self._check, objects):
                pass

    def _check(self, stored: Stored) -> None:
        where = self.url_of(stored)
        with explained(where):
            found = self._client.head_object(
                Bucket=self._bucket, Key=f"{self._folder}/{stored.key}", ChecksumMode="ENABLED"
            )
        checksum = b64encode(bytes.fromhex(stored.sha256)).decode()
        said = found.get("VersionId"), found["ContentLength"], found.get("ChecksumSHA256")
        if said != (stored.version, stored.size, checksum):
            raise LandingDamage(
                f"{where} is not the version that the journal names, {stored.version}. Redshift was not changed. Find "
                "out who writes into the archive, and delete what lies above that version"
            )


def told(record: dict[str, Any]) -> Told | Expired | None:
    """What a record has for Redshift; None if it has nothing.

    Raises:
        ArchiveError: the record is damaged.
    """
    try:
        match record["kind"]:
            case "done" if record["deleted"]:
                keys = record["keys"]
                return Told(
                    record["seq"],
                    record["chunk"],
                    Stored(**keys["object"]) if keys else None,
                    int(keys["rows"]) if keys else 0,
                    tuple((str(name), str(kind)) for name, kind in keys["columns"]) if keys else (),
                    int(record["deleted"]) - (int(keys["rows"]) if keys else 0),
                    record["untold"],
                )
            case "expired":
                return Expired(record["seq"], record["expired_chunk"], record["at"])
    except (KeyError, TypeError, ValueError):
        raise ArchiveError(
            f"record {record.get('seq')} of the archive's journal is damaged. Redshift was not changed. Restore it "
            "from the bucket's versions."
        ) from None
    return None

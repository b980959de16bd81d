"""What the archive holds of one table: read from its journal, for those who ask and those who bring rows back.

In: the table's folder. Out: ``Contents``: the chunks that still lie there, which rows of each were deleted from MySQL
by which record, and the rows themselves, proven anew each time.

A key may be there several times: it was archived, used again, and archived again. Its last version is that of the
newest record, whichever object it is in, and chunks that a crash cut off are finished later than they were begun. So
versions are compared by record, row by row, wherever chunks overlap by key. Chunks that do not overlap need no
comparison, and only keys that are numbers can show that; a table with a text in its key has all its keys in memory
here, about 200 bytes each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import pyarrow as pa

from el.archive import journal, objects, rows
from el.archive.journal import ChunkState, Deletion, Journal
from el.archive.objects import Manifest, Proven
from el.archive.rows import Column
from el.archive.store import TableArchive
from el.archived import Stored
from el.errors import ArchiveError, ElError


@dataclass(frozen=True)
class Expired:
    """A chunk whose object was deleted at its class's end."""

    chunk: str
    at: str
    certificate: str


class Contents:
    """The archive of one table. Reads the journal once; objects and manifests when they are asked for."""

    def __init__(self, archive: TableArchive) -> None:
        """Raises ArchiveError for a damaged journal, LandingError if S3 cannot be reached or refuses."""
        self.archive = archive
        records = Journal(archive, "").records()
        self.all_chunks = journal.chunks(records)
        self.expired = {
            record["expired_chunk"]: Expired(record["expired_chunk"], record["at"], record["certificate"])
            for record in records
            if record["kind"] == "expired"
        }
        self.deletions = [one for record in records if record["kind"] == "deleted" for one in journal.deletions(record)]
        self._manifests: dict[str, Manifest] = {}

    @property
    def chunks(self) -> list[ChunkState]:
        """Those with an object that is proven, and there: rows may have been deleted on its word."""
        return [
            one
            for one in self.all_chunks.values()
            if one.state in ("verified", "deleting", "done") and one.chunk not in self.expired
        ]

    @property
    def deleted_rows(self) -> int:
        """Rows that are in the archive and not in MySQL by the journal, each version of a key for itself."""
        return sum(journal.count(one.positions) for one in self.deletions if one.chunk not in self.expired)

    def stored(self, chunk: ChunkState) -> tuple[Stored, Stored]:
        """The versions of the chunk's object and manifest that the journal names."""
        if chunk.object is None or chunk.manifest is None:
            raise ArchiveError(
                f"{self.archive.url}/_journal: chunk {chunk.chunk} is proven there but was never written. The journal "
                "is damaged; restore its records from the bucket's versions."
            )
        return chunk.object, chunk.manifest

    def manifest(self, chunk: ChunkState) -> Manifest:
        """The chunk's manifest, held against the journal.

        Raises:
            ArchiveError: it is not what was written.
            LandingError: S3 has no such version, cannot be reached or refuses.
        """
        if chunk.chunk not in self._manifests:
            stored, named = self.stored(chunk)
            where = f"{self.archive.url}/{named.key} (version {named.version})"
            body = self.archive.get(named.key, named.version)
            if sha256(body).hexdigest() != named.sha256:
                raise ArchiveError(f"{where}: it has another SHA-256 than was written. Restore that version.")
            manifest = Manifest.from_json(body, where)
            said = (manifest.chunk, manifest.object, manifest.version, manifest.rows, manifest.rows_sha256)
            if said != (chunk.chunk, stored.key, stored.version, chunk.rows, chunk.rows_sha256):
                raise ArchiveError(f"{where}: it says another thing of its object than the journal does.")
            if manifest.hash_version != rows.HASH_VERSION:
                raise ArchiveError(
                    f"{where} was hashed by version {manifest.hash_version} of the row hash, and this el knows version "
                    f"{rows.HASH_VERSION}. Nothing was changed. Use el {manifest.el_version}, which wrote it."
                )
            self._manifests[chunk.chunk] = manifest
        return self._manifests[chunk.chunk]

    def read(self, chunk: ChunkState) -> Proven:
        """The chunk's rows, read whole and proven.

        Raises:
            ArchiveError: they are not what was written.
            LandingError: S3 has no such version, cannot be reached or refuses.
        """
        manifest = self.manifest(chunk)
        stored, _ = self.stored(chunk)
        return objects.read_back(self.archive, stored, manifest.archived, chunk.rows, chunk.rows_sha256)

    def last_versions(self) -> Iterator[tuple[ChunkState, list[int]]]:
        """Each chunk with the positions of the deleted rows whose last version it holds, those deleted last first."""
        by_chunk: dict[str, list[Deletion]] = {}
        for deletion in self.deletions:
            by_chunk.setdefault(deletion.chunk, []).append(deletion)
        there = [chunk for chunk in self.chunks if chunk.chunk in by_chunk]
        for group in self._groups(sorted(there, key=lambda one: one.seq, reverse=True)):
            if len(group) == 1:
                chunk = group[0]
                yield chunk, [p for one in by_chunk[chunk.chunk] for p in journal.positions(one.positions)]
                continue
            last: dict[bytes, tuple[int, str, int]] = {}
            for chunk in group:
                keys = self.keys(chunk)
                for one in by_chunk[chunk.chunk]:
                    for position in journal.positions(one.positions):
                        found = (one.seq, chunk.chunk, position)
                        last[keys[position]] = max(found, last.get(keys[position], found))
            for chunk in group:
                won = [position for _, name, position in last.values() if name == chunk.chunk]
                if won:
                    yield chunk, sorted(won)

    def keys(self, chunk: ChunkState) -> list[bytes]:
        """The key of every row of a chunk, as one text that no other key has."""
        return key_texts(self.key_columns(chunk), self.read(chunk).table)

    def key_columns(self, chunk: ChunkState) -> list[Column]:
        """The chunk's columns of the primary key, in the key's order."""
        manifest = self.manifest(chunk)
        by_name = {one.name: one for one in manifest.archived}
        return [by_name[name] for name in manifest.primary_key]

    def key_range(self, chunk: ChunkState) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """The first and the last key, if they are whole numbers, which alone are compared here as MySQL does."""
        manifest = self.manifest(chunk)
        if any(one.kind != "number" for one in self.key_columns(chunk)):
            return None
        first, last = (tuple(int(part["number"]) for part in key) for key in (manifest.first_key, manifest.last_key))
        return first, last

    def _groups(self, chunks: Sequence[ChunkState]) -> list[list[ChunkState]]:
        """Chunks that may share a key together, each group and the groups in the order given."""
        ranges = {one.chunk: self.key_range(one) for one in chunks} if len(chunks) > 1 else {}
        if None in ranges.values():
            return [list(chunks)]
        groups: list[list[ChunkState]] = []
        behind: tuple[int, ...] = ()
        for chunk in sorted(chunks, key=lambda one: ranges.get(one.chunk) or ()):
            first, last = ranges.get(chunk.chunk) or ((), ())
            if groups and first <= behind:
                groups[-1].append(chunk)
                behind = max(behind, last)
            else:
                groups.append([chunk])
                behind = last
        order = {one.chunk: number for number, one in enumerate(chunks)}
        groups = [sorted(group, key=lambda one: order[one.chunk]) for group in groups]
        return sorted(groups, key=lambda group: order[group[0].chunk])


def key_texts(columns: Sequence[Column], table: pa.Table) -> list[bytes]:
    """Per row its key as one text: each part with its length, so that no two keys are one text."""
    parts = [rows.to_canonical(one, table.column(one.name)).to_pylist() for one in columns]
    return [key_text(row) for row in zip(*parts, strict=True)]


def key_text(parts: Sequence[bytes]) -> bytes:
    """A key's canonical parts as one text."""
    return b"".join(b"%d:%s" % (len(part), part) for part in parts)


def explain(error: ElError) -> str:
    """An error as one line of a list."""
    return " ".join(str(error).split())

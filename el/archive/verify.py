"""Looking at the archive again: whether everything that the journal says is on S3, and is what was proven once.

In: a table's archive. Out: problems, each with what to do. Two looks:

- every object, manifest and object of keys by S3's list of versions: one that is missing, one that lies under another
  version or under a delete marker (its copy is intact, but Athena does not see it), one that no record names;
- the content of some or of all objects, by version: read whole, decoded, every row hashed, held against the manifest
  and the journal.

Nothing is changed. What is missing may be there still as a version: a bucket that keeps versions forgets nothing by
itself, unless a lifecycle rule tells it to.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from el.archive.contents import Contents, explain
from el.archive.store import TableArchive, Version
from el.archive.work import ArchiveJob, Reporter, archived
from el.archived import Stored
from el.config import Table
from el.errors import ArchiveError, LandingDamage
from el.outcome import State
from el.progress import Bar
from el.supervise import Going
from el.text import aligned


@dataclass
class Verified:
    """One table. ``read`` objects of ``objects`` were read whole; ``rows``: deleted ones."""

    table: str
    objects: int = 0
    rows: int = 0
    read: int = 0
    bytes_read: int = 0
    problems: list[str] = field(default_factory=list)


class Verify(ArchiveJob):
    """``el-archive verify``. Damage that was found is over when every object was read and had none."""

    name, kinds = "verify", ("verify", "damage")

    def __init__(self, selectors: Sequence[str], sample: int | None) -> None:
        """``sample``: how many objects of each table are read; None: all."""
        super().__init__(selectors, {"all": sample is None, "sample": "" if sample is None else str(sample)})
        self._sample = sample
        self._places: dict[str, TableArchive] = {}
        self._results: list[Verified] = []

    def begin(self, going: Going) -> list[Table]:
        found = archived(self.selectors, going.run)
        self._places = {table.label: place for table, place in found}
        return [table for table, _ in found]

    def one(self, going: Going, table: Table, bar: Bar) -> State:
        own, result = Verified(table.label), going.results[table.label]
        self._results.append(own)
        verify(own, self._places[own.table], self._sample, Reporter(bar.moved, going.stop))
        result.rows = {"deleted": own.rows}
        result.objects, result.bytes = own.read, own.bytes_read
        result.whole = own.read == own.objects
        if own.problems:
            result.fail(self.name, *own.problems, kind="damage")
            return "failed"
        return "cut off" if going.stop() and not result.whole else "done"

    def content(self, going: Going) -> dict[str, Any]:
        return {"tables": [asdict(one) for one in self._results]}

    def lines(self, going: Going) -> list[str]:
        body = [
            [one.table, f"{one.objects:,}", f"{one.rows:,}", f"{one.read:,}", f"{len(one.problems):,}"]
            for one in self._results
        ]
        return aligned(["table", "objects", "rows deleted", "objects read", "problems"], body, {1, 2, 3, 4})


def verify(result: Verified, archive: TableArchive, sample: int | None, going: Reporter) -> None:
    """Look at one table. ``sample``: how many objects are read; None: all.

    Raises:
        LandingError: S3 does not answer or refuses; what it would have said is not known.
    """
    try:
        contents = Contents(archive)
        result.objects, result.rows = len(contents.chunks), contents.deleted_rows
        result.problems += _listed(contents)
    except (ArchiveError, LandingDamage) as error:
        result.problems.append(explain(error))
        return
    chosen = list(contents.chunks)
    if sample is not None and sample < len(chosen):
        chosen = random.sample(chosen, sample)
    for chunk in chosen:
        if going.stopping():
            return
        try:
            proven = contents.read(chunk)
            if max((behind for _, behind in [*chunk.deleted, *chunk.gone]), default=0) > len(proven.hashes):
                result.problems.append(
                    f"{archive.url}/_journal: chunk {chunk.chunk} has rows deleted that its object does not have"
                )
        except (ArchiveError, LandingDamage) as error:
            result.problems.append(explain(error))
        result.read += 1
        going.moved(chunk.rows)
        result.bytes_read += chunk.object.size if chunk.object else 0


def _listed(contents: Contents) -> list[str]:
    """What S3's list of versions says against the journal."""
    archive = contents.archive
    by_key: dict[str, list[Version]] = {}
    for version in [found for folder in ("rows/", "_manifests/", "_keys/") for found in archive.versions(folder)]:
        by_key.setdefault(version.key, []).append(version)
    problems = []
    for chunk in contents.chunks:
        for stored in contents.stored(chunk):
            problems += _of_object(archive, stored, by_key.get(stored.key, []), "its rows are nowhere")
        if chunk.keys:
            found = by_key.get(chunk.keys.key, [])
            problems += _of_object(archive, chunk.keys, found, "load cannot tell Redshift which rows are archived")
    for chunk in contents.all_chunks.values():
        if chunk.chunk in contents.expired and chunk.object:
            there = [one.version for one in by_key.get(chunk.object.key, [])]
            if chunk.object.version in there:
                problems.append(
                    f"{archive.url}/{chunk.object.key} (version {chunk.object.version}): the journal says that it was "
                    "deleted at its class's end, and it is there"
                )
    keys_of = (archive.rows_key, archive.manifest_key, archive.keys_key)
    known = {key_of(name) for name in contents.all_chunks for key_of in keys_of}
    problems += [
        f"{archive.url}/{key}: no record of the journal names it. Find out who wrote it; its rows look archived "
        "to who reads the folder"
        for key in sorted(by_key.keys() - known)
    ]
    return problems


def _of_object(archive: TableArchive, stored: Stored, found: Sequence[Version], without: str) -> list[str]:
    where = f"{archive.url}/{stored.key} (version {stored.version})"
    own = next((one for one in found if one.version == stored.version and not one.is_marker), None)
    if own is None:
        return [f"{where} is missing: {without}. Look for a copy of the bucket, and who may delete versions"]
    if own.size != stored.size:
        return [f"{where} has {own.size:,} bytes and {stored.size:,} were written"]
    latest = next((one for one in found if one.is_latest), None)
    if latest and latest.is_marker:
        return [f"{where} is hidden by a delete marker. Its copy is there; delete the marker: aws s3api delete-object"]
    if latest and latest.version != stored.version:
        return [
            f"{where} lies under another version, {latest.version}. Its copy is there; find out who wrote, and delete "
            "that version"
        ]
    return []

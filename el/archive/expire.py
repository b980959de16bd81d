"""The end of what was archived: objects past their class's end are deleted, and it is written down that they were.

In: a table's archive. Out: what is past its end and may go, what is held, and with ``execute`` a certificate of
each. Needs S3 only, with a role that may delete versions, which no run has.

Per object: record ``expiring``, delete the version that the journal names, certificate, record ``expired``, delete the
keys of its rows and the manifest. Cut off anywhere, the next call does the rest; a version that is gone already is
deleted once more, which changes nothing. S3's own lock and legal holds are never gone around: what S3 refuses stays.

A chunk whose deletions from MySQL are not finished stays whatever its age: it is what the next run goes on from.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from el.archive import holds, journal
from el.archive.contents import Contents, explain
from el.archive.journal import ChunkState, Journal
from el.archive.store import TableArchive
from el.archive.work import ArchiveJob, Reporter, archived, who
from el.config import Table
from el.documents import Format
from el.errors import ArchiveError, ElError, LandingUnreachable, TableBusy
from el.outcome import State
from el.progress import Bar
from el.supervise import Going
from el.text import aligned

CERTIFICATE = Format(1, ArchiveError, ArchiveError)


@dataclass(frozen=True)
class Object:
    """One object past its class's end."""

    chunk: str
    object: str
    version: str
    rows: int
    size: int
    until: str
    held_by: tuple[str, ...] = ()


@dataclass
class Expiry:
    """One table. ``held`` objects are past their end and stay; ``deleted`` ones are gone now."""

    table: str
    due: list[Object] = field(default_factory=list)
    held: list[Object] = field(default_factory=list)
    deleted: int = 0
    deleted_rows: int = 0
    deleted_bytes: int = 0
    problems: list[str] = field(default_factory=list)


class Expire(ArchiveJob):
    """``el-archive expire --execute``."""

    name, kinds, needs_landing = "expire", ("expire",), True

    def __init__(self, selectors: Sequence[str]) -> None:
        super().__init__(selectors, {"execute": True})
        self._places: dict[str, TableArchive] = {}
        self._results: list[Expiry] = []

    def begin(self, going: Going) -> list[Table]:
        found = archived(self.selectors)
        self._places = {table.label: place for table, place in found}
        return [table for table, _ in found]

    def one(self, going: Going, table: Table, bar: Bar) -> State:
        own, result = Expiry(table.label), going.results[table.label]
        self._results.append(own)
        try:
            with self.alone(going, table, bar):
                place = self._places[own.table]
                finished = expire(own, place, going.run.name, Reporter(bar.moved, going.stop))
        except TableBusy as busy:  # which does not do what was asked for here
            raise ArchiveError(
                f"{own.table}: {busy}. Nothing of it was deleted. Run the same again when it has ended."
            ) from None
        finally:
            result.rows, result.objects = {"expired": own.deleted_rows}, own.deleted
            result.bytes = own.deleted_bytes
        if own.problems:
            result.fail(self.name, *own.problems)
            return "failed"
        return "done" if finished else "cut off"

    def content(self, going: Going) -> dict[str, Any]:
        return {"executed": True, "tables": [asdict(one) for one in self._results]}

    def lines(self, going: Going) -> list[str]:
        return lines(self._results)


def preview(selectors: Sequence[str], as_json: bool) -> str:
    """What ``el-archive expire`` prints without ``--execute``.

    Raises:
        ArchiveError, LandingError: as ``look``.
    """
    now = datetime.now(UTC)
    results = []
    for table, place in archived(selectors):
        results.append(Expiry(table.label))
        look(results[-1], place, now)
    if as_json:
        return json.dumps({"executed": False, "tables": [asdict(one) for one in results]}, indent=1)
    due = any(one.due for one in results)
    hint = ["nothing was deleted; to delete for ever: el-archive expire --execute"] if due else []
    return "\n".join([*lines(results), *hint])


def look(result: Expiry, archive: TableArchive, now: datetime) -> None:
    """What is past its end.

    Raises:
        ArchiveError: the journal, a manifest or a hold is damaged: nothing may go then.
        LandingError: S3 cannot be reached or refuses.
    """
    contents, held = Contents(archive), holds.active(archive)
    under: dict[str, list[str]] = {}
    for one in held:
        for chunk in holds.objects_under(contents, [one]):
            under.setdefault(chunk.chunk, []).append(one.hold)
    for chunk in contents.chunks:
        until = contents.manifest(chunk).until
        if chunk.state != "done" or datetime.fromisoformat(until) >= now:
            continue
        stored, _ = contents.stored(chunk)
        found = Object(
            chunk.chunk, f"{archive.url}/{stored.key}", stored.version, chunk.rows, stored.size, until,
            tuple(under.get(chunk.chunk, ())),
        )  # fmt: skip
        (result.held if found.held_by else result.due).append(found)


def expire(result: Expiry, archive: TableArchive, run: str, going: Reporter) -> bool:
    """Delete what is past its end and not held; False if it was asked to stop before. The caller has the table's lease.

    Raises:
        ArchiveError: the journal, a manifest or a hold is damaged; nothing was deleted.
        LandingError: S3 cannot be reached; what was deleted is in the journal.
    """
    look(result, archive, datetime.now(UTC))
    contents, book = Contents(archive), Journal(archive, run)
    _sweep(contents)
    for one in result.due:
        if going.stopping():
            return False
        chunk = contents.all_chunks[one.chunk]
        try:
            _delete(contents, book, chunk, one, run)
            result.deleted += 1
            result.deleted_rows += one.rows
            result.deleted_bytes += one.size
            going.moved(one.rows)
        except LandingUnreachable:
            raise
        except ElError as error:
            result.problems.append(f"{explain(error)} It stays; its rows are still in the archive.")
    return True


def _delete(contents: Contents, book: Journal, chunk: ChunkState, found: Object, run: str) -> None:
    archive = contents.archive
    stored, manifest = contents.stored(chunk)
    said = contents.manifest(chunk)  # proven, before it goes
    key = archive.certificate_key(chunk.chunk)
    book.append("expiring", expired_chunk=chunk.chunk, object=stored.key, version=stored.version)
    archive.delete_version(stored)
    if not archive.find(key):
        archive.put(key, CERTIFICATE.body(_certificate(chunk, found, vars(said), run)))
    book.append("expired", expired_chunk=chunk.chunk, certificate=key)
    if chunk.keys:  # behind the record: load must not look for keys that nobody says are gone
        archive.delete_version(chunk.keys)
    archive.delete_version(manifest)  # last: without it nobody knows when the object was due


def _sweep(contents: Contents) -> None:
    """Manifests and keys whose deletion was cut off."""
    below = ("_manifests/", "_keys/") if contents.expired else ()
    there = {(one.key, one.version) for folder in below for one in contents.archive.versions(folder)}
    for name in contents.expired:
        for stored in (contents.all_chunks[name].keys, contents.all_chunks[name].manifest):
            if stored and (stored.key, stored.version) in there:
                contents.archive.delete_version(stored)


def _certificate(chunk: ChunkState, found: Object, said: dict[str, Any], run: str) -> dict[str, Any]:
    """What was destroyed, by whom and why; no value of any row."""
    kept = (
        "source", "table", "retention", "where", "as_of", "cutoff", "until", "rows", "rows_sha256", "sha256",
        "written_at",
    )  # fmt: skip
    return {
        "what": "disposition: the archive object below was deleted for ever, past the end of its retention class",
        "destroyed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": who(),
        "run": run,
        "object": found.object,
        "version": found.version,
        "bytes": found.size,
        "rows_deleted_from_mysql": journal.count(chunk.deleted),
    } | {name: said[name] for name in kept}


def lines(results: Sequence[Expiry]) -> list[str]:
    """Every object, then a line per table."""
    found = [f"{one.object}  {one.rows:,} rows  until {one.until[:10]}" for table in results for one in table.due]
    found += [
        f"{one.object}  {one.rows:,} rows  until {one.until[:10]}  held by {', '.join(one.held_by)}"
        for table in results
        for one in table.held
    ]
    body = [[one.table, f"{len(one.due):,}", f"{len(one.held):,}", f"{one.deleted:,}"] for one in results]
    return [*found, *aligned(["table", "past their end", "held", "deleted"], body, {1, 2, 3})]

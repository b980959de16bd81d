"""The journal: what the archive is about to do with a table and what it has done, one record after the other.

In: facts. Out: objects ``_journal/<seq>.json`` on S3, numbered from 1 without a gap, each written with
``If-None-Match: *``: of two runs at once the slower one is refused and stops. Every record has

    format, seq, at (UTC), run, el_version, kind

and by ``kind``

    run        a run began: as_of, cutoff, retention, age, where, until (the class's end), server, resumes (chunks
               that an earlier run left open)
    planned    chunk, object, manifest (keys): it is about to be written; an object without more is an orphan
    written    chunk, object and manifest (key, version, size, sha256), rows, rows_sha256 (rows.digest)
    verified   chunk: that version was read back whole, and every row has the hash that was written
    deleting   chunk: its rows are about to be deleted
    deleted    chunk, after each transaction: deleted, gone, and by reason what was left: ranges of positions in the
               object; seconds, resumed
    done       chunk: nothing is to be done with it any more; deleted (rows), keys (the object that has theirs, its rows
               and columns; null if there are none to tell), untold (why there are fewer keys than rows, or null)
    given_up   chunk, why: nothing of it was deleted and nothing will be; its object is no copy of anything
    ended      the run ended: state, counts (mover.Moved), open (chunks that a next run goes on with)
    expiring   expired_chunk, object, version: it is past its class's end and about to be deleted (expire.py)
    expired    expired_chunk, certificate (key): it is gone for ever

A position is a row's number in the object, from 0; a range [first, behind] ends before ``behind``. Rows are in the
order of the primary key. ``left`` reasons: changed (the row differs from its copy), child (a row of another table
hangs on it), horizon (Redshift does not have its last version), newest (its AUTO_INCREMENT must stay), busy (somebody
held its lock for too long), hold. ``gone`` is a row that is absent from MySQL: somebody else deleted it, and it is not
ours to bring back. In a record with ``resumed`` true it may also be one whose deletion a crash kept from being
recorded; there it counts as deleted, and its copy is verified.

A row is in the archive if it is deleted by the journal. A row of an object that was left is in MySQL, and its copy is
old. A key that was used again and archived again is deleted twice: the later record has its last version.

Why one object per record and not one that grows: S3 cannot append, and a conditional overwrite of what was already
proven could destroy it. Why not the manifests alone: they say what was copied, not what was deleted.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from el.archive.store import TableArchive
from el.archived import JOURNAL, Stored
from el.errors import ArchiveError

State = Literal["planned", "written", "verified", "deleting", "done", "given_up"]
#: Ranges of positions: [[first, behind], …], ascending and apart.
Ranges = list[list[int]]
#: Kinds of records that say how far a chunk has come.
_STATES = ("planned", "written", "verified", "deleting", "done", "given_up")


@dataclass(frozen=True)
class Deletion:
    """What one record of the journal says was deleted from MySQL: positions in a chunk's object."""

    seq: int
    at: str
    run: str
    chunk: str
    positions: Ranges


@dataclass
class ChunkState:
    """What the journal says of one chunk. ``deleted`` and ``left`` hold positions; ``gone`` are among the deleted.

    ``deletions``: which record says so of which rows. ``keys`` is the object that has their keys.
    """

    chunk: str
    run: str
    state: State = "planned"
    object: Stored | None = None
    manifest: Stored | None = None
    rows: int = 0
    rows_sha256: str = ""
    deleted: Ranges = field(default_factory=list)
    gone: Ranges = field(default_factory=list)
    left: dict[str, Ranges] = field(default_factory=dict)
    deletions: list[Deletion] = field(default_factory=list)
    keys: Stored | None = None
    at: str = ""
    seq: int = 0

    @property
    def tried(self) -> set[int]:
        """Positions that are settled: deleted, gone or left."""
        return {p for ranges in (self.deleted, self.gone, *self.left.values()) for p in positions(ranges)}


class Journal:
    """The journal of one table. Safe to use from several threads of one run."""

    def __init__(self, archive: TableArchive, run: str) -> None:
        """``run`` is the name of the run that writes; a reader may leave it empty."""
        self._archive, self._run = archive, run
        self._lock = threading.Lock()
        self._last: int | None = None

    def append(self, kind: str, **facts: Any) -> dict[str, Any]:
        """Write one record; it, with its number.

        Raises:
            ArchiveError: another run wrote it first.
            LandingError: S3 cannot be reached or refuses.
        """
        with self._lock:
            if self._last is None:
                self._last = self._archive.last()
            seq = self._last + 1
            record = {
                "seq": seq,
                "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "run": self._run,
                "kind": kind,
            } | facts
            if not self._archive.put_record(seq, JOURNAL.body(record)):
                raise ArchiveError(
                    f"{self._archive.url}: another run wrote record {seq:,} of the journal first. What was deleted so "
                    "far was proven. This run stops; the next one goes on from the journal."
                )
            self._last = seq
            return record

    def records(self) -> list[dict[str, Any]]:
        """All of them.

        Raises:
            ArchiveError: one is missing, damaged, or of another version of el.
            LandingError: S3 cannot be reached or refuses.
        """
        return self._archive.records(1, self._archive.last())

    def tail(self) -> list[dict[str, Any]]:
        """The newest ones, from the start of the last run that left nothing open; all there is to go on from."""
        last = self._archive.last()
        self._last = last
        found: list[dict[str, Any]] = []
        while last:
            first = max(1, last - 63)
            page = self._archive.records(first, last)
            for back, record in enumerate(reversed(page)):
                if record["kind"] == "ended" and not record["open"]:
                    return page[len(page) - back :] + found
            found = page + found
            last = first - 1
        return found


def chunks(records: Iterable[Mapping[str, Any]]) -> dict[str, ChunkState]:
    """How far each chunk has come, in the order in which they were planned."""
    found: dict[str, ChunkState] = {}
    for record in records:
        name = record.get("chunk")
        if name is None:
            continue
        state = found.setdefault(name, ChunkState(name, record["run"]))
        kind = record["kind"]
        if kind in _STATES:
            state.state = kind
        if kind == "written":
            state.object, state.manifest = Stored(**record["object"]), Stored(**record["manifest"])
            state.rows, state.rows_sha256 = record["rows"], record["rows_sha256"]
        elif kind == "deleted":
            state.deleted = merged(state.deleted, record["deleted"])
            state.gone = merged(state.gone, record["gone"])
            for why, ranges in record["left"].items():
                state.left[why] = merged(state.left.get(why, []), ranges)
            state.at, state.seq = record["at"], record["seq"]
            state.deletions += deletions(record)
        elif kind == "done":
            state.keys = Stored(**record["keys"]["object"]) if record["keys"] else None
    return found


def deletions(record: Mapping[str, Any]) -> list[Deletion]:
    """What is in the archive by one record ``deleted``; empty if nothing is.

    A row that was ``gone`` when its turn came was deleted by somebody else, and is not ours to bring back, unless the
    record was written after a crash: then our own deletion is why it is gone.
    """
    found = merged(record["deleted"], record["gone"] if record.get("resumed") else [])
    return [Deletion(record["seq"], record["at"], record["run"], record["chunk"], found)] if found else []


def positions(ranges: Sequence[Sequence[int]]) -> Iterator[int]:
    """Every position of the ranges."""
    for first, behind in ranges:
        yield from range(first, behind)


def ranges(found: Iterable[int]) -> Ranges:
    """Positions as ranges."""
    made: Ranges = []
    for position in sorted(found):
        if made and made[-1][1] == position:
            made[-1][1] += 1
        else:
            made.append([position, position + 1])
    return made


def merged(one: Ranges, other: Ranges) -> Ranges:
    """The positions of both."""
    made: Ranges = []
    for first, behind in sorted([*one, *other]):
        if made and first <= made[-1][1]:
            made[-1][1] = max(made[-1][1], behind)
        else:
            made.append([first, behind])
    return made


def count(found: Sequence[Sequence[int]]) -> int:
    """How many positions they are."""
    return sum(behind - first for first, behind in found)

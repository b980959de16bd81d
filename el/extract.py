"""MySQL → landing: what changed in one table, as files that a commit makes exist.

In: a table, its shape, the bound of the run. Out: zero or more commits. dlt writes the files and keeps the schema
(``upload.py``); the commit is ours (``landing.py``). First run, delta and resumption are one path, a *pass*:

1. the head commit says where we are: nothing yet, a finished pass with its next ``lo``, or a pass that was cut off;
2. if the rows at or beyond ``lo`` are still those of the fingerprint, there is nothing new: two queries, no dlt;
3. read ``cursor >= lo`` in chunks by primary key; every so many rows dlt uploads them and a commit seals them;
4. the last commit of the pass carries the next ``lo``, and the fingerprint that was taken before the first read.

A full pass reads every row: the first one, ``--full``, and when rows would be copied in another form than before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

import pyarrow as pa

from el import __version__
from el.config import Table
from el.errors import CommitExists
from el.landing import Commit, LandedColumn, Pass, TableLanding, Window
from el.mysql.catalog import TableShape
from el.mysql.chunks import Key, behind, boundary, chunk_rows, up_to
from el.mysql.connection import Connection, connected
from el.mysql.fingerprint import Fingerprint, fingerprint, unchanged, window_condition
from el.mysql.reader import Reader
from el.mysql.values import hash_key_id
from el.mysql.window import Bound
from el.settings import MySQL
from el.upload import ADDED, Load, upload

#: A commit's rows lie on the local disk until they are uploaded; a pass that is cut off repeats no more than these.
_ROWS_PER_COMMIT = 2_000_000
#: Another extractor at work on the same table: that many times we begin again from its commit.
_ATTEMPTS = 5

Progress = Callable[[int], None]


@dataclass
class Extracted:
    """What one table's extract has committed. ``lo`` and ``next_lo`` are the window of its pass."""

    rows: int = 0
    commits: int = 0
    files: int = 0
    bytes: int = 0
    lo: str | None = None
    next_lo: str | None = None
    full: bool = False
    warnings: list[str] = field(default_factory=list)
    counts: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, commit: Commit) -> None:
        """Count a commit that was written."""
        self.commits += 1
        self.rows += commit.rows
        self.files += len(commit.files)
        self.bytes += sum(file.size for file in commit.files)
        for kind, found in commit.counts.items():
            self.counts.setdefault(kind, Counter()).update(found)


@dataclass(frozen=True)
class Extractor:
    """One table of one run."""

    table: Table
    shape: TableShape
    server: MySQL
    landing: TableLanding
    bound: Bound
    hash_key: bytes | None
    work: Path
    progress: Progress = lambda rows: None
    expect: Progress = lambda rows: None

    def run(self, result: Extracted, full: bool = False) -> None:
        """Bring the landing up to date. ``result`` counts what was committed, also when an error ends it.

        Raises:
            SourceError: MySQL refuses, or a value cannot be carried.
            LandingError: S3 refuses.
        """
        for attempt in range(_ATTEMPTS):
            try:
                with connected(self.table.source, self.server) as connection:
                    self._pass(connection, full, result)
                return
            except CommitExists:
                # Our files are named by no commit, so they do not exist; begin again from the other's commit.
                if attempt == _ATTEMPTS - 1:
                    raise

    def _pass(self, connection: Connection, full: bool, result: Extracted) -> None:
        head = self.landing.head()
        plan = self._plan(head, full, result)
        if self._is_idle(connection, head, plan):
            result.lo = result.next_lo = plan.window.lo
            return
        mark = plan.fingerprint or fingerprint(connection, self.shape, _parse(plan.window.next_lo))
        if plan.full and plan.after is None:
            self.expect(self.shape.estimated_rows)
        result.full, result.lo, result.next_lo = plan.full, plan.window.lo, plan.window.next_lo
        first_seq = plan.first_seq or (head.seq + 1 if head else 1)
        after, previous = plan.after, head
        with Reader(self.table.label, self.server, self.shape, self.hash_key) as reader:
            done = False
            while not done:
                batch = _Batch(self, connection, reader, _condition(self.shape, plan), after)
                seq = (previous.seq if previous else 0) + 1
                load = upload(self.table.label, self.landing, self.shape.columns, reader.schema, batch, seq, self.work)
                after, done = batch.after, batch.done
                reading = Pass(plan.full, first_seq, done, after)
                commit = self._commit(seq, load, previous, plan, reading, mark, reader.take_counts(), result)
                self.landing.write_commit(commit)
                result.add(commit)
                previous = commit

    def _plan(self, head: Commit | None, full: bool, result: Extracted) -> _Plan:
        """What to read now, from the head commit alone."""
        bound = partial(self.bound.next_lo, self.shape.cursor_is_local, self.shape.cursor_digits, self.table.overlap)
        if self.table.mode == "replace":
            return _Plan(True, Window(None, None, None))
        changed = head is not None and (head.signature != self._signature() or head.mode != "merge")
        if head is None or full or changed:
            if head is not None and changed:
                result.warnings.append(_what_changed(head, self.shape))
            next_lo = _print(bound(None))
            return _Plan(True, Window(self.table.cursor, None, next_lo))
        if not head.reading.done:
            mark = Fingerprint(**head.fingerprint)
            return _Plan(head.reading.full, head.window, mark, head.reading.first_seq, head.reading.after)
        lo = _parse(head.window.next_lo)
        return _Plan(lo is None, Window(self.table.cursor, head.window.next_lo, _print(bound(lo))))

    def _is_idle(self, connection: Connection, head: Commit | None, plan: _Plan) -> bool:
        if (
            head is None
            or plan.after is not None
            or head.signature != self._signature()
            or head.mode != self.table.mode
        ):
            return False
        if self.table.mode == "merge" and (plan.full or not head.reading.done):
            return False
        return unchanged(connection, self.shape, _parse(plan.window.lo), Fingerprint(**head.fingerprint))

    def _signature(self) -> str:
        # Another hash key makes other hashes of the same values: then every row is copied again.
        key = hash_key_id(self.hash_key) if self.hash_key and self.table.hash else ""
        return self.shape.signature + key

    def _commit(
        self,
        seq: int,
        load: Load,
        previous: Commit | None,
        plan: _Plan,
        reading: Pass,
        mark: Fingerprint,
        counts: dict[str, dict[str, int]],
        result: Extracted,
    ) -> Commit:
        keys = {column.raw_name for column in self.shape.primary_key}
        types = ADDED | {column.raw_name: column.redshift for column in self.shape.columns}
        json_columns = {column.raw_name for column in self.shape.columns if column.is_json}
        return Commit(
            source=self.table.source,
            table=self.table.name,
            seq=seq,
            load_id=load.load_id,
            previous_load_id=previous.load_id if previous else None,
            mode=self.table.mode,
            reading=reading,
            window=plan.window,
            signature=self._signature(),
            columns=[LandedColumn(name, types[name], name in keys, name in json_columns) for name in load.columns],
            files=load.files,
            rows=sum(file.rows for file in load.files),
            fingerprint=asdict(mark),
            dlt_schema_hash=load.schema_hash,
            server=self.bound.server,
            extracted_at=load.extracted_at.isoformat(timespec="seconds"),
            el_version=__version__,
            counts=counts,
            warnings=[*result.warnings, *said(counts)],
        )


@dataclass(frozen=True)
class _Plan:
    """One pass, before its first row is read."""

    full: bool
    window: Window
    fingerprint: Fingerprint | None = None
    first_seq: int | None = None
    after: Key | None = None


class _Batch:
    """The rows of one commit: chunk after chunk, until there are enough. Iterated once, by dlt."""

    def __init__(
        self, extractor: Extractor, connection: Connection, reader: Reader, condition: str, after: Key | None
    ) -> None:
        self._connection, self._shape, self._reader = connection, extractor.shape, reader
        self._condition, self._in_chunks = condition, extractor.table.mode == "merge"
        self._progress = extractor.progress
        self.after = after
        self.done = False

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        read = 0
        size = chunk_rows(self._shape)
        while not self.done and read < _ROWS_PER_COMMIT:
            last, condition = None, self._condition
            if self._in_chunks:  # mode replace is one query: one moment, and a table without a key has no ranges
                last = boundary(self._connection, self._shape, self._condition, self.after, size)
                condition = f"{self._condition} and {behind(self._shape, self.after)} and {up_to(self._shape, last)}"
            for batch in self._reader.read(condition):
                read += len(batch)
                yield batch
                self._progress(len(batch))
            self.after, self.done = last, last is None


def _condition(shape: TableShape, plan: _Plan) -> str:
    return window_condition(shape, None if plan.full else _parse(plan.window.lo))


def _parse(moment: str | None) -> datetime | None:
    return datetime.fromisoformat(moment) if moment else None


def _print(moment: datetime | None) -> str | None:
    return moment.isoformat(" ", "microseconds") if moment else None


def said(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """What could not be carried as it was, in words."""
    words = {"zero_dates": "dates that do not exist became NULL", "nul_characters": "texts lost NUL characters"}
    return [
        f"column {column}: {many:,} {words[kind]}" for kind, found in counts.items() for column, many in found.items()
    ]


def _what_changed(head: Commit, shape: TableShape) -> str:
    before = {column.name for column in head.columns} - ADDED.keys()
    now = {column.raw_name for column in shape.columns}
    facts = []
    if now - before:
        facts.append(f"new columns {', '.join(sorted(now - before))}")
    if before - now:
        facts.append(f"{', '.join(sorted(before - now))} no longer read (kept in Redshift; NULL in rows copied now)")
    return (
        f"{'; '.join(facts) or 'types, key, cursor or hash key changed'} since commit {head.seq}: copied in full again"
    )

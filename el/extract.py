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
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from el import __version__
from el.config import Table
from el.errors import CommitExists
from el.landing import Asked, Commit, LandedColumn, Pass, Server, TableLanding, Window
from el.mysql.catalog import TableShape
from el.mysql.chunks import Key, behind, boundary, chunk_rows, up_to
from el.mysql.connection import Connection, connected
from el.mysql.fingerprint import Fingerprint, fingerprint, glance, newest_behind, window_condition
from el.mysql.identity import change, read_server
from el.mysql.reader import Reader
from el.mysql.values import hash_key_id
from el.mysql.window import Bound
from el.plan import missed
from el.plan import plan as make_plan
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
    accept_server: bool = False
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
        bound = self._bound(connection, head)
        plan = make_plan(head, self.table, self.shape, self._signature(), bound, full, self.accept_server)
        warnings = [*plan.warnings]
        if head and plan.expected:
            idle, newest = glance(connection, self.shape, plan.window.lo, plan.expected)
            warnings += missed(head, self.table, self.shape.cursor, newest)
            if idle:
                result.lo = result.next_lo = plan.window.lo
                result.warnings += [*warnings, *_without_cursor(self.shape, plan.expected)]
                return
        window, mark = plan.window, plan.mark
        if mark is None:
            mark = fingerprint(connection, self.shape, window.next_lo)
            window = replace(window, newest=newest_behind(connection, self.shape, window.next_lo))
        warnings += _without_cursor(self.shape, mark)
        result.warnings += warnings
        if plan.full and plan.after is None:
            self.expect(self.shape.estimated_rows)
        result.full, result.lo, result.next_lo = plan.full, window.lo, window.next_lo
        first_seq = plan.first_seq or (head.seq + 1 if head else 1)
        after, previous = plan.after, head
        condition = window_condition(self.shape, None if plan.full else window.lo)
        with Reader(self.table.label, self.server, self.shape, self.hash_key) as reader:
            done = False
            while not done:
                batch = _Batch(self, connection, reader, condition, after)
                seq = (previous.seq if previous else 0) + 1
                load = upload(self.table.label, self.landing, self.shape.columns, reader.schema, batch, seq, self.work)
                after, done = batch.after, batch.done
                reading = Pass(plan.full, first_seq, done, after)
                # After the read: what was read must be part of the history that the next run asks for.
                server = replace(self.bound.server, gtid=read_server(connection).gtid)
                counts = reader.take_counts()
                commit = self._commit(seq, load, previous, plan.asked, window, server, reading, mark, counts, warnings)
                self.landing.write_commit(commit)
                result.add(commit)
                previous = commit

    def _bound(self, connection: Connection, head: Commit | None) -> Bound:
        """The bound, with a history that is as new as the head commit: another extractor may have written it since."""
        asked = self.bound.server
        if head is None or change(head.server, asked) == "same":
            return self.bound
        now = read_server(connection)
        # A replica's position in its own log says nothing of the primary's.
        return replace(self.bound, server=Server(asked.id, now.gtid, now.lsn if now.id == asked.id else None))

    def _signature(self) -> str:
        # Another hash key makes other hashes of the same values: then every row is copied again.
        key = hash_key_id(self.hash_key) if self.hash_key and self.table.hash else ""
        return self.shape.signature + key

    def _commit(
        self,
        seq: int,
        load: Load,
        previous: Commit | None,
        asked: Asked,
        window: Window,
        server: Server,
        reading: Pass,
        mark: Fingerprint,
        counts: dict[str, dict[str, int]],
        warnings: list[str],
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
            window=window,
            signature=self._signature(),
            columns=[LandedColumn(name, types[name], name in keys, name in json_columns) for name in load.columns],
            files=load.files,
            rows=sum(file.rows for file in load.files),
            fingerprint=asdict(mark),
            dlt_schema_hash=load.schema_hash,
            server=server,
            asked=asked,
            extracted_at=load.extracted_at.isoformat(timespec="seconds"),
            el_version=__version__,
            counts=counts,
            warnings=[*warnings, *said(counts)],
        )


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


def said(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """What could not be carried as it was, in words."""
    words = {
        "zero_dates": "dates that do not exist became NULL",
        "nul_characters": "texts lost NUL characters",
        "oversize_nulls": "values that Redshift cannot hold became NULL",
        "truncated": "values were cut to what Redshift holds",
        "json_misses": "JSON values could not be parsed and are NULL",
    }
    return [
        f"column {column}: {many:,} {words[kind]}" for kind, found in counts.items() for column, many in found.items()
    ]


def _without_cursor(shape: TableShape, mark: Fingerprint) -> list[str]:
    if not mark.nulls or not shape.cursor:
        return []
    return [
        f"{mark.nulls:,} rows have no {shape.cursor.name}: each of them is read again whenever one row of the window "
        f"changes. Remedy: set it at every write"
    ]

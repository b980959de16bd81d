"""MySQL → landing: what changed in one table, as files that a commit makes exist.

In: a table, its shape, the bound of the run. Out: zero or more commits. dlt writes the files and keeps the schema
(``upload.py``); the commit is ours (``landing.py``). First run, delta and resumption are one path, a *pass*:

1. the head commit says where we are: nothing yet, a finished pass with its next ``lo``, or a pass that was cut off;
2. if the rows at or beyond ``lo`` are still those of the fingerprint, there is nothing new: two queries, no dlt;
3. read ``cursor >= lo`` in chunks by primary key; every so many rows are a part, which dlt uploads and a commit
   seals, while the next part is read;
4. the last commit of the pass carries the next ``lo``, and the fingerprint that was taken before the first read.

A full pass reads every row: the first one, ``--full``, and when rows would be copied in another form than before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow as pa

from el import __version__
from el.config import Table
from el.errors import CommitExists, SourceError
from el.landing import ADDED, Commit, LandedColumn, LandedFile, Pass, Server, TableLanding
from el.mysql.catalog import TableShape
from el.mysql.chunks import Chunks
from el.mysql.connection import Connection, Connections
from el.mysql.fingerprint import Fingerprint, fingerprint, glance, newest_behind, window_condition
from el.mysql.identity import change, of_origins, read_server
from el.mysql.kindness import Kindness
from el.mysql.reader import Reader
from el.mysql.values import Values, hash_key_id
from el.mysql.window import Bound
from el.outcome import Extracted
from el.parts import Part, move
from el.plan import Now, Plan, Range, drift, missed
from el.plan import backfill as make_backfill
from el.plan import plan as make_plan
from el.progress import SILENT, Bar
from el.retry import RACE, retry
from el.settings import MySQL
from el.summary import Salt, Summary
from el.upload import Form, Load, Upload


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
    connections: Connections
    kindness: Kindness
    accept_server: bool = False
    bar: Bar = SILENT
    stopping: Callable[[], str] = lambda: ""

    def run(self, result: Extracted, full: bool = False, backfill: Range | None = None) -> None:
        """Bring the landing up to date, or read the range ``backfill`` again.

        ``result`` counts what was committed, also when an error ends it.

        Raises:
            SourceError: MySQL refuses, or a value cannot be carried.
            LandingError: S3 refuses.
        """
        # Another extractor was first: our files are named by no commit, so they do not exist; go on from its commit.
        retry(lambda: self._pass(full, backfill, result), RACE, CommitExists)

    def _pass(self, full: bool, backfill: Range | None, result: Extracted) -> None:
        hours = f"hours {self.table.server.hours}"
        with self.connections.one() as connection:
            is_open = self.kindness.pause(connection, 0, self.bar.say, lambda: bool(self.stopping()))
            if self.stopping():
                result.unfinished = True
                return
            if not is_open:
                result.warnings.append(f"it is outside of {hours}: nothing was read")
                result.unfinished = True
                return
            head = self.landing.head()
            plan = (
                self._backfill(connection, head, backfill, result)
                if backfill
                else self._plan(connection, head, full, result)
            )
        if plan is None:
            return
        if plan.full and plan.after is None:
            self.bar.expect(self.shape.estimated_rows)
        if not backfill:
            result.full, result.lo, result.next_lo = plan.full, plan.window.lo, plan.window.next_lo
        values = Values(self.table.label, self.shape, self.hash_key)
        reader = Reader(self.server, values, self.kindness, self.bar.say, self.stopping)
        if backfill and self.shape.cursor:
            condition = self.shape.cursor.between(backfill.lo, backfill.to)
        else:
            condition = window_condition(self.shape, None if plan.full else plan.window.lo)
        if self.shape.primary_key:
            chunks = Chunks(self.shape, condition, plan.after, self.kindness.limits.max_rows_per_second)
            # Mode replace has one commit: what is cut off would begin again, and might never come to its end.
            rows = reader.read(chunks, to_the_end=self.table.mode == "replace")
        else:
            rows = reader.read_by_one_query(condition)
        seal = _Seal(self, reader.schema, head, plan, result)
        if move(rows, reader.stop, seal.upload, seal, self.bar.moved):
            return
        why = self.stopping()
        over = f"{why or f'{hours} are over'}: what was read is committed"
        if backfill:
            raise SourceError(f"{self.table.label}: {over}, the rest of the range is not. Run the backfill again")
        result.unfinished = True
        result.next_lo = plan.window.lo
        result.warnings.append(f"{over}, and the next run goes on from there")

    def _plan(self, connection: Connection, head: Commit | None, full: bool, result: Extracted) -> Plan | None:
        """What is to be read, with the fingerprint of before the read; None if there is nothing new."""
        bound = self._bound(connection, head)
        plan = make_plan(head, Now(self.table, self.shape, self.signature, bound), full, self.accept_server)
        result.warnings += plan.warnings
        if head and head.signature != self.signature:
            result.drift = drift(head, self.shape)
        if head and plan.expected:
            idle, newest = glance(connection, self.shape, plan.window.lo, plan.expected)
            result.warnings += missed(head, self.table, self.shape.cursor, newest)
            if idle:
                result.lo = result.next_lo = plan.window.lo
                result.warnings += _without_cursor(self.shape, plan.expected)
                return None
        if plan.mark is None:
            mark = fingerprint(connection, self.shape, plan.window.next_lo)
            newest = newest_behind(connection, self.shape, plan.window.next_lo)
            plan = replace(plan, mark=mark, window=replace(plan.window, newest=newest))
        assert plan.mark
        result.warnings += _without_cursor(self.shape, plan.mark)
        return plan

    def _backfill(self, connection: Connection, head: Commit | None, wanted: Range, result: Extracted) -> Plan:
        bound = self._bound(connection, head)
        plan = make_backfill(head, Now(self.table, self.shape, self.signature, bound), wanted)
        result.backfill = (wanted.lo, wanted.to)
        result.warnings = list(plan.warnings)  # a second attempt, behind another extractor's commit, says the same
        return plan

    def _bound(self, connection: Connection, head: Commit | None) -> Bound:
        """The bound, with a history that is as new as the head commit: another extractor may have written it since."""
        asked = self.bound.server
        if head is None or change(head.server, asked) == "same":
            return self.bound
        now = read_server(connection)
        # A replica's position in its own log says nothing of the primary's.
        return replace(self.bound, server=Server(asked.id, now.gtid, now.lsn if now.id == asked.id else None))

    @property
    def signature(self) -> str:
        """The shape's, and which hash key is used."""
        # Another hash key makes other hashes of the same values: then every row is copied again.
        key = hash_key_id(self.hash_key) if self.hash_key and self.table.hash else ""
        return self.shape.signature + key


class _Seal:
    """Commits, one after the other: called when a part of the pass lies on S3.

    Mode merge has a commit per part. Mode replace has one, which names the files of all parts: Redshift must never show
    half a table.
    """

    def __init__(
        self,
        extractor: Extractor,
        schema: pa.Schema,
        head: Commit | None,
        plan: Plan,
        result: Extracted,
    ) -> None:
        self._extractor, self._schema, self._plan, self._result = extractor, schema, plan, result
        self._previous = head
        self._next_seq = head.seq + 1 if head else 1
        self._first_seq = plan.first_seq or self._next_seq
        self._in_one = extractor.table.mode == "replace"
        self._files: list[LandedFile] = []
        self._counts: dict[str, Counter[str]] = {}
        self._salt = head.summary.salt if head else Salt.new()
        self._summary = Summary(self._salt)

    def upload(self, number: int) -> Upload:
        """The way of the part with this number, from 0."""
        one, seq = self._extractor, self._next_seq + (0 if self._in_one else number)
        form = Form(one.shape.columns, self._schema, self._salt)
        return Upload(one.table.label, one.landing, form, seq, one.work)

    def __call__(self, load: Load, part: Part) -> None:
        """Write the commit of a part, or keep its files for the commit of the last."""
        self._files += load.files
        self._summary += load.summary
        for kind, found in part.counts.items():
            self._counts.setdefault(kind, Counter()).update(found)
        if self._in_one and not part.done:
            return
        reading = Pass(self._plan.full, self._first_seq, part.done, part.after)
        if self._plan.backfill:
            reading = self._plan.backfill.reading
        commit = self._commit(load, reading)
        self._extractor.landing.write_commit(commit)
        self._count(commit)
        self._previous, self._files, self._counts, self._summary = commit, [], {}, Summary(self._salt)

    def _count(self, commit: Commit) -> None:
        done = self._result
        done.commits += 1
        done.rows += commit.rows
        done.files += len(commit.files)
        done.bytes += sum(file.size for file in commit.files)
        for kind, found in commit.counts.items():
            done.counts.setdefault(kind, Counter()).update(found)

    def _commit(self, load: Load, reading: Pass) -> Commit:
        one, previous = self._extractor, self._previous
        assert self._plan.mark
        keys = {column.raw_name for column in one.shape.primary_key}
        types = ADDED | {column.raw_name: column.redshift for column in one.shape.columns}
        json_columns = {column.raw_name for column in one.shape.columns if column.is_json}
        counts = {kind: dict(found) for kind, found in self._counts.items()}
        return Commit(
            source=one.table.source,
            table=one.table.name,
            seq=previous.seq + 1 if previous else 1,
            load_id=load.load_id,
            previous_load_id=previous.load_id if previous else None,
            mode=one.table.mode,
            reading=reading,
            window=self._plan.window,
            signature=one.signature,
            columns=[LandedColumn(name, types[name], name in keys, name in json_columns) for name in load.columns],
            files=self._files,
            rows=sum(file.rows for file in self._files),
            summary=self._summary,
            fingerprint=asdict(self._plan.mark),
            dlt_schema_hash=load.schema_hash,
            server=self._history(),
            asked=self._plan.asked,
            extracted_at=load.extracted_at.isoformat(timespec="seconds"),
            el_version=__version__,
            counts=counts,
            warnings=[*self._result.warnings, *said(counts)],
        )

    def _history(self) -> Server:
        """After the read: what was read must be part of the history that the next run asks for."""
        one = self._extractor
        server = one.bound.server
        with one.connections.one() as connection:
            answering = read_server(connection)
            if answering.id != server.id:
                answering = read_server(connection, replica=True)
        gtid = answering.gtid if answering.id == server.id else of_origins(answering.gtid, server.gtid)
        return replace(server, gtid=gtid)


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

"""One table on its way into the archive: what a run before left open, then chunk after chunk.

In: a plan without refusals, the table's lease. Out: ``Moved``, what became of the rows. Per chunk, each step behind its
record in the journal:

    planned   → write the object, write its manifest
    written   → read the object back whole by its version, decode it, hash every row
    verified  → ``deleting`` → transaction after transaction, a record ``deleted`` behind each
                write the keys of what was deleted, for load
    done

While a chunk is deleted, the next one is read, written and verified; its deletion begins when that of the one before
has ended. So a run may leave two chunks open. The next run goes on with them from the journal alone, before it reads
anything: what was only planned is given up (its rows are read again), what was written is read back again, and what was
being deleted is proven again, row by row, under the locks of MySQL. A row that is absent then was deleted before the
crash, or by somebody else; its copy is verified either way.

A table that was altered in between hashes otherwise, so all that is left of an open chunk is left.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256

import pyarrow as pa

from el import __version__
from el.archive import deleted, journal, objects, rows
from el.archive.delete import Copies, Deleter, Outcome, Stays
from el.archive.journal import ChunkState, Journal
from el.archive.objects import Manifest, Proven
from el.archive.pace import Pace
from el.archive.plan import Decision
from el.archive.read import Reader, Wanted
from el.archive.rows import Column
from el.archive.store import TableArchive
from el.archived import Stored
from el.errors import ArchiveError, LandingDamage, Unproven
from el.landing import Server
from el.mysql.connection import connected
from el.progress import Bar
from el.settings import MySQL
from el.stop import Stop

log = logging.getLogger("el")


@dataclass
class Moved:
    """What became of the rows of one table. ``longest`` is the longest transaction, in seconds.

    ``archived`` rows are in verified objects, ``deleted`` of them are gone from MySQL by us, ``gone`` by somebody else
    or before a crash; ``left`` are in MySQL still, by reason. ``open``: chunks that the next run goes on with.
    """

    archived: int = 0
    deleted: int = 0
    gone: int = 0
    left: dict[str, int] = field(default_factory=dict)
    objects: int = 0
    bytes: int = 0
    longest: float = 0.0
    open: list[str] = field(default_factory=list)


@dataclass
class _Ready:
    """A chunk whose object is verified."""

    state: ChunkState
    proven: Proven
    resumed: bool = False


@dataclass(frozen=True)
class Context:
    """One table in one run. ``identity`` is who answers at ``server``; ``most_rows`` of a chunk, None: as many as fit.

    ``held``: SQL that is true for a row under a hold. It is not read; one that was read before the hold is left.
    ``hidden``: columns whose values Redshift must not see.
    """

    plan: Decision
    run: str
    source: str
    server: MySQL
    identity: Server
    archive: TableArchive
    pace: Pace
    bar: Bar
    stop: Stop
    most_rows: int | None = None
    held: str | None = None
    hidden: Sequence[str] = ()


class Mover:
    """One table in one run."""

    def __init__(self, at: Context) -> None:
        plan, archive = at.plan, at.archive
        self.moved = Moved()
        #: Why it ended before all was moved; empty if it did not.
        self.why = ""
        self._plan, self._run, self._source, self._server = plan, at.run, at.source, at.server
        self._identity, self._shape = at.identity, plan.shape
        self._archive, self._pace, self._bar = archive, at.pace, at.bar
        self._stopping, self._wait = at.stop, at.stop.wait
        self._most_rows, self._held, self._hidden = at.most_rows, at.held, at.hidden
        self._journal = Journal(archive, at.run)
        self._lock = threading.Lock()

    def move(self) -> Moved:
        """Go on with what is open, then move what is old.

        Raises:
            ArchiveError: a copy is not what was written, or the journal is not ours. Nothing unproven was deleted.
            SourceError, LandingError: MySQL or S3 cannot be reached or refuses.
        """
        left_open = [
            state for state in journal.chunks(self._journal.tail()).values() if state.state not in ("done", "given_up")
        ]
        plan = self._plan
        self._journal.append(
            "run",
            as_of=plan.as_of,
            cutoff=plan.cutoff,
            retention=plan.retention,
            age=plan.age,
            where=plan.where,
            until=plan.until,
            resumes=[state.chunk for state in left_open],
            server=asdict(self._identity),
        )
        self.moved.open = [state.chunk for state in left_open]
        failed = True
        try:
            with Deleter(
                self._source, self._server, self._shape, Stays(plan.horizon, self._held), self._wait
            ) as deleter:
                self._move(deleter, left_open)
            failed = False
        finally:
            self._end("failed" if failed else "cut off" if self.why else "done")
        return self.moved

    def _move(self, deleter: Deleter, left_open: list[ChunkState]) -> None:
        # First these: what they still have to delete must not be read once more meanwhile.
        for state in left_open:
            ready = self._resumed(deleter, state)
            if ready and not self._delete(deleter, ready):
                return
        with closing(self._ready()) as chunks:
            for ready in chunks:
                if not self._delete(deleter, ready):
                    return

    def _end(self, state: str) -> None:
        moved = asdict(self.moved)
        try:
            self._journal.append("ended", state=state, **moved)
        except Exception as error:  # without this record the next run reads a little more of the journal
            log.warning("%s: the journal has no end of this run: %s", self._plan.label, type(error).__name__)

    def _ready(self) -> Generator[_Ready, None, None]:
        """Verified chunks, each while the one before it is deleted."""
        reader = Reader(
            self._source,
            self._server,
            self._shape,
            Wanted(self._plan.condition + (f" and not {self._held}" if self._held else ""), self._most_rows),
            self._wait,
        )
        made = self._verified(reader)
        with ThreadPoolExecutor(1) as pool:
            following = pool.submit(next, made, None)
            try:
                while ready := following.result():
                    following = pool.submit(next, made, None)
                    yield ready
            finally:
                reader.stop()
                following.exception()  # it may be at its journal: wait for it

    def _verified(self, reader: Reader) -> Iterator[_Ready]:
        for number, table in enumerate(reader.chunks(), 1):
            if self._stopping():
                self.why = self._stopping()
                break
            yield self._written(f"{self._run}-{number:06d}", table)
        if reader.left:
            with self._lock:
                self.moved.left["json"] = self.moved.left.get("json", 0) + reader.left

    def _written(self, chunk: str, table: pa.Table) -> _Ready:
        """Write a chunk and read it back."""
        state = ChunkState(chunk, self._run)
        keys = {"object": self._archive.rows_key(chunk), "manifest": self._archive.manifest_key(chunk)}
        with self._lock:
            self.moved.open.append(chunk)
        self._journal.append("planned", chunk=chunk, **keys)
        until = datetime.fromisoformat(self._plan.until)
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        body = objects.to_parquet(table)
        state.rows, state.rows_sha256 = len(table), rows.digest(rows.hashes(self._shape.columns, table))
        state.object = self._archive.put(keys["object"], body, until)
        manifest = self._manifest(state, state.object, table)
        state.manifest = self._archive.put(keys["manifest"], manifest.to_json(), until)
        self._journal.append(
            "written",
            chunk=chunk,
            object=asdict(state.object),
            manifest=asdict(state.manifest),
            rows=state.rows,
            rows_sha256=state.rows_sha256,
        )
        return self._read_back(state)

    def _read_back(self, state: ChunkState, resumed: bool = False) -> _Ready:
        assert state.object
        proven = self._proven(state, self._shape.columns)
        if state.state in ("planned", "written"):
            self._journal.append("verified", chunk=state.chunk)
        with self._lock:
            if not resumed:
                self.moved.archived += state.rows
            self.moved.objects += 1
            self.moved.bytes += state.object.size
        return _Ready(state, proven, resumed)

    def _proven(self, state: ChunkState, columns: Sequence[Column]) -> Proven:
        """The rows of a chunk's object, read whole and proven."""
        assert state.object
        try:
            return objects.read_back(self._archive, state.object, columns, state.rows, state.rows_sha256)
        except (ArchiveError, LandingDamage) as error:
            if state.state in ("planned", "written"):
                self._give_up(state, "the object that was read back is not the one that was written")
                then = "Nothing of it was deleted; the next run reads its rows from MySQL again"
            else:
                then = (
                    "An earlier run verified it and may have deleted rows. The table waits until the object is there "
                    f"again: {state.object.key}, version {state.object.version}. el-archive verify tells about others"
                )
            raise Unproven(f"{self._plan.label}: {error} {then}. Find out who writes into the archive.") from None

    def _resumed(self, deleter: Deleter, state: ChunkState) -> _Ready | None:
        """A chunk of an earlier run; None if there is nothing to be done with it any more."""
        if state.state == "planned":
            self._give_up(state, "the run ended before the object was written; its rows are read again")
            return None
        assert state.object and state.manifest
        body = self._archive.get(state.manifest.key, state.manifest.version)
        if sha256(body).hexdigest() != state.manifest.sha256:
            raise Unproven(
                f"{self._archive.url}/{state.manifest.key} (version {state.manifest.version}) has another SHA-256 than "
                "was written. Nothing was deleted by this run. Find out who writes into the archive."
            )
        manifest = Manifest.from_json(body, f"{self._archive.url}/{state.manifest.key}")
        if (
            manifest.hash_sql != rows.hash_sql(self._shape.columns)
            or not rows.schema(manifest.archived).equals(rows.schema(self._shape.columns))
            or manifest.primary_key != [one.name for one in self._shape.primary_key]
        ):
            columns = {one.name: one for one in manifest.archived}
            key = tuple(columns[name] for name in manifest.primary_key)
            proven = self._proven(state, manifest.archived) if state.state == "deleting" else None
            self._record(state, self._of_altered(deleter, state, key, proven), resumed=True)
            self._done(state, key, proven)
            return None
        return self._read_back(state, resumed=True)

    def _of_altered(
        self, deleter: Deleter, state: ChunkState, key: tuple[Column, ...], proven: Proven | None
    ) -> Outcome:
        """What became of the rest of a chunk whose table was altered since: its rows cannot be compared any more.

        A crash may have kept a deletion from being recorded. So a row that MySQL does not have, or of which it cannot
        be asked because the key is another one, counts as gone: better that a restore offers a row too many.
        """
        tried = state.tried
        rest = [position for position in range(state.rows) if position not in tried]
        if proven is None:  # nothing of it was being deleted
            return Outcome(left={"changed": rest})
        if [_comparable(one) for one in key] != [_comparable(one) for one in self._shape.primary_key]:
            return Outcome(gone=rest)
        copies = Copies(replace(self._shape, primary_key=key, auto_increment=None), proven)
        gone = deleter.absent(copies, rest)
        return Outcome(gone=gone, left={"changed": sorted(set(rest) - set(gone))})

    def _give_up(self, state: ChunkState, why: str) -> None:
        self._journal.append("given_up", chunk=state.chunk, why=why)
        with self._lock:
            self.moved.open.remove(state.chunk)

    def _delete(self, deleter: Deleter, ready: _Ready) -> bool:
        """Delete the rows of one chunk; False if it was asked to stop before all of them were tried."""
        state = ready.state
        copies = Copies(self._shape, ready.proven)
        tried = state.tried
        todo = [position for position in range(len(copies)) if position not in tried]
        if state.state != "deleting":
            self._journal.append("deleting", chunk=state.chunk, rows=len(todo))
        before, unsettled = 0, 0
        while todo:
            if self._stopping() or not self._pace.pause(deleter.connection, before, self._bar.say):
                self.why = self._stopping() or "its hours are over; the next run goes on from here"
                return False
            batch, todo = todo[: self._pace.size], todo[self._pace.size :]
            outcome = deleter.delete(copies, batch)
            unsure = ready.resumed or outcome.unsure
            if unsure:
                # Who holds their locks may be a transaction of ours whose COMMIT is still on its way.
                unsettled += len(outcome.left.pop("busy", []))
            self._record(state, outcome, unsure)
            self._pace.took(len(batch), outcome.seconds)
            self._bar.moved(len(batch))
            before = len(batch)
        if unsettled:  # the chunk stays open, and the next run looks again
            with self._lock:
                self.moved.left["unsettled"] = self.moved.left.get("unsettled", 0) + unsettled
        else:
            self._done(state, self._shape.primary_key, ready.proven)
        return True

    def _record(self, state: ChunkState, outcome: Outcome, resumed: bool) -> None:
        record = self._journal.append(
            "deleted",
            chunk=state.chunk,
            deleted=journal.ranges(outcome.deleted),
            gone=journal.ranges(outcome.gone),
            left={why: journal.ranges(found) for why, found in outcome.left.items()},
            seconds=round(outcome.seconds, 3),
            resumed=resumed,
        )
        state.deletions += journal.deletions(record)
        with self._lock:
            self.moved.deleted += len(outcome.deleted)
            self.moved.gone += len(outcome.gone)
            for why, found in outcome.left.items():
                self.moved.left[why] = self.moved.left.get(why, 0) + len(found)
            self.moved.longest = max(self.moved.longest, outcome.seconds)

    def _done(self, state: ChunkState, key: Sequence[Column], proven: Proven | None) -> None:
        connect = partial(connected, self._source, self._server)
        rows_of = proven.table if proven else None
        facts = deleted.tell(self._archive, state, deleted.Key(key, self._hidden), rows_of, connect)
        self._journal.append("done", chunk=state.chunk, **facts)
        with self._lock:
            self.moved.open.remove(state.chunk)

    def _manifest(self, state: ChunkState, stored: Stored, table: pa.Table) -> Manifest:
        plan, shape = self._plan, self._shape
        keys = [objects.key_of(shape.primary_key, table, position) for position in (0, len(table) - 1)]
        return Manifest(
            source=self._source,
            table=shape.name,
            chunk=state.chunk,
            run=self._run,
            retention=plan.retention,
            age=plan.age,
            where=plan.where,
            as_of=plan.as_of,
            cutoff=plan.cutoff,
            until=plan.until,
            select=plan.sql,
            create_table=shape.create_table,
            columns=[one.facts for one in shape.columns],
            primary_key=[one.name for one in shape.primary_key],
            hash_version=rows.HASH_VERSION,
            hash_sql=rows.hash_sql(shape.columns),
            rows=state.rows,
            first_key=objects.key_json(shape.primary_key, keys[0]),
            last_key=objects.key_json(shape.primary_key, keys[1]),
            object=stored.key,
            version=stored.version,
            size=stored.size,
            sha256=stored.sha256,
            rows_sha256=state.rows_sha256,
            server=asdict(self._identity),
            written_at=datetime.now(UTC).isoformat(timespec="seconds"),
            el_version=__version__,
        )


def _comparable(one: rows.Column) -> tuple[str, str, str | None, str | None]:
    """What two columns of a key have in common if the keys of one can be looked for in the other."""
    return one.name, one.kind, one.charset, one.collation

"""The two phases of a run: extract over all tables, then load over all tables.

In: tables, what the user asked for, and what every run has. Out: the state of ``extract`` or ``load`` in each
``TableResult``, and what was counted. A phase reads its settings when it is made; what all its tables need is asked
once per source: catalogs and bounds of MySQL, all sources side by side, and Redshift's ledgers.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from el import settings
from el.config import Table, raw_name
from el.errors import ConfigError, ElError, TableBusy, UsageError
from el.extract import Extractor, said
from el.lease import Hold
from el.load import Loader, missing_rows
from el.load_archived import Result, Tellers
from el.mysql.catalog import TableShape, read_shapes
from el.mysql.connection import Connections as MySQLConnections
from el.mysql.connection import connected
from el.mysql.kindness import Kindness
from el.mysql.replica import reads_from
from el.mysql.replication import refuse_filters
from el.mysql.window import Bound, read_bound
from el.options import Options
from el.outcome import Extracted, Loaded, State
from el.plan import Range
from el.progress import Bar
from el.redshift import ledger
from el.redshift.catalog import raw_schema
from el.redshift.connection import Connections
from el.replay import Rest, swap
from el.side_by_side import Work, by_turns, patiently, side_by_side
from el.supervise import Going
from el.work import work_folder

log = logging.getLogger("el")


@dataclass(frozen=True)
class _Source:
    """One source in one run: how far watermarks may move, the tables' shapes by name, and who is read."""

    bound: Bound
    shapes: dict[str, TableShape]
    server: settings.MySQL
    connections: MySQLConnections
    kindness: Kindness


class Phase(ABC):
    """What both have in common."""

    job: str

    def __init__(self, tables: Sequence[Table], going: Going, options: Options) -> None:
        self._tables, self._going, self._options = tables, going, options
        self._workers = settings.tables_at_once()

    def fail(self, tables: Iterable[Table], error: ElError) -> None:
        """What all of them need failed. Raises UsageError if it is one."""
        if isinstance(error, UsageError):
            raise error
        log.error("%s", error)
        for table in tables:
            self._going.results[table.label].fail(self.job, str(error))

    @abstractmethod
    def run(self) -> None:
        """Do it. Raises UsageError if what the user wrote is wrong."""

    @contextmanager
    def _held(self, table: Table, bar: Bar) -> Iterator[Hold]:
        """The lease of the job on a table.

        Raises:
            TableBusy: another run works on it, and does what this one would.
            ElError: another run works on it, and does not do what this one was asked for.
        """
        try:
            with self._going.leased(table, self.job, bar) as held:
                yield held
        except TableBusy as busy:
            if self._options.into or (self.job == "extract" and self._options.special):
                raise ElError(
                    f"{table.label}: {busy}. It does not do what {self._options.special} asked for, and this run did "
                    "not either. Run the same again when it has ended."
                ) from None
            raise

    def _why_stop(self, held: Hold) -> str:
        return f"{held.lost} took its lease over" if held.lost else self._going.stop()

    def _ended(self, held: Hold, unfinished: bool, commits: int) -> State:
        if not unfinished:
            held.succeeded = True
            return "done" if commits else "nothing new"
        if held.lost:
            raise TableBusy(f"{held.lost} took its lease over while it was held up")
        return "cut off"


class Extract(Phase):
    """MySQL to S3."""

    job = "extract"

    def __init__(
        self, tables: Sequence[Table], going: Going, options: Options, extracted: Mapping[str, Extracted]
    ) -> None:
        """``extracted``: what is counted of each table, by label."""
        super().__init__(tables, going, options)
        self._extracted = extracted
        self._servers = {one: (settings.mysql(one), settings.mysql_replica(one)) for one in _sources(tables)}
        self._patience = settings.replica_seconds()
        self._hash_key = settings.hash_key() if any(table.hash for table in tables) else None

    def run(self) -> None:
        """Extract every table whose source answers.

        Raises:
            UsageError: the source files or the options are wrong; nothing was started.
        """
        self._known = self._look_up()
        ready = [table for table in self._tables if table.source in self._known]
        shapes = {source: known.shapes for source, known in self._known.items()}
        self._ranges: dict[str, Range] = self._options.ranges(ready, shapes)
        with work_folder(settings.home()) as self._work, ExitStack() as stack:
            for known in self._known.values():
                stack.callback(known.connections.close)
            work = Work(self.job, self._extract, self._workers, quiet=self._going.quiet)
            side_by_side(work, by_turns(ready), self._going.results, self._going.stop)

    def _look_up(self) -> dict[str, _Source]:
        """Catalog and bound of every source that answers."""
        known: dict[str, _Source] = {}
        problems: list[str] = []
        with ThreadPoolExecutor(self._workers) as pool:
            asked = {
                source: pool.submit(
                    patiently, f"source {source}", lambda source=source: self._ask(source), self._going.stop
                )
                for source in self._servers
            }
            for source, answer in asked.items():
                try:
                    known[source] = answer.result()
                except ConfigError as error:
                    problems += error.problems
                except ElError as error:
                    self.fail([table for table in self._tables if table.source == source], error)
        if problems:
            raise ConfigError(problems)
        return known

    def _ask(self, source: str) -> _Source:
        primary, replica = self._servers[source]
        tables = [table for table in self._tables if table.source == source]
        with connected(source, primary) as connection:
            shapes = read_shapes(connection, tables)
        bound = read_bound(source, primary, list(shapes.values()))
        server = reads_from(source, primary, replica, bound, self._patience)
        if replica:
            notes = refuse_filters(source, primary, server, [*shapes])
            bound = replace(bound, warnings=(*bound.warnings, *notes))
        limits = tables[0].server
        if self._options.max_rows_per_second is not None:
            limits = limits.model_copy(update={"max_rows_per_second": self._options.max_rows_per_second})
        kindness = Kindness(source, limits, replica is not None)
        return _Source(bound, shapes, server, MySQLConnections(source, server), kindness)

    def _extract(self, table: Table, bar: Bar) -> State:
        source, done = self._known[table.source], self._extracted[table.label]
        shape, result = source.shapes[table.name], self._going.results[table.label]
        with self._held(table, bar) as held:
            extractor = Extractor(
                table=table,
                shape=shape,
                server=source.server,
                landing=self._going.landing.table(table.source, shape.raw_name),
                bound=source.bound,
                hash_key=self._hash_key if table.hash else None,
                work=Path(self._work),
                connections=source.connections,
                kindness=source.kindness,
                accept_server=self._options.accept_server,
                bar=bar,
                stopping=lambda: self._why_stop(held),
            )
            try:
                extractor.run(done, self._options.full, self._ranges.get(table.label))
            finally:
                result.rows["extracted"], result.objects, result.bytes = done.rows, done.files, done.bytes
                result.note(*done.warnings, *said(done.counts), *shape.warnings, *source.bound.warnings)
            return self._ended(held, done.unfinished, done.commits)


class Load(Phase):
    """S3 to Redshift. What is pending is looked for on S3 first: an idle table costs Redshift nothing."""

    job = "load"

    def __init__(self, tables: Sequence[Table], going: Going, options: Options, loaded: Mapping[str, Loaded]) -> None:
        """``loaded``: what is counted of each table, by label."""
        super().__init__(tables, going, options)
        self._loaded = loaded
        self._server = settings.redshift()
        self._archive = settings.archive_place()
        self._known: dict[str, ledger.Known] = {}
        self._pending: list[Table] = []

    def run(self) -> None:
        """Load what is pending. Raises UsageError for a setting that is wrong."""
        self._warehouse = Connections(self._server)
        try:
            self._run()
        finally:
            self._warehouse.close()

    def _run(self) -> None:
        going, archive = self._going, None if self._options.into else self._archive
        self._tellers = Tellers(archive, self._tables, going.landing, self._warehouse)
        tables = by_turns(self._tables)
        try:
            patiently("Redshift", self._look_up, going.stop)
        except ElError as error:
            self.fail(self._tables, error)
            return
        side_by_side(Work(self.job, self._find_pending, self._workers, quiet=True), tables, going.results, going.stop)
        self._pending.sort(key=tables.index)
        try:
            patiently("Redshift", self._prepare_ledgers, going.stop)
        except ElError as error:
            self.fail(self._pending, error)
            return
        work = Work(self.job, self._load, self._workers, quiet=going.quiet)
        side_by_side(work, self._pending, going.results, going.stop)

    def _look_up(self) -> None:
        with self._warehouse.one() as connection:
            for source in _sources(self._tables):
                self._known[source] = ledger.known(connection, self._schema(source))

    def _find_pending(self, table: Table, bar: Bar) -> State:
        loader, known, result = self._loader(table, bar), self._known[table.source], self._going.results[table.label]
        if self._options.swap or not loader.is_idle(known):
            self._pending.append(table)
            return "not begun"
        told = self._tellers.look(table, known)
        result.note(*told.warnings)
        if told.unfinished:
            self._pending.append(table)
            return "not begun"
        position = known.positions.get(loader.raw_name)
        if position and position.hole:
            result.note(missing_rows(table, loader.landing, position.hole))
        return "nothing new"

    def _prepare_ledgers(self) -> None:
        for source in _sources(self._pending):
            names = [raw_name(table.name) for table in self._pending if table.source == source]
            with self._warehouse.one() as connection:
                ledger.prepare(connection, self._schema(source), names, self._known[source].ledgers)

    def _load(self, table: Table, bar: Bar) -> State:
        done, told, known = self._loaded[table.label], Result(), self._known[table.source]
        with self._held(table, bar) as held:
            loader = replace(self._loader(table, bar), stopping=lambda: self._why_stop(held))
            try:
                loader.run(known, done)
                if not done.unfinished:
                    self._tellers.tell(table, known, lambda: self._why_stop(held), told)
                if self._options.swap and not done.unfinished:
                    rest = self._options.rest
                    done.warnings.append(swap(loader, Rest.of(rest, self._going.landing) if rest else None))
            finally:
                result = self._going.results[table.label]
                done.archived = told.rows
                result.rows["loaded"] = done.rows
                result.note(*done.warnings, *told.warnings, *said({"json_misses": done.json_misses}))
            return self._ended(held, done.unfinished or told.unfinished, done.commits + told.rows)

    def _loader(self, table: Table, bar: Bar) -> Loader:
        return Loader(
            table=table,
            landing=self._going.landing.table(table.source, raw_name(table.name)),
            warehouse=self._warehouse,
            bar=bar,
            stopping=self._going.stop,
            run_name=self._going.run.name,
            schema=self._options.into or "",
        )

    def _schema(self, source: str) -> str:
        """Where the raw tables are that are loaded."""
        return self._options.into or raw_schema(source)


def _sources(tables: Iterable[Table]) -> list[str]:
    return list(dict.fromkeys(table.source for table in tables))

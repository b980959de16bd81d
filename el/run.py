"""The conductor: which tables, which job first, and what has to be known before one table is begun.

In: tables and what the user asked for. Out: one ``TableRun`` per table. ``extract`` needs MySQL and S3, ``load`` needs
S3 and Redshift; ``run`` is one after the other. Catalogs and bounds are read once per source, all sources side by side.
What is wrong with the configuration ends the run before a row moves; what is wrong with a server fails the tables that
need it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from el import settings
from el.config import Table, raw_name
from el.errors import ConfigError, ElError, TableBusy, UsageError
from el.extract import Extracted, Extractor, said
from el.landing import Landing
from el.lease import Hold, Leases
from el.load import Loaded, Loader, missing_rows
from el.load_archived import Result, Tellers
from el.mysql.catalog import TableShape, read_shapes
from el.mysql.connection import Connections as MySQLConnections
from el.mysql.connection import connected
from el.mysql.kindness import Kindness
from el.mysql.replica import reads_from
from el.mysql.replication import refuse_filters
from el.mysql.window import Bound, read_bound
from el.options import Options
from el.outcome import Job, State, TableRun
from el.progress import Bar
from el.redshift import ledger
from el.redshift.catalog import raw_schema
from el.redshift.connection import Connections
from el.replay import Rest, swap
from el.side_by_side import patiently, side_by_side
from el.stop import Stop
from el.work import work_folder

log = logging.getLogger("el")

#: Who is read, what its tables look like, and how far their watermarks may move.
_Known = tuple[Bound, dict[str, TableShape], settings.MySQL]


class Conductor:
    """One run over some tables. ``results`` can be looked at while it goes on."""

    def __init__(
        self,
        tables: Sequence[Table],
        landing: Landing,
        leases: Leases,
        stop: Stop,
        options: Options,
        quiet: bool = False,
    ) -> None:
        self.results = {table.label: TableRun(table.label, table.mode) for table in tables}
        self._tables, self._landing, self._leases = tables, landing, leases
        self._stop, self._options, self._quiet = stop, options, quiet

    def run(self, extracting: bool, loading: bool) -> None:
        """Extract, load or both.

        Raises:
            UsageError: configuration, settings or options are wrong; nothing was started.
        """
        self._options.check(self._tables)
        for result in self.results.values():
            result.extract = "not begun" if extracting else None
            result.load = "not begun" if loading else None
        # Settings first: a variable that is missing must not be found after an hour of extract.
        sources = _sources(self._tables) if extracting else []
        servers = {source: (settings.mysql(source), settings.mysql_replica(source)) for source in sources}
        patience = settings.replica_seconds()
        hash_key = settings.hash_key() if extracting and any(table.hash for table in self._tables) else None
        redshift = settings.redshift() if loading else None
        self._archive = settings.archive_place() if loading else None
        self._workers = settings.tables_at_once()
        try:
            self._landing.check()  # boto3 is patient itself
        except ElError as error:
            if extracting:
                self._fail("extract", self._tables, error)
            if loading:
                self._fail("load", self._tables, error)
            return
        if extracting:
            self._extract(servers, patience, hash_key)
        if redshift:
            self._load(redshift)

    def _extract(
        self,
        servers: dict[str, tuple[settings.MySQL, settings.MySQL | None]],
        patience: int,
        hash_key: bytes | None,
    ) -> None:
        known = self._known(servers, patience)
        ready = [table for table in self._tables if table.source in known]
        kindness = {source: self._kindness(source, servers[source][1] is not None) for source in known}
        ranges = self._options.ranges(ready, {source: shapes for source, (_, shapes, _) in known.items()})
        progress_of = {table.label: Extracted() for table in ready}
        connections = {source: MySQLConnections(source, server) for source, (_, _, server) in known.items()}

        def one(table: Table, bar: Bar) -> State:
            bound, shapes, server = known[table.source]
            shape, done = shapes[table.name], progress_of[table.label]
            place = self._landing.table(table.source, shape.raw_name)
            key = hash_key if table.hash else None
            with self._held(table, "extract", bar) as held:
                try:
                    extractor = Extractor(
                        table,
                        shape,
                        server,
                        place,
                        bound,
                        key,
                        work,
                        connections[table.source],
                        self._options.accept_server,
                        *bar,
                        kindness[table.source],
                        lambda: self._why_stop(held),
                    )
                    extractor.run(done, self._options.full, ranges.get(table.label))
                finally:
                    result = self.results[table.label]
                    result.extracted, result.extract_commits, result.full = done.rows, done.commits, done.full
                    result.bytes, result.lo, result.next_lo = done.bytes, done.lo, done.next_lo
                    result.drift = done.drift
                    result.backfill = (done.backfill.lo, done.backfill.to) if done.backfill else None
                    result.counts |= {kind: dict(found) for kind, found in done.counts.items()}
                    result.note(*done.warnings, *said(done.counts), *shape.warnings, *bound.warnings)
                return self._ended(held, done.unfinished, done.commits)

        with work_folder(settings.home()) as work, ExitStack() as stack:
            for each in connections.values():
                stack.callback(each.close)
            side_by_side("extract", ready, self.results, one, self._workers, self._stop, self._quiet)

    def _known(
        self, servers: dict[str, tuple[settings.MySQL, settings.MySQL | None]], patience: int
    ) -> dict[str, _Known]:
        """Catalog and bound of every source that answers."""

        def ask(source: str) -> _Known:
            primary, replica = servers[source]
            with connected(source, primary) as connection:
                shapes = read_shapes(connection, [table for table in self._tables if table.source == source])
            bound = read_bound(source, primary, list(shapes.values()))
            server = reads_from(source, primary, replica, bound, patience)
            if replica:
                notes = refuse_filters(source, primary, server, [*shapes])
                bound = replace(bound, warnings=(*bound.warnings, *notes))
            return bound, shapes, server

        known: dict[str, _Known] = {}
        problems: list[str] = []
        with ThreadPoolExecutor(self._workers) as pool:
            asked = {
                source: pool.submit(patiently, f"source {source}", lambda source=source: ask(source), self._stop)
                for source in servers
            }
            for source, answer in asked.items():
                try:
                    known[source] = answer.result()
                except ConfigError as error:
                    problems += error.problems
                except ElError as error:
                    self._fail("extract", [table for table in self._tables if table.source == source], error)
        if problems:
            raise ConfigError(problems)
        return known

    def _kindness(self, source: str, replica: bool) -> Kindness:
        limits = next(table.server for table in self._tables if table.source == source)
        if self._options.max_rows_per_second is not None:
            limits = limits.model_copy(update={"max_rows_per_second": self._options.max_rows_per_second})
        return Kindness(source, limits, replica)

    def _load(self, server: settings.Redshift) -> None:
        warehouse = Connections(server)
        try:
            self._load_on(warehouse)
        finally:
            warehouse.close()

    def _load_on(self, warehouse: Connections) -> None:
        known: dict[str, ledger.Known] = {}

        def look_up() -> None:
            with warehouse.one() as connection:
                for source in _sources(self._tables):
                    known[source] = ledger.known(connection, self._schema(source))

        try:
            patiently("Redshift", look_up, self._stop)
        except ElError as error:
            self._fail("load", self._tables, error)
            return

        def loader(table: Table, bar: Bar, held: Hold | None = None) -> Loader:
            place = self._landing.table(table.source, raw_name(table.name))
            return Loader(
                table,
                place,
                warehouse,
                bar.moved,
                bar.expect,
                lambda: self._why_stop(held),
                self._leases.run,
                self._options.into or "",
            )

        tellers = Tellers(None if self._options.into else self._archive, self._tables, self._landing, warehouse)
        pending: list[Table] = []

        def look(table: Table, bar: Bar) -> State:
            one = loader(table, bar)
            if self._options.swap or not one.is_idle(known[table.source]):
                pending.append(table)
                return "not begun"
            told = tellers.look(table, known[table.source])
            self.results[table.label].note(*told.warnings)
            if told.unfinished:
                pending.append(table)
                return "not begun"
            position = known[table.source].positions.get(one.raw_name)
            if position and position.hole:
                self.results[table.label].note(missing_rows(table, one.landing, position.hole))
            return "nothing new"

        side_by_side("load", self._tables, self.results, look, self._workers, self._stop, quiet=True)
        pending.sort(key=list(self._tables).index)
        if not pending:
            return

        def prepare() -> None:
            with warehouse.one() as connection:
                for source in _sources(pending):
                    names = [raw_name(table.name) for table in pending if table.source == source]
                    ledger.prepare(connection, self._schema(source), names, known[source].ledgers)

        try:
            patiently("Redshift", prepare, self._stop)
        except ElError as error:
            self._fail("load", pending, error)
            return
        progress_of = {table.label: Loaded() for table in pending}

        def one(table: Table, bar: Bar) -> State:
            done, told = progress_of[table.label], Result()
            with self._held(table, "load", bar) as held:
                try:
                    made = loader(table, bar, held)
                    made.run(known[table.source], done)
                    if not done.unfinished:
                        tellers.tell(table, known[table.source], lambda: self._why_stop(held), told)
                    if self._options.swap and not done.unfinished:
                        rest = self._options.rest
                        done.warnings.append(swap(made, Rest.of(rest, self._landing) if rest else None))
                finally:
                    result = self.results[table.label]
                    result.loaded, result.load_commits, result.full_load = done.rows, done.commits, done.full
                    if done.json_misses:
                        result.counts["json_misses"] = dict(done.json_misses)
                    result.archived = told.rows
                    result.note(*done.warnings, *told.warnings, *said({"json_misses": done.json_misses}))
                return self._ended(held, done.unfinished or told.unfinished, done.commits + told.rows)

        side_by_side("load", pending, self.results, one, self._workers, self._stop, self._quiet)

    @contextmanager
    def _held(self, table: Table, job: Job, bar: Bar) -> Iterator[Hold]:
        """The lease of a job on a table.

        Raises:
            TableBusy: another run works on it, and does what this one would.
            ElError: another run works on it, and does not do what this one was asked for.
        """
        try:
            with self._leases.hold(table.source, table.name, job, bar.say) as held:
                if held.took_over:
                    self.results[table.label].note(held.took_over)
                yield held
        except TableBusy as busy:
            if self._options.into or (job == "extract" and self._options.special):
                raise ElError(
                    f"{table.label}: {busy}. It does not do what {self._options.special} asked for, and this run did "
                    "not either. Run the same again when it has ended."
                ) from None
            raise

    def _schema(self, source: str) -> str:
        """Where the raw tables are that are loaded."""
        return self._options.into or raw_schema(source)

    def _why_stop(self, held: Hold | None) -> str:
        if held and held.lost:
            return f"{held.lost} took its lease over"
        return self._stop()

    def _ended(self, held: Hold, unfinished: bool, commits: int) -> State:
        if not unfinished:
            held.succeeded = True
            return "done" if commits else "nothing new"
        if held.lost:
            raise TableBusy(f"{held.lost} took its lease over while it was held up")
        return "cut off"

    def _fail(self, job: Job, tables: Iterable[Table], error: ElError) -> None:
        if isinstance(error, UsageError):
            raise error
        log.error("%s", error)
        for table in tables:
            self.results[table.label].fail(job, str(error))


def _sources(tables: Iterable[Table]) -> list[str]:
    return list(dict.fromkeys(table.source for table in tables))

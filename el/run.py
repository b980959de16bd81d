"""The conductor: which tables, side by side, and what one failure means for the others (nothing).

In: tables and a command. Out: one ``TableRun`` per table. ``extract`` needs MySQL and S3, ``load`` needs S3 and
Redshift; ``run`` is one after the other. A source's catalog and bound are read once. What is wrong with the
configuration ends the run before a row moves; what is wrong with a server fails the tables that need it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pymysql

from el import settings
from el.config import Table, raw_name
from el.errors import ConfigError, ElError, UsageError
from el.extract import Extracted, Extractor, said
from el.landing import Landing
from el.load import Loaded, Loader, missing_rows
from el.mysql.catalog import TableShape, read_shapes
from el.mysql.connection import connected
from el.mysql.kindness import Kindness
from el.mysql.replica import reads_from
from el.mysql.window import Bound, read_bound
from el.plan import Range
from el.progress import Bar, Progress
from el.redshift import ledger
from el.redshift.connection import Connections
from el.work import work_folder

log = logging.getLogger("el")


@dataclass(frozen=True)
class Options:
    """What the user asked for beyond what is due. ``since`` and ``to`` are the limits of a backfill."""

    full: bool = False
    accept_server: bool = False
    since: str | None = None
    to: str | None = None
    max_rows_per_second: int | None = None

    @property
    def backfill(self) -> bool:
        """A range is read again; nothing else is."""
        return self.since is not None or self.to is not None


@dataclass
class TableRun:
    """What happened to one table. ``lo`` and ``next_lo`` are the window; None in mode replace or without a read.

    ``backfill`` is the range that was read again instead, from and up to; None: no limit there. ``counts`` says
    how many values were not carried as they were, by kind and column.
    """

    table: str
    mode: str
    extracted: int = 0
    loaded: int = 0
    extract_commits: int = 0
    load_commits: int = 0
    full: bool = False
    lo: str | None = None
    next_lo: str | None = None
    backfill: tuple[str | None, str | None] | None = None
    seconds: float = 0.0
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    error: str | None = None


def run(
    tables: Sequence[Table],
    extracting: bool,
    loading: bool,
    options: Options,
    quiet: bool = False,
) -> list[TableRun]:
    """Extract, load or both.

    Raises:
        UsageError: configuration, settings or options are wrong; nothing was started.
    """
    _check(tables, options)
    results = {table.label: TableRun(table.label, table.mode) for table in tables}
    # Settings first: a variable that is missing must not be found after an hour of extract.
    landing = Landing(settings.landing())
    sources = _sources(tables) if extracting else []
    servers = {source: (settings.mysql(source), settings.mysql_replica(source)) for source in sources}
    patience = settings.replica_seconds()
    hash_key = settings.hash_key() if extracting and any(table.hash for table in tables) else None
    redshift = settings.redshift() if loading else None
    workers = settings.tables_at_once()
    try:
        landing.check()
    except ElError as error:
        _fail(tables, results, error)
        return list(results.values())
    if extracting:
        _extract(tables, results, landing, servers, patience, hash_key, workers, options, quiet)
    if redshift:
        _load(tables, results, landing, redshift, workers, quiet)
    return list(results.values())


def _extract(
    tables: Sequence[Table],
    results: dict[str, TableRun],
    landing: Landing,
    servers: dict[str, tuple[settings.MySQL, settings.MySQL | None]],
    patience: int,
    hash_key: bytes | None,
    workers: int,
    options: Options,
    quiet: bool,
) -> None:
    known: dict[str, tuple[Bound, dict[str, TableShape], settings.MySQL]] = {}
    problems: list[str] = []
    for source, (primary, replica) in servers.items():
        own = [table for table in tables if table.source == source]
        try:
            with connected(source, primary) as connection:
                shapes = read_shapes(connection, own)
            bound = read_bound(source, primary, list(shapes.values()))
            known[source] = bound, shapes, reads_from(source, primary, replica, bound, patience)
        except ConfigError as error:
            problems += error.problems
        except ElError as error:
            _fail(own, results, error)
    if problems:
        raise ConfigError(problems)
    ready = [table for table in tables if table.source in known]
    kindness = {source: _kindness(source, tables, servers[source][1] is not None, options) for source in known}
    ranges = _ranges(ready, {source: shapes for source, (_, shapes, _) in known.items()}, options)

    def one(table: Table, bar: Bar) -> bool:
        bound, shapes, server = known[table.source]
        shape = shapes[table.name]
        place = landing.table(table.source, shape.raw_name)
        key = hash_key if table.hash else None
        done = Extracted()
        try:
            kind = kindness[table.source]
            extractor = Extractor(table, shape, server, place, bound, key, work, options.accept_server, *bar, kind)
            extractor.run(done, options.full, ranges.get(table.label))
        finally:
            result = results[table.label]
            result.extracted, result.extract_commits, result.full = done.rows, done.commits, done.full
            result.lo, result.next_lo = done.lo, done.next_lo
            result.backfill = (done.backfill.lo, done.backfill.to) if done.backfill else None
            result.counts |= {kind: dict(found) for kind, found in done.counts.items()}
            result.warnings += [*done.warnings, *said(done.counts), *shape.warnings, *bound.warnings]
        return done.commits > 0

    with work_folder(settings.home()) as work:
        _side_by_side("extract", ready, results, one, workers, quiet)


def _check(tables: Sequence[Table], options: Options) -> None:
    """Raises UsageError for options that contradict each other or the source file."""
    if not options.backfill:
        return
    if options.full or options.accept_server:
        what = "--full" if options.full else "--accept-server"
        raise UsageError(f"{what} and --from or --to: choose one. Nothing was started.")
    whole = [table.label for table in tables if table.cursor is None]
    if whole:
        raise UsageError(
            f"{', '.join(whole)}: --from and --to are ranges of a cursor, and mode replace has none: every run copies "
            "the whole table. Nothing was started. Name the tables: el run --from … clinic.messages"
        )


def _kindness(source: str, tables: Sequence[Table], replica: bool, options: Options) -> Kindness:
    limits = next(table.server for table in tables if table.source == source)
    if options.max_rows_per_second is not None:
        limits = limits.model_copy(update={"max_rows_per_second": options.max_rows_per_second})
    return Kindness(source, limits, replica)


def _ranges(tables: Iterable[Table], shapes: dict[str, dict[str, TableShape]], options: Options) -> dict[str, Range]:
    """The range of a backfill in the form of each table's cursor; empty if there is no backfill.

    Raises:
        UsageError: a limit is no value of a cursor, or there is nothing between the two; all of them at once.
    """
    found, wrong = {}, []
    for table in tables if options.backfill else []:
        cursor = shapes[table.source][table.name].cursor
        assert cursor  # mode merge, as _check has seen
        limits: list[str | None] = []
        for name, text in (("--from", options.since), ("--to", options.to)):
            try:
                limits.append(None if text is None else cursor.parsed(text))
            except ValueError as error:
                wrong.append(f"{table.label}: {name} {text!r}: cursor {cursor.name} needs {error}")
        if len(limits) < 2:
            continue
        lo, to = limits
        if lo is not None and to is not None and cursor.order(lo) >= cursor.order(to):
            wrong.append(f"{table.label}: nothing is from {options.since} to before {options.to}")
        found[table.label] = Range(lo, to)
    if wrong:
        raise UsageError("\n".join([*wrong, "Nothing was read."]))
    return found


def _load(
    tables: Sequence[Table],
    results: dict[str, TableRun],
    landing: Landing,
    server: settings.Redshift,
    workers: int,
    quiet: bool,
) -> None:
    warehouse = Connections(server)
    try:
        _load_on(warehouse, tables, results, landing, workers, quiet)
    finally:
        warehouse.close()


def _load_on(
    warehouse: Connections,
    tables: Sequence[Table],
    results: dict[str, TableRun],
    landing: Landing,
    workers: int,
    quiet: bool,
) -> None:
    known: dict[str, ledger.Known] = {}
    try:
        with warehouse.one() as connection:
            for source in _sources(tables):
                known[source] = ledger.known(connection, source)
    except ElError as error:
        _fail(tables, results, error)
        return

    def loader(table: Table, bar: Bar) -> Loader:
        return Loader(table, landing.table(table.source, raw_name(table.name)), warehouse, bar.moved, bar.expect)

    pending: list[Table] = []

    def look(table: Table, bar: Bar) -> bool:
        one = loader(table, bar)
        position = known[table.source].positions.get(one.raw_name)
        if not one.is_idle(known[table.source]):
            pending.append(table)
        elif position and position.hole:
            results[table.label].warnings.append(missing_rows(table, one.landing, position.hole))
        return False

    _side_by_side("look at", tables, results, look, workers, quiet=True)
    pending.sort(key=list(tables).index)
    if not pending:
        return
    try:
        with warehouse.one() as connection:
            for source in _sources(pending):
                names = [raw_name(table.name) for table in pending if table.source == source]
                ledger.prepare(connection, source, names, known[source].ledgers)
    except ElError as error:
        _fail(pending, results, error)
        return

    def one(table: Table, bar: Bar) -> bool:
        done = Loaded()
        try:
            loader(table, bar).run(known[table.source], done)
        finally:
            result = results[table.label]
            result.loaded, result.load_commits = done.rows, done.commits
            if done.json_misses:
                result.counts["json_misses"] = dict(done.json_misses)
            result.warnings += [*done.warnings, *said({"json_misses": done.json_misses})]
        return done.commits > 0

    _side_by_side("load", pending, results, one, workers, quiet)


def _side_by_side(
    verb: str,
    tables: Sequence[Table],
    results: dict[str, TableRun],
    one: Callable[[Table, Bar], bool],
    workers: int,
    quiet: bool,
) -> None:
    """Run ``one`` for every table; an error is kept with its table and leaves the others alone."""
    with Progress(verb, [table.label for table in tables], quiet) as progress:

        def guarded(table: Table) -> None:
            result = results[table.label]
            began = time.monotonic()
            progress.start(table.label)
            state = "failed"
            try:
                moved = one(table, progress.bar(table.label))
                state = "done" if moved else "nothing new"
            except UsageError:
                raise
            except ElError as error:
                _add_error(result, str(error))
                log.error("%s %s failed: %s", verb, table.label, error)
            except pymysql.err.MySQLError as error:  # outside of a `connected` block there should be none
                _add_error(result, f"{table.label}: MySQL failed: {type(error).__name__}")
            finally:
                result.seconds += time.monotonic() - began
                progress.finish(table.label, state)
                log.info("%s %s: %s in %.2f s", verb, table.label, state, time.monotonic() - began)

        pool = ThreadPoolExecutor(workers)
        try:
            for future in [pool.submit(guarded, table) for table in tables]:
                future.result()
        finally:
            # After Ctrl-C or a bug: what runs is finished, what waits is not started.
            pool.shutdown(wait=True, cancel_futures=True)


def _fail(tables: Iterable[Table], results: dict[str, TableRun], error: ElError) -> None:
    if isinstance(error, UsageError):
        raise error
    log.error("%s", error)
    for table in tables:
        _add_error(results[table.label], str(error))


def _add_error(result: TableRun, text: str) -> None:
    result.error = f"{result.error}\n{text}" if result.error else text


def _sources(tables: Iterable[Table]) -> list[str]:
    return list(dict.fromkeys(table.source for table in tables))

"""``plan`` and ``run``: which tables, in which order, one after the other, and what is said at the end.

In: selectors and options. Out: the plans; or, with ``execute``, the tables moved, a report, an exit code.

Tables are moved one at a time, children before their parents, each under the lease ``archive`` of the table: this is
the command that must be gentle, and two tables at once would share one disk and one replica. A table that fails or is
refused leaves the others alone.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import click

from el import alive, config, settings
from el.archive import holds
from el.archive.mover import Moved, Mover
from el.archive.pace import Pace
from el.archive.plan import Plan, children_first, make_plan
from el.archive.sizes import size_text
from el.archive.store import Archive
from el.config import Source, Table
from el.errors import ElError, ExitCode, TableBusy, UsageError
from el.landing import Landing
from el.lease import Leases
from el.mysql.connection import connected, quoted
from el.mysql.identity import must_be, read_server
from el.progress import Progress
from el.runs import Run, logged
from el.shell import frames
from el.stop import Stop, listening
from el.text import aligned

log = logging.getLogger("el")


@dataclass(frozen=True)
class Options:
    """What the command line says. ``target`` is in seconds a transaction, ``timeout`` in seconds."""

    as_of: datetime
    execute: bool = False
    target: float = 0.2
    max_rows_per_second: int | None = None
    chunk_rows: int | None = None
    timeout: int | None = None
    as_json: bool = False


@dataclass
class Result:
    """One table of a run. ``state``: done, refused, failed, skipped, cut off, not begun."""

    plan: Plan
    state: str = "not begun"
    moved: Moved = field(default_factory=Moved)
    seconds: float = 0.0
    why: str = ""

    def json(self) -> dict[str, Any]:
        """For ``--json`` and the log."""
        return {
            "table": self.plan.label,
            "state": self.state,
            "why": self.why,
            "seconds": round(self.seconds, 1),
            "freed_bytes": freed(self),
            "space": space(self),
            **asdict(self.moved),
        }


def as_of(text: str | None) -> datetime:
    """The moment that cutoffs are counted from, in UTC; now, if none is given.

    Raises:
        UsageError: it is no time, or in the future.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    if not text:
        return now
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--as-of {text!r} is no time; it must be such as 2026-11-01 or 2026-11-01T06:00:00") from None
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    if found > now:
        raise UsageError(f"--as-of {text} is in the future. Rows that are not old yet would go.")
    return found


def plans(selectors: Sequence[str], moment: datetime) -> list[Plan]:
    """A plan for every table that has a policy, or is named; children first.

    Raises:
        UsageError: a selector names nothing, or nothing has a policy.
        SourceError, LandingError: MySQL or S3 cannot be reached.
    """
    sources = config.load_sources(settings.sources_folder())
    chosen = [t for t in config.select(sources, selectors) if t.retention or t.label in selectors]
    if not chosen:
        raise UsageError(
            "no table has an archive policy. Nothing was started. Give it one in the source file: "
            "archive: {class: …, age: …}, and the class under retention:"
        )
    landing = Landing(settings.landing())
    made = []
    for source in dict.fromkeys(table.source for table in chosen):
        made += _of_source(sources[source], [t for t in chosen if t.source == source], landing, moment)
    return made


def _of_source(source: Source, tables: Sequence[Table], landing: Landing, moment: datetime) -> list[Plan]:
    server = settings.archive_mysql(source.name)
    archived = [(server.database, table.name) for table in source.tables if table.retention]
    with connected(source.name, server) as connection:
        made = [make_plan(connection, table, landing, moment, archived) for table in tables]
    archive = Archive(settings.archive())
    held = {t.label: len(holds.active(archive.table(t.source, t.name))) for t in tables}
    return children_first([_with_holds(plan, held[plan.label]) for plan in made])


def _with_holds(plan: Plan, many: int) -> Plan:
    note = f"rows under {many:,} holds stay, and are counted here: el-archive hold list {plan.label}"
    return replace(plan, notes=(*plan.notes, note)) if many else plan


def plan_report(found: Sequence[Plan], as_json: bool) -> str:
    """The plans for standard output."""
    if as_json:
        return json.dumps({"tables": [plan.json() for plan in found]}, indent=1)
    body = [
        [
            plan.label,
            plan.cutoff or "-",
            ("" if plan.exact else "~") + f"{plan.rows:,}",
            size_text(plan.bytes),
            f"{plan.chunks:,}",
            f"{plan.minutes:,.1f}",
            f"{plan.dollars:,.2f}",
            "refused" if plan.refusals else "",
        ]
        for plan in found
    ]
    header = ["table", "older than", "rows", "reusable", "chunks", "minutes", "S3 USD", ""]
    lines = aligned(header, body, {2, 3, 4, 5, 6})
    for plan in found:
        lines += [f"refused: {plan.label}: {why}" for why in plan.refusals]
        lines += [f"note: {plan.label}: {note}" for note in plan.notes]
    lines += [f"sql: {plan.sql}" for plan in found if not plan.refusals]
    if found:
        lines.append(
            f"as of {found[0].as_of}. Minutes and dollars are estimates: 10,000 rows/s, and S3 Standard's list price "
            "until the class's end."
        )
    return "\n".join(lines)


def run(selectors: Sequence[str], options: Options) -> int:
    """Do it; the exit code.

    Raises:
        ElError: nothing was started.
    """
    if not options.execute:
        found = plans(selectors, options.as_of)
        click.echo(plan_report(found, options.as_json))
        if not options.as_json:
            click.echo("Nothing was done. With --execute these rows are archived and deleted.")
        return ExitCode.DONE
    line = " ".join(["el-archive", "run", "--execute", *map(config.shown, selectors)])
    this = Run("archive", line, settings.trigger(), settings.home())
    with logged(this):
        try:
            return _Conductor(this, options).run(plans(selectors, options.as_of))
        except ElError as error:
            log.error("%s", error)
            raise
        except Exception as error:  # its message may quote a value
            log.error("internal error: %s at %s", type(error).__name__, frames(error))
            raise ElError(
                f"internal error: {type(error).__name__}. What was deleted was proven; the next run goes on from the "
                f"journal. It is a mistake in el: please report it with the log, {this.log_file}"
            ) from None


class _Conductor:
    """The tables of one run."""

    def __init__(self, run: Run, options: Options) -> None:
        self._run, self._options = run, options
        self._stop = Stop()
        self._landing = Landing(settings.landing())
        self._archive = Archive(settings.archive())
        self._leases = Leases(self._landing, run.name, settings.lease_seconds(), run.home, self._stop)

    def run(self, found: Sequence[Plan]) -> int:
        self._archive.check()
        results = [Result(plan) for plan in found]
        tables = {t.label: t for s in config.load_sources(settings.sources_folder()).values() for t in s.tables}
        labels = [plan.label for plan in found]
        with (
            listening(self._stop, self._leases.release, self._options.timeout),
            alive.claim(self._run.home, self._run.name),
            self._leases,
            Progress("archive", labels, self._options.as_json, left=True) as progress,
        ):
            for result in results:
                if not self._stop():
                    self._one(tables[result.plan.label], result, progress)
                    log.info("%s", json.dumps(result.json()))
        click.echo(report(results, self._run, self._options.as_json))
        for result in results:
            if result.state in ("failed", "refused"):
                click.echo(f"error: {result.plan.label}: {result.why}", err=True)
        if self._stop.by_signal:
            return ExitCode.INTERRUPTED
        bad = any(result.state in ("failed", "refused") for result in results)
        unfinished = self._stop() and any(result.state in ("cut off", "not begun") for result in results)
        return ExitCode.FAILED if bad or unfinished else ExitCode.DONE

    def _one(self, table: Table, result: Result, progress: Progress) -> None:
        if result.plan.refusals:
            result.state, result.why = "refused", "; ".join(result.plan.refusals)
            return
        began = time.monotonic()
        progress.start(table.label)
        bar = progress.bar(table.label)
        bar.expect(result.plan.rows)
        try:
            with self._leases.hold(table.source, table.name, "archive", bar.say) as held:
                mover, ending = self._mover(table, result.plan, progress)
                result.moved = mover.moved
                with ending:
                    mover.move()
                held.succeeded = True
            result.state, result.why = ("cut off", mover.why) if mover.why else ("done", "")
        except TableBusy as error:
            result.state, result.why = "skipped", str(error)
        except ElError as error:
            result.state, result.why = "failed", str(error)
            log.error("archive %s failed: %s", table.label, error)
        finally:
            result.seconds = time.monotonic() - began
            progress.finish(table.label, result.state)

    def _mover(self, table: Table, plan: Plan, progress: Progress) -> tuple[Mover, ExitStack]:
        server = settings.archive_mysql(table.source)
        with connected(table.source, server) as connection:
            identity = read_server(connection)
        server = replace(server, check=must_be(identity))
        place = self._archive.table(table.source, table.name)
        limits = table.server
        if self._options.max_rows_per_second:
            limits = limits.model_copy(update={"max_rows_per_second": self._options.max_rows_per_second})
        pace = Pace(
            table.source,
            limits,
            settings.mysql_replica(table.source),
            self._archive,
            self._run.home,
            self._stop.wait,
            self._options.target,
        )
        mover = Mover(
            plan,
            self._run.name,
            table.source,
            server,
            identity,
            place,
            pace,
            progress.bar(table.label),
            self._stop,
            self._stop.wait,
            self._options.chunk_rows,
            # Asked while the lease is held: a hold that is added takes it too.
            holds.condition(holds.active(place), plan.shape.primary_key) if plan.shape else None,
        )
        ending = ExitStack()
        ending.callback(pace.close)
        return mover, ending


def report(results: Sequence[Result], run: Run, as_json: bool) -> str:
    """The end of a run, for standard output."""
    if as_json:
        content = {"run": run.name, "tables": [result.json() for result in results], "log": str(run.log_file)}
        return json.dumps(content, indent=1)
    body = [
        [
            result.plan.label,
            f"{result.moved.archived:,}",
            f"{result.moved.deleted + result.moved.gone:,}",
            f"{sum(result.moved.left.values()):,}",
            f"{result.moved.objects:,}",
            size_text(result.moved.bytes),
            f"{result.moved.longest:.2f}",
            f"{result.seconds:.1f}",
            "" if result.state == "done" else result.state,
        ]
        for result in results
    ]
    header = ["table", "proven", "deleted", "left", "objects", "on S3", "longest transaction", "seconds", ""]
    lines = aligned(header, body, {1, 2, 3, 4, 5, 6, 7})
    for result in results:
        if result.why and result.state not in ("failed", "refused"):
            lines.append(f"note: {result.plan.label}: {result.why}")
        for why, many in result.moved.left.items():
            lines.append(f"note: {result.plan.label}: {many:,} rows were left: {LEFT[why]}")
        if result.moved.gone:
            lines.append(
                f"note: {result.plan.label}: {result.moved.gone:,} rows were gone when they were to be deleted: by "
                "somebody else, or before a crash"
            )
        lines += [f"space: {result.plan.label}: {text}" for text in space(result)]
    return "\n".join([*lines, f"log: {run.log_file}"])


#: Why a row was left, in words; the keys are those of the journal.
LEFT = {
    "changed": "they changed after they were read; they come again when they are old enough",
    "horizon": "Redshift does not have their last version yet: el run, then archive again",
    "child": "rows of another table hang on them; archive those first",
    "newest": "the newest AUTO_INCREMENT is kept",
    "busy": "somebody held their locks; they come again with the next run",
    "hold": "they are under a hold",
}


def freed(result: Result) -> int:
    """Bytes of data and indexes that the table may use again; by InnoDB's averages."""
    shape = result.plan.shape
    if shape is None:
        return 0
    many = result.moved.deleted + result.moved.gone
    return round(many / max(shape.estimated_rows, many, 1) * (shape.data_bytes + shape.index_bytes))


def space(result: Result) -> list[str]:
    """What was freed, and the statements that would give it back to the disk, with their cost; none is ever run."""
    shape, size = result.plan.shape, freed(result)
    if shape is None or not size:
        return []
    rest = size_text(max(shape.data_bytes + shape.index_bytes - size, 0))
    statement = f"alter table {quoted(shape.database)}.{quoted(shape.name)} engine=InnoDB, algorithm=inplace, lock=none"
    found = [
        f"about {size_text(size)} inside the table can be used again by new rows; the file on disk stays as large",
        f"to give it back to the disk: {statement}; it copies the {rest} that remain, needs that much free space, and "
        "a replica is behind for as long as it takes",
    ]
    if not shape.children and "foreign key" not in shape.create_table.lower():
        found.append(
            f"or, held back by the replica's lag: gh-ost --database={shape.database} --table={shape.name} "
            "--alter='engine=InnoDB' --max-lag-millis=1500 --execute"
        )
    return found

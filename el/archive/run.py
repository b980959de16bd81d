"""``el-archive run --execute``: what is done with each table, and what is said at the end.

In: selectors and options. Out: ``Archiving``, the job that moves the tables, children before their parents, each under
the lease ``archive`` of the table. One that cannot be planned, is refused or fails leaves the others alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from el import config, settings
from el.archive import holds
from el.archive.mover import Context, Moved, Mover
from el.archive.pace import Limits, Pace
from el.archive.plan import Decision, Failure, Plan, Refusal
from el.archive.plans import plans
from el.archive.sizes import size_text
from el.archive.store import Archive
from el.archive.work import ArchiveJob
from el.config import Table
from el.mysql.connection import connected, quoted
from el.mysql.identity import must_be, read_server
from el.outcome import State, TableResult
from el.progress import Bar
from el.supervise import Going
from el.text import aligned


@dataclass(frozen=True)
class Options:
    """What the command line says. ``transaction_ms``: how long a transaction should take."""

    as_of: datetime
    transaction_ms: int = 200
    max_rows_per_second: int | None = None
    chunk_rows: int | None = None


@dataclass
class Result:
    """One table of a run. ``why`` it ended before all was moved, or could not begin."""

    plan: Plan
    moved: Moved = field(default_factory=Moved)
    why: str = ""

    def json(self, result: TableResult) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "table": self.plan.label,
            "state": result.states[Archiving.verb],
            "why": self.why or result.error or "",
            "seconds": round(result.seconds, 1),
            "freed_bytes": freed(self),
            "space": space(self),
            **asdict(self.moved),
        }


class Archiving(ArchiveJob):
    """``el-archive run --execute``."""

    name, kinds, needs_landing = "run", ("archive", "proof"), True
    verb = "archive"
    stays = "What was deleted was proven; the next run goes on from the journal"

    def __init__(self, selectors: Sequence[str], options: Options) -> None:
        shown = {
            "execute": True,
            "as-of": options.as_of.isoformat(timespec="seconds"),
            "max-rows-per-second": options.max_rows_per_second,
            "chunk-rows": options.chunk_rows,
        }
        super().__init__(selectors, shown)
        self._options = options
        self._results: dict[str, Result] = {}

    def begin(self, going: Going) -> list[Table]:
        tables = {t.label: t for s in config.load_sources(settings.sources_folder()).values() for t in s.tables}
        self._archive = Archive(settings.archive())
        self._archive.check()
        found = plans(self.selectors, self._options.as_of)
        self._results = {plan.label: Result(plan) for plan in found}
        return [tables[plan.label] for plan in found]

    def one(self, going: Going, table: Table, bar: Bar) -> State:
        own, result = self._results[table.label], going.results[table.label]
        plan = own.plan
        if isinstance(plan, Failure):
            result.fail(self.verb, plan.failure)
            return "failed"
        if isinstance(plan, Refusal):
            own.why = "; ".join(plan.refusals)
            result.fail(self.verb, f"{plan.label}: {own.why}")
            return "refused"
        bar.expect(plan.rows)

        def moved(many: int) -> None:
            bar.moved(many)
            self._count(own, result)  # for the record, which is written every minute

        try:
            with self.alone(going, table, bar), ExitStack() as ending:
                mover = Mover(self._context(going, table, plan, bar._replace(moved=moved), ending))
                own.moved = mover.moved
                mover.move()
            own.why = mover.why
        finally:
            self._count(own, result)
            self._note(own, result)
        return "cut off" if own.why else "done"

    @staticmethod
    def _count(own: Result, result: TableResult) -> None:
        moved = own.moved
        left = {f"left ({why})": many for why, many in moved.left.items()}
        result.rows = {"proven": moved.archived, "deleted": moved.deleted, "gone": moved.gone} | left
        result.objects, result.bytes = moved.objects, moved.bytes

    @staticmethod
    def _note(own: Result, result: TableResult) -> None:
        moved = own.moved
        result.note(
            *([own.why] if own.why else []),
            *(f"{many:,} rows were left: {LEFT[why]}" for why, many in moved.left.items()),
        )
        if moved.gone:
            result.note(
                f"{moved.gone:,} rows were gone when they were to be deleted: by somebody else, or before a crash"
            )

    def _context(self, going: Going, table: Table, plan: Decision, bar: Bar, ending: ExitStack) -> Context:
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
            Limits(limits, self._options.transaction_ms / 1000, going.run.home),
            settings.mysql_replica(table.source),
            self._archive,
            going.stop.wait,
        )
        ending.callback(pace.close)
        return Context(
            plan=plan,
            run=going.run.name,
            source=table.source,
            server=server,
            identity=identity,
            archive=place,
            pace=pace,
            bar=bar,
            stop=going.stop,
            most_rows=self._options.chunk_rows,
            # Asked while the lease is held: a hold that is added takes it too.
            held=holds.condition(holds.active(place), plan.shape.primary_key),
            hidden=(*table.exclude, *table.hash),
        )

    def content(self, going: Going) -> dict[str, Any]:
        return {"tables": [own.json(going.results[label]) for label, own in self._results.items()]}

    def lines(self, going: Going) -> list[str]:
        results = self._results.values()
        states = {result.plan.label: going.results[result.plan.label].states[self.verb] for result in results}
        body = [
            [
                result.plan.label,
                f"{result.moved.archived:,}",
                f"{result.moved.deleted + result.moved.gone:,}",
                f"{sum(result.moved.left.values()):,}",
                f"{result.moved.objects:,}",
                size_text(result.moved.bytes),
                f"{result.moved.longest:.2f}",
                f"{going.results[result.plan.label].seconds:.1f}",
                states[result.plan.label].removeprefix("done"),
            ]
            for result in results
        ]
        header = ["table", "proven", "deleted", "left", "objects", "on S3", "longest transaction", "seconds", ""]
        lines = aligned(header, body, {1, 2, 3, 4, 5, 6, 7})
        return lines + [f"space: {result.plan.label}: {text}" for result in results for text in space(result)]


#: Why a row was left, in words; the keys are those of the journal.
LEFT = {
    "changed": "they changed after they were read; they come again when they are old enough",
    "horizon": "Redshift does not have their last version yet: el run, then archive again",
    "child": "rows of another table hang on them; archive those first",
    "newest": "the newest AUTO_INCREMENT is kept",
    "busy": "somebody held their locks; they come again with the next run",
    "unsettled": "somebody held their locks, perhaps an earlier transaction of ours whose end nobody knows; the next "
    "run looks again",
    "hold": "they are under a hold",
    "json": "their JSON holds types that its text does not have, such as DECIMAL or DATE; json: text under archive: "
    "lets them go as text",
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

"""Landing → Redshift: the commits of one table that Redshift does not have yet, in order of ``seq``.

In: a table's folder on S3, and the position that the ledger holds. Out: a raw table that has every row of them.
Commits with the same columns are applied together, each batch in one transaction (``redshift/merge.py``); a loader
that is killed, or two at once, change nothing about the result, because the position is read again under the
ledger's lock.

What failed for another transaction's sake, or because the connection was lost, is tried again after a look whether it
came through. Any other failure of a batch is tried commit by commit, so that the message names the one at fault and
those before it arrive; then the table stops until it is mended, or quarantined by ``el load --skip``.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import uuid4

from el import retry, settings
from el.config import Table, raw_name
from el.errors import LandingDamage, WarehouseConflict, WarehouseError, WarehouseLost
from el.landing import Commit, TableLanding
from el.outcome import Loaded
from el.pending import Pending, expiring
from el.progress import SILENT, Bar
from el.redshift import ddl, ledger, merge, receipt
from el.redshift import layout as layouts
from el.redshift.batch import Batch
from el.redshift.catalog import Target, raw_schema
from el.redshift.connection import Connection, Connections, explained, rows
from el.redshift.ledger import Hole, Known, Position
from el.summary import Summary

#: Another loader at work on the same table: that many times we look again where it left off.
_ATTEMPTS = 100
log = logging.getLogger("el")


@dataclass(frozen=True)
class Loader:
    """One table of one run. ``id`` marks its ledger rows, so that it knows its own.

    ``schema``: where the table is built once more, beside the source's own. The landing is not written to then, but
    for manifests.
    """

    table: Table
    landing: TableLanding
    warehouse: Connections
    bar: Bar = SILENT
    stopping: Callable[[], str] = lambda: ""
    run_name: str = ""
    schema: str = ""
    id: str = field(default_factory=lambda: uuid4().hex)

    @property
    def raw_name(self) -> str:
        return raw_name(self.table.name)

    @property
    def target(self) -> Target:
        """The raw table that is loaded."""
        return Target(self.schema or raw_schema(self.table.source), self.raw_name)

    def is_idle(self, known: Known) -> bool:
        """True if the landing has nothing that Redshift lacks; asks S3 alone.

        A loader that was killed right behind its COMMIT left the horizon where it was: it is published now.
        """
        pending, position = self._pending(), known.positions.get(self.raw_name)
        if not pending.is_none(position) or self.raw_name in known.refused:
            return False
        if pending.applied and position:
            self.publish_horizon([pending.applied], position, unless_known=True)
        return True

    def run(self, known: Known, result: Loaded) -> None:
        """Apply what is pending. ``result`` counts what was applied, also when an error ends it.

        Raises:
            LandingError: a commit or a file is missing or changed, and no full copy came after it.
            WarehouseError: Redshift refuses, or the raw table does not fit.
        """
        if self.raw_name in known.refused:
            raise WarehouseError(known.refused[self.raw_name])
        work = _Work(self, self._pending(result), result, known.raw.get(self.raw_name, {}))
        work.position = known.positions.get(self.raw_name)
        try:
            for _ in range(_ATTEMPTS):
                if work.all_at_once():
                    return
                work.look_again()
        finally:
            if work.position and work.position.hole:
                result.warnings.append(missing_rows(self.table, self.landing, work.position.hole))
        raise WarehouseError(f"{self.table.label}: other loaders keep applying commits. Run again: el load")

    def publish_horizon(self, commits: Sequence[Commit], position: Position, unless_known: bool = False) -> None:
        """Tell the archive up to where Redshift has every row: not beyond a commit that was skipped."""
        done = [c for c in commits if c.reading.done and c.mode == "merge" and c.window.next_lo]
        if not done or position.hole or self.schema:
            return
        if unless_known:
            with suppress(LandingDamage):  # then it is written again
                if (self.landing.applied() or {}).get("load_id") == done[-1].load_id:
                    return
        self.landing.publish_horizon(done[-1])

    def _pending(self, result: Loaded | None = None) -> Pending:
        return Pending(self.table.label, self.landing, self._is_applied, [] if result is None else result.warnings)

    def _is_applied(self, load_id: str) -> bool:
        with self.warehouse.one() as connection, explained(self.table.label):
            sql = f"select count(*) from {self.target.ledger} where load_id = %s"
            return bool(rows(connection, sql, (load_id,))[0][0])


@dataclass
class _Work:
    """The state of one ``Loader.run``. ``columns`` are those of the raw table; None: not known any more."""

    loader: Loader
    pending: Pending
    result: Loaded
    columns: dict[str, str] | None
    position: Position | None = None
    one_by_one_until: int = 0

    def all_at_once(self) -> bool:
        """Apply what is pending as this position sees it; False if another loader has moved it."""
        one = self.loader
        seqs = self.pending.seqs(self.position)
        skips = one.landing.skips() if seqs else {}
        self._warn_of_retention(seqs)
        while seqs:
            if one.stopping():
                self.result.unfinished = True
                return True
            batch: Batch | None = None
            try:
                batch = self.pending.batch(seqs, self.position, skips, seqs[0] <= self.one_by_one_until)
                one.landing.check_files(batch.files)
                if not self._apply(batch):
                    return False
            except (WarehouseConflict, WarehouseLost):
                raise
            except (LandingDamage, WarehouseError) as error:
                if batch and len(batch.steps) > 1:
                    self.one_by_one_until = batch.last.seq
                    self.columns = None
                elif isinstance(error, LandingDamage):
                    seqs = self.pending.behind_damage(seqs, error)
                else:
                    raise
                continue
            seqs = seqs[len(batch.steps) :]
        return True

    def _warn_of_retention(self, seqs: list[int]) -> None:
        one = self.loader
        days = settings.retention_days()
        if seqs and days and not one.schema:  # a replay reads old files on purpose
            soon = expiring(one.table.label, one.landing.commit(seqs[0]), days)
            self.result.warnings += [soon] if soon and soon not in self.result.warnings else []

    def look_again(self) -> None:
        """The position now; waits for who is at work on the table."""
        one = self.loader
        with one.warehouse.one() as connection, explained(one.table.label):
            self.position = ledger.look(connection, one.target)
        self.columns = None

    def _apply(self, batch: Batch) -> bool:
        """Apply a batch, and try again where that may help; False: look at the position again."""
        one = self.loader
        one.bar.expect(self.result.rows + batch.rows)
        layout = self._layout(batch)
        misses: Counter[str] = Counter()
        backoff = retry.Backoff(retry.TRANSACTION)
        while True:
            try:
                with one.warehouse.one() as connection:
                    if backoff.failures and self._came_through(connection, batch):
                        self._count(batch, misses)
                        return False
                    position = self._transaction(connection, batch, layout, misses)
                if position is None:
                    return False
                self.position = position
                self._count(batch, misses)
                self.loader.publish_horizon(batch.copied, position)
                return True
            except (WarehouseConflict, WarehouseLost) as error:
                backoff.pause(error)
                self.columns = None

    def _transaction(
        self, connection: Connection, batch: Batch, layout: layouts.Layout | None, misses: Counter[str]
    ) -> Position | None:
        one = self.loader
        manifest = None
        if batch.copied:
            assert layout
            known = ddl.Known(one.target, self.position, self.columns, layout)
            self.columns = ddl.prepare(connection, batch.last_copied, one.landing, known)
            manifest = one.landing.write_manifest(batch.copied) if batch.rows else None
        copy_role, clause = one.warehouse.server.copy_role, layout.clause if layout else ""
        transaction = merge.Transaction(batch, one.target, manifest, copy_role, self.position, clause, one.id)

        def keep(changed: ledger.Changed, came: Mapping[int, Summary]) -> str | None:
            if one.schema:
                return None
            written = receipt.of(transaction, changed, came, one.run_name)
            return one.landing.write_receipt(batch.copied or [batch.last], written)

        return merge.apply(connection, transaction, misses, keep)

    def _came_through(self, connection: Connection, batch: Batch) -> bool:
        one = self.loader
        with explained(f"{one.table.label}, {batch.name}"):
            return ledger.came_through(connection, one.target, batch.last, one.id)

    def _layout(self, batch: Batch) -> layouts.Layout | None:
        """How the table shall lie; a note if it was made otherwise."""
        if not batch.copied:
            return None
        one = self.loader
        layout = layouts.of(one.table, batch.last_copied)
        made = self.position.layout if self.position else ""
        if made and made != layout.clause:
            self.result.warnings.append(
                f"the source file now asks for {layout.clause}; the table was made with {made}, and el does not alter "
                "that: it rewrites the table and blocks its readers. When it suits, run: "
                f"{'; '.join(layout.alters(one.target.raw))}. This is said once"
            )
        return layout

    def _count(self, batch: Batch, misses: Counter[str]) -> None:
        self.result.json_misses.update(misses)
        self.result.rows += batch.rows
        self.result.full |= any(commit.reading.full and commit.reading.done for commit in batch.copied)
        self.result.commits += sum(step.kind != "skipped" for step in batch.steps)
        self.loader.bar.moved(batch.rows)


def missing_rows(table: Table, landing: TableLanding, hole: Hole) -> str:
    """What a skipped commit means, and what to run."""
    return (
        f"ROWS MAY BE MISSING: commit {hole.seq} was skipped and its rows are not in Redshift, unless a later commit "
        f"brought them. The archive's horizon stays where it was. {_remedy(table, _found(landing, hole))}"
    )


def _found(landing: TableLanding, hole: Hole) -> Commit | None:
    try:
        return landing.commit(hole.seq)
    except LandingDamage:
        return None


def _remedy(table: Table, commit: Commit | None) -> str:
    full = f"el run --full {table.label}"
    if table.mode == "replace":
        return f"The next copy of the whole table ends this; to have it now, run: {full}"
    lo = commit.window.lo if commit and not commit.reading.full else None
    some = f"To bring the rows at once: el run --from '{lo}' {table.label}. " if lo else ""
    return f"{some}Only a full copy ends this note: {full}"

"""Landing → Redshift: the commits of one table that Redshift does not have yet, in order of ``seq``.

In: a table's folder on S3, and the position that the ledger holds. Out: a raw table that has every row of them.
Each commit is one transaction (``redshift/merge.py``); a loader that is killed, or two at once, change nothing about
the result, because the position is read again under the ledger's lock.

A landing that was lost is no special case for the user: extract finds no head and copies in full again, and load
finds that its position is not in the landing and starts at that full copy. What it never does is to apply a commit
again that is older than what Redshift has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from el.config import Table, raw_name
from el.errors import LandingDamage, LandingError, WarehouseError
from el.landing import Commit, TableLanding
from el.redshift import ddl, ledger, merge
from el.redshift.connection import Connection, connected, explained, quoted, rows
from el.settings import Redshift

#: Another loader at work on the same table: that many times we look again where it left off.
_ATTEMPTS = 100


@dataclass
class Loaded:
    """What one table's load did, for the report. ``json_misses``: JSON values that became NULL, per column.

    ``full``: the last commit of a full pass was among them. ``unfinished``: it was asked to stop between two commits.
    """

    rows: int = 0
    commits: int = 0
    full: bool = False
    unfinished: bool = False
    warnings: list[str] = field(default_factory=list)
    json_misses: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Loader:
    """One table of one run."""

    table: Table
    landing: TableLanding
    server: Redshift
    progress: Callable[[int], None] = lambda rows: None
    expect: Callable[[int], None] = lambda rows: None
    stopping: Callable[[], str] = lambda: ""

    @property
    def raw_name(self) -> str:
        return raw_name(self.table.name)

    def is_idle(self, position: ledger.Position | None) -> bool:
        """True if the landing has nothing that Redshift lacks; asks S3 alone."""
        if position is None:
            return not self.landing.seqs_from(1)
        seqs = self.landing.seqs_from(position.seq)
        if seqs == [position.seq]:
            return self.landing.commit(position.seq).load_id == position.load_id
        return not seqs and not self.landing.seqs_from(1)

    def run(self, position: ledger.Position | None, result: Loaded) -> None:
        """Apply what is pending. ``result`` counts what was applied, also when an error ends it.

        Raises:
            LandingError: a commit or a file is missing or changed, and no full copy came after it.
            WarehouseError: Redshift refuses, or the raw table does not fit.
        """
        with connected(self.server) as connection:
            for _ in range(_ATTEMPTS):
                pending = self._pending(connection, position, result)
                while pending:
                    if self.stopping():
                        result.unfinished = True
                        return
                    try:
                        applied = self._apply(connection, self.landing.commit(pending[0]), position, result)
                    except LandingDamage as damage:
                        pending = self._behind_damage(pending, damage, result)
                        continue
                    if applied is None:  # another loader was faster
                        break
                    position, pending = applied, pending[1:]
                else:
                    return
                with explained(self.table.label):
                    position = ledger.lock(connection, self.table.source, self.raw_name)
                    connection.rollback()
        raise WarehouseError(f"{self.table.label}: other loaders keep applying commits. Run again: el load")

    def _apply(
        self, connection: Connection, commit: Commit, position: ledger.Position | None, result: Loaded
    ) -> ledger.Position | None:
        follows = position is None or commit.previous_load_id == position.load_id
        if not follows and not _starts_over(commit):
            raise LandingError(
                f"{self.table.label}: commit {commit.seq} does not follow the commit that Redshift applied last. "
                f"Redshift was not changed. Copy the table again: el run --full {self.table.label}"
            )
        self.expect(result.rows + commit.rows)
        for file in commit.files:
            self.landing.check_file(file)
        with explained(f"{self.table.label}, commit {commit.seq}"):
            ddl.prepare(connection, self.server, commit, self.landing, self.raw_name, position)
        manifest = self.landing.write_manifest([commit]) if commit.rows else None
        applied = merge.apply(connection, commit, self.raw_name, manifest, self.server.copy_role, position)
        if applied is None:
            return None
        new, misses = applied
        result.json_misses.update(misses)
        result.rows += commit.rows
        result.commits += 1
        result.full = result.full or (commit.reading.full and commit.reading.done)
        self.progress(commit.rows)
        if commit.reading.done and commit.mode == "merge" and commit.window.next_lo:
            self.landing.publish_horizon(commit)
        return new

    def _pending(self, connection: Connection, position: ledger.Position | None, result: Loaded) -> list[int]:
        """Numbers of the commits to apply, in order and without a gap."""
        if position is None:
            return self._without_gap(*self._of_one_form(result), result)
        seqs = self.landing.seqs_from(position.seq)
        if seqs and seqs[0] == position.seq and self.landing.commit(position.seq).load_id == position.load_id:
            return self._without_gap(seqs[1:], position.seq + 1, result)
        return self._from_full_copy(connection, position, result)

    def _of_one_form(self, result: Loaded) -> tuple[list[int], int]:
        """For a raw table that is not there yet: the commits whose columns have the types of the newest.

        Older ones would make a table that the newer ones do not fit. The first number that has to be there, too.
        """
        seqs = self.landing.seqs_from(1)
        start, newest = None, None
        for seq in reversed(seqs):
            commit = self.landing.commit(seq)
            newest = newest or commit
            if not _fits(commit, newest):
                break
            if _starts_over(commit):
                start = seq
        else:
            return seqs, 1
        if start is None:
            return seqs, 1
        result.warnings.append(
            f"the table is built from the full copy that begins at commit {start}: commits before it have other column "
            "types. Rows that MySQL no longer had by then are not in it"
        )
        return seqs[seqs.index(start) :], start

    def _from_full_copy(self, connection: Connection, position: ledger.Position, result: Loaded) -> list[int]:
        """Where to begin in a landing that does not hold the commit that was applied last."""
        seqs = self.landing.seqs_from(1)
        start = self._newest_full_copy(seqs)
        if not seqs:
            return []
        if start is None or self._is_applied(connection, self.landing.commit(start).load_id):
            raise LandingError(
                f"{self.table.label}: Redshift applied commit {position.seq} last, and the landing ends at commit "
                f"{seqs[-1]} without it: it has lost commits. Redshift was not changed. Copy the table again: "
                f"el run --full {self.table.label}"
            )
        result.warnings.append(
            f"the landing no longer holds commit {position.seq}, which Redshift applied last; loaded again from the "
            f"full copy that begins at commit {start}. Rows that MySQL no longer has stay in Redshift"
        )
        return self._without_gap(seqs[seqs.index(start) :], start, result)

    def _newest_full_copy(self, seqs: list[int]) -> int | None:
        return next((seq for seq in reversed(seqs) if _starts_over(self.landing.commit(seq))), None)

    def _is_applied(self, connection: Connection, load_id: str) -> bool:
        with explained(self.table.label):
            where = quoted(ledger.ledger_schema(self.table.source), self.raw_name)
            found = rows(connection, f"select count(*) from {where} where load_id = %s", (load_id,))
            connection.rollback()
        return bool(found[0][0])

    def _without_gap(self, seqs: list[int], first: int, result: Loaded) -> list[int]:
        for expected, seq in enumerate(seqs, first):
            if seq != expected:
                missing = LandingDamage(
                    f"{self.table.label}: commit {expected} is missing in {self.landing.url}/_commits/, but {seq} is "
                    "there. Nothing was applied. Restore it from the bucket's versions, or copy the table again: "
                    f"el run --full {self.table.label}"
                )
                return self._behind_damage([expected, *(s for s in seqs if s >= seq)], missing, result)
        return seqs

    def _behind_damage(self, pending: list[int], damage: LandingDamage, result: Loaded) -> list[int]:
        """What to apply instead, where the first of the pending commits is lost: the newest full copy behind it.

        Raises:
            LandingDamage: there is none.
        """
        start = self._newest_full_copy(pending[1:])
        if start is None:
            raise damage
        result.warnings.append(
            f"commit {pending[0]} is missing or damaged; loaded from the full copy that begins at commit {start} "
            "instead. Rows that MySQL no longer had by then may be missing"
        )
        return self._without_gap(pending[pending.index(start) :], start, result)


def _starts_over(commit: Commit) -> bool:
    """True for the first commit of a full pass: it needs nothing that came before it."""
    return commit.reading.full and commit.reading.first_seq == commit.seq


def _fits(older: Commit, newer: Commit) -> bool:
    """True if both can be in one table: the same key, and the same types of the columns that both have."""
    before, now = ({column.name: column for column in commit.columns} for commit in (older, newer))
    keys = [{column.name for column in commit.columns if column.key} for commit in (older, newer)]
    return keys[0] == keys[1] and all(
        before[name].redshift == now[name].redshift for name in before.keys() & now.keys()
    )

"""``el load --skip``: one commit that cannot be applied is quarantined, on record, and the table goes on behind it.

In: a table, the number of its next pending commit, and a reason. Out: an object on S3, so that a table which is built
anew from the landing leaves the commit out too; and a ledger row of kind ``skipped``: a hole until a full copy.

Both are written under the ledger's lock: a loader that waits for the table finds the position moved and looks again.
Killed between the two, the object alone says it, and the next load writes the row.
"""

from __future__ import annotations

from datetime import UTC, datetime

from el.config import Table
from el.errors import LandingDamage, LandingError, UsageError, WarehouseError
from el.landing import Skip, TableLanding
from el.load import Loader
from el.pending import Pending
from el.redshift import ledger
from el.redshift.batch import Step
from el.redshift.connection import Connections, explained

_LONGEST_REASON = 1000  # characters; four bytes each at most in the ledger


def quarantine(table: Table, landing: TableLanding, warehouse: Connections, seq: int, reason: str) -> None:
    """Take one commit out of the way.

    Raises:
        UsageError: the reason is empty or too long; the commit is applied already, does not exist, or is not the next.
        LandingError, WarehouseError: S3 or Redshift refuses. Run it again.
    """
    reason = " ".join(reason.split())
    if not 0 < len(reason) <= _LONGEST_REASON:
        raise UsageError(f"--reason must be a sentence of up to {_LONGEST_REASON:,} characters. Nothing was changed.")
    loader = Loader(table, landing, warehouse)
    target = loader.target
    name = target.table
    with warehouse.one() as connection:
        known = ledger.known(connection, target.schema)
        if name in known.refused:
            raise WarehouseError(known.refused[name])
        ledger.prepare(connection, target.schema, [name], known.ledgers)
        with explained(f"{table.label}, commit {seq}"):
            ledger.lock(connection, target)
            position = ledger.last(connection, target)
            pending = Pending(table.label, landing, lambda load_id: loader._is_applied(load_id))
            _refuse(table, landing, pending, position, seq)
            commit = landing.commit(seq)
            now = datetime.now(UTC).isoformat(timespec="seconds")
            landing.write_skip(Skip(seq, commit.load_id, reason, now))
            ledger.record(connection, target, position, [Step(commit, "skipped", reason)], ledger.Entry("", loader.id))
            connection.commit()


def _refuse(table: Table, landing: TableLanding, pending: Pending, position: ledger.Position | None, seq: int) -> None:
    """Raises UsageError unless the commit is the next that load would apply."""
    said = f"{table.label}: commit {seq}"
    if seq not in landing.seqs_from(max(seq, 1))[:1]:
        raise UsageError(f"{said} does not exist in {landing.url}/_commits/. Nothing was skipped. See: el status")
    try:
        landing.commit(seq)
        seqs = pending.seqs(position)
    except LandingDamage as damage:
        raise LandingError(f"{said} cannot be skipped: {damage}") from None
    if not seqs or (position and seq <= position.seq and seqs[0] > position.seq):
        raise UsageError(
            f"{said} is applied already: Redshift is at commit {position.seq if position else seq}. Nothing was "
            "skipped. To read rows again: el run --from … --to …"
        )
    if seq != seqs[0]:
        raise UsageError(
            f"{said} is not the next: that is commit {seqs[0]}. Nothing was skipped. Load what comes before it first: "
            f"el load {table.label}"
        )

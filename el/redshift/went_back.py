"""A raw table that went back without its ledger: restored alone from a snapshot, or rows deleted by hand.

In: the ledger and the raw table. Out: whether the raw table has rows of the newest commit that brought any. No later
commit can have replaced those, so if there is none, the rows of that commit, and of nobody knows how many before it,
are missing, and no window would ever bring them again. Asked in a statement that the load needs anyway: it is no
question for every run, because it reads the raw table.

Copies of a whole table are not asked for: the next one brings everything.
"""

from __future__ import annotations

from el.errors import WarehouseError
from el.redshift.catalog import Target
from el.redshift.connection import Connection, rows


def question(target: Target) -> str:
    """A SELECT of one row: ``entries`` is 1 if the table lacks what the ledger says was applied, else 0."""
    return (
        f"select count(*) as entries from {target.ledger} newest where newest.mode = 'merge' and newest.position = "
        f"(select max(position) from {target.ledger} where kind = 'applied' and row_count > 0) "
        f"and {_lacks(target.raw, 'newest')}"
    )


def refusal(connection: Connection, target: Target, label: str) -> WarehouseError:
    """The error, with the statement that lets the ledger go back as far."""
    found = rows(
        connection,
        f"select max(position) from {target.ledger} entry where not ({_lacks(target.raw, 'entry')})",
    )
    position = int(found[0][0] or 0)
    return WarehouseError(
        f"{label}: {target.raw} went back: it has no row of the last commit that brought any, which the ledger says is "
        "applied. It was restored without its ledger, or somebody deleted those rows. Rolled back; Redshift is as it "
        f"was. Let the ledger go back as far: delete from {target.ledger} where position > {position}; then run: "
        f"el load {label}. That applies what came since again; rows that were deleted on purpose come back by it"
    )


def _lacks(raw: str, entry: str) -> str:
    return f"not exists (select 1 from {raw} where {raw}._seq = {entry}.seq and {raw}._dlt_load_id = {entry}.load_id)"

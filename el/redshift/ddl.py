"""Raw tables: made, given new columns, and wider VARCHARs, before the transaction that needs it.

In: a commit. Out: a raw table that has its columns. New columns are added nullable. A VARCHAR that is too short is
altered in place, which Redshift does outside of a transaction only. Anything else that has changed (a type, a key)
stops the table with a clear message, because a value would be cut or refused later, or land in a wrong column.

Why not dlt's client: it cannot say how a table is distributed, never widens, and looks at every table each time.
Several loaders may do this at once. Redshift has no ADD COLUMN IF NOT EXISTS, so what another one did first is an error
here: then the catalog decides whether the table fits now.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg2

from el.errors import WarehouseError
from el.landing import Commit, LandedColumn, TableLanding
from el.redshift import catalog, dlt_tables
from el.redshift.catalog import Target, varchar_length
from el.redshift.connection import Connection, explained, quoted, rows
from el.redshift.layout import Layout
from el.redshift.ledger import Position
from el.retry import RACE, Backoff


@dataclass(frozen=True)
class Known:
    """What is known of a raw table. ``columns`` are those it has; None: ask. ``layout`` is how it shall lie."""

    target: Target
    position: Position | None
    columns: dict[str, str] | None
    layout: Layout


def prepare(connection: Connection, commit: Commit, landing: TableLanding, known: Known) -> dict[str, str]:
    """Make the raw table fit a commit; the columns that it has then.

    Raises:
        WarehouseError: the table is gone although commits were applied to it, or a column has another type.
    """
    label = f"{commit.source}.{commit.table}"
    target, position, columns = known.target, known.position, known.columns
    where = target.raw
    connection.autocommit = True
    with explained(f"{label}, commit {commit.seq}"):
        if columns is None:
            columns = catalog.columns(connection, target)
        was_made = position is not None and position.schema_hash != ""
        # Empty: a load was cut off between making the table and its first commit.
        unknown = bool(columns and not was_made and rows(connection, f"select 1 from {where} limit 1"))
    if position and was_made and not columns:
        raise WarehouseError(
            f"{label}: the ledger says that commit {position.seq} is applied, but {where} is gone. Nothing was changed."
            f" To build it again from the landing, drop its ledger and load: "
            f"drop table {target.ledger}"
        )
    if unknown:
        raise WarehouseError(
            f"{label}: {where} is there, but the ledger knows nothing of it, so it is not known what its rows are. "
            f"Nothing was changed. Rename it, or drop it, and load again: drop table {where}"
        )
    other_form = position is None or position.schema_hash != commit.dlt_schema_hash
    if columns and other_form and commit.mode == "merge":
        with explained(f"{label}, commit {commit.seq}"):
            _refuse_other_key(label, target, commit, catalog.key(connection, target))
    columns = _fitted(connection, commit, target, columns, known.layout)
    if other_form or not was_made:
        dlt_tables.keep_schema(connection, commit, landing, target)
    connection.autocommit = False
    return columns


def _fitted(
    connection: Connection, commit: Commit, target: Target, columns: dict[str, str], layout: Layout
) -> dict[str, str]:
    where = target.raw
    label = f"{commit.source}.{commit.table}"
    backoff = Backoff(RACE)
    while True:
        _refuse_what_cannot_fit(label, target, commit, columns)
        missing = _statements(commit, target, columns, layout)
        if not missing:
            return columns
        failed: psycopg2.Error | None = None
        try:
            for statement in missing:
                rows(connection, statement)
        except psycopg2.Error as error:
            failed = error
            if connection.closed:
                with explained(f"{label}, commit {commit.seq}"):
                    raise
        with explained(label):
            columns = catalog.columns(connection, target)
        if failed:
            backoff.pause(
                WarehouseError(
                    f"{label}: commit {commit.seq} does not fit {where}, and Redshift refused: {_cut(statement)} "
                    f"({type(failed).__name__}, SQLSTATE {failed.pgcode}). No row was changed and the commit waits. "
                    "Check the user's rights, and whether a view that is not late-binding stands on the table; run the "
                    f"statement yourself. Then run: el load {label}"
                )
            )


def _statements(commit: Commit, target: Target, columns: dict[str, str], layout: Layout) -> list[str]:
    """What makes the table fit; each can be run again."""
    where = target.raw
    if not columns:
        made = ", ".join(_column(column, new_table=True) for column in commit.columns)
        return [
            f"create schema if not exists {quoted(target.schema)}",
            f"create table if not exists {where} ({made}) {layout.clause}",
        ]
    # NOT NULL on a column that is added would need a default, and the rows that are there have no value.
    added = [
        f"alter table {where} add column {_column(column)}" for column in commit.columns if column.name not in columns
    ]
    widened = [
        f"alter table {where} alter column {quoted(column.name)} type {column.redshift}"
        for column in commit.columns
        if _is_wider(column, columns.get(column.name))
    ]
    return added + widened


def _column(column: LandedColumn, new_table: bool = False) -> str:
    return f"{quoted(column.name)} {column.redshift}{' not null' if new_table and column.key else ''}"


def _is_wider(column: LandedColumn, has: str | None) -> bool:
    return 0 < varchar_length(has or "") < varchar_length(column.redshift)


def _refuse_what_cannot_fit(label: str, target: Target, commit: Commit, before: dict[str, str]) -> None:
    wrong = []
    for column in commit.columns:
        has = before.get(column.name)
        if has is None or has == column.redshift or (varchar_length(has) and varchar_length(column.redshift)):
            continue
        wrong.append(f"{column.name} is {has.upper()} there and {column.redshift.upper()} in the commit")
    if wrong:
        raise WarehouseError(
            f"{label}: commit {commit.seq} does not fit {target.raw}: {'; '.join(wrong)}. {_anew(label, target)}"
        )


def _refuse_other_key(label: str, target: Target, commit: Commit, before: set[str]) -> None:
    """A merge by another key would leave each row's old version beside its new one."""
    key = {column.name for column in commit.columns if column.key}
    if before and key != before:
        raise WarehouseError(
            f"{label}: commit {commit.seq} does not fit {target.raw}: the primary key is {', '.join(sorted(key))} in "
            f"the commit and was {', '.join(sorted(before))} when the table was made. {_anew(label, target)}"
        )


def _anew(label: str, target: Target) -> str:
    return (
        f"Nothing was changed and the commit waits. Drop the table and its ledger, {target.ledger}, and run: el load "
        f"{label}. The full copy that came with the change is loaded then; rows that MySQL no longer has are not"
    )


def _cut(statement: str) -> str:
    return statement if len(statement) <= 300 else statement[:300] + " …"

"""The ledger: which commit of the landing was applied to which raw table. Redshift holds the offset.

One small table per raw table in schema ``raw_<source>_el``, and the view ``_ledger`` over all of them. A shared table
would make tables that are loaded side by side abort each other under SERIALIZABLE. A ledger row is written in the
transaction that applies the commit, so a commit is applied exactly once or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from el.errors import WarehouseError
from el.landing import Commit
from el.redshift.connection import Connection, explained, quoted, rows

VIEW = "_ledger"
_DDL_ATTEMPTS = 5
_COLUMNS = """
    position bigint not null,
    seq bigint not null,
    load_id varchar(64) not null,
    mode varchar(16) not null,
    row_count bigint not null,
    file_count integer not null,
    byte_count bigint not null,
    json_misses bigint not null,
    horizon varchar(32),
    schema_hash varchar(64) not null,
    extracted_at timestamptz not null,
    applied_at timestamptz not null,
    el_version varchar(32) not null,
    format integer not null
"""


@dataclass(frozen=True)
class Position:
    """The commit that was applied last. ``position`` counts applied commits and never goes back."""

    position: int
    seq: int
    load_id: str
    schema_hash: str
    applied_at: str


def raw_schema(source: str) -> str:
    """Where the raw tables of a source are."""
    return f"raw_{source}"


def ledger_schema(source: str) -> str:
    """Where the ledger of a source is."""
    return f"raw_{source}_el"


def positions(connection: Connection, source: str) -> dict[str, Position]:
    """The position of every raw table of a source, by its name in Redshift; two queries."""
    with explained(f"reading the ledger of {source}"):
        # Not through the view: it breaks when a user drops a table's ledger to have the table built again.
        tables = sorted(_existing(connection, source) - {VIEW})
        newest = [
            f"select cast('{table}' as varchar(127)) as table_name, position, seq, load_id, schema_hash, "
            f"applied_at::varchar as applied_at, row_number() over (order by position desc) as newest "
            f"from {quoted(ledger_schema(source), table)}"
            for table in tables
        ]
        found = (
            rows(
                connection,
                "select table_name, position, seq, load_id, schema_hash, applied_at "
                f"from ({' union all '.join(newest)}) entries where newest = 1",
            )
            if newest
            else []
        )
        connection.rollback()
    return {str(row[0]): Position(int(row[1]), int(row[2]), row[3], row[4], row[5]) for row in found}


def prepare(connection: Connection, source: str, tables: Iterable[str]) -> None:
    """Make the ledger tables that are missing, and then the view over all of them anew."""
    for attempt in range(_DDL_ATTEMPTS):
        try:
            _prepare(connection, source, tables)
            return
        except WarehouseError:  # another loader may be making the same tables: IF NOT EXISTS does not wait for him
            connection.rollback()
            if attempt == _DDL_ATTEMPTS - 1:
                raise
            time.sleep(0.2 * (attempt + 1))


def _prepare(connection: Connection, source: str, tables: Iterable[str]) -> None:
    with explained(f"making the ledger of {source}"):
        existing = _existing(connection, source)
        missing = sorted(set(tables) - existing)
        if not missing and VIEW in existing:
            return
        schema = ledger_schema(source)
        rows(connection, f"create schema if not exists {quoted(schema)}")
        for table in missing:
            rows(connection, f"create table if not exists {quoted(schema, table)} ({_COLUMNS})")
        # select * would be expanded once; the columns are spelled so that view and tables cannot part in silence
        columns = ", ".join(line.split()[0] for line in _COLUMNS.strip().splitlines())
        selects = [
            f"select cast('{table}' as varchar(127)) as table_name, {columns} from {quoted(schema, table)}"
            for table in sorted((existing | set(missing)) - {VIEW})
        ]
        rows(
            connection,
            f"create or replace view {quoted(schema, VIEW)} as {' union all '.join(selects)} with no schema binding",
        )
        connection.commit()


def lock(connection: Connection, source: str, table: str) -> Position | None:
    """First statement of a transaction: one loader at a time. LOCK takes no snapshot, so what is read then is now."""
    ledger = quoted(ledger_schema(source), table)
    rows(connection, f"lock table {ledger}")
    found = rows(
        connection,
        f"select position, seq, load_id, schema_hash, applied_at::varchar from {ledger} order by position desc limit 1",
    )
    return Position(int(found[0][0]), int(found[0][1]), *found[0][2:]) if found else None


def record(
    connection: Connection, commit: Commit, raw_name: str, position: int, json_misses: int, el_version: str
) -> None:
    """Write that a commit is applied; part of its transaction."""
    rows(
        connection,
        f"insert into {quoted(ledger_schema(commit.source), raw_name)} values "
        "(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, getdate(), %s, %s)",
        (
            position,
            commit.seq,
            commit.load_id,
            commit.mode,
            commit.rows,
            len(commit.files),
            sum(file.size for file in commit.files),
            json_misses,
            commit.window.next_lo if commit.reading.done else None,
            commit.dlt_schema_hash,
            commit.extracted_at,
            el_version,
            commit.format,
        ),
    )


def _existing(connection: Connection, source: str) -> set[str]:
    found = rows(
        connection, "select table_name from information_schema.tables where table_schema = %s", (ledger_schema(source),)
    )
    return {str(name) for (name,) in found}

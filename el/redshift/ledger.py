"""The ledger: which commit of the landing was applied to which raw table. Redshift holds the offset.

One small table per raw table in schema ``raw_<source>_el``, and the view ``_ledger`` over all of them. A shared table
would make tables that are loaded side by side abort each other under SERIALIZABLE. A ledger row is written in the
transaction that applies the commit, so a commit is applied exactly once or not at all.

``kind`` says what became of a commit: applied, superseded or skipped (``batch.py``). A skipped commit leaves a *hole*:
its rows may be missing. Every row carries the newest hole on, until a full copy that began behind it is applied whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from el import __version__
from el.documents import Format, refusal
from el.errors import WarehouseError
from el.landing import Commit
from el.redshift import catalog
from el.redshift.batch import Kind, Step
from el.redshift.catalog import Tables, Target, ledger_schema
from el.redshift.connection import Connection, explained, quoted, rows
from el.retry import RACE, Backoff

VIEW = "_ledger"
#: Of the ledger's rows, which are no documents but follow their rule.
LEDGER = Format(4, WarehouseError, WarehouseError)
_COLUMNS = """
    position bigint not null,
    seq bigint not null,
    load_id varchar(64) not null,
    kind varchar(16) not null,
    mode varchar(16) not null,
    row_count bigint not null,
    file_count integer not null,
    byte_count bigint not null,
    json_misses bigint not null,
    deleted_count bigint,
    inserted_count bigint,
    table_rows bigint,
    receipt varchar(1024),
    horizon varchar(32),
    reason varchar(4000),
    layout varchar(4000) not null,
    hole_seq bigint,
    hole_position bigint,
    schema_hash varchar(64) not null,
    extracted_at timestamptz not null,
    applied_at timestamptz not null,
    loader varchar(32) not null,
    el_version varchar(32) not null,
    format integer not null
"""
_NAMES = [line.split()[0] for line in _COLUMNS.strip().splitlines()]
_POSITION = (
    "position, seq, load_id, schema_hash, applied_at::varchar as applied_at, layout, hole_seq, hole_position, "
    "table_rows, el_version, format"
)


@dataclass(frozen=True)
class Hole:
    """A commit that was skipped, by its seq and its position in the ledger: its rows may be missing."""

    seq: int
    position: int


@dataclass(frozen=True)
class Position:
    """The commit that was applied last. ``position`` counts commits and never goes back.

    ``schema_hash`` and ``layout`` are those of the commit that was copied last; empty before the first. ``table_rows``:
    rows of the raw table, as its transactions added and deleted them.
    """

    position: int
    seq: int
    load_id: str
    schema_hash: str
    applied_at: str
    layout: str = ""
    hole: Hole | None = None
    table_rows: int = 0


@dataclass(frozen=True)
class Changed:
    """Rows of the raw table that a transaction deleted and inserted."""

    deleted: int
    inserted: int


@dataclass(frozen=True)
class Known:
    """What one look at Redshift says of a schema, by raw name. ``refused``: ledgers of another format, and why.

    ``archived``: the record of the archive's journal up to which a table tells which rows are archived
    (``archived.py``); 0 where it tells of none, and nothing where there is no such table.
    """

    positions: dict[str, Position] = field(default_factory=dict)
    ledgers: frozenset[str] = frozenset()
    raw: Tables = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    archived: dict[str, int] = field(default_factory=dict)


def known(connection: Connection, schema: str) -> Known:
    """Position and columns of every raw table of a schema; no transaction.

    Two statements, and a third where rows are archived.
    """
    connection.autocommit = True
    with explained(f"reading the ledger of {schema}"):
        raw, ledgers = catalog.read(connection, schema)
        ledgers.pop(VIEW, None)
        beside = {name: ledgers.pop(name) for name in list(ledgers) if name.endswith(catalog.ARCHIVED)}
        refused = {
            table: _other_layout(connection, Target(schema, table))
            for table, columns in ledgers.items()
            if list(columns) != _NAMES
        }
        # Not through the view: it breaks when a user drops a table's ledger to have the table built again.
        newest = [
            f"select cast('{table}' as varchar(127)) as table_name, {_POSITION}, "
            f"row_number() over (order by position desc) as newest from {Target(schema, table).ledger}"
            for table in sorted(ledgers.keys() - refused.keys())
        ]
        names = (
            "table_name, position, seq, load_id, schema_hash, applied_at, layout, hole_seq, hole_position, table_rows, "
        )
        found = (
            rows(
                connection,
                f"select {names} el_version, format from ({' union all '.join(newest)}) entries where newest = 1",
            )
            if newest
            else []
        )
        asked = [
            f"select cast('{name.removesuffix(catalog.ARCHIVED)}' as varchar(127)) as table_name, "
            f"coalesce(max(_applied), 0) as applied from {quoted(ledger_schema(schema), name)}"
            for name, columns in sorted(beside.items())
            if "_applied" in columns
        ]
        archived = rows(connection, " union all ".join(asked)) if asked else []
    connection.autocommit = False
    positions = {}
    for name, *row in found:
        if int(row[10]) == LEDGER.number:
            positions[str(name)] = _position(row)
        else:
            refused[str(name)] = _other_format(Target(schema, str(name)), row[10], row[9])
    return Known(positions, frozenset(ledgers), raw, refused, {str(name): int(seq) for name, seq in archived})


def positions(connection: Connection, schema: str) -> dict[str, Position]:
    """The position of every raw table of a schema.

    Raises:
        WarehouseError: a ledger has another format.
    """
    found = known(connection, schema)
    if found.refused:
        raise WarehouseError("\n".join(found.refused.values()))
    return found.positions


def _position(row: Sequence[object]) -> Position:
    position, seq, load_id, schema_hash, applied_at, layout, hole_seq, hole_position, count = row[:9]
    hole = None if hole_seq is None else Hole(int(str(hole_seq)), int(str(hole_position)))
    return Position(
        int(str(position)),
        int(str(seq)),
        str(load_id),
        str(schema_hash),
        str(applied_at),
        str(layout),
        hole,
        0 if count is None else int(str(count)),
    )


def _other_format(target: Target, format_: object, version: object) -> str:
    said = refusal(f"{target.schema}.{target.table}: the ledger {target.ledger}", format_, LEDGER, version)
    return f"{said} To have the table built anew from the landing, drop it and its ledger"


def _other_layout(connection: Connection, target: Target) -> str:
    try:
        found = rows(
            connection,
            f"select format, el_version from {target.ledger} order by position desc limit 1",
        )
    except Exception:  # not even these columns: whatever it is, it is no ledger that we know
        found = []
    return _other_format(target, *(found[0] if found else ("unknown", "of another version")))


def prepare(connection: Connection, schema: str, tables: Iterable[str], existing: frozenset[str]) -> None:
    """Make the ledger tables that are missing, and then the view over all of them anew."""
    missing = sorted(set(tables) - existing)
    if not missing:
        return
    backoff = Backoff(RACE)
    while True:
        try:
            _prepare(connection, schema, missing)
            return
        except WarehouseError as error:  # another loader may be making the same: IF NOT EXISTS does not wait for him
            if connection.closed:
                raise
            connection.rollback()
            backoff.pause(error)


def _prepare(connection: Connection, raw: str, missing: list[str]) -> None:
    with explained(f"making the ledger of {raw}"):
        schema = ledger_schema(raw)
        rows(connection, f"create schema if not exists {quoted(schema)}")
        for table in missing:
            rows(connection, f"create table if not exists {quoted(schema, table)} ({_COLUMNS})")
        existing = rows(
            connection, "select table_name from information_schema.tables where table_schema = %s", (schema,)
        )
        # select * would be expanded once; the columns are spelled so that view and tables cannot part in silence
        selects = [
            f"select cast('{table}' as varchar(127)) as table_name, {', '.join(_NAMES)} from {quoted(schema, table)}"
            for table in sorted({str(name) for (name,) in existing} - {VIEW})
            if not table.endswith(catalog.ARCHIVED)
        ]
        rows(
            connection,
            f"create or replace view {quoted(schema, VIEW)} as {' union all '.join(selects)} with no schema binding",
        )
        connection.commit()


def lock(connection: Connection, target: Target) -> None:
    """First statement of a transaction: one loader at a time. LOCK takes no snapshot, so what is read then is now."""
    rows(connection, f"lock table {target.ledger}")


def last(connection: Connection, target: Target) -> Position | None:
    """The position as this transaction sees it."""
    found = rows(
        connection,
        f"select {_POSITION} from {target.ledger} order by position desc limit 1",
    )
    if found and int(found[0][10]) != LEDGER.number:
        raise WarehouseError(_other_format(target, found[0][10], found[0][9]))
    return _position(found[0]) if found else None


def look(connection: Connection, target: Target) -> Position | None:
    """The position now, after whoever is at work on the table. Ends its transaction."""
    lock(connection, target)
    found = last(connection, target)
    connection.rollback()
    return found


def came_through(connection: Connection, target: Target, commit: Commit, loader: str) -> bool:
    """True if this loader has applied a commit; waits for a transaction of its own that may still be under way."""
    lock(connection, target)
    found = rows(
        connection,
        f"select count(*) from {target.ledger} where load_id = %s and loader = %s",
        (commit.load_id, loader),
    )
    connection.rollback()
    return bool(found[0][0])


def following(before: Position | None, commit: Commit, kind: Kind, layout: str) -> Position:
    """The position when one more commit is settled."""
    number = before.position + 1 if before else 1
    copied = kind == "applied"
    hole = before.hole if before else None
    if kind == "skipped":
        hole = Hole(commit.seq, number)
    elif hole and copied and commit.reading.full and commit.reading.done:
        # Rows of the hole are in a full copy only if it began behind it.
        began = number - (commit.seq - commit.reading.first_seq)
        hole = None if began > hole.position else hole
    return Position(
        position=number,
        seq=commit.seq,
        load_id=commit.load_id,
        schema_hash=commit.dlt_schema_hash if copied else before.schema_hash if before else "",
        applied_at="",
        layout=layout if copied else before.layout if before else "",
        hole=hole,
        table_rows=before.table_rows if before else 0,
    )


@dataclass(frozen=True)
class Entry:
    """What the ledger keeps of a transaction beside its commits. ``json_misses`` by seq; ``receipt`` is its key.

    ``changed`` and the rows of the table stand in the row of the last commit.
    """

    layout: str
    loader: str
    json_misses: Mapping[int, int] = field(default_factory=dict)
    changed: Changed | None = None
    receipt: str | None = None


def record(
    connection: Connection, target: Target, before: Position | None, steps: Sequence[Step], entry: Entry
) -> Position:
    """Write that commits are settled; part of their transaction. The new position."""
    values: list[object] = []
    now = before
    for step in steps:
        commit, copied = step.commit, step.kind == "applied"
        now = following(now, commit, step.kind, entry.layout)
        done = entry.changed if step is steps[-1] else None
        if done:
            now = replace(now, table_rows=now.table_rows + done.inserted - done.deleted)
        values += [
            now.position,
            commit.seq,
            commit.load_id,
            step.kind,
            commit.mode,
            step.rows,
            len(commit.files) if copied else 0,
            sum(file.size for file in commit.files) if copied else 0,
            entry.json_misses.get(commit.seq, 0),
            done.deleted if done else None,
            done.inserted if done else None,
            now.table_rows if step is steps[-1] else None,
            entry.receipt,
            commit.window.next_lo if commit.reading.done and not now.hole else None,
            step.reason,
            now.layout,
            now.hole.seq if now.hole else None,
            now.hole.position if now.hole else None,
            now.schema_hash,
            commit.extracted_at,
            entry.loader,
            __version__,
            LEDGER.number,
        ]
    assert now
    one = ", ".join("getdate()" if name == "applied_at" else "%s" for name in _NAMES)
    rows(
        connection,
        f"insert into {target.ledger} values {', '.join([f'({one})'] * len(steps))}",
        values,
    )
    return now


def swapped(connection: Connection, target: Target, at: Position, table_rows: int, receipt: str) -> None:
    """Write that the table's rows were replaced by those of a replay; part of that transaction.

    In the row of the commit that both had: a row of its own would be a commit to whoever counts them.
    """
    rows(
        connection,
        f"update {target.ledger} set table_rows = %s, receipt = %s where position = %s",
        (table_rows, receipt, at.position),
    )

"""The transaction that applies one commit: all of it, once, or nothing.

    lock the table's ledger          first: a LOCK takes no snapshot, a SELECT would
    read the applied position again  another loader may have been faster
    create the incoming temp table   the commit's columns in the commit's order: a Parquet COPY is positional
    COPY one manifest                one statement for all files of the commit
    check the count                  against what extract wrote into the commit
    delete by primary key            mode replace: delete everything
    insert by column names           latest row per key
    ledger row, dlt's _dlt_loads     then commit

Why not Redshift's MERGE: it refuses duplicates in the source, takes no ``_seq`` order, and hides two scans.
Why not TRUNCATE for mode replace: it commits at once.
"""

from __future__ import annotations

from el import __version__
from el.errors import WarehouseError
from el.landing import Commit, LandedColumn
from el.redshift import ledger
from el.redshift.connection import Connection, explained, quoted, rows

#: Two underscores: no raw table and no column is ever called so (config.raw_name).
_INCOMING = "el__incoming"


def apply(
    connection: Connection,
    commit: Commit,
    raw_name: str,
    manifest: str | None,
    copy_role: str,
    expected: ledger.Position | None,
) -> tuple[ledger.Position, dict[str, int]] | None:
    """Apply one commit; the new position, and how many JSON values of which column could not be parsed.

    None if another loader has moved the position in the meantime.

    Raises:
        WarehouseError: Redshift refused, or the rows that arrived are not those of the commit.
    """
    label = f"{commit.source}.{commit.table}, commit {commit.seq}"
    try:
        with explained(label):
            now = ledger.lock(connection, commit.source, raw_name)
            if (now.load_id if now else None) != (expected.load_id if expected else None):
                return None
            misses = _move(connection, commit, raw_name, manifest, copy_role, label)
            position = (now.position if now else 0) + 1
            ledger.record(connection, commit, raw_name, position, sum(misses.values()), __version__)
            schema = ledger.raw_schema(commit.source)
            for load_id in commit.load_ids:
                rows(
                    connection,
                    f"insert into {quoted(schema, '_dlt_loads')} (load_id, schema_name, status, inserted_at, "
                    "schema_version_hash) values (%s, %s, 0, getdate(), %s)",
                    (load_id, f"{commit.source}_{raw_name}", commit.dlt_schema_hash),
                )
            connection.commit()
            return ledger.Position(position, commit.seq, commit.load_id, commit.dlt_schema_hash, ""), misses
    finally:
        if not connection.closed:
            connection.rollback()


def _move(
    connection: Connection, commit: Commit, raw_name: str, manifest: str | None, copy_role: str, label: str
) -> dict[str, int]:
    raw = quoted(ledger.raw_schema(commit.source), raw_name)
    rows(connection, f"create temp table {_INCOMING} ({', '.join(_incoming(c) for c in commit.columns)})")
    if manifest:
        role = "default" if copy_role == "default" else f"'{_literal(copy_role)}'"
        rows(connection, f"copy {_INCOMING} from '{_literal(manifest)}' iam_role {role} format as parquet manifest")
    (found,) = rows(connection, f"select count(*) from {_INCOMING}")[0]
    if int(found) != commit.rows:
        raise WarehouseError(
            f"{label}: COPY brought {int(found):,} rows and the commit has {commit.rows:,}. Rolled back; Redshift is "
            "as it was. The files in the landing are not those of the commit: compare them with it, or copy the table "
            f"again: el run --full {commit.source}.{commit.table}"
        )
    misses = _unparsable(connection, [column.name for column in commit.columns if column.json])
    keys = [column for column in commit.columns if column.key]
    if commit.mode == "replace":
        rows(connection, f"delete from {raw}")
    else:
        same = " and ".join(_same(raw, column) for column in keys)
        rows(connection, f"delete from {raw} using {_INCOMING} where {same}")
    names = ", ".join(quoted(column.name) for column in commit.columns)
    values = ", ".join(_value(column) for column in commit.columns)
    source = _INCOMING if commit.mode == "replace" else _latest(keys)
    rows(connection, f"insert into {raw} ({names}) select {values} from {source}")
    rows(connection, f"drop table {_INCOMING}")
    return misses


def _unparsable(connection: Connection, json_columns: list[str]) -> dict[str, int]:
    if not json_columns:
        return {}
    counted = ", ".join(
        f"coalesce(sum(case when {name} is not null and not can_json_parse({name}) then 1 else 0 end), 0)"
        for name in map(quoted, json_columns)
    )
    found = rows(connection, f"select {counted} from {_INCOMING}")[0]
    return {column: int(many) for column, many in zip(json_columns, found, strict=True) if many}


def _incoming(column: LandedColumn) -> str:
    # SUPER would hold the text as a quoted string: it arrives as text and is parsed on its way into the raw table.
    return f"{quoted(column.name)} {'varchar(65535)' if column.json else column.redshift}"


def _value(column: LandedColumn) -> str:
    name = quoted(column.name)
    return f"case when can_json_parse({name}) then json_parse({name}) end" if column.json else name


def _is_text(column: LandedColumn) -> bool:
    return column.redshift.startswith("varchar")


def _same(raw: str, column: LandedColumn) -> str:
    name = quoted(column.name)
    same = f"{raw}.{name} = {_INCOMING}.{name}"
    # Trailing blanks do not count in Redshift's comparison: 'a' and 'a ' are two keys in MySQL 8.
    if _is_text(column):
        same += f" and octet_length({raw}.{name}) = octet_length({_INCOMING}.{name})"
    return same


def _latest(keys: list[LandedColumn]) -> str:
    per_key = ", ".join(quoted(c.name) + (f", octet_length({quoted(c.name)})" if _is_text(c) else "") for c in keys)
    return (
        f"(select *, row_number() over (partition by {per_key} order by _seq desc) as el__rank "
        f"from {_INCOMING}) ranked where el__rank = 1"
    )


def _literal(text: str) -> str:
    return text.replace("'", "''")

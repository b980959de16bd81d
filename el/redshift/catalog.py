"""What Redshift's catalog says of a source: the columns of its ledger and of its raw tables, by one statement.

Why not one question per table: a run asks before anything else, and most of its tables have nothing to load.
"""

from __future__ import annotations

from typing import Any

from el.redshift.connection import Connection, rows

#: Tables, their columns in order, and the types of those as we write them.
Tables = dict[str, dict[str, str]]
#: information_schema's names for the types that we write in DDL.
_NAMES = {
    "character varying": "varchar",
    "varchar": "varchar",
    "numeric": "decimal",
    "decimal": "decimal",
    "timestamp without time zone": "timestamp",
    "timestamp": "timestamp",
    "timestamp with time zone": "timestamptz",
    "timestamptz": "timestamptz",
    "binary varying": "varbyte",
    "varbyte": "varbyte",
    "varbinary": "varbyte",
}
_SELECT = (
    "select table_schema, table_name, column_name, data_type, character_maximum_length, numeric_precision, "
    "numeric_scale from information_schema.columns where "
)


def raw_schema(source: str) -> str:
    """Where the raw tables of a source are."""
    return f"raw_{source}"


def ledger_schema(source: str) -> str:
    """Where the ledger of a source is."""
    return f"raw_{source}_el"


def read(connection: Connection, source: str) -> tuple[Tables, Tables]:
    """The raw tables and the ledger tables of a source. Late-binding views are in neither."""
    found = rows(
        connection,
        _SELECT + "table_schema in (%s, %s) order by table_schema, table_name, ordinal_position",
        (raw_schema(source), ledger_schema(source)),
    )
    tables: dict[str, Tables] = {raw_schema(source): {}, ledger_schema(source): {}}
    for schema, table, *column in found:
        tables[str(schema)].setdefault(str(table), {})[str(column[0])] = _spelled(str(column[1]), *column[2:])
    return tables[raw_schema(source)], tables[ledger_schema(source)]


def columns(connection: Connection, source: str, raw_name: str) -> dict[str, str]:
    """Columns of one raw table; empty if there is no such table."""
    found = rows(
        connection,
        _SELECT + "table_schema = %s and table_name = %s order by ordinal_position",
        (raw_schema(source), raw_name),
    )
    return {str(name): _spelled(str(kind), *sizes) for _, _, name, kind, *sizes in found}


def _spelled(kind: str, length: Any, precision: Any, scale: Any) -> str:
    name = _NAMES.get(kind.lower(), kind.lower())
    if name == "varchar":
        return f"varchar({length or 65535})"
    return f"decimal({precision},{scale})" if name == "decimal" else name

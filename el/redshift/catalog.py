"""What Redshift's catalog says of a source: the columns of its ledger and of its raw tables, by one statement.

Why not one question per table: a run asks before anything else, and most of its tables have nothing to load.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from el.landing import MAX_VARCHAR
from el.redshift.connection import Connection, quoted, rows

#: Ends the name of the table that tells which rows are archived. No raw table's name has two underscores.
ARCHIVED = "__archived"
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


def ledger_schema(schema: str) -> str:
    """Where the ledger of the raw tables of a schema is."""
    return f"{schema}_el"


@dataclass(frozen=True)
class Target:
    """A raw table: that of a source, or one that is built beside it by a replay. Its ledger goes with it."""

    schema: str
    table: str

    @property
    def raw(self) -> str:
        """The table, quoted."""
        return quoted(self.schema, self.table)

    @property
    def ledger(self) -> str:
        """Its ledger table, quoted."""
        return quoted(ledger_schema(self.schema), self.table)

    @property
    def archived(self) -> Target:
        """The table that tells which of its rows are archived, as a table of the ledger's schema."""
        return Target(ledger_schema(self.schema), self.table + ARCHIVED)


def read(connection: Connection, schema: str) -> tuple[Tables, Tables]:
    """The raw tables of a schema and their ledger tables. Late-binding views are in neither."""
    found = rows(
        connection,
        _SELECT + "table_schema in (%s, %s) order by table_schema, table_name, ordinal_position",
        (schema, ledger_schema(schema)),
    )
    tables: dict[str, Tables] = {schema: {}, ledger_schema(schema): {}}
    for where, table, *column in found:
        tables[str(where)].setdefault(str(table), {})[str(column[0])] = _spelled(str(column[1]), *column[2:])
    return tables[schema], tables[ledger_schema(schema)]


def columns(connection: Connection, target: Target) -> dict[str, str]:
    """Columns of one raw table; empty if there is no such table."""
    found = rows(
        connection,
        _SELECT + "table_schema = %s and table_name = %s order by ordinal_position",
        (target.schema, target.table),
    )
    return {str(name): _spelled(str(kind), *sizes) for _, _, name, kind, *sizes in found}


def key(connection: Connection, target: Target) -> set[str]:
    """The columns of the primary key that a raw table was made for: those that are NOT NULL."""
    found = rows(
        connection,
        "select column_name from information_schema.columns where table_schema = %s and table_name = %s "
        "and is_nullable = 'NO'",
        (target.schema, target.table),
    )
    return {str(name) for (name,) in found}


def varchar_length(kind: str) -> int:
    """Bytes that a VARCHAR holds; 0 for any other type."""
    found = re.fullmatch(r"varchar\((\d+)\)", kind)
    return int(found[1]) if found else 0


def _spelled(kind: str, length: Any, precision: Any, scale: Any) -> str:
    name = _NAMES.get(kind.lower(), kind.lower())
    if name == "varchar":
        return f"varchar({length or MAX_VARCHAR})"
    return f"decimal({precision},{scale})" if name == "decimal" else name

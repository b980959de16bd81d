"""DDL by which Athena and Redshift Spectrum read the archive where it lies.

In: tables and their newest manifests. Out: SQL text; nothing is run, and no engine is asked.

The folder ``rows/`` of a table is one external table. It has every copy that was ever made, also of rows that were left
in MySQL because they had changed; which copies count is said by the journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pyarrow as pa

from el.archive.contents import Contents
from el.config import Table, raw_name
from el.landing import MAX_VARCHAR

Engine = Literal["spectrum", "athena"]

_TYPES: dict[Engine, dict[pa.DataType, str]] = {
    "spectrum": {
        pa.int16(): "smallint",
        pa.int32(): "integer",
        pa.int64(): "bigint",
        pa.float32(): "real",
        pa.float64(): "double precision",
        pa.string(): f"varchar({MAX_VARCHAR})",
        pa.binary(): "varbyte(64000)",
    },
    "athena": {
        pa.int16(): "smallint",
        pa.int32(): "int",
        pa.int64(): "bigint",
        pa.float32(): "float",
        pa.float64(): "double",
        pa.string(): "string",
        pa.binary(): "binary",
    },
}


def ddl(tables: Sequence[tuple[Table, Contents]], engine: Engine, database: str) -> str:
    """The statements, in order. ``database`` is the one of the Glue catalog.

    Raises:
        ArchiveError, LandingError: a manifest cannot be read.
    """
    quote = '"' if engine == "spectrum" else "`"
    if engine == "spectrum":
        parts = [
            f'create external schema if not exists "{database}" from data catalog\n'
            f"database '{database}' iam_role default create external database if not exists;"
        ]
    else:
        parts = [f"create database if not exists `{database}`;"]
    for table, contents in tables:
        if not contents.chunks:
            continue
        manifest = contents.manifest(contents.chunks[-1])
        columns = ",\n".join(f"  {_name(one.name, quote)} {_type(one.arrow, engine)}" for one in manifest.archived)
        name = _name(f"{table.source}_{raw_name(table.name)}", quote)
        words = "create external table" if engine == "spectrum" else "create external table if not exists"
        parts.append(
            f"{words} {_name(database, quote)}.{name} (\n{columns}\n)\nstored as parquet\n"
            f"location '{contents.archive.url}/rows/';"
        )
    return "\n\n".join(parts)


def _type(arrow: pa.DataType, engine: Engine) -> str:
    if pa.types.is_decimal(arrow):
        return f"decimal({arrow.precision},{arrow.scale})"
    return _TYPES[engine][arrow]


def _name(name: str, quote: str) -> str:
    return quote + name.lower().replace(quote, quote * 2) + quote

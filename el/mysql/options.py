"""What the source file says of columns, held against MySQL's catalog.

In: a table of the source file, its columns and primary key as MySQL has them. Out: every line that names a column
which is not there or whose type the option does not fit; and the ``Options`` of each column, defaults filled in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from el.config import COLUMN_OPTIONS, Table, nearest
from el.mysql import types
from el.mysql.types import CatalogColumn, Options


def problems(table: Table, columns: Mapping[str, CatalogColumn], key: Collection[str]) -> list[str]:
    """One line for each column that an option names wrongly."""
    found = []
    for option in COLUMN_OPTIONS:
        for name in table.named(option):
            column = columns.get(name)
            why: str | None = f'no column "{name}"{nearest(name, columns)}'
            if column is not None:
                why = _why_not(table, option, column, name in key)
            if why:
                found.append(table.problem(option, f"{option}: {why}", name))
    return found


def options(table: Table, column: CatalogColumn, is_key: bool) -> Options:
    """What holds for one column; a policy of the source's defaults only where the type takes it."""
    oversize = table.on_oversize.get(column.name)
    if oversize is None:
        fits = not is_key and types.takes(column, "on_oversize", table.default_on_oversize)
        oversize = table.default_on_oversize if fits else "error"
    return Options(
        hashed=column.name in table.hash,
        boolean=column.name in table.boolean,
        on_oversize=oversize,
        on_zero_date=table.on_zero_date.get(column.name, table.default_on_zero_date),
    )


def _why_not(table: Table, option: str, column: CatalogColumn, is_key: bool) -> str | None:
    kind = column.column_type.upper()
    if option in ("exclude", "hash"):
        return f'"{column.name}" is part of the primary key' if is_key else None
    if column.data_type not in types.TYPES:
        return None  # said already: such a type cannot be carried
    if option == "boolean":
        if types.takes(column, option):
            return None
        return f'"{column.name}" is {kind}; only TINYINT and BIT(1) can be BOOLEAN'
    policy = str(getattr(table, option)[column.name])
    if is_key and policy != "error":
        return f'"{column.name}" is part of the primary key, whose values must stay apart: only error is possible'
    if types.takes(column, option, policy):
        return None
    if option == "on_zero_date":
        return f'"{column.name}" is {kind}, which holds no date'
    if types.takes(column, option):
        what = "JSON" if column.is_json or column.data_type == "json" else kind
        return f'"{column.name}" is {what}, of which a part is no value: choose error or null'
    return f'"{column.name}" is {kind}, which Redshift always holds'

"""Which column is the cursor, and what speaks against it.

In: a table of the source file, its columns, and what ``information_schema`` says of the whole database's indexes and
foreign keys (two queries for a source). Out: ``Cursor`` or problems, and warnings that say what the choice costs or
cannot see, with the remedy.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from el.config import Table, nearest
from el.mysql.connection import Connection, rows
from el.mysql.cursor import Cursor, Kind
from el.mysql.types import CatalogColumn

_INTEGERS = ("tinyint", "smallint", "mediumint", "int", "bigint")


@dataclass(frozen=True)
class Behaviour:
    """``indexed``: columns (table, column) that lead an index. ``foreign_keys``: what changes a child's rows behind
    the back of its cursor, by table: constraint and rules. ``increment``: between numbers that MySQL gives out.
    """

    indexed: frozenset[tuple[str, str]]
    foreign_keys: Mapping[str, list[str]]
    increment: int


def read_behaviour(connection: Connection) -> Behaviour:
    """Ask once for a whole source."""
    indexed = rows(
        connection,
        "select distinct table_name, column_name from information_schema.statistics "
        "where table_schema = database() and seq_in_index = 1",
    )
    foreign_keys = defaultdict(list)
    increment = 1
    for table, name, on_update, on_delete, step in rows(
        connection,
        # The variable is a row of its own. An outer join instead would make MariaDB open every table and view of every
        # database: only a condition under `where` tells it that one is enough.
        "select null, null, null, null, @@auto_increment_increment "
        "union all select table_name, constraint_name, update_rule, delete_rule, null "
        "from information_schema.referential_constraints where constraint_schema = database() "
        "and (update_rule in ('CASCADE', 'SET NULL') or delete_rule = 'SET NULL')",
    ):
        if table is None:
            increment = int(step)
        else:
            rules = [f"on update {on_update}"] if str(on_update).upper() in ("CASCADE", "SET NULL") else []
            rules += ["on delete SET NULL"] if str(on_delete).upper() == "SET NULL" else []
            foreign_keys[str(table)].append(f"{name} ({', '.join(rules).lower()})")
    return Behaviour(frozenset((str(t), str(c)) for t, c in indexed), dict(foreign_keys), increment)


def choose(table: Table, columns: Mapping[str, CatalogColumn]) -> tuple[Cursor | None, list[str]]:
    """The cursor of a table in mode merge, or what is wrong with it."""
    column = columns.get(table.cursor or "")
    if column is None:
        return None, [
            table.problem(
                "cursor",
                f'cursor "{table.cursor}" is no column{nearest(table.cursor or "", columns)}; a table without one can '
                "be copied whole by mode: replace",
            )
        ]
    kind, digits = kind_of(column)
    if kind is None:
        return None, [
            table.problem(
                "cursor",
                f'cursor "{column.name}" is {column.column_type.upper()}; it must be a TIMESTAMP, DATETIME or DATE '
                "that every write sets, or in a table that only grows an integer that MySQL counts up",
            )
        ]
    if kind == "integer" and column.nullable:
        return None, [table.problem("cursor", f'cursor "{column.name}" may be NULL; an integer cursor may not')]
    zone = table.cursor_zone if kind in ("datetime", "date") else None
    if zone is None and "cursor_zone" in table.lines and table.cursor_zone:
        return None, [
            table.problem(
                "cursor_zone",
                f'cursor_zone is for a DATETIME or DATE; cursor "{column.name}" is {column.column_type.upper()}'
                + (", which MySQL keeps in UTC" if kind == "timestamp" else ""),
            )
        ]
    return Cursor(column.name, kind, digits, column.nullable, zone), []


def kind_of(column: CatalogColumn) -> tuple[Kind | None, int]:
    """What kind of cursor a column can be (None: none), and its digits behind the second."""
    found = re.fullmatch(r"(datetime|timestamp)(?:\((\d)\))?", column.column_type)
    if found:
        return ("datetime" if found[1] == "datetime" else "timestamp"), int(found[2] or 0)
    if column.data_type == "date":
        return "date", 0
    return ("integer", 0) if column.data_type in _INTEGERS else (None, 0)


def warnings(
    table: str, cursor: Cursor | None, columns: Mapping[str, CatalogColumn], behaviour: Behaviour
) -> tuple[str, ...]:
    """What the cursor costs, and which writes it does not see."""
    if cursor is None:
        return ()
    said = []
    if (table, cursor.name) not in behaviour.indexed:
        said.append(
            f"cursor {cursor.name} has no index, so each run reads the whole table to find what changed. "
            f"Remedy: an index that begins with {cursor.name}"
        )
    stamped = [column.name for column in columns.values() if "on update" in column.extra]
    if cursor.kind == "integer":
        if stamped:
            said.append(
                f"cursor {cursor.name} does not see updates, and MySQL keeps the time of each in {stamped[0]}. "
                f"Remedy: cursor: {stamped[0]}"
            )
        if "auto_increment" not in columns[cursor.name].extra:
            said.append(
                f"cursor {cursor.name} is not AUTO_INCREMENT: a row whose number is given out by the application and "
                "is smaller than one that is already there is missed. Remedy: an AUTO_INCREMENT or a time as cursor"
            )
        elif behaviour.increment > 1:
            said.append(
                f"MySQL counts up in steps of {behaviour.increment}, as several primaries do that write to one table; "
                f"then {cursor.name} does not grow with time and rows are missed. Remedy: a time as cursor"
            )
        return tuple(said)
    if cursor.name not in stamped:
        said.append(
            f"cursor {cursor.name} is not set by MySQL (no ON UPDATE CURRENT_TIMESTAMP): an update that leaves it as "
            "it was is missed, unless the application or a trigger sets it at every write"
        )
    elif columns[cursor.name].starts_fixed:
        said.append(
            f"MySQL sets cursor {cursor.name} at an update but not at an insert (no DEFAULT CURRENT_TIMESTAMP): a row "
            "whose insert does not set it gets a fixed time and is missed until it is updated"
        )
    if found := behaviour.foreign_keys.get(table):
        said.append(
            f"foreign keys change rows without setting {cursor.name}: {', '.join(sorted(found))}. Such changes are "
            f"missed. Remedy: let the application write them, or el run --full from time to time"
        )
    return tuple(said)

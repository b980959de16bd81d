"""Which column is the cursor, and what speaks against it.

In: a table of the source file, its columns, and what ``information_schema`` says of the whole database's indexes and
foreign keys (asked once for a source). Out: ``Cursor`` or problems, and warnings that say what the choice costs or
cannot see, with the remedy.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from el.config import Table, nearest
from el.mysql.connection import Connection, create_table, rows
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


def read_behaviour(connection: Connection, tables: Collection[str] | None = None) -> Behaviour:
    """Ask once for a whole source. ``tables``: those that matter; None: all."""
    indexed = rows(
        connection,
        "select distinct table_name, column_name from information_schema.statistics "
        "where table_schema = database() and seq_in_index = 1 and column_name is not null "
        # One that MySQL does not use speeds up nothing. Each server reads the other's words as a comment.
        "/*!80000 and is_visible = 'YES' */ /*M!100600 and ignored = 'NO' */",
    )
    ((increment,),) = rows(connection, "select @@auto_increment_increment")
    foreign_keys = defaultdict(list)
    for table, name, on_update, on_delete in _foreign_keys(connection, tables):
        rules = [f"on update {on_update}"] if on_update.upper() in ("CASCADE", "SET NULL") else []
        rules += ["on delete SET NULL"] if on_delete.upper() == "SET NULL" else []
        if rules:
            foreign_keys[table].append(f"{name} ({', '.join(rules).lower()})")
    return Behaviour(frozenset((str(t), str(c)) for t, c in indexed), dict(foreign_keys), int(increment))


def _foreign_keys(connection: Connection, tables: Collection[str] | None) -> Iterator[tuple[str, str, str, str]]:
    """Table, name, ON UPDATE and ON DELETE of each."""
    listed = rows(
        connection,
        "select table_name, constraint_name, update_rule, delete_rule "
        "from information_schema.referential_constraints where constraint_schema = database()",
    )
    for table, name, on_update, on_delete in listed:
        yield str(table), str(name), str(on_update), str(on_delete)
    # MariaDB lists none to a user who may only select. What makes the table tells as well, one by one.
    there = rows(
        connection,
        "select distinct table_name from information_schema.key_column_usage "
        "where table_schema = database() and referenced_table_name is not null",
    )
    for table in {str(table) for (table,) in there} - {str(row[0]) for row in listed}:
        if tables is None or table in tables:
            for name, on_delete, on_update in rules_of(create_table(connection, table)):
                yield table, name, on_update, on_delete


def rules_of(create_table: str) -> list[tuple[str, str, str]]:
    """Name, ON DELETE and ON UPDATE of each foreign key, of what SHOW CREATE TABLE prints; empty: none."""
    pattern = r"^  CONSTRAINT `((?:[^`]|``)+)` FOREIGN KEY .*?(?: ON DELETE ([A-Z ]+?))?(?: ON UPDATE ([A-Z ]+?))?,?$"
    return [(name, deleted, updated) for name, deleted, updated in re.findall(pattern, create_table, re.MULTILINE)]


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

"""What the archive has to know of a table before it touches a row: ``information_schema``, read once per run.

In: a connection of the archive's user, a table's name. Out: ``Shape``: columns as ``rows.py`` carries them, the
primary key as ``mysql/chunks.py`` walks it, and what hangs on the table: foreign keys of others, triggers, indexes.

Why not the catalog that extract uses: that one is about what fits into Redshift, and leaves out what the archive must
not leave out (charsets, generated columns, foreign keys).
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

import pymysql

from el.archive.rows import Column, column
from el.errors import ArchiveError
from el.mysql import types
from el.mysql.catalog import TableShape
from el.mysql.connection import Connection, quoted, rows
from el.mysql.types import CatalogColumn


@dataclass(frozen=True)
class Child:
    """A foreign key of another table (or of the table itself) on this one. ``rule`` is its ON DELETE."""

    database: str
    table: str
    name: str
    rule: str
    columns: tuple[str, ...]
    parent_columns: tuple[str, ...]


@dataclass(frozen=True)
class Shape:
    """One table. ``unknown`` are columns of a type that cannot be carried, ``delete_triggers`` names.

    ``data_bytes`` and ``index_bytes`` are InnoDB's, ``free_bytes`` what it may use again, ``estimated_rows`` its guess.
    ``foreign_keys`` on the table are how many InnoDB knows, also those of databases that the user may not see; None
    without the privilege PROCESS. ``indexed`` are the first columns of the indexes, ``auto_increment`` the column
    of that name.
    """

    database: str
    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[Column, ...]
    unknown: tuple[str, ...]
    walk: TableShape
    create_table: str
    engine: str
    kind: str
    auto_increment: str | None
    children: tuple[Child, ...]
    foreign_keys: int | None
    delete_triggers: tuple[str, ...]
    indexed: frozenset[str]
    estimated_rows: int
    average_row: int
    data_bytes: int
    index_bytes: int
    free_bytes: int

    @property
    def has_long_values(self) -> bool:
        """Whether one row may be of megabytes, so that an average says little."""
        return any(one.part == "digest" for one in self.columns)

    def column(self, name: str) -> Column | None:
        """A column by its name, as MySQL compares names."""
        return next((one for one in self.columns if one.name.lower() == name.lower()), None)


def read_shape(connection: Connection, table: str) -> Shape:
    """Ask MySQL about one table of the connection's database.

    Raises:
        ArchiveError: there is no such table, or the user may not see it.
        pymysql's errors.
    """
    ((database,),) = rows(connection, "select database()")
    about = rows(
        connection,
        "select table_type, engine, table_rows, avg_row_length, data_length, index_length, data_free "
        "from information_schema.tables where table_schema = database() and table_name = %s",
        (table,),
    )
    if not about:
        raise ArchiveError(
            f"{database}.{table}: no such table in MySQL, or the user may not read it. Nothing was done."
        )
    kind, engine, many, average, data, index, free = about[0]
    columns, unknown, walked, auto = [], [], {}, None
    for name, data_type, column_type, nullable, charset, collation, extra, precision, scale, length in rows(
        connection,
        "select column_name, data_type, column_type, is_nullable, character_set_name, collation_name, extra, "
        "numeric_precision, numeric_scale, character_maximum_length from information_schema.columns "
        "where table_schema = database() and table_name = %s order by ordinal_position",
        (table,),
    ):
        data_type = str(data_type).lower()
        labels = data_type in ("enum", "set")
        made = column(
            name=str(name),
            data_type=data_type,
            column_type=str(column_type) if labels else str(column_type).lower(),
            nullable=str(nullable).upper() == "YES",
            charset=str(charset) if charset else None,
            collation=str(collation) if collation else None,
            extra=str(extra).lower(),
            precision=None if precision is None else int(precision),
            scale=None if scale is None else int(scale),
        )
        if made is None:
            unknown.append(f"{name} ({column_type})")
            continue
        columns.append(made)
        if "auto_increment" in made.extra:
            auto = made.name
        walked[made.name] = types.column(
            CatalogColumn(made.name, data_type, made.mysql_type, made.nullable, length, precision, scale, ""), made.name
        )
    key = [
        str(name)
        for (name,) in rows(
            connection,
            "select column_name from information_schema.key_column_usage where table_schema = database() and "
            "table_name = %s and constraint_name = 'PRIMARY' order by ordinal_position",
            (table,),
        )
    ]
    by_name = {one.name: one for one in columns}
    walk = TableShape(
        name=table,
        raw_name=table,
        columns=(),
        primary_key=tuple(one for name in key if (one := walked.get(name))),
        cursor=None,
        average_row=int(average or 0),
        estimated_rows=int(many or 0),
    )
    is_table = str(kind).upper() != "VIEW"
    return Shape(
        database=str(database),
        name=table,
        columns=tuple(columns),
        primary_key=tuple(by_name[name] for name in key if name in by_name),
        unknown=tuple(unknown),
        walk=walk,
        create_table=str(rows(connection, f"show create table {quoted(table)}")[0][1]) if is_table else "",
        engine=str(engine or ""),
        kind=str(kind).upper(),
        auto_increment=auto,
        children=_children(connection, table),
        foreign_keys=_foreign_keys(connection, table),
        delete_triggers=_delete_triggers(connection, table),
        indexed=frozenset(
            str(name)
            for (name,) in rows(
                connection,
                "select column_name from information_schema.statistics where table_schema = database() and "
                "table_name = %s and seq_in_index = 1",
                (table,),
            )
        ),
        estimated_rows=int(many or 0),
        average_row=int(average or 0),
        data_bytes=int(data or 0),
        index_bytes=int(index or 0),
        free_bytes=int(free or 0),
    )


def what_changed(connection: Connection, shape: Shape) -> str:
    """What of a table is not as the shape says: its definition, its triggers or the foreign keys on it; or nothing.

    Asked while a lock on one of its rows is held: nobody can alter the table until that is given back. Partitions and
    the next AUTO_INCREMENT do not count.
    """
    now = str(rows(connection, f"show create table {quoted(shape.name)}")[0][1])
    if _lasting(now) != _lasting(shape.create_table):
        return "its definition"
    if _delete_triggers(connection, shape.name) != shape.delete_triggers:
        return "its triggers"
    if _foreign_keys(connection, shape.name) != shape.foreign_keys:
        return "the foreign keys on it"
    return ""


def _lasting(create_table: str) -> str:
    """A definition without what changes by itself."""
    return re.sub(r" AUTO_INCREMENT=\d+", "", re.split(r"\n(?:/\*!\d+)? ?PARTITION BY", create_table)[0])


def _delete_triggers(connection: Connection, table: str) -> tuple[str, ...]:
    found = rows(
        connection,
        "select trigger_name from information_schema.triggers where event_object_schema = database() and "
        "event_object_table = %s and event_manipulation = 'DELETE' order by trigger_name",
        (table,),
    )
    return tuple(str(name) for (name,) in found)


def _children(connection: Connection, table: str) -> tuple[Child, ...]:
    """Foreign keys on the table, of every database that the user may see."""
    rules = {
        (str(schema), str(child), str(name)): str(rule).upper()
        for schema, child, name, rule in rows(
            connection,
            "select constraint_schema, table_name, constraint_name, delete_rule "
            "from information_schema.referential_constraints "
            "where unique_constraint_schema = database() and referenced_table_name = %s",
            (table,),
        )
    }
    own: dict[tuple[str, str, str], list[tuple[str, str]]] = defaultdict(list)
    if rules:
        for schema, child, name, mine, parents in rows(
            connection,
            "select table_schema, table_name, constraint_name, column_name, referenced_column_name "
            "from information_schema.key_column_usage "
            "where referenced_table_schema = database() and referenced_table_name = %s "
            "order by table_schema, table_name, constraint_name, ordinal_position",
            (table,),
        ):
            own[str(schema), str(child), str(name)].append((str(mine), str(parents)))
    return tuple(
        Child(
            database=place[0],
            table=place[1],
            name=place[2],
            rule=rules.get(place, "RESTRICT"),
            columns=tuple(mine for mine, _ in pairs),
            parent_columns=tuple(theirs for _, theirs in pairs),
        )
        for place, pairs in own.items()
    )


def _foreign_keys(connection: Connection, table: str) -> int | None:
    """How many InnoDB knows. ``information_schema`` hides those of tables without a privilege, and they cascade."""
    for view in ("innodb_sys_foreign", "innodb_foreign"):  # MariaDB's name, and MySQL 8's
        try:
            found = rows(
                connection,
                f"select count(*) from information_schema.{view} where cast(ref_name as binary) in "
                "(concat(cast(convert(database() using filename) as binary), '/', "
                "cast(convert(%s using filename) as binary)), cast(concat(database(), '/', %s) as binary))",
                (table, table),
            )
            return int(found[0][0])
        except pymysql.err.MySQLError as error:
            if error.args[0] == 1109:  # no such table there
                continue
            if error.args[0] in (1044, 1142, 1227):
                return None
            raise
    return None

"""What the archive has to know of a table before it touches a row: ``information_schema``, read once per run.

In: a connection of the archive's user, a table's name. Out: ``Shape``: columns as ``rows.py`` carries them, the
primary key as ``mysql/chunks.py`` walks it, and what hangs on the table: foreign keys of others, triggers, indexes.

Why not the catalog that extract uses: that one is about what fits into Redshift. It leaves out the columns that the
source file excludes, and asks neither for triggers nor for foreign keys of other databases.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

import pymysql

from el.archive.rights import sees_triggers
from el.archive.rows import Column, Described, column
from el.errors import ArchiveError
from el.mysql import types
from el.mysql.catalog import TableShape
from el.mysql.connection import Connection, quoted, rows
from el.mysql.types import CatalogColumn

#: Bytes of a value for whose type ``information_schema`` names no length: JSON, geometry.
_LONGEST = 2**32 - 1


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

    ``hidden`` are columns that the user may not read, and that MySQL therefore does not list. ``sees_triggers``: the
    user has the privilege TRIGGER; without it there are triggers that MySQL does not list either.
    ``data_bytes`` and ``index_bytes`` are InnoDB's, ``free_bytes`` what it may use again, ``estimated_rows`` its guess;
    ``widest_row`` the bytes that texts and binaries of one row may have.
    ``foreign_keys`` on the table are how many InnoDB knows, also those of databases that the user may not see; None
    without the privilege PROCESS. ``indexed`` are the first columns of the indexes that MySQL uses, ``auto_increment``
    the column of that name.
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
    sees_triggers: bool
    hidden: tuple[str, ...]
    indexed: frozenset[str]
    estimated_rows: int
    average_row: int
    data_bytes: int
    index_bytes: int
    free_bytes: int
    widest_row: int

    @property
    def json_columns(self) -> tuple[Column, ...]:
        """Columns of MySQL's own JSON whose values may hold types that their text does not have."""
        return tuple(one for one in self.columns if one.faithful)

    def column(self, name: str) -> Column | None:
        """A column by its name, as MySQL compares names."""
        return next((one for one in self.columns if one.name.lower() == name.lower()), None)


def read_shape(connection: Connection, table: str, json_as_text: bool = False) -> Shape:
    """Ask MySQL about one table of the connection's database. ``json_as_text``: of a JSON value its text is enough.

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
    listed: set[str] = set()
    widest = 0
    for name, data_type, column_type, nullable, charset, collation, extra, precision, scale, length, octets in rows(
        connection,
        "select column_name, data_type, column_type, is_nullable, character_set_name, collation_name, extra, "
        "numeric_precision, numeric_scale, character_maximum_length, character_octet_length "
        "from information_schema.columns where table_schema = database() and table_name = %s order by ordinal_position",
        (table,),
    ):
        listed.add(str(name))
        data_type = str(data_type).lower()
        labels = data_type in ("enum", "set")
        made = column(
            Described(
                name=str(name),
                data_type=data_type,
                column_type=str(column_type) if labels else str(column_type).lower(),
                nullable=str(nullable).upper() == "YES",
                charset=str(charset) if charset else None,
                collation=str(collation) if collation else None,
                extra=str(extra).lower(),
                precision=None if precision is None else int(precision),
                scale=None if scale is None else int(scale),
                json_as_text=json_as_text,
            )
        )
        if made is None:
            unknown.append(f"{name} ({column_type})")
            continue
        columns.append(made)
        if made.part in ("digest", "length"):
            widest += int(octets or _LONGEST)
        if "auto_increment" in made.extra:
            auto = made.name
        walked[made.name] = types.column(
            CatalogColumn(
                made.name,
                data_type,
                made.mysql_type if labels else types.plain_type(made.mysql_type),
                made.nullable,
                length,
                precision,
                scale,
                "",
                charset=made.charset,
                collation=made.collation,
            ),
            made.name,
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
    create_table = _create_table(connection, table) if str(kind).upper() != "VIEW" else ""
    return Shape(
        database=str(database),
        name=table,
        columns=tuple(columns),
        primary_key=tuple(by_name[name] for name in key if name in by_name),
        unknown=tuple(unknown),
        walk=walk,
        create_table=create_table,
        engine=str(engine or ""),
        kind=str(kind).upper(),
        auto_increment=auto,
        children=_children(connection, table),
        foreign_keys=_foreign_keys(connection, table),
        delete_triggers=_delete_triggers(connection, table),
        sees_triggers=sees_triggers(connection, str(database), table),
        hidden=tuple(name for name in _columns(create_table) if name not in listed),
        indexed=frozenset(index.column for index in indexes(connection, table)),
        estimated_rows=int(many or 0),
        average_row=int(average or 0),
        data_bytes=int(data or 0),
        index_bytes=int(index or 0),
        free_bytes=int(free or 0),
        widest_row=widest,
    )


def what_changed(connection: Connection, shape: Shape) -> str:
    """What of a table is not as the shape says: its definition, its triggers or the foreign keys on it; or nothing.

    Asked while a lock on one of its rows is held: nobody can alter the table until that is given back. Partitions and
    the next AUTO_INCREMENT do not count.
    """
    now = _create_table(connection, shape.name)
    if _lasting(now) != _lasting(shape.create_table):
        return "its definition"
    if _delete_triggers(connection, shape.name) != shape.delete_triggers:
        return "its triggers"
    if _foreign_keys(connection, shape.name) != shape.foreign_keys:
        return "the foreign keys on it"
    return ""


def _create_table(connection: Connection, table: str) -> str:
    return str(rows(connection, f"show create table {quoted(table)}")[0][1])


def _columns(create_table: str) -> list[str]:
    """The names of the columns: MySQL prints each on a line of its own, and nothing else begins with its name."""
    names = re.findall(r"^  `((?:[^`\n]|``)+)` ", create_table, re.MULTILINE)
    return [name.replace("``", "`") for name in names]


@dataclass(frozen=True)
class Index:
    """An index that MySQL may use, and the column that comes first in it."""

    table: str
    name: str
    column: str


def indexes(connection: Connection, table: str | None = None) -> list[Index]:
    """The indexes of one table, or of all in the database, that begin with a whole column.

    Not those that are invisible (MySQL) or ignored (MariaDB): no query gets a range from them. The two servers have
    other columns for that, so this view is read by its labels.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select * from information_schema.statistics where table_schema = database() and seq_in_index = 1"
            + (" and table_name = %s" if table else ""),
            (table,) if table else None,
        )
        labels = [str(label[0]).lower() for label in cursor.description or ()]
        found = [dict(zip(labels, row, strict=True)) for row in cursor.fetchall()]
    return [
        Index(str(one["table_name"]), str(one["index_name"]), str(one["column_name"]))
        for one in found
        if one["column_name"] is not None  # an index on an expression has none
        and one["sub_part"] is None
        and str(one.get("is_visible", "YES")).upper() == "YES"
        and str(one.get("ignored", "NO")).upper() == "NO"
    ]


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
            rule=rules.get(place, "UNKNOWN"),
            columns=tuple(mine for mine, _ in pairs),
            parent_columns=tuple(theirs for _, theirs in pairs),
        )
        for place, pairs in own.items()
    )


#: Per server the view in which InnoDB tells its foreign keys, and how it spells a table there. MariaDB's has names of
#: files, in which a character beyond letters and digits is a code; MySQL's has the names themselves.
_INNODB = {
    "innodb_foreign": "if(@@lower_case_table_names = 0, cast(ref_name as binary) = cast(concat(database(), '/', %s) "
    "as binary), lower(ref_name) = lower(concat(database(), '/', %s)))",
    # MySQL refuses the character set, so MariaDB's view comes last.
    "innodb_sys_foreign": "cast(ref_name as binary) in "
    "(concat(cast(convert(database() using filename) as binary), '/', cast(convert(%s using filename) as binary)), "
    "cast(concat(database(), '/', %s) as binary))",
}


def _foreign_keys(connection: Connection, table: str) -> int | None:
    """How many InnoDB knows. ``information_schema`` hides those of tables without a privilege, and they cascade."""
    for view, condition in _INNODB.items():
        try:
            found = rows(
                connection, f"select count(*) from information_schema.{view} where {condition}", (table, table)
            )
            return int(found[0][0])
        except pymysql.err.MySQLError as error:
            if error.args[0] == 1109:  # no such table there
                continue
            if error.args[0] in (1044, 1142, 1227):
                return None
            raise
    return None

"""What the tables of a source look like: ``information_schema``, read once per run.

In: a connection and the tables of the source file. Out: ``Catalog``, a database as MySQL describes it, read by a few
queries whatever its number of tables; and ``TableShape`` per table: columns in MySQL's order, primary key, cursor.

Problems that only show here (a cursor that is no column, a merge table without a primary key) are the user's
configuration as much as a wrong key in the file: reported all at once, with file and line.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import pymysql

from el.config import Table, nearest, raw_name
from el.errors import ConfigError
from el.mysql import cursors, options, types
from el.mysql.connection import LOST, Connection, create_table, quoted, rows
from el.mysql.cursor import Cursor
from el.mysql.types import CatalogColumn, Column, Options

#: Columns that every raw row carries beside MySQL's own.
ADDED_COLUMNS = ("_seq", "_extracted_at", "_deleted_at", "_dlt_load_id")
#: A column's default that is the time of the insert, in the servers' spellings.
_NOW = re.compile(r"current_timestamp|now\(|utc_timestamp|localtime|sysdate|curdate", re.IGNORECASE)
#: Redshift's own limit.
_MAX_COLUMNS = 1600
#: So many tables are asked about in one statement.
_TABLES_AT_ONCE = 200
#: A table or a column that the user has no right on.
_NO_RIGHT = (1142, 1143)


@dataclass(frozen=True)
class TableShape:
    """One table as it will be read.

    ``average_row`` (bytes) and ``estimated_rows`` are InnoDB's estimates.
    ``cursor`` is None in mode replace. ``warnings`` say what the cursor costs or cannot see, and what the table is not
    safe from.
    """

    name: str
    raw_name: str
    columns: tuple[Column, ...]
    primary_key: tuple[Column, ...]
    cursor: Cursor | None
    average_row: int
    estimated_rows: int
    warnings: tuple[str, ...] = ()

    @property
    def signature(self) -> str:
        """Changes when rows that were copied before would be copied in another form now; then all are copied again."""
        facts = [
            (c.name, c.mysql_type, c.select, str(c.arrow), c.redshift, c.hashed, c.on_oversize, c.on_zero_date)
            for c in self.columns
        ]
        # A pass goes on behind the last key that was read: another collation has another order.
        key = [f"{c.name} collate {c.collation}" if c.ordered_as_text else c.name for c in self.primary_key]
        cursor = self.cursor and (self.cursor.name, self.cursor.kind, self.cursor.zone)
        return sha256(json.dumps([facts, key, cursor]).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class About:
    """A table as ``information_schema.tables`` has it; ``broken``: a view that cannot be read."""

    is_view: bool
    is_sequence: bool
    broken: bool
    engine: str
    average_row: int
    estimated_rows: int


@dataclass(frozen=True)
class Catalog:
    """A database as MySQL describes it: what the user may read, each by its MySQL name. ``keys``: primary keys.

    ``partly_readable``: tables with columns that the user may not read, which MySQL does not even list.
    """

    columns: Mapping[str, Mapping[str, CatalogColumn]]
    keys: Mapping[str, Sequence[str]]
    about: Mapping[str, About]
    behaviour: cursors.Behaviour
    partly_readable: frozenset[str] = frozenset()


def read_catalog(connection: Connection, tables: Collection[str] | None = None) -> Catalog:
    """Ask once for a whole source. ``tables``: those that matter; None: all."""
    columns = _columns(connection, tables)
    # MariaDB lists the invisible end of a row's life in the key of a system-versioned table; we read living rows.
    keys = {
        table: [name for name in names if name in columns.get(table, ())]
        for table, names in _primary_keys(connection).items()
    }
    wanted = [table for table in columns if tables is None or table in tables]
    partly_readable = frozenset(_partly_readable(connection, wanted))
    return Catalog(columns, keys, _tables(connection), cursors.read_behaviour(connection, tables), partly_readable)


def read_shapes(connection: Connection, tables: Sequence[Table]) -> dict[str, TableShape]:
    """The shape of each table, by its MySQL name.

    Raises:
        ConfigError: with every problem of every table.
    """
    return shapes(read_catalog(connection, {table.name for table in tables}), tables)


def shapes(catalog: Catalog, tables: Sequence[Table]) -> dict[str, TableShape]:
    """The shape of each table, by its MySQL name.

    Raises:
        ConfigError: with every problem of every table.
    """
    columns, about = catalog.columns, catalog.about
    problems: list[str] = []
    made = {}
    for table in tables:
        if table.name in about and not (table.name in columns or about[table.name].broken):
            problems.append(
                table.problem(
                    "",
                    "MySQL shows none of its columns to the user: grant select on it and, if it is a view, grant "
                    "execute on the functions that it calls",
                )
            )
            continue
        if table.name not in about:
            known = nearest(table.name, about)
            problems.append(
                table.problem(
                    "",
                    f"no such table in MySQL, or the user may not read it{known}. A right that comes from a role "
                    "counts while the role is active: set default role",
                )
            )
            continue
        if table.name in catalog.partly_readable:
            problems.append(
                table.problem(
                    "",
                    "the user has no right on some of its columns, which MySQL does not even list. Grant select on the "
                    "whole table, or read a view of the columns that may be read",
                )
            )
            continue
        if about[table.name].broken:
            problems.append(
                table.problem(
                    "",
                    "the view cannot be read: a table, column or function in it is gone, or its definer or the user "
                    "may not use it. What MySQL says: select * from the view limit 1",
                )
            )
            continue
        shape, found = _shape(table, columns[table.name], catalog.keys.get(table.name, []), about[table.name])
        problems += found
        if shape:
            own = columns[table.name]
            about_cursor = cursors.warnings(shape.name, shape.cursor, own, catalog.behaviour)
            made[table.name] = replace(shape, warnings=shape.warnings + about_cursor)
    if problems:
        raise ConfigError(problems)
    return made


def not_carried(columns: Iterable[CatalogColumn]) -> dict[str, str]:
    """The columns that have no place in Redshift, each with the reason; of two with one raw name the later."""
    return {name: why for name, (why, _) in _carry(columns, lambda _: types.DEFAULT)[1].items()}


def _carry(
    columns: Iterable[CatalogColumn], options_of: Callable[[CatalogColumn], Options]
) -> tuple[list[Column], dict[str, tuple[str, str]]]:
    """The columns on their way, and for each that has no place in Redshift why, and what to do."""
    made: list[Column] = []
    wrong: dict[str, tuple[str, str]] = {}
    by_raw_name: dict[str, str] = {}
    for source in columns:
        column = types.column(source, raw_name(source.name), options_of(source))
        if column is None:
            why = f'column "{source.name}" is {source.column_type.upper()}, which cannot be carried'
            wrong[source.name] = why, f"exclude: [{source.name}] leaves it out"
            continue
        other = by_raw_name.setdefault(column.raw_name, column.name)
        if other != column.name or column.raw_name in ADDED_COLUMNS:
            as_is = other if other != column.name else "a column that el adds"
            why = f'column "{source.name}" would be {column.raw_name} in Redshift, as {as_is} is'
            wrong[source.name] = why, "exclude one of them"
            continue
        made.append(column)
    return made, wrong


def _shape(
    table: Table, columns: Mapping[str, CatalogColumn], key: Sequence[str], about: About
) -> tuple[TableShape | None, list[str]]:
    problems = options.problems(table, columns, key)
    cursor: Cursor | None = None
    if table.mode == "merge":
        if not key:
            problems.append(
                table.problem(
                    "mode",
                    f"mode merge needs a primary key and {'a view' if about.is_view else 'the table'} has none; "
                    "mode: replace copies it whole",
                )
            )
        cursor, wrong = cursors.choose(table, columns)
        problems += wrong
    made, uncarried = _carry(
        (column for column in columns.values() if column.name not in table.exclude),
        lambda column: options.options(table, column, column.name in key),
    )
    problems += [table.problem("", f"{why}; {remedy}") for why, remedy in uncarried.values()]
    if len(made) + len(ADDED_COLUMNS) > _MAX_COLUMNS:
        problems.append(
            table.problem(
                "",
                f"{len(made):,} columns and the {len(ADDED_COLUMNS)} that el adds; Redshift's limit is "
                f"{_MAX_COLUMNS:,}. exclude some",
            )
        )
    if problems:
        return None, problems
    made = [types.as_key(column) if column.name in key else column for column in made]
    by_name = {column.name: column for column in made}
    return TableShape(
        name=table.name,
        raw_name=raw_name(table.name),
        columns=tuple(made),
        primary_key=tuple(by_name[name] for name in key),
        cursor=cursor,
        average_row=about.average_row,
        estimated_rows=about.estimated_rows,
        warnings=_warnings(about),
    ), []


def _warnings(about: About) -> tuple[str, ...]:
    if about.engine.lower() in ("innodb", ""):  # a view has none
        return ()
    if about.engine.lower() not in ("myisam", "aria", "memory", "csv", "mrg_myisam", "archive"):
        return (
            f"the table's engine is {about.engine}, whose open transactions el does not see: a row that is committed "
            "later than overlap behind its cursor is missed. Remedy: engine InnoDB",
        )
    return (
        f"the table's engine is {about.engine}, which has no transactions: rows are read while their statement runs, "
        "and rows that a crash or a failed statement takes back stay in Redshift. Remedy: engine InnoDB",
    )


def _tables(connection: Connection) -> dict[str, About]:
    return {
        str(name): About(
            is_view=str(kind).upper() == "VIEW",
            is_sequence=str(kind).upper() == "SEQUENCE",
            # Both servers say it here, and MariaDB lists no columns then.
            broken=str(kind).upper() == "VIEW" and "references invalid" in str(comment),
            engine=str(engine or ""),
            average_row=int(size or 0),
            estimated_rows=int(many or 0),
        )
        for name, kind, engine, size, many, comment in rows(
            connection,
            "select table_name, table_type, engine, avg_row_length, table_rows, table_comment "
            "from information_schema.tables where table_schema = database()",
        )
    }


def _partly_readable(connection: Connection, tables: Sequence[str]) -> list[str]:
    """The tables with columns that the user may not read: with rights on columns alone MySQL lists only those."""
    found = []
    for first in range(0, len(tables), _TABLES_AT_ONCE):
        batch = tables[first : first + _TABLES_AT_ONCE]
        try:
            rows(connection, " union all ".join(f"select 1 from (select * from {quoted(t)} limit 0) t" for t in batch))
        except pymysql.err.MySQLError as error:
            if len(batch) > 1:
                found += [table for table in batch if _partly_readable(connection, [table])]
            elif error.args[0] in _NO_RIGHT:
                found += batch
            elif error.args[0] in LOST:
                raise
    return found


def _columns(connection: Connection, tables: Collection[str] | None) -> dict[str, dict[str, CatalogColumn]]:
    version = str(rows(connection, "select version()")[0][0])
    checks = _mariadb_checks(connection, tables) if "mariadb" in version.lower() else set()
    long_lat = swaps_axes(version)
    found: dict[str, dict[str, CatalogColumn]] = defaultdict(dict)
    for table, name, data_type, column_type, nullable, length, precision, scale, *more in rows(
        connection,
        "select table_name, column_name, data_type, column_type, is_nullable, character_maximum_length, "
        "numeric_precision, numeric_scale, column_comment, extra, column_default, character_set_name, collation_name "
        "from information_schema.columns where table_schema = database() order by table_name, ordinal_position",
    ):
        comment, extra, default, charset, collation = more
        found[str(table)][str(name)] = CatalogColumn(
            name=str(name),
            data_type=str(data_type).lower(),
            column_type=types.plain_type(str(column_type).lower())
            if str(data_type).lower() not in ("enum", "set")
            else str(column_type),
            nullable=str(nullable).upper() == "YES",
            length=int(length) if length is not None else None,
            precision=int(precision) if precision is not None else None,
            scale=int(scale) if scale is not None else None,
            comment=str(comment),
            # MariaDB's JSON is LONGTEXT with a CHECK of the column's own name; MySQL has a type of its own.
            is_json=str(data_type).lower() == "longtext" and (str(table), f"json_valid({quoted(str(name))})") in checks,
            long_lat=long_lat,
            extra=str(extra).lower(),
            starts_fixed=starts_fixed(default, str(nullable).upper() == "YES"),
            charset=str(charset) if charset else None,
            collation=str(collation) if collation else None,
        )
    return dict(found)


def starts_fixed(default: str | None, nullable: bool) -> bool:
    """Whether an insert that leaves the column out stores a constant, neither the time nor NULL."""
    # MariaDB writes DEFAULT NULL as the word.
    is_null = nullable and default in (None, "NULL")
    return not is_null and not _NOW.search(default or "")


def swaps_axes(version: str) -> bool:
    """Whether ``st_astext`` writes y before x for SRIDs that are defined so: since MySQL 8, never in MariaDB."""
    return "mariadb" not in version.lower()


def _mariadb_checks(connection: Connection, tables: Collection[str] | None) -> set[tuple[str, str]]:
    """The CHECKs of each table. Not joined to the columns: MariaDB would open every table of every database."""
    found = {
        (str(table), str(clause))
        for table, clause in rows(
            connection,
            "select table_name, check_clause from information_schema.check_constraints "
            "where constraint_schema = database()",
        )
    }
    # To a user with rights on tables alone it lists none. What makes the table tells as well, one by one.
    unsure = rows(
        connection,
        "select distinct c.table_name from information_schema.columns c where c.table_schema = database() "
        "and c.data_type = 'longtext'",
    )
    for (table,) in unsure:
        if str(table) not in {known for known, _ in found} and (tables is None or str(table) in tables):
            found |= {(str(table), clause) for clause in json_checks(create_table(connection, str(table)))}
    return found


def json_checks(create_table: str) -> set[str]:
    """The CHECKs by which MariaDB makes a column JSON, of what SHOW CREATE TABLE prints."""
    # At the end of a line, behind the comment: a comment with these words does not end there.
    return set(re.findall(r" CHECK \((json_valid\(`(?:[^`]|``)+`\))\),?$", create_table, re.MULTILINE))


def _primary_keys(connection: Connection) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for table, column in rows(
        connection,
        "select table_name, column_name from information_schema.key_column_usage "
        "where table_schema = database() and constraint_name = 'PRIMARY' order by table_name, ordinal_position",
    ):
        found[str(table)].append(str(column))
    return dict(found)

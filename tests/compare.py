"""Does Redshift have exactly the rows of MySQL? Value by value, with rules of its own.

Nothing of ``el`` is used here: a type table that is wrong must not be compared with itself. MySQL's values are read as
text through PyMySQL and understood by Python; what Python's ``date`` does not take is a date that does not exist.
"""

from __future__ import annotations

import hmac
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

Row = dict[str, Any]

_INTEGERS = ("tinyint", "smallint", "mediumint", "int", "bigint", "year", "bit")
_TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set")
_BINARIES = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")
_MARIADBS_OWN = ("uuid", "inet4", "inet6")


def mysql_rows(
    connection: Any,
    table: str,
    exclude: Sequence[str] = (),
    hashed: Sequence[str] = (),
    key: bytes = b"",
    oversize: Mapping[str, str] | None = None,
    boolean: Sequence[str] = (),
) -> list[Row]:
    """Every row, in the values that Redshift has to hold; column names in lower case.

    ``oversize`` is the policy (null, truncate) of columns whose values may be too long.
    """
    with connection.cursor() as cursor:
        cursor.execute("set session time_zone = '+00:00'")
        cursor.execute(
            "select column_name, data_type, column_type, numeric_precision from information_schema.columns "
            "where table_schema = database() and table_name = %s order by ordinal_position",
            (table,),
        )
        columns = [row for row in cursor.fetchall() if row[0] not in exclude]
        json_columns = _json_columns(cursor, table)
        selects, readers = [], []
        for name, data_type, column_type, precision in columns:
            quoted = _quoted(name)
            select, reader = _reading(quoted, data_type, precision, name in json_columns)
            if data_type == "bigint" and "unsigned" in column_type:  # DECIMAL in Redshift, which has no unsigned
                reader = Decimal
            if name in (oversize or {}):
                reader = _within(reader, (oversize or {})[name], 64000 if data_type in _BINARIES else 65535)
            if name in boolean:
                reader = _boolean
            if name in hashed:
                select, reader = _canonical(quoted, data_type), _hashed(key)
            selects.append(select)
            readers.append(reader)
        cursor.execute(f"select {', '.join(selects)} from {_quoted(table)}")
        names = [row[0].lower() for row in columns]
        found = [
            {n: None if value is None else read(value) for n, value, read in zip(names, row, readers, strict=True)}
            for row in cursor.fetchall()
        ]
    connection.rollback()
    return found


def redshift_rows(
    query: Callable[[str], list[tuple[Any, ...]]], table: str, columns: dict[str, str], json_columns: Sequence[str]
) -> list[Row]:
    """Every row of a raw table, without the columns that el adds. ``columns``: name and MySQL's type."""
    selects = []
    for name, kind in columns.items():
        # As numbers with all their bits, and JSON as text: what a driver prints is not what the column holds.
        form = "json_serialize({})" if name in json_columns else "{}::double precision" if kind == "float" else "{}"
        selects.append(form.format(f'"{name}"'))
    return [
        {
            name: _plain(value, kind, name in json_columns)
            for (name, kind), value in zip(columns.items(), row, strict=True)
        }
        for row in query(f"select {', '.join(selects)} from {table}")
    ]


def assert_equal(
    source: Any,
    table: str,
    raw_table: str | None = None,
    exclude: Sequence[str] = (),
    hashed: Sequence[str] = (),
    key: bytes = b"",
    deleted: bool = False,
    oversize: Mapping[str, str] | None = None,
    boolean: Sequence[str] = (),
    by_position: bool = False,
) -> int:
    """Fail unless the raw table has exactly MySQL's rows; their number. The message holds no value.

    ``deleted``: rows that MySQL no longer has may still be in Redshift. ``by_position``: Redshift's columns have other
    names than MySQL's, in the same order.
    """
    admin = source.connect()
    expected = mysql_rows(admin, table, exclude, hashed, key, oversize, boolean)
    with admin.cursor() as cursor:
        json_columns = [c.lower() for c in _json_columns(cursor, table)]
        cursor.execute(
            "select column_name from information_schema.key_column_usage where table_schema = database() "
            "and table_name = %s and constraint_name = 'PRIMARY' order by ordinal_position",
            (table,),
        )
        primary = [row[0].lower() for row in cursor.fetchall()]
        cursor.execute(
            "select column_name, data_type from information_schema.columns where table_schema = database() "
            "and table_name = %s order by ordinal_position",
            (table,),
        )
        columns = {name.lower(): kind for name, kind in cursor.fetchall() if name not in exclude}
    columns |= {name.lower(): "varchar" for name in hashed}
    admin.close()
    json_columns = [name for name in json_columns if columns.get(name) != "varchar"]
    if by_position:
        names = dict(zip(_raw_columns(source, raw_table or table), columns, strict=True))
        in_redshift = {raw: columns[name] for raw, name in names.items()}
        of_json = [raw for raw, name in names.items() if name in json_columns]
        rows = redshift_rows(source.redshift, f"raw.{raw_table or table}", in_redshift, of_json)
        found = [{names[raw]: value for raw, value in row.items()} for row in rows]
    else:
        found = redshift_rows(source.redshift, f"raw.{raw_table or table}", columns, json_columns)
    primary = primary or list(columns)

    def identity(row: Row) -> tuple[Any, ...]:
        return tuple(repr(row[c]) for c in primary)

    mysql, redshift = {identity(r): r for r in expected}, {identity(r): r for r in found}
    assert len(redshift) == len(found), f"{table}: {len(found) - len(redshift)} rows are in Redshift more than once"
    missing = mysql.keys() - redshift.keys()
    assert not missing, f"{table}: {len(missing)} of {len(mysql)} rows are not in Redshift"
    extra = redshift.keys() - mysql.keys()
    assert deleted or not extra, f"{table}: {len(extra)} rows are in Redshift only"
    wrong: dict[str, int] = {}
    for identity_, row in mysql.items():
        for column in columns:
            if not _same(row[column], redshift[identity_][column]):
                wrong[column] = wrong.get(column, 0) + 1
    assert not wrong, f"{table}: columns whose values differ, and in how many rows: {wrong}"
    return len(mysql)


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


def _reading(name: str, data_type: str, precision: int | None, is_json: bool) -> tuple[str, Callable[[Any], Any]]:
    if is_json or data_type == "json":
        return f"cast({name} as char)", json.loads
    if data_type in _INTEGERS:
        if data_type == "bit" and precision == 64:
            return f"{name}+0", Decimal
        return f"{name}+0", int
    if data_type == "decimal":
        return f"cast({name} as char)", Decimal if (precision or 0) <= 38 else str
    if data_type == "float":  # as the 32 bits that MySQL holds
        return f"{name}+0e0", lambda value: struct.unpack("f", struct.pack("f", value))[0]
    if data_type == "double":
        return name, float
    if data_type in _TEXTS:
        return name, lambda value: value.replace("\0", "")
    if data_type in _BINARIES:
        return name, bytes
    if data_type == "date":
        return f"cast({name} as char)", _moment(date.fromisoformat)
    if data_type == "datetime":
        return f"cast({name} as char)", _moment(datetime.fromisoformat)
    if data_type == "timestamp":
        return f"cast({name} as char)", _moment(lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC))
    if data_type == "time":
        return f"cast({name} as char)", str
    if data_type in _MARIADBS_OWN:
        return f"cast({name} as char)", str
    return f"concat(st_srid({name}), '|', st_astext({name}))", _ewkt


def _ewkt(text: str) -> str:
    srid, _, wkt = text.partition("|")
    return wkt if srid == "0" else f"SRID={srid};{wkt}"


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _raw_columns(source: Any, table: str) -> list[str]:
    """The raw table's columns in their order, without those that el adds."""
    found = source.redshift(
        "select column_name from information_schema.columns where table_schema = %s and table_name = %s "
        "order by ordinal_position",
        f"raw_{source.name}",
        table,
    )
    return [name for (name,) in found if name not in ("_seq", "_extracted_at", "_deleted_at", "_dlt_load_id")]


def _within(read: Callable[[Any], Any], policy: str, most: int) -> Callable[[Any], Any]:
    """What a policy makes of a value of more than ``most`` bytes."""

    def bounded(value: Any) -> Any:
        made = read(value)
        held = value.encode() if read is json.loads else made.encode() if isinstance(made, str) else made
        if len(held) <= most:
            return made
        if policy == "null":
            return None
        if isinstance(made, bytes):
            return made[:most]
        end = most
        while held[end] & 0xC0 == 0x80:  # inside of a character
            end -= 1
        return held[:end].decode()

    return bounded


def _boolean(value: Any) -> bool:
    assert int(value) in (0, 1)
    return bool(int(value))


def _canonical(name: str, data_type: str) -> str:
    """The text, or of a binary column the bytes, that a hashed column is the hash of."""
    if data_type in _BINARIES:
        return name
    return f"cast({name}{'+0e0' if data_type == 'float' else '+0' if data_type in _INTEGERS else ''} as char)"


def _moment(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def tolerant(text: str) -> Any:
        try:
            return read(text)
        except ValueError:  # zero, partly zero or 30 February
            return None

    return tolerant


def _hashed(key: bytes) -> Callable[[Any], str]:
    def hashed(value: Any) -> str:
        return hmac.new(key, value if isinstance(value, bytes) else value.encode(), sha256).hexdigest()

    return hashed


def _plain(value: Any, kind: str, is_json: bool) -> Any:
    if value is None:
        return None
    if is_json:
        return json.loads(value)
    if kind in _BINARIES:  # VARBYTE comes as hex
        return bytes.fromhex(value) if isinstance(value, str) else bytes(value)
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC)
    return value


def _json_columns(cursor: Any, table: str) -> list[str]:
    """MySQL has a type for JSON; in MariaDB it is a check on the column."""
    cursor.execute(
        "select column_name from information_schema.columns where table_schema = database() and table_name = %s "
        "and data_type = 'json'",
        (table,),
    )
    found = [row[0] for row in cursor.fetchall()]
    cursor.execute("select version()")
    if "mariadb" in cursor.fetchone()[0].lower():
        cursor.execute(
            "select check_clause from information_schema.check_constraints "
            "where constraint_schema = database() and table_name = %s",
            (table,),
        )
        found += [row[0].split("`")[1] for row in cursor.fetchall() if row[0].startswith("json_valid(`")]
    return found

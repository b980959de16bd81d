"""The type table: one entry per MySQL type, and the only place that knows types.

In: a column as the catalog describes it. Out: ``Column`` with the SELECT expression, the Arrow type on S3, the
Redshift type and the rules of what cannot be carried. Extract, DDL, incoming tables and the reference page all read
the same entry, so they cannot disagree.

Why the SELECT list is written by us: connectorx panics on zero dates, TIME beyond a day and wide decimals, and
rounds decimals with more than ten decimal places in silence (tests/boundary).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from el.mysql.connection import quoted

#: Redshift counts bytes; utf8mb4 has up to four per character.
MAX_VARCHAR = 65535
#: VARBYTE without a length, which is what a Parquet COPY takes; Redshift's documented default.
MAX_VARBYTE = 64000
#: connectorx decodes decimals to 28 digits and rescales them to ten places: 18 before the point are safe.
_NATIVE_DECIMAL_INTEGER_DIGITS, _NATIVE_DECIMAL_SCALE = 18, 10


@dataclass(frozen=True)
class CatalogColumn:
    """A column as ``information_schema.columns`` has it; names of types in lower case."""

    name: str
    data_type: str
    column_type: str
    nullable: bool
    length: int | None
    precision: int | None
    scale: int | None
    comment: str
    is_json: bool = False
    generated: bool = False
    extra: str = ""

    @property
    def unsigned(self) -> bool:
        return "unsigned" in self.column_type


@dataclass(frozen=True)
class Column:
    """A column on its way: where it comes from, what it is on S3 and in Redshift.

    ``select`` is a MySQL expression; ``key`` is what the column is ordered and compared by in chunks.
    ``date_check`` is a MySQL condition, true where a value is no date that exists, or None.
    ``max_bytes`` is what Redshift can hold, for text and binary.
    """

    name: str
    raw_name: str
    mysql_type: str
    nullable: bool
    select: str
    key: str
    arrow: pa.DataType
    redshift: str
    hint: dict[str, Any]
    date_check: str | None = None
    max_bytes: int | None = None
    is_json: bool = False
    is_text: bool = False
    hashed: bool = False
    comment: str = ""


@dataclass(frozen=True)
class _Form:
    """One row of the type table, resolved for one column."""

    arrow: pa.DataType
    redshift: str
    hint: dict[str, Any]
    select: str = "{c}"
    key: str = "{c}"
    date_check: str | None = None
    max_bytes: int | None = None
    is_json: bool = False
    is_text: bool = False


#: A date that exists: partial zero dates (2020-00-10) and, with ALLOW_INVALID_DATES, 30 February are none.
_BAD_DATE = (
    "({c} is not null and coalesce(month({c}) = 0 or dayofmonth({c}) = 0 or last_day({c}) is null "
    "or dayofmonth({c}) > dayofmonth(last_day({c})), 1))"
)


def _integer(bits: int) -> Callable[[CatalogColumn], _Form]:
    def form(column: CatalogColumn) -> _Form:
        needed = bits + 1 if column.unsigned else bits
        if needed > 64:
            return _decimal_form(20, 0, select="{c}")
        width = 16 if needed <= 16 else 32 if needed <= 32 else 64
        name = {16: "smallint", 32: "integer", 64: "bigint"}[width]
        arrow = {16: pa.int16(), 32: pa.int32(), 64: pa.int64()}[width]
        return _Form(arrow, name, {"data_type": "bigint", "precision": width})

    return form


def _decimal(column: CatalogColumn) -> _Form:
    precision, scale = column.precision or 10, column.scale or 0
    if precision > 38:
        return _text(precision + 3, select="cast({c} as char)")
    native = precision - scale <= _NATIVE_DECIMAL_INTEGER_DIGITS and scale <= _NATIVE_DECIMAL_SCALE
    return _decimal_form(precision, scale, select="{c}" if native else "cast({c} as char)")


def _decimal_form(precision: int, scale: int, select: str) -> _Form:
    return _Form(
        pa.decimal128(precision, scale),
        f"decimal({precision},{scale})",
        {"data_type": "decimal", "precision": precision, "scale": scale},
        select=select,
    )


def _bit(column: CatalogColumn) -> _Form:
    if (column.precision or 1) == 64:
        return _Form(
            pa.decimal128(20, 0),
            "decimal(20,0)",
            {"data_type": "decimal", "precision": 20, "scale": 0},
            select="{c}+0",
            key="{c}+0",
        )
    return _Form(pa.int64(), "bigint", {"data_type": "bigint", "precision": 64}, select="{c}+0", key="{c}+0")


def _text(max_bytes: int, select: str = "{c}", key: str = "{c}", is_json: bool = False) -> _Form:
    size = min(max_bytes, MAX_VARCHAR)
    return _Form(
        pa.string(),
        "super" if is_json else f"varchar({size})",
        {"data_type": "json"} if is_json else {"data_type": "text", "precision": size},
        select=select,
        key=key,
        max_bytes=size,
        is_json=is_json,
        is_text=True,
    )


def _char(column: CatalogColumn) -> _Form:
    return _text(max(4 * (column.length or 0), 1))


def _long_text(column: CatalogColumn) -> _Form:
    return _json(column) if column.is_json else _text(MAX_VARCHAR)


def _json(_: CatalogColumn) -> _Form:
    return _text(MAX_VARCHAR, select="cast({c} as char)", is_json=True)


def _enum(column: CatalogColumn) -> _Form:
    # Sorted by number but compared with a text as text: only the number orders and compares alike.
    return _text(max(4 * (column.length or 0), 1), select="cast({c} as char)", key="{c}+0")


def _binary(_: CatalogColumn) -> _Form:
    return _Form(pa.binary(), "varbyte", {"data_type": "binary"}, max_bytes=MAX_VARBYTE)


def _geometry(_: CatalogColumn) -> _Form:
    return _text(MAX_VARCHAR, select="st_astext({c})")


def _when(arrow: pa.DataType, redshift: str, hint: dict[str, Any]) -> Callable[[CatalogColumn], _Form]:
    select = f"if({_BAD_DATE}, null, {{c}})"
    return lambda _: _Form(arrow, redshift, hint, select=select, date_check=_BAD_DATE)


def _plain(
    arrow: pa.DataType,
    redshift: str,
    hint: dict[str, Any],
    select: str = "{c}",
) -> Callable[[CatalogColumn], _Form]:
    return lambda _: _Form(arrow, redshift, hint, select=select)


TYPES: dict[str, Callable[[CatalogColumn], _Form]] = {
    "tinyint": _integer(8),
    "smallint": _integer(16),
    "mediumint": _integer(24),
    "int": _integer(32),
    "bigint": _integer(64),
    "decimal": _decimal,
    # + 0e0: the text protocol prints a FLOAT with six digits, and two that print alike may differ
    "float": _plain(pa.float32(), "real", {"data_type": "double"}, "{c}+0e0"),
    "double": _plain(pa.float64(), "double precision", {"data_type": "double"}),
    "bit": _bit,
    "char": _char,
    "varchar": _char,
    "tinytext": _long_text,
    "text": _long_text,
    "mediumtext": _long_text,
    "longtext": _long_text,
    "enum": _enum,
    "set": _enum,
    "json": _json,
    "date": _when(pa.date32(), "date", {"data_type": "date"}),
    "datetime": _when(pa.timestamp("us"), "timestamp", {"data_type": "timestamp", "timezone": False}),
    "timestamp": _when(pa.timestamp("us", "UTC"), "timestamptz", {"data_type": "timestamp", "timezone": True}),
    # a duration of up to 838 hours, not a time of day
    "time": lambda _: _text(17, select="cast({c} as char)"),
    "year": _plain(pa.int16(), "smallint", {"data_type": "bigint", "precision": 16}, "{c}+0"),
    "binary": _binary,
    "varbinary": _binary,
    "tinyblob": _binary,
    "blob": _binary,
    "mediumblob": _binary,
    "longblob": _binary,
    **dict.fromkeys(
        (
            "geometry",
            "point",
            "linestring",
            "polygon",
            "multipoint",
            "multilinestring",
            "multipolygon",
            "geometrycollection",
            "geomcollection",
        ),
        _geometry,
    ),
    # MariaDB's own
    "uuid": lambda _: _text(36, select="cast({c} as char)"),
    "inet4": lambda _: _text(15, select="cast({c} as char)"),
    "inet6": lambda _: _text(45, select="cast({c} as char)"),
}


def column(source: CatalogColumn, raw_name: str, hashed: bool = False) -> Column | None:
    """The way of one column, or None for a type that is not known."""
    make = TYPES.get(source.data_type)
    if make is None:
        return None
    form = make(source)
    name = quoted(source.name)
    if hashed:
        # Hashed as its text: what a person sees in MySQL is what has to be hashed to find a row.
        text = name if form.is_text and form.select == "{c}" else f"cast({name} as char)"
        return Column(
            source.name,
            raw_name,
            source.column_type,
            source.nullable,
            text,
            form.key.format(c=name),
            pa.string(),
            "varchar(64)",
            {"data_type": "text", "precision": 64},
            hashed=True,
            comment=source.comment,
        )
    return Column(
        name=source.name,
        raw_name=raw_name,
        mysql_type=source.column_type,
        nullable=source.nullable,
        select=form.select.format(c=name),
        key=form.key.format(c=name),
        arrow=form.arrow,
        redshift=form.redshift,
        hint=form.hint,
        date_check=form.date_check.format(c=name) if form.date_check else None,
        max_bytes=form.max_bytes,
        is_json=form.is_json,
        is_text=form.is_text,
        comment=source.comment,
    )

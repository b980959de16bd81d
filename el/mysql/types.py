"""The type table of extract and load: one entry per MySQL type.

In: a column as the catalog describes it. Out: ``Column`` with the SELECT expression, the Arrow type on S3, the
Redshift type and the rules of what cannot be carried. Extract and the reference page read the same entry; load makes
the raw and the incoming table of the Redshift types that each commit has from it. So they cannot disagree. The archive
carries values in another form and has a type table of its own (``archive/rows.py``).

Why the SELECT list is written by us: connectorx panics on zero dates, TIME beyond a day and wide decimals, and
rounds decimals with more than ten decimal places in silence (tests/boundary). So all of these are read as MySQL's
own text, which is exact; ``concat`` makes it with less work than a cast.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from el.config import OnOversize, OnZeroDate
from el.landing import MAX_VARCHAR
from el.mysql.connection import quoted

#: VARBYTE without a length, which is what a Parquet COPY takes; Redshift's documented default.
MAX_VARBYTE = 64000


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
    long_lat: bool = False  # MySQL 8: st_astext swaps the axes of many SRIDs unless it is told not to
    extra: str = ""
    starts_fixed: bool = False  # an insert that does not name it stores a constant, neither the time nor NULL
    charset: str | None = None
    collation: str | None = None

    @property
    def unsigned(self) -> bool:
        return "unsigned" in self.column_type


@dataclass(frozen=True)
class Options:
    """What the source file says of one column."""

    hashed: bool = False
    boolean: bool = False
    on_oversize: OnOversize = "error"
    on_zero_date: OnZeroDate = "null"


DEFAULT = Options()


@dataclass(frozen=True)
class Column:
    """A column on its way: where it comes from, what it is on S3 and in Redshift.

    ``select`` is a MySQL expression; ``key`` is what the column is ordered and compared by in chunks.
    ``max_bytes`` is what Redshift can hold, where MySQL's type may hold more; None elsewhere.
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
    max_bytes: int | None = None
    is_json: bool = False
    is_text: bool = False
    on_oversize: OnOversize = "error"
    on_zero_date: OnZeroDate = "null"
    hashed: bool = False
    comment: str = ""
    charset: str | None = None
    collation: str | None = None

    @property
    def ordered_as_text(self) -> bool:
        """Whether chunks order it by its collation."""
        return self.collation is not None and self.key == quoted(self.name)

    @property
    def is_date(self) -> bool:
        """DATE, DATETIME or TIMESTAMP, which may hold what no calendar has; not if it is hashed."""
        return _is_date(self.arrow)


@dataclass(frozen=True)
class _Form:
    """One row of the type table, resolved for one column.

    ``hashed`` is the MySQL expression whose text or bytes a hashed column hashes. ``can_cut``: a part of a value is
    still a value, so that policy ``truncate`` makes sense.
    """

    arrow: pa.DataType
    redshift: str
    hint: dict[str, Any]
    select: str = "{c}"
    key: str = "{c}"
    hashed: str = "cast({c} as char)"
    max_bytes: int | None = None
    is_json: bool = False
    is_text: bool = False
    can_cut: bool = False


def _number(column: CatalogColumn) -> str:
    """The expression that a number is read by: ZEROFILL is how it is printed, not what it is."""
    return "{c}+0" if "zerofill" in column.column_type else "{c}"


def _integer(bits: int) -> Callable[[CatalogColumn], _Form]:
    def form(column: CatalogColumn) -> _Form:
        select = _number(column)
        needed = bits + 1 if column.unsigned else bits
        if needed > 64:
            return _decimal_form(20, 0, select)
        width = 16 if needed <= 16 else 32 if needed <= 32 else 64
        name = {16: "smallint", 32: "integer", 64: "bigint"}[width]
        arrow = {16: pa.int16(), 32: pa.int32(), 64: pa.int64()}[width]
        hint = {"data_type": "bigint", "precision": width}
        return _Form(arrow, name, hint, select, hashed=f"cast({select} as char)")

    return form


def _decimal(column: CatalogColumn) -> _Form:
    precision, scale = column.precision or 10, column.scale or 0
    number = _number(column)
    if precision > 38:
        return _text(precision + 3, f"cast({number} as char)")
    # As text: connectorx has 28 digits with ten decimal places and rounds in silence; and text is faster.
    return _decimal_form(precision, scale, f"concat({number})")


def _decimal_form(precision: int, scale: int, select: str, key: str = "{c}") -> _Form:
    hint = {"data_type": "decimal", "precision": precision, "scale": scale}
    hashed = f"cast({select} as char)"
    return _Form(pa.decimal128(precision, scale), f"decimal({precision},{scale})", hint, select, key, hashed)


def _bit(column: CatalogColumn) -> _Form:
    if (column.precision or 1) == 64:
        return _decimal_form(20, 0, "{c}+0", "{c}+0")
    return _plain(pa.int64(), "bigint", {"data_type": "bigint", "precision": 64}, "{c}+0", "{c}+0")


def _text(size: int, select: str = "cast({c} as char)", key: str = "{c}") -> _Form:
    """Text that always fits. ``size`` in bytes."""
    hint = {"data_type": "text", "precision": size}
    return _Form(pa.string(), f"varchar({size})", hint, select, key, hashed=select, is_text=True)


def _free_text(size: int, select: str = "{c}") -> _Form:
    """Text of the user's own, which may be longer than Redshift takes."""
    size = min(size, MAX_VARCHAR)
    return replace(_text(size, select), max_bytes=size, can_cut=True)


def _char(column: CatalogColumn) -> _Form:
    return _free_text(max(4 * (column.length or 0), 1))


def _long_text(column: CatalogColumn) -> _Form:
    return _json(column) if column.is_json else _free_text(MAX_VARCHAR)


def _or_error(text: str, number: str) -> str:
    """A function's text, or error 1690 where there is none for a value: of one that is longer than max_allowed_packet.

    MySQL makes such a text NULL, and that of JSON empty, with a warning that nobody sees. ``number`` is any that the
    value has: of a constant the error would come without a row.
    """
    return f"coalesce({text}, if({{c}} is null, null, exp(1000 + {number})))"


def _json(column: CatalogColumn) -> _Form:
    # MariaDB's is text.
    select = _or_error("nullif(cast({c} as char), '')", "json_depth({c})") if column.data_type == "json" else "{c}"
    text = _free_text(MAX_VARCHAR, select)
    return replace(text, redshift="super", hint={"data_type": "json"}, is_json=True, can_cut=False)


def _enum(column: CatalogColumn) -> _Form:
    # Sorted by number but compared with a text as text: only the number orders and compares alike. Not {c}+0, which in
    # MySQL is a DOUBLE: a SET of 54 labels or more has numbers that it has not.
    return _text(max(4 * (column.length or 0), 1), key="cast({c} as unsigned)")


def _binary(_: CatalogColumn) -> _Form:
    hint = {"data_type": "binary"}
    return _Form(pa.binary(), "varbyte", hint, hashed="{c}", max_bytes=MAX_VARBYTE, can_cut=True)


def _geometry(column: CatalogColumn) -> _Form:
    """EWKT, as Redshift's ST_GeomFromEWKT reads it: x before y, and SRID=…; before it where there is one."""
    wkt = "st_astext({c}, 'axis-order=long-lat')" if column.long_lat else "st_astext({c})"
    select = f"concat(if(st_srid({{c}}) = 0, '', concat('SRID=', st_srid({{c}}), ';')), {wkt})"
    select = _or_error(select, "st_srid({c})")
    return replace(_free_text(MAX_VARCHAR, select), can_cut=False)


def _when(arrow: pa.DataType, redshift: str, hint: dict[str, Any]) -> Callable[[CatalogColumn], _Form]:
    # As text: connectorx ends on a date that does not exist, and a check in MySQL doubles the server's work.
    return lambda _: _Form(arrow, redshift, hint, "concat({c})")


def _plain(arrow: pa.DataType, redshift: str, hint: dict[str, Any], select: str = "{c}", key: str = "{c}") -> _Form:
    return _Form(arrow, redshift, hint, select, key, hashed=f"cast({select} as char)")


_SMALLINT = {"data_type": "bigint", "precision": 16}

TYPES: dict[str, Callable[[CatalogColumn], _Form]] = {
    "tinyint": _integer(8),
    "smallint": _integer(16),
    "mediumint": _integer(24),
    "int": _integer(32),
    "bigint": _integer(64),
    "decimal": _decimal,
    # + 0e0: the text protocol prints a FLOAT with six digits, and two that print alike may differ
    "float": lambda _: _plain(pa.float32(), "real", {"data_type": "double"}, "{c}+0e0"),
    "double": lambda _: _plain(pa.float64(), "double precision", {"data_type": "double"}),
    "bit": _bit,
    **dict.fromkeys(("char", "varchar"), _char),
    **dict.fromkeys(("tinytext", "text", "mediumtext", "longtext"), _long_text),
    **dict.fromkeys(("enum", "set"), _enum),
    "json": _json,
    "date": _when(pa.date32(), "date", {"data_type": "date"}),
    "datetime": _when(pa.timestamp("us"), "timestamp", {"data_type": "timestamp", "timezone": False}),
    "timestamp": _when(pa.timestamp("us", "UTC"), "timestamptz", {"data_type": "timestamp", "timezone": True}),
    # a duration of up to 838 hours, not a time of day
    "time": lambda _: _text(17),
    "year": lambda _: _plain(pa.int16(), "smallint", _SMALLINT, "{c}+0"),
    **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"), _binary),
    **dict.fromkeys(("geometry", "point", "linestring", "polygon", "multipoint"), _geometry),
    **dict.fromkeys(("multilinestring", "multipolygon", "geometrycollection", "geomcollection"), _geometry),
    # MariaDB's own
    "uuid": lambda _: _text(36),
    "inet4": lambda _: _text(15),
    "inet6": lambda _: _text(45),
}


def column(source: CatalogColumn, raw_name: str, options: Options = DEFAULT) -> Column | None:
    """The way of one column, or None for a type that is not known."""
    make = TYPES.get(source.data_type)
    if make is None:
        return None
    form = make(source)
    name = quoted(source.name)
    if options.hashed:
        hint = {"data_type": "text", "precision": 64}
        form = _Form(pa.string(), "varchar(64)", hint, form.hashed, form.key)
    elif options.boolean:
        form = replace(form, arrow=pa.bool_(), redshift="boolean", hint={"data_type": "bool"})
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
        max_bytes=form.max_bytes,
        is_json=form.is_json,
        is_text=form.is_text,
        # Without a choice the default: then another default of the source copies no row again.
        on_oversize=options.on_oversize if form.max_bytes else DEFAULT.on_oversize,
        on_zero_date=options.on_zero_date if _is_date(form.arrow) else DEFAULT.on_zero_date,
        hashed=options.hashed,
        comment=source.comment,
        charset=source.charset,
        collation=source.collation,
    )


def plain_type(column_type: str) -> str:
    """A column's type without what MariaDB says behind it: ``timestamp(6) /* mariadb-5.3 */`` is a TIMESTAMP(6)."""
    return re.sub(r"\s*/\*[^'*]*\*/\s*$", "", column_type)


#: Charsets whose bytes in MySQL are UTF-8.
UTF8 = frozenset({"utf8mb4", "utf8mb3", "utf8", "ascii"})
#: Charsets of which MySQL makes every character one of Unicode, and no two the same.
_WHOLE_IN_UNICODE = UTF8 | {"utf16", "utf16le", "utf32", "ucs2", "latin1"}


def as_key(column: Column) -> Column:
    """A column of the primary key: of other charsets a character may have no place in Unicode, or one that another has.

    Such a text is NULL, which no key may be: else two keys would be one in Redshift.
    """
    if column.charset is None or column.charset in _WHOLE_IN_UNICODE or not column.ordered_as_text:
        return column
    name = quoted(column.name)
    again = f"convert(convert({name} using utf8mb4) using {column.charset})"
    return replace(column, select=f"if(cast({name} as binary) = cast({again} as binary), {column.select}, null)")


def takes(source: CatalogColumn, option: str, policy: str = "") -> bool:
    """Whether an option of the source file (``boolean``, ``on_oversize``, ``on_zero_date``) fits a column's type."""
    if option == "boolean":
        return source.data_type == "tinyint" or source.column_type == "bit(1)"
    make = TYPES.get(source.data_type)
    if make is None:
        return False
    form = make(source)
    if option == "on_oversize":
        return form.max_bytes is not None and (policy != "truncate" or form.can_cut)
    return _is_date(form.arrow)


def _is_date(arrow: pa.DataType) -> bool:
    return bool(pa.types.is_date(arrow) or pa.types.is_timestamp(arrow))

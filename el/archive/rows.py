"""The canonical bytes of a row: the one form in which MySQL's row and its copy on S3 are compared.

In: columns as ``information_schema`` has them. Out: per column a ``Column`` with

- ``canonical``, a MySQL expression: the value's bytes, NULL for NULL. The archive reads rows by it;
- ``arrow``, the type on S3, made from these bytes (``from_canonical``) and turned back into them (``to_canonical``);
- its part of the **row hash**, once as MySQL computes it (``hash_sql``) and once from the copy (``hashes``).

The row hash is SHA-256 over the parts of all columns in MySQL's order. A part ends where it ends, so no two rows are
one text: a number or a time is its text and a comma; text and binary their length in bytes, a colon, the bytes; a
FLOAT or DOUBLE ``=`` and its eight bytes; what may be long the SHA-256 of its bytes in hex; NULL is ``~``.

What is compared are bytes, never values: MySQL calls 'a' and 'A ' equal in many collations, and 0.1234567 and
0.1234568 print alike as FLOAT. A FLOAT's bits come out of a point's well-known binary, the one function of MySQL that
shows them; printing a double takes eight times longer. Where MySQL cannot give a value's bytes (max_allowed_packet)
the expression is NULL, so is the hash, and a NULL hash equals nothing: the row stays.

MySQL's own JSON holds types that its text does not have: DECIMAL, DATE, TIME, DATETIME, BLOB, BIT and small unsigned
integers come back from the text as other types. ``Column.faithful`` is true for a value that its text brings back as it
was, in every type at every path; the row hash of any other is NULL. Where the policy says ``json: text`` it is not
asked.

Why not compare in MySQL with the values sent there: literals are converted, and a comparison that is generous deletes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from el.errors import ArchiveError
from el.mysql.connection import quoted
from el.mysql.types import UTF8

#: Raised with a change of any expression or of the row hash; manifests say which one theirs is.
HASH_VERSION = 1

#: How a value's canonical bytes and its Arrow value become each other.
#: number: an integer's digits. decimal: digits with a point. bits: eight bytes of a double. text: characters in UTF-8.
#: bytes: as they are.
Kind = Literal["number", "decimal", "bits", "text", "bytes"]
#: How a part of the row hash ends: behind a comma, by its length, or because it is the SHA-256 of the bytes.
Part = Literal["comma", "length", "digest", "bits"]

_BLOB = pa.large_binary()
_NULL = pa.scalar(b"~", _BLOB)
_BEHIND = pa.scalar(b",", _BLOB)
_NOTHING = pa.scalar(b"", _BLOB)


@dataclass(frozen=True)
class Column:
    """One column of the archive. ``extra`` is that of ``information_schema``; ``charset`` None for what is no text.

    ``faithful``: a MySQL expression that is true where the canonical bytes bring the value back; empty if they always
    do. ``json_as_text``: a JSON column of which the text alone is kept.
    """

    name: str
    mysql_type: str
    nullable: bool
    charset: str | None
    collation: str | None
    extra: str
    canonical: str
    kind: Kind
    part: Part
    arrow: pa.DataType
    precision: int | None = None
    scale: int | None = None
    faithful: str = ""
    json_as_text: bool = False

    @property
    def facts(self) -> dict[str, Any]:
        """The arguments of ``column``, for a manifest."""
        return {
            "name": self.name,
            "data_type": self.data_type,
            "column_type": self.mysql_type,
            "nullable": self.nullable,
            "charset": self.charset,
            "collation": self.collation,
            "extra": self.extra,
            "precision": self.precision,
            "scale": self.scale,
            "json_as_text": self.json_as_text,
        }

    @property
    def generated(self) -> bool:
        """Whether MySQL computes it: it is archived and proven, and left out when rows come back."""
        return _is_generated(self.extra)

    @cached_property
    def data_type(self) -> str:
        """The type's first word, such as ``varchar``."""
        return re.split(r"[^a-z0-9]", self.mysql_type.lower(), maxsplit=1)[0]

    @property
    def hash_sql(self) -> str:
        """Its part of the row hash in MySQL."""
        name = quoted(self.name)
        match self.part:
            case "comma":
                return f"ifnull({self.canonical}, '~'), ','"
            case "length":
                return f"if({name} is null, '~', concat(length({self.canonical}), ':', {self.canonical}))"
            case "digest" if self.faithful:
                return f"if({name} is null, '~', if({self.faithful}, sha2({self.canonical}, 256), null))"
            case "digest":
                return f"if({name} is null, '~', sha2({self.canonical}, 256))"
            case "bits":
                return f"if({name} is null, '~', concat('=', {self.canonical}))"


@dataclass(frozen=True)
class Described:
    """A column as ``information_schema.columns`` has it. ``json_as_text``: of a JSON value its text is enough."""

    name: str
    data_type: str
    column_type: str
    nullable: bool
    charset: str | None = None
    collation: str | None = None
    extra: str = ""
    precision: int | None = None
    scale: int | None = None
    json_as_text: bool = False


def column(described: Described) -> Column | None:
    """How a column travels; None for a type not known."""
    name, data_type, column_type = described.name, described.data_type, described.column_type
    nullable, extra, json_as_text = described.nullable, described.extra, described.json_as_text
    charset, collation = described.charset, described.collation
    precision, scale = described.precision, described.scale
    c = quoted(name)
    faithful = ""
    generated = _is_generated(extra)
    unsigned = "unsigned" in column_type.lower()
    text = f"cast({c} as binary)"
    printed = f"cast(cast({c} as char) as binary)"
    number = f"cast({c}+0 as binary)"
    canonical, arrow = text, pa.binary()
    kind: Kind = "bytes"
    part: Part = "length"
    match data_type:
        case "tinyint" | "smallint" | "mediumint" | "int" | "bigint":
            bits = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}[data_type] + unsigned
            canonical, kind, part = number, "number", "comma"
            arrow = pa.decimal128(20, 0) if bits > 64 else _integer(bits)
        case "year":
            canonical, kind, part, arrow = number, "number", "comma", pa.int16()
        case "bit":
            wide = (precision or 1) > 63
            canonical, kind, part = number, "number", "comma"
            arrow = pa.decimal128(20, 0) if wide else pa.int64()
        case "decimal":
            # The cast, because ZEROFILL is how a number is printed, not what it is.
            digits, places = precision or 10, scale or 0
            canonical = f"cast(cast({c} as decimal({digits},{places})) as binary)"
            part = "comma"
            kind, arrow = ("decimal", pa.decimal128(digits, places)) if digits <= 38 else ("text", pa.string())
        case "float" | "double":
            canonical, kind, part = f"substr(st_asbinary(point({c}, 0)), 6, 8)", "bits", "bits"
            arrow = pa.float32() if data_type == "float" else pa.float64()
        case "date" | "datetime" | "timestamp" | "time" | "uuid" | "inet4" | "inet6":
            canonical, kind, part, arrow = printed, "text", "comma", pa.string()
        case "enum" | "set" if _has_empty_label(column_type):
            # '' is a label and also what MySQL prints for no label: only the number tells them apart. {c}+0 would be a
            # DOUBLE in MySQL, too small for a SET of 54 labels.
            canonical, kind, part = f"cast(cast({c} as unsigned) as binary)", "number", "comma"
            arrow = pa.int32() if data_type == "enum" else pa.decimal128(20, 0)
        case "char" | "varchar" | "tinytext" | "text" | "enum" | "set":
            kind, arrow = ("text", pa.string()) if charset in UTF8 else ("bytes", pa.binary())
        case "mediumtext" | "longtext":
            part = "digest"
            kind, arrow = ("text", pa.string()) if charset in UTF8 else ("bytes", pa.binary())
        case "json":  # MySQL's own; MariaDB's is a longtext
            canonical, kind, part, arrow = printed, "text", "digest", pa.string()
            if not (json_as_text or generated):  # MySQL computes a generated one anew
                faithful = _faithful(c)
        case "binary" | "varbinary" | "tinyblob" | "blob":
            pass
        case "mediumblob" | "longblob":
            part = "digest"
        case _ if data_type in _GEOMETRY:
            part = "digest"  # the bytes are MySQL's own: the SRID in four bytes, then well-known binary
        case _:
            return None
    return Column(
        name=name,
        mysql_type=column_type,
        nullable=nullable,
        charset=charset,
        collation=collation,
        extra=extra,
        canonical=canonical,
        kind=kind,
        part=part,
        arrow=arrow,
        precision=precision,
        scale=scale,
        faithful=faithful,
        json_as_text=json_as_text and data_type == "json" and not generated,
    )


#: Types inside JSON that any text of it brings back.
_JSON_TYPES = "'DOUBLE', 'STRING', 'BOOLEAN', 'NULL', 'ARRAY', 'OBJECT'"


def _faithful(c: str) -> str:
    """SQL that is true where the text of a JSON value is all there is of it, false or NULL where it is not.

    JSON_TABLE walks every member of an object (``$**.*``) and every element of an array (``$**[*]``) at any depth. Of a
    number or an opaque value its text is read again: which integers it makes UNSIGNED is MySQL's own matter. Comparing
    the whole with what is made of its text would not do alone: JSON calls a DECIMAL equal to a DOUBLE.
    """
    text = f"cast({c} as char)"
    lost = (
        f"json_type({{v}}) not in ({_JSON_TYPES}) and json_type({{v}}) <> json_type(cast(cast({{v}} as char) as json))"
    )
    inner = " and ".join(
        f"not exists (select 1 from json_table({c}, '{path}' columns (el_value json path '$')) as el_json "
        f"where {lost.format(v='el_json.el_value')})"
        for path in ("$**.*", "$**[*]")
    )
    return f"if(json_valid({text}), not ({lost.format(v=c)}) and {inner} and {c} = cast({text} as json), null)"


def _is_generated(extra: str) -> bool:
    return bool(re.search(r"(virtual|stored|persistent) generated", extra.lower()))


_PLAIN_GEOMETRY = ("geometry", "point", "linestring", "polygon", "geometrycollection", "geomcollection")
_GEOMETRY = frozenset([*_PLAIN_GEOMETRY, "multipoint", "multilinestring", "multipolygon"])


def _integer(bits: int) -> pa.DataType:
    return pa.int16() if bits <= 16 else pa.int32() if bits <= 32 else pa.int64()


def _has_empty_label(column_type: str) -> bool:
    """Whether '' is one of the labels of an ENUM or SET, as in ``enum('','a')``."""
    labels = re.findall(r"'((?:[^']|'')*)'", column_type)
    return "" in labels


def select_list(columns: Sequence[Column]) -> str:
    """The canonical bytes of every column, called c0, c1, …"""
    return ", ".join(f"{column.canonical} as c{number}" for number, column in enumerate(columns))


def faithful_sql(columns: Sequence[Column]) -> str:
    """SQL that is 1 for a row whose copy brings back every value, in its types too, else 0; empty if all do."""
    asked = [f"({quoted(one.name)} is null or {one.faithful})" for one in columns if one.faithful]
    return f"ifnull({' and '.join(asked)}, false)" if asked else ""


def hash_sql(columns: Sequence[Column]) -> str:
    """The row hash in MySQL: 64 hex digits, or NULL where MySQL could not compute it."""
    return f"sha2(concat({', '.join(column.hash_sql for column in columns)}), 256)"


def schema(columns: Sequence[Column]) -> pa.Schema:
    """That of the archive's Parquet files: MySQL's names, in MySQL's order."""
    return pa.schema([pa.field(column.name, column.arrow) for column in columns])


def table(columns: Sequence[Column], batches: Iterable[pa.RecordBatch]) -> pa.Table:
    """Rows as they lie on S3, from batches of ``select_list``.

    Raises:
        ArchiveError: a value does not fit the type on S3.
    """
    made = []
    for batch in batches:
        arrays = []
        for number, one in enumerate(columns):
            try:
                arrays.append(from_canonical(one, batch.column(number)))
            except (pa.ArrowException, ValueError):  # its message would quote the value
                raise ArchiveError(
                    f"column {one.name} ({one.mysql_type}) holds a value that cannot be carried as {one.arrow}. "
                    "Nothing was deleted. The table cannot be archived as long as it does."
                ) from None
        made.append(pa.RecordBatch.from_arrays(arrays, schema=schema(columns)))
    return pa.Table.from_batches(made, schema(columns))


def from_canonical(column: Column, values: pa.Array) -> pa.Array:
    """Values as they lie on S3, from their canonical bytes."""
    values = values.cast(_BLOB)
    match column.kind:
        case "number" | "decimal":
            return values.cast(pa.large_string()).cast(column.arrow)
        case "bits":
            # The cast refuses what does not have eight bytes; both sides are little-endian.
            return _as(values.cast(pa.binary(8)), pa.float64()).cast(column.arrow, safe=False)
        case "text":
            # MySQL's utf8mb4 takes what no UTF-8 has, a half of a surrogate pair; its bytes are kept.
            options = pc.CastOptions(target_type=column.arrow, allow_invalid_utf8=True)
            return pc.cast(values, options=options)
        case "bytes":
            return values.cast(column.arrow)


def to_canonical(column: Column, values: pa.Array) -> pa.Array:
    """The canonical bytes, from values as they lie on S3."""
    values = _whole(values)
    match column.kind:
        case "number":
            return values.cast(pa.large_string()).cast(_BLOB)
        case "decimal":
            return _decimal_text(values).cast(_BLOB)
        case "bits":
            return _as(values.cast(pa.float64()), pa.binary(8)).cast(_BLOB)
        case "text" | "bytes":
            return values.cast(_BLOB)


def _whole(values: Any) -> pa.Array:
    """One array of a table's column."""
    if not isinstance(values, pa.ChunkedArray):
        return values
    return pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)


def _as(values: pa.Array, arrow: pa.DataType) -> pa.Array:
    """The same bytes read as another type of that width."""
    return pa.Array.from_buffers(arrow, len(values), values.buffers(), offset=values.offset)


def _decimal_text(values: pa.Array) -> pa.Array:
    """Decimals as MySQL prints them. Arrow's own text has exponents: 1E-7."""
    scale = values.type.scale
    # The same bytes read as whole numbers.
    whole = _as(values, pa.decimal128(38, 0)).cast(pa.string())
    if not scale:
        return whole.cast(pa.large_string())
    negative = pc.starts_with(whole, "-")
    digits = pc.utf8_lpad(pc.utf8_ltrim(whole, "-"), scale + 1, "0")
    made = pc.binary_join_element_wise(
        pc.if_else(negative, "-", ""),
        pc.utf8_slice_codeunits(digits, 0, -scale),
        ".",
        pc.utf8_slice_codeunits(digits, -scale),
        "",
    )
    return made.cast(pa.large_string())


def hashes(columns: Sequence[Column], batch: pa.RecordBatch | pa.Table) -> list[bytes]:
    """The row hash of every row as it lies on S3: 32 bytes each."""
    parts: list[Any] = []
    for number, one in enumerate(columns):
        parts += _parts(one, to_canonical(one, batch.column(number)))
    if not len(batch):
        return []
    joined = pc.binary_join_element_wise(*parts, _NOTHING)
    return [sha256(row).digest() for row in joined.to_pylist()]


def _parts(column: Column, values: pa.Array) -> list[Any]:
    match column.part:
        case "comma":
            return [pc.fill_null(values, _NULL), _BEHIND]
        case "length":
            lengths = pc.binary_length(values).cast(pa.large_string()).cast(_BLOB)
            made = pc.binary_join_element_wise(lengths, pa.scalar(b":", _BLOB), values, _NOTHING)
        case "digest":
            digests = [None if value is None else sha256(value).hexdigest().encode() for value in values.to_pylist()]
            made = pa.array(digests, _BLOB)
        case "bits":
            made = pc.binary_join_element_wise(pa.scalar(b"=", _BLOB), values, _NOTHING)
    return [pc.fill_null(made, _NULL)]


def digest(rows: Iterable[bytes]) -> str:
    """One SHA-256 over row hashes, in their order: what a manifest keeps of a whole object."""
    whole = sha256()
    for row in rows:
        whole.update(row)
    return whole.hexdigest()


def literal(column: Column, value: bytes) -> str:
    """SQL that equals a key's canonical bytes in a column of that type, compared as the column compares.

    A string that is compared with a number is converted, and '' or 'abc' would equal 0: so a number is a number only
    for a column of numbers, and text has the column's own character set.
    """
    if column.data_type == "decimal":  # also one of more than 38 digits, which is text on S3
        return _checked(value, r"-?[0-9]+(\.[0-9]+)?")
    match column.kind:
        case "number" if column.data_type == "year":
            return f"'{int(value):04d}'"  # a number below 100 would be a year of two digits
        case "number":
            return str(int(value))
        case "bits":
            number = repr(float(pa.Array.from_buffers(pa.float64(), 1, [None, pa.py_buffer(value)])[0].as_py()))
            return number if "e" in number else f"{number}e0"
        case "text" if column.charset is None and column.part == "comma":
            return f"'{_checked(value, r'[0-9A-Za-z:. -]*')}'"
    if column.charset is None:
        return f"x'{value.hex()}'"
    return f"_{column.charset} x'{value.hex()}'"


def _checked(value: bytes, pattern: str) -> str:
    text = value.decode()
    if not re.fullmatch(pattern, text):
        raise ArchiveError("a key is not what its column's type prints. Nothing was deleted.")
    return text

"""What connectorx read, as the values that Redshift takes, exactly.

In: a table's shape; record batches of its SELECT list as connectorx has them. Out: batches of the shape's Arrow
schema, and how many values per column were not carried as they were. No state: a batch that is read again because a
connection was lost is converted again and counted once, by whoever keeps it.
"""

from __future__ import annotations

import hmac
from collections import Counter
from datetime import date
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc

from el.errors import SourceError
from el.mysql.catalog import TableShape
from el.mysql.types import Column

#: The first day of Redshift's calendar, which has no year 0.
_FIRST_DAY = date(1, 1, 1)

#: How many values were not carried as they were, by kind ("zero_dates", "nul_characters", "oversize_nulls",
#: "truncated") and column.
Counts = Counter[tuple[str, str]]


class Values:
    """The way of a table's values; safe to use from several threads."""

    def __init__(self, label: str, shape: TableShape, hash_key: bytes | None) -> None:
        self.label = label
        self.shape = shape
        self._hash_key = hash_key
        # Only keys are NOT NULL: Redshift has to take what MySQL may do later.
        keys = {column.name for column in shape.primary_key}
        self.schema = pa.schema([pa.field(c.raw_name, c.arrow, nullable=c.name not in keys) for c in shape.columns])

    def select_list(self) -> str:
        """What to select of the table: its columns, called c0, c1, …"""
        return ", ".join(f"{column.select} as c{number}" for number, column in enumerate(self.shape.columns))

    def convert(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Counts]:
        """Rows of the SELECT list as rows of ``schema``.

        Raises:
            SourceError: a value cannot be carried.
        """
        columns = self.shape.columns
        counts: Counts = Counter()
        arrays = []
        for number, column in enumerate(columns):
            try:
                arrays.append(self._value(column, batch.column(number), counts))
            except (pa.ArrowException, ValueError):  # its message would quote the value
                raise SourceError(
                    f"{self.label}: column {column.name} ({column.mysql_type}) holds a value that cannot be carried "
                    f"as {column.arrow}. Nothing was committed. Leave the column out with exclude: [{column.name}]"
                ) from None
        made = pa.RecordBatch.from_arrays(arrays, schema=self.schema)
        self._check_keys(made)
        return made, counts

    def _value(self, column: Column, values: pa.Array, counts: Counts) -> pa.Array:
        if column.hashed:
            return self._hash(values)
        if pa.types.is_boolean(column.arrow):
            return self._boolean(column, values)
        if column.is_date:
            return self._date(column, values, counts)
        made = values if values.type == column.arrow else pc.cast(values, column.arrow)
        if column.is_text:
            made = self._without_nul(column, made, counts)
        return made if column.max_bytes is None else self._within(column, column.max_bytes, made, counts)

    def _boolean(self, column: Column, values: pa.Array) -> pa.Array:
        numbers = pc.cast(values, pa.int64())
        wrong = _count(pc.and_(pc.not_equal(numbers, 0), pc.not_equal(numbers, 1)))
        if wrong:
            raise self._refused(column, wrong, len(values), "hold neither 0 nor 1", "take it out of boolean, or ")
        return pc.not_equal(numbers, 0)

    def _date(self, column: Column, values: pa.Array, counts: Counts) -> pa.Array:
        """Dates of MySQL's text; one that does not exist (zero, partly zero, in year 0, 30 February) by its policy."""
        made = dates(values, column.arrow)
        many = made.null_count - values.null_count
        if many and column.on_zero_date == "error":
            raise self._refused(
                column, many, len(values), "hold a date that does not exist (zero, or such as 30 February)"
            )
        if many:
            counts["zero_dates", column.name] += many
        return made

    def _within(self, column: Column, most: int, values: pa.Array, counts: Counts) -> pa.Array:
        """Values of at most ``most`` bytes, by the column's policy."""
        over = pc.greater(pc.binary_length(values), most)
        many = _count(over)
        if not many:
            return values
        match column.on_oversize:
            case "null":
                counts["oversize_nulls", column.name] += many
                return pc.if_else(over, pa.scalar(None, values.type), values)
            case "truncate":
                counts["truncated", column.name] += many
                cut = [_cut(value, most) for value in values.filter(over).to_pylist()]
                return pc.replace_with_mask(values, pc.fill_null(over, False), pa.array(cut, values.type))
        longest = pc.max(pc.binary_length(values)).as_py()
        raise self._refused(
            column,
            many,
            len(values),
            f"hold more than the {most:,} bytes that Redshift's {column.redshift} takes; the longest has {longest:,}",
            "say what becomes of them with on_oversize, or ",
        )

    def _refused(self, column: Column, many: int, of: int, what: str, else_: str = "") -> SourceError:
        remedy = "Correct them in MySQL"
        if column not in self.shape.primary_key:
            remedy += f", {else_}leave the column out with exclude: [{column.name}]"
        return SourceError(
            f"{self.label}: column {column.name}: {many:,} of {of:,} rows read {what}. Nothing was committed. {remedy}"
        )

    def _without_nul(self, column: Column, values: pa.Array, counts: Counts) -> pa.Array:
        # Redshift refuses a NUL in text. One search through all bytes costs a tenth of one through each value.
        content = values.buffers()[2]
        if content is None or b"\0" not in content.to_pybytes():
            return values
        found = _count(pc.match_substring(values, "\0"))
        if not found:
            return values
        if column in self.shape.primary_key:
            raise SourceError(
                f"{self.label}: column {column.name} is part of the primary key and holds a NUL character, which "
                "Redshift cannot hold: without it two keys could become one. Nothing was committed."
            )
        counts["nul_characters", column.name] += found
        return pc.replace_substring(values, "\0", "")

    def _hash(self, values: pa.Array) -> pa.Array:
        assert self._hash_key is not None
        key = self._hash_key
        # Text as its UTF-8; binary as it is.
        found = pc.cast(values, pa.binary()).to_pylist()
        hashes = [None if each is None else hmac.new(key, each, sha256).hexdigest() for each in found]
        return pa.array(hashes, pa.string())

    def _check_keys(self, batch: pa.RecordBatch) -> None:
        for column in self.shape.primary_key:
            if batch.column(column.raw_name).null_count:
                what = (
                    "a date that does not exist (zero, or such as 30 February), which Redshift cannot hold"
                    if column.is_date
                    else f"a character of {column.charset} that has no place of its own in Unicode: two keys could "
                    "become one"
                )
                raise SourceError(
                    f"{self.label}: column {column.name} is part of the primary key and holds {what}. "
                    "Nothing was committed."
                )


def dates(values: pa.Array, arrow: pa.DataType) -> pa.Array:
    """Dates or times of MySQL's text, in UTC; NULL for one that does not exist.

    Raises:
        ValueError, pa.ArrowException: it is no text of that type.
    """
    made = _parsed(values, arrow)
    if made is not None:
        return made
    wrong = pc.and_(values.is_valid(), pc.invert(_exist(values)))
    made = _parsed(pc.if_else(wrong, pa.scalar(None, values.type), values), arrow)
    if made is None:
        raise ValueError("a date that exists and cannot be read")
    return made


def _parsed(values: pa.Array, arrow: pa.DataType) -> pa.Array | None:
    """Text as dates; None if one of them does not exist."""
    try:
        # MySQL's session is in UTC. Arrow takes text without a zone for a type without a zone only.
        made = pc.cast(values, pa.timestamp("us") if pa.types.is_timestamp(arrow) else arrow)
    except pa.ArrowInvalid:
        return None
    in_year_0 = pc.any(pc.less(made, pa.scalar(_FIRST_DAY).cast(made.type))).as_py()
    return None if in_year_0 else pc.cast(made, arrow)


def _exist(values: pa.Array) -> pa.Array:
    """Which of these texts begin with a day of the calendar; a day stands in many rows."""
    days = pc.utf8_slice_codeunits(values, 0, 10)
    known = [day for day in pc.unique(days).to_pylist() if day is not None and _is_day(day)]
    return pc.is_in(days, pa.array(known, pa.string()))


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _count(found: pa.Array) -> int:
    return int(pc.sum(pc.cast(found, pa.int64())).as_py() or 0)


def _cut(value: str | bytes, most: int) -> str | bytes:
    """The first ``most`` bytes, without the part of a character at the end."""
    if isinstance(value, bytes):
        return value[:most]
    return value.encode()[:most].decode(errors="ignore")


def hash_key_id(key: bytes) -> str:
    """Tells two keys apart without telling the key."""
    return hmac.new(key, b"el: which hash key", sha256).hexdigest()[:8]

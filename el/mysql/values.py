"""What connectorx read, as the values that Redshift takes, exactly.

In: a table's shape; record batches of its SELECT list as connectorx has them. Out: batches of the shape's Arrow
schema, and how many values per column were not carried as they were. No state: a batch that is read again because a
connection was lost is converted again and counted once, by whoever keeps it.
"""

from __future__ import annotations

import hmac
from collections import Counter
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc

from el.errors import SourceError
from el.mysql.catalog import TableShape
from el.mysql.types import Column

#: Flags of one row's impossible dates travel together as bits of one number.
_FLAGS_PER_COLUMN = 50

#: How many values were not carried as they were, by kind ("zero_dates", "nul_characters") and column.
Counts = Counter[tuple[str, str]]


class Values:
    """The way of a table's values; safe to use from several threads."""

    def __init__(self, label: str, shape: TableShape, hash_key: bytes | None) -> None:
        self._label = label
        self._shape = shape
        self._hash_key = hash_key
        dates = [column for column in shape.columns if column.date_check]
        self._flag_groups = [dates[i : i + _FLAGS_PER_COLUMN] for i in range(0, len(dates), _FLAGS_PER_COLUMN)]
        # Only keys are NOT NULL: Redshift has to take what MySQL may do later.
        keys = {column.name for column in shape.primary_key}
        self.schema = pa.schema([pa.field(c.raw_name, c.arrow, nullable=c.name not in keys) for c in shape.columns])

    def select_list(self) -> str:
        """What to select of the table: its columns, then the flags of dates that do not exist."""
        selected = [f"{column.select} as c{number}" for number, column in enumerate(self._shape.columns)]
        for number, flags in enumerate(self._flag_groups):
            bits = [f"({column.date_check}) * {1 << bit}" for bit, column in enumerate(flags)]
            selected.append(f"{' + '.join(bits)} as f{number}")
        return ", ".join(selected)

    def convert(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Counts]:
        """Rows of the SELECT list as rows of ``schema``.

        Raises:
            SourceError: a value cannot be carried.
        """
        columns = self._shape.columns
        counts = self._zero_dates(batch)
        arrays = []
        for number, column in enumerate(columns):
            try:
                arrays.append(self._value(column, batch.column(number), counts))
            except (pa.ArrowException, ValueError):  # its message would quote the value
                raise SourceError(
                    f"{self._label}: column {column.name} ({column.mysql_type}) holds a value that cannot be carried "
                    f"as {column.arrow}. Nothing was committed. Leave the column out with exclude: [{column.name}]"
                ) from None
        made = pa.RecordBatch.from_arrays(arrays, schema=self.schema)
        self._check_keys(made)
        return made, counts

    def _zero_dates(self, batch: pa.RecordBatch) -> Counts:
        counts: Counts = Counter()
        for number, flags in enumerate(self._flag_groups):
            found = batch.column(len(self._shape.columns) + number)
            for bit, column in enumerate(flags):
                bits = pc.bit_wise_and(pc.cast(found, pa.int64()), 1 << bit)
                counts["zero_dates", column.name] += pc.sum(pc.cast(pc.not_equal(bits, 0), pa.int64())).as_py() or 0
        return counts

    def _value(self, column: Column, values: pa.Array, counts: Counts) -> pa.Array:
        if column.hashed:
            return self._hash(values)
        made = values if values.type == column.arrow else pc.cast(values, column.arrow)
        if column.is_text:
            made = self._without_nul(column, made, counts)
        if column.max_bytes is not None and len(made):
            longest = pc.max(pc.binary_length(made)).as_py()
            if longest is not None and longest > column.max_bytes:
                many = pc.sum(pc.cast(pc.greater(pc.binary_length(made), column.max_bytes), pa.int64())).as_py()
                raise SourceError(
                    f"{self._label}: column {column.name}: {many} of {len(made):,} rows read hold more than the "
                    f"{column.max_bytes:,} bytes that Redshift's {column.redshift} takes; the longest has "
                    f"{longest:,}. Nothing was committed. Leave the column out with exclude: [{column.name}]"
                )
        return made

    def _without_nul(self, column: Column, values: pa.Array, counts: Counts) -> pa.Array:
        # Redshift refuses a NUL in text.
        found = pc.sum(pc.cast(pc.match_substring(values, "\0"), pa.int64())).as_py()
        if not found:
            return values
        if column in self._shape.primary_key:
            raise SourceError(
                f"{self._label}: column {column.name} is part of the primary key and holds a NUL character, which "
                "Redshift cannot hold: without it two keys could become one. Nothing was committed."
            )
        counts["nul_characters", column.name] += found
        return pc.replace_substring(values, "\0", "")

    def _hash(self, values: pa.Array) -> pa.Array:
        assert self._hash_key is not None
        key = self._hash_key
        texts = values if pa.types.is_string(values.type) else pc.cast(values, pa.string())
        return pa.array(
            [None if text is None else hmac.new(key, text.encode(), sha256).hexdigest() for text in texts.to_pylist()],
            pa.string(),
        )

    def _check_keys(self, batch: pa.RecordBatch) -> None:
        for column in self._shape.primary_key:
            if batch.column(column.raw_name).null_count:
                raise SourceError(
                    f"{self._label}: column {column.name} is part of the primary key and holds a date that does not "
                    "exist (zero, or such as 30 February), which Redshift cannot hold. Nothing was committed."
                )


def hash_key_id(key: bytes) -> str:
    """Tells two keys apart without telling the key."""
    return hmac.new(key, b"el: which hash key", sha256).hexdigest()[:8]

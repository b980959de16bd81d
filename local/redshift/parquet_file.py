"""One Parquet file in, CSV chunks for PostgreSQL out; every rule of Redshift's columnar COPY that can be checked.

Columns match by position. A type that Redshift's Parquet reader would not take for the target column is an error
naming file and column.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

from .columns import Column
from .errors import RedshiftError, ScanError
from .super_text import BadSuper, from_json, from_string
from .text_rows import replace_invalid

BATCH_ROWS, BATCH_BYTES = 32_768, 8_000_000

_ACCEPTED: dict[str, Callable[[pa.DataType], bool]] = {
    "smallint": pa.types.is_int16,
    "integer": pa.types.is_int32,
    "bigint": pa.types.is_int64,
    "real": pa.types.is_float32,
    "double precision": pa.types.is_float64,
    "boolean": pa.types.is_boolean,
    "date": pa.types.is_date32,
    "character": lambda t: pa.types.is_string(t) or pa.types.is_large_string(t),
    "character varying": lambda t: pa.types.is_string(t) or pa.types.is_large_string(t),
    "super": lambda t: pa.types.is_string(t) or pa.types.is_large_string(t),
    "binary varying": lambda t: pa.types.is_binary(t) or pa.types.is_large_binary(t),
    "timestamp without time zone": lambda t: pa.types.is_timestamp(t) and t.unit == "us" and t.tz is None,
    "timestamp with time zone": lambda t: pa.types.is_timestamp(t) and t.unit == "us" and t.tz is not None,
}


def parquet_chunks(
    file: IO[bytes], url: str, columns: list[Column], options: dict[str, str]
) -> Iterator[tuple[int, bytes]]:
    """(rows, CSV) per record batch."""
    try:
        parquet = pq.ParquetFile(file, buffer_size=1 << 20)  # pages as they are needed, not whole columns
    except (pa.ArrowException, OSError) as error:
        raise ScanError(f"File '{url}' is not a Parquet file") from error
    schema = parquet.schema_arrow
    missing = columns[len(schema) :] if "FILLRECORD" in options else []
    for column in missing:
        if column.not_null:
            raise RedshiftError(f"Cannot insert a NULL value into column {column.name} (file {url})", "23502")
    if len(schema) + len(missing) != len(columns):
        raise ScanError(f"File '{url}' has {len(schema)} columns, the table expects {len(columns)}")
    for field, column in zip(schema, columns, strict=False):
        _check_type(field, column, url, "SERIALIZETOJSON" in options)
    try:
        for batch in parquet.iter_batches(batch_size=_batch_rows(parquet)):
            yield batch.num_rows, _csv(batch, url, columns, options.get("ACCEPTINVCHARS"))
    except (pa.ArrowException, OSError) as error:
        raise ScanError(f"File '{url}' cannot be read ({type(error).__name__})") from error


def _batch_rows(parquet: pq.ParquetFile) -> int:
    """So many that a batch of long strings stays small too. The footer's sizes alone would not tell: they are those of
    encoded values, and a dictionary holds a long string once."""
    first = next(parquet.iter_batches(batch_size=100), None)
    if first is None or not first.num_rows:
        return BATCH_ROWS
    groups = [parquet.metadata.row_group(i) for i in range(parquet.num_row_groups)]
    by_footer = max(g.total_byte_size / max(1, g.num_rows) for g in groups)
    return int(min(BATCH_ROWS, max(64, BATCH_BYTES / max(by_footer, first.nbytes / first.num_rows, 1))))


def _check_type(field: pa.Field, column: Column, url: str, serialize: bool) -> None:
    # How pandas and dlt wrote it is no matter: in Parquet a dictionary is an encoding, not a type.
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if column.kind == "numeric":
        accepted = pa.types.is_decimal128(kind) and (kind.precision, kind.scale) == (
            column.precision,
            column.scale,
        )
    elif column.kind == "super" and pa.types.is_nested(kind):
        accepted = serialize
    else:
        accepted = _ACCEPTED.get(column.kind, lambda _: False)(kind)
    if not accepted:
        expected = column.kind + (f"({column.precision},{column.scale})" if column.kind == "numeric" else "")
        raise ScanError(
            f"File '{url}' has an incompatible Parquet schema for column '{column.name}'. "
            f"Column type: {expected}, Parquet type: {kind}"
        )


def _csv(batch: pa.RecordBatch, url: str, columns: list[Column], replacement: str | None) -> bytes:
    """Strings come out quoted and NULL as nothing at all, which is how PostgreSQL's CSV tells '' from NULL."""
    arrays = [a.dictionary_decode() if pa.types.is_dictionary(a.type) else a for a in batch.columns]
    arrays += [pa.nulls(batch.num_rows, pa.string()) for _ in columns[len(arrays) :]]  # FILLRECORD
    arrays = [_valid(a, c, url, replacement) for a, c in zip(arrays, columns, strict=True)]
    texts = [_text(array, column, url) for array, column in zip(arrays, columns, strict=True)]
    table = pa.RecordBatch.from_arrays(texts, [str(i) for i in range(len(texts))])
    out = io.BytesIO()
    csv.write_csv(table, out, csv.WriteOptions(include_header=False, quoting_style="all_valid"))
    return out.getvalue()


def _valid(array: pa.Array, column: Column, url: str, replacement: str | None) -> pa.Array:
    """Strings that are UTF-8: Parquet promises them, but not every writer keeps the promise."""
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        return array
    try:
        array.validate(full=True)
    except pa.ArrowInvalid as error:
        if replacement is None or column.kind != "character varying":
            raise RedshiftError(f"a value of column {column.name} is not UTF-8 (file {url})", "22021") from error
        values = array.cast(pa.large_binary()).to_pylist()
        texts = [
            None if v is None else replace_invalid(v.decode(errors="surrogateescape"), replacement) for v in values
        ]
        return pa.array(texts, pa.string())
    return array


def _text(array: pa.Array, column: Column, url: str) -> pa.Array:
    kind = array.type
    if column.not_null and array.null_count:
        raise RedshiftError(f"Cannot insert a NULL value into column {column.name} (file {url})", "23502")
    if pa.types.is_nested(kind):
        return _super(array, lambda value: from_json(json.dumps(value, default=str)), column, url)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        _check_length(array, column, url)
        return pa.array([None if v is None else "\\x" + v.hex() for v in array.to_pylist()], pa.string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        _check_length(array, column, url)
        if pc.any(pc.match_substring(array, "\0")).as_py():
            raise RedshiftError(f"a value of column {column.name} holds a NUL character (file {url})", "22021")
        if column.kind == "super":
            return _super(array, from_string, column, url)
        return array
    return array.cast(pa.string())


def _super(array: pa.Array, stored: Callable[[Any], str], column: Column, url: str) -> pa.Array:
    try:
        return pa.array([None if v is None else stored(v) for v in array.to_pylist()], pa.string())
    except ValueError as error:
        reason = str(error) if isinstance(error, BadSuper) else "not a number"  # NaN and Infinity are no JSON
        raise RedshiftError(f"a value of column {column.name} does not fit SUPER: {reason} (file {url})") from error


def _check_length(array: pa.Array, column: Column, url: str) -> None:
    limit = column.limit
    longest = pc.max(pc.binary_length(array)).as_py() or 0
    if limit and longest > limit:
        raise ScanError(
            f"The length of the data column {column.name} is longer than the length defined in the table. "
            f"Table: {limit}, Data: {longest}, File name: {url}"
        )

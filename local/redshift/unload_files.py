"""Rows as text in, files of one format out: Parquet, CSV, JSON and delimited text.

A writer holds one batch of rows in memory, the file itself is on disk. Values come in PostgreSQL's text form, NULL as
None.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from . import super_text
from .copy_statement import CSV, JSON, PARQUET
from .errors import NotImitated, Refused
from .unload_statement import UnloadStatement

GROUP_ROWS, GROUP_CHARACTERS = 20_000, 32_000_000  # Redshift: 32 MB

Row = list[str | None]


@dataclass(frozen=True)
class Output:
    """One column of the query's result."""

    name: str
    kind: str  # PostgreSQL's type: int4, varchar …
    precision: int = 0
    scale: int = 0


_ARROW = {
    "int2": pa.int16(), "int4": pa.int32(), "int8": pa.int64(), "float4": pa.float32(), "float8": pa.float64(),
    "bool": pa.bool_(), "date": pa.date32(), "varchar": pa.string(), "bpchar": pa.string(), "text": pa.string(),
    "name": pa.string(), "timestamp": pa.timestamp("us"), "timestamptz": pa.timestamp("us", "UTC"),
    "super": pa.string(),
}  # fmt: skip
_TEXTS = {"varchar", "bpchar", "text", "name"}
_NUMBERS = {"int2", "int4", "int8", "float4", "float8", "numeric"}
KNOWN = {*_ARROW, "numeric", "bytea", "time", "timetz"}


def writer(unload: UnloadStatement, columns: list[Output], file: IO[bytes]) -> Writer:
    if unload.form == PARQUET:
        return ParquetFile(columns, file)
    return TextFile(unload, columns, file)


class Writer:
    rows = 0

    def write(self, row: Row) -> None:
        raise NotImplementedError

    def size(self) -> int:
        """Bytes so far, as good as they are known."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class ParquetFile(Writer):
    def __init__(self, columns: list[Output], file: IO[bytes]) -> None:
        self._file = file
        self._schema = pa.schema([(c.name, arrow_type(c)) for c in columns])
        self._columns = columns
        self._held: list[Row] = []
        self._size = 0
        self._writer = pq.ParquetWriter(file, self._schema, compression="snappy", version="1.0",
                                        coerce_timestamps="us")  # fmt: skip

    def write(self, row: Row) -> None:
        self.rows += 1
        self._held.append(row)
        self._size += sum(len(v) for v in row if v)
        if len(self._held) == GROUP_ROWS or self._size > GROUP_CHARACTERS:
            self._flush()

    def size(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._held:
            arrays = [_array(c, list(v)) for c, v in zip(self._columns, zip(*self._held, strict=True), strict=True)]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
            self._held, self._size = [], 0


def arrow_type(column: Output) -> pa.DataType:
    if column.kind == "numeric":
        if not column.precision:
            raise NotImitated(
                f"UNLOAD to Parquet of a DECIMAL whose precision is not known here: cast column {column.name}"
            )
        return pa.decimal128(column.precision, column.scale)
    if column.kind == "bytea":
        raise Refused("UNLOAD of VARBYTE to anything but text or CSV")
    if column.kind not in _ARROW:
        raise NotImitated(f"UNLOAD to Parquet of type {column.kind}")
    return _ARROW[column.kind]


_OFFSET = re.compile(r"([+-]\d\d)(?::?(\d\d))?$")


def _array(column: Output, values: Row) -> pa.Array:
    kind = arrow_type(column)
    if column.kind == "super":
        return pa.array([None if v is None else super_text.shown(v) for v in values], kind)
    if column.kind in _TEXTS:
        return pa.array(values, kind)
    if column.kind == "bool":
        return pa.array([None if v is None else v == "t" for v in values], kind)
    if column.kind == "numeric":
        return pa.array([None if v is None else Decimal(v) for v in values], kind)
    if column.kind in ("float4", "float8"):
        return pa.array([None if v is None else float(v) for v in values], pa.float64()).cast(kind)
    if column.kind == "timestamptz":  # Arrow wants +00:00, PostgreSQL says +00
        values = [v if v is None else _OFFSET.sub(lambda m: f"{m[1]}:{m[2] or '00'}", v) for v in values]
    return pa.array(values, pa.string()).cast(kind)


class TextFile(Writer):
    """Delimited text, CSV or JSON, compressed as it is written."""

    def __init__(self, unload: UnloadStatement, columns: list[Output], file: IO[bytes]) -> None:
        self._file = file
        self._stream = _compressing(unload.compression, file)
        self._columns = columns
        options = unload.options
        self._delimiter = options.get("DELIMITER", "," if unload.form == CSV else "|")
        self._null = options.get("NULL", "")
        self._escape, self._quotes = "ESCAPE" in options, "ADDQUOTES" in options
        special = "\\\\" + "\n\r" + re.escape(self._delimiter) + ("\"'" if self._quotes else "")
        self._escaped = re.compile(f"[{special}]")
        self._line = {JSON: self._json, CSV: self._csv}.get(unload.form, self._delimited)
        if "HEADER" in options:
            names = [Output(c.name, "varchar") for c in columns]
            self._columns = names
            self._put([c.name for c in columns])
            self._columns = columns

    def write(self, row: Row) -> None:
        self.rows += 1
        self._put(row)

    def _put(self, row: Row) -> None:
        self._stream.write((self._line(row) + "\n").encode())

    def size(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        if self._stream is not self._file:
            self._stream.close()

    def _delimited(self, row: Row) -> str:
        return self._delimiter.join(self._field(v, c) for v, c in zip(row, self._columns, strict=True))

    def _field(self, value: str | None, column: Output) -> str:
        if value is None:
            return self._null
        text = shown(value, column)
        if self._escape and column.kind in _TEXTS:
            text = self._escaped.sub(lambda m: "\\" + m.group(), text)
        return f'"{text}"' if self._quotes else text

    def _csv(self, row: Row) -> str:
        fields = []
        for value, column in zip(row, self._columns, strict=True):
            text = self._null if value is None else shown(value, column)
            if value is not None and any(c in text for c in (self._delimiter, '"', "\n", "\r")):
                text = '"' + text.replace('"', '""') + '"'
            fields.append(text)
        return self._delimiter.join(fields)

    def _json(self, row: Row) -> str:
        pairs = [f"{json.dumps(c.name)}:{_json(v, c)}" for v, c in zip(row, self._columns, strict=True)]
        return "{" + ",".join(pairs) + "}"


def _json(value: str | None, column: Output) -> str:
    if value is None:
        return "null"
    if column.kind == "super":
        return super_text.shown(value)
    if column.kind in _NUMBERS and value.lstrip("+-")[:1].isdigit():
        return value
    return json.dumps(value, ensure_ascii=False)  # booleans too: 't' and 'f', as documented


def shown(value: str, column: Output) -> str:
    if column.kind == "bytea":
        return value[2:]
    return super_text.shown(value) if column.kind == "super" else value


def _compressing(compression: str, file: IO[bytes]) -> Any:
    if compression == "GZIP":
        return gzip.GzipFile(fileobj=file, mode="wb", mtime=0)
    if compression == "BZIP2":
        return bz2.BZ2File(file, "wb")
    if compression == "ZSTD":
        return _Zstd(file)
    return file


class _Zstd:
    """Arrow's stream closes the file below it: keep that open."""

    def __init__(self, file: IO[bytes]) -> None:
        self._stream = pa.CompressedOutputStream(pa.PythonFile(_Open(file), "w"), "zstd")

    def write(self, data: bytes) -> None:
        self._stream.write(data)

    def close(self) -> None:
        self._stream.close()


class _Open(io.RawIOBase):
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, data: Any) -> int:
        return self._file.write(data)

    def writable(self) -> bool:
        return True

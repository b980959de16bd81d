"""Reads rows out of MySQL as Arrow, exactly.

In: a table's shape and conditions (a window, a chunk). Out: record batches of the shape's Arrow schema, and counts
per column of what could not be carried. ``worker.py`` runs the query in a process of its own; this module
starts it, turns connectorx's types into ours, and turns its panics, which print cell values, into errors that
name table and column only.
"""

from __future__ import annotations

import hmac
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from el.errors import SourceError
from el.mysql.catalog import TableShape
from el.mysql.connection import quoted, reason, session
from el.mysql.types import Column
from el.settings import MySQL

_BATCH_ROWS = 50_000
#: Flags of one row's impossible dates travel together as bits of one number.
_FLAGS_PER_COLUMN = 50


class Reader:
    """One worker process for one table; used in a ``with`` block, which ends the process.

    ``zero_dates`` and ``nul_characters`` count, per column, values that became NULL and texts that lost NULs.
    """

    def __init__(self, label: str, server: MySQL, shape: TableShape, hash_key: bytes | None) -> None:
        self.label = label
        self.zero_dates: Counter[str] = Counter()
        self.nul_characters: Counter[str] = Counter()
        self._server = server
        self._shape = shape
        self._hash_key = hash_key
        self._dates = [column for column in shape.columns if column.date_check]
        self._stderr = tempfile.TemporaryFile()
        self._worker: subprocess.Popen[bytes] | None = None

    @property
    def schema(self) -> pa.Schema:
        """What ``read`` yields. Only keys are NOT NULL: Redshift has to take what MySQL may do later."""
        keys = {column.name for column in self._shape.primary_key}
        return pa.schema([pa.field(c.raw_name, c.arrow, nullable=c.name not in keys) for c in self._shape.columns])

    def __enter__(self) -> Self:
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "el.mysql.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        self._tell({"url": _url(self._server), "session": session(self._server), "batch_rows": _BATCH_ROWS})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        worker = self._worker
        if worker is None:
            return
        if kind is not None:
            worker.kill()
        assert worker.stdin and worker.stdout
        with suppress(BrokenPipeError):  # it ended first; `read` has said why
            worker.stdin.close()
        worker.stdout.close()
        worker.wait()
        self._stderr.close()

    def take_counts(self) -> dict[str, dict[str, int]]:
        """The counts since the last call, without zeros."""
        taken = {
            kind: {column: many for column, many in counter.items() if many}
            for kind, counter in (("zero_dates", self.zero_dates), ("nul_characters", self.nul_characters))
        }
        self.zero_dates.clear()
        self.nul_characters.clear()
        return taken

    def read(self, condition: str) -> Iterator[pa.RecordBatch]:
        """The rows of one condition, by one query.

        Raises:
            SourceError: MySQL refused, the connection was lost, or a value cannot be carried.
        """
        assert self._worker and self._worker.stdout
        self._tell(self._select(condition))
        rows = 0
        try:
            with pa.ipc.open_stream(pa.PythonFile(self._worker.stdout, "r")) as stream:
                for batch in stream:
                    rows += len(batch)
                    yield self._convert(batch)
            end = self._worker.stdout.readline()
        except (pa.ArrowInvalid, OSError):
            raise self._failure() from None
        if end != b"%d\n" % rows:  # a stream that was cut off reads like one that has ended
            raise self._failure()

    def _tell(self, message: Any) -> None:
        assert self._worker and self._worker.stdin
        try:
            self._worker.stdin.write(json.dumps(message).encode() + b"\n")
            self._worker.stdin.flush()
        except BrokenPipeError:
            raise self._failure() from None

    def _select(self, condition: str) -> str:
        selected = [f"{column.select} as c{number}" for number, column in enumerate(self._shape.columns)]
        for number, flags in enumerate(self._flag_groups()):
            bits = [f"({column.date_check}) * {1 << bit}" for bit, column in enumerate(flags)]
            selected.append(f"{' + '.join(bits)} as f{number}")
        return f"select {', '.join(selected)} from {quoted(self._shape.name)} where {condition}"

    def _flag_groups(self) -> list[list[Column]]:
        return [self._dates[i : i + _FLAGS_PER_COLUMN] for i in range(0, len(self._dates), _FLAGS_PER_COLUMN)]

    def _convert(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = self._shape.columns
        for number, flags in enumerate(self._flag_groups()):
            found = batch.column(len(columns) + number)
            for bit, column in enumerate(flags):
                bits = pc.bit_wise_and(pc.cast(found, pa.int64()), 1 << bit)
                self.zero_dates[column.name] += pc.sum(pc.cast(pc.not_equal(bits, 0), pa.int64())).as_py() or 0
        arrays = []
        for number, column in enumerate(columns):
            try:
                arrays.append(self._value(column, batch.column(number)))
            except (pa.ArrowException, ValueError):  # its message would quote the value
                raise SourceError(
                    f"{self.label}: column {column.name} ({column.mysql_type}) holds a value that cannot be carried as "
                    f"{column.arrow}. Nothing was committed. Leave the column out with exclude: [{column.name}]"
                ) from None
        made = pa.RecordBatch.from_arrays(arrays, schema=self.schema)
        self._check_keys(made)
        return made

    def _value(self, column: Column, values: pa.Array) -> pa.Array:
        if column.hashed:
            return self._hash(values)
        made = values if values.type == column.arrow else pc.cast(values, column.arrow)
        if column.is_text:
            made = self._without_nul(column, made)
        if column.max_bytes is not None and len(made):
            longest = pc.max(pc.binary_length(made)).as_py()
            if longest is not None and longest > column.max_bytes:
                many = pc.sum(pc.cast(pc.greater(pc.binary_length(made), column.max_bytes), pa.int64())).as_py()
                raise SourceError(
                    f"{self.label}: column {column.name}: {many} of {len(made):,} rows read hold more than the "
                    f"{column.max_bytes:,} bytes that Redshift's {column.redshift} takes; the longest has "
                    f"{longest:,}. Nothing was committed. Leave the column out with exclude: [{column.name}]"
                )
        return made

    def _without_nul(self, column: Column, values: pa.Array) -> pa.Array:
        # Redshift refuses a NUL in text.
        found = pc.sum(pc.cast(pc.match_substring(values, "\0"), pa.int64())).as_py()
        if not found:
            return values
        if column in self._shape.primary_key:
            raise SourceError(
                f"{self.label}: column {column.name} is part of the primary key and holds a NUL character, which "
                "Redshift cannot hold: without it two keys could become one. Nothing was committed."
            )
        self.nul_characters[column.name] += found
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
                    f"{self.label}: column {column.name} is part of the primary key and holds a date that does not "
                    "exist (zero, or such as 30 February), which Redshift cannot hold. Nothing was committed."
                )

    def _failure(self) -> SourceError:
        """Why the worker ended, in words that hold no value: only MySQL's error number is taken from its output."""
        assert self._worker
        self._worker.kill()
        self._worker.wait()
        self._stderr.seek(0)
        text = self._stderr.read().decode(errors="replace")
        number = re.search(r"ERROR (\d{4}) ", text)
        if number:
            why = f"{reason(int(number[1]))} (MySQL error {number[1]})"
        elif re.search(r"IoError|Io\(|Broken pipe|Connection reset|timed out", text):
            why = "the connection was lost"
        elif "PanicException" in text or "panicked" in text:
            why = "connectorx could not decode a value"
        else:
            why = f"the reading process ended with {self._worker.returncode}"
        return SourceError(
            f"{self.label}: reading from MySQL at {self._server.where} failed: {why}. "
            "Nothing was committed; what was committed before stays. Run again."
        )


def hash_key_id(key: bytes) -> str:
    """Tells two keys apart without telling the key."""
    return hmac.new(key, b"el: which hash key", sha256).hexdigest()[:8]


def _url(server: MySQL) -> str:
    options = {"ssl-mode": server.tls} | ({"ssl-ca": server.tls_ca} if server.tls_ca else {})
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
    return (
        f"mysql://{quote(server.user, safe='')}:{quote(server.password, safe='')}@{server.host}:{server.port}"
        f"/{quote(server.database, safe='')}?{query}"
    )

"""Reads rows out of MySQL as Arrow, exactly.

In: a table's shape and conditions (a window, a chunk). Out: record batches of the shape's Arrow schema, and counts
per column of what could not be carried. ``worker.py`` runs the query in a process of its own; this module
starts it, lets ``values.py`` turn connectorx's types into ours, and turns its panics, which print cell values, into
errors that name the table only.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import pyarrow as pa

from el.errors import SourceError
from el.mysql.catalog import TableShape
from el.mysql.connection import SESSION, quoted, reason
from el.mysql.values import Counts, Values
from el.settings import MySQL

_BATCH_ROWS = 50_000


class Reader:
    """One worker process for one table; used in a ``with`` block, which ends the process."""

    def __init__(self, label: str, server: MySQL, shape: TableShape, hash_key: bytes | None) -> None:
        self.label = label
        self._server = server
        self._shape = shape
        self._values = Values(label, shape, hash_key)
        self._counts: Counts = Counter()
        self._stderr = tempfile.TemporaryFile()
        self._worker: subprocess.Popen[bytes] | None = None

    @property
    def schema(self) -> pa.Schema:
        """What ``read`` yields."""
        return self._values.schema

    def __enter__(self) -> Self:
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "el.mysql.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        self._tell({"url": _url(self._server), "session": list(SESSION), "batch_rows": _BATCH_ROWS})
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
        """Values that were not carried as they were, by kind and column, since the last call."""
        taken: dict[str, dict[str, int]] = {}
        for (kind, column), many in self._counts.items():
            taken.setdefault(kind, {})[column] = many
        self._counts.clear()
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
                    made, counts = self._values.convert(batch)
                    self._counts += counts  # keeps what is not zero
                    yield made
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
        return f"select {self._values.select_list()} from {quoted(self._shape.name)} where {condition}"

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


def _url(server: MySQL) -> str:
    options = {"ssl-mode": server.tls} | ({"ssl-ca": server.tls_ca} if server.tls_ca else {})
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
    return (
        f"mysql://{quote(server.user, safe='')}:{quote(server.password, safe='')}@{server.host}:{server.port}"
        f"/{quote(server.database, safe='')}?{query}"
    )

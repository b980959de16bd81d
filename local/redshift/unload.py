"""UNLOAD ('select …') TO 's3://…': the rows of a query in the client's own transaction, as files on S3.

In: a parsed UNLOAD and the client's backend. Out: files, perhaps a manifest, the answer `UNLOAD`. Rows stream from
PostgreSQL through one file at a time per slice. There are two slices, so that nobody comes to rely on one file or one
order; blocks of rows go to them in turn. Files stay when the transaction is rolled back, as on Redshift.
"""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Generator, Iterator
from typing import IO, TYPE_CHECKING

from . import protocol as wire
from .copy_statement import JSON, PARQUET
from .errors import NotImitated, RedshiftError, Refused
from .lexer import identifier
from .s3 import Store, store
from .unload_files import KNOWN, Output, Row, Writer, arrow_type, writer
from .unload_statement import UnloadStatement

if TYPE_CHECKING:
    from .backend import Backend

SLICES, BLOCK_ROWS = 2, 1_000
_EXTENSIONS = {"GZIP": ".gz", "ZSTD": ".zst", "BZIP2": ".bz2"}
_KINDS = {
    16: "bool", 17: "bytea", 19: "name", 20: "int8", 21: "int2", 23: "int4", 25: "text", 700: "float4", 701: "float8",
    1042: "bpchar", 1043: "varchar", 1082: "date", 1083: "time", 1114: "timestamp", 1184: "timestamptz",
    1266: "timetz", 1700: "numeric", 4000: "super",
}  # fmt: skip
_PARTITION_KINDS = {
    "int2",
    "int4",
    "int8",
    "numeric",
    "float4",
    "bool",
    "bpchar",
    "varchar",
    "text",
    "date",
    "timestamp",
}
_PLAIN = re.compile(r"[A-Za-z0-9_. -]+")
_SETTINGS = ("DateStyle", "extra_float_digits")


def run_unload(backend: Backend, unload: UnloadStatement) -> None:
    columns = _describe(backend, unload.query)
    _check(unload, columns)
    target = _Target(store(), unload, columns)
    target.prepare()
    before = backend.own("select " + ", ".join(f"current_setting('{name}')" for name in _SETTINGS))[0]
    backend.own("set local datestyle to iso; set local extra_float_digits to 1")
    with contextlib.closing(_rows(backend, _ordered(unload))) as rows:
        for row in rows:
            target.write(row)
    for name, value in zip(_SETTINGS, before, strict=True):
        backend.own(f"select set_config('{name}', '{(value or b'').decode()}', true)")
    target.finish()
    backend.own(f"set redshift.last_unload_count to {target.rows}")
    said = f"UNLOAD completed, {target.rows} record(s) unloaded successfully."
    body = b"S" + wire.text("INFO") + b"C" + wire.text("00000") + b"M" + wire.text(said) + b"\0"
    backend.client.send(wire.message(b"N", body), wire.complete("UNLOAD"))


def _ordered(unload: UnloadStatement) -> str:
    """Partition by partition, so that one file is open at a time; within each in the query's own order."""
    if not unload.partition:
        return unload.query
    keys = ", ".join(identifier(name) for name in unload.partition)
    numbered = f"select q.*, row_number() over () as redshift_unload_row from ({unload.query}) q"
    return f"select * from ({numbered}) q order by {keys}, redshift_unload_row"


def _describe(backend: Backend, query: str) -> list[Output]:
    backend.wire.send(wire.query(f"select * from ({query}) q limit 0"))
    backend.wire.flush()
    columns: list[Output] = []
    failure = b""
    for kind, payload in _answers(backend):
        if kind == b"E":
            failure = payload
        elif kind == b"T":
            for name, at, number, _ in wire.row_columns(payload):
                modifier = int.from_bytes(payload[at + 6 : at + 10], "big", signed=True)
                numbers = ((modifier - 4) >> 16 & 0xFFFF, (modifier - 4) & 0x7FF) if modifier >= 4 else (0, 0)
                columns.append(Output(name.decode(), _KINDS.get(number, f"number {number}"), *numbers))
    _raise(backend, failure)
    return columns


def _rows(backend: Backend, query: str) -> Generator[Row, None, None]:
    backend.wire.send(wire.query(f"copy ({query}) to stdout"))
    backend.wire.flush()
    failure = b""
    answers = _answers(backend)
    try:
        for kind, payload in answers:
            if kind == b"d":
                yield [_field(f) for f in payload[:-1].decode().split("\t")]
            elif kind == b"E":
                failure = payload
    except GeneratorExit:  # writing failed: what is still to come must not be taken for the next statement's answer
        backend.cancel()
        for _ in answers:
            pass
        raise
    _raise(backend, failure)


def _answers(backend: Backend) -> Iterator[tuple[bytes, bytes]]:
    while True:
        kind, payload = backend.wire.read(backend.client)
        if kind == b"Z":
            backend.set_status(payload)
            return
        yield kind, payload


def _raise(backend: Backend, failure: bytes) -> None:
    if failure:
        raise backend.failure(failure)


_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def _field(text: str) -> str | None:
    if "\\" not in text:
        return text
    if text == "\\N":
        return None
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m.group(1), m.group(1)), text, flags=re.DOTALL)


def _check(unload: UnloadStatement, columns: list[Output]) -> None:
    kinds = {c.name: c.kind for c in columns}
    for column in columns:
        if column.kind not in KNOWN:
            raise NotImitated(f"UNLOAD of column {column.name}, of a type of {column.kind}")
        if column.kind == "bytea" and unload.form in (PARQUET, JSON):
            raise Refused("UNLOAD of VARBYTE to anything but text or CSV")
        if unload.form == PARQUET:
            arrow_type(column)
    if len(kinds) != len(columns) and (unload.form == JSON or unload.partition):
        raise RedshiftError("each column of the query must have a name of its own", "42701")
    for name in unload.partition:
        if name not in kinds:
            raise RedshiftError(f'column "{name}" of PARTITION BY is not in the query', "42703")
        if kinds[name] not in _PARTITION_KINDS:
            raise Refused(f"PARTITION BY a column of type {kinds[name]}")
    if unload.partition and len(columns) == len(set(unload.partition)):
        raise RedshiftError("at least one column must not be a partition column")


class _Target:
    """Where the rows go: files of slices, in the order and with the names of Redshift's."""

    def __init__(self, store: Store, unload: UnloadStatement, columns: list[Output]) -> None:
        self._store, self._unload = store, unload
        names = [c.name for c in columns]
        self._keys = [names.index(n) for n in unload.partition]
        self._kept = [i for i in range(len(columns)) if unload.include or i not in self._keys]
        self._columns = [columns[i] for i in self._kept]
        self._slices = 1 if unload.options.get("PARALLEL") == "OFF" else SLICES
        self._prefix = unload.target + ("/" if unload.partition and not unload.target.endswith("/") else "")
        self._folder = ""
        self._open: dict[int, tuple[Writer, IO[bytes]]] = {}
        self._parts: dict[int, int] = {}
        self._entries: list[tuple[str, int]] = []
        self.rows = 0

    def prepare(self) -> None:
        """Before the first row: nothing may be overwritten."""
        if "ALLOWOVERWRITE" in self._unload.options:
            return
        there = self._store.keys(self._unload.target)
        if there and "CLEANPATH" in self._unload.options:
            self._store.delete(self._unload.target, there)
        elif there:
            raise RedshiftError(
                "Specified unload destination on S3 is not empty. Consider using a different bucket / prefix, manually "
                "removing the target files in S3, or using the ALLOWOVERWRITE option."
            )

    def write(self, row: Row) -> None:
        folder = "".join(f"{n}={_partition(row[i])}/" for n, i in zip(self._unload.partition, self._keys, strict=True))
        if folder != self._folder:
            self._close_all()
            self._folder, self._parts = folder, {}
        number = self.rows // BLOCK_ROWS % self._slices
        file = self._writer(number)
        file.write([row[i] for i in self._kept] if self._keys else row)
        self.rows += 1
        if file.size() >= self._unload.max_bytes:
            self._close(number)

    def finish(self) -> None:
        if not self.rows and self._unload.form != PARQUET and not self._keys:
            for number in range(self._slices):  # text files are there, though empty
                self._writer(number)
        self._close_all()
        if "MANIFEST" in self._unload.options:
            entries = [{"url": url, "meta": {"content_length": size}} for url, size in self._entries]
            self._store.write(self._prefix + "manifest", json.dumps({"entries": entries}).encode())

    def _writer(self, number: int) -> Writer:
        if number not in self._open:
            local = tempfile.TemporaryFile(prefix="local-redshift-unload-")
            self._open[number] = writer(self._unload, self._columns, local), local
        return self._open[number][0]

    def _close_all(self) -> None:
        for number in sorted(self._open):
            self._close(number)

    def _close(self, number: int) -> None:
        file, local = self._open.pop(number)
        with local:
            file.close()
            size = local.seek(0, 2)
            local.seek(0)
            url = self._prefix + self._folder + self._name(number)
            self._store.write(url, local)
        self._entries.append((url, size))

    def _name(self, number: int) -> str:
        part = self._parts.get(number, 0)
        self._parts[number] = part + 1
        serial = f"{part:03d}" if self._slices == 1 else f"{number:04d}_part_{part:02d}"
        if "EXTENSION" in self._unload.options:  # as it is given, without one for the compression
            return f"{serial}.{self._unload.options['EXTENSION']}"
        return serial + (".parquet" if self._unload.form == PARQUET else _EXTENSIONS.get(self._unload.compression, ""))


def _partition(value: str | None) -> str:
    if value is None:
        return "__HIVE_DEFAULT_PARTITION__"
    if not _PLAIN.fullmatch(value):
        raise NotImitated("a partition value that is empty or has characters other than letters, digits and '_.- '")
    return value

"""A delimited or CSV file in, its rows out, one at a time.

Bytes that are not UTF-8 come through as lone surrogates, so that one bad value is one row's error.
"""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import itertools
import re
from collections.abc import Iterator
from typing import IO

import pyarrow as pa

from .columns import Column
from .copy_statement import CSV, CopyStatement
from .errors import NotImitated, RedshiftError
from .text_rows import BadRow, Row

MAX_ROW = 4 * 1024 * 1024  # Redshift's longest row
csv.field_size_limit(MAX_ROW)


def decompressed(file: IO[bytes], compression: str) -> IO[bytes]:
    if compression == "GZIP":
        return gzip.open(file)  # type: ignore[return-value]
    if compression == "BZIP2":
        return bz2.open(file)
    if compression == "ZSTD":
        return io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(file), "zstd"))
    return file


def text_rows(file: IO[bytes], copy: CopyStatement, columns: list[Column], url: str) -> Iterator[Row | BadRow]:
    source = _decoded(decompressed(file, copy.compression), copy.encoding, url)
    lines = _Lines(source, int(copy.options.get("IGNOREHEADER", "0")))
    split = _csv_rows if copy.form == CSV else _fixed_rows if copy.widths else _delimited_rows
    if copy.widths and len(copy.widths) != len(columns):
        raise RedshiftError(f"FIXEDWIDTH has {len(copy.widths)} columns, the table {len(columns)}", "42601")
    empty_null = "EMPTYASNULL" in copy.options
    filler: list[str | None] = ["" if c.kind == "character varying" and not empty_null else None for c in columns]
    try:
        for row in split(lines, copy):
            if isinstance(row, Row) and len(row.fields) != len(columns):
                if len(row.fields) > len(columns):
                    yield BadRow(row.line, row.raw, 1202, "Extra column(s) found")
                elif "FILLRECORD" in copy.options:
                    yield Row(row.line, row.raw, row.fields + filler[len(row.fields) :])
                else:
                    yield BadRow(row.line, row.raw, 1203, "Delimiter not found")
            else:
                yield row
    except UnicodeError as error:
        raise _wrong_encoding(url) from error
    except (OSError, EOFError, pa.ArrowException) as error:
        raise RedshiftError(f"file {url} cannot be read ({type(error).__name__})") from error


def _decoded(file: IO[bytes], encoding: str, url: str) -> io.TextIOWrapper:
    if encoding == "utf-16":  # its byte order mark says which; Python would guess without one
        mark = file.read(2)
        if mark not in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise _wrong_encoding(url)
        encoding += "-le" if mark == codecs.BOM_UTF16_LE else "-be"
    errors = "surrogateescape" if encoding == "utf-8" else "strict"
    return io.TextIOWrapper(file, encoding, errors, newline="\n")


def _wrong_encoding(url: str) -> RedshiftError:
    return RedshiftError(f"the encoding of file {url} is not the one that ENCODING names (1221)")


class _Lines:
    """The lines of a file, counted, with the text of those taken since the last row."""

    def __init__(self, source: io.TextIOWrapper, skipped: int) -> None:
        self._source = source
        self.number = 0
        self.taken = ""
        for _ in range(skipped):
            if self.next():
                self.taken = ""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self.next()
        if not line:
            raise StopIteration
        return line

    def next(self) -> str:
        line = self._source.readline(MAX_ROW)
        if line:
            self.number += 1
            self.taken += line
            if len(self.taken) > MAX_ROW:
                raise RedshiftError("a row is longer than 4 MB")
        return line

    def row_text(self) -> str:
        text, self.taken = self.taken, ""
        return text.rstrip("\n")


def _csv_rows(lines: _Lines, copy: CopyStatement) -> Iterator[Row | BadRow]:
    options = copy.options
    delimiter, quote = options.get("DELIMITER") or ",", options.get("QUOTE", '"')
    reader = csv.reader(lines, delimiter=delimiter, quotechar=quote, strict=True)
    while True:
        start = lines.number + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            fields = []
        raw = lines.row_text()
        if (not fields and raw.strip("\r")) or any(quote in f for f in fields):
            spaced = _spaced(raw.removesuffix("\r"), delimiter, quote)
            if spaced is None:
                yield BadRow(start, raw, 1216, "Invalid quote formatting for CSV")
                continue
            fields = spaced
        if not fields and "IGNOREBLANKLINES" in options:
            continue
        yield Row(start, raw, list(fields or [""]))


def _spaced(raw: str, delimiter: str, quote: str) -> list[str] | None:
    """A row with quotes where Python's csv is no judge: Redshift ignores blanks around them, and wants none within an
    unquoted field. None if it is no row."""
    d, q = re.escape(delimiter), re.escape(quote)
    blank = "[ \t]*".replace(delimiter, "")
    field = re.compile(rf"{blank}{q}((?:[^{q}]|{q}{q})*){q}{blank}(?={d}|\Z)|([^{q}{d}]*)(?={d}|\Z)")
    fields, at = [], 0
    while True:
        match = field.match(raw, at)
        if match is None:
            return None
        quoted, plain = match.groups()
        fields.append(plain if quoted is None else quoted.replace(quote * 2, quote))
        if match.end() == len(raw):
            return fields
        at = match.end() + 1


def _delimited_rows(lines: _Lines, copy: CopyStatement) -> Iterator[Row | BadRow]:
    options = copy.options
    delimiter = options.get("DELIMITER") or "|"
    escape, unquote = "ESCAPE" in options, "REMOVEQUOTES" in options
    for first in lines:
        start, line = lines.number, first
        while escape and line.endswith("\n") and (len(line[:-1]) - len(line[:-1].rstrip("\\"))) % 2:
            more = lines.next()
            if not more:
                break
            line += more
        raw = lines.row_text()
        line = line.removesuffix("\n").removesuffix("\r")
        if not line and "IGNOREBLANKLINES" in options:
            continue
        if not escape and not unquote:
            yield Row(start, raw, list(line.split(delimiter)))
            continue
        fields = _split(line, delimiter, escape, unquote, options.get("NULL", "\\N"))
        yield BadRow(start, raw, 1216, "Unbalanced quotes") if fields is None else Row(start, raw, fields)


def _fixed_rows(lines: _Lines, copy: CopyStatement) -> Iterator[Row | BadRow]:
    ends = list(itertools.accumulate(copy.widths))
    for line in lines:
        raw = lines.row_text()
        line = line.removesuffix("\n").removesuffix("\r")
        if not line and "IGNOREBLANKLINES" in copy.options:
            continue
        if not line.isascii():  # whether a width counts characters or bytes is not documented
            raise NotImitated(f"FIXEDWIDTH of other characters than ASCII (line {lines.number})")
        if len(line) != ends[-1]:
            longer = len(line) > ends[-1]
            yield BadRow(
                lines.number, raw, *((1202, "Extra column(s) found") if longer else (1216, "Invalid input line"))
            )
            continue
        fields: list[str | None] = [line[a:b] for a, b in itertools.pairwise([0, *ends])]
        yield Row(lines.number, raw, fields)


def _split(line: str, delimiter: str, escape: bool, unquote: bool, null: str) -> list[str | None] | None:
    """The fields, without their escapes and quotes; None if a quote is not closed."""
    fields: list[str | None] = []
    at = 0
    while True:
        quote = line[at] if unquote and at < len(line) and line[at] in "\"'" else ""
        stop = re.escape(quote or delimiter)
        pattern = rf"(?:\\.|[^\\])*?(?={stop}|\Z)" if escape else rf".*?(?={stop}|\Z)"
        match = re.compile(pattern, re.DOTALL).match(line, at + len(quote))
        end = match.end() if match else len(line)
        text = line[at + len(quote) : end]
        if quote:
            end += 1
            if end > len(line) or (end < len(line) and line[end] != delimiter):
                return None
        is_null = escape and null == "\\N" and text in ("\\N", "\\\\N")
        fields.append(None if is_null else re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL) if escape else text)
        if end >= len(line):
            return fields
        at = end + 1

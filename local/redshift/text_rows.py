"""Rows as text in (from a text, CSV or JSON file), CSV for PostgreSQL out, bad rows counted against MAXERROR.

A row that cannot be loaded becomes a record for stl_load_errors. MAXERROR of them end the COPY.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .columns import Column
from .copy_statement import TEXT, CopyStatement
from .errors import RedshiftError
from .values import BadField, NullInstead, converter

BATCH_ROWS, BATCH_CHARACTERS = 5_000, 4_000_000


@dataclass(frozen=True)
class Row:
    """One row of a file: a text or nothing per column, in the order of the columns."""

    line: int
    raw: str
    fields: list[str | None]


@dataclass(frozen=True)
class BadRow:
    """A row whose fields could not even be told apart."""

    line: int
    raw: str
    code: int
    reason: str


@dataclass(frozen=True)
class LoadError:
    """What stl_load_errors shows of one bad row."""

    file: str
    line: int
    column: Column | None
    raw_line: str
    raw_value: str
    code: int
    reason: str

    @property
    def place(self) -> str:
        column = f", column {self.column.name}" if self.column else ""
        return f"{self.file}, line {self.line}{column}: {self.reason} ({self.code})"


@dataclass
class Loader:
    """Turns rows into CSV, one instance for a whole COPY, as MAXERROR counts over all of its files."""

    copy: CopyStatement
    columns: list[Column]
    errors: list[LoadError] = field(default_factory=list)

    def __post_init__(self) -> None:
        options = self.copy.options
        self._converters = [converter(c, options) for c in self.columns]
        self._null = options.get("NULL", "\\N")
        self._blanks_null, self._empty_null = "BLANKSASNULL" in options, "EMPTYASNULL" in options
        self._trim = "TRIMBLANKS" in options
        self._replace = options.get("ACCEPTINVCHARS", "")
        # Without these a field that begins with anything but a blank is its own value.
        self._plain = not (self._blanks_null or self._trim or self._replace)
        self._is_text = self.copy.form == TEXT or self.copy.form == "CSV"

    def chunks(self, rows: Iterable[Row | BadRow], url: str) -> Iterator[tuple[int, bytes]]:
        """(rows, CSV) of one file."""
        lines: list[str] = []
        size = 0
        for row in rows:
            if isinstance(row, BadRow):
                self._bad(LoadError(url, row.line, None, row.raw, "", row.code, row.reason))
                continue
            line = self._line(row, url)
            if line is not None:
                lines.append(line)
                size += len(line)
                if len(lines) == BATCH_ROWS or size > BATCH_CHARACTERS:
                    yield len(lines), "".join(lines).encode()
                    lines, size = [], 0
        if lines:
            yield len(lines), "".join(lines).encode()

    def _line(self, row: Row, url: str) -> str | None:
        parts = []
        plain, null = self._plain, self._null
        for text, column, convert in zip(row.fields, self.columns, self._converters, strict=True):
            try:
                value = text if plain and text and text[0] > " " and text != null else self._value(text, column)
                value = None if value is None else convert(value)
                if value is None and column.not_null:
                    raise BadField(1213, "Missing data for not-null field")
            except NullInstead:
                value = None
            except BadField as bad:
                self._bad(LoadError(url, row.line, column, row.raw, text or "", bad.code, bad.reason))
                return None
            parts.append("" if value is None else '"' + value.replace('"', '""') + '"')
        return ",".join(parts) + "\n"

    def _value(self, text: str | None, column: Column) -> str | None:
        """NULL or the text, by the rules that hold for every type."""
        if text is None or (self._is_text and text == self._null):
            return None
        if not column.is_text:
            return text if text.strip() else None
        if self._replace and column.kind == "character varying":
            text = replace_invalid(text, self._replace)
        if self._trim:
            text = text.rstrip(" ")
        if (self._empty_null and not text) or (self._blanks_null and text and not text.strip()):
            return None
        return text

    def _bad(self, error: LoadError) -> None:
        self.errors.append(error)
        if len(self.errors) >= max(1, self.copy.max_errors):
            raise RedshiftError(
                f"Load into table '{self.copy.table.rpartition('.')[2].strip(chr(34))}' failed.  "
                "Check 'stl_load_errors' system table for details.",
                detail=error.place,
            )


def replace_invalid(text: str, by: str) -> str:
    """Bytes that are not UTF-8 (kept as lone surrogates by the reader), each replaced by one character."""
    return "".join(by if "\udc80" <= c <= "\udcff" else c for c in text) if not text.isprintable() else text

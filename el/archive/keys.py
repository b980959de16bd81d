"""Keys as a person writes them, on the command line and in a hold: ``48213``, ``7,2``, ``"a, b",3``, ``0x00ff``.

In: a text, with a comma between the parts of a composite key; a part with a comma in quotes. Out: the canonical bytes
of each part (``rows.py``), which are compared with those of rows as bytes. A text is given exactly as it is: another
spelling that MySQL's collation calls equal is another key. A text that begins with 0x is bytes in hex: for binary
columns, and for characters that cannot be typed.
"""

from __future__ import annotations

import codecs
import csv
import re
import struct
from collections.abc import Sequence

from el.archive.rows import Column
from el.errors import UsageError

#: Python's names of MySQL's character sets, where they are not the same.
_CODECS = {"latin1": "cp1252", "utf8mb4": "utf-8", "utf8mb3": "utf-8", "ucs2": "utf-16-be", "utf16": "utf-16-be"}


def parse(text: str, columns: Sequence[Column]) -> list[bytes]:
    """The canonical bytes of the parts of a key.

    Raises:
        UsageError: the text is no key of these columns. It is not repeated: it may be personal.
    """
    try:
        (parts,) = csv.reader([text], strict=True, skipinitialspace=True)
    except (csv.Error, ValueError):
        raise UsageError(_expected("cannot be read", columns)) from None
    if len(parts) != len(columns):
        raise UsageError(_expected(f"has {len(parts)} parts", columns))
    return [_part(part, column, columns) for part, column in zip(parts, columns, strict=True)]


def _part(text: str, column: Column, columns: Sequence[Column]) -> bytes:
    if column.kind in ("number", "decimal"):
        if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?" if column.kind == "decimal" else r"-?[0-9]+", text):
            raise UsageError(_expected(f"has no number for {column.name}", columns))
        return text.encode() if column.kind == "decimal" else str(int(text)).encode()
    try:
        if column.kind == "bits":
            return struct.pack("<d", float(text))
        if text.lower().startswith("0x"):
            return bytes.fromhex(text[2:])
        if column.kind == "text":
            return text.encode()
        if column.charset is None:
            raise UsageError(_expected(f"needs 0x and hex digits for {column.name}, which is binary", columns))
        return codecs.encode(text, _CODECS.get(column.charset, column.charset))
    except (ValueError, LookupError):
        raise UsageError(
            _expected(f"has no value for {column.name} ({column.mysql_type}); bytes may be given as 0x…", columns)
        ) from None


def _expected(what: str, columns: Sequence[Column]) -> str:
    names = ",".join(column.name for column in columns)
    return f"the key {what}. The primary key is {names}; write it like that, with commas. Nothing was changed."

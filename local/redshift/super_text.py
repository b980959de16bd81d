"""SUPER as it is stored, for what comes in by COPY and what goes out to clients and UNLOAD.

A string is stored as it is; anything else is U+0001 and its JSON without blanks: keys keep their order, numbers their
digits. sql/types.sql says why; sql/super.sql has the same in SQL.
"""

from __future__ import annotations

import json
import re
from typing import Any

_MARK = "\x01"
_PARTS = re.compile(r'"(?:[^"\\]|\\.)*"|\s+')

MAX_STRING, MAX_BYTES, MAX_LEVELS = 65_535, 16 * 1024 * 1024, 1_000


class BadSuper(ValueError):
    """What Redshift refuses though it is JSON; the message holds nothing of the text."""


def from_string(text: str) -> str:
    """Raises BadSuper for a string that is too long."""
    _check(text, 0)
    return text if not text.startswith(_MARK) else _MARK + _quoted(text)


def from_json(text: str) -> str:
    """Raises ValueError for what is no JSON, BadSuper for what is beyond SUPER's limits."""
    try:
        found = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_int=str, parse_float=str)
    except RecursionError as error:
        raise BadSuper(f"more than {MAX_LEVELS} levels") from error
    _check(found, 0)
    stripped = text.strip()
    if stripped.startswith('"'):
        return from_string(json.loads(stripped))
    compact = _PARTS.sub(lambda m: _one_way(m.group()), stripped)
    if len(compact.encode()) > MAX_BYTES:
        raise BadSuper("larger than 16 MB")
    return _MARK + compact


def shown(stored: str) -> str:
    """The text of a stored value, as Redshift sends it."""
    return stored[1:] if stored.startswith(_MARK) else _quoted(stored)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _one_way(part: str) -> str:
    """A string with no escape that is not needed; nothing for blanks."""
    if part[0] != '"':
        return ""
    return _quoted(json.loads(part)) if "\\" in part else part


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadSuper("duplicate attributes")
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(text)  # NaN and Infinity are Python's, not JSON's


def _check(value: Any, level: int) -> None:
    if isinstance(value, str):
        if len(value.encode(errors="surrogatepass")) > MAX_STRING:
            raise BadSuper(f"a string longer than {MAX_STRING} bytes")
    elif isinstance(value, dict | list):
        if level == MAX_LEVELS:
            raise BadSuper(f"more than {MAX_LEVELS} levels")
        for part in value.values() if isinstance(value, dict) else value:
            _check(part, level + 1)

"""A file of JSON objects or arrays in, its rows out: JSON 'auto', 'auto ignorecase', 'noshred' and jsonpaths.

Keys match columns by name, or paths by position; what is missing is NULL. A value keeps the text it has in the file
(numbers are not parsed), so nothing is rounded on the way.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from typing import IO, Any

import pyarrow as pa

from .columns import Column
from .copy_statement import CopyStatement
from .errors import NotImitated, RedshiftError
from .s3 import Store
from .text_file import MAX_ROW, decompressed
from .text_rows import BadRow, Row

_MARK = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]|"', re.DOTALL)
_STEP = re.compile(r"\.([A-Za-z_][\w-]*)|\[(\d+)\]|\[(?:'([^']*)'|\"([^\"]*)\")\]")

Finder = Callable[[Any], list[Any]]


class _Number(str):
    """A number as it stood in the file."""


def json_rows(file: IO[bytes], copy: CopyStatement, columns: list[Column], find: Finder) -> Iterator[Row | BadRow]:
    source = io.TextIOWrapper(decompressed(file, copy.compression), "utf-8", "surrogateescape", newline="\n")
    try:
        for line, text in _values(source):
            try:
                found = json.loads(text, parse_int=_Number, parse_float=_Number, parse_constant=_no_constant)
            except ValueError:
                yield BadRow(line, text, 1216, "Invalid JSON")
                continue
            if not isinstance(found, (dict, list)):
                yield BadRow(line, text, 1216, "Invalid JSON: neither an object nor an array")
                continue
            yield Row(line, text, [_text(v, c) for v, c in zip(find(found), columns, strict=True)])
    except (OSError, EOFError, pa.ArrowException) as error:
        raise RedshiftError(f"a JSON file cannot be read ({type(error).__name__})") from error


def finder(copy: CopyStatement, columns: list[Column], store: Store) -> Finder:
    """How to take the columns' values out of one JSON value."""
    names = [c.name for c in columns]
    if copy.json == "noshred":
        if len(columns) != 1 or columns[0].kind != "super":
            raise RedshiftError("JSON 'noshred' loads into one SUPER column")
        return lambda found: [found]
    if copy.json in ("auto", "auto ignorecase"):
        fold = copy.json == "auto ignorecase"

        def by_name(found: Any) -> list[Any]:
            if not isinstance(found, dict):
                return [None] * len(names)
            keyed = {k.lower(): v for k, v in found.items()} if fold else found
            return [keyed.get(n) for n in names]

        return by_name
    if not copy.json.startswith("s3://"):
        raise NotImitated("COPY … JSON with anything but 'auto', 'auto ignorecase', 'noshred' or an s3:// location")
    try:
        paths = [_path(p) for p in json.loads(store.read(copy.json))["jsonpaths"]]
    except (ValueError, TypeError, KeyError) as error:
        raise RedshiftError(f"Invalid JSONPath format: {copy.json} is not a JSONPaths file") from error
    if len(paths) != len(columns):
        raise RedshiftError(f"Number of jsonpaths and the number of columns should match. JSONPath size: {len(paths)}, "
                            f"Number of columns in table or column list: {len(columns)}")  # fmt: skip
    return lambda found: [_follow(found, path) for path in paths]


def _values(source: io.TextIOWrapper) -> Iterator[tuple[int, str]]:
    """(last line, text) of each value. Told apart by their brackets, so that a bad one is one row's error."""
    pending, depth, line = "", 0, 0
    for text in iter(lambda: source.readline(MAX_ROW), ""):
        line += 1
        if not depth and not pending and text.startswith("{") and text.endswith("}\n") and text.count("{") == 1:
            yield line, text.rstrip("\n")
            continue
        at, start = len(pending), 0
        pending += text
        if len(pending) > MAX_ROW:
            raise RedshiftError("a JSON value is longer than 4 MB")
        for mark in _MARK.finditer(pending, at):
            sign = mark.group()
            if sign[0] == '"':
                continue
            depth += 1 if sign in "{[" else -1
            if depth <= 0:
                yield line, pending[start : mark.end()].strip()
                start, depth = mark.end(), 0
        pending = pending[start:]
        if not depth and pending.strip():
            yield line, pending.strip()
        pending = pending if depth else ""
    if pending.strip():
        yield line, pending.strip()


def _path(text: str) -> list[str | int]:
    steps: list[str | int] = []
    at = 1
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise ValueError(text)
        name, number, single, double = match.groups()
        steps.append(int(number) if number is not None else next(n for n in (name, single, double) if n is not None))
        at = match.end()
    if text[:1] != "$" or not steps:
        raise ValueError(text)
    return steps


def _follow(found: Any, path: list[str | int]) -> Any:
    for step in path:
        if isinstance(step, int):
            found = found[step] if isinstance(found, list) and step < len(found) else None
        else:
            found = found.get(step) if isinstance(found, dict) else None
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(text)  # NaN and Infinity are Python's, not JSON's


def _text(value: Any, column: Column) -> str | None:
    if value is None:
        return None
    return _json(value) if column.kind == "super" or not isinstance(value, str) else value


def _json(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_json(v) for v in value) + "]"
    return json.dumps(value)

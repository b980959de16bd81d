"""The conformance table: reads tests/conformance/*.yml, runs one case on any server, says what differs.

A file is a mapping of page → statement → what it gives. The page is one of Redshift's Database Developer Guide; what
follows a comma in its title narrows it. The statement may be several, each `; ` apart; the last one counts. What it
gives is

    1                             one value, as text; NULL is NULL
    [1, 2]                        rows of one value; [] is no row
    [[1, a], [2, b]]              rows
    {error: 22001 too long}       an error: its SQLSTATE, `any` for whichever, and a word of the message
    {rows: …, here: refused}      the local Redshift does not imitate it, and says so
    {rows: …, here: differs}      the local Redshift gives something else in silence: a gap that docs must name

Expected values come from the documentation, never from a run of the local Redshift. Words of an error are compared
with the local one only: Redshift's own wording changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import yaml

FOLDER = Path(__file__).parent
SCHEMA = "el_conformance"

# Built-in types, read as the text that the server sends.
_KNOWN_TYPES = (16, 17, 20, 21, 23, 26, 700, 701, 1082, 1083, 1114, 1184, 1186, 1266, 1700)
_TEXT = psycopg2.extensions.new_type(_KNOWN_TYPES, "CONFORMANCE_TEXT", lambda value, cursor: value)

Row = list[str | None]


@dataclass(frozen=True)
class Case:
    page: str
    sql: str
    rows: list[Row]
    error: str = ""  # SQLSTATE or `any`, then a word
    here: str = ""


class _Strings(yaml.BaseLoader):
    """Every scalar is a string; a statement that stands twice on a page is a mistake."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [key.value for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise ValueError(f"{node.start_mark.name}: stands twice: {sorted(twice)}")
        return super().construct_mapping(node, deep=True)


def load() -> list[Case]:
    return [_case(page, sql, given) for page, sql, given in lines(FOLDER)]


def lines(folder: Path) -> Iterator[tuple[str, str, Any]]:
    """Page, statement and what it gives, of every line of a folder's files; every scalar is a string."""
    for file in sorted(folder.glob("*.yml")):
        with file.open(encoding="utf-8") as text:
            pages = yaml.load(text, _Strings)  # noqa: S506 - a BaseLoader makes strings only
        for page, given in pages.items():
            yield from ((page, sql, what) for sql, what in given.items())


def _case(page: str, sql: str, given: Any) -> Case:
    if isinstance(given, dict):
        unknown = set(given) - {"rows", "error", "here"}
        if unknown or given.get("here", "refused") not in ("refused", "differs"):
            raise ValueError(f"{page}: {sql}: not understood: {given}")
        return Case(page, sql, rows_of(given.get("rows", [])), given.get("error", ""), given.get("here", ""))
    return Case(page, sql, rows_of(given))


def rows_of(given: Any) -> list[Row]:
    """What a line gives, as rows: one value, rows of one value, or rows; NULL is None."""
    rows = given if isinstance(given, list) else [given]
    return [[None if v == "NULL" else v for v in (row if isinstance(row, list) else [row])] for row in rows]


def connect(dsn: str) -> Any:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    psycopg2.extensions.register_type(_TEXT, connection)
    return connection


class Scratch:
    """A schema for the cases, made anew after each one that leaves something in it."""

    def __init__(self, dsn: str, schema: str = SCHEMA) -> None:
        self.dsn = dsn
        self.connection = connect(dsn)
        self.schema = schema
        self.clean()

    def clean(self) -> None:
        self.drop()
        with self.connection.cursor() as cursor:
            cursor.execute(f"create schema {self.schema}")
            cursor.execute(f"set search_path to {self.schema}")

    def drop(self) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(f"drop schema if exists {self.schema} cascade")

    def run(self, sql: str) -> list[Row] | psycopg2.Error:
        """Rows of the last statement, or the error of the first that fails."""
        try:
            with self.connection.cursor() as cursor:
                for statement in re.split(r";\s+", sql):
                    cursor.execute(statement)
                return [list(row) for row in cursor.fetchall()] if cursor.description else []
        except psycopg2.Error as error:
            return error
        finally:
            if re.search(r"\b(create|select\s.*\binto|set|begin|start)\b", sql, re.IGNORECASE | re.DOTALL):
                self._begin_anew()

    def _begin_anew(self) -> None:
        """A new connection, so that no open transaction, setting or temporary table is left either."""
        self.connection.close()
        self.connection = connect(self.dsn)
        self.clean()


def difference(case: Case, got: list[Row] | psycopg2.Error, words: bool = True) -> str:
    """What is other than the table says, or nothing."""
    if isinstance(got, psycopg2.Error):
        state, _, word = case.error.partition(" ")
        said = f"{got.pgcode} {str(got).splitlines()[0]}"
        if not case.error or (state not in ("any", got.pgcode)) or (words and word.lower() not in said.lower()):
            return f"error {said}, wanted {case.error or case.rows}"
        return ""
    if case.error:
        return f"{got}, wanted the error {case.error}"
    mine, theirs = comparable(case.sql, got, case.rows)
    return "" if mine == theirs else f"{mine}, wanted {theirs}"


def comparable(sql: str, *answers: list[Row]) -> list[list[Row]]:
    """Answers to a statement; the order of their rows counts only where the statement says it."""
    return [rows if "order by" in sql.lower() else sorted(rows, key=str) for rows in answers]

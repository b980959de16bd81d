"""What el and el-archive rely on in a MySQL server, as data: reads the *.yml here and asks a server, line by line.

A file is a mapping of page → statement → what it gives and why. The page is the module of el that relies on it; what
follows a blank in its title narrows it. The statement may be several, each `; ` apart; the last one counts, and one
that begins with `@2 ` is of a second session. What it gives is

    {gives: 1, why: …}                    one value, as text; NULL is NULL
    {gives: [[1, a], [2, b]], why: …}     rows; [1, 2] are rows of one value, [] is no row
    {error: 1525, why: …}                 an error, by its number
    {mysql: 1, mariadb: {error: 1525}, why: …}    by the kind of server; a kind that is left out is not asked

Expected values come from what el needs, never from a run. A fact whose statements only read needs no table of its own
and is asked in a session that may not write; the others are asked in a scratch database.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pymysql

from el.mysql import connection as mysql
from el.mysql.connection import Connection
from el.settings import MySQL
from local.mysql_server import KINDS
from tests.conformance.cases import Row, comparable, lines, rows_of

FOLDER = Path(__file__).parent
_ONLY_READS = re.compile(r"(select|show|explain|set session|start transaction|begin)\b(?!.* (for|into|lock)\b)", re.I)
#: A privilege is missing, or the server takes no writes: it says nothing about the fact.
_NOT_ALLOWED = frozenset({1044, 1142, 1143, 1227, 1290, 1419, 1836})


@dataclass(frozen=True)
class Fact:
    """``gives`` says by kind of server what is expected: rows, or the number of an error."""

    page: str
    sql: str
    gives: Mapping[str, list[Row] | int]
    why: str

    @property
    def statements(self) -> list[str]:
        return re.split(r";\s+", self.sql)

    @property
    def only_reads(self) -> bool:
        """Whether it may be asked of any server by a session that may not write."""
        return all(_ONLY_READS.match(statement) for statement in self.statements)


@dataclass(frozen=True)
class Answer:
    """What a server says to a fact. ``wrong``: what it gave instead; ``not_allowed``: the number of the refusal, and
    ``no_scratch``: it was the scratch database that was refused.
    """

    fact: Fact
    wrong: str = ""
    not_allowed: int = 0
    no_scratch: bool = False

    @property
    def line(self) -> str:
        """For people; empty if the fact holds."""
        if self.not_allowed:
            return f"{self.fact.page}: {self.fact.sql}: could not be asked (MySQL error {self.not_allowed})"
        return f"{self.fact.page}: {self.fact.sql}: gave {self.wrong}. Needed: {self.fact.why}" if self.wrong else ""


def load() -> list[Fact]:
    """Every line of every file.

    Raises:
        ValueError: a line is not understood.
    """
    return [_fact(page, sql, given) for page, sql, given in lines(FOLDER)]


def _fact(page: str, sql: str, given: Any) -> Fact:
    told = dict(given)
    why = told.pop("why", "")
    if set(told) in ({"gives"}, {"error"}):
        told = dict.fromkeys(KINDS, told.get("gives", told))
    if not why or not told or not set(told) <= set(KINDS):
        raise ValueError(f"{page}: {sql}: not understood: {given}")
    return Fact(page, sql, {kind: _given(value) for kind, value in told.items()}, why)


def _given(value: Any) -> list[Row] | int:
    return int(value["error"]) if isinstance(value, dict) else rows_of(value)


class _NoScratchError(Exception):
    """The number of the error by which the server refused a scratch database."""


class Asked:
    """One server that is asked; each fact in sessions of its own, whose settings are those of el."""

    def __init__(self, server: MySQL) -> None:
        """Raises pymysql's errors if it cannot be reached."""
        self._server = server
        with self._session() as session:
            self.version = str(_rows(session, "select version()")[0][0])
        self.kind = "mariadb" if "mariadb" in self.version.lower() else "mysql"

    def answers(self, facts: list[Fact]) -> Iterator[Answer]:
        """What it says to each fact about its kind of server. Raises pymysql's errors if the connection is lost."""
        return (self.answer(fact) for fact in facts if self.kind in fact.gives)

    def answer(self, fact: Fact) -> Answer:
        """What it says to one fact. Raises pymysql's errors if the connection is lost."""
        try:
            got = self._read(fact) if fact.only_reads else self._try(fact)
        except _NoScratchError as refused:
            return Answer(fact, not_allowed=refused.args[0], no_scratch=True)
        except pymysql.err.MySQLError as error:
            number = error.args[0]
            if not isinstance(number, int) or number in mysql.LOST:
                raise
            if number in _NOT_ALLOWED:
                return Answer(fact, not_allowed=number)
            return Answer(fact, "" if fact.gives[self.kind] == number else f"error {number}, {self._wanted(fact)}")
        wanted = fact.gives[self.kind]
        if isinstance(wanted, int):
            return Answer(fact, f"{got}, {self._wanted(fact)}")
        mine, theirs = comparable(fact.sql, got, wanted)
        return Answer(fact, "" if mine == theirs else f"{mine}, {self._wanted(fact)}")

    def _wanted(self, fact: Fact) -> str:
        wanted = fact.gives[self.kind]
        return f"wanted the error {wanted}" if isinstance(wanted, int) else f"wanted {wanted}"

    def _read(self, fact: Fact) -> list[Row]:
        with self._session() as session:
            _rows(session, "set session transaction read only")
            return [_rows(session, statement) for statement in fact.statements][-1]

    def _try(self, fact: Fact) -> list[Row]:
        """In a scratch database, which is dropped however it ends."""
        name = f"el_conformance_{uuid4().hex[:8]}"
        made = False
        with self._session() as session:
            try:
                with _unsignalled():  # one that ended us between the server's doing and its answer would leave it
                    _rows(session, f"create database {name} character set utf8mb4")
                    made = True
                with self._session(name) as first, self._session(name) as second:
                    rows: list[Row] = []
                    for statement in fact.statements:
                        of_second = statement.startswith("@2 ")
                        rows = _rows(second if of_second else first, statement.removeprefix("@2 "))
                    return rows
            except pymysql.err.MySQLError as error:
                if not made and error.args[0] in _NOT_ALLOWED:
                    raise _NoScratchError(error.args[0]) from None
                raise
            finally:
                if made:
                    with _unsignalled():
                        _rows(session, f"drop database {name}")

    @contextmanager
    def _session(self, database: str | None = None) -> Iterator[Connection]:
        """A session as el begins it. A statement of it that the server refuses is a fact of its own, and left out."""
        server = self._server
        session: Connection = pymysql.connect(
            host=server.host,
            port=server.port,
            user=server.user,
            password=mysql.password(server).encode(),  # a text would be sent as Latin-1
            database=database,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=10,
            read_timeout=60,
            ssl=mysql._tls(server.tls, server.tls_ca),
            ssl_disabled=server.tls == "disabled",
            conv={},
        )
        with closing(session):
            for statement in mysql.SESSION:
                with suppress(pymysql.err.MySQLError):
                    _rows(session, statement)
            yield session


@contextmanager
def _unsignalled() -> Iterator[None]:
    """SIGINT and SIGTERM wait until this is done."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _rows(session: Connection, statement: str) -> list[Row]:
    """Rows as the texts that the server sends; bytes that are no text in hex."""
    with session.cursor() as cursor:
        cursor.execute(statement)
        return [[_text(value) for value in row] for row in cursor.fetchall()] if cursor.description else []


def _text(value: str | bytes | None) -> str | None:
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()

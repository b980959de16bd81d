"""One client connection and its one PostgreSQL session.

In: the client's messages. Out: the answers Redshift would give. Every statement is translated (dialect.py); the
session puts what Redshift does implicitly around it: writes lock their table first, TRUNCATE commits, COPY is done
here (copy.py) inside the client's own transaction. Such statements of our own are sent in between and never
answered to the client. Why lock-step and not a pipe: a lock taken after a statement was parsed comes too late (the
parse itself holds a weaker lock, and two sessions doing so dead-lock).
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from . import protocol as wire
from .backend import Backend
from .computation import with_types
from .conflicts import Conflicts
from .copy import run_copy
from .dialect import translate
from .errors import RedshiftError, Refused
from .grants import CASE_SETTING
from .history import History, Ran
from .lexer import CASE, shape
from .protocol import BadMessage, Wire
from .statement import Statement

# What PostgreSQL knows of a start-up message; redshift_connector sends more, which it would refuse.
_STARTUP_KEPT = {
    "user",
    "database",
    "application_name",
    "client_encoding",
    "options",
    "datestyle",
    "timezone",
}
_STARTUP_KEPT |= {"search_path", "statement_timeout"}

_NOTHING = "do 'begin end'"  # stands in for a prepared statement that this server executes itself

_QUERIES = {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "UNLOAD"}  # what pg_last_query_id() counts

Log = Callable[[str, str], None]


@dataclass
class Prepared:
    """A prepared statement or portal as the client knows it."""

    statement: Statement | None
    sql: str
    parameter_types: bytes = b"\0\0"
    name: str = ""
    formats: list[int] = field(default_factory=list)
    columns: dict[int, int] = field(default_factory=dict)  # position → type, those whose text form differs


class Session:
    def __init__(self, client: Wire, backend_path: str, conflicts: Conflicts, history: History, log: Log) -> None:
        self.client = client
        self._history = history
        self._who = ("", "", 0)  # user, database, process
        self.backend = Backend(client, backend_path, conflicts)
        self._log = log
        self._statements: dict[str, Prepared] = {}
        self._portals: dict[str, Prepared] = {}
        self._last_query = -1
        self._own_transaction = False  # opened by us around a statement in autocommit
        self._skipping = False  # after an error in the extended protocol, until Sync
        self._case_may_change, self._case_was_set = True, False  # do quoted names keep their case?

    # The life of a connection

    def run(self, startup: bytes) -> None:
        try:
            if self._log_in(wire.startup_parameters(startup)):
                self._serve()
        except BadMessage as bad:
            self.client.send(wire.error({"S": "FATAL", "C": "08P01", "M": str(bad)}))
            self.client.flush()
        finally:
            self._leave()

    def _log_in(self, parameters: dict[str, str]) -> bool:
        user = parameters.get("user", "")
        if user == "rdsdb":
            message = f'password authentication failed for user "{user}"'
            self.client.send(wire.error({"S": "FATAL", "C": "28000", "M": message}))
            self.client.flush()
            return False
        kept = {k: v for k, v in parameters.items() if k.lower() in _STARTUP_KEPT}
        if not self.backend.start(kept):
            return False
        database = kept.get("database", user)
        self._who = (user, database, int.from_bytes(self.backend.key[:4], "big"))
        self._log("connect", parameters.get("application_name", ""))
        return True

    def _serve(self) -> None:
        handlers = {b"Q": self._simple, b"P": self._parse, b"B": self._bind, b"D": self._describe}
        handlers |= {b"E": self._execute, b"C": self._close, b"S": self._sync, b"H": self._flush}
        handlers |= {b"F": self._function_call}
        while True:
            kind, payload = self.client.read()
            if kind == b"X":
                self.backend.end()
                return
            if kind in b"dcf" or (self._skipping and kind != b"S"):
                continue  # data of a COPY that has failed before the client knew; or until Sync, after an error
            handler = handlers.get(kind)
            if handler is None:
                raise BadMessage(f"invalid frontend message type {kind[0]}")
            try:
                handler(payload)
            except RedshiftError as error:
                self._fail(error)
                if kind in b"QF":
                    self._end_own_transaction()
                    self.client.send(wire.ready(self.backend.status))
                else:
                    self._skipping = True
            if kind in b"QFSH" or self._skipping:
                self.client.flush()

    def _leave(self) -> None:
        self.backend.abandon()
        self.client.close()

    def _read_case(self) -> None:
        """How this client's names are to be read. Asked at the beginning, and always once it was set in the session.
        SHOW takes no snapshot, and a failed transaction does not say."""
        if self._case_may_change and self.backend.status != b"E":
            ((value,),) = self.backend.own(f"show redshift.{CASE_SETTING}")
            CASE.kept, self._case_may_change = value == b"on", self._case_was_set

    # The simple protocol

    def _simple(self, payload: bytes) -> None:
        self._skipping = False
        self._read_case()
        statements = translate(wire.decode(payload.rstrip(b"\0")), self._columns)
        if not statements:
            self.client.send(wire.EMPTY_QUERY)
        for statement in statements:
            self._log("query", shape(statement.original))
            with self._remembered(statement):
                if not self._run(statement, alone=len(statements) == 1):
                    break
        self._end_own_transaction()
        self.client.send(wire.ready(self.backend.status))

    def _columns(self, query: str) -> list[str]:
        """The names of a query's columns, found by running it for no rows."""
        (statement,) = translate(query, self._columns)
        return self.backend.columns(f"{statement.sql} limit 0")

    def _run(self, statement: Statement, alone: bool) -> bool:
        if not self._before(statement, alone):
            return False
        if statement.kind == "BEGIN" and self._own_transaction:
            self._own_transaction = False  # the client's from now on, as PostgreSQL has it
            self.client.send(wire.complete("BEGIN"))
            return True
        typed = with_types(self.backend, statement)
        if typed is None:
            return False
        if typed.copy is not None:
            run_copy(self.backend, typed.copy)
        elif not self.backend.relay(wire.query(typed.sql), b"Z", statement.tag):
            return False
        self._after(statement)
        return True

    @contextlib.contextmanager
    def _remembered(self, statement: Statement) -> Iterator[None]:
        """What runs within goes into the history."""
        number, began, self.backend.answers.failed = self._history.number(), time.time(), ""
        self.backend.query = number
        try:
            yield
        except RedshiftError as error:
            self.backend.answers.failed = error.message
            raise
        finally:
            failed = re.sub('"[^"]*"', '"?"', self.backend.answers.failed)  # PostgreSQL quotes values
            text, xid = shape(statement.original), self.backend.transaction_number
            self._history.add(Ran(number, *self._who, statement.kind, text, began, time.time(), failed, xid))
            if statement.kind in _QUERIES and not failed and not self._history.wants_last(statement.original):
                self._last_query = number

    def _before(self, statement: Statement, alone: bool, checks: bool = True) -> bool:
        """What Redshift does before a statement. False if that failed (the client has been told)."""
        if statement.alone and (not alone or self.backend.status != b"I"):
            raise Refused(f"{statement.alone} inside a transaction block")
        if self.backend.status == b"E":
            return True  # PostgreSQL refuses it itself
        if self._history.wanted(statement.original):
            self._history.show(self._who[1])  # before Parse and Bind, which take the snapshot
        wrap = bool(not alone or statement.locks or statement.copy or statement.checks)
        wrap |= bool(statement.then and not statement.alone)  # all of it or nothing
        if self.backend.status == b"I" and wrap and statement.kind not in ("BEGIN", "COMMIT", "ROLLBACK"):
            self.backend.own("begin")
            self._own_transaction = True
        if not all(self.backend.lock(table) for table in statement.locks):
            return False
        if self._history.wants_last(statement.original):
            self.backend.own(f"set redshift.last_query_id to {self._last_query}")
        if statement.kind == "ROLLBACK":
            self.backend.rolled_back()
        return not checks or all(self.backend.relay(wire.query(check), b"Z", None) for check in statement.checks)

    def _after(self, statement: Statement) -> None:
        if statement.kind in ("SET", "RESET") and CASE_SETTING in statement.sql:
            self._case_may_change = self._case_was_set = True
        for sql in statement.then:
            self.backend.own(sql)
        if statement.commits and self.backend.status == b"T":
            self.backend.own("commit")
            self._own_transaction = False

    def _end_own_transaction(self) -> None:
        if self._own_transaction:
            self._own_transaction = False
            if self.backend.status != b"I":
                self.backend.own("commit" if self.backend.status == b"T" else "rollback", tell=True)

    # The extended protocol

    def _parse(self, payload: bytes) -> None:
        (name, sql), types = wire.strings(payload, 2)
        self._read_case()
        statements = translate(sql, self._columns)
        if len(statements) > 1:
            raise RedshiftError("cannot insert multiple commands into a prepared statement", "42601")
        statement = statements[0] if statements else None
        if statement is not None:
            ready = self._before(statement, alone=True)
            statement = with_types(self.backend, statement, types) if ready else None
            if statement is None:
                self._skipping = True
                return
        text = sql if statement is None else _NOTHING if statement.copy else statement.sql
        self._ask(wire.parse(name, text, types), b"1")
        self._statements[name] = Prepared(statement, text, types, name)

    def _bind(self, payload: bytes) -> None:
        (portal, name), _ = wire.strings(payload, 2)
        prepared = self._statements.get(name)
        if prepared is not None:
            statement = prepared.statement
            if statement is not None:
                state = self._own_transaction, len(self.backend.locked)
                if not self._before(statement, alone=True, checks=False):
                    self._skipping = True
                    return
                if state != (self._own_transaction, len(self.backend.locked)) and not name:
                    # A statement of our own took the unnamed one's place: prepare it again.
                    again = wire.parse("", prepared.sql, prepared.parameter_types) + wire.FLUSH
                    self.backend.relay(again, b"1", None)
            self._portals[portal] = Prepared(
                statement, prepared.sql, formats=wire.result_formats(payload), columns=prepared.columns
            )
        self._ask(wire.message(b"B", payload), b"2")

    def _describe(self, payload: bytes) -> None:
        prepared = (self._statements if payload[:1] == b"S" else self._portals).get(wire.decode(payload[1:-1]))
        self._ask(wire.message(b"D", payload), b"Tn")
        if prepared is not None:
            prepared.columns = dict(self.backend.answers.special)

    def _execute(self, payload: bytes) -> None:
        (portal,), _ = wire.strings(payload, 1)
        prepared = self._portals.get(portal)
        statement = prepared.statement if prepared else None
        if statement is None or prepared is None:
            self._ask(wire.message(b"E", payload), b"CIs")
            return
        self._log("query", shape(statement.original))
        with self._remembered(statement):
            self._execute_statement(payload, prepared, statement)

    def _execute_statement(self, payload: bytes, prepared: Prepared, statement: Statement) -> None:
        if statement.copy is not None:
            run_copy(self.backend, statement.copy)
            return
        formats = prepared.formats
        self.backend.answers.special = {
            i: kind
            for i, kind in prepared.columns.items()
            if not (formats[i] if len(formats) > i else formats[0] if len(formats) == 1 else 0)
        }
        if self._ask(wire.message(b"E", payload), b"CIs", statement.tag):
            if statement.kind == "BEGIN":  # PostgreSQL says so only at the next Sync
                self.backend.set_status(b"T")
                self._own_transaction = False
            elif statement.kind in ("COMMIT", "ROLLBACK"):
                self.backend.set_status(b"I")
            self._after(statement)

    def _close(self, payload: bytes) -> None:
        (self._statements if payload[:1] == b"S" else self._portals).pop(wire.decode(payload[1:-1]), None)
        self._ask(wire.message(b"C", payload), b"3")

    def _sync(self, payload: bytes) -> None:
        self._skipping = False
        self.backend.relay(wire.SYNC, b"Z", "")
        self._end_own_transaction()
        self.client.send(wire.ready(self.backend.status))

    def _function_call(self, payload: bytes) -> None:
        raise Refused("a function call message")

    def _flush(self, payload: bytes) -> None:
        pass  # every answer is already with the client's wire, which _serve flushes

    def _ask(self, message: bytes, until: bytes, tag: str = "") -> bool:
        """One extended message and its answer."""
        done = self.backend.relay(message + wire.FLUSH, until, tag)
        if not done:
            self._skipping = True
        return done

    def _fail(self, error: RedshiftError) -> None:
        """Tell the client, and fail its transaction as an error of PostgreSQL's own would."""
        if self.backend.status == b"T":
            with contextlib.suppress(RedshiftError):
                self.backend.own("refused")  # any error will do
        said = {"S": "ERROR", "C": error.code, "M": error.message}
        self.client.send(wire.error(said | ({"D": error.detail} if error.detail else {})))

"""The PostgreSQL session behind one client: sending it statements and handling what it answers.

`relay` is for the client's statements, `own` for this server's, which the client never hears of. Reading always
watches the client too: one that goes away must not leave a statement running.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterable

from . import protocol as wire
from .answers import Answers, redshift_error
from .conflicts import Conflicts, Transaction
from .errors import RedshiftError
from .inference import Names
from .lexer import literal
from .protocol import Wire

_PRINT = "set client_min_messages = log; set debug_pretty_print = off; set debug_print_parse = on"
_SILENT = "reset client_min_messages; reset debug_pretty_print; reset debug_print_parse"
_STOPPED = "COPY from stdin failed"  # what PostgreSQL says when it is told to give up


class Backend:
    def __init__(self, client: Wire, path: str, conflicts: Conflicts) -> None:
        self.client = client
        self.wire = Wire(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        self.answers = Answers(client, self._conflict)
        self.status = b"I"  # of the transaction, as in ReadyForQuery: I, T or E
        self.locked: set[str] = set()  # tables locked in this transaction
        self.query = 0  # the number of the statement that runs, in the history
        self._conflicts = conflicts
        self._database = ""
        self._transaction = Transaction()
        self.names = Names()  # of PostgreSQL's functions and operators, once they were asked for
        self.key = b""  # names the session in a request to cancel
        self._path = path

    def start(self, parameters: dict[str, str]) -> bool:
        """Log in, passing PostgreSQL's question for a password and the client's answer on. False if refused."""
        self._database = parameters.get("database", parameters.get("user", ""))
        self.wire.sock.connect(self._path)
        self.wire.send(wire.startup(parameters))
        self.wire.flush()
        while True:
            kind, payload = self.wire.read(self.client)
            if kind == b"K":
                self.key = payload
            if kind == b"S":
                self.answers.parameter(payload)
            elif kind == b"E":
                self.client.send(wire.error(redshift_error(payload, self._conflict)))
            else:
                self.client.send(wire.message(kind, payload))
            if kind == b"R" and payload[:4] != b"\0\0\0\0":
                self.client.flush()
                self.wire.send(wire.message(*self.client.read()))
                self.wire.flush()
            if kind in b"ZE":
                self.client.flush()
                return kind == b"Z"

    def end(self) -> None:
        """The client said good-bye: so do we."""
        self.wire.send(wire.TERMINATE)
        self.wire.flush()
        self.key = b""

    def cancel(self) -> None:
        """End the statement that runs; its answers, an error among them, are still to be read."""
        cancel(self._path, self.key)

    def abandon(self) -> None:
        """Whatever still runs is for nobody."""
        if self.key:
            cancel(self._path, self.key)
        self.wire.close()

    def relay(self, message: bytes, until: bytes, tag: str | None) -> bool:
        """Send, and pass the answers on until one of `until`; False on an error. `tag` None: an error is passed
        on, nothing else is; '' as it is; else the command tag to answer with."""
        self.wire.send(message)
        self.wire.flush()
        succeeded = True
        while True:
            kind, payload = self.wire.read(self.client)
            if kind == b"Z":
                self.set_status(payload)
            else:
                self.answers.pass_on(kind, payload, tag)
            if kind == b"E":
                succeeded = False
                if until != b"Z":
                    return False
            if kind in until:
                return succeeded

    def set_status(self, status: bytes) -> None:
        if status != b"I" and self.status == b"I":
            self._transaction = self._conflicts.begin()
        if status == b"I":
            if self.status == b"T":  # not E: that one was rolled back
                self._conflicts.commit(self._database, self._transaction)
            self._transaction = Transaction()
            self.locked.clear()
        self.status = status

    def lock(self, table: str) -> bool:
        """Lock a table that is about to be written, once in a transaction; False if that failed."""
        if table in self.locked:
            return True
        if not self._take_lock(table):
            return False
        self.locked.add(table)
        which = f"select {literal(table)}::regclass::oid, pg_current_xact_id()::text"
        ((oid, number),) = self.own(which)
        self._transaction.written[table] = (oid or b"").decode()
        self._transaction.number = (number or b"").decode()
        return True

    def _take_lock(self, table: str) -> bool:
        """PostgreSQL gives this lock to who may UPDATE or DELETE only. Who may but INSERT gets it from a function of
        ours, which is second best: to call one takes the snapshot before the wait."""
        lock = f"lock table {table} in share row exclusive mode"
        if self.answers.superuser:
            return self.relay(wire.query(lock), b"Z", None)
        self.own("savepoint redshift_lock")
        try:
            self.own(f"{lock}; release savepoint redshift_lock")
        except RedshiftError as error:
            if error.code != "42501":
                raise
            self.own("rollback to savepoint redshift_lock; release savepoint redshift_lock")
            self.own(f"select redshift_internal.lock_to_write({literal(table)})")
        return True

    @property
    def transaction_number(self) -> int:
        """PostgreSQL's, 0 before the first write."""
        return int(self._transaction.number or 0)

    def rolled_back(self) -> None:
        """The client's own ROLLBACK: what was written is not."""
        self._transaction.written.clear()

    def _conflict(self) -> str:
        detail = self._conflicts.detail(self._database, self._transaction, int.from_bytes(self.key[:4], "big"))
        self._transaction.written.clear()  # it fails, be it in COMMIT itself
        return detail

    def own(self, sql: str, tell: bool = False) -> list[list[bytes | None]]:
        """A statement of this server's own in the client's session: its rows. An error is raised, or with `tell`
        told to the client."""
        self.wire.send(wire.query(sql))
        self.wire.flush()
        return self._own_answer(tell)

    def columns(self, sql: str) -> list[str]:
        """The names of the columns of a query, which must not be one of several in a message. An error leaves the
        transaction as it was."""
        guarded = self.status == b"T"
        if guarded:
            self.own("savepoint redshift_question")
        self.wire.send(wire.query(sql))
        self.wire.flush()
        names: list[list[bytes | None]] = []
        try:
            self._own_answer(tell=False, heads=names)
        except RedshiftError:
            if guarded:
                self.own("rollback to savepoint redshift_question")
            raise
        finally:
            if guarded:
                self.own("release savepoint redshift_question")
        return [(name or b"").decode() for head in names for name in head]

    def _own_answer(self, tell: bool, heads: list[list[bytes | None]] | None = None) -> list[list[bytes | None]]:
        rows, failure = [], b""
        while True:
            kind, payload = self.wire.read(self.client)
            if kind == b"D":
                rows.append(wire.row_values(payload))
            elif kind == b"T" and heads is not None:
                heads.append([name for name, _, _, _ in wire.row_columns(payload)])
            elif kind == b"E":
                failure = payload
            elif kind == b"G" and not failure:
                return rows  # COPY … FROM STDIN waits for data
            elif kind == b"Z":
                self.set_status(payload)
                break
        if failure and not tell:
            raise self.failure(failure)
        if failure:
            self.client.send(wire.error(redshift_error(failure, self._conflict)))
        return rows

    def failure(self, payload: bytes) -> RedshiftError:
        """An ErrorResponse of PostgreSQL's, to raise."""
        said = redshift_error(payload, self._conflict)
        return RedshiftError(said["M"], said["C"], said.get("D", ""))

    def analysis(self, sql: str, parameters: bytes, tell: bool) -> str | None:
        """How PostgreSQL understands a statement, as it prints it (parse_tree.py). None if it does not: with `tell`
        the client has heard why, and its transaction has failed; without, nothing has happened."""
        guarded = not tell and self.status == b"T"
        if guarded:
            self.own("savepoint redshift_analysis")
        name = "redshift_analysis"
        close = wire.message(b"C", b"S" + wire.text(name))
        # All in one go: this is asked for every statement that computes, and each answer waited for takes time.
        self.wire.send(wire.query(_PRINT), wire.parse(name, sql, parameters) + close + wire.SYNC, wire.query(_SILENT))
        self.wire.flush()
        try:
            self._own_answer(tell=False)
        finally:
            failure, tree = self._printed()
            with contextlib.suppress(RedshiftError):  # in a failed transaction, whose end takes the settings back
                self._own_answer(tell=False)
        if guarded and failure:
            self.own("rollback to savepoint redshift_analysis")
        if guarded:
            self.own("release savepoint redshift_analysis")
        if not failure and tree is None:
            raise RedshiftError("PostgreSQL did not say how it understands the statement")
        if failure and tell:
            self.answers.pass_on(b"E", failure, None)
        return tree

    def _printed(self) -> tuple[bytes, str | None]:
        """The answer to Parse: an error, or the tree."""
        failure, tree = b"", None
        while True:
            kind, payload = self.wire.read(self.client)
            if kind == b"N" and (said := wire.fields(payload)).get("M") == "parse tree:":
                tree = said["D"]
            elif kind == b"E":
                failure = payload
            elif kind == b"Z":
                self.set_status(payload)
                return failure, None if failure else tree

    def copy_in(self, sql: str, chunks: Iterable[bytes]) -> None:
        """COPY … FROM STDIN with these chunks. An exception of theirs ends the COPY and goes on to the caller."""
        self.own(sql)
        try:
            for chunk in chunks:
                if self.wire.waiting():  # an error, or the client cancelled: the rest of the files is of no use
                    raise RedshiftError("COPY was ended by PostgreSQL")  # whose own words are read below
                self.wire.send(b"d" + struct.pack("!I", len(chunk) + 4), chunk)
                self.wire.flush()
        except Exception as failure:
            self.wire.send(wire.message(b"f", b"\0"))
            self.wire.flush()
            try:
                self._own_answer(tell=False)
            except RedshiftError as said:
                raise (failure if said.message.startswith(_STOPPED) else said) from None
            raise
        self.wire.send(wire.COPY_DONE)
        self.wire.flush()
        self._own_answer(tell=False)


def cancel(backend_path: str, key: bytes) -> None:
    """Ask PostgreSQL to cancel what the session with this key is doing."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.settimeout(5)
            sock.connect(backend_path)
            sock.sendall(struct.pack("!II", 16, wire.CANCEL_REQUEST) + key)
            sock.recv(1)  # PostgreSQL closes when it has done so
        except OSError:
            pass

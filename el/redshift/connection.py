"""Logging in to Redshift, and running SQL there.

In: ``settings.Redshift``. Out: a psycopg2 connection on which every transaction is explicit. Messages of the driver
and of the server quote values, so errors pass on SQLSTATE, class and the names that we put in ourselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
import psycopg2.extensions

from el.errors import WarehouseConflict, WarehouseError, WarehouseLost
from el.pool import Pool
from el.redshift.login import credentials
from el.settings import Redshift

#: What a message of the server may say without quoting a value, by its first words.
_SAFE = re.compile(
    r'(relation|schema|column|table) "[^"]{1,270}"( of relation "[^"]{1,127}")? (does not exist|already exists)'
    r"|permission denied for (relation|schema|table|database) [\w\"]{1,127}",
    re.IGNORECASE,
)
#: What the detail of a Spectrum Scan Error says without quoting a value, and what it means. COPY from Parquet reads
#: through Spectrum. The column's name is the last word of a path.
_SCAN = {
    re.compile(r"File '\S+' has an incompatible Parquet schema for column '(?:\S*?\b)?(\w{1,127})'"): (
        "the files do not fit the type of column {}"
    ),
    re.compile(r"The length of the data column (\w{1,127}) is longer than the length defined in the table"): (
        "a value is longer than column {} of the table"
    ),
}
#: SQLSTATEs of a server that goes down, is down or comes up: class 08, and three of class 57.
_LOST = re.compile(r"08...|57P0[123]")


class Connection(psycopg2.extensions.connection):
    """A session. ``has_incoming``: an incoming table of an earlier transaction is still there."""

    has_incoming = False


def _connect(server: Redshift) -> Connection:
    """Raises WarehouseLost if nothing answers, WarehouseError if the login is refused."""
    user, password = credentials(server)
    try:
        return psycopg2.connect(
            host=server.host,
            port=server.port,
            dbname=server.database,
            user=user,
            password=password,
            connect_timeout=10,
            sslmode=server.sslmode,
            sslrootcert=server.sslrootcert,
            keepalives_idle=60,
            application_name="el",
            connection_factory=Connection,
        )
    except psycopg2.Error as error:
        text = str(error)
        why = (
            "the user name or password is wrong"
            if "authentication failed" in text
            else "there is no such database"
            if re.search(r'database ".*" does not exist', text)
            else "its TLS certificate was refused or it offers no TLS; see EL_REDSHIFT_SSLMODE"
            if "SSL" in text or "certificate" in text
            else "nothing answers there"
            if re.search("refused|timeout|translate host|closed the connection|starting up|shutting down", text)
            else type(error).__name__
        )
        kind = WarehouseLost if why == "nothing answers there" else WarehouseError
        raise kind(
            f"Redshift at {server.where}: {why}. Nothing was changed there. "
            "Check DESTINATION__REDSHIFT__CREDENTIALS__* and the cluster, then run: el load"
        ) from None


@contextmanager
def connected(server: Redshift) -> Iterator[Connection]:
    """A connection, closed at the end; what was not committed is rolled back by that.

    Raises:
        WarehouseError: Redshift cannot be reached or refuses the login.
    """
    connection = _connect(server)
    try:
        yield connection
    finally:
        connection.close()


class Connections:
    """The pool of one run: as many as tables are loaded at once."""

    def __init__(self, server: Redshift) -> None:
        self.server = server
        self._pool = Pool(lambda: _connect(server), lambda connection: not connection.closed)

    @contextmanager
    def one(self) -> Iterator[Connection]:
        """A connection with no transaction open. One on which something failed is closed and not used again.

        Raises:
            WarehouseError: Redshift cannot be reached or refuses the login.
        """
        with self._pool.one() as connection:
            yield connection
            if not connection.closed:
                if connection.status != psycopg2.extensions.STATUS_READY:
                    connection.rollback()
                connection.autocommit = False

    def close(self) -> None:
        """Close what is idle; what was not committed is rolled back by that."""
        self._pool.close()


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turns a driver's error into one that quotes no value; the open transaction is rolled back by closing.

    Raises:
        WarehouseConflict: another transaction was in the way.
        WarehouseLost: the connection was lost. Whether a COMMIT came through is not known.
        WarehouseError: any other ``psycopg2.Error``.
    """
    try:
        yield
    except psycopg2.Error as error:
        code = error.pgcode or ""
        text = (error.diag.message_primary or "") if error.diag else ""
        if (isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError)) and not code) or _LOST.match(code):
            raise WarehouseLost(
                f"{what}: the connection to Redshift was lost. The commit is applied whole or not at all, and the next "
                "load looks which. Check the cluster, then run again: el load"
            ) from None
        kind = WarehouseError
        if code == "40001" or re.match(r"1023\b", text):
            kind = WarehouseConflict
            why = "another transaction changed the same table at the same time (serializable isolation violation)"
        elif said_so := _scan_error(text, error):
            why = said_so
        elif code in ("3F000", "42P01", "42703", "42501", "42P07") and (said := _SAFE.search(text)):
            why = said[0]
        else:
            why = f"{type(error).__name__}, SQLSTATE {code or 'unknown'}"
        raise kind(
            f"{what}: Redshift refused: {why}. The transaction was rolled back; Redshift is as it was before this "
            "commit. Its own message is in stl_error and sys_query_history. Run again: el load"
        ) from None


def _scan_error(text: str, error: psycopg2.Error) -> str | None:
    """What a file has that Spectrum does not take, where it is one of the sentences that we know."""
    if text != "Spectrum Scan Error":
        return None
    for sentence, meaning in _SCAN.items():
        if found := sentence.search(error.diag.message_detail or ""):
            return meaning.format(found[1])
    return "COPY could not read a file (Spectrum Scan Error)"


def rows(connection: Any, sql: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
    """Run one statement; its rows, if it has any. Without ``parameters`` a ``%`` in the SQL is a ``%``."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall()) if cursor.description else []


def changed(connection: Any, sql: str) -> int:
    """Run one statement; how many rows it deleted or inserted."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.rowcount)


def quoted(*names: str) -> str:
    """``"schema"."table"``: schema and table are never one string."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)

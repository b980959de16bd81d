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

from el.errors import WarehouseError
from el.settings import Redshift

Connection = psycopg2.extensions.connection

#: What a message of the server may say without quoting a value, by its first words.
_SAFE = re.compile(
    r'(relation|schema|column|table) "[^"]{1,270}"( of relation "[^"]{1,127}")? (does not exist|already exists)'
    r"|permission denied for (relation|schema|table|database) [\w\"]{1,127}",
    re.IGNORECASE,
)


@contextmanager
def connected(server: Redshift) -> Iterator[Connection]:
    """A connection, closed at the end; what was not committed is rolled back by that.

    Raises:
        WarehouseError: Redshift cannot be reached or refuses the login.
    """
    try:
        connection = psycopg2.connect(
            host=server.host,
            port=server.port,
            dbname=server.database,
            user=server.user,
            password=server.password,
            connect_timeout=10,
            sslmode=server.sslmode,
            sslrootcert=server.sslrootcert,
            keepalives_idle=60,
            application_name="el",
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
            if "refused" in text or "timeout" in text or "translate host" in text
            else type(error).__name__
        )
        raise WarehouseError(
            f"Redshift at {server.where}: {why}. Nothing was changed there. "
            "Check DESTINATION__REDSHIFT__CREDENTIALS__* and the cluster, then run: el load"
        ) from None
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turns a driver's error into one that quotes no value; the open transaction is rolled back by closing.

    Raises:
        WarehouseError: instead of ``psycopg2.Error``.
    """
    try:
        yield
    except psycopg2.Error as error:
        code = error.pgcode or ""
        text = (error.diag.message_primary or "") if error.diag else ""
        if isinstance(error, psycopg2.OperationalError) and not code:
            why = "the connection was lost"
        elif "1023" in text or code == "40001":
            why = "another transaction changed the same table at the same time (serializable isolation violation)"
        elif found := re.search(r"incompatible Parquet schema for column '([^']{1,127})'", text):
            why = f"the files do not fit the type of column {found[1]}"
        elif code in ("3F000", "42P01", "42703", "42501", "42P07") and (said := _SAFE.search(text)):
            why = said[0]
        else:
            why = f"{type(error).__name__}, SQLSTATE {code or 'unknown'}"
        raise WarehouseError(
            f"{what}: Redshift refused: {why}. The transaction was rolled back; Redshift is as it was before this "
            "commit. Its own message is in stl_error and sys_query_history. Run again: el load"
        ) from error


def rows(connection: Connection, sql: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
    """Run one statement; its rows, if it has any. Without ``parameters`` a ``%`` in the SQL is a ``%``."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall()) if cursor.description else []


def quoted(*names: str) -> str:
    """``"schema"."table"``: schema and table are never one string."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)

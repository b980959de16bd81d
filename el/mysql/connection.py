"""Logging in to MySQL, for small queries; rows are read by ``reader.py``.

In: ``settings.MySQL``. Out: a PyMySQL connection whose session reads the same on every server: UTC, a known
``sql_mode``, utf8mb4, autocommit. Driver messages quote SQL and values, so errors pass on class and number only.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeAlias

import boto3
import pymysql
from botocore.exceptions import BotoCoreError
from pymysql.cursors import Cursor

from el.errors import ConnectionLost, SourceError
from el.settings import MySQL

#: Every session that reads for us. A zero date must not become an error, a backslash must stay one, and an empty
#: result of a comparison must not depend on the server's mode.
SESSION = (
    "set session time_zone = '+00:00'",
    "set session sql_mode = 'NO_ENGINE_SUBSTITUTION'",
    "set session transaction isolation level repeatable read",
    "set session net_write_timeout = 600",
)


def session(server: MySQL) -> list[str]:
    """The statements that begin every session: ours, and the check that it is the server that was asked."""
    return [*SESSION, *([server.check] if server.check else [])]


Connection: TypeAlias = "pymysql.Connection[Cursor]"

_REASONS = {
    1044: "the user may not use this database",
    1045: "the user name or password is wrong",
    1049: "there is no such database",
    1142: "the user may not read this table",
    2003: "nothing answers there",
    2005: "the host's name is not known",
    2026: "the server offers no TLS, or refused it; ?ssl-mode=disabled in the URL goes without",
    1298: "another server answers than the one that was asked for the window (a failover, or an address of several)",
    2013: "the connection was lost",
    2006: "the connection was lost",
    1053: "the server is shutting down",
    1927: "the connection was killed",
}
#: Errors of a connection, not of what was asked.
LOST = frozenset({2003, 2006, 2013, 1053, 1927})


@contextmanager
def connected(source: str, server: MySQL, as_text: bool = False) -> Iterator[Connection]:
    """A connection with our session; closed at the end. ``as_text`` leaves values as MySQL prints them.

    Raises:
        SourceError: MySQL cannot be reached or refuses; also for driver errors inside the block.
    """
    with _explained(source, server):
        connection = _connect(server, as_text)
        try:
            yield connection
        finally:
            connection.close()


class Connections:
    """The connections of one source and run for small queries, used again by one table after the other.

    Logging in and the session's settings are five statements: more than a table costs in which nothing changed.
    Safe to use from several threads.
    """

    def __init__(self, source: str, server: MySQL) -> None:
        self._source, self._server = source, server
        self._lock = threading.Lock()
        self._idle: list[Connection] = []

    @contextmanager
    def one(self) -> Iterator[Connection]:
        """A connection with our session. One on which something failed is closed and not used again.

        Raises:
            SourceError: MySQL cannot be reached or refuses; also for driver errors inside the block.
        """
        with _explained(self._source, self._server):
            connection = self._alive() or _connect(self._server)
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            with self._lock:
                self._idle.append(connection)

    def _alive(self) -> Connection | None:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection:
            try:
                connection.ping(reconnect=False)
            except (pymysql.err.MySQLError, OSError):  # the server closed it, or went away; a new one will tell
                connection.close()
                return None
        return connection

    def close(self) -> None:
        """Close those that nobody uses."""
        with self._lock:
            for connection in self._idle:
                connection.close()
            self._idle.clear()


def _connect(server: MySQL, as_text: bool = False) -> Connection:
    connection: Connection = pymysql.connect(
        host=server.host,
        port=server.port,
        user=server.user,
        password=password(server),
        database=server.database,
        charset="utf8mb4",
        autocommit=True,
        connect_timeout=10,
        read_timeout=3600,
        ssl=_tls(server.tls, server.tls_ca),
        ssl_disabled=server.tls == "disabled",  # else it makes a context to prefer TLS by
        conv={} if as_text else None,
    )
    try:
        with connection.cursor() as cursor:
            for statement in session(server):
                cursor.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection


def password(server: MySQL) -> str:
    """What to log in with, for one connection: a token of RDS may be used for 15 minutes.

    Raises:
        SourceError: boto3 finds no AWS credentials.
    """
    if server.iam_region is None:
        return server.password
    try:
        token: str = _rds(server.iam_region).generate_db_auth_token(
            DBHostname=server.host, Port=server.port, DBUsername=server.user, Region=server.iam_region
        )
    except BotoCoreError as error:
        raise SourceError(
            f"MySQL at {server.where}: no IAM token could be made ({type(error).__name__}). Nothing was read. "
            "Check the AWS credentials of this host, as boto3 finds them"
        ) from None
    return token


@cache
def _rds(region: str) -> Any:
    # A session of its own: boto3's default one is not safe in threads, as clients are. It renews its credentials.
    return boto3.session.Session().client("rds", region_name=region)


def rows(connection: Connection, sql: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
    """All rows of a small query; columns by position, because MySQL 8 returns labels in upper case.

    Without ``parameters`` a ``%`` in the SQL is a ``%``.
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def quoted(name: str) -> str:
    """An identifier for MySQL."""
    return "`" + name.replace("`", "``") + "`"


def reason(number: int) -> str:
    """A MySQL error number in words, without the driver's message, which may quote a value."""
    return _REASONS.get(number, f"MySQL error {number}")


@contextmanager
def _explained(source: str, server: MySQL) -> Iterator[None]:
    try:
        yield
    except pymysql.err.MySQLError as error:
        number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        refused = isinstance(getattr(error, "original_exception", None), ssl.SSLError)
        why = "its TLS certificate was refused; ?ssl-ca=/path.pem names the authority" if refused else reason(number)
        raise (ConnectionLost if number in LOST and not refused else SourceError)(
            f"source {source}: MySQL at {server.where}: {why} ({type(error).__name__} {number}). "
            f"Nothing was committed. Check {server.variable} and the server, then run again."
        ) from None
    except (OSError, RuntimeError) as error:
        raise ConnectionLost(
            f"source {source}: MySQL at {server.where}: the connection failed ({type(error).__name__}). "
            "Nothing was committed. Run again."
        ) from None


@cache  # reading the authorities takes longer than logging in
def _tls(tls: str, authorities: str | None) -> ssl.SSLContext | None:
    if tls in ("disabled", "preferred"):
        return None
    context = ssl.create_default_context(cafile=authorities)
    context.check_hostname = tls == "verify_identity"
    if tls == "required":  # encrypted, but anyone may answer; the user asked for it by name
        context.verify_mode = ssl.CERT_NONE
    return context

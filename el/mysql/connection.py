"""Logging in to MySQL, for small queries; rows are read by ``reader.py``.

In: ``settings.MySQL``. Out: a PyMySQL connection whose session reads the same on every server: UTC, a known
``sql_mode``, utf8mb4, autocommit. Driver messages quote SQL and values, so errors pass on class and number only.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeAlias

import boto3
import pymysql
from botocore.exceptions import BotoCoreError
from pymysql.cursors import Cursor

from el.errors import ConnectionLost, SourceError, Undecodable
from el.mysql import proxy
from el.pool import Pool
from el.settings import MySQL

#: Who waits longer for a server that says nothing gives up.
_READ_SECONDS = 3600


def bound(seconds: int) -> str:
    """The statement after which the server itself ends a statement of this session that takes longer.

    Not without a bound: the SELECT of a client that died would go on. MySQL bounds SELECTs alone, MariaDB every
    statement. Each reads the other's words as a comment.
    """
    return (
        f"set session net_write_timeout = 600 /*!80000 , max_execution_time = {seconds * 1000} */ "
        f"/*M!100600 , max_statement_time = {seconds} */"
    )


#: Every session that reads for us, whatever the server's own settings are. A zero date must not become an error, a
#: backslash must stay one, and an empty result of a comparison must not depend on the server's mode.
SESSION = (
    # A server may ignore what the client said at log-in (skip-character-set-client-handshake): then "?" would come.
    "set names utf8mb4",
    "set session time_zone = '+00:00'",
    "set session sql_mode = 'NO_ENGINE_SUBSTITUTION'",
    "set session transaction isolation level repeatable read",
    # Longer than anybody waits: it never ends what somebody is still waiting for.
    bound(_READ_SECONDS + 60),
    # All rows, of joins of any size; COMMIT is COMMIT; what SHOW CREATE prints is quoted; time to wait for S3 between
    # two statements; sizes of now, not of yesterday; a primary key that MySQL generated is shown like any other.
    "set session sql_select_limit = 18446744073709551615, sql_big_selects = 1, sql_auto_is_null = 0, "
    "completion_type = 0, sql_quote_show_create = 1, wait_timeout = 28800 "
    "/*!80003 , information_schema_stats_expiry = 0 */ "
    "/*!80030 , show_gipk_in_create_table_and_information_schema = on */",
)

_SUPPORTED = "MySQL 8.0, 8.4 and 9.x and MariaDB 10.6 and newer"
#: Servers that speak MySQL's protocol and name its version; what el relies on they do otherwise.
_OTHERS = re.compile(r"tidb|vitess|oceanbase|singlestore|clickhouse|starrocks", re.IGNORECASE)


def session(server: MySQL) -> list[str]:
    """The statements that begin every session: ours, and the check that it is the server that was asked."""
    return [*SESSION, *([server.check] if server.check else [])]


Connection: TypeAlias = "pymysql.Connection[Cursor]"

_ROLE = "If its rights come from a role, the role must be active at log-in: set default role"
_TOO_LONG = (
    "the statement took longer than el lets one run ({}). An index that begins with the column in the condition, or a "
    "smaller range, makes it shorter"
)
_REASONS = {
    1040: "the server has no connection left (max_connections)",
    1044: f"the user may not use this database. {_ROLE}",
    1045: "the user name or password is wrong",
    1049: "there is no such database; a new replica may not have it yet",
    1054: "a column is gone; the table was changed meanwhile",
    1104: "the server forbids a SELECT of so many rows (max_join_size)",
    1115: "the server does not know a character set that was asked for",
    1129: "the server blocks this host after too many failed connections (flush hosts)",
    1130: "the server does not let this host log in",
    1142: f"the user lacks a right on this table. {_ROLE}",
    1143: f"the user has no right on one of the columns; grant it on the whole table. {_ROLE}",
    1146: "a table is gone, or a view shows one that is gone",
    1153: "a statement is longer than the server takes (max_allowed_packet)",
    1176: "an index that the statement names is gone or was made invisible",
    1184: "the server ended the session, as it does when a statement of its init_connect fails for this user",
    1203: "the user has as many connections as it may have (max_user_connections)",
    1205: "a lock was not given up in time (lock_wait_timeout, innodb_lock_wait_timeout)",
    1226: "the user has used up what its account may use in an hour (max_queries_per_hour or another)",
    1227: f"the user lacks a privilege of the whole server (PROCESS or another). {_ROLE}",
    1251: "the server asks for a way to log in that this client does not know; give the user caching_sha2_password",
    1290: "an option of the server forbids it, as read_only does",
    1292: "a value in a condition is no date, time or number",
    1317: "somebody ended the statement (kill query)",
    1356: "a view shows what is gone, or what its definer or the user may not see or call (grant execute)",
    1370: "the user may not call a function that the statement needs (grant execute), or the server does not have it",
    1525: "a date in a condition is none under the server's sql_mode (a zero date, or such as 30 February)",
    1690: "a number is out of the range of its type, or a text longer than max_allowed_packet",
    1698: "the user does not log in by a password (its plugin is unix_socket or another); give it one",
    1792: "the server begins transactions read-only (transaction_read_only)",
    1820: "the user's password has expired",
    1862: "the user's password has expired",
    1969: _TOO_LONG.format("max_statement_time"),
    2059: "the server asks for a way to log in that this client does not know; give the user caching_sha2_password",
    2061: "the user's way to log in needs TLS; ?ssl-mode=required in the URL asks for it",
    3024: _TOO_LONG.format("max_execution_time"),
    3032: "the server is in offline mode",
    3118: "the user's account is locked",
    3159: "the server takes connections by TLS only; ?ssl-mode=disabled in the URL has to go",
    3822: "a CHECK constraint of that name is there already, and names are unique in a database",
    4031: "the server closed the connection, which was idle for too long (wait_timeout)",
    3948: "the server takes no local files (local_infile)",
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
LOST = frozenset({2003, 2006, 2013, 1053, 1927, 4031})


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
    """The pool of one source and run for small queries.

    Logging in and the session's settings are five statements: more than a table costs in which nothing changed.
    """

    def __init__(self, source: str, server: MySQL) -> None:
        self._source, self._server = source, server
        self._pool = Pool(lambda: _connect(server), _answers)

    @contextmanager
    def one(self) -> Iterator[Connection]:
        """A connection with our session. One on which something failed is closed and not used again.

        Raises:
            SourceError: MySQL cannot be reached or refuses; also for driver errors inside the block.
        """
        with _explained(self._source, self._server), self._pool.one() as connection:
            yield connection

    def close(self) -> None:
        """Close those that nobody uses."""
        self._pool.close()


def _answers(connection: Connection) -> bool:
    try:
        connection.ping(reconnect=False)
    except (pymysql.err.MySQLError, OSError):  # the server closed it, or went away; a new one will tell
        return False
    return True


def _connect(server: MySQL, as_text: bool = False) -> Connection:
    proxy.refuse_by_address(server)
    connection: Connection = pymysql.connect(
        host=server.host,
        port=server.port,
        user=server.user,
        password=password(server).encode(),  # a text would be sent as Latin-1
        database=server.database,
        charset="utf8mb4",
        autocommit=True,
        connect_timeout=10,
        read_timeout=_READ_SECONDS,
        ssl=_tls(server.tls, server.tls_ca),
        ssl_disabled=server.tls == "disabled",  # else it makes a context to prefer TLS by
        conv={} if as_text else None,
    )
    try:
        proxy.refuse(connection, server)
        if why := unsupported(str(rows(connection, "select version()")[0][0])):
            raise SourceError(f"MySQL at {server.where}: {why}. Nothing was read or written")
        with connection.cursor() as cursor:
            for statement in session(server):
                cursor.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection


def unsupported(version: str) -> str:
    """Why a server that prints this version is refused; empty if it is not."""
    # MariaDB calls itself 5.5.5-10.6.x to clients that may take 10 for less than 5.
    numbers = re.match(r"(\d+)\.(\d+)", version.removeprefix("5.5.5-"))
    major, minor = (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
    if "mariadb" in version.lower():
        known = (major, minor) >= (10, 6)
    else:
        known = (major, minor) in ((8, 0), (8, 4)) or major == 9
    return "" if known and not _OTHERS.search(version) else f"the server is {version}; supported are {_SUPPORTED}"


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


def create_table(connection: Connection, table: str) -> str:
    """What MySQL prints as the statement that makes a table; empty where the user may not see it."""
    try:
        return str(rows(connection, f"show create table {quoted(table)}")[0][1])
    except pymysql.err.MySQLError as error:
        if error.args[0] in LOST:
            raise
        return ""


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
    except UnicodeDecodeError:  # its message quotes the value
        raise Undecodable(
            f"source {source}: MySQL at {server.where}: a text holds bytes that are no characters of its column's "
            "character set. Nothing was committed. Correct it in MySQL, or leave its column out with exclude"
        ) from None
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

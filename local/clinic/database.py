"""How the demo reaches MySQL.

In: ``EL_MYSQL_ADMIN_URL`` (``mysql://user:password@host:port/``, percent-encoded). Out: a PyMySQL connection
whose session is the same on every server. Nothing else is read, so the demo cannot touch what it was not
pointed at. Errors leave out the driver's text: it may quote a value or a password.
"""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

import pymysql
from pymysql.connections import Connection

# MySQL 8 forbids zero dates by default; an old application has them. The zone: TIMESTAMPs must not depend on
# the server's setting.
_SESSION = "set time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'"


class ClinicError(Exception):
    """The demo cannot do what was asked; the message says why and what to do."""


def connect(database: str | None = None) -> Connection:
    """A connection with autocommit off. Raises ClinicError if the server cannot be reached."""
    url = os.environ.get("EL_MYSQL_ADMIN_URL")
    if not url:
        raise ClinicError("EL_MYSQL_ADMIN_URL is not set: the demo's MySQL server, mysql://user:password@host:port/")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "127.0.0.1", parts.port or 3306
    except ValueError:  # its text would quote the password
        raise ClinicError("EL_MYSQL_ADMIN_URL is not a URL: percent-encode what is special in the password") from None
    try:
        return pymysql.connect(
            host=host,
            port=port,
            user=unquote(parts.username or "root"),
            password=unquote(parts.password or ""),
            database=database,
            charset="utf8mb4",
            init_command=_SESSION,
            connect_timeout=10,
        )
    except pymysql.MySQLError as error:
        number = error.args[0] if error.args else "no number"
        where = f"{host}:{port}" + (f", database {database}" if database else "")
        raise ClinicError(f"MySQL at {where} cannot be used: {type(error).__name__} {number}") from None


def quoted(name: str) -> str:
    """An identifier for a SQL text."""
    return "`" + name.replace("`", "``") + "`"

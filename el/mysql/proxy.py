"""A proxy between us and the server: recognised at the log-in, and refused.

In: a connection that has just logged in. Out: nothing, or an error that names the proxy.

A proxy that speaks MySQL's protocol may run one statement on this connection of its own and the next on that one, or
send reads to a replica. Then our session's time zone and sql_mode are those of another statement's connection, the
check of the server's identity says nothing of the server that is read, and a transaction's proof is not of the rows
that are deleted. Some replay the settings, none tells us when it has moved; so all are refused.

What tells it: the id that the greeting gives the connection, against ``connection_id()``. A proxy greets clients
itself, with ids of its own. What passes bytes through (HAProxy in mode tcp, a load balancer, a tunnel, MySQL Router
with PASSTHROUGH) passes the server's greeting through as well. connectorx needs no check of its own: it logs in to the
address at which this was seen.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from el.errors import SourceError
from el.settings import MySQL

if TYPE_CHECKING:
    from el.mysql.connection import Connection

_RDS_PROXY = re.compile(r"\.proxy-[^.]+\.[^.]+\.rds\.amazonaws\.com(\.cn)?\.?$", re.IGNORECASE)
#: What a proxy's greeting has in the server's version.
_VERSIONS = {"-router": "MySQL Router", "maxscale": "MaxScale", "proxysql": "ProxySQL", "vitess": "Vitess"}


def refuse_by_address(server: MySQL) -> None:
    """Before the log-in: RDS Proxy is told by its address.

    Raises:
        SourceError: it is one.
    """
    if _RDS_PROXY.search(server.host):
        raise _refused(server, "RDS Proxy", "as its address tells")


def refuse(connection: Connection, server: MySQL) -> None:
    """After the log-in, and before anything depends on the session.

    Raises:
        SourceError: a proxy answers.
    """
    greeted = int(connection.thread_id())  # type: ignore[no-untyped-call] # not in its stubs
    # ProxySQL answers "select connection_id()" itself, in that spelling.
    (connected,) = _row(connection, "select connection_id() + 0")
    # The greeting has 32 bits for it.
    if greeted == int(connected) % (1 << 32):
        return
    version = str(connection.get_server_info()).lower()  # type: ignore[no-untyped-call] # not in its stubs
    name = next((name for word, name in _VERSIONS.items() if word in version), None)
    # ProxySQL answers this one itself, in that spelling.
    if name is None and "ProxySQL" in str(_row(connection, "select @@version_comment limit 1")[0]):
        name = "ProxySQL"
    raise _refused(server, name or "a proxy", f"which calls this connection {greeted}, and the server {connected}")


def _row(connection: Connection, sql: str) -> tuple[str, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        row: tuple[str, ...] | None = cursor.fetchone()
    assert row is not None  # neither has a FROM
    return row


def _refused(server: MySQL, name: str, seen: str) -> SourceError:
    return SourceError(
        f"MySQL at {server.where}: {name} answers there, {seen}. Behind a proxy the next statement may run on another "
        "connection or server, so neither the session's settings nor the window nor a transaction can be relied on. "
        f"Nothing was read. Give the address of the primary itself in {server.variable}; what passes bytes through is "
        "no matter (a TCP load balancer, HAProxy in mode tcp, a tunnel, MySQL Router with client_ssl_mode=PASSTHROUGH)"
    )

"""The server that rows are read from: the primary that was asked for the window, or a replica that has caught up.

In: the primary, its bound, and the replica if there is one. Out: a ``settings.MySQL`` whose every session checks that
it is the server which was asked here.

"Applied up to now" on a replica says nothing about transactions that are open on the primary, so the bound is always
the primary's. The replica then waits until it has applied what the primary had committed when the bound was read: a
row that the bound counts as visible is visible there.
"""

from __future__ import annotations

from dataclasses import replace

from el.errors import SourceError
from el.mysql.connection import connected, rows
from el.mysql.identity import must_be, read_server
from el.mysql.window import Bound
from el.settings import MySQL


def reads_from(source: str, primary: MySQL, replica: MySQL | None, bound: Bound, seconds: int) -> MySQL:
    """Where to read.

    Raises:
        SourceError: the servers write no GTIDs, or the replica did not catch up within ``seconds``.
    """
    if replica is None:
        return replace(primary, check=must_be(bound.server))
    variable = f"SOURCES__{source.upper()}__REPLICA"
    with connected(source, primary) as connection:
        position = read_server(connection).gtid  # after the bound: it holds all that was visible then
    if position is None:
        raise SourceError(
            f"source {source}: the primary writes no GTIDs, so nothing tells when the replica has what the primary "
            f"has. Nothing was read. Switch them on (MySQL: gtid_mode; MariaDB: the binary log), or unset {variable}"
        )
    with connected(source, replica) as connection:
        found = read_server(connection)
        mysql = rows(connection, "show global variables like 'gtid_executed'")
        wait = "wait_for_executed_gtid_set" if mysql else "master_gtid_wait"
        # 0: it has them all. MySQL answers 1 and MariaDB -1 when the time is over.
        (reached,) = rows(connection, f"select {wait}(%s, %s)", (position, seconds))[0]
    if reached != 0:
        raise SourceError(
            f"source {source}: the replica {replica.host}:{replica.port} did not reach what the primary had committed "
            f"within {seconds} s. Nothing was read. Look at its replication; EL_REPLICA_SECONDS waits longer, and "
            f"without {variable} the primary is read"
        )
    return replace(replica, check=must_be(found))

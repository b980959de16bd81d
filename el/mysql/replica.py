"""The server that rows are read from: the primary that was asked for the window, or a replica that has caught up.

In: the primary, its bound, and the replica if there is one. Out: a ``settings.MySQL`` whose every session checks that
it is the server which was asked here.

"Applied up to now" on a replica says nothing about transactions that are open on the primary, so the bound is always
the primary's. The replica then waits until it has applied what the primary had committed when the bound was read: a
row that the bound counts as visible is visible there.
"""

from __future__ import annotations

import time
from dataclasses import replace
from math import ceil

from el.errors import SourceError
from el.mysql.connection import Connection, connected, rows
from el.mysql.identity import must_be, read_server
from el.mysql.replication import read_status, state
from el.mysql.window import Bound
from el.settings import MySQL

_SLICE_SECONDS = 10


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
    # Without a database: the replica may not have it yet.
    with connected(source, replace(replica, database="")) as connection:
        answering = read_server(connection)
        if ("/" in answering.id) != ("/" in bound.server.id):
            raise SourceError(
                f"source {source}: the replica {replica.host}:{replica.port} is MariaDB and the primary MySQL, or the "
                "other way round, so their GTIDs cannot be compared. Nothing was read. Give a replica of the same "
                f"kind in {variable}, or unset it"
            )
        if not _reached(connection, "/" not in answering.id, position, seconds):
            behind = state(read_status(connection))
            raise SourceError(
                f"source {source}: the replica {replica.host}:{replica.port} did not reach what the primary had "
                f"committed within {seconds} s{': ' if behind else ''}{behind}. Nothing was read. Look at its "
                f"replication; EL_REPLICA_SECONDS waits longer, and without {variable} the primary is read"
            )
    return replace(replica, check=must_be(answering))


def _reached(connection: Connection, mysql: bool, position: str, seconds: int) -> bool:
    """Whether it has them all in time. Asked in slices: a statement may be bounded, by either side."""
    wait = "wait_for_executed_gtid_set" if mysql else "master_gtid_wait"
    end = time.monotonic() + seconds
    while True:
        left = max(min(ceil(end - time.monotonic()), _SLICE_SECONDS), 1)  # MySQL takes 0 for "for ever"
        (answer,) = rows(connection, f"select {wait}(%s, %s)", (position, left))[0]
        if answer == 0:  # when the time is over MySQL answers 1, and MariaDB -1
            return True
        if time.monotonic() >= end:
            return False

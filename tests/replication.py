"""A replica by GTID of a server of the test's own, on MySQL or on MariaDB: the statements that differ.

The functions take the replica; each begins at an empty history on both, because MySQL counts the users and the
database that ``PrivateMySQL`` makes as transactions of that server.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.private_mysql import PrivateMySQL


def options(server: PrivateMySQL, number: int) -> list[str]:
    """What a server needs at its start to take part."""
    own = ["--gtid-mode=ON", "--enforce-gtid-consistency=ON"] if server.is_mysql else ["--log-slave-updates"]
    return [f"--server-id={number}", "--log-bin=bin", *own]


def make_pair(make_private: Callable[[], PrivateMySQL], *more: str) -> tuple[PrivateMySQL, PrivateMySQL]:
    """A primary and its replica, which is read-only; ``more``: options of the replica."""
    primary, replica = make_private(), make_private()
    primary.start(*options(primary, 1))
    replica.start(*options(replica, 2), "--read-only=1", *more)
    forget(primary)
    forget(replica)
    follow(replica, primary)
    return primary, replica


def forget(server: PrivateMySQL) -> None:
    """Begin its history anew."""
    if server.is_mysql:
        server.run("reset binary logs and gtids")
    else:
        server.run("reset master", "set global gtid_slave_pos = ''")


def follow(replica: PrivateMySQL, primary: PrivateMySQL, channel: str = "", delay: int = 0) -> None:
    """Replicate from there, from the beginning on."""
    if replica.is_mysql:
        replica.run(
            f"change replication source to source_host = '127.0.0.1', source_port = {primary.port}, "
            "source_user = 'root', source_auto_position = 1, get_source_public_key = 1, source_connect_retry = 1, "
            f"source_delay = {delay} for channel '{channel}'",
            f"start replica for channel '{channel}'",
        )
    else:
        replica.run(
            f"change master '{channel}' to master_host = '127.0.0.1', master_port = {primary.port}, "
            f"master_user = 'root', master_use_gtid = slave_pos, master_connect_retry = 1, master_delay = {delay}",
            f"start slave '{channel}'",
        )


def stop(replica: PrivateMySQL, thread: str = "") -> None:
    """Stop ``sql_thread``, ``io_thread`` or both."""
    replica.run(f"stop {_word(replica)} {thread}")


def go_on(replica: PrivateMySQL) -> None:
    """Start what was stopped."""
    replica.run(f"start {_word(replica)}")


def promote(replica: PrivateMySQL) -> None:
    """Make it the primary."""
    replica.run(f"stop {_word(replica)}", f"reset {_word(replica)} all", "set global read_only = 0")


def wait_until_it_has(replica: PrivateMySQL, query: str) -> None:
    """Wait until a query finds something there."""
    wait_for(lambda: bool(ask(replica, query)), query)


def ask(server: PrivateMySQL, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def _word(server: PrivateMySQL) -> str:
    return "replica" if server.is_mysql else "slave"

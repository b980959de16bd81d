"""What a replica says of its replication: how far behind it is, whether it runs, and what it leaves out.

In: a connection to the replica, and one to its primary. Out: its status per channel, and the filters that concern the
tables that are read. A filter leaves rows out without a trace: GTIDs count a transaction as applied whose rows the
replica threw away. So one that may concern a table is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pymysql

from el.errors import SourceError
from el.mysql.connection import Connection, connected
from el.settings import MySQL

#: MariaDB lists all its connections by the first alone; MySQL has the second from 8.0.22 on.
_STATUS = ("show all slaves status", "show replica status", "show slave status")
_BINARY_LOG = ("show binary log status", "show master status")
_NO_SUCH_STATEMENT, _NO_PRIVILEGE = 1064, 1227
#: Whole channels that MariaDB (by domain) or either server (in a ring) leaves out.
_ORIGINS = ("replicate_do_domain_ids", "replicate_ignore_domain_ids", "replicate_ignore_server_ids")

Status = Mapping[str, Any]


def read_status(connection: Connection) -> list[Status] | None:
    """The status of every channel, by names in lower case as MySQL 8.4 has them; empty: it is no replica.

    None: the user may not see it.
    """
    return _first(connection, _STATUS)


def state(channels: Sequence[Status] | None) -> str:
    """Why a replica may be behind, in words; empty: nothing is known. Messages of MySQL may quote values: no text."""
    if channels == []:
        return "it replicates from nowhere"
    facts = []
    for channel in channels or ():
        for thread, part in (("io", "receives"), ("sql", "applies")):
            if str(channel[f"replica_{thread}_running"]).lower() != "yes":
                number = int(channel[f"last_{thread}_errno"] or 0)
                facts.append(f"it {part} nothing" + (f" (error {number})" if number else " (stopped)"))
        if delay := int(channel["sql_delay"] or 0):
            facts.append(f"it is {delay} s late on purpose")
    return ", ".join(dict.fromkeys(facts))


def refuse_filters(source: str, primary: MySQL, replica: MySQL, tables: Sequence[str]) -> tuple[str, ...]:
    """What is to be said if the user may not see the filters.

    Raises:
        SourceError: the primary's binary log or the replica leaves out rows of a table that is read.
    """
    with connected(source, primary) as connection:
        logs = _first(connection, _BINARY_LOG)
    with connected(source, replica) as connection:
        channels = read_status(connection)
    for where, found in ((primary, logs), (replica, channels)):
        for names in found or ():
            if name := leaves_out(names, primary.database, tables):
                raise SourceError(
                    f"source {source}: {where.host}:{where.port} has the replication filter {name} = {names[name]}, "
                    "which leaves rows of this source out, and nothing tells which. Nothing was read. Take the "
                    f"filter away and make the replica anew, or unset SOURCES__{source.upper()}__REPLICA"
                )
    if logs is None or channels is None:
        return (
            f"source {source}: the user may not see the filters of replication, so rows that the replica leaves out "
            "would be missed. Remedy, on the primary: grant replication client on *.* to the user (MariaDB: grant "
            "binlog monitor, slave monitor)",
        )
    return ()


def leaves_out(names: Mapping[str, Any], database: str, tables: Sequence[str]) -> str:
    """The name of a filter that concerns a table of the database; empty: none does."""

    def listed(name: str) -> list[str]:
        return [entry.strip() for entry in str(names.get(name) or "").split(",") if entry.strip()]

    for prefix in ("binlog_", "replicate_"):
        only = listed(prefix + "do_db")
        if only and database not in only:
            return prefix + "do_db"
        if database in listed(prefix + "ignore_db"):
            return prefix + "ignore_db"
    labels = [f"{database}.{table}" for table in tables]
    if any(label in listed("replicate_ignore_table") for label in labels):
        return "replicate_ignore_table"
    if any(_like(pattern, label) for pattern in listed("replicate_wild_ignore_table") for label in labels):
        return "replicate_wild_ignore_table"
    only, wild = listed("replicate_do_table"), listed("replicate_wild_do_table")
    if only or wild:
        for label in labels:
            if label not in only and not any(_like(pattern, label) for pattern in wild):
                return "replicate_do_table" if only else "replicate_wild_do_table"
    if database in re.findall(r"[^\s(),>]+", str(names.get("replicate_rewrite_db") or "").replace("->", ",")):
        return "replicate_rewrite_db"
    return next((name for name in _ORIGINS if listed(name)), "")


def _like(pattern: str, label: str) -> bool:
    """Whether a pattern of LIKE matches."""
    parts = (
        ".*" if part == "%" else "." if part == "_" else re.escape(part[-1])
        for part in re.findall(r"\\.|.", pattern, re.DOTALL)
    )
    return re.fullmatch("".join(parts), label, re.DOTALL) is not None


def _first(connection: Connection, statements: Sequence[str]) -> list[Status] | None:
    """What the first statement that the server knows shows; None: the user may not see it."""
    for statement in statements:
        try:
            return _named(connection, statement)
        except pymysql.err.MySQLError as error:
            if error.args[0] == _NO_PRIVILEGE:
                return None
            if error.args[0] != _NO_SUCH_STATEMENT or statement == statements[-1]:
                raise
    return None


def _named(connection: Connection, statement: str) -> list[Status]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        # 8.0 and MariaDB call some by the old words.
        labels = [column[0].lower() for column in cursor.description]
        names = [label.replace("master", "source").replace("slave", "replica") for label in labels]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

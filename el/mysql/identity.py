"""Which server answers, and whether its history holds what was read before.

In: a connection. Out: ``landing.Server``, which every commit keeps, and the comparison of two of them.

A watermark is only worth something on the server, and in the history, that it was taken from. A restore to an earlier
moment brings old versions back under old cursors, and a failover to a replica that was behind loses transactions that
were read: in both no window finds the rows that now differ, only a full copy does.

What tells a server: MySQL has ``server_uuid``, which lies in the data folder and so survives a change of host (RDS
Multi-AZ). MariaDB has none: host name, port and server_id. What tells a history: GTIDs where every write gets one, and
on MariaDB and MySQL 8.0.30+ the position in InnoDB's log, which only grows on one data folder.
"""

from __future__ import annotations

import re
from typing import Literal

from el.landing import Server
from el.mysql.connection import Connection, rows

Change = Literal["same", "continued", "other", "went back"]


def read_server(connection: Connection, replica: bool = False) -> Server:
    """Who answers at this connection, and how far its history has come.

    ``replica``: all that it has came with a GTID from elsewhere, whether or not it gives them to writes of its own.
    """
    variables = dict(
        rows(
            connection,
            "show global variables where variable_name in "
            "('server_uuid', 'hostname', 'port', 'server_id', 'gtid_executed', 'gtid_current_pos', 'gtid_mode', "
            "'log_bin')",
        )
    )
    positions = rows(
        connection,
        "show global status where variable_name in ('Innodb_lsn_current', 'Innodb_redo_log_current_lsn')",
    )
    return from_variables(variables, [int(value) for _, value in positions], replica)


def from_variables(variables: dict[str, str], positions: list[int], replica: bool = False) -> Server:
    """``Server`` from what SHOW prints; the one place that knows MySQL from MariaDB here."""
    gtid = variables.get("gtid_executed", variables.get("gtid_current_pos", ""))
    # Without the binary log, or with MySQL's gtid_mode OFF or OFF_PERMISSIVE, writes get no GTID: the position of the
    # past stands still, and would say for ever that nothing is missing.
    counts_on = variables.get("log_bin") == "ON" and variables.get("gtid_mode", "ON") in ("ON", "ON_PERMISSIVE")
    if not (counts_on or replica):
        gtid = ""
    return Server(
        id=variables.get("server_uuid") or "{hostname}:{port}/{server_id}".format_map(variables),
        gtid=re.sub(r"\s", "", gtid) or None,
        lsn=max(positions, default=None),
    )


def must_be(server: Server) -> str:
    """A SET statement that fails with error 1298 on any other server: for sessions that only take statements.

    Behind one address may be several servers, and the address may move between two chunks.
    """
    mysql = "/" not in server.id
    found = "@@server_uuid" if mysql else "concat(@@hostname, ':', @@port, '/', @@server_id)"
    return f"set session time_zone = if({found} = x'{server.id.encode().hex()}', '+00:00', 'another server')"


def change(before: Server, now: Server) -> Change:
    """What happened to the server between two commits.

    ``continued``: another server whose history provably holds all that was read. ``other``: another server of which
    that is not known. ``went back``: a history, of this or another server, that provably misses something.
    """
    held = None if before.gtid is None or now.gtid is None else holds(now.gtid, before.gtid)
    if held is False:
        return "went back"
    if before.id != now.id:
        return "continued" if held else "other"
    if before.lsn is not None and now.lsn is not None and now.lsn < before.lsn:
        return "went back"
    return "same"


def holds(now: str, before: str) -> bool:
    """Whether every transaction of one GTID position is in the other; both of one kind, MySQL's or MariaDB's."""
    have, need = _intervals(now), _intervals(before)
    return all(
        any(first <= low and high <= last for first, last in have.get(origin, []))
        for origin, ranges in need.items()
        for low, high in ranges
    )


def of_origins(position: str | None, known: str | None) -> str | None:
    """The part of a replica's GTID position that comes from where the primary's does.

    A replica may have transactions of its own (a user was made there): no other server will ever have them.
    """
    if position is None or known is None:
        return position
    origins = {_origin(part) for part in known.split(",")}
    return ",".join(part for part in position.split(",") if _origin(part) in origins) or None


def _origin(part: str) -> str:
    """MySQL's server, whatever the tag; MariaDB's domain."""
    return part.split(":")[0].lower() if ":" in part else part.split("-")[0]


def _intervals(position: str) -> dict[str, list[tuple[int, int]]]:
    """``uuid:1-5:8`` of MySQL (8.4: ``uuid:tag:1-5``), ``domain-server-sequence`` of MariaDB, as ranges per origin."""
    found: dict[str, list[tuple[int, int]]] = {}
    for part in position.split(","):
        if mariadb := re.fullmatch(r"(\d+)-\d+-(\d+)", part):
            # The sequence counts on within a domain, whichever server writes.
            found.setdefault(mariadb[1], []).append((1, int(mariadb[2])))
            continue
        origin, *rest = part.split(":")
        for item in rest:
            if not (interval := re.fullmatch(r"(\d+)(?:-(\d+))?", item)):
                origin = f"{part.split(':')[0]}:{item}"  # a tag: what follows is its own
                continue
            found.setdefault(origin.lower(), []).append((int(interval[1]), int(interval[2] or interval[1])))
    return found

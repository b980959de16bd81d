"""What the archive's user may see: MySQL leaves out what he may not, and says nothing of it.

In: a connection, a table. Out: whether he has the privilege TRIGGER on it, by ``SHOW GRANTS``.

Why not ``information_schema.triggers`` alone: without the privilege it is empty, whatever triggers there are, and
those on DELETE fire all the same. Why not ``information_schema.table_privileges`` and its like: they leave out what
comes by a role.
"""

from __future__ import annotations

import re

from el.mysql.connection import Connection, rows

_NAME = r"`(?:[^`]|``)*`"
_LINE = re.compile(
    rf"(?P<verb>GRANT|REVOKE) (?P<privileges>.+?) ON (?:TABLE )?"
    rf"(?P<database>\*|{_NAME})\.(?P<table>\*|{_NAME}) (?:TO|FROM) "
)


def sees_triggers(connection: Connection, database: str, table: str) -> bool:
    """Whether the user has TRIGGER on the table, himself or by a role that is active in this session.

    MySQL lists what he may not see neither as an error nor as a row.
    """
    grants = [str(line) for (line,) in rows(connection, "show grants")]
    ((lower,),) = rows(connection, "select @@lower_case_table_names")
    return has_trigger(grants, database, table, bool(lower))


def has_trigger(grants: list[str], database: str, table: str, any_case: bool) -> bool:
    """Whether the lines of SHOW GRANTS give TRIGGER on a table.

    Where both a database's name and a pattern such as ``clinic%`` are granted, MySQL goes by the name alone.
    """
    by_name: set[bool] = set()
    by_pattern: set[bool] = set()
    everywhere = revoked = False
    for line in grants:
        found = _LINE.match(line)
        if found is None:  # a role, or another kind of object
            continue
        given = _has(found["privileges"])
        if found["database"] == "*":
            everywhere |= given
            continue
        pattern, name = _unquoted(found["database"]), _unquoted(found["table"])
        if found["verb"] == "REVOKE":  # a partial one names the database as it is
            revoked |= given and _same(pattern, database, any_case)
        elif name != "*":
            if given and _same(pattern, database, any_case) and _same(name, table, any_case):
                return True
        elif _same(re.sub(r"\\(.)", r"\1", pattern), database, any_case):
            by_name.add(given)
        elif _like(pattern, database):
            by_pattern.add(given)
    if everywhere and not revoked:
        return True
    return True in by_name if by_name else by_pattern == {True}


def _has(privileges: str) -> bool:
    without_columns = re.sub(r"\([^)]*\)", "", privileges)
    return not {"TRIGGER", "ALL PRIVILEGES"}.isdisjoint(part.strip() for part in without_columns.split(","))


def _unquoted(name: str) -> str:
    return name if name == "*" else name[1:-1].replace("``", "`")


def _same(one: str, other: str, any_case: bool) -> bool:
    return one.lower() == other.lower() if any_case else one == other


def _like(pattern: str, name: str) -> bool:
    parts = {"%": ".*", "_": "."}
    spelled = "".join(
        re.escape(part[1:]) if part.startswith("\\") else parts.get(part, re.escape(part))
        for part in re.findall(r"\\.|.", pattern, re.DOTALL)
    )
    return re.fullmatch(spelled, name, re.IGNORECASE | re.DOTALL) is not None

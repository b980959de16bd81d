"""A translated statement in, the same with Redshift's types for its DECIMAL arithmetic out (arithmetic.py).

PostgreSQL is asked how it understands the statement, in the client's own session: in its transaction, with its
temporary tables, after the tables it writes were locked.
"""

from __future__ import annotations

from .arithmetic import divides, is_relevant, typed
from .backend import Backend
from .errors import NotImitated
from .inference import NUMERIC, Names
from .parse_tree import read_tree
from .statement import Statement

_KINDS = {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"}
_NAMES = """
    select oid, 'f', proname from pg_catalog.pg_proc
    where pronamespace in ('pg_catalog'::regnamespace, 'redshift_internal'::regnamespace)
    and prorettype in ('numeric'::regtype, 'smallint'::regtype, 'integer'::regtype, 'bigint'::regtype,
                       'anyelement'::regtype, 'anycompatible'::regtype)
    union all select oid, 'o', oprname from pg_catalog.pg_operator where oprresult = 'numeric'::regtype
"""


def with_types(backend: Backend, statement: Statement, parameters: bytes = b"\0\0") -> Statement | None:
    """None: PostgreSQL refused the statement and the client has been told. `parameters` as in Parse."""
    query = statement.query or (statement.sql if statement.kind in _KINDS else "")
    if not query or backend.status == b"E" or not (statement.makes_columns or is_relevant(query)):
        return statement
    printed = backend.analysis(query, parameters, tell=not statement.late)
    if printed is None and statement.late:
        if divides(query):
            raise NotImitated("a division in a late-binding view on something that is not there yet")
        return statement
    if printed is None:
        return None
    if str(NUMERIC) not in printed:
        return statement  # integers and floats, which need no change
    return statement.with_query(typed(query, read_tree(printed), _names(backend), statement.makes_columns))


def _names(backend: Backend) -> Names:
    if not backend.names.functions:
        for number, kind, name in backend.own(_NAMES):
            known = backend.names.functions if kind == b"f" else backend.names.operators
            known[int(number or 0)] = (name or b"").decode()
    return backend.names

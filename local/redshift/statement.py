"""One statement, translated: what the session has to do to run it as Redshift would."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .copy_statement import CopyStatement
from .lexer import literal
from .unload_statement import UnloadStatement


@dataclass(frozen=True)
class Statement:
    original: str
    sql: str
    kind: str
    tag: str = ""  # the command tag to answer with, where PostgreSQL's would be another
    locks: tuple[str, ...] = ()  # tables a write locks before it starts
    checks: tuple[str, ...] = ()  # statements that raise if this one must not run
    copy: CopyStatement | UnloadStatement | None = None
    then: tuple[str, ...] = ()  # statements that follow it, unheard of by the client
    commits: bool = False
    query: str = ""  # the query in `sql`, where that is more than a query
    makes_columns: bool = False  # the query's columns become those of a table, a view or a file
    quoted: bool = False  # the query stands there as a string
    late: bool = False  # nothing that the query names need be there yet
    alone: str = ""  # what it is called, if it may not run inside a transaction block

    def with_query(self, query: str) -> Statement:
        """The same with another query, wherever it stands: in the text, as a string in it, or in UNLOAD."""
        if isinstance(self.copy, UnloadStatement):
            return replace(self, copy=replace(self.copy, query=query), query=query)
        if not self.query:
            return replace(self, sql=query)
        old, new = (literal(self.query), literal(query)) if self.quoted else (self.query, query)
        return replace(self, sql=new.join(self.sql.rsplit(old, 1)), query=query)

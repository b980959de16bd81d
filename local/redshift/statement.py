"""One statement, translated: what the session has to do to run it as Redshift would."""

from __future__ import annotations

from dataclasses import dataclass

from .copy_statement import CopyStatement
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
    alone: str = ""  # what it is called, if it may not run inside a transaction block

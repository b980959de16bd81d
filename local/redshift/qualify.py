"""QUALIFY in, a subquery and WHERE out.

The only rewrite that needs the whole query as a tree, so the only one that goes through sqlglot's parser and
generator. Its Redshift dialect would turn functions into approximations of its own on the way; the one here knows
no function, so every call comes out as it went in.
"""

from __future__ import annotations

from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.dialects.redshift import Redshift
from sqlglot.transforms import eliminate_qualify

from .errors import NotImitated


# sqlglot makes its dialects by a metaclass, so a type checker cannot know the base classes.
class _Plain(Redshift):
    class Parser(Redshift.Parser):  # type: ignore[valid-type,misc]
        FUNCTIONS: dict[str, Any] = {}
        NO_PAREN_FUNCTIONS: dict[Any, Any] = {}

    class Generator(Redshift.Generator):  # type: ignore[valid-type,misc]
        TRANSFORMS = {
            **Redshift.Generator.TRANSFORMS,
            exp.Select: lambda self, e: self.select_sql(eliminate_qualify(e)),
        }


def without_qualify(sql: str) -> str:
    try:
        (tree,) = sqlglot.parse(sql, read=_Plain)
        if tree is None or isinstance(tree, exp.Command):
            raise NotImitated("QUALIFY in this statement")
        return tree.sql(_Plain)
    except sqlglot.errors.SqlglotError as error:
        raise NotImitated("QUALIFY in a query that its parser cannot read") from error


def unqualified_tables(sql: str) -> list[str]:
    """Tables a query names without a schema (what WITH NO SCHEMA BINDING forbids); [] if it cannot be read."""
    try:
        (tree,) = sqlglot.parse(sql, read=_Plain)
    except sqlglot.errors.SqlglotError:
        return []
    if tree is None:
        return []
    own = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
    tables = [t for t in tree.find_all(exp.Table) if isinstance(t.this, exp.Identifier)]
    return [t.name for t in tables if not t.db and t.name.lower() not in own]

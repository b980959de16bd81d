"""The join operator (+) in WHERE in, LEFT JOIN in FROM out. Redshift's SQL in and out.

Redshift's page "Oracle-style outer joins in the WHERE clause": the table whose columns carry the operator may lack a
row. The conditions with the operator become those of the join; the rest stays in WHERE.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .errors import NotImitated, RedshiftError, Refused
from .lexer import QUOTED, WORD, Edit, Token, apply, tokenize
from .questions import AFTER_FROM, Columns, clause_end, names_of, split_at

_WRITTEN = re.compile(r"\(\s*\+\s*\)")


@dataclass
class _Table:
    name: str  # its alias, or its own name
    text: str
    columns: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)  # with the operator, for this table
    needs: set[str] = field(default_factory=set)  # the other tables in them


def without_plus(sql: str, columns: Columns) -> str:
    while _WRITTEN.search(sql) and (at := _operator(tokenize(sql))) >= 0:
        sql = _replaced(sql, tokenize(sql), at, columns)
    return sql


def _operator(tokens: list[Token]) -> int:
    words = [t.word for t in tokens]
    return next((i for i in range(1, len(words) - 2) if words[i : i + 3] == ["(", "+", ")"]), -1)


def _replaced(sql: str, tokens: list[Token], at: int, columns: Columns) -> str:
    """The query block that holds the operator at tokens[at], without any."""
    select = _select(tokens, at)
    from_ = clause_end(tokens, select + 1, AFTER_FROM | {"FROM"})
    where = clause_end(tokens, from_ + 1, AFTER_FROM)
    end = clause_end(tokens, where + 1, AFTER_FROM) if where < len(tokens) else where
    if not where < at < end or tokens[where].word != "WHERE":
        raise Refused("the join operator (+) outside of WHERE")
    if any(t.word == "JOIN" for t in tokens[from_:where]):
        raise Refused("the join operator (+) beside JOIN")
    tables = []
    for first, last in split_at(tokens, from_ + 1, where, ","):
        text = sql[tokens[first].start : tokens[last - 1].end]
        tables.append(_Table(tokens[last - 1].name, text, names_of(sql, tokens, from_, ("*", text), columns)))
    rest = []
    for first, last in split_at(tokens, where + 1, end, "AND"):
        if not _sort(sql, tokens[first:last], tables):
            rest.append(sql[tokens[first].start : tokens[last - 1].end])
    ordered = _ordered(tables)
    if [t.name for t in ordered] != [t.name for t in tables] and tokens[select + 1].word == "*":
        raise NotImitated("SELECT * with the join operator (+), where the table that may lack a row comes first")
    joined = ordered[0].text
    for table in ordered[1:]:
        joined += f" left join {table.text} on {' and '.join(table.conditions)}" if table.conditions else ""
        joined += "" if table.conditions else f" cross join {table.text}"
    kept = f" where {' and '.join(rest)}" if rest else ""
    return apply(sql, [Edit(tokens[from_].end, tokens[end - 1].end, f" {joined}{kept}")])


def _select(tokens: list[Token], at: int) -> int:
    depth = 0
    for i in range(at - 1, -1, -1):
        word = tokens[i].word
        depth = max(depth + (word == ")") - (word == "("), 0)
        if word == "SELECT" and depth == 0:
            return i
    raise Refused("the join operator (+) outside of a query")


def _sort(sql: str, tokens: list[Token], tables: list[_Table]) -> bool:
    """Give the condition to its table, if it has the operator."""
    words = [t.word for t in tokens]
    marks = [i for i in range(1, len(words) - 1) if words[i : i + 3] == ["(", "+", ")"]]
    if not marks:
        return False
    if "OR" in words or "IN" in words or "SELECT" in words:
        raise RedshiftError("Outer join operator (+) not allowed in operand of OR or IN.", "0A000")
    marked: set[str] = set()
    others: set[str] = set()
    for i, token in enumerate(tokens):
        if (
            token.kind not in (WORD, QUOTED)
            or words[i - 1] == "."
            or (words[i + 1 : i + 2] == ["("] and i + 1 not in marks)
        ):
            continue
        qualified = words[i + 1 : i + 2] == ["."]
        last = i + 2 if qualified else i
        name = token.name if qualified else _owner(tables, token.name)
        (marked if last + 1 in marks else others).add(name)
    optional = next((t for t in tables if marked == {t.name}), None)
    others -= {""} | marked
    if optional is None:
        raise RedshiftError("Outer join operator (+) on more than one table, or on none, of a condition", "0A000")
    start, edits = tokens[0].start, [Edit(tokens[i].start, tokens[i + 2].end, "") for i in marks]
    shifted = [Edit(e.start - start, e.end - start, "") for e in edits]
    optional.conditions.append(apply(sql[start : tokens[-1].end], shifted))
    optional.needs |= others
    return True


def _owner(tables: list[_Table], column: str) -> str:
    return next((t.name for t in tables if column in t.columns), "")


def _ordered(tables: list[_Table]) -> list[_Table]:
    """Those that keep their rows first, and each other behind the one it is joined to."""
    placed = [t for t in tables if not t.conditions]
    left = [t for t in tables if t.conditions]
    for table in left:
        if len(table.needs) > 1:
            raise RedshiftError("A table may be outer joined to at most one other table.", "0A000")
        if not table.needs:
            raise NotImitated("the join operator (+) without a condition that joins its table to another one")
    while left:
        following = next((t for t in left if t.needs <= {p.name for p in placed}), None)
        if following is None:
            raise Refused("tables that are outer joined to each other by (+)")
        placed.append(following)
        left.remove(following)
    return placed

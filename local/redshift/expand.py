"""Redshift's SQL in, Redshift's SQL out, without what only the names of columns can explain.

That is PIVOT and UNPIVOT (pivot.py), the join operator (+) (plus_joins.py), `* EXCLUDE`, a star beside QUALIFY, and an
alias that is used further on in the select list that gives it, or in WHERE: Redshift puts the expression in its place,
unless a table in FROM has a column of that name. It comes before all other rewriting, so the rest never sees these
forms. Names such as #orders get their quotes here too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from .errors import NotImitated, RedshiftError, Refused
from .lexer import NUMBER, PARAM, QUOTED, STRING, WORD, Edit, Token, apply, closing, identifier, literal, string_value
from .lexer import tokenize as _tokenize
from .pivot import without_pivots
from .plus_joins import without_plus
from .questions import AFTER_FROM, Columns, clause_end, names_of, split_at
from .sorted_aggregates import check_orders

_ENDS_LIST = AFTER_FROM | {"FROM", "INTO"}
# Words that may end an expression, or stand before a name that is no alias.
_NO_ALIAS = {"END", "NULL", "TRUE", "FALSE", "DAY", "MONTH", "YEAR", "HOUR", "MINUTE", "SECOND", "ZONE", "UNKNOWN"}
_BEFORE_OPERAND = {
    "AND", "OR", "NOT", "IS", "IN", "LIKE", "ILIKE", "BETWEEN", "THEN", "ELSE", "WHEN", "CASE", "TO", "SIMILAR",
    "DISTINCT", "FROM", "ESCAPE", "BY", "OVER", "ZONE", "INTERVAL", "DATE", "TIMESTAMP", "DOUBLE",
}  # fmt: skip
# Words that are syntax wherever they stand without quotes, though quoted ones may be an alias.
_SYNTAX = {
    "ALL", "AND", "ANY", "ASC", "BETWEEN", "BY", "CASE", "CURRENT", "DESC", "DISTINCT", "ELSE", "END", "EXISTS",
    "FALSE", "FOLLOWING", "FROM", "IN", "IS", "LIKE", "NOT", "NULL", "OR", "ORDER", "OVER", "PARTITION", "PRECEDING",
    "ROW", "ROWS", "THEN", "TRUE", "UNBOUNDED", "WHEN", "WITHIN",
}  # fmt: skip
_AGGREGATES = {
    "ANY_VALUE", "AVG", "BIT_AND", "BIT_OR", "BOOL_AND", "BOOL_OR", "COUNT", "LISTAGG", "MAX", "MEDIAN", "MIN",
    "PERCENTILE_CONT", "PERCENTILE_DISC", "STDDEV", "STDDEV_POP", "STDDEV_SAMP", "SUM", "VARIANCE", "VAR_POP",
    "VAR_SAMP",
}  # fmt: skip
_PART_FIRST = {"DATEADD", "DATE_ADD", "DATEDIFF", "DATE_DIFF", "DATE_PART", "PGDATE_PART", "EXTRACT", "CONVERT"}


@dataclass
class _Item:
    """One item of a select list: tokens[first:end], of which the expression is tokens[first:last]."""

    first: int
    last: int
    end: int
    alias: str


def expanded(sql: str, columns: Columns) -> str:
    if "#" not in sql and "select" not in sql.lower():
        return sql  # a megabyte of values, as a rule
    tokens = _tokenize(sql)
    if tokens[0].word == "UNLOAD" and len(tokens) > 2 and tokens[2].kind == STRING:
        query = string_value(tokens[2])
        new = expanded(query, columns) if _tokenize(query) else query
        return sql if new == query else apply(sql, [Edit(tokens[2].start, tokens[2].end, literal(new))])
    if any(t.kind == QUOTED and t.text[0] == "#" for t in tokens):
        sql = _with_hash_names(sql, tokens)
        tokens = _tokenize(sql)
    if any(t.word in ("PIVOT", "UNPIVOT") for t in tokens):
        sql = without_pivots(sql, columns)
    sql = without_plus(sql, columns)
    tokens = _tokenize(sql)
    at = 0
    while at < len(tokens):
        if tokens[at].word == "SELECT" and (at == 0 or tokens[at - 1].word != "."):
            sql = _select(sql, tokens, at, columns)
            sql = _with_groups(sql, _tokenize(sql), at)
            tokens = _tokenize(sql)  # the same up to here: only the list behind has changed
        at += 1
    return sql


def _with_hash_names(sql: str, tokens: list[Token]) -> str:
    """Quotes for names such as #orders; SELECT INTO of one makes a temporary table, as CREATE TABLE does (ddl.py)."""
    edits = []
    for at, token in enumerate(tokens):
        if token.kind == QUOTED and token.text[0] == "#":
            into = tokens[at - 1].word == "INTO" and tokens[at - 2].word not in ("INSERT", "MERGE")
            edits.append(Edit(token.start, token.end, ("temp " if into else "") + identifier(token.name)))
    return apply(sql, edits)


def _select(sql: str, tokens: list[Token], at: int, columns: Columns) -> str:
    first = _list_start(tokens, at)
    end = clause_end(tokens, first, _ENDS_LIST)
    check_orders(tokens, first, end)
    items = [_item(tokens, start, stop) for start, stop in split_at(tokens, first, end, ",")]
    if any(
        tokens[i.first].word == "*" and i.first + 1 < i.end and tokens[i.first + 1].word == "EXCLUDE" for i in items
    ):
        return _without_excluded(sql, tokens, items, end, columns)
    stars = [
        i for i in items if tokens[i.end - 1].word == "*" and (i.end - i.first == 1 or tokens[i.end - 2].text == ".")
    ]
    if stars and _is_qualified(tokens, end):
        sql = _without_stars(sql, tokens, stars, end, columns)
        return _select(sql, _tokenize(sql), at, columns)
    return _without_aliases(sql, tokens, items, end, columns)


def _list_start(tokens: list[Token], at: int) -> int:
    at += 1
    while at < len(tokens) and tokens[at].word in ("DISTINCT", "ALL", "TOP"):
        at += 2 if tokens[at].word == "TOP" else 1
    return at


def _with_groups(sql: str, tokens: list[Token], at: int) -> str:
    """GROUP BY ALL: every item of the select list that aggregates nothing."""
    group = clause_end(tokens, at + 1, {"GROUP", "UNION", "INTERSECT", "EXCEPT", "MINUS"})
    if [t.word for t in tokens[group : group + 3]] != ["GROUP", "BY", "ALL"]:
        return sql
    first = _list_start(tokens, at)
    numbers = []
    for n, (start, stop) in enumerate(split_at(tokens, first, clause_end(tokens, first, _ENDS_LIST), ","), 1):
        if tokens[stop - 1].word == "*":
            raise NotImitated("GROUP BY ALL of SELECT *")
        if not any(_aggregates(tokens, i) for i in range(start, stop)):
            numbers.append(str(n))
    by = f"group by {', '.join(numbers)}" if numbers else "group by ()"
    return apply(sql, [Edit(tokens[group].start, tokens[group + 2].end, by)])


def _aggregates(tokens: list[Token], at: int) -> bool:
    """Is this the name in a call of an aggregate, without OVER?"""
    if tokens[at].word not in _AGGREGATES or tokens[at + 1].word != "(" or tokens[at - 1].word == ".":
        return False
    end = closing(tokens, at + 1)
    if [t.word for t in tokens[end + 1 : end + 3]] == ["WITHIN", "GROUP"]:
        end = closing(tokens, end + 3)
    return end + 1 >= len(tokens) or tokens[end + 1].word != "OVER"


def _item(tokens: list[Token], first: int, end: int) -> _Item:
    name, before = tokens[end - 1], tokens[end - 2] if end - first > 1 else None
    if before is None or name.kind not in (WORD, QUOTED):
        return _Item(first, end, end, "")
    if before.word == "AS" and end - first > 2:
        return _Item(first, end - 2, end, name.name)
    operand = before.kind != "op" or before.text in ")]"
    if not operand or before.word in _BEFORE_OPERAND or name.word in _NO_ALIAS:
        return _Item(first, end, end, "")
    return _Item(first, end - 1, end, name.name)


def _is_qualified(tokens: list[Token], end: int) -> bool:
    """Does the SELECT whose list ends here have a QUALIFY?"""
    at = clause_end(tokens, end, {"QUALIFY", "UNION", "INTERSECT", "EXCEPT", "MINUS"})
    return at < len(tokens) and tokens[at].word == "QUALIFY"


def _without_stars(sql: str, tokens: list[Token], stars: list[_Item], end: int, columns: Columns) -> str:
    """The names for each star: QUALIFY becomes a subquery with columns of its own (qualify.py), which a star shows."""
    edits: list[Edit] = []
    seen: set[str] = set()
    for star in stars:
        begin, stop = tokens[star.first].start, tokens[star.end - 1].end
        known = _known(sql, tokens, end, columns, sql[begin:stop])
        if len(seen | set(known)) < len(seen) + len(known):
            raise NotImitated("QUALIFY with SELECT * where two columns have the same name")
        seen |= set(known)
        table = sql[begin : stop - 1]
        edits.append(Edit(begin, stop, ", ".join(f"{table}{identifier(name)}" for name in known)))
    return apply(sql, edits)


def _known(sql: str, tokens: list[Token], at: int, columns: Columns, of: str = "*") -> list[str]:
    """The columns of the FROM clause that begins at or after tokens[at]."""
    start = clause_end(tokens, at, AFTER_FROM | {"FROM"})
    if start >= len(tokens) or tokens[start].word != "FROM":
        return []
    stop = clause_end(tokens, start + 1, AFTER_FROM)
    return names_of(sql, tokens, at, (of, sql[tokens[start].end : tokens[stop - 1].end]), columns)


def _without_excluded(sql: str, tokens: list[Token], items: list[_Item], end: int, columns: Columns) -> str:
    star = items[0]
    left_out = {t.name for t in tokens[star.first + 2 : end] if t.name}
    if tokens[star.first].word != "*" or (len(items) > 1 and tokens[star.first + 2].word == "("):
        raise NotImitated("EXCLUDE beside other items in a select list")
    known = _known(sql, tokens, end, columns)
    if unknown := left_out - set(known):
        raise Refused(f"EXCLUDE of a column that is not there ({', '.join(sorted(unknown))})")
    if len(set(known)) < len(known):
        raise NotImitated("EXCLUDE where two columns have the same name")
    names = ", ".join(identifier(n) for n in known if n not in left_out)
    return apply(sql, [Edit(tokens[star.first].start, tokens[end - 1].end, names)])


def _without_aliases(sql: str, tokens: list[Token], items: list[_Item], end: int, columns: Columns) -> str:
    given: dict[str, str] = {}
    known: list[str] | None = None
    edits: list[Edit] = []
    for item in items:
        found = [i for i in _names(tokens, item) if tokens[i].name in given]
        if found and known is None:
            known = _known(sql, tokens, end, columns)
        text, shift = sql[tokens[item.first].start : tokens[item.last - 1].end], tokens[item.first].start
        new = [
            Edit(tokens[i].start - shift, tokens[i].end - shift, f"({given[tokens[i].name]})")
            for i in found
            if tokens[i].name not in (known or ())
        ]
        if new:
            text = apply(text, new)
            name = "" if item.alias or len(item_tokens := tokens[item.first : item.end]) > 1 else item_tokens[0].name
            named = f" as {identifier(name)}" if name else ""
            edits.append(Edit(shift, tokens[item.last - 1].end, text + named))
        if item.alias:
            given.setdefault(item.alias, text)
    return apply(
        sql, edits + _in_condition(sql, tokens, given, end, known or partial(_known, sql, tokens, end, columns))
    )


def _in_condition(
    sql: str, tokens: list[Token], given: dict[str, str], end: int, known: list[str] | Callable[[], list[str]]
) -> list[Edit]:
    """The WHERE of this SELECT with the aliases of its list in it, as AWS's own drivers write it. A column that is but
    called by its own name needs nothing."""
    others = {name: text for name, text in given.items() if not _is_column(text, name)}
    start = clause_end(tokens, end, AFTER_FROM)
    if not others or start >= len(tokens) or tokens[start].word != "WHERE":
        return []
    stop = clause_end(tokens, start + 1, AFTER_FROM)
    found = [i for i in _names(tokens, _Item(start + 1, stop, stop, "")) if tokens[i].name in others]
    if not found:
        return []
    try:
        names = known() if callable(known) else known
    except RedshiftError:
        return []  # a table that is not there, or not yet: PostgreSQL says so, if it is one
    return [
        Edit(tokens[i].start, tokens[i].end, f"({others[tokens[i].name]})")
        for i in found
        if tokens[i].name not in names
    ]


def _is_column(text: str, name: str) -> bool:
    tokens = _tokenize(text)
    return tokens[-1].name == name and all(t.kind in (WORD, QUOTED) or t.text == "." for t in tokens)


def _names(tokens: list[Token], item: _Item) -> list[int]:
    """Where a name stands alone in the expression, as that of a column would."""
    found, at = [], item.first
    while at < item.last:
        token, before = tokens[at], tokens[at - 1]
        following = tokens[at + 1] if at + 1 < item.last else None
        if token.word == "(" and following is not None and following.word in ("SELECT", "WITH"):
            at = closing(tokens, at)  # a query has names of its own
        elif token.kind in (WORD, QUOTED) and not (
            before.text in (".", "::")
            or before.kind in (STRING, NUMBER, PARAM)
            or token.word in _SYNTAX
            or (before.word in ("AS", "AT", "NULLS", "TO") and at > item.first)
            or (following is not None and (following.word in ("(", ".", "ZONE") or following.kind == STRING))
            or (before.text == "(" and tokens[at - 2].word in _PART_FIRST)
        ):
            found.append(at)
        at += 1
    return found

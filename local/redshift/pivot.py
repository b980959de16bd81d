"""PIVOT and UNPIVOT in FROM in, subqueries out. Redshift's SQL in and out: what follows rewrites it as any other.

Columns that the operator does not name are carried along, so the database is asked which there are (questions.py).
"""

from __future__ import annotations

from .errors import RedshiftError, Refused
from .lexer import (
    QUOTED,
    STRING,
    WORD,
    Edit,
    Token,
    apply,
    closing,
    identifier,
    literal,
    string_value,
    tokenize,
)
from .questions import AFTER_FROM, Columns, names_of

_AGGREGATES = {"COUNT", "SUM", "MIN", "MAX", "AVG"}
_AFTER_SOURCE = AFTER_FROM | {"JOIN", "LEFT", "RIGHT", "FULL", "INNER", "CROSS", "NATURAL", "ON", "USING"}


def without_pivots(sql: str, columns: Columns) -> str:
    count = 0
    while (at := _operator(tokenize(sql))) >= 0:
        count += 1
        sql = _replaced(sql, at, columns, count)
    return sql


def _operator(tokens: list[Token]) -> int:
    """The first PIVOT ( or UNPIVOT (; UNPIVOT of a SUPER object is none of them."""
    for at, token in enumerate(tokens[:-1]):
        following = tokens[at + 1].word
        if token.word == "PIVOT" and following == "(":
            return at
        if token.word == "UNPIVOT" and (following == "(" or (following in ("INCLUDE", "EXCLUDE"))):
            return at
    return -1


def _replaced(sql: str, at: int, columns: Columns, count: int) -> str:
    tokens = tokenize(sql)
    first = _source(tokens, at)
    source = sql[tokens[first].start : tokens[at - 1].end]
    known = names_of(sql, tokens, first, ("*", source), columns)
    opening = at + 3 if tokens[at + 1].word in ("INCLUDE", "EXCLUDE") else at + 1
    end = closing(tokens, opening)
    inside = tokens[opening + 1 : end]
    if tokens[at].word == "PIVOT":
        query = _pivot(sql, inside, source, known)
    else:
        query = _unpivot(sql, inside, source, known, include=tokens[at + 1].word == "INCLUDE")
    after = tokens[end + 1] if end + 1 < len(tokens) else None
    named = after is not None and after.kind in (WORD, QUOTED) and after.word not in _AFTER_SOURCE
    if any(t.word in ("PIVOT", "UNPIVOT") for t in tokens[end + 1 : end + 4]):
        raise Refused("PIVOT or UNPIVOT of another one")
    alias = "" if named else f" as pivoted_{count}"
    return apply(sql, [Edit(tokens[first].start, tokens[end].end, f"({query}){alias}")])


def _source(tokens: list[Token], at: int) -> int:
    """The first token of the table or subquery that stands before tokens[at]."""
    depth, i = 0, at - 1
    while i >= 0:
        word = tokens[i].word
        if depth == 0 and word in ("FROM", "JOIN", ",", "("):
            break
        depth += (word == ")") - (word == "(")
        i -= 1
    if i < 0 or i == at - 1:
        raise RedshiftError(f'syntax error at or near "{tokens[at].text}"', "42601")
    return i + 1


def _listed(tokens: list[Token]) -> list[tuple[list[Token], str]]:
    """`(v [as a], …)`: the tokens of each value, and its alias."""
    found: list[tuple[list[Token], str]] = []
    part: list[Token] = []
    depth = 0
    for token in [*tokens[1:-1], None]:
        if token is None or (token.word == "," and depth == 0):
            if not part:
                raise RedshiftError("syntax error in the IN list of PIVOT or UNPIVOT", "42601")
            alias = ""
            if len(part) > 1 and part[-1].kind in (WORD, QUOTED) and part[-2].text != ".":
                alias, part = part[-1].name, part[:-1]
                part = part[:-1] if part[-1].word == "AS" else part
            found.append((part, alias))
            part = []
            continue
        depth += (token.word == "(") - (token.word == ")")
        part.append(token)
    return found


def _for_in(tokens: list[Token]) -> tuple[list[Token], str, list[tuple[list[Token], str]]]:
    """`… FOR column IN (…)`: what stands before, the column, the list."""
    words = [t.word for t in tokens]
    at = next((i for i, word in enumerate(words[:-4]) if word == "FOR" and words[i + 2] == "IN"), -1)
    if at < 1 or words[at + 3] != "(" or closing(tokens, at + 3) != len(tokens) - 1:
        raise RedshiftError("syntax error: PIVOT and UNPIVOT need … FOR column IN (…)", "42601")
    return tokens[:at], tokens[at + 1].name, _listed(tokens[at + 3 :])


def _pivot(sql: str, tokens: list[Token], source: str, known: list[str]) -> str:
    call, column, values = _for_in(tokens)
    name = call[0].word
    end = closing(call, 1) if len(call) > 2 and call[1].word == "(" else 0
    if name not in _AGGREGATES or not end or column not in known:
        raise Refused("PIVOT of anything but COUNT, SUM, MIN, MAX or AVG, for a column of its table")
    suffix = f"_{call[-1].name}" if end < len(call) - 1 else ""
    distinct = "distinct " if call[2].word == "DISTINCT" else ""
    arguments = call[3 if distinct else 2 : end]
    used = {t.name for t in arguments if t.name} | {column}
    value = "1" if [t.word for t in arguments] == ["*"] else sql[arguments[0].start : arguments[-1].end]
    kept = [identifier(n) for n in known if n not in used]
    results = []
    for part, alias in values:
        text = sql[part[0].start : part[-1].end]
        condition = f"{identifier(column)} {'is null' if part[0].word == 'NULL' else '= ' + text}"
        title = identifier((alias or _default_name(part)) + suffix)
        results.append(f"{name}({distinct}case when {condition} then {value} end) as {title}")
    grouped = f" group by {', '.join(kept)}" if kept else ""
    return f"select {', '.join([*kept, *results])} from {source}{grouped}"


def _default_name(value: list[Token]) -> str:
    if len(value) > 1:
        return "?column?"
    return string_value(value[0]) if value[0].kind == STRING else value[0].text.lower()


def _unpivot(sql: str, tokens: list[Token], source: str, known: list[str], include: bool) -> str:
    value, column, listed = _for_in(tokens)
    names = [part[0].name for part, _ in listed]
    if len(value) != 1 or any(len(part) != 1 or part[0].name not in known for part, _ in listed):
        raise Refused("UNPIVOT of anything but columns of its table")
    kept = ", ".join([identifier(n) for n in known if n not in names] + [""])
    selects = []
    for name, (_, alias) in zip(names, listed, strict=True):
        row = f"{literal(alias or name)}::varchar as {identifier(column)}, {identifier(name)}"
        row += f" as {identifier(value[0].name)}"
        skip = "" if include else f" where {identifier(name)} is not null"
        selects.append(f"select {kept}{row} from unpivoted{skip}")
    return f"with unpivoted as (select * from {source}) {' union all '.join(selects)}"

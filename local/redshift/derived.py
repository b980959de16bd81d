"""Names for subqueries in FROM that have none: Redshift wants none, PostgreSQL 15 does.

Redshift's documentation, "FROM clause": the table of a subquery is typically given an alias, but need not be. Done
after FROM and JOIN; after a comma, or within further parentheses, PostgreSQL's error stays.
"""

from __future__ import annotations

from .lexer import QUOTED, WORD, Edit, apply, tokenize
from .paths import FROM_IN_CALLS

# What may follow a subquery that has no alias.
_NOT_AN_ALIAS = {
    "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "OFFSET", "UNION", "INTERSECT", "EXCEPT", "MINUS", "JOIN", "INNER",
    "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL", "ON", "USING", "QUALIFY", "PIVOT", "UNPIVOT", "WINDOW", "FETCH",
    "WITH",
}  # fmt: skip


def with_aliases(sql: str) -> str:
    tokens = tokenize(sql)
    edits: list[Edit] = []
    opened: list[tuple[str, bool]] = []  # the word before each open parenthesis; whether its subquery may lack a name
    for at, token in enumerate(tokens):
        before = tokens[at - 1].word if at else ""
        if token.text == "(" and token.kind == "op":
            following = tokens[at + 1].word if at + 1 < len(tokens) else ""
            is_from = before == "JOIN" or (
                before == "FROM"
                and (at < 2 or tokens[at - 2].word != "DISTINCT")  # IS DISTINCT FROM
                and not (opened and opened[-1][0] in FROM_IN_CALLS)
            )
            opened.append((before, is_from and following in ("SELECT", "WITH")))
        elif token.text == ")" and token.kind == "op" and opened:
            _, derived = opened.pop()
            after = tokens[at + 1] if at + 1 < len(tokens) else None
            named = after is not None and after.kind in (WORD, QUOTED) and after.word not in _NOT_AN_ALIAS
            if derived and not named:
                edits.append(Edit(token.end, token.end, f" as derived_table_{len(edits) + 1}"))
    return apply(sql, edits) if edits else sql

"""SELECT … INTO table in, CREATE TABLE AS out."""

from __future__ import annotations

from .expressions import rewrite
from .lexer import Token, read_name, skip
from .statement import Statement


def select_into(sql: str, tokens: list[Token]) -> Statement | None:
    """None: the query has no INTO."""
    depth = 0
    for i, token in enumerate(tokens):
        depth += (token.word == "(") - (token.word == ")")
        if token.word == "INTO" and depth == 0:
            at = skip(tokens, skip(tokens, i + 1, "TEMP"), "TEMPORARY")
            table, end = read_name(tokens, skip(tokens, at, "TABLE"))
            query = rewrite(sql[: token.start] + sql[tokens[end - 1].end :])
            head = f"create {'temporary ' if at > i + 1 else ''}table {table} as "
            return Statement(sql, head + query, "SELECT", query=query, makes_columns=True)
    return None

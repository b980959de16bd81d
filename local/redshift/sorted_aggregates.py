"""Aggregates that sort what they put together: in one select list Redshift lets them have one order only.

The tokens of a select list in; an error if LISTAGG, PERCENTILE_CONT and MEDIAN in it sort by different values
("MEDIAN function", usage notes). Those with OVER are no such aggregates.
"""

from __future__ import annotations

from .errors import RedshiftError
from .lexer import Token, closing


def check_orders(tokens: list[Token], first: int, end: int) -> None:
    orders: set[tuple[str, ...]] = set()
    at = first
    while at < end:
        if tokens[at].word == "(" and tokens[at + 1].word in ("SELECT", "WITH"):
            at = closing(tokens, at)  # a query has orders of its own
        elif tokens[at].word in ("LISTAGG", "PERCENTILE_CONT", "MEDIAN") and tokens[at - 1].word != ".":
            orders |= _order(tokens, at, end)
        at += 1
    if len(orders) > 1:
        raise RedshiftError("within group ORDER BY clauses for aggregate functions must be the same", "0A000")


def _order(tokens: list[Token], at: int, end: int) -> set[tuple[str, ...]]:
    """What the call at this place sorts by; nothing if it is none or does not sort."""
    if at + 1 >= end or tokens[at + 1].word != "(":
        return set()
    last = closing(tokens, at + 1)
    by = tokens[at + 2 : last]
    within = [t.word for t in tokens[last + 1 : last + 3]] == ["WITHIN", "GROUP"]
    if within:
        opened, last = last + 3, closing(tokens, last + 3)
        by = tokens[opened + 3 : last]  # behind ORDER BY
    elif tokens[at].word != "MEDIAN":
        return set()
    if last + 1 < len(tokens) and tokens[last + 1].word == "OVER":
        return set()
    return {tuple(t.name or t.text for t in by if t.word != "ASC")}

"""Which columns a FROM clause has: asked of the database, for what a statement's own text does not tell.

Part of a statement in, a query of its own out: the CTEs that are visible there, and SELECT * of that part. The session
runs it for no rows and answers with the names (session.py).
"""

from __future__ import annotations

from collections.abc import Callable

from .errors import NotImitated
from .lexer import PARAM, QUOTED, WORD, Edit, Token, apply, closing, tokenize

Columns = Callable[[str], list[str]]

# What may follow a FROM clause.
AFTER_FROM = {
    "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "UNION", "INTERSECT", "EXCEPT", "MINUS", "QUALIFY",
    "WINDOW", "START", "CONNECT", "FETCH", "WITH",
}  # fmt: skip


def clause_end(tokens: list[Token], at: int, words: set[str]) -> int:
    """The index of the first of these words, or of what closes the parenthesis that is open here."""
    depth = 0
    while at < len(tokens):
        word = tokens[at].word
        depth += (word in ("(", "[")) - (word in (")", "]"))
        if depth < 0 or (depth == 0 and word in words and tokens[at - 1].word not in ("DISTINCT", ".", "AS", "WITHIN")):
            return at
        at += 1
    return at


def split_at(tokens: list[Token], first: int, end: int, word: str) -> list[tuple[int, int]]:
    """The parts of tokens[first:end] between commas or ANDs, as pairs of indexes; the AND of BETWEEN is none."""
    parts, depth, start, between = [], 0, first, False
    for at in range(first, end):
        found = tokens[at].word
        depth += (found in ("(", "[")) - (found in (")", "]"))
        between = between or (depth == 0 and found == "BETWEEN")
        if found == word and depth == 0:
            if word == "AND" and between:
                between = False
                continue
            parts.append((start, at))
            start = at + 1
    return [(a, b) for a, b in [*parts, (start, end)] if b > a]


def nobody(query: str) -> list[str]:
    """Where there is no session to ask."""
    raise NotImitated(
        "PIVOT, UNPIVOT, EXCLUDE, (+), * with QUALIFY or an alias within its own select list, in this place"
    )


def names_of(sql: str, tokens: list[Token], at: int, select: tuple[str, str], columns: Columns) -> list[str]:
    """The columns of a `select`: of what, as `*` or one table's `t.*`, and the text of its FROM clause without FROM,
    which stands around tokens[at]."""
    of, source = select
    recursive, ctes = _visible(tokens, at)
    texts = ", ".join(sql[tokens[first].start : tokens[last].end] for first, last in ctes)
    head = f"with {'recursive ' if recursive else ''}{texts} " if texts else ""
    query = f"{head}select {of} from {source}\n"
    parameters = [Edit(t.start, t.end, "null") for t in tokenize(query) if t.kind == PARAM]
    return columns(apply(query, parameters))


def _visible(tokens: list[Token], at: int) -> tuple[bool, list[tuple[int, int]]]:
    """The CTEs that a query at tokens[at] may name: the first and last token of each; and if one is recursive."""
    scopes: list[list[tuple[int, int]]] = [[]]
    recursive = False
    for i, token in enumerate(tokens[:at]):
        if token.word == "(":
            scopes.append([])
        elif token.word == ")" and len(scopes) > 1:
            scopes.pop()
        elif token.word == "WITH":
            begin = i + 2 if tokens[i + 1].word == "RECURSIVE" else i + 1
            found = [(first, last) for first, last in _ctes(tokens, begin) if last < at]
            recursive = recursive or (begin == i + 2 and bool(found))
            scopes[-1] += found
    return recursive, [cte for scope in scopes for cte in scope]


def _ctes(tokens: list[Token], at: int) -> list[tuple[int, int]]:
    """`a as (…), b (x) as (…)` at this place; nothing if it is another WITH."""
    found = []
    while at + 2 < len(tokens) and tokens[at].kind in (WORD, QUOTED):
        as_ = closing(tokens, at + 1) + 1 if tokens[at + 1].word == "(" else at + 1
        if as_ + 1 >= len(tokens) or tokens[as_].word != "AS" or tokens[as_ + 1].word != "(":
            break
        last = closing(tokens, as_ + 1)
        found.append((at, last))
        if last + 1 >= len(tokens) or tokens[last + 1].word != ",":
            break
        at = last + 2
    return found

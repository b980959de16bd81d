"""Select lists and branches of set operations in a statement's text, and edits that stand inside one another."""

from __future__ import annotations

from dataclasses import dataclass, field

from .lexer import OP, QUOTED, WORD, Token
from .operands import ends_operand

_SET_WORDS = {"UNION", "INTERSECT", "EXCEPT"}
_ENDS_LIST = _SET_WORDS | {
    "FROM", "INTO", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "WINDOW", "FETCH", "FOR",
}  # fmt: skip
_AFTER_SETS = {"ORDER", "LIMIT", "OFFSET", "FETCH"}
_NOT_NAMES = {"END", "NULL", "TRUE", "FALSE", "PRECISION", "VARYING", "ZONE"}


@dataclass
class Item:
    """One expression of a select list: indexes of its first and its last token."""

    select: int  # the SELECT that it belongs to
    first: int
    last: int

    def is_star(self, tokens: list[Token]) -> bool:
        return tokens[self.last].text == "*"

    def value_end(self, tokens: list[Token]) -> int:
        """The last token before its name."""
        if not self.is_named(tokens):
            return self.last
        return self.last - (2 if tokens[self.last - 1].word == "AS" else 1)

    def is_named(self, tokens: list[Token]) -> bool:
        if self.last == self.first:
            return False
        name, before = tokens[self.last], tokens[self.last - 1]
        is_name = name.kind == QUOTED or (name.kind == WORD and name.word not in _NOT_NAMES)
        return is_name and (before.word == "AS" or ends_operand(before))


def select_items(tokens: list[Token]) -> list[Item]:
    """Of every SELECT of the statement; those of inner ones before those around them."""
    items: list[Item] = []
    open_lists: list[tuple[int, int]] = [(-1, 0)]  # per open parenthesis: its SELECT and where its item begins
    for at, token in enumerate(tokens):
        select, first = open_lists[-1]
        if token.kind == OP and token.text in "([":
            open_lists.append((-1, 0))
        elif token.kind == OP and token.text in ")]" and len(open_lists) > 1:
            _end(items, select, first, at - 1)
            open_lists.pop()
        elif token.word == "SELECT":
            following = at + 2 if at + 1 < len(tokens) and tokens[at + 1].word in ("DISTINCT", "ALL") else at + 1
            open_lists[-1] = (at, following)
        elif select >= 0 and token.text == "," and token.kind == OP:
            _end(items, select, first, at - 1)
            open_lists[-1] = (select, at + 1)
        elif select >= 0 and _ends_list(tokens, at):
            _end(items, select, first, at - 1)
            open_lists[-1] = (-1, 0)
    _end(items, *open_lists[-1], len(tokens) - 1)
    return items


def _end(items: list[Item], select: int, first: int, last: int) -> None:
    if select >= 0 and first <= last:
        items.append(Item(select, first, last))


def _ends_list(tokens: list[Token], at: int) -> bool:
    is_word = tokens[at].word in _ENDS_LIST and tokens[at - 1].text != "."
    return is_word and (tokens[at].word, tokens[at - 1].word) != ("FROM", "DISTINCT")


def selects(tokens: list[Token]) -> list[int]:
    """For each token the SELECT in whose query it stands; -1 for none."""
    found, open_queries = [], [-1]
    for at, token in enumerate(tokens):
        if token.word == "(":
            open_queries.append(open_queries[-1])
        elif token.word == ")" and len(open_queries) > 1:
            open_queries.pop()
        elif token.word == "SELECT":
            open_queries[-1] = at
        found.append(open_queries[-1])
    return found


def unqualified(tokens: list[Token], first: int, last: int) -> tuple[str, ...]:
    """The words of an expression, names without what stands before their dot: how two writings of it compare."""
    return tuple(
        token.name or token.text
        for at, token in enumerate(tokens[first : last + 1], first)
        if token.text != "." and (at == last or tokens[at + 1].text != ".")
    )


def branch_end(tokens: list[Token], select: int) -> int:
    """The last token of the branch of a set operation that begins with this SELECT. What sorts or limits the whole
    does not belong to the last branch; it does if the branch has parentheses of its own."""
    depth, end, limit = 0, len(tokens), 0
    for at in range(select, len(tokens)):
        if depth == 0 and (tokens[at].text == ")" or tokens[at].word in _SET_WORDS):
            end = at
            break
        depth += (tokens[at].text == "(") - (tokens[at].text == ")")
        if depth == 0 and tokens[at].word in _AFTER_SETS and not limit:
            limit = at
    own = select > 0 and tokens[select - 1].text == "(" and end < len(tokens) and tokens[end].text == ")"
    return (limit if limit and not own else end) - 1


@dataclass
class Insertions:
    """Text around spans that nest, and in place of single tokens between them."""

    _pieces: list[tuple[int, tuple[int, int, int], str, int]] = field(default_factory=list)

    def around(self, start: int, end: int, before: str, after: str) -> None:
        """Of two with the same span the first one is the outer."""
        order, length = len(self._pieces), end - start
        self._pieces.append((start, (1, -length, order), before, 0))
        self._pieces.append((end, (0, length, -order), after, 0))

    def behind(self, start: int, end: int, after: str) -> None:
        """Behind all that was put around this very span."""
        self._pieces.append((end, (0, end - start, 1), after, 0))

    def instead(self, start: int, end: int, text: str) -> None:
        self._pieces.append((start, (2, 0, 0), text, end - start))

    def apply(self, sql: str) -> str:
        parts, at = [], 0
        for position, _, text, replaced in sorted(self._pieces):
            parts += [sql[at:position], text]
            at = position + replaced
        return "".join([*parts, sql[at:]])

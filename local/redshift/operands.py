"""Where the operands of an arithmetic operator or a cast stand in a statement: tokens and the index of the operator
in, indexes of the first and the last token of its operands out.

Precedence is PostgreSQL's: `^`, then `* / %`, then `+ -`, each from the left. Only what can stand beside an operator
of numbers is known here.
"""

from __future__ import annotations

from .errors import RedshiftError
from .lexer import NUMBER, PARAM, QUOTED, STRING, WORD, Token, closing

_PRECEDENCE = {"^": 3, "*": 2, "/": 2, "%": 2, "+": 1, "-": 1}
_PREFIX = {"+", "-", "@", "|", "~"}

# Words behind which an operand begins: what stands before it is not an operand.
_BEFORE_OPERAND = {
    "ALL", "AND", "ANY", "AS", "BETWEEN", "BY", "CASE", "DISTINCT", "ELSE", "ESCAPE", "FROM", "HAVING", "ILIKE", "IN",
    "INTO", "IS", "LIKE", "LIMIT", "NOT", "OFFSET", "ON", "OR", "RETURN", "SELECT", "SET", "SIMILAR", "SOME", "THEN",
    "TO", "UNION", "EXCEPT", "INTERSECT", "USING", "VALUES", "WHEN", "WHERE", "WITH", "RETURNING", "OVER", "ROWS",
}  # fmt: skip
_CALLS = {"CAST", "COALESCE", "GREATEST", "LEAST"}
_TYPED_LITERAL = {"DATE", "INTERVAL", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "NUMERIC", "DECIMAL"}
_TYPE_ENDS = {("DOUBLE", "PRECISION"), ("CHARACTER", "VARYING"), ("TIME", "ZONE")}


def ends_operand(token: Token) -> bool:
    if token.kind == WORD:
        return token.word not in _BEFORE_OPERAND
    return token.kind in (NUMBER, STRING, PARAM, QUOTED) or token.text in (")", "]")


def is_binary(tokens: list[Token], at: int) -> bool:
    """Is this an arithmetic operator between two operands (not a sign, not the star of `count(*)` or `t.*`)?"""
    if tokens[at].kind != "op" or tokens[at].text not in _PRECEDENCE or not 0 < at < len(tokens) - 1:
        return False
    following = tokens[at + 1]
    if tokens[at].text == "*" and (following.text in (",", ")") or following.word in ("FROM", "EXCLUDE")):
        return False
    return ends_operand(tokens[at - 1])


def is_anchor(tokens: list[Token], at: int) -> bool:
    """Is it the token by which PostgreSQL says where an expression of these kinds stands?"""
    word = tokens[at].word
    following = _text(tokens, at + 1)
    return word in ("::", "CASE") or (word in _CALLS and following == "(") or is_binary(tokens, at)


def operands(tokens: list[Token], at: int) -> tuple[int, int]:
    """The first and the last token of what an operator computes with, of what is cast, or of a call or a CASE."""
    if tokens[at].word == "::":
        return _primary_start(tokens, at - 1), at - 1
    if tokens[at].word == "CAST":
        return at + 2, _cast_as(tokens, at) - 1
    return whole(tokens, at)


def whole(tokens: list[Token], at: int) -> tuple[int, int]:
    """The same, with the type of a cast."""
    if tokens[at].word == "::":
        return _primary_start(tokens, at - 1), _type_end(tokens, at + 1)
    if is_binary(tokens, at):
        precedence = _PRECEDENCE[tokens[at].text]
        return _first(tokens, at - 1, precedence), _last(tokens, at + 1, precedence)
    return at, _core_end(tokens, at)


def _cast_as(tokens: list[Token], at: int) -> int:
    depth, end = 0, closing(tokens, at + 1)
    for i in range(end, at + 1, -1):
        depth += (tokens[i].text == ")") - (tokens[i].text == "(")
        if depth == 1 and tokens[i].word == "AS":
            return i
    raise RedshiftError("syntax error: CAST without AS", "42601")


def _first(tokens: list[Token], at: int, precedence: int) -> int:
    start = _primary_start(tokens, at)
    while start > 0:
        before = tokens[start - 1]
        if before.kind != "op":
            break
        if is_binary(tokens, start - 1) and _PRECEDENCE[before.text] >= precedence:
            start = _primary_start(tokens, start - 2)
        elif before.text in _PREFIX and not (start > 1 and ends_operand(tokens[start - 2])):
            start -= 1
        else:
            break
    return start


def _last(tokens: list[Token], at: int, precedence: int) -> int:
    while tokens[at].text in _PREFIX and tokens[at].kind == "op":
        at += 1
    end = _primary_end(tokens, at)
    while end + 2 < len(tokens) and _PRECEDENCE.get(tokens[end + 1].text, 0) > precedence:
        end = _last(tokens, end + 2, _PRECEDENCE[tokens[end + 1].text])
    return end


def _primary_end(tokens: list[Token], at: int) -> int:
    """With the casts and subscripts behind it."""
    end = _core_end(tokens, at)
    while True:
        following = _text(tokens, end + 1)
        if following == "[":
            end = closing(tokens, end + 1)
        elif following == "::":
            end = _type_end(tokens, end + 2)
        else:
            return end


def _core_end(tokens: list[Token], at: int) -> int:
    token = tokens[at]
    if token.text == "(" and token.kind == "op":
        return closing(tokens, at)
    if token.word == "CASE":
        return _case_end(tokens, at)
    if token.word in _TYPED_LITERAL and at + 1 < len(tokens) and tokens[at + 1].kind == STRING:
        return at + 1
    end = _name_end(tokens, at)
    if _text(tokens, end + 1) == "(" and token.kind in (WORD, QUOTED):
        return _window_end(tokens, closing(tokens, end + 1))
    return end


def _name_end(tokens: list[Token], at: int) -> int:
    while _text(tokens, at + 1) == "." and at + 2 < len(tokens) and tokens[at].kind in (WORD, QUOTED):
        at += 2
    return at


def _window_end(tokens: list[Token], end: int) -> int:
    """Behind the arguments of a call: WITHIN GROUP (…), OVER (…)."""
    if _word(tokens, end + 1) == "WITHIN" and _word(tokens, end + 2) == "GROUP":
        end = closing(tokens, end + 3)
    if _word(tokens, end + 1) == "OVER" and _text(tokens, end + 2) == "(":
        end = closing(tokens, end + 2)
    return end


def _type_end(tokens: list[Token], at: int) -> int:
    end = _name_end(tokens, at)
    if (_word(tokens, end), _word(tokens, end + 1)) in _TYPE_ENDS:
        end += 1
    if _text(tokens, end + 1) == "(":
        end = closing(tokens, end + 1)
    if _word(tokens, end + 1) in ("WITH", "WITHOUT") and _word(tokens, end + 2) == "TIME":
        end += 3
    return end


def _case_end(tokens: list[Token], at: int) -> int:
    depth = 0
    for i in range(at, len(tokens)):
        if _text(tokens, i - 1) != ".":
            depth += (tokens[i].word == "CASE") - (tokens[i].word == "END")
        if depth == 0:
            return i
    raise RedshiftError("syntax error: CASE without END", "42601")


def _primary_start(tokens: list[Token], at: int) -> int:
    """The first token of what ends here: `f(x) over (…)`, `t.a::numeric(8,2)`, `case … end`, `(…)`."""
    start = at
    if tokens[at].text == ")" and tokens[at].kind == "op":
        start = _before_parentheses(tokens, _opening(tokens, at))
    elif tokens[at].text == "]" and tokens[at].kind == "op":
        return _primary_start(tokens, _opening(tokens, at) - 1)
    elif tokens[at].word == "END":
        start = _case_start(tokens, at)
    elif (_word(tokens, at - 1), tokens[at].word) in _TYPE_ENDS:
        start = at - 2 if _word(tokens, at - 2) in ("WITH", "WITHOUT") else at - 1
        start -= tokens[at].word == "ZONE"
    elif tokens[at].kind == STRING and _word(tokens, at - 1) in _TYPED_LITERAL:
        start = at - 1
    start = _name_start(tokens, start)
    if _text(tokens, start - 1) == "::":
        return _primary_start(tokens, start - 2)
    return start


def _before_parentheses(tokens: list[Token], opening: int) -> int:
    """From an open parenthesis to the name of the call that it belongs to, if it does to one."""
    before = tokens[opening - 1] if opening else None
    if before is None or before.kind not in (WORD, QUOTED):
        return opening
    if before.word == "OVER":
        return _primary_start(tokens, opening - 2)
    if before.word == "GROUP" and _word(tokens, opening - 2) == "WITHIN":
        return _primary_start(tokens, opening - 3)
    if before.word == "VARYING" and _word(tokens, opening - 2) == "CHARACTER":
        return opening - 2
    return opening if before.word in _BEFORE_OPERAND else opening - 1


def _name_start(tokens: list[Token], at: int) -> int:
    while at >= 2 and _text(tokens, at - 1) == "." and tokens[at].kind in (WORD, QUOTED):
        at -= 2
    return at


def _case_start(tokens: list[Token], at: int) -> int:
    depth = 0
    for i in range(at, -1, -1):
        if _text(tokens, i - 1) != ".":
            depth += (tokens[i].word == "END") - (tokens[i].word == "CASE")
        if depth == 0:
            return i
    raise RedshiftError("syntax error: END without CASE", "42601")


def _opening(tokens: list[Token], at: int) -> int:
    depth = 0
    for i in range(at, -1, -1):
        if tokens[i].kind == "op":
            depth += (tokens[i].text in ")]") - (tokens[i].text in "([")
        if depth == 0:
            return i
    raise RedshiftError("syntax error: unbalanced parentheses", "42601")


def _text(tokens: list[Token], at: int) -> str:
    return tokens[at].text if 0 <= at < len(tokens) and tokens[at].kind != STRING else ""


def _word(tokens: list[Token], at: int) -> str:
    return tokens[at].word if 0 <= at < len(tokens) else ""

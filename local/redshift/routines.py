"""CREATE FUNCTION (SQL only) of Redshift in, PostgreSQL's out."""

from __future__ import annotations

from .errors import RedshiftError, Refused
from .expressions import rewrite
from .lexer import PARAM, STRING, Edit, Token, apply, closing, literal, read_name, skip, string_value, tokenize
from .statement import Statement
from .types import read_type

_NOT_IN_A_FUNCTION = {"FROM", "INTO", "WHERE", "GROUP", "ORDER", "LIMIT"}


def create_function(sql: str, tokens: list[Token]) -> Statement:
    """A scalar SQL function: arguments without names, one SELECT of one expression."""
    at = skip(tokens, 1, "OR", "REPLACE")
    replace, at = at > 1, skip(tokens, at, "FUNCTION")
    name, at = read_name(tokens, at)
    if at >= len(tokens) or tokens[at].text != "(":
        raise RedshiftError("syntax error: a function needs a list of arguments", "42601")
    words = [t.word for t in tokens]
    if "LANGUAGE" not in words or words[-1] == "LANGUAGE":
        raise RedshiftError("syntax error: a function needs a LANGUAGE", "42601")
    language = tokens[words.index("LANGUAGE") + 1].name
    if language == "plpythonu":
        raise Refused("a new Python function")
    if language != "sql":
        raise Refused(f"a function in the language {language}")
    last = closing(tokens, at)
    types, at = _argument_types(tokens, at + 1, last), last + 1
    if tokens[at].word != "RETURNS":
        raise RedshiftError("syntax error: RETURNS is missing", "42601")
    returns = read_type(tokens, at + 1, column=False)
    if returns is None:
        raise Refused(f"type {tokens[at + 1].text.lower()}")
    volatility = tokens[returns.end].word
    if volatility not in ("VOLATILE", "STABLE", "IMMUTABLE"):
        raise RedshiftError("a function is VOLATILE, STABLE or IMMUTABLE", "42601")
    if words[returns.end + 1] != "AS" or tokens[returns.end + 2].kind != STRING:
        raise RedshiftError("syntax error: AS $$ … $$ is missing", "42601")
    text = _body(string_value(tokens[returns.end + 2]), types)
    head = f"create {'or replace ' if replace else ''}function {name} ({', '.join(types)}) returns {returns.sql}"
    made = f"{head} language sql {volatility.lower()} as {literal(text)}"
    return Statement(sql, made, "CREATE", query=text, quoted=True)


def _argument_types(tokens: list[Token], at: int, end: int) -> list[str]:
    types = []
    while at < end:
        found = read_type(tokens, at, column=False)
        if found is None:
            raise Refused("a name for an argument of a SQL function", "its body says $1, $2 …")
        types.append(found.sql)
        at = found.end
        if at < end and tokens[at].text != ",":
            raise RedshiftError("syntax error in the list of arguments", "42601")
        at += 1
    return types


def _body(text: str, types: list[str]) -> str:
    """Arguments are cast to their own types: PostgreSQL forgets the precision of a DECIMAL that is passed."""
    tokens = tokenize(text)
    if not tokens or tokens[0].word != "SELECT":
        raise Refused("a SQL function that is not one SELECT")
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.word in _NOT_IN_A_FUNCTION:
            raise Refused(f"{token.word} in a SQL function")
    arguments = {f"${number}": f"(${number}::{kind})" for number, kind in enumerate(types, 1)}
    return rewrite(
        apply(text, [Edit(t.start, t.end, arguments.get(t.text, t.text)) for t in tokens if t.kind == PARAM])
    )

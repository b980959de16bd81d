"""SQL text in, tokens with their positions out.

Positions matter: a statement is rewritten by replacing spans of its own text, so whatever needs no change
reaches PostgreSQL exactly as the client wrote it. That is why this is not sqlglot's tokenizer followed by its
generator, which writes the whole statement anew and approximates functions while doing so (facts in
dialect.py). Strings follow Redshift: a backslash escapes, also without a leading E.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from .errors import RedshiftError

WORD, QUOTED, STRING, NUMBER, PARAM, OP = "word", "quoted", "string", "number", "param", "op"

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*)
    | (?P<comment>/\*)
    | (?P<string>[eEbBxXnN]?'(?:[^'\\]|\\.|'')*')
    | (?P<dollar>\$(?:[A-Za-z_\x80-\uffff][\w]*)?\$)
    | (?P<param>\$\d+)
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<word>[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*)
    | (?P<number>\d+(?:\.(?!\.)\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
    | (?P<op>::|<=|>=|<>|!=|\|\||:=|=>|[-+*/<>=~!@\#%^&|`?]|[(),;.\[\]:{}\\])
    """,
    re.VERBOSE | re.DOTALL,
)
_HASH_NAME = re.compile(r"#[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*")
# A word after which # begins the name of a temporary table; after any other operand it is the bitwise operator.
_BEFORE_A_NAME = {
    "ALL", "ANALYZE", "AND", "BETWEEN", "BY", "CASE", "COPY", "DELETE", "DISTINCT", "ELSE", "EXISTS", "FROM", "HAVING",
    "IN", "INTO", "JOIN", "LIKE", "LOCK", "NOT", "ON", "OR", "SELECT", "SET", "TABLE", "THEN", "TO", "TRUNCATE",
    "UPDATE", "USING", "VACUUM", "WHEN", "WHERE",
}  # fmt: skip


class _Case(threading.local):
    """Of the client whom this thread serves: does enable_case_sensitive_identifier keep the case of quoted names?"""

    kept = False


CASE = _Case()


class Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int
    word: str = ""  # a bare word in upper case, for keywords and function names, or an operator; else nothing

    @property
    def name(self) -> str:
        """The identifier as Redshift stores it: lower case, quoted or not, unless a setting keeps a quoted one's."""
        if self.kind == QUOTED and self.text[0] == '"':
            name = self.text[1:-1].replace('""', '"')
            return name if CASE.kept else name.lower()
        return self.text.lower() if self.kind in (WORD, QUOTED) else ""


@lru_cache(maxsize=4)  # a statement is looked at several times on its way, and may hold a megabyte of values
def tokenize(sql: str) -> list[Token]:
    """The tokens; a list that nobody changes."""
    tokens: list[Token] = []
    at, end = 0, len(sql)
    while at < end:
        match = _TOKEN.match(sql, at)
        if match is None:
            raise RedshiftError("syntax error: unterminated string or unknown character", "42601")
        kind, stop = str(match.lastgroup), match.end()
        if kind == "comment":
            stop = _comment_end(sql, at)
        elif kind == "dollar":
            close = sql.find(match.group(), stop)
            if close < 0:
                raise RedshiftError("syntax error: unterminated dollar-quoted string", "42601")
            stop = close + len(match.group())
            tokens.append(Token(STRING, sql[at:stop], at, stop))
        elif match.group() == "#" and not _is_operand(tokens) and (name := _HASH_NAME.match(sql, at)):
            stop = name.end()
            tokens.append(Token(QUOTED, name.group(), at, stop))
        elif kind != "space":
            text = match.group()
            word = text.upper() if kind == WORD else text if kind == OP else ""
            tokens.append(Token(kind, text, at, stop, word))
        at = stop
    return tokens


def _is_operand(tokens: list[Token]) -> bool:
    """Is the last token one that an operator may follow?"""
    if not tokens:
        return False
    last = tokens[-1]
    return last.text in (")", "]") if last.kind == OP else last.word not in _BEFORE_A_NAME


def _comment_end(sql: str, start: int) -> int:
    """Comments nest in PostgreSQL."""
    depth, at = 0, start
    for mark in re.finditer(r"/\*|\*/", sql[start:]):
        depth += 1 if mark.group() == "/*" else -1
        at = start + mark.end()
        if depth == 0:
            return at
    raise RedshiftError("syntax error: unterminated comment", "42601")


def split(sql: str) -> list[str]:
    """The statements of a query string, without their semicolons; empty ones left out."""
    statements, start, seen = [], 0, False
    for token in tokenize(sql):
        if token.text == ";" and token.kind == OP:
            if seen:
                statements.append(sql[start : token.start])
            start, seen = token.end, False
        else:
            seen = True
    if seen:
        statements.append(sql[start:])
    return statements


def closing(tokens: list[Token], opening: int) -> int:
    """Index of the parenthesis that closes the one at `opening`."""
    depth = 0
    for i in range(opening, len(tokens)):
        if tokens[i].text in "([" and tokens[i].kind == OP:
            depth += 1
        elif tokens[i].text in ")]" and tokens[i].kind == OP:
            depth -= 1
            if depth == 0:
                return i
    raise RedshiftError("syntax error: unbalanced parentheses", "42601")


def opening(tokens: list[Token], at: int) -> int:
    """Index of the parenthesis that is open at tokens[at], which may be the one that closes it."""
    depth = 0
    for i in range(at, -1, -1):
        if tokens[i].text == ")" and tokens[i].kind == OP and i != at:
            depth += 1
        elif tokens[i].text == "(" and tokens[i].kind == OP:
            if depth == 0:
                return i
            depth -= 1
    raise RedshiftError("syntax error: unbalanced parentheses", "42601")


def string_value(token: Token) -> str:
    """What a string literal stands for."""
    text = token.text
    if text.startswith("$"):
        tag = text[: text.index("$", 1) + 1]
        return text[len(tag) : -len(tag)]
    return re.sub(r"\\(.)|''", lambda m: m.group(1) or "'", text[text.index("'") + 1 : -1], flags=re.DOTALL)


def literal(value: str) -> str:
    """A string literal that reads the same whatever standard_conforming_strings says."""
    return "E'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class Edit:
    start: int
    end: int
    text: str


def apply(sql: str, edits: Iterable[Edit]) -> str:
    """`sql` with every edit's span replaced; of two edits that overlap the outer one counts."""
    parts, at = [], 0
    for edit in sorted(edits, key=lambda e: (e.start, e.end != e.start, -e.end)):
        if edit.start >= at:
            parts += [sql[at : edit.start], edit.text]
            at = edit.end
    return "".join([*parts, sql[at:]])


def shape(sql: str) -> str:
    """The statement with every literal replaced by `?`: what a log may hold."""
    try:
        tokens = tokenize(sql)
    except RedshiftError:
        return "(not readable)"
    return " ".join("?" if t.kind in (STRING, NUMBER) else t.text for t in tokens)


def read_name(tokens: list[Token], at: int) -> tuple[str, int]:
    """A possibly qualified name at tokens[at], quoted and in lower case, and the index after it."""
    parts = []
    while at < len(tokens) and tokens[at].kind in (WORD, QUOTED):
        parts.append(identifier(tokens[at].name))
        at += 1
        if at < len(tokens) and tokens[at].text == "." and tokens[at].kind == "op":
            at += 1
        else:
            break
    if not parts:
        raise RedshiftError("syntax error: a name was expected", "42601")
    return ".".join(parts), at


def fold(sql: str, tokens: list[Token], *more: Edit) -> str:
    """Nothing changed but quoted identifiers as Redshift stores them, and the given edits."""
    edits = [
        Edit(t.start, t.end, identifier(t.name)) for t in tokens if t.kind == QUOTED and identifier(t.name) != t.text
    ]
    return apply(sql, [*more, *edits])


def skip(tokens: list[Token], at: int, *words: str) -> int:
    """The index after these words if they stand at tokens[at], else `at`."""
    found = tuple(t.word for t in tokens[at : at + len(words)])
    return at + len(words) if found == words else at

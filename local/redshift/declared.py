"""What CREATE TABLE and ALTER TABLE say without changing a result: distribution, sort keys, encodings, and keys that
are not enforced. Tokens in; out comes the JSON that sql/declarations.sql keeps.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from .errors import RedshiftError, Refused
from .lexer import Token, closing, literal, read_name

_ENCODINGS = {
    "raw", "az64", "bytedict", "delta", "delta32k", "lzo", "mostly8", "mostly16", "mostly32", "runlength", "text255",
    "text32k", "zstd",
}  # fmt: skip
_MOST_SORT_KEYS, _MOST_INTERLEAVED = 400, 8


@dataclass
class Declared:
    layout: dict[str, Any] = field(default_factory=dict)
    keys: list[dict[str, Any]] = field(default_factory=list)
    like: str = ""

    def said(self) -> str:
        """The JSON, as an SQL literal; or nothing."""
        found: dict[str, Any] = {}
        if self.like:
            found["like"] = self.like
        if self.layout:
            found["layout"] = self.layout
        if self.keys:
            found["keys"] = self.keys
        return literal(json.dumps(found)) if found else ""

    def style(self, word: str) -> None:
        if word not in ("AUTO", "EVEN", "KEY", "ALL"):
            raise RedshiftError(f"syntax error at or near {word.lower()}", "42601")
        self.layout["style"] = word

    def distkey(self, column: str) -> None:
        if "distkey" in self.layout:
            raise RedshiftError("a table can have one distribution key only", "42601")
        self.layout["distkey"] = column

    def sort(self, columns: list[str] | None, interleaved: bool = False) -> None:
        """None is AUTO."""
        if "sort" in self.layout:
            raise RedshiftError("a table can have one sort key only", "42601")
        most = _MOST_INTERLEAVED if interleaved else _MOST_SORT_KEYS
        if columns is not None and len(columns) > most:
            raise RedshiftError(f"a sort key can have {most} columns at most", "42601")
        self.layout |= {"sort": columns, "interleaved": interleaved}

    def encode(self, column: str, encoding: str) -> None:
        found = encoding.lower()
        if found not in _ENCODINGS:
            raise RedshiftError(f"encoding type {found} is unknown", "42601")
        self.layout.setdefault("encode", {})[column] = "none" if found == "raw" else found

    def check(self) -> None:
        """Style and key must go together."""
        style, key = self.layout.get("style"), self.layout.get("distkey")
        if key and style not in (None, "KEY", "AUTO"):
            raise RedshiftError(f"a distribution key and DISTSTYLE {style} exclude each other", "42601")
        if style == "KEY" and not key:
            raise RedshiftError("DISTSTYLE KEY needs a distribution key", "42601")
        if key:
            self.layout["style"] = "KEY"


def names_in(tokens: list[Token], at: int) -> tuple[list[str], int]:
    """`(a, b)` at this place: the names, and the index after it."""
    if at >= len(tokens) or tokens[at].text != "(":
        raise RedshiftError("syntax error: names in parentheses were expected", "42601")
    end = closing(tokens, at)
    names = [t.name for t in tokens[at + 1 : end] if t.text != ","]
    if not names or not all(names):
        raise RedshiftError("syntax error: names in parentheses were expected", "42601")
    return names, end + 1


def table_attributes(tokens: list[Token], at: int, declared: Declared) -> int:
    """Reads DISTSTYLE … BACKUP at this place; the index after them."""
    while at < len(tokens):
        word, following = tokens[at].word, tokens[at + 1].word if at + 1 < len(tokens) else ""
        if word == "BACKUP":
            at += 2
        elif word == "DISTSTYLE":
            declared.style(following)
            at += 2
        elif word == "ENCODE":
            if following != "AUTO":
                raise RedshiftError("syntax error: ENCODE of a table can be AUTO only", "42601")
            at += 2
        elif word in ("COMPOUND", "INTERLEAVED") and following == "SORTKEY":
            columns, at = names_in(tokens, at + 2)
            declared.sort(columns, word == "INTERLEAVED")
        elif word == "SORTKEY" and following == "AUTO":
            declared.sort(None)
            at += 2
        elif word == "SORTKEY" and following == "(":
            columns, at = names_in(tokens, at + 1)
            declared.sort(columns)
        elif word == "DISTKEY" and following == "(":
            columns, at = names_in(tokens, at + 1)
            declared.distkey(columns[0])
        else:
            break
    return at


def references(tokens: list[Token], at: int, columns: list[str]) -> tuple[dict[str, Any], int]:
    """`REFERENCES t (a)` at this place: the key, and the index after it."""
    table, at = read_name(tokens, at + 1)
    key: dict[str, Any] = {"key": "f", "columns": columns, "table": table}
    if at < len(tokens) and tokens[at].text == "(":
        key["references"], at = names_in(tokens, at)
    return key, at


def table_key(part: list[Token]) -> dict[str, Any]:
    """A key that stands for itself: `[CONSTRAINT n] PRIMARY KEY (a, b)` and its like."""
    named = part[0].word == "CONSTRAINT" and len(part) > 2
    at = 2 if named else 0
    kind, following = part[at].word, part[at + 1].word if at + 1 < len(part) else ""
    if kind == "CHECK":
        raise Refused("a CHECK constraint")
    if (kind, following) not in (("PRIMARY", "KEY"), ("FOREIGN", "KEY"), ("UNIQUE", "(")):
        raise RedshiftError("syntax error in a constraint", "42601")
    columns, end = names_in(part, at + (1 if kind == "UNIQUE" else 2))
    if kind == "FOREIGN":
        if end >= len(part) or part[end].word != "REFERENCES":
            raise RedshiftError("syntax error: FOREIGN KEY needs REFERENCES", "42601")
        key, end = references(part, end, columns)
    else:
        key = {"key": kind[0].lower(), "columns": columns}
    if end < len(part):
        raise Refused(f"{part[end].text} on a constraint")
    return key | ({"name": part[1].name} if named else {})


def changed_layout(tokens: list[Token], at: int) -> Declared:
    """What stands behind ALTER TABLE t ALTER, if it is about the layout of the table."""
    declared = Declared()
    words = [t.word for t in tokens[at:]]
    if words[0] == "DISTKEY" and len(words) == 2:
        declared.distkey(tokens[at + 1].name)
        end = at + 2
    elif words[:2] == ["DISTSTYLE", "KEY"] and words[2:3] == ["DISTKEY"] and len(words) == 4:
        declared.distkey(tokens[at + 3].name)
        end = at + 4
    elif words[0] == "DISTSTYLE" and len(words) == 2:
        declared.style(words[1])
        declared.check()
        declared.layout["distkey"] = None
        return declared
    elif words == ["SORTKEY", "NONE"]:
        declared.sort([])
        end = at + 2
    elif words == ["ENCODE", "AUTO"]:
        declared.layout["encode"] = None
        end = at + 2
    elif words[0] in ("SORTKEY", "COMPOUND"):
        end = table_attributes(tokens, at, declared)
    else:
        raise Refused(f"ALTER TABLE … ALTER {' '.join(words[:2])}")
    if end < len(tokens) or not declared.layout:
        raise RedshiftError("syntax error in ALTER TABLE", "42601")
    declared.check()
    return declared

"""MERGE and ALTER TABLE … APPEND of Redshift in, PostgreSQL's out.

Redshift's MERGE has exactly two branches, without conditions of their own, or REMOVE DUPLICATES, which replaces what
matches by the distinct rows of the source.
"""

from __future__ import annotations

from .errors import RedshiftError, Refused
from .expressions import rewrite
from .lexer import Token, literal, read_name, skip
from .statement import Statement


def merge(sql: str, tokens: list[Token]) -> Statement:
    target, at = read_name(tokens, skip(tokens, 1, "INTO"))
    if at >= len(tokens) or tokens[at].word != "USING":
        raise Refused("an alias for the target of MERGE")
    if at + 1 < len(tokens) and tokens[at + 1].text == "(":
        raise Refused("a subquery as the source of MERGE")
    source, after = read_name(tokens, at + 1)
    alias = ""
    if tokens[skip(tokens, after, "AS")].word != "ON":
        alias, after = read_name(tokens, skip(tokens, after, "AS"))
    on = skip(tokens, after, "AS")
    if on >= len(tokens) or tokens[on].word != "ON":
        raise RedshiftError("syntax error in MERGE: ON is missing", "42601")
    if [t.word for t in tokens[-2:]] == ["REMOVE", "DUPLICATES"]:
        condition = rewrite(sql[tokens[on].end : tokens[-2].start]).strip()
        text = (
            f"with matched as (delete from {target} using {source} {alias} where {condition})"
            f" insert into {target} select distinct * from {source}"
        )
        return Statement(sql, text, "MERGE", tag="MERGE", locks=(target,))
    _check_branches(tokens[on:])
    return Statement(sql, rewrite(sql), "MERGE", locks=(target,))


def _check_branches(tokens: list[Token]) -> None:
    words = [t.word for t in tokens]
    starts = [i for i, w in enumerate(words[:-2]) if w == "WHEN" and "MATCHED" in (words[i + 1], words[i + 2])]
    branches = [tuple(words[i : words.index("THEN", i)]) for i in starts if "THEN" in words[i:]]
    if branches != [("WHEN", "MATCHED"), ("WHEN", "NOT", "MATCHED")]:
        raise Refused("MERGE with other branches than WHEN MATCHED THEN … WHEN NOT MATCHED THEN …")
    if any(words[words.index("THEN", i) + 1] == "DO" for i in starts):
        raise Refused("MERGE … DO NOTHING")


def append(sql: str, tokens: list[Token], at: int, target: str) -> Statement:
    """ALTER TABLE target APPEND FROM source: the rows move, by names of columns."""
    if tokens[at].word != "FROM":
        raise RedshiftError("syntax error: APPEND needs FROM", "42601")
    source, at = read_name(tokens, at + 1)
    option = tokens[at].word if at < len(tokens) else ""
    if option not in ("", "IGNOREEXTRA", "FILLTARGET") or at + 1 < len(tokens):
        raise RedshiftError("syntax error: APPEND takes IGNOREEXTRA or FILLTARGET", "42601")
    call = f"call redshift_internal.append_table({literal(target)}, {literal(source)}, {literal(option.lower())})"
    return Statement(sql, call, "ALTER", tag="ALTER TABLE APPEND", alone="ALTER TABLE … APPEND")

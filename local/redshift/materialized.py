"""CREATE, REFRESH, ALTER and DROP MATERIALIZED VIEW of Redshift in, calls of sql/materialized.sql out.

As on Redshift a materialized view is a view over a table of its own; there is where its layout, its text and what it
was made of are kept.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

from .errors import NotImitated, RedshiftError, Refused
from .expressions import rewrite
from .lexer import Token, closing, literal, read_name, skip
from .statement import Statement

# What keeps Redshift from bringing a view up to date step by step ("Limitations for incremental refresh").
_MUTABLE = {"GETDATE", "SYSDATE", "CURRENT_DATE", "CURRENT_TIMESTAMP", "NOW", "TIMEOFDAY", "RANDOM"}
_RECOMPUTED = _MUTABLE | {"OUTER", "UNION", "INTERSECT", "EXCEPT", "MINUS", "OVER", "DISTINCT", "APPROXIMATE"}
_RECOMPUTED |= {"MEDIAN", "LISTAGG", "PERCENTILE_CONT", "STDDEV", "STDDEV_SAMP", "STDDEV_POP"}
_RECOMPUTED |= {"BIT_AND", "BIT_OR", "BOOL_AND", "BOOL_OR"}
_OUTER_JOINS = {("LEFT", "JOIN"), ("RIGHT", "JOIN"), ("FULL", "JOIN")}


def create_materialized_view(sql: str, tokens: list[Token]) -> Statement:
    name, at = read_name(tokens, skip(tokens, 1, "MATERIALIZED", "VIEW"))
    settings: dict[str, Any] = {"dist": "EVEN", "sort": [], "auto": False}
    while at < len(tokens) and tokens[at].word != "AS":
        at = _attribute(tokens, at, settings)
    if at >= len(tokens):
        raise RedshiftError("syntax error: a materialized view needs AS", "42601")
    query = tokens[at + 1 :]
    _refuse_ordering(query)
    words = [t.word for t in query]
    settings["definition"] = sql[tokens[0].start :].strip() + ";"
    settings["mutable"] = any(word in _MUTABLE for word in words)
    recomputed = _OUTER_JOINS.intersection(itertools.pairwise(words)) or _RECOMPUTED.intersection(words)
    settings["state"] = 0 if recomputed else 1
    text = rewrite(sql[tokens[at].end :]).strip()
    arguments = ", ".join(literal(value) for value in (name, text, json.dumps(settings)))
    call = f"call redshift_internal.create_materialized_view({arguments})"
    return Statement(sql, call, "CREATE", tag="CREATE MATERIALIZED VIEW", query=text, makes_columns=True, quoted=True)


def _refuse_ordering(query: list[Token]) -> None:
    """Also in the parentheses that dbt puts around the whole query."""
    while query and query[0].text == "(" and closing(query, 0) == len(query) - 1:
        query = query[1:-1]
    depth = 0
    for token in query:
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.word in ("ORDER", "LIMIT", "OFFSET"):
            raise Refused(f"{token.word} in a materialized view")


def _attribute(tokens: list[Token], at: int, settings: dict[str, Any]) -> int:
    """One attribute into the settings; the index after it."""
    words = [t.word for t in tokens[at : at + 3]] + ["", "", ""]
    if words[0] == "BACKUP" and words[1] in ("YES", "NO"):
        return at + 2
    if words[0] == "DISTSTYLE" and words[1] in ("EVEN", "ALL", "KEY", "AUTO"):
        if words[1] != "KEY":
            settings["dist"] = "AUTO(ALL)" if words[1] == "AUTO" else words[1]
        return at + 2
    if words[:2] == ["AUTO", "REFRESH"] and words[2] in ("YES", "NO"):
        settings["auto"] = words[2] == "YES"
        return at + 3
    if words[0] in ("COMPOUND", "INTERLEAVED") and words[1] == "SORTKEY":
        return at + 1
    if words[0] in ("DISTKEY", "SORTKEY") and words[1] == "(":
        end = closing(tokens, at + 1)
        columns = [t.name for t in tokens[at + 2 : end] if t.name]
        if words[0] == "SORTKEY":
            settings["sort"] = columns
        else:
            settings |= {"dist": f"KEY({columns[0]})", "key": columns[0]}
        return end + 1
    if words[:2] == ["SORTKEY", "AUTO"]:
        return at + 2
    raise Refused(f"CREATE MATERIALIZED VIEW … {tokens[at].text}")


def refresh_materialized_view(sql: str, tokens: list[Token]) -> Statement:
    name, at = read_name(tokens, skip(tokens, 1, "MATERIALIZED", "VIEW"))
    if [t.word for t in tokens[at:]] not in ([], ["RESTRICT"], ["CASCADE"]):
        raise RedshiftError(f"syntax error at or near {tokens[at].text}", "42601")
    cascade = "true" if tokens[-1].word == "CASCADE" else "false"
    call = f"call redshift_internal.refresh_materialized_view({literal(name)}, {cascade})"
    return Statement(sql, call, "REFRESH", tag="REFRESH")


def alter_materialized_view(sql: str, tokens: list[Token]) -> Statement:
    name, at = read_name(tokens, skip(tokens, 1, "MATERIALIZED", "VIEW"))
    words = [t.word for t in tokens[at:]]
    if words[:2] != ["AUTO", "REFRESH"] or words[2:] not in (["YES"], ["NO"]):
        raise NotImitated("ALTER MATERIALIZED VIEW … other than AUTO REFRESH { YES | NO }")
    change = literal(json.dumps({"auto": words[2] == "YES"}))
    call = f"call redshift_internal.alter_materialized_view({literal(name)}, {change})"
    return Statement(sql, call, "ALTER", tag="ALTER MATERIALIZED VIEW")


def drop_materialized_view(sql: str, tokens: list[Token]) -> Statement:
    at = skip(tokens, 1, "MATERIALIZED", "VIEW")
    after = skip(tokens, at, "IF", "EXISTS")
    name, end = read_name(tokens, after)
    if [t.word for t in tokens[end:]] not in ([], ["RESTRICT"], ["CASCADE"]):
        raise Refused(f"DROP MATERIALIZED VIEW … {tokens[end].text}")
    flags = ", ".join("true" if flag else "false" for flag in (after > at, tokens[-1].word == "CASCADE"))
    call = f"call redshift_internal.drop_materialized_view({literal(name)}, {flags})"
    return Statement(sql, call, "DROP", tag="DROP MATERIALIZED VIEW")

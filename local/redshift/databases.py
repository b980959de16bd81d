"""Databases, to which an isolation level belongs as on Redshift, and schemas, which may name theirs."""

from __future__ import annotations

from .errors import NotImitated, RedshiftError, Refused
from .lexer import Edit, Token, fold, literal, read_name, skip
from .statement import Statement

# Redshift's levels as PostgreSQL's. Snapshot sees conflicts by row, as repeatable read does.
_LEVELS = {"SERIALIZABLE": "serializable", "SNAPSHOT": "repeatable read"}


def create_database(sql: str, tokens: list[Token]) -> Statement:
    name, at = read_name(tokens, 2)
    at = skip(tokens, at, "WITH")
    options, then = "", []
    while at < len(tokens):
        word = tokens[at].word
        if word == "OWNER":
            owner, at = read_name(tokens, skip(tokens, at + 1, "="))
            options += f" owner {owner}"
        elif word == "CONNECTION":
            limit, at = _limit(tokens, at)
            options += f" connection limit {limit}"
        elif word == "ISOLATION":
            level, at = _level(tokens, at)
            then.append(_set(name, level))
        elif word == "COLLATE":
            at = _collation(tokens, at)
        else:
            raise NotImitated(f"CREATE DATABASE … {word or tokens[at].text}")
    return Statement(sql, f"create database {name}{options}", "CREATE", then=tuple(then), alone="CREATE DATABASE")


def alter_database(sql: str, tokens: list[Token]) -> Statement:
    name, at = read_name(tokens, 2)
    word = tokens[at].word if at < len(tokens) else ""
    if word == "ISOLATION":
        level, end = _level(tokens, at)
        text = _set(name, level)
    elif word == "CONNECTION":
        limit, end = _limit(tokens, at)
        text = f"alter database {name} connection limit {limit}"
    elif word in ("OWNER", "RENAME") and [t.word for t in tokens[at + 1 : at + 2]] == ["TO"]:
        other, end = read_name(tokens, at + 2)
        text = f"alter database {name} {word.lower()} to {other}"
    elif word in ("COLLATE", "INTEGRATION"):
        raise NotImitated(f"ALTER DATABASE … {word}")
    else:
        raise Refused(f"ALTER DATABASE … {word}")
    if end < len(tokens):
        raise RedshiftError(f'syntax error at or near "{tokens[end].text}"', "42601")
    return Statement(sql, text, "ALTER", alone="ALTER DATABASE" if word == "ISOLATION" else "")


def _set(name: str, level: str) -> str:
    return f"alter database {name} set default_transaction_isolation to '{level}'"


def _level(tokens: list[Token], at: int) -> tuple[str, int]:
    words = [t.word for t in tokens[at + 1 : at + 3]]
    if len(words) < 2 or words[0] != "LEVEL" or words[1] not in _LEVELS:
        raise RedshiftError("ISOLATION LEVEL must be SERIALIZABLE or SNAPSHOT", "42601")
    return _LEVELS[words[1]], at + 3


def _limit(tokens: list[Token], at: int) -> tuple[str, int]:
    at = skip(tokens, at + 1, "LIMIT")
    value = tokens[at].text.lower() if at < len(tokens) else ""
    if value != "unlimited" and not value.isdigit():
        raise RedshiftError("CONNECTION LIMIT must be a number or UNLIMITED", "42601")
    return "-1" if value == "unlimited" else value, at + 1


def _collation(tokens: list[Token], at: int) -> int:
    given = tokens[at + 1].word if at + 1 < len(tokens) else ""
    if given not in ("CS", "CASE_SENSITIVE"):  # the default
        raise NotImitated(f"COLLATE {given}")
    return at + 2


def create_schema(sql: str, tokens: list[Token]) -> Statement:
    if any(t.word == "QUOTA" for t in tokens):
        raise NotImitated("CREATE SCHEMA … QUOTA")
    if any(t.word in ("TABLE", "VIEW", "GRANT") for t in tokens[3:]):
        raise Refused("CREATE SCHEMA with objects in it")
    edits, checks = _of_this_database(tokens, skip(tokens, 2, "IF", "NOT", "EXISTS"))
    return Statement(sql, fold(sql, tokens, *edits), "CREATE", checks=checks)


def drop_schema(sql: str, tokens: list[Token]) -> Statement:
    edits, checks = _of_this_database(tokens, skip(tokens, 2, "IF", "EXISTS"))
    return Statement(sql, fold(sql, tokens, *edits), "DROP", checks=checks)


def _of_this_database(tokens: list[Token], at: int) -> tuple[list[Edit], tuple[str, ...]]:
    """For `CREATE SCHEMA "dev"."s"`: what takes the database away, and the check that it is this session's."""
    if at + 2 >= len(tokens) or tokens[at + 1].text != ".":
        return [], ()
    message = NotImitated("a schema of another database").message
    check = f"select redshift_internal.this_database({literal(tokens[at].name)}, {literal(message)})"
    return [Edit(tokens[at].start, tokens[at + 2].start, "")], (check,)

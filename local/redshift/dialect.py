"""A client's query string in, the statements to run out: what to send to PostgreSQL, which table to lock first.

Why spans of the client's text are replaced and the statement is not generated anew by sqlglot (30): its PostgreSQL
generator writes DATEDIFF through AGE (other results at boundaries), GETDATE as a timestamp with zone, JSON_PARSE as a
cast, SUPER's index 0 as 1, and cannot read `int distkey`. An emulator must not alter a statement in silence, so
sqlglot only does what needs a tree (qualify.py). The leading keyword decides; one that is not in the table below is
refused.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from .copy_statement import parse_copy
from .databases import alter_database, create_database, create_schema, drop_schema
from .ddl import alter_table, create_or_replace, create_table, create_view
from .errors import NotImitated, RedshiftError, Refused
from .expand import expanded
from .expressions import rewrite
from .grants import CASE_SETTING, boolean_setting, grant, principal
from .lexer import CASE, Edit, Token, apply, fold, read_name, skip, split, tokenize
from .materialized import (
    alter_materialized_view,
    create_materialized_view,
    drop_materialized_view,
    refresh_materialized_view,
)
from .merge import merge
from .questions import Columns, nobody
from .refusals import refusal
from .routines import create_function
from .select_into import select_into
from .show import LISTS, show
from .statement import Statement
from .unload_statement import parse_unload

Rule = Callable[[str, list[Token]], Statement]


def translate(sql: str, columns: Columns = nobody) -> list[Statement]:
    """The statements of a query string. Raises RedshiftError for the first one that is refused. `columns` tells the
    names of a query's columns."""
    return [_translated(statement, columns) for statement in split(sql)]


def _translated(sql: str, columns: Columns) -> Statement:
    plain = expanded(sql, columns)
    statement = _remembered(plain, CASE.kept) if len(plain) < 20_000 else _statement(plain)
    return statement if plain == sql else replace(statement, original=sql)


@lru_cache(maxsize=512)
def _remembered(sql: str, case_kept: bool) -> Statement:
    return _statement(sql)


def _statement(sql: str) -> Statement:
    tokens = tokenize(sql)
    first, second = tokens[0].word, tokens[1].word if len(tokens) > 1 else ""
    rule = _RULES.get(f"{first} {second}") or _RULES.get(first)
    if rule is None:
        raise refusal(first, second)
    return rule(sql, tokens)


# Queries and writes


def _query(sql: str, tokens: list[Token]) -> Statement:
    words = [t.word for t in tokens]
    if words[0] == "WITH":
        for i, word in enumerate(words):
            if word in ("INSERT", "UPDATE", "DELETE", "MERGE") and words[i - 1] == "(":
                raise Refused(f"{word} inside WITH")
            if word in ("INSERT", "MERGE") and words[i - 1] == ")":
                raise Refused(f"WITH before {word}")
            if word in ("UPDATE", "DELETE") and words[i - 1] == ")":
                table, _ = read_name(tokens, skip(tokens, i + 1, "FROM"))
                return Statement(sql, rewrite(sql), word, locks=(table,))
    return select_into(sql, tokens) or Statement(sql, rewrite(sql), "SELECT")


def _write(*introduction: str) -> Rule:
    def rule(sql: str, tokens: list[Token]) -> Statement:
        at = 1
        for word in introduction:
            at = skip(tokens, at, word)
        table, _ = read_name(tokens, at)
        if tokens[0].word == "DELETE" and at == 1:  # FROM may be left out
            sql = sql[: tokens[0].end] + " from" + sql[tokens[0].end :]
        return Statement(sql, rewrite(sql), tokens[0].word, locks=(table,))

    return rule


def _truncate(sql: str, tokens: list[Token]) -> Statement:
    table, end = read_name(tokens, skip(tokens, 1, "TABLE"))
    if end < len(tokens):
        raise Refused("TRUNCATE with options or of several tables")
    return Statement(sql, f"truncate table {table}", "TRUNCATE", commits=True)


def _copy(sql: str, tokens: list[Token]) -> Statement:
    statement = parse_copy(sql, tokens)
    return Statement(sql, sql, "COPY", locks=(statement.table,), copy=statement)


def _unload(sql: str, tokens: list[Token]) -> Statement:
    statement = parse_unload(tokens)
    queries = translate(statement.query)
    if len(queries) != 1 or queries[0].kind != "SELECT":
        raise Refused("UNLOAD of anything but one SELECT")
    unload = replace(statement, query=f"\n{queries[0].sql}\n")  # it may end in a comment
    checks = queries[0].checks
    return Statement(sql, sql, "UNLOAD", checks=checks, copy=unload, query=unload.query, makes_columns=True)


def _lock(sql: str, tokens: list[Token]) -> Statement:
    at, tables = skip(tokens, 1, "TABLE"), []
    while True:
        table, at = read_name(tokens, at)
        tables.append(table)
        if at >= len(tokens):
            return Statement(sql, f"lock table {', '.join(tables)}", "LOCK")
        if tokens[at].text != ",":
            raise Refused("LOCK with a mode")
        at += 1


# Transactions and sessions


def _begin(sql: str, tokens: list[Token]) -> Statement:
    """Redshift accepts every isolation level and ignores it: the database's own counts."""
    read_only = any(a.word == "READ" and b.word == "ONLY" for a, b in itertools.pairwise(tokens))
    return Statement(sql, "begin read only" if read_only else "begin", "BEGIN")


def _end(sql: str, tokens: list[Token]) -> Statement:
    kind = "COMMIT" if tokens[0].word in ("COMMIT", "END") else "ROLLBACK"
    if any(t.word in ("TO", "CHAIN", "PREPARED") for t in tokens):
        raise Refused(f"{kind} with options")
    return Statement(sql, kind.lower(), kind)


# Redshift's own settings that change no result: kept per session under a prefix.
_SETTINGS = {
    "activate_aqua", "analyze_threshold_percent", "auto_mv", "enable_result_cache_for_session",
    "enable_vacuum_boost", "max_concurrency_scaling_clusters", "max_cursor_result_set_size",
    "mv_enable_aqmv_for_session", "query_group", "use_fips_ssl", "wlm_query_slot_count",
}  # fmt: skip
_PASSED_SETTINGS = {
    "all", "application_name", "client_encoding", "datestyle", "extra_float_digits", "names", "role",
    "search_path", "seed", "session", "statement_timeout", "time", "timezone",
}  # fmt: skip
# Those that do, and the one value that is imitated.
_FIXED_SETTINGS = {
    "describe_field_name_in_uppercase": "off",
    "downcase_delimited_identifier": "on",
    "enable_case_sensitive_super_attribute": "off",
    "enable_numeric_rounding": "off",
    "json_parse_dedup_attributes": "off",
    "json_parse_truncate_strings": "off",
    "navigate_super_null_on_error": "on",
    "cast_super_null_on_error": "on",
    "parse_super_null_on_error": "off",
    "default_array_search_null_handling": "on",
    "json_serialization_enable": "off",
}
_SAME = {"false": "off", "true": "on", "0": "off", "1": "on"}


def _setting(sql: str, tokens: list[Token]) -> Statement:
    kind = tokens[0].word
    at = skip(tokens, 1, "LOCAL") if kind == "SET" else 1
    at = at if [t.word for t in tokens[at + 1 : at + 2]] == ["AUTHORIZATION"] else skip(tokens, at, "SESSION")
    name = tokens[at].name if at < len(tokens) else ""
    values = [t.text.strip("'").lower() for t in tokens[at + 1 :] if t.text.upper() not in ("=", "TO")]
    if name in _FIXED_SETTINGS:
        if kind == "SET" and [_SAME.get(v, v) for v in values] not in ([_FIXED_SETTINGS[name]], ["default"]):
            raise NotImitated(f"the setting {name} {' '.join(values)}")
        if kind == "SHOW":
            return Statement(sql, f"select '{_FIXED_SETTINGS[name]}'::varchar as {name}", kind, tag=kind)
        return Statement(sql, "set redshift.fixed to ''", kind, tag=kind)
    if name == CASE_SETTING:
        return _case_setting(sql, kind, values)
    if name in _SETTINGS and kind == "SHOW":
        value = f"coalesce(current_setting('redshift.{name}', true), '')"
        return Statement(sql, f"select {value}::varchar as {name}", kind, tag=kind)
    if name in _SETTINGS:
        prefixed = Edit(tokens[at].start, tokens[at].end, f"redshift.{name}")
        return Statement(sql, apply(sql, [prefixed]), kind)
    if kind == "SHOW" and name.upper() in LISTS:
        return show(sql, tokens)
    if kind == "SHOW" and name in (
        "external",
        "table",
        "view",
        "procedures",
        "functions",
        "parameters",
        "constraints",
        "column",
    ):
        raise NotImitated(f"SHOW {name.upper()}")
    if kind == "SET" and name in ("transaction", "default_transaction_isolation", "characteristics"):
        raise NotImitated(f"SET {name.upper()}: the isolation level belongs to the database (--isolation)")
    if name in _PASSED_SETTINGS or (name == "session" and kind == "SET") or kind == "SHOW":
        return Statement(sql, fold(sql, tokens), kind)
    raise NotImitated(f"the setting {name}")


def _case_setting(sql: str, kind: str, values: list[str]) -> Statement:
    """The one setting that changes how a statement is read: PostgreSQL keeps it, so that it follows transactions, users
    and RESET; the session asks for it (session.py)."""
    if kind == "SHOW":
        return Statement(
            sql, f"select current_setting('redshift.{CASE_SETTING}')::varchar as {CASE_SETTING}", kind, tag=kind
        )
    local = "local " if sql.split()[1].upper() == "LOCAL" else ""
    value = f" to {boolean_setting(CASE_SETTING, values)}" if kind == "SET" else ""
    return Statement(sql, f"{kind.lower()} {local}redshift.{CASE_SETTING}{value}", kind)


def _cancel(sql: str, tokens: list[Token]) -> Statement:
    pid = tokens[1].text if len(tokens) > 1 else ""
    if not pid.isdigit():
        raise RedshiftError("CANCEL needs a process id", "42601")
    return Statement(sql, f"do 'begin perform pg_cancel_backend({pid}); end'", "CANCEL", tag="CANCEL")


def _explain(sql: str, tokens: list[Token]) -> Statement:
    if len(tokens) > 1 and tokens[1].word == "ANALYZE":
        raise Refused("EXPLAIN ANALYZE")
    start = skip(tokens, 1, "VERBOSE")
    inner = _statement(sql[tokens[start].start :])
    if inner.kind not in ("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"):
        raise NotImitated(f"EXPLAIN of {inner.kind}")
    return Statement(sql, f"explain {inner.sql}", "EXPLAIN", query=inner.sql)


def _cursor(sql: str, tokens: list[Token]) -> Statement:
    words = [t.word for t in tokens[:8]]
    if tokens[0].word == "DECLARE" and (
        "SCROLL" in words or "BINARY" in words or ("HOLD" in words and "WITH" in words)
    ):
        raise Refused("a cursor with options")
    for_ = next((t for t in tokens if t.word == "FOR"), None)
    if tokens[0].word != "DECLARE" or for_ is None:
        return Statement(sql, fold(sql, tokens), tokens[0].word)
    declared = fold(sql[: for_.end], tokens[: tokens.index(for_) + 1])
    query = rewrite(sql[for_.end :])
    return Statement(sql, f"{declared} {query}", "DECLARE", query=query)


# Upkeep and rights


def _vacuum(sql: str, tokens: list[Token]) -> Statement:
    kinds = {"FULL", "SORT", "ONLY", "DELETE", "REINDEX", "RECLUSTER"}
    at = 1
    while at < len(tokens) and tokens[at].word in kinds:
        at += 1
    table = read_name(tokens, at)[0] if at < len(tokens) and tokens[at].word != "TO" else ""
    return Statement(sql, f"vacuum {table}".strip(), "VACUUM", alone="VACUUM")


def _analyze(sql: str, tokens: list[Token]) -> Statement:
    at = skip(tokens, 1, "VERBOSE")
    if at < len(tokens) and tokens[at].word == "COMPRESSION":
        raise NotImitated("ANALYZE COMPRESSION")
    if at >= len(tokens):
        return Statement(sql, "analyze", "ANALYZE")
    return Statement(sql, f"analyze {read_name(tokens, at)[0]}", "ANALYZE")


def _passed(kind: str) -> Rule:
    def rule(sql: str, tokens: list[Token]) -> Statement:
        return Statement(sql, fold(sql, tokens), kind)

    return rule


def _comment(sql: str, tokens: list[Token]) -> Statement:
    if [t.word for t in tokens[1:3]] == ["ON", "CONSTRAINT"]:
        raise NotImitated("COMMENT ON CONSTRAINT")  # its comment says what kind of key it is (sql/declarations.sql)
    return Statement(sql, fold(sql, tokens), "COMMENT")


def _database(sql: str, tokens: list[Token]) -> Statement:
    return Statement(sql, fold(sql, tokens), "DROP", alone="DROP DATABASE")


def _drop(sql: str, tokens: list[Token]) -> Statement:
    return Statement(sql, fold(sql, tokens), "DROP")


_RULES: dict[str, Rule] = {
    "SELECT": _query, "WITH": _query, "(": _query,
    "INSERT": _write("INTO"), "UPDATE": _write(), "DELETE": _write("FROM"), "MERGE": merge,
    "TRUNCATE": _truncate, "COPY": _copy, "UNLOAD": _unload, "LOCK": _lock,
    "BEGIN": _begin, "START": _begin, "COMMIT": _end, "END": _end, "ROLLBACK": _end, "ABORT": _end,
    "SET": _setting, "RESET": _setting, "SHOW": _setting, "DISCARD ALL": _passed("DISCARD"),
    "DECLARE": _cursor, "FETCH": _cursor, "CLOSE": _passed("CLOSE"), "DEALLOCATE": _passed("DEALLOCATE"),
    "CANCEL": _cancel, "EXPLAIN": _explain, "VACUUM": _vacuum, "ANALYZE": _analyze, "ANALYSE": _analyze,
    "COMMENT": _comment, "GRANT": grant, "REVOKE": grant, "ALTER DEFAULT": grant,
    "CREATE TABLE": create_table, "CREATE TEMP": create_table, "CREATE TEMPORARY": create_table,
    "CREATE LOCAL": create_table, "ALTER TABLE": alter_table, "DROP TABLE": _drop,
    "CREATE VIEW": create_view, "CREATE OR": create_or_replace, "DROP VIEW": _drop,
    "CREATE FUNCTION": create_function, "DROP FUNCTION": _drop,
    "CREATE MATERIALIZED": create_materialized_view, "REFRESH MATERIALIZED": refresh_materialized_view,
    "ALTER MATERIALIZED": alter_materialized_view, "DROP MATERIALIZED": drop_materialized_view,
    "CREATE SCHEMA": create_schema, "ALTER SCHEMA": _passed("ALTER"), "DROP SCHEMA": drop_schema,
    "CREATE DATABASE": create_database, "ALTER DATABASE": alter_database, "DROP DATABASE": _database,
    "CREATE USER": principal, "ALTER USER": principal, "DROP USER": _drop,
    "CREATE GROUP": principal, "ALTER GROUP": _passed("ALTER"), "DROP GROUP": _drop,
    "CREATE ROLE": _passed("CREATE"), "ALTER ROLE": principal, "DROP ROLE": _drop,
}  # fmt: skip

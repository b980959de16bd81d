"""The statements that are refused by their first words, and why: Redshift has no such thing, or this server has not.
And the functions and the syntax of queries that only PostgreSQL has.

What is refused besides stands where that part is read: expressions.py, ddl.py, types.py, copy_statement.py.
"""

from __future__ import annotations

from .errors import NotImitated, RedshiftError, Refused
from .forms import window_problem
from .lexer import QUOTED, WORD, Token
from .questions import AFTER_FROM, clause_end, split_at

# PostgreSQL would run these, Redshift would not.
_POSTGRES_ONLY = {
    "ANALYSE", "CHECKPOINT", "CLUSTER", "DISCARD", "DO", "IMPORT", "LISTEN", "LOAD", "MOVE", "NOTIFY", "REASSIGN",
    "REINDEX", "RELEASE", "SAVEPOINT", "SECURITY", "TABLE", "UNLISTEN", "VALUES",
}  # fmt: skip
_POSTGRES_OBJECTS = {
    "ACCESS", "AGGREGATE", "CAST", "COLLATION", "CONSTRAINT", "CONVERSION", "DOMAIN", "EVENT", "EXTENSION", "FOREIGN",
    "INDEX", "LANGUAGE", "OPERATOR", "POLICY", "PUBLICATION", "RECURSIVE", "RULE", "SEQUENCE", "SERVER", "STATISTICS",
    "SUBSCRIPTION", "SYSTEM", "TABLESPACE", "TEXT", "TRANSFORM", "TRIGGER", "TYPE", "UNIQUE", "UNLOGGED", "VIEW",
}  # fmt: skip

# Functions that PostgreSQL has and Redshift has not; and beginnings of names of such functions.
_POSTGRES_FUNCTIONS = {
    "acosd", "acosh", "age", "array_agg", "array_append", "array_cat", "array_dims", "array_fill", "array_length",
    "array_lower", "array_ndims", "array_prepend", "array_remove",
    "array_replace", "array_to_json", "array_to_string", "array_upper", "asind", "asinh", "atan2d", "atand", "atanh",
    "bit_count", "bit_length", "bit_xor", "cardinality", "clock_timestamp", "concat_ws", "convert_from", "convert_to",
    "corr", "cosd", "cosh", "cotd", "covar_pop", "covar_samp", "currval", "date_bin", "div", "encode", "every",
    "factorial", "format", "gcd", "gen_random_uuid", "generate_series", "generate_subscripts", "isempty", "json_agg",
    "json_array_elements", "json_array_elements_text", "json_build_array", "json_build_object", "json_each",
    "json_each_text", "json_extract_path", "json_object", "json_object_agg", "json_object_keys",
    "json_populate_record", "json_strip_nulls", "json_to_record", "json_to_recordset", "justify_days",
    "justify_hours", "justify_interval", "lastval", "lcm", "lower_inc", "lower_inf", "make_date", "make_interval",
    "make_time", "make_timestamp", "make_timestamptz", "min_scale", "mode", "nextval", "num_nonnulls", "num_nulls",
    "numrange", "overlay", "parse_ident", "pg_size_pretty", "quote_nullable", "random_normal", "range_agg",
    "range_merge", "regexp_like", "regexp_match", "regexp_matches", "regexp_split_to_array", "regexp_split_to_table",
    "row_to_json", "scale", "set_byte", "setseed", "setval", "sha224", "sha256", "sha384", "sha512", "sind", "sinh",
    "starts_with", "statement_timestamp", "string_agg", "string_to_array", "string_to_table", "tand", "tanh",
    "to_json", "to_tsquery", "to_tsvector", "transaction_timestamp", "trim_array", "trim_scale", "ts_rank", "tsrange",
    "tstzrange", "txid_current", "unistr", "unnest", "width_bucket",
}  # fmt: skip
_POSTGRES_PREFIXES = ("jsonb_", "regr_", "pg_advisory_", "pg_sleep", "to_jsonb", "xml", "xpath")

# Functions that Redshift has and the local one has not. A name that begins so is one of them.
NOT_IMITATED_FUNCTIONS = (
    "ai_", "checksum", "collate", "explain_model", "farmfingerprint64", "h3_", "hll",
    "lambda_", "murmur3_32_hash", "pg_get_iam_role_by_user", "pg_get_grantee_by_iam_role", "pg_get_session_roles",
    "st_", "text_to_int_alt", "text_to_numeric_alt",
)  # fmt: skip


def is_postgres_function(name: str) -> bool:
    return name in _POSTGRES_FUNCTIONS or name.startswith(_POSTGRES_PREFIXES)


# Redshift would run these.
_NOT_IMITATED = {
    "ATTACH", "CALL", "DESC", "DETACH", "EXECUTE", "PREPARE", "UNDROP", "USE",
}  # fmt: skip
_NOT_IMITATED_OBJECTS = {
    "DATASHARE": "a datashare",
    "EXTERNAL": "an external schema, table or function",
    "IDENTITY": "an identity provider",
    "LIBRARY": "a library",
    "MASKING": "a masking policy",
    "MODEL": "a model",
    "PROCEDURE": "a stored procedure",
    "RLS": "row-level security",
}
_NAMES = {"INDEX": "an index", "UNIQUE": "a unique index", "UNLOGGED": "an unlogged table", "CONSTRAINT": "a trigger"}


def refusal(first: str, second: str) -> RedshiftError:
    """The error for a statement that starts with these two words and has no rule."""
    if first in ("CREATE", "ALTER", "DROP"):
        if second in _NOT_IMITATED_OBJECTS:
            return NotImitated(_NOT_IMITATED_OBJECTS[second])
        if second in _POSTGRES_OBJECTS:
            return Refused(_NAMES.get(second, f"{first} {second}"))
        return NotImitated(f"{first} {second}".strip())
    if first in _POSTGRES_ONLY:
        return Refused(f"the statement {first}")
    if first in _NOT_IMITATED:
        return NotImitated(f"the statement {first}")
    return RedshiftError(f'syntax error at or near "{first.lower()}"', "42601")


_CATALOG_PREFIXES = ("pg_", "svv_", "svl_", "stl_", "stv_", "sys_")
_CATALOG_SCHEMAS = {"pg_catalog", "information_schema"}


def reads_catalog_only(tokens: list[Token]) -> bool:
    """Does a query name nothing in FROM but catalog tables? Such a one runs on Redshift's leader node, a PostgreSQL,
    which has more than the rest: arrays, for one."""
    found = False
    for at, token in enumerate(tokens):
        if token.word not in ("FROM", "JOIN"):
            continue
        end = clause_end(tokens, at + 1, AFTER_FROM | {"FROM", "JOIN", "ON"})
        for first, _ in split_at(tokens, at + 1, end, ","):
            name = tokens[first].name
            if tokens[first].word == "(":
                continue  # a subquery, whose own FROM is looked at
            if name not in _CATALOG_SCHEMAS and not name.startswith(_CATALOG_PREFIXES):
                return False
            found = True
    return found


def check_syntax(tokens: list[Token], at: int, following: str, before: str) -> None:
    """Raises for what begins at the word tokens[at], the words around it being these, and Redshift has not."""
    word = tokens[at].word
    kind = tokens[at + 1].kind if at + 1 < len(tokens) else ""
    if word == "ON" and following == "CONFLICT":
        raise Refused("ON CONFLICT")
    if word == "RETURNING" and kind in (WORD, QUOTED, "op") and following not in (",", ")", "="):
        raise Refused("RETURNING")
    if word == "DISTINCT" and following == "ON" and tokens[at + 2].word == "(":
        raise Refused("SELECT DISTINCT ON")
    if word == "FILTER" and following == "(" and before == ")":
        raise Refused("FILTER (WHERE …) after an aggregate")
    if word == "LATERAL" and before in (",", "JOIN", "FROM"):
        raise Refused("LATERAL")
    if word == "ARRAY" and following == "[" and not reads_catalog_only(tokens):
        raise Refused("ARRAY[…]")
    if word == "FOR" and following in ("UPDATE", "SHARE") and before not in ("(", ","):
        raise Refused(f"SELECT … FOR {following}")
    if word == "OVER" and before in (")", "NULLS") and (problem := window_problem(tokens, at)):
        raise Refused(problem)
    if word == "FETCH" and following in ("FIRST", "NEXT") and at > 0:
        raise Refused("FETCH FIRST", "use LIMIT")
    if word == "ROW" and following == "(" and before not in ("NEW", "OLD"):
        raise Refused("ROW(…)")
    if word == "VALUES" and before == "(" and tokens[at - 2].word in ("FROM", "JOIN", ","):
        raise Refused("VALUES as a table")
    if word in ("INTERSECT", "EXCEPT", "MINUS") and following == "ALL":
        raise Refused(f"{word} ALL")
    if word in ("TABLESAMPLE", "SYMMETRIC"):
        raise Refused(word)
    if word == "COLLATE" and following not in ("(", ","):
        raise Refused("COLLATE in an expression")
    if word == "CONNECT" and following == "BY":
        raise NotImitated("CONNECT BY")

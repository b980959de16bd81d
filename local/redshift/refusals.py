"""The statements that are refused by their first words, and why: Redshift has no such thing, or this server has not.
And the functions that only PostgreSQL has.

What is refused inside a statement stands where that part is read: expressions.py, ddl.py, types.py, copy_statement.py.
"""

from __future__ import annotations

from .errors import NotImitated, RedshiftError, Refused

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

# Functions that PostgreSQL has and Redshift has not.
POSTGRES_FUNCTIONS = {
    "age", "array_agg", "array_append", "array_cat", "array_length", "array_prepend",
    "array_remove", "array_to_json", "array_to_string", "array_upper", "bit_xor", "cardinality", "clock_timestamp",
    "concat_ws", "convert_from", "convert_to", "corr", "covar_pop", "covar_samp", "currval", "date_bin", "encode",
    "every", "format", "gcd", "gen_random_uuid", "generate_series", "generate_subscripts", "isempty", "json_agg",
    "json_array_elements", "json_build_array", "json_build_object", "json_each", "json_object_agg",
    "json_strip_nulls", "jsonb_agg", "jsonb_array_elements", "jsonb_build_object", "jsonb_each", "jsonb_object_agg",
    "jsonb_path_query", "jsonb_pretty", "jsonb_set", "jsonb_strip_nulls", "jsonb_typeof", "justify_days",
    "justify_hours", "justify_interval", "lastval", "lcm", "lower_inc", "make_date", "make_interval", "make_time",
    "make_timestamp", "make_timestamptz", "min_scale", "mode", "nextval", "num_nonnulls", "num_nulls", "overlay",
    "parse_ident", "pg_size_pretty", "pg_sleep", "quote_nullable", "random_normal", "range_merge", "regexp_like",
    "regexp_match", "regexp_matches", "regexp_split_to_array", "regexp_split_to_table", "regr_intercept",
    "regr_slope", "row_to_json", "setval", "sha224", "sha256", "sha384", "sha512", "starts_with",
    "statement_timestamp", "string_agg", "string_to_array", "string_to_table", "to_json", "to_jsonb", "to_tsquery",
    "to_tsvector", "transaction_timestamp", "trim_scale", "ts_rank", "txid_current", "unistr", "unnest", "xmlagg",
    "xmlconcat", "xmlelement", "xmlforest",
}  # fmt: skip

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

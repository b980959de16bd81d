"""SHOW DATABASES, SCHEMAS, TABLES, COLUMNS and GRANTS ON TABLE: a SELECT from the system views that says the same.

dbt-redshift sends them with `datasharing: true`, and redshift_connector for its lists of tables and columns.
"""

from __future__ import annotations

from .errors import NotImitated, RedshiftError
from .lexer import NUMBER, STRING, Token, literal, string_value
from .statement import Statement

# What each lists: where it is written, its parts from the database down, the name that LIKE compares, and the query.
_DATABASES = """select database_name, database_owner, database_type, database_acl, null::varchar as parameters,
    database_isolation_level from svv_redshift_databases"""
_SCHEMAS = """select database_name, schema_name, schema_owner, schema_type, schema_acl, source_database, schema_option
    from svv_all_schemas"""
_TABLES = """select t.database_name, t.schema_name, t.table_name, t.table_type, t.table_acl, t.remarks,
    t.table_owner as owner,
    null::timestamp as last_altered_time, null::timestamp as last_modified_time, i.diststyle as dist_style,
    (case when m.view is not null then 'MATERIALIZED VIEW' when l.view is not null then 'LATE BINDING VIEW'
          when t.table_type = 'VIEW' then 'REGULAR VIEW' else 'REGULAR TABLE' end)::varchar as table_subtype
    from svv_redshift_tables t
    left join svv_table_info i on i."schema" = t.schema_name and i."table" = t.table_name
    left join redshift_internal.materialized m on m.schema_name = t.schema_name and m.view_name = t.table_name
    left join redshift_internal.late_binding_view l
        on l.view = to_regclass(quote_ident(t.schema_name) || '.' || quote_ident(t.table_name))"""
_COLUMNS = """select current_database()::varchar as database_name, schema_name::varchar, table_name::varchar,
    column_name::varchar, position as ordinal_position, default_text::varchar as column_default,
    case when not_null then 'NO' else 'YES' end::varchar as is_nullable, data_type::varchar,
    octets as character_maximum_length, precision as numeric_precision, scale as numeric_scale, remarks::varchar,
    (case when interleaved then 'INTERLEAVED' when sortkey <> 0 then 'COMPOUND' end)::varchar as sort_key_type,
    abs(sortkey) as sort_key, distkey::integer as dist_key, encoding::varchar as encoding,
    null::varchar as collation
    from redshift_internal.columns_of"""
# A group is a role whose name begins with a slash: undocumented, dbt-redshift's own tests found it.
_GRANTS = """select current_database()::varchar as database_name, namespace_name::varchar as schema_name,
    relation_name::varchar as object_name, 'TABLE'::varchar as object_type, privilege_type::varchar, identity_id,
    (case when identity_type = 'group' then '/' else '' end || identity_name)::varchar as identity_name,
    case when identity_type = 'group' then 'role' else identity_type end::varchar as identity_type, admin_option,
    'TABLE'::varchar as privilege_scope from svv_relation_privileges"""
_KINDS = {
    "DATABASES": ((), (), "database_name", _DATABASES),
    "SCHEMAS": (("FROM", "DATABASE"), (), "schema_name", _SCHEMAS),
    "TABLES": (("FROM", "SCHEMA"), ("schema_name",), "table_name", _TABLES),
    "COLUMNS": (("FROM", "TABLE"), ("schema_name", "table_name"), "column_name", _COLUMNS),
    "GRANTS": (("ON", "TABLE"), ("schema_name", "object_name"), "", _GRANTS),
}  # fmt: skip
LISTS = set(_KINDS)


def show(sql: str, tokens: list[Token]) -> Statement:
    """`SHOW TABLES …` and its like; the token after SHOW is one of LISTS."""
    what = tokens[1].word
    where, levels, compared, query = _KINDS[what]
    at, conditions, limit = 2, ["true"], ""
    if where:
        if [t.word for t in tokens[at : at + 2]] != list(where):
            raise NotImitated(f"SHOW {what} other than {' '.join(where)}")
        names, at = _names(tokens, at + 2)
        conditions += _conditions(what, names, levels)
    if compared and _option(tokens, at, "LIKE", STRING):
        conditions.append(f"{compared} like {literal(string_value(tokens[at + 1]))}")
        at += 2
    if _option(tokens, at, "LIMIT", NUMBER):
        limit = f" limit {tokens[at + 1].text}"
        at += 2
    if at < len(tokens):
        raise RedshiftError(f"syntax error at or near {tokens[at].text}", "42601")
    listed = f"select * from ({query}) as listed where {' and '.join(conditions)} order by 1, 2, 3, 5{limit}"
    return Statement(sql, listed, "SHOW", tag="SHOW")


def _option(tokens: list[Token], at: int, word: str, kind: str) -> bool:
    return at + 1 < len(tokens) and tokens[at].word == word and tokens[at + 1].kind == kind


def _names(tokens: list[Token], at: int) -> tuple[list[str], int]:
    names = [tokens[at].name] if at < len(tokens) else []
    at += 1
    while at + 1 < len(tokens) and tokens[at].text == ".":
        names.append(tokens[at + 1].name)
        at += 2
    if not all(names) or not names:
        raise RedshiftError("syntax error: a name was expected", "42601")
    return names, at


def _conditions(what: str, names: list[str], levels: tuple[str, ...]) -> list[str]:
    """The database may be left out; another than this session's is not imitated."""
    below = names[len(names) - len(levels) :]
    if len(names) - len(levels) not in (0, 1):
        raise RedshiftError(f"SHOW {what}: {'.'.join(names)} has too many or too few parts", "42601")
    found = [f"{level} = {literal(name)}" for level, name in zip(levels, below, strict=True)]
    if len(names) > len(levels):
        message = NotImitated(f"SHOW {what} of another database").message
        found.append(f"redshift_internal.this_database({literal(names[0])}, {literal(message)})")
    return found

"""CREATE TABLE, ALTER TABLE and CREATE VIEW of Redshift in, PostgreSQL's out.

DISTKEY, DISTSTYLE, SORTKEY and ENCODE change no result, and keys are declarations on Redshift: a primary key makes its
columns NOT NULL, nothing else is enforced. They are only noted (declared.py), by a procedure that makes the table too,
so that both succeed or neither does. A late-binding view is made by a procedure (sql/late_binding.sql).
"""

from __future__ import annotations

from dataclasses import dataclass

from .declared import Declared, changed_layout, references, table_attributes, table_key
from .errors import NotImitated, RedshiftError, Refused
from .expressions import rewrite
from .lexer import OP, Token, closing, fold, identifier, literal, read_name, skip, tokenize
from .merge import append
from .qualify import unqualified_tables
from .routines import create_function
from .statement import Statement
from .types import byte_check, read_type

_ATTRIBUTES = {
    "NOT",
    "NULL",
    "DEFAULT",
    "IDENTITY",
    "GENERATED",
    "ENCODE",
    "DISTKEY",
    "SORTKEY",
    "PRIMARY",
    "UNIQUE",
}
_ATTRIBUTES |= {"REFERENCES", "COLLATE", "CHECK", "CONSTRAINT"}


@dataclass
class _Column:
    name: str
    sql: str
    declared: Declared
    not_null: bool = False
    has_default: bool = False


def create_table(sql: str, tokens: list[Token]) -> Statement:
    at, temporary = 1, False
    at = skip(tokens, at, "LOCAL")
    if tokens[at].word in ("TEMP", "TEMPORARY"):
        temporary, at = True, at + 1
    if tokens[at].word != "TABLE":
        raise Refused(f"CREATE {tokens[at].text}")
    at += 1
    after = skip(tokens, at, "IF", "NOT", "EXISTS")
    if_absent, at = after > at, after
    name, at = read_name(tokens, at)
    temporary = temporary or name.startswith('"#')
    body, declared = "", Declared()
    if at < len(tokens) and tokens[at].text == "(":
        end = closing(tokens, at)
        body = " (" + ", ".join(_elements(sql, tokens, at, end, declared)) + ")"
        at = end + 1
    before, at = at, table_attributes(tokens, at, declared)
    if declared.like and at > before:
        raise RedshiftError("a table made by LIKE takes over its distribution, sort keys and BACKUP", "42601")
    declared.check()
    said = declared.said()
    head = f"create {'temporary ' if temporary else ''}table {'if not exists ' if if_absent else ''}{name}{body}"
    if at < len(tokens):
        if tokens[at].word != "AS":
            raise Refused(f"CREATE TABLE … {tokens[at].text}")
        query = rewrite(sql[tokens[at].end :]).strip()
        made = f"redshift_internal.made({literal(name)}, {str(temporary).lower()})"
        then = (f"call redshift_internal.declare({made}, {said})",) if said else ()
        return Statement(sql, f"{head} as {query}", "CREATE", query=query, makes_columns=True, then=then)
    if not body:
        raise RedshiftError("syntax error: a table needs columns", "42601")
    if not said:
        return Statement(sql, head, "CREATE")
    arguments = f"{literal(head)}, {literal(name)}, {str(temporary).lower()}, {said}"
    return Statement(sql, f"call redshift_internal.create_table({arguments})", "CREATE", tag="CREATE TABLE")


def _elements(sql: str, tokens: list[Token], opening: int, end: int, declared: Declared) -> list[str]:
    """Columns, with what PostgreSQL needs of them; keys taken off."""
    columns: list[_Column] = []
    others: list[str] = []
    for part in _split(tokens[opening + 1 : end]):
        word = part[0].word
        if word == "LIKE":
            others.append(fold(sql[part[0].start : part[-1].end], tokenize(sql[part[0].start : part[-1].end])))
            declared.like = read_name(part, 1)[0]
        elif word in ("PRIMARY", "UNIQUE", "FOREIGN", "CONSTRAINT", "CHECK") and len(part) > 1:
            declared.keys.append(table_key(part))
        elif len(part) == 1:
            others.append(identifier(part[0].name))  # CREATE TABLE t (a, b) AS …
        else:
            columns.append(_column(sql, part, declared))
    keys = {name for key in declared.keys if key["key"] == "p" for name in key["columns"]}
    for column in columns:
        if column.name in keys and not column.not_null:
            column.sql += " not null"
    return [c.sql for c in columns] + others


def _split(tokens: list[Token]) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.word == "(") - (token.word == ")")
        if token.word == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    if not all(parts):
        raise RedshiftError("syntax error: an empty element between commas", "42601")
    return parts


def _column(sql: str, part: list[Token], declared: Declared) -> _Column:
    name = part[0].name
    found = read_type(part, 1, column=True)
    if found is None and part[1].kind == OP:
        raise RedshiftError(f"syntax error at or near {part[1].text}", "42601")
    if found is None:
        raise Refused(f"type {part[1].text.lower()}")
    column = _Column(name, f"{identifier(name)} {found.sql}", declared)
    at = found.end
    while at < len(part):
        at = _attribute(sql, part, at, column)
    if found.octets:
        column.sql += " " + byte_check(name, found.octets)
    return column


def _attribute(sql: str, part: list[Token], at: int, column: _Column) -> int:
    word, following = part[at].word, part[at + 1].word if at + 1 < len(part) else ""
    if word == "NOT" and following == "NULL":
        column.not_null = True
        column.sql += " not null"
        return at + 2
    if word == "PRIMARY" and following == "KEY":
        if not column.not_null:
            column.sql += " not null"
        column.not_null = True
        column.declared.keys.append({"key": "p", "columns": [column.name]})
        return at + 2
    if word == "DISTKEY":
        column.declared.distkey(column.name)
    if word == "SORTKEY":
        column.declared.sort([column.name])
    if word == "UNIQUE":
        column.declared.keys.append({"key": "u", "columns": [column.name]})
    if word in ("NULL", "DISTKEY", "SORTKEY", "UNIQUE"):
        return at + 1
    if word == "ENCODE":
        column.declared.encode(column.name, following)
        return at + 2
    if word == "DEFAULT":
        end = at + 2
        while end < len(part) and (part[end].word not in _ATTRIBUTES or _inside(part, at, end)):
            end += 1
        column.has_default = True
        column.sql += " default " + rewrite(sql[part[at + 1].start : part[end - 1].end])
        return end
    if word == "IDENTITY" and following == "(":
        column.sql += " generated always as identity " + _seed(part, at + 1)
        return closing(part, at + 1) + 1
    if word == "GENERATED" and [t.word for t in part[at : at + 5]] == [
        "GENERATED",
        "BY",
        "DEFAULT",
        "AS",
        "IDENTITY",
    ]:
        column.sql += " generated by default as identity " + _seed(part, at + 5)
        return closing(part, at + 5) + 1
    if word == "REFERENCES":
        key, end = references(part, at, [column.name])
        column.declared.keys.append(key)
        return end
    if word == "CHECK":
        raise Refused("a CHECK constraint")
    if word == "COLLATE" and following in ("CASE_SENSITIVE", "CS"):
        return at + 2  # as it is anyway
    if word == "COLLATE":
        raise NotImitated("COLLATE on a column")
    raise Refused(f"{part[at].text} on a column")


def _inside(part: list[Token], start: int, at: int) -> bool:
    depth = 0
    for token in part[start:at]:
        depth += (token.word == "(") - (token.word == ")")
    return depth > 0


def _seed(part: list[Token], opening: int) -> str:
    if opening >= len(part) or part[opening].text != "(":
        raise RedshiftError("IDENTITY needs a seed and a step", "42601")
    numbers = "".join(t.text for t in part[opening + 1 : closing(part, opening)]).split(",")
    if len(numbers) != 2:
        raise RedshiftError("IDENTITY needs a seed and a step", "42601")
    low = "minvalue -9223372036854775808 " if numbers[0].startswith("-") or numbers[0] == "0" else ""
    return f"(start with {numbers[0]} increment by {numbers[1]} {low})".replace(" )", ")")


# ALTER TABLE


def alter_table(sql: str, tokens: list[Token]) -> Statement:
    name, at = read_name(tokens, skip(tokens, 2, "IF", "EXISTS"))
    words = [t.word for t in tokens[at : at + 3]] + ["", "", ""]
    if words[0] == "ALTER" and (encodings := _encodings(tokens[at:])).layout:
        return _declare(sql, name, encodings)
    if len(_split(tokens[at:])) > 1:
        raise Refused("ALTER TABLE with several actions")
    if words[0] == "ADD":
        return _add(sql, tokens, at + 1, name)
    if words[0] == "ALTER":
        return _alter(sql, tokens, at + 1, name)
    if words[:2] == ["DROP", "PRIMARY"]:
        raise Refused("ALTER TABLE … DROP PRIMARY KEY", "use DROP CONSTRAINT with its name")
    if words[0] == "DROP" and words[1] != "CONSTRAINT":
        column = tokens[skip(tokens, at + 1, "COLUMN")].name
        check = f"call redshift_internal.check_drop_column({literal(name)}::regclass, {literal(column)})"
        return Statement(sql, fold(sql, tokens), "ALTER", checks=(check,))
    if words[1] == "CONSTRAINT" and (words[0] == "RENAME" or tokens[at + 2].name.startswith("redshift_")):
        raise (
            Refused("RENAME CONSTRAINT")
            if words[0] == "RENAME"
            else RedshiftError("there is no such constraint", "42704")
        )
    if words[0] in ("RENAME", "DROP") or words[:2] in (["OWNER", "TO"], ["SET", "SCHEMA"]):
        return Statement(sql, fold(sql, tokens), "ALTER")
    if words[0] == "APPEND":
        return append(sql, tokens, at + 1, name)
    raise Refused(f"ALTER TABLE … {' '.join(w for w in words[:2] if w)}")


def _declare(sql: str, name: str, declared: Declared) -> Statement:
    call = f"call redshift_internal.declare({literal(name)}::regclass, {declared.said()})"
    return Statement(sql, call, "ALTER", tag="ALTER TABLE")


def _encodings(tokens: list[Token]) -> Declared:
    """ALTER COLUMN a ENCODE lzo, ALTER COLUMN b ENCODE zstd: the one list of actions that there is."""
    found = Declared()
    for part in _split(tokens):
        at = skip(part, 1, "COLUMN")
        if part[0].word != "ALTER" or len(part) != at + 3 or part[at + 1].word != "ENCODE" or not part[at].name:
            return Declared()
        found.encode(part[at].name, part[at + 2].text)
    return found


def _add(sql: str, tokens: list[Token], at: int, name: str) -> Statement:
    declared = Declared()
    if tokens[at].word in ("PRIMARY", "UNIQUE", "FOREIGN", "CONSTRAINT", "CHECK"):
        declared.keys.append(table_key(tokens[at:]))
        return _declare(sql, name, declared)
    at = skip(tokens, at, "COLUMN")
    if tokens[at].word == "IF":
        raise Refused("ADD COLUMN IF NOT EXISTS")
    column = _column(sql, tokens[at:], declared)
    if column.not_null and not column.has_default:
        raise RedshiftError(
            "ALTER TABLE ADD COLUMN defined as NOT NULL must have a non-null default expression", "0A000"
        )
    if declared.keys or set(declared.layout) - {"encode"} or " as identity " in column.sql:
        raise Refused("ADD COLUMN with a key, DISTKEY, SORTKEY or IDENTITY")
    then = (f"call redshift_internal.declare({literal(name)}::regclass, {declared.said()})",) if declared.layout else ()
    return Statement(sql, f"alter table {name} add column {column.sql}", "ALTER", then=then)


def _alter(sql: str, tokens: list[Token], at: int, name: str) -> Statement:
    if tokens[at].word in ("DISTKEY", "DISTSTYLE", "SORTKEY", "COMPOUND", "INTERLEAVED", "ENCODE"):
        return _declare(sql, name, changed_layout(tokens, at))
    at = skip(tokens, at, "COLUMN")
    column = tokens[at].name
    action = tokens[at + 1].word if at + 1 < len(tokens) else ""
    if action != "TYPE":
        raise Refused(f"ALTER COLUMN … {action}")
    found = read_type(tokens, at + 2, column=True)
    if found is None or not found.sql.startswith("varchar") or found.end < len(tokens):
        raise Refused("ALTER COLUMN TYPE to anything but VARCHAR")
    check = f"call redshift_internal.check_alter_type({literal(name)}, {literal(column)})"
    text = f"alter table {name} alter column {identifier(column)} type {found.sql}"
    return Statement(sql, text, "ALTER", checks=(check,), alone="ALTER TABLE … ALTER COLUMN TYPE")


# Views


def create_or_replace(sql: str, tokens: list[Token]) -> Statement:
    what = tokens[3].word if len(tokens) > 3 and tokens[2].word == "REPLACE" else ""
    if what == "VIEW":
        return create_view(sql, tokens)
    if what == "FUNCTION":
        return create_function(sql, tokens)
    if what in ("PROCEDURE", "LIBRARY"):
        raise NotImitated(f"CREATE OR REPLACE {what}")
    raise Refused(f"CREATE OR REPLACE {what}")


def create_view(sql: str, tokens: list[Token]) -> Statement:
    at = skip(tokens, 1, "OR", "REPLACE")
    replace, at = at > 1, skip(tokens, at, "VIEW")
    name, at = read_name(tokens, at)
    columns = ""
    if at < len(tokens) and tokens[at].text == "(":
        end = closing(tokens, at)
        columns = "(" + ", ".join(identifier(t.name) for t in tokens[at + 1 : end] if t.name) + ")"
        at = end + 1
    if at >= len(tokens) or tokens[at].word != "AS":
        raise Refused("CREATE VIEW with options")
    late = [t.word for t in tokens[-4:]] == ["WITH", "NO", "SCHEMA", "BINDING"]
    query = sql[tokens[at].end : tokens[-4].start if late else len(sql)]
    text = rewrite(query).strip()
    if not late:
        made = f"create {'or replace ' if replace else ''}view {name} {columns} as {text}"
        return Statement(sql, made, "CREATE", query=text, makes_columns=True)
    if unqualified_tables(query):
        raise RedshiftError(
            "All the relation names inside should be qualified when creating views with no schema binding.",
            "42601",
        )
    if columns:
        text = f"select * from ({text}) as named {columns}"
    call = f"call redshift_internal.create_late_view({literal(name)}, {literal(text)}, {str(replace).lower()})"
    return Statement(sql, call, "CREATE", tag="CREATE VIEW", query=text, makes_columns=True, quoted=True, late=True)

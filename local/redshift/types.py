"""Redshift's type names in, PostgreSQL's out; refused types by name.

SUPER is a type and VARBYTE a domain over bytea, both made by sql/types.sql.
Lengths in bytes are held by CHECK constraints called `redshift_bytes_…`: PostgreSQL counts characters.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from .errors import NotImitated, RedshiftError, Refused
from .lexer import WORD, Token, closing, identifier

VARCHAR_MAX = 65535
VARBYTE_MAX = 16_777_216
VARBYTE_DEFAULT = 64_000

_REFUSED = {
    "JSON",
    "JSONB",
    "UUID",
    "BYTEA",
    "SERIAL",
    "BIGSERIAL",
    "SMALLSERIAL",
    "SERIAL4",
    "SERIAL8",
    "MONEY",
}
_REFUSED |= {
    "INET",
    "CIDR",
    "MACADDR",
    "XML",
    "POINT",
    "LINE",
    "BOX",
    "PATH",
    "POLYGON",
    "CIRCLE",
    "TSVECTOR",
}
_REFUSED |= {"TSQUERY", "HSTORE", "BIT", "VARBIT", "CITEXT", "INT4RANGE", "INT8RANGE", "NUMRANGE", "TSRANGE"}
_REFUSED |= {"TSTZRANGE", "DATERANGE"}
_NOT_IMITATED = {"GEOMETRY", "GEOGRAPHY", "HLLSKETCH"}

# One word that PostgreSQL takes as it is, or its own name for it.
_PLAIN = {
    "SMALLINT": "", "INT2": "", "INTEGER": "", "INT": "", "INT4": "", "BIGINT": "", "INT8": "", "REAL": "",
    "FLOAT4": "", "FLOAT8": "", "FLOAT": "", "BOOLEAN": "", "BOOL": "", "DATE": "", "SUPER": "", "NAME": "",
    "OID": "", "REGCLASS": "", "REGTYPE": "", "TIMESTAMPTZ": "", "TIMETZ": "",
    "DATETIME": "timestamp",
}  # fmt: skip


@dataclass(frozen=True)
class Type:
    sql: str
    end: int  # index of the first token after it
    octets: int = 0  # the CHECK that a column of it needs; 0: the type itself, or the event trigger, sees to it


def read_type(tokens: list[Token], at: int, column: bool) -> Type | None:
    """The type that starts at tokens[at], for a column or for a cast. None: not a type known here."""
    word = tokens[at].word if at < len(tokens) and tokens[at].kind == WORD else ""
    if word in _REFUSED:
        raise Refused(f"type {word.lower()}")
    if word in _NOT_IMITATED:
        raise NotImitated(f"type {word.lower()}")
    following = [t.word for t in tokens[at + 1 : at + 4]]
    if word in ("TIMESTAMP", "TIME"):
        found = _timestamp(word, following, at)
    elif word == "DOUBLE" and following[:1] == ["PRECISION"]:
        found = Type("double precision", at + 2)
    elif word in ("DECIMAL", "NUMERIC", "DEC"):
        found = _decimal(tokens, at)
    elif word in ("VARBYTE", "VARBINARY") or (word == "BINARY" and following[:1] == ["VARYING"]):
        found = _varbyte(tokens, at + (2 if word == "BINARY" else 1), column)
    elif word in ("CHARACTER", "CHAR", "NCHAR", "BPCHAR", "VARCHAR", "NVARCHAR", "TEXT"):
        found = _string(tokens, at, word, column)
    elif word == "INTERVAL":
        found = _interval(tokens, at, column)
    elif word in _PLAIN:
        found = Type(_PLAIN[word] or word.lower(), at + 1)
        if word == "FLOAT" and following[:1] == ["("]:
            found = Type(f"float({tokens[at + 2].text})", at + 4)
    else:
        return None
    if found.end < len(tokens) and tokens[found.end].text == "[" and column:
        raise Refused("an array type")
    return found


def byte_check(column: str, octets: int) -> str:
    """The constraint that holds a length in bytes. answers.py and sql/types.sql know its name."""
    name = f"redshift_bytes_{octets}_{hashlib.md5(column.encode(), usedforsecurity=False).hexdigest()[:8]}"
    return f"constraint {name} check (octet_length({identifier(column)}) <= {octets})"


def _arguments(tokens: list[Token], at: int) -> tuple[list[str], int]:
    """`(a, b)` at this place: what is in it, and the index after it."""
    if at < len(tokens) and tokens[at].text == "(":
        end = closing(tokens, at)
        return [t.text.upper() for t in tokens[at + 1 : end] if t.text != ","], end + 1
    return [], at


def _length(arguments: list[str], maximum: int, what: str) -> int:
    if arguments == ["MAX"]:
        return maximum
    if len(arguments) != 1 or not arguments[0].isdigit() or int(arguments[0]) < 1:
        raise RedshiftError(f"length for type {what} must be a number of at least 1", "22023")
    if int(arguments[0]) > maximum:
        raise RedshiftError(f"length for type {what} cannot exceed {maximum}", "22023")
    return int(arguments[0])


def _string(tokens: list[Token], at: int, word: str, column: bool) -> Type:
    at += 1
    varying = word in ("VARCHAR", "NVARCHAR", "TEXT")
    if at < len(tokens) and tokens[at].word == "VARYING":
        varying, at = True, at + 1
    arguments, end = _arguments(tokens, at)
    if varying:
        if arguments:
            return Type(f"varchar({_length(arguments, VARCHAR_MAX, 'varchar')})", end)
        return Type("varchar(256)" if column else "varchar", end)
    if word == "BPCHAR":
        return Type("char(256)" if column else "bpchar", end)
    return Type(f"char({_length(arguments or ['1'], 4096, 'char')})", end)


def _varbyte(tokens: list[Token], at: int, column: bool) -> Type:
    arguments, end = _arguments(tokens, at)
    if arguments and not column:
        raise NotImitated("a cast to varbyte with a length")
    octets = _length(arguments, VARBYTE_MAX, "varbyte") if arguments else VARBYTE_DEFAULT
    return Type("varbyte", end, octets)


def _decimal(tokens: list[Token], at: int) -> Type:
    arguments, end = _arguments(tokens, at + 1)
    if not arguments:
        return Type("decimal(18,0)", end)
    if not all(a.isdigit() for a in arguments) or len(arguments) > 2:
        raise RedshiftError("precision and scale of a decimal must be numbers", "22023")
    precision, scale = int(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 0
    if not 1 <= precision <= 38:
        raise RedshiftError(f"DECIMAL precision {precision} must be between 1 and 38", "22023")
    if scale > precision:
        raise RedshiftError(f"DECIMAL scale {scale} must be between 0 and precision {precision}", "22023")
    return Type(f"decimal({precision},{scale})", end)


def _interval(tokens: list[Token], at: int, column: bool) -> Type:
    """A column of it needs a qualifier, a cast does not."""
    end = at + 1
    while end < len(tokens) and tokens[end].word in ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND", "TO"):
        end += 1
    if end == at + 1 and column:
        raise Refused("type interval without a qualifier", "say YEAR TO MONTH or DAY TO SECOND")
    words = " ".join(t.word.lower() for t in tokens[at:end])
    precision, end = _arguments(tokens, end) if words.endswith("second") else ([], end)
    return Type(f"{words}({precision[0]})" if precision else words, end)


def _timestamp(word: str, following: list[str], at: int) -> Type:
    if following in (["WITH", "TIME", "ZONE"], ["WITHOUT", "TIME", "ZONE"]):
        return Type(f"{word.lower()} {following[0].lower()} time zone", at + 4)
    return Type(word.lower(), at + 1)

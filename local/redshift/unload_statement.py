"""UNLOAD's text in, what it asks for out; options that Redshift or this server refuses, by name."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from .copy_statement import AUTHORIZATION, COMPRESSIONS, CSV, JSON, PARQUET, TEXT, option_text, read_authorization
from .errors import NotImitated, RedshiftError, Refused
from .lexer import NUMBER, STRING, Token, closing, string_value, tokenize

_FLAGS = {"HEADER", "GZIP", "ZSTD", "BZIP2", "ADDQUOTES", "ESCAPE", "ALLOWOVERWRITE", "CLEANPATH"}
_STRINGS = {"DELIMITER", "NULL", "REGION", "EXTENSION"}
_SIZES = {"MAXFILESIZE": (Decimal(5), Decimal(6349)), "ROWGROUPSIZE": (Decimal(32), Decimal(128))}  # in MB
_NOT_IMITATED = {"FIXEDWIDTH", "ENCRYPTED", "KMS_KEY_ID", "MASTER_SYMMETRIC_KEY"}
_NOT_WITH = {
    PARQUET: {"DELIMITER", "ADDQUOTES", "ESCAPE", "NULL", "HEADER", *COMPRESSIONS},
    JSON: {"DELIMITER", "HEADER", "ADDQUOTES", "ESCAPE", "NULL"},
    CSV: set(),
    TEXT: set(),
}


@dataclass(frozen=True)
class UnloadStatement:
    query: str  # as the client wrote it, then as PostgreSQL wants it
    target: str  # s3://bucket/prefix
    form: str
    options: dict[str, str]  # option → its value, '' where it has none
    partition: tuple[str, ...] = ()
    include: bool = False  # partition columns stay in the files
    max_bytes: int = 6_500_000_000  # 6.2 GB

    @property
    def compression(self) -> str:
        return next((c for c in COMPRESSIONS if c in self.options), "")


def parse_unload(tokens: list[Token]) -> UnloadStatement:
    head = [t.kind == STRING if i in (2, 5) else t.word for i, t in enumerate(tokens[:6])]
    if head != ["UNLOAD", "(", True, ")", "TO", True]:
        raise RedshiftError("syntax error: UNLOAD ('select …') TO 's3://…' was expected", "42601")
    query, target = string_value(tokens[2]), option_text(tokens[5])
    if not target.startswith("s3://"):
        raise Refused("UNLOAD to anything but s3://")
    _check_query(query)
    options: dict[str, str] = {}
    partition: tuple[str, ...] = ()
    form, include, authorized, at = "", False, False, 6
    while at < len(tokens):
        word, at = tokens[at].word, at + 1
        value = at + 1 if at < len(tokens) and tokens[at].word == "AS" else at
        given = tokens[value] if value < len(tokens) else None
        if word in ("FORMAT", "AS", "WITH"):
            continue
        if word in AUTHORIZATION:
            authorized, at = True, read_authorization(tokens, at - 1)
        elif word in (PARQUET, CSV, JSON):
            if form:
                raise RedshiftError(f"syntax error: {form} and {word} in one UNLOAD", "42601")
            form = word
        elif word == "PARTITION":
            partition, include, at = _partition(tokens, at)
        elif word == "MANIFEST":
            if given is not None and given.word == "VERBOSE":
                raise NotImitated("UNLOAD … MANIFEST VERBOSE")
            options[word] = ""
        elif word == "PARALLEL":
            switch = given.word if given is not None else ""
            at += switch in ("ON", "TRUE", "OFF", "FALSE")
            options[word] = "OFF" if switch in ("OFF", "FALSE") else "ON"
        elif word in _STRINGS:
            if given is None or given.kind != STRING:
                raise RedshiftError(f"syntax error: {word} needs a string", "42601")
            options[word], at = option_text(given), value + 1
        elif word in _SIZES:
            options[word], at = _size(word, tokens, value)
        elif word in _FLAGS:
            options[word] = ""
        elif word in _NOT_IMITATED:
            raise NotImitated(f"UNLOAD … {word}")
        else:
            raise NotImitated(f"UNLOAD's option {word or '(a literal)'}")
    if not authorized:
        raise RedshiftError("UNLOAD needs IAM_ROLE or CREDENTIALS", "42601")
    form = form or TEXT
    _check(form, options, partition)
    size = int(Decimal(options.get("MAXFILESIZE", "0")) * 1024 * 1024) or UnloadStatement.max_bytes
    return UnloadStatement(query, target, form, options, partition, include, size)


def _check_query(query: str) -> None:
    tokens = tokenize(query)
    if not tokens or tokens[0].word not in ("SELECT", "WITH", "("):
        raise Refused("UNLOAD of anything but a SELECT")
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")") if token.kind == "op" else 0
        if depth == 0 and token.word in ("LIMIT", "TOP"):
            raise Refused("a LIMIT clause in the outer SELECT of UNLOAD")


def _check(form: str, options: dict[str, str], partition: tuple[str, ...]) -> None:
    for option in sorted(options):
        if option in _NOT_WITH[form]:
            raise Refused(f"UNLOAD … {option} with {form}")
    if "CLEANPATH" in options and "ALLOWOVERWRITE" in options:
        raise Refused("UNLOAD … CLEANPATH with ALLOWOVERWRITE")
    if "CLEANPATH" in options and partition:
        raise NotImitated("UNLOAD … CLEANPATH with PARTITION BY")
    if form == CSV and ("ESCAPE" in options or "ADDQUOTES" in options):
        raise NotImitated("UNLOAD … CSV with ESCAPE or ADDQUOTES")
    if "ROWGROUPSIZE" in options and form != PARQUET:
        raise Refused("UNLOAD … ROWGROUPSIZE", "for Parquet only")
    if len(options.get("DELIMITER", ",")) != 1 or not options.get("DELIMITER", ",").isascii():
        raise Refused("a delimiter of other than one ASCII character")
    if sum(c in options for c in COMPRESSIONS) > 1:
        raise RedshiftError("syntax error: a file has one compression", "42601")


def _partition(tokens: list[Token], at: int) -> tuple[tuple[str, ...], bool, int]:
    if [t.word for t in tokens[at : at + 2]] != ["BY", "("]:
        raise RedshiftError("syntax error: PARTITION BY (column, …) was expected", "42601")
    end = closing(tokens, at + 1)
    inside = [t for t in tokens[at + 2 : end] if t.word != ","]
    if not inside or not all(t.name for t in inside):
        raise Refused("PARTITION BY anything but columns")
    include = end + 1 < len(tokens) and tokens[end + 1].word == "INCLUDE"
    return tuple(t.name for t in inside), include, end + (2 if include else 1)


def _size(word: str, tokens: list[Token], at: int) -> tuple[str, int]:
    """The size in MB."""
    if at >= len(tokens) or tokens[at].kind != NUMBER:
        raise RedshiftError(f"syntax error: {word} needs a number", "42601")
    unit = tokens[at + 1].word if at + 1 < len(tokens) else ""
    megabytes = Decimal(tokens[at].text) * (1024 if unit == "GB" else 1)
    low, high = _SIZES[word]
    if not low <= megabytes <= high:
        raise RedshiftError(f"{word} must be between {low} MB and {high} MB", "22023")
    return str(megabytes), at + (2 if unit in ("MB", "GB") else 1)

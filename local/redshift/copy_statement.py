"""COPY's text in, what it asks for out; options that Redshift or this server refuses, by name.

Credentials are read so far as to know that there are some; their value is kept nowhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import NotImitated, RedshiftError, Refused
from .lexer import NUMBER, STRING, Token, closing, identifier, read_name, string_value
from .times import check_format

PARQUET, JSON, CSV, TEXT = "PARQUET", "JSON", "CSV", "TEXT"

_FLAGS = {
    "GZIP", "ZSTD", "BZIP2", "MANIFEST", "SERIALIZETOJSON", "FILLRECORD", "TRUNCATECOLUMNS", "EMPTYASNULL",
    "BLANKSASNULL", "EXPLICIT_IDS", "ROUNDEC", "ESCAPE", "NOLOAD", "TRIMBLANKS", "IGNOREBLANKLINES", "REMOVEQUOTES",
    "ACCEPTANYDATE",
}  # fmt: skip
_STRINGS = {"DELIMITER", "QUOTE", "NULL", "DATEFORMAT", "TIMEFORMAT", "REGION", "ENCODING", "FIXEDWIDTH"}
_NUMBERS = {"IGNOREHEADER", "MAXERROR", "COMPROWS", "READRATIO"}
_SWITCHES = {"COMPUPDATE": {"ON", "OFF", "TRUE", "FALSE", "PRESET"}, "STATUPDATE": {"ON", "OFF", "TRUE", "FALSE"}}
_NOT_IMITATED = {"AVRO", "ORC", "SHAPEFILE", "LZOP", "ENCRYPTED", "SSH", "IGNOREALLERRORS"}

# "COPY from columnar data formats": only these are supported.
_COLUMNAR = {"ACCEPTINVCHARS", "FILLRECORD", "STATUPDATE", "MANIFEST", "SERIALIZETOJSON", "MAXERROR", "EXPLICIT_IDS"}
# "COPY from JSON format" and "Data format parameters": what cannot go together.
_NOT_WITH = {
    JSON: {"DELIMITER", "QUOTE", "ESCAPE", "FILLRECORD", "IGNOREBLANKLINES", "NULL", "READRATIO", "REMOVEQUOTES",
           "FIXEDWIDTH"},
    CSV: {"ESCAPE", "REMOVEQUOTES", "FIXEDWIDTH"},
    TEXT: {"QUOTE"},
}  # fmt: skip
ENCODINGS = {"UTF8": "utf-8", "UTF16": "utf-16", "UTF16LE": "utf-16-le", "UTF16BE": "utf-16-be"}
AUTHORIZATION = {"IAM_ROLE", "CREDENTIALS", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"}
COMPRESSIONS = ("GZIP", "ZSTD", "BZIP2")


@dataclass(frozen=True)
class CopyStatement:
    table: str  # quoted, as PostgreSQL wants it
    columns: tuple[str, ...]  # in lower case; empty: all of the table's
    source: str  # s3://bucket/key
    form: str
    options: dict[str, str]  # option → its value, '' where it has none
    json: str = ""  # JSON's own argument: auto, auto ignorecase, noshred or where the jsonpaths are

    @property
    def compression(self) -> str:
        return next((c for c in COMPRESSIONS if c in self.options), "")

    @property
    def encoding(self) -> str:
        """As Python names it."""
        return ENCODINGS[self.options.get("ENCODING", "UTF8").upper()]

    @property
    def widths(self) -> list[int]:
        """Of FIXEDWIDTH 'label:width, …'; the labels mean nothing."""
        parts = self.options["FIXEDWIDTH"].split(",") if "FIXEDWIDTH" in self.options else []
        return [int(part.rpartition(":")[2]) for part in parts]

    @property
    def max_errors(self) -> int:
        return int(self.options.get("MAXERROR", "0"))


def parse_copy(sql: str, tokens: list[Token]) -> CopyStatement:
    table, at = read_name(tokens, 1)
    columns: tuple[str, ...] = ()
    if at < len(tokens) and tokens[at].text == "(":
        end = closing(tokens, at)
        columns = tuple(t.name for t in tokens[at + 1 : end] if t.name)
        at = end + 1
    if at + 1 >= len(tokens) or tokens[at].word != "FROM" or tokens[at + 1].kind != STRING:
        raise Refused("COPY from anything but a location in quotes")
    source = string_value(tokens[at + 1])
    if not source.startswith("s3://"):
        raise NotImitated("COPY from anything but s3://")
    form, json, options = _options(tokens, at + 2)
    _check(form, options)
    return CopyStatement(table, columns, source, form, options, json)


def read_authorization(tokens: list[Token], at: int) -> int:
    """The index after IAM_ROLE, CREDENTIALS … and its value, which nobody keeps."""
    word, at = tokens[at].word, at + 1
    if at < len(tokens) and tokens[at].word == "AS":
        at += 1
    value = tokens[at] if at < len(tokens) else None
    if value is None or not (value.kind == STRING or (word == "IAM_ROLE" and value.word == "DEFAULT")):
        raise RedshiftError(f"syntax error: {word} needs a value", "42601")
    return at + 1


def _options(tokens: list[Token], at: int) -> tuple[str, str, dict[str, str]]:
    form, json, authorized = "", "", False
    options: dict[str, str] = {}
    while at < len(tokens):
        word, at = tokens[at].word, at + 1
        if word in ("FORMAT", "WITH", "AS"):
            continue
        if word in AUTHORIZATION:
            authorized, at = True, read_authorization(tokens, at - 1)
            continue
        value = at + 1 if at < len(tokens) and tokens[at].word == "AS" else at
        given = tokens[value] if value < len(tokens) else None
        is_text = given is not None and given.kind == STRING
        if word in (PARQUET, CSV, JSON):
            if form:
                raise RedshiftError(f"syntax error: {form} and {word} in one COPY", "42601")
            form = word
            if word == JSON:
                json, at = (option_text(tokens[value]), value + 1) if is_text else ("auto", at)
        elif word in _STRINGS:
            if word == "ENCODING" and given is not None and given.word:
                options[word], at = given.word, value + 1
                continue
            if not is_text and word != "DELIMITER":
                raise RedshiftError(f"syntax error: {word} needs a string", "42601")
            options[word], at = (option_text(tokens[value]), value + 1) if is_text else ("", at)
        elif word == "ACCEPTINVCHARS":
            options[word], at = (option_text(tokens[value]), value + 1) if is_text else ("?", at)
        elif word in _NUMBERS:
            if given is None or given.kind != NUMBER or not given.text.isdigit():
                raise RedshiftError(f"syntax error: {word} needs a number", "42601")
            options[word], at = given.text, value + 1
        elif word in _SWITCHES:
            options[word] = given.word if given is not None and given.word in _SWITCHES[word] else ""
            at = value + 1 if options[word] else at
        elif word in _FLAGS:
            options[word] = ""
        elif word in _NOT_IMITATED:
            raise NotImitated(f"COPY … {word}")
        else:
            raise NotImitated(f"COPY's option {word or '(a literal)'}")
    if not authorized:
        raise RedshiftError("COPY needs IAM_ROLE or CREDENTIALS", "42601")
    return form or TEXT, json, options


def _check(form: str, options: dict[str, str]) -> None:
    for option in sorted(options):
        if form == PARQUET:
            if option not in _COLUMNAR or (option == "MAXERROR" and options[option] != "0"):
                raise Refused(option, "not supported for columnar formats")
        elif option in _NOT_WITH[form]:
            raise Refused(f"{option} with {'delimited text' if form == TEXT else form}")
        elif option == "SERIALIZETOJSON":
            raise Refused("SERIALIZETOJSON", "for columnar formats only")
    encoding = options.get("ENCODING", "UTF8").upper()
    if encoding not in ENCODINGS or (encoding != "UTF8" and form == JSON):
        raise NotImitated(f"COPY … ENCODING {encoding}")
    if "FIXEDWIDTH" in options:
        for option in ("DELIMITER", "ESCAPE", "REMOVEQUOTES", "FILLRECORD"):
            if option in options:
                raise Refused(f"{option} with FIXEDWIDTH")
        if not _WIDTHS.fullmatch(options["FIXEDWIDTH"]):
            raise RedshiftError("FIXEDWIDTH must be 'label:width, label:width, …'", "42601")
    if int(options.get("MAXERROR", "0")) > 100_000:
        raise RedshiftError("MAXERROR is at most 100000", "22023")
    if sum(c in options for c in COMPRESSIONS) > 1:
        raise RedshiftError("syntax error: a file has one compression", "42601")
    for option in ("DELIMITER", "QUOTE", "ACCEPTINVCHARS"):
        if len(options.get(option, "?")) != 1:
            raise NotImitated(f"COPY … {option} of other than one character")
    for option in ("DATEFORMAT", "TIMEFORMAT"):
        if option in options:
            check_format(option, options[option])
    if "ACCEPTANYDATE" in options and options.get("DATEFORMAT", "") == "":
        raise Refused("ACCEPTANYDATE without DATEFORMAT")


def option_text(token: Token) -> str:
    """What an option's string says. Not as in SQL: `'\\t'` is a tab, `'\\174'` a character in octal, `'\\N'` stays."""
    if token.text.startswith("$"):
        return string_value(token)
    inner = token.text[token.text.index("'") + 1 : -1].replace("''", "'")
    return _ESCAPE.sub(lambda m: _escaped(m.group(1)), inner)


_WIDTHS = re.compile(r"\s*\w+\s*:\s*[1-9]\d*\s*(,\s*\w+\s*:\s*[1-9]\d*\s*)*")
_ESCAPE = re.compile(r"\\([0-7]{3}|[\\'0trn])")


def _escaped(code: str) -> str:
    return {"t": "\t", "r": "\r", "n": "\n"}.get(code) or (chr(int(code, 8)) if code.isdigit() else code)


def column_list(columns: list[str]) -> str:
    return "(" + ", ".join(identifier(c) for c in columns) + ")"

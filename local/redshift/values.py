"""The text of one field in, the text PostgreSQL takes for it out, or a load error with Redshift's number.

For COPY of text, CSV and JSON. Everything PostgreSQL would refuse is found here: a bad row must be one row's error,
which MAXERROR can pass over, and not the end of the whole COPY. The numbers are those of "Load error reference".
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, InvalidOperation, localcontext

from .columns import Column
from .super_text import BadSuper, from_json
from .times import BadTime, date_reader, time_reader, timestamp_reader

Converter = Callable[[str], str]

_INTEGERS = {"smallint": (16, "Short"), "integer": (32, "Integer"), "bigint": (64, "Long")}
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|[+-]?inf(inity)?", re.IGNORECASE)
_TRUE, _FALSE = {"t", "true", "y", "yes", "1"}, {"f", "false", "n", "no", "0"}


class BadField(Exception):
    """A value that cannot be loaded: the number of the error and its words."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def converter(column: Column, options: dict[str, str]) -> Converter:
    kind = column.kind
    if kind in _INTEGERS:
        return _integer(*_INTEGERS[kind])
    if kind in ("real", "double precision"):
        return _float("f" if kind == "real" else "d")
    if kind == "numeric":
        return _numeric(column, "ROUNDEC" in options)
    if kind == "date":
        return _time(date_reader(options.get("DATEFORMAT", "")), 1205, "Invalid Date Format", options)
    if kind.startswith("timestamp"):
        reader = timestamp_reader(options.get("TIMEFORMAT", ""), kind.endswith("with time zone"))
        return _time(reader, 1206, "Invalid timestamp format or value", options)
    if kind.startswith("time "):
        return _time(time_reader(kind.endswith("with time zone")), 1206, "Invalid time format or value", {})
    plain = {"boolean": _boolean, "super": _super, "binary varying": _varbyte(column)}
    return plain.get(kind) or _string(column, "TRUNCATECOLUMNS" in options)


def _integer(bits: int, name: str) -> Converter:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1

    def convert(text: str) -> str:
        text = text.strip()
        digits = text[1:] if text[:1] in ("-", "+") else text
        if not (digits.isascii() and digits.isdigit()):
            raise BadField(1207, f"Invalid digit, Type: {name}")
        if len(digits.lstrip("0")) > 19 or not low <= int(text) <= high:
            raise BadField(1222, f"Overflow, Type: {name}")
        return text

    return convert


def _float(size: str) -> Converter:
    def convert(text: str) -> str:
        text = text.strip()
        if not _FLOAT.fullmatch(text):
            raise BadField(1208, "Invalid floating point value")
        value = float(text)
        try:
            kept = struct.unpack(size, struct.pack(size, value))[0]
        except OverflowError as error:
            raise BadField(1204, "Floating point value out of range") from error
        lost = kept == 0 and any(c in "123456789" for c in text.lower().split("e")[0])
        if lost or (math.isinf(kept) and "inf" not in text.lower()):
            raise BadField(1204, "Floating point value out of range")
        return text

    return convert


def _numeric(column: Column, rounds: bool) -> Converter:
    step = Decimal(1).scaleb(-column.scale)
    rounding = ROUND_HALF_UP if rounds else ROUND_DOWN
    limit = Decimal(10) ** (column.precision - column.scale)

    plain = re.compile(rf"-?[0-9]{{1,{column.precision - column.scale or 1}}}(\.[0-9]{{1,{column.scale or 1}}})?")
    # Most values need nothing done to them; Decimal is slow.
    is_plain = plain.fullmatch if 0 < column.scale < column.precision else re.compile("(?!)").match

    def convert(text: str) -> str:
        if is_plain(text):
            return text
        text = text.strip()
        try:
            value = Decimal(text)
        except InvalidOperation as error:
            raise BadField(1209, "Invalid DECIMAL format") from error
        if not value.is_finite() or "_" in text or not text.isascii():
            raise BadField(1209, "Invalid DECIMAL format")
        if value.adjusted() >= column.precision - column.scale and value:
            raise BadField(1204, "Numeric overflow")
        with localcontext() as context:
            context.prec = 80
            value = value.quantize(step, rounding)
            if abs(value) >= limit:  # with the wide context: the usual one rounds to 28 digits
                raise BadField(1204, "Numeric overflow")
        return format(value, "f")

    return convert


def _boolean(text: str) -> str:
    word = text.strip().lower()
    if word in _TRUE:
        return "t"
    if word in _FALSE:
        return "f"
    raise BadField(1210, "Unknown boolean format")


def _time(reader: Converter, code: int, reason: str, options: dict[str, str]) -> Converter:
    def convert(text: str) -> str:
        try:
            return reader(text)
        except BadTime as error:
            if "ACCEPTANYDATE" in options:
                raise NullInstead from error
            raise BadField(code, reason) from error

    return convert


class NullInstead(Exception):
    """ACCEPTANYDATE: what is no date becomes NULL."""


def _super(text: str) -> str:
    try:
        stored = from_json(text)
        stored.encode()
    except UnicodeEncodeError as error:  # half a character: JSON can spell it, UTF-8 cannot
        raise BadField(1220, "String contains invalid or unsupported UTF8 codepoints") from error
    except BadSuper as error:
        raise BadField(1224, f"Invalid JSON format for type super: {error}") from error
    except ValueError as error:
        raise BadField(1224, "Invalid JSON format for type super") from error
    if "\0" in stored or "\\u0000" in stored:
        raise BadField(1220, "String contains invalid or unsupported UTF8 codepoints")
    return stored


def _varbyte(column: Column) -> Converter:
    def convert(text: str) -> str:
        try:
            value = bytes.fromhex(text.strip())
        except ValueError as error:
            raise BadField(1219, "Hexadecimal value contains an invalid digit") from error
        if column.limit and len(value) > column.limit:
            raise BadField(1204, "Value exceeds DDL length")
        return "\\x" + value.hex()

    return convert


def _string(column: Column, truncate: bool) -> Converter:
    limit, fixed = column.limit, column.kind == "character"

    def convert(text: str) -> str:
        if "\0" in text:
            raise BadField(1220, "String contains a NUL character")
        if text.isascii() and (not limit or len(text) <= limit):
            return text
        try:
            data = text.encode()
        except UnicodeEncodeError as error:
            raise BadField(1220, "String contains invalid or unsupported UTF8 codepoints") from error
        if fixed and not text.isascii():
            raise BadField(1215, "A CHAR column holds single-byte characters only")
        if limit and len(data) > limit:
            if not truncate:
                raise BadField(1204, "Char length exceeds DDL length" if fixed else "String length exceeds DDL length")
            text = data[:limit].decode(errors="ignore")
        return text

    return convert

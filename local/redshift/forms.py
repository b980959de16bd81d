"""Calls of Redshift whose arguments PostgreSQL writes in another way: rewritten arguments in, the call's text out.

Which arguments stand where is read by expressions.py. Functions in `redshift_internal` are made by sql/*.sql.
"""

from __future__ import annotations

from collections.abc import Callable

from .errors import NotImitated, RedshiftError, Refused
from .lexer import Token, closing, opening, string_value, tokenize

_INTERNAL = "redshift_internal"
_PARTS = {
    "weekday": "dow", "dayofweek": "dow", "dow": "dow", "dw": "dow", "yearday": "doy", "dayofyear": "doy", "dy": "doy",
    "ms": "milliseconds", "msec": "milliseconds", "millisecond": "milliseconds", "us": "microseconds",
    "usec": "microseconds", "yr": "year", "mon": "month", "qtr": "quarter", "w": "week", "d": "day", "h": "hour",
    "hr": "hour", "m": "minute", "min": "minute", "s": "second", "sec": "second", "decades": "decade", "dec": "decade",
    "decs": "decade",
}  # fmt: skip


def counted(name: str, arguments: list[str], *counts: int) -> list[str]:
    if len(arguments) not in counts:
        raise RedshiftError(f"function {name.lower()} does not take {len(arguments)} arguments", "42883")
    return arguments


def _nvl(arguments: list[str]) -> str:
    return f"coalesce({', '.join(arguments)})"


def _nvl2(arguments: list[str]) -> str:
    value, then, other = counted("nvl2", arguments, 3)
    return f"case when ({value}) is not null then {then} else {other} end"


def _decode(arguments: list[str]) -> str:
    if len(arguments) < 3:
        raise RedshiftError("function decode needs an expression, a search and a result", "42883")
    value, *rest = arguments
    pairs = zip(rest[::2], rest[1::2], strict=False)
    cases = "".join(f" when ({value}) is not distinct from ({s}) then {r}" for s, r in pairs)
    default = f" else {rest[-1]}" if len(rest) % 2 else ""
    return f"case{cases}{default} end"


def _concat(arguments: list[str]) -> str:
    """Two arguments, and NULL if one of them is: PostgreSQL's own skips NULLs."""
    first, second = counted("concat", arguments, 2)
    return f"(({first})::varchar || ({second})::varchar)"


def _with_defaults(name: str, function: str, *defaults: str) -> Callable[[list[str]], str]:
    """A call of ours that takes every argument, a string first, with these for the ones left out."""

    def form(arguments: list[str]) -> str:
        least = sum(d == "" for d in defaults)
        value, *rest = counted(name, arguments, *range(least, len(defaults) + 1))
        return f"{_INTERNAL}.{function}({', '.join([f'({value})::varchar', *rest, *defaults[len(arguments) :]])})"

    return form


def _to_timestamp(arguments: list[str]) -> str:
    """Of a number alone it is PostgreSQL's."""
    value, pattern, *strict = counted("to_timestamp", arguments, 2, 3)
    return f"{_INTERNAL}.to_timestamp(({value})::varchar, {pattern}, {strict[0] if strict else 'false'})"


def _array(arguments: list[str]) -> str:
    parts = ", ".join(f"({a})::super" for a in arguments)
    return f"{_INTERNAL}.make_array(array[{parts}]::super[])"


def _object(arguments: list[str]) -> str:
    if len(arguments) % 2:
        raise RedshiftError("function object needs a value for each name", "42883")
    names = ", ".join(f"({a})::varchar" for a in arguments[::2])
    parts = ", ".join(f"({a})::super" for a in arguments[1::2])
    return f"{_INTERNAL}.make_object(array[{names}]::varchar[], array[{parts}]::super[])"


def _search(name: str) -> Callable[[list[str]], str]:
    """What is looked for may be of any type that SUPER holds."""

    def form(arguments: list[str]) -> str:
        array, value, *nulls = counted(name, arguments, 2, 3)
        return f"{_INTERNAL}.{name}({array}, ({value})::super, {nulls[0] if nulls else 'true'})"

    return form


def _object_transform(arguments: list[str]) -> str:
    raise NotImitated("OBJECT_TRANSFORM")


def _grouping(arguments: list[str]) -> str:
    return f"grouping({', '.join(arguments)})"


SIMPLE: dict[str, Callable[[list[str]], str]] = {
    "NVL": _nvl,
    "NVL2": _nvl2,
    "DECODE": _decode,
    "CONCAT": _concat,
    "ARRAY": _array,
    "OBJECT": _object,
    "OBJECT_TRANSFORM": _object_transform,
    "ARRAY_CONTAINS": _search("array_contains"),
    "ARRAY_POSITION": _search("array_position"),
    "ARRAY_POSITIONS": _search("array_positions"),
    "GROUPING_ID": _grouping,
    "TO_TIMESTAMP": _to_timestamp,
    # Every match is replaced; PostgreSQL's own stops after the first.
    "REGEXP_REPLACE": _with_defaults("regexp_replace", "regexp_other", "", "", "''", "1", "''"),
    "REGEXP_SUBSTR": _with_defaults("regexp_substr", "regexp_text", "", "", "1", "1", "''"),
    "REGEXP_INSTR": _with_defaults("regexp_instr", "regexp_at", "", "", "1", "1", "0", "''"),
    "REGEXP_COUNT": _with_defaults("regexp_count", "regexp_number", "", "", "1", "''"),
}


def part_name(token: Token) -> str:
    """PostgreSQL's name for the part of a date that EXTRACT or DATE_PART asks for."""
    written = (token.name or string_value(token)).lower()
    if written in ("isodow", "isoyear", "julian"):
        raise Refused(f"the date part {written}")
    return _PARTS.get(written, written)


def extract(part: str, source: str) -> str:
    """EXTRACT gives an integer; milliseconds and microseconds are those of the second."""
    if part == "decade":
        return f"{_INTERNAL}.decade({source})"
    value = f"trunc(extract({part} from {source}))"
    if part.rstrip("s") in ("millisecond", "microsecond"):
        value = f"mod({value}, {1000 if part.startswith('milli') else 1_000_000})"
    return f"{value}::{'bigint' if part == 'epoch' else 'integer'}"


def ordering(order: str) -> tuple[list[str], bool]:
    """`order by a desc, b desc` in: the expressions, and whether it descends. Rewritten text in and out."""
    tokens = tokenize(order)
    keys: list[str] = []
    directions: set[bool] = set()
    start, depth = 2, 0
    for at in range(2, len(tokens) + 1):
        token = tokens[at] if at < len(tokens) else None
        if token is not None:
            depth += (token.text in "([") - (token.text in ")]") if token.kind == "op" else 0
        if token is None or (token.text == "," and depth == 0):
            key, descending = _direction(order, tokens[start:at])
            keys.append(key)
            directions.add(descending)
            start = at + 1
    if len(directions) > 1:
        raise NotImitated("WITHIN GROUP (ORDER BY …) OVER with directions that differ")
    return keys, directions == {True}


def _direction(order: str, tokens: list[Token]) -> tuple[str, bool]:
    if any(t.word == "NULLS" for t in tokens):
        raise NotImitated("WITHIN GROUP (ORDER BY … NULLS …) OVER")
    descending = tokens[-1].word == "DESC"
    last = tokens[-2] if tokens[-1].word in ("ASC", "DESC") else tokens[-1]
    return order[tokens[0].start : last.end], descending


def listagg_over(value: str, delimiter: str, order: str, distinct: bool) -> str:
    """NULL sorts highest: before each key stands whether it is NULL."""
    keys, descending = ordering(order) if order else ([], False)
    parts = ", ".join(f"({k}) is null, {k}" for k in keys)
    flags = f"{str(descending).lower()}, {str(distinct).lower()}"
    return f"{_INTERNAL}.listagg({value}, {delimiter}, {flags}, jsonb_build_array({parts}))"


def distinct_order(order: str, plain: str, value: str) -> str:
    """PostgreSQL wants ORDER BY of a DISTINCT aggregate to be the very argument."""
    words = tokenize(order)
    by = order[words[2].start :].strip() if len(words) > 2 else ""
    for direction in ("", " asc", " desc"):
        if by.lower() == (plain + direction).lower():
            return f" order by {value}{direction}"
    raise NotImitated("LISTAGG (DISTINCT x) ordered by something other than x")


def percentile_over(function: str, fraction: str, order: str) -> str:
    key, fraction = _percentile(function, fraction, order)
    name = "percentile" if function == "percentile_cont" else function
    return f"{_INTERNAL}.{name}({key}, ({fraction})::double precision)"


def percentile_cont(fraction: str, order: str) -> str:
    """Without OVER: PostgreSQL collects the values, a function of ours picks one or goes between two."""
    key, fraction = _percentile("percentile_cont", fraction, order)
    values = f"array_agg({key}) filter (where ({key}) is not null)"
    return f"{_INTERNAL}.percentile_of({values}, ({fraction})::double precision)"


def _percentile(function: str, fraction: str, order: str) -> tuple[str, str]:
    keys, descending = ordering(order)
    if len(keys) != 1:
        raise RedshiftError(f"{function} takes one sort key", "42601")
    if descending and function == "percentile_disc":
        raise NotImitated("PERCENTILE_DISC … OVER in descending order")
    return keys[0], f"1 - ({fraction})" if descending else fraction


# Window functions that may skip NULLs, and the frame that an aggregate in their place needs, if they have none.
IGNORING = {
    "FIRST_VALUE": "", "LAST_VALUE": "", "NTH_VALUE": "",
    "LAG": "unbounded preceding and 1 preceding", "LEAD": "1 following and unbounded following",
}  # fmt: skip

# Those that take no frame, and those that take no order either.
_UNFRAMED = {"CUME_DIST", "DENSE_RANK", "LAG", "LEAD", "NTILE", "PERCENT_RANK", "RANK", "ROW_NUMBER"}
_UNORDERED = {"LISTAGG", "MEDIAN", "PERCENTILE_CONT", "PERCENTILE_DISC", "RATIO_TO_REPORT"}

# Window functions that need a frame when they have an order.
_FRAMED = {
    "AVG", "COUNT", "FIRST_VALUE", "LAST_VALUE", "MAX", "MIN", "NTH_VALUE", "STDDEV", "STDDEV_POP", "STDDEV_SAMP",
    "SUM", "VARIANCE", "VAR_POP", "VAR_SAMP",
}  # fmt: skip


def window_problem(tokens: list[Token], over: int) -> str:
    """What Redshift has not in `f(…) OVER (…)`, tokens[over] being OVER; or nothing."""
    if over + 1 >= len(tokens) or tokens[over + 1].text != "(":
        return "a window that is named in a WINDOW clause"
    inside = [t.word for t in tokens[over + 2 : closing(tokens, over + 1)]]
    for unit in ("RANGE", "GROUPS"):
        if unit in inside and inside[inside.index(unit) - 1] not in (",", "BY", "."):
            return f"a window frame in {unit}"
    if "EXCLUDE" in inside and inside[inside.index("EXCLUDE") - 1] in ("ROW", "PRECEDING", "FOLLOWING"):
        return "EXCLUDE in a window frame"
    end = over - 3 if tokens[over - 1].word == "NULLS" else over - 1
    call = opening(tokens, end)
    if tokens[call - 1].word == "GROUP":  # f(…) WITHIN GROUP (…) OVER
        call = opening(tokens, call - 3)
    name = tokens[call - 1].word
    if name in _UNORDERED and "ORDER" in inside:
        return f"{name} with an ORDER BY clause in OVER"
    if name in _UNFRAMED and "ROWS" in inside and inside[inside.index("ROWS") - 1] not in (",", "BY", "."):
        return f"{name} with a frame clause"
    if name in ("LAG", "LEAD") and _commas(tokens, call) > 1:
        return f"a default value in {name}"
    if name in _FRAMED and "ORDER" in inside and "ROWS" not in inside:
        return "an aggregate window function with an ORDER BY clause and without a frame clause"
    return ""


def _commas(tokens: list[Token], at: int) -> int:
    """Those that separate the arguments between this parenthesis and the one that closes it."""
    depth, found = 0, 0
    for token in tokens[at : closing(tokens, at)]:
        depth += (token.word in ("(", "[")) - (token.word in (")", "]"))
        found += token.word == "," and depth == 1
    return found

"""Dates and times in a text file in, ISO text for PostgreSQL out: DATEFORMAT and TIMEFORMAT of COPY.

Without an option a format is fixed: 2020-01-31, 2020-01-31 12:30:59.123456, the latter with an offset for TIMESTAMPTZ.
'auto' knows the formats listed below and no others: what it does not know is a load error, never a guess.
From Redshift's pages "DATEFORMAT and TIMEFORMAT strings" and "Using automatic recognition".
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from functools import cache

from .errors import NotImitated, Refused

_NAMES = "janfebmaraprmayjunjulaugsepoctnovdec"
_MONTHS = {_NAMES[3 * i : 3 * i + 3]: i + 1 for i in range(12)}
_PARTS = {
    "YYYY": r"(?P<year>\d{4})", "YY": r"(?P<short>\d{2})", "MONTH": r"(?P<month_name>[a-z]{3,9})",
    "MON": r"(?P<month_name>[a-z]{3})", "MM": r"(?P<month>\d{1,2})", "DD": r"(?P<day>\d{1,2})",
    "HH24": r"(?P<hour>\d{1,2})", "HH12": r"(?P<hour>\d{1,2})", "HH": r"(?P<hour>\d{1,2})",
    "MI": r"(?P<minute>\d{1,2})", "SS": r"(?P<second>\d{1,2})(?:\.(?P<fraction>\d{1,6})\d*)?",
    "AM": r"(?P<half>am|pm)", "PM": r"(?P<half>am|pm)",
}  # fmt: skip
_OFFSET = r"\s*(?P<offset>z|[+-]\d{2}(?::?\d{2})?)?"
_SPLIT = re.compile(
    "|".join(sorted(_PARTS, key=len, reverse=True)) + r"|TZ|OF|T(?=HH)|[A-Z]+|\d+|.", re.IGNORECASE | re.DOTALL
)

_DATE, _TIME = "YYYY-MM-DD", "YYYY-MM-DD HH:MI:SS"
_AUTO = [
    f"{day}{time}"
    for day in ("YYYY-MM-DD", "YYYY/MM/DD", "MM/DD/YYYY", "MM-DD-YYYY", "YYYYMMDD", "DD-MON-YYYY", "MON-DD-YYYY",
                "DD MON YYYY", "MON DD YYYY", "MON DD, YYYY")
    for time in (" HH:MI:SS", "THH:MI:SS", " HH:MI", "THH:MI", " HH:MI:SS AM", "")
] + ["YYYYMMDD HHMISS"]  # fmt: skip
_EPOCH = dt.datetime(1970, 1, 1)


class BadTime(ValueError):
    """Not a date or time of the format asked for."""


Reader = Callable[[str], str]


def date_reader(form: str) -> Reader:
    """For a DATE column. A time of day may follow and is dropped, as documented."""
    patterns = [_compiled(f, False) for f in (_AUTO if form == "auto" else [form or _DATE])]
    if not form:
        patterns.append(_compiled(_TIME, False))

    def read(value: str) -> str:
        if not form and _is_iso(value, 10):
            return value
        return _parse(value, patterns)[0].date().isoformat()

    return read


def timestamp_reader(form: str, zone: bool) -> Reader:
    """For a TIMESTAMP column, or with `zone` TIMESTAMPTZ."""
    if form in ("epochsecs", "epochmillisecs"):
        return lambda value: _from_epoch(value, form, zone)
    forms = _AUTO if form == "auto" else [form] if form else [_TIME, _DATE]
    patterns = [_compiled(f, zone or form == "auto") for f in forms]

    def read(value: str) -> str:
        if not form and not zone and _is_iso(value, 19):
            return value
        moment, offset = _parse(value, patterns)
        return moment.isoformat(" ") + (offset if zone else "")

    return read


def time_reader(zone: bool) -> Reader:
    pattern = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d{1,6})?)?" + (_OFFSET if zone else ""), re.IGNORECASE)

    def read(value: str) -> str:
        if not pattern.fullmatch(value.strip()):
            raise BadTime
        hour, minute, *second = re.split(r"[:.+zZ-]", value.strip())
        if int(hour) > 23 or int(minute) > 59 or (len(second) > 0 and second[0].isdigit() and int(second[0]) > 59):
            raise BadTime
        return value.strip()

    return read


def check_format(option: str, form: str) -> None:
    """Raises for a format string that Redshift, or this server, does not read."""
    if form == "auto" or (option == "TIMEFORMAT" and form in ("epochsecs", "epochmillisecs")):
        return
    for word in _SPLIT.findall(form):
        if word.upper() in ("TZ", "OF"):
            raise Refused(f"{option} with a time zone")
        if word.isalnum() and word.upper() not in _PARTS and word.upper() != "T":
            raise NotImitated(f"COPY … {option} with {word}")


def _is_iso(value: str, length: int) -> bool:
    """2020-01-31, or with 19 characters 2020-01-31 12:30:59: the default formats, of which there are most. Quickly."""
    if len(value) != length or value[4] != "-" or value[7] != "-" or (length == 19 and value[10] != " "):
        return False
    try:
        dt.datetime.fromisoformat(value)
    except ValueError:
        return False
    return length == 10 or value[13] == value[16] == ":"


@cache
def _compiled(form: str, offset: bool) -> re.Pattern[str]:
    parts, seen = [], set()
    for word in _SPLIT.findall(form):
        part = _PARTS.get(word.upper(), r"\s+" if word == " " else re.escape(word))
        if part in seen and part.startswith("(?P"):
            raise NotImitated(f"a date format that names {word} twice")
        seen.add(part)
        parts.append(part)
    text = "".join(parts)
    if form.replace(" ", "").isalnum():  # nothing but their number tells digits apart
        text = text.replace(r"\d{1,2}", r"\d{2}")
    return re.compile(text + (_OFFSET if offset else ""), re.IGNORECASE)


def _parse(value: str, patterns: list[re.Pattern[str]]) -> tuple[dt.datetime, str]:
    value = value.strip()
    for pattern in patterns:
        match = pattern.fullmatch(value)
        if match is not None:
            try:
                return _moment(match.groupdict())
            except (ValueError, KeyError):
                continue
    raise BadTime


def _moment(found: dict[str, str | None]) -> tuple[dt.datetime, str]:
    short = int(found.get("short") or 0)
    year = int(found.get("year") or (short + (1900 if short >= 70 else 2000)))
    name = found.get("month_name")
    month = _MONTHS[name[:3].lower()] if name else int(found.get("month") or 1)
    hour = int(found.get("hour") or 0)
    half = (found.get("half") or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise ValueError("hour")
        hour = hour % 12 + (12 if half == "pm" else 0)
    micro = int((found.get("fraction") or "0").ljust(6, "0"))
    moment = dt.datetime(year, month, int(found.get("day") or 1), hour, int(found.get("minute") or 0),
                         int(found.get("second") or 0), micro)  # fmt: skip
    offset = (found.get("offset") or "").lower().replace("z", "+00")
    if offset and int(offset[1:3]) > 15:
        raise ValueError("offset")
    return moment, offset


def _from_epoch(value: str, form: str, zone: bool) -> str:
    if not re.fullmatch(r"-?\d+", value.strip()):
        raise BadTime
    try:
        micros = int(value) * (1000 if form == "epochmillisecs" else 1_000_000)
        moment = _EPOCH + dt.timedelta(microseconds=micros)
    except (OverflowError, ValueError) as error:
        raise BadTime from error
    return moment.isoformat(" ") + ("+00" if zone else "")

"""Lengths of time as people write them: ``90 s``, ``45 minutes``, ``26 hours``, ``2 days``; and by the calendar:
``6 months``, ``7 years``.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

#: What a source file and an option may hold.
PATTERN = r"^\s*0*[1-9]\d{0,6}\s*(s|seconds?|m|min|minutes?|h|hours?|d|days?)\s*$"
#: What a class of retention may hold: a month has no fixed number of seconds.
SPAN_PATTERN = r"^\s*0*([1-9]\d{0,4}\s*(days?|weeks?)|[1-9]\d{0,3}\s*months?|[1-9]\d{0,2}\s*years?)\s*$"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> int:
    """The seconds that a text says.

    Raises:
        ValueError: it is no such text; what it has to be.
    """
    if not re.match(PATTERN, text):
        raise ValueError("a number and a unit, such as 90 minutes or 2 hours")
    number, unit = re.findall(r"\d+|[a-z]", text)[:2]
    return int(number) * _SECONDS[unit]


def words(seconds: float) -> str:
    """``90 s``, ``45 min``, ``26 h``, ``12 days``: the largest unit that has two of it at least."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


@dataclass(frozen=True)
class Span:
    """A length of time by the calendar."""

    text: str
    months: int
    days: int

    def before(self, moment: datetime) -> datetime:
        """That long before a moment; the last day of a month where the day does not exist there."""
        return _months_later(moment, -self.months) - timedelta(days=self.days)

    def after(self, moment: datetime) -> datetime:
        """That long after a moment; the last day of a month where the day does not exist there."""
        return _months_later(moment, self.months) + timedelta(days=self.days)


def span(text: str) -> Span:
    """The length that a text says.

    Raises:
        ValueError: it is no such text; what it has to be.
    """
    if not re.match(SPAN_PATTERN, text):
        raise ValueError("a number of days, weeks, months or years, such as 6 months")
    found = re.findall(r"\d+|[a-z]+", text)
    number, unit = int(found[0]), found[1].rstrip("s")
    days = {"day": 1, "week": 7}.get(unit, 0)
    months = {"month": 1, "year": 12}.get(unit, 0)
    return Span(f"{number} {unit}{'' if number == 1 else 's'}", number * months, number * days)


def _months_later(moment: datetime, months: int) -> datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, calendar.monthrange(year, month + 1)[1]))

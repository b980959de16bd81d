"""A table's cursor: its kind, its forms as text and as SQL, and the zone of its clock.

In: a cursor and moments in UTC. Out: text for the commit and literals for MySQL. A commit's text never becomes SQL as
it is: it is parsed by the cursor's kind first.

TIMESTAMP is UTC in every session of ours. DATETIME and DATE are whatever their writer's clock showed, which MySQL
does not know: the source file may say it (``cursor_zone``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from el.mysql.connection import quoted

Kind = Literal["timestamp", "datetime", "date", "integer"]

#: Where the zone is not known: in the hour that repeats at the end of daylight saving a DATETIME falls back.
DAYLIGHT_SAVING = timedelta(minutes=70)
#: A zone's clock has gone back by at most this much at once in modern times.
_LARGEST_STEP = timedelta(hours=3)


@dataclass(frozen=True)
class Cursor:
    """``digits`` behind the second; ``zone`` of the writers of a DATETIME or DATE, None: not known."""

    name: str
    kind: Kind
    digits: int = 0
    nullable: bool = False
    zone: str | None = None

    @property
    def zone_unknown(self) -> bool:
        """Its clock is neither UTC nor named."""
        return self.kind in ("datetime", "date") and self.zone is None

    def order(self, value: str) -> tuple[int, str]:
        """What values in a commit's form are compared by."""
        return (int(value), "") if self.kind == "integer" else (0, value)

    def literal(self, value: str) -> str:
        """SQL of a value as a commit has it.

        Raises:
            ValueError: the text is no value of this kind.
        """
        match self.kind:
            case "integer":
                return str(int(value))
            case "date":
                return f"'{date.fromisoformat(value).isoformat()}'"
        return f"'{datetime.fromisoformat(value).isoformat(' ', 'microseconds')}'"

    def parsed(self, text: str) -> str:
        """A value as a user writes it, in the form that commits have; a time is one of the cursor's own clock.

        Raises:
            ValueError: it is no value of this kind; the message says what is expected.
        """
        expected = {
            "integer": "a whole number",
            "date": "a date such as 2026-11-02",
            "datetime": f"a time such as '2026-11-02 08:30:00', in {self.zone or 'its writer'}'s clock, without a zone",
            "timestamp": "a time such as '2026-11-02 08:30:00', in UTC, without a zone",
        }[self.kind]
        try:
            if self.kind == "integer":
                return str(int(text))
            if self.kind == "date":
                return date.fromisoformat(text).isoformat()
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(expected) from None
        if moment.tzinfo is not None:
            raise ValueError(expected)
        return moment.isoformat(" ", "microseconds")

    def at_or_beyond(self, lo: str | None) -> str:
        """SQL: the rows of a window. A row whose cursor is NULL belongs to every window: nothing tells its age."""
        if lo is None:
            return "true"
        condition = f"{quoted(self.name)} >= {self.literal(lo)}"
        return f"({condition} or {quoted(self.name)} is null)" if self.nullable else condition

    def behind(self, lo: str) -> str:
        """SQL: the rows before a window."""
        return f"{quoted(self.name)} < {self.literal(lo)}"

    def between(self, lo: str | None, to: str | None) -> str:
        """SQL: from ``lo`` up to, but not including, ``to``; None: no limit there. No row whose cursor is NULL."""
        limits = [f"{quoted(self.name)} >= {self.literal(lo)}"] if lo is not None else []
        limits += [self.behind(to)] if to is not None else []
        return " and ".join(limits)

    def lowest_from(self, moment: datetime, offset: timedelta) -> str:
        """The lowest cursor that a write at ``moment`` (UTC) or later can have; ``offset``: the server's zone.

        Where the zone is not known the server's own zone and UTC are what applications use: the earlier of the two
        loses nothing and only reads more again.
        """
        if self.kind != "timestamp":
            moment = self._earliest_reading(moment, offset)
        if self.kind == "date":
            return moment.date().isoformat()
        step = 10 ** (6 - self.digits)
        return moment.replace(microsecond=moment.microsecond // step * step).isoformat(" ", "microseconds")

    def earlier(self, value: str, by: timedelta) -> str:
        """A time of this cursor moved into the past."""
        if self.kind == "date":
            return (datetime.fromisoformat(value) - by).date().isoformat()
        return (datetime.fromisoformat(value) - by).isoformat(" ", "microseconds")

    def _earliest_reading(self, moment: datetime, offset: timedelta) -> datetime:
        if self.zone is None:
            return moment if not offset else min(moment, moment + offset) - DAYLIGHT_SAVING
        zone = ZoneInfo(self.zone)
        # From `moment` on the clock only grows, unless it is about to be set back: look at the hours that follow.
        first = moment.replace(second=0, microsecond=0)
        ahead = (first + timedelta(minutes=minute) for minute in range(1, int(_LARGEST_STEP.total_seconds()) // 60))
        return min(_reading(at, zone) for at in (moment, *ahead))


def _reading(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)

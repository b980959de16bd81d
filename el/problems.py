"""The state of alerts: of each problem people are told once, and once more when it is over.

In: what a run has seen of a table. Out: ``_alerts/<source>.json`` below the landing, one object per source, written
under its ETag: of two hosts that see the same problem one tells it. ``notify.py`` sends; this file knows what is due.

A problem is a table and a kind. It is told to each channel until the channel took it: who tells it says so in the
object first, and whoever comes later keeps still for a few minutes. So an alert may come twice when a process is killed
while it sends, and is never lost. A problem that is over stays in the object for a month, for ``el status``.

An event (drift) does not last: it is told once, and nobody is told that it is over. It is known by its text, so that a
run which comes to it again, because the one before failed, tells nothing new.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from el import __version__
from el.errors import Taken
from el.landing import Landing
from el.retry import TRANSACTION, retry

Result = TypeVar("Result")

#: Every kind, and how an alert says it. A new kind is one line here, and somebody who sees it.
KINDS = {
    "run": "could not be started",
    "bug": "ended by a mistake in el",
    "extract": "extract failed",
    "load": "load failed",
    "lag": "is behind",
    "values": "values could not be carried",
    "json": "JSON could not be parsed",
    "archive": "archive failed",
    "proof": "a copy in the archive could not be proven",
    "verify": "verify failed",
    "damage": "the archive is damaged",
    "drill": "drill failed",
    "expire": "expire failed",
    "drift": "columns changed",
}
#: Kinds that happen, and do not last.
EVENTS = frozenset({"drift"})
#: Where the problems of el itself are kept, beside those of the sources.
EL = "_el"
#: Whoever said that he tells a problem is believed for so long.
_TELLING = timedelta(minutes=5)
_KEEP_OVER = timedelta(days=30)


@dataclass(frozen=True)
class Seen:
    """What a run has seen: a problem of a table or a column (``text`` says which), or that it is over (None).

    Over without a column: of every column that was not seen in the same breath.
    """

    table: str
    kind: str
    text: str | None
    column: str = ""


@dataclass
class Problem:
    """A problem that was told or has to be. ``run`` is the run that saw it last, ``over`` when it was over.

    An event is over when it is seen.
    """

    table: str
    kind: str
    text: str
    run: str
    since: str
    column: str = ""
    over: str | None = None
    over_run: str | None = None
    told: list[str] = field(default_factory=list)
    told_over: list[str] = field(default_factory=list)
    telling: str | None = None

    @property
    def key(self) -> str:
        return _key(self.table, self.kind, self.since if self.kind in EVENTS else self.column)

    @property
    def ended(self) -> bool:
        """People have to hear that it is over."""
        return self.over is not None and self.kind not in EVENTS

    @property
    def name(self) -> str:
        """What has the problem, and which: ``clinic.messages: load failed``."""
        return f"{self.table}{f', column {self.column}' if self.column else ''}: {KINDS[self.kind]}"

    def due(self, channels: Sequence[str]) -> list[str]:
        """The channels that do not know yet: of the problem, or that it is over (those that were told of it)."""
        if self.ended:
            return [channel for channel in channels if channel in self.told and channel not in self.told_over]
        return [channel for channel in channels if channel not in self.told]


def see(landing: Landing, source: str, seen: Sequence[Seen], run: str, channels: Sequence[str]) -> list[Problem]:
    """Write down what was seen; the problems that this run has to tell now.

    Raises:
        LandingError: S3 refuses; nothing was written down.
    """

    def change(problems: dict[str, Problem], now: datetime) -> list[Problem]:
        moment = now.isoformat(timespec="seconds")
        now_open = {_key(one.table, one.kind, one.column) for one in seen if one.text is not None}
        for one in seen:
            if one.text is not None:
                _open(problems, one, run, moment)
            else:
                _close([p for p in problems.values() if _is_meant(p, one) and p.key not in now_open], run, moment)
        due = [problem for problem in problems.values() if problem.due(channels) and not _is_being_told(problem, now)]
        for problem in due:
            problem.telling = moment
        return due

    return _changed(landing, source, change)


def told(landing: Landing, source: str, problems: Sequence[Problem], by_channel: Mapping[str, bool]) -> None:
    """Write down which channels took it.

    Raises:
        LandingError: S3 refuses; it may be told again.
    """
    took = [channel for channel, worked in by_channel.items() if worked]

    def change(known: dict[str, Problem], now: datetime) -> None:
        for problem in problems:
            entry = known.get(problem.key)
            if entry is None or entry.since != problem.since:  # it came again in the meantime
                continue
            entry.telling = None
            if problem.ended:
                entry.told_over = sorted({*entry.told_over, *took})
            else:
                entry.told = sorted({*entry.told, *took})

    _changed(landing, source, change)


def of(landing: Landing, source: str) -> list[Problem]:
    """The problems of a source, with those that are over.

    Raises:
        LandingError: S3 refuses.
    """
    found = landing.problems(source).read().content
    return [Problem(**entry) for entry in found["problems"].values()] if found else []


def _key(table: str, kind: str, column: str) -> str:
    return "/".join(part for part in (table, kind, column) if part)


def _is_meant(problem: Problem, over: Seen) -> bool:
    return (problem.table, problem.kind) == (over.table, over.kind) and over.column in ("", problem.column)


def _open(problems: dict[str, Problem], one: Seen, run: str, moment: str) -> None:
    assert one.text is not None
    if one.kind in EVENTS:
        known_texts = {p.text for p in problems.values() if (p.table, p.kind) == (one.table, one.kind)}
        if one.text not in known_texts:
            event = Problem(one.table, one.kind, one.text, run, moment, over=moment)
            problems[event.key] = event
        return
    key = _key(one.table, one.kind, one.column)
    known = problems.get(key)
    if known and known.over is None:
        known.text, known.run = one.text, run
    else:
        problems[key] = Problem(one.table, one.kind, one.text, run, moment, one.column)


def _close(problems: Sequence[Problem], run: str, moment: str) -> None:
    for problem in problems:
        if problem.over is None:
            problem.over, problem.over_run, problem.telling = moment, run, None


def _is_being_told(problem: Problem, now: datetime) -> bool:
    return problem.telling is not None and now - datetime.fromisoformat(problem.telling) < _TELLING


def _changed(landing: Landing, source: str, change: Callable[[dict[str, Problem], datetime], Result]) -> Result:
    """Change the problems of a source; again from the start when another host was faster."""
    slot = landing.problems(source)

    def changed() -> Result:
        found = slot.read()
        before = found.content["problems"] if found.content else {}
        problems = {key: Problem(**entry) for key, entry in before.items()}
        now = found.now.astimezone(UTC)
        result = change(problems, now)
        forgotten = (now - _KEEP_OVER).isoformat(timespec="seconds")
        after = {key: asdict(one) for key, one in problems.items() if not one.over or one.over > forgotten}
        if after == before:
            return result
        content: dict[str, Any] = {"el_version": __version__, "problems": after}
        slot.write(content, found.etag)
        return result

    return retry(changed, TRANSACTION, Taken)

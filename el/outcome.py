"""What happened to one table in one run: what reports show, records keep, and alerts are made of.

``TableResult`` is the one shape of it, for ``el`` and ``el-archive`` alike. ``Extracted`` and ``Loaded`` count what
extract and load did; they are counted on while the work goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

#: What became of a job. cut off: asked to stop, and the rest is for the next run. skipped: another run works there.
State = Literal["not begun", "done", "nothing new", "failed", "refused", "skipped", "cut off"]

#: Errors of one table that a record and an alert spell out: an archive that was lost has one for each object.
_AT_MOST = 10


@dataclass
class TableResult:
    """What happened to one table.

    ``states`` is what became of each job on it, by the job's name, in their order. ``rows`` are counts by what became
    of them, in words; ``objects`` and ``bytes`` are those of files on S3. ``errors`` are by the kind of problem that
    they are (``problems.KINDS``). ``whole`` is False if success says nothing of what was not looked at.
    """

    table: str
    states: dict[str, State] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    objects: int = 0
    bytes: int = 0
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)
    errors: dict[str, list[str]] = field(default_factory=dict)
    whole: bool = True

    def fail(self, job: str, *texts: str, kind: str = "") -> None:
        """Keep errors of a job; ``kind``: of the problem, if it is not called as the job is."""
        self.states[job] = "failed"
        known = self.errors.setdefault(kind or job, [])
        known += [text for text in texts if text not in known]

    def note(self, *texts: str) -> None:
        """Add what was noticed, each once."""
        self.warnings = list(dict.fromkeys([*self.warnings, *texts]))

    def became(self, *states: State) -> bool:
        """Whether one of its jobs did."""
        return not set(states).isdisjoint(self.states.values())

    @property
    def every_error(self) -> list[str]:
        """Each once, a line each."""
        return list(
            dict.fromkeys(line for texts in self.errors.values() for text in texts for line in text.split("\n"))
        )

    @property
    def error(self) -> str | None:
        """The errors as one text."""
        return joined(self.every_error)

    def json(self) -> dict[str, Any]:
        """For ``--json``, the log and the record."""
        own = asdict(self) | {"seconds": round(self.seconds, 3), "error": self.error}
        own["errors"] = {kind: joined(texts) for kind, texts in self.errors.items()}
        return own


def joined(texts: Iterable[str]) -> str | None:
    """The first of them, and how many more there are; None: there is none."""
    found = list(texts)
    more = [f"and {len(found) - _AT_MOST:,} more"] if len(found) > _AT_MOST else []
    return "\n".join([*found[:_AT_MOST], *more]) or None


@dataclass
class Extracted:
    """What one table's extract has committed. ``lo`` and ``next_lo`` are the window of its pass; None without one.

    ``drift``: how the columns differ from those of the commit before, in words. ``backfill`` is the range that was read
    again instead, from and up to; None: no limit there. ``counts`` says how many values were not carried as they were,
    by kind and column. ``unfinished``: it was asked to stop, or its hours are over.
    """

    rows: int = 0
    commits: int = 0
    files: int = 0
    bytes: int = 0
    lo: str | None = None
    next_lo: str | None = None
    full: bool = False
    backfill: tuple[str | None, str | None] | None = None
    unfinished: bool = False
    drift: str | None = None
    warnings: list[str] = field(default_factory=list)
    counts: dict[str, Counter[str]] = field(default_factory=dict)


@dataclass
class Loaded:
    """What one table's load did. ``json_misses``: JSON values that became NULL, per column.

    ``rows`` were copied. ``commits`` were settled; those that a later one replaces are among them, with no rows.
    ``full``: the last commit of a full pass was among them. ``archived`` rows were told as such. ``unfinished``: it was
    asked to stop between two batches.
    """

    rows: int = 0
    commits: int = 0
    full: bool = False
    archived: int = 0
    unfinished: bool = False
    warnings: list[str] = field(default_factory=list)
    json_misses: Counter[str] = field(default_factory=Counter)

"""What happened to one table in one run: what the report shows, the record keeps, and alerts are made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Job = Literal["extract", "load"]
#: What became of a job. cut off: asked to stop, and the rest is for the next run. skipped: another run works there.
State = Literal["done", "nothing new", "failed", "skipped", "cut off", "not begun"]


@dataclass
class TableRun:
    """What happened to one table. ``extract`` and ``load`` say what became of them; None: not asked for.

    ``lo`` and ``next_lo`` are the window; None in mode replace or without a read.
    ``backfill`` is the range that was read again instead, from and up to; None: no limit there. ``bytes`` are those of
    the files on S3. ``counts`` says how many values were not carried as they were, by kind and column. ``errors`` holds
    what ``error`` joins, by job. ``full_load``: the last commit of a full pass was applied. ``archived`` rows were told
    as such.
    ``drift``: how MySQL's columns differ from those that were copied before.
    """

    table: str
    mode: str
    extract: State | None = None
    load: State | None = None
    extracted: int = 0
    loaded: int = 0
    extract_commits: int = 0
    load_commits: int = 0
    bytes: int = 0
    full: bool = False
    full_load: bool = False
    archived: int = 0
    lo: str | None = None
    next_lo: str | None = None
    backfill: tuple[str | None, str | None] | None = None
    seconds: float = 0.0
    drift: str | None = None
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    error: str | None = None

    def fail(self, job: Job, text: str) -> None:
        """Keep an error with its job."""
        setattr(self, job, "failed")
        self.errors[job] = f"{self.errors[job]}\n{text}" if job in self.errors else text
        self.error = "\n".join(dict.fromkeys("\n".join(self.errors.values()).split("\n")))

    def note(self, *texts: str) -> None:
        """Add what was noticed, each once."""
        self.warnings = list(dict.fromkeys([*self.warnings, *texts]))

    def json(self) -> dict[str, Any]:
        """For ``--json``, the log and the record."""
        return asdict(self) | {"seconds": round(self.seconds, 3)}

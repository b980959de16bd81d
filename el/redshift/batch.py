"""What one transaction applies: commits that follow each other, and what becomes of each.

``applied``: its files are copied. ``superseded``: a later commit of the same batch replaces the whole table, so its
rows would be deleted in the transaction that brings them; it is not copied. ``skipped``: a person has quarantined it.
Each of them gets its row in the ledger, in order of seq: a position is reached only through all that come before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from el.landing import Commit, LandedFile

Kind = Literal["applied", "superseded", "skipped"]


@dataclass(frozen=True)
class Step:
    """One commit of a batch."""

    commit: Commit
    kind: Kind = "applied"
    reason: str | None = None

    @property
    def rows(self) -> int:
        """Rows that it brings to Redshift."""
        return self.commit.rows if self.kind == "applied" else 0


@dataclass(frozen=True)
class Batch:
    """Commits that one transaction applies. All that are copied have the same columns, mode and salt."""

    steps: tuple[Step, ...]

    @property
    def copied(self) -> list[Commit]:
        """The commits whose files are copied; one at most in mode replace."""
        return [step.commit for step in self.steps if step.kind == "applied"]

    @property
    def last_copied(self) -> Commit:
        """The newest of those. All have its columns, keys and mode."""
        return self.copied[-1]

    @property
    def starts_over(self) -> bool:
        """True if it begins with a full pass, or is a copy of the whole table: it needs nothing that came before."""
        first = self.copied[0]
        return first.mode == "replace" or (first.reading.full and first.reading.first_seq == first.seq)

    @property
    def files(self) -> list[LandedFile]:
        """Files that one COPY reads."""
        return [file for commit in self.copied for file in commit.files]

    @property
    def rows(self) -> int:
        """Rows that the COPY must bring."""
        return sum(commit.rows for commit in self.copied)

    @property
    def last(self) -> Commit:
        """The commit that is the position afterwards."""
        return self.steps[-1].commit

    @property
    def name(self) -> str:
        """``commit 5`` or ``commits 5 to 104``, for messages."""
        first = self.steps[0].commit.seq
        return f"commit {first}" if len(self.steps) == 1 else f"commits {first} to {self.last.seq}"

"""Which commits of one table Redshift lacks, and which of them one transaction may apply.

In: a table's folder on S3, and the position that the ledger holds. Out: numbers, in order and without a gap, and
batches of them. Nothing here writes, and nothing but ``is_applied`` asks Redshift.

A landing that was lost is no special case for the user: extract finds no head and copies in full again, and load
finds that its position is not in the landing and starts at that full copy. What it never does is to apply a commit
again that is older than what Redshift has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from el.errors import LandingDamage, LandingError
from el.landing import Commit, LandedColumn, Skip, TableLanding
from el.redshift.batch import Batch, Step
from el.redshift.ledger import Position
from el.summary import Salt

#: A batch ends before it is larger: the incoming table needs its room on the cluster's disks twice, once as it is and
#: once sorted by key, and what is aborted at the end is done again whole. A hundred commits of a few rows are one.
_ROWS_PER_BATCH = 10_000_000
_BYTES_PER_BATCH = 2 * 2**30
#: Of the retention: what is not loaded by then is warned of.
_NEAR = 0.75
#: And for the statement that writes their ledger rows, which has twenty values each.
_COMMITS_PER_BATCH = 500


def expiring(label: str, commit: Commit, days: int | None) -> str | None:
    """What to say of the oldest commit that is not loaded if its files are deleted soon; ``days`` after they came."""
    if days is None:
        return None
    began = datetime.fromisoformat(commit.extracted_at)
    if datetime.now(UTC) - began < timedelta(days=days) * _NEAR:
        return None
    return (
        f"commit {commit.seq} is not loaded and its files are from {began:%Y-%m-%d}: the bucket deletes them after "
        f"{days} days (EL_RETENTION_DAYS), and then only a full copy helps. Load before: el load {label}"
    )


@dataclass
class Pending:
    """What one table's landing has for Redshift. ``warnings`` collects what a user should know of where it began.

    ``applied``: the commit that Redshift applied last, if it was read to see that there is none behind it.
    """

    label: str
    landing: TableLanding
    is_applied: Callable[[str], bool]
    warnings: list[str] = field(default_factory=list)
    applied: Commit | None = None

    def is_none(self, position: Position | None) -> bool:
        """True if the landing has nothing that Redshift lacks; asks S3 alone."""
        if position is None:
            return not self.landing.seqs_from(1)
        seqs = self.landing.seqs_from(position.seq)
        if seqs == [position.seq]:
            commit = self.landing.commit(position.seq)
            self.applied = commit if commit.load_id == position.load_id else None
            return self.applied is not None
        return not seqs and not self.landing.seqs_from(1)

    def seqs(self, position: Position | None) -> list[int]:
        """Numbers of the commits to apply, in order and without a gap.

        Raises:
            LandingError: a commit is missing, and no full copy came after it.
        """
        if position is None:
            return self._without_gap(*self._of_one_form())
        seqs = self.landing.seqs_from(position.seq)
        if seqs and seqs[0] == position.seq and self.landing.commit(position.seq).load_id == position.load_id:
            return self._without_gap(seqs[1:], position.seq + 1)
        return self._from_full_copy(position)

    def batch(
        self, seqs: Sequence[int], position: Position | None, skips: Mapping[int, Skip], one_by_one: bool
    ) -> Batch:
        """The commits that the next transaction applies: the first of ``seqs``, and those behind it that go with it.

        Raises:
            LandingError: the first cannot be read, or does not follow what Redshift applied last.
        """
        commits: list[Commit] = []
        try:
            commits.extend(self.landing.commits(seqs[: 1 if one_by_one else _COMMITS_PER_BATCH]))
        except LandingError:
            # Those before it can be applied, and then it is the first.
            commits = [self.landing.commit(seqs[0])]
        first = commits[0]
        if position is not None and first.previous_load_id != position.load_id and not _starts_over(first):
            raise LandingError(
                f"{self.label}: commit {first.seq} does not follow the commit that Redshift applied last. "
                f"Redshift was not changed. Copy the table again: el run --full {self.label}"
            )
        return Batch(tuple(_together(_chained(commits), skips)))

    def behind_damage(self, pending: list[int], damage: LandingDamage) -> list[int]:
        """What to apply instead, where the first of the pending commits is lost: the newest full copy behind it.

        Raises:
            LandingDamage: there is none.
        """
        start = self._newest_full_copy(pending[1:])
        if start is None:
            raise damage
        self.warnings.append(
            f"commit {pending[0]} is missing or damaged; loaded from the full copy that begins at commit {start} "
            "instead. Rows that MySQL no longer had by then may be missing"
        )
        return self._without_gap(pending[pending.index(start) :], start)

    def _of_one_form(self) -> tuple[list[int], int]:
        """For a raw table that is not there yet: the commits whose columns have the types of the newest.

        Older ones would make a table that the newer ones do not fit. The first number that has to be there, too.
        """
        seqs = self.landing.seqs_from(1)
        start, newest = None, None
        for seq in reversed(seqs):
            try:
                commit = self.landing.commit(seq)
            except LandingError:  # those before it can be applied; it is refused when it is its turn
                continue
            newest = newest or commit
            if not _fits(commit, newest):
                break
            if _starts_over(commit):
                start = seq
        else:
            return seqs, 1
        if start is None:
            return seqs, 1
        self.warnings.append(
            f"the table is built from the full copy that begins at commit {start}: commits before it have other column "
            "types. Rows that MySQL no longer had by then are not in it"
        )
        return seqs[seqs.index(start) :], start

    def _from_full_copy(self, position: Position) -> list[int]:
        """Where to begin in a landing that does not hold the commit that was applied last."""
        seqs = self.landing.seqs_from(1)
        start = self._newest_full_copy(seqs)
        if not seqs:
            return []
        if start is None or self.is_applied(self.landing.commit(start).load_id):
            raise LandingError(
                f"{self.label}: Redshift applied commit {position.seq} last, and the landing ends at commit "
                f"{seqs[-1]} without it: it has lost commits. Redshift was not changed. Copy the table again: "
                f"el run --full {self.label}"
            )
        self.warnings.append(
            f"the landing no longer holds commit {position.seq}, which Redshift applied last; loaded again from the "
            f"full copy that begins at commit {start}. Rows that MySQL no longer has stay in Redshift"
        )
        return self._without_gap(seqs[seqs.index(start) :], start)

    def _newest_full_copy(self, seqs: list[int]) -> int | None:
        return next((seq for seq in reversed(seqs) if _starts_over(self.landing.commit(seq))), None)

    def _without_gap(self, seqs: list[int], first: int) -> list[int]:
        for expected, seq in enumerate(seqs, first):
            if seq != expected:
                missing = LandingDamage(
                    f"{self.label}: commit {expected} is missing in {self.landing.url}/_commits/, but {seq} is "
                    "there. Nothing was applied. Restore it from the bucket's versions, or copy the table again: "
                    f"el run --full {self.label}"
                )
                return self.behind_damage([expected, *(s for s in seqs if s >= seq)], missing)
        return seqs


def _chained(commits: list[Commit]) -> list[Commit]:
    """As many as follow each other by load id."""
    for number, (before, after) in enumerate(pairwise(commits), 1):
        if after.previous_load_id != before.load_id:
            return commits[:number]
    return commits


def _together(commits: list[Commit], skips: Mapping[int, Skip]) -> list[Step]:
    """As many as one transaction may apply, from the first on."""
    steps = [_step(commit, skips) for commit in commits]
    replaces = [n for n, step in enumerate(steps) if step.commit.mode == "replace" and step.kind == "applied"]
    if replaces:
        # Whatever came before the newest copy of the whole table would be deleted by it.
        newest = replaces[-1]
        before = [step if step.kind == "skipped" else Step(step.commit, "superseded") for step in steps[:newest]]
        return [*before, steps[newest]]
    chosen: list[Step] = []
    form: tuple[list[LandedColumn], str, Salt] | None = None
    rows = size = 0
    for step in steps:
        if step.kind == "applied":
            rows += step.commit.rows
            size += sum(file.size for file in step.commit.files)
            own = step.commit.columns, step.commit.dlt_schema_hash, step.commit.summary.salt
            if form not in (None, own) or (form and (rows > _ROWS_PER_BATCH or size > _BYTES_PER_BATCH)):
                break
            form = own
        chosen.append(step)
    return chosen


def _step(commit: Commit, skips: Mapping[int, Skip]) -> Step:
    skip = skips.get(commit.seq)
    # A landing that was lost and made anew has other commits of the same numbers.
    if skip is None or skip.load_id != commit.load_id:
        return Step(commit)
    return Step(commit, "skipped", skip.reason)


def _starts_over(commit: Commit) -> bool:
    """True for the first commit of a full pass: it needs nothing that came before it."""
    return commit.reading.full and commit.reading.first_seq == commit.seq


def _fits(older: Commit, newer: Commit) -> bool:
    """True if both can be in one table: the same key, and the same types of the columns that both have.

    The length of a VARCHAR does not matter: the table's is altered.
    """

    def kind(column: LandedColumn) -> str:
        return "varchar" if column.redshift.startswith("varchar") else column.redshift

    before, now = ({column.name: column for column in commit.columns} for commit in (older, newer))
    keys = [{column.name for column in commit.columns if column.key} for commit in (older, newer)]
    return keys[0] == keys[1] and all(kind(before[name]) == kind(now[name]) for name in before.keys() & now.keys())

"""How every table stands: watermark, lag, what is pending, what failed last, and who works on it now.

In: the landing (head commits, leases, problems) and the ledger's positions, where this host knows Redshift. Out:
``TableStatus``, as text or JSON.

The lag is the age of what somebody who reads Redshift does not see. If nothing is pending it is the time since MySQL
was last asked, whether or not anything was new; if a commit is pending, the time since that one was extracted, at
least.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime

from el import duration, lease, problems, settings
from el.config import Table, raw_name
from el.landing import Commit, Landing, TableLanding
from el.pending import expiring
from el.problems import Problem
from el.redshift import ledger
from el.redshift.catalog import raw_schema
from el.redshift.connection import connected
from el.text import aligned, or_dash, short


@dataclass(frozen=True)
class TableStatus:
    """One table as it stands.

    ``pending`` counts commits that Redshift does not have yet; None: not asked. ``looked_at`` is when the last extract
    that succeeded began, ``lag`` and ``max_lag`` are seconds. ``at_work``: who works on it now. ``problems``: open
    ones; ``last_error`` is the newest failure, open or over. ``skipped``: the newest commit that was skipped and whose
    rows may be missing still. ``expiring``: what to do before files of pending commits are deleted.
    ``archive_unknown``: the table has an archive that this host does not know, so load tells Redshift nothing of it.
    """

    table: str
    mode: str
    commits: int
    watermark: str | None
    extracted_at: str | None
    pass_is_done: bool
    applied: int | None
    applied_at: str | None
    pending: int | None
    looked_at: str | None
    lag: int | None
    max_lag: int | None
    at_work: list[dict[str, str | None]]
    problems: list[dict[str, str | None]]
    last_error: dict[str, str | None] | None
    skipped: int | None = None
    expiring: str | None = None
    archive_unknown: bool = False

    @property
    def is_late(self) -> bool:
        """Beyond its max_lag. A table that was never extracted is, if it has one."""
        return self.max_lag is not None and (self.lag is None or self.lag > self.max_lag)


def status(tables: Sequence[Table], landing: Landing, ask_redshift: bool = True) -> list[TableStatus]:
    """The state of tables: from the landing, and from Redshift where this host knows it and it is wanted.

    Raises:
        LandingError: S3 refuses.
        WarehouseError: Redshift refuses.
    """
    sources = list(dict.fromkeys(table.source for table in tables))
    positions: dict[str, dict[str, ledger.Position]] = {}
    if ask_redshift and settings.redshift_is_set():
        with connected(settings.redshift()) as connection:
            for source in sources:
                positions[source] = ledger.positions(connection, raw_schema(source))
    known = {source: problems.of(landing, source) for source in sources}

    def one(table: Table) -> TableStatus:
        position = positions.get(table.source, {}).get(raw_name(table.name))
        own = [problem for problem in known[table.source] if problem.table == table.label]
        return _status(landing, table, position, table.source in positions, own)

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, tables))


def _status(
    landing: Landing, table: Table, position: ledger.Position | None, asked: bool, own: list[Problem]
) -> TableStatus:
    place = landing.table(table.source, raw_name(table.name))
    head = place.head()
    pending, first = _pending(place, head, position) if asked else (None, None)
    extract, load = (lease.look(landing, settings.home(), table.source, table.name, job) for job in ("extract", "load"))
    looked_at = extract.last_began or (datetime.fromisoformat(head.extracted_at) if head else None)
    since = [moment for moment in (looked_at, datetime.fromisoformat(first.extracted_at) if first else None) if moment]
    failures = sorted((p for p in own if p.kind in ("extract", "load")), key=lambda p: p.over or "9")
    return TableStatus(
        table=table.label,
        mode=table.mode,
        commits=head.seq if head else 0,
        watermark=head.window.next_lo if head and head.reading.done else head.window.lo if head else None,
        extracted_at=head.extracted_at if head else None,
        pass_is_done=head.reading.done if head else True,
        applied=position.seq if position else None,
        applied_at=position.applied_at if position else None,
        pending=pending,
        looked_at=looked_at.isoformat(timespec="seconds") if looked_at else None,
        lag=max(0, int((extract.now - min(since)).total_seconds())) if since else None,
        max_lag=table.max_lag,
        at_work=[
            {"job": job, "run": who.run, "host": who.host, "since": who.since}
            for job, who in (("extract", extract), ("load", load))
            if who.run
        ],
        problems=[_shown(problem) for problem in own if not problem.over],
        last_error=_shown(failures[-1]) if failures else None,
        skipped=position.hole.seq if position and position.hole else None,
        expiring=expiring(table.label, first, settings.retention_days()) if first else None,
        archive_unknown=asked and table.retention is not None and settings.archive_place() is None,
    )


def _pending(place: TableLanding, head: Commit | None, position: ledger.Position | None) -> tuple[int, Commit | None]:
    """How many commits Redshift does not have, and the first of them. Numbers have no gaps."""
    if head is None:
        return 0, None
    if position and head.seq == position.seq and head.load_id == position.load_id:
        return 0, None
    in_landing = (
        position is not None
        and place.seqs_from(position.seq)[:1] == [position.seq]
        and place.commit(position.seq).load_id == position.load_id
    )
    first = position.seq + 1 if in_landing and position else (place.seqs_from(1) or [head.seq])[0]
    return head.seq - first + 1, place.commit(first)


def _shown(problem: Problem) -> dict[str, str | None]:
    return {
        "kind": problem.kind,
        "what": problem.name,
        "column": problem.column,
        "text": problem.text,
        "run": problem.run,
        "since": problem.since,
        "over": problem.over,
    }


def status_text(found: Sequence[TableStatus], as_json: bool) -> str:
    """What ``el status`` prints."""
    if as_json:
        return json.dumps([asdict(entry) | {"is_late": entry.is_late} for entry in found], indent=1)
    lines = aligned(
        ["table", "mode", "commits", "watermark", "last commit", "applied", "pending", "lag", ""],
        [
            [
                s.table,
                s.mode,
                str(s.commits),
                short(s.watermark) + ("" if s.pass_is_done else " (pass not finished)"),
                short(s.extracted_at),
                or_dash(s.applied),
                or_dash(s.pending),
                "-" if s.lag is None else duration.words(s.lag),
                "late" if s.is_late else "",
            ]
            for s in found
        ],
        right={2, 5, 6, 7},
    )
    lines += [
        f"note: {s.table}: ROWS MAY BE MISSING: commit {s.skipped} was skipped. Only a full copy ends this note: "
        f"el run --full {s.table}"
        for s in found
        if s.skipped
    ]
    lines += [f"note: {s.table}: {s.expiring}" for s in found if s.expiring]
    lines += [
        f"note: {s.table}: ARCHIVE_URL is not set on this host: load does not tell Redshift which rows are archived"
        for s in found
        if s.archive_unknown
    ]
    for s in found:
        lines += [
            f"at work: {s.table}: run {w['run']} on {w['host']}, {w['job']} since {w['since']}" for w in s.at_work
        ]
    for s in found:
        lines += [
            f"problem: {p['what']} since {p['since']}, run {p['run']}: {p['text']}"
            for p in s.problems
            if not p["column"]
        ]
        columns = [str(p["column"]) for p in s.problems if p["column"]]
        if columns:
            lines.append(f"note: {s.table}: not every value could be carried in {', '.join(columns)}: el status --json")
    return "\n".join(lines)

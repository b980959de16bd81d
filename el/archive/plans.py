"""The plans of all tables that are named: of which moment, in which order, and in words.

In: selectors and a moment. Out: a ``Plan`` for each table (``plan.py``), children before their parents. A table that
cannot be asked about has one that says why, and the others have theirs all the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from el import config, settings
from el.archive import holds
from el.archive.plan import Decision, Failure, Plan, Refusal, children_first, failed, make_plan
from el.archive.sizes import size_text
from el.archive.store import Archive
from el.config import Source, Table
from el.errors import ElError, UsageError
from el.landing import Landing
from el.mysql.connection import connected
from el.text import aligned


def as_of(text: str | None) -> datetime:
    """The moment that cutoffs are counted from, in UTC; now, if none is given.

    Raises:
        UsageError: it is no time, or in the future.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    if not text:
        return now
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--as-of {text!r} is no time; it must be such as 2026-11-01 or 2026-11-01T06:00:00") from None
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    if found > now:
        raise UsageError(f"--as-of {text} is in the future. Rows that are not old yet would go.")
    return found


def plans(selectors: Sequence[str], moment: datetime) -> list[Plan]:
    """A plan for every table that has a policy, or is named; children first. One that cannot be made says why.

    Raises:
        UsageError: a selector names nothing, or nothing has a policy.
    """
    sources = config.load_sources(settings.sources_folder())
    chosen = [t for t in config.select(sources, selectors) if t.retention or t.label in selectors]
    if not chosen:
        raise UsageError(
            "no table has an archive policy. Nothing was started. Give it one in the source file: "
            "archive: {class: …, age: …}, and the class under retention:"
        )
    landing, archive = Landing(settings.landing()), Archive(settings.archive())
    made = []
    names = list(dict.fromkeys(table.source for table in chosen))
    for name in names:  # a variable that is wrong must not be found after an hour
        settings.archive_mysql(name), settings.mysql_replica(name)
    for source in names:
        own = [table for table in chosen if table.source == source]
        made += _of_source(sources[source], own, landing, archive, moment)
    return made


def _of_source(
    source: Source, tables: Sequence[Table], landing: Landing, archive: Archive, moment: datetime
) -> list[Plan]:
    server = settings.archive_mysql(source.name)
    archived = [(server.database, table.name) for table in source.tables if table.retention]
    made: list[Plan] = []
    away = ""  # a server that does not answer is not asked for every table
    for table in tables:
        if away:
            made.append(failed(table, moment, away))
            continue
        try:
            with connected(source.name, server) as connection:
                plan = make_plan(connection, table, landing, moment, archived)
            made.append(_with_holds(plan, len(holds.active(archive.table(table.source, table.name)))))
        except ElError as error:
            made.append(failed(table, moment, str(error)))
            away = str(error) if error.transient else ""
    return children_first(made)


def _with_holds(plan: Plan, many: int) -> Plan:
    note = f"rows under {many:,} holds stay, and are counted here: el-archive hold list {plan.label}"
    return replace(plan, notes=(*plan.notes, note)) if many else plan


def report(found: Sequence[Plan], as_json: bool) -> str:
    """The plans for standard output."""
    if as_json:
        return json.dumps({"tables": [plan.json() for plan in found]}, indent=1)
    body = [
        [
            plan.label,
            plan.cutoff or "-",
            *_figures(plan),
        ]
        for plan in found
    ]
    header = ["table", "older than", "rows", "reusable", "chunks", "minutes", "S3 USD", ""]
    lines = aligned(header, body, {2, 3, 4, 5, 6})
    for plan in found:
        if isinstance(plan, Refusal):
            lines += [f"refused: {plan.label}: {why}" for why in plan.refusals]
        lines += [f"note: {plan.label}: {note}" for note in plan.notes]
    lines += [f"sql: {plan.sql}" for plan in found if isinstance(plan, Decision)]
    if found:
        lines.append(
            f"as of {found[0].as_of}. Minutes and dollars are estimates: 10,000 rows/s, and S3 Standard's list price "
            "until the class's end."
        )
    return "\n".join(lines)


def _figures(plan: Plan) -> list[str]:
    match plan:
        case Decision():
            many = ("" if plan.exact else "~") + f"{plan.rows:,}"
            size = size_text(plan.bytes)
            return [many, size, f"{plan.chunks:,}", f"{plan.minutes:,.1f}", f"{plan.dollars:,.2f}", ""]
        case Refusal():
            return ["0", size_text(0), "0", "0.0", "0.00", "refused"]
        case Failure():
            return ["0", size_text(0), "0", "0.0", "0.00", "failed"]

"""What a user sees of runs: the report at the end, the log of each, and the state of every table.

In: the results of ``run.py``; the landing's head commits and the ledger's positions. Out: text or JSON. One log per
run lies under ``EL_HOME``; its path is printed. A log holds counts and names, never a value.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from el import __version__, settings
from el.config import Table, raw_name
from el.errors import UsageError
from el.landing import Landing
from el.redshift import ledger
from el.redshift.connection import connected
from el.run import TableRun


@dataclass(frozen=True)
class TableStatus:
    """One table as it stands. ``pending`` counts commits that Redshift does not have yet; None: not asked.

    ``skipped``: the newest commit that was skipped and whose rows may be missing still.
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
    skipped: int | None = None


def open_log(command: str) -> Path:
    """Begin the log of one run; its path.

    Raises:
        UsageError: the folder cannot be written.
    """
    began = datetime.now(UTC)
    path = settings.home() / "logs" / f"{began:%Y%m%dT%H%M%SZ}-{command}-{os.getpid()}.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path}: the log cannot be written ({error.strerror}). EL_HOME names another folder."
        ) from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("el")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    logger.info("el %s: %s", __version__, command)
    return path


def report(results: Sequence[TableRun], log: Path, as_json: bool) -> str:
    """The end of a run, for standard output: one table, what was noticed, and where the log is."""
    logger = logging.getLogger("el")
    for result in results:
        logger.info("%s", json.dumps(asdict(result)))
    if as_json:
        return json.dumps({"tables": [asdict(result) for result in results], "log": str(log)}, indent=1)
    lines = _aligned(
        ["table", "extracted", "loaded", "window", "seconds", ""],
        [
            [r.table, f"{r.extracted:,}", f"{r.loaded:,}", _window(r), f"{r.seconds:.1f}", "failed" if r.error else ""]
            for r in results
        ],
        right={1, 2, 4},
    )
    for warning, tables in _grouped((warning, r.table) for r in results for warning in r.warnings):
        lines.append(f"note: {_names(tables)}: {warning}")
    return "\n".join([*lines, f"log: {log}"])


def failures(results: Sequence[TableRun]) -> str:
    """What failed, for standard error: each failure once, however many tables it hit."""
    found = _grouped((error, r.table) for r in results if r.error for error in r.error.split("\n"))
    return "\n".join(f"error: {text}" + (f" [{_names(tables)}]" if len(tables) > 1 else "") for text, tables in found)


def status(tables: Sequence[Table]) -> list[TableStatus]:
    """The state of tables: from the landing, and from Redshift where this host knows it."""
    landing = Landing(settings.landing())
    landing.check()
    positions: dict[str, dict[str, ledger.Position]] = {}
    if settings.redshift_is_set():
        with connected(settings.redshift()) as connection:
            for source in dict.fromkeys(table.source for table in tables):
                positions[source] = ledger.positions(connection, source)
    return [_status(landing, table, positions) for table in tables]


def _status(landing: Landing, table: Table, positions: dict[str, dict[str, ledger.Position]]) -> TableStatus:
    place = landing.table(table.source, raw_name(table.name))
    seqs = place.seqs_from(1)
    head = place.commit(seqs[-1]) if seqs else None
    position = positions.get(table.source, {}).get(raw_name(table.name))
    pending: int | None = None
    if table.source in positions:
        in_landing = (
            position is not None and position.seq in seqs and (place.commit(position.seq).load_id == position.load_id)
        )
        pending = len([seq for seq in seqs if not in_landing or position is None or seq > position.seq])
    return TableStatus(
        table=table.label,
        mode=table.mode,
        commits=len(seqs),
        watermark=head.window.next_lo if head and head.reading.done else head.window.lo if head else None,
        extracted_at=head.extracted_at if head else None,
        pass_is_done=head.reading.done if head else True,
        applied=position.seq if position else None,
        applied_at=position.applied_at if position else None,
        pending=pending,
        skipped=position.hole.seq if position and position.hole else None,
    )


def status_text(found: Sequence[TableStatus], as_json: bool) -> str:
    """What ``el status`` prints."""
    if as_json:
        return json.dumps([asdict(entry) for entry in found], indent=1)
    skipped = [
        f"note: {s.table}: ROWS MAY BE MISSING: commit {s.skipped} was skipped. Only a full copy ends this note: "
        f"el run --full {s.table}"
        for s in found
        if s.skipped
    ]
    return "\n".join(
        _aligned(
            ["table", "mode", "commits", "watermark", "extracted at", "applied", "pending"],
            [
                [
                    s.table,
                    s.mode,
                    str(s.commits),
                    _short(s.watermark) + ("" if s.pass_is_done else " (pass not finished)"),
                    _short(s.extracted_at),
                    _or_dash(s.applied),
                    _or_dash(s.pending),
                ]
                for s in found
            ],
            right={2, 5, 6},
        )
        + skipped
    )


def _window(result: TableRun) -> str:
    if result.mode == "replace":
        return "whole table" if result.extract_commits else "-"
    if result.backfill:
        lo, to = result.backfill
        return f"backfill {_short(lo)} → {_short(to)}"
    if not result.extract_commits:
        return f"from {_short(result.lo)}" if result.lo else "-"
    return f"{'everything' if result.full else _short(result.lo)} → {_short(result.next_lo)}"


def _short(moment: str | None) -> str:
    return moment[:19].replace("T", " ") if moment else "-"


def _or_dash(value: Any) -> str:
    return "-" if value is None else str(value)


def _aligned(header: list[str], body: list[list[str]], right: set[int]) -> list[str]:
    widths = [max(len(row[i]) for row in [header, *body]) for i in range(len(header))]
    return [
        "  ".join(
            cell.rjust(w) if i in right else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [header, *body]
    ]


def _grouped(pairs: Any) -> list[tuple[str, list[str]]]:
    groups: dict[str, list[str]] = {}
    for text, table in pairs:
        groups.setdefault(text, []).append(table)
    return list(groups.items())


def _names(tables: list[str]) -> str:
    return ", ".join(tables) if len(tables) <= 3 else f"{', '.join(tables[:2])} and {len(tables) - 2} more"

"""Records of runs in words: what ``el runs``, ``el runs show`` and ``el logs`` print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from el import duration
from el.text import aligned, short


def runs_text(records: Sequence[dict[str, Any]], as_json: bool) -> str:
    """The newest runs, one line each."""
    if as_json:
        return json.dumps(list(records), indent=1)
    if not records:
        return "no such run"
    return "\n".join(
        aligned(
            ["run", "state", "by", "host", "took", "tables", "failed", "rows"],
            [
                [
                    r["run"],
                    r["state"],
                    r["trigger"],
                    r["host"],
                    duration.words(r["seconds"]),
                    str(len(r["tables"])),
                    str(sum(bool(t["error"]) for t in r["tables"])),
                    _rows_text(r["tables"]),
                ]
                for r in records
            ],
            right={4, 5, 6},
        )
    )


def run_text(record: dict[str, Any], as_json: bool) -> str:
    """One run: who, when, and each of its tables."""
    if as_json:
        return json.dumps(record, indent=1)
    ended = f"ended {short(record['ended'])}" if record["ended"] else "has not ended"
    lines = [
        f"{record['run']}: {record['state']}"
        + ("" if record["exit_code"] is None else f", exit code {record['exit_code']}"),
        f"{record['line']}  (by {record['trigger']}, el {record['el_version']} on {record['host']})",
        f"started {short(record['started'])}, {ended}, {duration.words(record['seconds'])}",
        "",
    ]
    tables = record["tables"]
    lines += _lines(tables)
    lines += [f"note: {t['table']}: {warning}" for t in tables for warning in t["warnings"]]
    lines += [f"note: {warning}" for warning in record["warnings"]]
    lines += [f"error: {record['error'].removeprefix('error: ')}"] if record["error"] else []
    return "\n".join([*lines, f"log: el logs {record['run']}"])


def _lines(tables: Sequence[dict[str, Any]]) -> list[str]:
    """A line per table: what became of each job, and how much was moved."""
    jobs = list(dict.fromkeys(job for table in tables for job in table["states"]))
    body = [
        [
            t["table"],
            *(t["states"].get(job, "-") for job in jobs),
            f"{t['objects']:,}",
            f"{t['bytes'] / 1e6:,.1f}",
            f"{t['seconds']:.1f}",
            _rows_text([t]),
            f"{short(t['lo'])} → {short(t['next_lo'])}" if t.get("next_lo") else "",
        ]
        for t in tables
    ]
    numbers = {len(jobs) + place for place in (1, 2, 3)}
    return aligned(["table", *jobs, "objects", "MB", "seconds", "rows", ""], body, right=numbers)


def _rows_text(tables: Sequence[dict[str, Any]]) -> str:
    """What became of how many rows; ``-`` if there were none."""
    counts: dict[str, int] = {}
    for table in tables:
        for what, many in table["rows"].items():
            counts[what] = counts.get(what, 0) + many
    return ", ".join(f"{many:,} {what}" for what, many in counts.items() if many) or "-"


def log_text(name: str, text: str, as_json: bool) -> str:
    """The log of a run as it is."""
    return json.dumps({"run": name, "lines": text.splitlines()}, indent=1) if as_json else text.rstrip("\n")

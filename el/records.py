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
    lines += _archive_lines(tables) if record["line"].startswith("el-archive ") else _lines(tables)
    lines += [f"note: {t['table']}: {warning}" for t in tables for warning in t["warnings"]]
    lines += [f"note: {warning}" for warning in record["warnings"]]
    lines += [f"error: {record['error'].removeprefix('error: ')}"] if record["error"] else []
    return "\n".join([*lines, f"log: el logs {record['run']}"])


def _lines(tables: Sequence[dict[str, Any]]) -> list[str]:
    """The tables of an extract or a load."""
    return aligned(
        ["table", "extract", "rows", "MB", "load", "rows", "commits", "window", "seconds"],
        [
            [
                t["table"],
                t["extract"] or "-",
                f"{t['extracted']:,}",
                f"{t['bytes'] / 1e6:,.1f}",
                t["load"] or "-",
                f"{t['loaded']:,}",
                f"{t['extract_commits']}/{t['load_commits']}",
                f"{short(t['lo'])} → {short(t['next_lo'])}",
                f"{t['seconds']:.1f}",
            ]
            for t in tables
        ],
        right={2, 3, 5, 6, 8},
    )


def _archive_lines(tables: Sequence[dict[str, Any]]) -> list[str]:
    """The tables of a command of ``el-archive``."""
    return aligned(
        ["table", "state", "objects", "MB", "seconds", "rows"],
        [
            [
                t["table"],
                t["state"],
                f"{t['objects']:,}",
                f"{t['bytes'] / 1e6:,.1f}",
                f"{t['seconds']:.1f}",
                _rows_text([t]),
            ]
            for t in tables
        ],
        right={2, 3, 4},
    )


def _rows_text(tables: Sequence[dict[str, Any]]) -> str:
    """What became of how many rows; ``-`` if there were none."""
    counts: dict[str, int] = {}
    for table in tables:
        # The archive counts by what became of a row; extract and load have a number of their own each.
        own = table["rows"] if "rows" in table else {"extracted": table["extracted"], "loaded": table["loaded"]}
        for what, many in own.items():
            counts[what] = counts.get(what, 0) + many
    return ", ".join(f"{many:,} {what}" for what, many in counts.items() if many) or "-"


def log_text(name: str, text: str, as_json: bool) -> str:
    """The log of a run as it is."""
    return json.dumps({"run": name, "lines": text.splitlines()}, indent=1) if as_json else text.rstrip("\n")

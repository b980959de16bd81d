"""The end of a run in words: what happened to each table, what was noticed, what failed.

In: the results of the conductor. Out: text for standard output and standard error, or JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from el.outcome import TableRun
from el.runs import Run
from el.text import aligned, short


def report(results: Sequence[TableRun], run: Run, as_json: bool) -> str:
    """The end of a run, for standard output: one table, what was noticed, and where the log is."""
    if as_json:
        content = {
            "run": run.name,
            "tables": [result.json() for result in results],
            "warnings": run.warnings,
            "log": str(run.log_file),
        }
        return json.dumps(content, indent=1)
    lines = aligned(
        ["table", "extracted", "loaded", "window", "seconds", ""],
        [[r.table, f"{r.extracted:,}", f"{r.loaded:,}", _window(r), f"{r.seconds:.1f}", _remark(r)] for r in results],
        right={1, 2, 4},
    )
    for warning, tables in _grouped((warning, r.table) for r in results for warning in r.warnings):
        lines.append(f"note: {_names(tables)}: {warning}")
    lines += [f"note: {warning}" for warning in run.warnings]
    return "\n".join([*lines, f"log: {run.log_file}"])


def failures(results: Sequence[TableRun]) -> str:
    """What failed, for standard error: each failure once, however many tables it hit."""
    found = _grouped((error, r.table) for r in results if r.error for error in r.error.split("\n"))
    return "\n".join(f"error: {text}" + (f" [{_names(tables)}]" if len(tables) > 1 else "") for text, tables in found)


def _window(result: TableRun) -> str:
    if result.mode == "replace":
        return "whole table" if result.extract_commits else "-"
    if result.backfill:
        lo, to = result.backfill
        return f"backfill {short(lo)} → {short(to)}"
    if not result.extract_commits:
        return f"from {short(result.lo)}" if result.lo else "-"
    return f"{'everything' if result.full else short(result.lo)} → {short(result.next_lo)}"


def _remark(result: TableRun) -> str:
    """What is not as usual, if anything is."""
    states = [state for state in (result.extract, result.load) if state]
    return next((str(s) for s in ("failed", "cut off", "not begun", "skipped") if s in states), "")


def _grouped(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    groups: dict[str, list[str]] = {}
    for text, table in pairs:
        groups.setdefault(text, []).append(table)
    return list(groups.items())


def _names(tables: list[str]) -> str:
    return ", ".join(tables) if len(tables) <= 3 else f"{', '.join(tables[:2])} and {len(tables) - 2} more"

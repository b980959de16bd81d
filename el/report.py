"""The end of a run in words: what was noticed and what failed, each once, however many tables it is about.

In: the results of a run. Out: lines for standard output and standard error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from el.outcome import TableResult


def notes(results: Sequence[TableResult]) -> list[str]:
    """What was noticed, for standard output."""
    found = _grouped((warning, result.table) for result in results for warning in result.warnings)
    return [f"note: {_names(tables)}: {warning}" for warning, tables in found]


def failures(results: Sequence[TableResult], every: bool = True) -> list[str]:
    """What failed, for standard error; ``every`` error of a table, or the first ones."""
    texts = [(r.table, r.every_error if every else (r.error or "").split("\n")) for r in results if r.error]
    found = _grouped((error, table) for table, errors in texts for error in errors)
    return [f"error: {text}" + (f" [{_names(tables)}]" if len(tables) > 1 else "") for text, tables in found]


def _grouped(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    groups: dict[str, list[str]] = {}
    for text, table in pairs:
        groups.setdefault(text, []).append(table)
    return list(groups.items())


def _names(tables: list[str]) -> str:
    return ", ".join(tables) if len(tables) <= 3 else f"{', '.join(tables[:2])} and {len(tables) - 2} more"

"""Records of runs that an older el wrote are shown as those of today."""

from __future__ import annotations

import json
from typing import Any

from el.landing import RECORD
from el.records import run_text

_RUN = {"run": "r", "state": "done", "exit_code": 0, "trigger": "schedule", "host": "h", "seconds": 1, "error": None}
_RUN |= {"started": "2026-11-01T02:00:00+00:00", "ended": None, "warnings": []}


def shown(line: str, **table: Any) -> str:
    content = _RUN | {"format": 1, "el_version": "0.1.0", "line": line, "tables": [table | {"warnings": []}]}
    return run_text(RECORD.read(json.dumps(content).encode(), "s3://b/r", dict), as_json=False)


def test_an_extract_and_load() -> None:
    table = {"table": "clinic.t", "extract": "done", "load": None, "extracted": 7, "loaded": 0, "bytes": 2_000_000}
    text = shown("el extract", **table, seconds=1.5, lo="2026-10-01", next_lo="2026-11-01", error=None)
    assert "clinic.t  done           0  2.0      1.5  7 extracted  2026-10-01 → 2026-11-01" in text


def test_a_command_of_the_archive() -> None:
    rows = {"proven": 7, "deleted": 5, "left (busy)": 2}
    table = {"table": "clinic.t", "state": "cut off", "rows": rows, "objects": 3, "bytes": 2_000_000}
    text = shown("el-archive run --execute", **table, seconds=1.5, error=None)
    assert "clinic.t  cut off        3  2.0      1.5  7 proven, 5 deleted, 2 left (busy)" in text
    assert "archive" in text.splitlines()[4]

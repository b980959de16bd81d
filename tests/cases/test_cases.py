"""Every folder here is one MySQL oddity: rows in, and what Redshift has to hold then. ``runner.py`` says how."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.cases import runner
from tests.conftest import throwaway_sources

pytestmark = pytest.mark.timeout(900)  # the first test waits for all cases


@pytest.fixture(scope="session")
def outcomes(
    request: pytest.FixtureRequest, stack: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What became of each case that was asked for; of several test processes, the first runs them for all."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    found = folder / "cases.json"
    with (folder / "cases.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            own = [item for item in request.session.items if item.path == Path(__file__) and hasattr(item, "callspec")]
            asked = {item.callspec.params["case"] for item in own}
            with throwaway_sources(stack, tmp_path_factory.mktemp("cases")) as make:
                made = runner.run([case for case in runner.CASES if case in asked and runner.has_it(case)], make)
            found.write_text(json.dumps(made))
    return dict(json.loads(found.read_text()))


def _marked(case: str) -> Any:
    only_on = runner.expected(case).only_on
    return pytest.param(case, marks=pytest.mark.only_on(only_on[0], reason=only_on[1]) if only_on else ())


@pytest.mark.parametrize("case", [_marked(case) for case in runner.CASES])
def test_case(outcomes: dict[str, Any], case: str) -> None:
    expected, found = runner.expected(case), outcomes[case]
    assert "setup" not in found, found["setup"]
    if expected.refused is not None:
        assert any(expected.refused in line for line in found["refused"]), found["refused"]
        return
    if expected.error is not None:
        assert expected.error in (found["error"] or ""), found["error"]
        assert found["rows"] is None, "the table failed and its rows are in Redshift all the same"
        return
    assert found["error"] is None, found["error"]
    assert expected.rows is not None, "expected.yml has neither rows nor error nor refused"
    want = [[runner.plain(value) for value in row] for row in expected.rows]
    assert sorted(map(json.dumps, found["rows"])) == sorted(map(json.dumps, want))
    assert {name: found["types"].get(name) for name in expected.types} == dict(expected.types)
    for note in expected.notes:
        assert any(note in warning for warning in found["warnings"]), found["warnings"]
    counts = {kind: dict(columns) for kind, columns in expected.counts.items()}
    assert found["counts"] == counts, found["counts"]
    if expected.extracted is not None:
        assert found["extracted"] == expected.extracted


def test_there_are_cases_and_each_has_a_schema() -> None:
    assert len(runner.CASES) >= 60
    assert [case for case in runner.CASES if not (runner.FOLDER / case / "schema.sql").exists()] == []

"""Every case of the conformance table, on the local Redshift."""

from __future__ import annotations

import psycopg2
import pytest

from .cases import Case, Scratch, difference, load

CASES = load()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.page}: {case.sql}"[:120])
def test_the_local_redshift_gives_what_the_documentation_says(scratch: Scratch, case: Case) -> None:
    got = scratch.run(case.sql)
    if case.here == "refused":
        assert isinstance(got, psycopg2.Error) and "does not imitate" in str(got), f"remove `here`, or fix: {got}"
    elif case.here == "differs":
        assert difference(case, got), "it does as Redshift now: remove `here`"
    else:
        assert not difference(case, got), difference(case, got)


@pytest.mark.parametrize(
    ("case", "got"),
    [
        (Case("p", "select 1", [["1"]]), [["2"]]),
        (Case("p", "select 1", [["1"]]), [["1"], ["1"]]),
        (Case("p", "select 1", [[None]]), [[""]]),
        (Case("p", "select a order by a", [["1"], ["2"]]), [["2"], ["1"]]),
        (Case("p", "select 1", [["1"]]), psycopg2.Error("failed")),
        (Case("p", "select 1", [], error="any"), [["1"]]),
        (Case("p", "select 1", [], error="22001"), psycopg2.Error("another SQLSTATE")),
        (Case("p", "select 1", [], error="any index"), psycopg2.Error("another word")),
    ],
)
def test_the_runner_sees_a_difference(case: Case, got: list[list[str | None]] | psycopg2.Error) -> None:
    assert difference(case, got)


def test_the_order_of_rows_counts_only_with_order_by() -> None:
    assert not difference(Case("p", "select a", [["1"], ["2"]]), [["2"], ["1"]])


def test_the_table_is_large_enough_to_mean_something() -> None:
    assert len(CASES) >= 300

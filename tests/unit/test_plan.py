"""How far the watermark moves and what a pass reads, from recorded bounds and commits; no server."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from el.config import Table
from el.errors import LandingDamage, SourceError
from el.landing import Asked, Commit, Pass, Server, Window
from el.mysql.activity import Activity, Writer
from el.mysql.catalog import TableShape
from el.mysql.cursor import Cursor
from el.mysql.window import Bound
from el.plan import Now, Plan, missed, plan
from el.summary import Salt, Summary

STAMP = Cursor("updated_at", "timestamp", digits=6)
LOCAL = Cursor("updated_at", "datetime", digits=6)
NUMBER = Cursor("id", "integer")
NOW = datetime(2026, 3, 1, 12)
QUIET = Activity()


def seconds(many: float) -> timedelta:
    return timedelta(seconds=many)


def running(many: float) -> Activity:
    """One statement that began so many seconds before NOW."""
    return Activity((Writer(7, "statement", seconds(many)),))


def opened(many: float | None) -> Activity:
    """One transaction that began so many seconds before NOW; None: nobody knows."""
    return Activity((Writer(7 if many else 0, "transaction", None if many is None else seconds(many)),))


def bound(
    activity: Activity | None = QUIET, utc: datetime = NOW, host: datetime | None = None, top: int | None = None
) -> Bound:
    return Bound(utc, host or utc, timedelta(0), activity, Server("a:1/1", None, 100), {"t": top}, ())


def asked(ago: float, quiet: float = 0, top: int | None = None, top_ago: float | None = None) -> Asked:
    """A question of the pass before; all times in seconds before NOW."""
    at = NOW - seconds(ago)
    since = None if top_ago is None else text(top_ago)
    return Asked(str(at), str(at), str(at - seconds(quiet)), top, since)


def text(ago: float) -> str:
    return (NOW - seconds(ago)).isoformat(" ", "microseconds")


def table(cursor: Cursor, overlap: int = 60) -> Table:
    return Table(
        source="shop",
        name="t",
        mode="merge",
        cursor=cursor.name,
        cursor_zone=cursor.zone,
        overlap=overlap,
        exclude=(),
        hash=(),
        boolean=(),
        on_oversize={},
        on_zero_date={},
        default_on_oversize="error",
        default_on_zero_date="null",
        place="shop.yml",
        lines={"": 1},
    )


def shape(cursor: Cursor) -> TableShape:
    return TableShape("t", "t", (), (), cursor, 0, 0)


def head(cursor: Cursor, next_lo: str | None, before: Asked, done: bool = True, newest: str | None = None) -> Commit:
    return Commit(
        source="shop",
        table="t",
        seq=7,
        load_id="1.1",
        previous_load_id=None,
        mode="merge",
        reading=Pass(full=False, first_seq=7, done=done),
        window=Window(cursor.name, cursor.kind, next_lo if done else text(9999), next_lo, newest),
        signature="s",
        columns=[],
        files=[],
        rows=1,
        summary=Summary(Salt.new()),
        fingerprint={"rows": 3, "checksum": "00", "nulls": 0},
        dlt_schema_hash="",
        server=Server("a:1/1", None, 100),
        asked=before,
        extracted_at="",
        el_version="",
    )


def planned(commit: Commit | None, cursor: Cursor, now: Bound, overlap: int = 60, **flags: bool) -> Plan:
    return plan(commit, Now(table(cursor, overlap), shape(cursor), "s", now), **flags)


def next_lo(activity: Activity | None, before: Asked | None, lo: float = 3600) -> str | None:
    return bound(activity).next_lo(STAMP, 60, text(lo), before)


def test_with_nothing_under_way_only_the_overlap_is_taken_off() -> None:
    assert next_lo(QUIET, asked(900)) == text(60)


def test_without_the_privilege_only_the_overlap_is_taken_off() -> None:
    assert next_lo(None, asked(900)) == text(60)


def test_a_running_statement_holds_the_watermark_before_its_beginning() -> None:
    assert next_lo(running(30), asked(900)) == text(90)


def test_a_transaction_younger_than_the_last_question_moves_the_watermark_up_to_that_question() -> None:
    # Its first statement may have waited for a lock before InnoDB saw it, but not since before that question.
    assert next_lo(opened(10), asked(900)) == text(960)


def test_a_statement_that_ran_at_the_last_question_counts_from_its_beginning() -> None:
    assert next_lo(opened(10), asked(900, quiet=200)) == text(1160)


def test_a_transaction_that_was_open_at_the_last_question_keeps_the_watermark() -> None:
    assert next_lo(opened(901), asked(900)) == text(3600)


def test_a_transaction_of_unknown_age_keeps_the_watermark() -> None:
    assert next_lo(opened(None), asked(900)) == text(3600)
    assert bound(opened(None)).next_lo(STAMP, 60, None, None) is None


def test_a_first_copy_beside_an_open_transaction_reads_a_day_again() -> None:
    assert bound(opened(10)).next_lo(STAMP, 60, None, None) == text(86400 + 70)


def test_the_watermark_never_goes_back_by_itself() -> None:
    assert next_lo(QUIET, asked(900), lo=30) == text(30)


def test_a_number_counts_at_once_when_nothing_was_under_way() -> None:
    assert bound(top=101).next_top("t", 60, "50", asked(900)) == ("101", None, None)


def test_a_number_waits_while_a_transaction_is_open_that_may_hold_a_smaller_one() -> None:
    open_one = opened(10)
    assert bound(open_one, top=101).next_top("t", 60, "50", asked(900)) == ("50", 101, text(0))


def test_a_number_counts_once_all_that_was_open_when_it_was_seen_has_ended() -> None:
    young, old = opened(10), opened(1000)
    before = asked(900, top=101, top_ago=900)
    assert bound(young, top=150).next_top("t", 60, "50", before) == ("101", 150, text(0))
    assert bound(old, top=150).next_top("t", 60, "50", before) == ("50", 101, text(900))


def test_a_number_waits_for_a_statement_as_for_a_transaction() -> None:
    old = running(1000)
    before = asked(900, top=101, top_ago=900)
    assert bound(old, top=150).next_top("t", 60, "50", before) == ("50", 101, text(900))


def test_without_the_privilege_a_number_counts_after_the_overlap() -> None:
    assert bound(None, top=101).next_top("t", 60, "50", asked(30)) == ("50", 101, text(0))
    assert bound(None, top=150).next_top("t", 60, "50", asked(30, top=101, top_ago=30)) == ("50", 101, text(30))
    assert bound(None, top=150).next_top("t", 60, "50", asked(90, top=101, top_ago=90)) == ("101", 150, text(0))


def test_numbers_that_began_anew_are_copied_in_full() -> None:
    made = planned(head(NUMBER, "1000", asked(900, top=1500, top_ago=900)), NUMBER, bound(top=12))
    assert made.full
    assert made.window.next_lo == "12"
    assert "began anew" in made.warnings[0]


def test_a_full_copy_forgets_a_number_that_waited() -> None:
    waiting = head(NUMBER, "1000", asked(900, top=1500, top_ago=900))
    made = planned(waiting, NUMBER, bound(opened(10), top=12), full=True)
    assert (made.full, made.window.next_lo, made.asked.top) == (True, None, 12)


def test_an_emptied_table_keeps_its_watermark() -> None:
    made = planned(head(NUMBER, "1000", asked(900)), NUMBER, bound(top=None))
    assert (made.window.lo, made.window.next_lo) == ("1000", "1000")


def test_a_clock_that_was_set_back_widens_the_window_by_as_much() -> None:
    commit = head(STAMP, text(960), asked(900))
    # 900 s have passed here, and only 600 s on MySQL's clock.
    made = planned(commit, STAMP, bound(utc=NOW - seconds(300), host=NOW))
    assert made.window.lo == text(960 + 300)
    assert made.expected is None
    assert "set back by about 300 s" in made.warnings[0]


def test_a_question_older_than_the_head_commit_is_no_clock_that_was_set_back() -> None:
    """Another extractor asked and committed while this table waited for its turn."""
    commit = head(STAMP, text(60), asked(0))
    made = planned(commit, STAMP, bound(utc=NOW - seconds(300), host=NOW - seconds(300)))
    assert (made.window.lo, made.window.next_lo) == (text(60), text(60))
    assert not made.warnings


def test_a_step_within_the_overlap_is_covered_by_it() -> None:
    made = planned(head(STAMP, text(960), asked(900)), STAMP, bound(utc=NOW - seconds(30), host=NOW))
    assert made.window.lo == text(960)
    assert made.expected is not None
    assert not made.warnings


def test_another_server_stops_the_table_with_the_flags_that_go_on() -> None:
    now = replace(bound(), server=Server("b:1/2", None, 5))
    with pytest.raises(SourceError, match=r"another server now.*--accept-server shop.*--full shop"):
        planned(head(STAMP, text(960), asked(900)), STAMP, now)


def test_an_accepted_server_goes_on_from_an_hour_before_the_watermark() -> None:
    now = replace(bound(), server=Server("b:1/2", None, 5))
    made = planned(head(STAMP, text(960), asked(900)), STAMP, now, accept_server=True)
    assert (made.full, made.window.lo, made.expected) == (False, text(960 + 3600), None)
    assert planned(head(STAMP, text(960), asked(900)), STAMP, now, full=True).full


def test_a_pass_that_was_cut_off_begins_again_on_another_server() -> None:
    now = replace(bound(), server=Server("b:1/2", None, 5))
    made = planned(head(STAMP, text(960), asked(900), done=False), STAMP, now, accept_server=True)
    assert (made.after, made.window.lo) == (None, text(9999 + 3600))


def test_a_history_that_went_back_needs_a_full_copy() -> None:
    now = replace(bound(), server=Server("a:1/1", None, 99))
    commit = head(STAMP, text(960), asked(900))
    with pytest.raises(SourceError, match=r"history went back.*el run --full shop"):
        planned(commit, STAMP, now)
    assert planned(commit, STAMP, now, accept_server=True).full
    assert planned(commit, STAMP, now, full=True).full


def test_a_server_whose_gtids_hold_what_was_read_goes_on_and_says_so() -> None:
    commit = replace(head(STAMP, text(960), asked(900)), server=Server("a:1/1", "0-1-10", 100))
    made = planned(commit, STAMP, replace(bound(), server=Server("b:1/2", "0-2-12", 5)))
    assert made.window.lo == text(960 + 3600)
    assert "its GTIDs hold all that was read" in made.warnings[0]


def test_a_row_behind_the_watermark_is_said_where_the_zone_is_known() -> None:
    commit = head(STAMP, text(960), asked(900), newest=text(5000))
    assert missed(commit, table(STAMP), STAMP, text(5000)) == []
    assert missed(commit, table(STAMP), STAMP, text(6000)) == []
    assert missed(commit, table(STAMP), STAMP, None) == []
    (said,) = missed(commit, table(STAMP), STAMP, text(4000))
    assert "el run --full shop.t" in said


def test_a_row_behind_the_watermark_stops_a_table_whose_zone_is_not_known() -> None:
    commit = head(LOCAL, text(960), asked(900), newest=text(5000))
    with pytest.raises(SourceError, match="cursor_zone"):
        missed(commit, table(LOCAL), LOCAL, text(4000))
    named = replace(LOCAL, zone="America/New_York")
    assert missed(commit, table(named), named, text(4000))


def test_numbers_behind_the_watermark_are_compared_as_numbers() -> None:
    commit = head(NUMBER, "1000", asked(900), newest="99")
    assert missed(commit, table(NUMBER), NUMBER, "100")
    assert not missed(commit, table(NUMBER), NUMBER, "98")


def test_a_window_that_is_no_value_is_damage_and_never_becomes_sql() -> None:
    with pytest.raises(LandingDamage, match="commit 7"):
        planned(head(STAMP, "1' or '1' = '1", asked(900)), STAMP, bound())

"""Cursors as text and SQL, and the lowest value that a write from some moment on can have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from el.mysql.cursor import Cursor, Kind

NONE = timedelta(0)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("digits", "expected"),
    [(6, "2026-03-01 12:00:00.987654"), (3, "2026-03-01 12:00:00.987000"), (0, "2026-03-01 12:00:00.000000")],
)
def test_a_time_is_floored_to_the_precision_of_the_cursor(digits: int, expected: str) -> None:
    assert Cursor("c", "timestamp", digits).lowest_from(at("2026-03-01 12:00:00.987654"), NONE) == expected


def test_a_date_is_floored_to_the_day_of_its_writers_zone() -> None:
    evening = at("2026-03-01 23:30:00")
    assert Cursor("c", "date", zone="UTC").lowest_from(evening, NONE) == "2026-03-01"
    assert Cursor("c", "date", zone="Asia/Tokyo").lowest_from(evening, NONE) == "2026-03-02"
    assert Cursor("c", "date").lowest_from(at("2026-03-02 02:00:00"), timedelta(hours=-8)) == "2026-03-01"


def test_a_timestamp_is_utc_whatever_the_servers_zone_is() -> None:
    assert (
        Cursor("c", "timestamp")
        .lowest_from(at("2026-03-01 12:00:00"), timedelta(hours=-8))
        .startswith("2026-03-01 12:00")
    )


def test_without_a_zone_the_earlier_of_utc_and_the_servers_clock_counts_less_the_hour_that_repeats() -> None:
    cursor, noon = Cursor("c", "datetime"), at("2026-03-01 12:00:00")
    assert cursor.lowest_from(noon, NONE) == "2026-03-01 12:00:00.000000"
    assert cursor.lowest_from(noon, timedelta(hours=-8)) == "2026-03-01 02:50:00.000000"
    assert cursor.lowest_from(noon, timedelta(hours=9)) == "2026-03-01 10:50:00.000000"


def new_york(moment: str) -> str:
    return Cursor("c", "datetime", zone="America/New_York").lowest_from(at(moment), NONE)[:16]


def test_a_zone_west_of_everything_is_followed_when_it_is_said() -> None:
    assert new_york("2026-03-01 12:00:00") == "2026-03-01 07:00"
    assert new_york("2026-07-01 12:00:00") == "2026-07-01 08:00"


def test_the_hour_that_repeats_at_the_end_of_daylight_saving_stays_in_the_window() -> None:
    # On 1 November 2026 the clocks of New York go from 01:59:59 to 01:00:00, at 06:00 UTC.
    assert new_york("2026-11-01 04:30:00") == "2026-11-01 00:30"  # before it: nothing to add
    assert new_york("2026-11-01 05:30:00") == "2026-11-01 01:00"  # 01:30, but 01:00 comes once more
    assert new_york("2026-11-01 05:59:59") == "2026-11-01 01:00"
    assert new_york("2026-11-01 06:30:00") == "2026-11-01 01:30"  # the second 01:30


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"])
def test_no_write_at_or_after_a_moment_has_a_lower_cursor(zone: str) -> None:
    cursor = Cursor("c", "datetime", digits=6, zone=zone)
    start = at("2026-01-01 00:13:00")
    for hours in range(0, 366 * 24, 11):
        moment = start + timedelta(hours=hours)
        lowest = cursor.lowest_from(moment, NONE)
        for minutes in range(0, 240, 17):
            written = (moment + timedelta(minutes=minutes)).replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
            assert lowest <= written.replace(tzinfo=None).isoformat(" ", "microseconds")


@pytest.mark.parametrize(
    ("kind", "text", "literal"),
    [
        ("timestamp", "2026-03-01 12:00:00.5", "'2026-03-01 12:00:00.500000'"),
        ("date", "2026-03-01", "'2026-03-01'"),
        ("integer", "-12", "-12"),
    ],
)
def test_a_commits_text_becomes_sql_by_the_cursors_kind(kind: Kind, text: str, literal: str) -> None:
    assert Cursor("c", kind).literal(text) == literal


@pytest.mark.parametrize("kind", ["timestamp", "datetime", "date", "integer"])
def test_a_commits_text_that_is_no_value_never_becomes_sql(kind: Kind) -> None:
    with pytest.raises(ValueError, match=r"."):
        Cursor("c", kind).literal("1' or '1' = '1")


def test_a_row_without_a_cursor_belongs_to_every_window() -> None:
    assert Cursor("c", "date", nullable=True).at_or_beyond("2026-03-01") == "(`c` >= '2026-03-01' or `c` is null)"
    assert Cursor("c", "date").at_or_beyond("2026-03-01") == "`c` >= '2026-03-01'"
    assert Cursor("c", "date").at_or_beyond(None) == "true"


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("integer", "0042", "42"),
        ("integer", "-3", "-3"),
        ("date", "2026-11-02", "2026-11-02"),
        ("datetime", "2026-11-02", "2026-11-02 00:00:00.000000"),
        ("timestamp", "2026-11-02T08:30:00.5", "2026-11-02 08:30:00.500000"),
    ],
)
def test_a_value_that_a_user_writes_takes_the_form_of_the_commits(kind: Kind, text: str, expected: str) -> None:
    assert Cursor("c", kind).parsed(text) == expected


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("integer", "2026-11-02", "a whole number"),
        ("date", "2026-11-02 08:00", "a date such as"),
        ("datetime", "42", "in Europe/Berlin's clock"),
        ("timestamp", "2026-11-02 08:30:00Z", "in UTC, without a zone"),
        ("timestamp", "1' or '1' = '1", "in UTC, without a zone"),
    ],
)
def test_a_value_that_is_none_of_the_cursor_is_refused_with_what_is_expected(
    kind: Kind, text: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Cursor("c", kind, zone="Europe/Berlin").parsed(text)

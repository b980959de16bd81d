"""Lengths of time: seconds for limits, and the calendar's for retention."""

from datetime import datetime

import pytest

from el import duration


@pytest.mark.parametrize(
    ("text", "moment", "before", "after"),
    [
        ("6 months", "2026-08-31 12:00", "2026-02-28 12:00", "2027-02-28 12:00"),
        ("1 month", "2024-03-31 00:00", "2024-02-29 00:00", "2024-04-30 00:00"),
        ("7 years", "2024-02-29 00:00", "2017-02-28 00:00", "2031-02-28 00:00"),
        ("90 days", "2026-03-31 00:00", "2025-12-31 00:00", "2026-06-29 00:00"),
        ("2 weeks", "2026-01-07 01:02", "2025-12-24 01:02", "2026-01-21 01:02"),
        ("13 months", "2026-01-15 00:00", "2024-12-15 00:00", "2027-02-15 00:00"),
    ],
)
def test_a_span_follows_the_calendar(text: str, moment: str, before: str, after: str) -> None:
    span, now = duration.span(text), datetime.fromisoformat(moment)
    assert span.before(now) == datetime.fromisoformat(before)
    assert span.after(now) == datetime.fromisoformat(after)
    assert span.text == text


@pytest.mark.parametrize(
    "text", ["", "0 days", "6", "months", "6 hours", "-1 years", "6 m", "1000 years", "6 months x"]
)
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 6 months"):
        duration.span(text)


@pytest.mark.parametrize("text", ["99999 weeks", "9999 months", "999 years"])
def test_the_longest_spans_are_still_moments(text: str) -> None:
    span = duration.span(text)
    assert span.before(datetime(2026, 1, 1)) < datetime(2026, 1, 1) < span.after(datetime(2026, 1, 1))

"""``el-archive sizes``: which tables are large, and how old their rows are."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from tests.conftest import Source
from tests.mysql_sql import numbers

TABLE = """create table {} (id int primary key auto_increment, created_at datetime {}, v varchar(300), {}
    updated_at timestamp default current_timestamp)"""
INDEX = "key (created_at),"


def months_ago(many: int, day: int = 10) -> str:
    now = datetime.now(UTC)
    year, month = divmod(now.year * 12 + now.month - 1 - many, 12)
    return f"{year}-{month + 1:02d}-{day:02d}"


def fill(source: Source, table: str, **rows: int) -> None:
    """So many rows (by ``m<months ago>``) with dates of that month."""
    for month, many in rows.items():
        moment = months_ago(int(month[1:]))
        source.mysql(f"insert into {table} (created_at, v) select '{moment}', repeat('x', 200) from {numbers(many)} n")
    source.mysql(f"analyze table {table}")


def sizes(source: Source, *arguments: str) -> dict[str, dict[str, Any]]:
    found = source.archive("sizes", *arguments, "--json").json["tables"]
    return {one["table"].partition(".")[2]: one for one in found}


def test_every_table_of_the_database_is_listed_largest_first(source: Source) -> None:
    source.mysql(TABLE.format("small", "", INDEX), TABLE.format("`in no file`", "", ""))
    fill(source, "small", m1=10)
    source.mysql(
        f"insert into `in no file` (v) select repeat('x', 300) from {numbers(4000)} n", "analyze table `in no file`"
    )
    source.configure({"small": {}})
    found = sizes(source)
    assert list(found) == ["in no file", "small"]
    assert found["in no file"]["data_bytes"] > found["small"]["data_bytes"] > 0
    assert found["in no file"]["age"] is None
    assert list(sizes(source, f"{source.name}.small")) == ["small"]
    assert list(sizes(source, "--limit", "1")) == ["in no file"]


def test_ages_come_from_the_index_and_the_share_past_the_cutoff_from_the_policy(source: Source) -> None:
    source.mysql(TABLE.format("events", "", INDEX))
    fill(source, "events", m30=500, m13=300, m2=100, m1=100)
    source.configure(
        {"events": {"archive": {"class": "short", "age": "created_at"}}},
        retention={
            "short": {"keep": "1 year", "archive": "7 years"},
            "long": {"keep": "5 years", "archive": "7 years"},
        },
    )
    for arguments, spread in ((["--exact"], 0.0), ([], 0.25)):
        one = sizes(source, *arguments)["events"]
        by_month = {month["month"]: month["rows"] for month in one["months"]}
        for month, many in {30: 500, 13: 300, 2: 100, 1: 100}.items():
            assert abs(by_month.pop(months_ago(month)[:7]) - many) <= many * spread
        assert sum(by_month.values()) <= 1000 * spread
        (past,) = one["past"]
        assert (past["class"], past["policy"]) == ("short", True)
        assert abs(past["rows"] - 800) <= 800 * spread
        assert abs(past["share"] - 0.8) <= 0.1
        assert 0 < past["bytes"] <= one["data_bytes"] + one["index_bytes"]
    assert sizes(source, "--exact")["events"]["rows_a_month"] == 67  # 200 in three full months


def test_a_cutoff_within_a_month_divides_the_month(source: Source) -> None:
    source.mysql(TABLE.format("events", "", INDEX))
    # Both sides of the cutoff, a day away from it, mostly in one month.
    for days, many in ((565, 5), (166, 7), (31, 3), (29, 2)):
        source.mysql(
            f"insert into events (created_at) select utc_timestamp() - interval {days} day from {numbers(many)} n"
        )
    source.configure({"events": {}}, retention={"short": {"keep": "30 days", "archive": "7 years"}})
    (past,) = sizes(source, "--exact")["events"]["past"]
    assert (past["rows"], past["policy"]) == (15, False)


def test_odd_dates_are_no_reason_to_fail(source: Source) -> None:
    source.mysql(TABLE.format("events", "null", INDEX))
    source.mysql("set sql_mode = ''")
    for moment in ("null", "'0000-00-00'", "'0001-01-01'", "'9999-12-31'", f"'{months_ago(1)}'"):
        source.mysql(f"insert into events (created_at) values ({moment})")
    source.mysql(TABLE.format("`a``b 'c%`", "", INDEX))
    source.configure({"events": {}})
    found = sizes(source, "--exact")
    assert [month["rows"] for month in found["events"]["months"] if month["month"] is None] == [1]
    assert sum(month["rows"] for month in found["events"]["months"]) == 2
    assert found["a`b 'c%"]["months"] == []


def test_a_person_sees_bars_and_what_would_become_reusable(source: Source) -> None:
    source.mysql(TABLE.format("events", "", INDEX))
    fill(source, "events", m13=300, m1=100)
    source.configure(
        {"events": {"archive": {"class": "short", "age": "created_at"}}},
        retention={"short": {"keep": "1 year", "archive": "7 years"}},
    )
    text = source.archive("sizes", "--exact").out
    assert f"{source.name}.events by created_at" in text
    assert f"  {months_ago(13)[:7]} {'█' * 40}            300" in text
    assert "short, 1 year: 300 rows (75%) are before" in text
    assert "become reusable" in text


def test_a_selector_that_names_nothing_is_wrong_usage(source: Source) -> None:
    source.configure({"events": {}})
    assert "no such source or table" in source.archive("sizes", "nothing", code=2).err


def test_dates_that_are_partly_zero_and_timestamps_that_are_zero_are_no_reason_to_fail(source: Source) -> None:
    source.mysql(
        "set sql_mode = ''",
        "create table d (id int primary key auto_increment, at date, key (at))",
        "create table s (id int primary key auto_increment, at timestamp null, key (at))",
        f"insert into d (at) values ('2010-00-00'), ('2012-02-00'), ('{months_ago(1)}')",
        f"insert into s (at) values ('0000-00-00'), (null), ('{months_ago(1)}')",
    )
    source.configure({"d": {}})
    found = sizes(source, "--exact")
    assert sum(month["rows"] for month in found["d"]["months"]) == 3
    assert [month["rows"] for month in found["s"]["months"]] == [1]


def test_an_index_that_mysql_does_not_use_gives_no_ages(source: Source) -> None:
    source.mysql(TABLE.format("events", "", INDEX))
    fill(source, "events", m1=10)
    hidden = "invisible" if os.environ["TEST_MYSQL"] == "mysql" else "ignored"
    source.mysql(f"alter table events alter index created_at {hidden}")
    source.configure({"events": {}})
    assert sizes(source)["events"]["age"] is None

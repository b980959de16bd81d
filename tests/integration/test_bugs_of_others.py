"""Bugs by which other tools lose or change rows, each by its name, as what must not happen here.

- Airbyte 85918: rows that are committed between the question for the watermark and the read. The first test.
- dlt 2269: rows that are committed later, with an older time or a smaller number. The second and the third.
- dlt's second update within the same second: rows at the boundary are known by their key alone. The fourth.
- Airbyte 85351: rows that share the smallest first column of a composite key. The fifth.
- dlt's backends: TIME wraps, DOUBLE is rounded, BIGINT UNSIGNED fails. The sixth.
- A copy that is cut off begins again from the first row: ``crash/test_kill.py``, where one is killed a dozen times.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.compare import assert_equal
from tests.conftest import Source
from tests.integration.test_extract import CURSOR, extractor, landed, run, small
from tests.mysql_sql import numbers

__all__ = ["small"]


def begin_late(source: Source, statement: str) -> Any:
    """A transaction with one write, still open. What is committed after it is newer by more than a second."""
    writer = source.connect()
    with writer.cursor() as cursor:
        cursor.execute(statement)
    time.sleep(1.1)
    return writer


@pytest.mark.usefixtures("small")
def test_a_row_that_is_committed_between_the_question_for_the_watermark_and_the_read_is_not_lost(
    source: Source, tmp_path: Path
) -> None:
    """Airbyte 85918: it is older than the newest row that was visible at the question, and not visible then."""
    source.mysql(f"create table t (id int primary key, v int, {CURSOR})", "insert into t (id, v) values (1, 0)")
    source.configure({"t": {"overlap": 0}})
    run(extractor(source, tmp_path))
    writer = begin_late(source, "insert into t (id, v) values (2, 0)")
    source.mysql("insert into t (id, v) values (3, 0)")
    one = extractor(source, tmp_path)  # the question is asked here
    writer.commit()
    source.mysql("insert into t (id, v) values (4, 0)")
    run(one)
    assert {2, 3, 4} <= set(landed(source)["id"].to_pylist()), "nothing bounds the read from above"
    writer = begin_late(source, "update t set v = 1 where id = 2")
    source.mysql("update t set v = 1 where id = 3")
    run(extractor(source, tmp_path))
    writer.commit()  # after the read; the next pass has to come back for it
    run(extractor(source, tmp_path))
    source.el("load")
    assert_equal(source, "t")


def test_a_row_that_is_committed_after_newer_ones_were_read_is_not_lost(source: Source) -> None:
    """dlt 2269: the watermark is the largest time that was read, and the row is older."""
    source.mysql(f"create table t (id int primary key, v int, {CURSOR})", "insert into t (id, v) values (1, 0)")
    source.configure({"t": {"overlap": 0}})
    source.el("extract")
    writer = begin_late(source, "insert into t (id, v) values (2, 0)")
    source.mysql("insert into t (id, v) values (3, 0)")
    source.el("extract")
    source.mysql("insert into t (id, v) values (4, 0)")
    source.el("extract")
    assert 2 not in landed(source)["id"].to_pylist()
    writer.commit()
    source.el("run")
    assert_equal(source, "t")


def test_a_smaller_number_that_is_committed_after_larger_ones_were_read_is_not_lost(source: Source) -> None:
    """dlt 2269, for a cursor that counts up."""
    source.mysql("create table t (id int auto_increment primary key, v int)", "insert into t (v) values (1)")
    source.configure({"t": {"cursor": "id", "overlap": 0}})
    source.el("extract")
    writer = begin_late(source, "insert into t (v) values (2)")
    for value in (3, 4):
        source.mysql(f"insert into t (v) values ({value})")
        source.el("extract")
    writer.commit()
    source.el("run")
    assert_equal(source, "t")


def test_a_second_update_within_the_same_second_is_not_dropped(source: Source) -> None:
    """dlt's incremental: the row was seen with this key and this time, so it is taken for the one that is known."""
    cursor = "updated_at timestamp not null default current_timestamp on update current_timestamp, key (updated_at)"
    source.mysql(f"create table t (id int primary key, v int, {cursor})")
    source.configure({"t": {}})
    source.mysql("set timestamp = unix_timestamp()", "insert into t (id, v) values (1, 0), (2, 0)")
    for value in (1, 2):
        source.el("run")
        source.mysql(f"update t set v = {value} where id = 1")  # the session's clock stands still
    source.mysql("insert into t (id, v) values (3, 0)")
    source.el("run")
    assert_equal(source, "t")
    assert source.redshift("select count(distinct updated_at), max(v) from raw.t") == [(1, 2)]


@pytest.mark.usefixtures("small")
def test_rows_that_share_the_smallest_first_column_of_a_composite_key_are_not_dropped(
    source: Source, tmp_path: Path
) -> None:
    """Airbyte 85351: ranges are made of the first column alone, and the first of them begins behind its smallest."""
    source.mysql(
        f"create table t (a int, b varchar(9), c date, {CURSOR}, primary key (a, b, c))",
        # 250 rows share the smallest, 150 the next and 250 the largest; a chunk has 100
        "insert into t (a, b, c) select if(seq <= 250, -5, if(seq <= 400, 0, 7)), seq % 3, '2020-01-01' + interval seq "
        f"day from {numbers(650)} n",
    )
    source.configure({"t": {}})
    assert run(extractor(source, tmp_path)).rows == 650
    keys = list(zip(*(landed(source)[name].to_pylist() for name in "abc"), strict=True))
    assert len(keys) == len(set(keys)) == 650
    source.el("load")
    assert_equal(source, "t")


def test_durations_doubles_decimals_and_the_largest_number_arrive_exactly(source: Source) -> None:
    """dlt's backends: 25:00:00 becomes 01:00:00, 1e-12 becomes 0, and 2^64-1 is an error."""
    source.mysql(
        f"create table t (id int primary key, t time(3), d double, n decimal(38,20), u bigint unsigned, {CURSOR})",
        "insert into t (id, t, d, n, u) values (1, '25:00:00', 1e-12, 0.00000000000000000001, 18446744073709551615), "
        "(2, '-838:59:59', 1.7976931348623157e308, 123456789012345678.12345678901234567891, 9223372036854775808), "
        "(3, '838:59:58.999', 0.1, -0.1, 0)",
    )
    source.configure({"t": {}})
    source.el("run")
    assert [(t, d, str(n), int(u)) for t, d, n, u in source.redshift("select t, d, n, u from raw.t order by id")] == [
        ("25:00:00.000", 1e-12, "1E-20", 2**64 - 1),
        ("-838:59:59.000", 1.7976931348623157e308, "123456789012345678.12345678901234567891", 2**63),
        ("838:59:58.999", 0.1, "-0.10000000000000000000", 0),
    ]

"""What changed in one table reaches Redshift: once, in its last version, under every key."""

from __future__ import annotations

import json
import time

import pytest

from tests.compare import assert_equal
from tests.conftest import Source
from tests.mysql_sql import no_pad_bin

CURSOR = (
    "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6), key (updated_at)"
)
COARSE = "updated_at timestamp not null default current_timestamp on update current_timestamp, key (updated_at)"


def make(source: Source, columns: str, *rows: str, cursor: str = CURSOR, **options: object) -> None:
    source.mysql(f"create table t ({columns}, {cursor})", *rows)
    source.configure({"t": options})


def test_inserts_and_updates_arrive_and_deletes_stay(source: Source) -> None:
    make(source, "id int primary key, v varchar(20)", "insert into t (id, v) values (1, 'a'), (2, 'b'), (3, 'c')")
    source.el("run")
    source.mysql(
        "update t set v = 'changed' where id = 2", "insert into t (id, v) values (4, 'd')", "delete from t where id = 3"
    )
    source.el("run")
    assert sorted(source.redshift("select id, v from raw.t")) == [(1, "a"), (2, "changed"), (3, "c"), (4, "d")]


def test_load_publishes_up_to_where_redshift_has_every_row(source: Source) -> None:
    make(source, "id int primary key, v int", "insert into t (id, v) values (1, 0)")
    source.el("extract")
    assert "t/_applied.json" not in source.objects("t/")
    source.el("load")
    key = f"landing/{source.name}/t/_applied.json"
    applied = json.loads(source.s3.get_object(Bucket="el-landing", Key=key)["Body"].read())
    commit = source.commit("t", 1)
    assert (applied["seq"], applied["load_id"]) == (1, commit["load_id"])
    assert applied["horizon"] == commit["window"]["next_lo"]
    for lost in (None, b"{"):  # a loader that was killed behind its COMMIT, and damage
        source.s3.delete_object(Bucket="el-landing", Key=key)
        if lost:
            source.s3.put_object(Bucket="el-landing", Key=key, Body=lost)
        source.el("load")
        again = json.loads(source.s3.get_object(Bucket="el-landing", Key=key)["Body"].read())
        assert again | {"published_at": ""} == applied | {"published_at": ""}


def test_a_row_that_commits_late_is_not_lost(source: Source) -> None:
    make(source, "id int primary key, v int", "insert into t (id, v) values (1, 0)")
    source.el("run")
    late = source.connect()
    with late.cursor() as cursor:
        cursor.execute("insert into t (id, v) values (2, 0)")
        time.sleep(1.1)
        source.mysql("insert into t (id, v) values (3, 0)")  # committed first, with the later cursor
        source.el("run")
        assert sorted(source.redshift("select id from raw.t")) == [(1,), (3,)]
        late.commit()
    late.close()
    source.el("run")
    assert_equal(source, "t")


def test_a_wider_overlap_finds_what_came_behind_the_watermark(source: Source) -> None:
    make(source, "id int primary key, v int", "insert into t (id, v) values (1, 0)", overlap=86400)
    source.el("run")
    source.mysql("insert into t (id, v, updated_at) values (2, 0, utc_timestamp() - interval 20 hour)")
    source.el("run")
    assert_equal(source, "t")


def test_two_updates_within_one_tick_of_the_cursor_both_arrive(source: Source) -> None:
    make(source, "id int primary key, v int", "insert into t (id, v) values (1, 0)", cursor=COARSE)
    for value in (1, 2, 3, 4):
        source.mysql(f"update t set v = {value} where id = 1")  # the cursor stays the same second, more often than not
        source.el("run")
        assert source.redshift("select v from raw.t") == [(value,)]


def test_an_update_that_leaves_the_cursor_as_it_was_is_seen_while_the_row_is_in_the_window(source: Source) -> None:
    make(source, "id int primary key, v int", "insert into t (id, v) values (1, 0)")
    source.el("run")
    source.mysql("update t set v = 5, updated_at = updated_at where id = 1")
    source.el("run")
    assert source.redshift("select v from raw.t") == [(5,)]


def test_a_composite_key_is_merged_on_all_its_columns(source: Source) -> None:
    make(
        source,
        "a int, b varchar(10), c date, v int, primary key (b, a, c)",
        "insert into t (a, b, c, v) values (1, 'x', '2020-01-01', 1), (2, 'x', '2020-01-01', 2), "
        "(1, 'y', '2020-01-01', 3), (1, 'x', '2020-01-02', 4)",
    )
    source.el("run")
    source.mysql("update t set v = 9 where a = 1 and b = 'x' and c = '2020-01-02'")
    source.el("run")
    assert_equal(source, "t")


def test_text_keys_that_differ_in_case_accent_or_trailing_blanks_are_kept_apart(source: Source) -> None:
    make(
        source,
        f"k varchar(20) collate {no_pad_bin()} primary key, v int",
        "insert into t (k, v) values ('a', 1), ('A', 2), ('a ', 3), ('a  ', 4), ('ä', 5), ('', 6), (' ', 7)",
    )
    source.el("run")
    assert_equal(source, "t")
    source.mysql("update t set v = v + 10 where k in ('a ', '')")
    source.el("run")
    assert_equal(source, "t")


def test_a_null_cursor_belongs_to_every_window(source: Source) -> None:
    make(
        source,
        "id int primary key, v int",
        "insert into t (id, v) values (1, 0)",
        cursor="updated_at timestamp(6) null default null, key (updated_at)",
    )
    source.el("run")
    source.mysql("insert into t (id, v) values (2, 0)", "update t set v = 1 where id = 1")
    source.el("run")
    assert_equal(source, "t")


def test_a_cursor_in_the_future_is_read(source: Source) -> None:
    make(
        source,
        "id int primary key, v int",
        "insert into t (id, v, updated_at) values (1, 0, utc_timestamp() + interval 3 day)",
    )
    source.el("run")
    source.mysql("insert into t (id, v, updated_at) values (2, 0, utc_timestamp() + interval 2 day)")
    source.el("run")
    assert_equal(source, "t")


def test_names_that_the_merge_itself_uses_are_left_to_the_user(source: Source) -> None:
    source.mysql(
        f"create table incoming (id int primary key, newest int, ranked int, {CURSOR})",
        "insert into incoming (id, newest, ranked) values (1, 1, 1), (2, 0, 0)",
    )
    source.configure({"incoming": {}})
    source.el("run")
    source.mysql("update incoming set newest = 7 where id = 2")
    source.el("run")
    assert_equal(source, "incoming")


def test_mode_replace_has_exactly_the_rows_of_now(source: Source) -> None:
    source.mysql("create table t (name varchar(20), v int)", "insert into t values ('a', 1), ('a', 1), ('b', 2)")
    source.configure({"t": {"mode": "replace"}})
    source.el("run")
    assert sorted(source.redshift("select name, v from raw.t")) == [("a", 1), ("a", 1), ("b", 2)]
    source.mysql("delete from t where name = 'a' limit 1", "update t set v = 3 where name = 'b'")
    source.el("run")
    assert sorted(source.redshift("select name, v from raw.t")) == [("a", 1), ("b", 3)]
    source.mysql("delete from t")
    source.el("run")
    assert source.redshift("select count(*) from raw.t") == [(0,)]
    source.el("run")
    assert source.commits("t") == [1, 2, 3]


def test_full_copies_every_row_again(source: Source) -> None:
    make(source, "id int primary key, v int", "insert into t (id, v) values (1, 0), (2, 0)")
    source.el("run")
    source.mysql("update t set updated_at = '2001-01-01', v = 7 where id = 2")  # breaks the contract of a cursor
    source.el("run")
    assert sorted(source.redshift("select id, v from raw.t")) == [(1, 0), (2, 0)]
    again = source.el("run", "--full", "--json").table("t")
    assert (again["extracted"], again["loaded"], again["full"]) == (2, 2, True)
    assert_equal(source, "t")


def test_a_new_column_is_added_and_every_row_copied_again(source: Source) -> None:
    make(source, "id int primary key, v int", "insert into t (id, v) values (1, 0), (2, 0)")
    source.el("run")
    source.mysql("alter table t add column note varchar(30) not null default 'none' after id")
    done = source.el("run")
    assert "new columns note" in done.out
    assert_equal(source, "t")


def test_a_column_that_is_gone_is_said_and_its_values_stay_where_rows_did_not_change(source: Source) -> None:
    make(source, "id int primary key, v int", "insert into t (id, v) values (1, 5)")
    source.el("run")
    source.mysql("delete from t", "alter table t drop column v", "insert into t (id) values (2)")
    done = source.el("run")
    assert "v no longer read" in done.out
    assert sorted(source.redshift("select id, v from raw.t"), key=str) == [(1, 5), (2, None)]


def test_a_column_that_changed_its_type_stops_the_table_and_the_commit_waits(source: Source) -> None:
    make(source, "id int primary key, v int", "insert into t (id, v) values (1, 5)")
    source.el("run")
    source.mysql("alter table t modify v varchar(20)")
    failed = source.el("run", code=1)
    assert "v is INTEGER there and VARCHAR(80) in the commit" in failed.err
    assert source.ledger("t") == [(1, 1)]
    assert source.redshift("select id, v from raw.t") == [(1, 5)]
    source.redshift(f"drop table raw_{source.name}.t")  # as the message advises
    source.redshift(f"drop table raw_{source.name}_el.t")
    source.el("load")
    assert_equal(source, "t")


@pytest.mark.parametrize("now", ["id, part", *(pytest.param(key, marks=pytest.mark.long) for key in ("v", "id, v"))])
def test_a_changed_primary_key_stops_the_table_and_the_commit_waits(source: Source, now: str) -> None:
    make(source, "id int primary key, v int not null", "insert into t (id, v) values (1, 5)")
    source.el("run")
    source.mysql(
        f"alter table t add column part int not null default 0, drop primary key, add primary key ({now})",
        "insert into t (id, part, v) values (1, 1, 6)",
    )
    for _ in range(2):
        failed = source.el("run", code=1)
        assert f"the primary key is {now} in the commit and was id when the table was made" in failed.err
    assert source.redshift("select id, v from raw.t") == [(1, 5)]
    source.redshift(f"drop table raw_{source.name}.t")
    source.redshift(f"drop table raw_{source.name}_el.t")
    source.el("load")
    assert_equal(source, "t")


def test_another_hash_key_hashes_every_row_again(source: Source) -> None:
    make(
        source,
        "id int primary key, email varchar(50)",
        "insert into t (id, email) values (1, 'a@example.org')",
        hash=["email"],
    )
    source.el("run")
    (before,) = source.redshift("select email from raw.t")
    source.el("run", env={"EL_HASH_KEY": "another key of sufficient length"})
    (after,) = source.redshift("select email from raw.t")
    assert before != after
    assert len(after[0]) == 64


def test_columns_and_tables_with_odd_names(source: Source) -> None:
    source.mysql(
        "create table `Order Lines` (`Line No` int primary key, `select` int, `naïve.col` int, `camelCase` int, "
        f'`quote"d` int, `back``tick` int, {CURSOR})',
        'insert into `Order Lines` (`Line No`, `select`, `naïve.col`, camelCase, `quote"d`, `back``tick`) '
        "values (1, 2, 3, 4, 5, 6)",
    )
    source.configure({"Order Lines": {}})
    source.el("run")
    assert source.redshift(
        'select line_no, "select", na_ve_col, camel_case, quote_d, back_tick from raw.order_lines'
    ) == [(1, 2, 3, 4, 5, 6)]

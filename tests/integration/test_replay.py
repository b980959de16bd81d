"""A raw table that is built anew from the landing, beside the live one, and swapped in if nothing is lost by it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.compare import assert_equal
from tests.conftest import Source
from tests.landed import Landed

CURSOR = (
    "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6), key (updated_at)"
)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def row(key: int, value: str) -> dict[str, Any]:
    return {"id": key, "v": value, "updated_at": NOW, "_extracted_at": NOW}


@pytest.fixture
def table(source: Source) -> Iterator[Source]:
    """Three commits, all of them loaded."""
    source.mysql(
        f"create table t (id int primary key, v varchar(10), {CURSOR})",
        "insert into t (id, v) values (1, 'a'), (2, 'b'), (3, 'c')",
    )
    source.configure({"t": {}})
    source.el("run")
    source.mysql("update t set v = 'x' where id = 1")
    source.el("run")
    source.mysql("insert into t (id, v) values (4, 'd ')")
    source.el("run")
    yield source
    for schema in (into(source), f"{into(source)}_el"):
        source.redshift(f"drop schema if exists {schema} cascade")


def into(source: Source) -> str:
    return f"replay_{source.name}"


def replay(source: Source, *more: str, code: int = 0) -> Any:
    return source.el("load", "--replay", f"{source.name}.t", "--into", into(source), *more, code=code)


def content(source: Source, schema: str) -> list[tuple[Any, ...]]:
    return source.redshift(f"select * from {schema}.t order by id")


def ledger(source: Source) -> list[tuple[Any, ...]]:
    return source.redshift(f"select * from raw_{source.name}_el.t order by position")


def test_a_replay_builds_the_table_beside_the_live_one_and_touches_neither_it_nor_the_horizon(table: Source) -> None:
    landed = Landed(table, "t")
    before, own, horizon = content(table, f"raw_{table.name}"), ledger(table), landed.body("_applied.json")
    receipts = table.objects("t/_receipts/")
    replay(table)
    assert content(table, into(table)) == content(table, f"raw_{table.name}") == before
    assert (ledger(table), landed.body("_applied.json"), table.objects("t/_receipts/")) == (own, horizon, receipts)
    assert table.redshift(f"select seq from {into(table)}_el.t order by position") == [(1,), (2,), (3,)]
    landed.last = table.commit("t", 3)
    landed.add([row(5, "later")])
    assert replay(table, "--json").table("t")["load_commits"] == 1, "it goes on where it was"
    assert len(content(table, f"raw_{table.name}")) == 4
    lines = [record["line"] for record in json.loads(table.el("runs", "--json").out)]
    assert any(f"--into {into(table)} --replay {table.name}.t" in line for line in lines), "others run beside this test"


def test_a_raw_table_that_somebody_damaged_is_swapped_for_the_rebuilt_one_under_the_views_of_readers(
    table: Source,
) -> None:
    landed = Landed(table, "t")
    before = content(table, f"raw_{table.name}")
    table.redshift(f"create view raw_{table.name}.bound as select id, v from raw_{table.name}.t")
    table.redshift(f"update raw_{table.name}.t set v = 'wrong' where id > 1")
    table.redshift(f"delete from raw_{table.name}.t where id = 1")
    done = replay(table, "--swap")
    assert f'swapped in: "raw_{table.name}"."t" had 3 rows and has the 4 of "{into(table)}"."t" now' in done.out
    assert content(table, f"raw_{table.name}") == before
    assert_equal(table, "t")
    assert len(table.redshift(f"select * from raw_{table.name}.bound")) == 4
    assert table.ledger("t") == [(1, 3), *table.ledger("t")[1:]] and len(table.ledger("t")) == 3
    ((key, count),) = table.redshift(
        f"select receipt, table_rows from raw_{table.name}_el.t order by position desc limit 1"
    )
    receipt = json.loads(landed.body(key))
    assert (receipt["swapped_in"]["schema"], receipt["swapped_in"]["seq"]) == (into(table), 3)
    assert (receipt["redshift"]["deleted"], receipt["redshift"]["inserted"], count) == (3, 4, 4)
    table.mysql("update t set v = 'y' where id = 2")
    table.el("run")
    assert_equal(table, "t")


def test_a_swap_that_would_lose_rows_is_refused_and_says_how_many(table: Source) -> None:
    """As after an archive, or a landing that was lost: the newest chain of commits no longer has the row."""
    table.mysql("delete from t where id = 3")
    table.delete_objects("t/")
    table.el("run")
    assert [key for key, *_ in table.redshift("select id from raw.t order by id")] == [1, 2, 3, 4]
    before, own = content(table, f"raw_{table.name}"), ledger(table)
    done = replay(table, "--swap", code=1)
    assert f'not swapped: 1 rows of "raw_{table.name}"."t" are not in "{into(table)}"."t"' in done.err
    assert (content(table, f"raw_{table.name}"), ledger(table)) == (before, own)
    assert len(content(table, into(table))) == 3


def test_a_swap_is_refused_while_the_two_are_not_at_the_same_commit(table: Source) -> None:
    landed = Landed(table, "t")
    landed.last = table.commit("t", 3)
    landed.add([row(5, "later")])
    before = content(table, f"raw_{table.name}")
    done = replay(table, "--swap", code=1)
    assert "is at commit 3 and" in done.err and f"Run first: el load {table.name}.t" in done.err
    assert content(table, f"raw_{table.name}") == before
    table.el("load")
    replay(table, "--swap")
    assert len(content(table, f"raw_{table.name}")) == 5


def test_a_swap_is_refused_when_the_columns_are_not_the_same(table: Source) -> None:
    table.redshift(f"alter table raw_{table.name}.t add column extra integer")
    assert "extra is integer and not there" in replay(table, "--swap", code=1).err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--into", "elsewhere"], "go with --replay"),
        (["--swap"], "go with --replay"),
        (["--replay", "{t}"], "needs --into"),
        (["--replay", "{source}", "--into", "elsewhere"], "takes one table"),
        (["--replay", "{t}", "--into", "elsewhere", "{t}"], "takes one table"),
        (["--replay", "{t}", "--into", "raw_{source}"], "begin with raw_"),
        (["--replay", "{t}", "--into", "other_el"], "end with _el"),
        (["--replay", "{t}", "--into", "a;b"], "a schema's name is"),
    ],
)
def test_what_contradicts_itself_is_refused_before_anything_is_done(
    table: Source, arguments: list[str], said: str
) -> None:
    names = {"source": table.name, "t": f"{table.name}.t"}
    assert said in table.el("load", *(each.format(**names) for each in arguments), code=2).err


def test_load_and_status_warn_when_the_files_of_a_pending_commit_will_soon_be_deleted(table: Source) -> None:
    landed = Landed(table, "t")
    landed.last = table.commit("t", 3)
    old = (datetime.now(UTC) - timedelta(days=25)).isoformat(timespec="seconds")
    landed.add([row(5, "later")], extracted_at=old)
    said = "commit 4 is not loaded and its files are from"
    assert said not in table.el("status").out
    assert said not in table.el("status", env={"EL_RETENTION_DAYS": "60"}).out
    assert said in table.el("status", env={"EL_RETENTION_DAYS": "30"}).out
    assert "EL_RETENTION_DAYS is 'x'" in table.el("status", code=2, env={"EL_RETENTION_DAYS": "x"}).err
    assert said in table.el("load", env={"EL_RETENTION_DAYS": "30"}).out
    assert said not in table.el("status", env={"EL_RETENTION_DAYS": "30"}).out

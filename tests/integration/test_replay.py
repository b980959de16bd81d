"""A raw table that is built anew from the landing, beside the live one, and swapped in if nothing is lost by it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.archive import made
from tests.compare import assert_equal
from tests.conftest import Source
from tests.landed import Landed
from tests.mysql_sql import no_pad_bin

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


@pytest.mark.long
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


CONTRADICTIONS = [
    (["--into", "elsewhere"], "go with --replay"),
    (["--swap"], "go with --replay"),
    (["--replay", "{t}", "--into", "elsewhere", "--with", "restored.t"], "--with goes with"),
    (["--replay", "{t}", "--into", "elsewhere", "--swap", "--with", "{t}"], "it takes another table"),
    (["--replay", "{t}", "--into", "elsewhere", "--swap", "--with", "s3://key:secret@t.t"], "--with …: it takes"),
    (["--replay", "{t}"], "needs --into"),
    (["--replay", "{source}", "--into", "elsewhere"], "takes one table"),
    (["--replay", "{t}", "--into", "elsewhere", "{t}"], "takes one table"),
    (["--replay", "{t}", "--into", "raw_{source}"], "begin with raw_"),
    (["--replay", "{t}", "--into", "other_el"], "end with _el"),
    (["--replay", "{t}", "--into", "a;b"], "a schema's name is"),
]


def test_what_contradicts_itself_is_refused_before_anything_is_done(source: Source) -> None:
    source.configure({"t": {}})
    names = {"source": source.name, "t": f"{source.name}.t"}
    for arguments, said in CONTRADICTIONS:
        assert said in source.el("load", *(each.format(**names) for each in arguments), code=2).err


@pytest.mark.long
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


ARCHIVED = f"""create table t (k varchar(10), n int, v varchar(20), h varchar(20),
    created_at datetime default '2024-01-01', {CURSOR}, primary key (k, n)) default collate {no_pad_bin()}"""


@pytest.fixture
def archived(make_source: Callable[[], Source]) -> Iterator[tuple[Source, Source]]:
    """A table whose old rows are archived, after a landing that was lost; and a source to restore them into.

    Of the keys that were used again, ('b', 2) lives in MySQL, and ('c', 3) was archived twice. ('d', 4) was not
    archived, and another key that Redshift takes for the same was.
    """
    source, restored = make_source(), make_source()
    source.mysql(
        ARCHIVED,
        "insert into t (k, n, v, h) values ('a', 1, 'first', 'x'), ('d ', 4, 'blank', 'y'), ('b', 2, 'old', 'z'), "
        "('c', 3, 'old', null), ('d', 4, 'stays', 'x')",
    )
    policy = {"archive": {"class": "transient", "age": "created_at"}}
    source.configure(
        {"t": {"hash": ["h"]} | policy}, retention={"transient": {"keep": "6 months", "archive": "7 years"}}
    )
    source.el("run")
    made.archive(source, "t", "k <> 'd'")
    source.mysql("insert into t (k, n, v, h) values ('b', 2, 'lives', 'new'), ('c', 3, 'second', 'new')")
    source.el("run")
    made.archive(source, "t", "k = 'c'")
    restored.mysql(f"create table t like {source.name}.t")
    restored.configure({"t": {"hash": ["h"]}})
    yield source, restored
    for schema in (into(source), f"{into(source)}_el"):
        source.redshift(f"drop schema if exists {schema} cascade")


def lose_landing(source: Source) -> None:
    source.delete_objects("t/")
    source.el("run")


def bring_back(source: Source, restored: Source) -> str:
    """What ``--with`` takes."""
    source.archive("restore", f"{source.name}.t", "--all", "--into", f"{restored.name}.t")
    restored.el("run", "--full")
    return f"{restored.name}.t"


def rows_of(source: Source) -> list[tuple[Any, ...]]:
    return source.redshift("select k, n, v, h, created_at, updated_at from raw.t order by k, octet_length(k), n")


def test_rows_that_were_archived_before_the_landing_begins_are_filled_in_from_the_archive(
    archived: tuple[Source, Source],
) -> None:
    """As they were in Redshift before somebody damaged it, hashes and times too; of a key the last life wins."""
    source, restored = archived
    before = rows_of(source)
    assert [row[2] for row in before] == ["first", "lives", "second", "stays", "blank"]
    lose_landing(source)
    assert rows_of(source) == before
    source.redshift("update raw.t set v = 'wrong', h = 'wrong' where k in ('a', 'd')")
    source.redshift("delete from raw.t where k = 'c'")
    landed = Landed(source, "t")
    refused = replay(source, "--swap", code=1)
    assert f'2 rows of "raw_{source.name}"."t" are not in "{into(source)}"."t"' in refused.err
    assert "can be brought with --with" in refused.err
    rest = bring_back(source, restored)
    done = replay(source, "--swap", "--with", rest)
    assert f'had 4 rows and has the 2 of "{into(source)}"."t" and 3 of "raw_{restored.name}"."t" now' in done.out
    assert rows_of(source) == before
    assert sorted(source.redshift("select _seq from raw.t")) == [(0,), (0,), (0,), (1,), (1,)]
    ((key, count),) = source.redshift(
        f"select receipt, table_rows from raw_{source.name}_el.t order by position desc limit 1"
    )
    receipt = json.loads(landed.body(key))
    assert receipt["filled_from"] == {"schema": f"raw_{restored.name}", "table": "t", "seq": 1, "rows": 3}
    assert (receipt["redshift"]["deleted"], receipt["redshift"]["inserted"], count) == (4, 5, 5)
    source.mysql("update t set v = 'later'", "insert into t (k, n, v) values ('a', 1, 'third')")
    source.el("run")
    assert [row[2] for row in rows_of(source)] == ["third", "later", "second", "later", "blank"]


@pytest.mark.long
def test_a_swap_is_refused_when_neither_the_landing_nor_the_archive_has_a_row(
    archived: tuple[Source, Source],
) -> None:
    source, restored = archived
    source.mysql("insert into t (k, n, v) values ('e', 5, 'deleted')")
    source.el("run")
    source.mysql("delete from t where k = 'e'")
    lose_landing(source)
    before = content_of(source)
    rest = bring_back(source, restored)
    refused = replay(source, "--swap", "--with", rest, code=1)
    neither = f'neither in "{into(source)}"."t" nor in "raw_{restored.name}"."t"'
    assert f'1 rows of "raw_{source.name}"."t" are {neither}' in refused.err
    assert content_of(source) == before


@pytest.mark.long
def test_an_archived_row_does_not_replace_a_later_one_that_only_redshift_has(archived: tuple[Source, Source]) -> None:
    """Its key was used again, that row reached Redshift, and MySQL deleted it: the archive has an older one."""
    source, restored = archived
    source.mysql("insert into t (k, n, v) values ('a', 1, 'later')")
    source.el("run")
    source.mysql("delete from t where k = 'a'")
    lose_landing(source)
    before = content_of(source)
    assert ("a", 1, "later") in [row[:3] for row in before]
    rest = bring_back(source, restored)
    refused = replay(source, "--swap", "--with", rest, code=1)
    assert f'1 rows of "raw_{source.name}"."t" are not in' in refused.err
    assert "have a later cursor" in refused.err
    assert content_of(source) == before


@pytest.mark.long
def test_rows_of_another_form_or_an_unfinished_copy_fill_nothing_in(archived: tuple[Source, Source]) -> None:
    source, restored = archived
    lose_landing(source)
    before = content_of(source)
    swap = ("--swap", "--with", f"{restored.name}.t")
    assert f'there is no "raw_{restored.name}"."t"' in replay(source, *swap, code=1).err
    rest = bring_back(source, restored)
    restored.mysql("insert into t (k, n, v) values ('z', 9, 'pending')")
    restored.el("extract")
    assert f"Run first: el run --full {rest}" in replay(source, *swap, code=1).err
    restored.el("run", env={"EL_HASH_KEY": "another key than that of the table itself"})
    assert f"rows of {rest} are not made as those of {source.name}.t are" in replay(source, *swap, code=1).err
    restored.redshift("alter table raw.t add column extra integer")
    assert "extra is not there and integer" in replay(source, *swap, code=1).err
    assert content_of(source) == before


def content_of(source: Source) -> list[tuple[Any, ...]]:
    return source.redshift("select * from raw.t order by k, octet_length(k), n")

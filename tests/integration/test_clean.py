"""``el clean`` deletes what no commit names and none can name any more, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compare import assert_equal
from tests.conftest import Source
from tests.crash.test_kill import CURSOR, SMALL_PARTS, is_commit, killed_at, start
from tests.mysql_sql import numbers
from tests.proxy import s3_proxy


@pytest.fixture
def table(source: Source) -> Source:
    source.mysql(
        f"create table t (id int primary key, v int, {CURSOR})",
        f"insert into t (id, v) select seq, 0 from {numbers(500)} n",
    )
    source.configure({"t": {}})
    return source


def clean(source: Source, *arguments: str, code: int = 0) -> dict[str, Any]:
    """The entry of table t in the report of ``el clean`` without a grace period."""
    arguments = ("--grace", "0", *arguments) if "--grace" not in arguments else arguments
    (entry,) = source.el("clean", "--json", *arguments, code=code).json["tables"]
    return dict(entry)


def files(source: Source) -> set[str]:
    return {key for key in source.objects("t/t/") if key.endswith(".parquet")}


def named(source: Source) -> set[str]:
    return {"t/" + file["key"] for seq in source.commits("t") for file in source.commit("t", seq)["files"]}


def keys(source: Source, found: list[dict[str, Any]]) -> set[str]:
    return {entry["url"].partition(f"/{source.name}/")[2] for entry in found}


def test_files_of_a_killed_extract_go_when_the_next_commit_is_written_and_nothing_else_does(table: Source) -> None:
    table.el("run")
    table.mysql("update t set v = 1 where id <= 10")
    killed_at(table, "extract", is_commit)
    orphans = files(table) - named(table)
    assert orphans

    waiting = clean(table, "--execute")
    assert (waiting["files"], waiting["waiting"], waiting["deleted"]) == ([], len(orphans), 0)
    strangers = ["t/t/notes.txt", "t/_leases/extract.json", "t/_quarantine/7.json", "t/_receipts/1.json"]
    for key in strangers:
        table.s3.put_object(Bucket="el-landing", Key=f"landing/{table.name}/{key}", Body=b"{}")

    table.el("run")
    before = set(table.objects())
    assert clean(table, "--grace", "7")["files"] == []
    found = clean(table)
    assert keys(table, found["files"]) == orphans
    assert keys(table, found["manifests"]) < {key for key in before if "/_manifests/" in key}
    assert set(table.objects()) == before, "deleted without --execute"

    done = clean(table, "--execute")
    assert done["deleted"] == len(found["files"]) + len(found["manifests"]) > len(orphans)
    assert set(table.objects()) == before - keys(table, [*found["files"], *found["manifests"]])
    assert named(table) == files(table)
    assert "nothing to clean" in table.el("clean", "--grace", "0").out

    versions = table.s3.list_object_versions(Bucket="el-landing", Prefix=f"landing/{table.name}/{min(orphans)}")
    assert versions["Versions"], "a bucket with versions keeps what was deleted"
    table.redshift(f"drop schema raw_{table.name} cascade")
    table.redshift(f"drop schema raw_{table.name}_el cascade")
    table.el("load")  # every commit, from the first
    assert_equal(table, "t")


@pytest.mark.parametrize("mode", ["merge", pytest.param("replace", marks=pytest.mark.long)])
def test_an_extract_at_work_loses_no_file(table: Source, mode: str) -> None:
    """At each commit of an extract in many parts, with the files of that commit on S3, the janitor is at work."""
    table.configure({"t": {"mode": mode}})
    table.el("run")
    table.mysql(f"insert into t (id, v) select seq + 1000, 0 from {numbers(9000)} n", "update t set v = 2")
    waiting = []

    def before(method: str, path: str) -> None:
        if is_commit(method, path):
            waiting.append(clean(table, "--execute")["waiting"])

    with s3_proxy(table.env["AWS_ENDPOINT_URL"], before) as endpoint:
        assert start(table, "extract", endpoint=endpoint, program=("-c", SMALL_PARTS)).wait(240) == 0
    assert all(waiting)
    assert len(waiting) == 1 if mode == "replace" else len(waiting) > 3
    table.el("load")
    assert_equal(table, "t")
    assert files(table) == named(table)


def test_files_of_an_extract_whose_number_was_taken_may_go_while_it_is_still_at_work(table: Source) -> None:
    table.env["EL_LEASE_SECONDS"] = "0"  # else the other leaves the table to it
    deleted = []

    def before(method: str, path: str) -> None:
        if is_commit(method, path) and not deleted:
            loser = files(table)
            table.el("extract", env={"EL_HOME": str(table.folder / "other")})
            deleted.append(clean(table, "--execute"))
            assert keys(table, deleted[0]["files"]) == loser

    with s3_proxy(table.env["AWS_ENDPOINT_URL"], before) as endpoint:
        assert start(table, "extract", endpoint=endpoint).wait(120) == 0
    assert deleted[0]["deleted"] > 0
    table.el("load")
    assert_equal(table, "t")
    assert files(table) == named(table)


def test_a_first_copy_that_was_killed_waits_for_the_first_commit(table: Source) -> None:
    killed_at(table, "extract", is_commit)
    assert clean(table, "--execute")["waiting"] > 0
    assert files(table)


@pytest.mark.parametrize("damage", ["missing", "unreadable"])
def test_a_table_whose_commits_are_not_all_there_is_left_alone(table: Source, damage: str) -> None:
    for value in (1, 2, 3):
        table.mysql(f"update t set v = {value} where id <= 10")
        table.el("extract")
    key = f"landing/{table.name}/t/_commits/{2:020d}.json"
    if damage == "missing":
        table.s3.delete_object(Bucket="el-landing", Key=key)
    else:
        table.s3.put_object(Bucket="el-landing", Key=key, Body=b"{")
    before = table.objects()
    refused = clean(table, "--execute", code=1)
    assert refused["deleted"] == 0
    assert ("commit 2 is missing" if damage == "missing" else "is damaged") in refused["error"]
    assert table.objects() == before


def test_tables_are_cleaned_apart_and_chosen_by_selectors(table: Source) -> None:
    table.mysql(f"create table u (id int primary key, v int, {CURSOR})", "insert into u (id, v) values (1, 1)")
    table.configure({"t": {}, "u": {}})
    for value in (1, 2):
        table.mysql(f"update t set v = {value}", f"update u set v = {value}")
        table.el("run")
    table.s3.delete_object(Bucket="el-landing", Key=f"landing/{table.name}/t/_commits/{1:020d}.json")
    only_u = table.el("clean", "--grace", "0", f"{table.name}.u", "--json").json
    assert [entry["table"] for entry in only_u["tables"]] == [f"{table.name}.u"]
    both = table.el("clean", "--grace", "0", "--execute", code=1)
    assert f"{table.name}.u: 0 files without a commit (0 bytes), 1 manifests: 1 deleted" in both.out
    assert f"error: {table.name}.t:" in both.err

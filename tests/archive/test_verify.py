"""``verify`` sees what is wrong with the archive, ``find`` says what became of a row, ``drill`` brings rows back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.archive import made
from tests.archive.test_restore import TABLE, configure, rows
from tests.conftest import Source
from tests.mysql_sql import numbers

NOTHING = "nothing of what was named was ever archived here. If that is not so, look at ARCHIVE_URL"


@pytest.fixture
def table(source: Source) -> str:
    """Ten rows, of which seven are in the archive, in two objects."""
    source.mysql(TABLE, f"insert into t (id, v) select seq, concat('row ', seq) from {numbers(10)} n")
    configure(source)
    made.archive(source, "t", "id <= 4")
    made.archive(source, "t", "id <= 7")
    return f"{source.name}.t"


def keys(source: Source, folder: str) -> list[str]:
    store = made.table_archive(source, "t")
    return sorted({found.key for found in store.versions(folder)})


def put(source: Source, key: str, body: bytes) -> None:
    store = made.table_archive(source, "t")
    source.s3.put_object(Bucket=store.place.bucket, Key=store.key(key), Body=body)


def destroy(source: Source, key: str) -> None:
    """Delete every version, as only who may go around the lock can."""
    store = made.table_archive(source, "t")
    for found in store.versions(key):
        source.s3.delete_object(
            Bucket=store.place.bucket, Key=store.key(key), VersionId=found.version, BypassGovernanceRetention=True
        )


def verified(source: Source, *arguments: str, code: int = 0) -> dict[str, Any]:
    (one,) = source.archive("verify", *arguments, "--json", code=code).json["tables"]
    return dict(one)


def test_an_archive_that_is_as_it_was_written_has_no_problem(source: Source, table: str) -> None:
    one = verified(source, "--all")
    assert (one["objects"], one["rows"], one["read"], one["problems"]) == (2, 7, 2, [])
    assert verified(source, "--sample", "1")["read"] == 1
    assert "rows deleted" in source.archive("verify").out


@pytest.mark.parametrize("folder", ["rows/", "_manifests/"])
def test_an_object_that_is_missing_is_seen_without_reading_any(source: Source, table: str, folder: str) -> None:
    destroy(source, keys(source, folder)[0])
    one = verified(source, "--sample", "0", code=1)
    assert one["read"] == 0
    assert len(one["problems"]) == 1
    assert f"{keys(source, folder) and folder}" in one["problems"][0]
    assert "is missing: its rows are nowhere" in one["problems"][0]


def test_an_object_under_another_version_or_a_delete_marker_is_seen_and_its_copy_is_read(
    source: Source, table: str
) -> None:
    first, second = keys(source, "rows/")
    put(source, first, b"swapped")
    store = made.table_archive(source, "t")
    source.s3.delete_object(Bucket=store.place.bucket, Key=store.key(second))
    one = verified(source, "--all", code=1)
    assert len(one["problems"]) == 2
    assert f"{first} (version" in one["problems"][0]
    assert "lies under another version" in one["problems"][0]
    assert "is hidden by a delete marker" in one["problems"][1]
    assert source.archive("restore", table, "--all", "--into", table, "--json").json["restored"] == 7


def test_an_extra_object_is_seen(source: Source, table: str) -> None:
    put(source, "rows/from-elsewhere.parquet", b"PAR1")
    (problem,) = verified(source, code=1)["problems"]
    assert "rows/from-elsewhere.parquet: no record of the journal names it" in problem


def test_a_manifest_or_object_that_is_not_what_the_journal_says_is_seen_when_it_is_read(
    source: Source, table: str
) -> None:
    """A version cannot be changed on S3, so the journal is: it names another version, as a forger's would."""
    store = made.table_archive(source, "t")
    book = made.journal.Journal(store, "run")
    records = [one for one in book.records() if one["kind"] == "written"]
    other = store.put("rows/other.parquet", b"not Parquet")
    forged = {name: records[0][name] for name in ("chunk", "object", "manifest", "rows", "rows_sha256")}
    book.append("written", **forged | {"object": vars(other)})
    book.append("done", chunk=forged["chunk"], deleted=4, keys=None, untold="it is forged")
    problems = verified(source, "--all", code=1)["problems"]
    assert any("says another thing of its object than the journal does" in problem for problem in problems)


def test_a_damaged_journal_is_a_problem_and_not_an_empty_archive(source: Source, table: str) -> None:
    put(source, f"_journal/{3:020d}.json", b"{")
    (problem,) = verified(source, code=1)["problems"]
    assert "is damaged and cannot be read" in problem
    destroy(source, f"_journal/{3:020d}.json")
    (problem,) = verified(source, code=1)["problems"]
    assert f"_journal/{3:020d}.json: there is no such object" in problem


def test_find_tells_every_copy_of_a_key_and_what_became_of_it(source: Source, table: str) -> None:
    def found(key: str) -> list[dict[str, Any]]:
        return list(source.archive("find", table, key, "--json").json["copies"])

    (one,) = found("6")
    assert (one["state"], one["position"]) == ("deleted", 1)
    assert one["run"] == "20261125T010203Z-run-0a0b0c"
    assert one["object"].endswith(keys(source, "rows/")[1])
    assert one["until"] == made.UNTIL.isoformat()
    assert found("8") == found("99") == []
    source.mysql("insert into t (id) values (6)")
    chunk = made.archive(source, "t", "id = 6", delete=False)
    assert [copy["state"] for copy in found("6")] == ["deleted", "not deleted yet"]
    book = made.journal.Journal(made.table_archive(source, "t"), "run")
    book.append("deleted", chunk=chunk, deleted=[], gone=[], left={"changed": [[0, 1]]})
    assert [copy["state"] for copy in found("6")] == ["deleted", "left in MySQL: changed"]
    text = source.archive("find", table, "6").out
    assert "object#row" in text
    assert "left in MySQL: changed" in text
    assert source.archive("find", table, "99").out == "this key is not in the archive\n"


def test_find_takes_keys_of_every_kind(source: Source) -> None:
    source.mysql(
        """create table k (a varchar(9) character set latin1, b varbinary(9), c decimal(6,2), d date, e bigint unsigned,
            created_at datetime default '2024-01-01', primary key (a, b, c, d, e), key (created_at))""",
        "insert into k (a, b, c, d, e) values ('é, \"x\"', x'00ff', -1.5, '2024-02-29', 18446744073709551615), "
        "('ab', 'plain', 0, '2024-02-29', 0)",
    )
    configure(source, "k")
    made.archive(source, "k")
    label = f"{source.name}.k"
    for key, many in {
        '"é, ""x""",0x00ff,-1.50,2024-02-29,18446744073709551615': 1,
        "ab,0x706c61696e,0.00,2024-02-29,0": 1,
        "AB,0x706c61696e,0.00,2024-02-29,0": 0,
    }.items():
        assert len(source.archive("find", label, key, "--json").json["copies"]) == many, key
    for key in ("ab", "ab,plain,0.00,2024-02-29,0", "ab,0x1,0,2024-02-29,0", "ab,0x706c61696e,0.00,2024-02-29,x"):
        refused = source.archive("find", label, key, code=2)
        assert "The primary key is a,b,c,d,e" in refused.err
        assert "ab" not in refused.err.replace("have", "")


def test_a_drill_restores_a_sample_and_leaves_nothing_behind(source: Source, table: str) -> None:
    (one,) = source.archive("drill", "--rows", "4", "--json").json["tables"]
    assert (one["rows"], one["objects"], one["problem"]) == (4, 2, None)
    assert rows(source, f"show tables in {source.name}_restore") == []
    assert rows(source, "select count(*) from t") == [(3,)]


def test_a_drill_that_fails_says_so_and_leaves_nothing_behind(source: Source, table: str) -> None:
    for key in keys(source, "rows/"):
        destroy(source, key)
    failed = source.archive("drill", "--json", code=1)
    assert "there is no such version" in failed.json["tables"][0]["problem"]
    assert "error: " in failed.err
    assert rows(source, f"show tables in {source.name}_restore") == []


def test_external_tables_have_the_types_of_the_files(source: Source) -> None:
    source.mysql(
        """create table t (id bigint unsigned primary key, created_at datetime(3) default '2024-01-01', n int,
            s smallint unsigned, m decimal(12,4), f float, d double, b blob, l varchar(9) character set latin1,
            `Order "x"` varchar(20), key (created_at))""",
        "insert into t (id) values (1)",
    )
    configure(source)
    made.archive(source, "t")
    spectrum = source.archive("external-schema").out
    assert 'create external schema if not exists "archive" from data catalog' in spectrum
    for line in (
        '"id" decimal(20,0),', '"created_at" varchar(65535),', '"n" integer,', '"s" integer,', '"m" decimal(12,4),',
        '"f" real,', '"d" double precision,', '"b" varbyte(64000),', '"l" varbyte(64000),',
        '"order ""x""" varchar(65535)',
    ):  # fmt: skip
        assert f"  {line}\n" in spectrum, line
    store = made.table_archive(source, "t")
    assert f"location '{store.url}/rows/';" in spectrum
    athena = source.archive("external-schema", "--for", "athena", "--database", "old").out
    assert f"create external table if not exists `old`.`{source.name}_t` (" in athena
    assert "  `l` binary," in athena


def test_a_table_of_which_nothing_was_archived_is_no_problem(source: Source) -> None:
    source.mysql(TABLE)
    configure(source)
    empty = source.archive("verify", "--json").json
    assert (empty["tables"], empty["warnings"]) == ([], [NOTHING])
    assert source.archive("drill", "--json").json["warnings"] == [NOTHING], "so does an archive that is lost"
    assert json.loads(source.archive("expire", "--json").out)["tables"] == []

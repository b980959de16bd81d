"""``el-archive plan`` and ``run``, as processes, on a real MySQL and S3: what goes, what stays, and what is said."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from el.archive import journal, objects
from el.archive.journal import Journal
from el.archive.objects import Manifest
from tests.archive.made import table_archive
from tests.conftest import Source
from tests.proxy import Gate, s3_proxy

RETENTION = {"transient": {"keep": "6 months", "archive": "7 years"}}
AS_OF = "2026-11-25"
#: A policy by ``created_at``; rows of this time are old, and of this one new.
POLICY = {"archive": {"class": "transient", "age": "created_at"}}
OLD, NEW = "2026-01-01 00:00:00", "2026-11-01 00:00:00"
#: What extract would go by; nothing is extracted here unless a test says so.
CURSOR = "created_at"
AGE = "created_at datetime not null, key (created_at)"


def configure(source: Source, *tables: str, **more: Any) -> None:
    source.configure(dict.fromkeys(tables, POLICY | more), RETENTION, cursor=CURSOR)


def run(source: Source, *arguments: str, code: int = 0, env: dict[str, str] | None = None) -> dict[str, Any]:
    """The report of ``el-archive run --execute``; by table if there are several."""
    done = source.archive("run", "--execute", "--as-of", AS_OF, "--json", *arguments, code=code, env=env)
    return dict(done.json)


def one(report: dict[str, Any], table: str = "t") -> dict[str, Any]:
    (found,) = [entry for entry in report["tables"] if entry["table"].endswith(f".{table}")]
    return dict(found)


def live(source: Source, table: str = "t", column: str = "id") -> list[Any]:
    source.admin.rollback()
    with source.admin.cursor() as cursor:
        cursor.execute(f"select {column} from `{table}` order by 1")
        return [row[0] for row in cursor.fetchall()]


def archived(source: Source, table: str = "t") -> list[tuple[Any, ...]]:
    """The rows that the journal calls deleted, decoded from their objects, in the order of their deletion."""
    place = table_archive(source, table)
    found: list[tuple[Any, ...]] = []
    for state in journal.chunks(Journal(place, "").records()).values():
        if state.object is None or state.manifest is None:
            continue
        manifest = Manifest.from_json(place.get(state.manifest.key, state.manifest.version), "")
        proven = objects.read_back(place, state.object, manifest.archived, state.rows, state.rows_sha256)
        for position in journal.positions(journal.merged(state.deleted, state.gone)):
            found.append(tuple(proven.table.slice(position, 1).to_pylist()[0].values()))
    return found


def make(source: Source, many: int = 10, table: str = "t", columns: str = "") -> None:
    """A table of ``many`` old rows, and one that is new."""
    source.mysql(
        f"create table {table} (id int primary key, v varchar(40), {columns}{AGE})",
        f"insert into {table} (id, v, created_at) select seq, concat('v', seq), '{OLD}' from seq_1_to_{many}",
        f"insert into {table} (id, v, created_at) values ({many + 1}, 'new', '{NEW}')",
    )


def test_old_rows_go_and_new_ones_stay(source: Source) -> None:
    make(source, 10)
    configure(source, "t")
    report = one(run(source))
    assert (report["state"], report["archived"], report["deleted"], report["left"]) == ("done", 10, 10, {})
    assert live(source) == [11]
    assert [row[:2] for row in archived(source)] == [(n, f"v{n}") for n in range(1, 11)]
    assert one(run(source))["archived"] == 0


def test_without_execute_the_plan_is_shown_and_nothing_is_done(source: Source) -> None:
    make(source, 10)
    configure(source, "t")
    done = source.archive("run", "--as-of", AS_OF)
    assert "2026-05-25 00:00:00" in done.out and "Nothing was done" in done.out
    (plan,) = source.archive("plan", "--as-of", AS_OF, "--json").json["tables"]
    assert (plan["rows"], plan["exact"], plan["refusals"], plan["chunks"]) == (10, True, [], 1)
    assert len(live(source)) == 11
    assert table_archive(source, "t").last_record() == 0


@contextmanager
def meanwhile(source: Source, moment: str = "PUT /el-archive/.*/_manifests/", *arguments: str) -> Iterator[Any]:
    """A run that stands still at the first request to S3 that is the moment; it goes on when the block ends."""
    gate = Gate(lambda method, path: re.match(moment, f"{method} {path}") is not None)
    with s3_proxy(source.env["AWS_ENDPOINT_URL"], gate) as url:
        process = source.start(
            "run", "--execute", "--as-of", AS_OF, "--json", *arguments,
            env={"AWS_ENDPOINT_URL": url}, program=("-m", "el.archive.cli"),
        )  # fmt: skip
        gate.wait()
        try:
            yield process
        finally:
            gate.open()
            process.outcome = process.communicate(timeout=120)


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("float", "0.1234567", "0.1234568"),
        ("varchar(20)", "'a'", "'a '"),
        ("varchar(20) collate utf8mb4_general_ci", "'a'", "'A'"),
        ("json", "'{\"a\": 1}'", "'{\"a\":  1}'"),
        ("varchar(20)", "'\U0001f600'", "'\U0001f601'"),
        ("longblob", "repeat('x', 100000)", "concat(repeat('x', 99999), 'y')"),
        ("datetime(6)", "'2024-01-01'", "'2024-01-01 00:00:00.000001'"),
        ("int", "1", "null"),
    ],
)
def test_a_row_that_changes_after_it_was_read_stays(source: Source, kind: str, before: str, after: str) -> None:
    make(source, 3, columns=f"c {kind}, ")
    source.mysql(f"update t set c = {before}")
    configure(source, "t")
    with meanwhile(source) as process:
        source.mysql(f"update t set c = {after} where id = 2")
    assert process.returncode == 0, process.outcome
    report = one(json.loads(process.outcome[0]))
    assert (report["deleted"], report["left"]) == (2, {"changed": 1})
    assert live(source) == [2, 4]
    assert [row[0] for row in archived(source)] == [1, 3]
    assert one(run(source))["deleted"] == 1  # it comes again, in its new version
    assert live(source) == [4]


def test_a_row_that_was_deleted_and_inserted_again_stays(source: Source) -> None:
    make(source, 3)
    configure(source, "t")
    with meanwhile(source) as process:
        source.mysql("delete from t where id in (1, 2)", f"insert into t values (2, 'again', '{NEW}')")
        source.mysql(f"insert into t values (1, 'v1', '{OLD}')")  # the very same row: its copy is proven
    report = one(json.loads(process.outcome[0]))
    assert (report["deleted"], report["left"]) == (2, {"changed": 1})
    assert live(source) == [2, 4]


def test_a_row_that_somebody_else_deletes_is_told_apart(source: Source) -> None:
    make(source, 3)
    configure(source, "t")
    with meanwhile(source) as process:
        source.mysql("delete from t where id = 2")
    report = one(json.loads(process.outcome[0]))
    assert (report["deleted"], report["gone"]) == (2, 1)


KEYS: dict[str, list[str]] = {
    "tinyint": ["-128", "0", "127"],
    "bigint unsigned": ["0", "18446744073709551615", "9223372036854775808"],
    "int(5) unsigned zerofill": ["0", "7", "4294967295"],
    "decimal(30,10)": ["-0.0000000001", "0", "12345678901234567890.5"],
    "float": ["0.1234567", "0.1234568", "-1e-30", "0"],
    "double": ["0.1", "1e300", "-5e-324", "0"],
    "bit(64)": ["b'0'", "~0", "b'101'"],
    "year": ["0", "1901", "2001", "2024"],
    "date": ["'0000-00-00'", "'2024-02-00'", "'2024-02-29'"],
    "datetime(3)": ["'0000-00-00 00:00:00'", "'2024-01-01 00:00:00.001'"],
    "timestamp": ["'2024-03-31 02:30:00'", "'1970-01-01 00:00:01'"],
    "time(2)": ["'-838:59:59'", "'00:00:00.01'", "'25:00:00'"],
    "varchar(30)": ["''", "'0'", "'abc'", "'abd '", "'it''s'", "'\\\\'", "'%'", "'\U0001f600'", "'é'"],
    "varchar(30) collate utf8mb4_bin": ["'a'", "'A'"],
    "varchar(30) collate utf8mb4_nopad_bin": ["'a'", "'a '", "'A'"],
    "varchar(30) character set latin1": ["0xe9", "'z'", "0xff"],
    "char(5) character set ucs2": ["'é'", "'a'"],
    "enum('b','a','')": ["'a'", "'b'", "''"],
    "enum('b','a')": ["'a'", "'b'", "0"],
    "set('x','y')": ["'x'", "'x,y'", "''"],
    "binary(3)": ["0x000000", "0x00ff27", "'a'"],
    "varbinary(30)": ["x''", "0x00", "0x0000", "'abc'", "0xff"],
    "uuid": ["'123e4567-e89b-12d3-a456-426655440000'", "'00000000-0000-0000-0000-000000000001'"],
    "inet6": ["'::1'", "'::2'", "'2001:db8::ff00:42:8329'"],
    "inet4": ["'1.2.3.4'", "'255.255.255.255'"],
}


@pytest.mark.parametrize("composite", [False, True])
def test_rows_go_by_keys_of_every_type(source: Source, composite: bool) -> None:
    tables = [f"t{number}" for number in range(len(KEYS))]
    second = ", n int, s varchar(9)" if composite else ""
    for table, (kind, values) in zip(tables, KEYS.items(), strict=True):
        source.mysql(
            "set sql_mode = ''",
            f"create table {table} (id {kind}{second}, {AGE}, primary key (id{', s, n' if composite else ''}))",
        )
        for value in values:
            source.mysql(f"insert into {table} (id, created_at) values ({value}, '{OLD}')")
            if composite:
                source.mysql(f"insert into {table} values ({value}, 1, '', '{OLD}'), ({value}, 1, 'x', '{NEW}')")
    configure(source, *tables)
    report = run(source, "--chunk-rows", "2")
    for table, (kind, values) in zip(tables, KEYS.items(), strict=True):
        found = one(report, table)
        new = len(values) if composite else 0
        assert (found["state"], found["deleted"], found["gone"]) == ("done", len(values) + new, 0), (kind, found)
        assert len(live(source, table)) == new
        assert len(archived(source, table)) == len(values) + new


def test_a_partitioned_table_is_one_table(source: Source) -> None:
    source.mysql(
        f"create table t (id int, {AGE}, primary key (id, created_at)) partition by hash (id) partitions 4",
        f"insert into t select seq, '{OLD}' from seq_1_to_100",
    )
    configure(source, "t")
    assert one(run(source, "--chunk-rows", "7"))["deleted"] == 100
    assert live(source) == []


def test_rows_of_tens_of_megabytes_are_chunks_of_their_own(source: Source) -> None:
    source.mysql(f"create table t (id int primary key, b longblob, {AGE})")
    for number in range(4):
        source.mysql(f"insert into t values ({number}, repeat(char(65 + {number}), 20000000), '{OLD}')")
    source.mysql(f"insert into t select seq, 'small', '{OLD}' from seq_10_to_500")
    configure(source, "t")
    report = one(run(source))
    assert (report["deleted"], report["left"]) == (495, {})
    assert report["objects"] >= 4
    assert archived(source)[1][1] == b"B" * 20_000_000


def test_the_newest_auto_increment_is_kept(source: Source) -> None:
    source.mysql(
        f"create table t (id int auto_increment primary key, {AGE})",
        f"insert into t (created_at) select '{OLD}' from seq_1_to_5",
    )
    configure(source, "t")
    report = one(run(source))
    assert (report["deleted"], report["left"]) == (4, {"newest": 1})
    assert live(source) == [5]


def test_a_row_without_a_known_age_is_never_old(source: Source) -> None:
    source.mysql(
        "set sql_mode = ''",
        "create table t (id int primary key, created_at datetime null, key (created_at))",
        f"insert into t values (1, null), (2, '0000-00-00'), (3, '{OLD}')",
    )
    configure(source, "t")
    assert one(run(source))["deleted"] == 1
    assert live(source) == [1, 2]


def test_the_condition_of_the_policy_counts(source: Source) -> None:
    make(source, 4)
    policy = {"archive": POLICY["archive"] | {"where": "v = 'v2' or v like '%3'"}}
    source.configure({"t": policy}, RETENTION, cursor=CURSOR)
    assert one(run(source))["deleted"] == 2
    assert live(source) == [1, 4, 5]

"""``el-archive plan`` and ``run``, as processes, on a real MySQL and S3: what goes, what stays, and what is said."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from el.archive import journal, objects
from el.archive.journal import Journal
from el.archive.objects import Manifest
from tests.archive.made import read_shape, session, table_archive
from tests.conftest import Source
from tests.mysql_sql import no_pad_bin, numbers
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
        if not (state.deleted or state.gone):
            continue
        assert state.object and state.manifest
        manifest = Manifest.from_json(place.get(state.manifest.key, state.manifest.version), "")
        proven = objects.read_back(place, state.object, manifest.archived, state.rows, state.rows_sha256)
        for position in journal.positions(journal.merged(state.deleted, state.gone)):
            found.append(tuple(proven.table.slice(position, 1).to_pylist()[0].values()))
    return found


def make(source: Source, many: int = 10, table: str = "t", columns: str = "") -> None:
    """A table of ``many`` old rows, and one that is new."""
    source.mysql(
        f"create table {table} (id int primary key, v varchar(40), {columns}{AGE})",
        f"insert into {table} (id, v, created_at) select seq, concat('v', seq), '{OLD}' from {numbers(many)} n",
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
    assert table_archive(source, "t").last() == 0


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
        ("json", "'{\"a\": 1}'", "'{\"a\": 1.0}'"),
        # Others without a run in test_rows.py.
        pytest.param("varchar(20)", "'\U0001f600'", "'\U0001f601'", marks=pytest.mark.long),
        pytest.param("longblob", "repeat('x', 100000)", "concat(repeat('x', 99999), 'y')", marks=pytest.mark.long),
        pytest.param("datetime(6)", "'2024-01-01'", "'2024-01-01 00:00:00.000001'", marks=pytest.mark.long),
        pytest.param("int", "1", "null", marks=pytest.mark.long),
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
    f"varchar(30) collate {no_pad_bin()}": ["'a'", "'a '", "'A'"],
    "varchar(30) character set latin1": ["0xe9", "'z'", "0xff"],
    "char(5) character set ucs2": ["'é'", "'a'"],
    "enum('b','a','')": ["'a'", "'b'", "''"],
    "enum('b','a')": ["'a'", "'b'", "0"],
    "set('x','y')": ["'x'", "'x,y'", "''"],
    "binary(3)": ["0x000000", "0x00ff27", "'a'"],
    "varbinary(30)": ["x''", "0x00", "0x0000", "'abc'", "0xff"],
}
if os.environ["TEST_MYSQL"] == "mariadb":  # types of its own
    KEYS |= {
        "uuid": ["'123e4567-e89b-12d3-a456-426655440000'", "'00000000-0000-0000-0000-000000000001'"],
        "inet6": ["'::1'", "'::2'", "'2001:db8::ff00:42:8329'"],
        "inet4": ["'1.2.3.4'", "'255.255.255.255'"],
    }


@pytest.mark.parametrize("composite", [pytest.param(False, marks=pytest.mark.long), True])
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
        f"insert into t select seq, '{OLD}' from {numbers(100)} n",
    )
    configure(source, "t")
    assert one(run(source, "--chunk-rows", "7"))["deleted"] == 100
    assert live(source) == []


def test_rows_of_tens_of_megabytes_are_chunks_of_their_own(source: Source) -> None:
    source.mysql(f"create table t (id int primary key, b longblob, {AGE})")
    for number in range(4):
        source.mysql(f"insert into t values ({number}, repeat(char(65 + {number}), 20000000), '{OLD}')")
    source.mysql(f"insert into t select seq, 'small', '{OLD}' from {numbers(500, 10)} n")
    configure(source, "t")
    report = one(run(source))
    assert (report["deleted"], report["left"]) == (495, {})
    assert report["objects"] >= 4
    assert archived(source)[1][1] == b"B" * 20_000_000


def test_the_newest_auto_increment_is_kept(source: Source) -> None:
    source.mysql(
        f"create table t (id int auto_increment primary key, {AGE})",
        f"insert into t (created_at) select '{OLD}' from {numbers(5)} n",
    )
    configure(source, "t")
    report = one(run(source))
    assert (report["deleted"], report["left"]) == (4, {"newest": 1})
    assert live(source) == [5]


def test_a_row_without_a_known_age_is_never_old(source: Source) -> None:
    source.mysql(
        "set sql_mode = ''",
        "create table t (id int primary key, created_at datetime null, key (created_at))",
        f"insert into t values (1, null), (2, '0000-00-00'), (3, '{OLD}'), (4, '2010-00-00'), (5, '2012-02-00')",
    )
    configure(source, "t")
    assert one(run(source))["deleted"] == 1
    assert live(source) == [1, 2, 4, 5]


def test_the_condition_of_the_policy_counts(source: Source) -> None:
    make(source, 4)
    policy = {"archive": POLICY["archive"] | {"where": "v = 'v2' or v like '%3'"}}
    source.configure({"t": policy}, RETENTION, cursor=CURSOR)
    assert one(run(source))["deleted"] == 2
    assert live(source) == [1, 4, 5]


def test_children_go_before_their_parents_and_a_child_that_stays_holds_its_parent(source: Source) -> None:
    source.mysql(
        f"create table p (id int primary key, v int, {AGE})",
        f"create table c (id int primary key, p_id int, {AGE}, foreign key (p_id) references p (id) on delete cascade)",
        f"insert into p select seq, seq, '{OLD}' from {numbers(5)} n",
        f"insert into c values (1, 1, '{OLD}'), (2, 2, '{OLD}'), (3, 3, '{NEW}'), (4, null, '{NEW}')",
    )
    configure(source, "p", "c")  # the parent stands first in the file
    plans = source.archive("plan", "--as-of", AS_OF, "--json").json["tables"]
    assert [plan["table"].rpartition(".")[2] for plan in plans] == ["c", "p"]
    report = run(source)
    assert one(report, "c")["deleted"] == 2
    assert (one(report, "p")["deleted"], one(report, "p")["left"]) == (4, {"child": 1})
    assert (live(source, "p"), live(source, "c")) == ([3], [3, 4])


@pytest.mark.parametrize("rule", ["cascade", "set null", "restrict"])
def test_a_child_that_comes_while_its_parent_is_archived_keeps_it(source: Source, rule: str) -> None:
    source.mysql(
        f"create table p (id int primary key, {AGE})",
        f"create table c (id int primary key, p_id int, {AGE}, foreign key (p_id) references p (id) on delete {rule})",
        f"insert into p select seq, '{OLD}' from {numbers(3)} n",
    )
    configure(source, "p", "c")
    with meanwhile(source, f"PUT /el-archive/.*/{source.name}/p/_manifests/") as process:
        source.mysql(f"insert into c values (1, 2, '{NEW}')")
    report = one(json.loads(process.outcome[0]), "p")
    assert (report["deleted"], report["left"]) == (2, {"child": 1})
    assert (live(source, "p"), live(source, "c", "p_id")) == ([2], [2])


def test_a_composite_foreign_key_to_a_unique_key_counts(source: Source) -> None:
    source.mysql(
        f"create table p (id int primary key, a int, b varchar(9), unique (a, b), {AGE})",
        f"create table c (id int primary key, a int, b varchar(9), {AGE}, foreign key (a, b) references p (a, b))",
        f"insert into p values (1, 1, 'x', '{OLD}'), (2, 1, 'y', '{OLD}'), (3, null, 'x', '{OLD}')",
        f"insert into c values (1, 1, 'Y', '{NEW}'), (2, null, 'x', '{NEW}')",
    )
    configure(source, "p", "c")
    assert one(run(source), "p")["left"] == {"child": 1}
    assert live(source, "p") == [2]


REFUSED = {
    "no_key": (f"(id int, {AGE})", "no primary key"),
    "no_index": ("(id int primary key, created_at datetime)", "first column of no index"),
    "no_age": ("(id int primary key)", '"created_at" is no column'),
    "a_number": ("(id int primary key, created_at int, key (created_at))", "must be a DATE"),
    "no_transactions": (f"(id int primary key, {AGE}) engine=MyISAM", "engine is MyISAM"),
    "versioned": (f"(id int primary key, {AGE}) with system versioning", "system-versioned"),
    "with_trigger": (f"(id int primary key, {AGE})", "triggers on DELETE"),
    "with_child": (f"(id int primary key, {AGE})", "hang on it by"),
}


def test_what_must_not_be_archived_is_refused_with_what_to_do(source: Source) -> None:
    refused = REFUSED | {}
    if os.environ["TEST_MYSQL"] == "mysql":  # it has no system versioning
        del refused["versioned"]
    for table, (definition, _) in refused.items():
        source.mysql(f"create table {table} {definition}")
    source.mysql(
        "create trigger gone before delete on with_trigger for each row set @x = 1",
        "create table child (id int primary key, p int, foreign key (p) references with_child (id) on delete set null)",
        f"create table fine (id int primary key, {AGE})",
        f"insert into fine values (1, '{OLD}')",
        "create view looked_at as select * from fine",
    )
    configure(source, *refused, "fine", "looked_at", "nowhere")
    done = source.archive("run", "--execute", "--as-of", AS_OF, "--json", code=1)
    for table, (_, why) in (refused | {"looked_at": ("", "a view"), "nowhere": ("", "no such table")}).items():
        found = one(done.json, table)
        assert (found["state"], why in found["why"]) == ("refused", True), (table, found["why"])
        assert table in done.err
    assert one(done.json, "fine")["deleted"] == 1


def test_mode_replace_is_refused_because_the_next_load_would_erase_history(source: Source) -> None:
    make(source, 3)
    source.configure({"t": POLICY | {"mode": "replace"}}, RETENTION)
    assert "mode: replace" in one(run(source, code=1))["why"]
    assert len(live(source)) == 4


def test_rows_that_redshift_does_not_have_in_their_last_version_stay(source: Source) -> None:
    updated = "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6)"
    source.mysql(
        f"create table t (id int primary key, v int, {updated}, {AGE}, key (updated_at))",
        f"insert into t (id, v, created_at, updated_at) select seq, 0, '{OLD}', '{OLD}' from {numbers(5)} n",
    )
    configure(source, "t", cursor="updated_at")
    source.el("extract")
    assert "el load first" in one(run(source, code=1))["why"]
    source.el("load")
    source.mysql("update t set v = 1 where id = 3")
    report = one(run(source))
    assert (report["deleted"], report["left"]) == (4, {"horizon": 1})
    assert live(source) == [3]
    source.mysql("update t set updated_at = '2026-02-01'")  # as if time had passed: it is before the horizon
    source.el("run", "--full")
    assert one(run(source))["deleted"] == 1
    assert sorted(source.redshift("select id, v from raw.t")) == [(1, 0), (2, 0), (3, 1), (4, 0), (5, 0)]


def test_a_column_that_redshift_never_got_keeps_the_rows_until_it_has_it(source: Source) -> None:
    """Their values would be in the archive alone: the copy that brings the column reads MySQL."""
    updated = "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6)"
    source.mysql(
        f"create table t (id int primary key, {updated}, {AGE}, key (updated_at))",
        f"insert into t (id, created_at, updated_at) select seq, '{OLD}', '{OLD}' from {numbers(3)} n",
    )
    configure(source, "t", cursor="updated_at")
    source.el("run")
    source.mysql("alter table t add v int default 7")
    assert 'never got the column "v"' in one(run(source, code=1))["why"]
    source.el("run")
    assert one(run(source))["deleted"] == 3
    assert source.redshift("select id, v from raw.t order by id") == [(1, 7), (2, 7), (3, 7)]


def test_a_full_copy_that_is_under_way_keeps_the_rows_until_it_is_done(source: Source) -> None:
    updated = "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6)"
    source.mysql(
        f"create table t (id int primary key, {updated}, {AGE}, key (updated_at))",
        f"insert into t (id, created_at, updated_at) select seq, '{OLD}', '{OLD}' from {numbers(3)} n",
    )
    configure(source, "t", cursor="updated_at")
    source.el("run")
    place = urlsplit(source.env["LANDING_URL"])
    reading = {"full": True, "first_seq": 2, "done": False, "after": [{"number": "1"}]}
    commit = source.commit("t", 1) | {"seq": 2, "reading": reading}
    key = f"{place.path.strip('/')}/{source.name}/t/_commits/{2:020d}.json"
    source.s3.put_object(Bucket=place.netloc, Key=key, Body=json.dumps(commit).encode())
    assert "a full copy is under way" in one(run(source, code=1))["why"]
    assert len(live(source)) == 3


def test_a_row_whose_lock_is_held_is_left_and_the_others_go(source: Source) -> None:
    make(source, 50)
    configure(source, "t")
    other = source.connect()
    with other.cursor() as cursor:
        cursor.execute("select * from t where id = 7 for update")
        report = one(run(source))
    assert report["left"]["busy"] + report["deleted"] == 50
    assert 7 in live(source) and 0 < report["left"]["busy"] < 20
    other.rollback()
    run(source)
    assert live(source) == [51]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_behind_its_transaction_and_the_next_goes_on(source: Source, number: int) -> None:
    make(source, 3000)
    configure(source, "t")
    with meanwhile(source, "PUT /el-archive/.*/_journal/0+9.json", "--chunk-rows", "1000") as process:
        process.send_signal(number)
        wait_for(lambda: "stopping" in os.read(process.stderr.fileno(), 10_000).decode())
    assert process.returncode == 130, process.outcome
    report = one(json.loads(process.outcome[0]))
    assert report["state"] == "cut off" and 0 < len(report["open"]) <= 2
    assert 0 < len(live(source)) - 1 < 3000
    run(source)
    assert live(source) == [3001]
    assert len(archived(source)) == len({row[0] for row in archived(source)}) == 3000


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


@pytest.mark.parametrize("where", ["file", "object"])
def test_a_run_waits_as_long_as_it_is_switched_off(source: Source, where: str) -> None:
    make(source, 3)
    configure(source, "t")
    file = source.folder / "home" / "archive.pause"
    prefix = f"pause-{source.name}"
    file.parent.mkdir(exist_ok=True)
    env = {"ARCHIVE_URL": f"s3://el-archive/{source.name}/{prefix}"}
    if where == "file":
        file.touch()
    else:
        source.s3.put_object(Bucket="el-archive", Key=f"{source.name}/{prefix}/_pause", Body=b"")
    process = source.start("run", "--execute", "--as-of", AS_OF, env=env, program=("-m", "el.archive.cli"))
    assert "paused" in process.stderr.readline()
    assert len(live(source)) == 4
    if where == "file":
        file.unlink()
    else:
        source.s3.delete_object(Bucket="el-archive", Key=f"{source.name}/{prefix}/_pause")
    assert process.wait(60) == 0
    assert live(source) == [4]


def test_an_altered_table_leaves_what_was_open_and_archives_it_anew(source: Source) -> None:
    make(source, 10)
    configure(source, "t")
    with meanwhile(source, "PUT /el-archive/.*/_journal/0+5.json") as process:  # behind it the first deletion
        process.kill()
    source.mysql("alter table t add column extra int default 7")
    report = one(run(source))
    assert live(source) == [11]
    assert report["left"].get("changed", 0) + report["deleted"] >= 10
    assert sorted(row[0] for row in archived(source)) == list(range(1, 11))


@pytest.mark.parametrize(
    "change",
    [
        "alter table t add column extra int default 7",
        "create trigger gone after delete on t for each row insert into log values (old.id)",
        "create table c (p int, foreign key (p) references t (id) on delete cascade)",
    ],
)
def test_a_table_that_is_altered_while_it_is_archived_deletes_nothing_more(source: Source, change: str) -> None:
    """The copy lacks the new column's value; a trigger or a cascade would do what nobody planned."""
    make(source, 3)
    configure(source, "t")
    source.mysql("create table log (id int)")
    with meanwhile(source) as process:
        source.mysql(change)
        if "create table c" in change:
            source.mysql("insert into c values (1)")
    report = one(json.loads(process.outcome[0]))
    assert (process.returncode, report["state"], report["deleted"]) == (1, "failed", 0)
    assert "changed since this run began" in report["why"]
    assert live(source) == [1, 2, 3, 4]
    if "extra" in change:
        assert one(run(source))["deleted"] == 3, "it comes again, with the new column"


def test_as_of_in_the_future_is_refused(source: Source) -> None:
    make(source, 3)
    configure(source, "t")
    done = source.archive("run", "--execute", "--as-of", "2999-01-01", code=2)
    assert "future" in done.err
    assert len(live(source)) == 4


def test_no_message_and_no_log_holds_a_value_of_a_cell(source: Source) -> None:
    source.mysql(
        f"create table t (id varchar(40) primary key, v varchar(40), {AGE})",
        f"insert into t values ('canary-key', 'canary-value', '{OLD}')",
    )
    configure(source, "t")
    done = source.archive("run", "--execute", "--as-of", AS_OF)
    logs = "".join(path.read_text() for path in source.folder.rglob("logs/*"))
    assert "canary" not in done.out + done.err + logs
    assert source.env[f"ARCHIVE__{source.name.upper()}__CREDENTIALS"].split(":")[2].split("@")[0] not in logs
    assert live(source) == []


@pytest.mark.parametrize("process", [True, False])
def test_a_foreign_key_that_the_user_may_not_see_refuses_the_table(source: Source, process: bool) -> None:
    other, user = f"{source.name}_other", f"u_{source.name}"
    source.mysql(
        f"create table `a b-é` (id int primary key, {AGE})",
        f"insert into `a b-é` values (1, '{OLD}')",
        f"create database {other}",
        f"create table {other}.c (p int, foreign key (p) references {source.name}.`a b-é` (id) on delete cascade)",
        f"insert into {other}.c values (1)",
        f"create user {user}@'127.0.0.1' identified by 'secret'",
        f"grant select, delete, trigger on {source.name}.* to {user}@'127.0.0.1'",
        f"grant {'process' if process else 'usage'} on *.* to {user}@'127.0.0.1'",
    )
    try:
        configure(source, "a b-é")
        name = f"ARCHIVE__{source.name.upper()}__CREDENTIALS"
        url = re.sub("//.*@", f"//{user}:secret@", source.env[name])
        why = run(source, code=1, env={name: url})["tables"][0]["why"]
        assert ("1 foreign keys of tables that the user may not see" if process else "grant process") in why
        assert live(source, "a b-é") == [1] == live(source, f"{other}`.`c", "p")
    finally:
        source.mysql(f"drop database {other}", f"drop user {user}@'127.0.0.1'")


def test_an_index_that_mysql_does_not_use_is_none(source: Source) -> None:
    make(source, 2)
    configure(source, "t")
    hidden = "invisible" if os.environ["TEST_MYSQL"] == "mysql" else "ignored"
    source.mysql(f"alter table t alter index created_at {hidden}")
    (plan,) = source.archive("plan", "--as-of", AS_OF, "--json", code=None).json["tables"]
    assert "the first column of no index that MySQL uses" in plan["refusals"][0]
    assert one(run(source, code=1))["deleted"] == 0


def test_foreign_keys_on_a_table_with_an_odd_name_are_counted(source: Source) -> None:
    name = "Pa-r ent.é$"
    source.mysql(
        f"create table `{name}` (id int primary key, {AGE})",
        f"insert into `{name}` values (1, '{OLD}')",
        f"create table `Chi/ld ü` (id int primary key, p int, "
        f"foreign key (p) references `{name}` (id) on delete cascade)",
    )
    with session(source) as connection:
        shape = read_shape(connection, name)
    assert (shape.foreign_keys, len(shape.children)) == (1, 1)
    configure(source, name)
    (plan,) = source.archive("plan", "--as-of", AS_OF, "--json", code=None).json["tables"]
    assert "hang on it" in plan["refusals"][0] and len(plan["refusals"]) == 1


def test_long_rows_are_read_in_short_chunks_whatever_the_statistics_say(source: Source) -> None:
    source.mysql(f"create table t (id int primary key, b blob, {AGE}) stats_persistent=1, stats_auto_recalc=0")
    source.mysql(f"insert into t select seq, 'short', '{OLD}' from {numbers(3000)} n")
    source.mysql(f"insert into t select seq, repeat('x', 60000), '{OLD}' from {numbers(4500, 3001)} n")
    configure(source, "t")
    report = one(run(source))
    assert report["deleted"] == 4500
    rows = [state.rows for state in journal.chunks(Journal(table_archive(source, "t"), "").records()).values()]
    assert rows[0] == 1000  # nothing is known of the first
    assert max(rows[-3:]) <= 2 * 24 * 2**20 // 60000

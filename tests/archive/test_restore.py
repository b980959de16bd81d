"""``el-archive restore``: rows come back as they were, byte for byte, and nothing that is there is lost for it."""

from __future__ import annotations

from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.archive import made
from tests.conftest import Source
from tests.mysql_sql import numbers
from tests.proxy import Gate, s3_proxy

RETENTION = {"transient": {"keep": "6 months", "archive": "7 years"}}
POLICY = {"archive": {"class": "transient", "age": "created_at"}}
TABLE = """create table t (id int primary key, created_at datetime not null default '2024-01-01', v varchar(50),
    updated_at timestamp not null default current_timestamp on update current_timestamp, key (created_at))"""


def configure(source: Source, *tables: str, **options: str) -> None:
    options = options or {"mode": "replace"}
    source.configure(dict.fromkeys(tables or ("t",), options | POLICY), retention=RETENTION)


def checksum(source: Source, table: str) -> Any:
    with source.admin.cursor() as cursor:
        cursor.execute(f"checksum table {table}")
        found = cursor.fetchone()[1]
    source.admin.commit()
    assert found is not None
    return found


def rows(source: Source, sql: str) -> list[tuple[Any, ...]]:
    with source.admin.cursor() as cursor:
        cursor.execute(sql)
        found = list(cursor.fetchall())
    source.admin.commit()
    return found


@pytest.fixture
def table(source: Source) -> str:
    """A table of ten rows."""
    source.mysql(TABLE, f"insert into t (id, v) select seq, concat('row ', seq) from {numbers(10)} n")
    configure(source)
    return f"{source.name}.t"


def test_all_rows_come_back_into_the_table_they_left(source: Source, table: str) -> None:
    before = checksum(source, "t")
    made.archive(source, "t", "id <= 7")
    assert rows(source, "select count(*) from t") == [(3,)]
    done = source.archive("restore", table, "--all", "--into", table, "--json").json
    assert (done["wanted"], done["restored"], done["same"], done["made"]) == (7, 7, 0, False)
    assert checksum(source, "t") == before
    again = source.archive("restore", table, "--all", "--into", table, "--json").json
    assert (again["restored"], again["same"]) == (0, 7)
    assert checksum(source, "t") == before


def test_rows_come_back_into_a_new_table(source: Source, table: str) -> None:
    before = checksum(source, "t")
    made.archive(source, "t")
    source.mysql(f"create database {source.name}_restore")
    into = f"{source.name}_restore.back"
    done = source.archive("restore", table, "--all", "--into", into, "--json").json
    assert (done["restored"], done["made"]) == (10, True)
    assert checksum(source, into) == before


def test_some_keys_and_ages_come_back_and_no_others(source: Source, table: str) -> None:
    source.mysql("update t set created_at = date_add('2024-01-01', interval id day)")
    made.archive(source, "t")
    source.archive("restore", table, "--keys", "3", "--keys", "9", "--keys", "09", "--into", table)
    assert rows(source, "select id from t order by id") == [(3,), (9,)]
    source.archive("restore", table, "--from", "2024-01-05", "--to", "2024-01-07 00:00:00", "--into", table)
    assert rows(source, "select id from t order by id") == [(3,), (4,), (5,), (9,)]
    refused = source.archive("restore", table, "--keys", "3", "--keys", "99", "--into", table, code=1)
    assert "1 of 2 keys are not in the archive" in refused.err


def test_a_live_row_that_differs_stays_unless_it_may_be_overwritten(source: Source, table: str) -> None:
    before = checksum(source, "t")
    made.archive(source, "t")
    source.mysql("insert into t (id, v) values (3, 'row 3 '), (4, 'newer')")
    left = source.archive("restore", table, "--all", "--into", table, "--json", code=1)
    assert (left.json["restored"], left.json["differing"]) == (8, 2)
    assert "2 rows are there and differ from their copies" in left.err
    assert "--overwrite" in left.err
    assert rows(source, "select v from t where id in (3, 4) order by id") == [("row 3 ",), ("newer",)]
    done = source.archive("restore", table, "--all", "--into", table, "--overwrite", "--json").json
    assert (done["overwritten"], done["same"]) == (2, 8)
    assert checksum(source, "t") == before


def test_of_a_key_that_was_used_again_the_version_deleted_last_comes_back(source: Source, table: str) -> None:
    made.archive(source, "t", "id <= 5")
    source.mysql("insert into t (id, v) values (3, 'second life'), (4, 'second life')")
    made.archive(source, "t", "id >= 3")
    source.mysql("insert into t (id, v) values (4, 'third life')")
    made.archive(source, "t")
    done = source.archive("restore", table, "--all", "--into", table, "--json").json
    assert (done["wanted"], done["restored"]) == (10, 10)
    lives = {3: "second life", 4: "third life"}
    assert rows(source, "select id, v from t order by id") == [(n, lives.get(n, f"row {n}")) for n in range(1, 11)]


def test_a_deletion_that_was_finished_late_does_not_make_an_old_version_the_last(source: Source, table: str) -> None:
    """A chunk that a crash cut off is finished after another one; what counts is when each row was deleted."""
    book = made.journal.Journal(made.table_archive(source, "t"), "run")
    cut_off = made.archive(source, "t", delete=False)
    source.mysql("delete from t where id <= 5")
    book.append("deleted", chunk=cut_off, deleted=[[0, 5]], gone=[], left={})
    source.mysql("insert into t (id, v) values (3, 'second life')")
    made.archive(source, "t", "id = 3")
    source.mysql("delete from t")
    made.journal.Journal(made.table_archive(source, "t"), "run").append(
        "deleted", chunk=cut_off, deleted=[[5, 10]], gone=[], left={}
    )
    source.archive("restore", table, "--all", "--into", table)
    assert rows(source, "select v from t where id in (2, 3, 8) order by id") == [
        ("row 2",),
        ("second life",),
        ("row 8",),
    ]


def test_a_row_that_was_left_in_mysql_is_not_brought_back_from_its_old_copy(source: Source, table: str) -> None:
    chunk = made.archive(source, "t", delete=False)
    book = made.journal.Journal(made.table_archive(source, "t"), "run")
    book.append("deleting", chunk=chunk)
    source.mysql("delete from t where id <= 8")
    # Of ten rows five were deleted by us, two were gone before, one changed, two are still to be looked at.
    book.append("deleted", chunk=chunk, deleted=[[0, 5]], gone=[[5, 7]], left={"changed": [[7, 8]]})
    source.archive("restore", table, "--all", "--into", table)
    assert rows(source, "select id from t order by id") == [(n,) for n in (1, 2, 3, 4, 5, 9, 10)]
    book.append("deleted", chunk=chunk, deleted=[], gone=[[8, 9]], left={}, resumed=True)
    source.mysql("delete from t where id = 9")
    source.archive("restore", table, "--all", "--into", table)
    assert rows(source, "select id from t where id > 5 order by id") == [(9,), (10,)]


def test_columns_that_were_added_dropped_or_widened_since_are_no_obstacle(source: Source) -> None:
    source.mysql(
        """create table t (id int primary key, created_at datetime not null, n int, m decimal(10,2), s varchar(10),
            latin varchar(10) character set latin1, lost text, f float, ts timestamp(3) null,
            twice int as (n * 2) virtual, key (created_at))""",
        """insert into t (id, created_at, n, m, s, latin, lost, f, ts) values
            (1, '2024-01-01 10:00:00', 1000000000, -1.50, 'a ', 'é', 'gone', 0.1234567, '2024-01-01 00:00:00.125'),
            (2, '2023-01-01', null, null, null, null, null, null, null),
            (3, '2024-01-01 10:00:00', -1, 0, '', '', '', -0.0, '1970-01-01 00:00:01')""",
    )
    configure(source)
    made.archive(source, "t")
    source.mysql(
        "alter table t modify n bigint, modify m decimal(14,4), modify s varchar(400), "
        "modify latin varchar(20) character set utf8mb4, drop column lost, modify created_at datetime(6) not null, "
        "add column extra int not null default 7, modify f double, modify ts timestamp(6) null"
    )
    done = source.archive("restore", f"{source.name}.t", "--all", "--into", f"{source.name}.t", "--json").json
    assert done["restored"] == 3
    assert any("has no column lost now" in note for note in done["notes"])
    found = rows(source, "select id, n, cast(m as char), s, latin, extra, twice, cast(ts as char) from t order by id")
    assert found == [
        (1, 1000000000, "-1.5000", "a ", "é", 7, 2000000000, "2024-01-01 00:00:00.125000"),
        (2, None, None, None, None, 7, None, None),
        (3, -1, "0.0000", "", "", 7, -2, "1970-01-01 00:00:01.000000"),
    ]
    assert (
        source.archive("restore", f"{source.name}.t", "--all", "--into", f"{source.name}.t", "--json").json["same"] == 3
    )


def test_a_row_that_would_not_be_its_copy_is_undone(source: Source, table: str) -> None:
    source.mysql("insert into t (id, v) values (11, repeat('x', 50))")
    made.archive(source, "t")
    source.mysql("alter table t modify v varchar(20)")
    refused = source.archive("restore", table, "--all", "--into", table, code=1)
    assert "1 of 11 rows would not be what was archived: column v" in refused.err
    assert rows(source, "select count(*) from t") == [(0,)]
    source.mysql(
        "alter table t modify v varchar(50)",
        "create trigger spoil before insert on t for each row set new.v = 'spoiled'",
    )
    assert "A trigger" in source.archive("restore", table, "--all", "--into", table, code=1).err
    assert rows(source, "select count(*) from t") == [(0,)]


def test_a_value_that_another_row_must_not_have_is_said(source: Source, table: str) -> None:
    made.archive(source, "t", "id <= 5")
    source.mysql("insert into t (id, v) values (20, 'row 2')", "alter table t add unique key (v)")
    done = source.archive("restore", table, "--all", "--into", table, "--json", code=1)
    assert (done.json["restored"], done.json["clashing"]) == (4, 1)
    assert "unique key" in done.err


def test_rows_become_parquet_files_that_anyone_reads(source: Source, table: str, tmp_path: Any) -> None:
    made.archive(source, "t", "id <= 5")
    folder = tmp_path / "files"
    source.archive("restore", table, "--keys", "2", "--parquet", str(folder))
    (file,) = folder.glob("*.parquet")
    found = pq.read_table(file)
    assert found.column("id").to_pylist() == [2]
    assert found.column("v").to_pylist() == ["row 2"]
    assert "CREATE TABLE `t`" in file.with_suffix(".sql").read_text()
    assert "not empty" in source.archive("restore", table, "--all", "--parquet", str(folder), code=2).err


def test_a_copy_that_was_changed_on_s3_is_never_restored(source: Source, table: str) -> None:
    """The version that the journal names is read, whatever lies above it; a version that is not there is an error."""
    before = checksum(source, "t")
    chunk = made.archive(source, "t")
    store = made.table_archive(source, "t")
    key = store.key(store.rows_key(chunk))
    source.s3.put_object(Bucket=store.place.bucket, Key=key, Body=b"something else")
    source.archive("restore", table, "--all", "--into", table)
    assert checksum(source, "t") == before


def test_wrong_usage_is_refused(source: Source, table: str) -> None:
    made.archive(source, "t", "id <= 5")
    for arguments, message in [
        (["--all"], "choose one: --into DATABASE.TABLE or --parquet DIR"),
        (["--into", "a.b"], "choose one: --keys, --from and --to, or --all"),
        (["--all", "--keys", "1", "--into", "a.b"], "choose one: --keys"),
        (["--all", "--into", "nodot"], "--into must be DATABASE.TABLE"),
        (["--from", "yesterday", "--into", "a.b"], "--from 'yesterday' must be a date"),
        (["--keys", "1,2", "--into", "a.b"], "The primary key is id"),
        (["--keys", "x", "--into", "a.b"], "has no number for id"),
        (["--all", "--into", "nosuch_database.t"], "nosuch_database.t is not there and cannot be made"),
    ]:
        assert message in source.archive("restore", table, *arguments, code=2).err


def test_nothing_archived_is_said(source: Source, table: str) -> None:
    assert "nothing was archived yet" in source.archive("restore", table, "--all", "--into", table, code=1).err


def test_a_restore_that_is_killed_is_finished_by_the_next_one(source: Source, table: str) -> None:
    before = checksum(source, "t")
    for where in ("id <= 3", "id <= 6", "true"):
        made.archive(source, "t", where)
    gate = Gate(lambda method, path: method == "GET" and "/rows/" in path and "-0006.parquet" in path)
    with s3_proxy(source.env["AWS_ENDPOINT_URL"], gate) as endpoint:
        arguments = ("restore", table, "--all", "--into", table)
        process = source.start(*arguments, env={"AWS_ENDPOINT_URL": endpoint}, program=("-m", "el.archive.cli"))
        gate.wait()
        process.kill()
        process.wait()
        gate.open()
    assert rows(source, "select count(*) from t") == [(4,)]  # the newest object goes first
    done = source.archive("restore", table, "--all", "--into", table, "--json").json
    assert (done["restored"], done["same"]) == (6, 4)
    assert checksum(source, "t") == before


def test_composite_keys_of_texts_and_bytes_come_back(source: Source) -> None:
    source.mysql(
        """create table t (a varchar(5) collate utf8mb4_general_ci, b varbinary(5), c bigint unsigned, v int,
            created_at datetime default '2024-01-01', primary key (a, b, c), key (created_at))""",
        """insert into t (a, b, c, v) values ('', '', 0, 1), ('', '0', 0, 2), ('0', '', 0, 3), ('a', 'A', 1, 4),
            ('a', 'a', 1, 5), ('a', 'a', 18446744073709551615, 6), ('é', x'00ff27', 1, 7), ('1e0', '1', 1, 8)""",
    )
    configure(source)
    label = f"{source.name}.t"
    before = checksum(source, "t")
    made.archive(source, "t", "c = 1")
    made.archive(source, "t")
    source.archive("restore", label, "--keys", "0,0x,0", "--into", label)
    assert rows(source, "select v from t") == [(3,)]
    done = source.archive("restore", label, "--all", "--into", label, "--json").json
    assert (done["restored"], done["same"]) == (7, 1)
    assert checksum(source, "t") == before


LABELS = ", ".join(repr(f"l{number}") for number in range(63))
#: Keys that an expression or a literal of ours could read as others than MySQL has, and 300 of them by a number.
KEYS = {
    "the name of a column of our own SELECT": ("c0 int", "seq"),
    "another such name": ("faithful int", "seq"),
    "decimal of more than 38 digits": ("id decimal(65,0)", "12345678901234567890123456789012345678900 + seq"),
    "a date that no calendar has": (
        "id date",
        "cast(concat(1900 + seq, if(seq % 2, '-02-30', '-00-00')) as date)",
    ),
    "set of 64 labels": (f"id set('', {LABELS})", "9007199254740993 + 2 * seq"),
    "text that is not Unicode": (
        "id varchar(20) character set cp1251",
        "convert(concat(unhex('98'), seq) using cp1251)",
    ),
}


def run(source: Source, *arguments: str) -> dict[str, Any]:
    """What ``el-archive run`` reports of table t."""
    configure(source, mode="merge", cursor="created_at")
    done = source.archive("run", "--execute", "--as-of", "2026-11-25", "--json", *arguments).table("t")
    return dict(done)


@pytest.mark.parametrize("key", KEYS)
def test_rows_of_any_key_go_each_once_and_come_back(source: Source, key: str) -> None:
    column, value = KEYS[key]
    name = column.split()[0]
    source.mysql(
        "set session sql_mode = 'ALLOW_INVALID_DATES'",
        f"create table t ({column} primary key, v int, created_at datetime not null default '2024-01-01', "
        "key (created_at))",
        f"insert into t ({name}, v) select {value}, seq from {numbers(300)} n",
    )
    before = checksum(source, "t")
    found = run(source, "--chunk-rows", "70")
    assert (found["deleted"], found["gone"], found["left"]) == (300, 0, {})
    done = source.archive("restore", f"{source.name}.t", "--all", "--into", f"{source.name}.t", "--json").json
    assert done["restored"] == 300
    assert checksum(source, "t") == before


def test_keys_are_found_whatever_they_are_called(source: Source) -> None:
    source.mysql(
        "create table t (c0 int primary key, v int, created_at datetime not null default '2024-01-01', "
        "key (created_at))",
        f"insert into t (c0, v) select seq, 1 from {numbers(120)} n",
    )
    run(source)
    assert "is not in the archive" not in source.archive("find", f"{source.name}.t", "120").out
    source.mysql("insert into t (c0, v) values (55, 2), (1000, 2)")
    run(source)
    source.archive("restore", f"{source.name}.t", "--all", "--into", f"{source.name}.t")
    assert rows(source, "select v from t where c0 in (54, 55) order by c0") == [(1,), (2,)]


@pytest.mark.only_on("mariadb", reason="MySQL has no check_constraint_checks")
def test_a_row_that_a_check_refuses_now_comes_back(source: Source) -> None:
    source.mysql(
        "create table t (id int primary key, v int check (v > 0), created_at datetime not null default '2024-01-01')",
        "set session check_constraint_checks = 0",
        "insert into t (id, v) values (1, -1)",
    )
    before = checksum(source, "t")
    configure(source)
    made.archive(source, "t")
    source.archive("restore", f"{source.name}.t", "--all", "--into", f"{source.name}.t")
    assert checksum(source, "t") == before


def test_a_key_that_mysql_calls_equal_to_a_live_one_is_said(source: Source) -> None:
    """'A' was archived, and 'a' lives: to MySQL they are one key, so both cannot be there."""
    source.mysql(
        """create table t (a varchar(5) collate utf8mb4_general_ci primary key,
            created_at datetime default '2024-01-01', key (created_at))""",
        "insert into t (a) values ('A'), ('b')",
    )
    configure(source)
    label = f"{source.name}.t"
    made.archive(source, "t")
    source.mysql("insert into t (a) values ('a')")
    done = source.archive("restore", label, "--all", "--into", label, "--overwrite", "--json", code=1)
    assert (done.json["restored"], done.json["clashing"]) == (1, 1)
    assert rows(source, "select a from t order by a") == [("a",), ("b",)]


def test_a_restore_waits_for_no_lock_on_other_rows(source: Source, table: str) -> None:
    """MySQL would read a small table whole, and lock what it reads, if it were not told to look keys up."""
    made.archive(source, "t", "id <= 7")
    writer = source.connect()
    with writer.cursor() as cursor:
        cursor.execute("update t set v = 'being changed' where id = 9")
    source.archive("restore", table, "--all", "--into", table)
    writer.commit()
    assert rows(source, "select count(*) from t") == [(10,)]


def test_a_row_whose_parent_is_missing_is_refused_with_the_reason(source: Source, table: str) -> None:
    source.mysql("create table parents (v varchar(50) primary key)", "insert into parents select v from t")
    made.archive(source, "t")
    source.mysql("delete from parents where v = 'row 5'", "alter table t add foreign key (v) references parents (v)")
    refused = source.archive("restore", table, "--all", "--into", table, code=1)
    assert "a row that they refer to by a foreign key is not there; restore that table first" in refused.err
    assert "row 5" not in refused.err
    assert rows(source, "select count(*) from t") == [(0,)]
    # A table that is made has no foreign keys.
    source.mysql(f"create database {source.name}_restore")
    done = source.archive("restore", table, "--all", "--into", f"{source.name}_restore.t", "--json").json
    assert done["restored"] == 10

"""What el-archive deleted is told to Redshift by load: which rows, since when, once, whatever happens in between."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from el.archive import journal
from el.archive.journal import ChunkState, Journal
from tests.archive.made import table_archive
from tests.archive.test_run import AGE, AS_OF, KEYS, NEW, OLD, POLICY, RETENTION
from tests.conftest import Finished, Source
from tests.crash.points import Fault, Point
from tests.crash.test_kill import either, snapshot_port, start, table, wait_until_somebody_waits
from tests.crash.wires import wires
from tests.integration.test_load import Log, counted, counting
from tests.local.conftest import aws_environment, make_redshift
from tests.mysql_sql import numbers

__all__ = ["aws_environment", "counted", "counting", "either", "make_redshift", "snapshot_port", "table"]

UPDATED = "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6)"


def make(source: Source, name: str = "t", key: str = "id int primary key", **more: Any) -> None:
    """A table whose rows may be archived as soon as Redshift has them, and that is loaded with ten of them."""
    source.mysql(f"create table {name} ({key}, {UPDATED}, {AGE}, key (updated_at))")
    if key == "id int primary key":
        insert(source, 10, name=name)
    source.configure({name: POLICY | more}, RETENTION)
    source.el("run")


def insert(source: Source, last: int, first: int = 1, name: str = "t") -> None:
    """Rows whose keys are the numbers from ``first`` to ``last``."""
    source.mysql(
        f"insert into {name} (id, created_at, updated_at) select seq, '{OLD}', '{OLD}' from {numbers(last, first)} n"
    )


def archive(source: Source, *arguments: str, env: dict[str, str] | None = None) -> Any:
    done = source.archive("run", "--execute", "--as-of", AS_OF, "--json", *arguments, env=env)
    (found,) = done.json["tables"]
    return found


def told(source: Source, columns: str = "id", name: str = "t") -> list[tuple[Any, ...]]:
    order = ", ".join(str(number + 1) for number in range(len(columns.split(","))))
    return source.redshift(f"select {columns} from raw_{source.name}_el.{name}__archived order by {order}")


def shown(rows: list[tuple[Any, ...]]) -> list[str]:
    """Rows of any types, to be compared."""
    return sorted(repr([bytes(one) if isinstance(one, memoryview) else one for one in row]) for row in rows)


def is_there(source: Source, name: str = "t") -> bool:
    sql = "select 1 from information_schema.tables where table_schema = %s and table_name = %s"
    return bool(source.redshift(sql, f"raw_{source.name}_el", f"{name}__archived"))


def load(source: Source, *arguments: str, env: dict[str, str] | None = None) -> Finished:
    return source.el("load", "--json", *arguments, env=env)


def records(source: Source, kind: str, name: str = "t") -> list[dict[str, Any]]:
    return [one for one in Journal(table_archive(source, name), "").records() if one["kind"] == kind]


def chunks(source: Source, name: str = "t") -> list[ChunkState]:
    return list(journal.chunks(Journal(table_archive(source, name), "").records()).values())


def test_archived_rows_are_told_with_the_moment_of_their_deletion_and_stay_in_the_raw_table(source: Source) -> None:
    make(source)
    insert(source, 12, first=11)
    source.mysql(f"update t set created_at = '{NEW}', updated_at = '{OLD}' where id > 10")
    source.el("run", "--full")
    assert archive(source, "--chunk-rows", "4")["deleted"] == 10
    assert not is_there(source)
    found = load(source).table("t")
    assert (found["load"], found["archived"], found["loaded"], found["warnings"]) == ("done", 10, 0, [])
    assert told(source) == [(number,) for number in range(1, 11)]
    by_record = {
        (datetime.fromisoformat(one["at"]).replace(tzinfo=None), one["run"], one["chunk"], one["seq"])
        for one in records(source, "deleted")
    }
    assert set(told(source, "_archived_at, _run, _chunk, _record")) == by_record
    assert source.redshift("select count(*) from raw.t") == [(12,)]
    gone = f"select id from raw.t where id not in (select id from raw_{source.name}_el.t__archived)"
    assert sorted(source.redshift(gone)) == [(11,), (12,)]
    again = load(source).table("t")
    assert (again["load"], again["archived"]) == ("nothing new", 0)
    assert len(told(source)) == 10


def test_a_key_that_was_used_again_and_archived_again_is_two_rows(source: Source) -> None:
    make(source)
    archive(source)
    load(source)
    insert(source, 4, first=3)
    source.el("run", "--full")
    alive = (
        f"select t.id from raw.t t left join (select id, max(_archived_at) as archived_at from "
        f"raw_{source.name}_el.t__archived group by id) gone on gone.id = t.id "
        "where gone.id is null or t._extracted_at at time zone 'utc' > gone.archived_at order by t.id"
    )
    assert source.redshift(alive) == [(3,), (4,)], "as docs/how-to/archive.md asks"
    archive(source)
    source.el("run")
    assert [number for (number,) in told(source)] == [1, 2, 3, 3, 4, 4, *range(5, 11)]
    assert len(set(told(source, "id, _record"))) == 12
    assert source.redshift(alive) == []


@pytest.mark.parametrize("composite", [pytest.param(False, marks=pytest.mark.long), True])
def test_keys_of_every_type_are_those_of_the_raw_table(source: Source, composite: bool) -> None:
    more = {"int": ["-7", "7"], "bit(1)": ["b'0'", "b'1'"], "tinyint(1)": ["0", "1"]}
    kinds = {
        kind: [value for value in values if not (kind.startswith("date") and "-00" in value)]
        for kind, values in (KEYS | more).items()
    }
    names = {f"t{number}": kind for number, kind in enumerate(kinds)}
    # A DOUBLE in the middle of a composite key is as good as any.
    second = ", s varchar(9), d double, primary key (s, id, d)" if composite else ", primary key (id)"
    for name, kind in names.items():
        source.mysql(
            "set sql_mode = ''", f"create table {name} (id {kind}{second}, {UPDATED}, {AGE}, key (updated_at))"
        )
        for number, value in enumerate(kinds[kind]):
            rest = f", 'k{number}', {number} / 10" if composite else ""
            columns = ", s, d" if composite else ""
            source.mysql(
                f"insert into {name} (id{columns}, created_at, updated_at) values ({value}{rest}, '{OLD}', '{OLD}')"
            )
    boolean = {name: {"boolean": ["id"]} for name, kind in names.items() if kind in ("bit(1)", "tinyint(1)")}
    source.configure({name: POLICY | boolean.get(name, {}) for name in names}, RETENTION)
    source.el("run")
    source.archive("run", "--execute", "--as-of", AS_OF, "--chunk-rows", "2")
    done = load(source)
    key = "id, s, d" if composite else "id"
    for name, kind in names.items():
        found = done.table(name)
        assert (found["archived"], found["warnings"]) == (len(kinds[kind]), []), (kind, found)
        raw = source.redshift(f"select {key} from raw.{name}")
        assert len(raw) == len(kinds[kind])
        assert shown(told(source, key, name)) == shown(raw), kind
    types = (
        "select a.table_name, a.column_name, a.data_type, a.character_maximum_length from information_schema.columns a "
        "where a.table_schema = %s and a.column_name in ('id', 's', 'd')"
    )
    raw_types = sorted(source.redshift(types, f"raw_{source.name}"))
    own = [
        (name.removesuffix("__archived"), *rest)
        for name, *rest in source.redshift(types, f"raw_{source.name}_el")
        if name.endswith("__archived")
    ]
    assert sorted(own) == raw_types


#: What load does about archived rows, each the moment of a fault.
POINTS = [
    Point("the manifest", "s3", "^PUT .*/_manifests/archived-"),
    Point("the lock", "redshift", "^Q.{4}lock table"),
    Point("the table", "redshift", "^Q.{4}create table if not exists .*__archived"),
    Point("COPY", "redshift", "^Q.{4}copy el__archived"),
    Point("the insert", "redshift", "^Q.{4}insert into .*__archived"),
    Point("COMMIT", "redshift", "^Q.{4}COMMIT"),
    Point("how far it was read", "s3", r"^PUT .*/_archived\.json$"),
]
#: The others are for make soak.
QUICK = ("COMMIT", "how far it was read")
FAULTS: list[Fault] = ["killed before", "killed after"]


@pytest.mark.parametrize(
    "point",
    [pytest.param(point, id=point.name, marks=[pytest.mark.long] * (point.name not in QUICK)) for point in POINTS],
)
def test_killed_at_any_point_each_row_is_told_once(source: Source, point: Point) -> None:
    make(source)
    with wires(source) as made:
        for number, fault in enumerate([*FAULTS, *(["cut after"] if point.wire == "redshift" else [])], 1):
            archive(source)
            code = made.run(lambda: start(source, "load", env=made.env), (point, fault))  # type: ignore[arg-type]  # a list of both kinds of text
            assert code == (0 if fault == "cut after" else -9)
            load(source)
            assert told(source) == sorted([(key,) for key in range(1, 11)] * number)
            assert load(source).table("t")["load"] == "nothing new"
            insert(source, 10)
            source.el("run", "--full")


def test_two_loaders_at_once_tell_each_row_once_under_either_isolation_level(either: Source) -> None:
    either.env["EL_LEASE_SECONDS"] = "0"  # else one leaves it to the other
    either.mysql("drop table t")
    make(either)
    archive(either)
    load(either)
    insert(either, 10)
    either.el("run", "--full")
    archive(either, "--chunk-rows", "3")
    with either.warehouse.cursor() as holder:
        holder.execute("begin")
        holder.execute(f"lock table raw_{either.name}_el.t")
        loaders = [start(either, "load") for _ in range(2)]
        wait_until_somebody_waits(either, f"raw_{either.name}_el.t", 2)
        holder.execute("commit")
        assert [loader.wait(200) for loader in loaders] == [0, 0]
    assert told(either) == sorted([(key,) for key in range(1, 11)] * 2)
    assert load(either).table("t")["load"] == "nothing new"


def test_a_table_that_is_gone_or_went_back_is_told_again(source: Source) -> None:
    make(source)
    archive(source)
    load(source)
    insert(source, 3)
    source.el("run", "--full")
    archive(source)
    load(source)
    all_of_it = told(source, "id, _archived_at, _run, _chunk, _record, _expired_at")
    assert len(all_of_it) == 13
    older = min(told(source, "_applied"))[0]
    # As a snapshot restores it:
    source.redshift(f"delete from raw_{source.name}_el.t__archived where _applied > {older}")
    assert load(source).table("t")["archived"] == 3
    assert told(source, "id, _archived_at, _run, _chunk, _record, _expired_at") == all_of_it
    source.redshift(f"drop table raw_{source.name}_el.t__archived")
    assert load(source).table("t")["archived"] == 13
    assert told(source, "id, _archived_at, _run, _chunk, _record, _expired_at") == all_of_it
    source.redshift(f"drop schema raw_{source.name}_el cascade")
    source.redshift("drop table raw.t")
    found = load(source).table("t")
    assert (found["archived"], found["error"]) == (13, None)
    assert told(source, "id, _archived_at, _run, _chunk, _record, _expired_at") == all_of_it


def test_a_bucket_that_cannot_be_read_is_a_note_and_commits_are_loaded(source: Source) -> None:
    make(source)
    archive(source)
    source.mysql(f"insert into t (id, created_at) values (99, '{NEW}')")
    source.el("extract")
    away = {"ARCHIVE_URL": "s3://no-such-bucket/archive"}
    for loaded in (1, 0):
        found = load(source, env=away).table("t")
        assert (found["loaded"], found["archived"], found["error"]) == (loaded, 0, None)
        (note,) = found["warnings"]
        assert "no such bucket" in note and "ARCHIVE_URL" in note and "tries again" in note
    assert not is_there(source)
    load(source)
    assert len(told(source)) == 10


def test_without_archive_url_nothing_is_told_and_status_says_so(source: Source) -> None:
    make(source)
    archive(source)
    unset = {"ARCHIVE_URL": ""}
    found = load(source, env=unset).table("t")
    assert (found["load"], found["archived"], found["warnings"]) == ("nothing new", 0, [])
    assert not is_there(source)
    assert f"{source.name}.t: ARCHIVE_URL is not set on this host" in source.el("status", env=unset).out
    assert "ARCHIVE_URL" not in source.el("status").out


def test_keys_that_are_not_those_of_the_journal_are_refused_until_they_are_there_again(source: Source) -> None:
    make(source)
    archive(source)
    (stored,) = [one.keys for one in chunks(source) if one.keys]
    store = table_archive(source, "t")
    place = {"Bucket": store.place.bucket, "Key": store.key(stored.key)}
    body = store.get(stored.key, stored.version)
    source.s3.put_object(**place, Body=body[:-1] + b"x")
    (note,) = load(source).table("t")["warnings"]
    assert "is not the version that the journal names" in note
    other = source.s3.head_object(**place)["VersionId"]
    source.s3.delete_object(**place, VersionId=other)
    source.s3.delete_object(**place)  # hidden by a marker
    (note,) = load(source).table("t")["warnings"]
    assert "there is no such object" in note
    assert not is_there(source)
    assert any("is hidden" in one for one in verify(source)["problems"])
    (marker,) = source.s3.list_object_versions(Bucket=store.place.bucket, Prefix=place["Key"])["DeleteMarkers"]
    source.s3.delete_object(**place, VersionId=marker["VersionId"])
    assert load(source).table("t")["archived"] == 10
    assert verify(source)["problems"] == []


def verify(source: Source) -> dict[str, Any]:
    (found,) = source.archive("verify", "--all", "--json", code=None).json["tables"]
    return dict(found)


def test_a_journal_that_lost_a_record_is_a_note_and_nothing_is_told_past_it(source: Source) -> None:
    make(source)
    archive(source)
    store = table_archive(source, "t")
    (done,) = [one["seq"] for one in records(source, "done")]
    place = {"Bucket": store.place.bucket, "Key": store.key(store.record_key(done))}
    source.s3.delete_object(**place)
    (note,) = load(source).table("t")["warnings"]
    assert f"{done:020d}.json: there is no such object" in note
    assert not is_there(source)
    (marker,) = source.s3.list_object_versions(Bucket=store.place.bucket, Prefix=place["Key"])["DeleteMarkers"]
    source.s3.delete_object(**place, VersionId=marker["VersionId"])
    assert load(source).table("t")["archived"] == 10
    for seq in range(1, store.last() + 1):
        source.s3.delete_object(Bucket=store.place.bucket, Key=store.key(store.record_key(seq)))
    (note,) = load(source).table("t")["warnings"]
    assert "the archive has lost records" in note
    assert len(told(source)) == 10


EXPIRING = {"transient": {"keep": "6 months", "archive": "1 days"}}


def expire(source: Source) -> None:
    (found,) = source.archive("expire", "--execute", "--json").json["tables"]
    assert found["deleted"] and not found["problems"]


def archive_for_a_day(source: Source) -> None:
    source.configure({"t": POLICY}, EXPIRING)
    source.archive("run", "--execute", "--as-of", "2026-11-01", env={"ARCHIVE_OBJECT_LOCK": "none"})


def test_an_expired_copy_is_said_and_its_keys_are_gone_from_s3(source: Source) -> None:
    make(source)
    archive_for_a_day(source)
    load(source)
    expire(source)
    assert load(source).table("t")["warnings"] == []
    (record,) = records(source, "expired")
    at = datetime.fromisoformat(record["at"]).replace(tzinfo=None)
    assert told(source, "id, _expired_at") == [(number, at) for number in range(1, 11)]
    assert table_archive(source, "t").versions("_keys/") == []
    assert load(source).table("t")["load"] == "nothing new"


def test_what_expired_before_it_was_told_is_counted_in_a_note(source: Source) -> None:
    make(source)
    archive_for_a_day(source)
    expire(source)
    insert(source, 2)
    source.el("extract", "--full")
    assert load(source).table("t")["warnings"] == [
        "10 archived rows are not told as such in Redshift: their copies expired before, and their keys with them. "
        "This is said once"
    ]
    archive_for_a_day(source)
    assert load(source).table("t")["warnings"] == []
    assert told(source) == [(1,), (2,)]


def test_a_key_that_redshift_must_not_see_is_told_to_nobody(source: Source) -> None:
    """Extract refuses a hashed key; what el-archive wrote before, or writes now, must not tell it either."""
    make(source)
    archive(source)
    source.configure({"t": POLICY | {"hash": ["id"]}}, RETENTION)
    for _ in range(2):
        (note,) = load(source).table("t")["warnings"]
        assert "keeps id from Redshift by exclude or hash" in note
    assert not is_there(source)
    insert(source, 2)
    assert archive(source)["deleted"] == 2
    (before, now) = records(source, "done")
    assert (before["deleted"], before["keys"]["rows"], before["untold"]) == (10, 10, None)
    assert (now["deleted"], now["keys"]) == (2, None)
    assert "id is kept from Redshift" in now["untold"]
    assert len(table_archive(source, "t").versions("_keys/")) == 1
    source.configure({"t": POLICY}, RETENTION)
    found = load(source).table("t")
    assert found["archived"] == 10
    assert found["warnings"] == [
        "2 archived rows are not told as such in Redshift: id is kept from Redshift by exclude or hash. "
        "This is said once"
    ]


def test_a_key_that_became_longer_is_told_and_one_of_another_type_is_counted(source: Source) -> None:
    make(source, key="id varchar(3) primary key")
    source.mysql(f"insert into t (id, created_at, updated_at) values ('abc', '{OLD}', '{OLD}')")
    source.el("run", "--full")
    archive(source)
    load(source)
    source.mysql("alter table t modify id varchar(30) not null")
    source.mysql(f"insert into t (id, created_at, updated_at) values ('longer than before', '{OLD}', '{OLD}')")
    source.el("run", "--full")
    archive(source)
    assert load(source).table("t")["warnings"] == []
    assert told(source) == [("abc",), ("longer than before",)]
    source.mysql(
        "alter table t modify id int not null",
        f"insert into t (id, created_at, updated_at) values (7, '{OLD}', '{OLD}')",
    )
    source.redshift("drop table raw.t")
    source.redshift(f"drop table raw_{source.name}_el.t")
    source.el("run", "--full")
    archive(source)
    (note,) = load(source).table("t")["warnings"]
    assert "has the key id, and" in note and f'drop table "raw_{source.name}_el"."t__archived"' in note
    source.redshift(f"drop table raw_{source.name}_el.t__archived")
    (note,) = load(source).table("t")["warnings"]
    assert note.startswith("2 archived rows are not told as such in Redshift: they had another primary key")
    assert told(source) == [(7,)]


def test_a_table_of_which_nothing_was_archived_lately_takes_no_statement(counted: tuple[Source, Log]) -> None:
    source, log = counted
    make(source)
    archive(source)
    log.forget()
    load(source)
    of_it = [text for text in log.statements if "__archived" in text]
    assert len(log.statements) <= 16, log.statements
    assert sum("copy el__archived" in text for text in of_it) == 1
    for _ in range(2):  # once more: a run that moved nothing leaves records, too
        log.forget()
        assert load(source).table("t")["load"] == "nothing new"
        assert len(log.statements) == 3, "the catalog, the ledgers, and how far each archived table is"
        assert not any("lock" in text or "BEGIN" in text for text in log.statements)
        assert archive(source)["deleted"] == 0

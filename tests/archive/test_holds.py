"""Holds keep rows, and expiry lets go of what is past its class's end and nothing else."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from el.archive import holds
from el.archive.table import read_shape
from tests.archive import made
from tests.archive.test_restore import TABLE, configure, rows
from tests.archive.test_verify import keys, verified
from tests.conftest import Source
from tests.mysql_sql import numbers

ENDED = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def table(source: Source) -> str:
    """Ten rows in the archive, in two objects."""
    source.mysql(TABLE, f"insert into t (id, v) select seq, concat('row ', seq) from {numbers(10)} n")
    configure(source)
    made.archive(source, "t", "id <= 4")
    made.archive(source, "t")
    return f"{source.name}.t"


def legal_holds(source: Source) -> list[bool]:
    """Of each object, in order; those of the manifests must be the same."""
    store = made.table_archive(source, "t")
    found = []
    for folder in ("rows/", "_manifests/"):
        found.append([])
        for key in keys(source, folder):
            answer = source.s3.head_object(Bucket=store.place.bucket, Key=store.key(key))
            found[-1].append(answer.get("ObjectLockLegalHoldStatus") == "ON")
    assert found[0] == found[1]
    return list(found[0])


def add(source: Source, table: str, *arguments: str) -> Any:
    return source.archive("hold", "add", table, *arguments, "--reason", "case 4711", "--json").json


def test_a_hold_by_keys_holds_the_objects_that_have_them(source: Source, table: str) -> None:
    done = add(source, table, "--keys", "7", "--keys", "9")
    assert (done["objects"], done["legal_holds"]) == (1, 1)
    assert legal_holds(source) == [False, True]
    (listed,) = source.archive("hold", "list", "--json").json["holds"]
    assert (listed["hold"], listed["keys"], listed["reason"]) == (done["hold"], ["7", "9"], "case 4711")
    text = source.archive("hold", "list").out
    assert "2 keys" in text
    assert "case 4711" in text
    assert '"7"' not in text


def test_a_hold_by_condition_holds_every_object_and_what_it_means_is_asked_of_mysql(source: Source, table: str) -> None:
    refused = source.archive("hold", "add", table, "--where", "nosuch = 'secret value'", "--reason", "x", code=2)
    assert "--where: MySQL refuses it" in refused.err
    assert "secret value" not in refused.err
    assert source.archive("hold", "list").out == "no hold\n"
    assert add(source, table, "--where", "v like 'row%'")["objects"] == 2
    assert legal_holds(source) == [True, True]


def test_what_two_holds_hold_stays_until_both_are_released(source: Source, table: str) -> None:
    one, two = add(source, table, "--keys", "2"), add(source, table, "--where", "true")
    freed = source.archive("hold", "remove", table, two["hold"], "--reason", "over", "--json").json
    assert freed["objects"] == 1
    assert legal_holds(source) == [True, False]
    source.archive("hold", "remove", table, one["hold"], "--reason", "over")
    assert legal_holds(source) == [False, False]
    assert source.archive("hold", "list").out == "no hold\n"
    every = source.archive("hold", "list", "--all", "--json").json["holds"]
    assert [hold["released_because"] for hold in every] == ["over", "over"]
    assert "was released on" in source.archive("hold", "remove", table, one["hold"], "--reason", "x", code=2).err
    assert "is not there" in source.archive("hold", "remove", table, "nosuch", "--reason", "x", code=2).err


def test_a_hold_cannot_be_overwritten(source: Source, table: str) -> None:
    """Whoever may write to the folder of holds adds a version, and the first one counts."""
    hold = add(source, table, "--keys", "2")["hold"]
    store = made.table_archive(source, "t")
    source.s3.put_object(Bucket=store.place.bucket, Key=store.key(store.hold_key(hold)), Body=b"{}")
    source.s3.delete_object(Bucket=store.place.bucket, Key=store.key(store.hold_key(hold)))
    assert [one["keys"] for one in source.archive("hold", "list", "--json").json["holds"]] == [["2"]]


def test_the_condition_of_holds_is_true_for_held_rows_and_never_null(source: Source) -> None:
    source.mysql(
        "create table t (id int, s varchar(9), v int, created_at datetime default '2024-01-01', primary key (id, s))",
        "insert into t (id, s, v) values (1, 'a', null), (2, 'a', 5), (3, 'a', 6), (0, 'b', 6)",
    )
    configure(source)
    add(source, f"{source.name}.t", "--where", "v = 5 or v > 100")
    add(source, f"{source.name}.t", "--keys", "0,b", "--keys", "1,x")
    with made.session(source) as connection:
        key = read_shape(connection, "t").primary_key
        condition = holds.condition(holds.active(made.table_archive(source, "t")), key)
    assert rows(source, f"select id, {condition} from t order by id") == [(0, 1), (1, 0), (2, 1), (3, 0)]
    assert holds.condition([], key) is None


def test_a_hold_waits_for_no_run_and_holds_nothing_while_one_works(source: Source, table: str) -> None:
    lease = {"format": 1, "state": "held", "table": table, "job": "archive", "run": "another", "host": "h", "pid": 1,
             "since": "2026-11-25T00:00:00+00:00", "seconds": 3600, "renewed": 1, "last": None}  # fmt: skip
    key = f"landing/_leases/{source.name}/t/archive.json"
    source.s3.put_object(Bucket="el-landing", Key=key, Body=json.dumps(lease).encode())
    busy = source.start("hold", "add", table, "--keys", "1", "--reason", "x", program=("-m", "el.archive.cli"))
    while busy.poll() is None:  # who finds it held waits for a sign of life
        time.sleep(0.2)
        lease["renewed"] += 1
        source.s3.put_object(Bucket="el-landing", Key=key, Body=json.dumps(lease).encode())
    assert busy.returncode == 1
    assert "works on it since" in busy.communicate()[1]
    assert source.archive("hold", "list").out == "no hold\n"


@pytest.fixture
def ended(source: Source) -> str:
    """Two objects past their class's end, and one that is not."""
    source.mysql(TABLE, f"insert into t (id, v) select seq, 'personal' from {numbers(10)} n")
    configure(source)
    for where, until in (("id <= 4", ENDED), ("id <= 7", ENDED), ("true", made.UNTIL)):
        made.archive(source, "t", where, until=until)
    return f"{source.name}.t"


def expired(source: Source, *arguments: str, code: int = 0) -> dict[str, Any]:
    (one,) = source.archive("expire", *arguments, "--json", code=code).json["tables"]
    return dict(one)


def test_nothing_is_deleted_without_execute(source: Source, ended: str) -> None:
    assert [one["rows"] for one in expired(source)["due"]] == [4, 3]
    assert "nothing was deleted; to delete for ever: el-archive expire --execute" in source.archive("expire").out
    assert verified(source, "--all")["objects"] == 3


def test_what_is_past_its_end_is_deleted_for_ever_with_a_certificate(source: Source, ended: str) -> None:
    assert expired(source, "--execute")["deleted"] == 2
    store = made.table_archive(source, "t")
    assert len(keys(source, "rows/")) == len(keys(source, "_manifests/")) == 1
    certificates = [json.loads(store.get(key, store.find(key).version)) for key in keys(source, "_certificates/")]
    assert [one["rows"] for one in certificates] == [4, 3]
    assert {one["rows_deleted_from_mysql"] for one in certificates} == {4, 3}
    assert "personal" not in json.dumps(certificates)
    assert verified(source, "--all")["objects"] == 1
    assert expired(source, "--execute") == expired(source)
    assert source.archive("find", ended, "2", "--json").json == {
        "table": ended, "copies": [], "expired_objects": 2
    }  # fmt: skip
    assert source.archive("restore", ended, "--all", "--into", ended, "--json").json["restored"] == 3


def test_what_is_held_does_not_expire(source: Source, ended: str) -> None:
    hold = add(source, ended, "--keys", "2")["hold"]
    one = expired(source, "--execute")
    assert (one["deleted"], [each["held_by"] for each in one["held"]]) == (1, [[hold]])
    assert len(keys(source, "rows/")) == 2
    store = made.table_archive(source, "t")
    held = min(store.versions("rows/"), key=lambda found: found.key)
    with pytest.raises(ClientError, match="AccessDenied"):
        source.s3.delete_object(
            Bucket=store.place.bucket, Key=store.key(held.key), VersionId=held.version, BypassGovernanceRetention=True
        )
    source.archive("hold", "remove", ended, hold, "--reason", "over")
    assert expired(source, "--execute")["deleted"] == 1


def test_what_s3_locks_stays_and_is_said(source: Source, ended: str) -> None:
    store = made.table_archive(source, "t")
    for found in store.versions("rows/")[:1]:
        source.s3.put_object_legal_hold(
            Bucket=store.place.bucket, Key=store.key(found.key), VersionId=found.version, LegalHold={"Status": "ON"}
        )
    one = expired(source, "--execute", code=1)
    assert one["deleted"] == 1
    (problem,) = one["problems"]
    assert "access is denied" in problem
    assert "It stays; its rows are still in the archive" in problem
    assert verified(source, "--all")["problems"] == []


def test_an_expiry_that_was_cut_off_is_finished(source: Source, ended: str) -> None:
    store = made.table_archive(source, "t")
    first, second = sorted(store.versions("rows/"), key=lambda found: found.key)[:2]
    for found in (first, second):
        source.s3.delete_object(Bucket=store.place.bucket, Key=store.key(found.key), VersionId=found.version)
    # Of the first one nothing else was done; of the second one everything but the end.
    chunk = second.key.removeprefix("rows/").removesuffix(".parquet")
    made.journal.Journal(store, "run").append("expired", expired_chunk=chunk, certificate="_certificates/it.json")
    assert expired(source, "--execute")["deleted"] == 1
    assert keys(source, "_certificates/") == [store.certificate_key(first.key[5:-8])]
    assert len(keys(source, "_manifests/")) == len(keys(source, "rows/")) == 1
    assert verified(source, "--all")["problems"] == []


def test_a_row_under_a_hold_is_not_archived_and_the_others_are(source: Source) -> None:
    source.mysql(TABLE, f"insert into t (id, v) select seq, concat('row ', seq) from {numbers(10)} n")
    configure(source, mode="merge", cursor="created_at")
    label = f"{source.name}.t"
    hold = add(source, label, "--where", "v in ('row 2', 'row 3') or v is null")["hold"]
    add(source, label, "--keys", "5")
    assert "rows under 2 holds stay" in source.archive("plan").out
    done = source.archive("run", "--execute", "--json").json["tables"][0]
    assert (done["archived"], done["deleted"]) == (7, 7)
    assert rows(source, "select id from t order by id") == [(2,), (3,), (5,)]
    source.archive("hold", "remove", label, hold, "--reason", "over")
    assert source.archive("run", "--execute", "--json").json["tables"][0]["deleted"] == 2
    assert rows(source, "select id from t order by id") == [(5,)]


def test_a_hold_that_is_added_behind_the_proof_still_holds_the_row(source: Source) -> None:
    """A run was killed after it had verified a chunk; the next one goes on with it, and asks for holds once more."""
    source.mysql(TABLE, f"insert into t (id, v) select seq, concat('row ', seq) from {numbers(10)} n")
    configure(source, mode="merge", cursor="created_at")
    made.archive(source, "t", delete=False)
    assert add(source, f"{source.name}.t", "--keys", "4")["objects"] == 1
    done = source.archive("run", "--execute", "--json").json["tables"][0]
    assert (done["deleted"], done["left"]) == (9, {"hold": 1})
    assert rows(source, "select id from t") == [(4,)]
    assert source.archive("find", f"{source.name}.t", "4", "--json").json["copies"][0]["state"] == "left in MySQL: hold"
    assert verified(source, "--all")["objects"] == 1

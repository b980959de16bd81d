"""What ``el-archive`` leaves behind: a record and a log that ``el runs`` and ``el logs`` show; what people are told."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from el import __version__
from tests.archive.made import table_archive
from tests.archive.test_run import AGE, AS_OF, NEW, OLD, configure, live, make, one, run, wait_for
from tests.archive.test_verify import destroy, keys
from tests.conftest import Source, delete_archive
from tests.proxy import Gate, s3_proxy
from tests.receivers import Queue

ARCHIVE = ("-m", "el.archive.cli")


@pytest.fixture
def table(source: Source, queue: Queue) -> Source:
    """Ten old rows and a new one, in a landing and with a topic of their own."""
    source.env |= {"LANDING_URL": f"s3://el-landing/{source.name}", "EL_ALERTS_SNS_TOPIC": queue.topic}
    make(source, 10)
    configure(source, "t")
    return source


def record(source: Source, name: str) -> dict[str, Any]:
    return source.beside(f"_runs/{name}.json")


def newest(source: Source) -> dict[str, Any]:
    return dict(source.el("runs", "--limit", "1", "--json").json[0])


def titles(queue: Queue) -> list[str]:
    return sorted(message["Subject"] for message in queue.received())


def without_a_password(source: Source) -> dict[str, str]:
    name = f"ARCHIVE__{source.name.upper()}__CREDENTIALS"
    url = urlsplit(source.env[name])
    return {name: f"mysql://archiver:wrong-secret@{url.hostname}:{url.port}/{source.name}"}


def test_a_run_leaves_a_record_and_its_log_which_el_shows(table: Source) -> None:
    table.mysql("create table other (id int primary key)")
    busy = table.connect()
    with busy.cursor() as cursor:
        cursor.execute("select * from t where id = 7 for update")
        done = table.archive("run", "--execute", "--as-of", AS_OF, "--json").json
    busy.rollback()
    kept = record(table, done["run"])
    assert (kept["command"], kept["state"], kept["exit_code"], kept["error"]) == ("archive-run", "done", 0, None)
    assert kept["line"] == "el-archive run --execute --as-of 2026-11-25T00:00:00+00:00"
    assert (kept["trigger"], kept["el_version"], kept["host"]) == ("schedule", __version__, socket.gethostname())
    (entry,) = kept["tables"]
    report = one(done)
    left = report["left"]["busy"]
    assert entry["table"] == f"{table.name}.t"
    assert entry["states"] == {"archive": "done"}
    assert entry["rows"] == {"proven": 10, "deleted": 10 - left, "gone": 0, "left (busy)": left}
    assert (entry["objects"], entry["bytes"]) == (report["objects"], report["bytes"])
    assert entry["bytes"] > 0
    assert entry["warnings"] == [f"{left} rows were left: somebody held their locks; they come again with the next run"]
    log = table.el("logs", done["run"]).out
    assert f"el-archive run --execute --as-of 2026-11-25T00:00:00+00:00 (schedule), run {done['run']}" in log
    assert "done, exit code 0" in log
    shown = table.el("runs", "show", done["run"]).out
    assert f"{done['run']}: done, exit code 0" in shown
    assert f"10 proven, {10 - left} deleted, {left} left (busy)" in shown
    assert f"note: {table.name}.t: {left} rows were left" in shown
    table.el("extract", f"{table.name}.t")
    listed = table.el("runs").out
    assert f"10 proven, {10 - left} deleted" in listed
    assert "extracted" in listed, "the runs of el beside those of el-archive"


@pytest.mark.long
def test_every_command_that_works_on_the_archive_leaves_a_record(table: Source) -> None:
    label = f"{table.name}.t"
    for arguments, rows in [
        (("run", "--execute", "--as-of", AS_OF), {"proven": 10, "deleted": 10, "gone": 0}),
        (("verify", "--all"), {"deleted": 10}),
        (("drill", "--rows", "4"), {"restored": 4}),
        (("expire", "--execute"), {"expired": 0}),
        (
            ("restore", label, "--keys", "3", "--keys", "7", "--into", label),
            {"restored": 2, "there already": 0, "overwritten": 0, "left as they are": 0},
        ),
    ]:
        done = table.archive(*arguments, "--json").json
        kept = record(table, done["run"])
        assert kept["command"] == f"archive-{arguments[0]}"
        assert (kept["state"], kept["tables"][0]["rows"]) == ("done", rows)
        assert kept["tables"][0]["seconds"] <= kept["seconds"]
        assert "done, exit code 0" in table.el("logs", done["run"]).out
        assert table.el("runs", "show", done["run"], "--json").json == kept
    assert len(table.el("runs", "--json").json) == 5
    assert kept["line"] == f"el-archive restore --keys … --into {label} {label}", "a key is the value of a cell"


def test_whoever_only_looks_leaves_no_record(table: Source) -> None:
    run(table)
    for arguments in (("plan",), ("sizes",), ("run",), ("expire",), ("find", f"{table.name}.t", "3"), ("hold", "list")):
        table.archive(*arguments)
    assert [kept["command"] for kept in table.el("runs", "--json").json] == ["archive-run"]


def test_a_run_is_seen_while_it_goes_on_and_as_died_when_it_was_killed(table: Source) -> None:
    gate = Gate(lambda method, path: method == "PUT" and "/_manifests/" in path)
    with s3_proxy(table.env["AWS_ENDPOINT_URL"], gate) as url:
        process = table.start(
            "run", "--execute", "--as-of", AS_OF, env={"AWS_ENDPOINT_URL": url}, program=ARCHIVE
        )  # fmt: skip
        gate.wait()
        assert (newest(table)["state"], newest(table)["tables"][0]["states"]) == ("running", {"archive": "not begun"})
        process.kill()
        process.wait()
        gate.open()
    assert newest(table)["state"] == "died"


@pytest.mark.parametrize("how", ["signal", pytest.param("timeout", marks=pytest.mark.long)])
def test_a_verify_that_is_stopped_ends_behind_the_object_at_hand_and_says_what_it_left(table: Source, how: str) -> None:
    run(table, "--chunk-rows", "3")
    gate = Gate(lambda method, path: method == "GET" and "/rows/" in path)
    arguments = ["--timeout", "10s"] if how == "timeout" else []
    with s3_proxy(table.env["AWS_ENDPOINT_URL"], gate) as url:
        process = table.start("verify", "--all", *arguments, env={"AWS_ENDPOINT_URL": url}, program=ARCHIVE)
        gate.wait()
        if how == "signal":
            process.send_signal(signal.SIGTERM)
            wait_for(lambda: "stopping" in os.read(process.stderr.fileno(), 10_000).decode())
        else:
            time.sleep(12)  # its time is up by then
        gate.open()
        _, err = process.communicate(timeout=60)
    assert process.returncode == (130 if how == "signal" else 1), err
    assert f"{table.name}.t: not finished" in err
    kept = newest(table)
    assert kept["state"] == ("interrupted" if how == "signal" else "failed")
    assert (kept["tables"][0]["states"], kept["tables"][0]["objects"]) == ({"verify": "cut off"}, 1)


def test_one_table_that_fails_or_cannot_be_planned_leaves_the_others_done(table: Source, queue: Queue) -> None:
    for name in ("broken", "lost"):
        make(table, 3, name)
    configure(table, "broken", "lost", "t")
    landing = urlsplit(table.env["LANDING_URL"]).path.strip("/")
    key = f"{landing}/{table.name}/broken/_commits/{1:020d}.json"
    table.s3.put_object(Bucket="el-landing", Key=key, Body=b'{"format": 0}')

    def lose(method: str, path: str) -> int | None:
        if method == "GET" and "/lost/rows/" in path:
            destroy_rows(table, "lost")
        return None

    with s3_proxy(table.env["AWS_ENDPOINT_URL"], lose) as url:
        done = table.archive("run", "--execute", "--as-of", AS_OF, "--json", code=1, env={"AWS_ENDPOINT_URL": url})
    table.delete_objects("broken/")
    states = {entry["table"].partition(".")[2]: entry["state"] for entry in done.json["tables"]}
    assert states == {"broken": "failed", "lost": "failed", "t": "done"}
    assert live(table) == [11]
    kept = record(table, done.json["run"])
    assert (kept["state"], kept["exit_code"]) == ("failed", 1)
    errors = {entry["table"].partition(".")[2]: entry["error"] for entry in kept["tables"]}
    assert "has format 0" in errors["broken"]
    assert "read back from S3" in errors["lost"] or "there is no such version" in errors["lost"]
    assert errors["t"] is None
    assert errors["broken"] in done.err
    (mail,) = queue.received()
    assert f"{table.name}.broken: archive failed: " in mail["Message"]
    assert f"{table.name}.lost: a copy in the archive could not be proven: " in mail["Message"]
    assert f"{table.name}.t: " not in mail["Message"]


def destroy_rows(source: Source, name: str) -> None:
    store = table_archive(source, name)
    for found in store.versions("rows/"):
        source.s3.delete_object(
            Bucket=store.place.bucket, Key=store.key(found.key), VersionId=found.version, BypassGovernanceRetention=True
        )


def test_a_failed_table_is_told_once_and_once_when_it_is_over(table: Source, queue: Queue) -> None:
    run(table)
    assert queue.received() == []
    table.mysql("create trigger gone before delete on t for each row set @x = 1")
    name = table.archive("run", "--execute", "--as-of", AS_OF, "--json", code=1).json["run"]
    (mail,) = queue.received()
    assert mail["Subject"] == f"el: {table.name}.t: archive failed"
    assert "triggers on DELETE" in mail["Message"]
    assert f"el runs show {name}" in mail["Message"]
    run(table, code=1)
    table.archive("run", "--execute", "--as-of", AS_OF, code=1, env=table.host("two"))
    assert queue.received() == [], "the same problem"
    assert f"problem: {table.name}.t: archive failed since" in table.el("status").out
    table.mysql("drop trigger gone")
    run(table)
    run(table)
    assert titles(queue) == [f"el: {table.name}.t: archive failed: over"]


def test_a_copy_that_could_not_be_proven_is_a_problem_of_its_own(table: Source, queue: Queue) -> None:
    def lose(method: str, path: str) -> int | None:
        if method == "GET" and "/rows/" in path:
            destroy_rows(table, "t")
        return None

    with s3_proxy(table.env["AWS_ENDPOINT_URL"], lose) as url:
        run(table, code=1, env={"AWS_ENDPOINT_URL": url})
    assert titles(queue) == [f"el: {table.name}.t: a copy in the archive could not be proven"]
    run(table)
    assert titles(queue) == [f"el: {table.name}.t: a copy in the archive could not be proven: over"]


@pytest.mark.long
def test_rows_that_were_left_are_no_alert(table: Source, queue: Queue) -> None:
    gate = Gate(lambda method, path: method == "PUT" and "/_manifests/" in path)
    other = table.connect()
    with s3_proxy(table.env["AWS_ENDPOINT_URL"], gate) as url, other.cursor() as cursor:
        process = table.start(
            "run", "--execute", "--as-of", AS_OF, "--json", env={"AWS_ENDPOINT_URL": url}, program=ARCHIVE
        )
        gate.wait()
        table.mysql("update t set v = 'changed' where id = 2")
        cursor.execute("select * from t where id = 7 for update")
        gate.open()
        out, err = process.communicate(timeout=120)
    other.rollback()
    assert process.returncode == 0, err
    assert {"changed", "busy"} == set(one(json.loads(out))["left"])
    assert queue.received() == []


def test_damage_is_told_until_every_object_was_read_and_has_none(table: Source, queue: Queue) -> None:
    run(table, "--chunk-rows", "3")
    place = table_archive(table, "t")
    first = keys(table, "rows/")[0]
    table.s3.put_object(Bucket=place.place.bucket, Key=place.key(first), Body=b"somebody wrote here")
    table.archive("verify", "--sample", "0", code=1)
    (mail,) = queue.received()
    assert mail["Subject"] == f"el: {table.name}.t: the archive is damaged"
    assert "lies under another version" in mail["Message"]
    table.archive("verify", "--all", code=1)
    assert queue.received() == []
    (swapped,) = [one for one in place.versions("rows/") if one.key == first and one.is_latest]
    table.s3.delete_object(
        Bucket=place.place.bucket, Key=place.key(first), VersionId=swapped.version, BypassGovernanceRetention=True
    )
    table.archive("verify", "--sample", "1")
    assert queue.received() == [], "a sample says nothing of what was not read"
    table.archive("verify", "--all")
    assert titles(queue) == [f"el: {table.name}.t: the archive is damaged: over"]


def test_a_failed_drill_is_told(table: Source, queue: Queue) -> None:
    run(table)
    destroy(table, keys(table, "rows/")[0])
    done = table.archive("drill", "--json", code=1)
    assert record(table, done.json["run"])["tables"][0]["error"] == done.json["tables"][0]["problem"]
    assert titles(queue) == [f"el: {table.name}.t: drill failed"]
    table.archive("drill", code=1)
    assert queue.received() == []
    delete_archive(table)  # there is nothing more that would not come back
    table.mysql("drop table t")
    make(table, 10)
    run(table)
    table.archive("drill")
    assert titles(queue) == [f"el: {table.name}.t: drill failed: over"]


def test_a_mysql_that_is_away_is_told_for_each_of_its_tables_in_one_message(table: Source, queue: Queue) -> None:
    make(table, 3, "u")
    configure(table, "t", "u")
    done = table.archive("run", "--execute", "--as-of", AS_OF, code=1, env=without_a_password(table))
    assert "the user name or password is wrong" in done.err
    (mail,) = queue.received()
    assert mail["Subject"] == "el: 2 new problems"
    assert "wrong-secret" not in json.dumps([mail, newest(table)]) + table.el("logs").out + done.out + done.err
    run(table)
    assert titles(queue) == ["el: 2 over"]


def test_what_keeps_a_run_from_its_tables_is_told_and_a_typo_by_hand_is_not(table: Source, queue: Queue) -> None:
    table.archive("run", "--execute", "nosuch", code=2, env={"EL_TRIGGER": "hand"})
    assert (queue.received(), table.el("runs", "--json").json) == ([], [])
    for _ in range(2):
        table.archive("run", "--execute", "nosuch", code=2)
    assert titles(queue) == ["el: el-archive run: could not be started"]
    assert (newest(table)["state"], newest(table)["exit_code"]) == ("failed", 2)
    run(table)
    assert titles(queue) == ["el: el-archive run: could not be started: over"]
    elsewhere = {"ARCHIVE_URL": "s3://el-landing/archive", "EL_TRIGGER": "hand"}
    refused = table.archive("run", "--execute", code=1, env=elsewhere)
    assert "was made without Object Lock" in refused.err
    errors = [kept["error"] for kept in table.el("runs", "--json").json if kept["error"]]
    assert sum(error in refused.err for error in errors) == 1
    assert titles(queue) == ["el: el-archive run: could not be started"]


def test_a_restore_tells_whoever_typed_it_and_nobody_else(table: Source, queue: Queue) -> None:
    run(table)
    table.mysql("insert into t values (3, 'newer', '2024-01-01')")
    label = f"{table.name}.t"
    done = table.archive("restore", label, "--all", "--into", label, "--json", code=1)
    kept = record(table, done.json["run"])
    assert (kept["state"], kept["tables"][0]["states"]) == ("failed", {"restore": "failed"})
    assert "differ from their copies" in kept["error"]
    assert queue.received() == []


def test_an_archive_is_looked_at_and_brought_back_without_the_landing(table: Source, queue: Queue) -> None:
    run(table)
    label = f"{table.name}.t"
    for env, why in [
        ({"LANDING_URL": ""}, "LANDING_URL is not known"),
        ({"LANDING_URL": "s3://no-such-bucket/landing"}, "there is no such bucket"),
    ]:
        for arguments in (("verify",), ("drill",), ("restore", label, "--keys", "3", "--into", label)):
            done = table.archive(*arguments, "--json", env=env).json
            (warning,) = done["warnings"]
            assert "the record of this run is on this host only" in warning
            assert why in warning
            here = json.loads((table.folder / "home" / "logs" / f"{done['run']}.json").read_text())
            assert here["state"] == "done"
    nowhere = {"LANDING_URL": "", "EL_TRIGGER": "hand"}
    assert "LANDING_URL" in table.archive("run", "--execute", code=2, env=nowhere).err
    destroy(table, keys(table, "rows/")[0])
    table.archive("verify", "--all", code=1, env={"LANDING_URL": ""})
    assert titles(queue) == [f"el: {label}: the archive is damaged"], "nobody knows whether it was told before"


def test_no_value_of_a_cell_and_no_secret_is_in_a_record_a_log_or_an_alert(source: Source, queue: Queue) -> None:
    """Keys and values are canaries; what can go wrong does."""
    source.env |= {"LANDING_URL": f"s3://el-landing/{source.name}", "EL_ALERTS_SNS_TOPIC": queue.topic}
    source.mysql(
        f"create table t (id varchar(40) primary key, v varchar(40), {AGE})",
        f"insert into t values ('canary-1', 'canary-value', '{OLD}'), ('canary-2', 'canary-value', '{OLD}')",
        f"insert into t values ('canary-3', 'canary-value', '{NEW}')",
    )
    configure(source, "t")
    label, said = f"{source.name}.t", list[str]()

    def archive(*arguments: str, code: int = 0, **env: str) -> None:
        done = source.archive(*arguments, code=code, env=env)
        said.append(done.out + done.err)

    execute = ("run", "--execute", "--as-of", AS_OF)
    archive("hold", "add", label, "--keys", "canary-2", "--reason", "x")
    archive(*execute)
    archive(*execute, code=1, **without_a_password(source))
    source.mysql("insert into t values ('canary-1', 'canary-other', now())")
    archive("restore", label, "--keys", "canary-1", "--keys", "canary-9", "--into", label, code=1)
    archive("restore", label, "--keys", "canary-1,canary-2", "--into", label, code=2)
    archive("drill")
    destroy(source, keys(source, "rows/")[0])
    for arguments in (("verify", "--all"), ("drill",), ("restore", label, "--keys", "canary-1", "--into", label)):
        archive(*arguments, code=1)
    said += [json.dumps(message) for message in queue.received()]
    said += [path.read_text() for path in (source.folder / "home" / "logs").iterdir()]
    landing = urlsplit(source.env["LANDING_URL"]).path.strip("/")
    pages = source.s3.get_paginator("list_objects_v2").paginate(Bucket="el-landing", Prefix=f"{landing}/_")
    found = [item["Key"] for page in pages for item in page.get("Contents", [])]
    said += [source.s3.get_object(Bucket="el-landing", Key=key)["Body"].read().decode() for key in found]
    assert len(found) > 15
    assert any("_alerts" in key for key in found)
    secrets = ["wrong-secret", source.env[f"ARCHIVE__{source.name.upper()}__CREDENTIALS"].split(":")[2].split("@")[0]]
    for text in said:
        for secret in ("canary", *secrets):
            assert secret not in text, text

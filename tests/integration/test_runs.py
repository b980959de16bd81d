"""What a run leaves behind: a record and a log on S3, for anybody, cheap to list, true also when it was killed."""

from __future__ import annotations

import json
import socket
from collections import Counter
from typing import Any

import pytest

from el import __version__
from tests.conftest import Source
from tests.mysql_sql import numbers
from tests.proxy import Gate, s3_proxy

CURSOR = (
    "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6), key (updated_at)"
)


@pytest.fixture
def table(source: Source) -> Source:
    """A table in a landing of its own: the runs of other tests are not among its runs."""
    source.env["LANDING_URL"] = f"s3://el-landing/{source.name}"
    source.mysql(
        f"create table t (id int primary key, v int, {CURSOR})",
        f"insert into t (id, v) select seq, 0 from {numbers(100)} n",
    )
    source.configure({"t": {}})
    return source


def is_commit(method: str, path: str) -> bool:
    return method == "PUT" and "/_commits/" in path


def test_a_run_leaves_a_record_and_its_log(table: Source) -> None:
    done = table.el("run", f"{table.name}.t", "--json")
    record = table.beside(f"_runs/{done.json['run']}.json")
    commit = table.commit("t", 1)
    assert record["format"] == 2
    assert (record["state"], record["exit_code"], record["error"]) == ("done", 0, None)
    assert (record["command"], record["line"]) == ("run", f"el run {table.name}.t")
    assert (record["trigger"], record["el_version"], record["host"]) == ("schedule", __version__, socket.gethostname())
    assert record["started"] <= record["ended"]
    (entry,) = record["tables"]
    assert (entry["extract"], entry["load"], entry["extracted"], entry["loaded"]) == ("done", "done", 100, 100)
    assert (entry["extract_commits"], entry["load_commits"]) == (1, 1)
    assert entry["bytes"] == sum(file["size"] for file in commit["files"])
    assert (entry["lo"], entry["next_lo"]) == (commit["window"]["lo"], commit["window"]["next_lo"])
    log = table.el("logs", done.json["run"]).out
    assert f"extract {table.name}.t: done" in log
    assert "done, exit code 0" in log
    assert log == table.el("logs").out, "without a name: the newest"
    shown = table.el("runs", "show", done.json["run"]).out
    assert f"{done.json['run']}: done, exit code 0" in shown
    assert table.el("runs", "show", done.json["run"], "--json").json == record
    (listed,) = table.el("runs", "--json").json
    assert listed == record
    assert done.json["run"] in table.el("runs").out


def test_by_hand_or_on_schedule_is_the_same_command_and_the_record_says_which(table: Source) -> None:
    for trigger in ("hand", "schedule"):
        name = table.el("extract", "--json", env={"EL_TRIGGER": trigger}).json["run"]
        assert table.beside(f"_runs/{name}.json")["trigger"] == trigger
    assert "It must be hand or schedule" in table.el("extract", code=2, env={"EL_TRIGGER": "cron"}).err


def test_a_run_is_seen_while_it_goes_on_and_as_died_when_it_was_killed(table: Source) -> None:
    gate = Gate(is_commit)
    with s3_proxy(table.env["AWS_ENDPOINT_URL"], gate) as endpoint:
        process = table.start("run", env={"AWS_ENDPOINT_URL": endpoint})
        gate.wait()
        (record,) = table.el("runs", "--json").json
        assert (record["state"], record["ended"]) == ("running", None)
        (elsewhere,) = table.el("runs", "--json", env=table.host("two")).json
        assert elsewhere["state"] == "running"
        process.kill()
        process.wait()
        gate.open()
    assert table.el("runs", "--json").json[0]["state"] == "died"
    assert table.el("runs", "show", record["run"], "--json").json["state"] == "died"
    assert [r["run"] for r in table.el("runs", "--failed", "--json").json] == [record["run"]]
    assert "run" in table.el("logs", record["run"]).out, "its log is on its host"
    done = table.el("logs", record["run"], code=2, env=table.host("two"))
    assert "that of a run that was killed is on its host only" in done.err


def test_what_another_host_left_running_is_dead_when_nothing_was_heard_of_it_for_three_minutes(
    table: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Three minutes are not waited for: what counts as long ago is what is changed here.
    from el import runs
    from el.landing import Landing
    from el.settings import LandingPlace

    record = {"format": 1, "run": "20260101T000000Z-run-abcdef", "state": "running", "line": "el run", "tables": []}
    key = f"{table.name}/_runs/{record['run']}.json"
    table.s3.put_object(Bucket="el-landing", Key=key, Body=json.dumps(record).encode())
    monkeypatch.setenv("EL_HOME", str(table.folder / "elsewhere"))
    landing = Landing(LandingPlace("el-landing", table.name))
    assert runs.record(landing, record["run"])["state"] == "running"
    monkeypatch.setattr(runs, "_DEAD", -1)
    assert runs.record(landing, record["run"])["state"] == "died"
    table.s3.delete_object(Bucket="el-landing", Key=key)


def test_a_failed_run_has_its_error_and_the_other_tables_in_its_record(table: Source) -> None:
    table.mysql(
        f"create table u (id int primary key, big mediumtext, {CURSOR})",
        "insert into u (id, big) values (1, repeat('canary', 20000))",
    )
    table.configure({"t": {}, "u": {}})
    failed = table.el("run", code=1)
    table.el("run", f"{table.name}.t")
    (record,) = table.el("runs", "--failed", "--json").json
    assert (record["state"], record["exit_code"]) == ("failed", 1)
    states = {entry["table"].partition(".")[2]: entry["extract"] for entry in record["tables"]}
    assert states == {"t": "done", "u": "failed"}
    assert record["error"] in failed.err
    assert "column big: 1 of 1 rows read hold more than" in record["error"]
    (status,) = table.el("status", f"{table.name}.u", "--json").json
    assert status["last_error"]["run"] == record["run"]
    assert status["last_error"]["over"] is None
    assert "column big: 1 of 1 rows" in status["last_error"]["text"]
    assert f"problem: {table.name}.u: extract failed since" in table.el("status").out
    table.configure({"t": {}, "u": {"exclude": ["big"]}})
    table.el("run")
    (status,) = table.el("status", f"{table.name}.u", "--json").json
    assert status["last_error"]["over"]
    assert "problem: " not in table.el("status").out


@pytest.mark.long
def test_twenty_runs_are_shown_without_reading_a_thousand(table: Source) -> None:
    names = [
        f"2025{month:02}01T{hour:02}{minute:02}00Z-run-abcdef"
        for month in (1, 2)
        for hour in range(10)
        for minute in range(60)
    ]
    record = {"format": 1, "command": "run", "line": "el run", "trigger": "schedule", "el_version": "0", "host": "h"}
    record |= {"state": "done", "exit_code": 0, "error": None, "seconds": 1, "warnings": [], "tables": []}
    for name in names:
        body = json.dumps(record | {"run": name}).encode()
        table.s3.put_object(Bucket="el-landing", Key=f"{table.name}/_runs/{name}.json", Body=body)
    newest = table.el("run", "--json").json["run"]
    asked: Counter[str] = Counter()

    def before(method: str, path: str) -> int | None:
        asked["record" if ".json" in path else "list"] += 1
        return None

    try:
        with s3_proxy(table.env["AWS_ENDPOINT_URL"], before) as endpoint:
            found = table.el("runs", "--json", env={"AWS_ENDPOINT_URL": endpoint}).json
        assert [entry["run"] for entry in found] == [newest, *reversed(names[-19:])]
        assert asked["record"] == 20
        assert asked["list"] < 10
    finally:
        for name in names:
            table.s3.delete_object(Bucket="el-landing", Key=f"{table.name}/_runs/{name}.json")


@pytest.mark.long
def test_a_run_that_cannot_reach_s3_ends_properly_and_says_that_its_record_is_here_only(table: Source) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    done = table.el("run", "--json", code=1, env={"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"})
    assert any("the record of this run is on this host only" in warning for warning in done.json["warnings"])
    kept = json.loads((table.folder / "home" / "logs" / f"{done.json['run']}.json").read_text())
    assert (kept["state"], kept["exit_code"]) == ("failed", 1)
    assert table.el("runs", "--json").json == []
    assert "S3 cannot be reached" in table.el("logs", done.json["run"]).out


def test_a_run_whose_log_is_refused_says_so_and_keeps_its_own_result(table: Source) -> None:
    def before(method: str, path: str) -> int | None:
        return 403 if method == "PUT" and "/_runs/" in path else None

    with s3_proxy(table.env["AWS_ENDPOINT_URL"], before) as endpoint:
        done = table.el("run", "--json", env={"AWS_ENDPOINT_URL": endpoint})
    assert done.table("t")["loaded"] == 100
    assert any("on this host only" in warning for warning in done.json["warnings"])


def test_a_scheduled_run_that_could_not_be_started_has_a_record_and_one_by_hand_has_none(table: Source) -> None:
    table.el("run", "nosuch", code=2, env={"EL_TRIGGER": "hand"})
    assert table.el("runs", "--json").json == []
    table.el("run", "nosuch", code=2, env={"EL_TRIGGER": "schedule"})
    (record,) = table.el("runs", "--json").json
    assert (record["state"], record["exit_code"], record["tables"]) == ("failed", 2, [])
    assert "nosuch: no such source or table" in record["error"]


def test_a_selector_that_is_no_name_is_not_in_the_record(table: Source) -> None:
    """Somebody typed a URL with a password where a table belongs."""
    done = table.el("run", "mysql://el:hunter2@db/x", code=2)
    (record,) = table.el("runs", "--json").json
    assert record["line"] == "el run …"
    assert "hunter2" not in json.dumps(record) + table.el("logs").out + done.err


def test_unknown_runs_are_wrong_usage(table: Source) -> None:
    assert "no such run" in table.el("runs", "show", "nosuch", code=2).err
    assert "no log of such a run" in table.el("logs", "../../etc/passwd", code=2).err
    assert "there is no run yet" in table.el("logs", code=2).err


def test_the_lag_of_an_idle_table_is_that_of_the_last_look(table: Source) -> None:
    def lag(**env: str) -> dict[str, Any]:
        return dict(table.el("status", "--json", env=env).json[0])

    assert lag()["lag"] is None
    table.el("run")
    key = f"{table.name}/_leases/{table.name}/t/extract.json"

    def looked(moment: str) -> None:
        lease = table.beside(f"_leases/{table.name}/t/extract.json")
        lease["last"]["began"] = moment
        table.s3.put_object(Bucket="el-landing", Key=key, Body=json.dumps(lease).encode())

    looked("2020-01-01T00:00:00+00:00")
    assert lag()["lag"] > 86400 * 365
    table.el("extract")  # nothing new: no commit, and yet it was looked
    assert table.commits("t") == [1]
    assert lag()["lag"] < 86400
    assert lag()["pending"] == 0
    table.mysql("update t set v = 1")
    table.el("extract")
    assert lag()["pending"] == 1
    assert lag(DESTINATION__REDSHIFT__CREDENTIALS__HOST="")["pending"] is None

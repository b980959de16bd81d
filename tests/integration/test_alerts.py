"""People are told: once per problem, once when it is over, on every channel, whichever host saw it, never a value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import Source
from tests.proxy import s3_proxy
from tests.receivers import Hook, Queue

CURSOR = (
    "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6), key (updated_at)"
)
TOO_LONG = "update t set v = repeat('canary-value', 9000) where id = 1"


@pytest.fixture
def table(source: Source, queue: Queue, web: Hook) -> Source:
    source.env |= {
        "LANDING_URL": f"s3://el-landing/{source.name}",
        "EL_ALERTS_SNS_TOPIC": queue.topic,
        "EL_ALERTS_APPRISE": web.url,
    }
    source.mysql(
        f"create table t (id int primary key, v mediumtext, {CURSOR})",
        f"create table u (id int primary key, v mediumtext, {CURSOR})",
        "insert into t (id, v) values (1, 'canary-value')",
        "insert into u (id, v) values (1, 'canary-value')",
    )
    source.configure({"t": {}, "u": {}})
    return source


def titles(receiver: Queue | Hook) -> list[str]:
    return [message.get("Subject") or message["title"] for message in receiver.received()]


def problems(source: Source) -> dict[str, Any]:
    """The problems that are written down; none before there was one."""
    if f"{source.name}/_alerts/{source.name}.json" not in keys(source):
        return {}
    return dict(source.beside(f"_alerts/{source.name}.json")["problems"])


def keys(source: Source) -> list[str]:
    found = source.s3.list_objects_v2(Bucket="el-landing", Prefix=f"{source.name}/_alerts/")
    return [item["Key"] for item in found.get("Contents", [])]


def test_a_failure_is_told_once_and_once_when_it_is_over(table: Source, queue: Queue, web: Hook) -> None:
    table.el("run")
    assert (queue.received(), web.received()) == ([], [])
    table.mysql(TOO_LONG)
    name = table.el("run", "--json", code=1).json["run"]
    (mail,), (post,) = queue.received(), web.received()
    assert mail["Subject"] == post["title"] == f"el: {table.name}.t: extract failed"
    assert mail["Message"] == post["message"]
    assert "column v: 1 of 1 rows read hold more than the 65,535 bytes" in mail["Message"]
    assert f"el runs show {name}" in mail["Message"]
    assert "canary-value" not in json.dumps([mail, post])
    table.el("run", code=1)
    table.el("run", code=1, env=table.host("two"))
    assert (queue.received(), web.received()) == ([], []), "another host, the same problem"
    table.mysql("update t set v = 'short' where id = 1")
    table.el("run")
    (mail,), (post,) = queue.received(), web.received()
    assert mail["Subject"] == post["title"] == f"el: {table.name}.t: extract failed: over"
    table.el("run")
    assert (queue.received(), web.received()) == ([], [])
    table.mysql(TOO_LONG)
    table.el("run", code=1)
    assert titles(queue) == titles(web) == [f"el: {table.name}.t: extract failed"], "it came again: a new problem"


@pytest.mark.long
def test_what_hits_many_tables_is_one_alert(table: Source, queue: Queue) -> None:
    wrong = {f"SOURCES__{table.name.upper()}__CREDENTIALS": f"mysql://el:wrong-secret@127.0.0.1:1/{table.name}"}
    table.el("extract", code=1, env=wrong)
    (mail,) = queue.received()
    assert mail["Subject"] == "el: 2 new problems"
    assert f"{table.name}.t: extract failed" in mail["Message"]
    assert f"{table.name}.u: extract failed" in mail["Message"]
    assert "wrong-secret" not in json.dumps(mail)
    table.el("extract")
    assert titles(queue) == ["el: 2 over"]


@pytest.mark.long
def test_the_end_of_a_failed_extract_is_not_told_by_a_load(table: Source, queue: Queue) -> None:
    table.el("run")
    table.mysql(TOO_LONG)
    table.el("extract", code=1)
    table.el("load")
    assert titles(queue) == [f"el: {table.name}.t: extract failed"]
    assert problems(table)[f"{table.name}.t/extract"]["over"] is None


@pytest.mark.long
def test_values_that_could_not_be_carried_are_told_until_a_whole_copy_has_none(table: Source, queue: Queue) -> None:
    table.mysql(
        "set session sql_mode = ''",
        "alter table t add column d date, add column e date",
        "insert into t (id, d) values (2, '0000-00-00')",
    )
    table.el("run")
    (mail,) = queue.received()
    assert mail["Subject"] == f"el: {table.name}.t, column d: values could not be carried"
    assert "1 zero dates in one run" in mail["Message"]
    table.mysql("insert into t (id, d) values (3, '0000-00-00')")
    table.el("run")
    assert queue.received() == [], "the same column again"
    table.mysql("set session sql_mode = ''", "insert into t (id, e) values (4, '0000-00-00')")
    table.el("run")
    assert titles(queue) == [f"el: {table.name}.t, column e: values could not be carried"]
    table.mysql("update t set d = null, e = null where id > 1")
    table.el("run")
    assert queue.received() == [], "rows that changed say nothing of the others"
    table.el("run", "--full", f"{table.name}.t")
    (mail,) = queue.received()
    assert mail["Subject"] == "el: 2 over"


def test_json_that_redshift_cannot_parse_is_told(table: Source, queue: Queue) -> None:
    table.mysql("alter table t add column j json")
    table.mysql("""insert into t (id, j) values (2, '"\\\\u0000"')""")
    table.el("run")
    assert titles(queue) == [f"el: {table.name}.t, column j: JSON could not be parsed"]


def test_a_change_of_columns_is_told_once_although_the_run_that_saw_it_failed(table: Source, queue: Queue) -> None:
    table.el("run")
    table.mysql("alter table t add column w int, add column s varchar(10)", TOO_LONG)
    for _ in range(2):
        table.el("run", code=1)
    (mail,) = queue.received()
    assert mail["Subject"] == "el: 2 new problems"
    assert f"{table.name}.t: columns changed: new columns s, w since commit 1\n" in mail["Message"]
    assert f"{table.name}.t: extract failed" in mail["Message"]
    table.mysql("update t set v = 'short' where id = 1")
    assert table.el("run", "--json").table("t")["drift"] == "new columns s, w since commit 1"
    assert titles(queue) == [f"el: {table.name}.t: extract failed: over"], "what has happened is never over"
    assert table.el("run", "--json").table("t")["drift"] is None
    table.mysql(
        "alter table t drop column w, modify s varchar(20)",
        "alter table u drop primary key, add primary key (id, updated_at)",
    )
    table.el("extract", "--full")
    (mail,) = queue.received()
    facts = "w no longer read (kept in Redshift; NULL in rows copied now); s is VARCHAR(80) and was VARCHAR(40)"
    assert f"{table.name}.t: columns changed: {facts} since commit 2\n" in mail["Message"]
    assert "the primary key is id, updated_at and was id since commit 1" in mail["Message"]
    assert not any(one["kind"] == "drift" for entry in table.el("status", "--json").json for one in entry["problems"])


@pytest.mark.long
def test_changes_of_columns_that_a_channel_did_not_take_are_told_later_each_of_them(table: Source, web: Hook) -> None:
    table.env["EL_ALERTS_SNS_TOPIC"] = ""
    table.configure({"t": {}, "u": {"mode": "replace"}})
    table.el("run")
    web.status = 500
    for column in ("a", "b"):
        table.mysql(f"alter table u add column {column} int")
        assert f"new columns {column} since commit" in table.el("run").out
    web.status = 200
    table.el("run")
    (post,) = web.received()
    assert f"{table.name}.u: columns changed: new columns a since commit 1\n" in post["message"]
    assert f"{table.name}.u: columns changed: new columns b since commit 2\n" in post["message"]


def test_a_channel_that_fails_is_said_and_told_at_the_next_run_and_hides_nothing(
    table: Source, queue: Queue, web: Hook
) -> None:
    table.mysql(TOO_LONG)
    web.status = 500
    done = table.el("run", "--json", code=1)
    assert "an alert could not be sent to json 1: it was not taken" in done.json["warnings"][0]
    assert done.table("u")["loaded"] == 1
    assert len(queue.received()) == 1
    record = table.beside(f"_runs/{done.json['run']}.json")
    assert record["warnings"] == done.json["warnings"]
    assert "hook-secret" not in json.dumps(record) + done.out + done.err
    web.status = 200
    table.el("run", code=1)
    assert titles(web) == [f"el: {table.name}.t: extract failed"]
    assert queue.received() == [], "it knows already"


def test_a_good_run_stays_good_when_its_alert_cannot_be_sent(table: Source, web: Hook) -> None:
    table.mysql("set session sql_mode = ''", "alter table t add column d date", "update t set d = '0000-00-00'")
    web.status = 500
    done = table.el("run", "--json", env={"EL_ALERTS_SNS_TOPIC": "arn:aws:sns:us-east-1:123456789012:nosuch"})
    assert [warning.partition(": ")[0] for warning in done.json["warnings"]] == [
        "an alert could not be sent to json 1",
        "an alert could not be sent to sns",
    ]


@pytest.mark.long
def test_a_process_that_was_killed_while_it_told_is_followed_by_one_that_tells(table: Source, queue: Queue) -> None:
    """It had said that it tells, five minutes ago (the clock of the entry is set back)."""
    table.mysql(TOO_LONG)
    table.el("extract", code=1, env={"EL_ALERTS_SNS_TOPIC": "", "EL_ALERTS_APPRISE": ""})
    key = f"{table.name}/_alerts/{table.name}.json"
    content = table.beside(f"_alerts/{table.name}.json")
    entry = content["problems"][f"{table.name}.t/extract"]
    assert entry["told"] == []

    def telling(moment: str) -> None:
        entry["telling"] = moment
        table.s3.put_object(Bucket="el-landing", Key=key, Body=json.dumps(content).encode())

    telling("2999-01-01T00:00:00+00:00")
    table.el("extract", code=1)
    assert queue.received() == []
    telling("2020-01-01T00:00:00+00:00")
    table.el("extract", code=1)
    assert titles(queue) == [f"el: {table.name}.t: extract failed"]


@pytest.mark.long
def test_two_hosts_that_write_problems_at_once_lose_none(table: Source, queue: Queue) -> None:
    """The one is held up between reading the problems and writing them, while the other writes his."""
    table.mysql(TOO_LONG, "update u set v = repeat('canary-value', 9000)")
    others: list[int] = []

    def before(method: str, path: str) -> int | None:
        if method == "PUT" and "/_alerts/t_" in path and not others:
            others.append(table.el("extract", f"{table.name}.u", code=1, env=table.host("two")).code)
        return None

    with s3_proxy(table.env["AWS_ENDPOINT_URL"], before) as endpoint:
        table.el("extract", f"{table.name}.t", code=1, env={"AWS_ENDPOINT_URL": endpoint})
    assert others == [1]
    assert set(problems(table)) == {f"{table.name}.t/extract", f"{table.name}.u/extract"}
    assert sorted(titles(queue)) == [f"el: {table.name}.{name}: extract failed" for name in ("t", "u")]


@pytest.mark.long
def test_when_s3_is_away_it_is_told_at_every_run_and_said(table: Source, web: Hook) -> None:
    def before(method: str, path: str) -> int | None:
        return 500

    with s3_proxy(table.env["AWS_ENDPOINT_URL"], before) as endpoint:
        away = {"AWS_ENDPOINT_URL": endpoint, "EL_ALERTS_SNS_TOPIC": ""}
        done = table.el("run", "--json", code=1, env=away)
    assert any("alerts are sent at each run until this is mended" in warning for warning in done.json["warnings"])
    (post,) = web.received()
    assert "S3 answered" in post["message"]


def test_a_table_that_is_behind_is_told_although_no_run_happens(table: Source, queue: Queue) -> None:
    table.configure({"t": {"max_lag": "26 hours"}, "u": {}})
    table.el("run")
    assert table.el("status", "--alert").code == 0
    key = f"{table.name}/_leases/{table.name}/t/extract.json"
    lease = table.beside(f"_leases/{table.name}/t/extract.json")
    lease["last"]["began"] = "2020-01-01T00:00:00+00:00"
    table.s3.put_object(Bucket="el-landing", Key=key, Body=json.dumps(lease).encode())
    assert "late" in table.el("status").out
    assert queue.received() == []
    for _ in range(2):
        table.el("status", "--alert", code=1)
    (mail,) = queue.received()
    assert mail["Subject"] == f"el: {table.name}.t: is behind"
    assert "max_lag is 26 h" in mail["Message"]
    table.el("run")
    assert titles(queue) == [f"el: {table.name}.t: is behind: over"]


def test_a_run_tells_that_a_table_is_behind_and_extract_alone_cannot_say_that_it_is_over(
    table: Source, queue: Queue
) -> None:
    table.configure({"t": {"max_lag": "1 s"}, "u": {}}, max_lag="26 hours")
    table.el("extract")
    assert titles(queue) in ([], [f"el: {table.name}.t: is behind"])  # a second may be over by then, or not
    table.el("load")
    before = problems(table).get(f"{table.name}.t/lag")
    assert before is None or before["over"] is None
    assert table.el("status", "--alert", code=1).out.count("late") == 1
    assert problems(table)[f"{table.name}.t/lag"]["over"] is None
    table.configure({"t": {"max_lag": "26 hours"}, "u": {}})
    table.el("extract")
    assert problems(table)[f"{table.name}.t/lag"]["over"] is None
    table.el("load")
    assert problems(table)[f"{table.name}.t/lag"]["over"]


def test_alert_without_a_limit_is_wrong_usage(table: Source) -> None:
    assert "none of these tables has a max_lag" in table.el("status", "--alert", code=2).err


def test_what_keeps_a_scheduled_run_from_starting_is_told_and_a_typo_by_hand_is_not(
    table: Source, queue: Queue
) -> None:
    table.el("run", "nosuch", code=2, env={"EL_TRIGGER": "hand"})
    assert queue.received() == []
    for _ in range(2):
        table.el("run", "nosuch", code=2)
    assert titles(queue) == ["el: el run: could not be started"]
    table.el("run")
    assert titles(queue) == ["el: el run: could not be started: over"]


def test_notify_test_says_which_channel_works(table: Source, queue: Queue, web: Hook) -> None:
    assert table.el("notify", "test").out.splitlines()[1:] == ["sns      sent", "json 1   sent"]
    assert titles(queue) == titles(web) == ["el: test"]
    more = {"EL_ALERTS_APPRISE": f"{web.url} slack://not-a-token json://hook:hook-secret@127.0.0.1:1/ %%%"}
    done = table.el("notify", "test", "--json", code=1, env=more)
    errors = {entry["channel"]: entry["error"] for entry in done.json["channels"]}
    assert list(errors) == ["sns", "json 1", "slack 2", "json 3", "apprise 4"]
    assert errors["sns"] is None
    assert errors["json 1"] is None
    assert "does not understand this URL" in errors["slack 2"]
    assert "not taken" in errors["json 3"]
    assert "hook-secret" not in done.out + done.err
    assert "not-a-token" not in done.out + done.err
    nowhere = {"EL_ALERTS_SNS_TOPIC": "", "EL_ALERTS_APPRISE": ""}
    assert "no alert goes anywhere" in table.el("notify", "test", code=2, env=nowhere).err
    assert "must be the ARN" in table.el("notify", "test", code=2, env={"EL_ALERTS_SNS_TOPIC": "topic"}).err

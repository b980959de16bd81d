"""Two runs at one table: one works, the other says who does. A lease that was lost or left behind is taken over."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.compare import assert_equal
from tests.conftest import Source
from tests.mysql_sql import numbers
from tests.proxy import Gate, s3_proxy

CURSOR = (
    "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6), key (updated_at)"
)


@pytest.fixture
def table(source: Source) -> Source:
    source.mysql(
        f"create table t (id int primary key, v int, {CURSOR})",
        f"insert into t (id, v) select seq, 0 from {numbers(100)} n",
    )
    source.configure({"t": {}})
    source.env["EL_LEASE_SECONDS"] = "40"  # renewed every ten seconds, also on a machine that does much else
    return source


@pytest.fixture
def short(table: Source) -> Source:
    """The table, with leases that run out while one waits for it."""
    table.env["EL_LEASE_SECONDS"] = "4"
    return table


def is_commit(method: str, path: str) -> bool:
    return method == "PUT" and "/_commits/" in path


def is_manifest(method: str, path: str) -> bool:
    return method == "PUT" and "/_manifests/" in path


@contextmanager
def at_work(source: Source, command: str, **env: str) -> Iterator[tuple[Any, Gate]]:
    """A run on host ``one`` that stands still just before it writes; it goes on when the gate is opened."""
    gate = Gate(is_manifest if command == "load" else is_commit)
    with s3_proxy(source.env["AWS_ENDPOINT_URL"], gate) as endpoint:
        process = source.start(command, env=source.host("one") | env | {"AWS_ENDPOINT_URL": endpoint})
        try:
            gate.wait()
            yield process, gate
        finally:
            gate.open()


def lease(source: Source, job: str) -> dict[str, Any]:
    return source.beside(f"_leases/{source.name}/t/{job}.json")


@pytest.mark.parametrize("job", ["extract", "load"])
def test_a_table_that_another_host_works_on_is_left_to_it_and_said(table: Source, job: str) -> None:
    if job == "load":
        table.el("extract")
    with at_work(table, job) as (worker, gate):
        done = table.el(job, "--json", env=table.host("two"))
        assert done.table("t")[job] == "skipped"
        (note,) = done.table("t")["warnings"]
        held = lease(table, job)
        assert note.startswith(f"run {held['run']} on {held['host']} works on it since {held['since']}")
        assert held["state"] == "held"
        (shown,) = table.el("status", "--json").json[0]["at_work"]
        assert (shown["job"], shown["run"]) == (job, held["run"])
        assert table.el("status").out.count("at work: ") == 1
        gate.open()
        assert worker.wait(60) == 0
    assert lease(table, job)["state"] == "free"
    assert table.el("status", "--json").json[0]["at_work"] == []
    table.el("run")
    assert_equal(table, "t")


def test_on_the_same_disk_it_is_said_without_waiting_for_a_sign(table: Source) -> None:
    with at_work(table, "extract", EL_LEASE_SECONDS="3600"):  # the next sign would come in a quarter of an hour
        done = table.el("extract", "--json", env=table.host("one"))
    assert done.table("t")["extract"] == "skipped"


@pytest.mark.parametrize("option", [("--full",), ("--from", "2020-01-01")])
def test_what_the_other_run_does_not_do_is_a_failure(table: Source, option: tuple[str, ...]) -> None:
    with at_work(table, "extract"):
        done = table.el("extract", *option, code=1, env=table.host("two"))
    assert f"It does not do what {option[0]}" in done.err


def test_extract_and_load_of_a_table_go_on_side_by_side(table: Source) -> None:
    table.el("extract")
    table.mysql("update t set v = 1 where id = 7")
    with at_work(table, "extract"):
        assert table.el("load", "--json", env=table.host("two")).table("t")["load"] == "done"
    table.el("run")
    assert_equal(table, "t")


@pytest.mark.parametrize("job", ["extract", "load"])
def test_the_lease_of_a_run_that_was_killed_is_taken_over_when_it_has_run_out(short: Source, job: str) -> None:
    if job == "load":
        short.el("extract")
    with at_work(short, job) as (worker, _):
        worker.kill()
        worker.wait()
        died = lease(short, job)
        assert died["state"] == "held"
        done = short.el("run", "--json", env=short.host("two"))
    assert f"run {died['run']} on {died['host']} has died; its lease was taken over" in done.table("t")["warnings"]
    assert lease(short, job)["state"] == "free"
    assert_equal(short, "t")


def test_on_the_same_disk_the_lease_of_a_run_that_was_killed_is_taken_over_at_once(table: Source) -> None:
    with at_work(table, "extract", EL_LEASE_SECONDS="3600") as (worker, _):
        worker.kill()
        worker.wait()
        table.el("run", env=table.host("one"))
    assert_equal(table, "t")


def test_on_the_same_disk_a_lease_that_s3_did_not_take_back_keeps_nobody_away(table: Source) -> None:
    table.env["EL_LEASE_SECONDS"] = "3600"
    written: list[str] = []

    def away(method: str, path: str) -> int | None:
        if method == "PUT" and "/_leases/" in path:
            written.append(path)
        return 503 if len(written) > 1 else None

    with s3_proxy(table.env["AWS_ENDPOINT_URL"], away) as endpoint:
        table.el("extract", env={"AWS_ENDPOINT_URL": endpoint}, code=None)
    assert lease(table, "extract")["state"] == "held"
    assert [one["at_work"] for one in table.el("status", "--json").json] == [[]]
    table.el("run")
    assert_equal(table, "t")


def test_a_host_that_slept_finds_its_lease_taken_over_and_nothing_counts_twice(short: Source) -> None:
    with at_work(short, "extract") as (sleeper, gate):
        sleeper.send_signal(signal.SIGSTOP)
        done = short.el("extract", "--json", env=short.host("two"))
        assert done.table("t")["extract"] == "done"
        sleeper.send_signal(signal.SIGCONT)
        gate.open()
        assert sleeper.wait(60) == 0
    assert short.commits("t") == [1]
    short.el("load")
    assert_equal(short, "t")


def test_a_lease_that_is_lost_stops_the_work_at_the_next_part(short: Source) -> None:
    """As above, but awake: the lease is another's when it is to be renewed."""
    short.mysql(f"insert into t (id, v) select seq, 0 from {numbers(9000, first=101)} n")
    gate = Gate(is_commit)
    small = "from el import cli, parts\nfrom el.mysql import chunks\n" + (
        "parts._ROWS_PER_PART, chunks.MAX_CHUNK_ROWS, chunks._MIN_CHUNK_ROWS = 1000, 500, 500\ncli.main()"
    )
    with s3_proxy(short.env["AWS_ENDPOINT_URL"], gate) as endpoint:
        worker = short.start("extract", env={"AWS_ENDPOINT_URL": endpoint}, program=("-c", small))
        gate.wait()
        taken = lease(short, "extract") | {"run": "20990101T000000Z-run-other1", "seconds": 3600, "renewed": 0}
        key = f"landing/_leases/{short.name}/t/extract.json"
        short.s3.put_object(Bucket="el-landing", Key=key, Body=str(taken).replace("'", '"').replace("None", "null"))
        log = next((short.folder / "home" / "logs").glob("*.log"))
        deadline = time.monotonic() + 60
        while "its lease ran out" not in log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        gate.open()
        out, err = worker.communicate(timeout=60)
    assert worker.returncode == 0, err
    assert "run 20990101T000000Z-run-other1 on" in out
    assert "skipped" in out
    commits = [short.commit("t", seq) for seq in short.commits("t")]
    assert not any(commit["reading"]["done"] for commit in commits)
    assert lease(short, "extract")["run"] == "20990101T000000Z-run-other1", "what is another's is not given back"


def test_leases_are_never_deleted_and_say_when_a_table_was_looked_at_last(table: Source) -> None:
    table.el("run")
    table.el("run")
    versions = table.s3.list_object_versions(Bucket="el-landing", Prefix=f"landing/_leases/{table.name}/")
    assert "DeleteMarkers" not in versions
    assert set({v["Key"] for v in versions["Versions"]}) == {
        f"landing/_leases/{table.name}/t/{job}.json" for job in ("extract", "load")
    }
    (status,) = table.el("status", "--json").json
    assert status["looked_at"] == lease(table, "extract")["last"]["began"]


def test_a_lease_of_another_version_stops_the_table_by_name(table: Source) -> None:
    table.el("extract")
    key = f"landing/_leases/{table.name}/t/extract.json"
    body = table.s3.get_object(Bucket="el-landing", Key=key)["Body"].read()
    table.s3.put_object(Bucket="el-landing", Key=key, Body=body.replace(b'"format": 1', b'"format": 99'))
    done = table.el("extract", code=1)
    assert "has format 99 and this el knows format 1" in done.err

"""``el-archive run`` is killed with SIGKILL at every request to S3 and around every COMMIT, and run again.

At each instant a row is in MySQL or in an object that the journal calls verified; when it has run again, every old row
is deleted once by the journal, with the values it had, and the new one is where it was.
"""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest

from el.archive import journal, objects
from el.archive.journal import Journal
from el.archive.objects import Manifest
from tests.archive.made import table_archive
from tests.archive.test_run import AS_OF, archived, configure, live, make, one, run, wait_for
from tests.conftest import Source
from tests.proxy import s3_proxy
from tests.tcp_proxy import tcp_proxy

ROWS = {(number, f"v{number}") for number in range(1, 11)}
ARGUMENTS = ("run", "--execute", "--as-of", AS_OF, "--json", "--chunk-rows", "6")
#: The moments are shared among so many tests, which run side by side.
PARTS = 8


@pytest.fixture
def table(source: Source) -> Source:
    make(source, 10)
    configure(source, "t")
    return source


def start(source: Source, env: dict[str, str]) -> Any:
    return source.start(*ARGUMENTS, env=env, program=("-m", "el.archive.cli"))


def copies(source: Source) -> set[tuple[Any, ...]]:
    """The rows in objects that the journal calls verified, each read back."""
    place = table_archive(source, "t")
    found: set[tuple[Any, ...]] = set()
    for state in journal.chunks(Journal(place, "").records()).values():
        if state.state in ("verified", "deleting", "done"):
            assert state.object and state.manifest
            manifest = Manifest.from_json(place.get(state.manifest.key, state.manifest.version), "")
            proven = objects.read_back(place, state.object, manifest.archived, state.rows, state.rows_sha256)
            found |= {tuple(row.values())[:2] for row in proven.table.to_pylist()}
    return found


def keys_for_redshift(source: Source) -> list[int]:
    """The keys in the objects that load reads; a chunk whose key was renamed has them under the name of its time."""
    place = table_archive(source, "t")
    told = [one.keys for one in journal.chunks(Journal(place, "").records()).values() if one.keys]
    tables = [objects.table_of(place.get(one.key, one.version)) for one in told]
    return [int(key) for table in tables for key in table.column(0).to_pylist()]


def rows_of(source: Source) -> set[tuple[Any, ...]]:
    source.admin.rollback()
    with source.admin.cursor() as cursor:
        cursor.execute("select id, v from t")
        return set(cursor.fetchall())


def nothing_is_lost(source: Source, moment: str) -> None:
    missing = ROWS - rows_of(source) - copies(source)
    assert not missing, f"{moment}: {missing} are nowhere"


def all_is_done(source: Source, moment: str) -> None:
    run(source, "--chunk-rows", "6")
    assert live(source) == [11], moment
    assert sorted(row[:2] for row in archived(source)) == sorted(ROWS), moment
    assert sorted(keys_for_redshift(source)) == [number for number, _ in sorted(ROWS)], moment
    nothing_is_lost(source, moment)


def again(source: Source) -> None:
    """The table and its archive as they were at first."""
    place = table_archive(source, "t")
    where = {"Bucket": place.place.bucket, "Prefix": place.prefix + "/"}
    for page in source.s3.get_paginator("list_object_versions").paginate(**where):
        for item in page.get("Versions", []):
            one_version = {"Bucket": where["Bucket"], "Key": item["Key"], "VersionId": item["VersionId"]}
            source.s3.delete_object(**one_version, BypassGovernanceRetention=True)
    source.mysql("drop table t")
    make(source, 10)


def requests(source: Source) -> int:
    """How many requests to the archive a run makes that nothing disturbs."""
    seen: list[str] = []
    with s3_proxy(source.env["AWS_ENDPOINT_URL"], lambda method, path: seen.append(f"{method} {path}")) as url:
        process = start(source, {"AWS_ENDPOINT_URL": url})
        assert process.wait(120) == 0, process.communicate()
    return sum("/el-archive/" in each for each in seen)


@pytest.mark.parametrize("part", [pytest.param(part, marks=[pytest.mark.long] * bool(part)) for part in range(PARTS)])
def test_killed_at_any_request_to_s3_nothing_is_lost_and_the_next_run_completes(table: Source, part: int) -> None:
    for moment in range(part, requests(table), PARTS):
        again(table)
        what = killed_at_request(table, moment)
        nothing_is_lost(table, what)
        all_is_done(table, what)


def test_a_commit_that_comes_through_after_the_next_run_is_over_loses_no_row(table: Source) -> None:
    """The run is killed while its COMMIT is on the way, for longer than the next one waits for locks."""
    variable = f"ARCHIVE__{table.name.upper()}__CREDENTIALS"
    url = urlsplit(table.env[variable])
    assert url.port
    killed, go = threading.Event(), threading.Event()

    def before(statement: bytes) -> None:
        if statement[5:].lower().startswith(b"commit") and not killed.is_set():
            process.kill()
            process.wait()
            killed.set()
            go.wait(120)

    with tcp_proxy(url.port, before) as port:
        process = start(table, {variable: table.env[variable].replace(f":{url.port}/", f":{port}/")})
        assert killed.wait(60)
        report = one(run(table))
        assert report["left"]["unsettled"] > 0
        assert report["open"]
        go.set()
        wait_for(lambda: live(table) == [11])
    nothing_is_lost(table, "a late COMMIT")
    all_is_done(table, "a late COMMIT")


def killed_at_request(source: Source, moment: int) -> str:
    """Kill at the request of that number, before S3 sees it or (each second one) when S3 has answered it."""
    seen: list[str] = []
    killed = threading.Event()
    process: Any = None

    def before(method: str, path: str) -> int | None:
        if "/el-archive/" not in path:
            return None
        seen.append(f"{method} {path}")
        # The request behind it may come from the other thread, so the answer to this one may be on its way still.
        if len(seen) == moment + 1 and not killed.is_set():
            killed.set()
            process.send_signal(signal.SIGKILL)
            process.wait()
            return None if moment % 2 else 503  # a dead process's request may arrive all the same
        return 503 if killed.is_set() else None

    with s3_proxy(source.env["AWS_ENDPOINT_URL"], before) as url:
        process = start(source, {"AWS_ENDPOINT_URL": url})
        process.wait(120)
    return f"killed at {seen[moment] if len(seen) > moment else 'no request'}, the number {moment}"


def mysql_at(source: Source, port: int) -> dict[str, str]:
    name = f"ARCHIVE__{source.name.upper()}__CREDENTIALS"
    return {name: re.sub(r":\d+/", f":{port}/", source.env[name])}


def at_statement(source: Source, statement: bytes, number: int, do: Callable[[Any], Any]) -> Any:
    """A run whose so many-th statement that begins so is met by what ``do`` says (``tcp_proxy``); it has ended."""
    seen = 0
    process: Any = None
    port = urlsplit(source.env[f"ARCHIVE__{source.name.upper()}__CREDENTIALS"]).port
    assert port

    def cut(data: bytes) -> Any:
        nonlocal seen
        seen += data[5:].lower().startswith(statement)
        if seen == number and data[5:].lower().startswith(statement):
            return do(process)
        return None

    with tcp_proxy(port, cut) as proxy:
        process = start(source, mysql_at(source, proxy))
        process.outcome = process.communicate(timeout=120)
    assert seen >= number
    return process


@pytest.mark.parametrize("statement", [b"delete from", b"commit"])
@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("number", [1, pytest.param(2, marks=pytest.mark.long)])
def test_killed_around_a_deletion_or_a_commit_the_next_run_completes(
    table: Source, statement: bytes, where: Literal["before", "after"], number: int
) -> None:
    def kill(process: Any) -> Literal["before", "after"]:
        process.kill()
        process.wait()
        return where

    process = at_statement(table, statement, number, kill)
    assert process.returncode == -signal.SIGKILL
    nothing_is_lost(table, f"{where} {statement!r}")
    all_is_done(table, f"{where} {statement!r}")


@pytest.mark.parametrize("change", ["add w int", "modify id bigint not null", "change id other int not null"])
def test_rows_whose_deletion_was_not_recorded_count_as_deleted_also_when_the_table_was_altered_meanwhile(
    table: Source, change: str
) -> None:
    """Killed behind the COMMIT, altered, run again: a restore must find them."""

    # Killed when MySQL has answered: before, the proxy may end with the run, and MySQL never gets the COMMIT.
    at_statement(table, b"commit", 1, lambda process: process.kill)
    assert ROWS - rows_of(table), "it was killed too early"
    table.mysql(f"alter table t {change}")
    run(table)
    assert live(table, column="other" if "other" in change else "id") == [11]
    assert {row[:2] for row in archived(table)} == ROWS
    # Where the key was renamed, rows of the open chunk that are still there count as gone, and are archived once more.
    assert set(keys_for_redshift(table)) == {number for number, _ in ROWS}


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_connection_that_is_lost_at_commit_is_looked_into_and_no_row_counts_twice(
    table: Source, where: Literal["before", "after"]
) -> None:
    process = at_statement(table, b"commit", 1, lambda _: where)
    assert process.returncode == 0, process.outcome
    assert live(table) == [11]
    assert sorted(row[:2] for row in archived(table)) == sorted(ROWS)
    gone = [len(r["gone"]) for r in Journal(table_archive(table, "t"), "").records() if r.get("resumed")]
    assert gone == [1 if where == "after" else 0]


def test_an_object_that_is_lost_before_it_is_read_back_deletes_nothing(table: Source) -> None:
    place = table_archive(table, "t")

    def before(method: str, path: str) -> int | None:
        if method == "GET" and "/rows/" in path:
            key = urlsplit(path).path.removeprefix("/el-archive/")
            version = table.s3.head_object(Bucket="el-archive", Key=key)["VersionId"]
            table.s3.delete_object(Bucket="el-archive", Key=key, VersionId=version, BypassGovernanceRetention=True)
        return None

    with s3_proxy(table.env["AWS_ENDPOINT_URL"], before) as url:
        report = one(run(table, code=1, env={"AWS_ENDPOINT_URL": url}))
    assert (report["state"], report["deleted"]) == ("failed", 0)
    assert len(live(table)) == 11
    assert [state.state for state in journal.chunks(Journal(place, "").records()).values()] == ["given_up"]
    all_is_done(table, "a lost object")


def test_an_object_that_is_swapped_before_it_is_read_back_changes_nothing(table: Source) -> None:
    def before(method: str, path: str) -> int | None:
        if method == "GET" and "/rows/" in path:
            key = urlsplit(path).path.removeprefix("/el-archive/")
            table.s3.put_object(Bucket="el-archive", Key=key, Body=b"another file of somebody")
        return None

    with s3_proxy(table.env["AWS_ENDPOINT_URL"], before) as url:
        assert one(run(table, env={"AWS_ENDPOINT_URL": url}))["deleted"] == 10
    assert sorted(row[:2] for row in archived(table)) == sorted(ROWS)


def test_of_two_runs_at_once_one_is_refused_by_the_journal(table: Source) -> None:
    processes = [start(table, {"EL_LEASE_SECONDS": "0"} | table.host(f"host{number}")) for number in range(3)]
    for process in processes:
        process.communicate(timeout=120)
    nothing_is_lost(table, "runs at once")
    all_is_done(table, "runs at once")


def test_a_request_that_s3_refuses_for_a_while_is_made_again(table: Source) -> None:
    refused: set[str] = set()

    def before(method: str, path: str) -> int | None:
        if "/el-archive/" in path and path not in refused:
            refused.add(path)
            return 503
        return None

    with s3_proxy(table.env["AWS_ENDPOINT_URL"], before) as url:
        assert one(run(table, env={"AWS_ENDPOINT_URL": url}))["deleted"] == 10
    all_is_done(table, "503 everywhere")

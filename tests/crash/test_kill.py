"""The real process is killed with SIGKILL; then run again: MySQL equals Redshift, and nothing counts twice."""

from __future__ import annotations

import io
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2
import pyarrow.parquet as pq
import pytest

from tests.compare import assert_equal
from tests.conftest import REPOSITORY, Source, fork
from tests.forks import Forked
from tests.mysql_sql import numbers
from tests.proxy import s3_proxy

PREFIX = "DESTINATION__REDSHIFT__CREDENTIALS__"
CURSOR = (
    "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6), key (updated_at)"
)


@pytest.fixture
def table(source: Source) -> Source:
    source.mysql(
        f"create table t (id int primary key, v int, {CURSOR})",
        f"insert into t (id, v) select seq, 0 from {numbers(500)} n",
    )
    source.configure({"t": {}})
    return source


@pytest.fixture(scope="session")
def snapshot_port(stack: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A local Redshift under SNAPSHOT isolation, as Serverless has it; the stack's is SERIALIZABLE."""
    port = free_port()
    command = [sys.executable, "-m", "local.redshift", "--isolation", "snapshot", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--data", str(tmp_path_factory.mktemp("snapshot"))],
        cwd=REPOSITORY,
        env=os.environ | stack | {"LOCAL_REDSHIFT_PASSWORD": stack[PREFIX + "PASSWORD"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    assert "ready" in process.stdout.readline()
    yield port
    process.terminate()
    process.wait(30)


@pytest.fixture(params=["serializable", "snapshot"])
def either(request: pytest.FixtureRequest, table: Source) -> Iterator[Source]:
    """The table on a Redshift of each isolation level."""
    if request.param == "serializable":
        yield table
        return
    with use_port(table, request.getfixturevalue("snapshot_port")):
        assert table.redshift("show transaction_isolation") == [("repeatable read",)]
        yield table


@contextmanager
def use_port(source: Source, port: int) -> Iterator[None]:
    """The source's Redshift is the one at that port, while the block lasts."""
    usual, env = source.warehouse, source.env
    source.env = env | {PREFIX + "PORT": str(port)}
    source.warehouse = psycopg2.connect(
        host="127.0.0.1",
        port=port,
        dbname="dev",
        user=env[PREFIX + "USERNAME"],
        password=env[PREFIX + "PASSWORD"],
    )
    source.warehouse.autocommit = True
    try:
        yield
    finally:
        source.warehouse.close()
        source.warehouse, source.env = usual, env


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


#: ``el`` with parts of 2,000 rows in chunks of 500, so that a small table takes the way of a large one.
SMALL_PARTS = """
from el import cli, parts
from el.mysql import chunks
parts._ROWS_PER_PART, chunks.MAX_CHUNK_ROWS, chunks._MIN_CHUNK_ROWS = 2000, 500, 500
cli.main()
"""


def start(
    source: Source,
    *arguments: str,
    endpoint: str | None = None,
    program: tuple[str, ...] = ("-m", "el.cli"),
    env: dict[str, str] | None = None,
) -> Forked:
    env = source.env | (env or {}) | ({"AWS_ENDPOINT_URL": endpoint} if endpoint else {})
    process = fork(program, arguments, source.folder, env, piped=False)
    source.processes.append(process)
    return process


def killed_at(source: Source, command: str, is_moment: Callable[[str, str], bool]) -> None:
    """Run ``el`` and kill it when a request to S3 is the one; the request itself never arrives."""
    running: list[Forked] = []
    seen: list[str] = []

    def before(method: str, path: str) -> int | None:
        if seen or is_moment(method, path):
            seen.append(path)
            os.kill(running[0].pid, signal.SIGKILL)
            return 500
        return None

    with s3_proxy(source.env["AWS_ENDPOINT_URL"], before) as endpoint:
        running.append(start(source, command, endpoint=endpoint))
        assert running[0].wait(60) == -signal.SIGKILL, "the moment never came"


def is_commit(method: str, path: str) -> bool:
    return method == "PUT" and "/_commits/" in path


def test_what_a_killed_extract_uploaded_without_a_commit_does_not_exist_for_load(table: Source) -> None:
    killed_at(table, "extract", is_commit)
    assert [key for key in table.objects("t/t/") if key.endswith(".parquet")]
    assert table.commits("t") == []
    table.el("load")
    assert table.redshift(
        f"select count(*) from information_schema.tables where table_schema = 'raw_{table.name}'"
    ) == [(0,)]


def wait_until_somebody_waits(source: Source, where: str, how_many: int = 1) -> None:
    """Until that many wait for a table: for the raw table a loader does when its COPY is done."""
    schema, name = where.replace("raw.", f"raw_{source.name}.").split(".")
    deadline = time.monotonic() + 200
    waiting = (
        "select count(*) from pg_locks l join pg_class c on c.oid = l.relation join pg_namespace n on "
        f"n.oid = c.relnamespace where n.nspname = '{schema}' and c.relname = '{name}' and not l.granted"
    )
    while source.redshift(waiting) < [(how_many,)]:
        assert time.monotonic() < deadline, f"nobody came to {where}"
        time.sleep(0.1)


def test_killed_at_random_moments_and_then_left_alone(table: Source) -> None:
    killed_at_random(table, 3)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_killed_at_random_moments_many_times_under_either_isolation_level(either: Source) -> None:
    killed_at_random(either, 40)


def killed_at_random(source: Source, times: int) -> None:
    """Whatever is left behind, one run that is not disturbed makes it right."""
    chance = random.Random(5)
    for number in range(times):
        source.mysql(
            f"update t set v = {number} where id % {number + 2} = 0",
            f"insert into t (id, v) values ({1000 + number}, 0)",
        )
        process = start(source, "run")
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.4, 5))
        process.kill()
        process.wait()
    source.el("run")
    assert_equal(source, "t")
    applied: list[Any] = [seq for seq, _ in source.ledger("t")]
    assert applied == sorted(set(applied)) == source.commits("t")


@pytest.mark.long
def test_a_first_copy_that_is_killed_again_and_again_repeats_only_what_was_not_committed(source: Source) -> None:
    first_copy_killed(source, 20_000, 2)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_first_copy_that_is_killed_dozens_of_times_repeats_only_what_was_not_committed(source: Source) -> None:
    first_copy_killed(source, 200_000, 36)


def first_copy_killed(source: Source, rows: int, times: int) -> None:
    chance = random.Random(12)
    part = 2000
    source.mysql(
        f"create table t (id int primary key, v int, {CURSOR})",
        f"insert into t (id, v) select seq * 3, seq from {numbers(rows)} n",
    )
    source.configure({"t": {}})
    running: list[Forked] = []
    left = 0

    def before(method: str, path: str) -> int | None:
        nonlocal left
        left -= 1
        if left > 0:
            return None
        os.kill(running[-1].pid, signal.SIGKILL)
        return 500

    killed = 0
    with s3_proxy(source.env["AWS_ENDPOINT_URL"], before) as endpoint:
        while killed < times:
            left = chance.randint(2, 30) if killed else 40  # the first after some commits
            running.append(start(source, "extract", endpoint=endpoint, program=("-c", SMALL_PARTS)))
            if running[-1].wait(120) != -signal.SIGKILL:
                break
            killed += 1
            if chance.random() < 0.5:  # the host is lost, or its disk
                shutil.rmtree(source.folder / "home", ignore_errors=True)
    assert killed == times, f"the copy was done after {killed} kills"
    assert source.commits("t"), "no kill came after a commit"
    source.el("run")
    assert_equal(source, "t")
    commits = [source.commit("t", seq) for seq in source.commits("t")]
    assert sum(commit["rows"] for commit in commits) == rows, "what was committed is not read again"
    assert {commit["window"]["next_lo"] for commit in commits} == {commits[0]["window"]["next_lo"]}
    uploaded = sum(landed_rows(source, key) for key in source.objects("t/t/") if key.endswith(".parquet"))
    assert uploaded <= rows + killed * part
    assert not list((source.folder / "home" / "work").iterdir())


def landed_rows(source: Source, key: str) -> int:
    """Rows of a file, whether a commit names it or not."""
    body = source.s3.get_object(Bucket="el-landing", Key=f"landing/{source.name}/{key}")["Body"].read()
    return int(pq.read_metadata(io.BytesIO(body)).num_rows)

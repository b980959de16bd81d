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
from contextlib import contextmanager
from typing import Any

import psycopg2
import pyarrow.parquet as pq
import pytest

from tests.compare import assert_equal
from tests.conftest import REPOSITORY, Source
from tests.proxy import s3_proxy

PREFIX = "DESTINATION__REDSHIFT__CREDENTIALS__"
CURSOR = (
    "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6), key (updated_at)"
)


@pytest.fixture
def table(source: Source) -> Source:
    source.mysql(
        f"create table t (id int primary key, v int, {CURSOR})", "insert into t (id, v) select seq, 0 from seq_1_to_500"
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
parts._ROWS_PER_PART, chunks._MAX_CHUNK_ROWS, chunks._MIN_CHUNK_ROWS = 2000, 500, 500
cli.main()
"""


def start(
    source: Source,
    *arguments: str,
    endpoint: str | None = None,
    program: tuple[str, ...] = ("-m", "el.cli"),
    env: dict[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    env = source.env | (env or {}) | ({"AWS_ENDPOINT_URL": endpoint} if endpoint else {})
    process = subprocess.Popen(
        [sys.executable, *program, *arguments],
        cwd=source.folder,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    source.processes.append(process)
    return process


def killed_at(source: Source, command: str, is_moment: Callable[[str, str], bool]) -> None:
    """Run ``el`` and kill it when a request to S3 is the one; the request itself never arrives."""
    running: list[subprocess.Popen[bytes]] = []
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


def is_data(method: str, path: str) -> bool:
    return method == "PUT" and path.split("?")[0].endswith(".parquet")


def is_horizon(method: str, path: str) -> bool:
    return method == "PUT" and path.split("?")[0].endswith("/_applied.json")


def is_manifest(method: str, path: str) -> bool:
    return method == "PUT" and "/_manifests/" in path


def is_seal(method: str, path: str) -> bool:
    return method == "PUT" and "/_dlt_loads/" in path


@pytest.mark.parametrize("moment", [is_data, is_seal, is_commit], ids=["upload", "dlt's seal", "commit"])
def test_extract_killed_before_the_commit_loses_nothing_and_leaves_nothing_that_counts(
    table: Source, moment: Callable[[str, str], bool]
) -> None:
    killed_at(table, "extract", moment)
    assert table.commits("t") == []
    left_behind = list((table.folder / "home" / "work").rglob("*.parquet"))  # rows in clear; gone after the next run
    assert left_behind or moment is is_commit
    table.el("load")
    assert table.redshift(
        f"select count(*) from information_schema.tables where table_schema = 'raw_{table.name}'"
    ) == [(0,)]
    table.mysql("update t set v = 1 where id = 7")
    table.el("run")
    assert_equal(table, "t")
    assert table.commits("t") == [1]
    assert not list((table.folder / "home" / "work").iterdir())


def test_extract_killed_before_a_delta_is_committed_reads_it_again(table: Source) -> None:
    table.el("run")
    table.mysql("update t set v = 1 where id = 7")
    killed_at(table, "extract", is_commit)
    assert table.commits("t") == [1]
    table.el("run")
    assert_equal(table, "t")


@pytest.mark.parametrize("moment", [is_manifest, is_horizon], ids=["manifest", "horizon"])
def test_load_killed_at_a_write_to_s3_applies_each_commit_once(
    table: Source, moment: Callable[[str, str], bool]
) -> None:
    table.el("extract")
    killed_at(table, "load", moment)
    table.mysql("update t set v = 1 where id = 7")
    table.el("run")
    assert_equal(table, "t")
    assert [seq for seq, _ in table.ledger("t")] == [1, 2]


def test_load_killed_inside_its_transaction_changes_nothing(either: Source) -> None:
    either.el("run")
    either.mysql("update t set v = 1 where id <= 100")
    either.el("extract")
    before = either.redshift("select id, v, _seq from raw.t order by id")
    with either.warehouse.cursor() as holder:  # holds the raw table, so the merge stands still after its COPY
        holder.execute("begin")
        holder.execute(f"lock table raw_{either.name}.t")
        loader = start(either, "load")
        wait_until_the_merge_waits(either)
        loader.kill()
        loader.wait()
        holder.execute("rollback")
    assert either.redshift("select id, v, _seq from raw.t order by id") == before
    either.el("load")
    assert_equal(either, "t")
    assert [seq for seq, _ in either.ledger("t")] == [1, 2]


def wait_until_the_merge_waits(source: Source) -> None:
    """Until somebody waits for the raw table: the loader, whose COPY is done by then."""
    deadline = time.monotonic() + 60
    waiting = (
        "select count(*) from pg_locks l join pg_class c on c.oid = l.relation join pg_namespace n on "
        f"n.oid = c.relnamespace where n.nspname = 'raw_{source.name}' and c.relname = 't' and not l.granted"
    )
    while source.redshift(waiting) == [(0,)]:
        assert time.monotonic() < deadline, "load never came to its merge"
        time.sleep(0.05)


def test_two_loaders_at_once_apply_each_commit_once(either: Source) -> None:
    for value in (1, 2, 3):
        either.mysql(f"update t set v = {value} where id % {value + 1} = 0")
        either.el("extract")
    either.env["EL_LEASE_SECONDS"] = "0"  # else one works and the others leave it to him: leases are not what is tried
    loaders = [start(either, "load") for _ in range(3)]
    codes = [loader.wait(120) for loader in loaders]
    either.el("load")
    assert_equal(either, "t")
    assert [seq for seq, _ in either.ledger("t")] == [1, 2, 3]
    assert 0 in codes


def test_killed_at_random_moments_and_then_left_alone(either: Source) -> None:
    """Whatever is left behind, one run that is not disturbed makes it right."""
    for number in range(6):
        either.mysql(
            f"update t set v = {number} where id % {number + 2} = 0",
            f"insert into t (id, v) values ({1000 + number}, 0)",
        )
        process = start(either, "run")
        time.sleep(0.4 + 0.45 * number)
        process.kill()
        process.wait()
    either.el("run")
    assert_equal(either, "t")
    applied: list[Any] = [seq for seq, _ in either.ledger("t")]
    assert applied == sorted(set(applied)) == either.commits("t")


def test_a_first_copy_that_is_killed_a_dozen_times_repeats_only_what_was_not_committed(source: Source) -> None:
    chance = random.Random(12)
    rows, part = 50_000, 2000
    source.mysql(
        f"create table t (id int primary key, v int, {CURSOR})",
        f"insert into t (id, v) select seq * 3, seq from seq_1_to_{rows}",
    )
    source.configure({"t": {}})
    running: list[subprocess.Popen[bytes]] = []
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
        while killed < 12:
            left = chance.randint(2, 30)
            running.append(start(source, "extract", endpoint=endpoint, program=("-c", SMALL_PARTS)))
            if running[-1].wait(120) != -signal.SIGKILL:
                break
            killed += 1
            if chance.random() < 0.5:  # the host is lost, or its disk
                shutil.rmtree(source.folder / "home", ignore_errors=True)
    assert killed == 12, f"the copy was done after {killed} kills"
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

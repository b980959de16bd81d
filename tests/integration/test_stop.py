"""A run is asked to stop: what is under way is finished and committed, the rest is for the next run."""

from __future__ import annotations

import os
import re
import signal
import threading
from typing import Any

import pytest

from tests.compare import assert_equal
from tests.conftest import Source
from tests.mysql_sql import numbers
from tests.proxy import Gate, s3_proxy

CURSOR = (
    "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6), key (updated_at)"
)
#: ``el`` with parts of 1,000 rows, so that a small table takes the way of a large one.
SMALL_PARTS = """
from el import cli, parts
from el.mysql import chunks
parts._ROWS_PER_PART, chunks.MAX_CHUNK_ROWS, chunks._MIN_CHUNK_ROWS = 1000, 500, 500
cli.main()
"""


@pytest.fixture
def table(source: Source) -> Source:
    source.mysql(
        f"create table t (id int primary key, v int, {CURSOR})",
        f"insert into t (id, v) select seq, 0 from {numbers(9000)} n",
    )
    source.configure({"t": {}})
    return source


@pytest.fixture
def tables(source: Source) -> Source:
    for name in ("a", "b", "c"):
        source.mysql(f"create table {name} (id int primary key, {CURSOR})", f"insert into {name} (id) values (1)")
    source.configure({"a": {}, "b": {}, "c": {}})
    source.env["EL_TABLES_AT_ONCE"] = "1"
    return source


def is_data(method: str, path: str) -> bool:
    return method == "PUT" and path.split("?")[0].endswith(".parquet")


def is_commit(method: str, path: str) -> bool:
    return method == "PUT" and "/_commits/" in path


def is_manifest(method: str, path: str) -> bool:
    return method == "PUT" and "/_manifests/" in path


def heard(process: Any) -> str:
    """What the process says next on standard error; it has heard the signal then."""
    line = ""
    while not line.startswith("stopping: "):
        line = process.stderr.readline()
        assert line, "it has ended"
    return line


def only_record(source: Source) -> dict[str, Any]:
    (log,) = (source.folder / "home" / "logs").glob("*.log")
    return source.beside(f"_runs/{log.stem}.json")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_finishes_the_part_and_the_next_run_goes_on_behind_it(table: Source, number: int) -> None:
    gate = Gate(is_data)
    with s3_proxy(table.env["AWS_ENDPOINT_URL"], gate) as endpoint:
        process = table.start("run", env={"AWS_ENDPOINT_URL": endpoint}, program=("-c", SMALL_PARTS))
        gate.wait()
        process.send_signal(number)
        assert "Once more stops at once" in heard(process)
        gate.open()
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "cut off" in out
    assert f"error: interrupted: {table.name}.t: not finished" in err
    commits = [table.commit("t", seq) for seq in table.commits("t")]
    read = sum(commit["rows"] for commit in commits)
    assert 0 < read < 9000
    assert not commits[-1]["reading"]["done"]
    record = only_record(table)
    assert (record["state"], record["exit_code"]) == ("interrupted", 130)
    assert (record["tables"][0]["extract"], record["tables"][0]["load"]) == ("cut off", "not begun")
    assert table.beside(f"_leases/{table.name}/t/extract.json")["state"] == "free"
    table.el("run")
    assert_equal(table, "t")
    assert sum(table.commit("t", seq)["rows"] for seq in table.commits("t")) == 9000, "nothing was read twice"


def test_ctrl_c_at_a_terminal_reaches_every_process_and_the_reading_goes_on(table: Source) -> None:
    """A terminal sends the signal to the whole group, the reading process included."""
    gate = Gate(is_data)
    with s3_proxy(table.env["AWS_ENDPOINT_URL"], gate) as endpoint:
        process = table.start(
            "extract", env={"AWS_ENDPOINT_URL": endpoint}, program=("-c", "import os; os.setpgid(0, 0)\n" + SMALL_PARTS)
        )
        gate.wait()
        os.killpg(process.pid, signal.SIGINT)
        heard(process)
        gate.open()
        _out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert only_record(table)["tables"][0]["error"] is None
    assert table.commits("t")


def test_the_second_signal_stops_at_once_and_the_next_run_completes(table: Source) -> None:
    gate = Gate(is_commit)
    with s3_proxy(table.env["AWS_ENDPOINT_URL"], gate) as endpoint:
        process = table.start("run", env={"AWS_ENDPOINT_URL": endpoint})
        gate.wait()
        process.send_signal(signal.SIGINT)
        heard(process)
        process.send_signal(signal.SIGINT)  # while it waits for S3 to take the commit
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        gate.open()
    record = only_record(table)
    assert (record["state"], record["exit_code"], record["error"]) == ("interrupted", 130, "interrupted")
    assert record["ended"]
    assert table.beside(f"_leases/{table.name}/t/extract.json")["state"] == "free"
    table.el("run")
    assert_equal(table, "t")


@pytest.mark.parametrize(
    ("command", "moment"), [("extract", is_commit), pytest.param("load", is_manifest, marks=pytest.mark.long)]
)
def test_the_table_under_way_is_finished_and_no_other_is_begun(tables: Source, command: str, moment: Any) -> None:
    if command == "load":
        tables.el("extract")
    gate = Gate(moment)
    with s3_proxy(tables.env["AWS_ENDPOINT_URL"], gate) as endpoint:
        process = tables.start(command, "--json", env={"AWS_ENDPOINT_URL": endpoint})
        gate.wait()
        process.send_signal(signal.SIGINT)
        heard(process)
        gate.open()
        _out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert f"error: interrupted: {tables.name}.b, {tables.name}.c: not finished" in err
    (record,) = [r for r in records(tables) if r["state"] == "interrupted"]
    assert [entry[command] for entry in record["tables"]] == ["done", "not begun", "not begun"]
    tables.el("run")
    for name in ("a", "b", "c"):
        assert_equal(tables, name)


def records(source: Source) -> list[dict[str, Any]]:
    return [source.beside(f"_runs/{log.stem}.json") for log in (source.folder / "home" / "logs").glob("*.log")]


def test_when_the_time_is_up_nothing_is_begun_and_the_run_has_failed(tables: Source) -> None:
    # The clock is the behaviour: the first table is held up until the time is over.
    late = threading.Event()

    def before(method: str, path: str) -> int | None:
        if is_commit(method, path) and not late.is_set():
            late.wait(3)
            late.set()
        return None

    with s3_proxy(tables.env["AWS_ENDPOINT_URL"], before) as endpoint:
        done = tables.el("run", "--timeout", "2s", "--json", code=1, env={"AWS_ENDPOINT_URL": endpoint})
    assert "the time of 2 s was up" in done.err
    assert "not begun" in {done.table(name)["extract"] for name in ("b", "c")}
    assert done.table("c")["load"] == "not begun"
    (record,) = records(tables)
    assert (record["state"], record["exit_code"]) == ("failed", 1)
    assert record["line"] == "el run --timeout 2s"
    tables.el("run")
    assert_equal(tables, "c")


def test_a_query_that_hangs_does_not_outlive_the_time(table: Source) -> None:
    """The minute of grace is a second here."""
    table.el("run")
    blocker = table.connect()
    with blocker.cursor() as cursor:
        cursor.execute("lock tables t write")
        program = ("-c", "from el import cli, stop\nstop._GRACE = 1\ncli.main()")
        process = table.start("extract", "--timeout", "2s", program=program)
        process.communicate(timeout=120)
        cursor.execute("unlock tables")
    assert process.returncode == 1
    record = next(r for r in records(table) if r["command"] == "extract")
    assert (record["state"], record["exit_code"], record["error"]) == ("failed", 1, "the time of 2 s was up")
    table.mysql("update t set v = 1 where id = 7")
    table.el("run")
    assert_equal(table, "t")


@pytest.mark.parametrize("value", ["soon", "0s", "2 weeks", "-1h"])
def test_a_timeout_that_is_no_time_is_wrong_usage(source: Source, value: str) -> None:
    source.configure({"t": {}})
    done = source.el("run", f"--timeout={value}", code=2)
    assert "must be a number and a unit, such as 90 minutes or 2 hours" in done.err


def test_a_failure_that_passes_is_tried_again_and_one_that_stays_is_not(tables: Source) -> None:
    """S3 answers 503 to the first commit, more often than boto3 itself asks; a wrong password is said at once."""
    answers: list[int] = []

    def before(method: str, path: str) -> int | None:
        if is_commit(method, path) and len(answers) < 5:
            answers.append(503)
            return 503
        return None

    with s3_proxy(tables.env["AWS_ENDPOINT_URL"], before) as endpoint:
        done = tables.el("run", "--json", env={"AWS_ENDPOINT_URL": endpoint})
    assert len(answers) == 5
    log = (tables.folder / "home" / "logs" / f"{done.json['run']}.log").read_text()
    assert len(re.findall(r"tried again in [23]\.\d s", log)) == 1
    assert_equal(tables, "a")
    name = f"SOURCES__{tables.name.upper()}__CREDENTIALS"
    done = tables.el("extract", code=1, env={name: tables.env[name].replace("el:", "el:wrong", 1)})
    assert "tried again" not in (tables.folder / done.out.rpartition("log: ")[2].strip()).read_text()

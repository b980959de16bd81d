"""What a source file allows is what MySQL sees: connections, pauses and hours, on a server of the test's own."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pymysql
import pytest

from el.config import ServerLimits
from el.errors import SourceError
from el.mysql.kindness import Kindness
from el.outcome import Extracted
from el.plan import Range
from tests.compare import assert_equal
from tests.conftest import Source
from tests.integration.test_extract import extractor, small
from tests.mysql_sql import hash_of, numbers
from tests.private_mysql import PrivateMySQL
from tests.replication import follow, forget, go_on, options, stop
from tests.wire import mysql_proxy

__all__ = ["small"]

STAMP = "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6), key (updated_at)"
#: ``el`` with chunks of so many rows, and one chunk to a part.
SMALL = """
from el import cli, parts
from el.mysql import chunks
parts._ROWS_PER_PART = chunks.MAX_CHUNK_ROWS = chunks._MIN_CHUNK_ROWS = {}
cli.main()
"""


class Limited:
    """A source with tables on a server of its own, and limits."""

    def __init__(self, source: Source, server: PrivateMySQL) -> None:
        self.source, self.server = source, server
        self.at(server.port, "CREDENTIALS")

    def at(self, port: int, variable: str) -> None:
        name = f"SOURCES__{self.source.name.upper()}__{variable}"
        self.source.env[name] = f"mysql://root@127.0.0.1:{port}/db"

    def fill(self, rows: int, *tables: str) -> None:
        for table in tables:
            self.server.run(
                f"create table db.{table} (id int primary key, v varchar(200), {STAMP})",
                f"insert into db.{table} (id, v) select seq, repeat({hash_of('seq')}, 6) from {numbers(rows)} n",
            )

    def limit(self, tables: dict[str, Any], **limits: Any) -> None:
        self.source.configure(tables)
        file = self.source.folder / "sources" / f"{self.source.name}.yml"
        file.write_text(file.read_text().replace("{", '{"server": ' + str(limits).replace("'", '"') + ",", 1))

    def begin(self, *arguments: str, chunk: int = 1000, stderr: int = subprocess.PIPE) -> Any:
        """Start ``el extract``; what it says is kept."""
        if stderr == subprocess.PIPE:
            return self.source.start("extract", *arguments, program=("-c", SMALL.format(chunk)))
        process = subprocess.Popen(
            [sys.executable, "-c", SMALL.format(chunk), "extract", *arguments],
            cwd=self.source.folder,
            env=self.source.env,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        self.source.processes.append(process)
        return process

    def end(self, process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
        out, err = process.communicate(timeout=300)
        assert process.returncode == code, out + (err or "")
        return out, err

    def log(self) -> str:
        return "".join(path.read_text() for path in (self.source.folder / "home" / "logs").glob("*.log"))

    def rows(self, table: str) -> int:
        return sum(self.source.commit(table, seq)["rows"] for seq in self.source.commits(table))


@pytest.fixture
def limited(source: Source, private: PrivateMySQL) -> Limited:
    private.start()
    return Limited(source, private)


def wait_until(condition: Callable[[], Any], process: subprocess.Popen[str] | None = None) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process is None or process.poll() is None, "it ended too early"
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.02)


@pytest.fixture
def busy(private: PrivateMySQL) -> Iterator[Callable[[int], None]]:
    """Makes so many threads run on the server; at the end, and with 0, none."""
    running: list[tuple[Any, threading.Thread]] = []

    def make(threads: int) -> None:
        while running:
            connection, thread = running.pop()
            private.run(f"kill {connection.thread_id()}")
            thread.join()
        for _ in range(threads):
            connection = private.connect()

            def sleep(connection: Any = connection) -> None:
                with suppress(pymysql.err.MySQLError):  # it is killed
                    connection.cursor().execute("select sleep(3600)")

            thread = threading.Thread(target=sleep)
            thread.start()
            running.append((connection, thread))

    yield make
    make(0)


def test_reading_pauses_while_more_threads_run_than_allowed_and_goes_on_by_itself(
    limited: Limited, busy: Callable[[int], None]
) -> None:
    limited.fill(5000, "t")
    limited.limit({"t": {}}, max_threads_running=6)
    busy(8)
    process = limited.begin()
    wait_until(lambda: "paused: more than 6 threads" in limited.log(), process)
    assert limited.source.commits("t") == []
    busy(0)
    _, err = limited.end(process)
    assert "extract" in err
    assert err.count("paused: more than 6 threads are running on MySQL (max_threads_running)") == 1
    assert limited.rows("t") == 5000


@pytest.mark.parametrize("most", [pytest.param(1, marks=pytest.mark.long), 3])
def test_no_more_connections_read_rows_at_once_than_allowed(limited: Limited, most: int) -> None:
    """A proxy holds every connection that has had rows, so those that read pile up as far as they may."""
    tables = ["a", "b", "c"]
    limited.fill(4000, *tables)
    limited.limit({table: {} for table in tables}, max_connections=most)
    held: set[int] = set()
    let_go = threading.Event()

    def hold(passed: int) -> bool:
        if passed > 50_000:  # a chunk has more, small questions have less
            held.add(threading.get_ident())
            let_go.wait(300)
        return False

    with mysql_proxy("127.0.0.1", limited.server.port, hold) as port:
        limited.at(port, "CREDENTIALS")
        process = limited.begin(chunk=500)
        wait_until(lambda: len(held) >= most, process)
        time.sleep(3)  # one more would come in this time if it could; it never fails for being slow
        reading = len(held)
        let_go.set()
        limited.end(process)
    assert reading == most
    assert [limited.rows(table) for table in tables] == [4000] * 3


def test_a_row_that_is_being_read_can_be_written(limited: Limited) -> None:
    """Reading never locks: a proxy holds a query in the middle, and the application writes to all rows."""
    limited.fill(60_000, "t")  # more than the sockets hold, so that MySQL cannot end the query
    limited.limit({"t": {}})
    held, let_go = threading.Event(), threading.Event()

    def hold(passed: int) -> bool:
        if passed > 50_000:
            held.set()
            let_go.wait(300)
        return False

    with mysql_proxy("127.0.0.1", limited.server.port, hold) as port:
        limited.at(port, "CREDENTIALS")
        process = limited.begin(chunk=100_000)
        wait_until(held.is_set, process)
        writer = limited.server.connect()
        with writer.cursor() as cursor:
            cursor.execute("set session innodb_lock_wait_timeout = 1")
            assert cursor.execute("update t set v = 'written'") == 60_000
            assert cursor.execute("delete from t where id > 50000") == 10_000
            running = "select 1 from information_schema.processlist where info like 'select %from `t` where%' "
            assert cursor.execute(running + "and id <> connection_id()") == 1, (
                "the query had ended, so it could not lock anything"
            )
        writer.commit()
        writer.close()
        let_go.set()
        limited.end(process)
    assert limited.rows("t") == 60_000


def test_a_person_sees_in_the_progress_line_why_it_does_not_move(limited: Limited, busy: Callable[[int], None]) -> None:
    limited.fill(5000, "t")
    limited.limit({"t": {}}, max_threads_running=6)
    busy(8)
    screen, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    seen: list[str] = []

    def watch() -> None:
        with suppress(OSError):  # the other end was closed
            while piece := os.read(screen, 4096):
                seen.append(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", piece.decode(errors="replace")))

    watcher = threading.Thread(target=watch)
    watcher.start()
    process = limited.begin(stderr=terminal)
    os.close(terminal)
    wait_until(lambda: "paused: more than 6 threads are running" in "".join(seen), process)
    busy(0)
    limited.end(process)
    watcher.join()
    os.close(screen)
    assert "done" in "".join(seen)


def test_rows_come_no_faster_than_allowed(limited: Limited) -> None:
    limited.fill(5000, "t")
    limited.limit({"t": {}})
    process = limited.begin("--max-rows-per-second", "1000", chunk=100_000)
    began = time.monotonic()
    _, err = limited.end(process)
    # Slower is never wrong here: a chunk of 1000 rows per second, of which the first two are free.
    assert time.monotonic() - began > 3
    assert err.count("held back to 1,000 rows/s") == 1
    assert limited.rows("t") == 5000


def hours(begin: timedelta, end: timedelta) -> dict[str, str]:
    now = datetime.now(ZoneInfo("Asia/Tokyo"))
    return {"hours": f"{now + begin:%H:%M}-{now + end:%H:%M}", "hours_zone": "Asia/Tokyo"}


def test_outside_of_its_hours_nothing_is_read_and_that_is_no_failure(limited: Limited) -> None:
    limited.fill(100, "t")
    limited.limit({"t": {}}, **hours(timedelta(hours=1), timedelta(hours=2)))
    out, _ = limited.end(limited.begin())
    assert "it is outside of hours" in out
    assert limited.source.commits("t") == []
    limited.limit({"t": {}}, **hours(-timedelta(hours=1), timedelta(hours=2)))
    limited.end(limited.begin())
    assert limited.rows("t") == 100


@pytest.mark.parametrize(
    ("begin", "end", "is_open"), [(-1, 1, True), (1, 2, False), (-2, -1, False), (1, -1, False), (-1, -2, True)]
)
def test_hours_may_reach_over_midnight(begin: int, end: int, is_open: bool) -> None:
    limits = ServerLimits.model_validate(hours(timedelta(hours=begin), timedelta(hours=end)))
    assert Kindness("shop", limits).is_open() == is_open


def close_after(monkeypatch: pytest.MonkeyPatch, answers: int) -> None:
    """The hours are over after so many looks at the clock, for which no test can wait."""
    asked: list[None] = []

    def is_open(_: Kindness) -> bool:
        asked.append(None)
        return len(asked) <= answers

    monkeypatch.setattr(Kindness, "is_open", is_open)


def fill(source: Source, mode: str = "merge") -> None:
    source.mysql(
        f"create table t (id int primary key, v int, {STAMP})",
        f"insert into t (id, v) select seq, 0 from {numbers(1000)} n",
    )
    source.configure({"t": {"mode": mode}})


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("answers", [2, 5, *(pytest.param(n, marks=pytest.mark.long) for n in (3, 6, 9))])
def test_when_the_hours_are_over_what_was_read_is_committed_and_the_next_run_goes_on(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: int
) -> None:
    fill(source)
    close_after(monkeypatch, answers)
    done, rest = Extracted(), Extracted()
    extractor(source, tmp_path).run(done)
    assert 100 <= done.rows < 1000
    assert done.next_lo is None
    assert "are over: what was read is committed, and the next run goes on from there" in done.warnings[-1]
    assert not source.commit("t", source.commits("t")[-1])["reading"]["done"]
    monkeypatch.undo()
    for name, value in source.env.items():
        monkeypatch.setenv(name, value)
    extractor(source, tmp_path).run(rest)
    assert done.rows + rest.rows == 1000
    source.el("load")
    assert_equal(source, "t")


@pytest.mark.usefixtures("small")
def test_a_table_in_mode_replace_is_read_to_its_end_when_the_hours_are_over(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(source, "replace")
    close_after(monkeypatch, 3)
    done = Extracted()
    extractor(source, tmp_path).run(done)
    assert (done.rows, done.commits) == (1000, 1)


@pytest.mark.usefixtures("small")
def test_a_backfill_that_its_hours_cut_off_is_a_failure_because_nothing_would_go_on_with_it(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(source)
    extractor(source, tmp_path).run(Extracted())
    close_after(monkeypatch, 3)
    with pytest.raises(SourceError, match="Run the backfill again"):
        extractor(source, tmp_path).run(Extracted(), backfill=Range("2020-01-01 00:00:00.000000", None))


def test_reading_pauses_while_the_replica_does_not_apply(
    limited: Limited, make_private: Callable[[], PrivateMySQL]
) -> None:
    primary, replica = limited.server, make_private()
    primary.stop()
    primary.start(*options(primary, 1))
    replica.start(*options(replica, 2), "--read-only=1")
    forget(primary)
    forget(replica)
    follow(replica, primary)
    limited.fill(5000, "t")
    limited.limit({"t": {}}, max_replica_lag=30)
    limited.at(replica.port, "REPLICA")
    limited.end(limited.begin())
    primary.run("update db.t set v = 'changed'")
    with replica.connect() as connection, connection.cursor() as cursor:
        wait_until(lambda: cursor.execute("select 1 from t where v <> 'changed' limit 1") == 0 or connection.rollback())
    stop(replica, "sql_thread")
    process = limited.begin()
    wait_until(lambda: "paused: the replica does not apply" in limited.log(), process)
    assert limited.rows("t") == 5000
    go_on(replica)
    limited.end(process)
    assert limited.rows("t") == 10_000


def test_a_server_that_is_no_replica_cannot_have_a_lag(limited: Limited) -> None:
    limited.fill(10, "t")
    limited.limit({"t": {}}, max_replica_lag=30)
    limited.end(limited.begin())  # without a replica it has no effect
    with pymysql.connect(host="127.0.0.1", port=limited.server.port, user="root", database="db") as connection:
        limits = ServerLimits.model_validate({"max_replica_lag": 30})
        with pytest.raises(SourceError, match="shows no replica status"):
            Kindness("shop", limits, replica=True).pause(connection, 0, print)

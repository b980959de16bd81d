"""``el-archive run`` spares the server: what a source file allows, and switches for people, on a server of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from el.archive.journal import Journal
from tests.archive.made import table_archive
from tests.archive.test_run import AGE, AS_OF, OLD, POLICY, RETENTION
from tests.conftest import Source
from tests.integration.test_kindness import busy, hours, wait_until
from tests.mysql_sql import numbers
from tests.private_mysql import PrivateMySQL
from tests.proxy import Gate, s3_proxy
from tests.replication import follow, forget, go_on, options, stop

__all__ = ["busy"]

#: ``el-archive`` for which the hours are over after so many looks at the clock, for which no test can wait.
CLOSING = """
from el.mysql.kindness import Kindness
asked = []
Kindness.is_open = lambda self: asked.append(1) or len(asked) <= {}
from el.archive import cli
cli.main()
"""


class Gentle:
    """A table of old rows on a server of its own, and limits."""

    def __init__(self, source: Source, server: PrivateMySQL) -> None:
        self.source, self.server = source, server
        self.at(server.port, f"ARCHIVE__{source.name.upper()}__CREDENTIALS")

    def at(self, port: int, variable: str) -> None:
        self.source.env[variable] = f"mysql://root@127.0.0.1:{port}/db"

    def fill(self, rows: int) -> None:
        self.server.run(
            f"create table db.t (id int primary key, v varchar(40), {AGE})",
            f"insert into db.t select seq, 'v', '{OLD}' from {numbers(rows)} n",
        )

    def limit(self, **limits: Any) -> None:
        self.source.configure({"t": POLICY}, RETENTION, cursor="created_at")
        file = self.source.folder / "sources" / f"{self.source.name}.yml"
        file.write_text(file.read_text().replace("{", '{"server": ' + str(limits).replace("'", '"') + ",", 1))

    def begin(self, *arguments: str, program: str = "from el.archive import cli; cli.main()", **env: str) -> Any:
        return self.source.start("run", "--execute", "--as-of", AS_OF, *arguments, env=env, program=("-c", program))

    def end(self, process: Any) -> tuple[str, str]:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, out + err
        return out, err

    def log(self) -> str:
        return "".join(path.read_text() for path in (self.source.folder / "home" / "logs").glob("*.log"))

    def rows(self) -> int:
        connection = self.server.connect()
        with connection, connection.cursor() as cursor:
            cursor.execute("select count(*) from t")
            return int(cursor.fetchone()[0])


@pytest.fixture
def gentle(source: Source, private: PrivateMySQL) -> Gentle:
    private.start()
    return Gentle(source, private)


def test_nothing_is_deleted_while_more_threads_run_than_allowed(gentle: Gentle, busy: Callable[[int], None]) -> None:
    gentle.fill(1000)
    gentle.limit(max_threads_running=6)
    busy(8)
    process = gentle.begin()
    wait_until(lambda: "paused: more than 6 threads" in gentle.log(), process)
    assert gentle.rows() == 1000
    busy(0)
    _, err = gentle.end(process)
    assert err.count("paused: more than 6 threads are running on MySQL (max_threads_running)") == 1
    assert gentle.rows() == 0


def test_nothing_is_deleted_outside_of_the_hours_and_that_is_no_failure(gentle: Gentle) -> None:
    gentle.fill(1000)
    gentle.limit(**hours(timedelta(hours=1), timedelta(hours=2)))
    out, _ = gentle.end(gentle.begin())
    assert "note: " in out
    assert "its hours are over; the next run goes on from here" in out
    assert gentle.rows() == 1000
    gentle.limit(**hours(-timedelta(hours=1), timedelta(hours=2)))
    gentle.end(gentle.begin())
    assert gentle.rows() == 0


def test_when_the_hours_are_over_the_transaction_at_hand_is_finished_and_no_other_begun(gentle: Gentle) -> None:
    gentle.fill(3000)
    gentle.limit(hours="00:00-23:59")
    out, _ = gentle.end(gentle.begin(program=CLOSING.format(3)))  # two looks before each transaction
    assert "cut off" in out
    assert 0 < gentle.rows() < 3000
    gentle.limit()
    gentle.end(gentle.begin())
    assert gentle.rows() == 0


def test_rows_are_deleted_no_faster_than_allowed(gentle: Gentle) -> None:
    """The first transaction has 500 rows; of the 5 seconds that they take up, one is free."""
    gentle.fill(1000)
    gentle.limit(max_rows_per_second=100)
    _, err = gentle.end(gentle.begin())
    assert err.count("held back to 100 rows/s") == 1
    records = Journal(table_archive(gentle.source, "t"), "").records()
    first, second, *_ = [datetime.fromisoformat(record["at"]) for record in records if record["kind"] == "deleted"]
    assert (second - first).total_seconds() >= 3  # slower is never wrong here
    assert gentle.rows() == 0


def test_the_command_line_says_more_than_the_source_file(gentle: Gentle) -> None:
    gentle.fill(1000)
    gentle.limit(max_rows_per_second=100)
    _, err = gentle.end(gentle.begin("--max-rows-per-second", "200"))
    assert err.count("held back to 200 rows/s") == 1


def test_nothing_is_deleted_while_the_replica_does_not_apply(
    gentle: Gentle, make_private: Callable[[], PrivateMySQL]
) -> None:
    primary, replica = gentle.server, make_private()
    primary.stop()
    primary.start(*options(primary, 1))
    replica.start(*options(replica, 2), "--read-only=1")
    forget(primary)
    forget(replica)
    follow(replica, primary)
    gentle.fill(1000)
    gentle.limit(max_replica_lag=30)
    gentle.at(replica.port, f"SOURCES__{gentle.source.name.upper()}__REPLICA")
    with replica.connect() as connection, connection.cursor() as cursor:
        wait_until(
            lambda: cursor.execute(
                "select 1 from information_schema.tables where table_name = 't' and table_schema = 'db'"
            )
        )
    stop(replica, "sql_thread")
    process = gentle.begin()
    wait_until(lambda: "paused: the replica does not apply" in gentle.log(), process)
    assert gentle.rows() == 1000
    go_on(replica)
    gentle.end(process)
    assert gentle.rows() == 0


def test_a_pause_in_the_middle_waits_behind_the_transaction_at_hand(gentle: Gentle) -> None:
    gentle.fill(3000)
    gentle.limit()
    switch = gentle.source.folder / "home" / "archive.pause"
    gate = Gate(lambda method, path: method == "PUT" and "/_journal/" in path and gentle.rows() < 3000)
    with s3_proxy(gentle.source.env["AWS_ENDPOINT_URL"], gate) as url:
        process = gentle.begin(AWS_ENDPOINT_URL=url)
        gate.wait()  # at a record behind the first transaction; other chunks are read meanwhile
        switch.touch()
        gate.open()
        wait_until(lambda: f"paused: {switch} is there" in gentle.log(), process)
        left = gentle.rows()
        time.sleep(2)  # more would go in this time if it could; it never fails for being slow
        assert gentle.rows() == left
        assert 0 < left < 3000
        switch.unlink()
        gentle.end(process)
    assert gentle.rows() == 0

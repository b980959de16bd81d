"""What may still write, as a real server shows it: each test is a trap that was fallen into."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pymysql
import pytest

from el import settings
from el.errors import SourceError
from el.mysql import activity
from el.mysql.activity import Activity
from el.mysql.cursor import Cursor
from el.mysql.window import Bound, read_bound
from local.mysql_server import Program
from tests.conftest import Source
from tests.private_mysql import PrivateMySQL


@pytest.fixture
def server(source: Source, monkeypatch: pytest.MonkeyPatch) -> settings.MySQL:
    for name, value in source.env.items():
        if name.startswith("SOURCES__"):
            monkeypatch.setenv(name, value)
    source.mysql("create table t (id int primary key, v int)", "insert into t values (1, 0), (2, 0)")
    return settings.mysql(source.name)


def wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.02)


def one(connection: Any, sql: str) -> Any:
    """The value of a query of one row."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone()
    return row[0] if row else None


def now(source: Source) -> datetime:
    moment: datetime = one(source.admin, "select utc_timestamp(6)")
    source.admin.rollback()
    return moment


def ask(source: Source, server: settings.MySQL) -> Bound:
    return read_bound(source.name, server, [])


def reaches_back_to(bound: Bound, moment: datetime) -> bool:
    """Whether something that began at ``moment`` holds the watermark."""
    assert bound.activity
    oldest = max(bound.activity.statements, bound.activity.transactions or timedelta(0))
    return bound.utc - oldest <= moment


def test_with_nothing_under_way_the_bound_is_the_servers_clock(source: Source, server: settings.MySQL) -> None:
    # Other tests share the server, so their short transactions may be seen; ours must not.
    before = now(source)
    bound = ask(source, server)
    assert before <= bound.utc <= now(source)
    assert not reaches_back_to(bound, before - timedelta(minutes=10))


def test_an_open_transaction_is_seen_with_its_age(source: Source, server: settings.MySQL) -> None:
    writer = source.connect()
    before = now(source)
    one(writer, "update t set v = 1 where id = 1")
    time.sleep(1.5)  # whole seconds are all that MySQL shows: an age of zero would prove nothing
    bound = ask(source, server)
    writer.close()
    assert reaches_back_to(bound, before)
    assert not bound.held


def test_a_writer_is_seen_although_its_connection_is_idle_and_changed_one_row(
    source: Source, server: settings.MySQL
) -> None:
    writer = source.connect()
    one(writer, "select count(*) from t")
    before = now(source)
    one(writer, "update t set v = 1 where id = 1")
    time.sleep(1.5)
    assert reaches_back_to(ask(source, server), before)
    writer.close()


def test_a_statement_with_bytes_that_are_no_text_is_waited_for_or_seen(
    source: Source, server: settings.MySQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MySQL shows nobody what is under way as long as it runs; MariaDB shows it."""
    writer, before = source.connect(), now(source)
    one(writer, "update t set v = 1 where id = 1")
    statement = b"update t set v = v + sleep(%d) * length(_binary'\xff\xfe\x80') where id = 1"

    def write(seconds: int) -> threading.Thread:
        def run() -> None:
            with suppress(pymysql.err.MySQLError):  # the test kills it
                writer.query(statement % seconds)

        thread = threading.Thread(target=run)
        thread.start()
        started = "show global status like 'Threads_running'"
        with source.admin.cursor() as cursor:
            wait_until(lambda: cursor.execute(started) and int(cursor.fetchone()[1]) > 1)
        return thread

    thread = write(3)
    time.sleep(1.5)  # whole seconds are all that MySQL shows
    assert reaches_back_to(ask(source, server), before)  # its transaction is open still
    thread.join()
    if os.environ["TEST_MYSQL"] == "mysql":
        monkeypatch.setattr(activity, "_FRESH_SECONDS", 1)
        thread = write(60)
        with pytest.raises(SourceError, match=r"bytes that are no text.*Nothing was read"):
            ask(source, server)
        one(source.admin, f"kill query {writer.thread_id()}")
        thread.join()
    writer.close()


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, program: Program) -> Iterator[tuple[PrivateMySQL, settings.MySQL]]:
    """A server that nobody else uses: here one can see that nothing is under way."""
    server = PrivateMySQL(tmp_path_factory.mktemp("quiet"), program)
    credentials = server.start()
    server.run("create table db.t (id int primary key, v int)", "insert into db.t values (1, 0), (2, 0)")
    yield server, credentials
    server.kill()


def test_an_idle_reader_with_autocommit_off_holds_nothing(quiet: tuple[PrivateMySQL, settings.MySQL]) -> None:
    private, credentials = quiet
    reader, watcher = private.connect(), private.connect()
    one(reader, "select count(*) from t")

    def is_listed() -> bool:
        time.sleep(0.2)
        return bool(one(watcher, f"select 1 from information_schema.innodb_trx where trx_mysql_thread_id = {own}"))

    own = reader.thread_id()
    wait_until(is_listed)
    watcher.close()
    assert read_bound("s", credentials, []).activity == Activity()
    one(reader, "update t set v = 1 where id = 1")  # now it may commit something
    assert read_bound("s", credentials, []).activity != Activity()
    reader.close()


def test_a_short_transaction_is_waited_for(
    quiet: tuple[PrivateMySQL, settings.MySQL], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "_PATIENCE_SECONDS", 60)
    private, credentials = quiet
    writer = private.connect()
    one(writer, "update t set v = 1 where id = 1")
    ends = threading.Timer(1.0, writer.commit)
    ends.start()
    assert read_bound("s", credentials, []).activity == Activity()
    ends.join()
    writer.close()


def test_a_statement_that_stops_waiting_while_el_asks_leaves_a_transaction_that_counts(
    quiet: tuple[PrivateMySQL, settings.MySQL], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "_PATIENCE_SECONDS", 5)
    private, credentials = quiet
    locker, writer, watcher = private.connect(), private.connect(), private.connect()
    locker.autocommit(True)
    one(locker, "lock tables t write")
    own = writer.thread_id()
    thread = threading.Thread(target=lambda: one(writer, "update t set v = 5 where id = 2"))
    thread.start()
    wait_until(
        lambda: one(
            watcher, f"select state like 'Waiting for table%' from information_schema.processlist where id={own}"
        )
    )
    watcher.close()
    release = threading.Timer(1.0, lambda: one(locker, "unlock tables"))
    release.start()
    found = read_bound("s", credentials, []).activity
    release.join()
    thread.join()
    writer.close()
    locker.close()
    assert found
    assert found.transactions is not None


def test_a_plain_select_that_runs_long_is_no_writer(quiet: tuple[PrivateMySQL, settings.MySQL]) -> None:
    private, credentials = quiet
    reader, watcher = private.connect(), private.connect()
    own = reader.thread_id()

    def sleep() -> None:
        with suppress(pymysql.err.OperationalError):  # it is killed below
            one(reader, "select sleep(600)")

    thread = threading.Thread(target=sleep)
    thread.start()
    wait_until(lambda: one(watcher, f"select time >= 1 from information_schema.processlist where id = {own}"))
    watcher.close()
    found = read_bound("s", credentials, []).activity
    private.run(f"kill query {own}")
    thread.join()
    assert found == Activity()
    reader.close()


def test_a_transaction_is_seen_although_others_keep_the_list_frozen(source: Source, server: settings.MySQL) -> None:
    stop = threading.Event()

    def poll() -> None:
        connection = source.connect()
        with connection.cursor() as cursor:
            while not stop.wait(0.02):
                cursor.execute("select count(*) from information_schema.innodb_trx")
        connection.close()

    pollers = [threading.Thread(target=poll) for _ in range(2)]
    for poller in pollers:
        poller.start()
    writer = source.connect()
    try:
        time.sleep(0.3)  # the list is frozen now, and does not hold the transaction that follows
        before = now(source)
        one(writer, "update t set v = 1 where id = 1")
        threading.Timer(3.0, stop.set).start()
        bound = ask(source, server)
    finally:
        stop.set()
        for poller in pollers:
            poller.join()
        writer.close()
    assert reaches_back_to(bound, before)


def test_a_list_that_stays_frozen_is_an_error_and_not_an_answer(
    source: Source, server: settings.MySQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "_FRESH_SECONDS", 1)
    monkeypatch.setattr(activity, "uuid4", lambda: Fixed)
    with pytest.raises(SourceError, match=r"cannot be trusted.*Nothing was read"):
        ask(source, server)


class Fixed:
    """A mark that makes the condition on our own query false: the list as it looks while it is frozen."""

    hex = "' + null + '"


@dataclass
class Waiting:
    """A statement in a transaction, which waits for a table lock."""

    since: datetime
    release: Callable[[], None]
    finish: Callable[[], None]


@pytest.fixture
def waiting(source: Source, server: settings.MySQL) -> Iterator[Callable[[str], Waiting]]:
    """Runs a statement that waits for a table lock until it is released; its transaction stays open until finished."""
    locker, writer, watcher = source.connect(), source.connect(), source.connect()
    watcher.autocommit(True)
    locker.autocommit(True)  # else its lock would be a transaction, which holds the bound by itself
    threads: list[threading.Thread] = []

    def start(statement: str) -> Waiting:
        one(locker, "lock tables t write")
        since = now(source)
        thread = threading.Thread(target=lambda: one(writer, statement))
        threads.append(thread)
        thread.start()
        wait_until(
            lambda: one(
                watcher,
                f"select count(*) from information_schema.processlist where id = {writer.thread_id()} "
                "and time >= 1 and state like 'Waiting for table%'",
            )
        )

        def release() -> None:
            one(locker, "unlock tables")
            thread.join()

        return Waiting(since, release, writer.commit)

    yield start
    one(locker, "unlock tables")
    for thread in threads:
        thread.join()
    for connection in (locker, writer, watcher):
        connection.close()


def test_a_statement_that_waits_for_a_table_lock_is_seen(
    source: Source, server: settings.MySQL, waiting: Callable[[str], Waiting]
) -> None:
    found = waiting("update t set v = 2 where id = 2")
    assert reaches_back_to(ask(source, server), found.since)


def test_a_select_that_waits_for_a_table_lock_is_seen_because_its_function_may_write(
    source: Source, server: settings.MySQL, waiting: Callable[[str], Waiting]
) -> None:
    source.mysql("create function f() returns int begin update t set v = 3; return 1; end")
    found = waiting("select f()")
    assert reaches_back_to(ask(source, server), found.since)


def test_the_statement_that_waited_is_not_lost_while_its_transaction_is_still_open(
    source: Source, server: settings.MySQL, waiting: Callable[[str], Waiting]
) -> None:
    """InnoDB shows the transaction as younger than the statement's CURRENT_TIMESTAMP."""
    before = ask(source, server)
    found = waiting("update t set v = 2 where id = 2")
    time.sleep(3)  # longer than the seconds by which ages are rounded
    found.release()
    bound = ask(source, server)
    assert bound.activity
    cursor = Cursor("updated_at", "timestamp", digits=6)
    old = (before.utc - timedelta(days=1)).isoformat(" ", "microseconds")
    lo = bound.next_lo(cursor, 0, old, before.asked())
    assert lo is not None
    assert lo <= found.since.isoformat(" ", "microseconds")
    found.finish()


def test_ages_do_not_depend_on_the_servers_zone(private: PrivateMySQL) -> None:
    """``trx_started`` is printed in the server's zone, whatever the session's is."""
    server = private.start(zone="PST8")
    writer = private.connect()
    one(writer, "create table t (id int primary key, v int)")
    before = one(writer, "select utc_timestamp(6)")
    one(writer, "insert into t values (1, 1)")
    time.sleep(1.5)
    bound = read_bound("s", server, [])
    writer.close()
    assert bound.offset == timedelta(hours=-8)
    assert reaches_back_to(bound, before)
    assert not reaches_back_to(bound, before - timedelta(minutes=5))


def test_a_recovered_xa_transaction_holds_the_watermark(private: PrivateMySQL) -> None:
    """After a crash it shows the restart as its start."""
    server = private.start()
    writer = private.connect()
    writer.autocommit(True)
    for statement in (
        "create table t (id int primary key, v int)",
        "xa start 'x'",
        "insert into t values (1, 1)",
        "xa end 'x'",
        "xa prepare 'x'",
    ):
        one(writer, statement)
    private.kill()
    server = private.start()
    bound = read_bound("s", server, [])
    assert bound.held
    assert "xa recover" in bound.warnings[0]
    lo = "2026-01-01 00:00:00.000000"
    assert bound.next_lo(Cursor("c", "timestamp"), 60, lo, None) == lo
    private.run("xa commit 'x'")
    assert not read_bound("s", server, []).held


def test_a_prepared_xa_transaction_that_ends_in_time_holds_nothing(
    private: PrivateMySQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MySQL's own transactions, of statistics and GTIDs, look the same: they belong to no connection either."""
    monkeypatch.setattr(activity, "_PATIENCE_SECONDS", 60.0)
    server = private.start()
    private.run("create table db.t (id int primary key)")
    private.run("xa start 'x'", "insert into db.t values (1)", "xa end 'x'", "xa prepare 'x'")
    commit = threading.Timer(0.5, private.run, ("xa commit 'x'",))
    commit.start()
    assert not read_bound("s", server, []).held
    commit.join()


def test_a_server_that_takes_no_writes_is_taken_for_a_replica_and_said(private: PrivateMySQL) -> None:
    server = private.start("--read-only=1")
    (said,) = read_bound("s", server, []).warnings
    assert "the server is read-only, as a replica is" in said
    assert "SOURCES__S__REPLICA" in said


def test_without_the_privilege_the_overlap_alone_is_used_and_said(source: Source, server: settings.MySQL) -> None:
    user = f"u_{source.name}"
    source.mysql(
        f"create user '{user}'@'127.0.0.1' identified by 'plain-password'",
        f"grant select on {source.name}.* to '{user}'@'127.0.0.1'",
    )
    try:
        blind = settings.MySQL(server.host, server.port, user, "plain-password", server.database, "disabled", None)
        bound = ask(source, blind)
    finally:
        source.mysql(f"drop user '{user}'@'127.0.0.1'")
    assert bound.activity is None
    assert "no PROCESS privilege" in bound.warnings[0]

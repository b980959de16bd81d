"""How far the watermark may move: never past a row that can still appear. Against a real server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from el import settings
from el.mysql import window
from el.mysql.connection import Connection
from el.mysql.window import Bound, read_bound
from tests.conftest import Source


@pytest.fixture
def server(source: Source, monkeypatch: pytest.MonkeyPatch) -> settings.MySQL:
    for name, value in source.env.items():
        if name.startswith("SOURCES__"):
            monkeypatch.setenv(name, value)
    source.mysql("create table t (id int primary key, v int)", "insert into t values (1, 0), (2, 0)")
    return settings.mysql(source.name)


def wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.02)


def test_an_open_transaction_holds_the_bound_back(source: Source, server: settings.MySQL) -> None:
    writer = source.connect()
    with writer.cursor() as cursor:
        cursor.execute("select utc_timestamp(6)")
        before = cursor.fetchone()[0]
        cursor.execute("update t set v = 1 where id = 1")
    bound = read_bound(source.name, server)
    writer.rollback()
    assert bound.utc - bound.oldest <= before
    assert not bound.held


def test_an_open_transaction_is_seen_although_others_keep_the_list_frozen(
    source: Source, server: settings.MySQL
) -> None:
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
        with writer.cursor() as cursor:
            cursor.execute("update t set v = 1 where id = 1")
            cursor.execute("select utc_timestamp(6)")
            before = cursor.fetchone()[0]
        threading.Timer(1.0, stop.set).start()
        bound = read_bound(source.name, server)
    finally:
        stop.set()
        for poller in pollers:
            poller.join()
        writer.rollback()
        writer.close()
    assert bound.utc - bound.oldest <= before


def test_a_statement_that_waits_for_a_table_lock_holds_the_bound_back(source: Source, server: settings.MySQL) -> None:
    locker, writer, watcher = source.connect(), source.connect(), source.connect()
    watcher.autocommit(True)
    locker.autocommit(True)  # else its lock would be a transaction, which holds the bound back by itself
    started: list[datetime] = []

    def write() -> None:
        with writer.cursor() as cursor:
            cursor.execute("select utc_timestamp(6)")
            started.append(cursor.fetchone()[0])
            cursor.execute("update t set v = 2 where id = 2")  # its CURRENT_TIMESTAMP is fixed now
        writer.rollback()

    with locker.cursor() as cursor:
        cursor.execute("lock tables t write")
    thread = threading.Thread(target=write)
    thread.start()
    try:

        def waits() -> bool:
            with watcher.cursor() as cursor:
                cursor.execute(
                    "select count(*) from information_schema.processlist where id = %s and time >= 1 "
                    "and state like 'Waiting for table%%'",
                    (writer.thread_id(),),
                )
                return bool(cursor.fetchone()[0])

        wait_until(waits)
        bound = read_bound(source.name, server)
    finally:
        with locker.cursor() as cursor:
            cursor.execute("unlock tables")
        thread.join()
        for connection in (locker, writer, watcher):
            connection.close()
    assert bound.utc - bound.oldest <= started[0]


def test_without_the_privilege_the_overlap_alone_is_used_and_said(source: Source, server: settings.MySQL) -> None:
    user = f"u{source.name[-8:]}"
    source.mysql(
        f"create user '{user}'@'127.0.0.1' identified by 'plain-password'",
        f"grant select on {source.name}.* to '{user}'@'127.0.0.1'",
    )
    try:
        blind = settings.MySQL(server.host, server.port, user, "plain-password", server.database, "disabled", None)
        bound = read_bound(source.name, blind)
    finally:
        source.mysql(f"drop user '{user}'@'127.0.0.1'")
    assert bound.oldest == timedelta(0)
    assert "no PROCESS privilege" in bound.warnings[0]


def test_a_server_that_takes_no_writes_is_taken_for_a_replica_and_said(
    source: Source, server: settings.MySQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = window._clock

    def of_a_replica(connection: Connection) -> tuple[datetime, datetime, str, bool]:
        *clock, read_only = asked(connection)  # the stack's server is everybody's: it cannot be made read-only here
        assert read_only is False
        return clock[0], clock[1], clock[2], True

    assert read_bound(source.name, server).warnings == ()
    monkeypatch.setattr(window, "_clock", of_a_replica)
    (said,) = read_bound(source.name, server).warnings
    assert "the server is read-only, as a replica is" in said


def bound(utc: str, local: str, oldest: float = 0, held: bool = False) -> Bound:
    return Bound(datetime.fromisoformat(utc), datetime.fromisoformat(local), timedelta(seconds=oldest), held, "s", ())


def test_the_next_lo_is_floored_to_the_precision_of_the_cursor() -> None:
    asked = bound("2026-03-01 12:00:00.987654", "2026-03-01 12:00:00.987654", oldest=5)
    expected = datetime(2026, 3, 1, 12, 0, 0, 987654) - timedelta(seconds=5) - timedelta(seconds=60)
    assert asked.next_lo(False, 6, 60, None) == expected
    assert asked.next_lo(False, 3, 60, None) == expected.replace(microsecond=987000)
    assert asked.next_lo(False, 0, 60, None) == expected.replace(microsecond=0)


def test_the_watermark_never_goes_back() -> None:
    lo = datetime(2026, 3, 1, 12)
    assert bound("2026-03-01 12:00:30", "2026-03-01 12:00:30").next_lo(False, 0, 60, lo) == lo


def test_a_datetime_cursor_west_of_utc_takes_the_earlier_clock() -> None:
    asked = bound("2026-03-01 12:00:00", "2026-03-01 04:00:00")
    assert asked.next_lo(True, 0, 60, None) < datetime(2026, 3, 1, 4) - timedelta(minutes=60)  # the hour that repeats
    assert asked.next_lo(False, 0, 60, None) == datetime(2026, 3, 1, 12) - timedelta(seconds=60)


def test_a_datetime_cursor_east_of_utc_loses_no_writer_in_utc() -> None:
    asked = bound("2026-03-01 12:00:00", "2026-03-01 21:00:00")
    assert asked.next_lo(True, 0, 60, None) <= datetime(2026, 3, 1, 12) - timedelta(seconds=60)


def test_a_held_bound_moves_no_watermark() -> None:
    held = bound("2026-03-01 12:00:00", "2026-03-01 12:00:00", held=True)
    assert held.next_lo(False, 0, 60, None) is None
    assert held.next_lo(False, 0, 60, datetime(2026, 1, 1)) == datetime(2026, 1, 1)

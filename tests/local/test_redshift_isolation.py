"""Transactions meet as on Redshift, in both of its isolation levels."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from .conftest import Running
from .test_redshift_protocol import eventually


class Session:
    """One connection; `later` runs a statement that is expected to wait."""

    def __init__(self, server: Running) -> None:
        self.connection = server.connect()
        self.pid = self.connection.info.backend_pid
        self.failure: BaseException | None = None
        self.thread: threading.Thread | None = None

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def later(self, sql: str) -> None:
        def wait() -> None:
            try:
                self.run(sql)
            except psycopg2.Error as error:
                self.failure = error

        self.thread = threading.Thread(target=wait)
        self.thread.start()

    def done(self) -> None:
        assert self.thread is not None
        self.thread.join(10)
        assert not self.thread.is_alive()


@pytest.fixture(params=["serializable", "snapshot"])
def server(request: pytest.FixtureRequest) -> Running:
    return request.getfixturevalue("redshift" if request.param == "serializable" else "snapshot_redshift")


@pytest.fixture
def sessions(server: Running) -> Iterator[tuple[Session, Session, Session]]:
    setup = Session(server)
    setup.run("create table public.one (id int, v int); create table public.two (id int, v int)")
    setup.run("insert into public.one values (1, 0), (2, 0)")
    setup.connection.commit()
    a, b, watcher = Session(server), Session(server), Session(server)
    watcher.connection.autocommit = True
    yield a, b, watcher
    for session in (a, b, watcher):
        session.connection.close()
    setup.run("drop table public.one; drop table public.two")
    setup.connection.commit()
    setup.connection.close()


def waits(watcher: Session, session: Session) -> bool:
    sql = f"select count(*) from pg_locks where pid = {session.pid} and not granted"
    return eventually(lambda: watcher.run(sql)[0][0] > 0)


def test_a_write_locks_its_table_until_commit_and_readers_pass(sessions: tuple[Session, Session, Session]) -> None:
    a, b, watcher = sessions
    a.run("insert into public.one values (3, 0)")
    assert watcher.run("select count(*) from public.one") == [(2,)]
    b.later("insert into public.one values (4, 0)")
    assert waits(watcher, b)
    a.connection.commit()
    b.done()
    assert b.failure is None


@pytest.mark.parametrize(
    "write", ["update public.one set v = 1 where id = 2", "delete from public.one where id = 2", "truncate public.one",
              "merge into public.one using public.two as s on (s.id = public.one.id) when matched then update set v = 1"
              " when not matched then insert (id) values (s.id)"]
)  # fmt: skip
def test_every_kind_of_write_waits_for_the_other(sessions: tuple[Session, Session, Session], write: str) -> None:
    a, b, watcher = sessions
    a.run("update public.one set v = 1 where id = 1")
    b.later(write)
    assert waits(watcher, b)
    a.connection.rollback()
    b.done()
    assert b.failure is None


def test_lock_takes_no_snapshot(sessions: tuple[Session, Session, Session]) -> None:
    a, b, watcher = sessions
    a.run("lock table public.one")
    a.run("insert into public.one values (3, 0)")
    b.later("lock public.one")
    assert waits(watcher, b)
    a.connection.commit()
    b.done()
    assert b.run("select count(*) from public.one") == [(3,)]


def test_lock_keeps_readers_out(sessions: tuple[Session, Session, Session]) -> None:
    a, b, watcher = sessions
    a.run("lock table public.one")
    b.later("select count(*) from public.one")
    assert waits(watcher, b)
    a.connection.commit()
    b.done()


def test_a_snapshot_is_taken_by_the_first_select(sessions: tuple[Session, Session, Session]) -> None:
    a, b, _ = sessions
    a.run("select * from public.two")
    b.run("insert into public.one values (3, 0)")
    b.connection.commit()
    assert a.run("select count(*) from public.one") == [(2,)]


def test_two_writers_of_one_row_end_in_error_1023(sessions: tuple[Session, Session, Session]) -> None:
    a, b, _ = sessions
    a.run("select * from public.one")
    b.run("update public.one set v = 5 where id = 1")
    b.connection.commit()
    with pytest.raises(psycopg2.errors.InternalError_, match="1023") as failure:
        a.run("update public.one set v = 6 where id = 1")
    assert failure.value.pgcode == "XX000"
    assert "Serializable isolation violation on table - " in str(failure.value)


def crossed(a: Session, b: Session) -> None:
    """Each reads what the other writes: no serial order gives both results."""
    a.run("select count(*) from public.one")
    b.run("select count(*) from public.two")
    a.run("insert into public.two values (9, 9)")
    b.run("insert into public.one values (9, 9)")
    a.connection.commit()
    b.connection.commit()


def test_serializable_refuses_a_cycle_of_reads_and_writes(redshift: Running) -> None:
    _with_tables(redshift, expect_failure=True)


def test_snapshot_lets_it_pass(snapshot_redshift: Running) -> None:
    _with_tables(snapshot_redshift, expect_failure=False)


def _with_tables(server: Running, expect_failure: bool) -> None:
    setup, a, b = Session(server), Session(server), Session(server)
    setup.run("create table public.one (id int, v int); create table public.two (id int, v int)")
    setup.connection.commit()
    try:
        if expect_failure:
            with pytest.raises(psycopg2.Error, match="Serializable isolation violation"):
                crossed(a, b)
        else:
            crossed(a, b)
    finally:
        a.connection.close()
        b.connection.close()
        setup.run("drop table public.one; drop table public.two")
        setup.connection.commit()
        setup.connection.close()


def test_a_clients_wish_for_a_weaker_level_is_not_granted(sessions: tuple[Session, Session, Session]) -> None:
    a, b, _ = sessions
    a.run("rollback; begin transaction isolation level read committed")
    a.run("select * from public.two")
    b.run("insert into public.one values (3, 0)")
    b.connection.commit()
    assert a.run("select count(*) from public.one") == [(2,)]


def test_the_conflict_names_the_table_and_both_transactions(redshift: Running) -> None:
    setup, a, b = Session(redshift), Session(redshift), Session(redshift)
    setup.run("create table public.one (id int, v int); insert into public.one values (1, 0)")
    setup.run("create table public.two (id int)")
    oid = setup.run("select 'public.one'::regclass::oid")[0][0]
    setup.connection.commit()
    try:
        a.run("select * from public.two")
        b.run("update public.one set v = 5")
        b.connection.commit()
        with pytest.raises(psycopg2.Error) as failure:
            a.run("update public.one set v = 6")
        words = rf"violation on table - {oid}, transactions forming the cycle are: \d+, \d+ \(pid:{a.pid}\)"
        assert re.search(words, str(failure.value))
    finally:
        for session in (a, b):
            session.connection.close()
        setup.run("drop table public.one; drop table public.two")
        setup.connection.commit()
        setup.connection.close()


# The two traps that a loader can fall into, which the ledgers of el/redshift are made to avoid.


def load_once(session: Session) -> None:
    """Load commit 1, which has two rows, unless the ledger has it."""
    session.done()
    assert session.failure is None
    if session.run("select count(*) from public.ledger where seq = 1") == [(0,)]:
        session.run("insert into public.loaded values (1), (2)")
        session.run("insert into public.ledger values (1)")
    session.connection.commit()


@pytest.fixture
def loaders(snapshot_redshift: Running) -> Iterator[tuple[Session, Session]]:
    setup = Session(snapshot_redshift)
    setup.run("create table public.loaded (id int); create table public.ledger (seq int)")
    setup.connection.commit()
    first, second = Session(snapshot_redshift), Session(snapshot_redshift)
    yield first, second
    first.connection.close()
    second.connection.close()
    setup.run("drop table public.loaded; drop table public.ledger")
    setup.connection.commit()
    setup.connection.close()


@pytest.mark.parametrize(("look_first", "rows"), [(True, 4), (False, 2)])
def test_under_snapshot_two_loaders_that_look_before_they_lock_double_the_rows(
    loaders: tuple[Session, Session], look_first: bool, rows: int
) -> None:
    first, second = loaders
    if look_first:
        assert first.run("select * from public.ledger") == second.run("select * from public.ledger") == []
    first.later("lock table public.loaded")
    first.done()
    second.later("lock table public.loaded")
    load_once(first)
    load_once(second)
    assert first.run("select count(*) from public.loaded") == [(rows,)]


@pytest.mark.parametrize("shared", [True, False])
def test_under_serializable_a_shared_ledger_makes_loads_of_different_tables_abort_each_other(
    redshift: Running, shared: bool
) -> None:
    setup, a, b = Session(redshift), Session(redshift), Session(redshift)
    ledgers = ("public.ledger_a", "public.ledger_a" if shared else "public.ledger_b")
    setup.run("create table public.ledger_a (t varchar, seq int); create table public.ledger_b (t varchar, seq int)")
    setup.connection.commit()
    try:
        for session, ledger, name in ((a, ledgers[0], "a"), (b, ledgers[1], "b")):
            session.run(f"select max(seq) from {ledger} where t = '{name}'")
        a.run(f"insert into {ledgers[0]} values ('a', 1)")
        a.connection.commit()

        def second() -> None:
            b.run(f"insert into {ledgers[1]} values ('b', 1)")
            b.connection.commit()

        if shared:
            with pytest.raises(psycopg2.errors.InternalError_, match="1023"):
                second()
        else:
            second()
    finally:
        a.connection.close()
        b.connection.close()
        setup.run("drop table public.ledger_a; drop table public.ledger_b")
        setup.connection.commit()
        setup.connection.close()


def level_of(server: Running, database: str) -> tuple[str, str]:
    """What the system view says, and what two transactions meet."""
    setup, a, b = (Session(server) for _ in range(3))
    for session in (setup, a, b):
        session.connection.close()
        session.connection = server.connect(dbname=database)
    setup.run("create table public.one (id int, v int); create table public.two (id int, v int)")
    setup.connection.commit()
    try:
        crossed(a, b)
        met = "nothing"
    except psycopg2.Error as error:
        met = str(error.pgerror).split("violation")[0].split()[-2]
    said = setup.run(f"select trim(isolation_level) from stv_db_isolation_level where db_name = '{database}'")
    for session in (a, b):
        session.connection.close()
    setup.run("drop table public.one; drop table public.two")
    setup.connection.commit()
    setup.connection.close()
    return said[0][0], met


def test_each_database_has_its_isolation_level(redshift: Running) -> None:
    admin = Session(redshift)
    admin.connection.autocommit = True
    admin.run("create database by_row with connection limit unlimited isolation level snapshot")
    try:
        assert level_of(redshift, "by_row") == ("Snapshot Isolation", "nothing")
        admin.run("alter database by_row isolation level serializable")
        assert level_of(redshift, "by_row") == ("Serializable", "Serializable")
        admin.run("begin")
        with pytest.raises(psycopg2.Error, match="transaction block"):
            admin.run("alter database by_row isolation level snapshot")
        admin.run("rollback")
        with pytest.raises(psycopg2.errors.SyntaxError, match="SERIALIZABLE or SNAPSHOT"):
            admin.run("alter database by_row isolation level chaos")
    finally:
        admin.run("drop database by_row")
        admin.connection.close()

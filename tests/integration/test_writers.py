"""An application writes without a pause while ``el run`` runs again and again; at rest, MySQL equals Redshift.

The oracle is MySQL itself, read afterwards. ``overlap`` is 0, so nothing but the window's own rules keeps the rows:
transactions that last longer than a run, commits in another order than the clock's, ties on the cursor, two updates
within one second, sessions in several time zones, waits for row locks and for table locks, rollbacks, deadlocks.
A row that is lost stays lost: the watermark has moved past it, and no later run reads it again.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pymysql
import pytest

from tests.compare import assert_equal
from tests.conftest import Source
from tests.private_mysql import PrivateMySQL

#: Lock wait timeout, deadlock, and a duplicate key of two writers that chose the same new row.
EXPECTED = (1205, 1213, 1062)
ZONES = ("+00:00", "-11:00", "-03:30", "+05:45", "+12:45")

#: Cursors of several precisions and kinds, and keys of several kinds.
TABLES = {
    "seconds": "id int primary key, v int, updated_at timestamp(0) {} key (updated_at)".format(
        "not null default current_timestamp(0) on update current_timestamp(0),"
    ),
    "micros": "id int primary key, v int, updated_at timestamp(6) {} key (updated_at)".format(
        "not null default current_timestamp(6) on update current_timestamp(6),"
    ),
    "nullable": "id int, part char(3), v int, updated_at timestamp(3) {} key (updated_at)".format(
        "null default null on update current_timestamp(3), primary key (part, id),"
    ),
    # Each writer's own clock: the watermark has to follow the westernmost.
    "local": "id int primary key, v int, updated_at datetime(2) {} key (updated_at)".format(
        "not null default current_timestamp(2) on update current_timestamp(2),"
    ),
    # Only grows: numbers are given out in one order and committed in another.
    "numbers": "id bigint unsigned auto_increment primary key, v int",
}
OPTIONS = {"local": {"cursor_zone": "Pacific/Pago_Pago"}, "numbers": {"cursor": "id"}}  # -11:00 all the year


@pytest.fixture
def busy(source: Source, private: PrivateMySQL) -> Iterator[Source]:
    """A source on a server of its own: these transactions would widen the windows of other tests."""
    url = f"mysql://{{}}@127.0.0.1:{private.start().port}"
    private.run(f"create database {source.name} character set utf8mb4")
    usual, credentials = source.admin, f"SOURCES__{source.name.upper()}__CREDENTIALS"
    source.env |= {"EL_MYSQL_ADMIN_URL": url.format("root"), credentials: f"{url.format('root')}/{source.name}"}
    source.admin = source.connect()
    yield source
    source.admin.close()
    source.admin = usual


@dataclass
class Application:
    """Writers in threads of their own; what one of them did not expect ends the test."""

    source: Source
    seed: int
    longest: float
    stop: threading.Event = field(default_factory=threading.Event)
    errors: list[BaseException] = field(default_factory=list)
    written: int = 0
    waits: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def thread(self, number: int, work: Callable[[Any, random.Random], None]) -> threading.Thread:
        def loop() -> None:
            chance = random.Random(self.seed * 100 + number)
            connection = self.source.connect()
            try:
                with connection.cursor() as cursor:
                    cursor.execute("set session innodb_lock_wait_timeout = 3, lock_wait_timeout = 20")
                while not self.stop.is_set():
                    try:
                        work(connection, chance)
                    except pymysql.err.MySQLError as error:
                        connection.rollback()
                        if error.args[0] not in EXPECTED:
                            raise
                        with self._lock:
                            self.waits += 1
            except BaseException as error:
                self.errors.append(error)
            finally:
                connection.close()

        return threading.Thread(target=loop, daemon=True)

    def transact(self, connection: Any, chance: random.Random) -> None:
        """One short transaction of one to six writes."""
        self.write_for(connection, chance, writes=chance.randint(1, 6), seconds=chance.uniform(0, 0.2), hot=0.5)

    def commit_late(self, connection: Any, chance: random.Random) -> None:
        """One transaction that stays open for longer than a run of ``el``, most of the time after its last write."""
        self.write_for(
            connection, chance, chance.randint(1, 3), chance.uniform(self.longest / 4, self.longest), hot=0.02
        )

    def write_for(self, connection: Any, chance: random.Random, writes: int, seconds: float, hot: float) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"set session time_zone = '{chance.choice(ZONES)}'")
            if chance.random() < 0.3:
                cursor.execute("set transaction isolation level read committed")
            connection.begin()
            table = chance.choice(list(TABLES))
            for _ in range(writes):
                self.write(cursor, table, chance, hot)
                self.stop.wait(seconds / writes)
        if chance.random() < 0.1:
            connection.rollback()
            return
        connection.commit()
        with self._lock:
            self.written += writes

    def write(self, cursor: Any, table: str, chance: random.Random, hot: float) -> None:
        if table == "numbers":
            cursor.execute(f"insert into numbers (v) values ({chance.randint(0, 9)})")
            return
        # Hot keys make waits, deadlocks and ties. A cold one is written by this transaction alone: no later update of
        # another heals its loss.
        cold = chance.random() >= hot
        key = chance.randint(1_000, 2_000_000_000) if cold else chance.randint(1, 50)
        part = f"p{key % 3:02d}"
        where = f"id = {key}" + (f" and part = '{part}'" if table == "nullable" else "")
        if cold or chance.random() < 0.5:
            columns, values = ("id, part, v", f"{key}, '{part}', 0") if table == "nullable" else ("id, v", f"{key}, 0")
            cursor.execute(f"insert ignore into {table} ({columns}) values ({values})")
        cursor.execute(f"update {table} set v = v + 1 where {where}")
        if chance.random() < 0.2:  # again in the same second: the cursor may stay as it was
            cursor.execute(f"update {table} set v = v + 1 where {where}")

    def lock_tables(self, connection: Any, chance: random.Random) -> None:
        """Others' statements wait for the table; their CURRENT_TIMESTAMP was fixed before the wait."""
        with connection.cursor() as cursor:
            cursor.execute(f"lock tables {chance.choice(list(TABLES))} write")
            self.stop.wait(chance.uniform(0.2, 3))
            cursor.execute("unlock tables")
        self.stop.wait(chance.uniform(4, 8))

    def read_idly(self, connection: Any, chance: random.Random) -> None:
        """A reader that forgets to end its transaction."""
        with connection.cursor() as cursor:
            connection.begin()
            cursor.execute(f"select count(*) from {chance.choice(list(TABLES))}")
        self.stop.wait(chance.uniform(0.5, self.longest))
        connection.rollback()


@contextmanager
def writing(source: Source, seed: int, longest: float) -> Iterator[Application]:
    """The application at work; it has come to rest when the block ends."""
    application = Application(source, seed, longest)
    kinds = [application.transact] * 4 + [application.commit_late] * 8
    kinds += [application.lock_tables, application.read_idly]
    threads = [application.thread(number, kind) for number, kind in enumerate(kinds)]
    for thread in threads:
        thread.start()
    try:
        yield application
    finally:
        application.stop.set()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "a writer hangs"
    assert not application.errors, application.errors


def run_beside_writers(source: Source, seed: int, seconds: float, longest: float) -> None:
    for name, columns in TABLES.items():
        source.mysql(f"create table {name} ({columns})")
    source.configure({name: OPTIONS.get(name, {}) for name in TABLES}, overlap=0)
    moved: set[tuple[Any, Any]] = set()
    runs = 0
    with writing(source, seed, longest) as application:
        end = time.monotonic() + seconds
        while runs < 6 or time.monotonic() < end:
            assert not application.errors, application.errors
            report = source.el("run" if runs % 3 == 2 else "extract", "--json")
            moved.add((report.table("micros")["next_lo"], report.table("numbers")["next_lo"]))
            runs += 1
    assert application.written > 50
    for reached in zip(*moved, strict=True):
        assert len(set(reached)) > 1, "the watermark never moved, so nothing could have been lost"
    source.el("run")
    for name in TABLES:
        assert assert_equal(source, name) > 0


def test_at_rest_redshift_has_every_row_that_was_written_while_el_ran(busy: Source) -> None:
    run_beside_writers(busy, seed=1, seconds=12, longest=6)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2, 8))
def test_at_rest_redshift_has_every_row_after_minutes_of_writing(busy: Source, seed: int) -> None:
    run_beside_writers(busy, seed, seconds=150, longest=30)

"""An application writes, ``el run`` moves and ``el-archive run`` archives, at once: Redshift is MySQL plus archive."""

from __future__ import annotations

import random
import threading
from typing import Any

import pymysql
import pytest

from tests.archive.test_run import AGE, AS_OF, NEW, OLD, RETENTION, archived
from tests.conftest import Source

CURSOR = "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6)"
WRITERS = 3


class Writer(threading.Thread):
    """Inserts, updates and inserts again what was archived, in keys of its own; ``said`` is what it has committed last.

    A deadlock or a lock that comes too late is part of its life, as of an application's; it counts them.
    """

    def __init__(self, source: Source, number: int) -> None:
        super().__init__()
        self.number, self.turns, self.refused, self.said = number, 0, 0, dict[int, str]()
        self.over = threading.Event()
        self._connection = source.connect()
        self._random = random.Random(number)
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.over.wait(0.002):
                self._write()
                self.turns += 1
        except BaseException as error:
            self.error = error

    def _write(self) -> None:
        keys = [self.number + WRITERS * each for each in self._random.sample(range(200), 4)]
        text = f"{self.number}-{self.turns}"
        written: dict[int, str] = {}
        try:
            with self._connection.cursor() as cursor:
                for key in keys:
                    if not cursor.execute("update t set v = %s where id = %s", (text, key)):
                        age = OLD if self._random.random() < 0.8 else NEW
                        cursor.execute("insert into t (id, v, created_at) values (%s, %s, %s)", (key, text, age))
                    written[key] = text
            if self._random.random() < 0.1:
                self._connection.rollback()
                return
            self._connection.commit()
            self.said |= written
        except pymysql.err.OperationalError as error:
            if error.args[0] not in (1213, 1205):
                raise
            self._connection.rollback()
            self.refused += 1


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=[pytest.mark.long, pytest.mark.timeout(1800)])])
def test_redshift_is_mysql_plus_archive_while_writers_and_runs_go_on(source: Source, rounds: int) -> None:
    source.mysql(
        f"create table t (id int primary key, v varchar(40) collate utf8mb4_bin, {CURSOR}, {AGE}, key (updated_at))"
    )
    source.configure(
        {"t": {"overlap": 0, "archive": {"class": "transient", "age": "created_at"}}}, RETENTION, cursor="updated_at"
    )
    source.el("run")
    writers = [Writer(source, number) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    deleted = 0
    for _ in range(rounds):
        loading = source.start("run")
        done = source.archive("run", "--execute", "--as-of", AS_OF, "--json", "--chunk-rows", "50", code=None)
        assert done.code in (0, 1), done.err  # 1: the first load has not ended
        deleted += sum(table["deleted"] for table in done.json["tables"]) if done.code == 0 else 0
        assert loading.wait(120) == 0, loading.communicate()
    for writer in writers:
        writer.over.set()
        writer.join()
        assert writer.error is None, writer.error
    source.el("run")
    deleted += source.archive("run", "--execute", "--as-of", AS_OF, "--json").json["tables"][0]["deleted"]
    source.el("run")
    assert deleted > 50
    assert sum(writer.refused for writer in writers) < sum(writer.turns for writer in writers) / 20

    source.admin.rollback()
    with source.admin.cursor() as cursor:
        cursor.execute("select id, v from t")
        live: dict[int, Any] = dict(cursor.fetchall())
    gone = {row[0]: row[1] for row in archived(source)}  # the version that was deleted last
    said = {key: text for writer in writers for key, text in writer.said.items()}
    assert gone | live == said
    assert dict(source.redshift("select id, v from raw.t")) == said

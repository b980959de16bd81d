"""The deleting transaction by itself: what it locks, and that it takes itself back."""

from __future__ import annotations

from typing import Any

import pymysql
import pytest

from el.archive import rows
from el.archive.delete import Copies, Deleter, Horizon, Stays
from el.archive.objects import Proven
from el.archive.table import Shape, what_changed
from el.errors import ArchiveError
from el.settings import archive_mysql
from tests.archive.made import read, read_shape, session
from tests.conftest import Source
from tests.mysql_sql import explained, hash_of, numbers

KEYS = {
    "id bigint": "seq",
    "id varchar(40)": "concat('k', seq)",
    "a int, id varchar(20)": "seq mod 7, concat('k', seq)",
    "id binary(16)": f"unhex({hash_of('seq')})",
    "id datetime": "'2024-01-01' + interval seq minute",
    "a enum('x','y'), b date, id decimal(12,2)": "1 + seq mod 2, '2024-01-01', seq / 4",
}


def made(source: Source, key: str, values: str, many: int) -> tuple[Shape, Copies]:
    """A table of ``many`` rows with such a key, and their proven copies."""
    parts = key.split(", ")
    names = [part.split()[0] for part in parts]
    source.mysql(
        f"create table t ({' not null, '.join(parts)} not null, v int, primary key ({', '.join(names)}))",
        f"insert into t select {values}, 0 from {numbers(many)} n",
    )
    with session(source) as connection:
        shape = read_shape(connection, "t")
        table = read(connection, shape, "true")
    return shape, Copies(shape, Proven(table, rows.hashes(shape.columns, table)))


def deleter(source: Source, shape: Shape, **more: Any) -> Deleter:
    return Deleter(source.name, archive_mysql(source.name), shape, Stays(more.get("horizon")), lambda _: False)


@pytest.fixture(autouse=True)
def _credentials(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in source.env.items():
        if name.startswith("ARCHIVE_"):
            monkeypatch.setenv(name, value)


@pytest.mark.parametrize("key", KEYS)
def test_a_batch_looks_its_keys_up_and_never_reads_the_whole_table(source: Source, key: str) -> None:
    shape, copies = made(source, key, KEYS[key], 6000)
    positions = range(5000)
    with deleter(source, shape) as one, one.connection.cursor() as cursor:
        for statement in (f"{one._look}{{}} for update", f"{one._delete}{{}} limit 5001"):
            (plan,) = explained(cursor, statement.format(copies.condition(positions)))
            assert plan["type"] == "range", plan
        before = reads(cursor)
        outcome = one.delete(copies, positions)
        assert len(outcome.deleted) == 5000
        assert reads(cursor) - before < 3 * 5000  # once to look, once to delete


def reads(cursor: Any) -> int:
    cursor.execute("show session status like 'Handler_read%'")
    return sum(int(value) for _, value in cursor.fetchall())


def test_a_row_beside_the_batch_can_be_written_while_the_transaction_is_open(source: Source) -> None:
    shape, copies = made(source, "id int", "2 * seq", 100)
    with deleter(source, shape) as one:
        connection = one.connection
        connection.begin()
        with connection.cursor() as cursor:
            one._compare(cursor, copies, range(50))
            source.mysql("set innodb_lock_wait_timeout = 1")
            source.mysql("update t set v = 1 where id = 102", "insert into t values (51, 0)")  # between two of them
            with pytest.raises(pymysql.err.OperationalError):
                source.mysql("update t set v = 1 where id = 50")
        connection.rollback()


def test_a_deletion_that_takes_more_rows_than_were_proven_is_rolled_back(source: Source) -> None:
    shape, copies = made(source, "id int", "seq", 10)
    with deleter(source, shape) as one:
        one._delete += "id > 5 or "
        with pytest.raises(ArchiveError, match="deleted 4 rows where 3 were proven"):
            one.delete(copies, [0, 1, 2])
    source.admin.rollback()
    with source.admin.cursor() as cursor:
        cursor.execute("select count(*) from t")
        assert cursor.fetchone() == (10,)


def test_rows_that_a_lost_commit_deleted_are_unsure_also_when_the_next_attempt_met_a_deadlock(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else they would count as deleted by somebody else, and a restore would leave them out."""
    shape, copies = made(source, "id int", "seq", 3)
    real, attempts = Deleter._transaction, []

    def unlucky(self: Deleter, *arguments: Any) -> Any:
        attempts.append(len(attempts))
        if attempts[-1] == 1:
            raise pymysql.err.OperationalError(1213, "deadlock")
        outcome = real(self, *arguments)
        if attempts[-1] == 0:
            raise pymysql.err.OperationalError(2013, "lost behind COMMIT")
        return outcome

    monkeypatch.setattr(Deleter, "_transaction", unlucky)
    with deleter(source, shape) as one:
        outcome = one.delete(copies, range(3))
        assert (outcome.gone, outcome.unsure, len(attempts)) == ([0, 1, 2], True, 3)
        assert one.delete(copies, range(3)).unsure is False


def test_a_key_that_mysql_calls_equal_and_that_is_another_is_a_changed_row_and_not_gone(source: Source) -> None:
    shape, copies = made(source, "id varchar(20)", "concat('k', seq)", 3)
    source.mysql("update t set id = 'K2' where id = 'k2'", "delete from t where id = 'k3'")
    with deleter(source, shape) as one:
        outcome = one.delete(copies, range(3))
    assert (outcome.deleted, outcome.gone, outcome.left) == ([0], [2], {"changed": [1]})


def test_a_text_key_is_no_number(source: Source) -> None:
    shape, copies = made(source, "id varchar(20)", "elt(seq, '0', 'abc', '00', '0x', '')", 5)
    source.mysql("delete from t where id = '0'")
    with deleter(source, shape) as one:
        outcome = one.delete(copies, [copies.keys.index((b"0",))])
    assert len(outcome.gone) == 1
    source.admin.rollback()
    with source.admin.cursor() as cursor:
        cursor.execute("select count(*) from t")
        assert cursor.fetchone() == (4,)


def test_a_row_without_a_cursor_is_not_before_the_horizon(source: Source) -> None:
    shape, copies = made(source, "id int", "seq", 3)
    source.mysql("alter table t add u datetime(6)", "update t set u = '2026-01-01' where id = 1")
    source.mysql("update t set u = '2026-01-01 00:00:00.000001' where id = 2")
    with session(source) as connection:
        shape = read_shape(connection, "t")
        table = read(connection, shape, "true")
    copies = Copies(shape, Proven(table, rows.hashes(shape.columns, table)))
    horizon = Horizon("u", "datetime", "2026-01-01 00:00:00.000001")
    with deleter(source, shape, horizon=horizon) as one:
        outcome = one.delete(copies, range(3))
    assert (outcome.deleted, outcome.left) == ([0], {"horizon": [1, 2]})


@pytest.mark.parametrize("rule", ["cascade", "set null"])
def test_a_child_of_somebody_who_checks_no_foreign_keys_is_not_deleted_with_its_parent(
    source: Source, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    shape, copies = made(source, "id int", "seq", 2)
    source.mysql(f"create table c (id int primary key, p int, foreign key (p) references t (id) on delete {rule})")
    with session(source) as connection:
        shape = read_shape(connection, "t")

    def meanwhile(*arguments: Any) -> str:
        with session(source) as other, other.cursor() as cursor:
            cursor.execute("set foreign_key_checks = 0")
            cursor.execute("insert into c values (7, 1)")
        return what_changed(*arguments)

    monkeypatch.setattr("el.archive.delete.what_changed", meanwhile)
    with deleter(source, shape) as one:
        assert one.delete(copies, [0, 1]).deleted == [0, 1]
    with session(source) as connection, connection.cursor() as cursor:
        cursor.execute("select id, p from c")
        assert list(cursor.fetchall()) == [(7, 1)]


@pytest.mark.parametrize("value", ["' or 1", "", "2026-01-01'--"])
def test_a_horizon_that_is_no_time_is_refused(value: str) -> None:
    with pytest.raises(ArchiveError, match="horizon"):
        _ = Horizon("u", "datetime", value).sql

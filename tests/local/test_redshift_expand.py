"""What only the names of columns can explain: PIVOT, UNPIVOT, EXCLUDE, aliases within their own select list.

What they give is in tests/conformance/queries.yml. Here: that the question for the names disturbs no protocol, no
transaction and no other kind of statement.
"""

from __future__ import annotations

import psycopg
import psycopg2
import pytest

from local.redshift.lexer import shape

from .conftest import BUCKET, PASSWORD, Bucket, Db, Running

LATERAL = "select a + 1 as b, b * 2 as c from t"
PIVOTED = "select * from t pivot (sum(n) for a in (1, 3))"


@pytest.fixture
def table(db: Db) -> Db:
    db.run("create table t (a int, n int)")
    db.run("insert into t values (1, 10), (3, 30)")
    return db


def test_a_prepared_statement_may_have_parameters_before_and_inside_the_question(redshift: Running, table: Db) -> None:
    login = f"host=127.0.0.1 port={redshift.port} user=el password={PASSWORD} dbname=dev sslmode=disable"
    with psycopg.connect(login, prepare_threshold=0) as connection, connection.cursor() as cursor:
        cursor.execute(f"set search_path to {table.schema}")  # type: ignore[arg-type]  # psycopg wants a literal
        for _ in range(3):
            lateral = cursor.execute("select a + %s as b, b * 2 as c from t where n = %s", (5, 30)).fetchall()
            pivot = "select * from (select a, n from t where n > %s) pivot (sum(n) for a in (1, 3))"
            assert lateral == [(8, 16)]
            assert cursor.execute(pivot, (10,)).fetchall() == [(None, 30)]


def test_the_question_does_not_end_the_transaction_it_is_asked_in(table: Db) -> None:
    table.run("begin")
    table.run("insert into t values (5, 50)")
    assert table.run(LATERAL + " order by 1") == [(2, 4), (4, 8), (6, 12)]
    table.run("rollback")
    assert table.run(LATERAL + " order by 1") == [(2, 4), (4, 8)]


def test_outside_a_transaction_the_question_opens_none(table: Db) -> None:
    assert table.run(PIVOTED) == [(10, 30)]
    assert table.connection.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_IDLE


def test_an_answer_is_not_remembered_beyond_its_statement(table: Db) -> None:
    assert table.run(LATERAL + " order by 1") == [(2, 4), (4, 8)]
    table.run("alter table t add column b int default 100")
    assert table.run(LATERAL + " order by 1") == [(2, 200), (4, 200)]


def test_a_table_that_is_not_there_is_the_error_and_fails_the_transaction(table: Db) -> None:
    table.run("begin")
    with pytest.raises(psycopg2.errors.UndefinedTable, match="missing"):
        table.run("select a as b, b + 1 from missing")
    with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
        table.run("select 1")
    table.run("rollback")
    assert table.value("select 1 as b, b + 1") == 1


def test_the_history_has_the_statement_as_it_was_sent(table: Db) -> None:
    table.run(PIVOTED)
    texts = [text for (text,) in table.run("select trim(querytxt) from stl_query")]
    assert shape(PIVOTED) in texts


def test_unload_explain_and_update_take_them_too(table: Db, bucket: Bucket) -> None:
    table.run(f"unload ('{LATERAL} order by 1') to 's3://{BUCKET}/{bucket.prefix}/' iam_role default parallel off")
    body = bucket.client.get_object(Bucket=BUCKET, Key=f"{bucket.prefix}/000")["Body"].read()
    assert body == b"2|4\n4|8\n"
    assert table.run(f"explain {LATERAL}")
    table.run("update t set n = s.v from (select a as k, k * 100 as v from t) s where t.a = s.k")
    assert table.run("select n from t order by n") == [(100,), (300,)]

"""The real drivers connect, query and go away, each in its own way of speaking the protocol."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import psycopg2
import psycopg2.extensions
import pytest
import redshift_connector

from local.redshift.protocol import Wire, startup
from local.redshift.protocol import message as packed

from .conftest import PASSWORD, Db, Running

TYPES = (
    "id int, v varchar(10), s super, b varbyte(9), d decimal(10,2), ts timestamp, tz timestamptz, dt date,"
    " f float, t bool"
)
ROW = (
    "1, 'é', json_parse('{\"a\": [1.50, null]}'), to_varbyte('6162', 'hex'), 1.5, '2020-01-01 01:02:03.000004',"
    " '2020-01-01 00:00+01', '2020-01-01', 0.1, true"
)


def redshift_driver(server: Running, **more: Any) -> redshift_connector.Connection:
    login = {"user": "el", "password": PASSWORD, "database": "dev", "ssl": False, **more}
    return redshift_connector.connect(host="127.0.0.1", port=server.port, **login)


def psycopg3(server: Running, **more: Any) -> psycopg.Connection[Any]:
    login = {"user": "el", "password": PASSWORD, "dbname": "dev", **more}
    return psycopg.connect(host="127.0.0.1", port=server.port, **login)


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_psycopg2_sees_redshifts_version_types_and_texts(db: Db) -> None:
    assert db.connection.server_version == 80002
    db.run(f"create table t ({TYPES})")
    db.run(f"insert into t values ({ROW})")
    with db.connection.cursor() as cursor:
        cursor.execute("select s, b, d, f from t")
        assert [c.type_code for c in cursor.description] == [4000, 6551, 1700, 701]
        assert cursor.fetchall() == [('{"a":[1.50,null]}', "6162", Decimal("1.50"), 0.1)]


def test_redshift_connector_binds_values_and_reads_every_type(redshift: Running, db: Db) -> None:
    db.run(f"create table t ({TYPES})")
    connection = redshift_driver(redshift)
    with connection.cursor() as cursor:
        cursor.execute(f"insert into {db.schema}.t values ({ROW})")
        cursor.execute(f"insert into {db.schema}.t (id, v, d) values (%s, %s, %s)", (2, "b", Decimal("2.25")))
        assert cursor.rowcount == 1
        cursor.execute(f"select * from {db.schema}.t order by id")
        first, second = cursor.fetchall()
        assert first[:5] == [1, "é", '{"a":[1.50,null]}', "ab", Decimal("1.50")]
        assert first[5].microsecond == 4 and first[8:] == [0.1, True]
        assert second[:5] == [2, "b", None, None, Decimal("2.25")]
    connection.commit()
    connection.close()
    assert db.value("select count(*) from t") == 2


def test_redshift_connector_compares_super_with_what_it_binds(redshift: Running, db: Db) -> None:
    db.run("create table t (id int, c super)")
    db.run("""insert into t select 1, json_parse('{"s": "[1]", "n": 5, "l": [1]}')""")
    with redshift_driver(redshift) as connection, connection.cursor() as cursor:
        for where, value, rows in (
            ("c.s = %s", "[1]", ([1],)),
            ("c.l = %s", "[1]", ()),  # a string is not the array that its text spells
            ("%s = c.n", 5, ([1],)),
            ("c.n in (%s, 4)", 5, ([1],)),
            ("c.s in (%s)", "x", ()),
            ("c.n > %s", Decimal("4.5"), ([1],)),
        ):
            cursor.execute(f"select id from {db.schema}.t where {where}", (value,))
            assert cursor.fetchall() == rows, where
        cursor.execute(f"insert into {db.schema}.t values (%s, %s), (%s, %s)", (2, '{"a":1}', 3, 7))
        cursor.execute(f"select c, json_typeof(c) from {db.schema}.t where id > 1 order by id")
        assert cursor.fetchall() == ([r'"{\"a\":1}"', "string"], ["7", "number"])


def test_redshift_connector_in_autocommit_keeps_each_write(redshift: Running, db: Db) -> None:
    db.run("create table t (a int)")
    connection = redshift_driver(redshift)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"insert into {db.schema}.t values (1)")
        with pytest.raises(redshift_connector.Error):
            cursor.execute(f"insert into {db.schema}.t values ('x')")
        with pytest.raises(redshift_connector.Error, match="index"):
            cursor.execute("create index i on t (a)")
        cursor.execute(f"update {db.schema}.t set a = a + 1")
        cursor.execute(f"truncate {db.schema}.t")
        cursor.execute(f"insert into {db.schema}.t values (%s)", (7,))
    connection.close()
    assert db.run("select a from t") == [(7,)]


def test_psycopg3_speaks_tls_prepares_and_pipelines(redshift: Running, db: Db) -> None:
    db.run("create table t (a int, b varchar(20))")
    with psycopg3(redshift, sslmode="require", autocommit=True) as connection:
        assert connection.pgconn.ssl_in_use
        cursor = connection.cursor()
        cursor.executemany(f"insert into {db.schema}.t values (%s, %s)", [(i, "a\\b'c") for i in range(20)])
        with connection.pipeline():
            for i in range(20, 25):
                connection.execute(f"insert into {db.schema}.t values (%s, 'p')", (i,))
        for i in range(8):  # from the sixth on by a prepared statement
            connection.execute(f"update {db.schema}.t set b = b || 'x' where a = %s", (i,))
    assert db.value("select count(*) from t") == 25
    assert db.value("select b from t where a = 3") == "a\\b'cx"


def test_a_transaction_of_psycopg3_rolls_back_whole(redshift: Running, db: Db) -> None:
    db.run("create table t (a int)")
    with psycopg3(redshift) as connection:
        connection.execute(f"insert into {db.schema}.t values (1)")
        connection.rollback()
        connection.execute(f"insert into {db.schema}.t values (2)")
    assert db.run("select a from t") == [(2,)]


def test_several_statements_in_one_message_succeed_or_fail_together(db: Db) -> None:
    db.run("create table t (a int)")
    with pytest.raises(psycopg2.Error):
        db.run("insert into t values (1); insert into t values ('x')")
    assert db.value("select count(*) from t") == 0
    db.run("begin; insert into t values (1); commit; insert into t values (2)")
    assert db.value("select count(*) from t") == 2


@pytest.mark.parametrize("login", [{"password": "wrong"}, {"user": "nobody"}, {"user": "rdsdb"}])
def test_a_wrong_login_is_refused_in_redshifts_words(redshift: Running, login: dict[str, str]) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed for user"):
        redshift.connect(**login)


def test_a_database_that_does_not_exist_is_said_so_and_one_that_is_made_has_the_catalog(
    redshift: Running, db: Db
) -> None:
    with pytest.raises(psycopg2.OperationalError, match="does not exist"):
        redshift.connect(dbname="made")
    db.run("create database made")
    other = redshift.connect(dbname="made")
    with other.cursor() as cursor:
        cursor.execute("create table public.t (a super)")
        cursor.execute("select data_type from svv_columns where table_name = 't'")
        assert cursor.fetchall() == [("super",)]
    other.close()
    assert eventually(lambda: db.value("select count(*) from stv_sessions where db_name = 'made'") == 0)
    db.run("drop database made")


def test_another_user_logs_in_with_its_own_password_and_rights(redshift: Running, db: Db) -> None:
    user = f"u_{db.schema}"
    db.run("create table t (a int)")
    db.run(f"create user {user} password 'Abcdefg1'")
    other = redshift.connect(user=user, password="Abcdefg1")
    with other.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute(f"select * from {db.schema}.t")
    other.close()
    db.run(f"drop user {user}")


def test_a_client_that_vanishes_leaves_no_session_and_no_lock(redshift: Running, db: Db) -> None:
    db.run("create table t (a int)")
    holder, waiter = redshift.connect(), redshift.connect(application_name="waiter")
    holder.cursor().execute(f"lock table {db.schema}.t")
    waiting = "select count(*) from stv_locks where lock_owner_pid = %s"
    pid = waiter.info.backend_pid
    thread = threading.Thread(target=_ignore_errors, args=(waiter.cursor(), f"lock table {db.schema}.t"))
    thread.start()
    assert eventually(lambda: db.value(waiting, pid) > 0)
    waiter_socket = _socket_of(waiter)
    waiter_socket.shutdown(2)  # as a killed process would leave it
    assert eventually(lambda: db.value("select count(*) from stv_sessions where process = %s", pid) == 0)
    thread.join(10)
    holder.close()


def _ignore_errors(cursor: Any, sql: str) -> None:
    with contextlib.suppress(psycopg2.Error):
        cursor.execute(sql)


def _socket_of(connection: Any) -> Any:
    return socket.socket(fileno=os.dup(connection.fileno()))


def test_a_running_statement_can_be_cancelled(redshift: Running, db: Db) -> None:
    db.run("create table t (a int)")
    holder, waiter = redshift.connect(), redshift.connect()
    holder.cursor().execute(f"lock table {db.schema}.t")
    failures: list[BaseException] = []

    def wait() -> None:
        try:
            waiter.cursor().execute(f"insert into {db.schema}.t values (1)")
        except psycopg2.Error as error:
            failures.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    pid = waiter.info.backend_pid
    assert eventually(lambda: db.value("select count(*) from stv_locks where lock_owner_pid = %s", pid) > 0)
    waiter.cancel()
    thread.join(10)
    assert isinstance(failures[0], psycopg2.errors.QueryCanceled)
    holder.close()
    waiter.close()


def test_many_connections_work_at_once(redshift: Running, db: Db) -> None:
    db.run("create table t (a int)")
    failures: list[BaseException] = []

    def work(n: int) -> None:
        try:
            connection = redshift.connect()
            connection.autocommit = True
            with connection.cursor() as cursor:
                for _ in range(3):
                    cursor.execute(f"insert into {db.schema}.t values (%s)", (n,))
            connection.close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [] and db.value("select count(*) from t") == 60


def test_a_large_result_arrives_whole(db: Db) -> None:
    db.run("create table d (n int); insert into d values (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
    rows = db.run("select a.n*10000+b.n*1000+c.n*100+e.n*10+f.n from d a, d b, d c, d e, d f order by 1")
    assert [n for (n,) in rows] == list(range(100_000))


def test_a_server_side_cursor_fetches_in_parts(redshift: Running, db: Db) -> None:
    db.run("create table t (a int); insert into t values (1), (2), (3)")
    connection = redshift.connect()
    with connection.cursor("parts") as cursor:
        cursor.itersize = 2
        cursor.execute(f"select a from {db.schema}.t order by a")
        assert cursor.fetchmany(2) + cursor.fetchall() == [(1,), (2,), (3,)]
    connection.close()


def test_the_statement_log_counts_without_values(make_redshift: Callable[..., Running], tmp_path: Path) -> None:
    log = tmp_path / "statements.jsonl"
    server = make_redshift("--log-statements", str(log)).start()
    connection = server.connect()
    with connection.cursor() as cursor:
        cursor.execute("select 'a secret value', 4711")
    connection.close()
    assert server.stop() == 0
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert [e["text"] for e in entries if e["what"] == "query"] == ["BEGIN", "select ? , ?"]
    assert [e["what"] for e in entries].count("connect") == 1
    everything = (
        log.read_text() + server.data.with_suffix(".err").read_text() + (server.data / "pgdata.log").read_text()
    )
    assert "secret" not in everything and PASSWORD not in everything


def test_a_portal_with_a_row_limit_hands_out_the_rest_later(redshift: Running, db: Db) -> None:
    """Bind once, Execute with a limit of 2 until CommandComplete, as JDBC's fetch size does."""
    wire, speak = _raw_session(redshift)
    sql = "select v from (select 1 as v union all select 2 union all select 3 union all select 4 union all select 5) t"
    speak(b"P", b"\0" + sql.encode() + b"\0\0\0")
    speak(b"B", b"c1\0\0" + b"\0\0\0\0\0\0")
    for _ in range(3):
        speak(b"E", b"c1\0" + (2).to_bytes(4, "big"))
    speak(b"S", b"")
    kinds = []
    while (message := wire.read())[0] != b"Z":
        kinds.append(message[0])
    assert b"".join(kinds) == b"12" + b"DDs" + b"DDs" + b"DC"
    wire.close()


def test_after_an_error_pipelined_messages_are_skipped_until_sync(redshift: Running) -> None:
    wire, speak = _raw_session(redshift)
    for sql in ("select 1", "select no_such_column", "select 2"):
        speak(b"P", b"\0" + sql.encode() + b"\0\0\0")
        speak(b"B", b"\0\0" + b"\0\0\0\0\0\0")
        speak(b"E", b"\0" + b"\0\0\0\0")
    speak(b"S", b"")
    kinds = []
    while (message := wire.read())[0] != b"Z":
        kinds.append(message[0])
    assert b"".join(kinds) == b"12DC" + b"E"
    wire.close()


def _raw_session(server: Running) -> tuple[Wire, Callable[[bytes, bytes], None]]:
    """Logged in without a driver."""
    wire = Wire(socket.create_connection(("127.0.0.1", server.port)))
    login = {"user": "el", "database": "dev", "client_protocol_version": "2"}
    wire.sock.sendall(startup(login))
    while (message := wire.read())[0] != b"Z":
        kind, payload = message
        if kind == b"R" and payload[:4] == (5).to_bytes(4, "big"):
            inner = hashlib.md5((PASSWORD + "el").encode(), usedforsecurity=False).hexdigest()
            answer = "md5" + hashlib.md5(inner.encode() + payload[4:8], usedforsecurity=False).hexdigest()
            wire.sock.sendall(packed(b"p", answer.encode() + b"\0"))
    return wire, lambda kind, payload: wire.sock.sendall(packed(kind, payload))


def test_a_notice_reaches_the_client(db: Db) -> None:
    db.run("drop table if exists never_there")
    assert any("never_there" in notice for notice in db.connection.notices)

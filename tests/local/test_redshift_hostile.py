"""Clients that talk nonsense, go away or change their mind: nothing hangs, nothing is left running."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

import psycopg2
import pytest

from local.redshift.protocol import CANCEL_REQUEST, PROTOCOL_3, SSL_REQUEST, startup
from local.redshift.protocol import message as packed

from .conftest import BUCKET, Bucket, Db, Running
from .test_redshift_protocol import _raw_session, eventually

ROLE = "iam_role 'arn:aws:iam::000000000000:role/any'"
SYNC = packed(b"S", b"")


def answer(sock: socket.socket) -> bytes:
    """All that comes until the server closes. A server that hangs is a timeout, an error of the test."""
    sock.settimeout(60)
    said = b""
    with contextlib.suppress(ConnectionError):
        while data := sock.recv(65_536):
            said += data
    return said


def alive(server: Running) -> bool:
    connection = server.connect()
    with connection.cursor() as cursor:
        cursor.execute("select 1")
        found = cursor.fetchone() == (1,)
    connection.close()
    return found


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        struct.pack("!II", 0, PROTOCOL_3),
        struct.pack("!II", 0xFFFFFFFF, PROTOCOL_3),
        struct.pack("!II", 8, 2 << 16),
        struct.pack("!II", 100, PROTOCOL_3) + b"user\0",
        struct.pack("!II", 8, SSL_REQUEST) + b"no client hello",
        struct.pack("!II", 8, CANCEL_REQUEST),
        struct.pack("!IIII", 16, CANCEL_REQUEST, 1, 1),
        struct.pack("!II", 9, PROTOCOL_3) + b"\0",
        struct.pack("!II", 28, PROTOCOL_3) + b"\xff\xfe\0\xff\0user\0\xff\xfe\0\0\0\0\0\0\0",
        startup({"user": "el", "database": "dev"}) + b"p" + struct.pack("!I", 0x7FFFFFFF),
        startup({"user": "el", "database": "dev"}) + packed(b"Q", b"select 1\0"),
    ],
)
def test_a_garbage_start_ends_in_a_closed_connection(redshift: Running, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", redshift.port)) as sock:
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        answer(sock)
    assert alive(redshift)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"Q" + struct.pack("!I", 3) + b"abc", b"invalid message length"),
        (b"Q" + struct.pack("!I", 0xFFFFFFF0) + b"select", b"invalid message length"),
        (packed(b"?", b""), b"invalid frontend message type 63"),
        (packed(b"p", b"late password\0"), b"invalid frontend message type 112"),
    ],
)
def test_what_is_no_message_ends_the_connection_with_a_reason(redshift: Running, sent: bytes, words: bytes) -> None:
    wire, _ = _raw_session(redshift)
    wire.sock.sendall(sent)
    assert words in answer(wire.sock)
    assert alive(redshift)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (packed(b"Q", b"select '\xff\xfe'\0"), b"22021"),
        (packed(b"P", b"\xff\0select 1\0\0\0") + SYNC, b"22021"),
        (packed(b"P", b"") + SYNC, b"08P01"),
        (packed(b"P", b"\0select 1\0\0\5") + SYNC, b"08P01"),
        (packed(b"B", b"") + SYNC, b"08P01"),
        (packed(b"P", b"\0select $1\0\0\0") + packed(b"B", b"\0\0\0\0\0\1\x7f\xff\xff\xffab\0\0") + SYNC, b"08P01"),
        (packed(b"B", b"\0nope\0\0\0\0\0\0\0") + SYNC, b"26000"),
        (packed(b"E", b"nope\0\0\0\0\0") + SYNC, b"34000"),
        (packed(b"D", b"Xx\0") + SYNC, b"08P01"),
        (packed(b"F", b"\0\0\0\1\0\0\0\0\0\0"), b"0A000"),
        # A client that forgets its Sync: what follows an error is skipped, a simple query too.
        (packed(b"D", b"Sx\0") + packed(b"Q", b"select 'skipped'\0") + SYNC, b"26000"),
    ],
)
def test_a_malformed_message_is_an_error_and_the_session_goes_on(redshift: Running, sent: bytes, code: bytes) -> None:
    wire, speak = _raw_session(redshift)
    wire.sock.settimeout(60)
    wire.sock.sendall(sent)
    kinds = b""
    while (message := wire.read())[0] != b"Z":
        kinds += message[0]
        if message[0] == b"E":
            assert b"C" + code in message[1]
    assert kinds.endswith(b"E")
    speak(b"Q", b"select 7\0")
    assert [wire.read()[0] for _ in range(4)] == [b"T", b"D", b"C", b"Z"]
    wire.close()


def test_random_bytes_neither_hang_nor_kill_the_server(redshift: Running) -> None:
    dice = random.Random(7)
    for i in range(120):
        sock = _raw_session(redshift)[0].sock if i % 2 else socket.create_connection(("127.0.0.1", redshift.port))
        with sock, contextlib.suppress(ConnectionError):
            head = dice.choice(b"QPBDECSHXdcfpF").to_bytes(1, "big") + struct.pack("!I", dice.choice([4, 5, 8, 20, 40]))
            sock.sendall(head + dice.randbytes(36) + SYNC)
            sock.shutdown(socket.SHUT_WR)
            answer(sock)
    assert alive(redshift)


def test_a_hundred_connections_at_once_are_all_answered_and_leave_no_session(redshift: Running, db: Db) -> None:
    wires = [_raw_session(redshift)[0] for _ in range(90)]  # PostgreSQL has room for a hundred, others test here too
    for wire in wires:
        wire.sock.sendall(packed(b"Q", b"select 1\0"))
    for wire in wires:
        wire.sock.settimeout(60)
        assert [wire.read()[0] for _ in range(4)] == [b"T", b"D", b"C", b"Z"]
        wire.close()
    assert eventually(lambda: db.value("select count(*) from stv_sessions") < 50, 60)


@pytest.fixture
def wide(db: Db, bucket: Bucket) -> str:
    """A table, and a file for it that takes a while to load."""
    db.run("create table t (a int, b varchar(100))")
    return bucket.put("wide.csv", b"".join(b"%d,%s\n" % (i, b"x" * 80) for i in range(400_000)))


def in_thread(connection: Any, sql: str) -> tuple[threading.Thread, list[BaseException]]:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            connection.cursor().execute(sql)
        except psycopg2.Error as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, failures


def running(db: Db, pid: int, words: str) -> Callable[[], bool]:
    asked = (
        f"select count(*) from pg_stat_activity where pid = {pid} and state = 'active' and lower(query) like '{words}%'"
    )
    return lambda: bool(db.value(asked))


def test_a_copy_is_cancelled_midway(redshift: Running, db: Db, wide: str) -> None:
    connection = redshift.connect()
    thread, failures = in_thread(connection, f"copy {db.schema}.t from '{wide}' {ROLE} csv")
    assert eventually(running(db, connection.info.backend_pid, "copy"), 60)
    connection.cancel()
    thread.join(120)
    assert [type(f) for f in failures] == [psycopg2.errors.QueryCanceled]
    connection.rollback()
    connection.cursor().execute(f"insert into {db.schema}.t values (1, 'the connection is usable')")
    connection.close()
    assert db.value("select count(*) from t") == 0


def test_an_unload_is_cancelled_midway(redshift: Running, db: Db, bucket: Bucket) -> None:
    db.run("create table d (n int); insert into d values (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
    tables = ", ".join(f"{db.schema}.d t{i}" for i in range(8))
    connection = redshift.connect()
    to = f"s3://{BUCKET}/{bucket.prefix}/out_"
    thread, failures = in_thread(connection, f"unload ('select t0.n from {tables}') to '{to}' {ROLE}")
    assert eventually(running(db, connection.info.backend_pid, "copy"), 60)
    connection.cancel()
    thread.join(120)
    assert [type(f) for f in failures] == [psycopg2.errors.QueryCanceled]
    connection.rollback()
    connection.cursor().execute("select 1")
    connection.close()


@pytest.mark.parametrize("how", ["vanishes", "says good-bye"])
def test_a_copy_of_a_client_that_leaves_is_given_up(redshift: Running, db: Db, wide: str, how: str) -> None:
    wire, speak = _raw_session(redshift)
    speak(b"Q", f"copy {db.schema}.t from '{wide}' {ROLE} csv\0".encode())
    active = f"select count(*) from pg_stat_activity where state = 'active' and query like 'copy%{db.schema}%'"
    asked = active + " and pid <> pg_backend_pid()"
    assert eventually(lambda: bool(db.value(asked)), 60)
    if how == "says good-bye":
        speak(b"X", b"")
    wire.close()
    assert eventually(lambda: not db.value(asked), 60)
    assert db.value("select count(*) from t") == 0
    assert eventually(
        lambda: db.run("select status from sys_load_history order by query_id desc limit 1") == [("aborted",)], 60
    )


def test_a_statement_of_a_client_that_left_with_a_good_bye_is_ended(redshift: Running, db: Db) -> None:
    db.run("create table t (a int)")
    holder = redshift.connect()
    holder.cursor().execute(f"lock table {db.schema}.t")
    wire, speak = _raw_session(redshift)
    speak(b"Q", f"insert into {db.schema}.t values (1)\0".encode())
    waiting = "select count(*) from pg_locks where not granted"
    assert eventually(lambda: db.value(waiting) > 0, 60)
    speak(b"X", b"")
    wire.close()
    assert eventually(lambda: db.value(waiting) == 0, 60)
    holder.rollback()
    holder.close()
    assert db.value("select count(*) from t") == 0


def test_two_messages_that_arrive_in_pieces_are_put_together(redshift: Running) -> None:
    wire, _ = _raw_session(redshift)
    wire.sock.settimeout(60)
    for byte in packed(b"Q", b"select 1\0") + packed(b"Q", b"select 2\0"):
        wire.sock.sendall(bytes([byte]))
    assert [wire.read()[0] for _ in range(8)] == [b"T", b"D", b"C", b"Z"] * 2
    wire.close()

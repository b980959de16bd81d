"""A proxy in front of MySQL is refused at the log-in; what passes bytes through is not.

The proxies that cannot be had here are imitated by a relay that greets as they do: with ids of its own and with their
version. MySQL Router 9.7 and HAProxy 3.2 were tried by hand; the Router greets with id 0 and ``9.7.4-router``.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from el import settings
from el.errors import SourceError
from el.mysql import connection, proxy
from el.mysql.connection import connected, rows
from tests.conftest import Source

Greet = Callable[[bytes], bytes]


@contextmanager
def relay(port: int, greet: Greet = bytes) -> Iterator[int]:
    """A port that leads to the server; ``greet`` may change the first packet, the greeting."""
    listener = socket.create_server(("127.0.0.1", 0))
    ends: list[socket.socket] = []

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", port))
                ends.extend((client, server))
                head = server.recv(4, socket.MSG_WAITALL)
                body = greet(server.recv(int.from_bytes(head[:3], "little"), socket.MSG_WAITALL))
                client.sendall(len(body).to_bytes(3, "little") + head[3:] + body)
                for both in ((client, server), (server, client)):
                    threading.Thread(target=pump, args=both, daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        for end in (listener, *ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        thread.join(10)


def greeting(number: int | None = None, version: str = "") -> Greet:
    """The greeting with another connection id, and with something behind the version."""

    def change(body: bytes) -> bytes:
        end = body.index(b"\0")  # of the version, which begins behind the protocol's number
        own = body[end + 1 : end + 5] if number is None else number.to_bytes(4, "little")
        return body[:end] + version.encode() + b"\0" + own + body[end + 5 :]

    return change


@pytest.fixture
def server(source: Source, monkeypatch: pytest.MonkeyPatch) -> settings.MySQL:
    name = f"SOURCES__{source.name.upper()}__CREDENTIALS"
    monkeypatch.setenv(name, source.env[name])
    return settings.mysql(source.name)


def at(server: settings.MySQL, port: int) -> settings.MySQL:
    return settings.MySQL(**(vars(server) | {"port": port}))


@pytest.mark.parametrize("as_text", [False, True])
def test_what_passes_bytes_through_is_no_proxy(server: settings.MySQL, as_text: bool) -> None:
    with relay(server.port) as port, connected("shop", at(server, port), as_text) as through:
        assert len(rows(through, "select 1")) == 1


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("", "a proxy"),
        ("-router", "MySQL Router"),
        (" 24.02.1-maxscale", "MaxScale"),
        ("-ProxySQL", "ProxySQL"),
        ("-Vitess", "Vitess"),
    ],
)
def test_a_server_that_calls_the_connection_otherwise_is_refused_by_name(
    server: settings.MySQL, version: str, name: str
) -> None:
    with (
        relay(server.port, greeting(0, version)) as port,
        pytest.raises(SourceError, match=rf"{name} answers there, which calls this connection 0, and the server \d+"),
        connected("shop", at(server, port)),
    ):
        pass


def test_proxysql_is_called_by_the_answer_that_it_gives_itself(
    server: settings.MySQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = proxy._row

    def answer(connection: Any, sql: str) -> tuple[str, ...]:
        asked.append(sql)
        return ("(ProxySQL)",) if sql == "select @@version_comment limit 1" else real(connection, sql)

    monkeypatch.setattr(proxy, "_row", answer)
    with (
        relay(server.port, greeting(7)) as port,
        pytest.raises(SourceError, match="ProxySQL answers there"),
        connected("shop", at(server, port)),
    ):
        pass
    assert asked[0] != "select connection_id()"  # this one it answers with its own id


@pytest.mark.parametrize(
    "host",
    [
        "shop.proxy-abc123.eu-west-1.rds.amazonaws.com",
        "reader.endpoint.proxy-abc123.us-east-1.rds.amazonaws.com",
        "shop.PROXY-abc123.cn-north-1.rds.amazonaws.com.cn",
    ],
)
def test_rds_proxy_is_refused_before_the_log_in(server: settings.MySQL, host: str) -> None:
    with (
        pytest.raises(SourceError, match="RDS Proxy answers there, as its address tells"),
        connected("shop", settings.MySQL(**(vars(server) | {"host": host}))),
    ):
        pass


@pytest.mark.parametrize(
    "host", ["shop.abc123.eu-west-1.rds.amazonaws.com", "shop.cluster-abc123.eu-west-1.rds.amazonaws.com", "proxy-1"]
)
def test_an_instance_of_rds_is_no_proxy_by_its_address(server: settings.MySQL, host: str) -> None:
    proxy.refuse_by_address(settings.MySQL(**(vars(server) | {"host": host})))


@pytest.mark.parametrize(
    ("command", "arguments"),
    [("el.cli", ["extract"]), ("el.cli", ["init"]), ("el.archive.cli", ["sizes"]), ("el.archive.cli", ["plan"])],
)
def test_every_command_refuses_a_proxy_and_says_what_to_give_instead(
    source: Source, server: settings.MySQL, command: str, arguments: list[str]
) -> None:
    source.mysql(
        "create table t (id int primary key, updated_at timestamp not null default current_timestamp, key (updated_at))"
    )
    source.configure(
        {"t": {"archive": {"class": "old", "age": "updated_at"}}},
        {"old": {"keep": "6 months", "archive": "7 years"}},
    )
    with relay(server.port, greeting(0, "-router")) as port:
        for kind in ("SOURCES", "ARCHIVE"):
            name = f"{kind}__{source.name.upper()}__CREDENTIALS"
            source.env[name] = source.env[name].replace(f":{server.port}/", f":{port}/")
        more = [source.name, "--print"] if arguments == ["init"] else []
        done = source.el(*arguments, *more, code=None, program=command)
    assert done.code != 0
    said = done.err + done.out
    assert "MySQL Router answers there" in said
    assert f"Give the address of the primary itself in {'ARCHIVE' if 'archive' in command else 'SOURCES'}__" in said


def test_the_check_costs_one_statement_at_the_log_in(server: settings.MySQL, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = proxy._row
    monkeypatch.setattr(proxy, "_row", lambda *each: (asked.append(each[1]), real(*each))[1])
    with connection.connected("shop", server):
        pass
    assert len(asked) == 1

"""The Postgres wire protocol, version 3: bytes on a socket in, messages out, and the other way round.

Nothing here knows SQL or Redshift. Messages are (type, payload) pairs; a backend's answers are read lock-step,
which costs a round trip on a Unix socket and lets the session put statements of its own between a client's.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections.abc import Iterable

from .errors import RedshiftError

PROTOCOL_3 = 196608
SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102


class Disconnected(Exception):
    """The other side of a connection has gone."""


class BadMessage(Disconnected):
    """What the other side sent is no message; nothing that follows can be understood."""


# A client that announces more is mistaken: Redshift's longest statement has 16 MB, a value not even that.
MAX_MESSAGE = 128 * 1024 * 1024
_GONE = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR  # not every system tells the first


class Wire:
    """One socket: buffered reads, buffered writes."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._in = bytearray()
        self._at = 0
        self._out = bytearray()

    # Reading

    def read_startup(self) -> tuple[int, bytes]:
        """The untyped first message: its code and what follows."""
        length = struct.unpack("!I", self._take(4))[0]
        if not 8 <= length <= 100_000:
            raise Disconnected("not a start-up message")
        payload = self._take(length - 4)
        return struct.unpack("!I", payload[:4])[0], payload[4:]

    def read(self, watch: Wire | None = None) -> tuple[bytes, bytes]:
        """The next message. With `watch`, raises Disconnected as soon as that other side closes."""
        while (message := self.buffered()) is None:
            self._fill(watch)
        return message

    def buffered(self) -> tuple[bytes, bytes] | None:
        """A message that has already arrived, or None."""
        at, data = self._at, self._in
        if len(data) - at < 5:
            return None
        length = int.from_bytes(data[at + 1 : at + 5], "big")
        if not 4 <= length <= MAX_MESSAGE:
            raise BadMessage("invalid message length")
        end = at + 1 + length
        if len(data) < end:
            return None
        self._at = end
        return bytes(data[at : at + 1]), bytes(data[at + 5 : end])

    def _take(self, size: int) -> bytes:
        while len(self._in) - self._at < size:
            self._fill(None)
        self._at += size
        return bytes(self._in[self._at - size : self._at])

    def _fill(self, watch: Wire | None) -> None:
        if watch is not None:
            self._wait_while_alive(watch)
        try:
            data = self.sock.recv(262_144)
        except OSError as error:
            raise Disconnected(str(error)) from error
        if not data:
            raise Disconnected("closed")
        del self._in[: self._at]
        self._at = 0
        self._in += data

    def _wait_while_alive(self, other: Wire) -> None:
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        poll.register(other.sock, select.POLLIN | _GONE)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if self.sock.fileno() in ready:
                return
            if other.closed():
                raise Disconnected("the client has gone")
            poll.modify(other.sock, _GONE)  # it sent its next message early: what else it says can wait

    def closed(self) -> bool:
        """Whether the other side has gone, be it with a message that nobody has read, as a good-bye is."""
        poll = select.poll()
        poll.register(self.sock, _GONE)
        if any(event & _GONE for _, event in poll.poll(0)):
            return True
        try:  # below TLS, if there is any: an SSLSocket cannot peek
            return socket.socket.recv(self.sock, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def waiting(self) -> bool:
        """Whether the other side has said something that was not read yet."""
        return self._at < len(self._in) or bool(select.select([self.sock], [], [], 0)[0])

    # Writing

    def send(self, *messages: bytes) -> None:
        for message in messages:
            self._out += message
        if len(self._out) > 131_072:
            self.flush()

    def flush(self) -> None:
        if self._out:
            data, self._out = self._out, bytearray()
            try:
                self.sock.sendall(data)
            except OSError as error:
                raise Disconnected(str(error)) from error

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


# Messages

FLUSH = b"H\x00\x00\x00\x04"
SYNC = b"S\x00\x00\x00\x04"
TERMINATE = b"X\x00\x00\x00\x04"
COPY_DONE = b"c\x00\x00\x00\x04"
EMPTY_QUERY = b"I\x00\x00\x00\x04"


def message(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("!I", len(payload) + 4) + payload


def text(value: str) -> bytes:
    return value.encode() + b"\0"


def query(sql: str) -> bytes:
    return message(b"Q", text(sql))


def parse(name: str, sql: str, parameter_types: bytes) -> bytes:
    """`parameter_types` as they came: a count and that many type numbers."""
    return message(b"P", text(name) + text(sql) + parameter_types)


def complete(tag: str) -> bytes:
    return message(b"C", text(tag))


def ready(status: bytes) -> bytes:
    return message(b"Z", status)


def error(fields: dict[str, str]) -> bytes:
    body = b"".join(key.encode() + text(value) for key, value in fields.items())
    return message(b"E", body + b"\0")


def fields(payload: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse or NoticeResponse."""
    return {part[:1].decode(): part[1:].decode(errors="replace") for part in payload.split(b"\0") if part}


def strings(payload: bytes, count: int) -> tuple[list[str], bytes]:
    """The first `count` zero-terminated strings, and the rest."""
    found = []
    for _ in range(count):
        value, _, payload = payload.partition(b"\0")
        found.append(decode(value))
    return found, payload


def decode(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise RedshiftError('invalid byte sequence for encoding "UTF8"', "22021") from None


def startup(parameters: dict[str, str]) -> bytes:
    body = b"".join(text(k) + text(v) for k, v in parameters.items()) + b"\0"
    return struct.pack("!II", len(body) + 8, PROTOCOL_3) + body


def startup_parameters(payload: bytes) -> dict[str, str]:
    parts = payload.split(b"\0")
    pairs: Iterable[tuple[bytes, bytes]] = zip(parts[::2], parts[1::2], strict=False)
    return {k.decode(errors="replace"): v.decode(errors="replace") for k, v in pairs if k}


def row_columns(payload: bytes) -> list[tuple[bytes, int, int, int]]:
    """RowDescription: per column its name, where its type number stands in the payload, the number, the format."""
    columns, at = [], 2
    for _ in range(int.from_bytes(payload[:2], "big")):
        end = payload.index(b"\0", at)
        kind = int.from_bytes(payload[end + 7 : end + 11], "big")
        columns.append((payload[at:end], end + 7, kind, int.from_bytes(payload[end + 17 : end + 19], "big")))
        at = end + 19
    return columns


def row_values(payload: bytes) -> list[bytes | None]:
    values: list[bytes | None] = []
    at = 2
    for _ in range(int.from_bytes(payload[:2], "big")):
        length = int.from_bytes(payload[at : at + 4], "big", signed=True)
        at += 4
        if length < 0:
            values.append(None)
        else:
            values.append(payload[at : at + length])
            at += length
    return values


def row(values: list[bytes | None]) -> bytes:
    body = [struct.pack("!H", len(values))]
    for value in values:
        body.append(struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value)
    return message(b"D", b"".join(body))


def result_formats(bind: bytes) -> list[int]:
    """The result format codes at the end of a Bind message."""
    _, rest = strings(bind, 2)
    at = 2 + 2 * int.from_bytes(rest[:2], "big")
    count = int.from_bytes(rest[at : at + 2], "big")
    at += 2
    for _ in range(count):
        length = int.from_bytes(rest[at : at + 4], "big", signed=True)
        at += 4 + max(length, 0)
    count = int.from_bytes(rest[at : at + 2], "big")
    return [int.from_bytes(rest[at + 2 + 2 * i : at + 4 + 2 * i], "big") for i in range(count)]

"""A TCP proxy in front of a database, which cuts a connection before or after a statement was sent, or answers it.

TLS must be off (EL_REDSHIFT_SSLMODE=disable), because it reads what passes.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal

#: Asked with each piece that the client sends. before: the server never gets it. after: it does, and answers, and the
#: client never gets that. A function: as after, and it is called when the answer was heard. Bytes: they are answered
#: instead, and the connection stays. None: it passes.
Cut = Callable[[bytes], "Literal['before', 'after'] | Callable[[], None] | bytes | None"]


@contextmanager
def tcp_proxy(port: int, cut: Cut) -> Iterator[int]:
    """The port to connect to instead of ``port`` of this machine."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    ends: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", port))
                ends.extend((client, server))
                answers = threading.Event()  # set: what the server says is not passed on
                heard = threading.Event()
                threading.Thread(target=forward, args=(client, server, answers, heard), daemon=True).start()
                threading.Thread(target=backward, args=(server, client, answers, heard), daemon=True).start()

    def forward(client: socket.socket, server: socket.socket, answers: threading.Event, heard: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                where = cut(data)
                if where is None:
                    server.sendall(data)
                    continue
                if isinstance(where, bytes):
                    client.sendall(where)
                    continue
                if where != "before":
                    answers.set()
                    server.sendall(data)
                    heard.wait(60)
                if callable(where):
                    where()
                break
        _close(client, server)

    def backward(
        server: socket.socket, client: socket.socket, answers: threading.Event, heard: threading.Event
    ) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if answers.is_set():
                    heard.set()
                    continue
                client.sendall(data)
        heard.set()
        _close(client, server)

    def _close(*both: socket.socket) -> None:
        for end in both:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
        _close(*ends)

"""A TCP proxy in front of MySQL that can cut a connection in the middle, as a failover or a firewall does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

#: Asked with every piece of an answer, before it is passed on: how many bytes this connection has had. True cuts it.
Cut = Callable[[int], bool]


@contextmanager
def mysql_proxy(host: str, port: int, cut: Cut) -> Iterator[int]:
    """The proxy's port."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_sockets: list[socket.socket] = []

    def close(*ends: socket.socket) -> None:
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def pump(source: socket.socket, target: socket.socket, asked: Cut | None) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(1 << 16):
                passed += len(data)
                if asked and asked(passed):
                    break
                target.sendall(data)
        close(source, target)

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection((host, port))
                open_sockets.extend((client, server))
                for ends in ((client, server, None), (server, client, cut)):
                    threading.Thread(target=pump, args=ends, daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        close(listener, *open_sockets)
        thread.join()

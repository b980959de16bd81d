"""An HTTP proxy in front of the local S3, to see what passes and to let something happen at a request.

Faults are made outside of ``el``: the real process is killed, or sees a real answer, at the moment of a real request.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

#: Asked at each request with method and path, before it is passed on. What may happen then:
#: a number is answered instead of S3's answer; "torn": S3 gets the half of the body, and both connections are cut;
#: a function is called when S3 has answered, and the answer is never passed on.
Before = Callable[[str, str], "int | Literal['torn'] | Callable[[], None] | None"]


class Gate:
    """A ``Before`` that stands still at the first request that is the one, until it is opened."""

    def __init__(self, is_moment: Callable[[str, str], bool]) -> None:
        self._is_moment = is_moment
        self._came, self._open = threading.Event(), threading.Event()

    def __call__(self, method: str, path: str) -> int | None:
        if self._is_moment(method, path) and not self._came.is_set():
            self._came.set()
            self._open.wait()
        return None

    def wait(self) -> None:
        """Until somebody stands before it."""
        assert self._came.wait(60), "the moment never came"

    def open(self) -> None:
        self._open.set()


@contextmanager
def s3_proxy(endpoint: str, before: Before) -> Iterator[str]:
    """The proxy's URL."""
    target = urlsplit(endpoint)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self._body()
            fault = before(self.command, self.path)
            if isinstance(fault, int):
                self._answer(fault, {}, b"")
                return
            connection = http.client.HTTPConnection(target.hostname or "", target.port)
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("transfer-encoding", "expect")}
            if fault == "torn":  # the headers promise all of it
                connection.request(self.command, self.path, body[: len(body) // 2], headers)
                connection.close()
                self.close_connection = True
                return
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            if fault is None:
                self._answer(answer.status, dict(answer.getheaders()), content)
                return
            fault()
            self.close_connection = True

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_any  # noqa: N815 - names of http.server

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                    self.send_header(name, value)
            if "content-length" not in {name.lower() for name in headers}:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing: requests name keys."""

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:  # the client was killed
                self.close_connection = True

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

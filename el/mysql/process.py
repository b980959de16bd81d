"""The reading process as seen from this side: started, asked, listened to, and its failures put into words.

In: queries. Out: connectorx's record batches, per query in the order of asking. ``worker.py`` is the other side.
``sessions`` is what reads a table range by range: it makes a connection that was lost again.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import pyarrow as pa

from el import retry
from el.errors import ConnectionLost, SourceError, Undecodable
from el.mysql.connection import LOST, Connection, connected, password, reason, session
from el.settings import MySQL

Answer = TypeVar("Answer")

_BATCH_ROWS = 50_000
#: For glibc: else each of connectorx's threads keeps a heap of its own, and large blocks that are free stay in it.
_HEAP = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "262144"}


class Process:
    """One worker process; used in a ``with`` block, which ends it."""

    def __init__(self, label: str, server: MySQL) -> None:
        self._label, self._server = label, server

    def __enter__(self) -> Self:
        self._stderr = tempfile.TemporaryFile()
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "el.mysql.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=os.environ | _HEAP,
            start_new_session=True,  # a terminal sends Ctrl-C to every process of ours
        )
        self._tell({"session": session(self._server), "batch_rows": _BATCH_ROWS})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            self.kill()
        assert self._worker.stdin and self._worker.stdout
        with suppress(BrokenPipeError):  # it ended first; `_failure` has said why
            self._worker.stdin.close()
        self._worker.stdout.close()
        self._worker.wait()
        self._stderr.close()

    def kill(self) -> None:
        """End it at once; whoever listens gets an error. May be called from any thread."""
        self._worker.kill()

    def ask(self, sql: str) -> None:
        """Begin a query. Its rows are given by ``answer``, after those of the queries that were asked before."""
        # Each query has a connection of its own, and a token of RDS may be too old for the next.
        self._tell({"url": _url(self._server), "sql": sql})

    def answer(self) -> Iterator[pa.RecordBatch]:
        """The rows of the oldest query that was not answered yet.

        Raises:
            ConnectionLost: asking again may help.
            Undecodable: a value could not be decoded.
            SourceError: MySQL refused.
        """
        assert self._worker.stdout
        rows = 0
        try:
            with pa.ipc.open_stream(pa.PythonFile(self._worker.stdout, "r")) as stream:
                for batch in stream:
                    rows += len(batch)
                    yield batch
            end = self._worker.stdout.readline()
        except (pa.ArrowInvalid, OSError):
            raise self._failure() from None
        if end != b"%d\n" % rows:  # a stream that was cut off reads like one that has ended
            raise self._failure()

    def _tell(self, message: Any) -> None:
        assert self._worker.stdin
        try:
            self._worker.stdin.write(json.dumps(message).encode() + b"\n")
            self._worker.stdin.flush()
        except BrokenPipeError:
            raise self._failure() from None

    def _failure(self) -> SourceError:
        """Why the worker ended, in words that hold no value: only MySQL's error number is taken from its output."""
        self._worker.kill()
        self._worker.wait()
        self._stderr.seek(0)
        text = self._stderr.read().decode(errors="replace")
        number = re.search(r"ERROR (\d{4}) ", text)
        kind: type[SourceError] = SourceError
        if number:
            why = f"{reason(int(number[1]))} (MySQL error {number[1]})"
            kind = ConnectionLost if int(number[1]) in LOST else SourceError
        elif re.search(r"I[Oo] ?[Ee]rror|Io\(|os error|Broken pipe|timed out", text):
            why, kind = "the connection was lost", ConnectionLost
        elif "PanicException" in text or "panicked" in text:
            why, kind = "connectorx could not decode a value", Undecodable
        else:
            why = f"the reading process ended with {self._worker.returncode}"
        return kind(
            f"{self._label}: reading from MySQL at {self._server.where} failed: {why}. "
            "Nothing was committed; what was committed before stays. Run again."
        )


def sessions(
    label: str,
    server: MySQL,
    read: Callable[[Connection, Process], Iterator[Answer]],
    wait: Callable[[float], object],
) -> Generator[Answer, None, None]:
    """What ``read`` gives, which has a connection for small questions and a process for rows. When one of them is lost,
    both are made anew and ``read`` is called again: it goes on behind what it gave last.

    ``label`` is SOURCE.TABLE. ``wait`` sleeps, and says True if it is asked to stop.

    Raises:
        ConnectionLost: too often in a row, or it is asked to stop.
        SourceError: as ``read`` raised it.
    """
    backoff = retry.Backoff(retry.RECONNECT, wait=wait)
    while True:
        try:
            # PyMySQL logs in first: connectorx tries a wrong password for half a minute.
            with connected(label.partition(".")[0], server) as connection, Process(label, server) as process:
                for answer in read(connection, process):
                    backoff.reset()
                    yield answer
                return
        except ConnectionLost as error:
            backoff.pause(error)


def _url(server: MySQL) -> str:
    # prefer_socket: at 127.0.0.1 may be a tunnel, and the socket of that name on this machine another server's.
    options = {"ssl-mode": server.tls, "prefer_socket": "false"} | ({"ssl-ca": server.tls_ca} if server.tls_ca else {})
    # connectorx prepares a query before our session's settings are made. Without a cache it is prepared once more
    # behind them: literals of a TIMESTAMP and a server's own sql_mode would be fixed at the first time.
    options["stmt_cache_size"] = "0"
    # What a client takes. The server's own setting is about what it takes, and a row that it sends may be longer.
    options["max_allowed_packet"] = str(2**30)
    if server.iam_region is not None:
        options["enable_cleartext_plugin"] = "true"  # how RDS takes a token; the connection is a verified one
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
    return (
        f"mysql://{quote(server.user, safe='')}:{quote(password(server), safe='')}@{server.host}:{server.port}"
        f"/{quote(server.database, safe='')}?{query}"
    )

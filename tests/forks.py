"""Real processes of ``el``, forked from one that has imported what it needs.

Most of a small run's time is spent on imports, and a suite makes a thousand runs. One process per test worker imports
everything once and touches nothing; each run is a fork of it, with its own environment, folder, output and exit code,
and a process like any other: it can be killed, stopped and continued.
"""

from __future__ import annotations

import array
import atexit
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

#: Slow to import, and without an effect before they are used.
IMPORTS = (
    "boto3",
    "boto3.s3.inject",
    "dlt._workspace",
    "dlt.common.configuration.plugins",
    "dlt.common.exceptions",
    "dlt.common.libs.pyarrow",
    "dlt.destinations",
    "dlt.destinations.impl.redshift.redshift",
    "dlt.pipeline.exceptions",
    "dlt.sources.helpers.requests",
    "el.archive.cli",
    "el.archive.run",
    "el.cli",
    "el.run",
    "fsspec.implementations.chained",
    "pendulum.locales.en.locale",
    "psycopg2",
    "psycopg2.sql",
    "pyarrow.compute",
    "pyarrow.parquet",
    "s3fs",
    "stringprep",
)
#: What may be run, and what it is called.
PROGRAMS = {"el.cli": "el", "el.archive.cli": "el-archive"}
#: Characters of a number that a fork tells.
_WIDTH = 16


class Mother:
    """The process that is forked, seen from the tests."""

    def __init__(self, folder: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mother-", dir=folder)
        self._address = str(Path(self._folder.name) / "socket")
        self._process = subprocess.Popen([sys.executable, "-m", "tests.forks", self._address], stdin=subprocess.PIPE)

    def run(self, program: str, arguments: tuple[str, ...], folder: Path, env: dict[str, str]) -> tuple[int, str, str]:
        """Run the ``main`` of a module. Exit code (or minus the signal), standard output, standard error."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, self._connection() as connection:
            _ask(connection, ("-m", program), arguments, folder, env, out.fileno(), err.fileno())
            _answer(connection)
            return _answer(connection), _text(out), _text(err)

    def start(
        self, program: tuple[str, str], arguments: tuple[str, ...], folder: Path, env: dict[str, str], piped: bool
    ) -> Forked:
        """Start ``-m`` a module of ``PROGRAMS``, or ``-c`` some lines, and do not wait for its end."""
        return Forked(self._connection(), program, arguments, folder, env, piped)

    def _connection(self) -> socket.socket:
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(self._address)
                return connection
            except (FileNotFoundError, ConnectionRefusedError):  # it imports
                connection.close()
                assert self._process.poll() is None, "the process that runs of el are forked from could not start"
                time.sleep(0.05)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


class Forked:
    """A fork that goes on, as ``subprocess.Popen`` shows a process. Texts are UTF-8."""

    def __init__(
        self,
        connection: socket.socket,
        program: tuple[str, str],
        arguments: tuple[str, ...],
        folder: Path,
        env: dict[str, str],
        piped: bool,
    ) -> None:
        self._connection, self._lock = connection, threading.Lock()
        self.returncode: int | None = None
        self.stdout: IO[str] | None = None
        self.stderr: IO[str] | None = None
        if piped:
            (out, out_end), (err, err_end) = os.pipe(), os.pipe()
            self.stdout, self.stderr = open(out), open(err)
        else:
            out_end, err_end = (os.open(os.devnull, os.O_WRONLY) for _ in range(2))
        _ask(connection, program, arguments, folder, env, out_end, err_end)
        os.close(out_end)
        os.close(err_end)
        self.pid = _answer(connection)

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            ended, _, _ = select.select([self._connection], [], [], timeout)
            if not ended:
                raise subprocess.TimeoutExpired("a fork of el", timeout or 0)
            with self._lock:
                if self.returncode is None:
                    self.returncode = _answer(self._connection)
        return self.returncode

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        assert self.stdout and self.stderr
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(self.stderr.read)
            timer = threading.Timer(timeout or 3600, self.kill)
            timer.start()
            try:
                out, err = self.stdout.read(), other.result()
            finally:
                timer.cancel()
        self.wait(timeout)
        self.stdout.close()
        self.stderr.close()
        return out, err

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _ask(
    connection: socket.socket,
    program: tuple[str, str],
    arguments: tuple[str, ...],
    folder: Path,
    env: dict[str, str],
    *files: int,
) -> None:
    request = json.dumps([program, arguments, str(folder), env]).encode()
    connection.sendall(len(request).to_bytes(8, "big") + request)
    connection.sendmsg([b"f"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))])


def _answer(connection: socket.socket) -> int:
    """A number of the fork: first its pid, then how it ended."""
    number = connection.recv(_WIDTH)
    assert number, "the process that runs of el are forked from has ended"
    return int(number)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _serve(address: str) -> None:
    for name in IMPORTS:
        importlib.import_module(name)
    _read_models()
    gc.freeze()
    server = socket.socket(socket.AF_UNIX)
    server.bind(address)
    server.listen(16)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those who wait for an end are forks themselves
    while True:
        connection, _ = server.accept()
        if os.fork() == 0:
            server.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _fork(connection)
        connection.close()


def _read_models() -> None:
    """What botocore knows of S3 is JSON of some MB: read once, not by each client of each run."""
    import botocore.session
    from botocore.loaders import JSONFileLoader

    load, loaded = JSONFileLoader.load_file, {}

    def load_once(self: JSONFileLoader, path: str) -> Any:
        if path not in loaded:
            loaded[path] = load(self, path)
        return loaded[path]

    JSONFileLoader.load_file = load_once
    login = {"aws_access_key_id": "-", "aws_secret_access_key": "-"}
    botocore.session.Session().create_client("s3", region_name="us-east-1", **login)


def _fork(connection: socket.socket) -> None:
    """Forked from the mother: forks once more and tells how that ended; returns in the second one only, as ``el``."""
    length = int.from_bytes(_read(connection, 8), "big")
    program, arguments, folder, env = json.loads(_read(connection, length))
    _, ancillary, _, _ = connection.recvmsg(1, socket.CMSG_SPACE(8))
    files = array.array("i", ancillary[0][2])
    child = os.fork()
    if child:
        for file in files:  # else who reads would wait for this process too
            os.close(file)
        with suppress(OSError):  # nobody waits any more
            connection.sendall(str(child).rjust(_WIDTH).encode())
        _, status = os.waitpid(child, 0)
        with suppress(OSError):
            connection.sendall(str(os.waitstatus_to_exitcode(status)).rjust(_WIDTH).encode())
        os._exit(0)
    connection.close()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for at, file in enumerate(files, start=1):
        os.dup2(file, at)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    kind, what = program
    sys.argv = [PROGRAMS[what] if kind == "-m" else "-c", *arguments]
    code = 0
    try:
        if kind == "-m":
            main: Any = sys.modules[what].main
            main()
        else:
            exec(what, {"__name__": "__main__"})  # noqa: S102 - lines of a test
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    # As the interpreter ends, but for the libraries' own ends: a fork lacks threads that they would wait for.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _read(connection: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = connection.recv(length - len(parts))
        if not part:
            os._exit(1)
        parts += part
    return bytes(parts)


if __name__ == "__main__":
    _serve(sys.argv[1])

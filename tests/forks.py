"""Real processes of ``el``, forked from one that has imported what it needs.

Most of a small run's time is spent on imports, and a suite makes a thousand runs. One process per test worker imports
everything once and touches nothing; each run is a fork of it, with its own environment, folder, output and exit code.
Where a process has to be killed or to outlive the call, tests start a whole one instead (``Source.start``).
"""

from __future__ import annotations

import array
import atexit
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any

#: Slow to import, and without an effect before they are used.
IMPORTS = (
    "boto3",
    "dlt.common.configuration.plugins",
    "dlt.common.exceptions",
    "dlt.common.libs.pyarrow",
    "dlt.destinations",
    "dlt.pipeline.exceptions",
    "dlt.sources.helpers.requests",
    "el.archive.cli",
    "el.archive.run",
    "el.cli",
    "el.supervise",
    "psycopg2",
    "pyarrow.compute",
    "pyarrow.parquet",
    "s3fs",
    "stringprep",
)
#: What may be run, and what it is called.
PROGRAMS = {"el.cli": "el", "el.archive.cli": "el-archive"}


class Mother:
    """The process that is forked, seen from the tests."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="el-tests-")
        self._address = str(Path(self._folder.name) / "socket")
        self._process = subprocess.Popen([sys.executable, "-m", "tests.forks", self._address], stdin=subprocess.PIPE)

    def run(self, program: str, arguments: tuple[str, ...], folder: Path, env: dict[str, str]) -> tuple[int, str, str]:
        """Run the ``main`` of a module. Exit code (or minus the signal), standard output, standard error."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, self._connection() as connection:
            request = json.dumps([program, arguments, str(folder), env]).encode()
            connection.sendall(len(request).to_bytes(8, "big") + request)
            files = array.array("i", [out.fileno(), err.fileno()])
            connection.sendmsg([b"f"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
            code = connection.recv(16)
            assert code, "the process that runs of el are forked from has ended"
            return int(code), _text(out), _text(err)

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
        _, status = os.waitpid(child, 0)
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
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
    sys.argv = [PROGRAMS[program], *arguments]
    main: Any = sys.modules[program].main
    code = 0
    try:
        main()
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

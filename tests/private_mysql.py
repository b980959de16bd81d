"""A MySQL server of one test: for what the shared one cannot do (another zone, a crash, read-only, a replica)."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pymysql

from el.settings import MySQL
from local.mysql_server import REPOSITORY, Program, make_data
from tests.leftovers import SCRATCH


def _data(program: Program) -> Path:
    """An empty data folder of that program, made once for all tests: a copy of it takes a tenth of the time."""
    folder = REPOSITORY / ".local" / f"empty-{program.kind}-{program.version}"
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            make_data(program, folder, folder.with_name(f"{folder.name}.log"))
            (folder / "auto.cnf").unlink(missing_ok=True)  # else all copies would be one server to el
    return folder


def _small(program: Program) -> list[str]:
    """Options that save two thirds of the memory. What is committed outlives the server's process, not the machine."""
    own = ["--performance-schema=OFF", "--innodb-redo-log-capacity=16M"] if program.is_mysql else []
    return [
        *own,
        "--innodb-buffer-pool-size=16M",
        "--innodb-doublewrite=OFF",
        "--innodb-flush-log-at-trx-commit=2",
        "--sync-binlog=0",
        "--table-open-cache=400",
        "--table-definition-cache=400",
    ]


class PrivateMySQL:
    """One MySQL or MariaDB on loopback with an empty database ``db`` and a user ``root`` without a password."""

    def __init__(self, folder: Path, program: Program) -> None:
        self.data = folder / "data"
        self._log = folder / "log"
        self._socket = (
            Path(tempfile.mkdtemp(prefix="el-", dir=os.environ.get(SCRATCH))) / "s"
        )  # a socket's path may have 107 bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._program = program
        self.is_mysql = program.is_mysql
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._temporary = folder / "tmp"
        self._temporary.mkdir(parents=True, exist_ok=True)
        shutil.copytree(_data(program), self.data)

    def start(self, *options: str, zone: str = "UTC0") -> MySQL:
        """Start it, in the system's time zone ``zone``, and wait until it answers; how ``el`` logs in to it."""
        self._socket.with_name("s.lock").unlink(missing_ok=True)  # of the one before, if it was killed
        first = [f"--init-file={self._first()}"] if not (self.data / "db").exists() else []
        command = self._program.start(self.data, self.port, self._socket, self._temporary)
        command += [*_small(self._program), *first, *options]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=os.environ | {"TZ": zone}
            )
        deadline = time.monotonic() + 120
        while True:
            try:
                self._connect(None).close()
                break
            except pymysql.err.MySQLError:
                assert self._process.poll() is None, self._log.read_text()[-2000:]
                assert time.monotonic() < deadline, self._log.read_text()[-2000:]
                time.sleep(0.1)
        if not (self.data / "db").exists():
            self.run("create database db")
        return MySQL("127.0.0.1", self.port, "root", "", "db", "disabled", None)

    def _first(self) -> Path:
        """What MySQL needs to take root's log-in by TCP; MariaDB has him for 127.0.0.1 from the beginning."""
        file = self.data.parent / "init.sql"
        users = ["create user if not exists root@'127.0.0.1'", "grant all on *.* to root@'127.0.0.1' with grant option"]
        file.write_text("".join(f"{statement};\n" for statement in users))
        return file

    def connect(self) -> Any:
        """A connection of the application, without autocommit."""
        return self._connect("db")

    def run(self, *statements: str) -> None:
        """Statements of an administrator, each its own transaction."""
        connection = self._connect(None)
        connection.autocommit(True)
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """End it in good order."""
        assert self._process
        self._process.terminate()
        self._process.wait(120)

    def _connect(self, database: str | None) -> Any:
        return pymysql.connect(host="127.0.0.1", port=self.port, user="root", database=database, connect_timeout=10)

    def save(self, folder: Path) -> None:
        """Keep a copy of its data; it must be stopped."""
        shutil.copytree(self.data, folder)

    def restore(self, folder: Path) -> None:
        """Go back to a copy; it must be stopped."""
        shutil.rmtree(self.data)
        shutil.copytree(folder, self.data)

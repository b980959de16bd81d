"""A MySQL server of one test: for what the shared one cannot do (another zone, a crash, read-only, a replica)."""

from __future__ import annotations

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


class PrivateMySQL:
    """One MariaDB on loopback with an empty database ``db`` and a user ``root`` without a password."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self._log = folder / "log"
        self._socket = Path(tempfile.mkdtemp(prefix="el-")) / "s"  # a socket's path may have 107 bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._user = ["--user=root"] if os.geteuid() == 0 else []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        install = ["mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]
        self._temporary = folder / "tmp"  # a server that starts deletes what others have in the same one
        self._temporary.mkdir(parents=True, exist_ok=True)
        subprocess.run([*install, f"--datadir={self.data}", *self._user], check=True, capture_output=True)

    def start(self, *options: str, zone: str = "UTC0") -> MySQL:
        """Start it, in the system's time zone ``zone``, and wait until it answers; how ``el`` logs in to it."""
        program = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
        command = [program, "--no-defaults", *self._user, f"--datadir={self.data}", f"--port={self.port}"]
        command += [f"--socket={self._socket}", "--bind-address=127.0.0.1", "--skip-name-resolve"]
        command += [f"--tmpdir={self._temporary}", "--innodb-buffer-pool-size=16M", *options]
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

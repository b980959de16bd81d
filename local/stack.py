"""The local stack: MySQL, S3 and Redshift as plain processes on loopback.

In: the servers' programs (MySQL or MariaDB, PostgreSQL, moto) from the system and the virtual environment.
Out: three running servers and ``.local/env``, which ``sh`` can source and which holds every variable that
``el``, ``el-archive`` and ``dbt`` need.

There is one stack on MySQL and one on MariaDB, below ``.local/on-mysql`` and ``.local/on-mariadb``: each has servers,
data and an ``env`` of its own, so both run side by side and neither sees the other's landing. ``.local/env`` is that
of the one that was chosen (``EL_MYSQL``).

Why not Docker: a newcomer may not have it, and three processes need no images. Ports and passwords are chosen once and
kept in ``state.json``, so two checkouts run side by side and an activated shell stays right. A process is known by its
pid *and* its start time, so that after a reboot nobody else's process is taken for ours.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from local import mysql_server, servers
from local.errors import StackError
from local.redshift.postgres import delete as delete_cluster
from local.servers import Server

REPOSITORY = Path(__file__).resolve().parent.parent
START_SECONDS = 90
STOP_SECONDS = 20


class Stack:
    """The servers of one folder, its MySQL of one kind. Every method may be called again at any time."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.kind = kind
        self.folder = folder.resolve() / f"on-{kind}"
        self.log_folder = self.folder / "log"
        self.run_folder = self.folder / "run"
        self.env_file = self.folder / "env"
        self._state_file = self.folder / "state.json"

    # -- what a user calls -------------------------------------------------------------------------------

    def up(self) -> None:
        """Start what is not running, wait until every server answers, write ``env``."""
        with self._locked():
            state = self._state()
            self._replace_taken_ports(state)
            self._write_env(state)
            every = self._servers(state)
            started = [server for server in every if self._process(server.name) is None]
            for server in started:
                self._start(server)
            for server in every:
                self._wait(server)
            servers.make_bucket(state)
        for server in started:
            version = f" ({server.version})" if server.version else ""
            print(f"{server.name}{version} is up on 127.0.0.1:{server.port}")

    def down(self) -> None:
        """Stop every server by its pid. S3 forgets its objects."""
        with self._locked():
            self._down()

    def reset(self) -> None:
        """Stop everything and delete all data; ports and passwords stay, so an activated shell stays right."""
        with self._locked():  # one lock for both: an `up` in between would lose its data under its feet
            self._down()
            delete_cluster(self.folder / "redshift")
            for name in ("mysql", "mysql-tmp", "s3-tmp", "log", "run"):
                shutil.rmtree(self.folder / name, ignore_errors=True)
        print(f"all data under {self.folder} is deleted")

    def env(self) -> None:
        """Choose ports and passwords if that was not done yet, and write ``env``; start nothing."""
        with self._locked():
            self._write_env(self._state())

    def runs(self) -> bool:
        """Whether all of its servers run."""
        return self._state_file.exists() and all(self._process(name) for name in self._state()["ports"])

    def ps(self) -> bool:
        """Print one line per server; True if all of them run."""
        state = self._state()
        for name, port in state["ports"].items():
            process = self._process(name)
            status = f"pid {process.pid}" if process else "not running"
            print(f"{name:<10} 127.0.0.1:{port:<6} {status:<14} {self.log_folder / name}.log")
        return self.runs()

    def alerts(self) -> None:
        """Print the alerts that came since they were printed last."""
        print("\n\n".join(servers.alerts(self._state())) or "no alert came")

    def _down(self) -> None:
        for name in ("redshift", "s3", "mysql"):
            process = self._process(name)
            if process is None:
                continue
            _stop(process)
            (self.run_folder / f"{name}.json").unlink(missing_ok=True)
            print(f"{name} is down")

    def _servers(self, state: dict[str, Any]) -> list[Server]:
        mysql = mysql_server.server(self.folder, state, mysql_server.find(self.kind))
        return [mysql, servers.s3(self.folder, state), servers.redshift(self.folder, state)]

    # -- files -------------------------------------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        self._make_folders()
        if self._state_file.exists():
            state: dict[str, Any] = json.loads(self._state_file.read_text())
            return state
        state = {
            "ports": {name: _free_port() for name in ("mysql", "s3", "redshift")},
            "passwords": {name: secrets.token_hex(12) for name in ("root", "el", "archiver", "redshift", "hash_key")},
        }
        self._save(state)
        return state

    def _replace_taken_ports(self, state: dict[str, Any]) -> None:
        for name, port in state["ports"].items():
            if self._process(name) or _port_is_free(port):
                continue
            state["ports"][name] = _free_port()
            self._save(state)
            print(
                f"port {port} of {name} is taken by another process; using {state['ports'][name]} from now on; "
                "a shell with .venv active has to activate it again"
            )
            redshift = self._process("redshift")
            if name == "s3" and redshift:  # it was told where S3 is when it started
                _stop(redshift)

    def _save(self, state: dict[str, Any]) -> None:
        _write_private(self._state_file, json.dumps(state, indent=2) + "\n")

    def _write_env(self, state: dict[str, Any]) -> None:
        mysql, redshift = state["ports"]["mysql"], state["ports"]["redshift"]
        passwords = state["passwords"]
        variables = {
            "SOURCES__CLINIC__CREDENTIALS": f"mysql://el:{quote(passwords['el'])}@127.0.0.1:{mysql}/clinic",
            "LANDING_URL": f"s3://{servers.BUCKET}/landing",
            **servers.aws(state),
            "ARCHIVE__CLINIC__CREDENTIALS": f"mysql://archiver:{quote(passwords['archiver'])}@127.0.0.1:{mysql}/clinic",
            "ARCHIVE_URL": f"s3://{servers.ARCHIVE_BUCKET}/archive",
            "ARCHIVE_KMS_KEY": servers.ARCHIVE_KEY,
            "ARCHIVE_OBJECT_LOCK": "governance",
            "EL_HASH_KEY": passwords["hash_key"],
            "EL_ALERTS_SNS_TOPIC": servers.TOPIC,
            "DESTINATION__REDSHIFT__CREDENTIALS__HOST": "127.0.0.1",
            "DESTINATION__REDSHIFT__CREDENTIALS__PORT": str(redshift),
            "DESTINATION__REDSHIFT__CREDENTIALS__DATABASE": "dev",
            "DESTINATION__REDSHIFT__CREDENTIALS__USERNAME": "el",
            "DESTINATION__REDSHIFT__CREDENTIALS__PASSWORD": passwords["redshift"],
            "DBT_REDSHIFT_HOST": "127.0.0.1",
            "DBT_REDSHIFT_PORT": str(redshift),
            "DBT_REDSHIFT_DATABASE": "dev",
            "DBT_REDSHIFT_USER": "el",
            "DBT_ENV_SECRET_REDSHIFT_PASSWORD": passwords["redshift"],
            "DBT_REDSHIFT_SCHEMA": "staging",
            "DBT_REDSHIFT_SSLMODE": "disable",
            "EL_MYSQL_ADMIN_URL": f"mysql://root:{quote(passwords['root'])}@127.0.0.1:{mysql}/",
        }
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
        _write_private(self.env_file, "# Written by local/stack.py; made anew at every start.\n" + "".join(lines))

    def _make_folders(self) -> None:
        for folder in (self.folder, self.log_folder, self.run_folder):
            folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._make_folders()
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    # -- processes ---------------------------------------------------------------------------------------

    def _process(self, name: str) -> psutil.Process | None:
        try:
            record = json.loads((self.run_folder / f"{name}.json").read_text())
            process = psutil.Process(record["pid"])
            if abs(process.create_time() - record["started"]) > 2 or process.status() == psutil.STATUS_ZOMBIE:
                return None
        except (OSError, ValueError, psutil.NoSuchProcess):
            return None
        return process

    def _start(self, server: Server) -> None:
        self._make_folders()
        server.prepare()
        log = self.log_folder / f"{server.name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                server.command,
                cwd=REPOSITORY,
                env=os.environ | server.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        record = {"pid": process.pid, "started": psutil.Process(process.pid).create_time()}
        (self.run_folder / f"{server.name}.json").write_text(json.dumps(record))

    def _wait(self, server: Server) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not server.answers():
            if self._process(server.name) is None:
                raise StackError(self._failure(server, "ended while it started"))
            if time.monotonic() > deadline:
                raise StackError(self._failure(server, f"did not answer within {START_SECONDS} s"))
            time.sleep(0.1)

    def _failure(self, server: Server, what: str) -> str:
        log = self.log_folder / f"{server.name}.log"
        return f"{server.name} {what}. The end of {log}:\n{servers.tail(log)}"


def _free_port() -> int:
    """Below the range from which the kernel takes ports for outgoing connections: it stays free while we are down."""
    while not _port_is_free(port := 20000 + secrets.randbelow(12000)):
        pass
    return port


def _port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do: TIME_WAIT is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _stop(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


def _write_private(path: Path, text: str) -> None:
    """Whole or not at all, and for this user's eyes: the file holds passwords."""
    unfinished = path.with_name(path.name + ".unfinished")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    unfinished.rename(path)


def choose(stack: Stack) -> None:
    """Make ``.local/env`` that of this stack."""
    link = stack.folder.parent / "env"
    unfinished = link.with_name("env.unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(stack.env_file.relative_to(link.parent))
    unfinished.rename(link)


def act(action: str, folder: Path, kind: str | None) -> bool | None:
    """Do what was asked with one stack; ``down`` and ``reset`` without a kind with those of both kinds.

    Raises:
        StackError: a server is missing, or does not start or stop.
    """
    if action in ("down", "reset"):
        stacks = [Stack(folder, one) for one in ([kind] if kind else mysql_server.KINDS)]
        for stack in stacks:
            if stack.folder.exists():
                getattr(stack, action)()
        return None
    stack = Stack(folder, kind or mysql_server.chosen(folder))
    result: bool | None = getattr(stack, action)()
    if kind is None and action in ("up", "env"):
        choose(stack)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.stack", description="The servers of the local stack.")
    parser.add_argument("action", choices=["up", "down", "reset", "ps", "env", "alerts"])
    parser.add_argument("--folder", type=Path, default=REPOSITORY / ".local", help="where data, logs and env lie")
    parser.add_argument(
        "--server",
        choices=mysql_server.KINDS,
        help="the stack on this server, without choosing it (default: EL_MYSQL, which is kept; down, reset: both)",
    )
    arguments = parser.parse_args()
    try:
        result = act(arguments.action, arguments.folder, arguments.server)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 1 if result is False else 0


if __name__ == "__main__":
    sys.exit(main())

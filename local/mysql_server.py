"""The MySQL server of the local stack: which one, how it is made, started and asked whether it answers.

In: ``EL_MYSQL`` (mysql or mariadb), ``EL_MYSQLD``, the programs of this system. Out: a ``Program``, its commands, and
a ``Server`` for ``stack.py`` to start. Oracle's MySQL and MariaDB differ in a dozen ways that matter; so both can be
had, each with a data folder of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from local.errors import StackError
from local.fetch_mysql import TESTED, fetch
from local.servers import Server, tail

REPOSITORY = Path(__file__).resolve().parent.parent
#: Where Oracle's server lies if it was fetched; all stacks of a checkout share it.
FETCHED = REPOSITORY / ".local" / "mysql-server"
KINDS = ("mysql", "mariadb")
#: Where Homebrew keeps servers that it does not put on PATH.
_HOMEBREW = ("/opt/homebrew/opt/mysql*/bin", "/usr/local/opt/mysql*/bin")


@dataclass(frozen=True)
class Program:
    """A server's program. ``version`` as it prints it, such as 9.7.4-2."""

    path: str
    kind: str
    version: str

    @property
    def is_mysql(self) -> bool:
        return self.kind == "mysql"

    def install(self, data: Path) -> list[str]:
        """The command that makes an empty data folder; run beside it: a blank in a path breaks MariaDB's script."""
        user = ["--user=root"] if os.geteuid() == 0 else []
        if self.is_mysql:
            small = ["--innodb-redo-log-capacity=8M"]  # one that starts makes it larger
            return [self.path, "--no-defaults", "--initialize-insecure", f"--datadir={data}", *small, *user]
        program = shutil.which("mariadb-install-db") or "mysql_install_db"
        root = "--auth-root-authentication-method=normal"
        return [program, "--no-defaults", f"--datadir=./{data.name}", root, "--skip-test-db", *user]

    def start(self, data: Path, port: int, socket: Path | str, temporary: Path) -> list[str]:
        """The command that starts it on loopback; options may follow."""
        user = ["--user=root"] if os.geteuid() == 0 else []
        own = ["--mysqlx=OFF", "--innodb-redo-log-capacity=64M"] if self.is_mysql else []
        return [
            self.path,
            "--no-defaults",
            *user,
            *own,
            f"--datadir={data}",
            f"--port={port}",
            f"--socket={socket}",
            # One that starts deletes the files of others that share theirs.
            f"--tmpdir={temporary}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
        ]


def make_data(program: Program, data: Path, log: Path) -> None:
    """Make an empty data folder, whole or not at all.

    Raises:
        StackError: the server's own program failed.
    """
    unfinished = data.with_name(data.name + ".unfinished")  # renamed when whole: an interrupted one is made anew
    shutil.rmtree(unfinished, ignore_errors=True)
    command = program.install(unfinished)
    with log.open("wb") as output:
        done = subprocess.run(
            command, cwd=data.parent, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        raise StackError(f"{Path(command[0]).name} ended with {done.returncode}. The end of {log}:\n{tail(log)}")
    unfinished.rename(data)


def chosen(folder: Path) -> str:
    """The kind of a folder's stack: what ``EL_MYSQL`` says, and is kept; else what was kept; else what is there.

    Raises:
        StackError: EL_MYSQL is no kind.
    """
    file = folder / "server"
    kept = file.read_text().strip() if file.exists() else ""
    kind = os.environ.get("EL_MYSQL") or kept
    if not kind:
        kind = "mysql" if installed("mysql") else "mariadb"
        if kind == "mariadb":
            print("the MySQL server of the local stack is MariaDB; EL_MYSQL=mysql make el takes Oracle's (about 65 MB)")
    if kind not in KINDS:
        raise StackError(f"EL_MYSQL={kind} is neither mysql nor mariadb")
    if kind != kept:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(kind + "\n")
        if kept:
            print(f"the local stack is the one on {kind} now; a shell with .venv active has to activate it again")
    return kind


def find(kind: str) -> Program:
    """The program of a kind; Oracle's is fetched if this system has none.

    Raises:
        StackError: there is none, and it cannot be fetched.
    """
    found = installed(kind)
    if found is None and kind == "mysql":
        found = _program(str(fetch(FETCHED)))
        if found is None:
            raise StackError(f"{FETCHED}/mysqld does not start. Delete {FETCHED} and run again")
        if not found.version.startswith(TESTED):
            print(f"MySQL {found.version} was fetched; the tests were last run on {TESTED}")
    if found is None:
        raise StackError("no MariaDB server: mariadbd is not on PATH. Run: make setup, or choose EL_MYSQL=mysql")
    return found


def installed(kind: str) -> Program | None:
    """The program of a kind that this system has; ``EL_MYSQLD`` names Oracle's.

    Raises:
        StackError: EL_MYSQLD names something else.
    """
    named = os.environ.get("EL_MYSQLD")
    if named and kind == "mysql":
        found = _program(named)
        if found is None or not found.is_mysql:
            what = f"MariaDB {found.version}" if found else "no MySQL server that runs"
            raise StackError(f"EL_MYSQLD={named} is {what}; it must be the mysqld of Oracle's MySQL")
        return found
    folders = [os.environ.get("PATH", ""), "/usr/sbin", *(str(place) for one in _HOMEBREW for place in _places(one))]
    for name in ("mariadbd", "mysqld") if kind == "mariadb" else ("mysqld",):
        for folder in os.pathsep.join(folders).split(os.pathsep):
            path = shutil.which(name, path=folder) if folder else None
            found = _program(path) if path else None
            if found and found.kind == kind:
                return found
    return None


def _places(pattern: str) -> list[Path]:
    return sorted(Path("/").glob(pattern.removeprefix("/")), reverse=True)


def _program(path: str) -> Program | None:
    try:
        done = subprocess.run([path, "--no-defaults", "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    version = re.search(r"Ver (\S+)", done.stdout)
    if done.returncode or not version:
        return None
    return Program(path, "mariadb" if "MariaDB" in done.stdout else "mysql", version[1])


def server(folder: Path, state: dict[str, Any], program: Program) -> Server:
    """The server of a stack: its users and rights are made right at every start."""
    port, run = state["ports"]["mysql"], folder / "run"
    data, temporary = folder / "mysql", folder / "mysql-tmp"
    init_file = run / "mysql-init.sql"

    def prepare() -> None:
        init_file.write_text(_users(state["passwords"]))
        init_file.chmod(0o600)
        temporary.mkdir(exist_ok=True)
        # One that was killed leaves it, and MySQL takes another process of that number, or its zombie, for the owner.
        Path(f"{_socket(folder)}.lock").unlink(missing_ok=True)
        if not data.exists():
            make_data(program, data, folder / "log" / "mysql-install.log")

    def answers() -> bool:
        import pymysql

        try:
            pymysql.connect(
                host="127.0.0.1", port=port, user="el", password=state["passwords"]["el"], connect_timeout=2
            ).close()
        except (pymysql.err.MySQLError, OSError):
            return False
        return True

    return Server(
        "mysql",
        port,
        [
            *program.start(data, port, _socket(folder), temporary),
            f"--pid-file={run / 'mysqld.pid'}",
            f"--init-file={init_file}",
            "--skip-log-bin",
            "--default-time-zone=+00:00",
            "--character-set-server=utf8mb4",
            "--local-infile=1",
            "--innodb-buffer-pool-size=256M",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-doublewrite=OFF",
            "--max-allowed-packet=64M",
            "--max-connections=300",
        ],
        {},
        prepare,
        answers,
        f"{'MySQL' if program.is_mysql else 'MariaDB'} {program.version}",
    )


def _socket(folder: Path) -> str:
    # A Unix socket's path may have 107 bytes; a checkout may lie deeper than that.
    return f"{tempfile.gettempdir()}/el-mysql-{sha256(str(folder).encode()).hexdigest()[:12]}.sock"


def _users(passwords: dict[str, str]) -> str:
    """The start-up file of the server: users and rights, made right at every start. One statement a line."""
    return "\n".join(
        [
            f"alter user 'root'@'localhost' identified by '{passwords['root']}';",
            f"create user if not exists 'root'@'127.0.0.1' identified by '{passwords['root']}';",
            f"alter user 'root'@'127.0.0.1' identified by '{passwords['root']}';",
            "grant all on *.* to 'root'@'127.0.0.1' with grant option;",
            f"create user if not exists 'el'@'127.0.0.1' identified by '{passwords['el']}';",
            "grant select, process, show view on *.* to 'el'@'127.0.0.1';",
            f"create user if not exists 'archiver'@'127.0.0.1' identified by '{passwords['archiver']}';",
            "revoke all privileges, grant option from 'archiver'@'127.0.0.1';",
            # insert and update are restore's; without trigger the triggers of a table cannot be seen.
            "grant select, insert, update, delete, trigger, process on *.* to 'archiver'@'127.0.0.1';",
            # Where restore and drill may make tables, and nowhere else.
            "grant create, drop on `%\\_restore`.* to 'archiver'@'127.0.0.1';",
            "",
        ]
    )

"""The PostgreSQL under the local Redshift: find the programs, make the cluster, start it, stop it.

It listens on a Unix socket in a folder of its own (0700), never on a port, so two instances cannot collide and
nothing but this server reaches it. PostgreSQL refuses to run as root: then it runs as `postgres` (or `nobody`).
If that user cannot reach the data folder (below /root, or a home of mode 0700), the cluster lives under /var/tmp
and the data folder holds a note that says where.
"""

from __future__ import annotations

import contextlib
import hashlib
import locale
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import extensions

OWNER = "rdsdb"  # the cluster's own superuser, as on Redshift; nobody logs in as it through the wire
PORT = 5432  # only the name of the socket file
MINIMUM = 15  # MERGE

_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum_naptime": "20s",
    "max_wal_size": "512MB",
    "allow_system_table_mods": "on",  # the system views live in pg_catalog, as on Redshift
    "standard_conforming_strings": "off",  # on Redshift a backslash escapes in every string
    "escape_string_warning": "off",
    "backslash_quote": "on",
    "password_encryption": "md5",  # Redshift's challenge; PostgreSQL answers it itself
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    # The log must hold no value of any row: errors quote them.
    "log_min_messages": "fatal",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class PostgresError(Exception):
    """The cluster could not be made, started or stopped; the text says what to look at."""


NOTE = "WHERE-IS-THE-DATA.txt"


def programs() -> Path:
    """The folder of initdb and postgres: PATH, then where Debian and Homebrew put them, the newest first."""
    on_path = shutil.which("initdb")
    candidates = [Path(on_path).resolve().parent] if on_path else []
    for pattern in (
        "/usr/lib/postgresql/*/bin",
        "/opt/homebrew/opt/postgresql*/bin",
        "/usr/local/opt/postgresql*/bin",
        "/usr/pgsql-*/bin",
    ):
        found = [p for p in Path("/").glob(pattern[1:]) if (p / "initdb").exists() and (p / "postgres").exists()]
        candidates += sorted(found, key=_version_in, reverse=True)
    for folder in candidates:
        if (folder / "postgres").exists() and _major(folder) >= MINIMUM:
            return folder
    raise PostgresError(
        f"no PostgreSQL server of version {MINIMUM} or later found (initdb and postgres on PATH, "
        "/usr/lib/postgresql/*/bin or Homebrew). Debian and Ubuntu: apt-get install postgresql"
    )


def _version_in(folder: Path) -> int:
    numbers = re.findall(r"\d+", str(folder))
    return int(numbers[-1]) if numbers else 0


def _major(folder: Path) -> int:
    out = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d+", out)
    return int(found.group()) if found else 0


def delete(data: Path) -> None:
    """Delete the data of a server that does not run, wherever it lies."""
    if (data / NOTE).exists():
        shutil.rmtree(_elsewhere(data.resolve()), ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)


def _elsewhere(folder: Path) -> Path:
    """Where the cluster is if PostgreSQL's user cannot reach the data folder."""
    name = "local-redshift-" + hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return Path("/var/tmp") / name  # noqa: S108, its owner is checked


class Postgres:
    """One cluster. `start` leaves it answering, `stop` leaves nothing running."""

    def __init__(self, data: Path, isolation: str = "serializable") -> None:
        self.folder = data.resolve()
        self.isolation = {"serializable": "serializable", "snapshot": "repeatable read"}[isolation]
        self.user = _unprivileged_user()
        self.bin = programs()
        self._process: subprocess.Popen[Any] | None = None
        self._socket_folder = ""

    @property
    def socket_path(self) -> str:
        return f"{self._socket_folder}/.s.PGSQL.{PORT}"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.cluster = self._cluster_folder()
        self.log = self.cluster.parent / (self.cluster.name + ".log")
        self._end_orphan(self.cluster)
        if not (self.cluster / "PG_VERSION").exists():
            self._initdb()
        self._socket_folder = tempfile.mkdtemp(prefix="rs-", dir="/tmp")  # short: a socket path has 103 bytes
        if self.user:
            shutil.chown(self._socket_folder, self.user)
        settings = {
            **_SETTINGS,
            "default_transaction_isolation": self.isolation,
            "redshift.enable_case_sensitive_identifier": "off",
            "redshift.isolation": self.isolation,  # the same for the catalog, which a database's own setting hides
            "unix_socket_directories": self._socket_folder,
            "unix_socket_permissions": "0700",
            "port": str(PORT),
        }
        command: list[str | Path] = [self.bin / "postgres", "-D", self.cluster]
        command += [part for k, v in settings.items() for part in ("-c", f"{k}={v}")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl-C reaches this server first, which then stops PostgreSQL in order
                **self._as_user(),
            )
        self._wait_until_it_answers()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # fast shutdown
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait(10)
        if self._socket_folder:
            shutil.rmtree(self._socket_folder, ignore_errors=True)

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def connect(self, database: str) -> extensions.connection:
        """As the cluster's owner, for this server's own housekeeping."""
        connection = psycopg2.connect(
            host=self._socket_folder, port=PORT, user=OWNER, password=self._owner_password(), dbname=database
        )
        connection.autocommit = True
        with connection.cursor() as cursor:  # notes of its own must not conflict with what clients do
            cursor.execute("set default_transaction_isolation = 'read committed'")
        return connection

    # How it is made

    def _cluster_folder(self) -> Path:
        usual, note, other = self.folder / "pgdata", self.folder / NOTE, _elsewhere(self.folder)
        if not self.user or (usual / "PG_VERSION").exists():
            return usual
        if other.is_symlink() or (other.exists() and other.stat().st_uid not in (0, pwd.getpwnam(self.user).pw_uid)):
            raise PostgresError(f"{other} belongs to somebody else; remove it")
        if other.exists() and not note.exists():  # the data folder was deleted, and meant all of it
            self._end_orphan(other / "pgdata")
            shutil.rmtree(other)
        if not note.exists() and self._reachable():
            return usual
        note.write_text(
            f"PostgreSQL runs here as the user {self.user}, who cannot reach this folder.\n"
            f"The cluster is in {other / 'pgdata'}\n"
        )
        other.mkdir(exist_ok=True, mode=0o700)
        shutil.chown(other, self.user)
        return other / "pgdata"

    def _reachable(self) -> bool:
        """Whether the other user may pass through every folder above the cluster."""
        command = ["/bin/sh", "-c", 'cd "$0"', str(self.folder)]
        return subprocess.run(command, capture_output=True, check=False, **self._as_user()).returncode == 0

    def _initdb(self) -> None:
        if self.cluster.exists():
            shutil.rmtree(self.cluster)  # an initdb that was interrupted: there is no PG_VERSION yet
        self.cluster.mkdir(parents=True, mode=0o700)
        password = secrets.token_urlsafe(24)
        secret = self._secret_file()
        secret.touch(mode=0o600)
        secret.write_text(password)
        if self.user:
            shutil.chown(self.cluster, self.user)
            shutil.chown(secret, self.user)
        command: list[str | Path] = [self.bin / "initdb", "-D", self.cluster, "-U", OWNER, "--pwfile", secret]
        # md5 also decides how passwords are stored from now on
        command += ["--auth=md5", "--encoding=UTF8", "--locale=C", f"--lc-ctype={_ctype()}", "--no-sync"]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
            **self._as_user(),
        )
        if done.returncode:
            shutil.rmtree(self.cluster, ignore_errors=True)
            raise PostgresError(f"initdb failed in {self.cluster}:\n{done.stderr.strip()}")

    def _secret_file(self) -> Path:
        return self.cluster.parent / (self.cluster.name + ".secret")

    def _owner_password(self) -> str:
        return self._secret_file().read_text()

    def _as_user(self) -> dict[str, Any]:
        if not self.user:
            return {}
        entry = pwd.getpwnam(self.user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    # How it starts and ends

    def _end_orphan(self, cluster: Path) -> None:
        """A PostgreSQL left behind by a server that was killed still holds this cluster: end it first."""
        pidfile = cluster / "postmaster.pid"
        try:
            pid = int(pidfile.read_text().splitlines()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return
        if not _is_postgres_of(pid, cluster):
            return
        self._remove_socket_of_orphan(pidfile)
        for kill in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            try:
                os.kill(pid, kill)
            except ProcessLookupError:
                return
            for _ in range(100):
                if not _is_postgres_of(pid, cluster):
                    return
                time.sleep(0.1)
        raise PostgresError(f"PostgreSQL process {pid} still holds {cluster} and does not end")

    def _remove_socket_of_orphan(self, pidfile: Path) -> None:
        lines = pidfile.read_text().splitlines()
        if len(lines) > 4 and Path(lines[4]).name.startswith("rs-"):
            shutil.rmtree(lines[4], ignore_errors=True)

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + 60
        while True:
            try:
                self.connect("postgres").close()
                return
            except psycopg2.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    tail = self.log.read_text(errors="replace").splitlines()[-15:]
                    self.stop()
                    raise PostgresError(
                        f"PostgreSQL did not start in {self.cluster}. The end of {self.log}:\n" + "\n".join(tail)
                    ) from error
                time.sleep(0.05)


def _ctype() -> str:
    """Strings compare by their bytes (C), but upper('é') must be 'É': the first UTF-8 locale that this machine has."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        for name in ("C.UTF-8", "C.utf8", "en_US.UTF-8", "UTF-8"):
            with contextlib.suppress(locale.Error):
                locale.setlocale(locale.LC_CTYPE, name)
                return name
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    return "C"


def _unprivileged_user() -> str:
    """Whom PostgreSQL runs as when we are root; '' if it runs as ourselves."""
    if os.geteuid() != 0:
        return ""
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise PostgresError("running as root, and neither the user postgres nor nobody exists to run PostgreSQL as")


def _is_postgres_of(pid: int, cluster: Path) -> bool:
    """Whether this process lives and is the postmaster of that cluster (a pid may have been given away since)."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        command = process.cmdline()
    except psutil.Error:
        return False
    return any("postgres" in part for part in command[:1]) and str(cluster) in command

"""What a killed test leaves behind, and how the next run clears it.

A test tidies up behind itself, a test process that is killed does not: its servers run on, its databases and archives
stay. So each test process, and each throwaway source, has a note: a file that says what there is to clear, locked as
long as the process lives. The kernel ends the lock with the process, however that ends. At the start of a run every
note whose lock is free is followed and removed; those of other runs, which live, are left alone.

Processes are known by a variable that they inherit, not by a list of pids: whatever a test starts has it, and what that
starts in turn, in whatever session.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit
from uuid import uuid4

import boto3
import psutil
import psycopg2
import pymysql

from local.mysql_server import KINDS, REPOSITORY
from local.redshift.postgres import NOTE as CLUSTER_IS_ELSEWHERE
from local.redshift.postgres import delete as delete_cluster
from local.stack import Stack
from tests.receivers import delete_topics

#: The variable that every process of a test inherits: the folder for what does not belong into pytest's, whose paths
#: are too long for sockets.
SCRATCH = "TESTS_SCRATCH"
LOCAL = REPOSITORY / ".local"
_PROCESSES = LOCAL / "tests"
_REDSHIFT = "DESTINATION__REDSHIFT__CREDENTIALS__"


class Note:
    """A file that says what there is to clear, locked as long as this process lives."""

    def __init__(self, folder: Path, facts: dict[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{uuid4().hex}.json"
        unfinished = self._path.with_suffix(".unfinished")
        self._file = unfinished.open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._file.write(json.dumps(facts))
        self._file.flush()
        unfinished.rename(self._path)  # seen only when it is whole and locked

    def remove(self) -> None:
        """There is nothing left to clear."""
        self._path.unlink(missing_ok=True)
        self._file.close()


class TestProcess:
    """A test process: its mark on all that it starts, and its folders."""

    __test__ = False

    def __init__(self, basetemp: Path) -> None:
        self._scratch = Path(tempfile.mkdtemp(prefix="el-tests-"))
        self._scratch.chmod(0o755)  # PostgreSQL, which may be another user, passes through it
        os.environ[SCRATCH] = str(self._scratch)
        self._note = Note(_PROCESSES, {"scratch": str(self._scratch), "basetemp": str(basetemp)})

    def end(self) -> None:
        """pytest's own folder stays: it holds what failed."""
        _end_processes(str(self._scratch))
        _delete_folder(self._scratch)
        self._note.remove()


def source_note(kind: str, name: str, folder: Path) -> Note:
    """The note of a throwaway source on a kind's stack."""
    return Note(_sources(kind), {"name": name, "folder": str(folder)})


def sweep() -> None:
    """Clear what dead test processes have left; what is in databases of a stack that is down waits until it is up."""
    for process in _dead(_PROCESSES, keep=True):  # first of all: they may write to what is cleared next
        _end_processes(process["scratch"])
    for kind in KINDS:
        if Stack(LOCAL, kind).runs():
            sweep_sources(kind, read_env(LOCAL / f"on-{kind}" / "env"))
    for process in _dead(_PROCESSES):
        for folder in (process["scratch"], process["basetemp"]):
            _delete_folder(Path(folder))


def sweep_sources(kind: str, env: dict[str, str]) -> None:
    """Clear what dead throwaway sources have left on a stack that is up."""
    for source in _dead(_sources(kind)):
        name = source["name"]
        drop(env, name, Path(source["folder"]))
        delete_topics(env["AWS_ENDPOINT_URL"], name)
        with mysql(env) as connection, connection.cursor() as cursor:
            cursor.execute("select user, host from mysql.user where user like %s", (f"%{name}%",))
            for login in cursor.fetchall():
                cursor.execute("drop user %s@%s", login)
        if _redshift(env, "select 1 from pg_database where datname = %s", name):
            _redshift(env, f"drop database {name}")


def drop(env: dict[str, str], name: str, folder: Path) -> None:
    """Drop what a source of this name has on the stack: databases, schemas, landing and archive."""
    with mysql(env) as connection, connection.cursor() as cursor:
        # Its restore's, and others that a test has made beside it.
        cursor.execute("select schema_name from information_schema.schemata where schema_name like %s", (f"{name}%",))
        for (database,) in cursor.fetchall():
            cursor.execute(f"drop database `{database}`")
    for schema in (f"raw_{name}", f"raw_{name}_el"):
        _redshift(env, f"drop schema if exists {schema} cascade")
    s3 = s3_client(env)
    _delete_landing(s3, urlsplit(env["LANDING_URL"]), name, folder)
    delete_archive(s3, env["ARCHIVE_URL"], name)


def _delete_landing(s3: Any, place: SplitResult, name: str, folder: Path) -> None:
    """Every version of what a source and its runs have put there: whoever lists the bucket goes through all of them."""
    bucket, base = place.netloc, place.path.strip("/")
    # The names of runs are those of the logs here.
    runs = {f"{base}/_runs/{log.stem}{end}" for log in folder.rglob("logs/*.log") for end in (".json", ".log")}
    # The last one: where tests have a whole landing of their own.
    own = (f"{base}/{name}/", f"{base}/_leases/{name}/", f"{base}/_alerts/{name}.json", f"{name}/")
    versions = [version for prefix in own for version in _versions(s3, bucket, prefix)]
    versions += [version for version in _versions(s3, bucket, f"{base}/_runs/") if version["Key"] in runs]
    delete(s3, bucket, versions)


def delete_archive(s3: Any, archive_url: str, name: str) -> None:
    """Delete every version of what was archived of a source, whatever holds and locks it."""
    place = urlsplit(archive_url)
    prefix = f"{place.path.strip('/')}/{name}/"
    if versions := _versions(s3, place.netloc, prefix):
        delete(s3, place.netloc, versions, BypassGovernanceRetention=True)
        for held in _versions(s3, place.netloc, prefix):
            s3.put_object_legal_hold(Bucket=place.netloc, **held, LegalHold={"Status": "OFF"})
            s3.delete_object(Bucket=place.netloc, **held, BypassGovernanceRetention=True)


def _versions(s3: Any, bucket: str, prefix: str) -> list[dict[str, str]]:
    """Versions and delete markers."""
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    items = [item for page in pages for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]]
    return [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in items]


def delete(s3: Any, bucket: str, objects: list[dict[str, str]], **options: Any) -> None:
    """Delete objects, a thousand with one request."""
    for at in range(0, len(objects), 1000):
        s3.delete_objects(Bucket=bucket, Delete={"Objects": objects[at : at + 1000], "Quiet": True}, **options)


def read_env(file: Path) -> dict[str, str]:
    """The variables of a ``.local/env``."""
    lines = [line.removeprefix("export ") for line in file.read_text().splitlines() if line.startswith("export ")]
    return {name: shlex.split(value)[0] if value else "" for name, _, value in (line.partition("=") for line in lines)}


def mysql(env: dict[str, str], database: str | None = None) -> Any:
    """A connection of the stack's administrator."""
    url = urlsplit(env["EL_MYSQL_ADMIN_URL"])
    return pymysql.connect(
        host=url.hostname,
        port=url.port,
        user=url.username,
        password=url.password or "",
        database=database,
        charset="utf8mb4",
        local_infile=True,
    )


def warehouse(env: dict[str, str]) -> Any:
    """A connection to the stack's Redshift, in autocommit."""
    connection = psycopg2.connect(
        host=env[_REDSHIFT + "HOST"],
        port=env[_REDSHIFT + "PORT"],
        dbname=env[_REDSHIFT + "DATABASE"],
        user=env[_REDSHIFT + "USERNAME"],
        password=env[_REDSHIFT + "PASSWORD"],
    )
    connection.autocommit = True
    return connection


def s3_client(env: dict[str, str]) -> Any:
    """A client of the stack's S3; one for all tests of a process."""
    return _s3_client(env["AWS_ENDPOINT_URL"], env["AWS_REGION"])


@cache
def _s3_client(endpoint: str, region: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def _sources(kind: str) -> Path:
    return LOCAL / f"on-{kind}" / "tests"


def _dead(folder: Path, keep: bool = False) -> Iterator[Any]:
    """What the notes of dead processes say; each is removed when it was followed, unless it is kept."""
    for path in sorted(folder.glob("*.json")):
        with suppress(FileNotFoundError), path.open() as file:  # another run may have followed it
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield json.loads(file.read())
            if not keep:
                path.unlink(missing_ok=True)


def _end_processes(scratch: str) -> None:
    """End all that descends from a test process."""
    left = [process for process in psutil.process_iter() if process.pid != os.getpid() and _descends(process, scratch)]
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=30)


def _descends(process: psutil.Process, scratch: str) -> bool:
    try:
        return process.environ().get(SCRATCH) == scratch
    except psutil.Error:  # it has ended, or is another user's
        return False


def _delete_folder(folder: Path) -> None:
    for parent, _, files in os.walk(folder):  # which goes on if another run deletes it meanwhile
        if CLUSTER_IS_ELSEWHERE in files:
            delete_cluster(Path(parent))
    shutil.rmtree(folder, ignore_errors=True)


def _redshift(env: dict[str, str], sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    connection = warehouse(env)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()

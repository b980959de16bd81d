"""What all tests share: the local stack, and throwaway sources on it.

Each test makes its own MySQL database, landing prefix and Redshift schemas under one random name and drops them at
the end, so tests run side by side, in any order, on the stack that a developer uses, and leave his data alone.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import hypothesis
import pytest

from local.errors import StackError
from local.mysql_server import Program, find
from tests import leftovers
from tests.forks import Forked, Mother
from tests.leftovers import (
    SCRATCH,
    Note,
    TestProcess,
    delete,
    drop,
    mysql,
    read_env,
    s3_client,
    source_note,
    sweep,
    sweep_sources,
    warehouse,
)
from tests.private_mysql import PrivateMySQL
from tests.receivers import Hook, Queue, hook

# How long an example takes says nothing on a machine that does other work too.
hypothesis.settings.register_profile("el", deadline=None)
hypothesis.settings.load_profile("el")

REPOSITORY = Path(__file__).resolve().parent.parent
#: How the names of variables begin that el, dbt and the libraries below them read.
OURS = ("SOURCES__", "ARCHIVE_", "DESTINATION__", "DBT_", "EL_", "LANDING_", "AWS_")


def pytest_configure(config: pytest.Config) -> None:
    """Which MySQL server the tests run on: ``TEST_MYSQL``; else MySQL, or MariaDB where MySQL cannot be had."""
    if hasattr(config, "workerinput") or "TEST_MYSQL" in os.environ:
        return
    try:
        find("mysql")
    except StackError as error:
        os.environ["TEST_MYSQL"], config.stash[_WITHOUT_MYSQL] = "mariadb", str(error)
    else:
        os.environ["TEST_MYSQL"] = "mysql"


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Clear what dead test processes have left, and note what this one is about to make."""
    config = session.config
    if not hasattr(config, "workerinput"):
        sweep()
    config.stash[_PROCESS] = TestProcess(config._tmp_path_factory.getbasetemp())  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """The last line."""
    if process := config.stash.get(_PROCESS, None):
        process.end()
    if why := config.stash.get(_WITHOUT_MYSQL, ""):
        print(f"{why}\nAll tests ran on MariaDB alone: MySQL could not be had")


_WITHOUT_MYSQL = pytest.StashKey[str]()
_PROCESS = pytest.StashKey[TestProcess]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """``only_on``: what one of the two servers has alone."""
    for item in items:
        if (mark := item.get_closest_marker("only_on")) and mark.args[0] != os.environ["TEST_MYSQL"]:
            item.add_marker(pytest.mark.skip(reason=f"{mark.args[0]} alone: {mark.kwargs['reason']}"))


@pytest.fixture(scope="session")
def program() -> Program:
    """The MySQL server that the tests run on."""
    return find(os.environ["TEST_MYSQL"])


@pytest.fixture(scope="session")
def stack(program: Program) -> dict[str, str]:
    """The variables of the running local stack on that server; it is started if it is down."""
    done = subprocess.run(
        [sys.executable, "-m", "local.stack", "up", "--server", program.kind],
        cwd=REPOSITORY,
        # It outlives this process, of whose it is not.
        env={name: value for name, value in os.environ.items() if name != SCRATCH},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    env = read_env(REPOSITORY / ".local" / f"on-{program.kind}" / "env")
    sweep_sources(program.kind, env)
    return env


@pytest.fixture(autouse=True)
def _environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests that use the stack see its variables; others see none, whatever the developer has exported."""
    for name in list(os.environ):
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    if "stack" in request.fixturenames:
        for name, value in request.getfixturevalue("stack").items():
            monkeypatch.setenv(name, value)


@dataclass
class Finished:
    """An ``el`` that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def table(self, name: str) -> dict[str, Any]:
        """The entry of one table in the report of ``--json``."""
        (found,) = [entry for entry in self.json["tables"] if entry["table"].endswith("." + name)]
        return dict(found)


@dataclass
class Source:
    """A MySQL database, a landing and Redshift schemas of one test, and ``el`` for them."""

    name: str
    folder: Path
    env: dict[str, str]
    admin: Any
    warehouse: Any
    s3: Any
    processes: list[Any] = field(default_factory=list)
    connections: list[Any] = field(default_factory=list)

    def mysql(self, *statements: str) -> None:
        """Run statements in the source's database as the application would, one transaction each."""
        with self.admin.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        self.admin.commit()

    def connect(self) -> Any:
        """Another connection of the application, without autocommit."""
        self.connections.append(mysql(self.env, self.name))
        return self.connections[-1]

    def configure(self, tables: dict[str, Any], retention: dict[str, Any] | None = None, **defaults: Any) -> None:
        """Write the source file."""
        defaults = {"mode": "merge", "cursor": "updated_at"} | defaults
        content = {"source": self.name, "defaults": defaults, "retention": retention or {}, "tables": tables}
        (self.folder / "sources" / f"{self.name}.yml").write_text(json.dumps(content, indent=1))

    def el(
        self, *arguments: str, code: int | None = 0, env: dict[str, str] | None = None, program: str = "el.cli"
    ) -> Finished:
        """Run ``el``; the exit code must be ``code`` unless that is None."""
        done = Finished(*_mother().run(program, arguments, self.folder, self.env | (env or {})))
        if code is not None:
            assert done.code == code, f"exit code {done.code}\n{done.out}\n{done.err}"
        return done

    def archive(self, *arguments: str, code: int | None = 0, env: dict[str, str] | None = None) -> Finished:
        """Run ``el-archive``."""
        return self.el(*arguments, code=code, env=env, program="el.archive.cli")

    def redshift(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of a query; ``raw.`` stands for the source's raw schema."""
        with self.warehouse.cursor() as cursor:
            cursor.execute(sql.replace("raw.", f"raw_{self.name}."), parameters or None)
            return list(cursor.fetchall()) if cursor.description else []

    def ledger(self, table: str) -> list[tuple[Any, ...]]:
        """(seq, rows) of every commit that was applied, in order of application."""
        return self.redshift(f"select seq, row_count from raw_{self.name}_el.{table} order by position")

    def objects(self, prefix: str = "") -> list[str]:
        """Keys below the source's landing."""
        place = urlsplit(self.env["LANDING_URL"])
        base = f"{place.path.strip('/')}/{self.name}/"
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=place.netloc, Prefix=base + prefix)
        return [item["Key"].removeprefix(base) for page in pages for item in page.get("Contents", [])]

    def delete_objects(self, prefix: str = "") -> None:
        """Lose the landing, or a part of it."""
        place = urlsplit(self.env["LANDING_URL"])
        base = f"{place.path.strip('/')}/{self.name}/"
        delete(self.s3, place.netloc, [{"Key": base + key} for key in self.objects(prefix)])

    def beside(self, key: str) -> dict[str, Any]:
        """An object of the landing that belongs to no source's folder: a lease, a record, the problems."""
        place = urlsplit(self.env["LANDING_URL"])
        key = f"{place.path.strip('/')}/{key}"
        return dict(json.loads(self.s3.get_object(Bucket=place.netloc, Key=key)["Body"].read()))

    def host(self, name: str) -> dict[str, str]:
        """Variables of another host: it has a disk of its own."""
        return {"EL_HOME": str(self.folder / name)}

    def start(self, *arguments: str, env: dict[str, str] | None = None, program: Any = ("-m", "el.cli")) -> Any:
        """Start ``el``; what it prints is in its ``communicate()``."""
        self.processes.append(fork(program, arguments, self.folder, self.env | (env or {})))
        return self.processes[-1]

    def commit(self, table: str, seq: int) -> dict[str, Any]:
        """One commit as it lies on S3."""
        place = urlsplit(self.env["LANDING_URL"])
        key = f"{place.path.strip('/')}/{self.name}/{table}/_commits/{seq:020d}.json"
        return dict(json.loads(self.s3.get_object(Bucket=place.netloc, Key=key)["Body"].read()))

    def commits(self, table: str) -> list[int]:
        """Numbers of a table's commits."""
        return [int(Path(key).stem) for key in self.objects(f"{table}/_commits/")]


def fork(program: Any, arguments: tuple[str, ...], folder: Path, env: dict[str, str], piped: bool = True) -> Forked:
    """Start a program of ours, or lines that use it, as a fork of a process that has imported it."""
    return _mother().start(program, arguments, folder, env, piped)


@cache
def _mother() -> Mother:
    mother = Mother(os.environ[SCRATCH])
    atexit.register(mother.end)
    return mother


@pytest.fixture
def make_private(tmp_path: Path, program: Program) -> Iterator[Callable[[], PrivateMySQL]]:
    """Makes MySQL servers of the test's own."""
    made: list[PrivateMySQL] = []

    def make() -> PrivateMySQL:
        made.append(PrivateMySQL(tmp_path / f"mysql{len(made)}", program))
        return made[-1]

    yield make
    for server in made:
        server.kill()


@pytest.fixture
def private(make_private: Callable[[], PrivateMySQL]) -> PrivateMySQL:
    """One MySQL server of the test's own."""
    return make_private()


@contextmanager
def throwaway_sources(stack: dict[str, str], tmp_path: Path) -> Iterator[Callable[[], Source]]:
    """Makes throwaway sources below a folder, and drops them at the end."""
    made: list[tuple[Source, Note]] = []
    # Not what the developer has exported: a fixture of the whole session runs before _environment.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}

    def make() -> Source:
        name = f"t_{uuid4().hex[:10]}"
        folder = tmp_path / name
        (folder / "sources").mkdir(parents=True)
        note = source_note(os.environ["TEST_MYSQL"], name, folder)
        admin = mysql(stack)
        with admin.cursor() as cursor:
            cursor.execute(f"create database {name} character set utf8mb4")
        admin.select_db(name)
        own = {
            f"SOURCES__{name.upper()}__CREDENTIALS": stack["SOURCES__CLINIC__CREDENTIALS"].replace(
                "/clinic", f"/{name}"
            ),
            f"ARCHIVE__{name.upper()}__CREDENTIALS": stack["ARCHIVE__CLINIC__CREDENTIALS"].replace(
                "/clinic", f"/{name}"
            ),
            "EL_SOURCES": str(folder / "sources"),
            "EL_HOME": str(folder / "home"),
            "EL_ALERTS_SNS_TOPIC": "",  # a developer's alerts are his own
        }
        source = Source(name, folder, inherited | stack | own, admin, warehouse(stack), s3_client(stack))
        made.append((source, note))
        return source

    try:
        yield make
    finally:
        for source, note in made:
            _close(source)
            drop(stack, source.name, source.folder)
            note.remove()


def _close(source: Source) -> None:
    for process in source.processes:
        process.kill()
        process.wait()
    # A test that failed left them open, and their locks.
    for connection in (*source.connections, source.admin):
        if connection.open:
            connection.close()
    source.warehouse.close()


def delete_archive(source: Source) -> None:
    """Delete every version of what a test has archived, whatever holds and locks it."""
    leftovers.delete_archive(source.s3, source.env["ARCHIVE_URL"], source.name)


@pytest.fixture
def make_source(stack: dict[str, str], tmp_path: Path) -> Iterator[Callable[[], Source]]:
    """Makes throwaway sources."""
    with throwaway_sources(stack, tmp_path) as make:
        yield make


@pytest.fixture
def source(make_source: Callable[[], Source]) -> Source:
    """One throwaway source."""
    return make_source()


@pytest.fixture
def queue(source: Source) -> Iterator[Queue]:
    """Who receives the alerts of a topic of the test's own."""
    made = Queue(source.env["AWS_ENDPOINT_URL"], source.name)
    yield made
    made.delete()


@pytest.fixture
def web() -> Iterator[Hook]:
    """Who receives alerts by HTTP."""
    with hook() as receiver:
        yield receiver

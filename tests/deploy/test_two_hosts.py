"""``el extract`` where only MySQL and S3 can be reached, ``el load`` where only S3 and Redshift can: they share S3."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from shutil import copytree
from urllib.parse import urlsplit

import pytest

from tests.compare import assert_equal
from tests.conftest import Source
from tests.crash.test_kill import CURSOR, PREFIX
from tests.deploy import hosts
from tests.integration.test_main_job import CLINIC, assert_all_equal, clinic
from tests.mysql_sql import numbers

#: ``el`` for which the other side's database does not exist: who tries to log in there fails.
WITHOUT_REDSHIFT = "import psycopg2; psycopg2.connect = None; from el import cli; cli.main()"
WITHOUT_MYSQL = "import pymysql; pymysql.connect = None; from el import cli; cli.main()"


@pytest.fixture
def demo(source: Source) -> Source:
    clinic(source, "create", "--scale", "0.02")
    source.configure(CLINIC["tables"], CLINIC["retention"], **CLINIC["defaults"])
    return source


def of_extract(source: Source) -> dict[str, str]:
    """The variables of the host that extracts: none of Redshift's."""
    return {name: value for name, value in source.env.items() if not name.startswith(("DESTINATION__", "DBT_"))}


def of_load(source: Source) -> dict[str, str]:
    """The variables of the host that loads: none of MySQL's, and no key of hashes."""
    hidden = ("SOURCES__", "EL_MYSQL", "EL_HASH_KEY")
    return {name: value for name, value in source.env.items() if not name.startswith(hidden)}


class Sides:
    """The two hosts. Each run begins with an empty disk but for the source files."""

    def __init__(self, source: Source, extract: hosts.Host, load: hosts.Host) -> None:
        self.source, self.hosts, self.runs = source, {"extract": extract, "load": load}, 0
        ports = self.ports
        variable = f"SOURCES__{source.name.upper()}__CREDENTIALS"
        url = urlsplit(source.env[variable])
        there = url._replace(
            netloc=f"{url.username}:{url.password}@{extract.address}:{extract.ports[ports['mysql']]}",
            query="ssl-mode=disabled",
        )
        self.env = {
            "extract": of_extract(source)
            | {
                variable: there.geturl(),
                "AWS_ENDPOINT_URL": f"http://{extract.address}:{extract.ports[ports['s3']]}",
            },
            "load": of_load(source)
            | {
                PREFIX + "HOST": load.address,
                PREFIX + "PORT": str(load.ports[ports["redshift"]]),
                "EL_REDSHIFT_SSLMODE": "disable",
                "AWS_ENDPOINT_URL": f"http://{load.address}:{load.ports[ports['s3']]}",
            },
        }

    @property
    def ports(self) -> dict[str, int]:
        return stack_ports(self.source)

    def el(self, command: str, *arguments: str) -> str:
        self.runs += 1
        disk = self.source.folder / f"disk-{self.runs}"
        copytree(self.source.folder / "sources", disk / "sources")
        env = self.env[command] | {"EL_SOURCES": "sources", "EL_HOME": "home", "HOME": str(disk)}
        done = self.hosts[command].run([sys.executable, "-m", "el.cli", command, *arguments], cwd=disk, env=env)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def stack_ports(source: Source) -> dict[str, int]:
    mysql = urlsplit(source.env[f"SOURCES__{source.name.upper()}__CREDENTIALS"]).port
    s3 = urlsplit(source.env["AWS_ENDPOINT_URL"]).port
    assert mysql
    assert s3
    return {"mysql": mysql, "s3": s3, "redshift": int(source.env[PREFIX + "PORT"])}


@pytest.fixture
def sides(demo: Source) -> Iterator[Sides]:
    if reason := hosts.unavailable():
        pytest.skip(f"{reason}; test_neither_side_logs_in_to_the_others_database runs all the same")
    ports = stack_ports(demo)
    with (
        hosts.host([ports["mysql"], ports["s3"]]) as extract,
        hosts.host([ports["s3"], ports["redshift"]]) as load,
    ):
        yield Sides(demo, extract, load)


@pytest.mark.long
def test_the_demo_runs_on_two_hosts_that_reach_s3_and_one_database_each(sides: Sides) -> None:
    extract, load, ports = sides.hosts["extract"], sides.hosts["load"], sides.ports
    for one, database, others in ((extract, "mysql", "redshift"), (load, "redshift", "mysql")):
        assert one.reaches(one.address, one.ports[ports["s3"]])
        assert one.reaches(one.address, one.ports[ports[database]])
        assert not one.reaches("127.0.0.1", ports[others])
        assert not one.reaches(one.address, ports[others])
    assert not extract.reaches(load.address, load.ports[ports["redshift"]])
    assert not load.reaches(extract.address, extract.ports[ports["mysql"]])

    sides.el("load")  # in any order: there is nothing yet
    sides.el("extract")
    sides.el("load")
    assert assert_all_equal(sides.source) > 2_000

    before = sides.source.objects()
    sides.el("extract")
    sides.el("load")
    assert sides.source.objects() == before

    clinic(sides.source, "activity")
    sides.el("extract")
    clinic(sides.source, "activity", "--seed", "7")
    sides.el("extract")
    sides.el("load")
    assert_all_equal(sides.source, deleted=True)


@pytest.mark.long
def test_neither_side_logs_in_to_the_others_database(demo: Source) -> None:
    """The proof for a machine without namespaces: no variable, and no way to log in."""

    def el(command: str, program: str, env: dict[str, str]) -> None:
        done = subprocess.run(
            [sys.executable, "-c", program, command],
            cwd=demo.folder,
            env=env | {"EL_HOME": str(demo.folder / f"home-{command}")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    for _ in range(2):
        el("extract", WITHOUT_REDSHIFT, of_extract(demo))
        el("load", WITHOUT_MYSQL, of_load(demo))
        assert_all_equal(demo, deleted=True)
        clinic(demo, "activity")


@contextmanager
def many(source: Source, commands: list[str]) -> Iterator[list[subprocess.Popen[str]]]:
    """One process for each command, all at once, each with variables and a disk of its own."""
    running = []
    for number, command in enumerate(commands):
        disk = source.folder / f"own-{number}-{command}"
        copytree(source.folder / "sources", disk / "sources", dirs_exist_ok=True)
        env = of_extract(source) if command == "extract" else of_load(source)
        running.append(
            subprocess.Popen(
                [sys.executable, "-m", "el.cli", command],
                cwd=disk,
                env=env | {"EL_SOURCES": "sources", "EL_HOME": str(disk / "home")},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        source.processes.append(running[-1])
    yield running


@pytest.mark.long
def test_several_extracts_and_loads_at_once_by_mistake_give_the_same_redshift(source: Source) -> None:
    """Each on a disk of its own. One may lose a race and say so; the next run on its own leaves nothing to do."""
    source.mysql(
        f"create table t (id int primary key, v int, {CURSOR})",
        f"insert into t (id, v) select seq, 0 from {numbers(2000)} n",
        f"create table u (a int, b varchar(20), v int, {CURSOR}, primary key (a, b))",
        f"insert into u (a, b, v) select seq, concat('x', seq), 0 from {numbers(500)} n",
        "create table r (id int primary key, v int)",
        f"insert into r select seq, 0 from {numbers(100)} n",
    )
    source.configure({"t": {}, "u": {}, "r": {"mode": "replace"}})
    for number in range(2):
        source.mysql(
            f"update t set v = {number + 1} where id % {number + 2} = 0",
            f"insert into u (a, b, v) values ({1000 + number}, 'y', 0)",
            f"update r set v = v + 1 where id = {number + 1}",
        )
        with many(source, ["extract"] * 3 + ["load"] * 3) as running:
            said = [process.communicate(timeout=280)[0] for process in running]
        assert all(process.returncode in (0, 1) for process in running), said
        assert any(process.returncode == 0 for process in running[:3]), said
    source.el("extract")
    source.el("load")
    for table in ("t", "u", "r"):
        assert_equal(source, table)
        applied = [seq for seq, _ in source.ledger(table)]
        assert applied == source.commits(table), "every commit once, in order"

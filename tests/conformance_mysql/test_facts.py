"""The facts about MySQL hold on the server that the tests run on, and one that does not is told."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from el.mysql.connection import SESSION, Connection
from el.settings import MySQL
from tests.conformance.cases import Row
from tests.conftest import REPOSITORY
from tests.private_mysql import PrivateMySQL

from . import facts
from .facts import Asked, Fact, load

FACTS = load()


def server_of(stack: dict[str, str]) -> MySQL:
    url = urlsplit(stack["EL_MYSQL_ADMIN_URL"])
    assert url.hostname and url.port and url.username and url.password
    return MySQL(url.hostname, url.port, url.username, url.password, "", "disabled", None)


@pytest.fixture(scope="session")
def asked(stack: dict[str, str]) -> Asked:
    return Asked(server_of(stack))


def run(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.conformance_mysql", url, *options],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def scratch_databases(stack: dict[str, str]) -> list[Any]:
    fact = Fact("", "show databases like 'el\\_conformance\\_%'", {}, "")
    return Asked(server_of(stack))._read(fact)


def assert_gone(stack: dict[str, str], seen: list[Any]) -> None:
    """None of these stays. Other tests ask at the same time: theirs go as well, a little later."""
    deadline = time.monotonic() + 60
    while left := [name for name in seen if name in scratch_databases(stack)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: f"{fact.page}: {fact.sql}"[:120])
def test_the_server_is_as_el_relies_on(asked: Asked, fact: Fact) -> None:
    if asked.kind not in fact.gives:
        pytest.skip(f"{asked.kind} is not asked this")
    assert asked.answer(fact).line == ""


@pytest.mark.parametrize(
    ("sql", "gives"),
    [
        ("select 1", [["2"]]),
        ("select 1", []),
        ("select 1 union all select 1", [["1"]]),
        ("select null", [["NULL"]]),
        ("select 1 as a union all select 2 order by a", [["2"], ["1"]]),
        ("select 1", 1064),
        ("select nothing", [["1"]]),
        ("select nothing", 1064),
        ("create table t (a int); select count(*) from t", [["1"]]),
    ],
)
def test_a_fact_that_does_not_hold_is_told_with_its_reason(asked: Asked, sql: str, gives: Any) -> None:
    line = asked.answer(Fact("a page", sql, {asked.kind: gives}, "a reason")).line
    assert line.startswith(f"a page: {sql}: gave ") and "wanted" in line and line.endswith("Needed: a reason")


def test_every_statement_that_begins_a_session_is_a_fact() -> None:
    assert {fact.sql for fact in FACTS} >= set(SESSION)


def test_the_table_is_large_enough_to_mean_something() -> None:
    assert len(FACTS) >= 180
    assert sum(fact.only_reads for fact in FACTS) >= 60


def test_a_line_that_is_not_understood_is_no_fact() -> None:
    from .facts import _fact

    for given in ({"gives": "1"}, {"why": "x"}, {"gives": "1", "mysql": "1", "why": "x"}, {"oracle": "1", "why": "x"}):
        with pytest.raises(ValueError, match="not understood"):
            _fact("a page", "select 1", given)


@pytest.mark.parametrize(
    "sql",
    [
        "create table t (a int)",
        "select 1 for update",
        "select 1 into @x",
        "drop database x",
        "set global x = 1",
        "do 1",
    ],
)
def test_a_statement_that_may_write_is_not_of_the_part_that_only_reads(sql: str) -> None:
    assert not Fact("", f"select 1; {sql}", {}, "").only_reads


def test_the_part_that_only_reads_writes_nothing(private: PrivateMySQL) -> None:
    private.start("--log-bin", "--server-id=1", "--read-only=ON")
    before = _logs(private)
    done = run(f"mysql://root@127.0.0.1:{private.port}/", "--read-only")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "0 wrong, 0 could not be asked" in done.stdout
    assert _logs(private) == before


def _logs(private: PrivateMySQL) -> Any:
    """How far the binary log is, which has every write."""
    with private.connect() as connection, connection.cursor() as cursor:
        cursor.execute("show binary logs")
        return cursor.fetchall()


def test_the_whole_table_leaves_nothing_behind(stack: dict[str, str]) -> None:
    done = run(stack["EL_MYSQL_ADMIN_URL"])
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.endswith(" 0 wrong, 0 could not be asked\n")
    assert_gone(stack, scratch_databases(stack))


def test_a_user_without_rights_learns_what_could_not_be_asked(stack: dict[str, str]) -> None:
    done = run(stack["SOURCES__CLINIC__CREDENTIALS"])
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "facts need a scratch database, which cannot be made (MySQL error 1044). Remedy: " in done.stdout
    assert " 0 wrong, " in done.stdout and not done.stdout.endswith(" 0 could not be asked\n")


def test_a_fact_that_failed_drops_its_scratch_database(asked: Asked, stack: dict[str, str]) -> None:
    assert asked.answer(Fact("", "create table t (a int); select a from nothing", {asked.kind: []}, "x")).wrong
    assert_gone(stack, scratch_databases(stack))


def test_one_that_is_ended_drops_its_scratch_database(stack: dict[str, str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.conformance_mysql", stack["EL_MYSQL_ADMIN_URL"]],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        while not (seen := scratch_databases(stack)):
            assert process.poll() is None
        process.terminate()
    assert process.returncode == 128 + 15
    assert_gone(stack, seen)


@pytest.mark.parametrize("when", ["create database", "drop database"])
def test_one_that_is_ended_while_the_server_makes_or_drops_it_leaves_none(
    asked: Asked, stack: dict[str, str], monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    rows = facts._rows

    def ended(session: Connection, statement: str) -> list[Row]:
        done = rows(session, statement)
        if statement.startswith(when):
            signal.raise_signal(signal.SIGINT)  # the server has done it, and its answer is on its way
        return done

    monkeypatch.setattr(facts, "_rows", ended)
    with pytest.raises(KeyboardInterrupt):
        asked.answer(Fact("", "create table t (a int); select a from t", {asked.kind: []}, "x"))
    assert_gone(stack, scratch_databases(stack))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "usage: make conformance-mysql URL=mysql://user:password@host:port/"),
        ("http://root:a-secret@127.0.0.1:1/", "URL cannot be read. It must be mysql://user:password@host:port/"),
        ("mysql://root:a-secret@127.0.0.1:port/", "URL cannot be read. It must be mysql://user:password@host:port/"),
        ("mysql://root:a-secret@[::1/", "URL cannot be read. It must be mysql://user:password@host:port/"),
        ("mysql://root:a-secret@127.0.0.1:1/", "MySQL at root@127.0.0.1:1: nothing answers there"),
    ],
)
def test_a_server_that_cannot_be_asked_is_one_sentence(url: str, said: str) -> None:
    done = run(url)
    assert done.returncode == 2
    assert done.stderr.startswith(said) and done.stderr.count("\n") == 1 and "a-secret" not in done.stderr
    assert done.stdout == ""


def test_a_wrong_password_is_not_repeated(stack: dict[str, str]) -> None:
    url = urlsplit(stack["EL_MYSQL_ADMIN_URL"])
    done = run(f"mysql://root:a-secret@{url.hostname}:{url.port}/")
    assert (done.returncode, done.stdout) == (2, "")
    assert "the user name or password is wrong" in done.stderr and "a-secret" not in done.stderr

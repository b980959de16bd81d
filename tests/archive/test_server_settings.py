"""Settings of a whole server that are common in the wild: through plan, run, verify, drill and restore."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from local.mysql_server import Program
from tests.archive.test_run import AS_OF, OLD, RETENTION, one, run
from tests.archive.test_sizes import sizes
from tests.conftest import Source
from tests.mysql_sql import numbers
from tests.private_mysql import PrivateMySQL

#: What the server's variables are before each test and, per test, in it; names that only one server has by kind.
SETTINGS: dict[str, dict[str, str]] = {
    "strict_and_ansi": {"sql_mode": "ANSI,TRADITIONAL,ONLY_FULL_GROUP_BY,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT"},
    "sql_select_limit": {"sql_select_limit": "3"},
    "max_execution_time": {"max_execution_time": "1"},
    "max_statement_time": {"max_statement_time": "0.001"},
    "time_zone": {"time_zone": "+09:00"},
    "explain_format_json": {"explain_format": "JSON"},
    "explain_format_tree": {"explain_format": "TREE"},
    "information_schema_stats_expiry": {"information_schema_stats_expiry": "86400"},
    "sql_require_primary_key": {"sql_require_primary_key": "ON"},
    "sql_safe_updates": {"sql_safe_updates": "ON", "max_join_size": "10"},
    "sql_generate_invisible_primary_key": {"sql_generate_invisible_primary_key": "ON"},
    "max_allowed_packet": {"max_allowed_packet": "1048576"},
    "transaction_isolation": {"tx_isolation": "SERIALIZABLE", "transaction_isolation": "SERIALIZABLE"},
    "collation": {"character_set_server": "latin1", "collation_connection": "latin1_swedish_ci"},
}
#: For what the test itself asks.
UNBOUND = """set time_zone = '+00:00', sql_select_limit = 18446744073709551615, sql_big_selects = 1
    /*!80000 , max_execution_time = 0 */ /*M! , max_statement_time = 0 */"""
MANY = 40
TABLE = """create table db.`Order Lines` (`Id` int primary key auto_increment, v varchar(40), at timestamp null,
    d date, j json, g point, amount double, created_at timestamp not null, unique key (v), key (created_at),
    constraint `is old` check (v <> ''))"""
ROWS = f"""insert into db.`Order Lines` (v, at, d, j, g, amount, created_at) select concat('v', seq), '{OLD}',
    '2024-02-29', if(seq % 2, '{{"a": 1.5}}', null), point(seq, 0.1), seq / 7, '{OLD}' from {numbers(MANY)} n"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, program: Program) -> Iterator[PrivateMySQL]:
    """One server for all tests here, in a time zone with daylight saving."""
    server = PrivateMySQL(tmp_path_factory.mktemp("settings"), program)
    server.start(zone="Europe/Berlin")
    yield server
    server.kill()


@pytest.fixture
def away(source: Source, shared: PrivateMySQL) -> Iterator[Source]:
    """A source on that server, whose variables are put back at the end."""
    with shared._connect(None) as connection, connection.cursor() as cursor:
        cursor.execute("show global variables")
        before = {name: value for name, value in cursor.fetchall() if name in {n for s in SETTINGS.values() for n in s}}
        fill(source, shared)
        yield source
        for name, value in before.items():
            if name != "collation_connection":
                cursor.execute(f"set global {name} = {value if value.replace('.', '').isdigit() else repr(value)}")


def fill(source: Source, server: PrivateMySQL) -> None:
    for statement in (
        "drop database if exists db", "drop database if exists db_restore", "create database db", "set sql_mode = ''",
    ):  # fmt: skip
        server.run(statement)
    server.run("set time_zone = '+00:00'", TABLE, ROWS, "analyze table db.`Order Lines`")
    at(source, server)


def at(source: Source, server: PrivateMySQL) -> None:
    source.env[f"ARCHIVE__{source.name.upper()}__CREDENTIALS"] = f"mysql://root@127.0.0.1:{server.port}/db"
    policy = {"archive": {"class": "transient", "age": "created_at", "where": "v like 'v%' and Id > 0"}}
    source.configure({"Order Lines": policy}, RETENTION, cursor="created_at")


def contents(server: PrivateMySQL) -> list[Any]:
    with server._connect("db") as connection, connection.cursor() as cursor:
        cursor.execute(UNBOUND)
        cursor.execute(
            "select id, v, at, d, cast(j as char), st_astext(g), amount, created_at from `Order Lines` order by id"
        )
        return list(cursor.fetchall())


def there_and_back(source: Source, server: PrivateMySQL) -> None:
    label = f"{source.name}.Order Lines"
    before = contents(server)
    assert len(before) == MANY
    assert abs(sizes(source)["Order Lines"]["rows"] - MANY) <= 10
    (plan,) = source.archive("plan", "--as-of", AS_OF, "--json").json["tables"]
    assert (plan["rows"], plan["exact"], plan["refusals"]) == (MANY, True, [])
    with server._connect("db") as connection, connection.cursor() as cursor:  # as a person pastes it
        cursor.execute(UNBOUND.replace("time_zone = '+00:00', ", ""))
        sql = plan["sql"].replace("select *", "select count(*)")
        assert cursor.execute(sql) and cursor.fetchone() == (MANY,)
    assert one(run(source, "--chunk-rows", "15"), "Order Lines")["deleted"] == MANY - 1  # the newest AUTO_INCREMENT
    assert contents(server) == before[-1:]
    source.archive("drill")
    restored = source.archive("restore", label, "--all", "--into", "db.Order Lines", "--json").json
    assert (restored["restored"], restored["same"]) == (MANY - 1, 0)
    assert contents(server) == before
    elsewhere = source.archive("restore", label, "--all", "--into", "db.Second", "--json").json
    assert (elsewhere["made"], elsewhere["restored"]) == (True, MANY - 1)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_server_with_this_setting_is_archived_and_restored(away: Source, shared: PrivateMySQL, name: str) -> None:
    with shared._connect(None) as connection, connection.cursor() as cursor:
        cursor.execute("show global variables")
        known = {variable for variable, _ in cursor.fetchall()}
    settings = {name: value for name, value in SETTINGS[name].items() if name in known}
    if not settings:
        pytest.skip(f"this server has no {name}")
    for variable, value in settings.items():
        shared.run(f"set global {variable} = {value if value.replace('.', '').isdigit() else repr(value)}")
    there_and_back(away, shared)


def test_daylight_saving_of_the_server_moves_no_row(away: Source, shared: PrivateMySQL) -> None:
    there_and_back(away, shared)


def test_names_without_case_are_archived_and_restored(source: Source, program: Program, private: PrivateMySQL) -> None:
    if program.is_mysql:  # it takes the setting with a new data folder alone
        shutil.rmtree(private.data)
        command = [*program.install(private.data), "--lower-case-table-names=1"]
        subprocess.run(command, cwd=private.data.parent, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    private.start("--lower-case-table-names=1")
    fill(source, private)
    private.run(
        "create table db.`Child ä` (id int primary key, p int, foreign key (p) references db.`Order Lines` (`Id`))"
    )
    (plan,) = source.archive("plan", "--as-of", AS_OF, "--json").json["tables"]
    assert "hang on it" in " ".join(plan["refusals"]) and "may not see" not in " ".join(plan["refusals"])
    private.run("drop table db.`Child ä`")
    there_and_back(source, private)


def test_a_condition_that_the_server_itself_refuses_is_told_by_plan(away: Source, shared: PrivateMySQL) -> None:
    policy = {"class": "transient", "age": "created_at"}
    refused = []
    shared.run("set global sql_mode = 'ANSI_QUOTES,STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE'")
    for where in ('v = "v1"', "v = 'v1'", "no_such_column = 1", "d <> '0000-00-00'"):
        away.configure({"Order Lines": {"archive": policy | {"where": where}}}, RETENTION, cursor="created_at")
        (plan,) = away.archive("plan", "--as-of", AS_OF, "--json", code=None).json["tables"]
        refused.append(bool([why for why in plan["refusals"] if why.startswith("where: ")]))
    assert refused[:3] == [True, False, True]
    (plan,) = away.archive("plan", "--as-of", AS_OF, "--json", code=None).json["tables"]
    report = run(away, code=1 if refused[3] else 0)
    assert one(report, "Order Lines")["state"] == ("refused" if refused[3] else "done")

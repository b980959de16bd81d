"""Settings of a server that are common in the wild: every value arrives under each of them.

What a session may set is set by ``init_connect``, which MySQL runs when a user logs in who is no administrator: so the
test's own connections are not in the way. The server's zone has daylight saving throughout, its user's password
letters beyond Latin-1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from el import settings
from el.config import load_sources
from el.errors import SourceError
from el.mysql import connection as mysql_connection
from el.mysql.catalog import read_shapes
from el.mysql.chunks import Chunks
from el.mysql.connection import bound, connected, rows
from el.mysql.process import Process
from local.mysql_server import Program
from tests import compare
from tests.conftest import Source, throwaway_sources
from tests.mysql_sql import numbers
from tests.private_mysql import PrivateMySQL

STAMP = "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6), key (updated_at)"
PASSWORD = "pässwörd-łódź'\"\\"
USER = "el@'127.0.0.1'"
MODES = "ANSI,TRADITIONAL,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,HIGH_NOT_PRECEDENCE,NO_UNSIGNED_SUBTRACTION"
#: What a session begins with, by a name; each kind of server has some of its own.
BOTH = {
    "strict and ANSI sql_mode": f"sql_mode = '{MODES}'",
    "sql_select_limit": "sql_select_limit = 3",
    "max_join_size": "max_join_size = 10, sql_big_selects = 0",
    "another zone": "time_zone = '-09:30'",
    "another character set": "character_set_results = latin1, character_set_client = latin1",
    "transactions": "autocommit = 0, completion_type = 2, transaction_isolation = 'SERIALIZABLE'",
}
OWN = {
    "mysql": {
        "max_execution_time": "max_execution_time = 1",
        "information_schema_stats_expiry": "information_schema_stats_expiry = 31536000",
        "explain_format": "explain_format = 'JSON'",
        "transaction_read_only": "transaction_read_only = 1",
    },
    "mariadb": {
        "max_statement_time": "max_statement_time = 0.001",
        "Oracle's sql_mode": "sql_mode = 'ORACLE,EMPTY_STRING_IS_NULL'",
        "transaction_read_only": "tx_read_only = 1",
    },
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "setting" in metafunc.fixturenames:
        known = BOTH | OWN[os.environ["TEST_MYSQL"]]
        if os.environ["TEST_MYSQL"] == "mariadb":
            known["transactions"] = known["transactions"].replace("transaction_isolation", "tx_isolation")
        metafunc.parametrize("setting", known.values(), ids=list(known))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, program: Program) -> Iterator[PrivateMySQL]:
    made = PrivateMySQL(tmp_path_factory.mktemp("server"), program)
    try:
        made.start(*(["--sql-require-primary-key=ON"] if program.is_mysql else []), zone="Europe/Berlin")
        users(made)
        yield made
    finally:
        made.kill()


def users(server: PrivateMySQL) -> None:
    password = PASSWORD.replace("\\", "\\\\").replace("'", "''")
    server.run(f"create user {USER} identified by '{password}'", f"grant select, process on *.* to {USER}")


@pytest.fixture
def source(stack: dict[str, str], server: PrivateMySQL, tmp_path: Path) -> Iterator[Source]:
    """A throwaway source on the private server."""
    with sources_on(server, stack, tmp_path) as make:
        yield make()
        server.run("set global init_connect = ''", "set global max_allowed_packet = 67108864")


def sources_on(server: PrivateMySQL, stack: dict[str, str], tmp_path: Path) -> object:
    url = f"mysql://el:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}/clinic"
    own = {"EL_MYSQL_ADMIN_URL": f"mysql://root@127.0.0.1:{server.port}/", "SOURCES__CLINIC__CREDENTIALS": url}
    return throwaway_sources(stack | own, tmp_path)


def fill(source: Source) -> None:
    """More than one chunk of every kind of value, and a table whose chunks end at times of the hours that DST moves."""
    source.mysql(
        "set session sql_mode = '', time_zone = '+00:00'",
        "create table t (id int primary key, n decimal(38,12), u bigint unsigned, f float, v varchar(200), c char(9), "
        "x text, j json, b varbinary(20), d date, at datetime(6), stamp timestamp(6) null, e enum('', 'a', 'ß'), "
        f"y year, dur time(3), place point, {STAMP})",
        "insert into t (id, n, u, f, v, c, x, j, b, d, at, stamp, e, y, dur, place) select seq, seq / 7, "
        "18446744073709551615 - seq, seq / 3, concat('漢 ''\"\\\\', seq), 'ab', repeat('é', seq % 50), "
        "concat('{\"a\": \"漢\\\\\\\\n\", \"b\": [', seq, ', 1.5, null]}'), unhex(lpad(hex(seq), 8, '0')), "
        "if(seq % 3, '2026-03-29', '0000-00-00'), '2026-03-29 00:00:00.5' + interval seq * 10 second, "
        "'2026-10-25 00:00:00.25' + interval seq * 5 second, 1 + seq % 3, 1970 + seq % 50, "
        f"sec_to_time(seq - 1000), point(seq, -1) from {numbers(2500)} n",
        f"create table k (stamp timestamp(6) primary key, v int, {STAMP})",
        f"insert into k (stamp, v) select '2026-10-25 00:00:00' + interval seq * 3 second, seq from {numbers(2500)} n",
    )
    source.configure({"t": {}, "k": {}})


def test_every_value_arrives(source: Source, server: PrivateMySQL, setting: str) -> None:
    fill(source)
    value = setting.replace("'", "''")
    server.run(f"set global init_connect = 'set session {value}'")
    source.el("run")
    assert compare.assert_equal(source, "t") == compare.assert_equal(source, "k") == 2500
    source.mysql(
        "set session sql_mode = ''",
        "update t set v = concat(v, '!'), d = '0000-00-00' where id % 2",
        "update k set v = v + 1 where v % 3 = 0",
        "insert into t (id) values (0)",
    )
    source.el("run")
    assert (compare.assert_equal(source, "t"), compare.assert_equal(source, "k")) == (2501, 2500)
    assert source.el("extract", "--json").table("t")["extracted"] == 0


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("2026-10-25 00:30:00", "2026-10-25 01:30:00"),  # the hour that Berlin's clocks show twice
        ("2026-03-29 01:15:00", "2026-03-29 02:45:00"),  # half of it they never show
    ],
)
def test_a_range_at_the_change_of_daylight_saving_is_the_one_in_utc(source: Source, begin: str, end: str) -> None:
    source.mysql(
        "set session time_zone = '+00:00'",
        "create table t (id int primary key, v int, updated_at timestamp(6) not null, key (updated_at))",
        f"insert into t select seq, 0, '{begin}' + interval (seq - 500) minute from {numbers(1000)} n",
    )
    source.configure({"t": {}})
    source.el("run")
    source.mysql("update t set v = 1")
    with source.admin.cursor() as cursor:
        cursor.execute("select count(*) from t where updated_at >= %s and updated_at < %s", (begin, end))
        ((expected,),) = cursor.fetchall()
    source.el("run", f"{source.name}.t", "--from", begin, "--to", end)
    assert expected in (60, 90)
    assert source.redshift("select count(*) from raw.t where v = 1") == [(expected,)]


def test_what_is_longer_than_max_allowed_packet_arrives_whole_or_stops_the_table(
    source: Source, server: PrivateMySQL
) -> None:
    source.mysql(
        f"create table t (id int primary key, x text, y text, b varbinary(30000), {STAMP})",
        "insert into t (id, x, y, b) values (1, repeat('é', 30000), repeat('y', 40000), repeat('z', 30000))",
        f"create table j (id int primary key, j json, {STAMP})",
        "insert into j (id, j) values (1, json_array(repeat('x', 10))), (2, json_array(repeat('x', 30000)))",
        "set global max_allowed_packet = 16384",
    )
    source.configure({"t": {}, "j": {}})
    done = source.el("run", "--json", code=None)
    source.mysql("set global max_allowed_packet = 67108864")
    assert done.table("t")["error"] is None
    assert compare.assert_equal(source, "t") == 1
    if done.code == 0:
        assert compare.assert_equal(source, "j") == 2
    else:
        assert "max_allowed_packet" in done.table("j")["error"]
        assert source.commits("j") == []


@pytest.mark.only_on("mysql", reason="MariaDB generates no primary keys")
def test_a_primary_key_that_mysql_generated_is_one_even_where_the_server_hides_it(
    source: Source, server: PrivateMySQL
) -> None:
    source.mysql(
        "set session sql_generate_invisible_primary_key = 1",
        f"create table t (v int, {STAMP})",
        f"insert into t (v) select seq from {numbers(1500)} n",
        "set global init_connect = 'set session show_gipk_in_create_table_and_information_schema = off'",
    )
    source.configure({"t": {}})
    source.el("run")
    source.mysql("update t set v = 0 where v = 7")
    source.el("run")
    assert compare.assert_equal(source, "t") == 1500
    assert source.redshift("select count(*), max(my_row_id) from raw.t") == [(1500, 1500)]


def test_the_first_chunk_is_small_whatever_the_statistics_say(
    source: Source, server: PrivateMySQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.mysql(f"create table t (id int primary key, v mediumtext, {STAMP})", "analyze table t")
    with source.connect().cursor() as cursor:  # asked about while it was empty: MySQL keeps the answer for a day
        cursor.execute("select avg_row_length from information_schema.tables where table_name = 't'")
    source.mysql(f"insert into t (id, v) select seq, repeat('x', if(seq < 2000, 10, 60000)) from {numbers(3000)} n")
    source.configure({"t": {}})
    for name, value in source.env.items():
        if name.startswith(("SOURCES__", "EL_")):
            monkeypatch.setenv(name, value)
    (table,) = load_sources(settings.sources_folder())[source.name].tables
    with connected(source.name, settings.mysql(source.name)) as connection:
        chunks = Chunks(read_shapes(connection, [table])["t"], "true", None)
        sizes = []
        while not chunks.ended:
            condition = chunks.next(connection).condition
            with connection.cursor() as cursor:
                cursor.execute(f"select count(*), coalesce(sum(length(v)), 0) from t where {condition}")
                ((count, size),) = cursor.fetchall()
            sizes.append((count, int(size)))
            chunks.was_read(count, int(size))
    assert sizes[0][0] == 1000
    assert sum(count for count, _ in sizes) == 3000
    assert max(size for _, size in sizes) <= 2 * 24 * 2**20


def test_a_statement_of_ours_that_runs_too_long_is_ended_by_the_server_and_says_so(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.mysql("create table t (id int primary key)", f"insert into t select seq from {numbers(1000)} n")
    variable = f"SOURCES__{source.name.upper()}__CREDENTIALS"
    monkeypatch.setenv(variable, source.env[variable])
    mysql = settings.mysql(source.name)
    words = "max_execution_time" if os.environ["TEST_MYSQL"] == "mysql" else "max_statement_time"
    with connected(source.name, mysql) as connection:
        ((seconds,),) = rows(connection, f"select @@{words}")
    assert seconds in (3_660_000, 3660), "longer than PyMySQL waits, and not for ever"
    monkeypatch.setattr(mysql_connection, "SESSION", (bound(1),))
    sql = "select count(*) as c0 from t a, t b, t c, t d where a.id + b.id + c.id + d.id < 0"
    with pytest.raises(SourceError, match=words), connected(source.name, mysql) as connection:
        rows(connection, sql)
    with Process("t", mysql) as process:
        process.ask(sql)
        with pytest.raises(SourceError, match=words):
            list(process.answer())


@pytest.fixture
def lower_case(
    stack: dict[str, str], tmp_path: Path, program: Program, make_private: Callable[[], PrivateMySQL]
) -> Iterator[Source]:
    """A source on a server that keeps all names in lower case: MySQL has to be made so."""
    made = make_private()
    if program.is_mysql:
        shutil.rmtree(made.data)
        subprocess.run([*program.install(made.data), "--lower-case-table-names=1"], check=True, capture_output=True)
    made.start("--lower-case-table-names=1")
    users(made)
    with sources_on(made, stack, tmp_path) as make:
        yield make()


def test_names_may_be_written_in_any_case_where_the_server_keeps_them_in_lower_case(lower_case: Source) -> None:
    source = lower_case
    source.mysql(
        f"create table Visits (ID int primary key, V int, {STAMP})", "insert into VISITS (id, v) values (1, 2)"
    )
    source.configure({"visits": {}})
    variable = f"SOURCES__{source.name.upper()}__CREDENTIALS"
    source.env[variable] = source.env[variable].replace(source.name, source.name.upper())
    source.el("run")
    assert compare.assert_equal(source, "visits") == 1
    source.configure({"Visits": {}})
    done = source.el("run", code=None)
    assert done.code == 0 or 'did you mean "visits"' in done.err + done.out

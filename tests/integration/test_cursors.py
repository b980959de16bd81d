"""Every kind of cursor against a real server: what is read, what is not read again, what is said."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from el import settings
from el.config import load_sources
from el.errors import ConfigError, SourceError
from el.extract import Extractor
from el.landing import Landing
from el.mysql import fingerprint
from el.mysql.activity import Activity
from el.mysql.catalog import TableShape, read_shapes
from el.mysql.chunks import Chunks
from el.mysql.connection import Connections, connected
from el.mysql.kindness import Kindness
from el.mysql.process import Process
from el.mysql.reader import Reader
from el.mysql.replica import reads_from
from el.mysql.values import Values
from el.mysql.window import read_bound
from el.outcome import Extracted
from local.mysql_server import Program
from tests.conftest import Source
from tests.mysql_sql import numbers
from tests.private_mysql import PrivateMySQL
from tests.replication import go_on, make_pair, stop

STAMP = "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6), key (updated_at)"


class Extracts:
    """Extracts of table ``t`` of one source, as ``run.py`` does them."""

    def __init__(self, source: Source, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.source, self.work, self._monkeypatch = source, work, monkeypatch
        for name, value in source.env.items():
            if name.startswith(("SOURCES__", "EL_")):
                monkeypatch.setenv(name, value)

    def at(self, server: PrivateMySQL, variable: str = "CREDENTIALS") -> None:
        """From now on MySQL is this one."""
        name = f"SOURCES__{self.source.name.upper()}__{variable}"
        self._monkeypatch.setenv(name, f"mysql://root@127.0.0.1:{server.port}/db")

    def shape(self) -> TableShape:
        tables = load_sources(settings.sources_folder())[self.source.name].tables
        with connected(self.source.name, settings.mysql(self.source.name)) as connection:
            return read_shapes(connection, tables)["t"]

    def __call__(self, replica_seconds: int = 60, **flags: bool) -> Extracted:
        name = self.source.name
        (table,) = load_sources(settings.sources_folder())[name].tables
        shape, primary = self.shape(), settings.mysql(name)
        bound = read_bound(name, primary, [shape])
        server = reads_from(name, primary, settings.mysql_replica(name), bound, replica_seconds)
        place = Landing(settings.landing()).table(name, "t")
        done = Extracted()
        accept = flags.pop("accept_server", False)
        connections, kindness = Connections(table.source, server), Kindness(table.source, table.server)
        one = Extractor(table, shape, server, place, bound, None, self.work, connections, kindness, accept)
        one.run(done, **flags)
        return done

    def landed(self, column: str = "id") -> list[Any]:
        """The values of one column in every row that a commit names, in order of seq."""
        found: list[Any] = []
        for seq in self.source.commits("t"):
            for file in self.source.commit("t", seq)["files"]:
                key = f"landing/{self.source.name}/t/{file['key']}"
                body = self.source.s3.get_object(Bucket="el-landing", Key=key)["Body"].read()
                found += sorted(pq.read_table(io.BytesIO(body))[column].to_pylist())
        return found

    def head(self) -> dict[str, Any]:
        return self.source.commit("t", self.source.commits("t")[-1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, program: Program) -> Iterator[PrivateMySQL]:
    """A server that nobody else uses: an open transaction of another test would move watermarks here."""
    private = PrivateMySQL(tmp_path_factory.mktemp("cursors"), program)
    private.start()
    yield private
    private.kill()


@pytest.fixture
def extract(
    source: Source, server: PrivateMySQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Extracts]:
    shared = source.admin
    server.run(f"create database {source.name} character set utf8mb4")
    source.env["EL_MYSQL_ADMIN_URL"] = url = f"mysql://root@127.0.0.1:{server.port}/"
    source.env[f"SOURCES__{source.name.upper()}__CREDENTIALS"] = url + source.name
    source.admin = source.connect()
    source.configure({"t": {}})
    yield Extracts(source, tmp_path / "work", monkeypatch)
    source.admin.close()
    source.admin = shared


def integers(extract: Extracts) -> None:
    extract.source.configure({"t": {"cursor": "id"}})
    extract.source.mysql("create table t (id int auto_increment primary key, v int)", "insert into t (v) values (1)")


def test_a_smaller_number_that_commits_later_is_not_lost(extract: Extracts) -> None:
    source = extract.source
    integers(extract)
    extract()
    writer = source.connect()
    with writer.cursor() as cursor:
        cursor.execute("insert into t (v) values (2)")  # takes number 2, and stays open
    source.mysql("insert into t (v) values (3)")
    time.sleep(1.5)  # ages have whole seconds
    extract()
    assert extract.landed() == [1, 1, 3]
    writer.commit()
    writer.close()
    extract()
    assert 2 in extract.landed()
    source.mysql("insert into t (v) values (4)")
    extract()
    extract()
    assert set(extract.landed()) == {1, 2, 3, 4}


def test_numbers_that_are_settled_are_not_read_again(extract: Extracts, private: PrivateMySQL) -> None:
    private.start()
    extract.source.configure({"t": {"cursor": "id"}})
    private.run("create table db.t (id int auto_increment primary key, v int)", "insert into db.t values (1,1), (2,2)")
    extract.at(private)
    extract()
    private.run("insert into db.t (v) values (3)")
    extract()
    assert extract.landed() == [1, 2, 2, 3]  # the last one known is read again, and no other
    assert (extract.head()["window"]["kind"], extract.head()["window"]["next_lo"]) == ("integer", "3")
    assert extract().commits == 0


def test_an_empty_table_with_an_integer_cursor_is_idle(extract: Extracts) -> None:
    extract.source.configure({"t": {"cursor": "id"}})
    extract.source.mysql("create table t (id int auto_increment primary key)")
    assert extract().commits == 1
    assert extract().commits == 0
    extract.source.mysql("insert into t values (null)")
    assert extract().rows == 1


def test_numbers_that_began_anew_are_copied_in_full_and_said(extract: Extracts) -> None:
    integers(extract)
    extract.source.mysql(f"insert into t (v) select seq from {numbers(20)} n")
    extract()
    extract.source.mysql("truncate table t", "insert into t (v) values (7), (8)")
    again = extract()
    assert (again.full, again.rows) == (True, 2)
    assert "began anew" in again.warnings[0]


def test_a_date_cursor_reads_the_days_from_the_last_safe_one(extract: Extracts) -> None:
    source = extract.source
    source.configure({"t": {"cursor": "day", "cursor_zone": "UTC", "overlap": 0}})
    source.mysql(
        "create table t (id int primary key, day date, key (day))",
        "insert into t values (1, utc_date() - interval 3 day), (2, utc_date() - interval 2 day), (3, utc_date())",
    )
    extract()
    assert extract.head()["window"]["kind"] == "date"
    source.mysql("insert into t values (4, utc_date())")
    extract()
    assert extract.landed() in ([1, 2, 3, 3, 4], [1, 2, 3, 4])  # the last, where midnight came in between


def test_a_writer_west_of_utc_and_the_server_is_found_out(extract: Extracts) -> None:
    source = extract.source
    source.mysql("create table t (id int primary key, updated_at datetime, key (updated_at))")
    written = "insert into t values ({}, utc_timestamp() - interval 5 hour + interval {} second)"
    source.mysql(written.format(1, 0))
    extract()
    source.mysql(written.format(2, 1))
    with pytest.raises(SourceError, match=r"behind the watermark.*cursor_zone"):
        extract()
    assert extract.landed() == [1]


def test_a_writer_west_of_utc_loses_nothing_when_its_zone_is_said(extract: Extracts) -> None:
    source = extract.source
    source.configure({"t": {"cursor_zone": "America/Bogota"}})  # UTC-5 all the year
    source.mysql("create table t (id int primary key, updated_at datetime, key (updated_at))")
    written = "insert into t values ({}, utc_timestamp() - interval 5 hour)"
    source.mysql(written.format(1), "insert into t values (9, '2020-01-01')")
    extract()
    source.mysql(written.format(2))
    second = extract()
    assert set(extract.landed()) == {1, 2, 9}
    assert not second.full
    assert extract.landed().count(9) == 1


def test_a_zone_that_is_said_later_copies_the_table_again(extract: Extracts) -> None:
    source = extract.source
    source.mysql("create table t (id int primary key, updated_at datetime)", "insert into t values (1, now())")
    extract()
    source.configure({"t": {"cursor_zone": "America/New_York"}})
    assert extract().full


def test_a_row_that_appears_behind_the_watermark_is_said(extract: Extracts) -> None:
    source = extract.source
    source.mysql(f"create table t (id int primary key, {STAMP})", "insert into t (id) values (1)")
    extract()
    source.mysql("insert into t values (2, '2020-01-01')")
    for _ in range(2):  # an idle run says it as well
        (said,) = extract().warnings
        assert "a row appeared behind the watermark" in said
        assert f"el run --full {source.name}.t" in said
    assert extract(full=True).rows == 2
    assert extract().warnings == []


def test_rows_without_a_cursor_are_counted(extract: Extracts) -> None:
    source = extract.source
    source.mysql(
        "create table t (id int primary key, updated_at timestamp(6) null on update current_timestamp(6), "
        "key (updated_at))",
        "insert into t values (1, null), (2, null), (3, current_timestamp(6))",
    )
    for _ in range(2):
        (said,) = extract().warnings
        assert said.startswith("2 rows have no updated_at")
    assert "2 rows have no updated_at" in extract.head()["warnings"][0]


def test_an_idle_table_costs_two_queries(extract: Extracts, monkeypatch: pytest.MonkeyPatch) -> None:
    extract.source.mysql(f"create table t (id int primary key, {STAMP})", "insert into t (id) values (1)")
    extract()
    asked: list[str] = []
    real = fingerprint.rows

    def counting(connection: Any, sql: str, parameters: Any = None) -> Any:
        asked.append(sql)
        return real(connection, sql, parameters)

    monkeypatch.setattr(fingerprint, "rows", counting)
    assert extract().commits == 0
    assert len(asked) == 2


CURSORS = {
    "a cursor without an index": (
        "create table t (id int primary key, updated_at timestamp on update current_timestamp)",
        {},
        ["has no index"],
    ),
    "an index that only contains it": (
        "create table t (id int primary key, updated_at timestamp on update current_timestamp, key (id, updated_at))",
        {},
        ["has no index"],
    ),
    "a cursor that MySQL does not set": (
        "create table t (id int primary key, updated_at datetime, key (updated_at))",
        {},
        ["no ON UPDATE CURRENT_TIMESTAMP"],
    ),
    "a cursor that MySQL sets at updates only": (
        "create table t (id int primary key, "
        "updated_at datetime not null default '2001-01-01' on update current_timestamp, key (updated_at))",
        {},
        ["not at an insert"],
    ),
    "a number that the application gives out": (
        "create table t (id int primary key)",
        {"cursor": "id"},
        ["is not AUTO_INCREMENT"],
    ),
    "a number in a table that is updated": (
        f"create table t (id int auto_increment primary key, {STAMP})",
        {"cursor": "id"},
        ["does not see updates"],
    ),
    "foreign keys that change rows": (
        f"create table t (id int primary key, a int, b int, c int, {STAMP}, "
        "constraint one foreign key (a) references p (id) on update cascade, "
        "constraint two foreign key (b) references p (id) on delete set null, "
        "constraint three foreign key (c) references p (id) on delete cascade)",
        {},
        ["one (on update cascade), two (on delete set null)"],
    ),
    "all in order": (f"create table t (id int primary key, {STAMP})", {}, []),
}


@pytest.mark.parametrize("case", CURSORS)
def test_what_a_cursor_costs_or_cannot_see_is_said(extract: Extracts, case: str) -> None:
    statement, options, expected = CURSORS[case]
    extract.source.configure({"t": options})
    extract.source.mysql("create table p (id int primary key)", statement)
    said = extract.shape().warnings
    assert len(said) == len(expected), said
    assert all(part in text for part, text in zip(expected, said, strict=True))


REFUSED = {
    "text": ("c varchar(9)", {}, "must be a TIMESTAMP, DATETIME or DATE"),
    "a number that may be NULL": ("c int", {}, "an integer cursor may not"),
    "a zone for a TIMESTAMP": ("c timestamp", {"cursor_zone": "Asia/Tokyo"}, "which MySQL keeps in UTC"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_cursor_that_cannot_work_is_refused(extract: Extracts, case: str) -> None:
    column, options, expected = REFUSED[case]
    extract.source.configure({"t": {"cursor": "c", **options}})
    extract.source.mysql(f"create table t (id int primary key, {column})")
    with pytest.raises(ConfigError, match=expected):
        extract.shape()


def without_gtids(program: Program) -> list[str]:
    """Options of a server that writes none. MySQL 9 does unless it is told not to."""
    return ["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"] if program.is_mysql else []


def test_another_server_stops_the_table_until_it_is_accepted(
    extract: Extracts, make_private: Callable[[], PrivateMySQL], program: Program
) -> None:
    for number in (1, 2):
        server = make_private()
        server.start(*without_gtids(program))
        server.run(f"create table db.t (id int primary key, {STAMP})", f"insert into db.t (id) values ({number})")
        extract.at(server)
        if number == 1:
            extract()
    with pytest.raises(SourceError, match=r"another server now.*--accept-server"):
        extract()
    assert extract.landed() == [1]
    done = extract(accept_server=True)
    assert (done.full, extract.landed()) == (False, [1, 2])
    assert extract().commits == 0  # accepted once


def test_a_server_that_was_restored_to_an_earlier_moment_stops_the_table(
    extract: Extracts, private: PrivateMySQL, tmp_path: Path
) -> None:
    private.start()
    private.run(f"create table db.t (id int primary key, {STAMP})", "insert into db.t (id) values (1)")
    extract.at(private)
    private.stop()
    private.save(tmp_path / "backup")
    private.start()
    private.run(f"insert into db.t (id) select seq from {numbers(2000, 2)} n")
    extract()
    private.stop()
    private.restore(tmp_path / "backup")
    private.start()
    with pytest.raises(SourceError, match="history went back"):
        extract()
    assert extract(full=True).rows == 1
    assert extract().commits == 0


@pytest.fixture
def pair(make_private: Callable[[], PrivateMySQL]) -> tuple[PrivateMySQL, PrivateMySQL]:
    """A primary with a binary log, and its replica."""
    return make_pair(make_private)


def test_rows_are_read_from_a_replica_that_has_caught_up(
    extract: Extracts, pair: tuple[PrivateMySQL, PrivateMySQL]
) -> None:
    primary, replica = pair
    primary.run(f"create table db.t (id int primary key, {STAMP})", "insert into db.t (id) values (1)")
    extract.at(primary)
    extract.at(replica, "REPLICA")
    extract()
    stop(replica, "sql_thread")
    primary.run("insert into db.t (id) values (2)")
    with pytest.raises(SourceError, match="did not reach what the primary had committed"):
        extract(replica_seconds=1)
    go_on(replica)
    extract()
    assert set(extract.landed()) == {1, 2}
    assert extract().commits == 0


def test_the_bound_of_a_replica_is_the_primarys(extract: Extracts, pair: tuple[PrivateMySQL, PrivateMySQL]) -> None:
    primary, replica = pair
    primary.run(f"create table db.t (id int primary key, {STAMP})")
    extract.at(primary)
    extract.at(replica, "REPLICA")
    writer = primary.connect()
    with writer.cursor() as cursor:
        cursor.execute("insert into t (id) values (1)")
    name = extract.source.name
    bound = read_bound(name, settings.mysql(name), [])
    assert bound.activity != Activity()
    assert bound.warnings == ()
    extract()
    writer.commit()
    writer.close()
    primary.run("insert into db.t (id) values (2)")
    extract()
    assert set(extract.landed()) == {1, 2}


def test_el_asks_the_primary_for_the_window_and_reads_the_rows_from_the_replica(
    extract: Extracts, pair: tuple[PrivateMySQL, PrivateMySQL]
) -> None:
    source, (primary, replica) = extract.source, pair
    primary.run(f"create table db.t (id int primary key, {STAMP})", "insert into db.t (id) values (1)")
    source.configure({"t": {"overlap": 0}})
    variable = f"SOURCES__{source.name.upper()}__"
    source.env |= {
        variable + "CREDENTIALS": f"mysql://root@127.0.0.1:{primary.port}/db",
        variable + "REPLICA": f"mysql://root@127.0.0.1:{replica.port}/db",
    }
    source.el("extract")
    writer = primary.connect()
    with writer.cursor() as cursor:
        cursor.execute("insert into t (id) values (2)")
        cursor.execute("select cast(updated_at as char) from t where id = 2")
        (written,) = cursor.fetchone()
    time.sleep(1.5)  # ages have whole seconds
    primary.run("insert into db.t (id) values (3)")
    with replica.connect() as connection, connection.cursor() as cursor:
        deadline = time.monotonic() + 60
        while not cursor.execute("select 1 from t where id = 3"):
            assert time.monotonic() < deadline
            connection.rollback()
        cursor.execute("insert into t (id) values (99)")  # it is there alone
        connection.commit()
    assert source.el("extract", "--json").table("t")["next_lo"] <= written
    assert {1, 3, 99} == set(extract.landed())
    writer.commit()
    writer.close()
    source.el("extract")
    assert {1, 2, 3, 99} == set(extract.landed())


def test_a_server_that_applies_anothers_transactions_is_taken_for_a_replica_and_said(
    extract: Extracts, pair: tuple[PrivateMySQL, PrivateMySQL]
) -> None:
    """It need not be read-only: an address of several servers may lead to one that takes writes too."""
    _, replica = pair
    replica.run("set global read_only = 0")
    extract.at(replica)
    name = extract.source.name
    (said,) = read_bound(name, settings.mysql(name), []).warnings
    assert "applies another server's transactions and a replica does not know which transactions are open" in said
    assert "may be missed" in said


def test_a_chunk_that_another_server_would_answer_is_refused(
    extract: Extracts, make_private: Callable[[], PrivateMySQL]
) -> None:
    """One address, several servers: the window was asked of one, and the rows would come from the other."""
    asked, answers = make_private(), make_private()
    for server in (asked, answers):
        server.start()
        server.run(f"create table db.t (id int primary key, {STAMP})")
    extract.at(asked)
    name = extract.source.name
    primary = settings.mysql(name)
    checked = reads_from(name, primary, None, read_bound(name, primary, []), 1)
    elsewhere = settings.MySQL(**(vars(checked) | {"port": answers.port}))
    (table,) = load_sources(settings.sources_folder())[name].tables
    place = Landing(settings.landing()).table(name, "t")
    bound = read_bound(name, primary, [])
    connections, kindness = Connections(table.source, elsewhere), Kindness(name, table.server)
    one = Extractor(table, extract.shape(), elsewhere, place, bound, None, extract.work, connections, kindness)
    with pytest.raises(SourceError, match="another server answers than the one that was asked"):
        one.run(Extracted())
    reader = Reader(elsewhere, Values(table.label, extract.shape(), None), kindness, print)
    with pytest.raises(SourceError, match="another server answers than the one that was asked"):
        list(reader.read(Chunks(extract.shape(), "true", None)))
    # The reader's own question is refused above, before connectorx is asked. Each of its connections checks as well.
    with Process(table.label, elsewhere) as process:
        process.ask("select 1")
        with pytest.raises(SourceError, match="another server answers than the one that was asked"):
            list(process.answer())


def test_a_primary_without_gtids_cannot_have_a_replica_read(
    extract: Extracts, make_private: Callable[[], PrivateMySQL], program: Program
) -> None:
    primary = make_private()
    primary.start(*without_gtids(program))
    primary.run(f"create table db.t (id int primary key, {STAMP})")
    extract.at(primary)
    extract.at(primary, "REPLICA")
    with pytest.raises(SourceError, match="writes no GTIDs"):
        extract()

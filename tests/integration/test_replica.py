"""A replica by GTID: rows are read there, it fails over, it stops, it lags, it leaves rows out; on either server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from el.mysql.replication import read_status
from tests.conftest import Source
from tests.private_mysql import PrivateMySQL
from tests.replication import follow, forget, go_on, make_pair, options, promote, stop, wait_until_it_has

STAMP = "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6), key (updated_at)"
LONG_AGO = "2020-01-01 00:00:00"
#: The question of a run that waits for GTIDs, on MySQL and on MariaDB.
WAITS = (
    "select 1 from information_schema.processlist "
    "where info like 'select wait_for_executed_gtid_set%' or info like 'select master_gtid_wait%'"
)
MakePrivate = Callable[[], PrivateMySQL]


class Shop:
    """Table ``t`` of a source that has a primary and perhaps a replica."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._variable = f"SOURCES__{source.name.upper()}__"
        source.configure({"t": {}})

    def at(
        self, primary: PrivateMySQL, replica: PrivateMySQL | None = None, user: str = "root", database: str = "db"
    ) -> None:
        """From now on these are the servers."""
        for name, server in (("CREDENTIALS", primary), ("REPLICA", replica)):
            self.source.env.pop(self._variable + name, None)
            if server:
                self.source.env[self._variable + name] = f"mysql://{user}@127.0.0.1:{server.port}/{database}"

    def extract(self, *more: str, code: int = 0, seconds: int = 60) -> dict[str, Any]:
        """What ``el extract`` reports of the table."""
        done = self.source.el("extract", "--json", *more, code=code, env={"EL_REPLICA_SECONDS": str(seconds)})
        return done.table("t")

    def ids(self) -> list[int]:
        """Every id that Redshift has, in order."""
        self.source.el("load")
        return [row[0] for row in self.source.redshift("select id from raw.t order by id")]


@pytest.fixture
def shop(source: Source) -> Shop:
    return Shop(source)


@pytest.fixture
def pair(make_private: MakePrivate) -> tuple[PrivateMySQL, PrivateMySQL]:
    """A primary with one row, and its replica."""
    primary, replica = make_pair(make_private)
    fill(primary)
    return primary, replica


def fill(primary: PrivateMySQL) -> None:
    primary.run(f"create table db.t (id int primary key, {STAMP})", f"insert into db.t values (1, '{LONG_AGO}')")


def notes(table: dict[str, Any]) -> str:
    return " ".join(table["warnings"])


def test_a_failover_to_the_replica_loses_nothing_and_copies_nothing_again(
    shop: Shop, pair: tuple[PrivateMySQL, PrivateMySQL]
) -> None:
    primary, replica = pair
    shop.at(primary, replica)
    assert shop.extract()["extracted"] == 1
    primary.run("insert into db.t (id) values (2)")
    wait_until_it_has(replica, "select 1 from t where id = 2")
    primary.kill()
    promote(replica)
    shop.at(replica)
    replica.run("insert into db.t (id) values (3)")
    after = shop.extract()
    assert "its GTIDs hold all that was read" in notes(after)
    assert after["extracted"] == 2  # without the old one
    assert shop.ids() == [1, 2, 3]
    assert shop.extract()["extract_commits"] == 0


def test_a_replica_that_lagged_and_was_promoted_is_copied_in_full(
    shop: Shop, pair: tuple[PrivateMySQL, PrivateMySQL]
) -> None:
    primary, replica = pair
    shop.at(primary)
    shop.extract()
    wait_until_it_has(replica, "select 1 from t")
    stop(replica)
    primary.run("insert into db.t (id) values (2)")
    shop.extract()
    primary.kill()
    promote(replica)
    shop.at(replica)
    assert "MySQL's history went back: it lacks transactions" in shop.extract(code=1)["error"]
    again = shop.extract("--accept-server")
    assert "accepted by --accept-server, copied in full again" in notes(again)
    assert again["extracted"] == 1
    # Not before: MariaDB numbers on within a domain, whichever server writes, and would have as many again.
    replica.run("insert into db.t (id) values (3)")
    shop.extract()
    assert shop.ids() == [1, 2, 3]  # what is gone from MySQL stays


@pytest.mark.only_on("mysql", reason="MariaDB has no gtid_mode")
def test_a_primary_that_gives_no_gtids_any_more_is_refused(shop: Shop, pair: tuple[PrivateMySQL, PrivateMySQL]) -> None:
    primary, replica = pair
    shop.at(primary, replica)
    shop.extract()
    for server in pair:
        server.run("set global gtid_mode = on_permissive")
    replica.run("stop replica", "change replication source to source_auto_position = 0", "start replica")
    for server in pair:
        server.run("set global gtid_mode = off_permissive")
    stop(replica, "sql_thread")
    primary.run("insert into db.t (id) values (2)")
    assert "the primary writes no GTIDs" in shop.extract(code=1)["error"]
    shop.at(primary)
    shop.extract()
    assert shop.ids() == [1, 2]


@pytest.mark.parametrize(("thread", "words"), [("sql_thread", "applies nothing"), ("io_thread", "receives nothing")])
def test_a_stopped_replica_ends_the_run_in_time_and_loses_nothing(
    shop: Shop, pair: tuple[PrivateMySQL, PrivateMySQL], thread: str, words: str
) -> None:
    primary, replica = pair
    shop.at(primary, replica)
    shop.extract()
    stop(replica, thread)
    primary.run("insert into db.t (id) values (2)")
    said = shop.extract(code=1, seconds=1)["error"]
    assert "did not reach what the primary had committed within 1 s: " in said
    assert f"it {words} (stopped)" in said
    go_on(replica)
    shop.extract()
    assert shop.ids() == [1, 2]


def test_a_replica_that_is_late_on_purpose_is_called_so(shop: Shop, make_private: MakePrivate) -> None:
    primary, replica = make_private(), make_private()
    primary.start(*options(primary, 1))
    replica.start(*options(replica, 2))
    forget(primary)
    forget(replica)
    follow(replica, primary, delay=3600)
    fill(primary)
    shop.at(primary, replica)
    assert "it is 3600 s late on purpose" in shop.extract(code=1, seconds=1)["error"]


def test_a_server_that_replicates_from_nowhere_is_called_so(shop: Shop, make_private: MakePrivate) -> None:
    primary, replica = make_private(), make_private()
    for number, server in enumerate((primary, replica), 1):
        server.start(*options(server, number))
        forget(server)
    fill(primary)
    shop.at(primary, replica)
    assert "it replicates from nowhere" in shop.extract(code=1, seconds=1)["error"]


def test_a_database_that_the_replica_does_not_have_yet_is_waited_for(shop: Shop, make_private: MakePrivate) -> None:
    primary, replica = make_pair(make_private)
    stop(replica, "sql_thread")
    primary.run(
        "create database late",
        f"create table late.t (id int primary key, {STAMP})",
        "insert into late.t (id) values (1)",
    )
    shop.at(primary, replica, database="late")
    process = shop.source.start("extract")
    wait_until_it_has(replica, WAITS)
    go_on(replica)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    assert shop.ids() == [1]


def test_transactions_of_the_replica_alone_are_no_part_of_what_was_read(
    shop: Shop, pair: tuple[PrivateMySQL, PrivateMySQL]
) -> None:
    """A user that was made on a replica has a GTID that no other server will ever have."""
    primary, replica = pair
    shop.at(primary, replica)
    shop.extract()
    replica.run(*([] if replica.is_mysql else ["set global gtid_domain_id = 7"]))
    replica.run("create user reporting@'127.0.0.1'")
    primary.run("insert into db.t (id) values (2)")
    assert shop.extract()["extract_commits"] == 1
    shop.at(primary)
    primary.run("insert into db.t (id) values (3)")
    assert "went back" not in notes(shop.extract())
    assert shop.ids() == [1, 2, 3]


def test_a_replica_of_two_servers_waits_for_the_one_that_is_asked(shop: Shop, make_private: MakePrivate) -> None:
    primary, replica = make_pair(make_private)
    other = make_private()
    other.start(*options(other, 3), *([] if other.is_mysql else ["--gtid-domain-id=3"]))
    forget(other)
    follow(replica, other, channel="other")
    other.run("create database elsewhere")
    fill(primary)
    shop.at(primary, replica)
    shop.extract()
    with replica.connect() as connection:
        channels = read_status(connection)
    assert channels is not None
    assert [channel["seconds_behind_source"] for channel in channels] == [0, 0]
    primary.run("insert into db.t (id) values (2)")
    shop.extract()
    shop.at(primary)
    assert "went back" not in notes(shop.extract())
    assert shop.ids() == [1, 2]


@pytest.mark.only_on("mysql", reason="tags of GTIDs")
def test_gtids_with_tags_are_waited_for_and_followed_through_a_failover(
    shop: Shop, pair: tuple[PrivateMySQL, PrivateMySQL]
) -> None:
    primary, replica = pair
    shop.at(primary, replica)
    with primary.connect() as connection, connection.cursor() as cursor:
        cursor.execute("set gtid_next = 'automatic:nightly'")
        cursor.execute("insert into t (id) values (2)")
        connection.commit()
        cursor.execute("set gtid_next = 'automatic'")
    shop.extract()
    assert "nightly" in shop.source.commit("t", 1)["server"]["gtid"]
    primary.kill()
    promote(replica)
    shop.at(replica)
    replica.run("insert into db.t (id) values (3)")
    assert "its GTIDs hold all that was read" in notes(shop.extract())
    assert shop.ids() == [1, 2, 3]


@pytest.mark.parametrize(
    "filters",
    [
        "replicate-ignore-table=db.t",
        "replicate-wild-ignore-table=db.%",
        "replicate-ignore-db=db",
        "replicate-do-db=other",
        "replicate-do-table=db.other",
    ],
)
def test_a_replica_that_leaves_rows_out_is_refused_by_the_filters_name(
    shop: Shop, make_private: MakePrivate, filters: str
) -> None:
    primary, replica = make_pair(make_private, f"--{filters}", "--replicate-ignore-db=mysql")
    fill(primary)
    shop.at(primary, replica)
    name, _, _ = filters.partition("=")
    said = shop.source.el("extract", code=1).err
    assert f"has the replication filter {name.replace('-', '_')} = " in said
    assert "Nothing was read" in said


def test_a_primary_whose_binary_log_leaves_rows_out_is_refused(shop: Shop, make_private: MakePrivate) -> None:
    primary, replica = make_private(), make_private()
    primary.start(*options(primary, 1), "--binlog-ignore-db=db")
    replica.start(*options(replica, 2))
    forget(primary)
    forget(replica)
    follow(replica, primary)
    fill(primary)
    shop.at(primary, replica)
    assert "has the replication filter binlog_ignore_db = db" in shop.source.el("extract", code=1).err


def test_filters_of_other_tables_are_no_matter(shop: Shop, make_private: MakePrivate) -> None:
    more = ("--replicate-ignore-table=mysql.rds_history", "--replicate-wild-ignore-table=mysql.%")
    primary, replica = make_pair(make_private, *more)
    fill(primary)
    shop.at(primary, replica)
    assert notes(shop.extract()) == ""
    assert shop.ids() == [1]


def test_filters_that_the_user_may_not_see_are_said_to_be_unknown(
    shop: Shop, pair: tuple[PrivateMySQL, PrivateMySQL]
) -> None:
    primary, replica = pair
    primary.run(
        "create user reader@'127.0.0.1'",
        "grant select on db.* to reader@'127.0.0.1'",
        "grant process on *.* to reader@'127.0.0.1'",
    )
    wait_until_it_has(replica, "select 1 from mysql.user where user = 'reader'")
    shop.at(primary, replica, user="reader")
    assert "the user may not see the filters of replication" in notes(shop.extract())
    right = "replication client" if primary.is_mysql else "binlog monitor, slave monitor"
    primary.run(f"grant {right} on *.* to reader@'127.0.0.1'")
    primary.run("insert into db.t (id) values (2)")
    assert notes(shop.extract()) == ""
    assert shop.ids() == [1, 2]

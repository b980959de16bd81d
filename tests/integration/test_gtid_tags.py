"""A history whose GTIDs have tags (MySQL 8.3 and newer): it goes on, and one that misses a tagged transaction stops."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.mysql_server import Program
from tests.conftest import Source
from tests.private_mysql import PrivateMySQL

STAMP = "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6)"
OPTIONS = ("--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--log-bin=bin", "--server-id=1")

pytestmark = pytest.mark.only_on("mysql", reason="tags of GTIDs")


@pytest.fixture
def tagged(source: Source, private: PrivateMySQL, program: Program) -> PrivateMySQL:
    """A server with one row in a table that ``el`` is to extract, written by a transaction without a tag."""
    if tuple(map(int, program.version.split(".")[:2])) < (8, 3):
        pytest.skip(f"MySQL {program.version} has no tags; they came with 8.3")
    private.start(*OPTIONS)
    private.run(
        f"create table db.t (id int primary key, {STAMP}, key (updated_at))", "insert into db.t (id) values (1)"
    )
    source.env[f"SOURCES__{source.name.upper()}__CREDENTIALS"] = f"mysql://root@127.0.0.1:{private.port}/db"
    source.configure({"t": {}})
    return private


def with_tag(server: PrivateMySQL, next_gtid: str, statement: str) -> None:
    server.run(f"set gtid_next = '{next_gtid}'", statement)


def own_uuid(server: PrivateMySQL) -> str:
    return variable(server, "server_uuid")


def executed(server: PrivateMySQL) -> str:
    return variable(server, "gtid_executed").replace("\n", "").replace(own_uuid(server), "own")


def variable(server: PrivateMySQL, name: str) -> str:
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"select @@global.{name}")
        return str(cursor.fetchone()[0])


def gtid_of_head(source: Source) -> str:
    server = source.commit("t", source.commits("t")[-1])["server"]
    return str(server["gtid"]).replace(server["id"], "own")


def test_a_history_with_tags_goes_on(source: Source, tagged: PrivateMySQL) -> None:
    with_tag(tagged, "automatic:nightly", "insert into db.t (id) values (2)")
    source.el("extract")
    assert gtid_of_head(source) == executed(tagged)
    assert "nightly:1" in executed(tagged)
    source.el("extract")
    assert source.commits("t") == [1], "nothing is new"

    with_tag(tagged, "automatic:nightly", "insert into db.t (id) values (3)")
    with_tag(tagged, "automatic:hourly", "insert into db.t (id) values (4)")
    # A gap, as of a transaction that has not arrived on this server yet.
    with_tag(tagged, f"{own_uuid(tagged)}:nightly:9", "insert into db.t (id) values (5)")
    source.el("run")
    assert gtid_of_head(source) == executed(tagged)
    assert "hourly:1:nightly:1-2:9" in executed(tagged)
    assert sorted(source.redshift("select id from raw.t")) == [(1,), (2,), (3,), (4,), (5,)]


def test_a_history_that_misses_a_tagged_transaction_went_back(
    source: Source, tagged: PrivateMySQL, tmp_path: Path
) -> None:
    tagged.stop()
    tagged.save(tmp_path / "backup")
    tagged.start(*OPTIONS)
    with_tag(tagged, "automatic:nightly", "insert into db.t (id) values (2)")
    source.el("run")
    source.el("run")

    tagged.stop()
    tagged.restore(tmp_path / "backup")
    tagged.start(*OPTIONS)
    # Neither the numbers without a tag nor the position in InnoDB's log are behind what was read.
    tagged.run("create table db.filler (v longblob)", *["insert into db.filler values (repeat('x', 1000000))"] * 9)
    assert "nightly" not in executed(tagged)
    done = source.el("extract", code=1)
    assert "history went back" in done.out + done.err
    assert source.redshift("select count(*) from raw.t") == [(2,)]

    source.el("run", "--full")
    assert gtid_of_head(source) == executed(tagged)
    source.el("run")

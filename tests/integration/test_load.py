"""What load does with what is pending: together, in order, once; and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.compare import assert_equal
from tests.conftest import Source
from tests.landed import Landed
from tests.local.conftest import PASSWORD, Running, aws_environment, make_redshift
from tests.proxy import s3_proxy
from tests.tcp_proxy import tcp_proxy

__all__ = ["aws_environment", "make_redshift"]

PREFIX = "DESTINATION__REDSHIFT__CREDENTIALS__"
CURSOR = (
    "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6), key (updated_at)"
)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def row(key: int, value: str) -> dict[str, Any]:
    return {"id": key, "v": value, "updated_at": NOW, "_extracted_at": NOW}


@pytest.fixture
def table(source: Source) -> Source:
    """A table with three rows in the landing, by commit 1."""
    source.mysql(
        f"create table t (id int primary key, v varchar(10), {CURSOR})",
        "insert into t (id, v) values (1, 'a'), (2, 'b'), (3, 'c')",
    )
    source.configure({"t": {}})
    source.el("extract")
    return source


@pytest.fixture
def landed(table: Source) -> Landed:
    return Landed(table, "t")


def values(source: Source) -> list[tuple[Any, ...]]:
    return sorted(source.redshift("select id, v from raw.t"))


def kinds(source: Source) -> list[tuple[Any, ...]]:
    return source.redshift(f"select seq, kind, row_count from raw_{source.name}_el.t order by position")


class Log:
    """The statement log of a local Redshift, from a moment on."""

    def __init__(self, file: Path) -> None:
        self._file, self._from = file, 0

    def forget(self) -> None:
        self._from = len(self._file.read_text().splitlines())

    def _entries(self, what: str) -> list[str]:
        lines = self._file.read_text().splitlines()[self._from :]
        return [entry["text"] for entry in map(json.loads, lines) if entry["what"] == what]

    @property
    def connections(self) -> int:
        return self._entries("connect").count("el")

    @property
    def statements(self) -> list[str]:
        return self._entries("query")


@pytest.fixture(scope="module")
def counting(
    stack: dict[str, str], make_redshift: Callable[..., Running], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, Path]]:
    """A local Redshift that writes down what it is asked."""
    file = tmp_path_factory.mktemp("log") / "statements.jsonl"
    server = make_redshift("--log-statements", str(file))
    server.environment |= {name: value for name, value in stack.items() if name.startswith("AWS_")}
    server.start()
    yield server.port, file
    server.stop()


@pytest.fixture
def counted(source: Source, counting: tuple[int, Path]) -> Iterator[tuple[Source, Log]]:
    port, file = counting
    usual, source.env = source.warehouse, source.env | {PREFIX + "PORT": str(port), PREFIX + "PASSWORD": PASSWORD}
    source.warehouse = psycopg2.connect(host="127.0.0.1", port=port, dbname="dev", user="el", password=PASSWORD)
    source.warehouse.autocommit = True
    yield source, Log(file)
    source.warehouse.close()
    source.warehouse = usual


def test_a_table_with_data_takes_twelve_statements_on_one_connection_and_one_without_takes_none(
    counted: tuple[Source, Log],
) -> None:
    """Beside stock dlt: 10 statements on 5 connections for one table, 28 on 23 for ten, with data or without."""
    source, log = counted
    names = ["a", "b", "c"]
    for name in names:
        source.mysql(
            f"create table {name} (id int primary key, v varchar(10), {CURSOR})",
            f"insert into {name} (id, v) values (1, 'a')",
        )
    source.configure({name: {} for name in names})
    source.el("extract")
    log.forget()
    source.el("load", env={"EL_TABLES_AT_ONCE": "1"})
    assert log.connections == 1, "dlt's client opened connections of its own"
    made = [text for text in log.statements if text.startswith("create table") and f'raw_{source.name}"' in text]
    assert len([text for text in made if "diststyle key distkey" in text and "compound sortkey" in text]) == 3

    Landed(source, "a").add([row(1, "x"), row(2, "y")])
    log.forget()
    done = source.el("load", "--json")
    assert done.table("a")["loaded"] == 2
    assert log.connections == 1
    assert len(log.statements) <= 12, log.statements
    assert sorted(source.redshift("select id, v from raw.a")) == [(1, "x"), (2, "y")]

    log.forget()
    source.el("load")
    assert log.connections == 1
    assert len(log.statements) == 2, "a run with nothing to load looks at the catalog and at the ledger"
    assert not any("lock" in text or "BEGIN" in text for text in log.statements)


def test_a_hundred_pending_commits_are_one_transaction_with_a_ledger_row_each(counted: tuple[Source, Log]) -> None:
    source, log = counted
    source.mysql(f"create table t (id int primary key, v varchar(10), {CURSOR})", "insert into t (id) values (1)")
    source.configure({"t": {}})
    source.el("run")
    landed = Landed(source, "t")
    for number in range(2, 102):
        landed.add([row(1, f"v{number}"), row(number, "new")])
    log.forget()
    done = source.el("load", "--json")
    assert (done.table("t")["loaded"], done.table("t")["load_commits"]) == (200, 100)
    text = log.statements
    assert len(text) <= 12
    assert [word for word in text if word.startswith("copy")] == [next(t for t in text if t.startswith("copy"))]
    assert kinds(source) == [(1, "applied", 1), *[(seq, "applied", 2) for seq in range(2, 102)]]
    assert values(source) == [(1, "v101"), *[(number, "new") for number in range(2, 102)]]
    assert source.redshift("select count(distinct load_id), count(*) from raw._dlt_loads") == [(101, 101)]


def test_of_pending_copies_of_the_whole_table_the_newest_is_copied_and_each_is_in_the_ledger(
    table: Source, landed: Landed
) -> None:
    for value in "xyz":
        seq = landed.last["seq"] + 1
        reading = {"full": True, "first_seq": seq, "done": True, "after": None}
        landed.add([row(7, value), row(8, value)], mode="replace", reading=reading)
    table.delete_objects("t/t/1790000003.000003.")  # nobody needs the file of a copy that is replaced
    done = table.el("load", "--json")
    assert (done.table("t")["loaded"], done.table("t")["load_commits"]) == (2, 4)
    assert kinds(table) == [(1, "superseded", 0), (2, "superseded", 0), (3, "superseded", 0), (4, "applied", 2)]
    assert values(table) == [(7, "z"), (8, "z")]
    assert table.el("load", "--json").table("t")["load_commits"] == 0


def test_a_wider_varchar_is_altered_in_place_in_the_order_of_the_commits(table: Source, landed: Landed) -> None:
    landed.add([row(4, "d" * 12)])
    landed.add([row(1, "w" * 160)], types={"v": "varchar(160)"})
    table.el("load")
    assert values(table) == [(1, "w" * 160), (2, "b"), (3, "c"), (4, "d" * 12)]
    assert table.redshift(
        "select character_maximum_length from information_schema.columns "
        f"where table_schema = 'raw_{table.name}' and table_name = 't' and column_name = 'v'"
    ) == [(160,)]


def test_a_varchar_that_cannot_be_altered_stops_the_table_with_the_statement(table: Source, landed: Landed) -> None:
    table.el("load")
    table.redshift(f"create view raw_{table.name}.w as select v from raw_{table.name}.t")  # not late-binding
    landed.add([row(1, "w" * 160)], types={"v": "varchar(160)"})
    done = table.el("load", code=1)
    assert "commit 2 does not fit" in done.err and 'alter column "v" type varchar(160)' in done.err
    assert values(table) == [(1, "a"), (2, "b"), (3, "c")]
    table.redshift(f"drop view raw_{table.name}.w")
    table.el("load")
    assert values(table)[0] == (1, "w" * 160)


def test_another_layout_in_the_source_file_is_said_once_with_the_statement_and_never_done(
    table: Source, landed: Landed
) -> None:
    table.el("load")
    table.configure({"t": {"sort": ["v", "id"]}}, distribution="all")
    landed.add([row(1, "x")])
    text = table.el("load").out
    assert "alter diststyle all" in text and 'alter compound sortkey ("v", "id")' in text
    landed.add([row(1, "y")])
    assert "alter" not in table.el("load").out
    table.configure({"t": {"sort": ["nosuch"]}})
    landed.add([row(1, "z")])
    done = table.el("load", code=1)
    assert f"{table.name}.yml:" in done.err and 'sort: no column "nosuch" in commit 4' in done.err
    assert values(table)[0] == (1, "y")


def test_a_commit_that_redshift_refuses_is_named_and_can_be_skipped_on_record(table: Source, landed: Landed) -> None:
    name = f"{table.name}.t"
    table.mysql(f"create table other (id int primary key, {CURSOR})", "insert into other (id) values (1)")
    table.configure({"t": {}, "other": {}})
    table.el("extract", f"{table.name}.other")
    landed.add([row(4, "good")])
    landed.add([row(5, "x" * 1000)])  # beyond VARCHAR(40): no extract would write it
    landed.add([row(6, "later")])
    done = table.el("load", code=1)
    assert f"{name}, commit 3: Redshift refused" in done.err and "xxx" not in done.err
    assert kinds(table) == [(1, "applied", 3), (2, "applied", 1)]
    assert_equal(table, "other")
    horizon = landed.body("_applied.json")

    assert "--reason go together" in table.el("load", "--skip", name, "3", code=2).err
    for seq, why in (("4", "is not the next: that is commit 3"), ("2", "applied already"), ("9", "does not exist")):
        assert why in table.el("load", "--skip", name, seq, "--reason", "no", code=2).err
    assert not table.objects("t/_skipped/")

    done = table.el("load", "--skip", name, "3", "--reason", "a value that\nRedshift refuses")
    assert "ROWS MAY BE MISSING: commit 3 was skipped" in done.out and f"el run --full {name}" in done.out
    assert kinds(table)[2:] == [(3, "skipped", 0), (4, "applied", 1)]
    assert table.redshift(f"select reason from raw_{table.name}_el.t where kind = 'skipped'") == [
        ("a value that Redshift refuses",)
    ]
    assert [key for key, _ in values(table)] == [1, 2, 3, 4, 6]
    assert landed.body("_applied.json") == horizon, "the archive would delete rows that Redshift lacks"
    assert "ROWS MAY BE MISSING: commit 3" in table.el("status").out
    assert table.el("load", "--json").table("t")["warnings"] != []

    # Built anew from the landing, the commit is left out again.
    table.redshift(f"drop table raw_{table.name}.t")
    table.redshift(f"drop table raw_{table.name}_el.t")
    table.el("load", name)
    assert [kind for _, kind, _ in kinds(table)] == ["applied", "applied", "skipped", "applied"]

    done = table.el("run", "--full", name, "--json")
    assert not [text for text in done.table("t")["warnings"] if "MISSING" in text]
    assert json.loads(landed.body("_applied.json"))["seq"] == 5
    assert "MISSING" not in table.el("status").out


def test_a_first_commit_can_be_skipped_too(table: Source, landed: Landed) -> None:
    landed.add([row(6, "later")])
    table.el("load", "--skip", f"{table.name}.t", "1", "--reason", "for the test")
    assert kinds(table) == [(1, "skipped", 0), (2, "applied", 1)]
    assert values(table) == [(6, "later")]


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_connection_that_is_cut_at_commit_applies_the_commit_once_and_reports_it(
    table: Source, landed: Landed, side: str
) -> None:
    table.el("load")
    landed.add([row(1, "x"), row(4, "new")])
    cuts: list[bytes] = []

    def cut(data: bytes) -> Any:
        if b"COMMIT" in data and not cuts:
            cuts.append(data)
            return side
        return None

    with tcp_proxy(int(table.env[PREFIX + "PORT"]), cut) as port:
        done = table.el("load", "--json", env={PREFIX + "PORT": str(port), "EL_REDSHIFT_SSLMODE": "disable"})
    assert cuts
    assert (done.table("t")["loaded"], done.table("t")["load_commits"]) == (2, 1)
    assert kinds(table) == [(1, "applied", 3), (2, "applied", 2)]
    assert values(table) == [(1, "x"), (2, "b"), (3, "c"), (4, "new")]
    assert "the connection to Redshift was lost" in Path(done.json["log"]).read_text()


def test_another_error_is_not_tried_again(table: Source, landed: Landed) -> None:
    table.el("load")
    landed.add([row(1, "x" * 1000)])
    copies: list[bytes] = []

    def count(data: bytes) -> None:
        if b"copy el__incoming" in data:
            copies.append(data)

    with tcp_proxy(int(table.env[PREFIX + "PORT"]), count) as port:
        table.el("load", code=1, env={PREFIX + "PORT": str(port), "EL_REDSHIFT_SSLMODE": "disable"})
    assert len(copies) == 1


def test_a_file_whose_content_is_not_that_of_the_sha256_is_refused_by_name_although_s3_has_what_it_got(
    table: Source, landed: Landed
) -> None:
    """As an upload would leave it that was torn on its way: the ETag is that of the object, the content is not ours."""
    table.el("load")
    landed.add([row(1, "x")])
    commit = landed.last
    file = commit["files"][0]
    body = bytearray(landed.body(file["key"]))
    body[len(body) // 2] ^= 1
    for more in ({}, {"ChecksumAlgorithm": "SHA256"}):
        file["etag"] = landed.put(file["key"], bytes(body), **more)
        landed.write(commit)
        done = table.el("load", code=1)
        assert f"{file['key']} is not the file that its commit names: its SHA-256 is another" in done.err
    assert values(table) == [(1, "a"), (2, "b"), (3, "c")]


def test_an_extracts_file_has_its_sha256_on_s3_so_load_need_not_read_it(table: Source) -> None:
    gets: list[str] = []

    def see(method: str, path: str) -> None:
        if method == "GET" and path.split("?")[0].endswith(".parquet"):
            gets.append(path)

    with s3_proxy(table.env["AWS_ENDPOINT_URL"], see) as endpoint:
        table.el("load", env={"AWS_ENDPOINT_URL": endpoint})
    assert gets == []
    assert_equal(table, "t")


def test_a_missing_file_is_refused_by_name_and_what_comes_before_it_is_applied(table: Source, landed: Landed) -> None:
    landed.add([row(4, "d")])
    landed.add([row(5, "e")])
    table.delete_objects("t/" + landed.last["files"][0]["key"])
    done = table.el("load", code=1)
    assert landed.last["files"][0]["key"] in done.err and "there is no such object" in done.err
    assert kinds(table) == [(1, "applied", 3), (2, "applied", 1)]


def test_a_manifest_that_was_swapped_is_refused_with_the_files_that_did_not_come(table: Source, landed: Landed) -> None:
    table.el("load")
    old = landed.last["files"][0]
    landed.add([row(1, "x"), row(2, "y"), row(3, "z")])  # as many rows as the file that comes instead
    entry = {"url": f"s3://el-landing/{landed.folder}/{old['key']}", "mandatory": True}
    other = json.dumps({"entries": [entry | {"meta": {"content_length": old["size"]}}]}).encode()

    def swap(method: str, path: str) -> int | None:
        if method == "PUT" and "/_manifests/" in path:
            landed.put("_manifests/" + path.split("?")[0].rpartition("/")[2], other)
            return 200
        return None

    with s3_proxy(table.env["AWS_ENDPOINT_URL"], swap) as endpoint:
        done = table.el("load", code=1, env={"AWS_ENDPOINT_URL": endpoint})
    assert "COPY brought 3 rows and the commit has 0" in done.err
    assert "which no commit names" in done.err and "_manifests/" in done.err
    assert values(table) == [(1, "a"), (2, "b"), (3, "c")]
    table.el("load")
    assert values(table) == [(1, "x"), (2, "y"), (3, "z")]


@pytest.mark.parametrize("statement", ["update {} set format = 99", "alter table {} drop column loader"])
def test_a_ledger_of_another_format_is_refused_by_name(table: Source, landed: Landed, statement: str) -> None:
    """A newer peer counts on; an older one has other columns."""
    table.el("load")
    table.redshift(statement.format(f"raw_{table.name}_el.t"))
    landed.add([row(1, "x")])
    done = table.el("load", code=1)
    assert f'"raw_{table.name}_el"."t" has format' in done.err and "knows format 4" in done.err
    assert values(table)[0] == (1, "a")


@pytest.mark.parametrize("number", [2, 99])
def test_a_commit_of_an_older_or_newer_format_is_refused_by_name(table: Source, landed: Landed, number: int) -> None:
    landed.add([row(1, "x")], format=number)
    done = table.el("load", code=1)
    assert f"{2:020d}.json has format {number} and this el knows format 3" in done.err
    assert kinds(table) == [(1, "applied", 3)], "what comes before it is applied"

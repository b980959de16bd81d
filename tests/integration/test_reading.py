"""How the rows of a pass are read: connections that are cut, tables without a key, what is asked of S3 and MySQL."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from el import parts, retry, s3, settings
from el.errors import ConnectionLost, LandingError
from el.landing import Commit, LandedFile, Landing, TableLanding
from el.mysql import chunks
from el.s3 import Numbered
from tests.conftest import Source
from tests.integration.test_extract import CURSOR, extractor, landed, run
from tests.mysql_sql import hash_of, numbers
from tests.wire import mysql_proxy

ROWS = 20_000


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, source: Source) -> None:
    """Chunks of 1000 rows and parts of 5000; lost connections are tried again at once."""
    monkeypatch.setattr(chunks, "MAX_CHUNK_ROWS", 1000)
    monkeypatch.setattr(chunks, "_MIN_CHUNK_ROWS", 1000)
    monkeypatch.setattr(parts, "_ROWS_PER_PART", 5000)
    monkeypatch.setattr(retry, "RECONNECT", (0, 0, 0))
    for name, value in source.env.items():
        if name.startswith(("SOURCES__", "EL_")):
            monkeypatch.setenv(name, value)


@pytest.fixture
def cuts(monkeypatch: pytest.MonkeyPatch, source: Source) -> Iterator[list[int]]:
    """MySQL behind a proxy. While the list is not empty, a connection is cut when it has passed its first number."""
    planned: list[int] = []
    lock = threading.Lock()

    def cut(passed: int) -> bool:
        with lock:
            if not planned or passed < planned[0]:
                return False
            planned.pop(0)
            return True

    variable = f"SOURCES__{source.name.upper()}__CREDENTIALS"
    url = urlsplit(source.env[variable])
    with mysql_proxy(url.hostname or "", url.port or 0, cut) as port:
        monkeypatch.setenv(variable, source.env[variable].replace(f":{url.port}/", f":{port}/"))
        yield planned


def fill(source: Source) -> None:
    source.mysql(
        f"create table t (id int primary key, v varchar(200), {CURSOR})",
        f"insert into t (id, v) select seq, repeat({hash_of('seq')}, 6) from {numbers(ROWS)} n",
    )
    source.configure({"t": {}})


@pytest.mark.usefixtures("small")
def test_a_connection_that_is_lost_is_made_again_and_no_row_is_doubled(
    source: Source, tmp_path: Path, cuts: list[int]
) -> None:
    fill(source)
    one = extractor(source, tmp_path)
    cuts += [150_000] * 6  # a chunk has 200,000 bytes: each is cut when the most of it was read
    done = run(one)
    assert cuts == []
    assert done.rows == ROWS
    assert Counter(landed(source)["id"].to_pylist()) == Counter(range(1, ROWS + 1))


@pytest.mark.usefixtures("small")
def test_a_connection_that_is_lost_again_and_again_ends_the_table_and_keeps_what_was_committed(
    source: Source, tmp_path: Path, cuts: list[int]
) -> None:
    fill(source)
    one = extractor(source, tmp_path)
    cuts += [150_000] * 1000
    with pytest.raises(ConnectionLost, match="the connection was lost"):
        run(one)
    assert source.commits("t") == []
    assert not list(tmp_path.rglob("*.parquet"))
    cuts.clear()
    assert run(one).rows == ROWS


EVERY_TYPE = """id int, tiny tinyint, big bigint unsigned, wide decimal(38,20), narrow decimal(10,2), f float, d double,
    b bit(9), c char(3), v varchar(20), x text, e enum('a','b'), s set('p','q'), j json, day date, at datetime(6),
    stamp timestamp(3) null, during time(2), y year, bin binary(3), bytes blob, place point"""
VALUES = [
    """seq, -128, 18446744073709551615, -123456789012345678.00000000000000000001, 99999999.99, 1.2345671, 1e-300, 511,
    'ab', 'é\\'"\\\\ ', repeat('x', 60000), 'b', 'p,q', '{"a": 1}', '9999-12-31', '2023-02-03 04:05:06.789012',
    '2038-01-19 03:14:07.999', '-838:59:59.99', 2155, x'00ff27', x'0027ff', point(1, -2)""",
    "seq" + ", null" * 21,
    """seq, 0, 0, 0, -0.01, -3.4028234e38, -1.7976931348623157e308, 0, '', ' ', '', '', '', '[]', '0000-00-00',
    '2023-00-10 00:00:00', '2001-01-01', '00:00:00', 0, x'', x'', point(0, 0)""",
]
#: Types of MariaDB alone, and a value of each for the same rows.
MARIADB = ", u uuid, ip inet6"
MARIADB_VALUES = [
    ", '123e4567-e89b-12d3-a456-426614174000', 'fe80::1'",
    ", null, null",
    ", '00000000-0000-0000-0000-000000000000', '::'",
]


@pytest.mark.usefixtures("small")
def test_a_table_without_a_key_is_read_with_the_same_values_as_one_with_a_key(source: Source, tmp_path: Path) -> None:
    source.mysql("set session sql_mode = ''")
    columns, rows = EVERY_TYPE, VALUES
    if os.environ["TEST_MYSQL"] == "mariadb":
        columns += MARIADB
        rows = [values + own for values, own in zip(VALUES, MARIADB_VALUES, strict=True)]
    found = []
    for key in ("", ", primary key (id)"):
        source.mysql("drop table if exists t", f"create table t ({columns}{key})")
        for number, values in enumerate(rows):
            first = number * 4000 + 1
            source.mysql(f"insert into t select {values} from {numbers(first + 3999, first)} n")
        source.configure({"t": {"mode": "replace"}})
        done = run(extractor(source, tmp_path))
        assert (done.rows, done.commits) == (12_000, 1)
        assert source.commit("t", 1)["counts"]["zero_dates"] == {"day": 4000, "at": 4000}
        added = ["_seq", "_extracted_at", "_deleted_at", "_dlt_load_id"]
        found.append(landed(source).drop_columns(added).sort_by("id"))
        source.delete_objects()
    assert found[0].cast(found[1].schema).equals(found[1])
    assert len(set(found[0]["id"].to_pylist())) == 12_000


@pytest.mark.usefixtures("small")
def test_mode_replace_is_read_and_uploaded_in_parts_and_committed_once(source: Source, tmp_path: Path) -> None:
    fill(source)
    source.configure({"t": {"mode": "replace"}})
    done = run(extractor(source, tmp_path))
    assert (done.rows, done.commits, done.files) == (ROWS, 1, 4)
    assert Counter(landed(source)["id"].to_pylist()) == Counter(range(1, ROWS + 1))
    assert set(landed(source)["_seq"].to_pylist()) == {1}
    source.el("load")
    assert source.redshift("select count(*), count(distinct id) from raw.t") == [(ROWS, ROWS)]
    loads = source.redshift("select count(distinct _dlt_load_id) from raw.t")
    known = source.redshift("select count(*) from raw._dlt_loads where load_id in (select _dlt_load_id from raw.t)")
    assert loads == known == [(4,)]
    assert run(extractor(source, tmp_path)).commits == 0


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("mode", ["merge", pytest.param("replace", marks=pytest.mark.long)])
def test_the_local_disk_holds_a_few_parts_and_not_the_table(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr(parts, "_ROWS_PER_PART", 1000)
    fill(source)
    source.configure({"t": {"mode": mode}})
    most = 0
    landed_file = TableLanding.landed

    def look(self: TableLanding, *arguments: Any) -> LandedFile:
        nonlocal most
        lying: set[int] = set()
        size = 0
        for folder, _, names in os.walk(tmp_path):  # which passes over folders that are deleted while it looks
            for name in (each for each in names if each.endswith(".parquet")):
                with suppress(FileNotFoundError):
                    found = Path(folder, name).stat()
                    size += found.st_size if found.st_ino not in lying else 0  # dlt links files from folder to folder
                    lying.add(found.st_ino)
        most = max(most, size)
        return landed_file(self, *arguments)

    monkeypatch.setattr(TableLanding, "landed", look)
    done = run(extractor(source, tmp_path))
    assert (done.rows, done.files) == (ROWS, 20)
    assert 0 < most <= 4 * done.bytes / done.files


@pytest.mark.usefixtures("small")
def test_a_part_that_cannot_be_committed_ends_the_pass_before_the_next(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(source)
    one = extractor(source, tmp_path)
    write = TableLanding.write_commit

    def refused(self: TableLanding, commit: Commit) -> None:
        if commit.seq == 2:
            raise LandingError("refused")
        write(self, commit)

    monkeypatch.setattr(TableLanding, "write_commit", refused)
    with pytest.raises(LandingError, match="refused"):
        run(one)
    assert source.commits("t") == [1]
    assert not list(tmp_path.rglob("*.parquet"))
    assert not [thread for thread in threading.enumerate() if "_work" in thread.name]


@pytest.mark.usefixtures("small")
def test_chunks_are_shorter_where_rows_are_longer_than_the_average(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "_MIN_CHUNK_ROWS", 10)
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 1_000_000)
    source.mysql(
        f"create table t (id int primary key, v mediumtext, {CURSOR})",
        f"insert into t (id, v) select seq, if(seq <= 19000, '', repeat('x', 20000)) from {numbers(20000)} n",
        "analyze table t",
    )
    source.configure({"t": {}})
    sizes: list[int] = []
    was_read = chunks.Chunks.was_read

    def seen(self: chunks.Chunks, rows: int, size: int) -> None:
        sizes.append(size)
        was_read(self, rows, size)

    monkeypatch.setattr(chunks.Chunks, "was_read", seen)
    run(extractor(source, tmp_path))
    # The chunks that were asked for before the first of them was read are as long as the average says.
    assert sorted(sizes)[-3] < 2_000_000 < sum(sizes) / 4


@pytest.mark.parametrize("seqs", [[], [1], [3, 4, 5], range(1, 138), [*range(1, 40), *range(90, 101)], [1, 500]])
def test_the_head_is_found_without_listing_every_commit(
    source: Source, monkeypatch: pytest.MonkeyPatch, seqs: list[int]
) -> None:
    monkeypatch.setattr(s3, "_PAGE", 3)
    place = Landing(settings.landing()).table(source.name, "t")
    for seq in seqs:
        source.s3.put_object(Bucket="el-landing", Key=f"landing/{source.name}/t/_commits/{seq:020d}.json", Body=b"{}")
    asked: list[int] = []
    page = Numbered._page

    def counted(self: Numbered, behind: int) -> tuple[list[int], bool]:
        asked.append(behind)
        return page(self, behind)

    monkeypatch.setattr(Numbered, "_page", counted)
    monkeypatch.setattr(TableLanding, "commit", lambda self, seq: seq)
    assert place.head() == (max(seqs) if seqs else None)
    assert len(asked) <= 16  # 137 commits would be 46 pages
    assert place.seqs_from(2) == [seq for seq in seqs if seq >= 2]


def test_an_idle_run_asks_two_queries_per_table_and_does_not_load_dlt(source: Source) -> None:
    tables = [f"{source.name}_{number}" for number in range(20)]
    for table in tables:
        source.mysql(f"create table {table} (id int primary key, {CURSOR})", f"insert into {table} (id) values (1)")
    source.configure({table: {} for table in tables})
    source.el("extract")
    source.mysql("set global general_log = 'OFF'", "set global log_output = 'TABLE'", "truncate mysql.general_log")
    source.mysql("set global general_log = 'ON'")
    try:
        program = "import sys; from el import cli\ntry:\n cli.main()\nfinally:\n assert 'dlt' not in sys.modules"
        done = subprocess.run(
            [sys.executable, "-c", program, "extract", "--json"],
            cwd=source.folder,
            env=source.env,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        source.mysql("set global general_log = 'OFF'")
    assert done.returncode == 0, done.stderr
    with source.admin.cursor() as cursor:
        for table in tables:
            cursor.execute(
                "select count(*) from mysql.general_log where command_type = 'Query' and argument like %s",
                (f"%from `{table}` where%",),
            )
            assert cursor.fetchone() == (2,)
        cursor.execute(
            "select count(*) from mysql.general_log where command_type = 'Connect' and argument like %s",
            (f"% on {source.name} %",),
        )
        ((connections,),) = cursor.fetchall()
    assert 0 < connections < len(tables) / 2, "tables do not use each other's connections"

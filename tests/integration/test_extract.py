"""Passes in several commits, chunks of every kind of key, and two extractors at once. MySQL and S3 alone."""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from el import parts, settings
from el.config import load_sources
from el.errors import CommitExists, SourceError
from el.extract import Extractor, said
from el.landing import Commit, Landing, TableLanding
from el.mysql import chunks
from el.mysql.catalog import read_shapes
from el.mysql.connection import Connections, connected
from el.mysql.kindness import Kindness
from el.mysql.window import read_bound
from el.outcome import Extracted
from tests.conftest import Source
from tests.mysql_sql import hash_of, numbers

CURSOR = "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6)"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, source: Source) -> None:
    """Chunks of 100 rows and commits of 300: a small table takes the way of a large one."""
    monkeypatch.setattr(chunks, "MAX_CHUNK_ROWS", 100)
    monkeypatch.setattr(chunks, "_MIN_CHUNK_ROWS", 100)
    monkeypatch.setattr(parts, "_ROWS_PER_PART", 300)
    for name, value in source.env.items():
        if name.startswith(("SOURCES__", "EL_")):
            monkeypatch.setenv(name, value)


def extractor(source: Source, work: Path) -> Extractor:
    """The extractor of table ``t``, as ``run.py`` makes it."""
    (table,) = load_sources(settings.sources_folder())[source.name].tables
    server = settings.mysql(source.name)
    with connected(source.name, server) as connection:
        shape = read_shapes(connection, [table])["t"]
    place = Landing(settings.landing()).table(source.name, "t")
    key = settings.hash_key() if table.hash else None
    return Extractor(
        table,
        shape,
        server,
        place,
        read_bound(source.name, server, [shape]),
        key,
        work,
        Connections(source.name, server),
        Kindness(source.name, table.server),
    )


def run(one: Extractor) -> Extracted:
    """Run an extractor; what it committed."""
    result = Extracted()
    one.run(result)
    return result


def landed(source: Source) -> pa.Table:
    """Every row that commits name, in order of seq."""
    tables = []
    for seq in source.commits("t"):
        for file in source.commit("t", seq)["files"]:
            key = f"landing/{source.name}/t/{file['key']}"
            body = source.s3.get_object(Bucket="el-landing", Key=key)["Body"].read()
            tables.append(pq.read_table(io.BytesIO(body)))
    return pa.concat_tables(tables)


@pytest.mark.usefixtures("small")
def test_a_large_pass_is_several_commits_of_one_window(source: Source, tmp_path: Path) -> None:
    source.mysql(
        f"create table t (id int primary key, {CURSOR})", f"insert into t (id) select seq from {numbers(1000)} n"
    )
    source.configure({"t": {}})
    done = run(extractor(source, tmp_path))
    assert (done.rows, done.commits) == (1000, 4)
    commits = [source.commit("t", seq) for seq in source.commits("t")]
    assert [c["reading"]["done"] for c in commits] == [False, False, False, True]
    assert len({c["window"]["next_lo"] for c in commits}) == 1
    assert sorted(landed(source)["id"].to_pylist()) == list(range(1, 1001))
    assert run(extractor(source, tmp_path)).commits == 0
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.usefixtures("small")
def test_a_pass_that_was_cut_off_goes_on_behind_its_last_commit(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.mysql(
        f"create table t (id int primary key, v int, {CURSOR})",
        f"insert into t (id, v) select seq, 0 from {numbers(1000)} n",
    )
    source.configure({"t": {}})
    write = TableLanding.write_commit

    def second_fails(self: TableLanding, commit: Commit) -> None:
        if commit.seq == 2:
            raise SourceError("cut off")
        write(self, commit)

    monkeypatch.setattr(TableLanding, "write_commit", second_fails)
    with pytest.raises(SourceError, match="cut off"):
        run(extractor(source, tmp_path))
    monkeypatch.setattr(TableLanding, "write_commit", write)
    source.mysql("update t set v = 1 where id in (5, 995)")
    done = run(extractor(source, tmp_path))
    assert done.rows == 700
    run(extractor(source, tmp_path))  # the row behind the pass's back is in the next window
    latest = {row["id"]: row["v"] for row in landed(source).sort_by("_seq").to_pylist()}
    assert latest == {number: int(number in (5, 995)) for number in range(1, 1001)}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("when", ["between two runs", "while it is read"])
def test_a_pass_whose_key_got_another_order_is_made_again(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """'_' and '{' come behind letters in one collation and before them in the other."""
    fill = [f"insert into t (k) select concat('{first}', seq) from {numbers(400)} n" for first in ("a", "_", "{")]
    source.mysql(
        f"create table t (k varchar(20) character set utf8mb3 collate utf8mb3_general_ci primary key, {CURSOR})",
        *fill,
        "update t set updated_at = '2020-01-01'",
    )
    source.configure({"t": {}})
    write = TableLanding.write_commit

    def converted(self: TableLanding, commit: Commit) -> None:
        if commit.seq == 2:
            source.mysql("alter table t convert to character set utf8mb4 collate utf8mb4_unicode_520_ci")
            if when == "between two runs":
                raise SourceError("cut off")
        write(self, commit)

    monkeypatch.setattr(TableLanding, "write_commit", converted)
    with suppress(SourceError):
        run(extractor(source, tmp_path))
    monkeypatch.setattr(TableLanding, "write_commit", write)
    for _ in range(2):
        run(extractor(source, tmp_path))
    assert len(set(landed(source)["k"].to_pylist())) == 1200


KEYS = {
    "integers with gaps": ("k int", f"select cast(seq * seq as signed) - 500000 from {numbers(1000)} n"),
    "unsigned beyond 2^63": ("k bigint unsigned", f"select 18446744073709551615 - seq * 7 from {numbers(999, 0)} n"),
    "text in a collation that ignores case": (
        "k varchar(30)",
        f"select concat(char(97 + seq % 26), if(seq % 2, 'É', 'z'), seq, '''\\\\%') from {numbers(1000)} n",
    ),
    "binary": ("k varbinary(20)", f"select unhex({hash_of('seq')}) from {numbers(1000)} n"),
    "decimal": ("k decimal(30,10)", f"select seq / 7 - 60 from {numbers(1000)} n"),
    "date": ("k date", f"select '2000-01-01' + interval seq day from {numbers(1000)} n"),
    "datetime": (
        "k datetime(6)",
        f"select '2000-01-01 00:00:00.5' + interval seq * 12345 microsecond from {numbers(1000)} n",
    ),
    "time": ("k time(3)", f"select sec_to_time(seq * 700.123 - 400000) from {numbers(1000)} n"),
    "timestamp": ("k timestamp", f"select '2001-01-01' + interval seq minute from {numbers(1000)} n"),
    "bit": ("k bit(12)", f"select seq from {numbers(1000)} n"),
    "double": ("k double", f"select seq / 3e0 - 100 from {numbers(1000)} n"),
    "a set of 64 labels": (
        f"k set({', '.join(repr(f'l{n}') for n in range(64))})",
        f"select 18446744073709551615 - seq from {numbers(1000)} n",
    ),
}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "kind",
    # Others go without S3 in property/test_chunks.py.
    [
        pytest.param(kind, marks=[pytest.mark.long] * (not kind.startswith(("text", "datetime", "a set"))))
        for kind in KEYS
    ],
)
def test_chunks_cover_every_key_exactly_once(source: Source, tmp_path: Path, kind: str) -> None:
    column, rows = KEYS[kind]
    source.mysql(f"create table t ({column} primary key, {CURSOR})", f"insert into t (k) {rows}")
    source.configure({"t": {}})
    done = run(extractor(source, tmp_path))
    assert (done.rows, done.commits) == (1000, 4)
    found = landed(source)["k"].to_pylist()
    assert len(set(found)) == len(found) == 1000


@pytest.mark.usefixtures("small")
def test_chunks_cover_a_composite_key_with_an_enum_exactly_once(source: Source, tmp_path: Path) -> None:
    source.mysql(
        f"create table t (e enum('z','m','a'), n int, s char(3), {CURSOR}, primary key (e, s, n))",
        f"insert into t (e, n, s) select elt(1 + seq % 3, 'z', 'm', 'a'), seq, char(65 + seq % 5) "
        f"from {numbers(1000)} n",
    )
    source.configure({"t": {}})
    assert run(extractor(source, tmp_path)).rows == 1000
    assert sorted(landed(source)["n"].to_pylist()) == list(range(1, 1001))


def test_of_two_extractors_one_starts_again_and_nothing_is_doubled_or_lost(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: None
) -> None:
    source.mysql(
        f"create table t (id int primary key, {CURSOR})", f"insert into t (id) select seq from {numbers(50)} n"
    )
    source.configure({"t": {}})
    write = TableLanding.write_commit
    refused: list[int] = []

    def late(self: TableLanding, commit: Commit) -> None:
        """Just before the first commit of the one is written, the other writes his."""
        if not refused:
            refused.append(commit.seq)
            monkeypatch.setattr(TableLanding, "write_commit", write)
            assert run(extractor(source, tmp_path / "other")).commits == 1
        try:
            write(self, commit)
        except CommitExists:
            refused.append(commit.seq)
            raise

    monkeypatch.setattr(TableLanding, "write_commit", late)
    done = run(extractor(source, tmp_path))
    assert refused == [1, 1]
    assert isinstance(done, Extracted)
    assert source.commits("t")[0] == 1
    assert source.commit("t", 1)["previous_load_id"] is None
    assert set(landed(source)["id"].to_pylist()) == set(range(1, 51))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("v mediumtext", "repeat('x', 70000)", "column v: 1 of 1 rows read hold more than the 65,535 bytes"),
        ("v longblob", "repeat('x', 70000)", "column v: 1 of 1 rows read hold more than the 64,000 bytes"),
    ],
)
def test_a_value_that_redshift_cannot_hold_stops_the_table_before_anything_is_committed(
    source: Source, tmp_path: Path, column: str, value: str, message: str
) -> None:
    source.mysql(
        f"create table t (id int primary key, {column}, {CURSOR})", f"insert into t (id, v) values (1, {value})"
    )
    source.configure({"t": {}})
    with pytest.raises(SourceError, match=message) as caught:
        run(extractor(source, tmp_path))
    assert "xxx" not in str(caught.value)
    assert source.commits("t") == []
    source.configure({"t": {"exclude": ["v"]}})
    assert run(extractor(source, tmp_path)).rows == 1


@pytest.mark.usefixtures("small")
def test_a_zero_date_in_the_key_stops_the_table(source: Source, tmp_path: Path) -> None:
    source.mysql(
        "set session sql_mode = ''",
        f"create table t (d date primary key, {CURSOR})",
        "insert into t (d) values ('0000-00-00')",
    )
    source.configure({"t": {}})
    with pytest.raises(SourceError, match="column d is part of the primary key and holds a date that does not"):
        run(extractor(source, tmp_path))


@pytest.mark.usefixtures("small")
def test_a_nul_in_a_text_key_stops_the_table_because_two_keys_could_become_one(source: Source, tmp_path: Path) -> None:
    source.mysql(
        f"create table t (k varchar(9) collate utf8mb4_bin primary key, {CURSOR})",
        "insert into t (k) values ('a'), ('a\\0')",
    )
    source.configure({"t": {}})
    with pytest.raises(SourceError, match="column k is part of the primary key and holds a NUL character"):
        run(extractor(source, tmp_path))
    assert source.commits("t") == []


@pytest.mark.usefixtures("small")
def test_dates_that_do_not_exist_become_null_and_are_counted(source: Source, tmp_path: Path) -> None:
    source.mysql(
        "set session sql_mode = 'ALLOW_INVALID_DATES'",
        f"create table t (id int primary key, d date, m datetime(3), {CURSOR})",
        "insert into t (id, d, m) values (1, '0000-00-00', '2020-00-10 01:02:03'), (2, '2023-02-30', null), "
        "(3, '2024-02-29', '9999-12-31 23:59:59.999'), (4, null, '2023-04-31 00:00:00'), (5, '1000-01-01', null)",
    )
    source.configure({"t": {}})
    done = run(extractor(source, tmp_path))
    found: list[Any] = [(r["id"], str(r["d"]), str(r["m"])) for r in landed(source).sort_by("id").to_pylist()]
    assert found == [
        (1, "None", "None"),
        (2, "None", "None"),
        (3, "2024-02-29", "9999-12-31 23:59:59.999000"),
        (4, "None", "None"),
        (5, "1000-01-01", "None"),
    ]
    assert source.commit("t", 1)["counts"]["zero_dates"] == {"d": 2, "m": 2}
    assert sorted(said(done.counts)) == [
        "column d: 2 dates that do not exist became NULL",
        "column m: 2 dates that do not exist became NULL",
    ]


@pytest.mark.parametrize("bad", [1, 110_000])
def test_a_reader_that_dies_at_any_row_is_an_error_that_shows_no_value(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: None, bad: int
) -> None:
    # A value that connectorx cannot decode, reached by taking our SELECT expression away.
    source.mysql(
        "set session sql_mode = ''",
        f"create table t (id int primary key, v date, {CURSOR})",
        f"insert into t (id, v) select seq, if(seq = {bad}, '2831-00-00', '2020-01-01') from {numbers(120000)} n",
    )
    source.configure({"t": {}})
    one = extractor(source, tmp_path)
    plain = tuple(replace(c, select="`v`") if c.name == "v" else c for c in one.shape.columns)
    monkeypatch.setattr(chunks, "MAX_CHUNK_ROWS", 500_000)
    monkeypatch.setattr(chunks, "_MIN_CHUNK_ROWS", 500_000)
    broken = replace(one, shape=replace(one.shape, columns=plain))
    with pytest.raises(SourceError) as caught:
        run(broken)
    assert f"{source.name}.t: column v (date) holds a value" in str(caught.value)
    assert "2831" not in str(caught.value).replace(source.name, "")  # a random name may hold any digits
    assert source.commits("t") == []

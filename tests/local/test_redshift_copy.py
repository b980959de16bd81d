"""COPY reads from the S3 API, obeys the manifest, checks types, and belongs to the client's transaction."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import threading
from decimal import Decimal
from typing import Any

import psutil
import psycopg2
import pyarrow as pa
import pytest

from .conftest import Bucket, Db, Running

UTC = dt.UTC
COLUMNS: dict[str, tuple[str, pa.Array, list[Any]]] = {
    "a": ("smallint", pa.array([-32768, None], pa.int16()), [-32768, None]),
    "b": ("integer", pa.array([2**31 - 1, None], pa.int32()), [2**31 - 1, None]),
    "c": ("bigint", pa.array([-(2**63), None], pa.int64()), [-(2**63), None]),
    "d": ("real", pa.array([3.4e38, None], pa.float32()), [3.4e38, None]),
    "e": ("double precision", pa.array([1 / 3, None], pa.float64()), [1 / 3, None]),
    "f": ("decimal(20,0)", pa.array([Decimal(2**64 - 1), None], pa.decimal128(20, 0)), [Decimal(2**64 - 1), None]),
    "g": ("varchar(40)", pa.array(['é😀 "quoted", \\N\nline', ""]), ['é😀 "quoted", \\N\nline', ""]),
    "h": ("super", pa.array(['{"x": 1}', None]), ['"{\\"x\\": 1}"', None]),
    "i": ("date", pa.array([dt.date(1, 1, 1), None], pa.date32()), [dt.date(1, 1, 1), None]),
    "j": ("timestamp", pa.array([dt.datetime(9999, 12, 31, 23, 59, 59, 999999), None], pa.timestamp("us")),
          [dt.datetime(9999, 12, 31, 23, 59, 59, 999999), None]),
    "k": ("timestamptz", pa.array([dt.datetime(2020, 1, 1, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
          [dt.datetime(2020, 1, 1, tzinfo=UTC), None]),
    "l": ("varbyte(4)", pa.array([b"\x00\xff\x5c", None], pa.binary()), ["00ff5c", None]),
    "m": ("boolean", pa.array([False, None], pa.bool_()), [False, None]),
}  # fmt: skip
COPY = "copy {} from '{}' iam_role default format as parquet"


def test_every_parquet_type_arrives_exactly(db: Db, bucket: Bucket) -> None:
    db.run(f"create table t ({', '.join(f'{n} {kind}' for n, (kind, _, _) in COLUMNS.items())})")
    url = bucket.parquet("data.parquet", {n: array for n, (_, array, _) in COLUMNS.items()})
    db.run(COPY.format("t", bucket.manifest("m.json", url)) + " manifest")
    expected = [tuple(values[i] for _, _, values in COLUMNS.values()) for i in (0, 1)]
    assert db.run("select * from t order by a nulls last") == expected
    assert db.value("select pg_last_copy_count()") == 2


@pytest.mark.parametrize(
    ("column", "array"),
    [
        ("integer", pa.array([1], pa.int64())),
        ("bigint", pa.array([1], pa.int32())),
        ("smallint", pa.array([1], pa.int8())),
        ("decimal(10,2)", pa.array([Decimal("1.5")], pa.decimal128(10, 1))),
        ("decimal(10,2)", pa.array([Decimal("1.50")], pa.decimal128(11, 2))),
        ("double precision", pa.array([1.0], pa.float32())),
        ("timestamp", pa.array([dt.datetime(2020, 1, 1)], pa.timestamp("ms"))),
        ("timestamp", pa.array([dt.datetime(2020, 1, 1)], pa.timestamp("us", "UTC"))),
        ("timestamptz", pa.array([dt.datetime(2020, 1, 1)], pa.timestamp("us"))),
        ("time", pa.array([dt.time(1)], pa.time64("us"))),
        ("varchar(10)", pa.array([1], pa.int32())),
        ("varchar(10)", pa.array([b"x"], pa.binary())),
        ("varbyte(10)", pa.array(["x"])),
        ("date", pa.array(["2020-01-01"])),
        ("super", pa.array([[1]])),
    ],
)
def test_a_type_that_does_not_match_is_named_with_its_column_and_file(
    db: Db, bucket: Bucket, column: str, array: pa.Array
) -> None:
    db.run(f"create table t (fine int, wrong {column})")
    url = bucket.parquet("x.parquet", {"fine": pa.array([1], pa.int32()), "wrong": array})
    with pytest.raises(psycopg2.Error, match="incompatible Parquet schema for column 'wrong'") as failure:
        db.run(COPY.format("t", url))
    assert url in str(failure.value)


@pytest.mark.parametrize(
    ("array", "options", "reason"),
    [
        (pa.array(["x" * 65_536]), "", "a string longer than 65535 bytes"),
        (pa.array([[1.5, float("nan")]]), " serializetojson", "not a number"),
    ],
)
def test_a_value_that_super_cannot_hold_is_named_by_its_column_and_file(
    db: Db, bucket: Bucket, array: pa.Array, options: str, reason: str
) -> None:
    db.run("create table t (a super)")
    url = bucket.parquet("x.parquet", {"a": array})
    with pytest.raises(psycopg2.Error, match=f"column a does not fit SUPER: {reason}") as failure:
        db.run(COPY.format("t", url) + options)
    assert url in str(failure.value)


def test_a_string_from_parquet_is_a_string_whatever_it_spells(db: Db, bucket: Bucket) -> None:
    db.run("create table t (a super)")
    texts = ["", "[1]", "\x01[1]", "é\n"]
    db.run(COPY.format("t", bucket.parquet("x.parquet", {"a": pa.array(texts)})))
    assert sorted(json.loads(a) for (a,) in db.run("select a from t")) == sorted(texts)
    assert db.run("select distinct json_typeof(a) from t") == [("string",)]


def test_columns_match_by_position_and_their_number_must_agree(db: Db, bucket: Bucket) -> None:
    db.run("create table t (a int, b int, c int)")
    one = pa.array([1], pa.int32())
    two = bucket.parquet("two.parquet", {"b": one, "a": pa.array([2], pa.int32())})
    with pytest.raises(psycopg2.Error, match="has 2 columns, the table expects 3"):
        db.run(COPY.format("t", two))
    db.run(COPY.format("t (c, a)", two))
    assert db.run("select a, b, c from t") == [(2, None, 1)]


def test_a_string_too_long_in_bytes_is_named_without_its_value(db: Db, bucket: Bucket) -> None:
    db.run("create table t (a varchar(5))")
    url = bucket.parquet("x.parquet", {"a": pa.array(["secré"])})
    with pytest.raises(psycopg2.errors.InternalError_, match=r"column a is longer .* Table: 5, Data: 6") as f:
        db.run(COPY.format("t", url))
    assert "secr" not in str(f.value)


def test_null_in_a_not_null_column_is_an_error(db: Db, bucket: Bucket) -> None:
    db.run("create table t (a int not null)")
    with pytest.raises(psycopg2.errors.NotNullViolation, match="column a"):
        db.run(COPY.format("t", bucket.parquet("x.parquet", {"a": pa.array([1, None], pa.int32())})))
    assert db.value("select count(*) from t") == 0


class TestManifest:
    @pytest.fixture(autouse=True)
    def _table(self, db: Db, bucket: Bucket) -> None:
        db.run("create table t (a int)")
        self.one = bucket.parquet("d/one.parquet", {"a": pa.array([1], pa.int32())})
        self.two = bucket.parquet("d/two.parquet", {"a": pa.array([2, 3], pa.int32())})

    def test_all_its_files_are_read(self, db: Db, bucket: Bucket) -> None:
        db.run(COPY.format("t", bucket.manifest("m.json", self.two, self.one)) + " manifest")
        assert db.run("select a from t order by a") == [(1,), (2,), (3,)]

    def test_a_prefix_reads_every_object_below(self, db: Db) -> None:
        db.run(COPY.format("t", self.one.rsplit("/", 1)[0]))
        assert db.value("select count(*) from t") == 3

    def test_a_size_is_required_and_must_agree(self, db: Db, bucket: Bucket) -> None:
        with pytest.raises(psycopg2.Error, match=r"no meta\.content_length"):
            db.run(COPY.format("t", bucket.manifest("m.json", self.one, meta={})) + " manifest")
        with pytest.raises(psycopg2.Error, match="content_length says 7"):
            db.run(COPY.format("t", bucket.manifest("m.json", self.one, meta={"content_length": 7})) + " manifest")

    def test_a_missing_mandatory_file_stops_it_and_leaves_nothing(self, db: Db, bucket: Bucket) -> None:
        manifest = bucket.manifest("m.json", self.one, self.two)
        bucket.client.delete_object(Bucket=self.two.split("/")[2], Key=self.two.split("/", 3)[3])
        with pytest.raises(psycopg2.Error, match=r"two\.parquet: 404"):
            db.run(COPY.format("t", manifest) + " manifest")
        assert db.value("select count(*) from t") == 0
        with pytest.raises(psycopg2.Error, match="does not exist"):
            db.run(COPY.format("t", self.two))

    def test_what_is_no_manifest_is_said_to_be_none(self, db: Db, bucket: Bucket) -> None:
        for body in (b"not json", b"[]", b'{"entries": []}', json.dumps({"entries": [{}]}).encode()):
            with pytest.raises(psycopg2.Error, match="the manifest"):
                db.run(COPY.format("t", bucket.put("m.json", body)) + " manifest")
        with pytest.raises(psycopg2.Error, match="not a Parquet file"):
            db.run(COPY.format("t", bucket.put("m.json", b"x")))


def test_copy_into_a_temporary_table_rolls_back_with_its_transaction(redshift: Running, db: Db, bucket: Bucket) -> None:
    db.run("create table t (a int)")
    url = bucket.parquet("x.parquet", {"a": pa.array(range(100_000), pa.int32())})
    connection = redshift.connect()
    with connection.cursor() as cursor:
        cursor.execute("create temp table incoming (a int)")
        cursor.execute(COPY.format('"incoming"', url))
        assert cursor.statusmessage == "COPY"
        cursor.execute("select count(*) from incoming")
        assert cursor.fetchone() == (100_000,)
        cursor.execute(COPY.format(f"{db.schema}.t", url))
        connection.rollback()
        with pytest.raises(psycopg2.errors.UndefinedTable):
            cursor.execute("select * from incoming")
    connection.close()
    assert db.value("select count(*) from t") == 0


def test_a_failed_copy_fails_its_transaction(redshift: Running, db: Db) -> None:
    db.run("create table t (a int)")
    connection = redshift.connect()
    with connection.cursor() as cursor:
        cursor.execute(f"insert into {db.schema}.t values (1)")
        with pytest.raises(psycopg2.Error):
            cursor.execute(COPY.format(f"{db.schema}.t", "s3://no-such-bucket-at-all/x"))
        with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
            cursor.execute("select 1")
    connection.close()


def test_json_auto_matches_keys_by_name(db: Db, bucket: Bucket) -> None:
    db.run("create table t (a int, b varchar(30), c super, d timestamp, e decimal(5,2))")
    first = b'{"b": "x", "A": 7, "a": 1, "c": {"k": [1.10]}, "d": "2020-01-01T01:02:03Z", "unknown": 1}'
    lines = first + b'\n\n{"e": 1.25, "b": [1, 2]}\n'
    url = bucket.put("x.jsonl.gz", gzip.compress(lines))
    keys = "CREDENTIALS 'aws_access_key_id=a;aws_secret_access_key=b'"
    db.run(f"COPY t FROM '{url}' FORMAT AS JSON 'auto' dateformat 'auto' timeformat 'auto' GZIP {keys} MAXERROR 0;")
    assert db.run("select * from t order by a nulls last") == [
        (1, "x", '{"k":[1.10]}', dt.datetime(2020, 1, 1, 1, 2, 3), None),
        (None, "[1,2]", None, None, Decimal("1.25")),
    ]


def test_a_bad_json_value_is_reported_by_file_without_the_value(db: Db, bucket: Bucket) -> None:
    db.run("create table t (a int)")
    url = bucket.put("x.jsonl", b'{"a": "hush"}\n')
    with pytest.raises(psycopg2.Error, match="Check 'stl_load_errors' system table") as failure:
        db.run(f"copy t from '{url}' iam_role default json 'auto'")
    assert url in str(failure.value) and "hush" not in str(failure.value)


def test_copy_needs_credentials(db: Db) -> None:
    db.run("create table t (a int)")
    with pytest.raises(psycopg2.errors.SyntaxError, match="IAM_ROLE or CREDENTIALS"):
        db.run("copy t from 's3://b/k' format as parquet")


def test_long_values_do_not_fill_the_servers_memory(redshift: Running, db: Db, bucket: Bucket) -> None:
    """260 MB of values in a file of a few KB, as their dictionary holds one; then out and in again."""
    db.run("create table t (a varchar(65000))")
    url = bucket.parquet("long.parquet", {"a": pa.array(["x" * 65_000] * 4_000)})
    assert redshift.process is not None
    server = psutil.Process(redshift.process.pid)
    before = most = server.memory_info().rss  # what earlier tests left
    ended = threading.Event()

    def watch() -> None:
        nonlocal most
        while not ended.wait(0.01):
            most = max(most, server.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        db.run(COPY.format("t", url))
        out = f"s3://{url.split('/')[2]}/{bucket.prefix}/long/"
        db.run(f"unload ('select * from t') to '{out}' iam_role default parquet")
        db.run(f"copy t from '{out}' iam_role default parquet")
    finally:
        ended.set()
        watcher.join()
    assert db.value("select count(*) from t") == 8_000
    assert most - before < 220_000_000

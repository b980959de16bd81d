"""UNLOAD writes what a query answers to S3, in files that are named, cut and formatted as Redshift does.

From Redshift's pages "UNLOAD" and "UNLOAD examples".
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
from decimal import Decimal
from typing import Any

import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .conftest import BUCKET, Bucket, Db, Running


@pytest.fixture
def files(bucket: Bucket) -> Any:
    """What lies below the test's prefix: name → content."""

    def read(under: str = "out/") -> dict[str, bytes]:
        start = f"{bucket.prefix}/{under}"
        listed = bucket.client.list_objects_v2(Bucket=BUCKET, Prefix=start).get("Contents", [])
        get = bucket.client.get_object
        return {o["Key"].removeprefix(start): get(Bucket=BUCKET, Key=o["Key"])["Body"].read() for o in listed}

    return read


def unload(db: Db, bucket: Bucket, query: str, options: str = "", under: str = "out/") -> None:
    db.run(f"unload ($${query}$$) to 's3://{BUCKET}/{bucket.prefix}/{under}' iam_role default {options}")


ROW = "select 1 as a, 'x|\"y\"\n\\'::varchar(20) as b, null::int as c, true as d, ''::varchar(5) as e"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", '1|x|"y"\n\\||t|\n'),
        ("delimiter as '~' null as 'NIL'", '1~x|"y"\n\\~NIL~t~\n'),
        ("escape", '1|x\\|"y"\\\n\\\\||t|\n'),
        ("escape addquotes delimiter ','", '"1","x|\\"y\\"\\\n\\\\",,"t",""\n'),
        ("csv", '1,"x|""y""\n\\",,t,\n'),
        ("format csv header null 'n'", 'a,b,c,d,e\n1,"x|""y""\n\\",n,t,\n'),
        ("header", 'a|b|c|d|e\n1|x|"y"\n\\||t|\n'),
        ("json", '{"a":1,"b":"x|\\"y\\"\\n\\\\","c":null,"d":"t","e":""}\n'),
    ],
)
def test_text_is_written_as_its_options_say(db: Db, bucket: Bucket, files: Any, options: str, expected: str) -> None:
    unload(db, bucket, ROW.replace("\\", "\\\\"), options + " parallel off")
    assert files() == {"000": expected.encode()}
    assert db.value("select pg_last_unload_count()") == 1


@pytest.mark.parametrize(
    ("option", "extension", "unpack"),
    [
        ("gzip", ".gz", gzip.decompress),
        ("bzip2", ".bz2", bz2.decompress),
        ("zstd", ".zst", lambda b: pa.CompressedInputStream(io.BytesIO(b), "zstd").read()),
    ],
)
def test_text_may_be_compressed(db: Db, bucket: Bucket, files: Any, option: str, extension: str, unpack: Any) -> None:
    unload(db, bucket, "select 1 union all select 2", f"{option} parallel off")
    ((name, body),) = files().items()
    assert (name, unpack(body)) == ("000" + extension, b"1\n2\n")


def test_slices_write_files_side_by_side_and_parallel_off_one_in_order(db: Db, bucket: Bucket, files: Any) -> None:
    db.run("create table t (a int)")
    db.run("insert into t values " + ", ".join(f"({i})" for i in range(2_500)))
    unload(db, bucket, "select a from t order by a")
    parallel = files()
    assert sorted(parallel) == ["0000_part_00", "0001_part_00"]
    assert sorted(int(n) for body in parallel.values() for n in body.split()) == list(range(2_500))
    unload(db, bucket, "select a from t order by a", "parallel off", "one/")
    assert [int(n) for n in files("one/")["000"].split()] == list(range(2_500))


def test_a_file_ends_at_maxfilesize(db: Db, bucket: Bucket, files: Any) -> None:
    db.run("create table t (a varchar(60000))")
    db.run("insert into t values " + ", ".join(["(repeat('x', 60000))"] * 200))
    unload(db, bucket, "select * from t", "parallel off maxfilesize 5 mb manifest")
    sizes = {name: len(body) for name, body in files().items()}
    entries = json.loads(files()["manifest"])["entries"]
    assert sorted(sizes) == ["000", "001", "002", "manifest"] and sizes["000"] < 5.1 * 1024 * 1024
    assert [e["meta"]["content_length"] for e in entries] == [sizes["000"], sizes["001"], sizes["002"]]
    for wrong in ("1 mb", "7 gb"):
        with pytest.raises(psycopg2.Error, match="MAXFILESIZE must be between"):
            unload(db, bucket, "select 1", f"maxfilesize {wrong}")


def test_partitions_become_folders_and_leave_the_files(db: Db, bucket: Bucket, files: Any) -> None:
    query = "select 1 as n, 'a' as k union all select 2, null union all select 3, 'a'"
    unload(db, bucket, query, "parquet partition by (k) manifest", "out")
    found = files()
    assert sorted(found) == [
        "k=__HIVE_DEFAULT_PARTITION__/0000_part_00.parquet",
        "k=a/0000_part_00.parquet",
        "manifest",
    ]
    assert pq.read_table(io.BytesIO(found["k=a/0000_part_00.parquet"])).to_pydict() == {"n": [1, 3]}
    assert len(json.loads(found["manifest"])["entries"]) == 2
    unload(db, bucket, query, "csv parallel off partition by (k) include", "in/")
    assert files("in/")["k=a/000"] == b"1,a\n3,a\n"


@pytest.mark.parametrize(
    ("query", "partition", "message"),
    [
        ("select 1 as n, 'a/b' as k", "k", "does not imitate a partition value"),
        ("select 1 as n, 'a' as k", "x", '"x" of PARTITION BY is not in the query'),
        ("select 1 as n", "n", "at least one column"),
        ("select 1 as n, to_varbyte('ff', 'hex') as k", "k", "PARTITION BY a column of type bytea"),
    ],
)
def test_partitions_that_cannot_be_are_refused(
    db: Db, bucket: Bucket, query: str, partition: str, message: str
) -> None:
    with pytest.raises(psycopg2.Error, match=message):
        unload(db, bucket, query, f"csv partition by ({partition})")


def test_what_is_there_is_overwritten_or_removed_on_demand_only(db: Db, bucket: Bucket, files: Any) -> None:
    unload(db, bucket, "select 1", "parallel off")
    bucket.put("out/old", b"old")
    with pytest.raises(psycopg2.Error, match="unload destination on S3 is not empty"):
        unload(db, bucket, "select 2", "parallel off")
    unload(db, bucket, "select 2", "parallel off allowoverwrite")
    assert files() == {"000": b"2\n", "old": b"old"}
    unload(db, bucket, "select 3", "parallel off cleanpath")
    assert files() == {"000": b"3\n"}


def test_a_parquet_unload_is_loaded_again_by_copy_with_its_manifest(db: Db, bucket: Bucket, files: Any) -> None:
    db.run("create table t (a int, b decimal(10,2), c varchar(9), d timestamptz)")
    db.run("insert into t values (1, 1.10, 'é', '2020-01-01 00:00:00+05:30'), (null, null, null, null)")
    unload(db, bucket, "select * from t", "format as parquet manifest")
    db.run("create table u (like t)")
    db.run(f"copy u from 's3://{BUCKET}/{bucket.prefix}/out/manifest' iam_role default parquet manifest")
    assert db.run("select * from u order by a") == db.run("select * from t order by a")
    schema = pq.read_schema(io.BytesIO(files()["0000_part_00.parquet"]))
    assert schema.types == [pa.int32(), pa.decimal128(10, 2), pa.string(), pa.timestamp("us", "UTC")]


def test_super_is_written_as_json(db: Db, bucket: Bucket, files: Any) -> None:
    unload(db, bucket, "select json_parse('{\"a\": [1.50, null]}') as s", "json parallel off")
    assert files()["000"] == b'{"s":{"a":[1.50,null]}}\n'


def test_unload_belongs_to_its_transaction_and_sees_its_own_rows(
    redshift: Running, db: Db, bucket: Bucket, files: Any
) -> None:
    connection = redshift.connect()
    with connection.cursor() as cursor:
        cursor.execute("create temp table mine (a int)")
        cursor.execute("insert into mine values (7)")
        cursor.execute(
            f"unload ($$select * from mine$$) to 's3://{BUCKET}/{bucket.prefix}/out/' iam_role default parallel off"
        )
        assert cursor.statusmessage == "UNLOAD" and "1 record(s) unloaded" in connection.notices[-1]
        cursor.execute("select a from mine")
        assert cursor.fetchall() == [(7,)]
    connection.close()
    assert files() == {"000": b"7\n"}


def test_an_unload_that_fails_midway_leaves_the_connection_usable(db: Db, bucket: Bucket) -> None:
    with pytest.raises(psycopg2.Error, match="division by zero"):
        unload(db, bucket, "select 1 / (a - 2) from (select 1 as a union all select 2) q")
    db.run("create table t (a int, b varchar(9))")
    db.run("insert into t values " + ", ".join(f"({i}, '/')" for i in range(5_000)))
    with pytest.raises(psycopg2.errors.FeatureNotSupported, match="partition value"):
        unload(db, bucket, "select * from t", "csv partition by (b)")
    assert db.value("select 1") == 1


@pytest.mark.parametrize(
    ("query", "options", "word"),
    [
        ("select 1 limit 1", "", "LIMIT clause in the outer SELECT"),
        ("delete from t", "", "UNLOAD of anything but a SELECT"),
        ("select 1; select 2", "", "UNLOAD of anything but one SELECT"),
        ("select 1", "parquet gzip", "GZIP with PARQUET"),
        ("select 1", "parquet header", "HEADER with PARQUET"),
        ("select 1", "json delimiter ','", "DELIMITER with JSON"),
        ("select 1", "cleanpath allowoverwrite", "CLEANPATH with ALLOWOVERWRITE"),
        ("select to_varbyte('ff', 'hex') as b", "parquet", "VARBYTE to anything but text or CSV"),
        ("select to_varbyte('ff', 'hex') as b", "json", "VARBYTE to anything but text or CSV"),
        ("select 1", "fixedwidth '1:1'", "does not imitate UNLOAD … FIXEDWIDTH"),
        ("select 1", "manifest verbose", "does not imitate UNLOAD … MANIFEST VERBOSE"),
        ("select 1", "encrypted auto", "does not imitate UNLOAD … ENCRYPTED"),
        ("select cast('01:02' as time) as t", "parquet", "does not imitate UNLOAD to Parquet of type time"),
    ],
)
def test_what_unload_cannot_do_is_refused_by_name(db: Db, bucket: Bucket, query: str, options: str, word: str) -> None:
    with pytest.raises(psycopg2.errors.FeatureNotSupported, match=word):
        unload(db, bucket, query, options)


def test_varbyte_is_written_in_hexadecimal_and_decimals_keep_their_scale(db: Db, bucket: Bucket, files: Any) -> None:
    unload(db, bucket, "select to_varbyte('00ff', 'hex') as b, cast(1.5 as decimal(6,3)) as d", "csv parallel off")
    assert files()["000"] == b"00ff,1.500\n"
    assert Decimal(files()["000"].split(b",")[1].decode()) == Decimal("1.500")


def test_unload_needs_credentials_and_an_s3_location(db: Db) -> None:
    with pytest.raises(psycopg2.errors.SyntaxError, match="IAM_ROLE or CREDENTIALS"):
        db.run("unload ('select 1') to 's3://b/k'")
    with pytest.raises(psycopg2.errors.FeatureNotSupported, match="anything but s3"):
        db.run("unload ('select 1') to 'k' iam_role default")


def test_an_extension_is_written_as_it_is_given(db: Db, bucket: Bucket, files: Any) -> None:
    unload(db, bucket, "select 1", "csv gzip parallel off extension 'csv.gz'", under="out_")
    assert list(files("out_")) == ["000.csv.gz"]


def test_an_unload_that_meets_a_conflict_names_its_table(redshift: Running, db: Db, bucket: Bucket) -> None:
    db.run("create table one (a int); create table two (a int); create table other (a int)")
    oid = db.value(f"select '{db.schema}.one'::regclass::oid")
    with contextlib.closing(redshift.connect()) as a, contextlib.closing(redshift.connect()) as b:
        in_a, in_b = a.cursor(), b.cursor()
        in_a.execute(f"select * from {db.schema}.other")  # takes the snapshot
        in_b.execute(f"select * from {db.schema}.two; insert into {db.schema}.one values (1)")
        b.commit()
        in_a.execute(f"insert into {db.schema}.two values (1)")
        with pytest.raises(psycopg2.Error, match=rf"1023\s+DETAIL.*violation on table - {oid},"):
            in_a.execute(
                f"unload ('select a from {db.schema}.one') to 's3://{BUCKET}/{bucket.prefix}/x_' iam_role default"
            )

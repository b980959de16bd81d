"""COPY of CSV, delimited text and JSON: Redshift's options, its rules for NULL, and the record of what was refused.

From Redshift's pages "Data format parameters", "Data conversion parameters", "Data load operations",
"DATEFORMAT and TIMEFORMAT strings", "COPY from JSON format" and "Load error reference".
"""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import json
from decimal import Decimal
from typing import Any

import psycopg2
import pyarrow as pa
import pytest
import redshift_connector

from .conftest import PASSWORD, Bucket, Db, Running


def load(db: Db, bucket: Bucket, body: bytes | str, options: str, table: str = "t") -> list[tuple[Any, ...]]:
    url = bucket.put("data", body.encode() if isinstance(body, str) else body)
    db.run(f"copy {table} from '{url}' iam_role default {options}")
    return db.run(f"select * from {table.partition('(')[0]}")


@pytest.mark.parametrize(
    ("body", "options", "expected"),
    [
        ('1,"a ""b"", c"\n2,\n', "csv", [(1, 'a "b", c'), (2, "")]),
        ('1,"two\nlines"\n', "csv", [(1, "two\nlines")]),
        ("1,%a%%b%\n", "csv quote as '%'", [(1, "a%b")]),
        ('1, "a, ""b""" \n2,"c" \n', "csv", [(1, 'a, "b"'), (2, "c")]),
        ('1,"  ""q"\n2, b\n', "csv", [(1, '  "q'), (2, " b")]),
        ('1,a"b\n2,"a"b\n3,c\n4,"open\n', "csv maxerror 4", [(3, "c")]),
        ("x\ty\nn\ta\n1\tb\n", "csv ignoreheader 2 delimiter '\\t'", [(1, "b")]),
        ("1;b\r\n", "format as csv delimiter as ';'", [(1, "b")]),
        ("1|b\n2|c|d\n", "maxerror 2", [(1, "b")]),
        ("1|b", "", [(1, "b")]),
        ("1\x01b\n", "delimiter '\\001'", [(1, "b")]),
        ("\\N|\\N\n|\n", "", [(None, None), (None, "")]),
        ("none|none\n1|\\N\n", "null as 'none'", [(None, None), (1, "\\N")]),
        ("1|\n2|  \n", "emptyasnull", [(1, None), (2, "  ")]),
        ("1|\n2|  \n", "blanksasnull", [(1, ""), (2, None)]),
        ("1|a  \n", "trimblanks", [(1, "a")]),
        ("1|a\\|b\\\\c\\\nd\n", "escape", [(1, "a|b\\c\nd")]),
        ("1|\\N\n", "escape", [(1, None)]),
        ("1|\"a|b\"\n2|'c'\n", "removequotes", [(1, "a|b"), (2, "c")]),
        ("1\n\n2|b\n", "fillrecord ignoreblanklines", [(1, ""), (2, "b")]),
        ("1\n", "fillrecord emptyasnull", [(1, None)]),
        ("1|abcdefghijklmnopqrsté\n", "truncatecolumns", [(1, "abcdefghijklmnopqrst")]),
        (b"1|a\xffb\xc3\n", "acceptinvchars", [(1, "a?b?")]),
        (b"1|a\xe2\x28\n", "acceptinvchars as '^'", [(1, "a^(")]),
    ],
)
def test_text_is_read_as_its_options_say(db: Db, bucket: Bucket, body: str, options: str, expected: Any) -> None:
    db.run("create table t (a int, b varchar(20))")
    assert load(db, bucket, body, options) == expected


@pytest.mark.parametrize(
    ("option", "pack"),
    [
        ("gzip", gzip.compress),
        ("bzip2", bz2.compress),
        ("zstd", lambda b: pa.compress(b, "zstd", asbytes=True)),
    ],
)
def test_compressed_files_are_read(db: Db, bucket: Bucket, option: str, pack: Any) -> None:
    db.run("create table t (a int)")
    assert load(db, bucket, pack(b"1\n2\n"), option) == [(1,), (2,)]
    with pytest.raises(psycopg2.Error, match="cannot be read"):
        load(db, bucket, b"1\n2\n", option)


@pytest.mark.parametrize(
    ("kind", "text", "options", "expected"),
    [
        ("smallint", " 7 ", "", 7),
        ("decimal(8,2)", "20.259", "", Decimal("20.25")),
        ("decimal(8,2)", "20.259", "roundec", Decimal("20.26")),
        ("decimal(8,2)", "-20.259", "", Decimal("-20.25")),
        ("double precision", "1e-5", "", 1e-5),
        ("boolean", "YES", "", True),
        ("boolean", "0", "", False),
        ("date", "2020-02-29", "", dt.date(2020, 2, 29)),
        ("date", "02/29/2020", "dateformat 'MM/DD/YYYY'", dt.date(2020, 2, 29)),
        ("date", "29.2.20", "dateformat 'DD.MM.YY'", dt.date(2020, 2, 29)),
        ("date", "Feb-29-2020", "dateformat 'MON-DD-YYYY'", dt.date(2020, 2, 29)),
        ("date", "20200229", "dateformat 'auto'", dt.date(2020, 2, 29)),
        ("date", "00/00/00", "acceptanydate dateformat 'auto'", None),
        ("timestamp", "2020-01-02 03:04:05.123456", "", dt.datetime(2020, 1, 2, 3, 4, 5, 123456)),
        ("timestamp", "2020-01-02T03:04:05.5Z", "timeformat 'auto'", dt.datetime(2020, 1, 2, 3, 4, 5, 500000)),
        (
            "timestamp",
            "1/2/2020 3:04:05 PM",
            "timeformat 'MM/DD/YYYY HH12:MI:SS AM'",
            dt.datetime(2020, 1, 2, 15, 4, 5),
        ),
        ("timestamp", "1577934245", "timeformat 'epochsecs'", dt.datetime(2020, 1, 2, 3, 4, 5)),
        ("timestamp", "1577934245678", "timeformat 'epochmillisecs'", dt.datetime(2020, 1, 2, 3, 4, 5, 678000)),
        ("timestamptz", "2020-01-02 03:04:05+02", "", dt.datetime(2020, 1, 2, 1, 4, 5, tzinfo=dt.UTC)),
        ("time", "23:59:59.5", "", dt.time(23, 59, 59, 500000)),
        ("super", '{"b": [1.10, null], "a": 1e5}', "", '{"b":[1.10,null],"a":1e5}'),
        ("super", '{"\\u0041/": " \\u00e9 ", "c": "\\" : "}', "delimiter '~'", '{"A/":" é ","c":"\\" : "}'),
        ("super", ' "text" ', "", '"text"'),
        ("super", '"\\u0001[1]"', "", '"\\u0001[1]"'),
    ],
)
def test_a_field_is_converted_to_its_columns_type(
    db: Db, bucket: Bucket, kind: str, text: str, options: str, expected: Any
) -> None:
    db.run(f"create table t (a {kind})")
    assert load(db, bucket, text + "\n", options) == [(expected,)]


@pytest.mark.parametrize(
    ("kind", "text", "code"),
    [
        ("int", "x", 1207),
        ("int", "1.5", 1207),
        ("int", "2147483648", 1222),
        ("real", "1e39", 1204),
        ("double precision", "x", 1208),
        ("decimal(4,2)", "100", 1204),
        ("decimal(4,2)", "1,5", 1209),
        ("boolean", "maybe", 1210),
        ("date", "2020-02-30", 1205),
        ("date", "02/29/2020", 1205),
        ("timestamp", "2020-01-01T00:00:00", 1206),
        ("varchar(3)", "éé", 1204),
        ("char(4)", "é", 1215),
        ("varchar(9)", b"a\xff", 1220),
        ("int not null", "", 1213),
        ("super", "{", 1224),
        ("super", "text", 1224),
        ("super", "NaN", 1224),
        ("super", '{"a": 1, "b": {"a": 1, "a": 2}}', 1224),
        ("super", json.dumps(["x" * 65_536]), 1224),
        ("super", "[" * 1_001 + "]" * 1_001, 1224),
        ("super", '"\\u0000"', 1220),
        ("super", '"\\ud800"', 1220),
        ("super", b'"\xff"', 1220),
        ("int", "1|2", 1202),
    ],
)
def test_a_field_that_cannot_be_converted_has_redshifts_error_number(
    db: Db, bucket: Bucket, kind: str, text: str | bytes, code: int
) -> None:
    db.run(f"create table t (a {kind})")
    body = text.encode() if isinstance(text, str) else text
    with pytest.raises(psycopg2.InternalError, match="Check 'stl_load_errors' system table") as failure:
        load(db, bucket, body + b"\n", "")
    assert f"({code})" in str(failure.value)
    assert db.run("select err_code, line_number from stl_load_errors where query = pg_last_copy_id()") == [(code, 1)]
    assert db.run("select * from t") == []


def test_rows_that_cannot_be_loaded_are_counted_against_maxerror(db: Db, bucket: Bucket) -> None:
    db.run("create table t (a int, b date)")
    body = "1|2020-01-01\nx|2020-01-01\n2|never\n3|2020-01-03\n"
    assert load(db, bucket, body, "maxerror 3") == [(1, dt.date(2020, 1, 1)), (3, dt.date(2020, 1, 3))]
    assert db.value("select pg_last_copy_count()") == 2
    assert db.run(
        "select line_number, trim(colname), trim(type), trim(raw_line), trim(raw_field_value), err_code "
        "from stl_load_errors where query = pg_last_copy_id() order by line_number"
    ) == [(2, "a", "int4", "x|2020-01-01", "x", 1207), (3, "b", "date", "2|never", "never", 1205)]
    with pytest.raises(psycopg2.Error, match="Load into table 't' failed"):
        load(db, bucket, body, "maxerror 2")
    assert db.value("select count(*) from t") == 2
    assert db.run("select status, error_count from sys_load_history where query_id = pg_last_copy_id()") == [
        ("failed", 2)
    ]


def test_the_record_of_a_load_outlives_its_rolled_back_transaction(redshift: Running, db: Db, bucket: Bucket) -> None:
    db.run("create table t (a int)")
    url = bucket.put("bad", b"1\nx\n")
    connection = redshift.connect()
    with connection.cursor() as cursor:
        cursor.execute("select pg_last_copy_id(), pg_last_copy_count()")
        assert cursor.fetchone() == (-1, 0)
        with pytest.raises(psycopg2.Error):
            cursor.execute(f"copy {db.schema}.t from '{url}' iam_role default")
        connection.rollback()
        cursor.execute("select trim(filename), line_number from stl_load_errors where query = pg_last_copy_id()")
        assert cursor.fetchall() == [(url, 2)]
        cursor.execute("select pg_last_copy_count()")
        assert cursor.fetchone() == (0,)
    connection.close()


def test_stl_load_commits_names_the_files_of_a_load(db: Db, bucket: Bucket) -> None:
    db.run("create table t (a int)")
    one, two = bucket.put("c/1", b"1\n"), bucket.put("c/2", b"2\n3\n")
    db.run(f"copy t from '{one[:-1]}' iam_role default")
    assert db.run(
        "select trim(filename), lines_scanned, trim(file_format) from stl_load_commits "
        "where query = pg_last_copy_id() order by 1"
    ) == [(one, 1, "Text"), (two, 2, "Text")]
    history = "select status, loaded_rows, source_file_count from sys_load_history where query_id = pg_last_copy_id()"
    assert db.run(history) == [("completed", 3, 2)]


def test_noload_checks_the_file_and_loads_nothing(db: Db, bucket: Bucket) -> None:
    db.run("create table t (a int)")
    assert load(db, bucket, "1\n", "noload") == []
    with pytest.raises(psycopg2.Error, match="stl_load_errors"):
        load(db, bucket, "x\n", "noload")


class TestJson:
    @pytest.fixture(autouse=True)
    def _table(self, db: Db) -> None:
        db.run("create table t (a int, b varchar(20))")

    def test_auto_matches_case_and_ignorecase_does_not(self, db: Db, bucket: Bucket) -> None:
        assert load(db, bucket, '{"A": 1, "b": "x"}', "json 'auto'") == [(None, "x")]
        db.run("delete from t")
        assert load(db, bucket, '{"A": 1, "b": "x"}', "json 'auto ignorecase'") == [(1, "x")]

    def test_values_may_span_lines_or_share_one(self, db: Db, bucket: Bucket) -> None:
        body = '{"a": 1,\n "b": "}{"}{"a": 2}\n\n{"a": 3, "b": {"c": [1]}}'
        assert load(db, bucket, body, "json 'auto'") == [(1, "}{"), (2, None), (3, '{"c":[1]}')]

    def test_a_broken_object_is_one_rows_error(self, db: Db, bucket: Bucket) -> None:
        body = '{"a": 1}\n{"a": oops}\n{"a": 2}\n'
        assert load(db, bucket, body, "json 'auto' maxerror 2") == [(1, None), (2, None)]
        assert db.run("select line_number, err_code from stl_load_errors where query = pg_last_copy_id()") == [
            (2, 1216)
        ]

    def test_jsonpaths_name_the_values_by_position(self, db: Db, bucket: Bucket) -> None:
        paths = bucket.put("p.json", json.dumps({"jsonpaths": ["$.x.n", "$['y'][1]"]}).encode())
        assert load(db, bucket, '{"x": {"n": 5}, "y": [1, "two"]}', f"json '{paths}'") == [(5, "two")]
        with pytest.raises(psycopg2.Error, match="jsonpaths and the number of columns"):
            load(db, bucket, "{}", f"json '{paths}'", "t (a)")
        with pytest.raises(psycopg2.Error, match="not a JSONPaths file"):
            load(db, bucket, "{}", f"json '{bucket.put('q.json', b'[]')}'")

    def test_noshred_keeps_the_whole_value(self, db: Db, bucket: Bucket) -> None:
        db.run("create table s (a super)")
        assert load(db, bucket, '{"z": [1.0]}\n[2]', "json 'noshred'", "s") == [('{"z":[1.0]}',), ("[2]",)]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ("csv escape", "ESCAPE with CSV is not supported"),
        ("csv removequotes", "REMOVEQUOTES with CSV"),
        ("quote '%'", "QUOTE with delimited text"),
        ("json 'auto' delimiter '|'", "DELIMITER with JSON"),
        ("json 'auto' null 'x'", "NULL with JSON"),
        ("json 'auto' fillrecord", "FILLRECORD with JSON"),
        ("parquet maxerror 1", "MAXERROR is not supported by Redshift: not supported for columnar"),
        ("parquet acceptanydate dateformat 'auto'", "ACCEPTANYDATE .* columnar"),
        ("parquet compupdate off", "COMPUPDATE .* columnar"),
        ("parquet truncatecolumns", "TRUNCATECOLUMNS .* columnar"),
        ("csv serializetojson", "SERIALIZETOJSON"),
        ("timeformat 'YYYY-MM-DD HH:MI:SS TZ'", "TIMEFORMAT with a time zone"),
        ("avro 'auto'", "does not imitate COPY … AVRO"),
        ("format orc", "does not imitate COPY … ORC"),
        ("delimiter '|~|'", "does not imitate COPY … DELIMITER of other than one character"),
        ("dateformat 'Q'", "does not imitate COPY … DATEFORMAT with Q"),
    ],
)
def test_options_that_do_not_go_together_or_are_unknown_are_refused_by_name(db: Db, options: str, word: str) -> None:
    db.run("create table t (a int)")
    with pytest.raises(psycopg2.errors.FeatureNotSupported, match=word):
        db.run(f"copy t from 's3://b/k' iam_role default {options}")


def test_options_without_effect_here_are_accepted(db: Db, bucket: Bucket) -> None:
    db.run("create table t (a int)")
    options = "compupdate off statupdate on comprows 1000 region 'us-east-1' encoding utf8 maxerror as 5"
    assert load(db, bucket, "1\n", options) == [(1,)]


def test_varbyte_is_loaded_from_hexadecimal_csv_only(db: Db, bucket: Bucket) -> None:
    db.run("create table t (a varbyte(2))")
    assert load(db, bucket, "00FF\n", "csv") == [("00ff",)]
    for options in ("", "json 'auto'"):
        with pytest.raises(psycopg2.errors.FeatureNotSupported, match="COPY into VARBYTE"):
            load(db, bucket, "00ff\n", options)


def test_no_option_and_no_key_of_a_copy_reaches_the_statement_log(make_redshift: Any, bucket: Bucket) -> None:
    running = make_redshift("--log-statements", "/dev/stderr").start()
    connection = running.connect()
    with connection.cursor() as cursor, pytest.raises(psycopg2.Error):
        cursor.execute("copy t from 's3://b/k' credentials 'aws_secret_access_key=hush-hush' csv quote 'q'")
    connection.close()
    running.stop()
    log = running.data.with_suffix(".err").read_text()
    assert "copy t from ?" in log and "hush" not in log


def test_a_parquet_file_that_ends_early_is_filled_with_fillrecord_only(db: Db, bucket: Bucket) -> None:
    db.run("create table t (a int, b varchar(5), c int)")
    url = bucket.parquet("x.parquet", {"a": pa.array([1], pa.int32())})
    with pytest.raises(psycopg2.Error, match="has 1 columns, the table expects 3"):
        db.run(f"copy t from '{url}' iam_role default parquet")
    db.run(f"copy t from '{url}' iam_role default parquet fillrecord")
    assert db.run("select * from t") == [(1, None, None)]


def test_a_parquet_string_that_is_no_utf8_needs_acceptinvchars(db: Db, bucket: Bucket) -> None:
    db.run("create table t (a varchar(5))")
    broken = pa.Array.from_buffers(pa.string(), 1, pa.array([b"a\xff"]).buffers())
    url = bucket.parquet("x.parquet", {"a": broken})
    with pytest.raises(psycopg2.Error, match="column a is not UTF-8"):
        db.run(f"copy t from '{url}' iam_role default parquet")
    db.run(f"copy t from '{url}' iam_role default parquet acceptinvchars '#'")
    assert db.run("select * from t") == [("a#",)]


def test_an_empty_file_loads_no_row_and_no_file_is_an_error(db: Db, bucket: Bucket) -> None:
    db.run("create table t (a int)")
    assert load(db, bucket, "", "csv") == []
    with pytest.raises(psycopg2.Error, match="does not exist"):
        db.run(f"copy t from 's3://copy-tests/{bucket.prefix}/nothing' iam_role default")


def test_a_user_loads_his_tables_and_sees_his_own_loads_only(redshift: Running, db: Db, bucket: Bucket) -> None:
    db.run("create table t (a int)")
    load(db, bucket, "1\n", "csv")
    name = "loader_" + bucket.prefix
    db.run(f"create user {name} password 'Only4tests'")
    db.run(f"grant usage on schema {db.schema} to {name}")
    db.run(f"grant all on {db.schema}.t to {name}")
    connection = redshift.connect(user=name, password="Only4tests")
    connection.autocommit = True
    with connection.cursor() as cursor:
        with pytest.raises(psycopg2.Error, match="stl_load_errors"):
            cursor.execute(f"copy {db.schema}.t from '{bucket.put('bad', b'x')}' iam_role default")
        cursor.execute("select trim(filename), err_code from stl_load_errors")
        assert cursor.fetchall() == [(f"s3://copy-tests/{bucket.prefix}/bad", 1207)]
        cursor.execute("select count(*) from stl_load_errors where query = pg_last_copy_id()")
        assert cursor.fetchone() == (1,)
    connection.close()


def test_redshift_connector_loads_and_unloads_with_the_extended_protocol(
    redshift: Running, db: Db, bucket: Bucket
) -> None:
    db.run("create table t (a int)")
    url = bucket.put("in.csv", b"1\n2\n")
    login = {"user": "el", "password": PASSWORD, "database": "dev"}
    with redshift_connector.connect(host="127.0.0.1", port=redshift.port, ssl=False, **login) as connection:
        cursor = connection.cursor()
        cursor.execute(f"copy {db.schema}.t from '{url}' iam_role default csv")
        cursor.execute("select pg_last_copy_count(), pg_last_copy_id() > 0")
        assert tuple(cursor.fetchone()) == (2, True)
        out = f"s3://copy-tests/{bucket.prefix}/out/"
        cursor.execute(f"unload ('select * from {db.schema}.t -- all;') to '{out}' iam_role default csv manifest")
        cursor.execute(f"copy {db.schema}.t from '{out}manifest' iam_role default csv manifest")
        connection.commit()
    assert db.value("select count(*) from t") == 4

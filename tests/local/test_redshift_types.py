"""Types keep Redshift's names, limits and forms."""

from __future__ import annotations

import json

import psycopg2
import pytest

from .conftest import Db

COLUMNS = {
    "a smallint": ("smallint", None, 16, 0),
    "b int": ("integer", None, 32, 0),
    "c bigint": ("bigint", None, 64, 0),
    "d decimal(20, 0)": ("numeric", None, 20, 0),
    "e decimal": ("numeric", None, 18, 0),
    "f real": ("real", None, 24, None),
    "g double precision": ("double precision", None, 53, None),
    "h boolean": ("boolean", None, None, None),
    "i char(3)": ("character", 3, None, None),
    "j varchar": ("character varying", 256, None, None),
    "k varchar(max)": ("character varying", 65535, None, None),
    "l character varying(17)": ("character varying", 17, None, None),
    "m date": ("date", None, None, None),
    "n timestamp without time zone": ("timestamp without time zone", None, None, None),
    "o timestamptz": ("timestamp with time zone", None, None, None),
    "p super": ("super", None, None, None),
    "q varbyte(100)": ("binary varying", None, None, None),
    "r text": ("character varying", 256, None, None),
    "s time": ("time without time zone", None, None, None),
}


def test_the_catalog_shows_redshifts_names_and_sizes(db: Db) -> None:
    db.run(f"create table t ({', '.join(COLUMNS)})")
    found = db.run(
        "select column_name, data_type, character_maximum_length, numeric_precision, numeric_scale"
        " from information_schema.columns where table_name = 't' and table_schema = %s order by ordinal_position",
        db.schema,
    )
    assert found == [(column.split()[0], *expected) for column, expected in COLUMNS.items()]


def test_a_created_table_shows_types_that_can_be_declared(db: Db) -> None:
    db.run("create table t as select 'x' as a, 1::decimal(9, 2) as b, json_parse('1') as c, 'y'::varchar(5) as d")
    assert db.run(
        'select "column", type from pg_table_def where schemaname = %s order by "column"', db.schema
    ) == [
        ("a", "character varying(65535)"),
        ("b", "numeric(9,2)"),
        ("c", "super"),
        ("d", "character varying(5)"),
    ]  # fmt: skip


@pytest.mark.parametrize("make", ["create table t (a varchar(5))", "create table t as select ''::varchar(5) as a"])
def test_the_length_of_a_varchar_counts_bytes(db: Db, make: str) -> None:
    db.run(make)
    db.run("insert into t values ('éé1')")
    with pytest.raises(psycopg2.errors.StringDataRightTruncation, match=r"too long for type character varying\(5\)"):
        db.run("insert into t values ('ééé')")
    with pytest.raises(psycopg2.errors.StringDataRightTruncation, match="too long"):
        db.run("insert into t values ('sixsix')")


def test_added_copied_and_renamed_columns_count_bytes_too(db: Db) -> None:
    db.run("create table t (a varchar(3)); alter table t add column b varchar(4); alter table t rename column a to c")
    db.run("create temp table u (like t)")
    for table in ("t", "u"):
        for column in ("b", "c"):
            with pytest.raises(psycopg2.errors.StringDataRightTruncation):
                db.run(f"insert into {table} ({column}) values ('ééé')")


def test_varbyte_has_a_limit(db: Db) -> None:
    db.run("create table t (a varbyte(2), b varbyte(2))")
    db.run("insert into t values (from_hex('ffff'), from_hex('00'))")
    with pytest.raises(psycopg2.errors.StringDataRightTruncation):
        db.run("insert into t (b) values (from_hex('ffffff'))")


def test_a_decimal_that_does_not_fit_is_redshifts_error(db: Db) -> None:
    db.run("create table t (a decimal(4, 2))")
    with pytest.raises(psycopg2.errors.NumericValueOutOfRange, match="Numeric data overflow"):
        db.run("insert into t values (100)")


def test_super_takes_parsed_json_and_gives_compact_text(db: Db) -> None:
    db.run("create table t (id int, a super)")
    parsed = (
        "insert into t select %s, case when can_json_parse(x) then json_parse(x) end from (select %s::varchar as x) y"
    )
    db.run(parsed, 1, '{"k": [1, {"ü": " , : "}]}')
    db.run(parsed, 2, "{broken")
    assert db.run("select a from t order by id") == [('{"k":[1,{"ü":" , : "}]}',), (None,)]


def test_a_string_in_super_is_any_string_and_never_read_as_json(db: Db) -> None:
    db.run("create table t (id int, c super)")
    texts = ["", " ", "null", "1", "{}", '{"a":1}', "[", '"', "\\", "é\n", "\x02"]
    for number, text in enumerate(texts):
        db.run("insert into t values (%s, %s)", number, text)
    assert [json.loads(c) for (c,) in db.run("select c from t order by id")] == texts
    assert db.run("select c::varchar from t order by id") == [(text,) for text in texts]
    assert db.run("select distinct json_typeof(c) from t") == [("string",)]
    cast = db.value("select (%s::varchar)::super", "\x01[1]")  # U+0001 marks what is no string
    assert json.loads(cast) == "\x01[1]" and db.value("select json_typeof((%s::varchar)::super)", "\x01[1]") == "string"


def test_trailing_blanks_do_not_count_however_rows_are_matched(db: Db) -> None:
    """Many rows, so that PostgreSQL hashes and sorts instead of comparing one by one."""
    db.run("create table t (a varchar(20), n int); create table u (a char(9), b varchar(9))")
    many = ", ".join(f"('key {i}', {i}), ('key {i}  ', {i})" for i in range(2000))
    db.run(f"insert into t values {many}")
    db.run("insert into u select distinct a, a from t; analyze t; analyze u")
    assert db.value("select count(*) from u") == 2000
    assert db.value("select count(*) from t join u on t.a = u.a and t.a = u.b") == 4000
    assert db.value("select count(distinct a) from t") == 2000
    assert db.value("select count(*) from (select a from t union select a from t) x") == 2000
    assert db.value("select max(nth) from (select row_number() over (partition by a) as nth from t) x") == 2
    names = ", ".join(f"'key {i} '" for i in range(50))
    assert db.value(f"select count(*) from t where a in ({names})") == 100
    assert db.value("select count(*) from t where len(a) > len(rtrim(a))") == 2000


def test_what_is_cut_to_a_length_in_bytes_keeps_whole_characters(db: Db) -> None:
    cut = [db.value(f"select 'aé€😀b'::varchar({n})") for n in range(1, 12)]
    assert cut == ["a", "a", "aé", "aé", "aé", "aé€", "aé€", "aé€", "aé€", "aé€😀", "aé€😀b"]


def test_an_average_of_decimals_has_their_scale(db: Db) -> None:
    db.run("create table t (a decimal(12, 4), b decimal(5, 0)); insert into t values (1, 1), (2, 1), (2, 3)")
    assert [str(v) for v in db.run("select avg(a), avg(b) from t")[0]] == ["1.6666", "1"]

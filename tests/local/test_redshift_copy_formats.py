"""COPY of fixed-width files, of other encodings, and of explicit identities.

From Redshift's pages "Data format parameters", "Data conversion parameters" and "Load error reference".
"""

from __future__ import annotations

import psycopg2
import pytest

from .conftest import Bucket, Db

ROLE = "iam_role 'arn:aws:iam::000000000000:role/any'"


def test_fields_of_fixed_width_are_cut_by_their_widths(db: Db, bucket: Bucket) -> None:
    db.run("create table t (id int, name varchar(10), city char(4))")
    file = bucket.put("fixed.txt", b"001Ann       Rome\r\n002          Oslo\n")
    db.run(f"copy t from '{file}' {ROLE} fixedwidth 'id:3, 1:10, city:4'")
    assert db.run("select id, '<' || name || '>', city from t order by id") == [
        (1, "<Ann       >", "Rome"), (2, "<          >", "Oslo"),
    ]  # fmt: skip
    db.run("truncate t")
    db.run(f"copy t from '{file}' {ROLE} fixedwidth as 'a:3,b:10,c:4' trimblanks emptyasnull")
    assert db.run("select name from t order by id") == [("Ann",), (None,)]


@pytest.mark.parametrize(
    ("body", "options", "words"),
    [
        (b"001Ann\n", "fixedwidth 'a:3,b:4'", "1216"),
        (b"001Ann  \n", "fixedwidth 'a:3,b:4'", "1202"),
        (b"001Ann\n", "fixedwidth 'a:3'", "FIXEDWIDTH has 1 columns, the table 2"),
        (b"001Ann\n", "fixedwidth 'a:3;b:4'", "FIXEDWIDTH must be"),
        (b"001Ann\n", "fixedwidth 'a:3,b:4' delimiter '|'", "DELIMITER with FIXEDWIDTH"),
        (b"001Ann\n", "fixedwidth 'a:3,b:4' csv", "FIXEDWIDTH with CSV"),
        ("001é   \n".encode(), "fixedwidth 'a:3,b:4'", "other characters than ASCII"),
        ("1,é\n".encode("utf-16-le"), "csv encoding utf16", "1221"),
        ("1,a\n".encode("utf-16-be") + b"\xd8\x00", "csv encoding utf16be", "1221"),
        (b"1,a\n", "csv encoding latin1", "ENCODING LATIN1"),
    ],
)
def test_what_does_not_fit_its_widths_or_encoding_is_an_error(
    db: Db, bucket: Bucket, body: bytes, options: str, words: str
) -> None:
    db.run("create table t (a int, b varchar(10))")
    with pytest.raises(psycopg2.Error, match=words):
        db.run(f"copy t from '{bucket.put('file.txt', body)}' {ROLE} {options}")


@pytest.mark.parametrize(
    ("encoding", "python"), [("utf16", "utf-16"), ("'UTF16LE'", "utf-16-le"), ("utf16be", "utf-16-be")]
)
def test_utf16_is_read_with_its_byte_order(db: Db, bucket: Bucket, encoding: str, python: str) -> None:
    db.run("create table t (a int, b varchar(10))")
    file = bucket.put("file.csv", "1,é\n2,😀\n".encode(python))
    db.run(f"copy t from '{file}' {ROLE} csv encoding {encoding}")
    assert db.run("select a, b from t order by a") == [(1, "é"), (2, "😀")]


def test_a_byte_order_mark_of_utf8_belongs_to_the_first_field(db: Db, bucket: Bucket) -> None:
    db.run("create table t (a int); create table v (a varchar(10))")
    file = bucket.put("file.csv", b"\xef\xbb\xbf1\n")
    with pytest.raises(psycopg2.Error, match="1207"):
        db.run(f"copy t from '{file}' {ROLE} csv")
    db.run(f"copy v from '{file}' {ROLE} csv")
    assert db.run("select a from v") == [("\ufeff1",)]


def test_identity_columns_are_loaded_with_explicit_ids_only(db: Db, bucket: Bucket) -> None:
    db.run("create table t (id bigint identity(1, 1), a int)")
    pair, single = bucket.put("pair.csv", b"70,1\n"), bucket.put("single.csv", b"2\n")
    db.run(f"copy t from '{pair}' {ROLE} csv explicit_ids")
    db.run(f"copy t (id, a) from '{pair}' {ROLE} csv explicit_ids")
    db.run(f"copy t (a) from '{single}' {ROLE} csv")
    assert db.run("select id, a from t order by a, id") == [(70, 1), (70, 1), (1, 2)]
    with pytest.raises(psycopg2.Error, match="must name identity column id"):
        db.run(f"copy t (a) from '{single}' {ROLE} csv explicit_ids")
    with pytest.raises(psycopg2.Error, match="without EXPLICIT_IDS"):
        db.run(f"copy t (id, a) from '{pair}' {ROLE} csv")

"""enable_case_sensitive_identifier: quoted names keep their case while it is on, in every statement."""

from __future__ import annotations

import psycopg2.errors
import pytest
import redshift_connector

from .conftest import Bucket, Db, Running

ON = "set enable_case_sensitive_identifier to true"


@pytest.fixture
def mixed(db: Db) -> Db:
    db.run(ON)
    db.run('create table "Mixed" ("Col" int primary key, Other int) distkey ("Col") sortkey ("Col")')
    db.run('insert into "Mixed" ("Col", OTHER) values (1, 2)')
    return db


def test_quoted_names_keep_their_case_and_others_fold(mixed: Db) -> None:
    mixed.run("create table Mixed (Col int)")
    assert mixed.run('select "Col", "other", OTHER from "Mixed"') == [(1, 2, 2)]
    assert mixed.run("select col from MIXED") == []
    with pytest.raises(psycopg2.errors.UndefinedColumn):
        mixed.run('select col from "Mixed"')
    mixed.run('update "Mixed" set "Col" = 3 where "Col" = 1; delete from "Mixed" where "Col" = 9')
    found = mixed.run(
        'select "Col" + 1 as "Up", "Up" + 1 as "More" from "Mixed" where "Up" > 1'
        ' qualify row_number() over (order by "Col") = 1'
    )
    assert found == [(4, 5)]
    assert mixed.run("select \"column\", distkey, sortkey from pg_table_def where tablename = 'Mixed' order by 1") == [
        ("Col", True, 1), ("other", False, 0),
    ]  # fmt: skip


def test_reset_and_rollback_take_the_setting_back(mixed: Db) -> None:
    mixed.run("create table mixed (a int)")
    mixed.connection.autocommit = False
    mixed.run("set enable_case_sensitive_identifier to off")
    assert mixed.run('select a from "Mixed"') == []
    mixed.connection.rollback()
    mixed.connection.autocommit = True
    assert mixed.run('select "Col" from "Mixed"') == [(1,)]
    assert mixed.run("show enable_case_sensitive_identifier") == [("on",)]
    mixed.run("reset enable_case_sensitive_identifier")
    assert mixed.run('select "A" from "Mixed"') == []
    with pytest.raises(psycopg2.errors.InvalidParameterValue):
        mixed.run("set enable_case_sensitive_identifier to perhaps")


def test_views_over_such_names(mixed: Db) -> None:
    mixed.run(f'create view "Late" as select "Col" from {mixed.schema}."Mixed" with no schema binding')
    mixed.run('create materialized view "Kept" distkey ("Col") as select "Col" from "Mixed"')
    assert mixed.run('select "Col" from "Late" union all select "Col" from "Kept"') == [(1,), (1,)]
    mixed.run('alter table "Mixed" add column "New" int')
    mixed.run('refresh materialized view "Kept"; drop materialized view "Kept"')


def test_copy_finds_columns_of_such_names(mixed: Db, bucket: Bucket) -> None:
    url = bucket.put("rows.json", b'{"Col": 7, "other": 8}')
    mixed.run(f"""copy "Mixed" ("Col", other) from '{url}' iam_role 'arn:aws:iam::1:role/r' json 'auto'""")
    assert mixed.run('select "Col", other from "Mixed" order by 1') == [(1, 2), (7, 8)]


def test_it_can_be_a_users_own_and_counts_from_the_next_session(redshift: Running, db: Db) -> None:
    user, secret = f"reader_{db.schema}", "Reader-1-only-for-tests"
    db.run(f"create user {user} password '{secret}'; grant all on schema {db.schema} to {user}")
    db.run(f"alter user {user} set enable_case_sensitive_identifier to true")
    connection = redshift_connector.connect(
        host="127.0.0.1", port=redshift.port, user=user, password=secret, database="dev", ssl=False
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(f'create table {db.schema}."Mixed" ("Col" int)')
            cursor.execute(f'select "Col" from {db.schema}."Mixed"')
            assert [column[0] for column in cursor.description] == ["Col"]
        connection.commit()
    finally:
        connection.close()
    with pytest.raises(psycopg2.errors.UndefinedTable):
        db.run(f'select * from {db.schema}."Mixed"')
    db.run(f"drop schema {db.schema} cascade; create schema {db.schema}; drop user {user}")

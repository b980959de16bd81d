"""Materialized views, and what the catalog says about them. What a statement gives is in tests/conformance/ddl.yml."""

from __future__ import annotations

import psycopg2
import pytest

from .conftest import Db, Running

LAID_OUT = "create materialized view m backup no diststyle key distkey (b) compound sortkey (b, a) auto refresh yes as"


def test_its_layout_is_listed_as_tools_ask_for_it(db: Db) -> None:
    db.run("create table t (a int, b int)")
    db.run(f"{LAID_OUT} (select a, b from t)")
    here = f"where \"schema\" = '{db.schema}' and \"table\" = 'm'"
    assert db.run(f"select diststyle, sortkey1, sortkey_num from svv_table_info {here}") == [("KEY(b)", "b", 2)]
    columns = f"""select attname, attisdistkey, attsortkeyord from pg_attribute a join pg_class c on c.oid = a.attrelid
        join pg_namespace n on n.oid = c.relnamespace
        where nspname = '{db.schema}' and relname like 'mv_tbl__m__%' and attnum > 0 order by attname"""
    assert db.run(columns) == [("a", False, 2), ("b", True, 1)]


def test_it_is_a_view_whose_definition_is_its_create_statement(db: Db) -> None:
    db.run("create table t (a int, b int)")
    db.run(f"{LAID_OUT} (select a, b from t)")
    (definition,) = db.run(f"select definition from pg_views where schemaname = '{db.schema}'")
    assert definition == (f"{LAID_OUT} (select a, b from t);",)
    listed = f"select table_name, table_type from svv_tables where table_schema = '{db.schema}' order by 1"
    assert db.run(listed) == [("m", "VIEW"), ("t", "BASE TABLE")]


def test_nothing_is_left_of_it_when_its_table_or_its_schema_goes(db: Db) -> None:
    db.run("create table t (a int); create materialized view m as select a from t; drop table t cascade")
    assert (
        db.run(f"select relname from pg_class c, pg_namespace n where n.oid = relnamespace and nspname = '{db.schema}'")
        == []
    )
    db.run("create table t (a int); create materialized view m as select a from t")
    db.run(f"drop schema {db.schema} cascade; create schema {db.schema}")
    assert db.run(f"select 1 from stv_mv_info where schema = '{db.schema}'") == []


def test_what_a_transaction_wrote_makes_a_view_stale_for_it_and_for_others_when_it_commits(
    db: Db, redshift: Running
) -> None:
    stale = f"select is_stale from svv_mv_info where schema_name = '{db.schema}'"
    db.run("create table t (a int); create materialized view m as select a from t")
    other = redshift.connect()
    with other, other.cursor() as cursor:
        cursor.execute(f"insert into {db.schema}.t values (1)")
        cursor.execute(stale)
        assert cursor.fetchall() == [("t",)]
        assert db.value(stale) == "f"
    other.close()
    assert db.value(stale) == "t"


def test_a_user_may_read_it_who_may_not_read_its_table(db: Db, redshift: Running) -> None:
    user = f"u_{db.schema}"
    db.run("create table t (a int); insert into t values (1); create materialized view m as select a from t")
    db.run(f"create user {user} password disable")
    db.run(f"grant usage on schema {db.schema} to {user}; grant select on m to {user}")
    try:
        db.run(f"set session authorization {user}")
        assert db.run("select a from m") == [(1,)]
        assert db.run(f"select is_stale from svv_mv_info where schema_name = '{db.schema}'") == [("f",)]
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            db.run("refresh materialized view m")
        db.run("reset session authorization")
    finally:
        db.run(f"revoke all on m from {user}; revoke all on schema {db.schema} from {user}; drop user {user}")


def test_a_name_too_long_for_its_table_is_refused(db: Db) -> None:
    name = "m" * 53
    with pytest.raises(psycopg2.Error, match="52 bytes"):
        db.run(f"create materialized view {name} as select 1 as a")
    db.run(f"create materialized view {name[1:]} as select 1 as a")
    assert db.value(f"select count(*) from {name[1:]}") == 1

"""Views, bound and late binding, and what the catalog says about them."""

from __future__ import annotations

import psycopg2
import pytest

from .conftest import Db


def late(db: Db, name: str, query: str) -> None:
    db.run(f"create view {name} as {query} with no schema binding")


def columns(db: Db, view: str) -> list[str]:
    cols = "cols(s name, v name, c name, t varchar, n int)"
    found = db.run(f"select c from pg_get_late_binding_view_cols() {cols} where s = %s and v = %s", db.schema, view)
    return [c for (c,) in found]


def test_a_late_binding_view_may_come_before_its_table(db: Db) -> None:
    late(db, "v", f"select a, b from {db.schema}.t")
    with pytest.raises(psycopg2.errors.UndefinedTable, match="t"):
        db.run("select * from v")
    db.run("create table t (a int, b varchar(9)); insert into t values (1, 'x')")
    assert db.run("select b, a from v") == [("x", 1)]


def test_the_table_under_a_late_binding_view_may_go_and_come_back_with_other_columns(db: Db) -> None:
    db.run("create table t (a int); insert into t values (1)")
    late(db, "v", f"select * from {db.schema}.t")
    late(db, "w", f"select * from {db.schema}.v")
    db.run("grant select on v to public; comment on view v is 'said'")
    db.run("drop table t")
    with pytest.raises(psycopg2.errors.UndefinedTable):
        db.run("select * from w")
    db.run("create table t (z varchar(5), y int); insert into t values ('new', 2)")
    assert db.run("select * from w") == [("new", 2)]
    assert columns(db, "v") == columns(db, "w") == ["z", "y"]
    assert db.value(f"select obj_description('{db.schema}.v'::regclass)") == "said"
    db.run("alter table t add column x int default 7")
    assert db.run("select x, z from v") == [(7, "new")]
    db.run("alter table t rename to old; alter table old rename to t")
    assert db.run("select y from v") == [(2,)]


def test_a_late_binding_view_sees_the_transaction_it_is_used_in(db: Db) -> None:
    db.run("create table t (a int)")
    late(db, "v", f"select count(*) as n from {db.schema}.t")
    db.run("begin")
    db.run("insert into t values (1)")
    assert db.value("select n from v") == 1
    db.run("rollback")
    assert db.value("select n from v") == 0


def test_a_late_binding_view_must_name_schemas(db: Db) -> None:
    with pytest.raises(psycopg2.Error, match="should be qualified"):
        late(db, "v", "with c as (select 1 as a) select * from c join t using (a)")
    late(db, "v", f"with c as (select 1 as a) select c.a from c join {db.schema}.t using (a)")


def test_only_bound_views_hold_their_table(db: Db) -> None:
    db.run("create table t (a int)")
    db.run("create view bound as select a from t")
    late(db, "free", f"select a from {db.schema}.t")
    with pytest.raises(psycopg2.errors.DependentObjectsStillExist):
        db.run("drop table t")
    db.run("drop table t cascade")
    left = db.run("select table_name from information_schema.tables where table_schema = %s", db.schema)
    assert left == [("free",)]


def test_the_catalog_keeps_columns_of_late_binding_views_apart(db: Db) -> None:
    db.run("create table t (a int); create view bound as select a from t")
    late(db, "free", f"select a from {db.schema}.t")
    shown = db.run(
        "select table_name from information_schema.columns where table_schema = %s order by 1", db.schema
    )  # fmt: skip
    assert shown == [("bound",), ("t",)]
    attributes = db.run(
        "select c.relname from pg_catalog.pg_attribute a join pg_class c on c.oid = a.attrelid"
        " join pg_namespace n on n.oid = c.relnamespace where n.nspname = %s and a.attnum > 0 order by 1", db.schema
    )  # fmt: skip
    assert attributes == [("bound",), ("t",)]
    everywhere = db.run(
        "select distinct s, v from pg_get_late_binding_view_cols() c(s name, v name, c name, t varchar, n int)"
    )
    assert (db.schema, "free") in everywhere and not any(s == "redshift_internal" for s, _ in everywhere)
    assert columns(db, "free") == ["a"]


def test_a_late_binding_view_can_be_replaced_renamed_and_dropped(db: Db) -> None:
    db.run("create table t (a int); insert into t values (1)")
    late(db, "v", f"select a from {db.schema}.t")
    db.run(f"create or replace view v as select 'x'::varchar(3) as b, a from {db.schema}.t with no schema binding")
    db.run("alter table v rename to w")
    assert db.run("select * from w") == [("x", 1)]
    db.run("drop view w")
    with pytest.raises(psycopg2.errors.UndefinedTable):
        db.run("select * from w")


def test_tables_schemas_and_sizes_are_in_the_system_views(db: Db) -> None:
    db.run("create table t (a varchar(40)); insert into t values ('x'); analyze t")
    assert db.run("select 1 from svv_redshift_schemas where schema_name = %s", db.schema) == [(1,)]
    assert db.run('select "table", max_varchar, tbl_rows::int from svv_table_info where "schema" = %s', db.schema) == [
        ("t", 40, 1)
    ]
    assert db.run("select table_name, table_type from svv_redshift_tables where schema_name = %s", db.schema) == [
        ("t", "TABLE")
    ]
    assert db.run("select column_name, data_type from svv_redshift_columns where schema_name = %s", db.schema) == [
        ("a", "character varying(40)")
    ]
    for empty in ("stv_mv_info", "svv_external_columns", "svv_external_tables", "svv_external_schemas"):
        assert db.value(f"select count(*) from {empty}") == 0
    assert db.value("select has_table_privilege(current_user, 'svv_table_info', 'SELECT')") is True


def test_a_late_binding_view_may_stand_on_a_materialized_one(db: Db) -> None:
    late(db, "v", f"select * from {db.schema}.m")
    db.run("create table t (a int, b varchar(9)); insert into t values (1, 'x')")
    db.run("create materialized view m backup no as select b, a from t")
    assert db.run("select a, b from v") == [(1, "x")]
    db.run("insert into t values (2, 'y')")
    assert db.value("select count(*) from v") == 1
    db.run("refresh materialized view m")
    assert db.value("select count(*) from v") == 2
    with pytest.raises(psycopg2.Error):
        db.run("drop table t")
    db.run("drop materialized view m; drop table t")

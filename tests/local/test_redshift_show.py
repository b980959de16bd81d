"""SHOW TABLES and its like, and names of schemas with a database, as dbt-redshift sends them with datasharing."""

from __future__ import annotations

import psycopg2
import pytest

from .conftest import Db


def test_tables_are_listed_with_their_kind(db: Db) -> None:
    db.run("create table t (a int); create view v as select a from t; create materialized view m as select a from t")
    db.run(f"create view l as select a from {db.schema}.t with no schema binding")
    with db.connection.cursor() as cursor:
        cursor.execute(f'show tables from schema "dev"."{db.schema}"')
        names = [column.name for column in cursor.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    assert [(r["table_name"], r["table_type"], r["table_subtype"], r["owner"]) for r in rows] == [
        ("l", "VIEW", "LATE BINDING VIEW", "el"),
        ("m", "VIEW", "MATERIALIZED VIEW", "el"),
        ("t", "TABLE", "REGULAR TABLE", "el"),
        ("v", "VIEW", "REGULAR VIEW", "el"),
    ]
    assert [row[2] for row in db.run(f"show tables from schema {db.schema} like '_' limit 2")] == ["l", "m"]


def test_columns_schemas_databases_and_grants_are_listed(db: Db) -> None:
    db.run("create table t (a decimal(9, 2) not null, b varchar(7))")
    columns = db.run(f"show columns from table {db.schema}.t")
    assert [(c[3], c[6], c[7], c[8], c[9], c[10]) for c in columns] == [
        ("a", "NO", "numeric", None, 9, 2),
        ("b", "YES", "character varying", 7, None, None),
    ]
    assert [s[1] for s in db.run(f"show schemas from database dev like '{db.schema}'")] == [db.schema]
    assert "dev" in [d[0] for d in db.run("show databases")]
    group = f"g_{db.schema}"
    db.run(f"create group {group}; grant select on t to group {group}")
    grants = db.run(f"show grants on table dev.{db.schema}.t")
    db.run(f"revoke select on t from group {group}; drop group {group}")
    assert ("SELECT", f"/{group}", "role") in [(g[4], g[6], g[7]) for g in grants]


def test_a_schema_may_name_this_database_and_no_other(db: Db) -> None:
    name = f"{db.schema}_other"
    db.run(f'create schema if not exists "dev"."{name}"')
    assert db.value("select count(*) from pg_namespace where nspname = %s", name) == 1
    db.run(f"drop schema if exists dev.{name} cascade")
    assert db.value("select count(*) from pg_namespace where nspname = %s", name) == 0
    with pytest.raises(psycopg2.Error, match="another database"):
        db.run(f"create schema elsewhere.{name}")
    assert db.value("select count(*) from pg_namespace where nspname = %s", name) == 0

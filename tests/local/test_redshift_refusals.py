"""What Redshift refuses is refused, and what the local one cannot do is refused by name."""

from __future__ import annotations

import psycopg2
import pytest

from .conftest import Db, Running

REFUSED_BY_REDSHIFT = [
    ("create index i on t (a)", "index"),
    ("create unique index i on t (a)", "index"),
    ("create unlogged table u (a int)", "unlogged"),
    ("create trigger x before insert on t execute procedure f()", "trigger"),
    ("create extension hstore", "extension"),
    ("create sequence s", "sequence"),
    ("create type x as enum ('a')", "type"),
    ("create table x (a jsonb)", "jsonb"),
    ("create table x (a json)", "json"),
    ("create table x (a uuid)", "uuid"),
    ("create table x (a serial)", "serial"),
    ("create table x (a bytea)", "bytea"),
    ("create table x (a int[])", "array"),
    ("create table x (a int check (a > 0))", "CHECK"),
    ("create table x (a int) inherits (t)", "inherits"),
    ("create table x (a int) partition by range (a)", "partition"),
    ("create temp view v as select 1", "CREATE"),
    ("insert into t values (1) on conflict do nothing", "ON CONFLICT"),
    ("insert into t values (1) returning a", "RETURNING"),
    ("update t set a = 1 returning *", "RETURNING"),
    ("select distinct on (a) a from t", "DISTINCT ON"),
    ("select count(*) filter (where a > 1) from t", "FILTER"),
    ("select * from t, lateral (select t.a) x", "LATERAL"),
    ("select array[1, 2]", "ARRAY"),
    ("select '{}'::jsonb", "jsonb"),
    ("select cast(a as uuid) from t", "uuid"),
    ("select string_agg(a::varchar, ',') from t", "string_agg"),
    ("select array_agg(a) from t", "array_agg"),
    ("select generate_series(1, 2)", "generate_series"),
    ("select a from t for update", "FOR UPDATE"),
    ("with x as (insert into t values (1)) select 1", "WITH"),
    ("alter table t add column if not exists b int", "IF NOT EXISTS"),
    ("alter table t add column b int, add column c int", "several"),
    ("alter table t alter column a set not null", "ALTER COLUMN"),
    ("alter table t alter column a type bigint", "VARCHAR"),
    ("savepoint a", "SAVEPOINT"),
    ("lock table t in share mode", "mode"),
    ("copy t from 's3://b/k' iam_role default format parquet maxerror 5", "MAXERROR"),
    ("copy t from 's3://b/k' iam_role default format parquet gzip", "GZIP"),
    ("create function f (int) returns int stable as $$ return 1 $$ language plpythonu", "Python"),
    ("create function f (a int) returns int stable as $$ select a $$ language sql", "argument"),
    ("select sum(a) over (order by a) from t", "frame"),
    ("select sum(a) over (order by a range unbounded preceding) from t", "RANGE"),
    (
        "merge into t as x using t on x.a = t.a when matched then delete when not matched then insert values (1)",
        "alias",
    ),
    ("merge into t using t as s on t.a = s.a when matched then delete", "branches"),
    ("create materialized view m as select a from t order by a", "ORDER"),
    ("listen x", "LISTEN"),
    ("reindex table t", "REINDEX"),
    ("do $$ begin end $$", "DO"),
]

NOT_IMITATED = [
    ("create external schema e from data catalog database 'd'", "external"),
    ("create procedure p() as $$ begin end $$ language plpgsql", "procedure"),
    ("create table x (a geometry)", "geometry"),
    ("create table x (a hllsketch)", "hllsketch"),
    ("create table x (a varchar(9) collate case_insensitive)", "COLLATE"),
    ("set session characteristics as transaction isolation level read committed", "isolation"),
    ("set no_such_setting to 1", "no_such_setting"),
    ("select * from t a, t b where a.a (+) = b.a", "(+)"),
    ("select 1 from t a, t b where a.a (+) = 1", "(+)"),
    ("select max(a ignore nulls) over () from t", "NULLS"),
    ("select checksum(a) from t", "checksum"),
    ("execute x", "EXECUTE"),
    ("set downcase_delimited_identifier to off", "downcase"),
    ("show tables from database dev", "SHOW TABLES"),
    ("show tables from schema other.public", "SHOW TABLES"),
    ("show view t", "SHOW VIEW"),
]


@pytest.fixture
def table(db: Db) -> Db:
    db.run("create table t (a int)")
    return db


@pytest.mark.parametrize(("sql", "named"), REFUSED_BY_REDSHIFT)
def test_what_redshift_refuses_is_refused_by_name(table: Db, sql: str, named: str) -> None:
    with pytest.raises(psycopg2.errors.FeatureNotSupported, match="not supported by Redshift") as failure:
        table.run(sql)
    assert named.lower() in str(failure.value).lower()


@pytest.mark.parametrize(("sql", "named"), NOT_IMITATED)
def test_what_is_not_imitated_is_refused_by_name(table: Db, sql: str, named: str) -> None:
    with pytest.raises(psycopg2.errors.FeatureNotSupported, match="local Redshift does not imitate") as failure:
        table.run(sql)
    assert named.lower() in str(failure.value).lower()


@pytest.mark.parametrize(
    "column", ["varchar(65536)", "char(4097)", "decimal(39, 2)", "decimal(5, 6)", "varchar(0)", "varbyte(16777217)"]
)
def test_a_type_beyond_redshifts_limits_is_refused(db: Db, column: str) -> None:
    with pytest.raises(psycopg2.errors.InvalidParameterValue):
        db.run(f"create table x (a {column})")


def test_a_not_null_column_can_only_be_added_with_a_default(table: Db) -> None:
    with pytest.raises(psycopg2.Error, match="must have a non-null default"):
        table.run("alter table t add column b int not null")
    table.run("alter table t add column c int not null default 3")


def test_a_varchar_grows_outside_a_transaction_only(redshift: Running, db: Db) -> None:
    db.run("create table t (a varchar(5), n int, d varchar(5) default 'x')")
    connection = redshift.connect()
    with connection.cursor() as cursor:
        cursor.execute("select 1")
        with pytest.raises(psycopg2.Error, match="transaction block"):
            cursor.execute(f"alter table {db.schema}.t alter column a type varchar(20)")
    connection.close()
    with pytest.raises(psycopg2.Error, match="not VARCHAR"):
        db.run("alter table t alter column n type varchar(20)")
    with pytest.raises(psycopg2.Error, match="default"):
        db.run("alter table t alter column d type varchar(20)")
    db.run("alter table t alter column a type varchar(20)")
    db.run("insert into t (a) values ('ten letters')")


def test_a_refusal_fails_the_open_transaction_as_any_error_does(redshift: Running, db: Db) -> None:
    connection = redshift.connect()
    with connection.cursor() as cursor:
        cursor.execute(f"create table {db.schema}.x (a int)")
        with pytest.raises(psycopg2.Error):
            cursor.execute("create index i on t (a)")
        with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
            cursor.execute("select 1")
    connection.rollback()
    connection.close()
    assert db.value("select count(*) from svv_tables where table_schema = %s", db.schema) == 0


def test_what_is_no_statement_at_all_is_a_syntax_error(db: Db) -> None:
    with pytest.raises(psycopg2.errors.SyntaxError, match="selec"):
        db.run("selec 1")

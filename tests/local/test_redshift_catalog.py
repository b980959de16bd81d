"""The system views that dbt-redshift, dlt and administrators read."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import psycopg2
import pytest
import redshift_connector

from .conftest import PASSWORD, Bucket, Db, Running


@pytest.fixture
def reader(redshift: Running, db: Db) -> Iterator[str]:
    name = f"reader_{db.schema}"
    db.run(f"create user {name} password 'Reader-1-only-for-tests'")
    yield name
    db.run(f"drop schema {db.schema} cascade; create schema {db.schema}; drop user {name}")


def test_stl_query_shows_what_ran_without_its_literals(db: Db) -> None:
    db.run(f"create table {db.schema}.counted (a int, b varchar)")
    table = f"{db.schema}.counted"
    db.run(f"insert into {table} values (42, 'a secret')")
    with pytest.raises(psycopg2.Error):
        db.run(f"select missing from {table} where b = 'a secret'")
    rows = db.run(
        f"select trim(querytxt), aborted from stl_query where querytxt like '%{db.schema} . counted%' order by query"
    )
    written = table.replace(".", " . ")
    assert rows == [
        (f"create table {written} ( a int , b varchar )", 0),
        (f"insert into {written} values ( ? , ? )", 0),
        (f"select missing from {written} where b = ?", 1),
    ]


def test_sys_query_history_shows_type_status_and_session(redshift: Running, db: Db) -> None:
    db.run("select 1 as shown_in_history")
    pid = db.connection.info.backend_pid
    sql = (
        "select trim(query_type), trim(status), trim(database_name), session_id, start_time <= end_time"
        " from sys_query_history where trim(query_text) like '%shown_in_history' order by query_id desc limit 1"
    )
    assert db.run(sql) == [("SELECT", "success", "dev", pid, True)]


def test_the_first_to_ask_for_the_history_may_use_the_extended_protocol(redshift: Running, db: Db) -> None:
    name = f"asked_{db.schema}"
    db.run(f"create database {name}")
    connection = redshift_connector.connect(
        host="127.0.0.1", port=redshift.port, user="el", password=PASSWORD, database=name, ssl=False, timeout=60
    )
    connection.autocommit = True
    cursor = connection.cursor()
    for ran in ("first", "second"):
        cursor.execute(f"select 1 as {ran}")
        cursor.execute("select trim(querytxt) from stl_query order by query desc limit 1")
        assert cursor.fetchall() == ([f"select ? as {ran}"],)
    connection.close()
    db.run(f"drop database {name}")


def test_redshift_connector_lists_schemas_and_columns(redshift: Running, db: Db) -> None:
    db.run("create table listed (id int, price decimal(8,2), doc super)")
    connection = redshift_connector.connect(
        host="127.0.0.1", port=redshift.port, user="el", password=PASSWORD, database="dev", ssl=False
    )
    with connection.cursor() as cursor:
        assert [db.schema, "dev"] in list(cursor.get_schemas())
        columns = cursor.get_columns(schema_pattern=db.schema, tablename_pattern="listed")
        assert [(c[3], c[5], c[6]) for c in columns] == [
            ("id", "int4", 10),
            ("price", "numeric", 8),
            ("doc", "super", None),
        ]
    connection.close()


def test_a_user_sees_only_his_own_queries(redshift: Running, db: Db, reader: str) -> None:
    db.run("select 1 as hidden_from_others")
    connection = redshift.connect(user=reader, password="Reader-1-only-for-tests")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("select 2 as his_own")
        cursor.execute(
            "select trim(querytxt) from stl_query where querytxt like '%hidden_from%' or trim(querytxt) like '%his_own'"
        )
        assert cursor.fetchall() == [("select ? as his_own",)]
    connection.close()


def test_the_history_of_a_longer_statement_comes_in_pieces_of_200(db: Db) -> None:
    columns = ", ".join(f"{i} as column_in_pieces_{i}" for i in range(30))
    db.run(f"select {columns}")
    sql = (
        "select sequence, length(text) from stl_querytext where query = (select max(query) from stl_query"
        " where trim(querytxt) like '%column_in_pieces_29%') order by sequence"
    )
    pieces = db.run(sql)
    assert [sequence for sequence, _ in pieces] == list(range(len(pieces))) and len(pieces) > 2


def test_stv_views_show_sessions_locks_and_what_runs(db: Db) -> None:
    pid = db.connection.info.backend_pid
    assert db.run(f"select trim(user_name), trim(db_name) from stv_sessions where process = {pid}") == [("el", "dev")]
    assert db.run(f"select trim(status) from stv_recents where pid = {pid}") == [("Running",)]
    assert db.run(f"select count(*) from stv_inflight where pid = {pid}") == [(1,)]
    db.run("create table t (a int)")
    db.connection.autocommit = False
    db.run("lock table t")
    wanted = (
        f"select count(*) from stv_locks where lock_owner_pid = {pid} and table_id = '{db.schema}.t'::regclass::oid"
    )
    assert db.value(wanted) > 0
    db.connection.rollback()
    db.connection.autocommit = True


@pytest.mark.parametrize("view", ["svv_external_tables", "svv_external_schemas", "svv_external_columns"])
def test_external_views_are_there_and_empty(db: Db, view: str) -> None:
    assert db.run(f"select * from {view}") == []


def test_materialized_views_are_listed(db: Db) -> None:
    db.run("create table t (a int)")
    db.run("create materialized view summed as select sum(a) as s from t")
    sql = f"select trim(name), trim(user_name) from svv_mv_info where schema_name = '{db.schema}'"
    assert db.run(sql) == [("summed", "el")]


def test_users_groups_and_roles_are_listed_as_redshift_lists_them(db: Db, reader: str) -> None:
    group = f"group_{db.schema}"
    db.run(f"create group {group} with user {reader}")
    try:
        columns = "usename, usecreatedb, usesuper, usecatupd, passwd, valuntil, useconfig"
        assert db.run(f"select {columns} from pg_user where usename = '{reader}'") == [
            (reader, False, False, False, "********", None, None)
        ]
        members = (
            f"select u.usename from pg_user u join pg_group g on u.usesysid = any(g.grolist) where groname = '{group}'"
        )
        assert db.run(members) == [(reader,)]
        assert db.run(f"select superuser from svv_user_info where user_name = '{reader}'") == [(False,)]
    finally:
        db.run(f"drop group {group}")


def test_privileges_are_answered_for_tables_schemas_and_databases(db: Db, reader: str) -> None:
    db.run("create table t (a int)")
    table, schema = f"{db.schema}.t", db.schema
    ask = (
        f"select has_schema_privilege('{reader}', '{schema}', 'usage'), "
        f" has_table_privilege('{reader}', '{table}', 'select'),"
        f" has_table_privilege('{reader}', '{table}', 'insert'), has_database_privilege('{reader}', 'dev', 'create')"
    )
    assert db.run(ask) == [(False, False, False, False)]
    db.run(f"grant usage on schema {schema} to {reader}; grant select on {table} to {reader}")
    assert db.run(ask) == [(True, True, False, False)]


def test_psql_lists_tables_and_describes_one(redshift: Running, db: Db) -> None:
    db.run("create table t (a int not null, b varchar(5))")
    db.run("create view v as select a from t")
    where = f"host=127.0.0.1 port={redshift.port} user=el password={PASSWORD} dbname=dev"

    def psql(command: str) -> str:
        done = subprocess.run(["psql", where, "-XAtc", command], capture_output=True, text=True, check=False)
        assert done.returncode == 0 and not done.stderr, done.stderr
        return done.stdout

    assert f"{db.schema}|t|table|el" in psql(f"\\dt {db.schema}.*")
    assert "a|integer" in psql(f"\\d {db.schema}.t")
    assert db.schema in psql("\\dn")


def test_a_load_has_one_number_in_every_view_and_one_transaction(db: Db, bucket: Bucket) -> None:
    db.run("create table t (a int)")
    role = "iam_role 'arn:aws:iam::000000000000:role/any'"
    good, bad = bucket.put("good.csv", b"1\n"), bucket.put("bad.csv", b"x\n")
    db.run(f"copy t from '{good}' {role} csv")
    loaded = db.value("select pg_last_copy_id()")
    assert db.value("select pg_last_query_id()") == loaded
    with pytest.raises(psycopg2.Error):
        db.run(f"copy t from '{bad}' {role} csv")
    failed = db.value("select pg_last_copy_id()")
    assert db.value("select pg_last_query_id()") == loaded  # the last that succeeded, not counting this question
    joined = (
        "select q.query, q.aborted, count(c.filename), count(e.filename), max(l.transaction_id) = max(q.xid)"
        " from stl_query q left join stl_load_commits c on c.query = q.query left join stl_load_errors e"
        " on e.query = q.query left join sys_load_history l on l.query_id = q.query"
        f" where q.query in ({loaded}, {failed}) group by 1, 2 order by 1"
    )
    assert db.run(joined) == [(loaded, 0, 1, 0, True), (failed, 1, 0, 1, True)]


def test_a_restart_does_not_give_the_number_of_a_load_away(
    make_redshift: Callable[..., Running], bucket: Bucket
) -> None:
    server = make_redshift().start()
    file = bucket.put("one.csv", b"1\n")

    def load() -> int:
        connection = server.connect()
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("create table if not exists public.t (a int)")
            cursor.execute(f"copy public.t from '{file}' iam_role 'arn:aws:iam::000000000000:role/any' csv")
            cursor.execute("select pg_last_copy_id()")
            ((number,),) = cursor.fetchall()
        connection.close()
        return int(number)

    first = load()
    assert server.stop() == 0
    server.start()
    assert load() > first
    assert server.stop() == 0

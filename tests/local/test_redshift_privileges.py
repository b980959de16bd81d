"""Who may do what: users, groups, roles and PUBLIC, and the views that list their privileges."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest

from .conftest import Bucket, Db, Running
from .test_redshift_protocol import eventually

PASSWORD = "Other-1-only-for-tests"
ROLE = "iam_role 'arn:aws:iam::000000000000:role/any'"
TRY = {
    "select": "select * from {0}",
    "insert": "insert into {0} (a) values (2)",
    "copy": "copy {0} from '{1}' " + ROLE + " csv",
    "unload": "unload ('select * from {0}') to '{1}-out/' " + ROLE + " allowoverwrite",
    "update": "update {0} set a = 3",
    "delete": "delete from {0}",
    "truncate": "truncate {0}",
    "alter": "alter table {0} add column c int",
    "drop": "drop table {0}",
    "comment": "comment on table {0} is 'x'",
}


class Other:
    """A user without any privilege, and one connection of theirs in autocommit."""

    def __init__(self, server: Running, name: str) -> None:
        self.name = name
        self.connection = server.connect(user=name, password=PASSWORD)
        self.connection.autocommit = True

    def may(self, sql: str) -> bool:
        try:
            self.run(sql)
        except psycopg2.errors.InsufficientPrivilege:
            return False
        return True

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def other(redshift: Running, db: Db) -> Iterator[Other]:
    name = f"user_{db.schema}"
    db.run(f"create user {name} password '{PASSWORD}'")
    made = Other(redshift, name)
    yield made
    made.connection.close()
    # Until the server has seen that, the session's temporary tables are there and belong to the user.
    assert eventually(lambda: not db.run(f"select 1 from stv_sessions where trim(user_name) = '{name}'"), 60)
    db.run(f"drop schema {db.schema} cascade; create schema {db.schema}; drop user {name}")


@pytest.fixture
def principal(db: Db, other: Other) -> Iterator[Callable[[str], str]]:
    """Makes a group or role, `kind name` as GRANT wants it, with the user in it."""
    made: list[str] = []

    def make(kind: str) -> str:
        name = f"{kind}_{db.schema}"
        db.run(f"create {kind} {name}")
        made.append(f"{kind} {name}")
        join = f"alter group {name} add user {other.name}" if kind == "group" else f"grant role {name} to {other.name}"
        db.run(join)
        return made[-1]

    yield make
    for what in made:
        db.run(f"drop schema {db.schema} cascade; create schema {db.schema}; drop {what}")


# "Usage notes" of GRANT, and of each statement.
@pytest.mark.parametrize(
    ("granted", "allowed"),
    [
        ("", set()),
        ("select", {"select", "unload"}),
        ("insert", {"insert", "copy"}),
        ("update", {"update"}),
        ("delete", {"delete"}),
        ("truncate", {"truncate"}),
        ("select, insert", {"select", "unload", "insert", "copy"}),
        ("all", {"select", "unload", "insert", "copy", "update", "delete", "truncate"}),
    ],
)
def test_a_privilege_on_a_table_allows_its_statements_and_no_other(
    db: Db, bucket: Bucket, other: Other, granted: str, allowed: set[str]
) -> None:
    db.run("create table t (a int)")
    db.run(f"grant usage on schema {db.schema} to {other.name}")
    if granted:
        db.run(f"grant {granted} on t to {other.name}")
    file = bucket.put("one.csv", b"1\n")
    assert {what for what, sql in TRY.items() if other.may(sql.format(f"{db.schema}.t", file))} == allowed


def test_nothing_in_a_schema_is_reached_without_usage_nor_made_without_create(db: Db, other: Other) -> None:
    db.run("create table t (a int)")
    db.run(f"grant all on t to {other.name}")
    assert not other.may(f"select * from {db.schema}.t")
    db.run(f"grant usage on schema {db.schema} to {other.name}")
    assert other.may(f"select * from {db.schema}.t") and not other.may(f"create table {db.schema}.made (a int)")
    db.run(f"grant create on schema {db.schema} to {other.name}")
    assert other.may(f"create table {db.schema}.made (a int)")


def test_everybody_may_make_tables_in_public_and_temporary_ones_but_no_schema(db: Db, other: Other) -> None:
    assert other.may(f"create table public.{other.name} (a int); drop table public.{other.name}")
    assert other.may("create temp table passing (a int); insert into passing values (1)")
    assert not other.may(f"create schema {other.name}")
    assert not other.may("create user somebody password 'Abcdefg1'")


@pytest.mark.parametrize("kind", ["group", "role", "public"])
def test_a_privilege_comes_through_a_group_a_role_or_public(
    db: Db, other: Other, principal: Callable[[str], str], kind: str
) -> None:
    to = kind if kind == "public" else principal(kind)
    db.run("create table t (a int); create table u (a int)")
    db.run(f"grant usage on schema {db.schema} to {to}; grant select on all tables in schema {db.schema} to {to}")
    db.run("create table later (a int)")
    assert other.may(f"select * from {db.schema}.t, {db.schema}.u")
    assert not other.may(f"select * from {db.schema}.later")
    db.run(f"revoke select on all tables in schema {db.schema} from {to}")
    assert not other.may(f"select * from {db.schema}.t")


def test_a_role_may_be_granted_to_a_role_and_taken_back(db: Db, other: Other, principal: Callable[[str], str]) -> None:
    outer, inner = principal("role"), f"role inner_{db.schema}"
    db.run(f"create {inner}; create table t (a int)")
    try:
        db.run(f"grant usage on schema {db.schema} to {inner}; grant select on t to {inner}; grant {inner} to {outer}")
        assert other.may(f"select * from {db.schema}.t")
        inner_name, outer_name = inner.split()[1], outer.split()[1]
        assert db.run(f"select user_is_member_of('{other.name}', '{inner_name}')") == [(True,)]
        granted = f"select granted_role_name from svv_role_grants where role_name = '{outer_name}'"
        assert db.run(granted) == [(inner_name,)]
        assert db.run(f"select role_name from svv_user_grants where user_name = '{other.name}'") == [(outer_name,)]
        db.run(f"revoke {inner} from {outer}")
        assert not other.may(f"select * from {db.schema}.t")
    finally:
        db.run(f"drop schema {db.schema} cascade; create schema {db.schema}; drop {inner}")


def test_default_privileges_hold_for_tables_made_afterwards(db: Db, other: Other) -> None:
    db.run(f"grant usage on schema {db.schema} to {other.name}; create table before (a int)")
    db.run(f"alter default privileges in schema {db.schema} grant select on tables to {other.name}")
    db.run("create table afterwards (a int)")
    assert other.may(f"select * from {db.schema}.afterwards") and not other.may(f"select * from {db.schema}.before")
    listed = "select object_type, privilege_type, grantee_name from svv_default_privileges"
    assert db.run(f"{listed} where schema_name = '{db.schema}'") == [("RELATION", "SELECT", other.name)]
    db.run(f"alter default privileges in schema {db.schema} revoke select on tables from {other.name}")


def test_privileges_on_columns_hold_for_these_columns_only(db: Db, other: Other) -> None:
    db.run("create table t (a int, b int)")
    db.run(f"grant usage on schema {db.schema} to {other.name}; grant select (a), update (b) on t to {other.name}")
    assert other.may(f"select a from {db.schema}.t") and other.may(f"update {db.schema}.t set b = 1")
    for refused in ("select b from {}.t", "select * from {}.t", "update {}.t set a = 1", "insert into {}.t values (1)"):
        assert not other.may(refused.format(db.schema))
    asked = f"has_column_privilege('{other.name}', '{db.schema}.t', '{{}}', 'select')"
    assert db.run(f"select {asked.format('a')}, {asked.format('b')}") == [(True, False)]
    listed = (
        f"select column_name, privilege_type from svv_column_privileges where identity_name = '{other.name}' order by 1"
    )
    assert db.run(listed) == [("a", "SELECT"), ("b", "UPDATE")]


def test_two_users_who_may_only_insert_wait_for_each_other(redshift: Running, db: Db, other: Other) -> None:
    db.run("create table t (a int)")
    db.run(f"grant usage on schema {db.schema} to {other.name}; grant insert on t to {other.name}")
    second = Other(redshift, other.name)
    other.connection.autocommit = False
    other.run(f"insert into {db.schema}.t values (1)")
    thread = threading.Thread(target=second.run, args=(f"insert into {db.schema}.t values (2)",))
    thread.start()
    pid = second.connection.info.backend_pid
    assert eventually(lambda: db.value(f"select count(*) from pg_locks where pid = {pid} and not granted") > 0, 60)
    other.connection.commit()
    thread.join(60)
    other.connection.autocommit = True
    second.connection.close()
    assert db.value("select count(*) from t") == 2


def test_who_may_not_write_does_not_wait_for_who_does(db: Db, other: Other) -> None:
    db.run("create table t (a int)")
    db.run(f"grant usage on schema {db.schema} to {other.name}; grant select on t to {other.name}")
    other.run("set statement_timeout to 60000")
    db.connection.autocommit = False
    db.run("insert into t values (1)")
    assert not other.may(f"insert into {db.schema}.t values (2)")
    db.connection.rollback()
    db.connection.autocommit = True


def test_schema_and_database_privileges_are_listed(db: Db, other: Other) -> None:
    db.run(f"grant usage, create on schema {db.schema} to {other.name}; grant temp on database dev to {other.name}")
    schema = f"select privilege_type from svv_schema_privileges where identity_name = '{other.name}'"
    assert sorted(db.run(f"{schema} and namespace_name = '{db.schema}'")) == [("CREATE",), ("USAGE",)]
    database = f"select privilege_type, identity_type from svv_database_privileges where identity_name = '{other.name}'"
    assert db.run(database) == [("TEMPORARY", "user")]
    assert db.run(f"select has_database_privilege('{other.name}', 'dev', 'temp')") == [(True,)]
    assert db.run(f"select has_function_privilege('{other.name}', 'len(text)', 'execute')") == [(True,)]
    db.run(f"revoke all on database dev from {other.name}; revoke all on schema {db.schema} from {other.name}")


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("grant drop on t to public", "privilege DROP"),
        ("grant alter on t to public", "privilege ALTER"),
        ("grant trigger on t to public", "privilege TRIGGER is not supported by Redshift"),
        ("grant create table to role r", "system permission"),
        ("grant select for tables in schema s to role r", "scoped permissions"),
        ("grant select on t to group g with grant option", "WITH GRANT OPTION to a group"),
        ("create user weak password 'short1A'", "8 to 64 characters"),
        ("create user weak password 'nocapitals1'", "upper case"),
    ],
)
def test_what_grant_and_create_user_cannot_do_is_refused_by_name(db: Db, sql: str, words: str) -> None:
    db.run("create table t (a int)")
    with pytest.raises(psycopg2.Error, match=words):
        db.run(sql)

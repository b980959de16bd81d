"""Redshift's SQL gives Redshift's results."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import psycopg2
import pytest

from local.redshift.dialect import translate
from local.redshift.lexer import shape, split

from .conftest import Db


@pytest.mark.parametrize(
    "sql",
    [
        "select a, b from s.t where c = 'It''s -- not a comment' /* but /* this */ is */ order by 1",
        "with x as (select 1 as n) select * from x join y using (n)",
        "insert into s.t (a, b) values ($1, $2)",
        "select count(*), sum(x) over (partition by y order by z rows unbounded preceding) from t",
        "select datediff('day', a, b), len(c), getdate(), sha2(d, 256) from t",
        "select s.t.a, t.b, x.c from s.t join other.u as x on x.d = s.t.d where dev.s.t.e is distinct from t.f",
        "select E'\\\\x' || $tag$ it's $$ fine $tag$",
    ],
)
def test_a_statement_that_needs_no_change_passes_untouched(sql: str) -> None:
    assert [s.sql for s in translate(sql)] == [sql]


def test_statements_are_split_outside_strings_and_comments() -> None:
    assert split("select ';' ; -- ;\n select $$;$$ ;; ") == ["select ';' ", " -- ;\n select $$;$$ "]


def test_what_is_logged_of_a_statement_holds_no_literal() -> None:
    assert shape("select 'secret', 42, $$x$$ from t where a = E'b'") == "select ? , ? , ? from t where a = ?"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("nvl(null, 2)", 2),
        ("nvl2(null, 1, 2)", 2),
        ("nvl2(nvl(1, 2), decode(1, 1, 'a', 'b'), 'c')", "a"),
        ("decode(null, 1, 'one', null, 'none')", "none"),
        ("decode(5, 1, 'one')", None),
        ("datediff(month, '2020-01-31'::date, '2020-02-01'::date)", 1),
        ("datediff(year, '2019-12-31'::timestamp, '2020-01-01'::timestamp)", 1),
        ("datediff(hour, '2020-01-01 00:59'::timestamp, '2020-01-01 01:00'::timestamp)", 1),
        ("datediff(day, '2020-01-02'::timestamp, '2020-01-01 23:59'::timestamp)", -1),
        ("datediff(week, '2020-01-04'::date, '2020-01-05'::date)", 1),
        ("dateadd(month, 1, '2020-01-31'::date)", dt.datetime(2020, 2, 29)),
        ("dateadd(hour, -1, '2020-01-01')", dt.datetime(2019, 12, 31, 23)),
        ("add_months('2020-02-29'::timestamp, 1)", dt.datetime(2020, 3, 31)),
        ("last_day('2020-02-03'::date)", dt.date(2020, 2, 29)),
        ("trunc('2020-02-03 10:11:12'::timestamp)", dt.date(2020, 2, 3)),
        ("date_part(dow, '2020-02-03'::date)", 1.0),
        ("extract(year from '2020-02-03'::date)", 2020),
        ("date_trunc('month', '2020-02-03'::timestamp)", dt.datetime(2020, 2, 1)),
        ("convert_timezone('America/New_York', '2020-07-01 12:00'::timestamp)", dt.datetime(2020, 7, 1, 8)),
        ("convert_timezone('Europe/Berlin', 'UTC', '2020-07-01 12:00'::timestamp)", dt.datetime(2020, 7, 1, 10)),
        ("7 / 2", 3),
        ("5::decimal / 1", Decimal(5)),
        ("'1.6'::decimal", Decimal(2)),
        ("cast('1.25' as numeric)", Decimal(1)),
        ("len('äb')", 2),
        ("upper('äb')", "ÄB"),
        ("'B' < 'a'", True),
        ("octet_length('äb')", 3),
        ("charindex('b', 'abc')", 2),
        ("split_part('a,b,c', ',', 2)", "b"),
        ("concat('a', null)", None),
        ("regexp_replace('aXbXc', 'X', '-')", "a-b-c"),
        ("regexp_substr('a12b', '[0-9]+')", "12"),
        ("md5('a')", "0cc175b9c0f1b6a831c399e269772661"),
        ("left(sha2('a', 256), 8)", "ca978112"),
        ("to_hex(from_hex('ff00'))", "ff00"),
        ("from_varbyte(to_varbyte('abc', 'utf8'), 'hex')", "616263"),
        ("strtol('ff', 16)", 255),
        ("round(1.005::float, 1)", 1.0),
        ("can_json_parse('{\"a\": 1}')", True),
        ("can_json_parse('{a}')", False),
        ('json_serialize(json_parse(\'{"a": [1, "b c"]}\'))', '{"a":[1,"b c"]}'),
        ("json_parse('\"a\"')::varchar || json_parse('1.50')::text", "a1.50"),
        ("json_parse('null')::varchar", None),
        ("(json_parse('[7]'))[0]::int", 7),
        ("json_typeof(json_parse('[1]'))", "array"),
        ("json_extract_path_text('{\"a\": {\"b\": 7}}', 'a', 'b')", "7"),
        ("json_extract_path_text('{\"a\": {\"b\": [1, 2]}}', 'a')", '{"b":[1,2]}'),
        ("json_extract_path_text('not json', 'a', true)", None),
        ("json_parse('{\"a\": 1.50}')", '{"a":1.50}'),
        ("'a\\tb'", "a\tb"),
    ],
)
def test_an_expression_gives_what_redshift_gives(db: Db, expression: str, expected: Any) -> None:
    value = db.value(f"select {expression}")
    assert value == expected and type(value) is type(expected)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select avg(n) from (select 1 as n union all select 2) x", [(1,)]),
        ("select avg(n) from (select 1.0 as n union all select 2) x", [(Decimal("1.5"),)]),
        ("select median(n) from (select 1 as n union all select 4) x", [(2.5,)]),
        ("select listagg(n, '-') within group (order by n desc) from (select 1 as n union select 2) x", [("2-1",)]),
        (
            "select listagg(distinct n, ',') within group (order by n) from (select 1 as n union all select 1) x",
            [("1",)],
        ),
        ("select approximate count(distinct n) from (select 1 as n union all select 1) x", [(1,)]),
        ("select top 1 n from (select 1 as n union select 2) x order by n desc", [(2,)]),
        ("select 1 minus select 1", []),
        ("select n from (select 1 as n union select 2) x qualify row_number() over (order by n desc) = 1", [(2,)]),
        ("select any_value(n) from (select 3 as n) x", [(3,)]),
    ],
)
def test_query_syntax_of_redshift_alone(db: Db, query: str, expected: list[tuple[Any, ...]]) -> None:
    assert db.run(query) == expected


def test_quoted_names_fold_to_lower_case_in_every_statement(db: Db) -> None:
    db.run('create table "Mixed" ("Id" int, "Naïve Name" varchar(9))')
    db.run('insert into "MIXED" ("ID") values (1)')
    with db.connection.cursor() as cursor:
        cursor.execute('select "ID" as "Out" from "mixed" as "M" where "M"."id" = 1')
        assert cursor.description[0].name == "out"
        assert cursor.fetchall() == [(1,)]


def test_physical_layout_is_accepted_and_changes_nothing(db: Db) -> None:
    db.run(
        "create table if not exists a (id bigint not null encode az64 distkey, at timestamp,"
        " n int default 5 encode raw)"
        " backup no diststyle key compound sortkey (id, at)"
    )
    db.run("create table b diststyle even sortkey auto as select 1 as id")
    db.run("alter table a alter sortkey (id)")
    db.run("alter table a alter column id encode zstd")
    db.run("insert into a (id) values (1)")
    assert db.run("select id, n from a") == [(1, 5)]


def test_keys_are_declarations_and_only_not_null_is_enforced(db: Db) -> None:
    db.run("create table parent (id int primary key, u int unique)")
    db.run(
        "create table child (a int, b int references parent (id), primary key (a), foreign key (b) references parent)"
    )
    db.run("insert into parent values (1, 1), (1, 1)")
    db.run("insert into child values (1, 99)")
    assert db.value("select count(*) from parent") == 2
    with pytest.raises(psycopg2.errors.NotNullViolation, match="Cannot insert a NULL value into column a"):
        db.run("insert into child (b) values (1)")


def test_identity_columns_count_from_their_seed(db: Db) -> None:
    db.run("create table t (id bigint identity(0, 2), other int generated by default as identity(5, 1), v int)")
    db.run("insert into t (v) values (7), (8)")
    assert db.run("select id, other from t order by 1") == [(0, 5), (2, 6)]
    with pytest.raises(psycopg2.Error):
        db.run("insert into t (id, v) values (9, 9)")
    db.run("insert into t (other, v) values (9, 9)")


def test_the_writes_of_a_merge_do_what_they_say(db: Db) -> None:
    db.run("create table target (id int, v varchar(9)); create temp table incoming (like target)")
    db.run("insert into target values (1, 'old'), (2, 'kept'); insert into incoming values (1, 'new'), (3, 'more')")
    s = db.schema
    db.run(f'delete from "{s}"."target" using "incoming" where "{s}"."target"."id" = "incoming"."id"')
    db.run("insert into target (v, id) select v, id from incoming")
    assert db.run("select * from target order by id") == [(1, "new"), (2, "kept"), (3, "more")]
    db.run(
        f"merge into {s}.target using incoming as i on (i.id = {s}.target.id) when matched then update set v = 'm'"
        " when not matched then insert (id, v) values (i.id, i.v)"
    )
    db.run("update target set v = target.v || incoming.id::varchar from incoming where incoming.id = target.id")
    db.run("delete target where id = 2")
    assert db.run("select * from target order by id") == [(1, "m1"), (3, "m3")]


def test_truncate_commits_what_came_before_it(redshift: Any, db: Db) -> None:
    db.run("create table t (a int); create table other (a int)")
    connection = redshift.connect()
    with connection.cursor() as cursor:
        cursor.execute(f"insert into {db.schema}.other values (1)")
        cursor.execute(f"truncate {db.schema}.t")
        connection.rollback()
    connection.close()
    assert db.value("select count(*) from other") == 1


def test_settings_of_drivers_and_tools_are_taken(db: Db) -> None:
    for setting in (
        "set query_group to 'el'",
        "set statement_timeout to 60000",
        "set application_name = 'x'",
        "set client_encoding to 'UTF8'",
        "set timezone to 'UTC'",
        "set enable_case_sensitive_identifier to false",
        "reset query_group",
        "discard all",
        "reset all",
    ):
        db.run(setting)
    assert db.value("show search_path") != ""


def test_upkeep_is_accepted(db: Db) -> None:
    db.run("create table t (a int)")
    for statement in ("vacuum", "vacuum full t to 99 percent", "vacuum sort only t", "analyze t", "analyze"):
        db.run(statement)


def test_grants_go_to_users_groups_and_roles(db: Db) -> None:
    names = {kind: f"{kind}_{db.schema}" for kind in ("user", "group", "role")}
    db.run("create table t (a int)")
    db.run(f"create user {names['user']} password disable; create group {names['group']}; create role {names['role']}")
    try:
        db.run(f"grant select on t to {names['user']}, group {names['group']}, role {names['role']}")
        db.run(f"grant usage on schema {db.schema} to role {names['role']}")
        found = db.run(
            "select identity_name from svv_relation_privileges where namespace_name = %s and privilege_type = 'SELECT'"
            " and identity_name <> current_user", db.schema
        )  # fmt: skip
        assert {name for (name,) in found} == set(names.values())
        assert db.value(f"select has_table_privilege('{names['user']}', '{db.schema}.t', 'select')")
    finally:
        db.run("drop table t")
        db.run(f"revoke usage on schema {db.schema} from role {names['role']}")
        db.run(f"drop user {names['user']}; drop group {names['group']}; drop role {names['role']}")


def test_a_path_into_super_is_named_by_its_last_step(db: Db) -> None:
    db.run("create table t (id int, c super)")
    db.run("""insert into t select 1, json_parse('{"who": {"Name": "x", "name": "Ann"}, "n": [5, 6]}')""")
    with db.connection.cursor() as cursor:
        cursor.execute("select c.who.name, c.n[1], t.c.n[0] as first, id from t")
        assert [column.name for column in cursor.description] == ["name", "n", "first", "id"]
        assert cursor.fetchall() == [('"Ann"', "6", "5", 1)]
    db.run("create table copied as select c.who.name, c.n from t; create view v as select x.c.who.name from t as x")
    assert db.run("select c.name, v.name from copied as c cross join v") == [('"Ann"', '"Ann"')]


def test_an_array_in_from_gives_a_row_for_each_element(db: Db) -> None:
    db.run("create table t (id int, c super)")
    db.run("""insert into t select 1, json_parse('{"l": [{"n": "a"}, {"n": "b"}]}')""")
    db.run("insert into t select 2, json_parse('{}')")
    assert db.run("select t.id, x.n::varchar, i from t, t.c.l as x at i order by 3") == [(1, "a", 0), (1, "b", 1)]
    assert db.run("select t.id, x.n::varchar from t left join t.c.l as x on true order by 1, 2") == [
        (1, "a"), (1, "b"), (2, None)
    ]  # fmt: skip
    counts = "select t.id, (select count(*) from t.c.l x where x.n = 'a') from t order by 1"
    assert db.run(counts) == [(1, 1), (2, 0)]


def test_a_sql_function_is_written_in_redshifts_sql(db: Db) -> None:
    db.run("create function f_late (timestamp, int) returns varchar stable as $$"
           " select nvl2($1, decode(datediff(day, $1, dateadd(day, $2, $1)), 2, 'it\\'s two', 'other'), 'none')"
           " $$ language sql")  # fmt: skip
    assert db.run("select f_late('2020-01-01', 2), f_late('2020-01-01', 3), f_late(null, 2)") == [
        ("it's two", "other", "none")
    ]
    db.run(
        "create or replace function f_late (timestamp, int) returns varchar stable as $$ select 'new' $$ language sql"
    )
    assert db.value("select f_late(getdate(), 1)") == "new"


def test_append_moves_rows_and_is_alone(redshift: Any, db: Db) -> None:
    db.run("create table t (a int, b varchar(9)); create table s (b varchar(9), a int); insert into s values ('x', 1)")
    connection = redshift.connect()
    with connection.cursor() as cursor, pytest.raises(psycopg2.errors.FeatureNotSupported, match="transaction block"):
        cursor.execute(f"alter table {db.schema}.t append from {db.schema}.s")
    connection.close()
    db.run("alter table t append from s")
    assert db.run("select a, b from t") == [(1, "x")] and db.value("select count(*) from s") == 0
    db.run("alter table s add column c int; insert into s values ('y', 2, 3)")
    with pytest.raises(psycopg2.Error, match='"c"'):
        db.run("alter table t append from s")
    assert db.value("select count(*) from s") == 1


def test_merge_remove_duplicates_replaces_what_matches_by_distinct_rows(db: Db) -> None:
    db.run("create table t (id int, v varchar(9)); create table s (id int, v varchar(9))")
    db.run("insert into t values (1, 'old'), (2, 'kept'); insert into s values (1, 'new'), (3, 'more'), (3, 'more')")
    db.run(f"merge into {db.schema}.t using {db.schema}.s on t.id = s.id remove duplicates")
    assert db.run("select id, v from t order by id") == [(1, "new"), (2, "kept"), (3, "more")]

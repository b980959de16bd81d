"""Distribution, sort keys, encodings and keys: declared, changed, inherited, and shown where tools look for them."""

from __future__ import annotations

import psycopg2
import psycopg2.errors
import pytest
import redshift_connector

from .conftest import PASSWORD, Db, Running

INFO = (
    "select encoded, diststyle, sortkey1, sortkey1_enc, sortkey_num from svv_table_info"
    " where \"schema\" = '{}' and \"table\" = '{}'"
)
COLUMNS = "select \"column\", trim(encoding), distkey, sortkey from pg_table_def where tablename = '{}'"
KEYS = (
    "select conname, contype, conkey, confkey, pg_get_constraintdef(oid) from pg_constraint"
    " where conrelid = '{}'::regclass order by 1"
)


def info(db: Db, table: str) -> tuple[object, ...]:
    (found,) = db.run(INFO.format(db.schema, table))
    return found


def columns(db: Db, table: str) -> dict[str, tuple[str, bool, int]]:
    return {name: (encoding, key, sort) for name, encoding, key, sort in db.run(COLUMNS.format(table))}


def test_what_is_left_out_is_automatic(db: Db) -> None:
    db.run("create table t (a int, b varchar(9), c boolean, d double precision, e timestamp, f super)")
    assert info(db, "t") == ("Y, AUTO(ENCODE)", "AUTO(ALL)", "AUTO(SORTKEY)", None, 0)
    found = columns(db, "t")
    assert [found[c][0] for c in "abcde"] == ["az64", "lzo", "none", "none", "az64"]
    assert db.run("select reldiststyle from pg_class where oid = 't'::regclass") == [(9,)]


def test_a_declared_layout_is_shown_by_every_view(db: Db) -> None:
    db.run("create table t (a int encode delta, b varchar(9) encode text255, c int distkey) compound sortkey (c, b)")
    assert info(db, "t") == ("Y", "KEY(c)", "c", "none", 2)
    assert columns(db, "t") == {"a": ("delta", False, 0), "b": ("text255", False, 2), "c": ("none", True, 1)}
    attributes = "select attname, attisdistkey, attsortkeyord, format_encoding(attencodingtype::integer)"
    found = db.run(f"{attributes} from pg_attribute where attrelid = 't'::regclass and attnum > 0 order by attnum")
    assert found == [("a", False, 0, "delta"), ("b", False, 2, "text255"), ("c", True, 1, "none")]
    listed = "select column_name, encoding, distkey, sortkey from svv_redshift_columns"
    assert db.run(f"{listed} where schema_name = '{db.schema}' order by ordinal_position") == [
        ("a", "delta", False, 0), ("b", "text255", False, 2), ("c", "none", True, 1),
    ]  # fmt: skip
    shown = db.run(f"show columns from table {db.schema}.t")
    assert [(row[3], row[12], row[13], row[14], row[15]) for row in shown] == [
        ("a", None, 0, 0, "delta"), ("b", "COMPOUND", 2, 0, "text255"), ("c", "COMPOUND", 1, 1, "none"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("style", "number", "shown"),
    [("even", 0, "EVEN"), ("all", 8, "ALL"), ("auto", 9, "AUTO(ALL)"), ("key distkey (a)", 1, "KEY(a)")],
)
def test_each_distribution_style_has_its_number(db: Db, style: str, number: int, shown: str) -> None:
    db.run(f"create table t (a int) diststyle {style}")
    assert info(db, "t")[1] == shown
    assert db.value("select reldiststyle from pg_class where oid = 't'::regclass") == number


def test_a_table_made_by_a_query_takes_its_declarations(db: Db) -> None:
    db.run("create table t diststyle key distkey (a) interleaved sortkey (b, a) as select 1 as a, 2 as b")
    assert info(db, "t")[1:3] == ("KEY(a)", "INTERLEAVED")
    assert columns(db, "t") == {"a": ("none", True, 2), "b": ("none", False, -1)}
    db.run("create table #t distkey (a) as select 1 as a")
    with pytest.raises(psycopg2.errors.UndefinedColumn):
        db.run("create table u sortkey (missing) as select 1 as a")
    with pytest.raises(psycopg2.errors.UndefinedTable):
        db.run("select * from u")


def test_like_inherits_the_layout_and_no_keys(db: Db) -> None:
    db.run("create table t (gone int, a int primary key, b varchar(9) encode zstd) distkey (b) sortkey (b, a)")
    db.run("alter table t drop column gone")
    db.run("create table u (like t)")
    assert info(db, "u") == info(db, "t") == ("Y", "KEY(b)", "b", "zstd", 2)
    assert db.run(KEYS.format("u")) == []
    with pytest.raises(psycopg2.errors.NotNullViolation):
        db.run("insert into u values (null, 'x')")


def test_if_not_exists_leaves_the_layout_of_what_is_there(db: Db) -> None:
    db.run("create table t (a int) diststyle all")
    db.run("create table if not exists t (a int primary key distkey)")
    assert info(db, "t")[1] == "ALL"
    assert db.run(KEYS.format("t")) == []


def test_alter_table_changes_the_layout(db: Db) -> None:
    db.run("create table t (a int, b int, c varchar(9))")
    for change, expected in [
        ("alter diststyle key distkey a", ("Y, AUTO(ENCODE)", "KEY(a)", "AUTO(SORTKEY)", None, 0)),
        ("alter distkey b", ("Y, AUTO(ENCODE)", "KEY(b)", "AUTO(SORTKEY)", None, 0)),
        ("alter compound sortkey (b, a)", ("Y, AUTO(ENCODE)", "KEY(b)", "b", "none", 2)),
        ("alter diststyle even", ("Y, AUTO(ENCODE)", "EVEN", "b", "none", 2)),
        ("alter column b encode zstd, alter column c encode text32k", ("Y", "EVEN", "b", "zstd", 2)),
        ("alter sortkey none", ("Y", "EVEN", None, None, 0)),
        ("alter sortkey auto", ("Y", "EVEN", "AUTO(SORTKEY)", None, 0)),
        ("alter diststyle auto", ("Y", "AUTO(ALL)", "AUTO(SORTKEY)", None, 0)),
        ("alter encode auto", ("Y, AUTO(ENCODE)", "AUTO(ALL)", "AUTO(SORTKEY)", None, 0)),
        ("add column d int encode mostly8", ("Y", "AUTO(ALL)", "AUTO(SORTKEY)", None, 0)),
    ]:
        db.run(f"alter table t {change}")
        assert info(db, "t") == expected, change


def test_a_renamed_column_stays_what_it_was_and_a_key_column_cannot_be_dropped(db: Db) -> None:
    db.run("create table t (a int distkey, b int sortkey, c int)")
    db.run("alter table t rename column a to z; alter table t rename to u")
    assert info(db, "u")[1:3] == ("KEY(z)", "b")
    for column in "zb":
        with pytest.raises(psycopg2.errors.FeatureNotSupported):
            db.run(f"alter table u drop column {column}")
    db.run("alter table u drop column c")


def test_a_layout_shares_the_fate_of_its_transaction(db: Db) -> None:
    db.run("create table t (a int) diststyle all")
    db.connection.autocommit = False
    db.run("alter table t alter distkey a")
    db.run("create table u (a int distkey)")
    db.connection.rollback()
    db.connection.autocommit = True
    assert info(db, "t")[1] == "ALL"
    assert db.run(f"select 1 from svv_table_info where \"schema\" = '{db.schema}' and \"table\" = 'u'") == []


def test_keys_are_shown_and_not_enforced(db: Db) -> None:
    db.run("create table p (b int, a int, u varchar(9) unique, constraint both primary key (b, a))")
    db.run("create table c (x int, y int, foreign key (x, y) references p, z varchar(9) references p (u))")
    assert db.run(KEYS.format("p")) == [
        ("both", "p", [1, 2], None, "PRIMARY KEY (b, a)"),
        ("p_u_key", "u", [3], None, "UNIQUE (u)"),
    ]
    assert db.run(KEYS.format("c")) == [
        ("c_x_fkey", "f", [1, 2], [1, 2], "FOREIGN KEY (x, y) REFERENCES p(b, a)"),
        ("c_z_fkey", "f", [3], [3], "FOREIGN KEY (z) REFERENCES p(u)"),
    ]
    db.run("insert into p values (1, 1, 'x'), (1, 1, 'x'); insert into c values (9, 9, 'nobody')")
    used = f"from information_schema.key_column_usage where table_schema = '{db.schema}'"
    used = f"{used} and table_name = 'p' order by 1, 3"
    assert db.run(f"select constraint_name, column_name, ordinal_position {used}") == [
        ("both", "b", 1), ("both", "a", 2), ("p_u_key", "u", 1),
    ]  # fmt: skip
    kinds = f"from information_schema.table_constraints where table_schema = '{db.schema}'"
    assert db.run(f"select constraint_name, constraint_type {kinds} order by 1") == [
        ("both", "PRIMARY KEY"), ("c_x_fkey", "FOREIGN KEY"), ("c_z_fkey", "FOREIGN KEY"), ("p_u_key", "UNIQUE"),
    ]  # fmt: skip
    referred = f"from information_schema.referential_constraints where constraint_schema = '{db.schema}'"
    assert db.run(f"select constraint_name, unique_constraint_name {referred} order by 1") == [
        ("c_x_fkey", "both"), ("c_z_fkey", "p_u_key"),
    ]  # fmt: skip


def test_keys_are_added_and_dropped(db: Db) -> None:
    db.run("create table p (a int not null, b int)")
    db.run("alter table p add constraint first primary key (a); alter table p add unique (b)")
    db.run("create table c (a int); alter table c add foreign key (a) references p (a)")
    with pytest.raises(psycopg2.errors.InvalidTableDefinition):
        db.run("alter table p add primary key (a)")
    with pytest.raises(psycopg2.errors.DependentObjectsStillExist):
        db.run("drop table p")
    db.run("alter table p drop constraint first; alter table p add primary key (a)")
    assert [name for name, *_ in db.run(KEYS.format("p"))] == ["p_b_key", "p_pkey"]
    db.run("drop table p cascade")
    assert db.run(KEYS.format("c")) == []


@pytest.mark.parametrize(
    ("sql", "state"),
    [
        ("create table t (a int primary key, b int primary key)", "42P16"),
        ("create table t (a int references missing)", "42P01"),
        ("create table t (a int, primary key (b))", "42703"),
        ("create table p (a int); create table t (a int references p)", "42830"),
        ("create table p (a int); create table t (a int references p (a))", "42830"),
        ("create table t (a int); alter table t add primary key (a)", "0A000"),
        ("create table t (a varchar(9) unique); alter table t alter column a type varchar(20)", "0A000"),
        ("create table t (a varchar(9) encode text255); alter table t alter column a type varchar(20)", "0A000"),
        ("create table t (a int distkey, b int distkey)", "42601"),
        ("create table t (a int sortkey, b int) sortkey (b)", "42601"),
        ("create table t (a int distkey) diststyle all", "42601"),
        ("create table t (a int) diststyle key", "42601"),
        ("create table t (a int) diststyle some", "42601"),
        ("create table t (a int) distkey (b)", "42703"),
        ("create table t (a int encode nothing)", "42601"),
        ("create table t (a int encode text255)", "42601"),
        ("create table t (a int); create table u (like t) diststyle all", "42601"),
        ("create table t (a int); alter table t add column b int distkey", "0A000"),
        ("create table t (a int); alter table t alter interleaved sortkey (a)", "0A000"),
        ("create table t (a int unique); comment on constraint t_a_key on t is 'x'", "0A000"),
    ],
)
def test_what_does_not_go_together_is_an_error(db: Db, sql: str, state: str) -> None:
    *before, last = sql.split("; ")
    for statement in before:
        db.run(statement)
    with pytest.raises(psycopg2.Error) as error:
        db.run(last)
    assert error.value.pgcode == state


def test_redshift_connector_lists_tables_keys_and_procedures(redshift: Running, db: Db) -> None:
    db.run("create table t (b int, a int, primary key (b, a)); create view v as select a from t")
    connection = redshift_connector.connect(
        host="127.0.0.1", port=redshift.port, user="el", password=PASSWORD, database="dev", ssl=False
    )
    with connection.cursor() as cursor:
        tables = cursor.get_tables(schema_pattern=db.schema)
        assert [(row[2], row[3]) for row in tables] == [("t_pkey", "INDEX"), ("t", "TABLE"), ("v", "VIEW")]
        assert [row[2] for row in cursor.get_tables(schema_pattern=db.schema, table_name_pattern="v")] == ["v"]
        keys = cursor.get_primary_keys(schema=db.schema, table="t")
        assert [(row[3], row[4], row[5]) for row in keys] == [("b", 1, "t_pkey"), ("a", 2, "t_pkey")]
        assert list(cursor.get_procedures(schema_pattern=db.schema, procedure_name_pattern="%")) == []
        assert [db.schema, "t", "a"] in [row[1:4] for row in cursor.get_columns()]
    connection.close()

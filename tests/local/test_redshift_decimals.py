"""DECIMAL arithmetic of the local Redshift: what tests/conformance/numbers.yml cannot say in one line."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redshift_connector

from .conftest import BUCKET, PASSWORD, Bucket, Db, Running


@pytest.fixture
def sales(db: Db) -> Db:
    db.run("create table sales (pricepaid decimal(8,2), commission decimal(8,2), qty int)")
    db.run("insert into sales values (728, 109.20, 3), (2, 3, 1)")
    return db


@pytest.fixture
def native(redshift: Running, sales: Db) -> Iterator[redshift_connector.Connection]:
    """redshift_connector, which binds on the server."""
    connection = redshift_connector.connect(
        host="127.0.0.1", port=redshift.port, user="el", password=PASSWORD, database="dev", ssl=False
    )
    connection.autocommit = True
    connection.cursor().execute(f"set search_path to {sales.schema}")
    yield connection
    connection.close()


def cut_quotient(a: int, s1: int, b: int, s2: int, scale: int) -> Decimal:
    """Integers of so many digits behind the point, divided as the documentation says, without any Decimal division."""
    units = (
        abs(a) * 10 ** (scale + s2 - s1) // abs(b) if scale + s2 >= s1 else abs(a) // (abs(b) * 10 ** (s1 - s2 - scale))
    )
    return Decimal(units * (-1 if (a < 0) != (b < 0) else 1)).scaleb(-scale)


def test_a_quotient_has_the_documented_digits_whatever_the_operands(db: Db) -> None:
    chance = random.Random(38)
    for _ in range(60):
        p1, p2 = chance.randint(1, 15), chance.randint(1, 15)
        s1, s2 = chance.randint(0, p1), chance.randint(0, p2)
        a, b = chance.randint(-(10**p1) + 1, 10**p1 - 1), chance.randint(1, 10**p2 - 1)
        scale = max(4, s1 + p2 - s2 + 1)
        precision = p1 - s1 + s2 + scale
        if precision > 38:
            precision, scale = 38, max(38 + scale - precision, 4)
        db.run("drop table if exists pairs")
        db.run(f"create table pairs (a decimal({p1},{s1}), b decimal({p2},{s2}))")
        db.run("insert into pairs values (%s, %s)", Decimal(a).scaleb(-s1), Decimal(b).scaleb(-s2))
        wanted = cut_quotient(a, s1, b, s2, scale)
        if abs(wanted) >= Decimal(10) ** (precision - scale):
            with pytest.raises(psycopg2.errors.NumericValueOutOfRange):
                db.run("select a / b from pairs")
            continue
        found = db.value("select a / b from pairs")
        assert (found, -found.as_tuple().exponent) == (wanted, scale), f"({p1},{s1}) / ({p2},{s2})"


def test_a_column_keeps_the_name_that_its_expression_gives_it(sales: Db) -> None:
    with sales.connection.cursor() as cursor:
        cursor.execute(
            "select pricepaid / commission, (pricepaid * 2), pricepaid::int, pricepaid / 2 as half, pricepaid + 1 more,"
            " coalesce(pricepaid, 1.125), case when qty = 1 then pricepaid else 1.5 end, sum(qty / 2.5),"
            " (select max(pricepaid) - 1 from sales), cast(pricepaid as decimal(8,1))"
            " from sales group by 1, 2, 3, 4, 5, 6, 7, 10"
        )
        assert [column.name for column in cursor.description or []] == [
            "?column?", "?column?", "pricepaid", "half", "more", "coalesce", "case", "sum", "?column?", "pricepaid",
        ]  # fmt: skip


def test_the_row_description_says_precision_and_scale(sales: Db) -> None:
    with sales.connection.cursor() as cursor:
        cursor.execute("select pricepaid / commission from sales")
        assert [(c.precision, c.scale) for c in cursor.description or []] == [(17, 9)]


def test_comments_and_letters_of_several_bytes_do_not_move_an_operator(sales: Db) -> None:
    query = "select 'é€𝄞' as s, /* a / b */ pricepaid -- here / there\n / /* é */ commission as q, 'x/y' from sales"
    assert sorted(row[1] for row in sales.run(query)) == [Decimal("0.666666666"), Decimal("6.666666666")]


def test_an_integer_that_is_bound_is_an_integer(native: redshift_connector.Connection) -> None:
    cursor = native.cursor()
    cursor.execute("select pricepaid / %s from sales where qty = 1", (3,))
    (value,) = cursor.fetchone()
    assert str(value) == "0.66666666"  # the driver sends a SMALLINT


def test_a_decimal_that_is_bound_has_a_precision_once_it_is_cast(native: redshift_connector.Connection) -> None:
    cursor = native.cursor()
    with pytest.raises(redshift_connector.ProgrammingError, match="no known precision"):
        cursor.execute("select pricepaid / %s from sales where qty = 1", (Decimal("3.00"),))
    cursor.execute("select pricepaid / %s::decimal(8,2) from sales where qty = 1", (Decimal("3.00"),))
    assert cursor.fetchone() == [Decimal("0.666666666")]


def test_a_prepared_statement_computes_so_each_time(redshift: Running, sales: Db) -> None:
    login = f"host=127.0.0.1 port={redshift.port} user=el password={PASSWORD} dbname=dev"
    with psycopg.connect(login, autocommit=True) as connection:
        connection.execute(f"set search_path to {sales.schema}")
        query = "select pricepaid / commission from sales where qty = %s"
        found: list[Any] = [connection.execute(query, [n], prepare=True).fetchone() for n in (1, 3, 1)]
    assert [str(value) for (value,) in found] == ["0.666666666", "6.666666666", "0.666666666"]


def test_unload_writes_the_type_of_a_computed_decimal(sales: Db, bucket: Bucket) -> None:
    url = f"s3://{BUCKET}/{bucket.prefix}/computed"
    query = "select pricepaid * qty as p, pricepaid / commission as q, sum(qty * 1.5) as r from sales group by 1, 2"
    sales.run(f"unload ('{query}') to '{url}' iam_role 'arn:aws:iam::1:role/x' format parquet parallel off")
    (key,) = [
        o["Key"] for o in bucket.client.list_objects_v2(Bucket=BUCKET, Prefix=f"{bucket.prefix}/computed")["Contents"]
    ]
    table = pq.read_table(io.BytesIO(bucket.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()))
    assert [f.type for f in table.schema] == [pa.decimal128(19, 2), pa.decimal128(17, 9), pa.decimal128(38, 1)]
    assert sorted(table.column("q").to_pylist()) == [Decimal("0.666666666"), Decimal("6.666666666")]


def test_a_late_binding_view_without_its_table_leaves_the_transaction_whole(sales: Db) -> None:
    schema = sales.schema
    sales.connection.autocommit = False
    sales.run("insert into sales values (1, 1, 9)")
    sales.run(f"create view v as select sum(n) as n from {schema}.later with no schema binding")
    assert sales.value("select count(*) from sales") == 3
    sales.connection.commit()
    sales.run("create table later (n int)")
    sales.run("insert into later values (4)")
    assert sales.value("select n from v") == 4
    sales.connection.rollback()
    with pytest.raises(psycopg2.Error, match="a division in a late-binding view"):
        sales.run(f"create view w as select n / 2 as n from {schema}.nowhere with no schema binding")
    sales.connection.rollback()


def test_an_error_of_the_analysis_is_the_statements_own_and_the_session_goes_on(sales: Db) -> None:
    with pytest.raises(psycopg2.errors.UndefinedColumn, match="nothing"):
        sales.run("select pricepaid / nothing from sales")
    with pytest.raises(psycopg2.errors.UndefinedFunction) as raised:
        sales.run("select pricepaid / date '2026-01-01' from sales")
    assert "HINT" in str(raised.value)
    sales.connection.autocommit = False
    with pytest.raises(psycopg2.errors.UndefinedTable):
        sales.run("select 1.5 / a from nowhere")
    with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
        sales.run("select 1.5 / pricepaid from sales")
    sales.connection.rollback()
    assert sales.value("select count(pricepaid / 3) from sales") == 2
    assert not sales.connection.notices


def test_a_recursive_query_has_the_types_of_its_first_branch(db: Db) -> None:
    numbers = "select 1, 1.5 union all select i + 1, x * 2 from n where i < 3"
    found = db.run(f"with recursive n (i, x) as ({numbers}) select x / 3 from n")
    assert [str(x) for (x,) in found] == ["0.500000000000", "1.000000000000", "2.000000000000"]


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("a - b * c", "-10.00"),
        ("(a - b) * c", "-4.00"),
        ("-a / -b * -c", "-2.666666664"),
        ("a / (b / c)", "2.666666666"),
        ("a::decimal(4,1) / b", "0.66666666"),
        ("case when a > b then a else b end / a", "1.500000000"),
        ("case a when 2.00 then 1 else 2 end / a", "0.5000000"),
        (
            "abs(-a) / sum(b) over (partition by c order by a rows unbounded preceding)",
            "0.666666666666666666666666666666",
        ),
        ("sum(a) over () / nullif(coalesce(b, 0), 0)", "0.6666"),
        ("round(a / b, 2)", "0.67"),
        ("(t.a) / ((t.b))", "0.666666666"),
        ("a / -2.5", "-0.8000"),
        ("a /b+ c", "4.666666666"),
        ("a * b % 4", "2.0000"),
        ("coalesce(a, 1.125)::decimal(8,1)", "2.0"),
        ("case when a > b then a else 1.125 end::decimal(8,1) / b", "0.36666666"),
        ("cast(a / b as decimal(8,1))::decimal(8,3)", "0.600"),
        ("a / null", "None"),
        ("5 - a", "3.00"),
        ('"a"/"b"', "0.666666666"),
    ],
)
def test_operands_are_found_however_an_expression_is_written(db: Db, expression: str, wanted: str) -> None:
    db.run("create table t (a decimal(8,2), b decimal(8,2), c int)")
    db.run("insert into t values (2, 3, 4)")
    assert str(db.value(f"select {expression} from t")) == wanted
    assert str(db.value(f"select x from (select {expression} as x from t) y")) == wanted

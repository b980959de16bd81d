"""The row hash: MySQL's and that of the copy are one, for any value of any type; and no two rows have the same."""

from __future__ import annotations

import json
import os
import random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from el.archive import objects, rows
from el.archive.table import read_shape
from el.mysql.process import Process
from el.settings import mysql
from tests.conftest import Source

#: Every type that the archive carries, with expressions of its awkward values.
TYPES: dict[str, list[str]] = {
    "tinyint": ["-128", "127", "0"],
    "tinyint unsigned": ["255"],
    "smallint zerofill": ["7"],
    "mediumint unsigned": ["16777215"],
    "int": ["-2147483648"],
    "int(9) unsigned zerofill": ["5", "4294967295"],
    "bigint": ["-9223372036854775808", "9223372036854775807"],
    "bigint unsigned": ["18446744073709551615", "0"],
    "decimal(5,2)": ["-0.50", "999.99", "0"],
    "decimal(38,10)": ["0.0000000001", "-1234567890123456789012345678.0123456789", "0"],
    "decimal(30,30)": ["0.000000000000000000000000000001", "-0.1"],
    "decimal(20,0)": ["-1", "12345678901234567890"],
    "decimal(65,30)": ["-12345678901234567890123456789012345.123456789012345678901234567890", "1e-30"],
    "decimal(10,3) zerofill": ["1.5"],
    "float": ["0.1234567", "0.1234568", "-3.4028234e38", "1.4e-45", "16777217"],
    "double": ["0.1", "1.7976931348623157e308", "5e-324", "-1e-12", "0.30000000000000004"],
    "bit(1)": ["b'1'", "b'0'"],
    "bit(63)": ["~0 >> 1"],
    "bit(64)": ["~0"],
    "date": ["'0000-00-00'", "'2024-00-10'", "'9999-12-31'", "'2024-02-29'"],
    "datetime": ["'0000-00-00 00:00:00'", "'1000-01-01 00:00:00'"],
    "datetime(6)": ["'2024-01-01 00:00:00.000001'", "'2023-00-01 01:02:03'"],
    "timestamp(3) null": ["'2038-01-19 03:14:07.999'", "'0000-00-00 00:00:00'"],
    "time": ["'-838:59:59'", "'838:59:59'", "'00:00:00'"],
    "time(6)": ["'-00:00:00.000001'", "'25:00:00.5'"],
    "year": ["0", "1901", "2155"],
    "char(8)": ["'a'", "'a  '", "''", "'\U0001f600'"],
    "varchar(40)": ["'a '", "'a'", "'~'", "'3:abc'", "0x00", "0xeda080"],
    "varchar(40) character set latin1": ["0xe9", "'a'"],
    "varchar(40) character set ucs2": ["'é'", "'ab'"],
    "varchar(40) character set utf16": ["'\U0001f600'"],
    "text": ["'x'", "repeat('y', 60000)"],
    "text character set ucs2": ["'é'"],
    "mediumtext": ["repeat('z', 100000)", "''"],
    "longtext character set latin1": ["0xfc"],
    "json": ["'{\"a\": 10}'", "'{\"a\": 1.0}'", "'null'"],
    "enum('a','b,''c')": ["'a'", "'b,''c'", "0"],
    "enum('','a')": ["''", "0", "'a'"],
    "enum('é') character set latin1": ["1"],
    "set('x','y')": ["'x,y'", "''", "'y'"],
    "set('','x')": ["1", "0", "3"],
    "binary(4)": ["0x00", "0x01020304"],
    "varbinary(20)": ["x''", "0xff00", "'~'"],
    "tinyblob": ["0x2c"],
    "blob": ["0x00ff", "repeat('b', 60000)"],
    "mediumblob": ["repeat(0xfe, 100000)", "x''"],
    "longblob": ["0x7e"],
    "geometry": ["st_geomfromtext('POINT(1 2)', 4326)", "st_geomfromtext('POINT(1 2)')"],
    "point": ["point(-0e0, 1e300)"],
}
if os.environ["TEST_MYSQL"] == "mariadb":  # types of its own
    TYPES |= {
        "decimal(38,38)": ["0.00000000000000000000000000000000000001", "-0.1"],
        "uuid": ["'123e4567-e89b-12d3-a456-426655440000'"],
        "inet4": ["'1.2.3.4'"],
        "inet6": ["'::'", "'2001:db8::ff00:42:8329'"],
    }


def both(source: Source, table: str) -> tuple[list[str], list[str], pa.Table, list[rows.Column]]:
    """The row hashes as MySQL has them and as the copy has, which went through a Parquet file; and the copy."""
    connection = source.connect()
    connection.autocommit(True)
    with connection.cursor() as cursor:
        cursor.execute("set session time_zone = '+00:00', sql_mode = ''")
        shape = read_shape(connection, table)
        columns = list(shape.columns)
        cursor.execute(f"select {rows.hash_sql(columns)} from `{table}` order by id".replace("%", "%%"))
        live = [row[0] for row in cursor.fetchall()]
    with Process("t", mysql(source.name)) as process:
        process.ask(f"select {rows.select_list(columns)} from `{table}` order by id")
        copy = rows.table(columns, list(process.answer()))
    copy = objects.from_parquet(objects.to_parquet(copy), columns)
    return live, [each.hex() for each in rows.hashes(columns, copy)], copy, columns


@pytest.fixture
def _settings(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in source.env.items():
        if name.startswith("SOURCES__"):
            monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("_settings")
def test_every_type_has_one_hash_in_mysql_and_in_the_copy(source: Source) -> None:
    columns = ", ".join(f"`c{number}` {kind}" for number, kind in enumerate(TYPES))
    source.mysql("set sql_mode = ''", f"create table t (id int auto_increment primary key, {columns})")
    source.mysql("insert into t () values ()")
    for number, values in enumerate(TYPES.values()):
        for value in values:
            source.mysql(f"insert into t (c{number}) values ({value})")
    live, copy, _, carried = both(source, "t")
    assert len(live) == sum(map(len, TYPES.values())) + 1
    assert live == copy
    assert len(set(live)) == len(live)
    assert len(carried) == len(TYPES) + 1


@pytest.mark.usefixtures("_settings")
@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("float", "0.1234567", "0.1234568"),
        ("double", "0.1", "0.10000000000000002"),
        ("varchar(9)", "'a'", "'a '"),
        ("varchar(9)", "'a'", "'A'"),
        ("varchar(9)", "'~'", "null"),
        ("varbinary(9)", "x''", "null"),
        ("longblob", "0x7e", "null"),
        ("json", "'[1, 2]'", "'[1, 2.0]'"),
        ("varchar(9)", "'\U0001f600'", "'\U0001f601'"),
        ("enum('','a')", "''", "0"),
        ("set('','x')", "0", "1"),
        ("date", "'0000-00-00'", "null"),
        ("datetime(6)", "'2024-01-01'", "'2024-01-01 00:00:00.000001'"),
        ("time", "'00:00:00'", "'-00:00:01'"),
        ("geometry", "st_geomfromtext('POINT(1 2)', 4326)", "st_geomfromtext('POINT(1 2)')"),
    ],
)
def test_a_value_that_differs_in_its_bytes_has_another_hash(source: Source, kind: str, before: str, after: str) -> None:
    source.mysql("set sql_mode = ''", f"create table t (id int primary key, c {kind})")
    source.mysql(f"insert into t values (1, {before})")
    first = both(source, "t")[0]
    source.mysql(f"update t set c = {after}")
    live, copy, *_ = both(source, "t")
    assert live == copy
    assert live != first


@pytest.mark.usefixtures("_settings")
def test_values_that_move_from_one_column_to_the_next_have_another_hash(source: Source) -> None:
    source.mysql("create table t (id int primary key, a varchar(20), b varchar(20), c blob, d mediumtext)")
    values = [("ab", "c"), ("a", "bc"), ("", "abc"), ("1:a", "2:bc"), ("a2:bc", ""), (None, "~"), ("~", None)]
    with source.admin.cursor() as cursor:
        for number, (a, b) in enumerate(values):
            cursor.execute("insert into t values (%s, %s, %s, %s, %s)", (number, a, b, a, b))
            cursor.execute("insert into t values (%s, %s, %s, %s, %s)", (number + 100, a, b, b, a))
    source.admin.commit()
    live, copy, *_ = both(source, "t")
    assert live == copy
    source.mysql("update t set id = id + 1000")
    assert len({*live, *both(source, "t")[0]}) == 4 * len(values)


@pytest.mark.usefixtures("_settings")
def test_a_thousand_columns_have_one_hash(source: Source) -> None:
    columns = ", ".join(f"c{number} int" for number in range(1000))
    source.mysql(f"create table t (id int primary key, {columns})", "insert into t (id, c7) values (1, 5), (2, null)")
    live, copy, *_ = both(source, "t")
    assert live == copy


def test_a_hash_that_mysql_cannot_compute_is_null(source: Source) -> None:
    source.mysql("create table t (id int primary key, a longblob, b longblob)")
    source.mysql("insert into t values (1, repeat('a', 1000000), 'b')")
    connection = source.connect()
    expression = rows.hash_sql(read_shape(connection, "t").columns)
    with connection.cursor() as cursor:
        cursor.execute(f"select {expression.replace('cast(`a` as binary)', 'repeat(`a`, 100)')} from t")
        assert cursor.fetchone() == (None,)


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "bigint unsigned": st.integers(0, 2**64 - 1),
    "decimal(38,19)": st.decimals(-(10**18), 10**18, places=19).map(str),
    "decimal(60,30)": st.decimals(-(10**18), 10**18, places=30).map(str),
    "float": st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),
    "double": st.floats(allow_nan=False, allow_infinity=False).map(repr),
    "varchar(200)": _TEXT,
    "char(200)": _TEXT,
    "mediumtext": _TEXT,
    "varbinary(100)": st.binary(max_size=60),
    "longblob": st.binary(max_size=60),
    "datetime(6)": st.datetimes().map(str),
    "time(6)": st.timedeltas().map(lambda t: f"{t.seconds // 60 - 700}:10:11.{t.microseconds:06d}"),
    "json": st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT, st.lists
    ).map(json.dumps),
}


@pytest.mark.usefixtures("_settings")
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_random_rows_have_one_hash_in_mysql_and_in_the_copy(source: Source, data: st.DataObject) -> None:
    kinds = list(_VALUES)
    random.Random(0).shuffle(kinds)
    columns = ", ".join(f"c{number} {kind}" for number, kind in enumerate(kinds))
    source.mysql("set sql_mode = ''", "drop table if exists t", f"create table t (id int primary key, {columns})")
    many = data.draw(st.integers(1, 6))
    with source.admin.cursor() as cursor:
        for number in range(many):
            drawn = [data.draw(st.none() | _VALUES[kind]) for kind in kinds]
            cursor.execute(f"insert into t values (%s{', %s' * len(kinds)})", (number, *drawn))
    source.admin.commit()
    live, copy, *_ = both(source, "t")
    assert live == copy
    assert len(set(live)) == many

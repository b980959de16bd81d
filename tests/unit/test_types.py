"""The type table on columns as MySQL 5.7, 8.0, 8.4 and 9 describe them; MariaDB's go the whole way in tests/cases.

What no server at hand prints is written after its documentation.
"""

from __future__ import annotations

import pyarrow as pa
import pytest

from el.mysql import types
from el.mysql.catalog import starts_fixed, swaps_axes
from el.mysql.types import CatalogColumn, Options


def described(column_type: str, length: int | None = None, precision: int | None = None, scale: int | None = None,
              long_lat: bool = False) -> CatalogColumn:  # fmt: skip
    data_type = column_type.partition("(")[0].partition(" ")[0]
    return CatalogColumn("c", data_type, column_type, True, length, precision, scale, "", long_lat=long_lat)


def way(source: CatalogColumn, options: Options = types.DEFAULT) -> types.Column:
    column = types.column(source, "c", options)
    assert column
    return column


@pytest.mark.parametrize(
    ("column_type", "redshift"),
    [
        ("tinyint", "smallint"),
        ("tinyint(1)", "smallint"),
        ("tinyint unsigned", "smallint"),
        ("smallint unsigned", "integer"),
        ("mediumint unsigned", "integer"),
        ("int", "integer"),
        ("int unsigned", "bigint"),
        ("bigint", "bigint"),
        ("bigint unsigned", "decimal(20,0)"),
        ("bigint unsigned zerofill", "decimal(20,0)"),
        ("year", "smallint"),
        ("float", "real"),
        ("double", "double precision"),
        ("json", "super"),
        ("datetime(6)", "timestamp"),
        ("timestamp", "timestamptz"),
        ("geomcollection", "varchar(65535)"),
    ],
)
def test_types_that_mysql_8_prints_without_a_width(column_type: str, redshift: str) -> None:
    assert way(described(column_type)).redshift == redshift


@pytest.mark.parametrize(
    ("described_as", "plain"),
    [
        ("timestamp(6) /* mariadb-5.3 */", "timestamp(6)"),
        ("datetime /* mysql-5.6 */", "datetime"),
        ("varchar(2000) /*m!100301 compressed*/", "varchar(2000)"),
        ("int(10) unsigned", "int(10) unsigned"),
    ],
)
def test_what_mariadb_says_behind_a_type_is_no_part_of_it(described_as: str, plain: str) -> None:
    assert types.plain_type(described_as) == plain


def test_json_of_mysql_is_a_type_of_its_own() -> None:
    column = way(described("json"))
    assert (column.is_json, column.arrow) == (True, pa.string())
    assert "cast(`c` as char)" in column.select


def test_a_geometry_of_mysql_8_is_written_x_before_y_as_redshift_reads_it() -> None:
    assert "st_astext(`c`, 'axis-order=long-lat')" in way(described("point", long_lat=True)).select
    assert "axis-order" not in way(described("point")).select


@pytest.mark.parametrize(
    ("version", "swaps"),
    [
        ("8.0.36", True),
        ("8.0.mysql_aurora.3.05.2", True),
        ("8.4.3", True),
        ("9.1.0", True),
        ("10.11.6-MariaDB-log", False),
        ("5.5.5-10.6.18-MariaDB", False),
    ],
)
def test_only_mysql_8_and_later_swap_axes(version: str, swaps: bool) -> None:
    assert swaps_axes(version) is swaps


@pytest.mark.parametrize("column_type", ["vector(3)", "xmltype", "varchar2(9)"])
def test_a_type_that_is_not_in_the_table_has_no_way(column_type: str) -> None:
    source = described(column_type)
    assert types.column(source, "c") is None
    assert [types.takes(source, option) for option in ("boolean", "on_oversize", "on_zero_date")] == [False] * 3


def test_boolean_is_for_every_tinyint_and_for_bit_1_alone() -> None:
    fits = {
        kind: types.takes(described(kind), "boolean")
        for kind in ("tinyint(1)", "tinyint", "tinyint unsigned", "bit(1)", "bit(2)", "smallint", "char(1)")
    }
    assert [kind for kind, fit in fits.items() if fit] == ["tinyint(1)", "tinyint", "tinyint unsigned", "bit(1)"]
    column = way(described("tinyint(1)"), Options(boolean=True))
    assert (column.redshift, column.arrow, column.hint) == ("boolean", pa.bool_(), {"data_type": "bool"})


def test_a_policy_that_a_type_has_no_use_for_does_not_count_as_a_change() -> None:
    options = Options(on_oversize="null", on_zero_date="error")
    number = way(described("int"), options)
    assert (number.on_oversize, number.on_zero_date) == ("error", "null")
    text = way(described("text", length=65535), options)
    assert (text.on_oversize, text.on_zero_date) == ("null", "null")


def test_a_name_with_braces_and_backticks_is_quoted_everywhere() -> None:
    column = types.column(CatalogColumn("{0}`%s", "date", "date", True, None, None, None, ""), "x")
    assert column
    assert (column.key, column.select) == ("`{0}``%s`", "concat(`{0}``%s`)")


@pytest.mark.parametrize(
    ("default", "nullable", "fixed"),
    [
        ("CURRENT_TIMESTAMP(6)", False, False),  # MySQL
        ("current_timestamp(6)", True, False),  # MariaDB
        ("now()", True, False),  # MySQL, an expression
        (None, True, False),  # MySQL: no default, or NULL
        ("NULL", True, False),  # MariaDB
        (None, False, True),  # the insert must set it, or in a lax mode gets a zero date
        ("0000-00-00 00:00:00", False, True),
        ("2001-01-01 00:00:00", True, True),
    ],
)
def test_a_default_that_is_neither_the_time_nor_null_is_fixed(default: str | None, nullable: bool, fixed: bool) -> None:
    assert starts_fixed(default, nullable) is fixed

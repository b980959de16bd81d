"""What we rely on in libraries, beyond their documentation. A new version that breaks one of these is not taken."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from el.config import raw_name


@given(st.text(min_size=1, max_size=64))
def test_dlt_leaves_our_names_as_they_are(name: str) -> None:
    from dlt.common.normalizers.naming.snake_case import NamingConvention

    assert NamingConvention(max_length=127).normalize_identifier(raw_name(name)) == raw_name(name)


def read(stack: dict[str, str], select: str) -> Any:
    """One value through connectorx, in a process of its own because it panics."""
    script = (
        "import connectorx, sys, json\n"
        "t = connectorx.read_sql(sys.argv[1], sys.argv[2], return_type='arrow', "
        "pre_execution_query=[\"set time_zone = '+00:00'\", \"set sql_mode = ''\"])\n"
        "print(json.dumps([str(t.schema.field(0).type), str(t.column(0)[0].as_py())]))\n"
    )
    url = stack["SOURCES__CLINIC__CREDENTIALS"].replace("/clinic", "/information_schema")
    done = subprocess.run([sys.executable, "-c", script, url, select], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("select concat(cast('9999-12-31 23:59:59.999999' as datetime(6))) as v", "9999-12-31 23:59:59.999999"),
        ("select concat(cast('0000-00-00' as date)) as v", "0000-00-00"),
        ("select cast(18446744073709551615 as unsigned) as v", "18446744073709551615"),
        ("select cast(-9223372036854775808 as signed) as v", "-9223372036854775808"),
        ("select concat(cast('-12345678.0123456789012' as decimal(38,14))) as v", "-12345678.01234567890120"),
        ("select cast('-838:59:59' as char) as v", "-838:59:59"),
        ("select 1e-12 as v", "1e-12"),
        ("select _utf8mb4 x'F09F9A91' as v", "\U0001f691"),
    ],
)
def test_connectorx_reads_our_select_expressions_exactly(stack: dict[str, str], select: str, expected: str) -> None:
    assert read(stack, select)[1] == expected


def test_connectorx_has_ten_decimal_places_and_no_more(stack: dict[str, str]) -> None:
    """The reason why decimals are read as text."""
    assert read(stack, "select cast('0.12345678901234' as decimal(20,14)) as v")[0] == "decimal128(38, 10)"


def test_arrow_casts_text_to_decimals_exactly() -> None:
    wide = "-12345678901234567890123456789012.345678"
    cast = pa.array([wide, "0.000001", None]).cast(pa.decimal128(38, 6))
    assert [None if v is None else str(v) for v in cast.to_pylist()] == [wide, "0.000001", None]


@pytest.mark.parametrize("text", ["0000-00-00", "2020-00-10", "2020-10-00", "2021-02-29", "2020-06-31"])
@pytest.mark.parametrize("kind", [pa.date32(), pa.timestamp("us")])
def test_arrow_refuses_a_date_that_does_not_exist(text: str, kind: pa.DataType) -> None:
    with pytest.raises(pa.ArrowInvalid):
        pa.array([text if kind == pa.date32() else f"{text} 00:00:00"]).cast(kind)


def test_arrow_takes_every_precision_of_a_time_and_the_year_0() -> None:
    texts = ["1000-01-01 00:00:00", "2020-02-29 01:02:03.4", "9999-12-31 23:59:59.999999", "0000-01-01 00:00:00"]
    numbers = pa.array(texts).cast(pa.timestamp("us")).cast(pa.int64()).to_pylist()
    assert numbers == [-30610224000000000, 1582938123400000, 253402300799999999, -62167219200000000]


def test_dlt_writes_arrow_columns_in_our_order_and_its_own_behind(stack: dict[str, str], tmp_path: Any) -> None:
    import dlt
    import pyarrow.parquet as pq
    from dlt.destinations import filesystem

    from el import settings

    settings.configure_dlt()
    table = pa.table({"zeta": pa.array([1], pa.int32()), "alpha": pa.array(["x"]), "_seq": pa.array([1], pa.int64())})
    hints = {"zeta": {"data_type": "bigint", "precision": 32, "x-redshift-type": "integer"}}
    pipeline = dlt.pipeline(
        "boundary",
        pipelines_dir=str(tmp_path / "p"),
        dataset_name="d",
        destination=filesystem(bucket_url=f"file://{tmp_path}/out"),
    )
    pipeline.run(dlt.resource(lambda: iter([table]), name="t", columns=hints, file_format="parquet"))  # type: ignore[call-overload]
    (file,) = (tmp_path / "out" / "d" / "t").glob("*.parquet")
    assert pq.ParquetFile(file).schema_arrow.names == ["zeta", "alpha", "_seq", "_dlt_load_id"]
    assert pipeline.default_schema.tables["t"]["columns"]["zeta"]["x-redshift-type"] == "integer"  # type: ignore[typeddict-item]

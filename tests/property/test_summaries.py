"""The two halves of the summary, Arrow's and Redshift's, say the same of any rows, and another thing of other rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from el.landing import LandedColumn
from el.mysql.types import TYPES as MYSQL_TYPES
from el.mysql.types import CatalogColumn
from el.redshift import recount
from el.summarize import _SLICE, Summarizer
from el.summary import P, Salt, Summary
from tests.local.conftest import Bucket, Db

UTC = dt.UTC
_WIDE = Context(prec=60)
# NUL is no character of Redshift's strings.
_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["", " ", "a", "a ", "é", "ée", "日本語", "😀", "a😀é ", "\uffff", "\U0010ffff", "x" * 60, "ß" * 40]
)
_moment = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999))


def _decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    limit = 10**precision - 1
    digits = st.integers(-limit, limit) | st.sampled_from([limit, -limit, 0, 1, -1])
    return digits.map(lambda i: Decimal(i).scaleb(-scale, _WIDE))


def _integers(bits: int) -> st.SearchStrategy[int]:
    edges = [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 0, -1]
    return st.integers(edges[0], edges[1]) | st.sampled_from(edges)


# Redshift type → Arrow's type, values. Every Redshift type that the type table has is here.
TYPES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "smallint": (pa.int16(), _integers(16)),
    "integer": (pa.int32(), _integers(32)),
    "bigint": (pa.int64(), _integers(64) | st.sampled_from([P, -P, P + 1])),
    "boolean": (pa.bool_(), st.booleans()),
    "decimal(10,2)": (pa.decimal128(10, 2), _decimals(10, 2)),
    "decimal(18,18)": (pa.decimal128(18, 18), _decimals(18, 18)),
    "decimal(20,0)": (pa.decimal128(20, 0), _decimals(20, 0)),
    "decimal(38,20)": (pa.decimal128(38, 20), _decimals(38, 20)),
    "decimal(38,38)": (pa.decimal128(38, 38), _decimals(38, 38)),
    "real": (pa.float32(), st.floats(width=32, allow_nan=False, allow_infinity=False)),
    "double precision": (pa.float64(), st.floats(allow_nan=False, allow_infinity=False)),
    "date": (pa.date32(), st.dates()),
    "timestamp": (pa.timestamp("us"), _moment),
    "timestamptz": (pa.timestamp("us", "UTC"), _moment.map(lambda m: m.replace(tzinfo=UTC))),
    "varbyte": (pa.binary(), st.binary(max_size=20)),
    "varchar(240)": (pa.string(), _text),
}
NAMES = {kind: f"c{i}" for i, kind in enumerate(TYPES)}
ROW = st.tuples(*(st.none() | values for _, values in TYPES.values()))
ROWS = st.lists(ROW, min_size=1, max_size=12)
KEYS = [[], ["bigint"], ["varchar(240)"], ["varbyte"], ["date", "decimal(20,0)", "varchar(240)", "boolean"]]
_SETTINGS = settings(
    max_examples=10, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_NULLS: tuple[Any, ...] = (None,) * len(TYPES)
SALT = Salt(1234567891, 987654321)


def landed(keys: Sequence[str]) -> list[LandedColumn]:
    return [LandedColumn(name, kind, kind in keys) for kind, name in NAMES.items()]


def as_table(rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    return pa.table(
        {NAMES[k]: pa.array([r[i] for r in rows], arrow) for i, (k, (arrow, _)) in enumerate(TYPES.items())}
    )


def summarized(rows: Sequence[tuple[Any, ...]], keys: Sequence[str], salt: Salt = SALT) -> Summary:
    summarizer = Summarizer([(column.name, column.key) for column in landed(keys)], salt)
    summarizer.add(as_table(rows))
    return summarizer.summary


def recounted(db: Db, table: str, keys: Sequence[str], salt: Salt = SALT) -> Summary:
    columns = landed(keys)
    select = ", ".join(["count(*)", recount.keys(), *recount.sums(columns)])
    (found,) = db.run(f"select {select} from {recount.weighted(table, columns, salt)}")
    return recount.summary(salt, int(found[0]), found[1], columns, found[2:])


@pytest.fixture
def table(db: Db) -> Db:
    db.run(f"create table incoming ({', '.join(f'{NAMES[k]} {k}' for k in TYPES)})")
    return db


def copy(db: Db, bucket: Bucket, rows: list[tuple[Any, ...]]) -> None:
    db.run("delete from incoming")
    content = as_table(rows)
    url = bucket.parquet("in.parquet", dict(zip(content.column_names, content.columns, strict=True)))
    db.run(f"copy incoming from '{url}' iam_role default parquet")


def test_every_type_of_the_type_table_is_tried_here() -> None:
    made = set()
    for name, form in MYSQL_TYPES.items():
        for text in (name, f"{name} unsigned"):
            found = form(CatalogColumn(name, name, text, True, 20, 12, 2, "")).redshift
            made.add(found.partition("(")[0].replace("super", "varchar"))
    assert made == {kind.partition("(")[0] for kind in TYPES if kind != "boolean"}


@pytest.mark.parametrize("keys", KEYS, ids=lambda keys: "-".join(keys) or "none")
@_SETTINGS
@given(rows=ROWS, salt=st.builds(Salt, st.integers(2**20, P - 1), st.integers(2**20, P - 1)))
@example(rows=[_NULLS], salt=SALT)
def test_redshift_counts_what_arrow_counted(
    table: Db, bucket: Bucket, keys: list[str], rows: list[tuple[Any, ...]], salt: Salt
) -> None:
    copy(table, bucket, rows)
    said, found = summarized(rows, keys, salt), recounted(table, "incoming", keys, salt)
    assert said.differences(found) == []
    assert said == found


@_SETTINGS
@given(rows=ROWS, cut=st.integers(0, 12), offset=st.integers(0, 12))
def test_rows_add_up_however_they_are_cut(rows: list[tuple[Any, ...]], cut: int, offset: int) -> None:
    keys = ["integer", "varchar(240)"]
    whole = as_table(rows)
    parts = Summarizer([(column.name, column.key) for column in landed(keys)], SALT)
    for part in (whole.slice(0, cut), whole.slice(cut)):
        parts.add(part)
    # A slice of a larger table has its buffers, from the middle on.
    other = Summarizer([(column.name, column.key) for column in landed(keys)], SALT)
    other.add(pa.concat_tables([whole.slice(0, offset), whole]).combine_chunks().slice(min(offset, len(rows))))
    assert parts.summary == other.summary == summarized(rows, keys)
    assert summarized(rows[:cut], keys) + summarized(rows[cut:], keys) == parts.summary


def test_many_rows_of_the_largest_numbers_do_not_overflow() -> None:
    size = 3 * _SLICE + 7
    for value in (2**63 - 1, -(2**63), P - 1):
        summarizer = Summarizer([("id", True), ("n", False)], SALT)
        summarizer.add(pa.table({"id": pa.array(range(size)), "n": pa.repeat(pa.scalar(value), size)}))
        weights = [(((key % P) * SALT.weight % P) >> 15) + 1 for key in range(size)]
        assert summarizer.summary.columns["n"].sum == value * sum(weights) % P
        assert summarizer.summary.keys == sum(key * weight for key, weight in enumerate(weights)) % P


ROW_OF = dict.fromkeys(TYPES) | {
    "smallint": 3,
    "bigint": 70000000000,
    "decimal(10,2)": Decimal("12.34"),
    "decimal(38,20)": Decimal("12.00000000000000000001"),
    "double precision": 0.1 + 0.2,
    "date": dt.date(2026, 3, 1),
    "timestamp": dt.datetime(2026, 3, 1, 12, 0, 0, 1),
    "timestamptz": dt.datetime(2026, 3, 1, 12, tzinfo=UTC),
    "varchar(240)": "Zoë Müller ",
    "varbyte": b"\x01\x02\x03",
}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("smallint", 4),
        ("smallint", None),
        ("integer", 0),
        ("bigint", 70000000001),
        ("decimal(10,2)", Decimal("12.30")),
        ("decimal(38,20)", Decimal("12.00000000000000000000")),
        ("double precision", 0.3001),
        ("date", dt.date(2026, 3, 2)),
        ("timestamp", dt.datetime(2026, 3, 1, 12)),
        ("timestamptz", dt.datetime(2026, 3, 1, 13, tzinfo=UTC)),
        ("varchar(240)", "Zoë Müller"),
        ("varchar(240)", "ZoÃ« MÃ¼ller "),
        ("varchar(240)", "Zo? M?ller "),
        ("varbyte", b"\x01\x02"),
    ],
)
def test_one_other_value_in_a_hundred_rows_is_found_and_its_column_named(kind: str, value: Any) -> None:
    rows = [
        tuple((ROW_OF | {"integer": None, "boolean": None, "decimal(20,0)": Decimal(n)}).values()) for n in range(100)
    ]
    place = list(TYPES).index(kind)
    other = list(rows)
    other[41] = (*other[41][:place], value, *other[41][place + 1 :])
    (said,) = summarized(rows, ["decimal(20,0)"]).differences(summarized(other, ["decimal(20,0)"]))
    assert said.startswith(f"column {NAMES[kind]} ")


def test_values_that_changed_their_rows_are_found_though_every_column_has_the_same_ones() -> None:
    rows = [tuple((ROW_OF | {"decimal(20,0)": Decimal(n), "smallint": n % 7}).values()) for n in range(100)]
    place = list(TYPES).index("smallint")
    one, two = rows[3], rows[4]
    other = list(rows)
    other[3], other[4] = (
        (*mine[:place], theirs[place], *mine[place + 1 :]) for mine, theirs in ((one, two), (two, one))
    )
    keys = ["decimal(20,0)"]
    assert summarized(rows, keys).differences(summarized(other, keys)) == [
        f"column {NAMES['smallint']} has other values"
    ]


def test_a_lost_row_beside_a_doubled_one_is_another_set_of_keys() -> None:
    rows = [tuple((ROW_OF | {"bigint": n}).values()) for n in range(100)]
    said = summarized(rows, ["bigint"]).differences(summarized([*rows[:50], rows[49], *rows[51:]], ["bigint"]))
    assert said[0] == "the set of keys is another"


def test_bytes_that_lie_under_null_do_not_count() -> None:
    """Arrow lets any bytes stand where a value is NULL."""
    under = pa.array(["é", "日本", "a", "ü"])
    _, offsets, content = under.buffers()
    hidden = pa.StringArray.from_buffers(4, offsets, content, pa.py_buffer(bytes([0b1101])), 1)
    plain = pa.array(["é", None, "a", "ü"])
    assert hidden.equals(plain)
    for begin, end in ((0, 4), (1, 3)):  # in the second only bytes under NULL are not ASCII
        found = []
        for values in (hidden, plain):
            summarizer = Summarizer([("id", True), ("v", False)], SALT)
            summarizer.add(pa.table({"id": range(4), "v": values}).slice(begin, end - begin))
            found.append(summarizer.summary)
        assert found[0] == found[1]

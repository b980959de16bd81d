"""Random valid values of every type: into the table by COPY, out again by SELECT and by UNLOAD, and equal each time.

What is expected is what hypothesis drew, not what the server says. Parquet for every type that may be in it, CSV for
all, since VARBYTE and TIME may be unloaded to text only.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import math
import struct
import uuid
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.local.conftest import BUCKET, Bucket, Db

UTC = dt.UTC
_WIDE = Context(prec=60)
# Any character that UTF-8 has; NUL is none in Redshift's strings.
_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
_moment = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999))
_real = st.floats(width=32, allow_nan=False)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=6,
)


def _decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    limit = 10**precision - 1
    return st.integers(-limit, limit).map(lambda i: Decimal(i).scaleb(-scale, _WIDE))


# column type → Arrow's type, values
TYPES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "smallint": (pa.int16(), st.integers(-(2**15), 2**15 - 1)),
    "integer": (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    "bigint": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "real": (pa.float32(), _real),
    "double precision": (pa.float64(), st.floats(allow_nan=False)),
    "decimal(18,0)": (pa.decimal128(18, 0), _decimals(18, 0)),
    "decimal(38,20)": (pa.decimal128(38, 20), _decimals(38, 20)),
    "varchar(80)": (pa.string(), _text),
    "char(20)": (pa.string(), st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)),
    "boolean": (pa.bool_(), st.booleans()),
    "date": (pa.date32(), st.dates()),
    "timestamp": (pa.timestamp("us"), _moment),
    "timestamptz": (pa.timestamp("us", "UTC"), _moment.map(lambda m: m.replace(tzinfo=UTC))),
}
NAMES = {kind: f"c{i}" for i, kind in enumerate(TYPES)}
ROW = st.tuples(*(st.none() | values for _, values in TYPES.values()))

_SETTINGS = settings(
    max_examples=20, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def table(db: Db) -> Db:
    db.run(f"create table t (n int, {', '.join(f'{NAMES[k]} {k}' for k in TYPES)})")
    db.run("create table u (like t)")
    return db


def same(found: Any, expected: Any, kind: str) -> bool:
    if found is None or expected is None:
        return found is expected
    if kind == "real":  # a driver reads the shortest text of it
        return struct.pack("f", found) == struct.pack("f", expected) or math.isclose(found, expected, rel_tol=1e-7)
    if kind.startswith("char"):
        return str(found).rstrip(" ") == expected.rstrip(" ")
    return bool(found == expected)


def assert_same(found: list[tuple[Any, ...]], rows: list[tuple[Any, ...]], how: str) -> None:
    assert len(found) == len(rows), how
    for got, row in zip(found, rows, strict=True):
        for kind, a, b in zip(TYPES, got, row, strict=True):
            assert same(a, b, kind), f"{how}: {kind}: {a!r} is not {b!r}"


def columns(rows: list[tuple[Any, ...]]) -> dict[str, pa.Array]:
    made = {"n": pa.array(range(len(rows)), pa.int32())}
    for i, (kind, (arrow, _)) in enumerate(TYPES.items()):
        made[NAMES[kind]] = pa.array([r[i] for r in rows], arrow)
    return made


def unloaded(bucket: Bucket, prefix: str) -> list[bytes]:
    listed = bucket.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]
    return [bucket.client.get_object(Bucket=BUCKET, Key=o["Key"])["Body"].read() for o in listed]


@_SETTINGS
@given(rows=st.lists(ROW, min_size=1, max_size=20))
def test_parquet_comes_back_by_select_by_unload_and_by_copy_of_the_unload(
    table: Db, bucket: Bucket, rows: list[tuple[Any, ...]]
) -> None:
    table.run("delete from t")
    table.run("delete from u")
    select = f"select {', '.join(NAMES.values())} from"
    table.run(f"copy t from '{bucket.parquet('in.parquet', columns(rows))}' iam_role default parquet")
    assert_same(table.run(f"{select} t order by n"), rows, "SELECT")

    prefix = f"{bucket.prefix}/{uuid.uuid4().hex}/"
    table.run(f"unload ('select * from t order by n') to 's3://{BUCKET}/{prefix}' iam_role default parquet")
    files = [pq.read_table(io.BytesIO(body)) for body in unloaded(bucket, prefix)]
    found = sorted(pa.concat_tables(files).to_pylist(), key=lambda r: int(r["n"]))
    assert_same([tuple(r[name] for name in NAMES.values()) for r in found], rows, "UNLOAD")

    table.run(f"copy u from 's3://{BUCKET}/{prefix}' iam_role default parquet")
    assert_same(table.run(f"{select} u order by n"), rows, "COPY of the UNLOAD")


@_SETTINGS
@given(
    rows=st.lists(ROW, min_size=1, max_size=20),
    form=st.sampled_from(["csv null 'NIL'", "escape null '~null~'", "csv delimiter '|' null 'x0' gzip", "json"]),
)
def test_text_comes_back_by_the_same_options(table: Db, bucket: Bucket, rows: list[tuple[Any, ...]], form: str) -> None:
    table.run("delete from t")
    table.run("delete from u")
    table.run(f"copy t from '{bucket.parquet('in.parquet', columns(rows))}' iam_role default parquet")
    prefix = f"{bucket.prefix}/{uuid.uuid4().hex}/"
    table.run(f"unload ($$select * from t$$) to 's3://{BUCKET}/{prefix}' iam_role default {form}")
    reading = form.replace("json", "json 'auto'")
    table.run(f"copy u from 's3://{BUCKET}/{prefix}' iam_role default {reading}")
    assert_same(table.run(f"select {', '.join(NAMES.values())} from u order by n"), rows, form)


@_SETTINGS
@given(rows=st.lists(st.tuples(st.none() | st.binary(max_size=30), st.none() | st.times()), min_size=1, max_size=20))
def test_varbyte_and_time_come_back_through_csv(db: Db, bucket: Bucket, rows: list[tuple[Any, Any]]) -> None:
    db.run("create table if not exists v (n int, b varbyte(30), t time)")
    db.run("delete from v")
    # An empty VARBYTE and NULL are one in CSV, so there is a word for NULL.
    lines = "".join(
        f"{i},{'NIL' if b is None else b.hex()},{'NIL' if t is None else t.isoformat()}\n"
        for i, (b, t) in enumerate(rows)
        if b != b""
    )
    kept = [(b, t) for b, t in rows if b != b""]
    url = bucket.put("in.csv", lines.encode() or b"\n")
    db.run(f"copy v from '{url}' iam_role default csv null 'NIL' ignoreblanklines")
    found = db.run("select b, t from v order by n")
    assert [(None if b is None else bytes.fromhex(b), t) for b, t in found] == kept
    prefix = f"{bucket.prefix}/{uuid.uuid4().hex}/"
    db.run(f"unload ($$select b, t from v order by n$$) to 's3://{BUCKET}/{prefix}' iam_role default csv parallel off")
    text = b"".join(unloaded(bucket, prefix)).decode()
    assert [line.split(",")[0] for line in text.splitlines()] == [(b or b"").hex() for b, _ in kept]


@_SETTINGS
@given(values=st.lists(st.dictionaries(_text, _json, max_size=4), min_size=1, max_size=10))
def test_super_comes_back_as_the_json_it_was(db: Db, bucket: Bucket, values: list[Any]) -> None:
    db.run("create table if not exists s (n int, v super)")
    db.run("delete from s")
    body = "".join(json.dumps({"n": i, "v": v}) + "\n" for i, v in enumerate(values))
    db.run(f"copy s from '{bucket.put('in.json', body.encode())}' iam_role default json 'auto'")
    assert [json.loads(v) for (v,) in db.run("select v from s order by n")] == values
    prefix = f"{bucket.prefix}/{uuid.uuid4().hex}/"
    db.run(f"unload ('select n, v from s order by n') to 's3://{BUCKET}/{prefix}' iam_role default json parallel off")
    text = b"".join(unloaded(bucket, prefix)).decode()
    assert [json.loads(line)["v"] for line in text.split("\n") if line] == values

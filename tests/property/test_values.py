"""Random tables with random values, through the whole path, compared value by value. A seed makes one table.

A failing seed fails again; a new one is one number more in the list.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.compare import assert_equal
from tests.conftest import Source

CURSOR = (
    "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6), key (updated_at)"
)
ROWS = 300
ON_MYSQL = os.environ["TEST_MYSQL"] == "mysql"
Make = Callable[[random.Random], tuple[str, Callable[[], Any]]]


def integer(name: str, bits: int) -> Make:
    def make(chance: random.Random) -> tuple[str, Callable[[], Any]]:
        unsigned = chance.random() < 0.5
        low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        around = [low, low + 1, -1, 0, 1, high - 1, high]
        values = [value for value in around if low <= value <= high]
        return f"{name} unsigned" if unsigned else name, lambda: chance.choice([*values, chance.randint(low, high)])

    return make


def decimals(chance: random.Random) -> tuple[str, Callable[[], Any]]:
    precision = chance.randint(1, 65)
    scale = chance.randint(0, min(precision, 30 if ON_MYSQL else 38))
    largest = 10**precision - 1

    def value() -> Decimal:
        digits = chance.choice([0, 1, -1, largest, -largest, chance.randint(-largest, largest)])
        return Decimal((int(digits < 0), tuple(map(int, str(abs(digits)))), -scale))

    return f"decimal({precision},{scale})", value


def doubles(chance: random.Random) -> tuple[str, Callable[[], Any]]:
    edges = [0.0, -0.0, 1e-12, -1e-300, 1.7976931348623157e308, 2.2250738585072014e-308, 0.1, 1 / 3]
    return "double", lambda: chance.choice([*edges, chance.uniform(-1, 1) * 10.0 ** chance.randint(-300, 300)])


def floats(chance: random.Random) -> tuple[str, Callable[[], Any]]:
    edges = [0.0, -0.0, 0.1234567, 0.1234568, 3.4028234e38, 1.1754944e-38, 16777217.0]
    return "float", lambda: chance.choice([*edges, chance.uniform(-1, 1) * 10.0 ** chance.randint(-37, 37)])


def text(chance: random.Random, most: int) -> str:
    alphabet = "aZ09 \t\n\r\\'\"%_,;|äßéÿ€漢字🚑👩‍👩‍👧\x01\x7f\x1f"
    made = "".join(chance.choice(alphabet) for _ in range(chance.randint(0, most)))
    return chance.choice(["", " ", "NULL", "\\N", "null", made, made + "  "])[:most]


def chars(chance: random.Random) -> tuple[str, Callable[[], Any]]:
    length = chance.choice([1, 3, 40, 255])
    kind = chance.choice(["char", "varchar"])
    return f"{kind}({length})", lambda: text(chance, length)


def texts(chance: random.Random) -> tuple[str, Callable[[], Any]]:
    kind = chance.choice(["tinytext", "text", "mediumtext", "longtext"])
    return kind, lambda: text(chance, 60) * chance.choice([1, 1, 3])  # 63 characters of 4 bytes fit TINYTEXT


def latin(chance: random.Random) -> tuple[str, Callable[[], Any]]:
    alphabet = "aé ÿ\\'€~"
    return "varchar(30) character set latin1", lambda: "".join(chance.choices(alphabet, k=chance.randint(0, 30)))


def binaries(chance: random.Random) -> tuple[str, Callable[[], Any]]:
    kind = chance.choice(["binary(16)", "varbinary(200)", "blob", "longblob", "tinyblob"])
    return kind, lambda: chance.randbytes(chance.randint(0, 16 if kind == "binary(16)" else 200))


def bits(chance: random.Random) -> tuple[str, Callable[[], Any]]:
    width = chance.choice([1, 8, 31, 63, 64])
    return f"bit({width})", lambda: chance.choice([0, 1, 2**width - 1, chance.getrandbits(width)])


def moments(kind: str, first: datetime, last: datetime) -> Make:
    def make(chance: random.Random) -> tuple[str, Callable[[], Any]]:
        digits = chance.randint(0, 6)
        seconds = int((last - first).total_seconds())

        def value() -> str:
            moment = first + timedelta(seconds=chance.choice([0, seconds, chance.randint(0, seconds)]))
            fraction = chance.choice([0, 10**digits - 1, chance.randrange(10**digits)])
            return f"{moment:%Y-%m-%d %H:%M:%S}" + (f".{fraction:0{digits}}" if digits else "")

        return f"{kind}({digits}) null", value

    return make


def dates(chance: random.Random) -> tuple[str, Callable[[], Any]]:
    def value() -> str:
        some = date.fromordinal(chance.randint(date(1000, 1, 1).toordinal(), date.max.toordinal())).isoformat()
        return chance.choice(["0000-00-00", "2020-00-00", "2020-02-00", "1000-01-01", "9999-12-31", some])

    return "date", value


def times(chance: random.Random) -> tuple[str, Callable[[], Any]]:
    digits = chance.randint(0, 6)

    def value() -> str:
        hours, rest = chance.randint(0, 838), chance.randint(0, 3599)
        fraction = f".{chance.randrange(10**digits):0{digits}}" if digits and hours < 838 else ""
        return f"{chance.choice(['-', ''])}{hours}:{rest // 60:02}:{rest % 60:02}{fraction}"

    return f"time({digits})", value


def jsons(chance: random.Random) -> tuple[str, Callable[[], Any]]:
    values = ["null", "true", "0", "-1.5", '""', '"a\\u00e9🚑"', "[]", "{}", '{"a": [1, {"b": null}], "c d": "x\\"y"}']
    return "json", lambda: chance.choice(values)


def years(chance: random.Random) -> tuple[str, Callable[[], Any]]:
    return "year", lambda: chance.choice([0, 1901, 2155, chance.randint(1901, 2155)])


def enums(chance: random.Random) -> tuple[str, Callable[[], Any]]:
    members = ["a", "B", "c d", "é", "it''s"]
    kind = chance.choice(["enum", "set"])
    quoted = ", ".join(f"'{member}'" for member in members)
    plain = [member.replace("''", "'") for member in members]
    if kind == "enum":
        return f"enum({quoted})", lambda: chance.choice(plain)
    return f"set({quoted})", lambda: ",".join(chance.sample(plain, chance.randint(0, 5)))


KINDS: list[Make] = [
    *(integer(name, size) for name, size in
      (("tinyint", 8), ("smallint", 16), ("mediumint", 24), ("int", 32), ("bigint", 64))),
    decimals, decimals, doubles, floats, chars, texts, latin, binaries, bits, dates, times, jsons, years, enums,
    moments("datetime", datetime(1000, 1, 1), datetime(9999, 12, 31, 23, 59, 59)),
    moments("timestamp", datetime(1970, 1, 1, 0, 0, 1), datetime(2038, 1, 19, 3, 14, 6)),
]  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_values_arrive_exactly(source: Source, seed: int) -> None:
    chance = random.Random(seed)
    kinds = [chance.choice(KINDS)(chance) for _ in range(8)] + [kind(chance) for kind in KINDS]
    columns = ", ".join(f"c{number} {kind}" for number, (kind, _) in enumerate(kinds))
    source.mysql("set session sql_mode = ''", "set session time_zone = '+00:00'",
                 f"create table t (id int primary key, {columns}, {CURSOR})")  # fmt: skip
    names = ", ".join(f"c{number}" for number in range(len(kinds)))
    places = ", ".join(["%s"] * (len(kinds) + 1))
    with source.admin.cursor() as cursor:
        for row in range(ROWS):
            values = [None if chance.random() < 0.1 else make() for _, make in kinds]
            cursor.execute(f"insert into t (id, {names}) values ({places})", [row, *values])
    source.admin.commit()
    source.configure({"t": {}})
    source.el("run")
    assert assert_equal(source, "t") == ROWS

"""Random keys in random collations: the chunks together are the table, no row twice and none missed.

A failing seed fails again; a new one is one number more in the list.
"""

from __future__ import annotations

import os
import random
import struct
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pymysql
import pytest

from el import settings
from el.config import load_sources
from el.mysql import chunks
from el.mysql.catalog import read_shapes
from el.mysql.chunks import Chunks
from el.mysql.connection import connected, rows
from tests.conftest import Source

ROWS, CHUNK = 300, 7
COLLATIONS = [
    "utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_unicode_520_ci", "utf8mb4_bin", "utf8mb4_german2_ci",
    "utf8mb4_swedish_ci", "utf8mb4_spanish2_ci", "latin1_swedish_ci",
    "latin1_german2_ci", "latin1_bin", "cp1251_general_ci", "utf16_unicode_ci", "ucs2_general_ci", "ascii_general_ci",
    "big5_chinese_ci", "sjis_japanese_ci",
]  # fmt: skip
#: Those of one server alone: a trailing blank counts in them.
OWN = {
    "mysql": ["utf8mb4_0900_ai_ci", "utf8mb4_0900_as_cs", "utf8mb4_0900_bin", "utf8mb4_de_pb_0900_ai_ci"],
    "mariadb": ["utf8mb4_nopad_bin", "utf8mb4_unicode_nopad_ci"],
}
#: Case, accents, trailing blanks, expansions, what is ignored, what sorts before a blank, quotes and backslashes.
ALPHABET = "aAbBzZéÉeß s\tSåÅäöñch\x01\u200b\\'\"%_-.ｱあ中\U0001f691Жж"
#: What MySQL keeps as a date although no calendar has it.
NO_DATES = ["0000-00-00", "2023-00-10", "2023-10-00", "2023-02-30"]
#: The type of a column, and a value of it.
Kind = tuple[str, Callable[[], Any]]


def integers(chance: random.Random) -> Kind:
    name, bits = chance.choice([("tinyint", 8), ("smallint", 16), ("mediumint", 24), ("int", 32), ("bigint", 64)])
    unsigned = chance.random() < 0.5
    low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    edges = [low, low + 1, high - 1, high]
    return name + " unsigned" * unsigned, lambda: chance.choice([chance.choice(edges), chance.randint(low, high)])


def texts(chance: random.Random) -> Kind:
    collation = chance.choice(COLLATIONS + OWN[os.environ["TEST_MYSQL"]])
    charset = collation.split("_")[0]
    python = {"utf8mb4": "utf8", "ucs2": "utf-16-be", "cp1251": "cp1251", "utf16": "utf-16-be", "latin1": "cp1252"}
    known = "".join(c for c in ALPHABET if can_be(c, python.get(charset, charset)) and (charset != "ucs2" or c < "￿"))
    kind = chance.choice(["char(6)", "varchar(6)"])
    made = f"{kind} character set {charset} collate {collation}"
    return made, lambda: "".join(chance.choices(known, k=chance.randint(0, 6)))


def can_be(character: str, codec: str) -> bool:
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def binaries(chance: random.Random) -> Kind:
    kind = chance.choice(["binary(4)", "varbinary(4)"])
    return kind, lambda: bytes(chance.choices([0, 1, 32, 39, 92, 97, 255], k=chance.randint(0, 4)))


def floats(chance: random.Random) -> Kind:
    # Neighbours: MySQL prints a FLOAT with six digits, and many of them alike.
    first = struct.unpack("<i", struct.pack("<f", chance.choice([1.2345671, 1.2345721, 7e20, -3e-12])))[0]
    return "float", lambda: struct.unpack("<f", struct.pack("<i", first + chance.randint(0, 400)))[0]


def others(chance: random.Random) -> Kind:
    enum = ["z", "m", "A", "2", "1", "10"]
    labels = [f"l{number}" for number in range(64)]
    scale = chance.randint(0, 20)
    kinds: list[Kind] = [
        ("double", lambda: chance.choice([-1, 1]) * chance.random() * 10.0 ** chance.randint(-300, 300)),
        (f"decimal(30,{scale})", lambda: Decimal(chance.randint(-(10**9), 10**9)).scaleb(-chance.randint(0, scale))),
        ("date", lambda: chance.choice([*NO_DATES, date(1000, 1, 1) + timedelta(chance.randint(0, 3_000_000))])),
        (
            "datetime(6)",
            lambda: chance.choice(
                [*NO_DATES, datetime(1000, 1, 1) + timedelta(chance.randint(0, 99), 0, chance.randint(0, 10**6))]
            ),
        ),
        (
            "timestamp(3)",
            lambda: datetime(1999, 1, 1) + timedelta(0, chance.randint(0, 9), 1000 * chance.randint(0, 999)),
        ),
        ("time(2)", lambda: timedelta(0, chance.randint(-3_000_000, 3_000_000), 10_000 * chance.randint(0, 99))),
        ("year", lambda: chance.choice([0, *range(1901, 2156)])),
        ("bit(9)", lambda: chance.randint(0, 511)),
        ("bit(64)", lambda: chance.choice([0, 1, 2**63, 2**64 - 1, chance.randint(0, 2**64 - 1)])),
        (f"enum({', '.join(map(repr, enum))})", lambda: chance.choice(enum)),
        (f"set({', '.join(repr(label) for label in labels)})", lambda: ",".join(chance.sample(labels, 3))),
        ("set('c','a','b')", lambda: ",".join(x for x in "cab" if chance.random() < 0.5)),
    ]
    own: list[Kind] = [
        ("uuid", lambda: str(UUID(int=chance.getrandbits(128)))),
        (
            "inet6",
            lambda: chance.choice(["::", f"::{chance.randint(1, 9999):x}", f"fe80::{chance.randint(1, 9999):x}"]),
        ),
    ]
    return chance.choice(kinds + own if os.environ["TEST_MYSQL"] == "mariadb" else kinds)


@pytest.mark.parametrize("seed", [pytest.param(seed, marks=[pytest.mark.long] * (seed >= 12)) for seed in range(40)])
def test_the_chunks_of_any_key_are_the_table(source: Source, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    chance = random.Random(seed)
    makers = [integers, texts, texts, binaries, floats, others, others]
    key = [chance.choice(makers)(chance) for _ in range(chance.choice([1, 1, 2, 3, 5]))]
    names = [f"k{number}" for number in range(len(key))]
    columns = ", ".join(f"{name} {kind} not null" for name, (kind, _) in zip(names, key, strict=True))
    source.mysql(
        "set session sql_mode = 'ALLOW_INVALID_DATES'",
        f"create table t (n int unique auto_increment, {columns}, v int, primary key ({', '.join(names)}))",
    )
    values = ", ".join(["%s"] * len(key))
    # A column with few values makes the others decide; rows that are one key to MySQL are refused by it.
    few = [[make() for _ in range(chance.choice([3, ROWS]))] for _, make in key]
    with source.admin.cursor() as cursor:
        for _ in range(ROWS):
            try:
                cursor.execute(
                    f"insert into t ({', '.join(names)}) values ({values})", [chance.choice(each) for each in few]
                )
            except pymysql.err.IntegrityError:
                continue
    source.mysql("update t set v = n % 3")
    assert_chunks_are_the_table(source, monkeypatch, chance.choice(["true", "v = 1"]))


def test_a_table_of_text_that_all_sorts_alike_is_read_in_chunks(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.mysql(
        "create table t (a varchar(9) collate utf8mb4_unicode_ci, b int, n int unique auto_increment, "
        "primary key (a, b))"
    )
    for number, text in enumerate(["straße", "STRASSE", "strasse ", "Straße"] * 20):
        source.mysql(f"insert into t (a, b) values ('{text}', {number})")
    assert_chunks_are_the_table(source, monkeypatch, "true")


def assert_chunks_are_the_table(source: Source, monkeypatch: pytest.MonkeyPatch, condition: str) -> None:
    for name, value in source.env.items():
        if name.startswith(("SOURCES__", "EL_")):
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(chunks, "MAX_CHUNK_ROWS", CHUNK)
    monkeypatch.setattr(chunks, "_MIN_CHUNK_ROWS", CHUNK)
    source.configure({"t": {"mode": "replace"}})
    (table,) = load_sources(settings.sources_folder())[source.name].tables
    with connected(source.name, settings.mysql(source.name)) as connection:
        shape = read_shapes(connection, [table])["t"]
        whole = [n for (n,) in rows(connection, f"select n from t where {condition}")]
        found, sizes = Counter[int](), []
        all_chunks = Chunks(shape, condition, None)
        while not all_chunks.ended:
            chunk = all_chunks.next(connection)
            read = [n for (n,) in rows(connection, f"select n from t where {chunk.condition}")]
            sizes.append(len(read))
            found.update(read)
            assert len(sizes) <= len(whole) + 1, "the chunks do not come to an end"
    assert found == Counter(whole)
    # A few collations of MySQL order two texts otherwise than they compare them: a row or two change places.
    assert all(abs(size - CHUNK) <= 2 for size in sizes[:-1]), f"the work is not equal: {sizes}"
    assert sizes[-1] <= CHUNK + 2

"""Random tables with random names, keys, charsets and options, through the whole path, compared value by value.

A seed makes one table. A failing seed fails again; a new one is one number more in the list.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from tests.compare import assert_equal
from tests.conftest import Source
from tests.property.test_values import CURSOR, KINDS, ON_MYSQL, Make, dates, decimals, integer, jsons, texts, times

Value = Callable[[], Any]

#: What MySQL takes as names and SQL, YAML or Python's formatting may not; a number behind each keeps them apart. In
#: Redshift none is longer than 63 bytes, where the local one ends.
NAMES = ["id", "First Name", "createdAt", "it's", 'say "x"', "tick`tick", "a.b", "50%", "%s", "{0}", "select", "ORDER",
         "Straße", "名前", "semi;colon", "back\\slash", "a--b", "-- x", "#", "x" * 60, "aB" * 18, "_seq", "tab\tx",
         "null", "on", "?", ":p", "$1", "@v", "xmin"]  # fmt: skip
#: Charsets, and characters that each has.
CHARSETS = {
    "latin1": "aé ÿ€'",
    "utf8mb3": "aß漢\\",
    "utf16": "a🚑é",
    "utf32": "🚑 ",
    "sjis": "表ソ能a",
    "gbk": "汉字a啊",
    "cp1251": "Яжa",
    "ascii": "a~ ",
}
COLLATIONS = ["utf8mb4_bin", "utf8mb4_general_ci", "utf8mb4_unicode_ci"]
COLLATIONS += (
    ["utf8mb4_0900_bin", "utf8mb4_0900_ai_ci"] if ON_MYSQL else ["utf8mb4_nopad_bin", "utf8mb4_unicode_nopad_ci"]
)
#: SQL of a shape from its text, with longitude before latitude.
SHAPE = "st_geomfromtext(%s, 4326, 'axis-order=long-lat')" if ON_MYSQL else "st_geomfromtext(%s, 4326)"


@dataclass
class Table:
    """One random table: its columns with their values, its key, and its line in the source file."""

    name: str
    columns: dict[str, tuple[str, Value]] = field(default_factory=dict)
    key: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)


def charset_text(chance: random.Random) -> tuple[str, Value]:
    charset, alphabet = chance.choice(list(CHARSETS.items()))
    kind = chance.choice(["char(9)", "varchar(9)", "text"])
    return f"{kind} character set {charset}", lambda: "".join(chance.choices(alphabet, k=chance.randint(0, 9)))


def shapes(chance: random.Random) -> tuple[str, Value]:
    def wkt() -> str:
        # MySQL takes no latitude beyond 90.
        x, y = (chance.choice([0, -1, 0.1, 1e-9, most, chance.uniform(-most, most)]) for most in (180, 90))
        return chance.choice([f"POINT({x} {y})", f"LINESTRING({x} {y},0 0)", f"GEOMETRYCOLLECTION(POINT({y} {y}))"])

    return "geometry", wkt


def uuids(chance: random.Random) -> tuple[str, Value]:
    return "uuid", lambda: str(UUID(int=chance.getrandbits(128)))


def addresses(chance: random.Random) -> tuple[str, Value]:
    some = ["::", "::1", "2001:db8::1", "::ffff:192.0.2.1"]
    return "inet6", lambda: chance.choice([*some, f"::{chance.randrange(9999)}"])


def booleans(chance: random.Random) -> tuple[str, Value]:
    return chance.choice(["tinyint(1)", "bit(1)", "tinyint unsigned"]), lambda: chance.choice([0, 1])


def too_long(chance: random.Random) -> tuple[str, Value]:
    """Values on both sides of what Redshift holds."""
    if chance.random() < 0.4:
        return "longblob", lambda: chance.randbytes(3) * chance.choice([0, 1, 21333, 21334])
    if chance.random() < 0.3:
        return "json", lambda: '"' + "é" * chance.choice([0, 1, 32766, 32767]) + '"'
    return "mediumtext", lambda: "x" * chance.choice([0, 1, 2]) + "🚑" * chance.choice([0, 16383, 16384])


def text_key(chance: random.Random) -> tuple[str, Value]:
    collation = chance.choice(COLLATIONS)
    return f"varchar(12) collate {collation}", lambda: "".join(chance.choices("aAáb zß ", k=chance.randint(0, 4)))


KEYS: list[Make] = [
    *(integer(name, size) for name, size in (("tinyint", 8), ("int", 32), ("bigint", 64))),
    text_key,
    lambda chance: ("binary(2)", lambda: chance.randbytes(2)),
    lambda chance: ("varbinary(3)", lambda: chance.randbytes(chance.randint(0, 3))),
    lambda chance: ("decimal(7,3)", lambda: chance.randint(-9999999, 9999999) / 1000),
    lambda chance: ("date", lambda: f"20{chance.randint(10, 99)}-0{chance.randint(1, 9)}-{chance.randint(1, 28):02}"),
    lambda chance: ("datetime(2)", lambda: f"2020-01-{chance.randint(1, 28):02} 01:02:03.{chance.randint(0, 99):02}"),
    lambda chance: ("time(1)", lambda: f"{chance.randint(-99, 99)}:00:00.{chance.randint(0, 9)}"),
    lambda chance: ("enum('z','b','a')", lambda: chance.choice("zab")),
    lambda chance: ("bit(9)", lambda: chance.randrange(512)),
    *([] if ON_MYSQL else [uuids, addresses]),
]  # fmt: skip


def random_table(chance: random.Random) -> Table:
    fresh = [f"{name[:57]}n{number}" for number, name in enumerate(chance.sample(NAMES, len(NAMES)))]
    table = Table(name=fresh.pop())
    for make in chance.sample(KEYS, chance.randint(1, 4)):
        table.key.append(fresh.pop())
        table.columns[table.key[-1]] = make(chance)
    plain = [charset_text, charset_text, shapes, *([] if ON_MYSQL else [uuids, addresses]), dates, *KINDS]
    for make in chance.sample(plain, 8):
        table.columns[fresh.pop()] = make(chance)
    for option, makes in (("boolean", [booleans, booleans]), ("exclude", [jsons, texts])):
        table.options[option] = [fresh.pop() for _ in makes]
        table.columns |= {name: make(chance) for name, make in zip(table.options[option], makes, strict=True)}
    hashed = [charset_text, dates, decimals, integer("bigint", 64), jsons, times if ON_MYSQL else uuids]
    table.options["hash"] = [fresh.pop() for _ in hashed]
    table.columns |= {name: make(chance) for name, make in zip(table.options["hash"], hashed, strict=True)}
    table.options["on_oversize"] = {}
    for name in (fresh.pop(), fresh.pop()):
        kind, make = too_long(chance)
        table.columns[name] = kind, make
        table.options["on_oversize"][name] = chance.choice(["null"] if kind == "json" else ["null", "truncate"])
    columns = list(table.columns.items())
    chance.shuffle(columns)
    table.columns = dict(columns)
    return table


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def insert(source: Source, chance: random.Random, table: Table, rows: int) -> None:
    """Rows that replace those with their key."""
    names = ", ".join(quoted(name) for name in table.columns)
    # Geometry is written as text; a % in a name is none of the driver's.
    kinds = [kind for kind, _ in table.columns.values()]
    places = ", ".join(SHAPE if kind == "geometry" else "%s" for kind in kinds)
    sql = f"replace into {quoted(table.name)} ({names})".replace("%", "%%") + f" values ({places})"
    with source.admin.cursor() as cursor:
        for _ in range(rows):
            cursor.execute(sql, [
                None if name not in table.key and chance.random() < 0.1 else make()
                for name, (_, make) in table.columns.items()
            ])  # fmt: skip
    source.admin.commit()


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_random_schemas_arrive_exactly(source: Source, seed: int) -> None:
    chance = random.Random(seed)
    table = random_table(chance)
    columns = ", ".join(f"{quoted(name)} {kind}" for name, (kind, _) in table.columns.items())
    key = ", ".join(map(quoted, table.key))
    source.mysql("set session sql_mode = 'ALLOW_INVALID_DATES'", "set session time_zone = '+00:00'",
                 f"create table {quoted(table.name)} ({columns}, {CURSOR}, primary key ({key}))")  # fmt: skip
    source.configure({table.name: table.options})
    for rows in (60, 30):
        insert(source, chance, table, rows)
        source.el("run")
        ((raw,),) = source.redshift(
            "select table_name from information_schema.tables where table_schema = %s "
            "and table_name not like '\\_dlt%%'",
            f"raw_{source.name}",
        )
        assert assert_equal(
            source,
            table.name,
            raw,
            exclude=table.options["exclude"],
            hashed=table.options["hash"],
            key=source.env["EL_HASH_KEY"].encode(),
            deleted=True,  # rows whose key differs from a new one in case only
            oversize=table.options["on_oversize"],
            boolean=table.options["boolean"],
            by_position=True,
        )

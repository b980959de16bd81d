"""MySQL's own JSON: a row leaves only if its text brings every type back, or the policy says that text is enough."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pymysql
import pytest

from el.archive import rows
from el.archive.delete import Copies
from el.archive.objects import Proven
from el.archive.rows import Column
from tests.archive.made import read, read_shape, session
from tests.archive.test_delete import deleter
from tests.archive.test_run import AGE, AS_OF, OLD, POLICY, RETENTION, live, one, run
from tests.conftest import Source

pytestmark = pytest.mark.only_on("mysql", reason="MariaDB's JSON is text")

#: SQL of values whose type a text of JSON does not have.
LOST = {
    "DECIMAL": ["1.10", "cast(5 as decimal(10,0))", "123456.78", "-0.0", "cast(1.5 as decimal(65,30))"],
    "DATE": ["date'2024-02-29'"],
    "TIME": ["time'-838:59:58.000001'"],
    "DATETIME": ["timestamp'2024-01-01 00:00:00.000001'", "from_unixtime(1)"],
    "BLOB": ["x'00ff'", "cast('' as binary)"],
    "BIT": ["b"],
    "UNSIGNED INTEGER": ["cast(5 as unsigned)", "cast(2024 as year)"],
    "INTEGER": ["cast(9223372036854775807 as signed)"],  # MySQL makes an unsigned one of this text
}
#: SQL of values that a text brings back.
KEPT = [
    "1", "-1", "0", "-9223372036854775808", "cast('9223372036854775807' as json)", "9223372036854775808",
    "18446744073709551615", "0.1e0", "1e0", "-0e0", "5e-324", "1.7976931348623157e308", "1e16",
    "123456789012345680e0", "true", "false", "null",
    "'x'", "''", "'1.10'", "'2024-01-01'", "'base64:type15:QUI='", "'\\'\"\\\\/\\n'", "'\U0001f600é'",
    "_utf8mb4 x'00'", "cast('{}' as json)", "cast('[]' as json)", "cast('-0.0' as json)", "cast('0.1' as json)",
    "cast('[1e-7, 123456789012345678901234567890]' as json)", "st_asgeojson(point(1, 2))",
]  # fmt: skip
NAMES = ["a", "", " ", "$", "*", "**", "a.b", "[0]", '"', "\\", "'", "é", "\U0001f600", "\0", "k" * 300]


def quoted_text(text: str) -> str:
    return f"_utf8mb4 x'{text.encode().hex()}'"


def document(chance: random.Random, leaf: Callable[[], str], depth: int) -> str:
    """SQL that makes a document: objects and arrays in each other, with leaves."""
    if depth == 0 or chance.random() < 0.2:
        return leaf()
    parts = [document(chance, leaf, depth - 1) for _ in range(chance.randint(0, 3))]
    if chance.random() < 0.5:
        return f"json_array({', '.join(parts)})"
    return f"json_object({', '.join(f'{quoted_text(chance.choice(NAMES))}, {part}' for part in parts)})"


@pytest.fixture
def cursor(source: Source) -> Iterator[Any]:
    with session(source) as connection, connection.cursor() as made:
        made.execute("create table bits (b bit(12))")
        made.execute("insert into bits values (b'101')")
        made.execute("create table t (id int primary key, j json)")
        yield made


def insert(cursor: Any, sql: str) -> None:
    cursor.execute("delete from t")
    cursor.execute(f"insert into t select 1, json_extract(json_array({sql}), '$[0]') from bits")


def types(cursor: Any, value: str) -> list[tuple[str, str]]:
    """Path and type of everything in a document: asked level by level, by other functions than those of ``el``."""
    cursor.execute(f"select json_type({value}), json_length({value}), cast(json_keys({value}) as char) from t")
    ((kind, length, names),) = cursor.fetchall()
    found = [("", kind)]
    if kind == "ARRAY":
        steps = [f"[{number}]" for number in range(length)]
    elif kind == "OBJECT":
        cursor.execute(f"select x.k from json_table({quoted_text(names)}, '$[*]' columns (k json path '$')) x")
        steps = [f".{name}" for (name,) in cursor.fetchall()]
    else:
        return found
    for step in steps:
        below = types(cursor, f"json_extract({value}, concat('$', {quoted_text(step)}))")
        found += [(step + path, type_) for path, type_ in below]
    return found


def column() -> Column:
    made = rows.column(rows.Described("j", "json", "json", nullable=True))
    assert made
    return made


def is_faithful(cursor: Any) -> bool:
    cursor.execute(f"select {rows.faithful_sql([column()])}, {rows.hash_sql([column()])} is not null from t")
    ((faithful, hashed),) = cursor.fetchall()
    assert faithful == hashed
    return bool(faithful)


def comes_back(cursor: Any) -> bool:
    """Whether the text makes the same document, in every type."""
    cursor.execute("select cast(j as char), cast(cast(cast(j as char) as json) as char) from t")
    ((before, after),) = cursor.fetchall()
    return before == after and types(cursor, "j") == types(cursor, "cast(cast(j as char) as json)")


@pytest.mark.parametrize("kind", LOST)
def test_a_type_that_text_does_not_have_is_seen_at_any_depth(cursor: Any, kind: str) -> None:
    for value in LOST[kind]:
        for depth in (0, 1, 2, 98):
            document = "json_array(1, " * depth + value + ")" * depth
            insert(cursor, document)
            assert types(cursor, "j")[-1][1] == kind or value == "b"
            assert not is_faithful(cursor), document
            insert(cursor, "json_object('a.b', 1, '', " * depth + value + ")" * depth)
            assert not is_faithful(cursor), value


def test_what_text_brings_back_is_let_go(cursor: Any) -> None:
    for value in KEPT:
        for document in (value, f"json_array(json_object('', {value}))"):
            insert(cursor, document)
            assert comes_back(cursor), document
            assert is_faithful(cursor), document
    cursor.execute("update t set j = null")
    assert is_faithful(cursor)
    insert(cursor, "cast(concat(repeat('[', 100), repeat(']', 100)) as json)")
    assert is_faithful(cursor)


def test_doubles_of_any_bits_come_back(cursor: Any) -> None:
    chance = random.Random(1)
    numbers = [chance.uniform(-1, 1) * 10.0 ** chance.randint(-320, 308) for _ in range(2000)]
    cursor.execute("insert into t values (1, %s)", (repr(numbers),))
    cursor.execute("select cast(j as char) from t")
    assert [float(text) for text in cursor.fetchone()[0].strip("[]").split(",")] == numbers
    assert is_faithful(cursor)


@pytest.mark.parametrize("seed", range(4))
def test_random_documents_are_let_go_exactly_when_their_text_brings_them_back(cursor: Any, seed: int) -> None:
    chance = random.Random(seed)
    lost = [value for values in LOST.values() for value in values]
    seen = {True: 0, False: 0}
    for _ in range(40):
        share = chance.choice([0, 0.05, 0.5])
        insert(
            cursor,
            document(chance, lambda s=share: chance.choice(lost if chance.random() < s else KEPT), 5),  # type: ignore[misc]
        )
        expected = comes_back(cursor)
        assert is_faithful(cursor) == expected
        seen[expected] += 1
    assert min(seen.values()) > 3


def fill(source: Source) -> None:
    source.mysql(
        f"create table t (id int primary key, j json, g json generated always as (json_array(1.10)) virtual, {AGE})",
        f"""insert into t (id, j, created_at) values (1, null, '{OLD}'), (2, '{{"p": 1.1}}', '{OLD}'),
            (3, json_object('p', 1.10), '{OLD}'), (4, json_array(date'2024-01-01'), '{OLD}'),
            (5, json_object('p', json_array(x'00ff', cast(7 as unsigned))), '{OLD}'),
            (6, '[18446744073709551615]', '{OLD}')""",
    )


def configure(source: Source, **more: Any) -> None:
    source.configure({"t": {"archive": POLICY["archive"] | more}}, RETENTION, cursor="created_at")


def test_rows_whose_json_would_come_back_as_another_are_left_and_the_plan_says_so(source: Source) -> None:
    fill(source)
    configure(source)
    (plan,) = source.archive("plan", "--as-of", AS_OF, "--json").json["tables"]
    assert plan["rows"] == 6
    assert any("3 of these rows stay" in note and "json: text" in note for note in plan["notes"])
    report = one(run(source))
    assert (report["deleted"], report["left"]) == (3, {"json": 3})
    assert live(source) == [3, 4, 5]
    assert one(run(source))["left"] == {"json": 3}
    source.mysql(f"create database {source.name}_restore")
    restored = source.archive("restore", f"{source.name}.t", "--all", "--into", f"{source.name}_restore.t", "--json")
    assert restored.json["restored"] == 3
    assert live(source, f"{source.name}_restore`.`t", "json_type(json_extract(j, '$.p'))") == [None, None, "DOUBLE"]
    source.archive("drill")


def test_json_that_is_enough_as_text_goes_and_comes_back_as_its_text_says(source: Source) -> None:
    fill(source)
    configure(source, json="text")
    (plan,) = source.archive("plan", "--as-of", AS_OF, "--json").json["tables"]
    assert not [note for note in plan["notes"] if "JSON" in note]
    report = one(run(source))
    assert (report["deleted"], report["left"]) == (6, {})
    source.archive("verify", "--all")
    source.archive("drill")
    into = ("restore", f"{source.name}.t", "--all", "--into", f"{source.name}.t", "--json")
    assert source.archive(*into).json["restored"] == 6
    again = source.archive(*into).json
    assert (again["restored"], again["same"], again["notes"]) == (0, 6, [])
    with source.admin.cursor() as cursor:
        source.admin.rollback()
        cursor.execute("select cast(j as char), json_type(json_extract(j, '$.p')) from t order by id")
        assert list(cursor.fetchall()) == [
            (None, None),
            ('{"p": 1.1}', "DOUBLE"),
            ('{"p": 1.1}', "DOUBLE"),
            ('["2024-01-01"]', None),
            ('{"p": ["base64:type15:AP8=", 7]}', "ARRAY"),
            ("[18446744073709551615]", None),
        ]


@pytest.mark.parametrize("after", ["json_object('p', 1.1)", "json_array(cast(1 as unsigned))"])
def test_json_that_changes_its_type_and_not_its_text_is_a_changed_row(
    source: Source, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    for name, value in source.env.items():
        if name.startswith("ARCHIVE_"):
            monkeypatch.setenv(name, value)
    before = "'{\"p\": 1.1}'" if "object" in after else "'[1]'"
    source.mysql("create table t (id int primary key, j json)", f"insert into t values (1, {before}), (2, {before})")
    with session(source) as connection:
        shape = read_shape(connection, "t")
        table = read(connection, shape, "true")
    copies = Copies(shape, Proven(table, rows.hashes(shape.columns, table)))
    source.mysql(f"update t set j = {after} where id = 1")
    with source.admin.cursor() as cursor:
        cursor.execute("select count(distinct cast(j as char)) from t")
        assert cursor.fetchone() == (1,)
    source.admin.rollback()
    with deleter(source, shape) as deletes:
        outcome = deletes.delete(copies, range(2))
    assert (outcome.deleted, outcome.left) == ([1], {"changed": [0]})


def test_a_row_that_came_back_with_another_type_is_no_copy(source: Source) -> None:
    """A trigger that rewrites JSON: the text is the same, and the type is not."""
    source.mysql(
        f"create table t (id int primary key, j json, {AGE})", f"insert into t values (1, '{{\"p\": 1.1}}', '{OLD}')"
    )
    configure(source)
    assert one(run(source))["deleted"] == 1
    source.mysql("create trigger other before insert on t for each row set new.j = json_object('p', 1.1)")
    done = source.archive("restore", f"{source.name}.t", "--all", "--into", f"{source.name}.t", code=1)
    assert "column j" in done.err
    assert live(source) == []


def test_a_half_of_a_surrogate_pair_keeps_its_row_in_mysql_or_comes_back(source: Source, cursor: Any) -> None:
    try:
        insert(cursor, "json_array(_utf8mb4 x'eda080')")
    except pymysql.err.MySQLError:
        return  # this server does not take it
    assert is_faithful(cursor) == comes_back(cursor)

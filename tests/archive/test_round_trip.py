"""MySQL → archive → delete → restore → MySQL: the same table, by CHECKSUM TABLE, whatever was in it.

Every table of ``tests/cases`` goes there by a run and comes back; random tables and very long values go by hand. A
table without a primary key gets one: what is tried here are values. Restores run in this process: there are a hundred.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from el import config
from el.archive import restore
from el.archive.contents import Contents
from el.archive.restore import Wanted
from el.archive.work import Reporter
from tests.archive import made
from tests.archive.test_restore import RETENTION, checksum, rows
from tests.cases import runner
from tests.conftest import Source
from tests.property.test_schemas import insert, quoted, random_table
from tests.property.test_values import CURSOR

#: Tables whose values cannot make the journey, and why.
NOT_ARCHIVED = {
    "system_versioned_tables_have_their_living_rows": "its history would stay, and a restored row has a new one",
    "system_versioned_with_a_period_of_its_own": "its history would stay, and a restored row has a new one",
    "myisam_has_no_transactions_and_is_noted": "a table without transactions is refused: nothing can be undone",
    "one_row_of_65000_bytes": "an engine without transactions again",
    "longest_varchar_fits": "a row of the largest size has no room for a key",
    "a_sequence_is_a_table_of_one_row": "a sequence has no rows that get old",
    "vector_that_is_excluded": "a type that cannot be carried is refused: its rows would come back without it",
}
#: Tables that are compared row by row, because MySQL's CHECKSUM TABLE gives another number each time.
BY_ROWS = {"multi_valued_index_is_an_index"}
#: Rows that stay, by why.
LEFT = {"json_of_mysql_keeps_types_that_text_has_not": {"json": 8}}


@pytest.fixture
def environment(source: Source, monkeypatch: pytest.MonkeyPatch) -> Source:
    for name, value in source.env.items():
        monkeypatch.setenv(name, value)
    return source


def has_key(source: Source, name: str) -> bool:
    return bool(
        rows(
            source,
            "select 1 from information_schema.table_constraints where table_schema = database() and "
            f"table_name = '{name.replace(chr(39), chr(39) * 2)}' and constraint_type = 'PRIMARY KEY'",
        )
    )


def prepare(source: Source, name: str) -> None:
    """Give a table a key if it has none, and an age."""
    source.mysql("set session sql_mode = ''")
    key = "" if has_key(source, name) else ", add column `the key` int auto_increment primary key"
    source.mysql(
        f"alter table {quoted(name)} add column `the age` datetime default '2020-01-01', add key (`the age`){key}"
    )


def back(source: Source, name: str) -> Any:
    """Restore everything into the table it came from; what became of it."""
    text = f'source: {source.name}\ntables: {{"{escaped(name)}": {{mode: replace}}}}\n'
    (table,) = config.parse_source(text, Path(f"{source.name}.yml")).tables
    contents = Contents(made.table_archive(source, name))
    done = restore.Restored(table.label, f"{source.name}.{name}")
    assert restore.into_table(table, contents, Wanted(everything=True), done, Reporter(lambda _: None, lambda: ""))
    return done


def there_and_back(source: Source, name: str) -> str | None:
    """What was wrong with a table's journey, which is made by hand."""
    many = rows(source, f"select count(*) from {quoted(name)}")[0][0]
    before = checksum(source, quoted(name))
    made.archive(source, name)
    assert rows(source, f"select count(*) from {quoted(name)}") == [(0,)]
    done = back(source, name)
    if done.counts.restored != many or restore.problems(done):
        return f"{done.counts} of {many}"
    return None if checksum(source, quoted(name)) == before else "another checksum"


def state_of(source: Source, name: str) -> Any:
    """What a table holds, to be compared with what it held."""
    if name in BY_ROWS:
        return sorted(rows(source, f"select * from {quoted(name)}"))
    return checksum(source, quoted(name))


def escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')


@pytest.mark.timeout(900)  # eighty tables, one after the other
def test_every_case_is_archived_deleted_and_comes_back_identical(environment: Source) -> None:
    source = environment
    for case in filter(runner.has_it, runner.CASES):
        runner._execute(source, case, "schema.sql")
    names = {
        config.raw_name(name): name
        for name, kind in rows(source, "show full tables")
        if kind == "BASE TABLE" and name not in NOT_ARCHIVED and rows(source, f"select 1 from {quoted(name)} limit 1")
    }.values()
    before = {}
    for name in names:
        prepare(source, name)
        before[name] = rows(source, f"select count(*) from {quoted(name)}")[0][0], state_of(source, name)
    policy = {"archive": {"class": "transient", "age": "the age"}}
    source.configure(dict.fromkeys(names, policy), RETENTION, cursor="the age")
    done = source.archive("run", "--execute", "--json", code=None)
    states = {entry["table"].partition(".")[2]: entry for entry in done.json["tables"]}
    wrong: dict[str, Any] = {}
    for name, (many, checked) in before.items():
        entry = states[name]
        kept = sum(entry["left"].values())
        others = {why: count for why, count in entry["left"].items() if why != "newest"}
        if entry["state"] != "done" or entry["deleted"] != many - kept or others != LEFT.get(name, {}):
            wrong[name] = entry
            continue
        assert rows(source, f"select count(*) from {quoted(name)}") == [(kept,)]
        restored = back(source, name)
        if restored.counts.restored != many - kept or state_of(source, name) != checked:
            wrong[name] = f"{restored.counts} of {many}"
    assert len(names) > 70
    assert not wrong, "\n".join(f"{name}: {why}" for name, why in wrong.items())


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6])
def test_random_tables_come_back_identical(environment: Source, seed: int) -> None:
    source = environment
    chance = random.Random(seed)
    table = random_table(chance)
    columns = ", ".join(f"{quoted(name)} {kind}" for name, (kind, _) in table.columns.items())
    key = ", ".join(map(quoted, table.key))
    source.mysql("set session sql_mode = 'ALLOW_INVALID_DATES'", "set session time_zone = '+00:00'",
                 f"create table {quoted(table.name)} ({columns}, {CURSOR}, primary key ({key}))")  # fmt: skip
    insert(source, chance, table, 60)
    assert there_and_back(source, table.name) is None


def test_values_of_tens_of_megabytes_come_back_identical(environment: Source) -> None:
    source = environment
    source.mysql(
        "create table big (id int primary key, b longblob, t longtext character set latin1, j json)",
        "insert into big values (1, null, null, null), (3, '', '', '[]')",
    )
    with source.admin.cursor() as cursor:
        cursor.execute("insert into big (id, b) values (2, %s)", (bytes(range(256)) * 4096 * 28,))
        cursor.execute("insert into big (id, t) values (4, repeat(%s, 5000000))", ("é\\'\"",))
        cursor.execute("insert into big (id, j) values (5, concat('[', repeat('123456789012345678,', 999999), '0]'))")
    source.admin.commit()
    assert there_and_back(source, "big") is None

"""What docs/how-to/recover.md promises of a Redshift that was restored: it ends right, or is refused with a way out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

from tests.conftest import Source
from tests.landed import Landed
from tests.mysql_sql import numbers

CURSOR = (
    "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6), key (updated_at)"
)


@pytest.fixture
def table(source: Source) -> Source:
    """A table with two commits applied, of which a snapshot was taken, and two more behind it."""
    source.mysql(
        f"create table t (id int primary key, v int, {CURSOR})",
        f"insert into t (id, v) select seq, 0 from {numbers(5)} n",
    )
    source.configure({"t": {}})
    source.el("extract")
    landed = Landed(source, "t")
    # Each touches rows that no other does: one that is not applied is missed.
    landed.add([{"id": 1, "v": 2}, {"id": 12, "v": 2}])
    source.el("load")
    for schema, name in PARTS:
        source.redshift(f"create table {of(source, schema)}.saved_{name} as select * from {of(source, schema)}.{name}")
    landed.add([{"id": 2, "v": 3}, {"id": 13, "v": 3}])
    landed.add([{"id": 3, "v": 4}, {"id": 14, "v": 4}])
    source.el("load")
    assert values(source) == ALL
    return source


#: What a snapshot of the whole cluster holds: raw table, dlt's, ledger.
PARTS = [("raw", "t"), ("raw", "_dlt_loads"), ("raw", "_dlt_version"), ("ledger", "t")]
#: With all four commits applied.
ALL = [(1, 2), (2, 3), (3, 4), (4, 0), (5, 0), (12, 2), (13, 3), (14, 4)]


def of(source: Source, schema: str) -> str:
    return f"raw_{source.name}" + ("_el" if schema == "ledger" else "")


def values(source: Source) -> list[Any]:
    return source.redshift("select id, v from raw.t order by id")


def restore(source: Source, parts: Sequence[tuple[str, str]]) -> None:
    """Tables as they were at the snapshot."""
    for schema, name in parts:
        where = of(source, schema)
        source.redshift(f"delete from {where}.{name}")
        source.redshift(f"insert into {where}.{name} select * from {where}.saved_{name}")


def landed_behind(source: Source) -> Landed:
    """To write one more commit behind the newest."""
    landed = Landed(source, "t")
    landed.last = source.commit("t", max(source.commits("t")))
    return landed


def settled(source: Source) -> list[Any]:
    return [seq for seq, _ in source.ledger("t")]


def test_redshift_restored_from_a_snapshot_gets_what_came_since(table: Source) -> None:
    restore(table, PARTS)
    assert settled(table) == [1, 2]
    assert values(table) != ALL
    done = table.el("load", "--json")
    assert done.table("t")["load_commits"] == 2
    assert values(table) == ALL
    assert settled(table) == table.commits("t") == [1, 2, 3, 4]
    loads = table.redshift("select load_id from raw._dlt_loads")
    assert len(loads) == len(set(loads)) == 4


def test_a_raw_table_that_went_back_without_its_ledger_is_refused_and_what_is_said_mends_it(table: Source) -> None:
    restore(table, [("raw", "t")])
    landed_behind(table).add([{"id": 15, "v": 5}])
    before = values(table)
    done = table.el("load", code=1)
    assert values(table) == before
    table.redshift(gone_back(done.err, 2))
    table.el("load")
    assert values(table) == [*ALL, (15, 5)]
    assert settled(table) == [1, 2, 3, 4, 5]


def test_rows_of_the_last_commit_that_were_deleted_by_hand_are_found_at_the_next(table: Source) -> None:
    table.redshift(f"delete from raw_{table.name}.t where _seq = 4")
    assert table.el("load", "--json").table("t")["load"] == "nothing new"
    landed_behind(table).add([{"id": 15, "v": 5}])
    table.redshift(gone_back(table.el("load", code=1).err, 3))
    table.el("load")
    assert values(table) == [*ALL, (15, 5)]


def gone_back(text: str, position: int) -> str:
    """The statement of the error, which lets the ledger go back to a position."""
    assert '"."t" went back' in text
    (statement,) = re.findall(r"delete from \S+ where position > \d+", text)
    assert statement.endswith(f" {position}")
    return str(statement)


def test_a_ledger_that_went_back_without_its_raw_table_applies_the_commits_again(table: Source) -> None:
    restore(table, [("ledger", "t")])
    table.el("load")
    assert values(table) == ALL
    assert settled(table) == [1, 2, 3, 4]


def test_a_ledger_that_was_dropped_is_refused_until_the_raw_table_is_out_of_the_way(table: Source) -> None:
    table.redshift(f"drop schema raw_{table.name}_el cascade")
    done = table.el("load", code=1)
    assert "the ledger knows nothing of it" in done.err
    assert values(table) == ALL
    (statement,) = re.findall(r"drop table \S+", done.err)
    table.redshift(statement)
    table.el("load")
    assert values(table) == ALL
    assert settled(table) == [1, 2, 3, 4]


def test_redshift_restored_and_the_landing_lost_or_its_files_expired_since_needs_a_full_copy(table: Source) -> None:
    restore(table, PARTS)
    table.delete_objects("t/t/")  # as a lifecycle rule leaves it: the commits are there, the files are not
    done = table.el("load", code=1)
    assert "there is no such object" in done.err
    assert settled(table) == [1, 2]
    table.delete_objects()
    table.mysql("update t set v = 9")
    done = table.el("run")
    assert "no longer holds commit 2" in done.out
    assert values(table) == [*((number, 9) for number in range(1, 6)), (12, 2)], "rows that MySQL never had stay"

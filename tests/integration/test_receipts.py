"""What load refuses because it is not what extract read, although the objects are those that the commit names; and the
receipt of what it does not refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.compare import assert_equal
from tests.conftest import Source
from tests.landed import Landed

CURSOR = (
    "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6), key (updated_at)"
)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
Row = dict[str, Any]


@pytest.fixture
def table(source: Source) -> Source:
    source.mysql(
        f"create table t (id int primary key, a int, b int, v varchar(10), d decimal(9,2), {CURSOR})",
        "insert into t (id, a, b, v, d) values (1, 1, 2, 'Zoë', 1.25), (2, null, 3, 'b', null)",
    )
    source.configure({"t": {}})
    source.el("run")
    return source


@pytest.fixture
def landed(table: Source) -> Landed:
    return Landed(table, "t")


def rows() -> list[Row]:
    return [
        {
            "id": n,
            "a": n,
            "b": n * n + 1,
            "v": f"Zoë {n} ",
            "d": Decimal(n) / 4,
            "updated_at": NOW,
            "_extracted_at": NOW,
        }
        for n in range(1, 9)
    ]


def changed(number: int, **values: Any) -> Callable[[], list[Row]]:
    def change() -> list[Row]:
        made = rows()
        made[number] |= values
        return made

    return change


def all_with(change: Callable[[Row], Row]) -> Callable[[], list[Row]]:
    return lambda: [one | change(one) for one in rows()]


DAMAGES: dict[str, tuple[Callable[[], list[Row]], str]] = {
    "two columns swapped": (all_with(lambda r: {"a": r["b"], "b": r["a"]}), "column a has other values; column b has"),
    "one number": (changed(5, a=7), "column a has other values"),
    "a row lost, another one doubled": (lambda: [*rows()[:7], rows()[3]], "the set of keys is another"),
    "rows that changed their values": (
        lambda: [one | {"d": other["d"]} for one, other in zip(rows(), rows()[::-1], strict=True)],
        "column d has other values",
    ),
    "a NULL": (changed(2, b=None), "column b has 1 NULLs instead of 0"),
    "trailing blanks": (all_with(lambda r: {"v": r["v"].rstrip()}), "column v has other values"),
    "an encoding": (all_with(lambda r: {"v": r["v"].encode().decode("latin-1")}), "column v has other values"),
    "a rounded decimal": (all_with(lambda r: {"d": r["d"].quantize(Decimal("0.1"))}), "column d has other values"),
    "a time zone": (all_with(lambda r: {"updated_at": r["updated_at"] + timedelta(hours=1)}), "column updated_at has"),
}


@pytest.mark.parametrize(
    "damage", [pytest.param(damage, marks=[pytest.mark.long] * (number > 3)) for number, damage in enumerate(DAMAGES)]
)
def test_what_changed_on_the_way_is_refused_by_column_although_the_checksum_of_the_file_is_right(
    table: Source, landed: Landed, damage: str
) -> None:
    before = table.redshift("select * from raw.t order by id")
    make, said = DAMAGES[damage]
    landed.add(make(), read=rows())
    done = table.el("load", code=1)
    assert f"{table.name}.t, commit 2: what COPY brought is not what was read in MySQL: " in done.err
    assert said in done.err
    assert "Zo" not in done.err
    assert table.redshift("select * from raw.t order by id") == before
    assert table.ledger("t") == [(1, 2)]


def test_of_commits_that_are_applied_together_the_one_at_fault_is_named_and_those_before_it_arrive(
    table: Source, landed: Landed
) -> None:
    landed.add(rows()[:3])
    landed.add(rows()[3:], read=changed(5, a=7)()[3:])
    landed.add([rows()[0] | {"a": 99}])
    done = table.el("load", code=1)
    assert "commit 3: what COPY brought is not what was read in MySQL: column a has other values." in done.err
    assert table.ledger("t") == [(1, 2), (2, 3)]


@pytest.mark.parametrize("damage", ["columns", "salt", "keys"])
def test_a_commit_whose_summary_is_not_whole_is_damaged(table: Source, landed: Landed, damage: str) -> None:
    landed.add(rows())
    commit = landed.last
    if damage == "columns":
        del commit["summary"]["columns"]["b"]
    else:
        del commit["summary"][damage]
    landed.write(commit)
    assert "is damaged and cannot be read" in table.el("load", code=1).err
    assert table.ledger("t") == [(1, 2)]


def test_two_keys_of_one_commit_that_are_one_to_redshift_lose_no_row_in_silence(table: Source, landed: Landed) -> None:
    landed.add([*rows(), rows()[0]])
    done = table.el("load", code=1)
    assert "of 9 rows 8 came into" in done.err and "two of one commit have the same key" in done.err
    assert table.ledger("t") == [(1, 2)]


def test_a_receipt_says_what_was_read_what_lay_on_s3_what_copy_brought_and_what_the_table_had_then(
    table: Source, landed: Landed
) -> None:
    table.mysql("update t set a = 5 where id = 2", "insert into t (id, v) values (3, 'new')")
    done = table.el("run", "--json")
    assert_equal(table, "t")
    commit = table.commit("t", 2)
    (file,) = commit["files"]
    ((key, deleted, inserted, count),) = table.redshift(
        f"select receipt, deleted_count, inserted_count, table_rows from raw_{table.name}_el.t where seq = 2"
    )
    assert (deleted, inserted, count) == (commit["rows"] - 1, commit["rows"], 3)
    receipt = json.loads(landed.body(key))
    assert receipt["run"] == done.json["run"]
    assert receipt["redshift"] == {
        "schema": f"raw_{table.name}",
        "table": "t",
        "position": 2,
        "rows_before": 2,
        "deleted": deleted,
        "inserted": inserted,
        "rows": 3,
    }
    (one,) = receipt["commits"]
    assert (one["seq"], one["rows"], one["server"]) == (2, commit["rows"], commit["server"])
    assert (one["lo"], one["next_lo"]) == (commit["window"]["lo"], commit["window"]["next_lo"])
    assert one["files"] == [{name: file[name] for name in ("key", "version_id", "sha256", "rows")}]
    assert receipt["copy"]["rows"] == one["rows"]
    assert one["recounted"]["keys"] is True
    assert one["recounted"]["columns"].keys() == {"id", "a", "b", "v", "d", "updated_at"}
    assert all(found["same"] for found in one["recounted"]["columns"].values())
    assert one["recounted"]["columns"]["b"]["nulls"] == 1
    assert "Zoë" not in json.dumps(receipt, ensure_ascii=False)


def test_commits_that_are_applied_together_have_one_receipt_and_so_has_an_emptied_table(
    table: Source, landed: Landed
) -> None:
    for number in range(3):
        landed.add([rows()[number] | {"a": None}])
    table.el("load")
    found = table.redshift(
        f"select seq, receipt, deleted_count, inserted_count, table_rows from raw_{table.name}_el.t order by position"
    )
    key = found[1][1]
    assert found[1:] == [(2, key, None, None, None), (3, key, None, None, None), (4, key, 2, 3, 3)]
    assert [one["seq"] for one in json.loads(landed.body(key))["commits"]] == [2, 3, 4]

    table.configure({"t": {"mode": "replace", "cursor": None}})
    table.mysql("delete from t")
    table.el("run", "--full")
    assert table.redshift(
        f"select deleted_count, inserted_count, table_rows from raw_{table.name}_el.t order by position desc limit 1"
    ) == [(3, 0, 0)]


def test_a_table_without_a_key_in_several_loads_is_recounted_as_one_commit(source: Source) -> None:
    source.mysql(
        "create table t (a int, b varchar(20))", "insert into t values (1, 'x'), (1, 'x'), (null, null), (2, 'Zoë')"
    )
    source.configure({"t": {"mode": "replace", "cursor": None}})
    source.el("run")
    landed = Landed(source, "t")
    assert sorted(source.redshift("select a, b from raw.t"), key=str) == [(1, "x"), (1, "x"), (2, "Zoë"), (None, None)]
    landed.add([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], read=[{"a": 2, "b": "x"}, {"a": 1, "b": "y"}])
    assert "what COPY brought is not what was read" in source.el("load", code=1).err

"""Several at once, and transactions that meet: the same result, under both isolation levels."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compare import assert_equal
from tests.conftest import Source
from tests.crash.test_kill import CURSOR, either, snapshot_port, start, table, wait_until_the_merge_waits
from tests.landed import Landed

__all__ = ["either", "snapshot_port", "table"]


def test_a_serialization_conflict_is_tried_again_and_the_commit_counts_once(either: Source) -> None:
    """Somebody changes the raw table while the merge waits for it: ERROR 1023, as Redshift aborts the later writer."""
    either.el("run")
    either.mysql("update t set v = 1 where id <= 100")
    either.el("extract")
    with either.warehouse.cursor() as other:
        other.execute("begin")
        other.execute(f"update raw_{either.name}.t set v = 7 where id = 1")
        loader = start(either, "load")
        wait_until_the_merge_waits(either)
        other.execute("commit")
    assert loader.wait(120) == 0
    assert_equal(either, "t")
    assert either.ledger("t") == [(1, 500), (2, either.commit("t", 2)["rows"])]
    (log,) = sorted(Path(either.env["EL_HOME"]).glob("logs/*-load-*"))
    assert "serializable isolation violation" in log.read_text()


def test_two_loaders_that_widen_the_same_column_both_end_well(either: Source) -> None:
    either.mysql(f"create table w (id int primary key, v varchar(10), {CURSOR})", "insert into w (id) values (1)")
    either.configure({"w": {}})
    either.el("run")
    landed = Landed(either, "w")
    for length in (80, 160, 320):
        row = {"id": 1, "v": "w" * length, "updated_at": None, "_extracted_at": None}
        landed.add([row], types={"v": f"varchar({length})"})
    loaders = [start(either, "load") for _ in range(2)]
    assert [loader.wait(200) for loader in loaders] == [0, 0]
    assert either.redshift("select v from raw.w") == [("w" * 320,)]
    assert [seq for seq, _ in either.ledger("w")] == [1, 2, 3, 4]


@pytest.mark.timeout(1200)
def test_ten_loaders_and_five_extractors_at_once_make_the_same_as_one(either: Source) -> None:
    """On two tables, from the first copy on, while the application writes."""
    either.mysql(f"create table u (id int primary key, v int, {CURSOR})", "insert into u (id, v) values (1, 0), (2, 0)")
    either.configure({"t": {}, "u": {}})
    processes = [start(either, "extract") for _ in range(2)] + [start(either, "load") for _ in range(4)]
    either.mysql("update t set v = 1 where id % 2 = 0", "insert into u (id, v) values (3, 0)")
    processes += [start(either, "extract") for _ in range(3)] + [start(either, "load") for _ in range(6)]
    either.mysql("update t set v = 2 where id % 3 = 0", "update u set v = 9")
    for process in processes:
        process.wait(900)
    either.el("run")
    for name in ("t", "u"):
        assert_equal(either, name)
        assert [seq for seq, _ in either.ledger(name)] == either.commits(name), "each commit once, in order"

"""Several at once, and transactions that meet: the same result, under both isolation levels."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.compare import assert_equal
from tests.conftest import Source
from tests.crash.test_kill import CURSOR, either, is_commit, snapshot_port, start, table, wait_until_somebody_waits
from tests.landed import Landed
from tests.proxy import s3_proxy

__all__ = ["either", "snapshot_port", "table"]


#: Redshift's isolation of old; the other one in the soak test.
ON_SERIALIZABLE = pytest.mark.parametrize(
    "either", ["serializable", pytest.param("snapshot", marks=pytest.mark.long)], indirect=True
)


def test_a_serialization_conflict_is_tried_again_and_the_commit_counts_once(either: Source) -> None:
    """Somebody changes the raw table while the merge waits for it: ERROR 1023, as Redshift aborts the later writer."""
    either.el("run")
    either.mysql("update t set v = 1 where id <= 100")
    either.el("extract")
    with either.warehouse.cursor() as other:
        other.execute("begin")
        other.execute(f"update raw_{either.name}.t set v = 7 where id = 1")
        loader = start(either, "load")
        wait_until_somebody_waits(either, "raw.t")
        other.execute("commit")
    assert loader.wait(120) == 0
    assert_equal(either, "t")
    assert either.ledger("t") == [(1, 500), (2, either.commit("t", 2)["rows"])]
    (log,) = sorted(Path(either.env["EL_HOME"]).glob("logs/*-load-*.log"))
    assert "serializable isolation violation" in log.read_text()


@ON_SERIALIZABLE
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


@pytest.mark.timeout(900)
@ON_SERIALIZABLE
def test_ten_loaders_and_five_extractors_at_once_make_the_same_as_one(either: Source) -> None:
    """All loaders stand before the ledger, with the same commit to apply, when it is opened to them; extractors, which
    have all seen the same watermark, want the same next commit."""
    either.env["EL_LEASE_SECONDS"] = "0"  # else one works and the others leave it to him: leases are not what is tried
    either.el("run")
    either.mysql("update t set v = 1 where id % 2 = 0")
    either.el("extract")
    either.mysql("update t set v = 2 where id % 3 = 0", "insert into t (id, v) values (900, 1)")
    commits: list[str] = []
    gate = threading.Barrier(5, timeout=200)

    def before(method: str, path: str) -> None:
        if is_commit(method, path) and len(commits) < 5:
            commits.append(path)
            gate.wait()  # the fifth lets all of them go

    with s3_proxy(either.env["AWS_ENDPOINT_URL"], before) as endpoint, either.warehouse.cursor() as holder:
        holder.execute("begin")
        holder.execute(f"lock table raw_{either.name}_el.t")
        processes = [start(either, "extract", endpoint=endpoint) for _ in range(5)]
        processes += [start(either, "load") for _ in range(10)]
        wait_until_somebody_waits(either, f"raw_{either.name}_el.t", 10)
        holder.execute("commit")
        assert [process.wait(300) for process in processes] == [0] * 15
    assert len(set(commits)) == 1
    either.el("load")
    assert_equal(either, "t")
    assert [seq for seq, _ in either.ledger("t")] == either.commits("t") == [1, 2, 3], "each commit once, in order"

"""A range of the cursor is read again, and the passes go on as if it had not been."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from el.errors import SourceError
from el.landing import Commit, TableLanding
from el.outcome import Extracted
from el.plan import Range
from tests.compare import assert_equal
from tests.conftest import Source
from tests.crash.test_kill import SMALL_PARTS, is_commit, start
from tests.integration.test_extract import CURSOR, extractor, landed, small
from tests.mysql_sql import numbers
from tests.proxy import s3_proxy

__all__ = ["small"]

#: What tells the next pass what to do; everything of a commit that a backfill must leave as it was.
STATE = ("reading", "window", "signature", "fingerprint", "asked")
OLD = "2020-01-{:02} 00:00:00"


def state(source: Source) -> dict[str, Any]:
    """What the head commit says of passes."""
    head = source.commit("t", source.commits("t")[-1])
    return {name: head[name] for name in STATE} | {"server": head["server"]["id"]}


def fill(source: Source, rows: int = 1000) -> None:
    """Rows of January 2020, ten days of them, that no window will reach again."""
    source.mysql(
        f"create table t (id int primary key, v int, {CURSOR}, key (updated_at))",
        f"insert into t select seq, 0, '2020-01-01' + interval seq % 10 day from {numbers(rows)} n",
    )
    source.configure({"t": {}})


def change_behind_the_cursor(source: Source, where: str) -> None:
    """Write as an import does: the cursor stays."""
    source.mysql(f"update t set v = 1, updated_at = updated_at where {where}")


def values(source: Source) -> dict[int, int]:
    return dict(source.redshift("select id, v from raw.t"))


def test_a_backfill_brings_the_rows_of_its_range_and_leaves_the_watermark(source: Source) -> None:
    fill(source)
    source.el("run")
    before = state(source)
    change_behind_the_cursor(source, "id <= 100")
    done = source.el("run", "--from", "2020-01-02", "--to", OLD.format(4), f"{source.name}.t", "--json").table("t")
    assert done["extracted"] == done["loaded"] == 200
    assert done["backfill"] == ["2020-01-02 00:00:00.000000", "2020-01-04 00:00:00.000000"]
    assert "the watermark stays" in done["warnings"][0]
    # Days 2 and 3, not 4: `from` is in the range and `to` is not.
    assert values(source) == {n: int(n <= 100 and n % 10 in (1, 2)) for n in range(1, 1001)}
    assert state(source) == before
    idle = source.el("run", "--json").table("t")
    assert (idle["extracted"], idle["extract_commits"], idle["lo"]) == (0, 0, before["window"]["next_lo"])


@pytest.mark.parametrize(
    ("limits", "days"), [(("--from", "2020-01-09"), (8, 9)), (("--to", "2020-01-02"), (0,))], ids=["from", "to"]
)
def test_either_limit_may_be_left_out(source: Source, limits: tuple[str, str], days: tuple[int, ...]) -> None:
    fill(source)
    source.el("run")
    change_behind_the_cursor(source, "true")
    source.el("run", *limits, source.name)
    assert values(source) == {n: int(n % 10 in days) for n in range(1, 1001)}


def test_an_integer_cursor_takes_numbers(source: Source) -> None:
    source.mysql("create table t (id int auto_increment primary key, v int)")
    source.mysql(f"insert into t select seq, 0 from {numbers(1000)} n")
    source.configure({"t": {"cursor": "id"}})
    source.el("run")
    before = state(source)
    source.mysql("update t set v = 1")
    source.el("run", "--from", "9", "--to", "100", source.name)  # as text, '9' would come behind '100'
    assert {n for n, v in values(source).items() if v} == set(range(9, 100))
    assert state(source) == before


def test_a_row_that_changed_since_the_last_pass_is_read_by_the_backfill_and_again_by_the_next_pass(
    source: Source,
) -> None:
    fill(source)
    source.el("run")
    before = state(source)
    source.mysql("update t set v = 2 where id = 7")  # now in the window, which reaches behind the watermark
    source.el("run", "--from", "2020-01-01", source.name)
    assert values(source)[7] == 2
    assert state(source) == before
    source.mysql("update t set v = 3 where id = 7")
    source.el("run")
    assert_equal(source, "t")


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("first", [True, False], ids=["first copy", "delta"])
def test_a_pass_that_was_cut_off_goes_on_behind_a_backfill(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    fill(source)
    if not first:
        extractor(source, tmp_path).run(Extracted())
        source.mysql("update t set v = 9")  # all of them are in the window now
    write = TableLanding.write_commit
    cut = (source.commits("t") or [0])[-1] + 2

    def cut_off(self: TableLanding, commit: Commit) -> None:
        if commit.seq == cut:
            raise SourceError("cut off")
        write(self, commit)

    monkeypatch.setattr(TableLanding, "write_commit", cut_off)
    with pytest.raises(SourceError, match="cut off"):
        extractor(source, tmp_path).run(Extracted())
    monkeypatch.setattr(TableLanding, "write_commit", write)
    before = state(source)
    assert (before["reading"]["done"], before["reading"]["full"]) == (False, first)
    change_behind_the_cursor(source, "id in (5, 995)")
    backfilled, rest = Extracted(), Extracted()
    extractor(source, tmp_path).run(backfilled, backfill=Range("2020-01-06 00:00:00.000000", None))
    assert (backfilled.rows, backfilled.commits) == ((500, 2) if first else (1000, 4))
    assert state(source) == before
    extractor(source, tmp_path).run(rest)
    assert rest.rows == 700, "what the pass had committed is not read again"
    assert state(source)["reading"] == before["reading"] | {"done": True, "after": None}
    latest = {row["id"]: row["v"] for row in landed(source).sort_by("_seq").to_pylist()}
    assert latest == {n: 1 if n in (5, 995) else 0 if first else 9 for n in range(1, 1001)}
    source.el("load")
    assert_equal(source, "t")


def test_a_backfill_that_is_killed_in_the_middle_changes_nothing_for_the_passes_and_can_be_repeated(
    source: Source,
) -> None:
    fill(source, 9000)  # parts of 2000 rows: five commits
    source.el("run")
    before = state(source)
    change_behind_the_cursor(source, "true")
    running: list[subprocess.Popen[bytes]] = []
    asked: list[str] = []

    def third_commit(method: str, path: str) -> int | None:
        if is_commit(method, path) and len({*asked, path}) == 3:
            os.kill(running[0].pid, signal.SIGKILL)
            return 500
        asked.extend([path] if is_commit(method, path) else [])
        return None

    backfill = ("extract", "--from", "2020-01-01", source.name)
    with s3_proxy(source.env["AWS_ENDPOINT_URL"], third_commit) as endpoint:
        running.append(start(source, *backfill, endpoint=endpoint, program=("-c", SMALL_PARTS)))
        assert running[0].wait(120) == -signal.SIGKILL
    assert source.commits("t") == [1, 2, 3]
    assert state(source) == before
    assert source.el("run", "--json").table("t")["extracted"] == 0
    assert sum(values(source).values()) == 4000, "what was committed before is loaded"
    source.el("run", *backfill[1:])
    assert_equal(source, "t")
    assert state(source) == before


def test_a_backfill_beside_another_extractor_begins_again_behind_its_commit(source: Source) -> None:
    fill(source)
    source.el("run")
    change_behind_the_cursor(source, "id <= 100")
    source.mysql("update t set v = 2 where id = 500")
    source.env["EL_LEASE_SECONDS"] = "0"  # else the other leaves the table to it: leases are not what is tried
    met: list[str] = []

    def other_is_faster(method: str, path: str) -> int | None:
        if is_commit(method, path) and not met:
            met.append(path)
            source.mysql("update t set v = 3, updated_at = updated_at where id = 1")  # behind the backfill's read
            source.el("extract")
        return None

    with s3_proxy(source.env["AWS_ENDPOINT_URL"], other_is_faster) as endpoint:
        source.el("extract", "--from", "2020-01-01", source.name, env={"AWS_ENDPOINT_URL": endpoint})
    assert met
    commits = [source.commit("t", seq) for seq in source.commits("t")]
    assert len(commits) == 3
    assert [c["reading"]["first_seq"] for c in commits] == [1, 2, 2]
    assert {name: commits[2][name] for name in STATE} == {name: commits[1][name] for name in STATE}
    source.el("load")
    assert_equal(source, "t")


def test_a_backfill_needs_a_head_commit_of_the_same_form(source: Source) -> None:
    fill(source)
    failed = source.el("extract", "--from", "2020-01-01", source.name, code=1)
    assert f"{source.name}.t: nothing was copied yet" in failed.err
    assert f"First: el run {source.name}.t" in failed.err
    source.el("extract")
    source.mysql("alter table t add column w int")
    failed = source.el("extract", "--from", "2020-01-01", source.name, code=1)
    assert "hash key changed since commit 1, so every row has to be copied again" in failed.err
    assert source.commits("t") == [1]
    assert "new columns w" in source.el("extract", source.name).out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--from", "2020-01-01", "--full"), "--full and --from or --to: choose one"),
        (("--to", "2020-01-01", "--accept-server"), "--accept-server and --from or --to: choose one"),
        (("--from", "yesterday"), ".t: --from 'yesterday': cursor updated_at needs a time such as"),
        (("--to", "2020-01-01 00:00:00+02:00"), "in UTC, without a zone"),
        (("--from", "2020-01-02", "--to", "2020-01-02"), ".t: nothing is from 2020-01-02 to before 2020-01-02"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_limits_that_make_no_range_are_refused_before_anything_is_read(
    source: Source, arguments: tuple[str, ...], message: str
) -> None:
    fill(source, 10)
    source.el("extract")
    assert message in source.el("extract", source.name, *arguments, code=2).err
    assert source.commits("t") == [1]


def test_a_table_that_is_copied_whole_has_no_ranges(source: Source) -> None:
    fill(source, 10)
    source.configure({"t": {"mode": "replace"}})
    assert f"{source.name}.t: --from and --to" in source.el("extract", "--from", "1", source.name, code=2).err

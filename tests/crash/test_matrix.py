"""The crash matrix: the real process, killed or disturbed at each point of ``points.py``; run again, all is right.

Each table of a slice lives through the same five runs: a first copy, extracted and loaded; rows that change, extracted
and loaded; and other columns in mode replace, loaded. In each of them it is killed or disturbed at a point of its own,
and in none at the same as another table. After each stage one run over all tables, which nothing disturbs, must make it
right.
"""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from itertools import zip_longest

import pytest

from tests.compare import assert_equal
from tests.conftest import Source
from tests.crash.points import ALL, SKIP, STAGES, SWAP, Fault, Point
from tests.crash.test_kill import CURSOR, snapshot_port, start, use_port
from tests.crash.wires import PREFIX, Wires, wires
from tests.mysql_sql import numbers

__all__ = ["snapshot_port"]

#: Tables of one test: few where ``make test`` waits for the first.
_QUICK_SLICE, _SLICE = 3, 8
Cell = tuple[Point, Fault]


def slices(quick: bool) -> list[list[dict[str, Cell]]]:
    """The cells of the matrix: for each test its tables, for each table its cell in each stage."""
    columns = [
        [(point, fault) for point in points for fault in (point.quick if quick else ALL[point.wire])]
        for points in STAGES.values()
    ]
    lives = [{stage: cell for stage, cell in zip(STAGES, row, strict=True) if cell} for row in zip_longest(*columns)]
    many = -(-len(lives) // (_QUICK_SLICE if quick else _SLICE))
    return [lives[at::many] for at in range(many)]  # each has points from all over a run


def _no_name(lives: object) -> str:
    """A slice is known by its number alone; what it holds is said when it fails."""
    return "slice"


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "lives",
    [pytest.param(one, marks=[pytest.mark.long] * bool(at)) for at, one in enumerate(slices(quick=True))],
    ids=_no_name,
)
def test_whatever_happens_at_any_point_the_next_run_makes_it_right(
    source: Source, lives: list[dict[str, Cell]]
) -> None:
    live(source, lives)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("isolation", ["serializable", "snapshot"])
@pytest.mark.parametrize("lives", slices(quick=False), ids=_no_name)
def test_every_fault_at_every_point_under_either_isolation_level(
    source: Source, request: pytest.FixtureRequest, lives: list[dict[str, Cell]], isolation: str
) -> None:
    if isolation == "serializable":
        live(source, lives)
        return
    with use_port(source, request.getfixturevalue("snapshot_port")):
        live(source, lives)


def test_a_skip_that_is_killed_or_unheard_quarantines_the_commit_once_when_it_is_said_again(source: Source) -> None:
    tables = {"t0": "killed before", "t1": "killed after", "t2": "lost"}
    for table in tables:
        source.mysql(*made(table))
    source.configure({table: {} for table in tables})
    source.el("extract")
    with wires(source) as wire:
        for table, fault in tables.items():
            skip = ("load", "--skip", f"{source.name}.{table}", "1", "--reason", "for the test")
            code = wire.run(lambda: start(source, *skip, env=wire.env), (SKIP, fault))  # noqa: B023 - used at once
            assert (code == -signal.SIGKILL) == fault.startswith("killed")
            source.el(*skip, code=None)  # wrong usage where it is settled
            assert source.redshift(f"select seq, kind from raw_{source.name}_el.{table}") == [(1, "skipped")]
    source.el("run", "--full")
    for table in tables:
        assert_equal(source, table)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_swap_that_is_killed_or_disturbed_has_replaced_all_rows_or_none(source: Source) -> None:
    source.mysql(*made("t0"))
    source.configure({"t0": {}})
    source.el("run")
    replay = ("load", "--replay", f"{source.name}.t0", "--into", f"replay_{source.name}")
    try:
        source.el(*replay)
        with wires(source) as wire:
            for cell in [(point, fault) for point in SWAP for fault in ALL[point.wire]]:
                source.redshift("update raw.t0 set v = -1")
                code = wire.run(lambda: start(source, *replay, "--swap", env=wire.env), cell)
                what = f"{cell[1]} at {cell[0].name}"
                assert code in ((-signal.SIGKILL,) if cell[1].startswith("killed") else (0, 1)), what
                found = source.redshift("select count(*), sum(case when v = -1 then 1 else 0 end) from raw.t0")
                assert found in ([(200, 200)], [(200, 0)]), what
                source.el(*replay, "--swap")
                assert_equal(source, "t0")
    finally:
        for schema in (f"replay_{source.name}", f"replay_{source.name}_el"):
            source.redshift(f"drop schema if exists {schema} cascade")


def test_everything_that_a_run_writes_or_changes_is_a_point_of_the_matrix(source: Source) -> None:
    """So that what somebody adds is added to the matrix, too."""
    source.mysql(*made("t0"))
    source.configure({"t0": {}})
    missing = []
    with wires(source) as wire:
        for stage, points in STAGES.items():
            prepare(source, stage, ["t0"])
            assert wire.run(lambda: begin(source, wire, stage, "t0"), None) == 0  # noqa: B023 - used at once
            times: Counter[str] = Counter()
            for where, text in [seen for seen in wire.seen if is_change(*seen)]:
                found = [point for point in points if point.matches(where, text)]
                times.update({point.seen for point in found})
                if not any(point.nth == times[point.seen] for point in found):
                    missing.append((stage, where, text[:100]))
    assert not missing


def is_change(wire: str, text: str) -> bool:
    if wire == "s3":
        if text.endswith("/_alerts/_el.json"):  # what a run of another test that could not start has left
            return False
        return not text.startswith(("GET ", "HEAD "))
    words = text[5:].split() if text.startswith("Q") else []
    harmless = ("select", "begin", "rollback", "set", "reset", "show")
    return wire == "redshift" and bool(words) and words[0].lower().rstrip("\0") not in harmless


def made(table: str) -> tuple[str, str]:
    return (
        f"create table {table} (id int primary key, v int, s varchar(10), {CURSOR})",
        f"insert into {table} (id, v, s) select seq, 0, 'short' from {numbers(200)} n",
    )


def prepare(source: Source, stage: str, tables: list[str]) -> None:
    """What has happened before a stage."""
    if stage == "extract":
        for table in tables:
            source.mysql(
                f"update {table} set v = v + 1 where id % 3 = 0", f"insert into {table} (id, v) values (900, 1)"
            )
    if stage == "load":  # all of them have a problem, which is over when their load is done
        source.el("load", code=1, env={PREFIX + "PASSWORD": "wrong"})
    if stage == "changed load":
        for table in tables:
            source.mysql(
                f"alter table {table} add column w int default 7, modify s varchar(40)",
                f"update {table} set s = 'longer than ten characters' where id % 5 = 0",
                f"delete from {table} where id % 7 = 0",
            )
        source.configure({table: {"mode": "replace"} for table in tables})
        source.el("extract")


def begin(source: Source, wire: Wires, stage: str, table: str) -> subprocess.Popen[bytes]:
    if stage == "first load":  # as if it were the first of its source: dlt makes its tables once
        source.redshift(f"drop table if exists raw_{source.name}._dlt_version")
    return start(source, stage.split()[-1], f"{source.name}.{table}", env=wire.env)


def live(source: Source, lives: list[dict[str, Cell]]) -> None:
    """The life of the tables of one test, and what must be true behind each stage."""
    tables = [f"t{number}" for number in range(len(lives))]
    for table in tables:
        source.mysql(*made(table))
    source.configure({table: {} for table in tables})
    wrong: list[str] = []
    with wires(source) as wire:
        for stage in STAGES:
            prepare(source, stage, tables)
            for table, cells in zip(tables, lives, strict=True):
                if stage in cells:
                    wrong += happens(source, wire, stage, table, cells[stage])
            source.el(stage.split()[-1])
            if stage.endswith("load"):
                for table, cells in zip(tables, lives, strict=True):
                    wrong += [f"{table} ({said(cells)}): {what}" for what in not_right(source, table)]
    wrong += left_behind(source)
    assert not wrong, "\n".join(wrong)


def said(cells: dict[str, Cell]) -> str:
    return "; ".join(f"{stage}: {fault} at {point.name}" for stage, (point, fault) in cells.items())


def happens(source: Source, wire: Wires, stage: str, table: str, cell: Cell) -> list[str]:
    point, fault = cell
    try:
        code = wire.run(lambda: begin(source, wire, stage, table), cell)
    except AssertionError as never:
        return [f"{stage}: {fault} at {point.name}: {never}"]
    expected = (-signal.SIGKILL,) if fault.startswith("killed") else (0, 1)
    return [] if code in expected else [f"{stage}: {fault} at {point.name}: exit code {code}"]


def not_right(source: Source, table: str) -> list[str]:
    """What of MySQL's rows, the commits, the ledger, dlt's loads and the horizon does not fit together."""
    found = []
    try:
        assert_equal(source, table)
    except AssertionError as differs:
        found.append(f"not as in MySQL: {differs}")
    commits = [(seq, source.commit(table, seq)["load_id"]) for seq in source.commits(table)]
    ledger = source.redshift(f"select seq, load_id from raw_{source.name}_el.{table} order by position")
    loads = source.redshift(f"select load_id from raw._dlt_loads where schema_name = '{source.name}_{table}'")
    if ledger != commits or [seq for seq, _ in commits] != list(range(1, len(commits) + 1)):
        found.append(f"the commits are {commits} and the ledger has {ledger}")
    if sorted(loads) != sorted((load_id,) for _, load_id in commits):
        found.append(f"the commits are {commits} and dlt's loads {loads}")
    horizon = source.beside(f"{source.name}/{table}/_applied.json")
    merged = [commit for commit in commits if source.commit(table, commit[0])["mode"] == "merge"]
    if (horizon["seq"], horizon["load_id"]) != merged[-1]:
        found.append(f"the horizon is that of commit {horizon['seq']} of {merged}")
    return found


def left_behind(source: Source) -> list[str]:
    """What would be there for ever: files that no commit names, rows on the disk, leases that keep others away."""
    tables = sorted({key.split("/")[0] for key in source.objects() if "/_commits/" in key})
    assert tables
    wrong = []
    source.el("clean", "--execute", "--grace", "0")
    for table in tables:
        files = {key for key in source.objects(f"{table}/{table}/") if key.endswith(".parquet")}
        named = {
            f"{table}/{file['key']}" for seq in source.commits(table) for file in source.commit(table, seq)["files"]
        }
        if files != named:
            wrong.append(f"{table}: the janitor leaves {files - named}")
    # A lease that a killed run had is taken over at the next work; until then nobody is taken for at work.
    wrong += [f"{one['table']}: {one['at_work']}" for one in source.el("status", "--json").json if one["at_work"]]
    return wrong + [f"{path} is left" for path in (source.folder / "home" / "work").iterdir()]

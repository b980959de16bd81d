"""``el-archive plan`` and ``run``, as processes, on a real MySQL and S3: what goes, what stays, and what is said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from el.archive import journal, objects, rows
from el.archive.journal import Journal
from el.archive.objects import Manifest
from tests.archive.made import table_archive
from tests.conftest import Source

RETENTION = {"transient": {"keep": "6 months", "archive": "7 years"}}
AS_OF = "2026-11-25"
#: A policy by ``created_at``; rows of this time are old, and of this one new.
POLICY = {"archive": {"class": "transient", "age": "created_at"}}
OLD, NEW = "2026-01-01 00:00:00", "2026-11-01 00:00:00"
#: What extract would go by; nothing is extracted here unless a test says so.
CURSOR = "created_at"
AGE = "created_at datetime not null, key (created_at)"


def configure(source: Source, *tables: str, **more: Any) -> None:
    source.configure({table: POLICY | more for table in tables}, RETENTION, cursor=CURSOR)


def run(source: Source, *arguments: str, code: int = 0, env: dict[str, str] | None = None) -> dict[str, Any]:
    """The report of ``el-archive run --execute``; by table if there are several."""
    done = source.archive("run", "--execute", "--as-of", AS_OF, "--json", *arguments, code=code, env=env)
    return dict(done.json)


def one(report: dict[str, Any], table: str = "t") -> dict[str, Any]:
    (found,) = [entry for entry in report["tables"] if entry["table"].endswith(f".{table}")]
    return dict(found)


def live(source: Source, table: str = "t", column: str = "id") -> list[Any]:
    source.admin.rollback()
    with source.admin.cursor() as cursor:
        cursor.execute(f"select {column} from `{table}` order by 1")
        return [row[0] for row in cursor.fetchall()]


def archived(source: Source, table: str = "t") -> list[tuple[Any, ...]]:
    """The rows that the journal calls deleted, decoded from their objects, in the order of their deletion."""
    place = table_archive(source, table)
    found: list[tuple[Any, ...]] = []
    for state in journal.chunks(Journal(place, "").records()).values():
        if state.object is None or state.manifest is None:
            continue
        manifest = Manifest.from_json(place.get(state.manifest.key, state.manifest.version), "")
        proven = objects.read_back(place, state.object, manifest.archived, state.rows, state.rows_sha256)
        for position in journal.positions(journal.merged(state.deleted, state.gone)):
            found.append(tuple(proven.table.slice(position, 1).to_pylist()[0].values()))
    return found


def make(source: Source, many: int = 10, table: str = "t", columns: str = "") -> None:
    """A table of ``many`` old rows, and one that is new."""
    source.mysql(
        f"create table {table} (id int primary key, v varchar(40), {columns}{AGE})",
        f"insert into {table} (id, v, created_at) select seq, concat('v', seq), '{OLD}' from seq_1_to_{many}",
        f"insert into {table} (id, v, created_at) values ({many + 1}, 'new', '{NEW}')",
    )


def test_old_rows_go_and_new_ones_stay(source: Source) -> None:
    make(source, 10)
    configure(source, "t")
    report = one(run(source))
    assert (report["state"], report["archived"], report["deleted"], report["left"]) == ("done", 10, 10, {})
    assert live(source) == [11]
    assert [row[:2] for row in archived(source)] == [(n, f"v{n}") for n in range(1, 11)]
    assert one(run(source))["archived"] == 0


def test_without_execute_the_plan_is_shown_and_nothing_is_done(source: Source) -> None:
    make(source, 10)
    configure(source, "t")
    done = source.archive("run", "--as-of", AS_OF)
    assert "2026-05-25 00:00:00" in done.out and "Nothing was done" in done.out
    (plan,) = source.archive("plan", "--as-of", AS_OF, "--json").json["tables"]
    assert (plan["rows"], plan["exact"], plan["refusals"], plan["chunks"]) == (10, True, [], 1)
    assert len(live(source)) == 11
    assert table_archive(source, "t").last_record() == 0

"""The demo application: the same rows everywhere, every type, and activity as a live application has it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local.clinic import activity as application
from local.clinic import generate
from local.clinic.activity import activity
from local.clinic.database import ClinicError, connect, quoted
from local.clinic.generate import create
from local.clinic.rows import TABLES
from local.mysql_server import Program
from tests.conftest import REPOSITORY
from tests.leftovers import Note, source_note

SCALE = 0.01
CURSORS = tuple(table for table in TABLES if table != "specialties")


@pytest.fixture
def database(stack: dict[str, str], program: Program, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Gives names of databases that are dropped at the end."""
    notes: dict[str, Note] = {}

    def name() -> str:
        made = f"clinic_test_{uuid4().hex[:10]}"
        notes[made] = source_note(program.kind, made, tmp_path)
        return made

    yield name
    with connect() as connection, connection.cursor() as cursor:
        for used, note in notes.items():
            cursor.execute(f"drop database if exists {quoted(used)}")
            note.remove()


def query(database: str, sql: str) -> list[tuple[Any, ...]]:
    with connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def checksums(database: str) -> dict[str, Any]:
    rows = query(database, f"checksum table {', '.join(TABLES)}")
    return {name.partition(".")[2]: checksum for name, checksum in rows}


def columns(database: str) -> list[tuple[str, str, str]]:
    """Type, type with its size, and comment, of every column."""
    return query(  # type: ignore[return-value]
        database,
        "select data_type, column_type, column_comment from information_schema.columns where table_schema = database()",
    )


def test_two_creates_at_one_scale_make_the_same_rows(database: Callable[[], str]) -> None:
    first, second = database(), database()
    create(first, SCALE)
    create(second, SCALE)
    assert None not in checksums(first).values()
    assert checksums(first) == checksums(second)


def test_creating_again_does_nothing_and_says_so(database: Callable[[], str]) -> None:
    name = database()
    create(name, SCALE)
    activity(name, seed=1)
    before = checksums(name)
    assert create(name, SCALE) == f"{name}: already there at scale 0.01; nothing was done"
    assert checksums(name) == before


def test_another_scale_is_refused_until_forced(database: Callable[[], str]) -> None:
    name = database()
    create(name, SCALE)
    before = checksums(name)
    with pytest.raises(ClinicError, match=r"is there at scale 0\.01, not scale 0\.02\. Nothing was changed.*--force"):
        create(name, 0.02)
    assert checksums(name) == before
    create(name, 0.02, force=True)
    assert query(name, "select count(*) from messages") == [(1_200,)]


def test_forcing_undoes_what_activity_did(database: Callable[[], str]) -> None:
    name = database()
    create(name, SCALE)
    before = checksums(name)
    activity(name)
    assert checksums(name) != before
    create(name, SCALE, force=True)
    assert checksums(name) == before


def test_an_interrupted_create_is_noticed_and_done_again(
    database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, name = database(), database()
    create(whole, SCALE)
    fill = generate._fill

    def stop_at_readings(cursor: Any, table: str, counts: dict[str, int]) -> int:
        if table == "readings":
            raise KeyboardInterrupt
        return fill(cursor, table, counts)

    with monkeypatch.context() as patch:
        patch.setattr(generate, "_fill", stop_at_readings)
        with pytest.raises(KeyboardInterrupt):
            create(name, SCALE)
    assert "an unfinished one was replaced" in create(name, SCALE)
    assert checksums(name) == checksums(whole)


def test_tables_of_somebody_else_are_left_alone(database: Callable[[], str]) -> None:
    name = database()
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"create database {name}")
        cursor.execute(f"create table {name}.patients (id int primary key)")
    for force in (False, True):
        with pytest.raises(ClinicError, match=r"has tables that the demo did not make\. Nothing was changed"):
            create(name, SCALE, force)
    assert query(name, "show tables") == [("patients",)]


def test_the_server_s_own_databases_are_refused(stack: dict[str, str]) -> None:
    with pytest.raises(ClinicError, match="belongs to the server"):
        create("MySQL", SCALE, force=True)


def test_every_type_that_the_loader_knows_occurs(database: Callable[[], str]) -> None:
    name = database()
    create(name, SCALE)
    sizes = {re.sub(r"int\(\d+\)", "int", size) for _, size, _ in columns(name)}
    types = {kind for kind, _, _ in columns(name)}
    integers = {"tinyint", "smallint", "mediumint", "int", "bigint"}
    assert integers | {f"{kind} unsigned" for kind in integers} <= sizes
    assert ("tinyint", "tinyint(1)") in {(kind, size) for kind, size, _ in columns(name)}
    assert {"decimal(12,2)", "decimal(30,10)", "decimal(38,18)", "decimal(65,30)"} <= sizes
    assert {"bit(1)", "bit(10)", "bit(64)"} <= sizes
    assert {"datetime", "datetime(3)", "datetime(6)", "timestamp", "timestamp(6)", "time", "time(6)"} <= sizes
    assert {
        "float",
        "double",
        "date",
        "year",
        "char",
        "varchar",
        "enum",
        "set",
        "binary",
        "varbinary",
    } <= types
    assert {
        "tinytext",
        "text",
        "mediumtext",
        "longtext",
        "tinyblob",
        "blob",
        "mediumblob",
        "longblob",
    } <= types
    assert {"point", "polygon"} <= types
    schema = (REPOSITORY / "local" / "clinic" / "schema.sql").read_text()
    assert re.search(r"^ +details json null", schema, re.MULTILINE)  # MariaDB shows JSON as longtext


def test_every_table_and_column_has_a_comment(database: Callable[[], str]) -> None:
    name = database()
    create(name, SCALE)
    assert all(comment for _, _, comment in columns(name))
    tables = query(name, "select table_comment from information_schema.tables where table_schema = database()")
    assert len(tables) == len(TABLES)
    assert all(comment for (comment,) in tables)


@pytest.mark.parametrize(
    "awkward",
    [
        "readings where device_counter = 18446744073709551615 and device_clock = 9223372036854775807",
        "readings where device_clock = -9223372036854775808 and battery_change = -128",
        "readings where signal_level = 1e-12",
        "readings where taken_at = '9999-12-31 23:59:59.999999'",
        "devices where register_mask = b'1111111111111111111111111111111111111111111111111111111111111111'",
        "devices where serial_number like '% '",
        "appointments where waiting_time = '-838:59:59' and connected_time = '-838:59:59.000000'",
        "appointments where cast(cancelled_at as char) = '0000-00-00 00:00:00'",
        "patients where cast(birth_date as char) = '0000-00-00'",
        "patients where cast(birth_date as char) = '1980-00-00'",
        "patients where phone = '' and length(last_name) > char_length(last_name) * 2",
        "patients where phone is null and preferences is null",
        "patients where json_extract(preferences, '$.alarms[0].limits.high') = 180",
        "messages where length(body) = 0 and char_length(attachment) = 0",
        "messages where instr(body, char(0)) > 0",
        "messages where body like '%\\n%' and subject like '%\"%' and subject like '%\\\\\\\\%'",
        "invoices where token_amount = 99999999999999999999999999999999999.999999999999999999999999999999",
    ],
)
def test_awkward_values_are_there_at_the_smallest_scale(smallest: str, awkward: str) -> None:
    assert query(smallest, f"select count(*) from {awkward}") != [(0,)]


@pytest.fixture(scope="module")
def smallest(stack: dict[str, str]) -> Iterator[str]:
    name = f"clinic_test_{uuid4().hex[:10]}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EL_MYSQL_ADMIN_URL", stack["EL_MYSQL_ADMIN_URL"])
        create(name, 0.0001)
        yield name
        with connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"drop database {name}")


def test_generated_rows_lie_in_the_past_and_many_share_one_cursor(database: Callable[[], str]) -> None:
    name = database()
    create(name, SCALE)
    for table in CURSORS:
        assert query(name, f"select count(*) from {table} where updated_at > '2025-06-30'") == [(0,)], table
    ((ties,),) = query(name, "select max(n) from (select count(*) as n from care_team group by updated_at) as t")
    assert ties >= 6


def test_the_server_sets_every_cursor_and_an_index_finds_it(database: Callable[[], str]) -> None:
    name = database()
    create(name, SCALE)
    found = query(
        name,
        "select table_name from information_schema.columns where table_schema = database()"
        " and column_name = 'updated_at' and extra like '%on update current_timestamp%'",
    )
    indexed = query(
        name,
        "select table_name from information_schema.statistics where table_schema = database()"
        " and column_name = 'updated_at' and seq_in_index = 1",
    )
    assert {table for (table,) in found} == {table for (table,) in indexed} == set(CURSORS)


def test_activity_never_writes_a_cursor_by_itself() -> None:
    code = Path(application.__file__).read_text(encoding="utf-8")
    assert not re.search(r"(?<!`)updated_at", code)


def test_activity_changes_every_table_and_its_rows_carry_the_server_s_time(
    database: Callable[[], str],
) -> None:
    name = database()
    create(name, SCALE)
    before = checksums(name)
    ((began,),) = query(name, "select now(6)")
    counts = activity(name)
    ((ended,),) = query(name, "select now(6)")
    assert all(before[table] != checksum for table, checksum in checksums(name).items())
    for table in CURSORS:
        # Rows that were just inserted may be updated or deleted by the same activity.
        fewest = max(1, counts.rows[table, "inserted"] - counts.rows[table, "deleted"])
        changed = f"select count(*), max(updated_at) <= '{ended}' from {table}"
        ((rows, in_time),) = query(name, f"{changed} where updated_at >= '{began:%Y-%m-%d %H:%M:%S}'")
        assert rows >= fewest, table
        assert in_time == 1, table


def test_activity_commits_late_what_it_wrote_first(database: Callable[[], str]) -> None:
    name = database()
    create(name, SCALE)
    activity(name)
    ((late,),) = query(name, "select max(updated_at) from audit_events where action = 'late.commit'")
    ((others,),) = query(name, "select max(updated_at) from appointments")
    assert late < others, "the row committed last does not have the oldest time"


def test_activity_writes_something_new_every_time_and_deletes(database: Callable[[], str]) -> None:
    name = database()
    create(name, SCALE)
    seen = [checksums(name)]
    for seed in (7, 7, None):
        counts = activity(name, seed)
        assert all(counts.rows[table, "deleted"] for table in ("messages", "audit_events", "care_team"))
        assert all(counts.rows[table, "updated"] for table in ("care_team", "payments", "specialties"))
        seen.append(checksums(name))
    for table in TABLES:
        assert len({state[table] for state in seen}) == len(seen), table


def test_activity_without_a_database_says_what_is_missing(stack: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local.clinic", "activity", "--database", "nosuch_clinic"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert re.fullmatch(r"MySQL at \S+, database nosuch_clinic cannot be used: \w+ 1049\n", done.stderr)

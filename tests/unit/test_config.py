"""What the user writes: problems are found all at once, with file, line and the nearest valid key."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from el.config import load_sources, raw_name, read_source, select
from el.errors import ConfigError, UsageError


def write(folder: Path, text: str, name: str = "clinic") -> Path:
    file = folder / f"{name}.yml"
    file.write_text(text)
    return file


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_source(write(folder, text))
    return [problem.removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_defaults_apply_to_tables_that_do_not_say_otherwise(tmp_path: Path) -> None:
    source = read_source(
        write(
            tmp_path,
            """
source: clinic
defaults: {mode: merge, cursor: updated_at}
tables:
  patients: {exclude: [ssn], hash: [email]}
  specialties: {mode: replace}
  visits: {cursor: changed_at, overlap: 86400}
  appointments:
""",
        )
    )
    patients, specialties, visits, appointments = source.tables
    assert (patients.overlap, visits.overlap) == (60, 86400)
    assert (patients.mode, patients.cursor, patients.exclude, patients.hash) == (
        "merge",
        "updated_at",
        ("ssn",),
        ("email",),
    )
    assert (specialties.mode, specialties.cursor) == ("replace", None)
    assert (visits.mode, visits.cursor) == ("merge", "changed_at")
    assert (appointments.mode, appointments.cursor) == ("merge", "updated_at")


def test_a_bare_null_is_the_name_of_a_policy(tmp_path: Path) -> None:
    source = read_source(
        write(
            tmp_path,
            """
source: clinic
defaults: {mode: replace, on_oversize: null, on_zero_date: error}
tables:
  patients:
    boolean: [active]
    on_oversize: {notes: truncate, photo: null, "on_oversize": error}
    on_zero_date: {born_on: null, seen_on: "null"}
  visits:
""",
        )
    )
    patients, visits = source.tables
    assert patients.boolean == ("active",)
    assert patients.on_oversize == {"notes": "truncate", "photo": "null", "on_oversize": "error"}
    assert patients.on_zero_date == {"born_on": "null", "seen_on": "null"}
    assert (visits.default_on_oversize, visits.default_on_zero_date) == ("null", "error")
    assert (visits.boolean, visits.on_oversize, visits.on_zero_date) == ((), {}, {})


def test_wrong_policies_are_refused_with_their_lines(tmp_path: Path) -> None:
    assert problems(
        tmp_path,
        """source: clinic
defaults: {mode: replace, on_oversize: cut}
tables:
  patients:
    on_oversize:
      notes: shorten
      photo: ~
    on_zero_date: truncate
    boolean: active
""",
    ) == [
        "clinic.yml:2: \"on_oversize\" must be 'error', 'null' or 'truncate'",
        'clinic.yml:9: table "patients": "boolean" must be a list of column names, such as [ssn]',
        "clinic.yml:6: table \"patients\": \"on_oversize.notes\" must be 'error', 'null' or 'truncate'",
        "clinic.yml:7: table \"patients\": \"on_oversize.photo\" must be 'error', 'null' or 'truncate'",
        'clinic.yml:8: table "patients": "on_zero_date" must be columns with a policy each, such as {notes: null}',
    ]


def test_an_option_for_a_column_that_another_option_takes_away_is_refused_at_its_line(tmp_path: Path) -> None:
    assert problems(
        tmp_path,
        """source: clinic
defaults: {mode: replace}
tables:
  patients:
    exclude: [ssn, born_on]
    hash: [email,
           phone]
    boolean: [active, email]
    on_oversize:
      notes: null
      phone: truncate
    on_zero_date: {born_on: error}
""",
    ) == [
        'clinic.yml:12: table "patients": born_on: excluded and under on_zero_date at once; choose one',
        'clinic.yml:8: table "patients": email: hashed and boolean at once; choose one',
        'clinic.yml:11: table "patients": phone: hashed and under on_oversize at once; choose one',
    ]


def test_every_problem_of_a_file_is_reported_at_once_with_its_line(tmp_path: Path) -> None:
    assert problems(
        tmp_path,
        """source: clinic
defaults: {mode: merge, cursor: updated_at, speed: 9}
tables:
  patients: {exclude: ssn, cusor: x}
  specialties: {mode: replac}
  on: 5
""",
    ) == [
        'clinic.yml:2: unknown key "speed"',
        'clinic.yml:4: table "patients": "exclude" must be a list of column names, such as [ssn]',
        'clinic.yml:4: table "patients": unknown key "cusor" (did you mean "cursor"?)',
        "clinic.yml:5: table \"specialties\": \"mode\" must be 'merge' or 'replace'",
        'clinic.yml:6: table "on": "on" must be a mapping of keys to values',
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("source: clinic\ntables:\n  a: {mode: merge\n", "clinic.yml:4: not YAML"),
        ("source: clinic\n\ttables: 1\n", "clinic.yml:2: not YAML"),
        ("", "clinic.yml:1: the file must be a mapping"),
        ("- a\n", "clinic.yml:1: the file must be a mapping"),
        ("tables: {a: {mode: replace}}\n", 'clinic.yml:1: key "source" is missing'),
        ("source: clinic\n", 'clinic.yml:1: key "tables" is missing'),
        ("source: clinic\ntables: {}\n", "clinic.yml:2: no table is listed"),
        ("source: other\ntables: {a: {mode: replace}}\n", 'clinic.yml:1: source "other" must be named as its file'),
        (
            "source: clinic\ntables:\n  a: {mode: replace}\n  a: {}\n",
            'clinic.yml:4: "a" is here twice, first on line 3',
        ),
        ("source: clinic\ntables:\n  a: {}\n", 'clinic.yml:3: table "a": mode merge needs a "cursor"'),
        (
            "source: clinic\ndefaults: {cursor: u}\ntables:\n  a:\n    exclude: [x]\n    hash: [x]\n",
            'clinic.yml:6: table "a": x: excluded and hashed at once',
        ),
        (
            "source: clinic\ndefaults: {cursor: u}\ntables:\n  a_b: {}\n  aB: {}\n",
            'clinic.yml:5: table "aB": would be the same Redshift table as "a_b": a_b',
        ),
        (
            "source: clinic\ndefaults: {cursor: u}\ntables:\n  a:\n    exclude:\n    - x\n    - 7\n",
            'clinic.yml:7: table "a": "exclude, item 2" must be a name',
        ),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    (found,) = problems(tmp_path, text)
    assert found.startswith(problem)


def test_problems_of_all_files_come_together(tmp_path: Path) -> None:
    write(tmp_path, "source: a\n", "a")
    write(tmp_path, "source: b\nfoo: 1\ntables: {t: {mode: replace}}\n", "b")
    with pytest.raises(ConfigError) as caught:
        load_sources(tmp_path)
    assert len(caught.value.problems) == 2


def test_a_folder_without_source_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no source file"):
        load_sources(tmp_path)


def test_selectors_name_sources_and_tables_and_each_table_comes_once(tmp_path: Path) -> None:
    write(tmp_path, "source: a\ntables: {x: {mode: replace}, y: {mode: replace}}\n", "a")
    write(tmp_path, "source: b\ntables: {x: {mode: replace}}\n", "b")
    sources = load_sources(tmp_path)
    assert [table.label for table in select(sources, [])] == ["a.x", "a.y", "b.x"]
    assert [table.label for table in select(sources, ["b", "a.y", "b.x"])] == ["b.x", "a.y"]


def test_every_selector_that_names_nothing_is_reported(tmp_path: Path) -> None:
    write(tmp_path, "source: clinic\ntables: {patients: {mode: replace}}\n")
    with pytest.raises(UsageError) as caught:
        select(load_sources(tmp_path), ["clinic.patient", "clinic.patients", "shop"])
    first, second = str(caught.value).splitlines()
    assert first.startswith('clinic.patient: no such source or table (did you mean "clinic.patients"?)')
    assert second.startswith("shop: no such source or table")


@pytest.mark.parametrize(
    ("mysql", "redshift"),
    [
        ("id", "id"),
        ("createdAt", "created_at"),
        ("userID", "user_id"),
        ("HTTPServer", "http_server"),
        ("Order Lines", "order_lines"),
        ("1st", "_1st"),
        ("a.b", "a_b"),
        ("_x", "_x"),
        ("Straße", "stra_e"),
        ("xmin", "_xmin"),
        ("OID", "_oid"),
    ],
)
def test_names_become_snake_case(mysql: str, redshift: str) -> None:
    assert raw_name(mysql) == redshift


def test_a_name_without_latin_letters_still_has_one_name_of_its_own() -> None:
    assert raw_name("名前") != raw_name("住所")


def test_limits_of_the_server_belong_to_every_table_of_the_source(tmp_path: Path) -> None:
    text = "source: clinic\nserver: {max_connections: 2, hours: 22:00-06:00}\ntables:\n  a: {mode: replace}\n"
    (table,) = read_source(write(tmp_path, text)).tables
    assert (table.server.max_connections, table.server.hours) == (2, "22:00-06:00")


def test_limits_that_cannot_be_are_refused_with_their_line(tmp_path: Path) -> None:
    text = "source: clinic\nserver:\n  {}\ntables:\n  a: {{mode: replace}}\n"
    for limit, message in {
        "max_connection: 1": 'unknown key "max_connection" (did you mean "max_connections"?)',
        "max_connections: 0": '"max_connections" must be 1 or more',
        "max_rows_per_second: fast": '"max_rows_per_second" must be a whole number',
        "hours: 22-6": '"hours" must be two times of day, such as 22:00-06:00',
        "hours: 22:00-22:00": 'hours "22:00-22:00" are none; leave them out to read at any time',
        "hours_zone: UTC": "hours_zone is for hours, and there are none",
    }.items():
        assert problems(tmp_path, text.format(limit)) == [f"clinic.yml:3: {message}"]
    both = text.format("hours: 22:00-06:00\n  hours_zone: Europe/Berln")
    (found,) = problems(tmp_path, both)
    assert found.startswith('clinic.yml:4: hours_zone "Europe/Berln" is no time zone')


RETENTION = """source: clinic
defaults: {mode: merge, cursor: updated_at}
retention:
  transient: {keep: 6 months, archive: 7 years}
tables:
  audit_events: {archive: {class: transient, age: created_at}}
  messages:     {archive: {class: transient, age: updated_at, where: "status = 'closed'"}}
  patients:
"""


def test_a_table_has_the_retention_of_its_class(tmp_path: Path) -> None:
    source = read_source(write(tmp_path, RETENTION))
    audit_events, messages, patients = (table.retention for table in source.tables)
    assert audit_events and messages
    assert (audit_events.name, audit_events.age, audit_events.where) == ("transient", "created_at", None)
    assert (messages.age, messages.where) == ("updated_at", "status = 'closed'")
    assert patients is None
    as_of = datetime(2026, 8, 31, tzinfo=UTC)
    assert audit_events.cutoff(as_of) == datetime(2026, 2, 28, tzinfo=UTC)
    assert audit_events.end(as_of) == datetime(2033, 8, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("6 months", "6 hours", ':4: "transient.keep" must be a number of days, weeks, months or years'),
        ("archive: 7 years", "archiv: 7 years", ':4: unknown key "archiv" (did you mean "archive"?)'),
        (", archive: 7 years", "", ':4: key "archive" is missing'),
        (
            "age: created_at",
            "aged: created_at",
            ':6: table "audit_events": unknown key "archive.aged" (did you mean "age"?)',
        ),
        ("{class: transient, age: c", "{age: c", ':6: table "audit_events": key "archive.class" is missing'),
        (
            "{class: transient, age: c",
            "{class: transien, age: c",
            ':6: table "audit_events": "transien" is no class under "retention" (did you mean "transient"?)',
        ),
        ("\"status = 'closed'\"", '""', ':7: table "messages": "archive.where" must be a condition in SQL'),
        ("{class: transient, age: created_at}", "transient", ':6: table "audit_events": "archive" must be a mapping'),
    ],
)
def test_a_wrong_retention_is_refused_with_its_line(tmp_path: Path, old: str, new: str, problem: str) -> None:
    found = problems(tmp_path, RETENTION.replace(old, new))
    assert any(one.startswith("clinic.yml" + problem) for one in found), found

"""Runs the cases: every folder beside this file is one MySQL oddity, in plain files.

    schema.sql      statements, each ending with ``;`` at the end of a line; one session of its own per case
    source.yml      its tables, as under ``tables`` of a source file; without it one table, called as the folder.
                    Defaults: mode replace, cursor updated_at
    change.sql      statements for after a first run, and/or
    change.yml      its tables then; el runs a second time if there is one of both
    expected.yml    what Redshift holds after the last run, or why it holds nothing (see ``Expected``)

A case runs on MySQL and on MariaDB, unless it says ``only_on``. What has two spellings in SQL stands in the comments
that one of them executes, ``/*!80003 … */`` and ``/*M! … */``; what has two outcomes is ``{mysql: …, mariadb: …}``.

A run of ``el`` costs seconds, so all cases are tables of one source and share its runs: an error of one table leaves
the others alone. Cases that are refused before a row moves would stop them all; they share a second source.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
import pymysql
import yaml

from local.mysql_server import KINDS
from tests.conftest import Source

FOLDER = Path(__file__).resolve().parent
CASES = sorted(path.parent.name for path in FOLDER.glob("*/expected.yml"))
#: Long enough for EL_HASH_KEY; expected hashes are made with it.
HASH_KEY = "a key for the cases only"


@dataclass(frozen=True)
class Expected:
    """One ``expected.yml``.

    ``rows`` (in any order) of ``select`` from the raw table, dates and decimals as text, binary as hex; ``types``
    of Redshift's columns; ``notes`` that the report has, in part; ``counts`` of the report; ``extracted`` rows of
    the last run. Or ``error``, a part of the table's message; or ``refused``, a part of a line of the refusal of the
    whole source. ``table`` is MySQL's name and ``raw`` Redshift's, where they are not the folder's. ``only_on``: the
    one server that has it, and what it is that the other has not.
    """

    rows: Sequence[Sequence[Any]] | None = None
    select: str | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    extracted: int | None = None
    error: str | None = None
    refused: str | None = None
    table: str | None = None
    raw: str | None = None
    only_on: tuple[str, str] | None = None


def expected(case: str) -> Expected:
    """What a folder says, for the server that the tests run on."""
    text = (FOLDER / case / "expected.yml").read_text(encoding="utf-8")
    return Expected(**_chosen(yaml.safe_load(text), os.environ["TEST_MYSQL"]))


def _chosen(told: Any, kind: str) -> Any:
    """What stands for a kind of server, wherever both are told."""
    if isinstance(told, dict):
        return _chosen(told[kind], kind) if set(told) == set(KINDS) else {k: _chosen(v, kind) for k, v in told.items()}
    return [_chosen(value, kind) for value in told] if isinstance(told, list) else told


def has_it(case: str) -> bool:
    """Whether the server that the tests run on has what a case is about."""
    only_on = expected(case).only_on
    return only_on is None or only_on[0] == os.environ["TEST_MYSQL"]


def run(cases: Sequence[str], make_source: Callable[[], Source]) -> dict[str, Any]:
    """What became of each case, in values that JSON has."""
    refused = [case for case in cases if expected(case).refused is not None]
    moved = [case for case in cases if case not in refused]
    return (_moved(moved, make_source()) if moved else {}) | (_refused(refused, make_source()) if refused else {})


def plain(value: Any) -> Any:
    """A cell of Redshift, or of an ``expected.yml``, as both are compared."""
    match value:
        case Decimal() | datetime() | date():
            return str(value)
        case bytes() | memoryview():
            return bytes(value).hex()
    return value


def _moved(cases: Sequence[str], source: Source) -> dict[str, Any]:
    outcomes = {case: _execute(source, case, "schema.sql") for case in cases}
    report = _run(source, {case: _tables(case, "source.yml") for case in cases if not outcomes[case]}, outcomes)
    changed = [case for case in report if any((FOLDER / case / name).exists() for name in ("change.sql", "change.yml"))]
    for case in changed:
        outcomes[case] |= _execute(source, case, "change.sql")
    report |= _run(source, {case: _tables(case, "change.yml", "source.yml") for case in changed}, outcomes)
    for case, entry in report.items():
        want = expected(case)
        outcomes[case] |= {name: entry[name] for name in ("error", "warnings", "counts", "extracted")}
        outcomes[case] |= _raw(source, want.raw or case, want.select)
    return outcomes


def _run(source: Source, tables: dict[str, dict[str, Any]], outcomes: dict[str, Any]) -> dict[str, Any]:
    """The report of each case's table. A case by which the whole source is refused is left out and told."""
    while tables:
        source.configure({name: options for own in tables.values() for name, options in own.items()}, mode="replace")
        done = source.el("run", "--json", code=None, env={"EL_HASH_KEY": HASH_KEY})
        assert done.code == 2 or done.out, f"exit code {done.code} and no report\n{done.err}"
        if done.code in (0, 1):
            names = {case: f"{source.name}.{expected(case).table or case}" for case in tables}
            report = {entry["table"]: entry for entry in done.json["tables"]}
            return {case: report[name] for case, name in names.items()}
        wrong = {case: lines for case, own in tables.items() if (lines := _lines(done.err, own))}
        assert wrong, f"exit code {done.code}\n{done.err}"
        for case, lines in wrong.items():
            outcomes[case]["setup"] = "\n".join(lines)
        tables = {case: own for case, own in tables.items() if case not in wrong}
    return {}


def _refused(cases: Sequence[str], source: Source) -> dict[str, Any]:
    outcomes = {case: _execute(source, case, "schema.sql") for case in cases}
    tables = {case: _tables(case, "source.yml") for case in cases}
    source.configure({name: options for own in tables.values() for name, options in own.items()}, mode="replace")
    done = source.el("run", code=2, env={"EL_HASH_KEY": HASH_KEY})
    return {case: outcomes[case] | {"refused": _lines(done.err, tables[case])} for case in cases}


def _lines(refusal: str, tables: Mapping[str, Any]) -> list[str]:
    """What a refusal says of tables, line by line."""
    marks = [f'table "{name}": ' for name in tables]
    return [line for line in refusal.splitlines() if any(mark in line for mark in marks)]


def _tables(case: str, *names: str) -> dict[str, Any]:
    for name in names:
        file = FOLDER / case / name
        if file.exists():
            # A bare null goes into the source file as it is: there it is the name of a policy.
            return dict(yaml.safe_load(file.read_text(encoding="utf-8")))
    return {expected(case).table or case: {}}


def _execute(source: Source, case: str, name: str) -> dict[str, Any]:
    """Run the statements of a file; what went wrong as ``setup``."""
    file = FOLDER / case / name
    if not file.exists():
        return {}
    session = source.connect()  # of its own: what one case sets is not set for the next
    try:
        with session.cursor() as cursor:
            cursor.execute("set session time_zone = '+00:00'")
            for statement in file.read_text(encoding="utf-8").split(";\n"):
                if statement.strip():
                    cursor.execute(statement)
        session.commit()
        return {}
    except pymysql.err.MySQLError as error:
        return {"setup": f"{name}: {error}"}
    finally:
        session.close()


def _raw(source: Source, table: str, select: str | None) -> dict[str, Any]:
    found = source.redshift(
        "select column_name, data_type, character_maximum_length, numeric_precision, numeric_scale "
        "from information_schema.columns where table_schema = %s and table_name = %s order by ordinal_position",
        f"raw_{source.name}",
        table,
    )
    own = [row for row in found if row[0] not in ("_seq", "_extracted_at", "_deleted_at", "_dlt_load_id")]
    if not own:
        return {"types": {}, "rows": None}
    columns = select or ", ".join(f'"{row[0]}"' for row in own)
    try:
        rows = source.redshift(f'select {columns} from raw."{table}"')
    except psycopg2.Error as error:
        return {"setup": f"expected.yml: select: {error}"}
    return {
        "types": {name: _type(*facts) for name, *facts in own},
        "rows": json.loads(json.dumps([[plain(value) for value in row] for row in rows])),
    }


def _type(kind: str, length: int | None, precision: int | None, scale: int | None) -> str:
    if kind == "character varying":
        return f"varchar({length})"
    return f"decimal({precision},{scale})" if kind == "numeric" else kind

"""Options of columns held against columns as a catalog describes them: defaults, and what does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from el.config import Table, read_source
from el.mysql import options
from el.mysql.types import CatalogColumn


def column(name: str, column_type: str, is_json: bool = False) -> CatalogColumn:
    data_type = column_type.partition("(")[0]
    return CatalogColumn(name, data_type, column_type, True, 9, 9, 0, "", is_json)


COLUMNS = {
    made.name: made
    for made in (
        column("id", "varchar(9)"),
        column("note", "text"),
        column("photo", "longblob"),
        column("place", "point"),
        column("facts", "longtext", is_json=True),
        column("born", "date"),
        column("age", "int"),
        column("odd", "vector(3)"),
    )
}


def table(folder: Path, line: str, defaults: str = "") -> Table:
    file = folder / "clinic.yml"
    file.write_text(f"source: clinic\ndefaults: {{mode: replace{defaults}}}\ntables:\n  t: {line}\n")
    (found,) = read_source(file).tables
    return found


def test_a_default_policy_holds_where_the_type_takes_it_and_is_error_elsewhere(tmp_path: Path) -> None:
    one = table(tmp_path, "{on_oversize: {photo: error}}", ", on_oversize: truncate, on_zero_date: error")
    found = {name: options.options(one, made, is_key=name == "id") for name, made in COLUMNS.items()}
    assert {name: made.on_oversize for name, made in found.items()} == {
        "id": "error",
        "note": "truncate",
        "photo": "error",
        "place": "error",
        "facts": "error",
        "born": "error",
        "age": "error",
        "odd": "error",
    }
    assert found["born"].on_zero_date == "error"


def test_a_default_of_null_holds_for_json_and_geometry_too(tmp_path: Path) -> None:
    one = table(tmp_path, "{}", ", on_oversize: null")
    names = ("note", "photo", "place", "facts")
    assert {options.options(one, COLUMNS[name], is_key=False).on_oversize for name in names} == {"null"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{exclude: [id]}", 'exclude: "id" is part of the primary key'),
        ("{hash: [Note]}", 'hash: no column "Note" (did you mean "note"?)'),
        ("{boolean: [age]}", 'boolean: "age" is INT; only TINYINT and BIT(1) can be BOOLEAN'),
        ("{on_oversize: {age: null}}", 'on_oversize: "age" is INT, which Redshift always holds'),
        ("{on_oversize: {facts: truncate}}", 'on_oversize: "facts" is JSON, of which a part is no value'),
        ("{on_oversize: {place: truncate}}", 'on_oversize: "place" is POINT, of which a part is no value'),
        ("{on_oversize: {id: null}}", 'on_oversize: "id" is part of the primary key'),
        ("{on_zero_date: {note: null}}", 'on_zero_date: "note" is TEXT, which holds no date'),
    ],
)
def test_an_option_that_does_not_fit_is_one_line(tmp_path: Path, line: str, problem: str) -> None:
    (found,) = options.problems(table(tmp_path, line), COLUMNS, ["id"])
    assert found.startswith(f'{tmp_path}/clinic.yml:4: table "t": {problem}')


def test_options_that_fit_and_types_that_cannot_be_carried_at_all_are_no_problem_here(tmp_path: Path) -> None:
    policies = "on_oversize: {photo: truncate, facts: null, id: error}, on_zero_date: {born: error}"
    line = "{exclude: [odd], hash: [note], " + policies + "}"
    assert options.problems(table(tmp_path, line), COLUMNS, ["id"]) == []

"""What an analyst and a reviewer may rely on in the dbt project, checked without a server.

dbt parses the project once; its manifest is the truth for descriptions and configuration. What a view selects
is read from its SQL, what a table has from the demo's schema.sql: a column added there must reach analysts.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml
from sqlglot import exp

from el.archived import TAKEN

REPOSITORY = Path(__file__).resolve().parents[2]
LOADER_COLUMNS = {"_seq", "_extracted_at", "_deleted_at", "_dlt_load_id"}
UNUSED_BY_VIEWS = {"_deleted_at", "_dlt_load_id"}  # the first is the filter, the second is dlt's own


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The parsed project; a warning of dbt's is an error here."""
    target = tmp_path_factory.mktemp("dbt")
    connection = {"HOST": "localhost", "DATABASE": "none", "USER": "none"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DBT_")}
    environment |= {f"DBT_REDSHIFT_{name}": value for name, value in connection.items()}
    environment |= {"DBT_ENV_SECRET_REDSHIFT_PASSWORD": "not-used", "DBT_TARGET_PATH": str(target)}
    done = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", "--warn-error", "--log-path", str(target), "parse"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads((target / "manifest.json").read_text()))


@pytest.fixture(scope="module")
def models(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}


@pytest.fixture(scope="module")
def sources(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The raw tables."""
    return {node["name"]: node for node in manifest["sources"].values() if node["source_name"] == "clinic"}


@pytest.fixture(scope="module")
def archived(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The tables that tell which of their rows are archived."""
    return {node["name"]: node for node in manifest["sources"].values() if node["source_name"] == "clinic_archived"}


def selected(node: dict[str, Any]) -> exp.Select:
    """The SQL of a staging view, read with a plain table name in the place of the source."""
    sql = re.sub(r"{{\s*source\('(\w+)',\s*'(\w+)'\)\s*}}", r"raw_\1.\2", node["raw_code"])
    statement = sqlglot.parse_one(sql, dialect="redshift")
    assert isinstance(statement, exp.Select)
    return statement


def schema() -> dict[str, dict[str, str]]:
    """Table → column → comment, from the demo's DDL, one column a line; sqlglot does not know POLYGON."""
    text = (REPOSITORY / "local" / "clinic" / "schema.sql").read_text()
    found: dict[str, dict[str, str]] = {}
    for table, body in re.findall(r"^create table (\w+) \((.*?)^\)", text, re.MULTILINE | re.DOTALL):
        lines = re.findall(r"^    (\w+) .* comment '(.*)',?$", body, re.MULTILINE)
        found[table] = dict(lines)
    assert len(found) == text.count("create table ")
    return found


def mysql_columns() -> dict[str, set[str]]:
    """The columns of the demo's tables, without those that its source file excludes."""
    source = yaml.safe_load((REPOSITORY / "el" / "sources" / "clinic.yml").read_text())
    assert set(source["tables"]) == set(schema()), "clinic.yml and schema.sql name different tables"
    return {
        table: set(columns) - set(source["tables"][table].get("exclude", [])) for table, columns in schema().items()
    }


def test_every_model_source_macro_and_column_is_described(manifest: dict[str, Any]) -> None:
    nodes = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    nodes += manifest["sources"].values()
    nodes += [macro for macro in manifest["macros"].values() if macro["package_name"] == "reporting"]
    nodes = [node for node in nodes if not node["name"].startswith("test_")]  # generic tests are shown nowhere
    assert len(nodes) > 20
    bare = [node["name"] for node in nodes if not node["description"].strip()]
    for node in nodes:
        columns = node.get("columns") or {}
        bare += [f"{node['name']}.{name}" for name, column in columns.items() if not column["description"].strip()]
    assert not bare


def test_the_last_sentence_of_a_description_is_the_grain(
    models: dict[str, Any], sources: dict[str, Any], archived: dict[str, Any]
) -> None:
    wrong = [
        name
        for name, node in (models | sources | archived).items()
        if not re.search(r"(?:^|\. )One row per [^.]+\.$", node["description"].strip())
    ]
    assert not wrong


def test_the_sources_declare_exactly_the_columns_that_the_loader_writes(sources: dict[str, Any]) -> None:
    declared = {name: set(node["columns"]) for name, node in sources.items()}
    assert declared == {table: columns | LOADER_COLUMNS for table, columns in mysql_columns().items()}


def test_what_is_archived_is_declared_with_the_columns_that_load_writes(archived: dict[str, Any]) -> None:
    source = yaml.safe_load((REPOSITORY / "el" / "sources" / "clinic.yml").read_text())
    keys = {"messages": "message_id", "audit_events": "audit_event_id"}
    assert keys.keys() == {name for name, options in source["tables"].items() if "archive" in options}
    assert {node["schema"] for node in archived.values()} == {"raw_clinic_el"}
    assert {name: set(node["columns"]) for name, node in archived.items()} == {
        f"{table}__archived": {key, *TAKEN} for table, key in keys.items()
    }


def test_every_raw_table_has_a_view_that_takes_every_column(models: dict[str, Any], sources: dict[str, Any]) -> None:
    for table, source in sources.items():
        statement = selected(models[f"stg_clinic__{table}"])
        taken = {column.name for item in statement.expressions for column in item.find_all(exp.Column)}
        assert taken == set(source["columns"]) - UNUSED_BY_VIEWS, table


def test_every_view_describes_the_columns_that_it_has(models: dict[str, Any], sources: dict[str, Any]) -> None:
    for table in sources:
        node = models[f"stg_clinic__{table}"]
        assert [item.alias_or_name for item in selected(node).expressions] == list(node["columns"]), table


def test_every_view_leaves_deleted_rows_out_and_does_not_bind_its_table(
    models: dict[str, Any], sources: dict[str, Any]
) -> None:
    for table in sources:
        node = models[f"stg_clinic__{table}"]
        where = selected(node).args["where"]
        assert where.this.sql("redshift").lower() == "_deleted_at is null", table
        assert node["config"]["materialized"] == "view"
        assert node["config"]["bind"] is False, f"{table}: a bound view would block ALTER TABLE of the loader"


def test_a_column_that_is_phi_in_mysql_is_tagged_wherever_it_goes(
    models: dict[str, Any], sources: dict[str, Any]
) -> None:
    tagged = 0
    for table, columns in schema().items():
        view = models[f"stg_clinic__{table}"]
        for item in selected(view).expressions:
            raw_name = next(column.name for column in item.find_all(exp.Column))
            if "PHI" in columns.get(raw_name, ""):
                tagged += 1
                for described in (sources[table]["columns"][raw_name], view["columns"][item.alias_or_name]):
                    assert described["config"]["tags"] == ["phi"], f"{table}.{raw_name}"
                    assert described["config"]["meta"] == {"phi": True}, f"{table}.{raw_name}"
    assert tagged >= 15


def test_no_mart_shows_a_phi_column(models: dict[str, Any]) -> None:
    staging = [node for name, node in models.items() if name.startswith("stg_")]
    tagged = {n for node in staging for n, column in node["columns"].items() if "phi" in column["config"]["tags"]}
    marts = {name: set(node["columns"]) for name, node in models.items() if not name.startswith("stg_")}
    assert {"email_hash", "last_name", "birth_date", "body"} <= tagged
    assert set(marts) == {"appointments", "patients", "daily_activity"}
    assert not {name: columns & tagged for name, columns in marts.items() if columns & tagged}


def test_every_mart_keeps_its_columns_and_types_by_contract(models: dict[str, Any]) -> None:
    for name in ("appointments", "patients", "daily_activity"):
        assert models[name]["contract"]["enforced"] is True, name
        assert all(column["data_type"] for column in models[name]["columns"].values()), name


def test_there_is_a_unit_test_a_singular_test_and_a_key_test_for_every_model(
    manifest: dict[str, Any], models: dict[str, Any]
) -> None:
    tests = [node for node in manifest["nodes"].values() if node["resource_type"] == "test"]
    assert any("test_metadata" not in node or node["test_metadata"] is None for node in tests)
    assert {node["model"] for node in manifest["unit_tests"].values()} >= {
        "appointments",
        "patients",
        "daily_activity",
    }
    keyed = {
        node["attached_node"].rpartition(".")[2]
        for node in tests
        if node.get("test_metadata") and node["test_metadata"]["name"] in ("unique", "unique_combination")
    }
    assert keyed == set(models)

"""The tools themselves: dlt's Redshift client and pipeline, and dbt-redshift with a small project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt.common.schema import Schema
from dlt.common.schema.utils import new_table
from dlt.destinations import redshift as redshift_destination
from dlt.destinations.impl.redshift.configuration import RedshiftClientConfiguration

from .conftest import BUCKET, PASSWORD, Bucket, Db, Running


@pytest.fixture
def dlt_settings(redshift: Running, aws_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    login = {"HOST": "127.0.0.1", "PORT": str(redshift.port), "DATABASE": "dev", "USERNAME": "el", "PASSWORD": PASSWORD}
    for name, value in login.items():
        monkeypatch.setenv(f"DESTINATION__REDSHIFT__CREDENTIALS__{name}", value)
    for name, value in aws_environment.items():
        monkeypatch.setenv(name, value)
    keys = "DESTINATION__FILESYSTEM__CREDENTIALS__"
    monkeypatch.setenv(f"{keys}AWS_ACCESS_KEY_ID", aws_environment["AWS_ACCESS_KEY_ID"])
    monkeypatch.setenv(f"{keys}AWS_SECRET_ACCESS_KEY", aws_environment["AWS_SECRET_ACCESS_KEY"])
    monkeypatch.setenv(f"{keys}ENDPOINT_URL", aws_environment["AWS_ENDPOINT_URL"])
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")


@pytest.mark.usefixtures("dlt_settings")
def test_dlts_client_makes_and_widens_its_storage(db: Db) -> None:
    schema = Schema("clinic_patients")
    columns: list[Any] = [
        {"name": "id", "data_type": "bigint", "nullable": False, "primary_key": True},
        {"name": "name", "data_type": "text", "precision": 30},
        {"name": "data", "data_type": "json"},
        {"name": "paid", "data_type": "decimal", "precision": 12, "scale": 3},
        {"name": "raw", "data_type": "binary"},
        {"name": "at", "data_type": "timestamp", "timezone": False},
    ]
    schema.update_table(new_table("patients", columns=columns))
    schema._bump_version()
    configuration = RedshiftClientConfiguration()._bind_dataset_name(dataset_name=f"{db.schema}_dlt")
    only = ["patients", "_dlt_version", "_dlt_loads"]
    with redshift_destination().client(schema, configuration) as client:
        assert not client.is_storage_initialized()
        client.initialize_storage()
        assert client.is_storage_initialized()
        client.update_stored_schema(only_tables=only)
    schema.update_table(new_table("patients", columns=[{"name": "more", "data_type": "double", "nullable": True}]))
    schema._bump_version()
    with redshift_destination().client(schema, configuration) as client:
        client.update_stored_schema(only_tables=only)
        exists, stored = client.get_storage_table("patients")
        assert exists
        assert {name: c["data_type"] for name, c in stored.items()} == {
            "id": "bigint", "name": "text", "data": "json", "paid": "decimal", "raw": "binary", "at": "timestamp",
            "more": "double",
        }  # fmt: skip
        assert client.get_stored_schema("clinic_patients") is not None
        client.drop_storage()


@pytest.mark.usefixtures("dlt_settings")
@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_a_dlt_pipeline_stages_copies_and_merges(db: Db, bucket: Bucket, tmp_path: Path, form: Any) -> None:
    @dlt.resource(primary_key="id", write_disposition="merge", columns={"j": {"data_type": "json"}})
    def people(start: int) -> Iterator[list[dict[str, Any]]]:
        more = {"added": "x"} if start else {}
        yield [{"id": i, "name": f"é{i}", "j": {"a": [i]}, "f": 0.5, **more} for i in range(start, start + 4)]

    for start in (0, 3):
        pipeline = dlt.pipeline(
            f"people_{form}_{db.schema}",
            destination="redshift",
            staging=dlt.destinations.filesystem(bucket_url=f"s3://{BUCKET}/{bucket.prefix}"),
            dataset_name=f"{db.schema}_dlt",
            pipelines_dir=str(tmp_path / "pipelines"),
        )
        pipeline.run(people(start), loader_file_format=form).raise_on_failed_jobs()
    try:
        rows = db.run(f"select id, name, added from {db.schema}_dlt.people order by id")
        assert rows == [(i, f"é{i}", "x" if i >= 3 else None) for i in range(7)]
    finally:
        db.run(f"drop schema {db.schema}_dlt cascade")
        db.run(f"drop schema {db.schema}_dlt_staging cascade")


MODELS = {
    "stg_people.sql": "{{ config(materialized='view', bind=false) }}\n"
    "select id, name, amount::decimal(10, 2) as amount from {{ ref('people') }}",
    "everyone.sql": "{{ config(materialized='table', sort='id', dist='id') }}\n"
    "select id, nvl(name, 'none') as name, {{ dbt.datediff(\"'2020-01-01'::date\", 'getdate()', 'day') }} as days"
    " from {{ ref('stg_people') }}",
    "bound.sql": "{{ config(materialized='view') }} select id from {{ ref('everyone') }}",
    "merged.sql": "{{ config(materialized='incremental', unique_key='id', incremental_strategy='merge',"
    " on_schema_change='append_new_columns') }}\nselect id, amount{{ var('more', '') }} from {{ ref('stg_people') }}",
    "replaced.sql": "{{ config(materialized='incremental', unique_key='id', incremental_strategy='delete+insert') }}\n"
    "select id, amount from {{ ref('stg_people') }}",
    "models.yml": """
models:
  - name: everyone
    description: Everyone, one row per id.
    config: {grants: {select: ["{{ var('reader') }}"]}, persist_docs: {relation: true, columns: true}}
    columns: [{name: id, description: The id., data_tests: [unique, not_null]}]
  - name: merged
    columns: [{name: id, data_tests: [unique, {relationships: {arguments: {to: ref('everyone'), field: id}}}]}]
unit_tests:
  - name: amounts_are_decimals
    model: stg_people
    given: [{input: ref('people'), rows: [{id: 1, name: x, amount: 1}]}]
    expect: {rows: [{id: 1, name: x, amount: 1.00}]}
""",
}


@pytest.mark.long
def test_dbt_builds_twice_and_describes_everything(redshift: Running, db: Db, tmp_path: Path) -> None:
    reader = f"reader_{db.schema}"
    db.run(f"create user {reader} password disable")
    for folder in ("models", "seeds"):
        (tmp_path / folder).mkdir()
    for name, text in MODELS.items():
        (tmp_path / "models" / name).write_text(text)
    (tmp_path / "seeds" / "people.csv").write_text("id,name,amount\n1,a,1.5\n2,,2\n3,é,\n")
    (tmp_path / "dbt_project.yml").write_text("name: small\nversion: '1.0.0'\nprofile: small\n")
    login = {"type": "redshift", "host": "127.0.0.1", "port": redshift.port, "user": "el", "password": PASSWORD}
    login |= {"dbname": "dev", "schema": db.schema, "threads": 4, "sslmode": "disable"}
    (tmp_path / "profiles.yml").write_text(json.dumps({"small": {"target": "t", "outputs": {"t": login}}}))

    def dbt(*command: str, **variables: str) -> None:
        everything = json.dumps({"reader": reader, **variables})
        done = subprocess.run(
            [str(Path(sys.executable).parent / "dbt"), *command, "--vars", everything],
            cwd=tmp_path,
            env={**os.environ, "DO_NOT_TRACK": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:]

    try:
        dbt("build")
        dbt("build", more=", 1 as added")
        dbt("docs", "generate")
        assert db.run("select id, amount::varchar, added from merged order by id") == [
            (1, "1.50", 1), (2, "2.00", 1), (3, None, 1),
        ]  # fmt: skip
        assert db.value(f"select has_table_privilege('{reader}', '{db.schema}.everyone', 'select')")
        nodes = json.loads((tmp_path / "target" / "catalog.json").read_text())["nodes"]
        kinds = {name.split(".")[-1]: node["metadata"]["type"] for name, node in nodes.items()}
        assert kinds == {
            "people": "BASE TABLE", "stg_people": "LATE BINDING VIEW", "everyone": "BASE TABLE", "bound": "VIEW",
            "merged": "BASE TABLE", "replaced": "BASE TABLE",
        }  # fmt: skip
        assert nodes["model.small.everyone"]["columns"]["id"]["comment"] == "The id."
        assert nodes["model.small.stg_people"]["columns"]["amount"]["type"] == "numeric(10,2)"
    finally:
        db.run(f"drop schema {db.schema} cascade; create schema {db.schema}; drop user {reader}")

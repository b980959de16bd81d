"""The reporting tables on what ``el`` loaded: a bare ``dbt build``, again after a change, and the docs site."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from local.mysql_server import Program
from tests.conftest import REPOSITORY, Source

PREFIX = "DESTINATION__REDSHIFT__CREDENTIALS__"


@pytest.fixture
def clinic(source: Source, stack: dict[str, str], tmp_path: Path) -> Iterator[dict[str, str]]:
    """The demo in a MySQL, a landing and a Redshift database of its own, under the demo's own name: its variables."""
    env = source.env | {
        "SOURCES__CLINIC__CREDENTIALS": stack["SOURCES__CLINIC__CREDENTIALS"].replace("/clinic", f"/{source.name}"),
        "LANDING_URL": f"{stack['LANDING_URL']}/{source.name}",
        "EL_SOURCES": str(REPOSITORY / "el" / "sources"),
        f"{PREFIX}DATABASE": source.name,
        "DBT_REDSHIFT_DATABASE": source.name,
        "DBT_TARGET_PATH": str(tmp_path / "target"),
        "DBT_LOG_PATH": str(tmp_path / "logs"),
    }
    source.redshift(f"create database {source.name}")
    run(env, sys.executable, "-m", "local.clinic", "create", "--database", source.name, "--scale", "0.02")
    run(env, sys.executable, "-m", "el.cli", "run")
    yield env
    source.redshift(f"drop database {source.name}")


def run(env: dict[str, str], *command: str) -> str:
    done = subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def dbt(env: dict[str, str], *arguments: str) -> str:
    return run(env, str(Path(sys.executable).parent / "dbt"), *arguments)


def test_dbt_builds_tests_and_documents_what_was_loaded(clinic: dict[str, str], source: Source) -> None:
    assert "ERROR=0" in dbt(clinic, "build")
    run(clinic, sys.executable, "-m", "local.clinic", "activity", "--database", source.name)
    run(clinic, sys.executable, "-m", "el.cli", "run")
    assert "ERROR=0" in dbt(clinic, "build")  # views are replaced side by side, the incremental model goes on

    warehouse = psycopg2.connect(
        host=clinic[f"{PREFIX}HOST"],
        port=clinic[f"{PREFIX}PORT"],
        dbname=source.name,
        user=clinic[f"{PREFIX}USERNAME"],
        password=clinic[f"{PREFIX}PASSWORD"],
    )
    with warehouse.cursor() as cursor:
        cursor.execute("select (select count(*) from raw_clinic.patients), (select count(*) from staging.patients)")
        raw, mart = cursor.fetchone() or (0, 1)
    warehouse.close()
    assert raw == mart > 0

    dbt(clinic, "docs", "generate", "--static")
    target = Path(clinic["DBT_TARGET_PATH"])
    catalog = json.loads((target / "catalog.json").read_text())
    manifest = json.loads((target / "manifest.json").read_text())
    assert (target / "static_index.html").stat().st_size > 1_000_000
    undescribed = [
        f"{name}.{column}"
        for kind in ("nodes", "sources")
        for name, entry in catalog[kind].items()
        for column in entry["columns"]
        if not manifest[kind][name]["columns"].get(column, {}).get("description")
    ]
    assert not undescribed
    models = [name for name in manifest["nodes"] if name.startswith("model.")]
    assert sorted(models) == sorted(name for name in catalog["nodes"] if name.startswith("model."))
    assert all(manifest["nodes"][name]["description"] for name in models)


def test_a_bare_dbt_finds_the_local_stack_through_the_active_environment(
    stack: dict[str, str], program: Program, tmp_path: Path
) -> None:
    # A checkout whose chosen stack is the one of the tests: that of this checkout is the developer's choice.
    commands = REPOSITORY / ".venv" / "bin"
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for command in commands.iterdir():
        if command.name != "activate":
            (tmp_path / ".venv" / "bin" / command.name).symlink_to(command)
    activate = (commands / "activate").read_text()
    assert str(commands.parent) in activate
    (tmp_path / ".venv" / "bin" / "activate").write_text(
        activate.replace(str(commands.parent), str(tmp_path / ".venv"))
    )
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "env").symlink_to(REPOSITORY / ".local" / f"on-{program.kind}" / "env")
    script = f". {tmp_path}/.venv/bin/activate && dbt debug --connection && env | grep -c '^LANDING_URL='"
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=REPOSITORY,
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | {"DBT_USE_COLORS": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Connection test: [OK connection ok]" in done.stdout
    assert stack["DBT_REDSHIFT_PORT"] in done.stdout

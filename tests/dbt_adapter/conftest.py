"""dbt's own adapter suite (package dbt-tests-adapter), against a local Redshift of its own.

Each class here stands for one base class that dbt-redshift subclasses in its functional tests. What is overridden is
what Redshift's dialect makes differ: names of types, the DDL that dbt writes. Base classes in which nothing has to be
overridden are listed and made into test classes (suite.py).

`make test-dbt-adapter` runs all; `make test` runs those that carry the mark dbt_adapter_quick.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dbt.tests.fixtures.project import *  # noqa: F403 - pytest finds fixtures by name; a plugin would bring them to every test

from tests.local.conftest import PASSWORD, Running, aws_environment, make_redshift

__all__ = ["aws_environment", "make_redshift"]

USERS = ("dbt_reader_1", "dbt_reader_2", "dbt_reader_3")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without this folder named on the command line, only the quick ones."""
    if any("dbt_adapter" in argument for argument in config.args):
        return
    here = Path(__file__).parent
    left = [i for i in items if here in i.path.parents and not i.get_closest_marker("dbt_adapter_quick")]
    config.hook.pytest_deselected(items=left)
    items[:] = [i for i in items if i not in set(left)]


@pytest.fixture(scope="session")
def redshift(make_redshift: Callable[..., Running]) -> Running:
    server = make_redshift().start()
    connection = server.connect()
    connection.autocommit = True
    with connection.cursor() as cursor:
        for user in USERS:
            cursor.execute(f"create user {user} password disable")
    connection.close()
    return server


@pytest.fixture(scope="class")
def dbt_profile_target(redshift: Running) -> dict[str, Any]:
    login = {"type": "redshift", "host": "127.0.0.1", "port": redshift.port, "user": "el", "password": PASSWORD}
    return login | {"dbname": "dev", "threads": 4, "sslmode": "disable"}


@pytest.fixture(scope="class")
def logs_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Not below the current folder, as dbt's own fixture has it."""
    folder = str(tmp_path_factory.mktemp("logs"))
    os.environ["DBT_LOG_PATH"] = folder
    yield folder
    del os.environ["DBT_LOG_PATH"]


@pytest.fixture(scope="class", autouse=True)
def _dbt_environment() -> Iterator[None]:
    """Whom the suite grants to; and no telemetry."""
    wanted = {f"DBT_TEST_USER_{i}": name for i, name in enumerate(USERS, 1)} | {"DO_NOT_TRACK": "1"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    yield
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture(autouse=True)
def _environment() -> None:
    """Stands in for the fixture of all other tests, which takes every variable of dbt's away."""

"""Makes test classes of dbt's base classes, and what several of them need."""

from __future__ import annotations

from typing import Any

import pytest

from local.redshift.lexer import split


def classes(namespace: dict[str, Any], bases: list[type], *, quick: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    """Put a test class for each base into a test module's namespace, named as the base is."""
    for base in bases:
        name = "Test" + base.__name__.removeprefix("Base").removeprefix("Test")
        made = type(name, (base,), {"__module__": namespace["__name__"], "__test__": True})
        if base.__name__ in quick:
            made = pytest.mark.dbt_adapter_quick(made)
        namespace[name] = made


class OneByOne:
    """For base classes that send several statements in one message: Redshift does not prepare such, so each is sent
    for itself."""

    @pytest.fixture(scope="class")
    def project(self, project: Any) -> Any:
        run = project.run_sql

        def one_by_one(sql: str, fetch: str | None = None) -> Any:
            return [run(statement, fetch=fetch) for statement in split(sql)][-1]

        project.run_sql = one_by_one
        return project

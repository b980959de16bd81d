"""Makes test classes of dbt's base classes."""

from __future__ import annotations

from typing import Any

import pytest


def classes(namespace: dict[str, Any], bases: list[type], *, quick: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    """Put a test class for each base into a test module's namespace, named as the base is."""
    for base in bases:
        name = "Test" + base.__name__.removeprefix("Base").removeprefix("Test")
        made = type(name, (base,), {"__module__": namespace["__name__"], "__test__": True})
        if base.__name__ in quick:
            made = pytest.mark.dbt_adapter_quick(made)
        namespace[name] = made

"""The local Redshift of tests/local, for the conformance table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.local.conftest import PASSWORD, Running, aws_environment, make_redshift, redshift  # noqa: F401

from .cases import Scratch


@pytest.fixture(scope="session")
def scratch(redshift: Running) -> Iterator[Scratch]:  # noqa: F811
    made = Scratch(f"host=127.0.0.1 port={redshift.port} user=el password={PASSWORD} dbname=dev")
    yield made
    made.drop()
    made.connection.close()

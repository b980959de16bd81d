"""Who receives alerts in a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Source
from tests.receivers import Hook, Queue, hook


@pytest.fixture
def queue(source: Source) -> Iterator[Queue]:
    made = Queue(source.env["AWS_ENDPOINT_URL"], source.name)
    yield made
    made.delete()


@pytest.fixture
def web() -> Iterator[Hook]:
    with hook() as receiver:
        yield receiver

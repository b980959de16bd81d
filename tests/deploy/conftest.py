"""A Redshift for tests of policies."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.conftest import REPOSITORY
from tests.crash.test_kill import PREFIX, free_port
from tests.deploy.guarded_s3 import GuardedS3


@pytest.fixture
def redshift(stack: dict[str, str], tmp_path_factory: pytest.TempPathFactory, guarded: GuardedS3) -> Iterator[int]:
    """A local Redshift whose COPY has the rights of the module's role ``copy``; its port."""
    port = free_port()
    command = [sys.executable, "-m", "local.redshift", "--port", str(port)]
    env = os.environ | stack | {"LOCAL_REDSHIFT_PASSWORD": stack[PREFIX + "PASSWORD"]} | guarded.roles["copy"]
    process = subprocess.Popen(
        [*command, "--data", str(tmp_path_factory.mktemp("redshift"))],
        cwd=REPOSITORY,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    assert "ready" in process.stdout.readline()
    yield port
    process.terminate()
    process.wait(30)

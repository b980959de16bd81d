"""The local S3 holds what an afternoon of tests puts there: large objects are files, which vanish with them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from local import servers
from tests.conftest import REPOSITORY
from tests.crash.test_kill import free_port

OBJECTS, SIZE = 40, 2**20
#: Files and connections of the server itself, which come and go.
_OTHERS = 15


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[psutil.Process, Any]]:
    """The server as the stack starts it, and a client."""
    state = {"ports": {"s3": free_port()}}
    made = servers.s3(tmp_path, state)
    made.prepare()
    process = subprocess.Popen(
        made.command, cwd=REPOSITORY, env=os.environ | made.environment, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not made.answers():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    yield psutil.Process(process.pid), servers.client(state, "s3")
    process.kill()
    process.wait()


def test_large_objects_are_files_that_vanish_with_them_and_listings_copy_none(
    server: tuple[psutil.Process, Any],
) -> None:
    process, s3 = server
    s3.create_bucket(Bucket="bucket", ObjectLockEnabledForBucket=True)
    before, memory = process.num_fds(), process.memory_info().rss
    for number in range(OBJECTS):
        s3.put_object(Bucket="bucket", Key=f"{number % 10}", Body=bytes([number]) * SIZE)
    assert process.num_fds() - before >= OBJECTS - _OTHERS
    for _ in range(10):
        versions = s3.list_object_versions(Bucket="bucket")["Versions"]
    assert len(versions) == OBJECTS
    assert {version["Size"] for version in versions} == {SIZE}
    assert len({version["ETag"] for version in versions}) == OBJECTS
    assert process.num_fds() - before <= OBJECTS + _OTHERS
    assert process.memory_info().rss - memory < OBJECTS * SIZE
    some = {"Key": "3", "VersionId": next(version["VersionId"] for version in versions if version["Key"] == "3")}
    assert set(s3.get_object(Bucket="bucket", **some)["Body"].read()) == {OBJECTS - 7}
    named = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]
    s3.delete_objects(Bucket="bucket", Delete={"Objects": named[: OBJECTS // 2]})
    for version in named[OBJECTS // 2 :]:
        s3.delete_object(Bucket="bucket", **version)
    assert process.num_fds() - before <= _OTHERS

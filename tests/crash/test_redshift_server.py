"""Client or server of the local Redshift is killed with SIGKILL in mid-COPY: the table is as before, and all goes on.

The moment is a request to S3: the COPY has streamed two of three files when the third is asked for.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg2
import pyarrow as pa
import pytest

from tests.local.conftest import PASSWORD, Bucket, Running
from tests.proxy import s3_proxy

_CLIENT = """
import sys, psycopg2
connection = psycopg2.connect(host="127.0.0.1", port=int(sys.argv[1]), user="el", password=sys.argv[2], dbname="dev")
connection.autocommit = True
print("connected", flush=True)
connection.cursor().execute(sys.argv[3])
"""
COUNT, WHERE = "select count(*) from t", "select status, loaded_rows from sys_load_history order by query_id"


@dataclass
class Scene:
    """A server whose S3 is a proxy that does something at the third file of a COPY."""

    server: Running
    copy: str
    at_third: list[Callable[[], Any]] = field(default_factory=list)

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        connection = self.server.connect()
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows

    def client(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", _CLIENT, str(self.server.port), PASSWORD, self.copy]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert process.stdout is not None and process.stdout.readline() == "connected\n"
        return process


@pytest.fixture(params=["parquet", "csv"])
def scene(
    request: pytest.FixtureRequest,
    make_redshift: Callable[..., Running],
    aws_environment: dict[str, str],
    bucket: Bucket,
) -> Iterator[Scene]:
    numbers = pa.array(range(50_000), pa.int32())
    text = "".join(f"{n}\n" for n in range(50_000)).encode()
    for name in ("1", "2", "3"):
        bucket.parquet(f"files/{name}", {"a": numbers}) if request.param == "parquet" else bucket.put(
            f"files/{name}", text
        )
    made: list[Scene] = []

    def before(method: str, path: str) -> None:
        if method == "GET" and path.endswith("files/3") and made[0].at_third:
            made[0].at_third.pop()()

    with s3_proxy(aws_environment["AWS_ENDPOINT_URL"], before) as endpoint:
        server = make_redshift()
        server.environment["AWS_ENDPOINT_URL"] = endpoint
        server.start()
        copy = f"copy t from 's3://copy-tests/{bucket.prefix}/files/' iam_role default {request.param}"
        made.append(Scene(server, copy))
        made[0].run("create table t (a int)")
        made[0].run("insert into t values (-1)")
        yield made[0]
        server.stop()


def test_a_client_killed_in_mid_copy_leaves_the_table_as_it_was(scene: Scene) -> None:
    client = scene.client()

    def kill() -> None:
        client.kill()
        client.wait()

    scene.at_third.append(kill)
    assert client.wait(30) == -signal.SIGKILL, "the COPY ended before the moment came"
    deadline = time.monotonic() + 20
    while scene.run(WHERE) != [("aborted", 0)]:
        assert time.monotonic() < deadline, "the COPY of a dead client goes on"
        time.sleep(0.05)
    assert scene.run(COUNT) == [(1,)]
    scene.run("begin; lock t; commit")  # nothing holds the table any more
    scene.run(scene.copy)
    assert scene.run(COUNT) == [(150_001,)]


def test_a_server_killed_in_mid_copy_has_the_table_as_it_was_after_its_restart(scene: Scene) -> None:
    server = scene.server.process
    assert server is not None
    scene.at_third.append(lambda: os.kill(server.pid, signal.SIGKILL))
    with pytest.raises(psycopg2.OperationalError):
        scene.run(scene.copy)
    assert server.wait(30) == -signal.SIGKILL
    assert server.stdout is not None
    server.stdout.close()
    scene.server.start()
    assert scene.run(COUNT) == [(1,)]
    assert scene.run(WHERE) == [("aborted", 0)]
    scene.run(scene.copy)
    assert scene.run(COUNT) == [(150_001,)]
    assert scene.run(WHERE) == [("aborted", 0), ("completed", 150_000)]

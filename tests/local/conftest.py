"""A local Redshift and a local S3 for the tests of this folder, both real servers on free ports."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer

from tests.leftovers import SCRATCH

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "only-for-tests"
BUCKET = "copy-tests"


@dataclass
class Running:
    """A local Redshift as a process of its own."""

    data: Path
    environment: dict[str, str]
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = None
    port: int = 0

    def start(self) -> Running:
        command = [sys.executable, "-m", "local.redshift", "--data", str(self.data), "--port", str(self.port)]
        errors = self.data.with_suffix(".err")
        self.process = subprocess.Popen(
            [*command, *self.arguments],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=errors.open("w"),
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if "ready on" not in line:
            raise AssertionError(f"the local Redshift did not start:\n{errors.read_text()}")
        self.port = int(line.split("ready on ")[1].split(",")[0].rsplit(":", 1)[1])
        return self

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def connect(self, **more: Any) -> psycopg2.extensions.connection:
        login = {"user": "el", "password": PASSWORD, "dbname": "dev", **more}
        return psycopg2.connect(host="127.0.0.1", port=self.port, **login)


@pytest.fixture(scope="session")
def aws_environment() -> Iterator[dict[str, str]]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    server.stop()


@pytest.fixture(scope="session")
def make_redshift(aws_environment: dict[str, str]) -> Iterator[Callable[..., Running]]:
    """Makes servers (not started) in a temporary folder that any user may pass through."""
    made: list[Running] = []
    with tempfile.TemporaryDirectory(prefix="redshift-", dir=os.environ[SCRATCH]) as folder:
        Path(folder).chmod(0o755)

        def make(*arguments: str) -> Running:
            environment = {**os.environ, **aws_environment, "LOCAL_REDSHIFT_PASSWORD": PASSWORD}
            environment.pop("ARROW_DEFAULT_MEMORY_POOL", None)  # importing el sets it, for processes of el
            data = Path(folder) / uuid.uuid4().hex[:8]
            data.mkdir()
            running = Running(data, environment, arguments)
            made.append(running)
            return running

        yield make
        for running in made:
            if running.process is not None and running.process.poll() is None:
                running.stop()


@pytest.fixture(scope="session")
def redshift(make_redshift: Callable[..., Running]) -> Running:
    return make_redshift().start()


@pytest.fixture(scope="session")
def snapshot_redshift(make_redshift: Callable[..., Running]) -> Running:
    return make_redshift("--isolation", "snapshot").start()


@dataclass
class Db:
    """One connection in autocommit, in a schema of its own, first in its search path."""

    connection: psycopg2.extensions.connection
    schema: str

    def run(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, sql: str, *parameters: Any) -> Any:
        return self.run(sql, *parameters)[0][0]


@pytest.fixture
def db(redshift: Running) -> Iterator[Db]:
    connection = redshift.connect()
    connection.autocommit = True
    schema = "t_" + uuid.uuid4().hex[:10]
    made = Db(connection, schema)
    made.run(f"create schema {schema}")
    made.run(f"set search_path to {schema}")
    yield made
    connection.close()
    cleaner = redshift.connect()
    cleaner.autocommit = True
    with cleaner.cursor() as cursor:
        cursor.execute(f"drop schema {schema} cascade")
    cleaner.close()


@dataclass
class Bucket:
    client: Any
    prefix: str

    def put(self, key: str, body: bytes) -> str:
        self.client.put_object(Bucket=BUCKET, Key=f"{self.prefix}/{key}", Body=body)
        return f"s3://{BUCKET}/{self.prefix}/{key}"

    def parquet(self, key: str, columns: dict[str, pa.Array]) -> str:
        out = io.BytesIO()
        pq.write_table(pa.table(columns), out)
        return self.put(key, out.getvalue())

    def size(self, url: str) -> int:
        return int(self.client.head_object(Bucket=BUCKET, Key=url.split("/", 3)[3])["ContentLength"])

    def manifest(self, key: str, *urls: str, **changes: Any) -> str:
        entries = [{"url": u, "mandatory": True, "meta": {"content_length": self.size(u)}, **changes} for u in urls]
        return self.put(key, json.dumps({"entries": entries}).encode())


@pytest.fixture
def bucket(aws_environment: dict[str, str]) -> Bucket:
    client = boto3.client(
        "s3",
        endpoint_url=aws_environment["AWS_ENDPOINT_URL"],
        aws_access_key_id="local",
        aws_secret_access_key="local",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=BUCKET)
    return Bucket(client, uuid.uuid4().hex[:10])

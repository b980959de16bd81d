"""A run clears what a killed one left, and nothing of one that lives."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import psutil
import pytest

from tests.conftest import REPOSITORY, Source
from tests.leftovers import mysql, s3_client, warehouse


@contextmanager
def in_the_middle(facts: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A run of pytest whose test has made everything that a test can make, and does not end."""
    said = facts.with_name("said")
    with said.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/local/killed.py"],
            cwd=REPOSITORY,
            env=os.environ | {"TESTS_KILLED": str(facts)},
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + 600
        while not facts.exists():
            assert process.poll() is None and time.monotonic() < deadline, said.read_text()
            time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.wait()


def a_run_begins() -> None:
    """The start of a run on both kinds of stack, which finds no test."""
    subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "tests/unit/test_duration.py"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
    )


def left(env: dict[str, str], made: dict[str, Any]) -> set[str]:
    """What there is of a test's things."""
    name = made["name"]
    with mysql(env) as connection, connection.cursor() as cursor:
        cursor.execute("select schema_name from information_schema.schemata where schema_name like %s", (f"{name}%",))
        there = {f"database {row[0].removeprefix(name)}" for row in cursor.fetchall()}
        cursor.execute("select user from mysql.user where user = %s", (name,))
        there |= {"user" for _ in cursor.fetchall()}
    redshift = warehouse(env)
    with redshift.cursor() as cursor:
        cursor.execute("select nspname from pg_namespace where nspname like %s", (f"%{name}%",))
        there |= {f"schema {row[0].replace(name, '')}" for row in cursor.fetchall()}
        cursor.execute("select 1 from pg_database where datname = %s", (name,))
        there |= {"Redshift database" for _ in cursor.fetchall()}
    redshift.close()
    for bucket in (urlsplit(env["LANDING_URL"]).netloc, urlsplit(env["ARCHIVE_URL"]).netloc):
        pages = s3_client(env).get_paginator("list_object_versions").paginate(Bucket=bucket)
        versions = [item for page in pages for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]]
        there |= {bucket for item in versions if name in item["Key"]}
    login = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}
    sns, sqs = (boto3.client(service, endpoint_url=env["AWS_ENDPOINT_URL"], **login) for service in ("sns", "sqs"))
    there |= {"topic" for topic in sns.list_topics()["Topics"] if topic["TopicArn"] == made["topic"]}
    there |= {"queue" for _ in sqs.list_queues(QueueNamePrefix=name).get("QueueUrls", [])}
    for number, port in enumerate(made["ports"]):
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            there.add(("MySQL", "Redshift")[number])
    for pid in made["pids"]:
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                there.add("process")
    return there | {f"folder {number}" for number, folder in enumerate(made["folders"]) if Path(folder).exists()}


@pytest.mark.timeout(1200)  # four runs of pytest on a busy machine
def test_a_run_clears_what_a_killed_one_has_left_and_nothing_of_one_that_lives(
    stack: dict[str, str], source: Source, tmp_path: Path
) -> None:
    facts = tmp_path / "facts"
    with in_the_middle(facts) as process:
        made = json.loads(facts.read_text())
        everything = {
            *("database ", "database _restore", "user", "schema raw_", "schema raw__el", "Redshift database"),
            *("el-landing", "el-archive", "topic", "queue", "MySQL", "Redshift", "process", "folder 0", "folder 1"),
        }
        assert left(stack, made) == everything
        a_run_begins()
        assert left(stack, made) == everything  # its test lives
        process.kill()
        process.wait()
        assert left(stack, made) == everything
        a_run_begins()
    assert left(stack, made) == set()
    source.mysql("create table t (id int)")  # nor is anything of this test gone

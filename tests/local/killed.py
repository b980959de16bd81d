"""A test that is killed in the middle, by ``test_leftovers.py``: named so that no run takes it for one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import Source
from tests.leftovers import SCRATCH
from tests.local.conftest import Running
from tests.private_mysql import PrivateMySQL
from tests.receivers import Queue


@pytest.mark.timeout(0)
def test_that_is_killed(
    source: Source,
    private: PrivateMySQL,
    make_redshift: Callable[..., Running],
    queue: Queue,
    tmp_path: Path,
) -> None:
    server = private.start()
    redshift = make_redshift().start()
    source.mysql(
        "create table t (id int primary key)",
        "insert into t values (1)",
        f"create user {source.name}@'127.0.0.1'",
        f"create database {source.name}_restore",
    )
    source.configure({"t": {"mode": "replace", "cursor": None}})
    source.el("run")
    source.redshift(f"create database {source.name}")
    archive = urlsplit(source.env["ARCHIVE_URL"])
    source.s3.put_object(
        Bucket=archive.netloc,
        Key=f"{archive.path.strip('/')}/{source.name}/t/rows",
        Body=b"rows",
        ObjectLockMode="GOVERNANCE",
        ObjectLockRetainUntilDate=datetime(2033, 1, 1, tzinfo=UTC),
        ObjectLockLegalHoldStatus="ON",
    )
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True)
    facts = {
        "name": source.name,
        "ports": [server.port, redshift.port],
        "pids": [other.pid],
        "folders": [os.environ[SCRATCH], str(tmp_path)],
        "topic": queue.topic,
    }
    unfinished = Path(os.environ["TESTS_KILLED"] + ".unfinished")
    unfinished.write_text(json.dumps(facts))
    unfinished.rename(os.environ["TESTS_KILLED"])
    time.sleep(3600)

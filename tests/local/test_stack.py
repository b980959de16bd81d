"""The local stack: started any number of times, after a crash, and beside another one."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pymysql
import pytest

from tests.conftest import REPOSITORY, read_env


def stack(folder: Path, action: str, code: int = 0, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "local.stack", action, "--folder", str(folder)],
        cwd=REPOSITORY,
        env=os.environ | (env or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "a folder with blanks" / ".local"
    yield place
    stack(place, "reset")


def pid(folder: Path, name: str) -> int:
    return int(json.loads((folder / "run" / f"{name}.json").read_text())["pid"])


def assert_answers(folder: Path) -> None:
    """Every server takes the credentials that ``env`` has."""
    env = read_env(folder / "env")
    credentials, host = env["SOURCES__CLINIC__CREDENTIALS"].removeprefix("mysql://").split("@")
    user, password = credentials.split(":")
    port = int(host.split(":")[1].split("/")[0])
    pymysql.connect(host="127.0.0.1", port=port, user=user, password=password).close()
    psycopg2.connect(
        host=env["DBT_REDSHIFT_HOST"],
        port=env["DBT_REDSHIFT_PORT"],
        dbname=env["DBT_REDSHIFT_DATABASE"],
        user=env["DBT_REDSHIFT_USER"],
        password=env["DBT_ENV_SECRET_REDSHIFT_PASSWORD"],
    ).close()
    socket.create_connection(("127.0.0.1", int(env["AWS_ENDPOINT_URL"].rpartition(":")[2]))).close()


def test_up_is_idempotent_and_survives_crashes_and_a_restart(folder: Path) -> None:
    assert stack(folder, "up").count(" is up on 127.0.0.1:") == 3
    assert_answers(folder)
    assert stat.S_IMODE((folder / "env").stat().st_mode) == 0o600
    assert stack(folder, "up") == ""  # all run: nothing to say
    env = read_env(folder / "env")

    for name in ("mysql", "redshift"):  # a crash: their children and their files stay behind
        os.kill(pid(folder, name), signal.SIGKILL)
    stack(folder, "ps", code=1)
    assert stack(folder, "up").count(" is up on ") == 2
    assert_answers(folder)

    processes = [psutil.Process(pid(folder, name)) for name in ("mysql", "s3", "redshift")]
    children = [child for process in processes for child in process.children(recursive=True)]
    assert stack(folder, "down").count(" is down") == 3
    assert not [p for p in processes + children if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    stack(folder, "up")
    assert_answers(folder)
    assert read_env(folder / "env") == env


def test_a_pid_that_now_belongs_to_somebody_else_is_left_alone(folder: Path) -> None:
    """After a reboot another program may have the number that our server had."""
    stack(folder, "env")
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        (folder / "run" / "s3.json").write_text(json.dumps({"pid": other.pid, "started": 1.0}))
        stack(folder, "down")
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_port_that_was_taken_in_the_meantime_is_replaced(folder: Path) -> None:
    stack(folder, "env")
    taken = json.loads((folder / "state.json").read_text())["ports"]["mysql"]
    with socket.socket() as other:
        other.bind(("127.0.0.1", taken))
        other.listen()
        said = stack(folder, "up")
    assert f"port {taken} of mysql is taken by another process" in said
    assert_answers(folder)


def test_a_server_that_does_not_start_shows_the_end_of_its_log_and_its_path(folder: Path) -> None:
    stack(folder, "env")
    (folder / "mysql").mkdir()  # no data folder that a server could use
    said = stack(folder, "up", code=1)
    assert "mysql ended while it started" in said
    assert str(folder / "log" / "mysql.log") in said
    assert len(said.splitlines()) > 2

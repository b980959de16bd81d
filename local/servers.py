"""The three servers of the local stack: how each is made, started and asked whether it answers.

In: the stack's folder and its ports and passwords. Out: a ``Server`` for ``stack.py`` to start.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

BUCKET = "el-landing"
ARCHIVE_BUCKET = "el-archive"
ARCHIVE_KEY = "alias/el-archive"
REGION = "us-east-1"
ALERTS = "el-alerts"
#: moto's account.
TOPIC = f"arn:aws:sns:{REGION}:123456789012:{ALERTS}"


class StackError(Exception):
    """A server that is missing, does not start or does not stop; the message says what to do."""


@dataclass(frozen=True)
class Server:
    """How one server is made, started and asked whether it answers."""

    name: str
    port: int
    command: list[str]
    environment: dict[str, str]
    prepare: Callable[[], None]
    answers: Callable[[], bool]


def mysql(folder: Path, state: dict[str, Any]) -> Server:
    """The MySQL server: its users and rights are made right at every start."""
    port, run = state["ports"]["mysql"], folder / "run"
    data = folder / "mysql"
    temporary = folder / "mysql-tmp"  # a server that starts deletes the files of others that share theirs
    init_file = run / "mysql-init.sql"
    program = shutil.which("mariadbd") or shutil.which("mysqld") or shutil.which("mysqld", path="/usr/sbin")
    if program is None:
        raise StackError("no MySQL server: neither mariadbd nor mysqld is on PATH. Run: make setup")
    user = ["--user=root"] if os.geteuid() == 0 else []

    def prepare() -> None:
        init_file.write_text(_mysql_users(state["passwords"]))
        init_file.chmod(0o600)
        temporary.mkdir(exist_ok=True)
        if data.exists():
            return
        unfinished = folder / "mysql.unfinished"  # renamed when whole: an interrupted one is redone
        shutil.rmtree(unfinished, ignore_errors=True)
        _run(_mysql_install(program, unfinished) + user, folder, folder / "log" / "mysql-install.log")
        unfinished.rename(data)

    def answers() -> bool:
        import pymysql

        try:
            pymysql.connect(
                host="127.0.0.1", port=port, user="el", password=state["passwords"]["el"], connect_timeout=2
            ).close()
        except pymysql.err.MySQLError:
            return False
        return True

    return Server(
        "mysql",
        port,
        [
            program,
            "--no-defaults",
            *user,
            f"--datadir={data}",
            f"--tmpdir={temporary}",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            f"--socket={_socket(folder)}",
            f"--pid-file={run / 'mysqld.pid'}",
            f"--init-file={init_file}",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--default-time-zone=+00:00",
            "--character-set-server=utf8mb4",
            "--local-infile=1",
            "--innodb-buffer-pool-size=256M",
            "--innodb-flush-log-at-trx-commit=0",
            "--max-allowed-packet=64M",
            "--max-connections=300",
        ],
        {},
        prepare,
        answers,
    )


def s3(state: dict[str, Any]) -> Server:
    """The S3 API. It checks no signatures, and forgets its objects when it stops."""
    port = state["ports"]["s3"]
    return Server(
        "s3",
        port,
        [sys.executable, "-m", "local.s3", "-H", "127.0.0.1", "-p", str(port)],
        {},
        lambda: None,
        lambda: _http_status(f"http://127.0.0.1:{port}/moto-api/") == 200,
    )


def redshift(folder: Path, state: dict[str, Any]) -> Server:
    """The local Redshift, which owns its PostgreSQL."""
    port = state["ports"]["redshift"]
    password = state["passwords"]["redshift"]

    def answers() -> bool:
        import psycopg2

        try:
            psycopg2.connect(
                host="127.0.0.1", port=port, user="el", password=password, dbname="dev", connect_timeout=5
            ).close()
        except psycopg2.Error:
            return False
        return True

    return Server(
        "redshift",
        port,
        [sys.executable, "-m", "local.redshift", "--data", str(folder / "redshift"), "--port", str(port)],
        {
            "LOCAL_REDSHIFT_USER": "el",
            "LOCAL_REDSHIFT_PASSWORD": password,
            "LOCAL_REDSHIFT_DATABASE": "dev",
            **aws(state),
        },
        lambda: None,
        answers,
    )


def make_bucket(state: dict[str, Any]) -> None:
    """What an account has, unless it is there: the landing's bucket, the archive's with its lock and its key, and the
    topic of alerts with a queue behind it.
    """
    _make_archive(state)
    if _http_status(f"http://127.0.0.1:{state['ports']['s3']}/{BUCKET}?versioning") == 200:
        return
    s3 = client(state, "s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    client(state, "sns").create_topic(Name=ALERTS)
    client(state, "sqs").create_queue(QueueName=ALERTS)
    client(state, "sns").subscribe(
        TopicArn=TOPIC,
        Protocol="sqs",
        Endpoint=TOPIC.replace(":sns:", ":sqs:"),
        Attributes={"RawMessageDelivery": "true"},
    )


def _make_archive(state: dict[str, Any]) -> None:
    """The archive's bucket: versions come with Object Lock."""
    if _http_status(f"http://127.0.0.1:{state['ports']['s3']}/{ARCHIVE_BUCKET}?versioning") == 200:
        return
    kms = client(state, "kms")
    key = kms.create_key(Description="what el-archive encrypts by")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=ARCHIVE_KEY, TargetKeyId=key)
    client(state, "s3").create_bucket(Bucket=ARCHIVE_BUCKET, ObjectLockEnabledForBucket=True)


def alerts(state: dict[str, Any]) -> list[str]:
    """The alerts that came since the last call."""
    sqs = client(state, "sqs")
    url = sqs.get_queue_url(QueueName=ALERTS)["QueueUrl"]
    found: list[str] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        for message in messages:
            found.append(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def client(state: dict[str, Any], service: str) -> Any:
    """A client of one of the services that moto imitates."""
    import boto3

    connection = aws(state)
    return boto3.client(
        service,
        endpoint_url=connection["AWS_ENDPOINT_URL"],
        aws_access_key_id=connection["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=connection["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
    )


def _socket(folder: Path) -> str:
    # A Unix socket's path may have 107 bytes; a checkout may lie deeper than that.
    return f"{tempfile.gettempdir()}/el-mysql-{sha256(str(folder).encode()).hexdigest()[:12]}.sock"


def _mysql_install(program: str, data: Path) -> list[str]:
    """The command that makes an empty data folder, for MariaDB or MySQL; run beside it, since a blank in a path breaks
    MariaDB's script.
    """
    version = subprocess.run([program, "--no-defaults", "--version"], capture_output=True, text=True, check=False)
    if "MariaDB" in version.stdout:
        install = shutil.which("mariadb-install-db") or "mysql_install_db"
        return [
            install,
            "--no-defaults",
            f"--datadir=./{data.name}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ]
    return [program, "--no-defaults", "--initialize-insecure", f"--datadir={data}"]


def _mysql_users(passwords: dict[str, str]) -> str:
    """The start-up file of the server: users and rights, made right at every start. One statement a line."""
    return "\n".join(
        [
            f"alter user 'root'@'localhost' identified by '{passwords['root']}';",
            f"create user if not exists 'root'@'127.0.0.1' identified by '{passwords['root']}';",
            f"alter user 'root'@'127.0.0.1' identified by '{passwords['root']}';",
            "grant all on *.* to 'root'@'127.0.0.1' with grant option;",
            f"create user if not exists 'el'@'127.0.0.1' identified by '{passwords['el']}';",
            "grant select, process, show view on *.* to 'el'@'127.0.0.1';",
            f"create user if not exists 'archiver'@'127.0.0.1' identified by '{passwords['archiver']}';",
            "revoke all privileges, grant option from 'archiver'@'127.0.0.1';",
            # insert and update are restore's; without trigger the triggers of a table cannot be seen.
            "grant select, insert, update, delete, trigger, process on *.* to 'archiver'@'127.0.0.1';",
            # Where restore and drill may make tables, and nowhere else.
            "grant create, drop on `%\\_restore`.* to 'archiver'@'127.0.0.1';",
            "",
        ]
    )


def aws(state: dict[str, Any]) -> dict[str, str]:
    """The variables by which boto3 finds the local S3."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{state['ports']['s3']}",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }


def _http_status(url: str) -> int | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def _run(command: list[str], folder: Path, log: Path) -> None:
    with log.open("wb") as output:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        raise StackError(f"{Path(command[0]).name} ended with {done.returncode}. The end of {log}:\n{tail(log)}")


def tail(log: Path, lines: int = 20) -> str:
    """The end of a log, indented."""
    with suppress(OSError):
        return "\n".join("    " + line for line in log.read_text(errors="replace").splitlines()[-lines:])
    return "    (no log)"

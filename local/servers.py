"""The servers of the local stack beside MySQL: how each is made, started and asked whether it answers.

In: the stack's folder and its ports and passwords. Out: a ``Server`` for ``stack.py`` to start.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BUCKET = "el-landing"
ARCHIVE_BUCKET = "el-archive"
ARCHIVE_KEY = "alias/el-archive"
REGION = "us-east-1"
ALERTS = "el-alerts"
#: Bytes of an object that the S3 server keeps in memory; a larger one is a file without a name, gone when it stops.
_IN_MEMORY = 64 * 2**10
#: moto's account.
TOPIC = f"arn:aws:sns:{REGION}:123456789012:{ALERTS}"


@dataclass(frozen=True)
class Server:
    """How one server is made, started and asked whether it answers."""

    name: str
    port: int
    command: list[str]
    environment: dict[str, str]
    prepare: Callable[[], None]
    answers: Callable[[], bool]
    version: str = ""


def s3(folder: Path, state: dict[str, Any]) -> Server:
    """The S3 API. It checks no signatures, and forgets its objects when it stops. Large ones lie on disk meanwhile."""
    port = state["ports"]["s3"]
    temporary = folder / "s3-tmp"
    return Server(
        "s3",
        port,
        [sys.executable, "-m", "local.s3", "-H", "127.0.0.1", "-p", str(port)],
        {"TMPDIR": str(temporary), "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": str(_IN_MEMORY)},
        lambda: temporary.mkdir(exist_ok=True),
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


def tail(log: Path, lines: int = 20) -> str:
    """The end of a log, indented."""
    with suppress(OSError):
        return "\n".join("    " + line for line in log.read_text(errors="replace").splitlines()[-lines:])
    return "    (no log)"

"""A local AWS of the test's own that checks signatures and enforces the policies of ``deploy/iam``.

In: the policies. Out: a running server, and for each role the variables by which a process is that role. The stack's
own S3 asks nobody who he is; here every request is one of a user who may do what his policy says, and nothing else.

What it cannot show: it reads no ``Condition`` of a policy for S3 (the policies are put there without theirs; that the
listings keep to ``s3:prefix`` is checked beside it), no bucket policy, no key policy. An account shows these.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from string import Template
from typing import Any

import boto3

from tests.conftest import REPOSITORY
from tests.crash.test_kill import free_port

IAM = REPOSITORY / "deploy" / "iam"
BUCKET, PREFIX = "guarded", "landing"
ARCHIVE_BUCKET, ARCHIVE_PREFIX = "guarded-archive", "archive"


def policy(role: str, **values: str) -> dict[str, Any]:
    """The policy of a role as an account gets it."""
    names = {
        "bucket": BUCKET,
        "prefix": PREFIX,
        "archive_bucket": ARCHIVE_BUCKET,
        "archive_prefix": ARCHIVE_PREFIX,
        "archive_kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/archive",
    }
    text = Template((IAM / f"{role}.json").read_text()).substitute(names | values)
    return dict(json.loads(text))


@dataclass(frozen=True)
class GuardedS3:
    """The server's URL, and the variables of each role."""

    endpoint: str
    roles: dict[str, dict[str, str]]

    def client(self, role: str, service: str = "s3") -> Any:
        env = self.roles[role]
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=env["AWS_REGION"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        )


@contextmanager
def guarded_s3(policies: dict[str, list[dict[str, Any]]]) -> Iterator[GuardedS3]:
    """``policies`` by role; a role ``admin``, who may do everything, is added."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(endpoint, server)
        everything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
        roles = _make_roles(endpoint, policies | {"admin": [everything]})
        guarded = GuardedS3(endpoint, roles)
        s3 = guarded.client("admin")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        s3.create_bucket(Bucket=ARCHIVE_BUCKET, ObjectLockEnabledForBucket=True)
        # From here on every request is checked. A body that is taken for a form would not be read.
        ask = urllib.request.Request(f"{endpoint}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"})
        urllib.request.urlopen(ask).close()
        yield guarded
    finally:
        server.terminate()
        server.wait(30)


def _wait(endpoint: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{endpoint}/moto-api/", timeout=5).close()
            return
        except OSError:
            assert server.poll() is None, "the server did not start"
            assert time.monotonic() < deadline
            time.sleep(0.1)


def _make_roles(endpoint: str, policies: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, str]]:
    common = {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    iam = boto3.client(
        "iam", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    roles = {}
    for role, documents in policies.items():
        iam.create_user(UserName=role)
        for number, document in enumerate(documents):
            text = json.dumps(_without_conditions(document))
            iam.put_user_policy(UserName=role, PolicyName=f"p{number}", PolicyDocument=text)
        key = iam.create_access_key(UserName=role)["AccessKey"]
        roles[role] = common | {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }
    return roles


def _without_conditions(document: dict[str, Any]) -> dict[str, Any]:
    statements = document["Statement"]
    if isinstance(statements, list):
        statements = [{k: v for k, v in one.items() if k != "Condition"} for one in statements]
    return document | {"Statement": statements}

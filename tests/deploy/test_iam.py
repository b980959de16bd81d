"""The policies of ``deploy/iam``, enforced: each command does its work with its own, and may do nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg2
import pytest
from botocore.exceptions import ClientError

from tests.compare import assert_equal
from tests.conftest import REPOSITORY, Source
from tests.crash.test_kill import CURSOR, PREFIX, is_commit, killed_at
from tests.deploy.guarded_s3 import BUCKET, IAM, GuardedS3, guarded_s3, policy
from tests.deploy.test_archive_iam import ARCHIVE_ROLES, TELLERS
from tests.mysql_sql import numbers
from tests.proxy import s3_proxy

TOPIC = "arn:aws:sns:us-east-1:123456789012:el-alerts"
ROLES = ("extract", "load", "copy", "janitor")
TABLE = "landing/clinic/visits"
#: Every kind of key, and who may put it and delete it. Written by hand: this is what the policies are for.
KEYS = {
    f"{TABLE}/visits/1795581070.8276696.7b3b2047cf.parquet": ({"extract"}, {"janitor"}),
    f"{TABLE}/_commits/{1:020d}.json": ({"extract"}, set()),
    f"{TABLE}/_dlt_version/clinic_visits__1795581071.7__068f.jsonl": ({"extract"}, set()),
    f"{TABLE}/_dlt_loads/clinic_visits__1795581070.8.jsonl": ({"extract"}, set()),
    f"{TABLE}/init": ({"extract"}, set()),
    "landing/_leases/clinic/visits/extract.json": ({"extract"}, set()),
    "landing/_leases/clinic/visits/load.json": ({"load"}, set()),
    f"{TABLE}/_manifests/{1:020d}-1795581070.8276696.json": ({"load"}, {"janitor"}),
    f"{TABLE}/_applied.json": ({"load"}, set()),
    f"{TABLE}/_archived.json": ({"load"}, set()),
    f"{TABLE}/_skipped/{1:020d}.json": ({"load"}, set()),
    f"{TABLE}/_receipts/{1:020d}-1795581070.8276696.json": ({"load"}, set()),
    "landing/_runs/20261125T010203Z-run-3fa9c1.json": ({"extract", "load"}, set()),
    "landing/_alerts/clinic.json": ({"extract", "load"}, set()),
    "landing/anything.json": (set(), set()),
    f"{TABLE}/anything.json": (set(), set()),
    "elsewhere/clinic/visits/visits/1.1.1.parquet": (set(), set()),
    f"elsewhere/clinic/visits/_commits/{1:020d}.json": (set(), set()),
    "elsewhere/_runs/run.json": (set(), set()),
}
#: What Redshift's role and the janitor may read; extract and load read all of the landing.
READS: dict[str, tuple[str, ...]] = {
    "extract": ("landing/*",),
    "load": ("landing/*",),
    "copy": ("landing/*.parquet", "landing/*/_manifests/*"),
    "janitor": ("landing/*/_commits/*",),
}


@pytest.fixture(scope="module")
def guarded() -> Iterator[GuardedS3]:
    with guarded_s3({role: [policy(role)] for role in ROLES}) as server:
        for key in KEYS:
            server.client("admin").put_object(Bucket=BUCKET, Key=key, Body=b"{}")
        yield server


def allowed(call: Any, **arguments: Any) -> bool:
    try:
        call(Bucket=BUCKET, **arguments)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 403:
            return False
        raise
    return True


@pytest.mark.parametrize("role", ROLES)
def test_each_role_puts_reads_and_deletes_what_is_its_own_and_no_other_key(guarded: GuardedS3, role: str) -> None:
    s3, admin = guarded.client(role), guarded.client("admin")
    versions: dict[str, Any] = {}
    for key, (writers, deleters) in KEYS.items():
        assert allowed(s3.put_object, Key=key, Body=b"{}") == (role in writers), f"{role} puts {key}"
        reads = any(fnmatchcase(key, pattern) for pattern in READS[role])
        assert allowed(s3.get_object, Key=key) == reads, f"{role} gets {key}"
        assert allowed(s3.delete_object, Key=key) == (role in deleters), f"{role} deletes {key}"
        versions = admin.list_object_versions(Bucket=BUCKET, Prefix=key)
        one = versions["Versions"][0]["VersionId"]
        assert not allowed(s3.delete_object, Key=key, VersionId=one), f"{role} deletes a version of {key} for ever"
        admin.put_object(Bucket=BUCKET, Key=key, Body=b"{}")
    assert versions


@pytest.mark.parametrize("role", ROLES)
def test_no_role_changes_the_bucket(guarded: GuardedS3, role: str) -> None:
    s3 = guarded.client(role)
    assert not allowed(s3.put_bucket_versioning, VersioningConfiguration={"Status": "Suspended"})
    assert not allowed(s3.delete_bucket_lifecycle)
    assert not allowed(s3.put_bucket_policy, Policy="{}")
    assert not allowed(s3.put_object_acl, Key=next(iter(KEYS)), ACL="public-read")


def test_alerts_are_published_and_secrets_read_and_nothing_else() -> None:
    """Which topic and which secret is for an account to show: the local AWS knows resources for S3 alone."""
    own = {"alerts": [policy("alerts", topic_arn="*")], "secrets": [policy("secrets", secret_arn="*")]}
    with guarded_s3(own) as server:
        server.client("admin", "sns").create_topic(Name="el-alerts")
        server.client("alerts", "sns").publish(TopicArn=TOPIC, Message="late")
        admin = server.client("admin", "secretsmanager")
        admin.create_secret(Name="el/redshift", SecretString="s")
        found = server.client("secrets", "secretsmanager").get_secret_value(SecretId="el/redshift")
        assert found["SecretString"] == "s"
        for role, service, refused in [
            ("secrets", "sns", lambda client: client.publish(TopicArn=TOPIC, Message="late")),
            ("alerts", "sns", lambda client: client.create_topic(Name="other")),
            ("alerts", "secretsmanager", lambda client: client.get_secret_value(SecretId="el/redshift")),
            ("secrets", "secretsmanager", lambda client: client.delete_secret(SecretId="el/redshift")),
        ]:
            with pytest.raises(ClientError, match="AccessDenied"):
                refused(server.client(role, service))


def test_extract_load_copy_and_clean_work_with_their_own_policies(
    source: Source, guarded: GuardedS3, redshift: int
) -> None:
    source.mysql(
        f"create table t (id int primary key, v int, {CURSOR})",
        f"insert into t (id, v) select seq, 0 from {numbers(500)} n",
    )
    source.configure({"t": {}, "r": {"mode": "replace"}})
    source.mysql("create table r (id int primary key)", "insert into r values (1)")
    usual_url = source.env["LANDING_URL"]
    source.env |= {"LANDING_URL": f"s3://{BUCKET}/landing", PREFIX + "PORT": str(redshift)}
    usual, source.warehouse = (
        source.warehouse,
        psycopg2.connect(
            host="127.0.0.1",
            port=redshift,
            dbname=source.env[PREFIX + "DATABASE"],
            user=source.env[PREFIX + "USERNAME"],
            password=source.env[PREFIX + "PASSWORD"],
        ),
    )
    source.warehouse.autocommit = True
    roles = guarded.roles
    listed: list[str] = []

    def seen(_: str, path: str) -> None:
        query = parse_qs(urlsplit(path).query, keep_blank_values=True)
        if "list-type" in query or "versions" in query:
            listed.extend(query.get("prefix", [""]))

    try:
        with s3_proxy(guarded.endpoint, seen) as endpoint:
            here = {"AWS_ENDPOINT_URL": endpoint}
            source.el("extract", env=roles["extract"] | here)
            source.el("load", env=roles["load"] | here)
            source.mysql("update t set v = 1 where id <= 10", "insert into r values (2)")

            source.env |= roles["extract"]
            killed_at(source, "extract", is_commit)
            source.el("extract", env=here)
            source.el("load", env=roles["load"] | here)
            assert_equal(source, "t")
            assert_equal(source, "r")
            cleaned = source.el("clean", "--grace", "0", "--execute", "--json", env=roles["janitor"] | here).json
        assert sum(table["deleted"] for table in cleaned["tables"]) > 0

        patterns = policy("extract")["Statement"][0]["Condition"]["StringLike"]["s3:prefix"]
        assert listed
        for prefix in listed:
            assert any(fnmatchcase(prefix, pattern) for pattern in patterns), f"lists {prefix!r}"

        # The wrong role for the work is an error that says so, and nothing is changed.
        source.mysql("update t set v = 2")
        for role, command in [("load", "extract"), ("janitor", "extract"), ("copy", "clean")]:
            refused = source.el(command, *(["--execute"] if command == "clean" else []), code=1, env=roles[role])
            assert "denied" in refused.err or "PermissionError" in refused.err, refused.err
        source.el("extract", env=roles["extract"])
        for role in ("extract", "janitor"):
            refused = source.el("load", code=1, env=roles[role])
            assert "access is denied" in refused.err
        source.el("load", env=roles["load"])
        assert_equal(source, "t")
    finally:
        source.warehouse.close()
        source.warehouse = usual
        source.env["LANDING_URL"] = usual_url


def test_every_policy_file_is_one_that_is_tried_or_said_not_to_be() -> None:
    """A bucket's policy is all conditions, and the local AWS guards no key: these are for an account to show."""
    tried = {*ROLES, *ARCHIVE_ROLES, *TELLERS, "alerts", "secrets"}
    only_an_account = {"bucket", "archive-bucket", "encryption"}
    assert {path.stem for path in IAM.glob("*.json")} == tried | only_an_account
    page = (REPOSITORY / "docs" / "how-to" / "deploy.md").read_text()
    for name in tried | only_an_account:
        assert f"`{name}.json`" in page
        json.loads((IAM / f"{name}.json").read_text())

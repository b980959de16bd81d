"""The archive's policies of ``deploy/iam``, enforced: each command works with its own, and may do nothing else.

The local AWS asks for the right to put an object where S3 asks for ``PutObjectLegalHold``: whoever holds objects here
has that right as well, and an account has to show the other one.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.archive.test_restore import TABLE, configure, rows
from tests.conftest import Source
from tests.crash.test_kill import use_port
from tests.deploy.guarded_s3 import ARCHIVE_BUCKET, BUCKET, GuardedS3, guarded_s3, policy
from tests.mysql_sql import numbers
from tests.proxy import s3_proxy

ARCHIVE_ROLES = ("archive", "archive-restore", "archive-hold", "archive-expire")
TABLE_KEY = "archive/clinic/visits"
WRITERS = {"archive"}
#: Every kind of key, who may put it, and who may delete a version of it for ever. Written by hand.
KEYS: dict[str, tuple[set[str], set[str]]] = {
    f"{TABLE_KEY}/rows/20261125T010203Z-archive-3fa9c1-0001.parquet": (WRITERS, {"archive-expire"}),
    f"{TABLE_KEY}/_manifests/20261125T010203Z-archive-3fa9c1-0001.json": (WRITERS, {"archive-expire"}),
    f"{TABLE_KEY}/_keys/20261125T010203Z-archive-3fa9c1-0001.parquet": (WRITERS, {"archive-expire"}),
    f"{TABLE_KEY}/_journal/{1:020d}.json": ({"archive", "archive-expire"}, set()),
    f"{TABLE_KEY}/_holds/20261125T010203Z-3fa9c1.json": ({"archive-hold"}, set()),
    f"{TABLE_KEY}/_certificates/20261125T010203Z-archive-3fa9c1-0001.json": ({"archive-expire"}, set()),
    f"{TABLE_KEY}/anything.json": (set(), set()),
    "elsewhere/clinic/visits/rows/1.parquet": (set(), set()),
}
#: The landing's kinds of keys: who of the archive may put each, and who may read it. None may delete any.
RECORDERS = {"archive", "archive-restore", "archive-expire"}
LEASED = {"archive", "archive-hold", "archive-expire"}
LANDING_KEYS: dict[str, tuple[set[str], set[str]]] = {
    "landing/_runs/20261125T010203Z-archive-run-3fa9c1.json": (RECORDERS, set()),
    "landing/_runs/20261125T010203Z-archive-run-3fa9c1.log": (RECORDERS, set()),
    "landing/_runs/20261125T010203Z-extract-3fa9c1.json": (set(), set()),
    "landing/_alerts/clinic.json": (RECORDERS, RECORDERS),
    "landing/_leases/clinic/visits/archive.json": (LEASED, LEASED),
    "landing/_leases/clinic/visits/extract.json": (set(), set()),
    "landing/clinic/visits/_applied.json": (set(), {"archive"}),
    f"landing/clinic/visits/_commits/{1:020d}.json": (set(), {"archive"}),
    "landing/clinic/visits/visits/1795581070.8276696.7b3b2047cf.parquet": (set(), set()),
    f"landing/clinic/visits/_receipts/{1:020d}-1795581070.8276696.json": (set(), set()),
    "elsewhere/_runs/20261125T010203Z-archive-run-3fa9c1.json": (set(), set()),
}

#: What those who tell Redshift about the archive may read of it; they may write nothing.
TELLERS = {"load-archived": ("/_journal/", "/_keys/"), "copy-archived": ("/_keys/",)}


@pytest.fixture(scope="module")
def guarded() -> Iterator[GuardedS3]:
    put = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{ARCHIVE_BUCKET}/*"}
    policies = {role: [policy(role)] for role in ARCHIVE_ROLES}
    policies |= {role: [policy(role)] for role in (*TELLERS, "load")}
    policies["loader"] = [policy("load"), policy("load-archived")]
    policies["copy"] = [policy("copy"), policy("copy-archived")]
    policies["holder"] = [policy("archive-hold"), {"Version": "2012-10-17", "Statement": [put]}]
    with guarded_s3(policies) as server:
        yield server


def allowed(call: Any, **arguments: Any) -> bool:
    try:
        call(**arguments)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 403:
            return False
        raise
    return True


@pytest.mark.parametrize("role", ARCHIVE_ROLES)
def test_each_role_puts_and_deletes_what_is_its_own_and_no_other_key(guarded: GuardedS3, role: str) -> None:
    s3, admin = guarded.client(role), guarded.client("admin")
    for key, (writers, deleters) in KEYS.items():
        version = admin.put_object(Bucket=ARCHIVE_BUCKET, Key=key, Body=b"{}")["VersionId"]
        one = {"Bucket": ARCHIVE_BUCKET, "Key": key}
        readable = key.startswith("archive/")
        assert allowed(s3.put_object, **one, Body=b"{}") == (role in writers), f"{role} puts {key}"
        assert allowed(s3.get_object, **one) == readable, f"{role} gets {key}"
        assert allowed(s3.get_object, **one, VersionId=version) == readable, f"{role} gets a version of {key}"
        assert not allowed(s3.delete_object, **one), f"{role} hides {key}"
        assert allowed(s3.delete_object, **one, VersionId=version) == (role in deleters), f"{role} deletes {key}"


@pytest.mark.parametrize("role", TELLERS)
def test_who_tells_redshift_reads_keys_and_no_row(guarded: GuardedS3, role: str) -> None:
    s3, admin = guarded.client(role), guarded.client("admin")
    for key in KEYS:
        version = admin.put_object(Bucket=ARCHIVE_BUCKET, Key=key, Body=b"{}")["VersionId"]
        one = {"Bucket": ARCHIVE_BUCKET, "Key": key}
        readable = key.startswith("archive/") and any(folder in key for folder in TELLERS[role])
        assert allowed(s3.get_object, **one) == readable, f"{role} gets {key}"
        assert not allowed(s3.get_object, **one, VersionId=version), f"{role} gets a version of {key}"
        assert not allowed(s3.put_object, **one, Body=b"{}"), f"{role} puts {key}"
        assert not allowed(s3.delete_object, **one), f"{role} hides {key}"
        assert not allowed(s3.delete_object, **one, VersionId=version), f"{role} deletes {key}"


def test_load_and_copy_tell_which_rows_are_archived_with_their_own_policies(
    source: Source, guarded: GuardedS3, redshift: int
) -> None:
    source.mysql(
        "create table t (id int primary key, created_at datetime not null default '2024-01-01', key (created_at), "
        "updated_at timestamp(6) not null default now(6) on update now(6), key (updated_at))",
        f"insert into t (id, updated_at) select seq, '2024-01-01' from {numbers(50)} n",
    )
    configure(source, mode="merge", cursor="updated_at")
    usual = dict(source.env)
    landing, archive = f"s3://{BUCKET}/landing", f"s3://{ARCHIVE_BUCKET}/archive"
    listed: list[str] = []

    def seen(_: str, path: str) -> None:
        query = parse_qs(urlsplit(path).query, keep_blank_values=True)
        if "list-type" in query and path.startswith(f"/{ARCHIVE_BUCKET}"):
            listed.extend(query.get("prefix", [""]))

    source.env |= {"LANDING_URL": landing, "ARCHIVE_URL": archive}
    admin = guarded.roles["admin"]
    try:
        with use_port(source, redshift), s3_proxy(guarded.endpoint, seen) as endpoint:
            source.el("run", env=admin)
            assert source.archive("run", "--execute", "--json", env=admin).json["tables"][0]["deleted"] == 50
            here = {"AWS_ENDPOINT_URL": endpoint}
            (refused,) = source.el("load", "--json", env=guarded.roles["load"] | here).table("t")["warnings"]
            assert "access is denied" in refused
            assert "load-archived.json" in refused
            found = source.el("load", "--json", env=guarded.roles["loader"] | here).table("t")
            assert (found["archived"], found["warnings"]) == (50, [])
            assert source.redshift(f"select count(*) from raw_{source.name}_el.t__archived") == [(50,)]
    finally:
        source.env.update(usual)
    (pattern,) = [one["Condition"]["StringLike"]["s3:prefix"] for one in policy("load-archived")["Statement"][:1]]
    assert listed
    assert all(fnmatchcase(prefix, pattern) for prefix in listed), listed


@pytest.mark.parametrize("role", ARCHIVE_ROLES)
def test_each_role_leaves_records_in_the_landing_and_changes_nothing_else_there(guarded: GuardedS3, role: str) -> None:
    s3, admin = guarded.client(role), guarded.client("admin")
    for key, (writers, readers) in LANDING_KEYS.items():
        version = admin.put_object(Bucket=BUCKET, Key=key, Body=b"{}")["VersionId"]
        one = {"Bucket": BUCKET, "Key": key}
        assert allowed(s3.put_object, **one, Body=b"{}") == (role in writers), f"{role} puts {key}"
        assert allowed(s3.get_object, **one) == (role in readers), f"{role} gets {key}"
        assert not allowed(s3.delete_object, **one), f"{role} hides {key}"
        assert not allowed(s3.delete_object, **one, VersionId=version), f"{role} deletes {key}"
        admin.delete_object(**one)  # what is no record is in the way of those who list them


def test_holds_are_for_one_role_alone() -> None:
    for role in ARCHIVE_ROLES:
        allows = [one for one in policy(role)["Statement"] if one["Effect"] == "Allow"]
        holds = [one["Resource"] for one in allows if "s3:PutObjectLegalHold" in one["Action"]]
        folders = [f"arn:aws:s3:::{ARCHIVE_BUCKET}/archive/*/{folder}/*" for folder in ("rows", "_manifests")]
        assert holds == ([folders] if role == "archive-hold" else [])


@pytest.mark.parametrize("role", ARCHIVE_ROLES)
def test_no_role_goes_around_a_lock_or_changes_the_bucket(guarded: GuardedS3, role: str) -> None:
    s3 = guarded.client(role)
    enabled = {"Bucket": ARCHIVE_BUCKET, "VersioningConfiguration": {"Status": "Suspended"}}
    assert not allowed(s3.put_bucket_versioning, **enabled)
    assert not allowed(s3.delete_bucket_lifecycle, Bucket=ARCHIVE_BUCKET)
    assert not allowed(s3.put_bucket_policy, Bucket=ARCHIVE_BUCKET, Policy="{}")
    denied = [one for one in policy(role)["Statement"] if one["Effect"] == "Deny"]
    assert any("s3:BypassGovernanceRetention" in one["Action"] and one["Resource"] == "*" for one in denied)


def test_run_restore_hold_and_expire_work_with_their_own_policies(source: Source, guarded: GuardedS3) -> None:
    source.mysql(TABLE, f"insert into t (id, v) select seq, concat('row ', seq) from {numbers(50)} n")
    configure(source, mode="merge", cursor="created_at")
    usual = dict(source.env)
    roles, label = guarded.roles, f"{source.name}.t"
    source.env |= {"LANDING_URL": f"s3://{BUCKET}/landing", "ARCHIVE_URL": f"s3://{ARCHIVE_BUCKET}/archive"}
    try:
        source.archive("plan", env=roles["archive"])
        refused = source.archive("run", "--execute", code=1, env=roles["archive-restore"])
        assert "access is denied" in refused.err
        recorded: list[str] = []

        def done(*arguments: str, role: str) -> Any:
            report = source.archive(*arguments, "--json", env=roles[role]).json
            assert report["warnings"] == []
            recorded.append(report["run"])
            return report

        assert rows(source, "select count(*) from t") == [(50,)]

        hold = source.archive("hold", "add", label, "--keys", "7", "--reason", "x", "--json", env=roles["holder"])
        assert done("run", "--execute", role="archive")["tables"][0]["deleted"] == 49
        assert rows(source, "select id from t") == [(7,)]
        done("verify", "--all", role="archive-restore")
        source.archive("find", label, "8", env=roles["archive-restore"])
        done("drill", role="archive-restore")
        source.archive("hold", "add", label, "--where", "true", "--reason", "x", env=roles["holder"])
        source.archive("hold", "remove", label, hold.json["hold"], "--reason", "x", env=roles["holder"])
        assert source.archive("expire", "--json", env=roles["archive-expire"]).json["tables"][0]["due"] == []
        done("expire", "--execute", role="archive-expire")
        done("restore", label, "--all", "--into", label, role="archive-restore")
        assert rows(source, "select count(*) from t") == [(50,)]
        for role in ("archive-restore", "archive"):
            refused = source.archive("hold", "add", label, "--keys", "9", "--reason", "x", code=1, env=roles[role])
            assert "access is denied" in refused.err
        shown = {entry["run"]: entry["state"] for entry in source.el("runs", "--json", env=roles["admin"]).json}
        assert {name: shown[name] for name in recorded} == dict.fromkeys(recorded, "done")
        assert "done, exit code 0" in source.el("logs", recorded[0], env=roles["admin"]).out
    finally:
        source.env.update(usual)

"""Secrets that lie in Secrets Manager (moto's): fetched once, used as if they stood in the environment, never shown."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import boto3
import pytest

from tests.conftest import Source
from tests.integration.test_extract import CURSOR
from tests.proxy import s3_proxy

PASSWORD = "DESTINATION__REDSHIFT__CREDENTIALS__PASSWORD"
HASH_KEY = "a hash key that lies in a secret"


@pytest.fixture
def keep(source: Source) -> Iterator[Callable[..., str]]:
    """Puts a secret into Secrets Manager; gives its ARN. They are deleted at the end."""
    manager = client(source)
    made: list[str] = []

    def put(name: str, **value: Any) -> str:
        made.append(manager.create_secret(Name=f"{source.name}/{name}", **value)["ARN"])
        return made[-1]

    yield put
    for arn in made:
        manager.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


def client(source: Source) -> Any:
    return boto3.client(
        "secretsmanager",
        endpoint_url=source.env["AWS_ENDPOINT_URL"],
        region_name=source.env["AWS_REGION"],
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


@pytest.fixture
def variable(source: Source) -> str:
    source.mysql(f"create table t (id int primary key, email varchar(50), {CURSOR})")
    source.mysql("insert into t (id, email) values (1, 'ann@example.org')")
    source.configure({"t": {"hash": ["email"]}})
    return f"SOURCES__{source.name.upper()}__CREDENTIALS"


def test_every_secret_may_lie_in_one_that_is_fetched_once_and_none_is_shown(
    source: Source, variable: str, keep: Callable[..., str]
) -> None:
    hidden = {"mysql": source.env[variable], "hash_key": HASH_KEY, "redshift": source.env[PASSWORD]}
    keep("all", SecretString=json.dumps(hidden | {"port": 5439}))
    asked: list[str] = []

    def count(method: str, path: str) -> None:
        if (method, path) == ("POST", "/"):  # nothing of S3 is
            asked.append(path)

    where = f"secretsmanager:{source.name}/all#"
    env = {variable: where + "mysql", "EL_HASH_KEY": where + "hash_key", PASSWORD: where + "redshift"}
    with s3_proxy(source.env["AWS_ENDPOINT_URL"], count) as endpoint:
        done = source.el("run", env=env | {"AWS_ENDPOINT_URL": endpoint})
    assert len(asked) == 1
    expected = hmac.new(HASH_KEY.encode(), b"ann@example.org", sha256).hexdigest()
    assert source.redshift("select email from raw.t") == [(expected,)]
    said = done.out + done.err + "".join(path.read_text() for path in source.folder.rglob("*.log"))
    password = source.env[variable].split(":")[2].split("@")[0]
    assert not [secret for secret in (*hidden.values(), password) if secret in said]


def test_an_arn_says_its_region_and_its_whole_text_is_the_value(
    source: Source, variable: str, keep: Callable[..., str]
) -> None:
    arn = keep("url", SecretString=source.env[variable])
    source.el("extract", env={variable: f"secretsmanager:{arn}", "AWS_REGION": "ap-south-1"})
    assert source.commits("t") == [1]


#: What lies in the secret, what the variable says behind its name, the exit code, and the message.
WRONG: dict[str, tuple[dict[str, Any], str, int, str]] = {
    "no such secret": ({}, "", 1, "there is no such secret in this region"),
    "a key that is not there": ({"SecretString": '{"a": "hidden"}'}, "#b", 2, 'has no text under the key "b"'),
    "a value that is no text": ({"SecretString": '{"b": {"c": "hidden"}}'}, "#b", 2, 'has no text under the key "b"'),
    "a text that is no JSON": ({"SecretString": "hidden"}, "#b", 2, "or is no JSON object"),
    "a secret of bytes": ({"SecretBinary": b"hidden"}, "", 2, "is binary or empty"),
    "a text that is no URL": ({"SecretString": "hidden"}, "", 2, "cannot be read. It must be mysql://"),
    "no key behind the #": ({}, "#", 2, "names no secret. It must be secretsmanager:"),
    "a name that cannot be one": ({}, " it", 2, "names no secret. It must be secretsmanager:"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_secret_is_said_with_its_variable_before_anything_starts(
    source: Source, variable: str, keep: Callable[..., str], case: str
) -> None:
    value, behind, code, message = WRONG[case]
    if value:
        keep("wrong", **value)
    done = source.el("run", code=code, env={variable: f"secretsmanager:{source.name}/wrong{behind}"})
    assert done.err.startswith(variable)
    assert message in done.err
    assert "hidden" not in done.out + done.err
    assert source.objects() == []


def test_a_secret_that_waits_for_its_deletion_is_not_read(source: Source, variable: str) -> None:
    client(source).create_secret(Name=f"{source.name}/old", SecretString="hidden")
    client(source).delete_secret(SecretId=f"{source.name}/old", RecoveryWindowInDays=7)
    done = source.el("run", code=1, env={variable: f"secretsmanager:{source.name}/old"})
    assert "InvalidRequestException" in done.err
    client(source).delete_secret(SecretId=f"{source.name}/old", ForceDeleteWithoutRecovery=True)


@pytest.mark.parametrize(("status", "said"), [(400, "Secrets Manager refuses"), (503, "Secrets Manager refuses")])
def test_a_secrets_manager_that_does_not_answer_well_is_a_failure_of_its_own(
    source: Source, variable: str, status: int, said: str
) -> None:
    def refuse(method: str, path: str) -> int | None:
        return status if (method, path) == ("POST", "/") else None

    with s3_proxy(source.env["AWS_ENDPOINT_URL"], refuse) as endpoint:
        env = {variable: "secretsmanager:x", "AWS_ENDPOINT_URL": endpoint}
        done = source.el("extract", code=1, env=env)
    assert f"{variable}: secret x: {said}" in done.err


def test_a_secrets_manager_that_cannot_be_reached_is_a_failure_of_its_own(source: Source, variable: str) -> None:
    env = {variable: "secretsmanager:x", "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:9"}
    done = source.el("extract", code=1, env=env)
    assert "Secrets Manager cannot be used (EndpointConnectionError)" in done.err


def test_what_is_no_secret_is_taken_as_it_is(source: Source, variable: str) -> None:
    done = source.el("extract", code=2, env={"LANDING_URL": "secretsmanager:x"})
    assert "LANDING_URL is 'secretsmanager:x'. It must be s3://" in done.err

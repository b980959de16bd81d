"""An object that is written once: whoever comes second is told, and a lost answer or a conflict is no second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

from el import s3
from el.errors import LandingUnreachable, Taken
from tests.proxy import Before, s3_proxy

BUCKET = "el-landing"


@pytest.fixture
def key(stack: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in stack.items():
        monkeypatch.setenv(name, value)
    key, client = f"landing/t_{uuid4().hex}/1.json", s3.client()
    yield key
    client.delete_object(Bucket=BUCKET, Key=key)


@contextmanager
def through(stack: dict[str, str], monkeypatch: pytest.MonkeyPatch, before: Before) -> Iterator[Any]:
    with s3_proxy(stack["AWS_ENDPOINT_URL"], before) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        yield s3.client()


def content(key: str, stack: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack["AWS_ENDPOINT_URL"])
    return bytes(s3.client().get_object(Bucket=BUCKET, Key=key)["Body"].read())


def test_the_second_is_told_and_the_first_stays(
    key: str, stack: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.create(s3.client(), BUCKET, key, b"first")
    with pytest.raises(Taken):
        s3.create(s3.client(), BUCKET, key, b"second")
    assert content(key, stack, monkeypatch) == b"first"


def test_a_lost_answer_to_our_own_first_try_is_no_second(
    key: str, stack: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """botocore sends it again, and S3 says that the object is there: it is ours."""
    seen: list[str] = []

    def before(method: str, path: str) -> Any:
        seen.append(method)
        return (lambda: None) if seen == ["PUT"] else None

    with through(stack, monkeypatch, before) as client:
        s3.create(client, BUCKET, key, b"ours")
    assert seen == ["PUT", "PUT", "GET"]
    assert content(key, stack, monkeypatch) == b"ours"


def test_a_conflict_with_another_write_is_tried_again(
    key: str, stack: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 says 409 while another conditional write of the key is under way: that says nothing of who wins."""
    monkeypatch.setattr(s3, "RACE", (0, 0))
    answers = [409, 409]
    with through(stack, monkeypatch, lambda method, path: answers.pop() if answers else None) as client:
        s3.create(client, BUCKET, key, b"ours")
    assert content(key, stack, monkeypatch) == b"ours"


def test_a_conflict_that_lasts_is_an_error_that_may_pass_and_writes_nothing(
    key: str, stack: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "RACE", (0, 0))
    seen: list[str] = []

    def before(method: str, path: str) -> int:
        seen.append(method)
        return 409

    with through(stack, monkeypatch, before) as client, pytest.raises(LandingUnreachable):
        s3.create(client, BUCKET, key, b"ours")
    assert seen == ["PUT"] * 3
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack["AWS_ENDPOINT_URL"])
    assert s3.client().list_objects_v2(Bucket=BUCKET, Prefix=key)["KeyCount"] == 0


def test_an_object_that_was_deleted_meanwhile_is_taken_and_not_ours(
    key: str, stack: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [412]
    with (
        through(stack, monkeypatch, lambda method, path: answers.pop() if answers else None) as client,
        pytest.raises(Taken),
    ):
        s3.create(client, BUCKET, key, b"ours")

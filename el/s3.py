"""S3 below the landing and the archive: the client, what S3's refusals mean, and objects written under a condition.

In: a bucket and a key. Out: a ``Slot``: leases, records of runs and the state of problems are such objects; or
``Numbered``, a log of objects. Two hosts that write one at the same time do not overwrite each other: the slower one is
told. Ages are differences of S3's own clock (its ``Date`` and ``Last-Modified``), because the clocks of two hosts may
differ by more than a lease lasts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from el import settings
from el.documents import Content, Format
from el.errors import LandingConflict, LandingDamage, LandingError, LandingUnreachable, Taken
from el.retry import RACE, retry

JSON = "application/json"
#: Keys that S3 lists at once; it gives no more.
_PAGE = 1000
#: Answers after which the same request may succeed.
_BUSY = {"SlowDown", "RequestTimeout", "ServiceUnavailable", "InternalError", "Throttling", "RequestLimitExceeded"}


def client(attempts: int = 4) -> Any:
    """A client of S3; safe to use from several threads."""
    return boto3.client(
        "s3",
        region_name=settings.aws_region(),
        config=Config(
            retries={"mode": "standard", "max_attempts": attempts}, connect_timeout=10, max_pool_connections=32
        ),
    )


@dataclass(frozen=True)
class Found:
    """What a slot holds. ``now`` is S3's clock, ``age`` the seconds since it was written; None: there is no object."""

    content: Content | None
    etag: str | None
    now: datetime
    age: float = 0.0


def create(client: Any, bucket: str, key: str, body: bytes, **options: Any) -> Any:
    """Write an object that must not be there yet; S3's answer. ``options`` are those of ``put_object``.

    Raises:
        Taken: another object lies there.
        LandingError: S3 cannot be reached or refuses.
    """
    return _put_if(client, bucket, key, body, IfNoneMatch="*", **options)


def _put_if(client: Any, bucket: str, key: str, body: bytes, **options: Any) -> Any:
    """Write an object under a condition; S3's answer.

    The answer to our own first try may have been lost: then the condition fails, and what lies there has our bytes.
    """
    where = f"s3://{bucket}/{key}"

    def put() -> Any:
        try:
            with explained(where):
                return client.put_object(Bucket=bucket, Key=key, Body=body, **options)
        except LandingError as error:
            refused = error.__cause__
            if not isinstance(refused, ClientError) or status(refused) not in (404, 412):
                raise
        try:
            with explained(where):
                found = client.get_object(Bucket=bucket, Key=key)
                if found["Body"].read() == body:
                    return found
        except LandingDamage:  # it was deleted meanwhile
            pass
        raise Taken(f"{where}: another process wrote it first")

    return retry(put, RACE, LandingConflict)


class Slot:
    """One small JSON object."""

    def __init__(self, client: Any, bucket: str, key: str, format: Format) -> None:
        self._client, self._bucket, self._key, self._format = client, bucket, key, format
        self.url = f"s3://{bucket}/{key}"

    def read(self) -> Found:
        """What it holds. An object that cannot be read counts as empty: it is written anew under its ETag.

        Raises:
            LandingError: S3 refuses, or another version of el wrote it in a form that this one does not know.
        """
        try:
            with explained(self.url):
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key)
                body = answer["Body"].read()
        except LandingDamage as error:
            return Found(None, None, _now(getattr(error.__cause__, "response", {})))
        now = _now(answer)
        age = max(0.0, (now - answer["LastModified"]).total_seconds())
        try:
            return Found(self._format.read(body, self.url, dict), answer["ETag"], now, age)
        except LandingDamage:
            return Found(None, answer["ETag"], now, age)

    def write(self, content: Content, replaces: str | None) -> str:
        """Write it, if it still is what ``replaces`` says: an ETag, or None for no object. The new ETag.

        Raises:
            Taken: another process wrote it first.
            LandingError: S3 refuses.
        """
        condition = {"IfNoneMatch": "*"} if replaces is None else {"IfMatch": replaces}
        body = self._format.body(content)
        answer = _put_if(self._client, self._bucket, self._key, body, ContentType=JSON, **condition)
        return str(answer["ETag"])

    def put(self, content: Content) -> None:
        """Write it whatever is there; for objects that have one writer.

        Raises:
            LandingError: S3 refuses.
        """
        with explained(self.url):
            self._client.put_object(
                Bucket=self._bucket, Key=self._key, Body=self._format.body(content), ContentType=JSON
            )


class Numbered:
    """A log: objects ``<seq, 20 digits>.json`` in one folder, numbered from 1 without a gap."""

    def __init__(self, client: Any, bucket: str, folder: str) -> None:
        """``folder`` ends with a slash."""
        self._client, self._bucket, self._folder = client, bucket, folder

    def key(self, seq: int) -> str:
        """Of one object."""
        return f"{self._folder}{seq:020d}.json"

    def last(self) -> int | None:
        """The largest number. There may be 100,000: not all of them are listed."""
        last, empty, start = 0, None, 0  # there are some up to `last`, and none behind `empty`
        while True:
            seqs, more = self._page(start)
            if seqs:
                last = seqs[-1]
            if not more and (seqs or start == last):
                return last or None
            if not seqs:
                empty = start
            start = 2 * last if empty is None else (last + empty) // 2

    def seqs_from(self, seq: int) -> list[int]:
        """Numbers from ``seq`` on, ascending."""
        found, more = self._page(seq - 1)
        while more:
            seqs, more = self._page(found[-1])
            found += seqs
        return found

    def _page(self, behind: int) -> tuple[list[int], bool]:
        """Numbers behind one, ascending, as many as S3 lists at once; and whether there are more."""
        with explained(f"s3://{self._bucket}/{self._folder}"):
            page = self._client.list_objects_v2(
                Bucket=self._bucket, Prefix=self._folder, StartAfter=self.key(behind), MaxKeys=_PAGE
            )
        names = [item["Key"].rpartition("/")[2].removesuffix(".json") for item in page.get("Contents", [])]
        return [int(name) for name in names if name.isdigit()], page["IsTruncated"]


def _now(answer: Any) -> datetime:
    """S3's clock at its answer, in whole seconds; this host's where something in between took the header away."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return parsedate_to_datetime(date).astimezone(UTC) if date else datetime.now(UTC)
    except ValueError:
        return datetime.now(UTC)


def status(error: ClientError) -> int:
    """The HTTP status of a refusal."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Turns what boto3 raises into an error that says what to do.

    Raises:
        LandingDamage: there is no such object.
        LandingConflict: another write of the same key was under way.
        LandingUnreachable: S3 does not answer, or is busy; trying again may help.
        LandingError: S3 refuses.
    """
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        why = {
            "NoSuchBucket": "there is no such bucket; check LANDING_URL",
            "AccessDenied": "access is denied; check the AWS credentials and the bucket's policy",
            "403": "access is denied; check the AWS credentials and the bucket's policy",
            "InvalidAccessKeyId": "the access key is not known; check AWS_ACCESS_KEY_ID",
            "SignatureDoesNotMatch": "the secret key is wrong; check AWS_SECRET_ACCESS_KEY",
            "NoSuchKey": "there is no such object",
            "NoSuchVersion": "there is no such version of the object",
            "404": "there is no such object",
        }.get(code, f"S3 answered {code or status(error)}")
        kind = LandingDamage if code in ("NoSuchKey", "NoSuchVersion", "404") else LandingError
        kind = LandingConflict if status(error) == 409 else kind
        if code in _BUSY or status(error) >= 500:
            kind = LandingUnreachable
        raise kind(f"{where}: {why}. Nothing was changed by this step; run again when it is mended.") from error
    except (BotoCoreError, OSError) as error:
        again = isinstance(error, (HTTPClientError, NoConnection, OSError))  # no credentials: will be none in a moment
        raise (LandingUnreachable if again else LandingError)(
            f"{where}: S3 cannot be reached or used ({type(error).__name__}). Nothing was changed by this step. "
            "Check the network, AWS_ENDPOINT_URL and the AWS credentials, then run again."
        ) from error

"""What COPY reads from S3: which objects a location or a manifest names, and each as a local temporary file.

The client is boto3 with its usual AWS_* environment; the credentials in the COPY statement are not used, as the local
S3 checks them by name only. A Parquet file is read from its end, so it is fetched to disk first: bounded memory.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import IO, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from .errors import RedshiftError

_PART = 8 * 1024 * 1024


@dataclass(frozen=True)
class Object:
    bucket: str
    key: str
    size: int

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@cache
def store() -> Store:
    """One client for the whole server: they are safe between threads, and slow to make."""
    return Store()


class Store:
    def __init__(self) -> None:
        self._client: Any = boto3.session.Session().client("s3")

    def objects(self, location: str) -> list[Object]:
        """Every object whose key starts with this one, except for empty ones; an error if there is none at all."""
        bucket, prefix = _parts(location)
        found = []
        try:
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                found += [Object(bucket, o["Key"], o["Size"]) for o in page.get("Contents", [])]
        except (ClientError, BotoCoreError) as error:
            raise _s3_error(location, error) from error
        if not found:
            raise RedshiftError(f"The specified S3 prefix '{prefix}' does not exist")
        return [o for o in found if o.size]

    def manifest(self, location: str, columnar: bool) -> list[Object]:
        """The objects a manifest names. A columnar one must give each size, and the object must have that size."""
        text = self.read(location)
        try:
            entries = json.loads(text)["entries"]
            named = [(e["url"], bool(e.get("mandatory", False)), e.get("meta")) for e in entries]
        except (ValueError, TypeError, KeyError) as error:
            raise RedshiftError(f"the manifest {location} is not a JSON object with entries and urls") from error
        if not named:
            raise RedshiftError(f"the manifest {location} has no entries")
        found = [self._entry(url, mandatory, meta, columnar) for url, mandatory, meta in named]
        return [o for o in found if o is not None]

    def _entry(self, url: str, mandatory: bool, meta: Any, columnar: bool) -> Object | None:
        length = meta.get("content_length") if isinstance(meta, dict) else None
        if columnar and not isinstance(length, int):
            raise RedshiftError(f"the manifest's entry {url} has no meta.content_length, which columnar files need")
        bucket, key = _parts(url)
        try:
            size = self._client.head_object(Bucket=bucket, Key=key)["ContentLength"]
        except (ClientError, BotoCoreError) as error:
            if not mandatory and _missing(error):
                return None
            raise _s3_error(url, error) from error
        if isinstance(length, int) and size != length:
            raise RedshiftError(f"{url} has {size} bytes, the manifest's meta.content_length says {length}")
        return Object(bucket, key, size)

    def read(self, location: str) -> bytes:
        """One small object: a manifest, a JSONPaths file."""
        bucket, key = _parts(location)
        try:
            body: bytes = self._client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise _s3_error(location, error) from error
        return body

    def keys(self, location: str) -> list[str]:
        """Every key that starts with this one, if any."""
        bucket, prefix = _parts(location)
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return [o["Key"] for page in pages for o in page.get("Contents", [])]
        except (ClientError, BotoCoreError) as error:
            raise _s3_error(location, error) from error

    def write(self, location: str, body: IO[bytes] | bytes) -> None:
        bucket, key = _parts(location)
        try:
            self._client.put_object(Bucket=bucket, Key=key, Body=body)
        except (ClientError, BotoCoreError) as error:
            raise _s3_error(location, error) from error

    def delete(self, location: str, keys: list[str]) -> None:
        bucket, _ = _parts(location)
        try:
            for key in keys:
                self._client.delete_object(Bucket=bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise _s3_error(location, error) from error

    @contextmanager
    def file(self, item: Object) -> Iterator[IO[bytes]]:
        with tempfile.TemporaryFile(prefix="local-redshift-copy-") as local:
            try:
                body = self._client.get_object(Bucket=item.bucket, Key=item.key)["Body"]
                for part in body.iter_chunks(_PART):
                    local.write(part)
            except (ClientError, BotoCoreError) as error:
                raise _s3_error(item.url, error) from error
            local.seek(0)
            yield local


def _parts(location: str) -> tuple[str, str]:
    if not location.startswith("s3://"):
        raise RedshiftError(f"{location} is not an s3:// location")
    bucket, _, key = location[5:].partition("/")
    return bucket, key


def _missing(error: Exception) -> bool:
    return isinstance(error, ClientError) and error.response["Error"]["Code"] in (
        "404",
        "NoSuchKey",
        "NotFound",
    )


def _s3_error(location: str, error: Exception) -> RedshiftError:
    what = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    return RedshiftError(f"S3ServiceException: {location}: {what}")

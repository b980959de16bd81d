"""The archive's place on S3, for those who write it. What load reads too is spelled in ``el/archived.py``.

    <prefix>/_pause                        as long as it is there, every run waits
    <prefix>/<source>/<table>/
        rows/<chunk>.parquet               the rows of one chunk, as MySQL had them (rows.py); nothing else lies here,
                                           so Athena and Spectrum can read the folder as one table
        _manifests/<chunk>.json            what that object is: rows, hashes, columns, CREATE TABLE (objects.py)
        _keys/<chunk>.parquet              keys of the rows of it that were deleted, for load (deleted.py)
        _journal/<seq, 20 digits>.json     what was done and is about to be done (journal.py)
        _holds/<hold>.json                 rows that must stay, and <hold>.released.json when they need not (holds.py)
        _certificates/<chunk>.json         that an object was deleted at its class's end (expire.py)

``<table>`` is the raw name, as in the landing. A chunk is named ``<run>-<number>``; a run's name begins with its time.

Every object is written once, with ``If-None-Match: *``, by SSE-KMS and with its SHA-256, which S3 checks on arrival.
Objects are read by the version that the journal names: whoever writes another object under the same key adds a version
and changes nothing of what was proven. So the bucket has to keep versions. Only ``delete_version`` deletes, which only
``expire.py`` calls, with rights that no run has.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from botocore.exceptions import ClientError

from el import archived, s3
from el.archived import Archived, Stored
from el.errors import ArchiveError, LandingDamage, LandingError, Taken
from el.s3 import create, explained
from el.settings import ArchivePlace


@dataclass(frozen=True)
class Version:
    """A version as S3 lists it, or a delete marker. ``key`` is below the table's folder, ``at`` S3's own clock."""

    key: str
    version: str
    size: int
    is_latest: bool
    is_marker: bool
    at: datetime


class Archive:
    """The archive of one run. Safe to use from several threads."""

    def __init__(self, place: ArchivePlace) -> None:
        self.place = place
        self.client = s3.client()
        self.url = f"s3://{place.bucket}/{place.prefix}"

    def check(self) -> None:
        """Raises ArchiveError unless the bucket keeps versions, and can lock objects where that is asked for."""
        where = f"s3://{self.place.bucket}"
        with explained(where):
            kept = self.client.get_bucket_versioning(Bucket=self.place.bucket).get("Status")
        if kept != "Enabled":
            raise ArchiveError(
                f"{where} (ARCHIVE_URL) does not keep versions: what was proven could be overwritten. Nothing was "
                "done. Switch versioning on: aws s3api put-bucket-versioning"
            )
        if self.place.lock is None:
            return
        try:
            with explained(where):
                self.client.get_object_lock_configuration(Bucket=self.place.bucket)
        except LandingError as error:
            cause = error.__cause__
            code = cause.response.get("Error", {}).get("Code") if isinstance(cause, ClientError) else ""
            if code != "ObjectLockConfigurationNotFoundError":
                raise
            raise ArchiveError(
                f"{where} (ARCHIVE_URL) was made without Object Lock, and ARCHIVE_OBJECT_LOCK asks for it. Nothing was "
                "done. Use a bucket with it, or unset ARCHIVE_OBJECT_LOCK"
            ) from None

    @property
    def pause_url(self) -> str:
        """Of the object that makes every run wait, as long as it is there."""
        return f"{self.url}/_pause"

    def is_paused(self) -> bool:
        """Whether it is there. Raises LandingError if S3 cannot be asked."""
        key = "/".join(part for part in (self.place.prefix, "_pause") if part)
        with explained(self.pause_url):
            found = self.client.list_objects_v2(Bucket=self.place.bucket, Prefix=key, MaxKeys=1)
        return any(item["Key"] == key for item in found.get("Contents", []))

    def table(self, source: str, table: str) -> TableArchive:
        """The folder of one table, by its MySQL name."""
        return TableArchive(self.client, self.place, archived.folder(self.place.prefix, source, table))


class TableArchive(Archived):
    """The folder of one table."""

    def __init__(self, client: Any, place: ArchivePlace, prefix: str) -> None:
        super().__init__(client, place.bucket, prefix)
        self.client, self.place, self.prefix = client, place, prefix

    def key(self, name: str) -> str:
        """The whole key of what lies below the table's folder."""
        return f"{self.prefix}/{name}"

    @staticmethod
    def rows_key(chunk: str) -> str:
        """Of a chunk's object, below the table's folder."""
        return f"rows/{chunk}.parquet"

    @staticmethod
    def manifest_key(chunk: str) -> str:
        """Of a chunk's manifest, below the table's folder."""
        return f"_manifests/{chunk}.json"

    @staticmethod
    def hold_key(hold: str) -> str:
        """Of a hold, below the table's folder."""
        return f"_holds/{hold}.json"

    @staticmethod
    def certificate_key(chunk: str) -> str:
        """Of what says that a chunk's object was deleted, below the table's folder."""
        return f"_certificates/{chunk}.json"

    def put(self, key: str, body: bytes, until: datetime | None = None) -> Stored:
        """Write an object, once. ``until``: S3 refuses to delete it before, if the place has a lock.

        Raises:
            ArchiveError: another object lies there, or the bucket does not keep versions.
            LandingError: S3 cannot be reached or refuses.
        """
        try:
            return self._create(key, body, until)
        except Taken:
            raise ArchiveError(
                f"{self.url}/{key} is there already and is another object. Nothing was deleted by this step. "
                "Two runs archive this table, or somebody writes into the archive: find out who"
            ) from None

    def _create(self, key: str, body: bytes, until: datetime | None = None) -> Stored:
        digest = sha256(body)
        lock: dict[str, Any] = {}
        if until and self.place.lock:
            lock = {"ObjectLockMode": self.place.lock, "ObjectLockRetainUntilDate": until}
        answer = create(
            self.client,
            self.place.bucket,
            self.key(key),
            body,
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=self.place.kms_key,
            ChecksumAlgorithm="SHA256",
            ChecksumSHA256=b64encode(digest.digest()).decode(),
            **lock,
        )
        if not answer.get("VersionId"):
            raise ArchiveError(
                f"{self.url}/{key}: S3 gave the object no version. Nothing was deleted by this step. Switch the "
                "bucket's versioning on again: aws s3api put-bucket-versioning"
            )
        return Stored(key, answer["VersionId"], len(body), digest.hexdigest())

    def find(self, key: str) -> Stored | None:
        """The newest version of an object; None if there is none."""
        try:
            with explained(f"{self.url}/{key}"):
                found = self.client.head_object(Bucket=self.place.bucket, Key=self.key(key), ChecksumMode="ENABLED")
                version = found["VersionId"]
                body = self.client.get_object(Bucket=self.place.bucket, Key=self.key(key), VersionId=version)["Body"]
                digest = sha256(body.read()).hexdigest()
        except LandingDamage:
            return None
        return Stored(key, version, found["ContentLength"], digest)

    def get(self, key: str, version: str) -> bytes:
        """One version of an object, whole.

        Raises:
            LandingDamage: there is no such version.
            LandingError: S3 cannot be reached or refuses.
        """
        with explained(f"{self.url}/{key} (version {version})"):
            answer = self.client.get_object(Bucket=self.place.bucket, Key=self.key(key), VersionId=version)
            return bytes(answer["Body"].read())

    def put_record(self, seq: int, body: bytes) -> bool:
        """Write one record of the journal; False if another process wrote that number first.

        Raises:
            ArchiveError: the bucket does not keep versions.
            LandingError: S3 cannot be reached or refuses.
        """
        try:
            self._create(self.record_key(seq), body)
        except Taken:
            return False
        return True

    def holds(self) -> dict[str, bytes]:
        """The objects below ``_holds/`` by their names without ``.json``, as they were written: the oldest version.

        S3 lists the versions of a key from the newest to the oldest; its clock here has whole seconds.
        """
        first: dict[str, Version] = {}
        for found in self.versions("_holds/"):
            if not found.is_marker and (found.key not in first or found.at <= first[found.key].at):
                first[found.key] = found
        names = {key: key.removeprefix("_holds/").removesuffix(".json") for key in sorted(first)}
        return {name: self.get(key, first[key].version) for key, name in names.items()}

    def versions(self, below: str) -> list[Version]:
        """Every version and delete marker of what lies below a folder of the table.

        Raises:
            LandingError: S3 cannot be reached or refuses.
        """
        pages = self.client.get_paginator("list_object_versions").paginate(
            Bucket=self.place.bucket, Prefix=self.key(below)
        )
        with explained(f"{self.url}/{below}"):
            return [
                Version(
                    item["Key"].removeprefix(self.prefix + "/"),
                    item["VersionId"],
                    item.get("Size", 0),
                    item["IsLatest"],
                    is_marker,
                    item["LastModified"],
                )
                for page in pages
                for kind, is_marker in (("Versions", False), ("DeleteMarkers", True))
                for item in page.get(kind, [])
            ]

    def set_legal_hold(self, stored: Stored, on: bool) -> bool:
        """S3 refuses to delete a version as long as it is on. False: the bucket was made without Object Lock.

        Raises:
            LandingError: S3 has no such version, cannot be reached or refuses.
        """
        try:
            with explained(f"{self.url}/{stored.key} (version {stored.version})"):
                self.client.put_object_legal_hold(
                    Bucket=self.place.bucket,
                    Key=self.key(stored.key),
                    VersionId=stored.version,
                    LegalHold={"Status": "ON" if on else "OFF"},
                    ChecksumAlgorithm="SHA256",
                )
        except LandingError as error:
            cause = error.__cause__
            code = cause.response.get("Error", {}).get("Code") if isinstance(cause, ClientError) else ""
            # S3 says InvalidRequest "Bucket is missing Object Lock Configuration".
            if code not in ("InvalidRequest", "ObjectLockConfigurationNotFoundError"):
                raise
            return False
        return True

    def delete_version(self, stored: Stored) -> None:
        """Delete one version for ever; no error if there is none.

        Raises:
            LandingError: S3 refuses, because of a lock, a legal hold or missing rights, or cannot be reached.
        """
        with explained(f"{self.url}/{stored.key} (version {stored.version})"):
            self.client.delete_object(Bucket=self.place.bucket, Key=self.key(stored.key), VersionId=stored.version)

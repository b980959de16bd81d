"""The landing: what lies on S3 between extract and load. No other file spells a key, but ``upload.py`` those of dlt.

    <prefix>/<source>/<table>/
        <table>/<load_id>.<file>.parquet   the rows, written by dlt
        _dlt_version/ _dlt_loads/ init     dlt's schema and seals
        _commits/<seq, 20 digits>.json     a load exists if and only if a commit names it
        _manifests/<seqs>-<load_id>.json   what one COPY reads, written by load
        _manifests/archived-<records>.json the same for keys of archived rows
        _skipped/<seq>.json                a commit that a person has quarantined, written by load
        _receipts/<seqs>-<load_id>.json    what one transaction did in Redshift, written by load (receipt.py)
        _applied.json                      the applied horizon, written by load, read by the archive
        _archived.json                     how far load has read the archive's journal
    <prefix>/
        _leases/<source>/<table>/<job>.json  who works on a table, or did last (lease.py)
        _runs/<run>.json, <run>.log        the record and the log of a run (runs.py); a run's name begins with its time
        _alerts/<source>.json              problems that are open, and those that were (problems.py)

A commit is written with ``If-None-Match: *``: of two extractors one gets a 412 and starts again. The head commit is
the watermark and nothing else is. Why not dlt's own state: dlt writes it before the load is complete, so a kill in
between moves a watermark past rows that do not exist.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from el import s3, settings
from el.documents import Content, Format
from el.errors import CommitExists, LandingDamage, LandingError, Taken
from el.s3 import JSON, Numbered, Slot, create, explained
from el.summary import Summary

COMMIT = Format(
    3,
    LandingError,
    LandingDamage,
    "Restore it from the bucket's versions, or copy the table again: el run --full",
)
LEASE = PROBLEMS = READ_OF_JOURNAL = RECEIPT = Format(1, LandingError, LandingDamage)
#: Of a commit that a person has quarantined. A damaged one stops the table: it is not known which commit it is.
SKIP = Format(1, LandingError, LandingError)
#: How far the archive may delete.
HORIZON = Format(3, LandingError, LandingDamage, "It is written again by: el load")
#: Columns that extract adds to MySQL's own, and their Redshift types; dlt adds the last one by itself.
ADDED = {"_seq": "bigint", "_extracted_at": "timestamptz", "_deleted_at": "timestamptz", "_dlt_load_id": "varchar(64)"}
#: Bytes of the longest VARCHAR of Redshift; utf8mb4 has up to four per character.
MAX_VARCHAR = 65535
#: Small requests at once, for one table: answers take tens of milliseconds, and a backlog has hundreds.
_AT_ONCE = 8
#: The names that dlt gives to files: <load_id>.<file>.parquet
_FILE = re.compile(r"/\d+\.\d+\.[0-9a-f]+\.parquet$")


@dataclass(frozen=True)
class LandedFile:
    """One Parquet file of a load. ``key`` is below the table's folder; ``size`` in bytes."""

    key: str
    size: int
    rows: int
    sha256: str
    etag: str
    version_id: str | None

    @property
    def load_id(self) -> str:
        """The dlt load that wrote it."""
        return self.key.rpartition("/")[2].rsplit(".", 2)[0]


@dataclass(frozen=True)
class Listed:
    """An object as S3 lists it. ``key`` is below the table's folder, ``size`` in bytes, ``at`` S3's own clock.

    For an object that came in several parts ``at`` is when its upload began.
    """

    key: str
    size: int
    at: datetime


@dataclass(frozen=True)
class LandedColumn:
    """One column of the files, in their order. ``redshift`` is its type there, ``key`` its part in the primary key."""

    name: str
    redshift: str
    key: bool = False
    json: bool = False


@dataclass(frozen=True)
class Pass:
    """One reading of a table at one ``lo``, in one commit or several.

    ``full`` reads every row. ``first_seq`` is the pass's first commit, ``after`` the primary key up to which rows are
    committed, ``done`` True in its last commit: only then does the watermark move.
    """

    full: bool
    first_seq: int
    done: bool
    after: list[dict[str, str]] | None = None


@dataclass(frozen=True)
class Window:
    """The cursor, ``lo`` (None: from the beginning) and the next ``lo``, both in the cursor's own form.

    ``kind`` is timestamp (UTC), datetime, date (both in their writer's zone) or integer. ``newest`` is the largest
    cursor behind the next ``lo``: one that is larger at the next run belongs to a row that was missed.
    """

    cursor: str | None
    kind: str | None
    lo: str | None
    next_lo: str | None
    newest: str | None = None


@dataclass(frozen=True)
class Asked:
    """When a pass asked the server how far the watermark may move; the next pass compares its own question with it.

    ``at`` is the server's clock in UTC, ``host`` that of the host which asked, at the same moment. Every statement
    that began before ``quiet`` had ended. ``top`` is the largest integer cursor seen before ``top_at``.
    """

    at: str
    host: str
    quiet: str
    top: int | None = None
    top_at: str | None = None


@dataclass(frozen=True)
class Server:
    """The MySQL server a pass read: who it is, and how far its history had come (None: it does not say)."""

    id: str
    gtid: str | None
    lsn: int | None


@dataclass(frozen=True)
class Commit:
    """The object that makes a load exist."""

    source: str
    table: str
    seq: int
    load_id: str
    previous_load_id: str | None
    mode: Literal["merge", "replace"]
    reading: Pass
    window: Window
    signature: str
    columns: list[LandedColumn]
    files: list[LandedFile]
    rows: int
    summary: Summary
    fingerprint: dict[str, Any]
    dlt_schema_hash: str
    server: Server
    asked: Asked
    extracted_at: str
    el_version: str
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def load_ids(self) -> list[str]:
        """The dlt loads whose files it names. Mode replace may have several; its own load id is the last."""
        return sorted({file.load_id for file in self.files})

    @classmethod
    def parse(cls, content: Content) -> Commit:
        """Raises ValueError, KeyError or TypeError for a content that is none."""
        content["reading"] = Pass(**content["reading"])
        content["window"] = Window(**content["window"])
        content["server"] = Server(**content["server"])
        content["asked"] = Asked(**content["asked"])
        content["columns"] = [LandedColumn(**column) for column in content["columns"]]
        content["files"] = [LandedFile(**file) for file in content["files"]]
        content["summary"] = Summary.from_json(content["summary"])
        commit = cls(**{name.name: content[name.name] for name in fields(cls)})
        if commit.rows != sum(file.rows for file in commit.files):
            raise ValueError("its count is not that of its files")
        if commit.summary.columns.keys() != {column.name for column in commit.columns} - ADDED.keys():
            raise ValueError("its summary is not that of its columns")
        return commit


@dataclass(frozen=True)
class Skip:
    """A commit that load must not apply, because a person said so: which, why and when."""

    seq: int
    load_id: str
    reason: str
    skipped_at: str

    @classmethod
    def parse(cls, content: Content) -> Skip:
        """Raises KeyError for a content that is none."""
        return cls(**{name.name: content[name.name] for name in fields(cls)})


def _record_1(record: Content) -> Content:
    """Of a run: a table had its states and counts under other names, which were others for el-archive."""
    for table in record["tables"]:
        if "state" in table:  # of el-archive
            name = record["line"].split()[1]
            table["states"] = {"archive" if name == "run" else name: table["state"]}
        else:
            table["states"] = {job: table[job] for job in ("extract", "load") if table[job]}
            table["rows"] = {what: table[what] for what in ("extracted", "loaded")}
            table["objects"] = 0
    return record


#: Of a run (runs.py).
RECORD = Format(2, LandingError, LandingDamage, before=_record_1)


def _name(commits: list[Commit]) -> str:
    """Of an object for commits that are applied together."""
    first, last = commits[0], commits[-1]
    seqs = f"{first.seq:020d}" if first is last else f"{first.seq:020d}-{last.seq:020d}"
    return f"{seqs}-{last.load_id}"


class Landing:
    """The landing of one run. Safe to use from several threads."""

    def __init__(self, place: settings.LandingPlace) -> None:
        self._place = place
        self.client = s3.client()

    def check(self) -> None:
        """Raises LandingError unless the bucket can be reached and listed."""
        with explained(f"s3://{self._place.bucket}/{self._place.prefix}"):
            self.client.list_objects_v2(Bucket=self._place.bucket, Prefix=self._place.prefix, MaxKeys=1)

    def table(self, source: str, raw_name: str) -> TableLanding:
        """The folder of one table."""
        prefix = "/".join(part for part in (self._place.prefix, source, raw_name) if part)
        return TableLanding(self.client, self._place.bucket, prefix)

    def lease(self, source: str, raw_name: str, job: str) -> Slot:
        """Who does a job (extract, load) on a table."""
        return self._slot(f"_leases/{source}/{raw_name}/{job}.json", LEASE)

    def record(self, run: str) -> Slot:
        """The record of a run."""
        return self._slot(f"_runs/{run}.json", RECORD)

    def problems(self, source: str) -> Slot:
        """The problems of a source's tables."""
        return self._slot(f"_alerts/{source}.json", PROBLEMS)

    def log_url(self, run: str) -> str:
        """Where the log of a run lies."""
        return f"s3://{self._place.bucket}/{self._key(f'_runs/{run}.log')}"

    def put_log(self, run: str, content: bytes) -> None:
        """Raises LandingError if S3 refuses."""
        with explained(self.log_url(run)):
            self.client.put_object(
                Bucket=self._place.bucket, Key=self._key(f"_runs/{run}.log"), Body=content, ContentType="text/plain"
            )

    def get_log(self, run: str) -> bytes:
        """Raises LandingDamage if there is none, LandingError if S3 refuses."""
        with explained(self.log_url(run)):
            body = self.client.get_object(Bucket=self._place.bucket, Key=self._key(f"_runs/{run}.log"))["Body"]
            return bytes(body.read())

    def runs_from(self, start: str) -> list[str]:
        """Names of the runs that have a record, from a time on (as a run's name begins), ascending."""
        folder = self._key("_runs/")
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self._place.bucket, Prefix=folder, StartAfter=folder + start
        )
        with explained(f"s3://{self._place.bucket}/{folder}"):
            names = [item["Key"].removeprefix(folder) for page in pages for item in page.get("Contents", [])]
        return [name.removesuffix(".json") for name in names if name.endswith(".json")]

    def _slot(self, key: str, format: Format) -> Slot:
        return Slot(self.client, self._place.bucket, self._key(key), format)

    def _key(self, name: str) -> str:
        return f"{self._place.prefix}/{name}" if self._place.prefix else name


class TableLanding:
    """The folder of one table."""

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self.url = f"s3://{bucket}/{prefix}"
        self._commits = Numbered(client, bucket, self._key("_commits/"))

    @property
    def dlt_bucket_url(self) -> str:
        """dlt's bucket_url; its dataset is the table's folder."""
        return self.url.rpartition("/")[0]

    @property
    def dlt_dataset(self) -> str:
        return self.url.rpartition("/")[2]

    def head(self) -> Commit | None:
        """The newest commit, which is the watermark; None before the first."""
        seq = self._commits.last()
        return self.commit(seq) if seq else None

    def seqs_from(self, seq: int) -> list[int]:
        """Numbers of the commits from ``seq`` on, ascending."""
        return self._commits.seqs_from(seq)

    def commit(self, seq: int) -> Commit:
        """Read one commit."""
        where = f"s3://{self._bucket}/{self._commit_key(seq)}"
        with explained(where):
            body = self._client.get_object(Bucket=self._bucket, Key=self._commit_key(seq))["Body"].read()
        return COMMIT.read(body, where, Commit.parse)

    def commits(self, seqs: Sequence[int]) -> Iterator[Commit]:
        """Read several, in that order; raises like ``commit`` where it comes to one that cannot be read."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            yield from pool.map(self.commit, seqs)

    def write_commit(self, commit: Commit) -> None:
        """Make a load exist.

        Raises:
            CommitExists: another extractor wrote this number first.
            LandingError: S3 cannot be reached or refuses.
        """
        key = self._commit_key(commit.seq)
        try:
            create(self._client, self._bucket, key, COMMIT.body(asdict(commit)), ContentType=JSON)
        except Taken:
            raise CommitExists(f"s3://{self._bucket}/{key}: another extractor wrote this commit first") from None

    def landed(self, key: str, rows: int, sha256: str) -> LandedFile:
        """What S3 has of a file that was just uploaded."""
        with explained(f"{self.url}/{key}"):
            found = self._client.head_object(Bucket=self._bucket, Key=self._key(key))
        version = found.get("VersionId")
        return LandedFile(
            key, found["ContentLength"], rows, sha256, found["ETag"], version if version != "null" else None
        )

    def check_files(self, files: Sequence[LandedFile]) -> None:
        """Hold objects against the commits that name them: size, ETag, and the SHA-256 of their content.

        The SHA-256 is S3's own, which it computed when the file arrived (``upload.py`` asks for it); where S3 keeps
        none, the object is read once more.

        Raises:
            LandingDamage: an object is missing or is not the one that its commit names; the first of ``files``.
            LandingError: S3 cannot be reached or refuses.
        """
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(self._check_file, files):
                pass

    def _check_file(self, file: LandedFile) -> None:
        where = f"{self.url}/{file.key}"
        with explained(where):
            found = self._client.head_object(Bucket=self._bucket, Key=self._key(file.key), ChecksumMode="ENABLED")
        why = None
        if found["ContentLength"] != file.size:
            why = f"{found['ContentLength']:,} bytes, {file.size:,} expected"
        elif found["ETag"] != file.etag:
            why = "other content of that size"
        elif found.get("ChecksumSHA256") != b64encode(bytes.fromhex(file.sha256)).decode():
            # S3 keeps none, or one of the parts that the file was sent in.
            why = None if self._digest(file.key) == file.sha256 else "its SHA-256 is another"
        if why:
            raise LandingDamage(
                f"{where} is not the file that its commit names: {why}. Redshift was not changed. Restore the object's "
                f"version {file.version_id or '(the bucket keeps none)'}, or copy the table again: el run --full"
            )

    def _digest(self, key: str) -> str:
        digest = sha256()
        with explained(f"{self.url}/{key}"):
            for block in self._client.get_object(Bucket=self._bucket, Key=self._key(key))["Body"].iter_chunks(1 << 20):
                digest.update(block)
        return digest.hexdigest()

    def write_manifest(self, commits: list[Commit]) -> str:
        """Write what one COPY reads; its URL.

        Two loaders that write the same key write the same content: the key says which commits, from and to.
        """
        files = [(f"{self.url}/{file.key}", file.size) for commit in commits for file in commit.files]
        return self._write_manifest(_name(commits), files)

    def write_archived_manifest(self, records: Sequence[int], files: Sequence[tuple[str, int]]) -> str:
        """The same for keys of archived rows: their objects' URLs and sizes, and the records of the journal that name
        them, ascending."""
        return self._write_manifest(f"archived-{records[0]:020d}-{records[-1]:020d}-{len(records)}", files)

    def _write_manifest(self, name: str, files: Sequence[tuple[str, int]]) -> str:
        key = self._key(f"_manifests/{name}.json")
        entries = [{"url": url, "mandatory": True, "meta": {"content_length": size}} for url, size in files]
        with explained(f"s3://{self._bucket}/{key}"):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=json.dumps({"entries": entries}).encode())
        return f"s3://{self._bucket}/{key}"

    def write_receipt(self, commits: list[Commit], content: dict[str, Any], kind: str = "") -> str:
        """Write what one transaction did; its key below the table's folder, which ends with ``kind``.

        Called under the ledger's lock, so nobody else writes the same. An attempt that failed is overwritten.
        """
        key = f"_receipts/{_name(commits)}{kind}.json"
        Slot(self._client, self._bucket, self._key(key), RECEIPT).put(content)
        return key

    def skips(self) -> dict[int, Skip]:
        """Commits that a person has quarantined, by number.

        Raises:
            LandingError: S3 cannot be reached, or one is of another format or damaged.
        """
        with explained(self.url):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._key("_skipped/")
            )
            keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {skip.seq: skip for skip in map(self._skip, keys)}

    def _skip(self, key: str) -> Skip:
        where = f"s3://{self._bucket}/{key}"
        with explained(where):
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return SKIP.read(body, where, Skip.parse)

    def write_skip(self, skip: Skip) -> None:
        """Quarantine a commit, for good. Done already for the same commit: what is there stays.

        Raises:
            LandingError: S3 cannot be reached or refuses.
        """
        key = self._key(f"_skipped/{skip.seq:020d}.json")
        try:
            create(self._client, self._bucket, key, SKIP.body(asdict(skip)), ContentType=JSON)
        except Taken:
            if self._skip(key).load_id != skip.load_id:
                raise

    def publish_horizon(self, commit: Commit) -> None:
        """Tell the archive that Redshift has every row with a cursor before the pass's next ``lo``."""
        content = {
            "seq": commit.seq,
            "load_id": commit.load_id,
            "cursor": commit.window.cursor,
            "kind": commit.window.kind,
            "horizon": commit.window.next_lo,
            "published_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._horizon.put(content)

    def applied(self) -> dict[str, Any] | None:
        """What ``publish_horizon`` wrote last; None: load has applied nothing yet.

        Raises:
            LandingError: S3 refuses, or it is of another format.
            LandingDamage: it cannot be read.
        """
        found = self._horizon.read()
        if found.content is None and found.etag:
            raise LandingDamage(f"{self._horizon.url} is damaged and cannot be read. {HORIZON.remedy}")
        return found.content

    @property
    def _horizon(self) -> Slot:
        return Slot(self._client, self._bucket, self._key("_applied.json"), HORIZON)

    def archived(self) -> tuple[int, int]:
        """How far load has read the archive's journal, and up to which record the Redshift that it saw was told; (0, 0)
        if nobody knows, which costs reading it again.

        Raises:
            LandingError: S3 refuses, or it is of another format.
        """
        found = self._archived.read().content
        try:
            return (int(found["read"]), int(found["applied"])) if found else (0, 0)
        except (KeyError, TypeError, ValueError):
            return 0, 0

    def remember_archived(self, read: int, applied: int) -> None:
        """Raises LandingError if S3 refuses."""
        self._archived.put({"read": read, "applied": applied})

    @property
    def _archived(self) -> Slot:
        return Slot(self._client, self._bucket, self._key("_archived.json"), READ_OF_JOURNAL)

    def files(self) -> list[Listed]:
        """Every file that dlt has put here, whether a commit names it or not."""
        return [file for file in self._listed(f"{self.dlt_dataset}/") if _FILE.search(file.key)]

    def manifests(self) -> list[Listed]:
        """Every manifest."""
        return self._listed("_manifests/")

    def commit_times(self) -> dict[int, datetime]:
        """When each commit was written, by S3's own clock, in order of number."""
        found = {Path(item.key).stem: item.at for item in self._listed("_commits/")}
        return {int(name): at for name, at in found.items() if name.isdigit()}

    def _listed(self, folder: str) -> list[Listed]:
        pages = self._client.get_paginator("list_objects_v2")
        with explained(f"{self.url}/{folder}"):
            return [
                Listed(item["Key"].removeprefix(self._key("")), item["Size"], item["LastModified"])
                for page in pages.paginate(Bucket=self._bucket, Prefix=self._key(folder))
                for item in page.get("Contents", [])
            ]

    def delete(self, key: str) -> None:
        """Delete one object; in a bucket with versions, hide it. ``el clean`` alone does, and may."""
        with explained(f"{self.url}/{key}"):
            self._client.delete_object(Bucket=self._bucket, Key=self._key(key))

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}"

    def _commit_key(self, seq: int) -> str:
        return self._commits.key(seq)

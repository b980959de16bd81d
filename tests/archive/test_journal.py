"""The journal: two runs cannot both write it, and what it says of a chunk is the sum of its records."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from el.archive import journal
from el.archive.journal import Journal
from el.archive.store import Archive, TableArchive
from el.errors import ArchiveError
from el.settings import archive
from tests.conftest import Source


@pytest.fixture
def place(source: Source) -> TableArchive:
    """The folder of a table of the source, which is emptied with it."""
    return Archive(archive()).table(source.name, "t")


def test_the_slower_of_two_runs_is_refused(place: TableArchive) -> None:
    one, other = Journal(place, "one"), Journal(place, "other")
    assert [one.append("run")["seq"], other.append("run")["seq"]] == [1, 2]
    with pytest.raises(ArchiveError, match="another run wrote record 2"):
        one.append("planned", chunk="one-000001")
    assert [record["run"] for record in one.records()] == ["one", "other"]


def test_the_tail_begins_behind_the_last_run_that_left_nothing_open(place: TableArchive) -> None:
    log = Journal(place, "r")
    for number in range(70):
        log.append("ended", open=[]) if number == 65 else log.append("deleted", number=number)
    assert [record["number"] for record in Journal(place, "r").tail()] == [66, 67, 68, 69]
    log.append("ended", open=["a"])
    assert len(Journal(place, "r").tail()) == 5
    log.append("ended", open=[])
    assert Journal(place, "r").tail() == []
    assert Journal(place, "r").append("run")["seq"] == 73


def test_a_journal_without_an_end_is_read_whole(place: TableArchive) -> None:
    log = Journal(place, "r")
    for number in range(130):
        log.append("deleted", number=number)
    assert [record["number"] for record in Journal(place, "r").tail()] == list(range(130))


def test_a_missing_or_damaged_record_is_refused(place: TableArchive, source: Source) -> None:
    log = Journal(place, "r")
    for _ in range(3):
        log.append("run")
    bucket, key = place.place.bucket, place.key(f"_journal/{2:020d}.json")
    for body, message in ((b"{", "damaged"), (b'{"format": 9, "seq": 2, "kind": "run"}', "format 9")):
        source.s3.put_object(Bucket=bucket, Key=key, Body=body)
        with pytest.raises(ArchiveError, match=message):
            log.records()


def test_an_object_is_written_once_and_read_by_its_version(place: TableArchive, source: Source) -> None:
    stored = place.put("rows/x.parquet", b"one")
    assert place.put("rows/x.parquet", b"one") == stored  # the answer to the first may have been lost
    with pytest.raises(ArchiveError, match="is another object"):
        place.put("rows/x.parquet", b"two")
    source.s3.put_object(Bucket=place.place.bucket, Key=place.key("rows/x.parquet"), Body=b"swapped")
    assert place.get(stored.key, stored.version) == b"one"
    head = source.s3.head_object(Bucket=place.place.bucket, Key=place.key(stored.key), VersionId=stored.version)
    assert head["ServerSideEncryption"] == "aws:kms"


def test_the_state_of_a_chunk_is_the_sum_of_its_records() -> None:
    stored = {"key": "k", "version": "v", "size": 1, "sha256": "s"}
    records = [
        {"kind": "run"},
        {"kind": "planned", "chunk": "c"},
        {
            "kind": "written",
            "run": "r",
            "chunk": "c",
            "object": stored,
            "manifest": stored,
            "rows": 9,
            "rows_sha256": "",
        },
        {"kind": "deleting", "chunk": "c"},
        {"kind": "deleted", "chunk": "c", "deleted": [[0, 3]], "gone": [], "left": {"changed": [[3, 4]]}},
        {"kind": "deleted", "chunk": "c", "deleted": [[4, 6]], "gone": [[6, 7]], "left": {"changed": [[7, 8]]}},
    ]
    for seq, record in enumerate(records):
        record |= {"seq": seq, "at": str(seq), "run": "r"}
    state = journal.chunks(records)["c"]
    assert (state.state, state.rows, state.seq) == ("deleting", 9, 5)
    assert state.deleted == [[0, 3], [4, 6]]
    assert state.left == {"changed": [[3, 4], [7, 8]]}
    assert state.tried == set(range(8))
    assert json.loads(json.dumps(journal.ranges({5, 1, 2, 9}))) == [[1, 3], [5, 6], [9, 10]]


def test_a_bucket_without_versions_is_refused(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = f"no-versions-{uuid4().hex[:8]}"
    source.s3.create_bucket(Bucket=bucket)
    monkeypatch.setenv("ARCHIVE_URL", f"s3://{bucket}/a")
    try:
        with pytest.raises(ArchiveError, match="does not keep versions"):
            Archive(archive()).check()
        source.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        with pytest.raises(ArchiveError, match="without Object Lock"):
            Archive(archive()).check()
        monkeypatch.setenv("ARCHIVE_OBJECT_LOCK", "none")
        Archive(archive()).check()
    finally:
        source.s3.delete_bucket(Bucket=bucket)

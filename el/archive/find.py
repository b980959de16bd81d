"""Says whether a row was archived, when, where and by which run, and whether it was deleted.

In: a table's archive and a key. Out: every copy of the key that was ever made, in the order of the journal, and what
became of the row then: deleted, left in MySQL and why, or not looked at yet. Needs S3 only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from el.archive import journal, keys
from el.archive.contents import Contents, key_text
from el.text import aligned, or_dash, short


@dataclass(frozen=True)
class Copy:
    """One copy of a row. ``state``: deleted, gone, left: <why>, or not deleted yet. ``at`` and ``run`` of the deletion.

    ``position`` is the row's number in the object, from 0. ``until``: before it the object may not go; ``expired``: it
    went, at that moment, and the row with it.
    """

    state: str
    at: str | None
    run: str
    record: int | None
    object: str
    version: str
    position: int
    until: str
    expired: str | None = None


def find(contents: Contents, text: str) -> list[Copy]:
    """The copies of a key. Of objects that have expired nobody knows the keys.

    Raises:
        UsageError: the text is no key of the table.
        ArchiveError: an object or a manifest is not what was written.
        LandingError: S3 has no such version, cannot be reached or refuses.
    """
    found = []
    for chunk in contents.chunks:
        columns = contents.key_columns(chunk)
        asked = keys.parse(text, columns)
        limits = contents.key_range(chunk)
        if limits and not limits[0] <= tuple(int(part) for part in asked) <= limits[1]:
            continue
        own = contents.keys(chunk)
        if key_text(asked) not in own:
            continue
        position = own.index(key_text(asked))
        stored, _ = contents.stored(chunk)
        deletion = next(
            (
                one
                for one in contents.deletions
                if one.chunk == chunk.chunk and any(first <= position < behind for first, behind in one.positions)
            ),
            None,
        )
        state = "deleted" if deletion else _state(chunk, position)
        found.append(
            Copy(
                state,
                deletion.at if deletion else None,
                deletion.run if deletion else chunk.run,
                deletion.seq if deletion else None,
                f"{contents.archive.url}/{stored.key}",
                stored.version,
                position,
                contents.manifest(chunk).until,
            )
        )
    return found


def _state(chunk: journal.ChunkState, position: int) -> str:
    if any(first <= position < behind for first, behind in chunk.gone):
        return "gone: somebody else deleted it before"
    for why, ranges in chunk.left.items():
        if any(first <= position < behind for first, behind in ranges):
            return f"left in MySQL: {why}"
    return "not deleted yet"


def report(label: str, found: Sequence[Copy], expired: int, as_json: bool) -> str:
    """What ``el-archive find`` prints. ``expired``: objects whose keys are not known any more."""
    if as_json:
        return json.dumps(
            {"table": label, "copies": [asdict(one) for one in found], "expired_objects": expired}, indent=1
        )
    note = [f"{expired:,} objects have expired; which keys they had is not known"] if expired else []
    if not found:
        return "\n".join(["this key is not in the archive", *note])
    body = [
        [one.state, short(one.at), one.run, or_dash(one.record), f"{one.object}#{one.position}", one.version]
        for one in found
    ]
    return "\n".join([*aligned(["state", "at", "run", "record", "object#row", "version"], body, {3}), *note])

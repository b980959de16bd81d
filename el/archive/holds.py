"""Holds: rows that must stay, in MySQL and on S3, until somebody releases them.

In: a condition in MySQL's SQL or some keys, and a reason. Out: an object ``_holds/<hold>.json`` that runs read before
they delete (``condition``), and S3's legal hold on the objects that may have such rows, which nobody but a hold's own
role lifts.

A condition is asked of MySQL, and S3 cannot answer it: a hold by condition holds every object of the table that there
is. A hold by keys holds the objects that have the keys. Both hold too much rather than too little.

The lease of the table is held meanwhile, so no run has looked for holds before this one and deletes after it. Holds
are never overwritten: a release is an object of its own, and the first version of each is what counts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

from el import settings
from el.archive import keys, rows
from el.archive.contents import Contents, explain, key_text
from el.archive.journal import ChunkState
from el.archive.plan import not_understood
from el.archive.rows import Column
from el.archive.store import TableArchive
from el.archive.table import read_shape
from el.archive.work import who
from el.config import Table
from el.documents import Content, Format, Parsed
from el.errors import ArchiveError, ElError, UsageError
from el.mysql.connection import connected, quoted
from el.text import aligned, short

HOLD = Format(
    1,
    ArchiveError,
    ArchiveError,
    "It is not known what it holds. Restore it from the bucket's versions.",
)
_RELEASED = ".released"


@dataclass(frozen=True)
class Hold:
    """One hold: ``where`` or ``keys``, as they were typed. ``released`` is when; None: it holds."""

    hold: str
    table: str
    where: str | None
    keys: tuple[str, ...]
    reason: str
    by: str
    at: str
    released: str | None = None
    released_because: str | None = None


@dataclass
class Held:
    """What a hold did on S3: objects with and, in a bucket without Object Lock, without a legal hold."""

    hold: Hold
    objects: int = 0
    locked: int = 0


def read(archive: TableArchive) -> list[Hold]:
    """All holds of a table, the oldest first.

    Raises:
        ArchiveError: one is damaged or of another version of el: it is not known what it holds.
        LandingError: S3 cannot be reached or refuses.
    """
    bodies = archive.holds()

    def parsed(name: str, parse: Callable[[Content], Parsed]) -> Parsed:
        return HOLD.read(bodies[name], f"{archive.url}/{archive.hold_key(name)}", parse)

    ends = {name: parsed(name, dict) for name in bodies if name.endswith(_RELEASED)}
    return [
        parsed(name, partial(_hold, name, end=ends.get(name + _RELEASED, {}))) for name in bodies if name not in ends
    ]


def _hold(name: str, content: Content, end: Content) -> Hold:
    return Hold(
        name,
        content["table"],
        content["where"],
        tuple(content["keys"]),
        content["reason"],
        content["by"],
        content["at"],
        end.get("at"),
        end.get("reason"),
    )


def active(archive: TableArchive) -> list[Hold]:
    """Those that were not released."""
    return [one for one in read(archive) if one.released is None]


def condition(held: Sequence[Hold], key: Sequence[Column]) -> str | None:
    """SQL that is true for a row under a hold, and false, never NULL, for others; None if there is no hold.

    Raises:
        UsageError: the table has another primary key than when a hold by keys was added.
    """
    parts = [f"(({one.where}) is true)" for one in held if one.where]
    for one in held:
        for text in one.keys:
            values = keys.parse(text, key)
            equal = (
                f"{quoted(column.name)} = {rows.literal(column, value)}"
                for column, value in zip(key, values, strict=True)
            )
            parts.append(f"({' and '.join(equal)})")
    return f"({' or '.join(parts)})" if parts else None


def objects_under(contents: Contents, held: Sequence[Hold]) -> list[ChunkState]:
    """The chunks whose objects may hold rows under one of the holds."""
    if any(one.where for one in held):
        return contents.chunks
    wanted = [text for one in held for text in one.keys]
    return [chunk for chunk in contents.chunks if wanted and _has(contents, chunk, wanted)]


def _has(contents: Contents, chunk: ChunkState, texts: Sequence[str]) -> bool:
    columns = contents.key_columns(chunk)
    asked = [keys.parse(text, columns) for text in texts]
    limits = contents.key_range(chunk)
    if limits:
        numbers = [tuple(int(part) for part in key) for key in asked]
        if not any(limits[0] <= key <= limits[1] for key in numbers):
            return False
    return not {key_text(key) for key in asked}.isdisjoint(contents.keys(chunk))


def add(table: Table, archive: TableArchive, where: str | None, texts: Sequence[str], reason: str) -> Held:
    """Hold rows from now on. The caller has the table's lease.

    Raises:
        UsageError: neither or both of ``where`` and keys, no reason, or MySQL does not understand the condition.
        SourceError, LandingError: MySQL or S3 cannot be reached or refuses.
    """
    if bool(where) == bool(texts):
        raise UsageError("choose one: --where or --keys. Nothing was held.")
    with connected(table.source, settings.archive_mysql(table.source)) as connection:
        shape = read_shape(connection, table.name)
        for text in texts:
            keys.parse(text, shape.primary_key)
        if where and (why := not_understood(connection, table.name, where)):
            raise UsageError(f"{table.label}: --where: {why}. Nothing was held.")
    now = datetime.now(UTC)
    hold = Hold(
        hold=f"{now:%Y%m%dT%H%M%SZ}-{uuid4().hex[:6]}",
        table=table.label,
        where=where,
        keys=tuple(texts),
        reason=reason,
        by=who(),
        at=now.isoformat(timespec="seconds"),
    )
    archive.put(archive.hold_key(hold.hold), HOLD.body(asdict(hold)))
    try:
        contents = Contents(archive)
        return _set(contents, Held(hold), objects_under(contents, [hold]), on=True)
    except ElError as error:
        raise ArchiveError(
            f"{table.label}: hold {hold.hold} holds: runs and expiry heed it. S3's legal hold is not on all of its "
            f"objects: {explain(error)} Mend it, add the hold again, then remove this one."
        ) from None


def release(archive: TableArchive, name: str, reason: str) -> Held:
    """Let go of what a hold holds, except what another one holds too. The caller has the table's lease.

    Raises:
        UsageError: there is no such hold, or it was released before.
        LandingError: S3 cannot be reached or refuses.
    """
    every = read(archive)
    hold = next((one for one in every if one.hold == name), None)
    if hold is None or hold.released:
        was = f"was released on {hold.released}" if hold else "is not there"
        raise UsageError(f"{archive.url}: hold {name} {was}. Nothing was changed. List them: el-archive hold list")
    contents = Contents(archive)
    others = [one for one in every if one.released is None and one is not hold]
    kept = {chunk.chunk for chunk in objects_under(contents, others)}
    free = [chunk for chunk in objects_under(contents, [hold]) if chunk.chunk not in kept]
    by, at = who(), datetime.now(UTC).isoformat(timespec="seconds")
    # First what S3 holds: should this be cut off, the hold is still there and is released again.
    done = _set(contents, Held(hold), free, on=False)
    archive.put(archive.hold_key(name + _RELEASED), HOLD.body({"hold": name, "reason": reason, "by": by, "at": at}))
    return done


def _set(contents: Contents, held: Held, chunks: Sequence[ChunkState], on: bool) -> Held:
    for chunk in chunks:
        locked = [contents.archive.set_legal_hold(stored, on) for stored in contents.stored(chunk)]
        held.objects += 1
        held.locked += all(locked)
    return held


def outcome(done: Held, as_json: bool) -> str:
    """What ``el-archive hold add`` and ``remove`` print."""
    if as_json:
        return json.dumps({"hold": done.hold.hold, "objects": done.objects, "legal_holds": done.locked}, indent=1)
    text = f"{done.hold.hold}: {done.objects:,} objects on S3, {done.locked:,} with S3's legal hold"
    return text if done.objects == done.locked else f"{text}; the bucket has no Object Lock, so expire alone heeds it"


def report(held: Sequence[Hold], as_json: bool) -> str:
    """What ``el-archive hold list`` prints. Keys and conditions may be personal: they are in ``--json`` alone."""
    if as_json:
        return json.dumps({"holds": [asdict(one) for one in held]}, indent=1)
    if not held:
        return "no hold"
    body = [
        [
            one.hold,
            one.table,
            "a condition" if one.where else f"{len(one.keys):,} keys",
            short(one.at),
            one.by,
            one.reason,
        ]
        for one in held
    ]
    return "\n".join(aligned(["hold", "table", "holds", "since", "by", "reason"], body, set()))

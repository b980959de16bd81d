"""Which rows of a raw table are archived: a table beside its ledger, ``raw_<source>_el.<table>__archived``.

In: what the journal tells, and the manifest of the objects that have the keys. Out: a row per row that el-archive
deleted from MySQL: the key's columns as in the raw table, ``_archived_at`` (UTC), the run, the chunk and the record of
the journal that say so, and ``_expired_at`` as soon as the copy on S3 is gone too. A key that was used again and
archived again has two rows. The raw table keeps its rows.

One transaction brings what was read of the journal:

    lock the table's ledger          what brings commits is kept apart too; who reads the archived rows is not
    create the table, if need be
    COPY one manifest                into a temp table
    count                            per chunk the rows that the journal says
    insert                           of chunks that are not there yet
    update                           ``_expired_at``

Exactly once without a position: a chunk is told once, so whoever comes second, or again, finds its chunk there.
``_applied`` is the number of the journal's record up to which its transaction had read; the largest is where to go on.

Why not a view over the raw table or a column in it: a row that was read again would have to keep it, a key that is used
again needs both, and a raw table that is built anew would lose it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from el.archived import ADDED, TAKEN, Expired, Told
from el.errors import WarehouseError
from el.redshift import catalog, ledger
from el.redshift.catalog import Target, varchar_length
from el.redshift.connection import Connection, changed, explained, quoted, rows
from el.redshift.copy import copy

_INCOMING = "el__archived"
_NAMED = 5


@dataclass(frozen=True)
class Key:
    """The columns of the raw table's primary key, with their types."""

    columns: tuple[tuple[str, str], ...]

    def fits(self, told: Told) -> bool:
        """Whether keys of the archive can be keys of the raw table.

        Where they cannot, the primary key was altered since. The raw table was copied anew then, from a MySQL that did
        not have those rows any more: it has none of them.
        """
        own, theirs = dict(self.columns), dict(told.columns)
        return own.keys() == theirs.keys() and all(_fits(theirs[name], own[name]) for name in own)


def key(connection: Connection, target: Target, names: Sequence[str], label: str) -> Key:
    """What a raw table's key looks like now; makes the archived table follow where a VARCHAR became wider.

    Raises:
        WarehouseError: there is no such table, or the archived one has another key.
    """
    connection.autocommit = True
    with explained(f"{label}, archived rows"):
        raw = catalog.columns(connection, target)
        there = catalog.columns(connection, target.archived)
        missing = [name for name in names if name not in raw]
        if missing or not names:
            raise WarehouseError(
                f"{label}: {target.raw} has no column {', '.join(missing) or 'that is its key'}, which is the primary "
                f"key by the newest commit. Load what is pending first: el load {label}"
            )
        made = Key(tuple((name, raw[name]) for name in names))
        has = {name: kind for name, kind in there.items() if name not in TAKEN}
        if there and not (has.keys() == set(names) and all(_same(kind, raw[name]) for name, kind in has.items())):
            raise WarehouseError(
                f"{label}: {target.archived.raw} has the key {', '.join(has)}, and {target.raw} has "
                f"{', '.join(names)}, or its types are others. It was not changed. It is built anew from the archive's "
                f"journal when it is gone: drop table {target.archived.raw}"
            )
        for name, kind in has.items():
            if varchar_length(kind) < varchar_length(raw[name]):
                rows(connection, f"alter table {target.archived.raw} alter column {quoted(name)} type {raw[name]}")
    connection.autocommit = False
    return made


@dataclass(frozen=True)
class News:
    """What is told in one transaction. ``told`` have one form of keys, which ``manifest`` names; None if there are
    none, and ``copy_role`` reads. ``applied`` is the journal's record up to which they are all that there is.
    """

    told: Sequence[Told]
    expired: Sequence[Expired]
    manifest: str | None
    copy_role: str
    applied: int


def apply(connection: Connection, target: Target, label: str, key: Key, news: News) -> tuple[int, int]:
    """Tell which rows are archived and which copies expired; how many rows are new, and the largest ``_applied``.

    Raises:
        WarehouseConflict, WarehouseLost: trying again helps, and does nothing twice.
        WarehouseError: Redshift refused, or the rows that came are not those of the journal.
    """
    with explained(f"{label}, archived rows"):
        ledger.lock(connection, target)
        keys = ", ".join(f"{quoted(name)} {kind} not null" for name, kind in key.columns)
        added = ", ".join(f"{name} {kind} not null" for name, kind in ADDED.items())
        rows(
            connection,
            f"create table if not exists {target.archived.raw} "
            f"({keys}, {added}, _applied bigint not null, _expired_at timestamp)",
        )
        inserted = _insert(connection, target, label, key, news) if news.manifest else 0
        if news.expired:
            _expire(connection, target, news.expired, news.applied)
        ((position,),) = rows(connection, f"select coalesce(max(_applied), 0) from {target.archived.raw}")
        connection.commit()
    return inserted, int(position)


def _insert(connection: Connection, target: Target, label: str, key: Key, news: News) -> int:
    told, manifest = news.told, news.manifest or ""
    copy(connection, _INCOMING, [*told[0].columns, *ADDED.items()], manifest, news.copy_role)
    came = {str(chunk): int(many) for chunk, many in rows(
        connection, f"select _chunk, count(*) from {_INCOMING} group by _chunk"
    )}  # fmt: skip
    if came != {one.chunk: one.rows for one in told}:
        wrong = [one.chunk for one in told if came.get(one.chunk) != one.rows]
        raise WarehouseError(
            f"{label}: COPY brought other archived keys than the journal says, of chunk "
            f"{', '.join(wrong[:_NAMED]) or 'that it does not name'} (manifest {manifest}). Rolled back; Redshift is "
            f"as it was. Look at the archive: el-archive verify {label}"
        )
    types = dict(told[0].columns)
    names = [name for name, _ in key.columns]
    values = [_value(name, types[name], kind) for name, kind in key.columns]
    done = changed(
        connection,
        f"insert into {target.archived.raw} ({', '.join([*map(quoted, names), *ADDED])}, _applied) "
        f"select {', '.join([*values, *ADDED])}, {news.applied} from {_INCOMING} "
        f"where _chunk not in (select _chunk from {target.archived.raw})",
    )
    rows(connection, f"drop table {_INCOMING}")
    return done


def _expire(connection: Connection, target: Target, expired: Sequence[Expired], applied: int) -> None:
    gone = " union all ".join(["select cast(%s as varchar(128)) as chunk, cast(%s as timestamp) as at"] * len(expired))
    rows(
        connection,
        f"update {target.archived.raw} set _expired_at = gone.at, _applied = {applied} from ({gone}) gone "
        f"where {target.archived.raw}._chunk = gone.chunk and {target.archived.raw}._expired_at is null",
        [value for one in expired for value in (one.chunk, one.at.removesuffix("+00:00").replace("T", " "))],
    )


def _value(name: str, has: str, wants: str) -> str:
    """A key of the archive as the raw table has it."""
    return f"{quoted(name)} <> 0" if wants == "boolean" and has != "boolean" else quoted(name)


def _fits(archive: str, raw: str) -> bool:
    # The source file's ``boolean`` is unknown to the archive.
    return _same(archive, raw) or (raw == "boolean" and archive in ("smallint", "bigint"))


def _same(one: str, other: str) -> bool:
    return one == other or (varchar_length(one) > 0 and varchar_length(other) > 0)

"""Bringing rows back from the archive: into a table of MySQL, or as Parquet files.

In: a table's archive and which of its rows are wanted. Out: for each row its last version, as it was when it was
deleted. Every object is read whole by the version that the journal names, and proven, before a row of it is used.

Rows in the archive are never marked as restored: they stay there until their class's end, and a row that is archived
again later is another version.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from el import config, settings
from el.archive import keys, objects, rows, target
from el.archive.contents import Contents, key_text, key_texts
from el.archive.journal import ChunkState
from el.archive.objects import Manifest
from el.archive.store import TableArchive
from el.archive.target import Counts, Target
from el.archive.work import ArchiveJob, Reporter, contents_of, place_of
from el.config import Table
from el.errors import UsageError
from el.mysql.connection import connected
from el.outcome import State
from el.progress import Bar
from el.supervise import Going
from el.text import aligned

#: How an age is written: what MySQL prints, or the beginning of it.
_AGE = r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d(\.\d{1,6})?)?)?"


@dataclass(frozen=True)
class Wanted:
    """Which rows: those of some keys, those of a range of ages, or all. ``to`` is not among them.

    ``overwrite``: also those that are in MySQL and differ from their copies.
    """

    keys: tuple[str, ...] = ()
    since: str | None = None
    to: str | None = None
    everything: bool = False
    overwrite: bool = False

    def check(self) -> None:
        """Raises UsageError unless exactly one of the three was asked for."""
        asked = [bool(self.keys), self.since is not None or self.to is not None, self.everything]
        if sum(asked) != 1:
            raise UsageError("choose one: --keys, --from and --to, or --all. Nothing was restored.")
        for name, text in (("--from", self.since), ("--to", self.to)):
            if text is not None and not re.fullmatch(_AGE, text):
                raise UsageError(
                    f"{name} {text!r} must be a date or a time as MySQL prints it, such as 2024-05-31 or "
                    '"2024-05-31 12:00:00", TIMESTAMP in UTC. Nothing was restored.'
                )


@dataclass
class Restored:
    """What became of the rows that were wanted."""

    table: str
    into: str
    wanted: int = 0
    counts: Counts = field(default_factory=Counts)
    made: bool = False
    missing_keys: list[str] = field(default_factory=list)


class Restore(ArchiveJob):
    """``el-archive restore``."""

    name, by_a_person = "restore", True

    def __init__(self, label: str, wanted: Wanted, into: str | None, folder: Path | None) -> None:
        """``into`` a table, or files into a ``folder``. Raises UsageError unless it is one of the two."""
        wanted.check()
        if (into is None) == (folder is None):
            raise UsageError("choose one: --into DATABASE.TABLE or --parquet DIR. Nothing was restored.")
        if wanted.overwrite and folder:
            raise UsageError("--overwrite is for rows in MySQL, and --parquet writes files. Nothing was restored.")
        options = {
            "keys": "…" if wanted.keys else "",  # they are values of cells
            "from": wanted.since,
            "to": wanted.to,
            "all": wanted.everything,
            "into": into and config.shown(into),
            "parquet": folder is not None,
            "overwrite": wanted.overwrite,
        }
        super().__init__([label], options)
        self._wanted, self._folder = wanted, folder
        self._result = Restored(label, into or str(folder))
        self._place: TableArchive | None = None

    def begin(self, going: Going) -> list[Table]:
        table, self._place = place_of(self._result.table)
        return [table]

    def one(self, going: Going, table: Table, bar: Bar) -> State:
        own, result = self._result, going.results[table.label]
        assert self._place
        contents, reporter = contents_of(own.table, self._place), Reporter(bar.moved, going.stop)
        try:
            if self._folder:
                finished = to_parquet(contents, self._wanted, self._folder, own, reporter)
            else:
                finished = into_table(table, contents, self._wanted, own, reporter)
        finally:
            counts = own.counts
            result.rows = {
                "restored": counts.restored,
                "there already": counts.same,
                "overwritten": counts.overwritten,
                "left as they are": counts.differing + counts.clashing,
            }
            result.note(*sorted(counts.notes))
        if not finished:
            return "cut off"
        if found := problems(own):
            result.fail(self.name, *found)
            return "failed"
        return "done"

    def content(self, going: Going) -> dict[str, Any]:
        result, counts = self._result, self._result.counts
        return (
            {"table": result.table, "into": result.into, "made": result.made, "wanted": result.wanted}
            | asdict(counts)
            | {"notes": sorted(counts.notes), "missing": result.missing_keys}
        )

    def lines(self, going: Going) -> list[str]:
        result, counts = self._result, self._result.counts
        return aligned(
            ["table", "into", "wanted", "restored", "there already", "overwritten", "left as they are"],
            [
                [
                    result.table,
                    result.into,
                    f"{result.wanted:,}",
                    f"{counts.restored:,}",
                    f"{counts.same:,}",
                    f"{counts.overwritten:,}",
                    f"{counts.differing + counts.clashing:,}",
                ]
            ],
            {2, 3, 4, 5, 6},
        )


def chosen(contents: Contents, wanted: Wanted) -> Iterator[tuple[ChunkState, Manifest, pa.Table, list[int]]]:
    """The wanted rows: per chunk its manifest, its rows, and positions among them.

    Raises:
        ArchiveError: an object or a manifest is not what was written.
        LandingError: S3 has no such version, cannot be reached or refuses.
        UsageError: a key is no key of the table.
    """
    for chunk, positions in contents.last_versions():
        manifest = contents.manifest(chunk)
        if wanted.keys and not _may_have(contents, chunk, wanted.keys):
            continue
        table = contents.read(chunk).table
        test = _test(contents, chunk, manifest, table, wanted)
        found = [position for position in positions if test(position)]
        if found:
            yield chunk, manifest, table, found


def _test(
    contents: Contents, chunk: ChunkState, manifest: Manifest, table: pa.Table, wanted: Wanted
) -> Callable[[int], bool]:
    if wanted.everything:
        return lambda _: True
    columns = contents.key_columns(chunk)
    if wanted.keys:
        asked = {key_text(keys.parse(text, columns)) for text in wanted.keys}
        own = key_texts(columns, table)
        return lambda position: own[position] in asked
    age = next(one for one in manifest.archived if one.name.lower() == manifest.age.lower())
    # Times as MySQL prints them are in order as texts. A row without an age is never archived.
    ages = [value or b"" for value in rows.to_canonical(age, table.column(age.name)).to_pylist()]
    since, to = (wanted.since or "").encode(), (wanted.to or "~").encode()
    return lambda position: since <= ages[position] < to


def _may_have(contents: Contents, chunk: ChunkState, texts: Sequence[str]) -> bool:
    found = contents.key_range(chunk)
    if found is None:
        return True
    columns = contents.key_columns(chunk)
    return any(found[0] <= tuple(int(part) for part in keys.parse(text, columns)) <= found[1] for text in texts)


def into_table(table: Table, contents: Contents, wanted: Wanted, result: Restored, going: Reporter) -> bool:
    """Restore into ``DATABASE.TABLE``, which is made if it is not there; False if it was asked to stop before.

    Raises:
        UsageError: ``into`` is no name of a table, or the table cannot be made.
        ArchiveError: what was archived cannot be proven, or a row would not be its copy.
        SourceError, LandingError: MySQL or S3 cannot be reached or refuses.
    """
    database, dot, name = result.into.partition(".")
    if not (database and dot and name):
        raise UsageError(f"--into must be DATABASE.TABLE, such as {table.source}_restore.{table.name}")
    place: Target | None = None
    with connected(table.source, settings.archive_mysql(table.source)) as connection:
        for _, manifest, found, positions in chosen(contents, wanted):
            if going.stopping():
                return False
            if place is None:
                result.made = target.create(connection, database, name, manifest)
                place = Target(connection, database, name, wanted.overwrite)
                result.counts = place.counts
            place.put(manifest, found, positions)
            result.wanted += len(positions)
            going.moved(len(positions))
    result.missing_keys = _missing(contents, wanted, result.wanted)
    return True


def to_parquet(contents: Contents, wanted: Wanted, folder: Path, result: Restored, going: Reporter) -> bool:
    """Write the rows as Parquet files into a new folder, with the CREATE TABLE of each beside it; False as above.

    Raises:
        UsageError: the folder is there and not empty.
        ArchiveError: what was archived cannot be proven.
        LandingError: S3 cannot be reached or refuses.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"--parquet {folder} is there and not empty. Nothing was restored. Name a new folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for chunk, manifest, found, positions in chosen(contents, wanted):
        if going.stopping():
            return False
        file = folder / f"{chunk.chunk}.parquet"
        file.write_bytes(objects.to_parquet(found.take(pa.array(positions, pa.int64()))))
        file.with_suffix(".sql").write_text(manifest.create_table + ";\n")
        result.wanted += len(positions)
        result.counts.restored += len(positions)
    result.missing_keys = _missing(contents, wanted, result.wanted)
    return True


def _missing(contents: Contents, wanted: Wanted, found: int) -> list[str]:
    """How many of the keys asked for are not in the archive; a key is found once at most."""
    asked = set(wanted.keys)
    if contents.chunks:  # 7 and 07 are one key
        columns = contents.key_columns(contents.chunks[-1])
        asked = {key_text(keys.parse(text, columns)).hex() for text in wanted.keys}
    return [f"{len(asked) - found:,} of {len(asked):,} keys"] if len(asked) > found and wanted.keys else []


def problems(result: Restored) -> list[str]:
    """Why the restore is not complete, and what to do."""
    found = []
    if result.counts.differing:
        found.append(
            f"{result.into}: {result.counts.differing:,} rows are there and differ from their copies; they were left "
            "as they are. --overwrite replaces them by what was archived."
        )
    if result.counts.clashing:
        found.append(
            f"{result.into}: {result.counts.clashing:,} rows cannot be there beside others with the same value of a "
            "unique key. Restore them into a table of their own."
        )
    found += [
        f"{result.table}: {what} are not in the archive. Look for one: el-archive find {result.table} KEY"
        for what in result.missing_keys
    ]
    return found

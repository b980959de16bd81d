"""A drill: rows of the archive come back into a table made for it, and are compared there. For a monthly schedule.

In: a table's archive, a number of rows. Out: whether they came back as they were. They are restored as any others are
(``target.py``: each is read again from MySQL and held against its copy), into ``<database>_restore``, a scratch
database. The table is dropped at the end, however the drill ends; nothing else is touched.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import uuid4

from el import settings
from el.archive import target
from el.archive.contents import Contents
from el.archive.store import TableArchive
from el.archive.target import Target
from el.archive.work import ArchiveJob, Reporter, archived
from el.config import Table
from el.errors import ArchiveError
from el.mysql.connection import connected
from el.outcome import State, TableResult
from el.progress import Bar
from el.supervise import Going
from el.text import aligned

#: Objects that a drill reads at most.
_OBJECTS = 5


@dataclass
class Drilled:
    """One table: rows that came back, of so many objects."""

    table: str
    rows: int = 0
    objects: int = 0


class Drill(ArchiveJob):
    """``el-archive drill``."""

    name, kinds = "drill", ("drill",)

    def __init__(self, selectors: Sequence[str], most: int) -> None:
        """``most``: rows of each table."""
        super().__init__(selectors, {"rows": str(most)})
        self._most = most
        self._places: dict[str, TableArchive] = {}
        self._results: dict[str, Drilled] = {}

    def begin(self, going: Going) -> list[Table]:
        found = archived(self.selectors, going.run)
        for table, _ in found:  # a variable that is missing must not be found after an hour
            settings.archive_mysql(table.source)
        self._places = {table.label: place for table, place in found}
        self._results = {table.label: Drilled(table.label) for table, _ in found}
        return [table for table, _ in found]

    def one(self, going: Going, table: Table, bar: Bar) -> State:
        own, result = self._results[table.label], going.results[table.label]
        try:
            finished = drill(table, Contents(self._places[own.table]), self._most, own, Reporter(bar.moved, going.stop))
        finally:
            result.rows, result.objects = {"restored": own.rows}, own.objects
        return "done" if finished else "cut off"

    def content(self, going: Going) -> dict[str, Any]:
        return {
            "tables": [
                asdict(own) | {"seconds": round(result.seconds, 1), "problem": result.error}
                for own, result in self._both(going)
            ]
        }

    def lines(self, going: Going) -> list[str]:
        body = [
            [own.table, f"{own.rows:,}", f"{own.objects:,}", f"{result.seconds:.1f}", result.states[self.name]]
            for own, result in self._both(going)
        ]
        body = [[*line, "as it was" if state == "done" else state] for *line, state in body]
        return aligned(["table", "rows", "objects", "seconds", "came back"], body, {1, 2, 3})

    def _both(self, going: Going) -> list[tuple[Drilled, TableResult]]:
        return [(own, going.results[label]) for label, own in self._results.items()]


def drill(
    table: Table,
    contents: Contents,
    most: int,
    result: Drilled,
    going: Reporter,
) -> bool:
    """Bring back ``most`` rows at most, from objects chosen at random; False if it was asked to stop before.

    Raises:
        ArchiveError: rows could not be proven, or did not come back as they were.
        UsageError: the scratch database cannot be made.
        SourceError, LandingError: MySQL or S3 cannot be reached or refuses.
    """
    server = settings.archive_mysql(table.source)
    database, name = f"{server.database}_restore", f"drill_{uuid4().hex[:10]}"
    held = list(contents.last_versions())
    random.shuffle(held)  # nobody has to be kept from guessing what is tried
    with connected(table.source, server) as connection:
        if held:
            target.make_database(connection, database)
        try:
            for chunk, positions in held[:_OBJECTS]:
                if going.stopping():
                    return False
                manifest, proven = contents.manifest(chunk), contents.read(chunk)
                share = min(len(positions), -(-most // min(len(held), _OBJECTS)))
                chosen = sorted(random.sample(positions, share))
                target.create(connection, database, name, manifest)
                place = Target(connection, database, name, overwrite=False)
                place.put(manifest, proven.table, chosen)
                if place.counts.restored != len(chosen):
                    raise ArchiveError(
                        f"{table.label}: {place.counts.restored:,} of {len(chosen):,} rows of {manifest.object} came "
                        "back. Look at it: el-archive verify --all"
                    )
                result.rows += len(chosen)
                result.objects += 1
                going.moved(len(chosen))
                # The next object may be of a time when the table was another one.
                target.drop(connection, database, name)
        finally:
            target.drop(connection, database, name)
    return True

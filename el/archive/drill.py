"""A drill: rows of the archive come back into a table made for it, and are compared there. For a monthly schedule.

In: a table's archive, a number of rows. Out: whether they came back as they were. They are restored as any others are
(``target.py``: each is read again from MySQL and held against its copy), into ``<database>_restore``, a scratch
database. The table is dropped at the end, however the drill ends; nothing else is touched.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import uuid4

from el import settings
from el.archive import target
from el.archive.contents import Contents
from el.archive.target import Target
from el.config import Table
from el.errors import ArchiveError
from el.mysql.connection import connected
from el.text import aligned

#: Objects that a drill reads at most.
_OBJECTS = 5


@dataclass
class Drilled:
    """One table. ``problem``: why its rows did not come back; None: they did."""

    table: str
    rows: int = 0
    objects: int = 0
    seconds: float = 0.0
    problem: str | None = None


def drill(table: Table, contents: Contents, most: int) -> Drilled:
    """Bring back ``most`` rows at most, from objects chosen at random.

    Raises:
        ArchiveError: rows could not be proven, or did not come back as they were.
        UsageError: the scratch database cannot be made.
        SourceError, LandingError: MySQL or S3 cannot be reached or refuses.
    """
    began = time.monotonic()
    server = settings.archive_mysql(table.source)
    database, name = f"{server.database}_restore", f"drill_{uuid4().hex[:10]}"
    result = Drilled(table.label)
    held = list(contents.last_versions())
    random.shuffle(held)  # nobody has to be kept from guessing what is tried
    with connected(table.source, server) as connection:
        if held:
            target.make_database(connection, database)
        try:
            for chunk, positions in held[:_OBJECTS]:
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
                # The next object may be of a time when the table was another one.
                target.drop(connection, database, name)
        finally:
            target.drop(connection, database, name)
    result.seconds = round(time.monotonic() - began, 1)
    return result


def report(results: Sequence[Drilled], as_json: bool) -> str:
    """What ``el-archive drill`` prints."""
    if as_json:
        return json.dumps({"tables": [asdict(one) for one in results]}, indent=1)
    body = [
        [one.table, f"{one.rows:,}", f"{one.objects:,}", f"{one.seconds:.1f}", "failed" if one.problem else "as it was"]
        for one in results
    ]
    return "\n".join(aligned(["table", "rows", "objects", "seconds", "came back"], body, {1, 2, 3}))

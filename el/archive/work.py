"""What the commands of ``el-archive`` have in common: the tables and folders that they name, and being alone there."""

from __future__ import annotations

import getpass
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from el import alive, config, settings
from el.archive.contents import Contents
from el.archive.store import Archive, TableArchive
from el.config import Table
from el.errors import ArchiveError, UsageError
from el.landing import Landing
from el.lease import Leases
from el.runs import Run
from el.stop import Stop

#: The job under which the archive leases a table; extract and load have their own, and go on beside it.
JOB = "archive"


def places(selectors: Sequence[str]) -> list[tuple[Table, TableArchive]]:
    """The tables that selectors name, each with its folder in the archive.

    Raises:
        UsageError: a selector names nothing, or a source file or setting is wrong.
    """
    tables = config.select(config.load_sources(settings.sources_folder()), selectors)
    archive = Archive(settings.archive())
    return [(table, archive.table(table.source, table.name)) for table in tables]


def archived(selectors: Sequence[str], run: Run | None = None) -> list[tuple[Table, TableArchive]]:
    """Of these the ones of which anything was archived, whether or not the source file still says so.

    ``run``: one that would be content with nothing; it is warned, because an archive that is lost looks the same.

    Raises:
        UsageError: as ``places``.
        LandingError: S3 cannot be reached or refuses.
    """
    found = [(table, place) for table, place in places(selectors) if place.last()]
    if run and not found:
        run.warnings.append("nothing of what was named was ever archived here. If that is not so, look at ARCHIVE_URL")
    return found


def place_of(label: str) -> tuple[Table, TableArchive]:
    """The one table that a selector names, and its folder.

    Raises:
        UsageError: it names none, or a source.
    """
    found = places([label])
    if [table.label for table, _ in found] != [label]:
        raise UsageError(f"{label} is a source. Name one table, such as {found[0][0].label}. Nothing was changed.")
    return found[0]


def contents_of(label: str, archive: TableArchive) -> Contents:
    """What the archive holds of a table.

    Raises:
        ArchiveError: nothing of it was archived, or its journal is damaged.
        LandingError: S3 cannot be reached or refuses.
    """
    found = Contents(archive)
    if not found.all_chunks:
        raise ArchiveError(f"{label}: nothing was archived yet. Look at ARCHIVE_URL, and at: el-archive plan {label}")
    return found


@contextmanager
def alone(table: Table, command: str) -> Iterator[str]:
    """Hold the table's lease while the block lasts; the name under which it is held.

    Raises:
        TableBusy: a run, a hold or an expiry is at work on the table.
        LandingError: the landing, where the leases are, cannot be reached or refuses.
    """
    landing = Landing(settings.landing())
    run = Run(f"archive-{command}", f"el-archive {command}", settings.trigger(), settings.home())
    with (
        alive.claim(run.home, run.name),
        Leases(landing, run.name, settings.lease_seconds(), run.home, Stop()) as leases,
        leases.hold(table.source, table.name, JOB, _say),
    ):
        yield run.name


def who() -> str:
    """Who is at work, for records: user and host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    return f"{user}@{platform.node()}"


def _say(text: str) -> None:
    if text:
        print(text, file=sys.stderr)

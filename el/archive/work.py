"""What the commands of ``el-archive`` have in common: the tables and folders that they name, being alone there, and
``ArchiveJob``, one table after the other.
"""

from __future__ import annotations

import getpass
import os
import platform
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from el import alive, config, settings
from el.archive.contents import Contents
from el.archive.store import Archive, TableArchive
from el.config import Table
from el.errors import ArchiveError, UsageError
from el.landing import Landing
from el.lease import Leases
from el.outcome import State, TableResult, joined
from el.problems import Seen
from el.progress import Bar
from el.runs import Run
from el.side_by_side import Work, side_by_side
from el.stop import Stop
from el.supervise import Going, Job

#: The job under which the archive leases a table; extract and load have their own, and go on beside it.
JOB = "archive"


class Reporter(NamedTuple):
    """Whom work on a table tells how many rows it has moved, and asks why it should stop (empty: it should not)."""

    moved: Callable[[int], None]
    stopping: Callable[[], str]


class ArchiveJob(Job):
    """A command that works on one table after the other: it must be gentle, and two at once would share one disk and
    one replica. A table that fails leaves the others alone. ``kinds`` are the problems that it tells of, the first one
    that of a failure without a kind of its own.
    """

    program = "el-archive"
    stays = "What was done stays"
    kinds: tuple[str, ...] = ()
    needs_landing = False

    @abstractmethod
    def begin(self, going: Going) -> list[Table]:
        """The tables, in order. Raises UsageError if nothing is to be started."""

    @abstractmethod
    def one(self, going: Going, table: Table, bar: Bar) -> State:
        """Work on one table; what became of it."""

    @property
    def verb(self) -> str:
        """What it does with a table, for progress and the log."""
        return self.name

    def work(self, going: Going) -> None:
        self._tables = self.begin(going)
        for table in self._tables:
            going.results[table.label] = TableResult(table.label, {self.verb: "not begun"})
        going.write()  # with the tables: planning them may have taken a minute
        work = Work(
            self.verb,
            lambda table, bar: self.one(going, table, bar),
            kind=self.kinds[0] if self.kinds else "",
            again=False,
            quiet=going.quiet,
            left=True,
            usage_ends=self.by_a_person,
        )
        side_by_side(work, self._tables, going.results, going.stop)

    def seen(self, going: Going) -> dict[str, list[Seen]]:
        seen: dict[str, list[Seen]] = {}
        for table in () if self.by_a_person else self._tables:
            label, known = table.label, seen.setdefault(table.source, [])
            result = going.results[label]
            known += [Seen(label, kind, joined(texts)) for kind, texts in result.errors.items()]
            if result.became("done"):
                known += [Seen(label, kind, None) for kind in (self.kinds if result.whole else self.kinds[:1])]
        return seen

    @contextmanager
    def alone(self, going: Going, table: Table, bar: Bar) -> Iterator[None]:
        """Be the only one at work on the table's archive.

        Raises:
            TableBusy: a run, a hold or an expiry is.
            LandingError: the landing, where the leases are, cannot be reached or refuses.
        """
        with going.leased(table, JOB, bar) as held:
            yield
            held.succeeded = True


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

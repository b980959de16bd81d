"""Being the only one at work on a table's archive: what a run, a hold and an expiry have in common."""

from __future__ import annotations

import getpass
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from el import alive, settings
from el.config import Table
from el.landing import Landing
from el.lease import Leases
from el.runs import Run
from el.stop import Stop

#: The job under which the archive leases a table; extract and load have their own, and go on beside it.
JOB = "archive"


@contextmanager
def alone(table: Table, command: str) -> Iterator[str]:
    """Hold the table's lease while the block lasts; the name under which it is held.

    Raises:
        TableBusy: a run, a hold or an expiry is at work on the table.
        LandingError: the landing, where the leases are, cannot be reached or refuses.
    """
    landing = Landing(settings.landing())
    run = Run(command, f"el-archive {command}", settings.trigger(), settings.home())
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

"""The exception tree and the exit codes.

    ElError                     one failure that was understood; exit 1
    ├── UsageError              wrong usage or configuration, nothing was started; exit 2
    │   ├── ConfigError         problems of a source file, each with file and line
    │   └── SettingError        an environment variable that is missing or cannot be read
    ├── SecretError             Secrets Manager: cannot be reached or refuses
    ├── SourceError             MySQL: cannot be reached, refuses, or a value that cannot be carried
    │   ├── ConnectionLost      it may be there again in a moment
    │   └── Undecodable         the reading process met a value that it does not know
    ├── LandingError            S3: cannot be reached or refuses
    │   ├── LandingUnreachable  it may answer in a moment
    │   │   └── LandingConflict another write of the same key was under way
    │   ├── CommitExists        another extractor wrote this commit first
    │   ├── Taken               another process wrote this lease or record first
    │   └── LandingDamage       an object that a commit needs is missing or changed
    ├── ArchiveError        the archive: a row, object or journal is not what it must be, or a table is refused
    │   └── Unproven            an object that was read back is not what was written
    ├── WarehouseError          Redshift: cannot be reached, refuses, or does not fit what a commit says
    │   ├── WarehouseConflict   another transaction was in the way (ERROR 1023)
    │   └── WarehouseLost       the connection was lost, perhaps after COMMIT was sent: look before trying again
    ├── TableBusy               another run is at work on the table; skipped, no failure
    └── AlertError              an alert could not be sent

``transient`` says that trying again in a moment may help; ``side_by_side.py`` does.

Every message says what failed, on what, what state is left and what to do. None holds a secret or a cell value:
messages of drivers quote values, so only their class, number and the name of a column are passed on.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process says to the shell."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    INTERRUPTED = 130


class ElError(Exception):
    """One failure that was understood."""

    exit_code = ExitCode.FAILED
    transient = False


class UsageError(ElError):
    """Wrong usage or configuration; nothing was started."""

    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    """Problems of source files, all of them at once, one line each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


class SettingError(UsageError):
    """An environment variable that is missing or cannot be read."""


class SecretError(ElError):
    """Secrets Manager cannot be reached or refuses; nothing was started."""


class SourceError(ElError):
    """MySQL cannot be reached, refuses, or holds a value that cannot be carried."""


class ConnectionLost(SourceError):
    """The connection to MySQL was lost or refused; trying again may help."""

    transient = True


class Undecodable(SourceError):
    """The reading process met a value that it cannot decode."""


class LandingError(ElError):
    """S3 cannot be reached or refuses."""


class LandingUnreachable(LandingError):
    """S3 does not answer or is busy; trying again may help."""

    transient = True


class LandingConflict(LandingUnreachable):
    """S3 refused a write because another one to the same key was under way (409); it may be tried again."""


class Taken(LandingError):
    """Another process wrote an object first, so it is no longer what it was when it was read."""


class CommitExists(LandingError):
    """Another extractor wrote the commit of this number first."""


class LandingDamage(LandingError):
    """An object that a commit needs is missing or changed; trying again does not help, a full copy does."""


class ArchiveError(ElError):
    """A row, an object or the journal of the archive is not what it must be; what was not proven was not deleted."""


class Unproven(ArchiveError):
    """An object of the archive that was read back is not what was written; nothing more was deleted on its word."""


class WarehouseError(ElError):
    """Redshift cannot be reached, refuses, or does not fit what a commit says."""


class WarehouseConflict(WarehouseError):
    """Redshift aborted the transaction for another one's sake (ERROR 1023, SQLSTATE 40001); the load tries again."""


class WarehouseLost(WarehouseError):
    """The connection to Redshift was lost or cannot be made. A COMMIT that was under way may have come through."""

    transient = True


class TableBusy(ElError):
    """Another run is at work on the table."""


class AlertError(ElError):
    """An alert could not be sent; it says nothing about the run."""

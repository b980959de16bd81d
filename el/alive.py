"""Whether a run that began below this EL_HOME lives: each holds a lock on a file of its own as long as it does.

What a run leaves behind that was killed, or that S3 did not answer at its end (a lease, a record that says "running"),
is thereby known for what it is at once on the same disk. A process id would not do: containers share numbers, and a
number is used again after a reboot. Other hosts have to wait until S3's clock says that nothing was heard of it for too
long.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: By then every host takes the run for dead.
_KEEP_SECONDS = 86400


@contextmanager
def claim(home: Path, run: str) -> Iterator[None]:
    """Be the run of that name until the block ends, or the process does. Without a file to lock, nobody will know."""
    place = _file(home, run)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _delete_old(place.parent)
        file = place.open("w")
    except OSError:
        yield
        return
    with file:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield  # the file stays: a run that ended may have left a lease which S3 did not let it give back


def lives(home: Path, run: str) -> bool | None:
    """True or False for a run that began below this EL_HOME; None: not known here."""
    try:
        with _file(home, run).open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False


def _file(home: Path, run: str) -> Path:
    return home / "alive" / run


def _delete_old(folder: Path) -> None:
    for path in folder.iterdir():
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _KEEP_SECONDS and lives(folder.parent, path.name) is False:
                path.unlink()

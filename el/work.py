"""The folder for rows on their way from MySQL to S3, deleted when the run ends, however it ends.

It holds rows in clear, so only this user may read it. A run that was killed cannot delete its own: each run holds a
lock on its folder as long as it lives, and the next run deletes every folder whose lock nobody holds.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from el.errors import UsageError


@contextmanager
def work_folder(home: Path) -> Iterator[Path]:
    """A folder of our own below ``home``/work.

    Raises:
        UsageError: it cannot be made.
    """
    place = home / "work"
    folder = place / uuid4().hex[:12]
    try:
        place.mkdir(parents=True, exist_ok=True)
        _delete_left_behind(place)
        lock = (place / f"{folder.name}.lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise UsageError(
            f"{folder}: the work folder cannot be made ({error.strerror}). EL_HOME names another place."
        ) from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        Path(lock.name).unlink(missing_ok=True)
        lock.close()


def _delete_left_behind(place: Path) -> None:
    for path in place.glob("*.lock"):
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # its run is alive
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)
            path.unlink(missing_ok=True)

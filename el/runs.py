"""Runs: the record and the log that each leaves, on S3 for everybody and below EL_HOME for this host.

In: what a run of ``el`` or ``el-archive`` knows. Out: ``_runs/<run>.json`` and ``.log`` below the landing, and the same
two files under ``EL_HOME/logs``. A record is written at the start, again every minute while the run goes on, and at the
end. So a record that says "running" and was not written for three minutes belongs to a run that was killed: it is shown
as "died".

A run's name begins with its time, so S3 lists runs in their order and the newest are found without reading all.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from el import __version__, alive, settings
from el.errors import LandingDamage, LandingError, UsageError
from el.landing import Landing

log = logging.getLogger("el")

#: A record is written again after so many seconds, and its run taken for dead after so many without.
_BEAT, _DEAD = 60, 180
#: ``el runs`` looks no further back for failed runs: their state is in their records only.
_LOOK_BACK = 1000
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass
class Run:
    """This run. ``line`` is its command line as it was understood; what was no selector is not in it."""

    command: str
    line: str
    trigger: str
    home: Path
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    state: str = "running"
    warnings: list[str] = field(default_factory=list)
    error: str | None = None
    exit_code: int | None = None
    ended: datetime | None = None
    tables: Callable[[], Sequence[dict[str, Any]]] = tuple
    on_s3: bool = False

    def __post_init__(self) -> None:
        self.name = f"{self.began:{_STAMP}}-{self.command}-{uuid4().hex[:6]}"
        self.log_file = self.home / "logs" / f"{self.name}.log"
        self._started = time.monotonic()
        self._lock = threading.Lock()

    @contextmanager
    def going(self, landing: Landing | None) -> Iterator[None]:
        """Keep the record up to date while the block lasts."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(_BEAT):
                with suppress(RuntimeError):  # a result that changes while it is read: the next minute will do
                    self.write(landing)

        with alive.claim(self.home, self.name):
            self.write(landing)
            thread = threading.Thread(target=beat, daemon=True)
            thread.start()
            try:
                yield
            finally:
                over.set()
                thread.join()

    def end(self, landing: Landing | None, state: str, exit_code: int, error: str | None = None) -> str | None:
        """Write the last record and bring the log to S3; why they are on this host only, if they are."""
        self.state, self.exit_code, self.error, self.ended = state, exit_code, error, datetime.now(UTC)
        log.info("%s, exit code %d, %.1f s", state, exit_code, time.monotonic() - self._started)
        problem = self.write(landing)
        if landing and not problem:
            try:
                landing.put_log(self.name, self.log_file.read_bytes())
            except (LandingError, OSError) as refused:
                problem = str(refused) if isinstance(refused, LandingError) else type(refused).__name__
        return problem

    def write(self, landing: Landing | None) -> str | None:
        """Write the record here and on S3; why S3 does not have it, if it does not."""
        with self._lock:
            content = self.json()
            try:
                self.log_file.with_suffix(".json").write_text(json.dumps(content, indent=1))
            except OSError as error:
                log.warning("the record could not be written below %s: %s", self.home, type(error).__name__)
            if landing is None:
                return "LANDING_URL is not known"
            try:
                landing.record(self.name).put(content)
            except LandingError as refused:
                log.warning("the record could not be written: %s", refused)
                return str(refused)
            self.on_s3 = True
            return None

    def json(self) -> dict[str, Any]:
        """The record."""
        return {
            "run": self.name,
            "command": self.command,
            "line": self.line,
            "trigger": self.trigger,
            "el_version": __version__,
            "host": platform.node(),
            "pid": os.getpid(),
            "started": self.began.isoformat(timespec="seconds"),
            "ended": self.ended.isoformat(timespec="seconds") if self.ended else None,
            "seconds": round(time.monotonic() - self._started, 1),
            "state": self.state,
            "exit_code": self.exit_code,
            "error": self.error,
            "warnings": self.warnings,
            "tables": list(self.tables()),
        }


@contextmanager
def logged(run: Run) -> Iterator[None]:
    """The log of a run, while the block lasts.

    Raises:
        UsageError: the folder cannot be written.
    """
    try:
        run.log_file.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(run.log_file, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{run.log_file}: the log cannot be written ({error.strerror}). EL_HOME names another folder."
        ) from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(handler)
    log.info("el %s: %s (%s), run %s", __version__, run.line, run.trigger, run.name)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()


def recent(landing: Landing, limit: int, failed: bool = False) -> list[dict[str, Any]]:
    """The records of the newest runs, newest first; ``failed``: of those that failed, died or were interrupted.

    Raises:
        LandingError: S3 refuses.
    """
    wanted = _LOOK_BACK if failed else limit
    now, names = datetime.now(UTC), []
    for span in (timedelta(hours=6), timedelta(days=3), timedelta(days=40), None):
        names = landing.runs_from(f"{now - span:{_STAMP}}" if span else "")
        if len(names) >= wanted:
            break
    newest = sorted(names, reverse=True)[:wanted]
    found: list[dict[str, Any]] = []
    with ThreadPoolExecutor(16) as pool:
        while newest and len(found) < limit:
            records = pool.map(lambda name: record(landing, name), newest[:limit])
            newest = newest[limit:]
            found += [r for r in records if not failed or r["state"] not in ("done", "running")]
    return found[:limit]


def record(landing: Landing, name: str) -> dict[str, Any]:
    """One record; ``state`` is "died" if its run was killed.

    Raises:
        UsageError: there is no such run.
        LandingError: S3 refuses.
    """
    found = landing.record(name).read()
    if found.content is None:
        raise UsageError(f"{name}: no such run{' that can be read' if found.etag else ''}. List what there is: el runs")
    content = found.content
    if content["state"] == "running":
        lives = alive.lives(settings.home(), name)
        if lives is False or (lives is None and found.age > _DEAD):
            content["state"] = "died"
    return content


def log_of(landing: Landing, name: str) -> str:
    """The log of one run: from S3, or from this host where S3 has none (yet).

    Raises:
        UsageError: there is none.
        LandingError: S3 refuses.
    """
    here = settings.home() / "logs" / f"{name}.log"
    try:
        return landing.get_log(name).decode()
    except LandingDamage:
        if here.parent.is_dir() and here in here.parent.iterdir():
            return here.read_text(encoding="utf-8")
    raise UsageError(
        f"{name}: no log of such a run on S3, nor under {here.parent}. A log is brought to S3 when its run ends; that "
        "of a run that was killed is on its host only. List what there is: el runs"
    )

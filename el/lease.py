"""Leases keep two runs from doing the same work on one table. Correctness does not depend on them.

In: a table and a job (extract, load, archive: each may go on beside the others, on another host). Out: the lease, or
who has it. What makes two runs on one table harmless are the commits' ``If-None-Match``, the ledger's lock, and the
archive's journal. A lease can always be lost, to a host that slept or a network that was away. It saves time and shows
who is working.

One object per table and job, written only under the ETag it was read with, and never deleted: the one that is free says
who worked last, and when, which is how ``el status`` knows that an idle table is up to date. A thread renews what is
held four times within its length. Whoever finds a lease that is held waits until he sees it renewed (then somebody
works there) or until S3's clock says that it is over (then it is his). So a run behind one that was killed loses a
minute instead of failing, and a run beside a living one loses a quarter of it. On the disk of the run that was killed
nobody waits (``alive.py``).
"""

from __future__ import annotations

import logging
import os
import platform
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from el import __version__, alive
from el.config import raw_name
from el.errors import LandingError, TableBusy, Taken
from el.landing import Landing
from el.s3 import Found, Slot
from el.stop import Stop

log = logging.getLogger("el")


@dataclass
class Hold:
    """A lease that is ours. ``lost`` says who took it over; ``succeeded`` is set when the work is done."""

    label: str
    slot: Slot | None = None
    etag: str = ""
    content: dict[str, Any] = field(default_factory=dict)
    took_over: str = ""
    lost: str = ""
    succeeded: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class Leases:
    """The leases of one run; used in a ``with`` block, from any thread. ``seconds``: how long each lasts; 0: none."""

    def __init__(self, landing: Landing, run: str, seconds: int, home: Path, stop: Stop) -> None:
        self._landing, self.run, self._seconds, self._home, self._stop = landing, run, seconds, home, stop
        self._held: list[Hold] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew_all, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    @contextmanager
    def hold(self, source: str, table: str, job: str, say: Callable[[str], None]) -> Iterator[Hold]:
        """The lease of a job on a table, while the block lasts. ``say`` is told why it waits.

        Raises:
            TableBusy: another run works on it.
            LandingError: S3 refuses.
        """
        label = f"{source}.{table}"
        if not self._seconds:
            yield Hold(label)
            return
        held = self._take(self._landing.lease(source, raw_name(table), job), label, job, say)
        self._held.append(held)
        try:
            yield held
        finally:
            self._held.remove(held)
            self._release(held)

    def release(self) -> None:
        """Give back all that is held, when the process is about to end in the middle of its work."""
        self._ended.set()
        for held in list(self._held):
            self._release(held)

    def _take(self, slot: Slot, label: str, job: str, say: Callable[[str], None]) -> Hold:
        seen: str | None = None
        while True:
            found = slot.read()
            holder = found.content if found.content and found.content["state"] == "held" else None
            over = holder and self._is_over(holder, found)
            if holder is None or over:
                content = self._content(label, job, found)
                try:
                    etag = slot.write(content, found.etag)
                except Taken:
                    continue
                say("")
                took_over = f"{_who(holder)} has died; its lease was taken over" if holder else ""
                return Hold(label, slot, etag, content, took_over)
            lives = alive.lives(self._home, holder["run"])
            if lives or seen not in (None, found.etag):
                raise TableBusy(f"{_who(holder)} works on it since {holder['since']}")
            seen = found.etag
            say(f"waits for a sign of {_who(holder)}, which has its lease")
            if self._stop.wait(self._seconds / 30):
                raise TableBusy(f"{_who(holder)} works on it since {holder['since']}")

    def _is_over(self, holder: dict[str, Any], found: Found) -> bool:
        return found.age > holder["seconds"] or alive.lives(self._home, holder["run"]) is False

    def _content(self, label: str, job: str, found: Found) -> dict[str, Any]:
        return {
            "state": "held",
            "table": label,
            "job": job,
            "run": self.run,
            "host": platform.node(),
            "pid": os.getpid(),
            "since": found.now.isoformat(timespec="seconds"),
            "seconds": self._seconds,
            "renewed": 0,
            "last": (found.content or {}).get("last"),
            "el_version": __version__,
        }

    def _renew_all(self) -> None:
        while self._seconds and not self._ended.wait(self._seconds / 4):
            for held in list(self._held):
                self._renew(held)

    def _renew(self, held: Hold) -> None:
        with held.lock:
            if held.lost or not held.slot or held.content["state"] != "held":
                return
            content = held.content | {"renewed": held.content["renewed"] + 1}
            try:
                held.etag = held.slot.write(content, held.etag)
                held.content = content
            except Taken:
                held.lost = self._taker(held.slot)
                log.warning("%s: its lease ran out, and %s took it over", held.label, held.lost)
            except LandingError as error:
                log.warning("%s: its lease could not be renewed: %s", held.label, error)

    def _release(self, held: Hold) -> None:
        with held.lock:
            if held.lost or not held.slot:
                return
            last = held.content["last"]
            if held.succeeded:
                last = {"run": self.run, "began": held.content["since"]}
            held.content = held.content | {"state": "free", "last": last}
            try:
                held.slot.write(held.content, held.etag)
            except Taken:
                held.lost = self._taker(held.slot)
            except LandingError as error:
                log.warning("%s: its lease could not be given back and ends by itself: %s", held.label, error)

    def _taker(self, slot: Slot) -> str:
        try:
            return _who(slot.read().content or {})
        except LandingError:
            return "another run"


def _who(content: dict[str, Any]) -> str:
    return f"run {content.get('run', '(not known)')} on {content.get('host', 'another host')}"


@dataclass(frozen=True)
class AtWork:
    """What the lease of a job on a table says: who has it now, and when the last one that succeeded began."""

    run: str | None
    host: str | None
    since: str | None
    last_began: datetime | None
    now: datetime


def look(landing: Landing, home: Path, source: str, table: str, job: str) -> AtWork:
    """Raises LandingError if S3 refuses."""
    found = landing.lease(source, raw_name(table), job).read()
    content = found.content or {}
    at_work = (
        content.get("state") == "held"
        and found.age <= content["seconds"]
        and alive.lives(home, content["run"]) is not False
    )
    last = content.get("last")
    return AtWork(
        run=content["run"] if at_work else None,
        host=content["host"] if at_work else None,
        since=content["since"] if at_work else None,
        last_began=datetime.fromisoformat(last["began"]) if last else None,
        now=found.now,
    )

"""Retries: how often something that failed in a way that may pass is tried again, and after which pauses.

In: a failure. Out: a pause that grows with every failure, or the failure itself once there is no try left. Each pause
is longer by up to half, at random, so that two that met do not meet again. No other file sleeps before a retry; S3's
client has retries of its own (botocore's).

Why not tenacity: a reader passes rows on between two failures, and only failures in a row count (``reset``); and a run
that is asked to stop ends a pause with the error that was met.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from el.errors import ElError

log = logging.getLogger("el")
Result = TypeVar("Result")

#: Pauses in seconds, by what was met. Another process of ours does the same at the same moment:
RACE = (0.2, 0.4, 0.6, 0.8)
#: A transaction that another one was in the way of, or whose connection was lost:
TRANSACTION = (0.2, 0.5, 1, 2, 4, 8, 16)
#: Rows that somebody holds locks on; each try has waited for them already (innodb_lock_wait_timeout):
LOCKED = (0.2, 0.2)
#: A connection that is made again; a server that restarts takes some time:
RECONNECT = (1, 2, 5, 10, 20)
#: A table whose work failed as a whole, behind the retries above:
TABLE = (2, 8)


class Backoff:
    """The tries of one thing. ``wait`` sleeps; if it says True, somebody asks to stop, and no try follows."""

    def __init__(self, delays: Sequence[float], what: str = "", wait: Callable[[float], object] = time.sleep) -> None:
        """``what`` begins the line in the log, if the error does not say it."""
        self._delays, self._what, self._wait = delays, what, wait
        #: In a row.
        self.failures = 0

    def pause(self, error: Exception) -> None:
        """Sleep before the next try.

        Raises:
            Exception: ``error``, if there is no try left or it is asked to stop.
        """
        if self.failures == len(self._delays):
            raise error
        seconds = self._delays[self.failures] * random.uniform(1, 1.5)  # noqa: S311 - no secret
        self.failures += 1
        # The messages of drivers quote values.
        why = str(error) if isinstance(error, ElError) else type(error).__name__
        log.warning("%s%s: it is tried again in %.1f s", f"{self._what}: " if self._what else "", why, seconds)
        if self._wait(seconds):
            raise error

    def reset(self) -> None:
        """It worked: the next failure is the first."""
        self.failures = 0


def retry(
    work: Callable[[], Result],
    delays: Sequence[float],
    on: type[Exception] | tuple[type[Exception], ...],
    wait: Callable[[float], object] = time.sleep,
) -> Result:
    """Do ``work``, again after a pause where it raises one of ``on``.

    Raises:
        Exception: as the last try raised it.
    """
    backoff = Backoff(delays, wait=wait)
    while True:
        try:
            return work()
        except on as error:
            backoff.pause(error)

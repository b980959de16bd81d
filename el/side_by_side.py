"""One job on many tables: what one failure means for the others (nothing), and what is tried again.

In: a ``Work``, and the tables in order. Out: the state and the errors in each ``TableResult``. An error that may pass
(``transient``) is tried again after a pause; any other ends its table alone. After ``stop`` nothing is begun.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import pymysql

from el.config import Table
from el.errors import ElError, TableBusy, Unproven, UsageError
from el.outcome import State, TableResult
from el.progress import Bar, Progress
from el.retry import TABLE, Backoff
from el.stop import Stop

log = logging.getLogger("el")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Work:
    """A job, and ``one``, which does it for a table and says what became of it.

    ``workers`` tables at once. ``kind`` is that of the problem that a failure is; empty: the job's name. ``again``:
    what may pass is tried again. ``left``: progress with the rate and the time that is left. ``usage_ends``: a
    UsageError is everybody's, and not that of its table.
    """

    job: str
    one: Callable[[Table, Bar], State]
    workers: int = 1
    kind: str = ""
    again: bool = True
    quiet: bool = False
    left: bool = False
    usage_ends: bool = True


def patiently(what: str, work: Callable[[], Result], stop: Stop) -> Result:
    """Do something, again after a pause where its error may pass.

    Raises:
        ElError: as the last try raised it.
    """
    backoff = Backoff(TABLE, what, stop.wait)
    while True:
        try:
            return work()
        except ElError as error:
            if not error.transient:
                raise
            backoff.pause(error)


def side_by_side(work: Work, tables: Sequence[Table], results: Mapping[str, TableResult], stop: Stop) -> None:
    """Do the job for every table; ``results`` are by label.

    Raises:
        UsageError: as ``one`` raised it, when all that was begun has ended.
    """
    job, kind = work.job, work.kind or work.job
    with Progress(job, [table.label for table in tables], work.quiet, work.left) as progress:

        def guarded(table: Table) -> None:
            if stop():
                return
            label, result = table.label, results[table.label]
            began = time.monotonic()
            progress.start(label)
            bar = progress.bar(label)
            state: State = "failed"

            def fail(text: str, kind: str = kind) -> None:
                result.fail(job, text, kind=kind)
                log.error("%s %s failed: %s", job, label, text)

            try:
                if work.again:
                    state = patiently(f"{job} {label}", lambda: work.one(table, bar), stop)
                else:
                    state = work.one(table, bar)
            except TableBusy as error:
                state = "skipped"
                result.note(f"{error}; this run did not {job} it")
            except Unproven as error:
                fail(str(error), "proof")
            except ElError as error:
                if isinstance(error, UsageError) and work.usage_ends:
                    raise
                fail(str(error))
            except pymysql.err.MySQLError as error:  # outside of a `connected` block there should be none
                fail(f"{label}: MySQL failed: {type(error).__name__}")
            finally:
                result.states[job] = state
                result.seconds += time.monotonic() - began
                progress.finish(label, state)
                if state != "not begun":  # it was only looked at
                    log.info("%s %s: %s in %.2f s", job, label, state, time.monotonic() - began)

        pool = ThreadPoolExecutor(work.workers)
        try:
            for future in [pool.submit(guarded, table) for table in tables]:
                future.result()
        finally:
            # After a bug: what runs is finished, what waits is not started.
            pool.shutdown(wait=True, cancel_futures=True)


def by_turns(tables: Sequence[Table]) -> list[Table]:
    """One table of each source after the other: a source with many must not keep the others waiting."""
    place: dict[str, int] = {}
    turns = []
    for table in tables:
        place[table.source] = place.get(table.source, 0) + 1
        turns.append((place[table.source], table))
    return [table for _, table in sorted(turns, key=lambda turn: turn[0])]

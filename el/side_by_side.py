"""One job on many tables, side by side: what one failure means for the others (nothing), and what is tried again.

In: tables, and what to do with one. Out: the state and the errors in each ``TableRun``. An error that may pass
(``transient``) is tried again after a pause; any other ends its table alone. After ``stop`` nothing is begun.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pymysql

from el.config import Table
from el.errors import ElError, TableBusy, UsageError
from el.outcome import Job, State, TableRun
from el.progress import Bar, Progress
from el.retry import TABLE, Backoff
from el.stop import Stop

log = logging.getLogger("el")
Result = TypeVar("Result")


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


def side_by_side(
    job: Job,
    tables: Sequence[Table],
    results: Mapping[str, TableRun],
    one: Callable[[Table, Bar], State],
    workers: int,
    stop: Stop,
    quiet: bool,
) -> None:
    """Do ``one`` for every table; it says what became of it.

    Raises:
        UsageError: as ``one`` raised it, when all that was begun has ended.
    """
    with Progress(job, [table.label for table in tables], quiet) as progress:

        def guarded(table: Table) -> None:
            if stop():
                return
            result = results[table.label]
            began = time.monotonic()
            progress.start(table.label)
            state: State = "failed"
            try:
                bar = progress.bar(table.label)
                state = patiently(f"{job} {table.label}", lambda: one(table, bar), stop)
            except UsageError:
                raise
            except TableBusy as error:
                state = "skipped"
                result.note(f"{error}; this run did not {job} it")
            except ElError as error:
                result.fail(job, str(error))
                log.error("%s %s failed: %s", job, table.label, error)
            except pymysql.err.MySQLError as error:  # outside of a `connected` block there should be none
                result.fail(job, f"{table.label}: MySQL failed: {type(error).__name__}")
            finally:
                setattr(result, job, state)
                result.seconds += time.monotonic() - began
                progress.finish(table.label, state)
                if state != "not begun":  # it was only looked at
                    log.info("%s %s: %s in %.2f s", job, table.label, state, time.monotonic() - began)

        pool = ThreadPoolExecutor(workers)
        try:
            for future in [pool.submit(guarded, table) for table in by_turns(tables)]:
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
